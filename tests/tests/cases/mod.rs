//! The cases, by what they show.
//!
//! Owns: nothing but the list.
//! Must never: hold a case itself.

mod oracle;
mod outside_driver;
