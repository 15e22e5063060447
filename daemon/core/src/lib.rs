//! The rack: registers, slots, cassettes, drivers, exchange, recovery, dispatch, journal.
//!
//! Owns: every promise about fiscal documents; one object, the rack, started from its parts.
//! Must never: touch a global, a file outside its store, an environment variable or a std clock, spawn
//! outside its own task set, or end the process.

pub mod dispatch;
pub mod domain;
pub mod drivers;
pub mod exchange;
pub mod journal;
pub mod mutants;
pub mod parts;
pub mod rack;
mod register;
mod told;
