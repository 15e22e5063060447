//! Bytes in and out: serial lines and TCP, behind the core's port seam.
//!
//! Owns: which ports are there, their generations, and opening them exclusively.
//! Must never: open a path that was not allowed (promise K9), or know what a byte means.

mod presence;
mod serial;
mod source;
mod tcp;

pub use presence::{Identity, present_now};
pub use source::HostPorts;
