//! B3 and B4: submissions a second, and what a receipt costs in CPU.
//!
//! Owns: the runs against the bare service.
//! Must never: measure the daemon while the limit is measured.

use super::limits::Limit;
use super::load::{Load, kibibyte_receipt, small_receipt};
use super::process_cost::cpu;
use super::rack::{Rack, folder, simulator};
use super::row::{Figure, Row, Target, median};
use crate::api::LONGEST_WAIT;
use anyhow::{Context, ensure};
use kassette_api::v1::Receipt;
use std::path::Path;
use std::time::Duration;

/// Calls in flight, and connections that share them.
const IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 8;
/// Registers of B4; the calls in flight keep all of them busy.
const REGISTERS: u32 = 8;

fn bare_service(folder: &Path, receipt: Receipt) -> anyhow::Result<(Limit, Load)> {
    let socket = folder.join("limit.sock");
    let database = folder.join("limit.db");
    let arguments = [socket.display().to_string(), database.display().to_string()];
    let limit = Limit::start("limit-service", folder, &arguments, None)?;
    let load = Load::connect(&socket, CONNECTIONS, receipt, None)?;
    Ok((limit, load))
}

/// Measures B3: value and limit in turn, the median of each.
///
/// # Errors
/// When a service does not start or refuses a submission.
pub fn rate(rounds: usize, seconds: Duration, stored: u64) -> anyhow::Result<Vec<Row>> {
    let mut rack = Rack::start(1, "\"instant\"")?;
    rack.carry_away()?;
    let load = Load::connect(&rack.setup.socket(), CONNECTIONS, kibibyte_receipt(), None)?;
    let (_limit, bare) = bare_service(rack.folder.path(), kibibyte_receipt())?;
    load.submit(stored, IN_FLIGHT)?;
    let (mut values, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        limits.push(bare.rate(seconds, IN_FLIGHT)?);
        values.push(load.rate(seconds, IN_FLIGHT)?);
    }
    let row = Row::new(
        Figure::B3,
        "submissions/s",
        median(&values),
        median(&limits),
        Target::AtLeast(0.7),
    )?;
    let row = row
        .note("stored", stored)
        .note("bytes", load.bytes())
        .note("rounds", rounds);
    ensure!(rack.daemon.stop()?.success(), "the daemon did not stop in order");
    Ok(vec![row])
}

/// CPU of the daemon for one receipt, from submission to result, in microseconds.
fn daemon_cost(receipts: u64) -> anyhow::Result<f64> {
    let rack = Rack::start(REGISTERS, "\"instant\"")?;
    let load = Load::connect(&rack.setup.socket(), CONNECTIONS, small_receipt(), Some(LONGEST_WAIT))?;
    load.submit(receipts / 10, IN_FLIGHT)?;
    let before = cpu(rack.daemon.id())?;
    load.submit(receipts, IN_FLIGHT)?;
    let spent = cpu(rack.daemon.id())?.saturating_sub(before);
    ensure!(rack.daemon.stop()?.success(), "the daemon did not stop in order");
    Ok(spent.as_secs_f64() * 1e6 / receipts as f64)
}

/// CPU of a bare durable echo, in microseconds.
fn echo_cost(calls: u64) -> anyhow::Result<f64> {
    let folder = folder()?;
    let (limit, load) = bare_service(folder.path(), small_receipt())?;
    load.submit(calls / 10, IN_FLIGHT)?;
    let before = cpu(limit.id())?;
    load.submit(calls, IN_FLIGHT)?;
    let spent = cpu(limit.id())?.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / calls as f64)
}

/// CPU of the bare exchanges of B5 with two group-committed rows, in microseconds.
fn exchanges_cost(seconds: Duration) -> anyhow::Result<f64> {
    let folder = folder()?;
    let simulator = simulator(folder.path(), REGISTERS, "\"instant\"")?;
    let database = folder.path().join("limit.db").display().to_string();
    let arguments = [
        "receipts".to_owned(),
        database,
        seconds.as_secs().to_string(),
        "2".to_owned(),
    ];
    let mut limit = Limit::start("limit-receipts", folder.path(), &arguments, Some(&simulator))?;
    let line = limit.line()?;
    let number = |name: &str| {
        line[name]
            .as_f64()
            .with_context(|| format!("the limit program told no {name}"))
    };
    let each = number("cpu_us")? / number("made")?;
    limit.ended()?;
    Ok(each)
}

/// Measures B4: value and limit in turn, the median of each.
///
/// # Errors
/// When a part of the rack does not start, or a receipt fails.
pub fn cost(rounds: usize, receipts: u64, seconds: Duration) -> anyhow::Result<Vec<Row>> {
    let (mut values, mut limits, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let echo = echo_cost(receipts)?;
        limits.push(echo + exchanges_cost(seconds)?);
        echoes.push(echo);
        values.push(daemon_cost(receipts)?);
    }
    let target = Target::AtMost(3.0);
    let row = Row::new(Figure::B4, "us/receipt", median(&values), median(&limits), target)?;
    Ok(vec![
        row.note("receipts", receipts)
            .note("of_limit_echo", median(&echoes).round()),
    ])
}
