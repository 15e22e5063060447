//! The host around the core: configuration, gRPC, ports, journal threads, signals.
//!
//! Owns: everything that touches the operating system.
//! Must never: decide anything about a fiscal document.

pub mod backup;
mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod exit;
mod fn_copies;
pub mod grpc;
pub mod identity;
mod journal_commands;
pub mod journal_parts;
pub mod journal_threads;
pub mod listener;
pub mod locks;
mod probe;
pub mod secrets;
mod supervisor;
pub mod telemetry;
pub mod transport;
mod version;

pub use cli::run_with;
