//! Contract to domain and back: the only code that knows both.
//!
//! Owns: the meaning of each field of the contract in domain words, with every problem of a request at once.
//! Must never: talk to the rack, read a clock, or decide who may do what.

pub mod document;
pub mod filter;
pub mod findings;
pub mod item;
pub mod job;
pub mod parties;
pub mod paths;
pub mod plan;
pub mod reason;
pub mod receipt;
pub mod show_receipt;
pub mod time;
pub mod unit;
pub mod values;

#[cfg(test)]
mod tests;
