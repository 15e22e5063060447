//! `kassettectl`: the command line of operators and technicians, over gRPC only.
//!
//! Owns: how things are shown to people.
//! Must never: know anything but the contracts in `kassette-api`.
fn main() {}
