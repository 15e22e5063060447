//! The contracts of Kassette: package `kassette.v1` as generated code.
//!
//! Owns: the `.proto` files beside it and the Rust code made from them.
//! Must never: hold behaviour, know a device, or import anything of ours but the code list.

pub use kassette::v1;
pub use kassette_wire::codes;

pub mod status;

// The nesting of the modules is that of the packages: generated code refers to other packages by relative paths.
mod kassette {
    /// Messages, clients and servers of package `kassette.v1`; their texts are those of the `.proto` files.
    #[allow(missing_docs, clippy::all, clippy::pedantic)]
    #[rustfmt::skip]
    pub mod v1 {
        tonic::include_proto!("kassette.v1");
    }
}

/// Public messages that a status carries.
pub mod google {
    /// Package `google.rpc`: the status and its details.
    #[allow(missing_docs, rustdoc::all, clippy::all, clippy::pedantic)]
    #[rustfmt::skip]
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

/// The compiled descriptor of all packages with their comments, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.binpb"));
