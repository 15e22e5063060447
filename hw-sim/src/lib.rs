//! A simulated rack: registers that answer real bytes, and the FNs behind them.
//!
//! Owns: what the hardware does, from public documents and captures.
//! Must never: know the daemon, or be bent to please a driver.

pub mod chance;
pub mod control;
pub mod faults;
pub mod fiscal_storage;
pub mod host;
pub mod ledger_lines;
pub mod machine;
pub mod models;
pub mod moment;
pub mod rack;
pub mod rack_file;
pub mod switches;
pub mod true_time;
