//! One request in flight over a port: framing, acknowledgement, resync, deadlines.
//!
//! Owns: the port of one register between open and close.
//! Must never: know what a command means, or send a command again on its own.
