//! The gRPC surface: what the rack does, in the words of package `kassette.v1`.
//!
//! Owns: requests and answers, roles and grants, statuses, page tokens and cursors, watches.
//! Must never: know a driver or the journal, or reach the rack but through its handle.

pub mod access;
mod backup;
pub mod codes_layer;
pub mod convert;
pub mod deadline;
pub mod doubts;
pub mod inventory;
pub mod names;
pub mod orders;
pub mod rack;
pub mod receipts;
pub mod server;
pub mod status;
pub mod surface;
pub mod tenants;
pub mod tokens;
mod upgrade;
pub mod watching;

pub use server::serve;
