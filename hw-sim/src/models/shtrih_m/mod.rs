//! A Shtrih-M register: link, commands, tables, modes (`shtrih-m.md`).
//!
//! Owns: everything between the bytes of the link and the FN.
//! Must never: know the daemon or bend to a driver; where the reference is doubtful a switch decides.

mod access;
mod answering;
mod armed;
mod clock;
mod config;
mod correction;
mod defects;
mod device;
mod error_texts;
mod exchange;
mod figures;
mod fn_archive;
mod fn_closing;
mod fn_reads;
mod identity;
mod link;
mod memory;
mod printer;
mod receipt;
mod register;
mod registration;
mod sale;
mod service;
mod shift;
mod start;
mod table_rows;
mod tables;
mod tags;
mod timing;
mod totals;
mod trouble;

pub use config::{Config, Ffd, LinkKind, Registration, Timing};
pub use register::Register;
pub use start::StartError;
