//! A Shtrih-M register: link, commands, tables, modes (`shtrih-m.md`).
//!
//! Owns: everything between the bytes of the link and the FN.
//! Must never: know the daemon or bend to a driver; where the reference is doubtful a switch decides.

mod config;
mod register;

pub use config::{Config, Ffd, LinkKind, Registration, Timing};
pub use register::{Register, StartError};
