//! The binary `kassetted`.
fn main() {}
