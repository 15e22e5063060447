//! What the rack speaks about: units, jobs, attempts, outcomes, evidence, the plan of a rack. Pure values.
//!
//! Owns: the domain types and the pure machines over them.
//! Must never: await, do I/O, read a clock, or know a vendor or a surface.

pub mod attempt;
pub mod audit;
pub mod compare;
pub mod content;
pub mod device;
pub mod doubt;
pub mod error;
pub mod explain;
pub mod finding;
pub mod job;
pub mod orphan;
pub mod plan;
pub mod snapshot;
pub mod taxes;
pub mod tenant;
pub mod unit;
pub mod verdict;
