//! The host around the core: configuration, gRPC, ports, journal threads, signals.
//!
//! Owns: everything that touches the operating system.
//! Must never: decide anything about a fiscal document.

pub mod identity;
