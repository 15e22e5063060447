//! The intent of a try, durable before its first byte.
//!
//! Owns: what must hold before a try begins, and the chain of a lane.
//! Must never: begin on a lane that has an unresolved try, or above documents that nobody explained.

use super::checks::RowSum;
use super::command::{BeginIntent, ReplyBody};
use super::jobs::{JobMove, id_of, move_job};
use super::rows::{key_place_text, kind_text, sum_of};
use super::store::{JournalFacts, WriteError, Written};
use super::verdicts;
use crate::parts::UnixMillis;
use kassette_receipts::job::Event;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use rusqlite::{OptionalExtension as _, Transaction, params};

/// The row of an FN, made at first sight with `last_fd` as its mark.
pub(super) fn fn_id(tx: &Transaction<'_>, number: &str, last_fd: FdNumber, at: UnixMillis) -> rusqlite::Result<i64> {
    let found = tx
        .prepare_cached("SELECT id FROM fns WHERE number = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    tx.prepare_cached(
        "INSERT INTO fns (number, last_fd, audited_fd, chain, first_seen, sum) VALUES (?1, ?2, ?2, x'', ?3, x'')",
    )?
    .execute(params![number, last_fd.0, at.0])?;
    let id = tx.last_insert_rowid();
    seal_fn(tx, id)?;
    Ok(id)
}

/// Writes the checksum of an FN's row; to be called after each change of it.
pub(super) fn seal_fn(tx: &Transaction<'_>, fn_row: i64) -> rusqlite::Result<()> {
    let sum = fn_sum(tx, fn_row)?;
    tx.prepare_cached("UPDATE fns SET sum = ?2 WHERE id = ?1")?
        .execute(params![fn_row, sum])?;
    Ok(())
}

/// Begins a try. `room` is false while the reserve is spent: no send without room for its outcome (`exactly-once` C16).
pub(super) fn begin(tx: &Transaction<'_>, facts: &JournalFacts, order: &BeginIntent, room: bool) -> Written {
    let (intent, number) = insert(tx, facts, order, room)?;
    Ok(ReplyBody::Begun { intent, number })
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    facts: &JournalFacts,
    order: &BeginIntent,
    room: bool,
) -> Result<(i64, u32), WriteError> {
    if !room {
        let text = "the disk of the journal is full: no room to record an outcome";
        return Err(WriteError::Refused(Code::JournalFull, text.into()));
    }
    let fn_row = fn_id(tx, order.fn_number.as_str(), order.baseline, order.at)?;
    check_lane(tx, fn_row, order)?;
    let register = id_of(tx, "registers", "name", &order.register.to_string(), order.at)?;
    let number = match order.job {
        None => {
            // A document without a taxpayer could not be recorded afterwards.
            tenant_of_fn(tx, fn_row)?;
            1
        }
        Some(job) => next_number(tx, job, order)?,
    };
    let (previous, chain): (Option<i64>, Vec<u8>) = tx
        .prepare_cached("SELECT last_intent, chain FROM fns WHERE id = ?1")?
        .query_row([fn_row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tx.prepare_cached(
        "INSERT INTO intents (fn, register, rnm, job, number, kind, baseline, job_key, key_place, content, start, \
         started_at, previous, chain, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, x'', \
         'open')",
    )?
    .execute(params![
        fn_row,
        register,
        order.rnm.as_str(),
        order.job,
        number,
        kind_text(order.kind),
        order.baseline.0,
        order.job_key.as_ref().map(|k| k.as_str().to_owned()),
        order.key_place.map(key_place_text),
        order.content.map(|c| c.digest.to_vec()),
        facts.start,
        order.at.0,
        previous,
    ])?;
    let intent = tx.last_insert_rowid();
    let chain = begin_chain(tx, intent, &chain)?;
    tx.prepare_cached("UPDATE intents SET chain = ?2 WHERE id = ?1")?
        .execute(params![intent, chain])?;
    tx.prepare_cached("UPDATE fns SET chain = ?2, last_intent = ?3 WHERE id = ?1")?
        .execute(params![fn_row, chain, intent])?;
    seal_fn(tx, fn_row)?;
    if let Some(job) = order.job {
        let event = Event::Took;
        let change = JobMove {
            job,
            event,
            reason: None,
            needs_person: None,
            attempts: Some(number),
            at: order.at,
        };
        move_job(tx, &change)?;
    }
    Ok((intent, number))
}

/// The taxpayer of an FN, from what it was seen activated with.
pub(super) fn tenant_of_fn(tx: &Transaction<'_>, fn_row: i64) -> Result<i64, WriteError> {
    let found: Option<i64> = tx
        .prepare_cached(
            "SELECT t.id FROM registrations g JOIN tenants t ON t.inn = json_extract(g.facts, '$.inn') \
             WHERE g.fn = ?1 ORDER BY g.id DESC LIMIT 1",
        )?
        .query_row([fn_row], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| WriteError::Refused(Code::InternalFault, format!("FN row {fn_row} has no taxpayer here")))
}

/// I6 before the constraint says it less clearly, and I11: a baseline below the mark means another FN or journal, one
/// above it documents that nobody explained ("Two programs", design section 5).
fn check_lane(tx: &Transaction<'_>, fn_row: i64, order: &BeginIntent) -> Result<(), WriteError> {
    let open: Option<i64> = tx
        .prepare_cached("SELECT id FROM intents WHERE fn = ?1 AND state IN ('open', 'in_doubt')")?
        .query_row([fn_row], |row| row.get(0))
        .optional()?;
    if let Some(open) = open {
        let text = format!("FN {} has an unresolved attempt (row {open})", order.fn_number);
        return Err(WriteError::Refused(Code::DoubtOpen, text));
    }
    if let Some(settled) = verdicts::unreviewed(tx, fn_row)? {
        let text = format!(
            "FN {}: persons settled doubt {settled}, and the FN was not read since",
            order.fn_number
        );
        return Err(WriteError::Refused(Code::FnNotReviewed, text));
    }
    let mark: u32 = tx
        .prepare_cached("SELECT last_fd FROM fns WHERE id = ?1")?
        .query_row([fn_row], |r| r.get(0))?;
    if mark > order.baseline.0 {
        let text = format!(
            "FN {} states last document {}, the journal knows {mark}",
            order.fn_number, order.baseline
        );
        return Err(WriteError::Refused(Code::LedgerBehindJournal, text));
    }
    if mark < order.baseline.0 {
        let text = format!(
            "FN {} states last document {}, the journal knows {mark} and no more",
            order.fn_number, order.baseline
        );
        return Err(WriteError::Refused(Code::ForeignDocuments, text));
    }
    Ok(())
}

/// Number of the next try of a job. A key that is not the job's own would make its document nobody's.
fn next_number(tx: &Transaction<'_>, job: i64, order: &BeginIntent) -> Result<u32, WriteError> {
    let found: Option<(u32, String, String)> = tx
        .prepare_cached("SELECT attempts, key, state FROM jobs WHERE id = ?1")?
        .query_row([job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (attempts, key, state) =
        found.ok_or_else(|| WriteError::Refused(Code::JobNotFound, format!("no job with row number {job}")))?;
    if state == "IN_DOUBT" {
        let text = format!("the document of job {key} may stand in an FN already");
        return Err(WriteError::Refused(Code::JobInDoubt, text));
    }
    match &order.job_key {
        Some(given) if given.as_str() != key => {
            let text = format!("job {key} was to be sent under the key {given}");
            Err(WriteError::Refused(Code::InternalFault, text))
        }
        Some(_) | None => Ok(attempts + 1),
    }
}

pub(super) fn begin_chain(tx: &rusqlite::Connection, intent: i64, previous: &[u8]) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, fn, register, rnm, job, number, kind, baseline, job_key, key_place, content, start, started_at, \
         previous FROM intents WHERE id = ?1",
    )?
    .query_row([intent], |row| sum_of(RowSum::chained("intents", previous), row, 14))
}

pub(super) fn end_sum(tx: &rusqlite::Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT chain, id, state, ended_at, code, detail, device FROM intents WHERE id = ?1")?
        .query_row([intent], |row| sum_of(RowSum::new("intent_end"), row, 7))
}

pub(super) fn fn_sum(tx: &rusqlite::Connection, fn_row: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, number, last_fd, audited_fd, last_time, last_intent, chain, first_seen FROM fns WHERE id = ?1",
    )?
    .query_row([fn_row], |row| sum_of(RowSum::new("fns"), row, 8))
}
