//! The personalities: one folder per vendor protocol.
//!
//! Owns: the list of them.
//! Must never: share command meaning between vendors.

pub mod shtrih_m;
