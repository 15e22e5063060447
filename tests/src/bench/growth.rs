//! B8: what a receipt costs on a large journal and on a small one.
//!
//! Owns: two racks side by side, loaded in turn, and what kernel and journal count for each receipt.
//! Must never: compare a run with one of another hour.

use super::history::History;
use super::process_cost::{cpu, file_pages};
use super::rack::{Rack, tenant};
use super::row::{Figure, Row, Target, median};
use crate::api::LONGEST_WAIT;
use crate::requests::{plain_receipt, submission};
use anyhow::{Context, ensure};
use kassette_api::v1::JobState;

/// Registers of each rack: enough that the daemon is what takes the time.
const REGISTERS: u32 = 4;
/// Pairs of runs.
const PAIRS: usize = 7;

/// What one receipt cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu_us: f64,
    pages: f64,
}

/// A rack whose journal has so many jobs behind it.
fn grown(jobs: u64) -> anyhow::Result<Rack> {
    let mut rack = Rack::start(REGISTERS, "\"instant\"")?;
    rack.daemon
        .api
        .submit(submission(&tenant(), "first", plain_receipt(10_000)))?;
    rack.daemon.api.job(&tenant(), "first", LONGEST_WAIT)?;
    rack.daemon.stop_in_place()?;
    History::open(&rack.setup)?.fill(jobs)?;
    rack.daemon = rack.setup.start()?;
    rack.wait_ready(usize::try_from(REGISTERS)?)?;
    Ok(rack)
}

/// So many receipts from first to last, as clients that wait for each result.
fn run(rack: &Rack, name: &str, receipts: usize) -> anyhow::Result<Cost> {
    let process = rack.daemon.id();
    let before = (cpu(process)?, file_pages(process)?);
    for at in 0..receipts {
        let request = submission(&tenant(), &format!("{name}-{at}"), plain_receipt(10_000));
        rack.daemon.api.submit(request)?;
    }
    for at in 0..receipts {
        let job = rack.daemon.api.job(&tenant(), &format!("{name}-{at}"), LONGEST_WAIT)?;
        ensure!(job.state() == JobState::Completed, "{job:?}");
    }
    let spent = cpu(process)?.saturating_sub(before.0);
    let pages = file_pages(process)?.saturating_sub(before.1);
    Ok(Cost {
        cpu_us: spent.as_secs_f64() * 1e6 / receipts as f64,
        pages: pages as f64 / receipts as f64,
    })
}

/// Measures B8 with so many jobs in the large journal and in the small one, and so many receipts in each run.
///
/// # Errors
/// When a journal cannot be made, or a receipt does not come out.
pub fn measure(large: u64, little: u64, receipts: usize) -> anyhow::Result<Vec<Row>> {
    let racks = (grown(little)?, grown(large)?);
    let size = std::fs::metadata(racks.1.setup.folder.join("state").join("journal.sqlite")).context("the journal")?;
    // The first run of each fills caches and is not counted.
    run(&racks.0, "warm", receipts)?;
    run(&racks.1, "warm", receipts)?;
    let (mut small, mut big) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        small.push(run(&racks.0, &format!("run-{pair}"), receipts)?);
        big.push(run(&racks.1, &format!("run-{pair}"), receipts)?);
    }
    let middle = |costs: &[Cost], pick: fn(&Cost) -> f64| median(&costs.iter().map(pick).collect::<Vec<_>>());
    let row = |unit, pick: fn(&Cost) -> f64| {
        let row = Row::new(
            Figure::B8,
            unit,
            middle(&big, pick),
            middle(&small, pick),
            Target::AtMost(1.25),
        )?;
        Ok::<_, anyhow::Error>(
            row.note("jobs", large)
                .note("jobs_small", little)
                .note("journal_mib", size.len() >> 20),
        )
    };
    Ok(vec![
        row("us/receipt", |cost| cost.cpu_us)?.part("CPU for a receipt on a large journal"),
        row("pages/receipt", |cost| cost.pages)?.part("pages read and written for a receipt"),
    ])
}
