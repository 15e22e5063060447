//! The binary `kassetted`.
//!
//! Owns: nothing but the way from the process to the library.
//! Must never: pass faults: the shipped program has none.

use kassette_core::parts::NoFaults;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    kassette_daemon::run_with(std::env::args_os(), Arc::new(NoFaults)).into()
}
