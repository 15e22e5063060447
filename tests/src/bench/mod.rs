//! `cargo bench-rack`: figures of the real daemon, each beside a limit that was taken in the same run.
//!
//! Owns: what is measured, how it is counted, and the rows that are printed.
//! Must never: take a figure from the daemon's own words where simulator, kernel or client can be asked.

pub mod commands;
pub mod growth;
pub mod history;
pub mod idle;
pub mod latency;
pub mod limits;
pub mod load;
pub mod process_cost;
pub mod rack;
pub mod row;
pub mod start_up;
pub mod submissions;
pub mod throughput;

use row::{Figure, Row};
use std::time::Duration;

/// How long the runs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// All figures within two minutes.
    Quick,
    /// As the targets are held against.
    Full,
}

impl Effort {
    const fn pick<T: Copy>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// Measures a figure; `before` are the rows of this run so far.
///
/// # Errors
/// When it could not be measured, and why.
pub fn measure(figure: Figure, effort: Effort, before: &[Row]) -> anyhow::Result<Vec<Row>> {
    let seconds = |quick, full| Duration::from_secs(effort.pick(quick, full));
    match figure {
        Figure::B5 => commands::measure(),
        Figure::B1 => throughput::receipts(effort.pick(1, 3), seconds(8, 20)),
        Figure::B2 => latency::measure(effort.pick(1, 3), seconds(8, 20), before),
        Figure::B3 => submissions::rate(effort.pick(3, 5), seconds(2, 5), effort.pick(20_000, 100_000)),
        Figure::B4 => submissions::cost(effort.pick(1, 3), effort.pick(1_500, 6_000), seconds(3, 8)),
        Figure::B7 => start_up::measure(effort.pick(50_000, 1_000_000), effort.pick(1, 3)),
        Figure::B8 => growth::measure(effort.pick(200_000, 10_000_000), 10_000, effort.pick(300, 1_000)),
        Figure::B9 => idle::measure(seconds(12, 60)),
    }
}
