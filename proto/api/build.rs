//! Compiles the `.proto` files into Rust without protoc, and keeps their descriptor for reflection.
//!
//! Owns: the list of files: everything under `proto/kassette/v1`.
//! Must never: write outside `OUT_DIR`.

use prost::Message as _;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    let mut files = Vec::new();
    for entry in fs::read_dir("proto/kassette/v1")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    // Details of a status are packed as Any: nothing of ours imports them, so they are named here.
    files.push(PathBuf::from("proto/google/rpc/error_details.proto"));
    let mut descriptors = protox::compile(&files, ["proto"])?;
    for file in &mut descriptors.file {
        // Comments of other packages hold indented examples that rustdoc would run as Rust.
        if file.package() != "kassette.v1" {
            file.source_code_info = None;
        }
    }
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptor.binpb"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Ordered maps: the core and the content hash need one order of labels.
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
