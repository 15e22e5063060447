//! What of `kassettectl` other programs may use.
//!
//! Owns: the mapping of receipts of 2020, so that the command line and the tests have one.
//! Must never: talk to a daemon; that is the program's.

pub mod map_2020;
