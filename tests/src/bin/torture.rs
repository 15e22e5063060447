//! `cargo torture`: a real daemon on a real disk, killed again and again, then the judgement of clients, journal and FNs.
//!
//! Owns: the arguments, the seed that is printed first, and the last line.
//! Must never: end with code 0 when anything differs.

use clap::Parser;
use kassette_tests::programs::Programs;
use kassette_tests::torture::{self, Wish};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Parser)]
#[command(
    about = "Kills, hangs and starves a real daemon under clients and every kind of fault; nothing may be lost or doubled",
    after_help = "Examples:\n  cargo torture --minutes 3\n  cargo torture --minutes 30 --kills 300 --seed 7   what .ci/long torture does\n\n\
        As root the journal stands on a file system of its own, which is also filled to the last byte.\n\
        After a difference the folder with journal, ledgers and logs is kept and named."
)]
struct Arguments {
    /// How long the faults go on; the calm phase comes on top
    #[arg(long, default_value_t = 3)]
    minutes: u64,
    /// Decides faults, requests and kills; drawn from the clock if absent
    #[arg(long)]
    seed: Option<u64>,
    /// How often the daemon is killed [default: ten a minute]
    #[arg(long)]
    kills: Option<usize>,
    /// Registers
    #[arg(long, default_value_t = 16)]
    registers: usize,
    /// A folder on a real disk [default: the system's temporary one]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Nothing but the last line at the end
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
    let wish = Wish {
        minutes: arguments.minutes,
        seed: arguments.seed.unwrap_or_else(drawn),
        kills: arguments
            .kills
            .unwrap_or_else(|| usize::try_from(arguments.minutes * 10).unwrap_or(usize::MAX)),
        registers: arguments.registers,
        folder: arguments.dir,
    };
    println!("seed {}", wish.seed);
    Programs::built()?;
    let report = torture::run(&wish)?;
    if !arguments.json {
        for (fault, count) in &report.faults {
            println!("{count:>6}  {fault}");
        }
    }
    println!("{}", serde_json::to_string(&report)?);
    if report.differences == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "seed {}: {} differences between clients, journal and ledgers; again with: cargo torture --minutes {} --kills {} --registers {} --seed {}",
        wish.seed, report.differences, wish.minutes, wish.kills, wish.registers, wish.seed
    );
    Ok(ExitCode::FAILURE)
}
