//! Seeded simulation: the rack and simulated registers in one thread under virtual time.
//!
//! Owns: the simulated world around the core (clock, entropy, ports, locks, disk), the stories told in it, and what is
//! checked of them.
//! Must never: be built by a command that makes a shipped binary.

pub mod check;
pub mod draw;
pub mod figures;
pub mod fixed;
pub mod mutants;
pub mod nth;
pub mod play;
pub mod run;
pub mod shrink;
pub mod story;
pub mod weather;
pub mod world;
