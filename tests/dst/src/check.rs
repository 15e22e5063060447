//! What must hold after a story: the promises and invariants, each read from the FNs' own ledgers and the API alone.
//!
//! Owns: I1, I2, I3, I5, I6, I10, I11, K1, K2, K3, K7 and "no unit is stuck without a reason".
//! Must never: read the core's memory, or forgive.

use crate::play::Play;
use kassette_core::domain::job::{AttemptState, DocumentFilter, DocumentRow, Job, JobEvent, JobFilter};
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_core::domain::unit::UnitState;
use kassette_hw_sim::fiscal_storage::ledger::Record;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::ffd::{Tag, TlvList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Document codes of the FFD (`fn-ffd-ofd` C.2).
const REGISTRATION: u8 = 1;
const SHIFT_OPEN: u8 = 2;
const RECEIPT: u8 = 3;
const CORRECTION: u8 = 31;
/// A document is at most this far from true time (K7); its own time has no seconds.
const TIME_OFF_MS: i64 = 5 * 60_000 + 60_000;
/// Longest life of a shift, seconds.
const DAY_S: u32 = 86_400;
/// Zone of every register of a story.
const ZONE_MS: i64 = 180 * 60_000;

/// Everything that a watching client was ever shown, over all lives of the process.
#[derive(Debug, Default)]
pub struct Shown(Mutex<ShownInner>);

#[derive(Debug, Default)]
struct ShownInner {
    cursor: u64,
    last: BTreeMap<JobKey, Job>,
    wrong: Vec<String>,
}

impl Shown {
    /// Where the watch continues.
    pub fn cursor(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cursor
    }

    /// Takes what a watch brought. I5: what was final stays as it was; nothing goes back.
    pub fn take(&self, events: Vec<JobEvent>, upto: u64) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if let Some(before) = inner.last.get(&event.job.key) {
                let wrong = contradiction(before, &event.job);
                inner.wrong.extend(wrong);
            }
            inner.last.insert(event.job.key, event.job);
        }
        inner.cursor = inner.cursor.max(upto);
    }
}

fn contradiction(before: &Job, after: &Job) -> Option<String> {
    let shown = |job: &Job| (job.state, job.evidence.clone(), job.reason.clone());
    if before.state.is_final() && shown(before) != shown(after) {
        return Some(format!(
            "job {} was {:?} and became {:?}",
            before.key,
            shown(before),
            shown(after)
        ));
    }
    if before.revision > after.revision {
        return Some(format!(
            "job {} went back from revision {}",
            before.key, before.revision
        ));
    }
    None
}

/// What a check of a story reads.
pub struct Seen {
    /// Jobs by their keys.
    pub jobs: BTreeMap<JobKey, Job>,
    /// Documents the API lists.
    pub documents: Vec<DocumentRow>,
    /// Every document of every FN.
    pub ledgers: BTreeMap<String, Vec<Record>>,
    /// Units.
    pub units: BTreeMap<String, UnitSnapshot>,
}

/// What a story is allowed to leave behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// Doubts that only a person can settle; their unit must be quarantined.
    pub manual: bool,
    /// Jobs that wait because no unit is left.
    pub waiting: bool,
    /// Reports of a shift that another program made.
    pub foreign: bool,
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
    times_are_true(&seen, &mut wrong);
    shifts_are_young(&seen, &mut wrong);
    results_never_changed(play, &seen, &mut wrong);
    assert!(wrong.is_empty(), "{}\n--- trace:\n{}", wrong.join("\n"), play.tail());
    seen
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
        units: play.snapshot().units,
    }
}

fn tags(record: &Record) -> TlvList {
    TlvList::decode(&record.tlv).expect("the simulator's documents are sound")
}

fn receipts(seen: &Seen) -> impl Iterator<Item = (&String, &Record)> {
    let records = seen
        .ledgers
        .iter()
        .flat_map(|(number, all)| all.iter().map(move |r| (number, r)));
    records.filter(|(_, record)| matches!(record.kind, RECEIPT | CORRECTION))
}

/// I1: over all ledgers at most one document of each key; K2: no receipt without a key of a job.
fn one_document_of_each_key(seen: &Seen, wrong: &mut Vec<String>) {
    let mut found = BTreeSet::new();
    for (number, record) in receipts(seen) {
        let key = tags(record).text(Tag::RECEIPT_ATTRIBUTE).unwrap_or_default();
        if !seen.jobs.keys().any(|job| job.as_str() == key) {
            wrong.push(format!(
                "K2: document {} of {number} has key \"{key}\" of no job",
                record.fd
            ));
        }
        if !found.insert(key.clone()) {
            wrong.push(format!(
                "I1: key {key} stands in two documents, one of them {number} {}",
                record.fd
            ));
        }
    }
}

/// I2, I3, K1: a completed job has its document, as asked; K3: an ended job without evidence has none.
fn jobs_and_ledgers_agree(seen: &Seen, wrong: &mut Vec<String>) {
    let mut taken = BTreeSet::new();
    for job in seen.jobs.values() {
        let document =
            receipts(seen).find(|(_, r)| tags(r).text(Tag::RECEIPT_ATTRIBUTE).as_deref() == Some(job.key.as_str()));
        match (&job.evidence, document) {
            (None, None) if job.state != JobState::Completed => {}
            (None, None) => wrong.push(format!("job {} is completed without evidence", job.key)),
            (None, Some((number, record))) if job.state.is_final() || job.needs_person.is_none() => {
                wrong.push(format!(
                    "K3: job {} is {} but document {} of {number} is its",
                    job.key, job.state, record.fd
                ));
            }
            (None, Some(_)) => {}
            (Some(evidence), None) => wrong.push(format!("I2: job {} shows {evidence:?}, no FN has it", job.key)),
            (Some(evidence), Some((number, record))) => {
                if !taken.insert((number.clone(), record.fd)) {
                    wrong.push(format!("I3: document {} of {number} belongs to two jobs", record.fd));
                }
                let told = (evidence.fn_number.as_str(), evidence.fd.0, evidence.fp.0);
                if told != (number.as_str(), record.fd, record.fp) {
                    wrong.push(format!(
                        "I2: job {} shows {told:?}, its document is {number} {}",
                        job.key, record.fd
                    ));
                }
                wrong.extend(content_differs(job, record).map(|why| format!("K1: job {}: {why}", job.key)));
            }
        }
    }
}

fn content_differs(job: &Job, record: &Record) -> Option<String> {
    let tags = tags(record);
    let evidence = job.evidence.as_ref()?;
    let differ = |what: &str, made: &dyn std::fmt::Debug, told: &dyn std::fmt::Debug| {
        Some(format!("{what}: the document has {made:?}, told was {told:?}"))
    };
    let total = tags.money(Tag::RECEIPT_TOTAL).ok().flatten();
    if total != Some(job.receipt.total) || total != Some(evidence.total) {
        return differ("total", &total, &(job.receipt.total, evidence.total));
    }
    let contact = tags.text(Tag::BUYER_CONTACT);
    let asked = job.receipt.buyer.as_ref().and_then(|buyer| buyer.contact.clone());
    if contact != asked {
        return differ("buyer", &contact, &asked);
    }
    let number = tags.u32(Tag::RECEIPT_NUMBER).ok().flatten();
    if number != Some(evidence.number_in_shift) {
        return differ("number in shift", &number, &evidence.number_in_shift);
    }
    let shift = tags.u32(Tag::SHIFT_NUMBER).ok().flatten();
    if shift != Some(evidence.shift.0) {
        return differ("shift", &shift, &evidence.shift);
    }
    let time = tags.time(Tag::DOCUMENT_TIME).ok().flatten();
    if time.map(|t| t.whole_minute()) != Some(evidence.time.whole_minute()) {
        return differ("time", &time, &evidence.time);
    }
    None
}

/// K2, I11: every document of an FN is a registration, or listed as a job's or a shift's of ours; and no other is listed.
fn every_document_is_explained(seen: &Seen, allowed: Allowed, wrong: &mut Vec<String>) {
    let mut listed: BTreeMap<(String, u32), u32> = BTreeMap::new();
    for row in &seen.documents {
        *listed.entry((row.fn_number.to_string(), row.fd.0)).or_default() += 1;
    }
    let doubted = |number: &str| {
        let attempts = seen.jobs.values().flat_map(|job| &job.attempts);
        let open = attempts.filter(|attempt| attempt.state == AttemptState::InDoubt);
        let in_doubt = |unit: &UnitSnapshot| {
            unit.in_doubt.is_some() && unit.fn_number.as_ref().is_some_and(|n| n.as_str() == number)
        };
        open.into_iter().any(|attempt| attempt.fn_number.as_str() == number) || seen.units.values().any(in_doubt)
    };
    for (number, records) in &seen.ledgers {
        for record in records.iter().filter(|record| record.kind != REGISTRATION) {
            match listed.remove(&(number.clone(), record.fd)) {
                Some(1) => {}
                Some(times) => wrong.push(format!("document {} of {number} is listed {times} times", record.fd)),
                None if doubted(number) => {}
                None if allowed.foreign && !matches!(record.kind, RECEIPT | CORRECTION) => {}
                None => wrong.push(format!(
                    "I11: document {} (kind {}) of {number} is explained by nothing",
                    record.fd, record.kind
                )),
            }
        }
    }
    for ((number, fd), _) in listed {
        wrong.push(format!("the API lists document {fd} of {number}, the FN has none"));
    }
}

/// I6: at most one unresolved attempt per FN and per job; I10: attempts are numbered from 1 without gaps.
fn attempts_are_in_order(seen: &Seen, wrong: &mut Vec<String>) {
    let mut open = BTreeMap::new();
    for job in seen.jobs.values() {
        let numbers: Vec<u32> = job.attempts.iter().map(|attempt| attempt.number).collect();
        let expected: Vec<u32> = (1..).take(numbers.len()).collect();
        if numbers != expected {
            wrong.push(format!("I10: job {} has attempts {numbers:?}", job.key));
        }
        let unresolved = job
            .attempts
            .iter()
            .filter(|a| matches!(a.state, AttemptState::Open | AttemptState::InDoubt));
        for (at, attempt) in unresolved.enumerate() {
            if at > 0 {
                wrong.push(format!("I6: job {} has two unresolved attempts", job.key));
            }
            if let Some(other) = open.insert(attempt.fn_number.clone(), job.key) {
                wrong.push(format!(
                    "I6: jobs {other} and {} are unresolved on {}",
                    job.key, attempt.fn_number
                ));
            }
        }
        let made = job.attempts.iter().filter(|a| a.state == AttemptState::Made).count();
        if made != usize::from(job.state == JobState::Completed) {
            wrong.push(format!(
                "job {} is {} with {made} attempts that made it",
                job.key, job.state
            ));
        }
    }
}

/// K5, L1: nothing runs and nothing is in doubt, but what only a person can settle, with its unit isolated.
fn nothing_is_left_open(seen: &Seen, allowed: Allowed, wrong: &mut Vec<String>) {
    let isolated = |job: &Job| {
        let on = job.attempts.last().map(|attempt| attempt.fn_number.clone());
        let there = seen
            .units
            .values()
            .find(|unit| unit.in_doubt.is_some() || unit.fn_number == on);
        there.is_some_and(|unit| unit.state == UnitState::Quarantined)
    };
    for job in seen.jobs.values() {
        let good = match job.state {
            JobState::Completed | JobState::Refused | JobState::Cancelled | JobState::Expired => true,
            JobState::Accepted => allowed.waiting || job.needs_person.is_some(),
            JobState::Running => false,
            JobState::InDoubt => allowed.manual && job.needs_person.is_some() && isolated(job),
        };
        if !good {
            wrong.push(format!(
                "job {} is left {} (person: {:?}, reason: {:?})",
                job.key, job.state, job.needs_person, job.reason
            ));
        }
    }
    if !allowed.manual {
        for unit in seen.units.values().filter(|unit| unit.in_doubt.is_some()) {
            wrong.push(format!("slot {} is left in doubt: {:?}", unit.slot, unit.in_doubt));
        }
    }
}

/// K10: a unit takes jobs, or shows a reason; none is stuck half way.
fn units_say_why(seen: &Seen, wrong: &mut Vec<String>) {
    for unit in seen.units.values() {
        let stuck = matches!(unit.state, UnitState::Arrived | UnitState::Identifying);
        let silent = unit.state != UnitState::Active && unit.reason.detail.is_empty();
        if stuck || silent {
            wrong.push(format!(
                "slot {} is {:?} and does not say why: {:?}",
                unit.slot, unit.state, unit.reason
            ));
        }
        if unit.job.is_some() && unit.in_doubt.is_none() {
            wrong.push(format!("slot {} shows a job in hand: {:?}", unit.slot, unit.job));
        }
    }
}

/// K7: no document is more than five minutes from true time, and none is earlier than the one before it.
fn times_are_true(seen: &Seen, wrong: &mut Vec<String>) {
    for (number, records) in &seen.ledgers {
        for record in records {
            let off = i64::from(record.time) * 1000 - ZONE_MS - record.made_unix_ms;
            if off.abs() > TIME_OFF_MS {
                wrong.push(format!(
                    "K7: document {} of {number} is {} s off",
                    record.fd,
                    off / 1000
                ));
            }
        }
        if records.windows(2).any(|pair| pair[0].time > pair[1].time) {
            wrong.push(format!("K7: a document of {number} is earlier than the one before it"));
        }
    }
}

/// K7: no document in a shift that was opened more than 24 hours before, by the FN's own times; closing it is what ends it.
fn shifts_are_young(seen: &Seen, wrong: &mut Vec<String>) {
    for (number, records) in &seen.ledgers {
        let mut opened = None;
        for record in records {
            match record.kind {
                SHIFT_OPEN => opened = Some(record.time),
                RECEIPT | CORRECTION if opened.is_none_or(|at| record.time > at + DAY_S) => {
                    wrong.push(format!(
                        "K7: document {} of {number} stands in no shift of 24 h",
                        record.fd
                    ));
                }
                _ => {}
            }
        }
    }
}

/// I5, I4: what a client was shown stands, and every job it was shown is there.
fn results_never_changed(play: &Play, seen: &Seen, wrong: &mut Vec<String>) {
    let shown = play.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
    wrong.extend(shown.wrong.iter().map(|text| format!("I5: {text}")));
    for (key, before) in &shown.last {
        match seen.jobs.get(key) {
            None => wrong.push(format!("I4: job {key} was shown and is gone")),
            Some(now) => wrong.extend(contradiction(before, now).map(|text| format!("I5: {text}"))),
        }
    }
}
