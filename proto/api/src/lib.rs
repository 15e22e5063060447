//! The contracts of Kassette: package `kassette.v1` as generated code.
//!
//! Owns: the `.proto` files beside it and the Rust code made from them.
//! Must never: hold behaviour, know a device, or import anything of ours but the code list.
