//! One actor for each slot: it owns the port there, and with it the register and FN that answer.
//!
//! Owns: the life of a unit, from a port that appears to a document that is proven.
//! Must never: share a port, drop a fiscal exchange half way, or take a job while a doubt is open on its FN.

mod admit;
mod asked;
mod attempt;
mod audit;
mod marks;
mod noted;
mod readiness;
mod reading;
mod recovery;
mod review;
mod session;
mod settle;
mod shift;
mod slot;
mod unmade;

pub use slot::SlotActor;
