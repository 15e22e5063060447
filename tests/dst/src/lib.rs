//! Seeded simulation: the rack and simulated registers in one thread under virtual time.
//!
//! Owns: the simulated world around the core (clock, entropy, ports, locks, disk) and what it checks.
//! Must never: be built by a command that makes a shipped binary.

pub mod check;
pub mod play;
pub mod world;
