//! The host around the core: configuration, gRPC, ports, journal threads, signals.
//!
//! Owns: everything that touches the operating system.
//! Must never: decide anything about a fiscal document.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod grpc;
pub mod identity;
pub mod journal_threads;
pub mod listener;
pub mod locks;
pub mod secrets;
pub mod telemetry;
pub mod transport;
