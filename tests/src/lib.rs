//! The test harness: starts the real programs, waits for events, reads ledgers.
//!
//! Owns: helpers of the end-to-end cases and of the demo.
//! Must never: be part of a shipped program.

pub mod api;
pub mod bench;
pub mod bench_rack;
pub mod control;
pub mod daemon;
pub mod ledger;
pub mod mapping;
pub mod process;
pub mod programs;
pub mod python;
pub mod reckoning;
pub mod requests;
pub mod simulator;
pub mod storm;
pub mod test_rack;
pub mod torture;
