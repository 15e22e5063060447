//! The binary `kassette-hw-sim`: a rack of simulated registers, and the reader of its ledgers.
//!
//! Owns: arguments, the ready line, signals and exit codes.
//! Must never: print anything but the ready line or ledger lines on standard output.

use anyhow::Context;
use clap::{Parser, Subcommand};
use kassette_hw_sim::control;
use kassette_hw_sim::ledger_lines;
use kassette_hw_sim::rack::{Rack, ReadyRegister};
use kassette_hw_sim::rack_file::RackFile;
use rustix::process::Resource;
use serde::Serialize;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinError;

#[derive(Parser)]
#[command(version, about = "A simulated rack of cash registers with fiscal storage units")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Switch on a rack; prints one JSON line when every port answers, then runs until SIGTERM or SIGINT.
    Run {
        /// The rack file (TOML).
        #[arg(long)]
        rack: PathBuf,
        /// Folder for ports and ledgers; made if needed.
        #[arg(long)]
        state: PathBuf,
        /// Where the control port listens.
        #[arg(long, default_value = "127.0.0.1:0")]
        control: SocketAddr,
    },
    /// Print every document in every FN as JSON lines, whether or not the simulator runs.
    Ledger {
        /// The state folder of a rack.
        #[arg(long)]
        state: PathBuf,
        /// Only the FN of this number.
        #[arg(long = "fn")]
        fn_number: Option<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { rack, state, control } => run(&rack, &state, control),
        Command::Ledger { state, fn_number } => print_ledger(&state, fn_number.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kassette-hw-sim: {}", in_words(&e));
            ExitCode::FAILURE
        }
    }
}

fn run(rack: &Path, state: &Path, control: SocketAddr) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(rack).with_context(|| format!("rack file {}", rack.display()))?;
    let file: RackFile = text.parse()?;
    allow_many_ports(file.registers.len())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&file, state, control))
}

/// Open files of the process itself: standard streams, lock, poller, control port with its connections, one file being
/// written.
const OWN_DESCRIPTORS: u64 = 64;
/// Open files of one register at most: its FN's ledger and both ends of a terminal, or a listener and its connection.
const DESCRIPTORS_PER_REGISTER: u64 = 3;

/// Raises the soft limit of open files to the hard one; the usual 1024 would end at some 300 registers.
fn allow_many_ports(registers: usize) -> anyhow::Result<()> {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If refused, the limit stays, and what it allows is looked at below.
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
    let needed = OWN_DESCRIPTORS + DESCRIPTORS_PER_REGISTER * registers as u64;
    // No limit at all reads as `None`.
    match rustix::process::getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => anyhow::bail!(
            "{registers} registers need {needed} open files, {allowed} are allowed: raise the hard limit with \
             `ulimit -Hn {needed}` as root, LimitNOFILE= of the unit, or --ulimit nofile of the container"
        ),
        Some(_) | None => Ok(()),
    }
}

async fn serve(file: &RackFile, state: &Path, control: SocketAddr) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (rack, mut tasks) = Rack::start(file, state).await?;
    let listener = TcpListener::bind(control)
        .await
        .with_context(|| format!("control port {control}"))?;
    let address = listener.local_addr()?;
    let registers = rack.ready();
    let routes = control::router(Arc::new(rack));
    let control = address.to_string();
    say_ready(&ReadyLine {
        ready: true,
        registers,
        ofd: None,
        control,
    })?;
    let served = tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = tasks.join_next() => Err(lost_register(ended)),
        served = axum::serve(listener, routes) => served.context("control port"),
    };
    tasks.shutdown().await;
    served
}

/// A register works until the end; one that ends before is a fault of the simulator, and a rack without it would lie.
fn lost_register(ended: Option<Result<(), JoinError>>) -> anyhow::Error {
    match ended {
        Some(Err(e)) => anyhow::anyhow!("a register's task failed, which is a fault of the simulator: {e}"),
        Some(Ok(())) | None => anyhow::anyhow!("a register's task ended, which is a fault of the simulator"),
    }
}

/// The one line on standard output.
#[derive(Serialize)]
struct ReadyLine {
    ready: bool,
    registers: Vec<ReadyRegister>,
    /// Address of the simulated OFD; there is none yet.
    ofd: Option<String>,
    control: String,
}

fn say_ready(line: &ReadyLine) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// The error and its causes, without those whose words stand in the text before them already.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut text, cause| {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            let glue = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{glue}{cause}");
        }
        text
    })
}

fn print_ledger(state: &Path, fn_number: Option<&str>) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    ledger_lines::write(state, fn_number, &mut out)?;
    out.flush()?;
    Ok(())
}
