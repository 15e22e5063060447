//! Link layers: how a payload becomes bytes on the wire and back.
//!
//! Owns: framing and check sums.
//! Must never: know what a payload means, or how long to wait for it.

pub mod shtrih_v1;
pub mod shtrih_v2;
