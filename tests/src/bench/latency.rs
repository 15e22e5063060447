//! B2: the time that the daemon adds to a receipt.
//!
//! Owns: the paced run and its limit.
//! Must never: subtract what the daemon itself says that it spent.

use super::limits::Limit;
use super::load::{Load, small_receipt};
use super::rack::{Rack, folder, simulator};
use super::row::{Figure, Row, Target, percentile};
use super::throughput::{CLOSING_MS, REGISTERS, ceiling, timing};
use crate::api::LONGEST_WAIT;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::time::Duration;

/// Share of B1 at which the time is taken.
const SHARE: f64 = 0.7;
/// B1 as a share of its ceiling, when this run did not measure it.
const USUAL_B1: f64 = 0.95;
/// The first receipts of a run wait for caches and connections.
const WARM_SHARE: usize = 10;

/// Milliseconds of a receipt without the time that the rack file gives its closing command.
fn beside_the_device(spent: impl Iterator<Item = f64>) -> Vec<f64> {
    let all: Vec<f64> = spent.map(|ms| ms - CLOSING_MS as f64).collect();
    let warm = all.len() / WARM_SHARE;
    all.into_iter().skip(warm).collect()
}

fn limit_times(rate: f64, seconds: Duration) -> anyhow::Result<Vec<f64>> {
    let folder = folder()?;
    let simulator = simulator(folder.path(), REGISTERS, &timing())?;
    let database = folder.path().join("limit.db").display().to_string();
    let arguments = [
        "paced".to_owned(),
        database,
        seconds.as_secs().to_string(),
        rate.to_string(),
    ];
    let mut limit = Limit::start("limit-receipts", folder.path(), &arguments, Some(&simulator))?;
    let line = limit.line()?;
    let spent = line["spent_us"].as_array().context("the limit program told no times")?;
    let times = beside_the_device(spent.iter().filter_map(Value::as_f64).map(|us| us / 1000.0));
    limit.ended()?;
    Ok(times)
}

fn daemon_times(rate: f64, seconds: Duration) -> anyhow::Result<Vec<f64>> {
    let rack = Rack::start(REGISTERS, &timing())?;
    let load = Load::connect(&rack.setup.socket(), 8, small_receipt(), Some(LONGEST_WAIT))?;
    let spent = load.paced(rate, seconds)?;
    ensure!(rack.daemon.stop()?.success(), "the daemon did not stop in order");
    Ok(beside_the_device(spent.iter().map(|time| time.as_secs_f64() * 1000.0)))
}

/// Measures B2 at 70 % of B1, value and limit in turn, the times of all rounds together.
///
/// The value is taken by the client, from the call to the answer that shows the result, so it holds the way through the
/// socket and the wait in the queue as well; both are in the daemon's disfavour. The limit is three group commits one
/// after another and the bare exchanges, at the same rate; of both the 500 ms of the closing command are taken off.
///
/// # Errors
/// When a part of the rack does not start, or a receipt fails.
pub fn measure(rounds: usize, seconds: Duration, before: &[Row]) -> anyhow::Result<Vec<Row>> {
    let b1 = before.iter().find(|row| row.figure == Figure::B1).map(|row| row.value);
    let rate = SHARE * b1.unwrap_or_else(|| USUAL_B1 * ceiling());
    let (mut values, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        limits.extend(limit_times(rate, seconds)?);
        values.extend(daemon_times(rate, seconds)?);
    }
    let row = |part, share, target| -> anyhow::Result<Row> {
        let (value, limit) = (percentile(&values, share), percentile(&limits, share));
        let row = Row::new(Figure::B2, "ms", value, limit, target)?.part(part);
        Ok(row
            .note("receipts_per_second", rate.round())
            .note("receipts", values.len()))
    };
    Ok(vec![
        row("p50", 0.5, Target::AtMost(1.5))?,
        row("p99", 0.99, Target::AtMost(3.0))?,
    ])
}
