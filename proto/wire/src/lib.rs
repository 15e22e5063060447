//! Pure codecs of device links, vendor commands and FFD TLV, and the value types all crates share.
//!
//! Owns: bytes and their typed values, in both directions.
//! Must never: do I/O, await, read a clock, or decide what a command does to a receipt.

pub mod codes;
mod crc;
pub mod ffd;
pub mod fiscal;
pub mod link;
pub mod shtrih;
pub mod text;
pub mod value;
