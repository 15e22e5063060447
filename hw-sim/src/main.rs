//! The binary `kassette-hw-sim`.
fn main() {}
