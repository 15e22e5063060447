//! The end of a try: a document, a negative proof, or a doubt.
//!
//! Owns: what must be shown before a job leaves a try (`exactly-once` I8), the row of a document, the mark of an FN.
//! Must never: take an end that proves nothing, or lose an end because the try after it cannot begin.

use super::checks::RowSum;
use super::command::{BeginIntent, EndIntent, JobEnd, ReplyBody, Scan, Verdict};
use super::doubts;
use super::held;
use super::intents::{end_sum, insert, seal_fn, tenant_of_fn};
use super::jobs::{JobMove, move_job};
use super::rows::{attempt_state_text, learned_text, sum_of};
use super::store::{JournalFacts, WriteError, Written, savepoint};
use crate::domain::attempt::Evidence;
use crate::domain::job::AttemptState;
use crate::parts::UnixMillis;
use kassette_receipts::job::{Event, JobState};
use kassette_wire::codes::Code;
use rusqlite::{OptionalExtension as _, Transaction, params};

/// Times a register must have been seen idle before its ledger proves anything (`exactly-once` section 3, step 4).
const IDLE_TWICE: u32 = 2;

/// What a try was to make, and where.
pub(super) struct OpenRow {
    pub fn_row: i64,
    pub fn_number: String,
    pub register: i64,
    pub register_name: String,
    pub rnm: String,
    pub job: Option<i64>,
    pub kind: String,
    pub baseline: u32,
    pub in_doubt: bool,
}

fn is_held(row: &OpenRow) -> bool {
    row.fn_number.starts_with(held::HELD_PREFIX)
}

fn refused(text: String) -> WriteError {
    WriteError::Refused(Code::InternalFault, text)
}

pub(super) fn end(
    tx: &Transaction<'_>,
    facts: &JournalFacts,
    end: &EndIntent,
    next: Option<&BeginIntent>,
    room: bool,
) -> Written {
    let row = open_row(tx, end.intent)?;
    let state = match (&end.verdict, end.job_end) {
        (Verdict::Made(_), JobEnd::Completed) => AttemptState::Made,
        (Verdict::NotMade, JobEnd::Refused | JobEnd::Again) => AttemptState::NotMade,
        (Verdict::InDoubt, JobEnd::InDoubt) => AttemptState::InDoubt,
        (Verdict::Made(_) | Verdict::NotMade | Verdict::InDoubt, _) => {
            return Err(refused(format!("the end of attempt {} contradicts itself", end.intent)));
        }
    };
    let mark = proven_mark(&row, end)
        .map_err(|why| refused(format!("the end of attempt {} proves nothing: {why}", end.intent)))?;
    write_end(tx, end, &state)?;
    if let Verdict::Made(evidence) = &end.verdict {
        insert_document(tx, (end.intent, end.at), &row, evidence)?;
    }
    if let Some(scan) = &end.scan {
        write_scan(tx, (end.intent, end.at), scan, &state)?;
    }
    tx.prepare_cached("UPDATE fns SET last_fd = MAX(last_fd, ?2) WHERE id = ?1")?
        .execute(params![row.fn_row, mark])?;
    seal_fn(tx, row.fn_row)?;
    let job = row.job.map(|job| Ok::<_, WriteError>((job, end_job(tx, job, end)?)));
    let mut job = job.transpose()?;
    doubts::note_end(tx, end, row.in_doubt)?;
    if let Some((waiting, state)) = job.as_mut().filter(|_| end.job_end == JobEnd::Again && !is_held(&row))
        && let Some(reason) = held::gate_again(tx, facts, *waiting)?
    {
        held::begin(tx, facts, &held::Hold::of(tx, *waiting, &reason, end.at)?)?;
        *state = JobState::InDoubt;
    }
    // The outcome is known and must be durable, whatever keeps the next try from beginning.
    let next = match next {
        None => None,
        Some(order) => savepoint(tx, || insert(tx, facts, order, room))?.ok(),
    };
    Ok(ReplyBody::Ended { job, next })
}

/// The number up to which every document of the FN is explained by this end, or why the end is no proof.
fn proven_mark(row: &OpenRow, end: &EndIntent) -> Result<u32, String> {
    if let Verdict::InDoubt = end.verdict {
        return Ok(row.baseline);
    }
    if let Some(scan) = &end.scan {
        check_scan(row, scan)?;
    } else if row.in_doubt {
        return Err("a doubt ends only by a resolution".into());
    }
    let scanned = end.scan.as_ref().map(|scan| scan.last_after.0);
    match &end.verdict {
        Verdict::Made(made) => {
            check_evidence(row, made, scanned)?;
            Ok(scanned.unwrap_or(made.fd.0))
        }
        Verdict::NotMade | Verdict::InDoubt => match scanned {
            Some(last) => Ok(last),
            None if end.last_fd.0 == row.baseline => Ok(row.baseline),
            None => Err(format!(
                "the FN's last document is {}, before it was {}",
                end.last_fd, row.baseline
            )),
        },
    }
}

/// A resolution counts when it read the intent's own FN at rest and explained every document above the baseline.
fn check_scan(row: &OpenRow, scan: &Scan) -> Result<(), String> {
    if scan.fn_number.as_str() != row.fn_number {
        return Err(format!(
            "FN {} was read, the attempt ran on {}",
            scan.fn_number, row.fn_number
        ));
    }
    if scan.idle_seen < IDLE_TWICE || scan.last_before != scan.last_after {
        return Err("the register was not at rest".into());
    }
    let above = scan.last_after.0.checked_sub(row.baseline);
    let above = above.ok_or_else(|| {
        format!(
            "the FN's last document is {}, before it was {}",
            scan.last_after, row.baseline
        )
    })?;
    let read: Vec<u32> = scan.documents.iter().map(|(number, _)| *number).collect();
    let wanted: Vec<u32> = (row.baseline..scan.last_after.0)
        .map(|number| number + 1)
        .take(read.len() + 1)
        .collect();
    if read == wanted {
        Ok(())
    } else {
        Err(format!(
            "{} documents stand above {}, {} were read",
            above,
            row.baseline,
            read.len()
        ))
    }
}

fn check_evidence(row: &OpenRow, made: &Evidence, scanned: Option<u32>) -> Result<(), String> {
    if made.fn_number.as_str() != row.fn_number || made.register.to_string() != row.register_name {
        return Err(format!("the document is of FN {} in {}", made.fn_number, made.register));
    }
    if made.fd.0 <= row.baseline || scanned.is_some_and(|last| made.fd.0 > last) {
        return Err(format!("document {} does not stand above {}", made.fd, row.baseline));
    }
    Ok(())
}

fn open_row(tx: &Transaction<'_>, intent: i64) -> Result<OpenRow, WriteError> {
    row_of(tx, intent, "i.state IN ('open', 'in_doubt')")
}

fn row_of(tx: &Transaction<'_>, intent: i64, condition: &str) -> Result<OpenRow, WriteError> {
    let found = tx
        .prepare_cached(&format!(
            "SELECT i.fn, f.number, i.register, r.name, i.rnm, i.job, i.kind, i.baseline, i.state = 'in_doubt' \
             FROM intents i JOIN fns f ON f.id = i.fn JOIN registers r ON r.id = i.register \
             WHERE i.id = ?1 AND {condition}",
        ))?
        .query_row([intent], |row| {
            Ok(OpenRow {
                fn_row: row.get(0)?,
                fn_number: row.get(1)?,
                register: row.get(2)?,
                register_name: row.get(3)?,
                rnm: row.get(4)?,
                job: row.get(5)?,
                kind: row.get(6)?,
                baseline: row.get(7)?,
                in_doubt: row.get(8)?,
            })
        })
        .optional()?;
    found.ok_or_else(|| refused(format!("attempt {intent} is not open")))
}

pub(super) fn write_end(tx: &Transaction<'_>, end: &EndIntent, state: &AttemptState) -> Result<(), WriteError> {
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

pub(super) fn insert_document(
    tx: &Transaction<'_>,
    (intent, at): (i64, UnixMillis),
    row: &OpenRow,
    made: &Evidence,
) -> Result<i64, WriteError> {
    let total = i64::try_from(made.total.get()).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    let tenant: i64 = match row.job {
        Some(job) => tx
            .prepare_cached("SELECT tenant FROM jobs WHERE id = ?1")?
            .query_row([job], |r| r.get(0))?,
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
        intent,
        learned_text(made.learned),
        at.0,
    ])?;
    let id = tx.last_insert_rowid();
    held::explained(tx, &row.fn_number, made.fd, row.job, at)?;
    let sum = document_sum(tx, id)?;
    tx.prepare_cached("UPDATE documents SET sum = ?2 WHERE id = ?1")?
        .execute(params![id, sum])?;
    tx.prepare_cached("UPDATE fns SET last_time = ?2 WHERE id = ?1")?
        .execute(params![row.fn_row, made.time.to_string()])?;
    Ok(id)
}

/// The document of an attempt that persons settled; it stands in no chain of proof but theirs.
pub(super) fn insert_settled(
    tx: &Transaction<'_>,
    intent: i64,
    made: &Evidence,
    verdict: i64,
    at: UnixMillis,
) -> Result<(), WriteError> {
    let row = row_of(tx, intent, "1")?;
    check_evidence(&row, made, None).map_err(refused)?;
    let document = insert_document(tx, (intent, at), &row, made)?;
    tx.prepare_cached("UPDATE documents SET verdict = ?2 WHERE id = ?1")?
        .execute([document, verdict])?;
    tx.prepare_cached("UPDATE fns SET last_fd = MAX(last_fd, ?2) WHERE id = ?1")?
        .execute(params![row.fn_row, made.fd.0])?;
    Ok(seal_fn(tx, row.fn_row)?)
}

/// That a reading of an attempt's FN, whatever became of the attempt, explains every document above its baseline.
pub(super) fn check_read(tx: &Transaction<'_>, intent: i64, scan: &Scan) -> Result<(), WriteError> {
    check_scan(&row_of(tx, intent, "1")?, scan).map_err(refused)
}

pub(super) fn document_sum(tx: &rusqlite::Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, fn, fd, kind, fp, time, zone_minutes, shift, number_in_shift, total, tenant, register, rnm, job, \
         intent, learned, at FROM documents WHERE id = ?1",
    )?
    .query_row([id], |row| sum_of(RowSum::new("documents"), row, 17))
}

pub(super) fn write_scan(
    tx: &Transaction<'_>,
    (intent, at): (i64, UnixMillis),
    scan: &Scan,
    state: &AttemptState,
) -> Result<(), WriteError> {
    let text = serde_json::to_string(scan).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    // A later look replaces an earlier one that had to leave the doubt open.
    tx.prepare_cached(
        "INSERT OR REPLACE INTO resolutions (intent, at, verdict, scan, sum) VALUES (?1, ?2, ?3, ?4, x'')",
    )?
    .execute(params![intent, at.0, attempt_state_text(state), text])?;
    let sum = resolution_sum(tx, intent)?;
    tx.prepare_cached("UPDATE resolutions SET sum = ?2 WHERE intent = ?1")?
        .execute(params![intent, sum])?;
    Ok(())
}

pub(super) fn resolution_sum(tx: &rusqlite::Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT intent, at, verdict, scan FROM resolutions WHERE intent = ?1")?
        .query_row([intent], |row| sum_of(RowSum::new("resolutions"), row, 4))
}

pub(super) fn end_job(tx: &Transaction<'_>, job: i64, end: &EndIntent) -> Result<JobState, WriteError> {
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
