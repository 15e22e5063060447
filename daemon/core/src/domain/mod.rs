//! What the rack speaks about: units, attempts, outcomes, evidence, descriptions. Pure values.
//!
//! Owns: the domain types and the pure machines over them.
//! Must never: await, do I/O, read a clock, or know a vendor or a surface.

pub mod attempt;
pub mod device;
