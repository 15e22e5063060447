//! `receipt import`: the receipts of a file, each once.
//!
//! Owns: the order of an import: the whole file is checked, then submitted or only judged.
//! Must never: submit anything of a file that has a bad line, or a line under a key of its own making twice.
//!
//! What each step leaves behind when it is broken off: a line whose answer did not come may be a job or none. Its key is
//! made of its content, so the next run submits it again under the same key and gets the same job, whichever of the two
//! died. Nothing is noted on disk here; the daemon's key index is what is remembered.

mod flow;
mod lines;
mod report;

use super::{Daemon, tenant_name};
use crate::cli::Import;
use crate::failure::Failure;
use crate::progress::shown;
use flow::Order;
use lines::{BadLine, Line, Source};
use report::Report;
use time::macros::offset;
use time::{OffsetDateTime, UtcOffset};
use tokio::sync::mpsc;

/// The day of a document is that of its register, which is not known here; on New Year's Eve the daemon may refuse a
/// rate that is a few hours early or late (rule 18), and a later run goes on.
const MOSCOW: UtcOffset = offset!(+3);
/// Lines that are read ahead.
const AHEAD: usize = 32;

/// Imports a file, or says what would become of it.
pub async fn run(daemon: Daemon, given: Import) -> Result<u8, Failure> {
    let source = Source {
        path: given.file.clone(),
        map: given.map,
        series: given.series.clone(),
        day: OffsetDateTime::now_utc().to_offset(MOSCOW).date(),
    };
    let count = checked(source.clone()).await?;
    let mut report = Report::new(count, daemon.json, given.dry_run, given.wait.is_some());
    let lines = read(&source)?;
    let order = Order::new(daemon.receipts, tenant_name(&given.tenant), &given);
    let work = async {
        if given.dry_run {
            flow::check(order, lines, &mut report).await
        } else {
            flow::submit(order, lines, &mut report).await
        }
    };
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
        ended = work => ended.map_err(|stop| stop.failure(&source)),
    };
    let exit = report.finish(ended.is_ok())?;
    ended.map(|()| exit)
}

/// The first reading, which finds every bad line before anything is submitted.
async fn checked(source: Source) -> Result<u64, Failure> {
    let check = tokio::task::spawn_blocking(move || source.check());
    let checked = shown("the file", check).await;
    checked.map_err(|error| Failure::host("the file was not read to its end", &error))?
}

/// The second reading, on a thread of its own: a slow disk must not keep answers waiting.
fn read(source: &Source) -> Result<mpsc::Receiver<Result<Line, BadLine>>, Failure> {
    let mut lines = source.open()?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reading = move || {
        while let Some(next) = lines.next().transpose() {
            let last = next.is_err();
            // Nobody wants more of it: the import was broken off.
            if sender.blocking_send(next).is_err() || last {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("lines".into()).spawn(reading);
    started.map_err(|error| Failure::host("the file cannot be read", &error))?;
    Ok(receiver)
}
