//! The test harness: starts the real programs, waits for events, reads ledgers.
//!
//! Owns: helpers of the end-to-end cases and of the demo.
//! Must never: be part of a shipped program.

pub mod mapping;
