//! What a receipt is: model, rules, content hash, dated law, and the job machine.
//!
//! Owns: the meaning of a receipt before any device sees it.
//! Must never: know a device, a journal, a clock or a network.

pub mod capability;
pub mod digest;
pub mod hash;
pub mod job;
pub mod job_key;
pub mod law;
pub mod model;
pub mod rules;
#[cfg(test)]
mod sample;
pub mod spread;
