//! Writes that concern tries: the intent before the first byte, and its end.
//!
//! Owns: the pair intent and resolution for every document, the chain of a lane, the mark of an FN.
//! Must never: move a job out of a try without a document row, a negative proof or a doubt.

use super::checks::RowSum;
use super::command::{BeginIntent, EndIntent, JobEnd, ReplyBody, Verdict};
use super::jobs::{JobMove, id_of, move_job};
use super::rows::{attempt_state_text, kind_text, learned_text, sum_of};
use super::store::{JournalFacts, WriteError, Written};
use crate::domain::attempt::Evidence;
use crate::domain::job::AttemptState;
use crate::parts::UnixMillis;
use kassette_receipts::job::{Event, JobState};
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use rusqlite::{OptionalExtension as _, Transaction, params};

/// The row of an FN, made at first sight with `last_fd` as its mark.
pub(super) fn fn_id(
    tx: &Transaction<'_>,
    number: &str,
    last_fd: FdNumber,
    at: UnixMillis,
) -> rusqlite::Result<(i64, bool)> {
    let found = tx
        .prepare_cached("SELECT id FROM fns WHERE number = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok((id, false));
    }
    tx.prepare_cached("INSERT INTO fns (number, last_fd, audited_fd, chain, first_seen) VALUES (?1, ?2, ?2, x'', ?3)")?
        .execute(params![number, last_fd.0, at.0])?;
    Ok((tx.last_insert_rowid(), true))
}

pub(super) fn begin(tx: &Transaction<'_>, facts: &JournalFacts, order: &BeginIntent) -> Written {
    let (intent, number) = insert(tx, facts, order)?;
    Ok(ReplyBody::Begun { intent, number })
}

fn insert(tx: &Transaction<'_>, facts: &JournalFacts, order: &BeginIntent) -> Result<(i64, u32), WriteError> {
    let (fn_row, _) = fn_id(tx, order.fn_number.as_str(), order.baseline, order.at)?;
    check_lane(tx, fn_row, order)?;
    let register = id_of(tx, "registers", "name", &order.register.to_string(), order.at)?;
    let number = match order.job {
        None => 1,
        Some(job) => attempts(tx, job)? + 1,
    };
    let previous: Vec<u8> = tx
        .prepare_cached("SELECT chain FROM fns WHERE id = ?1")?
        .query_row([fn_row], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO intents (fn, register, rnm, job, number, kind, baseline, job_key, key_place, content, start, \
         started_at, chain, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, x'', 'open')",
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
        order.key_place.map(|p| format!("{p:?}")),
        order.content.map(|c| c.digest.to_vec()),
        facts.start,
        order.at.0,
    ])?;
    let intent = tx.last_insert_rowid();
    let chain = begin_chain(tx, intent, &previous)?;
    tx.prepare_cached("UPDATE intents SET chain = ?2 WHERE id = ?1")?
        .execute(params![intent, chain])?;
    tx.prepare_cached("UPDATE fns SET chain = ?2, last_fd = MAX(last_fd, ?3) WHERE id = ?1")?
        .execute(params![fn_row, chain, order.baseline.0])?;
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

/// I6 and I11 before the constraint says it less clearly; a baseline below the mark means another FN or journal.
fn check_lane(tx: &Transaction<'_>, fn_row: i64, order: &BeginIntent) -> Result<(), WriteError> {
    let open: Option<i64> = tx
        .prepare_cached("SELECT id FROM intents WHERE fn = ?1 AND state IN ('open', 'in_doubt')")?
        .query_row([fn_row], |row| row.get(0))
        .optional()?;
    if let Some(open) = open {
        let text = format!("FN {} has an unresolved attempt (row {open})", order.fn_number);
        return Err(WriteError::Refused(Code::DoubtOpen, text));
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
    Ok(())
}

fn attempts(tx: &Transaction<'_>, job: i64) -> Result<u32, WriteError> {
    let found: Option<u32> = tx
        .prepare_cached("SELECT attempts FROM jobs WHERE id = ?1")?
        .query_row([job], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| WriteError::Refused(Code::JobNotFound, format!("no job with row number {job}")))
}

pub(super) fn begin_chain(tx: &rusqlite::Connection, intent: i64, previous: &[u8]) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, fn, register, rnm, job, number, kind, baseline, job_key, key_place, content, start, started_at \
         FROM intents WHERE id = ?1",
    )?
    .query_row([intent], |row| sum_of(RowSum::chained("intents", previous), row, 13))
}

pub(super) fn end_sum(tx: &rusqlite::Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT chain, id, state, ended_at, code, detail, device FROM intents WHERE id = ?1")?
        .query_row([intent], |row| sum_of(RowSum::new("intent_end"), row, 7))
}

struct OpenRow {
    fn_row: i64,
    register: i64,
    rnm: String,
    job: Option<i64>,
    kind: String,
}

pub(super) fn end(tx: &Transaction<'_>, facts: &JournalFacts, end: &EndIntent, next: Option<&BeginIntent>) -> Written {
    let row = open_row(tx, end.intent)?;
    let state = match (&end.verdict, end.job_end) {
        (Verdict::Made(_), JobEnd::Completed) => AttemptState::Made,
        (Verdict::NotMade, JobEnd::Refused | JobEnd::Again) => AttemptState::NotMade,
        (Verdict::InDoubt, JobEnd::InDoubt) => AttemptState::InDoubt,
        (Verdict::Made(_) | Verdict::NotMade | Verdict::InDoubt, _) => {
            let text = format!("the end of attempt {} contradicts itself", end.intent);
            return Err(WriteError::Refused(Code::InternalFault, text));
        }
    };
    write_end(tx, end, &state)?;
    if let Verdict::Made(evidence) = &end.verdict {
        insert_document(tx, end, &row, evidence)?;
    }
    if let Some(scan) = &end.scan {
        write_scan(tx, end, scan, &state)?;
    }
    tx.prepare_cached("UPDATE fns SET last_fd = MAX(last_fd, ?2) WHERE id = ?1")?
        .execute(params![row.fn_row, end.last_fd.0])?;
    let job = row.job.map(|job| end_job(tx, job, end)).transpose()?;
    let next = match next {
        None => None,
        Some(order) => Some(insert(tx, facts, order)?),
    };
    Ok(ReplyBody::Ended { job, next })
}

fn open_row(tx: &Transaction<'_>, intent: i64) -> Result<OpenRow, WriteError> {
    let found = tx
        .prepare_cached(
            "SELECT fn, register, rnm, job, kind FROM intents WHERE id = ?1 AND state IN ('open', 'in_doubt')",
        )?
        .query_row([intent], |row| {
            Ok(OpenRow {
                fn_row: row.get(0)?,
                register: row.get(1)?,
                rnm: row.get(2)?,
                job: row.get(3)?,
                kind: row.get(4)?,
            })
        })
        .optional()?;
    found.ok_or_else(|| WriteError::Refused(Code::InternalFault, format!("attempt {intent} is not open")))
}

fn write_end(tx: &Transaction<'_>, end: &EndIntent, state: &AttemptState) -> Result<(), WriteError> {
    let device = end.device.as_ref().map(serde_json::to_string).transpose();
    let device = device.map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    let ended_at = (*state != AttemptState::InDoubt).then_some(end.at.0);
    tx.prepare_cached(
        "UPDATE intents SET state = ?2, ended_at = ?3, code = ?4, detail = ?5, device = COALESCE(?6, device) \
         WHERE id = ?1",
    )?
    .execute(params![
        end.intent,
        attempt_state_text(state),
        ended_at,
        end.reason.as_ref().map(|r| r.code.as_str()),
        end.reason.as_ref().map(|r| r.detail.as_str()),
        device,
    ])?;
    let sum = end_sum(tx, end.intent)?;
    tx.prepare_cached("UPDATE intents SET end_sum = ?2 WHERE id = ?1")?
        .execute(params![end.intent, sum])?;
    Ok(())
}

fn insert_document(tx: &Transaction<'_>, end: &EndIntent, row: &OpenRow, made: &Evidence) -> Result<(), WriteError> {
    let total = i64::try_from(made.total.get()).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    let tenant: i64 = match row.job {
        Some(job) => tx.query_row("SELECT tenant FROM jobs WHERE id = ?1", [job], |r| r.get(0))?,
        None => tenant_of_fn(tx, row.fn_row)?,
    };
    tx.prepare_cached(
        "INSERT INTO documents (fn, fd, kind, fp, time, zone_minutes, shift, number_in_shift, total, tenant, register, \
         rnm, job, intent, learned, at, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, \
         ?16, x'')",
    )?
    .execute(params![
        row.fn_row,
        made.fd.0,
        row.kind,
        made.fp.0,
        made.time.to_string(),
        made.zone_minutes,
        made.shift.0,
        made.number_in_shift,
        total,
        tenant,
        row.register,
        row.rnm,
        row.job,
        end.intent,
        learned_text(made.learned),
        end.at.0,
    ])?;
    let sum = document_sum(tx, row.fn_row, made.fd.0)?;
    tx.prepare_cached("UPDATE documents SET sum = ?3 WHERE fn = ?1 AND fd = ?2")?
        .execute(params![row.fn_row, made.fd.0, sum])?;
    tx.prepare_cached("UPDATE fns SET last_time = ?2 WHERE id = ?1")?
        .execute(params![row.fn_row, made.time.to_string()])?;
    Ok(())
}

pub(super) fn document_sum(tx: &rusqlite::Connection, fn_row: i64, fd: u32) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT fn, fd, kind, fp, time, zone_minutes, shift, number_in_shift, total, tenant, register, rnm, job, \
         intent, learned, at FROM documents WHERE fn = ?1 AND fd = ?2",
    )?
    .query_row(params![fn_row, fd], |row| sum_of(RowSum::new("documents"), row, 16))
}

/// The taxpayer of an FN, from what it was seen activated with.
fn tenant_of_fn(tx: &Transaction<'_>, fn_row: i64) -> Result<i64, WriteError> {
    let found: Option<i64> = tx
        .prepare_cached(
            "SELECT t.id FROM registrations g JOIN tenants t ON t.inn = json_extract(g.facts, '$.inn') \
             WHERE g.fn = ?1 ORDER BY g.id DESC LIMIT 1",
        )?
        .query_row([fn_row], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| WriteError::Refused(Code::InternalFault, format!("FN row {fn_row} has no taxpayer here")))
}

fn write_scan(
    tx: &Transaction<'_>,
    end: &EndIntent,
    scan: &super::command::Scan,
    state: &AttemptState,
) -> Result<(), WriteError> {
    let text = serde_json::to_string(scan).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    let sum = RowSum::new("resolutions")
        .int(end.intent)
        .int(end.at.0)
        .text(attempt_state_text(state))
        .text(&text)
        .finish();
    // A later look replaces an earlier one that had to leave the doubt open.
    tx.prepare_cached(
        "INSERT OR REPLACE INTO resolutions (intent, at, verdict, scan, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![end.intent, end.at.0, attempt_state_text(state), text, sum])?;
    Ok(())
}

fn end_job(tx: &Transaction<'_>, job: i64, end: &EndIntent) -> Result<JobState, WriteError> {
    let doubted = tx
        .prepare_cached("SELECT state = 'IN_DOUBT' FROM jobs WHERE id = ?1")?
        .query_row([job], |row| row.get::<_, bool>(0))?;
    let event = match end.job_end {
        JobEnd::Completed => Event::Completed,
        JobEnd::Refused => Event::RefusedDocument,
        JobEnd::Again if doubted => Event::NegativeProof,
        JobEnd::Again => Event::NotSent,
        JobEnd::InDoubt => Event::Doubt,
    };
    let reason = end.reason.as_ref();
    let change = JobMove {
        job,
        event,
        reason,
        needs_person: end.needs_person.as_ref(),
        attempts: None,
        at: end.at,
    };
    move_job(tx, &change)
}
