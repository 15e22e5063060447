//! B1: receipts a second.
//!
//! Owns: the runs, each beside its limit.
//! Must never: count a receipt that no simulated register made.

use super::limits::Limit;
use super::load::{Load, small_receipt};
use super::rack::{Rack, folder, simulator};
use super::row::{Figure, Row, Target, median};
use crate::simulator::Simulator;
use anyhow::ensure;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Registers of B1.
pub const REGISTERS: u32 = 200;
/// Time in the closing command.
pub const CLOSING_MS: u64 = 500;
/// Calls in flight while a queue is filled.
const IN_FLIGHT: usize = 64;
/// Time before the window that is counted.
const WARM: Duration = Duration::from_secs(2);

/// `timing` of the rack file.
#[must_use]
pub fn timing() -> String {
    format!("{{ FF45 = {CLOSING_MS} }}")
}

/// Receipts a second that registers could make if nothing else took time.
#[must_use]
pub fn ceiling() -> f64 {
    f64::from(REGISTERS) * 1000.0 / CLOSING_MS as f64
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Receipts a second that the simulator saw between two moments: for each register the documents between its first and
/// its last there, over the time between those two; registers in step with the window's ends would else count double.
fn rate_seen(simulator: &Simulator, from_ms: i64, until_ms: i64) -> anyhow::Result<f64> {
    let mut rate = 0.0;
    for register in &simulator.registers {
        let events = simulator.control.events(&register.serial, 0, Duration::ZERO)?;
        let inside = |at: &i64| (from_ms..=until_ms).contains(at);
        let closed = events.iter().filter(|event| event.command.as_deref() == Some("FF45"));
        let made: Vec<i64> = closed
            .filter(|event| event.fd.is_some())
            .map(|event| event.unix_ms)
            .filter(inside)
            .collect();
        let (Some(first), Some(last)) = (made.first(), made.last()) else {
            continue;
        };
        if last > first {
            rate += (made.len() - 1) as f64 * 1000.0 / (last - first) as f64;
        }
    }
    Ok(rate)
}

fn window(simulator: &Simulator, seconds: Duration) -> anyhow::Result<f64> {
    std::thread::sleep(WARM);
    let from = now_ms();
    std::thread::sleep(seconds);
    rate_seen(simulator, from, now_ms())
}

fn limit_rate(seconds: Duration) -> anyhow::Result<f64> {
    let folder = folder()?;
    let simulator = simulator(folder.path(), REGISTERS, &timing())?;
    let database = folder.path().join("limit.db").display().to_string();
    let run = (seconds + WARM + Duration::from_secs(1)).as_secs().to_string();
    let arguments = ["receipts".to_owned(), database, run, "1".to_owned()];
    let limit = Limit::start("limit-receipts", folder.path(), &arguments, Some(&simulator))?;
    let rate = window(&simulator, seconds)?;
    limit.ended()?;
    Ok(rate)
}

fn daemon_rate(seconds: Duration) -> anyhow::Result<f64> {
    let rack = Rack::start(REGISTERS, &timing())?;
    let load = Load::connect(&rack.setup.socket(), 8, small_receipt(), None)?;
    // Everything that the run can take, and as much again as the registers hold.
    let enough = ceiling() * (seconds + WARM).as_secs_f64() + 2.0 * f64::from(REGISTERS);
    // While the queue is filled the registers work already; it must not run empty then either.
    load.submit(enough.ceil() as u64 + 4000, IN_FLIGHT)?;
    let rate = window(&rack.simulator, seconds)?;
    let waiting = rack.daemon.api.waiting(&super::rack::tenant())?;
    ensure!(waiting > 0, "the queue ran empty before the run was over");
    ensure!(rack.daemon.stop()?.success(), "the daemon did not stop in order");
    Ok(rate)
}

/// Measures B1: value and limit in turn, the median of the ratios' runs.
///
/// # Errors
/// When a part of the rack does not start, or a receipt fails.
pub fn receipts(rounds: usize, seconds: Duration) -> anyhow::Result<Vec<Row>> {
    let mut readings = Vec::new();
    for _ in 0..rounds {
        let limit = limit_rate(seconds)?;
        readings.push((daemon_rate(seconds)?, limit));
    }
    readings.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (value, limit) = readings[readings.len() / 2];
    let ratios: Vec<f64> = readings.iter().map(|(value, limit)| value / limit).collect();
    let row = Row::new(Figure::B1, "receipts/s", value, limit, Target::AtLeast(0.97))?
        .note("audit", true)
        .note("ceiling", ceiling())
        .note("rounds", rounds)
        .note("worst_ratio", ratios.iter().copied().fold(f64::INFINITY, f64::min))
        .note("median_ratio", median(&ratios));
    Ok(vec![row])
}
