//! What must hold after a story: the promises and invariants, each read from the FNs' own ledgers and the API alone.
//!
//! Owns: the list of what is checked when a story has come to rest.
//! Must never: read the core's memory, or forgive.

mod allowed;
mod jobs;
mod ledgers;
mod shown;
mod witness;

pub use allowed::Allowed;
pub use shown::Shown;
pub use witness::{Remembered, Tally, Witness};

use crate::play::Play;
use jobs::{attempts_are_in_order, nothing_is_left_open, units_say_why};
use kassette_core::domain::job::{DocumentFilter, DocumentRow, Job, JobFilter};
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_hw_sim::fiscal_storage::ledger::Record;
use kassette_receipts::job_key::JobKey;
use ledgers::{
    every_document_is_explained, jobs_and_ledgers_agree, one_document_of_each_key, shifts_are_young, times_are_true,
};
use shown::results_never_changed;
use std::collections::{BTreeMap, BTreeSet};

/// What a check of a story reads.
pub struct Seen {
    /// Jobs by their keys.
    pub jobs: BTreeMap<JobKey, Job>,
    /// Documents the API lists.
    pub documents: Vec<DocumentRow>,
    /// Every document of every FN.
    pub ledgers: BTreeMap<String, Vec<Record>>,
    /// FNs on which another program made documents.
    pub shared: BTreeSet<String>,
    /// The last document of each FN when the journal last went back.
    pub forgotten: BTreeMap<String, u32>,
    /// Units.
    pub units: BTreeMap<String, UnitSnapshot>,
    /// Furthest that the host's clock ever was from true time, milliseconds.
    pub host_off_ms: i64,
}

/// Checks everything that holds when a story has come to rest.
///
/// # Panics
/// With what does not hold, and the end of the trace.
pub async fn all(play: &mut Play, allowed: Allowed) -> Seen {
    play.start().await;
    play.calm().await;
    let seen = read(play).await;
    let mut wrong = Vec::new();
    one_document_of_each_key(&seen, &mut wrong);
    jobs_and_ledgers_agree(&seen, &mut wrong);
    every_document_is_explained(&seen, allowed, &mut wrong);
    attempts_are_in_order(&seen, &mut wrong);
    nothing_is_left_open(&seen, allowed, &mut wrong);
    units_say_why(&seen, &mut wrong);
    nothing_was_found(play, allowed, &mut wrong);
    times_are_true(&seen, &mut wrong);
    shifts_are_young(&seen, &mut wrong);
    results_never_changed(&play.shown, &seen, &mut wrong);
    assert!(wrong.is_empty(), "{}\n--- trace:\n{}", wrong.join("\n"), play.tail());
    seen
}

/// Checks what holds at any time, whatever is still open.
///
/// # Panics
/// With what does not hold, and the end of the trace.
pub async fn safety(play: &mut Play) {
    play.start().await;
    let seen = read(play).await;
    let mut wrong = Vec::new();
    one_document_of_each_key(&seen, &mut wrong);
    jobs_and_ledgers_agree(&seen, &mut wrong);
    attempts_are_in_order(&seen, &mut wrong);
    times_are_true(&seen, &mut wrong);
    shifts_are_young(&seen, &mut wrong);
    results_never_changed(&play.shown, &seen, &mut wrong);
    assert!(wrong.is_empty(), "{}\n--- trace:\n{}", wrong.join("\n"), play.tail());
}

async fn read(play: &Play) -> Seen {
    let handle = play.handle();
    let jobs = handle
        .jobs(JobFilter::default(), None, 1000)
        .await
        .expect("jobs are listed");
    let documents = handle
        .documents(DocumentFilter::default(), None, 1000)
        .await
        .expect("documents are listed");
    assert!(
        jobs.next.is_none() && documents.next.is_none(),
        "one page holds a story"
    );
    Seen {
        jobs: jobs.rows.into_iter().map(|job| (job.key, job)).collect(),
        documents: documents.rows,
        ledgers: play.world.ledgers(),
        shared: play.world.shared_fns(),
        forgotten: play.world.forgotten(),
        units: play.snapshot().units,
        host_off_ms: play.world.host_off_ms(),
    }
}

/// K1, I11: the audit read every FN back and found nothing, but what another program made.
fn nothing_was_found(play: &Play, allowed: Allowed, wrong: &mut Vec<String>) {
    for finding in play.handle().findings() {
        if !allowed.foreign && !allowed.manual {
            wrong.push(format!("audit: FN {}: {}", finding.fn_number, finding.reason));
        }
    }
}
