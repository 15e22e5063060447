//! Ports: what carries a device's bytes to whoever drives it.
//!
//! Owns: pseudo-terminals, TCP listeners and in-memory pipes, and the stop in front of a device that tests use.
//! Must never: know a vendor's protocol, or change a byte.

pub mod carrier;
pub mod event_log;
pub mod line;
pub mod memory;
pub mod pty;
pub mod station;
pub mod tcp;

#[cfg(test)]
mod test_device;
