//! Golden bytes, captured frames and properties of the codecs, in one test binary.
//!
//! Owns: reading `golden/`, and what every example must decode to.
//! Must never: contain bytes that the code under test made.

#![allow(clippy::unwrap_used)]

mod captures;
mod corpus;
mod examples;
mod lengths;
mod link;
mod meanings;
mod properties;
mod rows;
