//! What the limit programs share. A program and what it names of this stay under 200 lines together.
//!
//! Owns: nothing.
//! Must never: use code of this workspace.

pub mod commits;
pub mod register;
