//! The journal on real SQLite files.
//!
//! Owns: proof that what was answered is durable, that nothing contradictory is stored, and that damage is found.
//! Must never: look inside the store; the file itself is read and changed only to damage it.

#![allow(clippy::unwrap_used, reason = "a test may end here")]
#![allow(clippy::disallowed_methods, reason = "the tests look at the file and damage it")]

mod accept;
mod archives;
mod attempts;
mod contacts;
mod damage;
mod kill;
mod migrations;

mod orders;
mod reads;
mod reopen;
mod rig;
