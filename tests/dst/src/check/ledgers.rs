//! What must hold between jobs and the documents of all FNs.
//!
//! Owns: I1, I2, I3, I11, K1, K2, K3, K7.
//! Must never: believe the API where an FN can be read.

use super::{Allowed, Seen};
use kassette_core::domain::job::{AttemptState, Job};
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_hw_sim::fiscal_storage::ledger::Record;
use kassette_receipts::job::JobState;
use kassette_wire::ffd::{Tag, TlvList};
use std::collections::{BTreeMap, BTreeSet};

/// Document codes of the FFD (`fn-ffd-ofd` C.2).
const REGISTRATION: u8 = 1;
const SHIFT_OPEN: u8 = 2;
const RECEIPT: u8 = 3;
const CORRECTION: u8 = 31;
const SHIFT_CLOSE: u8 = 5;
/// Documents that jobs ask for.
pub(super) const RECEIPT_KINDS: [u8; 2] = [RECEIPT, CORRECTION];
/// Documents of shifts.
pub(super) const SERVICE_KINDS: [u8; 2] = [SHIFT_OPEN, SHIFT_CLOSE];
/// A document is at most this far from true time (K7); its own time has no seconds.
const TIME_OFF_MS: i64 = 5 * 60_000 + 60_000;
/// Longest life of a shift, seconds.
const DAY_S: u32 = 86_400;
/// Zone of every register of a story.
const ZONE_MS: i64 = 180 * 60_000;

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

/// Whether a document was made before the journal went back.
fn is_forgotten(seen: &Seen, number: &str, record: &Record) -> bool {
    seen.forgotten.get(number).is_some_and(|last| record.fd <= *last)
}

/// I1: over all ledgers at most one document of each key; K2: no receipt without a key of a job.
pub(super) fn one_document_of_each_key(seen: &Seen, wrong: &mut Vec<String>) {
    let mut found = BTreeSet::new();
    for (number, record) in receipts(seen) {
        let key = tags(record).text(Tag::RECEIPT_ATTRIBUTE).unwrap_or_default();
        let ours = seen.jobs.keys().any(|job| job.as_str() == key);
        if !ours && !seen.shared.contains(number) && !is_forgotten(seen, number, record) {
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
pub(super) fn jobs_and_ledgers_agree(seen: &Seen, wrong: &mut Vec<String>) {
    let mut taken = BTreeSet::new();
    for job in seen.jobs.values() {
        let by_key =
            receipts(seen).find(|(_, r)| tags(r).text(Tag::RECEIPT_ATTRIBUTE).as_deref() == Some(job.key.as_str()));
        // After the journal went back, a document carries the key of the job that was forgotten.
        let forgotten = |(number, record): &(&String, &Record)| {
            let told = job.evidence.as_ref();
            told.is_some_and(|told| told.fn_number.as_str() == number.as_str() && told.fd.0 == record.fd)
                && is_forgotten(seen, number, record)
        };
        let document = by_key.or_else(|| receipts(seen).find(forgotten));
        match (&job.evidence, document) {
            (None, None) if job.state != JobState::Completed => {}
            (None, None) => wrong.push(format!("job {} is completed without evidence", job.key)),
            // A try that is open may have made it.
            (None, Some((number, record))) if job.state.is_final() || job.state == JobState::Accepted => {
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
pub(super) fn every_document_is_explained(seen: &Seen, allowed: Allowed, wrong: &mut Vec<String>) {
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
                None if seen.shared.contains(number) || is_forgotten(seen, number, record) => {}
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

/// K7: a document is not more than five minutes from true time; registrations are no documents of ours.
pub(super) fn time_is_false(number: &str, record: &Record, host_off_ms: i64) -> Option<String> {
    if record.kind == REGISTRATION {
        return None;
    }
    let off = i64::from(record.time) * 1000 - ZONE_MS - record.made_unix_ms;
    let false_by = format!("K7: document {} of {number} is {} s off", record.fd, off / 1000);
    (off.abs() > TIME_OFF_MS + host_off_ms).then_some(false_by)
}

/// K7: no document is more than five minutes from true time, and none is earlier than the one before it.
pub(super) fn times_are_true(seen: &Seen, wrong: &mut Vec<String>) {
    for (number, records) in &seen.ledgers {
        for record in records {
            wrong.extend(time_is_false(number, record, seen.host_off_ms));
        }
        if records.windows(2).any(|pair| pair[0].time > pair[1].time) {
            wrong.push(format!("K7: a document of {number} is earlier than the one before it"));
        }
    }
}

/// K7: no document in a shift that was opened more than 24 hours before, by the FN's own times; closing it is what ends it.
pub(super) fn shifts_are_young(seen: &Seen, wrong: &mut Vec<String>) {
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
