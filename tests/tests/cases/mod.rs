//! The cases, by what they show.
//!
//! Owns: nothing but the list.
//! Must never: hold a case itself.

mod backup;
mod bad_input;
mod clock;
mod crashes;
mod doubts;
mod faults;
mod happy;
mod import;
mod lists;
mod matrix;
mod measuring;
mod mutants;
mod oracle;
mod outside_driver;
mod python_client;
mod second_client;
mod storm;
mod strangers;
mod stream;
mod tenants;
mod verify;
