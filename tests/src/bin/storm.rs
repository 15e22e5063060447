//! `cargo storm`: many clients and every kind of fault at once on a simulated rack, then the reckoning between clients,
//! API, journal and the FNs' own ledgers.
//!
//! Owns: the arguments, the seed that is printed first, and the last line.
//! Must never: end with code 0 when anything differs.

use clap::Parser;
use kassette_tests::programs::Programs;
use kassette_tests::storm::{self, Wish};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Parser)]
#[command(about = "Many clients and every kind of fault on a simulated rack; ledgers and API must agree afterwards")]
struct Arguments {
    /// Receipts over all clients
    #[arg(long, default_value_t = 20_000)]
    receipts: usize,
    /// Clients at the same time
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Registers
    #[arg(long, default_value_t = 8)]
    registers: usize,
    /// Decides the order of faults and requests; drawn from the clock if absent
    #[arg(long)]
    seed: Option<u64>,
    /// How often the daemon is killed meanwhile
    #[arg(long, default_value_t = 0)]
    kills: usize,
    /// No table before the last line
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let drawn = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |since| since.as_secs())
    };
    let seed = arguments.seed.unwrap_or_else(drawn);
    let wish = Wish {
        receipts: arguments.receipts,
        clients: arguments.clients,
        registers: arguments.registers,
        seed,
        kills: arguments.kills,
    };
    println!("seed {seed}");
    Programs::built()?;
    let report = storm::run(wish)?;
    let line = serde_json::to_string(&report)?;
    if !arguments.json {
        println!("{}", storm::table(&report));
    }
    println!("{line}");
    if report.differences.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let count = report.differences.len();
    eprintln!("seed {seed}: {count} differences between clients, API, journal and ledgers");
    Ok(ExitCode::FAILURE)
}
