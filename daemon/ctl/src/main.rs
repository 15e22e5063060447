//! `kassettectl`: the command line of operators and technicians, over gRPC only.
//!
//! Owns: how things are shown to people, and the exit code.
//! Must never: know anything but the contracts in `kassette-api`.

mod cli;
mod commands;
mod connect;
mod failure;
mod json;
mod paint;
mod progress;
mod receipt_file;
mod say;

use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match cli::Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // Help and version are no errors; their text goes to standard output.
            error.print().ok();
            return if error.use_stderr() {
                ExitCode::from(failure::USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let json = options.json;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::host("the program cannot start its event loop", &error).report(json),
    };
    match runtime.block_on(commands::run(options)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(json),
    }
}
