//! B9: a thousand registers that nobody sends work to.
//!
//! Owns: the count of what the daemon asks them, and the same asked by the bare loop.
//! Must never: let the bare loop ask less than the daemon did.

use super::limits::Limit;
use super::process_cost::{cpu, resident_kib};
use super::rack::{Rack, folder, simulator};
use super::row::{Figure, Row, Target};
use anyhow::ensure;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Registers of B9.
const REGISTERS: u32 = 1000;
/// Oldest good exchange of a register that counts as ready.
const FRESH: Duration = Duration::from_secs(30);
/// Registers whose single commands are read from the simulator's log; all of them are counted.
const LOOKED_AT: usize = 20;
/// A password of 4 bytes, little-endian 30, as every command that has one begins.
const PASSWORD: &str = "1E000000";

/// What the daemon did in a while.
struct Watched {
    cpu: Duration,
    resident_kib: u64,
    /// Exchanges with all registers.
    exchanges: u64,
    /// Commands of one look, as payloads in hex.
    look: Vec<String>,
}

fn exchanges(rack: &Rack) -> anyhow::Result<u64> {
    let serials = rack.simulator.registers.iter().map(|one| &one.serial);
    serials
        .map(|serial| Ok(rack.simulator.control.observe(serial)?.exchanges))
        .sum()
}

/// The commands that registers got since the last look at their logs, most asked first.
fn commands(rack: &Rack, after: &BTreeMap<String, u64>) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for (serial, last) in after {
        for event in rack.simulator.control.events(serial, *last, Duration::ZERO)? {
            *counts.entry(event.command.unwrap_or_default()).or_default() += 1;
        }
    }
    Ok(counts)
}

fn watch(seconds: Duration) -> anyhow::Result<Watched> {
    let rack = Rack::start(REGISTERS, "\"instant\"")?;
    // What belongs to the start (shifts, the inventory that this program asked for) is over.
    std::thread::sleep(Duration::from_secs(3));
    let mut logs = BTreeMap::new();
    for register in rack.simulator.registers.iter().take(LOOKED_AT) {
        logs.insert(
            register.serial.clone(),
            rack.simulator.control.observe(&register.serial)?.last_event,
        );
    }
    let counted = exchanges(&rack)?;
    let begin = (Instant::now(), cpu(rack.daemon.id())?);
    std::thread::sleep(seconds);
    let spent = cpu(rack.daemon.id())?.saturating_sub(begin.1);
    let took = begin.0.elapsed();
    let resident_kib = resident_kib(rack.daemon.id())?;
    let exchanges = exchanges(&rack)?.saturating_sub(counted);
    let look: Vec<String> = commands(&rack, &logs)?
        .into_keys()
        .map(|code| format!("{code}{PASSWORD}"))
        .collect();
    ensure!(!look.is_empty(), "no register was asked anything within {took:?}");
    let each = exchanges as f64 / look.len() as f64 / f64::from(REGISTERS);
    ensure!(
        took.as_secs_f64() / each <= FRESH.as_secs_f64(),
        "a register is asked {each} times in {took:?}: its last good exchange may be older than {FRESH:?}"
    );
    Ok(Watched {
        cpu: spent,
        resident_kib,
        exchanges,
        look,
    })
}

/// CPU of the bare loop for as many exchanges in as long a time.
fn bare(seconds: Duration, watched: &Watched) -> anyhow::Result<(Duration, u64)> {
    let folder = folder()?;
    let simulator = simulator(folder.path(), REGISTERS, "\"instant\"")?;
    let looks = watched.exchanges as f64 / watched.look.len() as f64;
    let every = seconds.as_secs_f64() * f64::from(REGISTERS) / looks;
    let mut arguments = vec![(seconds.as_secs() + 2).to_string(), every.to_string()];
    arguments.extend(watched.look.iter().cloned());
    let limit = Limit::start("limit-idle", folder.path(), &arguments, Some(&simulator))?;
    let before = cpu(limit.id())?;
    std::thread::sleep(seconds);
    let spent = cpu(limit.id())?.saturating_sub(before);
    let resident = resident_kib(limit.id())?;
    limit.ended()?;
    Ok((spent, resident))
}

/// Measures B9.
///
/// # Errors
/// When the rack does not start, or registers are asked too seldom.
pub fn measure(seconds: Duration) -> anyhow::Result<Vec<Row>> {
    let watched = watch(seconds)?;
    let (limit, limit_resident) = bare(seconds, &watched)?;
    let share = |cpu: Duration| cpu.as_secs_f64() / seconds.as_secs_f64() * 1000.0;
    let cpu = Row::new(
        Figure::B9,
        "CPU ms/s",
        share(watched.cpu),
        share(limit),
        Target::AtMost(2.0),
    )?;
    let exchanges = watched.exchanges as f64 / seconds.as_secs_f64();
    let of_one = |kib: u64| kib as f64 / f64::from(REGISTERS);
    let target = Target::ValueAtMost(48.0);
    let memory = Row::new(
        Figure::B9,
        "KiB/register",
        of_one(watched.resident_kib),
        of_one(limit_resident),
        target,
    )?;
    Ok(vec![
        cpu.part("CPU of 1,000 idle registers")
            .note("exchanges_per_second", exchanges.round()),
        memory.part("memory, the whole process over 1,000"),
    ])
}
