//! A simulated rack: registers that answer real bytes, and the FNs behind them.
//!
//! Owns: what the hardware does, from public documents and captures.
//! Must never: know the daemon, or be bent to please a driver.

pub mod chance;
pub mod faults;
pub mod fiscal_storage;
pub mod machine;
pub mod models;
pub mod moment;
pub mod switches;
