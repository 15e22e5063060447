//! FNs whose documents are read before their lane opens, and the documents that were read.
//!
//! Owns: how far each reading has come, what each document is to this journal, and which submission must wait for it.
//! Must never: forget a document that was read, or open a lane above one that only a person can explain.

use super::checks::RowSum;
use super::command::{NoteDocuments, ReplyBody};
use super::generations::renew;
use super::held::{self, Hold};
use super::intents::{fn_id, seal_fn};
use super::jobs::id_of;
use super::rows::sum_of;
use super::store::{JournalFacts, WriteError, Written};
use crate::domain::error::Reason;
use crate::domain::orphan::{NotedDocument, OrphanState, ReadWhy, Reading};
use crate::domain::snapshot::RackKind;
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber, Inn};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::collections::BTreeMap;

/// A client's clock may be wrong by so much when it says when it made a key, milliseconds.
pub(super) const KEY_TIME_SLACK_MS: i64 = 5_000;

/// Whether anything here can make a submission wait: asked once per start and after each change, not per submission.
pub(super) fn recovering(tx: &Connection) -> rusqlite::Result<bool> {
    tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM readings WHERE done_at IS NULL OR span_from IS NOT NULL) \
         OR EXISTS (SELECT 1 FROM orphans WHERE state = 'open' OR (stops = 1 AND code = 0))",
        [],
        |row| row.get(0),
    )
}

pub(super) fn reading_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, number, tenant, why, began_at, adopted, jobs_upto, mark, read_fd, span_from, done_at FROM readings \
         WHERE id = ?1",
    )?
    .query_row([id], |row| sum_of(RowSum::new("readings"), row, 11))
}

pub(super) fn orphan_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, number, fd, tenant, code, key, hash, sign, total, fp, time, time_ms, zone_minutes, shift, \
         number_in_shift, register, rnm, nonce, sealed, state, stops, job, at, settled_at, client, reason FROM orphans \
         WHERE id = ?1",
    )?
    .query_row([id], |row| sum_of(RowSum::new("orphans"), row, 26))
}

fn seal(tx: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    let sum = reading_sum(tx, id)?;
    tx.prepare_cached("UPDATE readings SET sum = ?2 WHERE id = ?1")?
        .execute(params![id, sum])?;
    Ok(())
}

pub(super) fn seal_all(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let all: Vec<i64> = tx
        .prepare("SELECT id FROM readings")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    all.into_iter().try_for_each(|id| seal(tx, id))
}

pub(super) fn seal_orphan(tx: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    let sum = orphan_sum(tx, id)?;
    tx.prepare_cached("UPDATE orphans SET sum = ?2 WHERE id = ?1")?
        .execute(params![id, sum])?;
    Ok(())
}

/// The row of an FN's reading.
struct Row {
    id: i64,
    why: ReadWhy,
    began_at: UnixMillis,
    mark: Option<FdNumber>,
    read: Option<FdNumber>,
    done: bool,
}

fn row(tx: &Connection, number: &str) -> Result<Option<Row>, WriteError> {
    type Columns = (i64, String, i64, Option<u32>, Option<u32>, bool);
    let found: Option<Columns> = tx
        .prepare_cached("SELECT id, why, began_at, mark, read_fd, done_at IS NOT NULL FROM readings WHERE number = ?1")?
        .query_row([number], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })
        .optional()?;
    found
        .map(|(id, why, began, mark, read, done)| {
            let unknown = || WriteError::Refused(Code::JournalDamaged, format!("reading {id} says \"{why}\""));
            Ok(Row {
                id,
                why: ReadWhy::of(&why).ok_or_else(unknown)?,
                began_at: UnixMillis(began),
                mark: mark.map(FdNumber),
                read: read.map(FdNumber),
                done,
            })
        })
        .transpose()
}

/// The reading of an FN that has not come to its end.
pub(super) fn open_reading(tx: &Connection, number: &str) -> Result<Option<Reading>, WriteError> {
    Ok(row(tx, number)?.filter(|row| !row.done).map(|row| Reading {
        why: row.why,
        began_at: row.began_at,
        mark: row.mark,
        read: row.read.or(row.mark).unwrap_or_default(),
    }))
}

fn insert(tx: &Transaction<'_>, number: &str, tenant: i64, why: ReadWhy, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO readings (number, tenant, why, began_at, adopted, jobs_upto, sum) VALUES (?1, ?2, ?3, ?4, 1, 0, x'')",
    )?
    .execute(params![number, tenant, why.as_str(), at.0])?;
    seal(tx, tx.last_insert_rowid())
}

/// Notes which FNs are adopted: one that this journal never knew is to be read; one that is no longer adopted holds
/// nobody up, for whoever took it out of the plan said so.
pub(super) fn adopt(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    fns: &BTreeMap<FnNumber, Inn>,
    at: UnixMillis,
) -> Result<(), WriteError> {
    // An FN of the other kind is never ours to read, and none of our documents stand in it.
    let ours = |number: &&FnNumber| number.is_test() == (facts.kind == RackKind::Test);
    for number in fns.keys().filter(ours) {
        let known: bool = tx
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM fns WHERE number = ?1) OR EXISTS (SELECT 1 FROM readings WHERE number = ?1)",
            )?
            .query_row([number.as_str()], |row| row.get(0))?;
        if !known {
            let tenant = id_of(tx, "tenants", "inn", fns[number].as_str(), at)?;
            insert(tx, number.as_str(), tenant, ReadWhy::New, at)?;
        }
    }
    let rows: Vec<(i64, String, bool)> = tx
        .prepare_cached("SELECT id, number, adopted FROM readings")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (id, number, adopted) in rows {
        let now = fns.keys().any(|known| known.as_str() == number);
        if now != adopted {
            tx.prepare_cached("UPDATE readings SET adopted = ?2 WHERE id = ?1")?
                .execute(params![id, now])?;
            seal(tx, id)?;
        }
    }
    facts.recovering = recovering(tx)?;
    Ok(())
}

/// An FN that was never seen before stands at number 0 until it was read.
pub(super) fn first_sight(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    number: &str,
    inn: Option<&Inn>,
    at: UnixMillis,
) -> Result<i64, WriteError> {
    let known: Option<i64> = tx
        .prepare_cached("SELECT id FROM fns WHERE number = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let id = fn_id(tx, number, FdNumber(0), at)?;
    if let Some(inn) = inn.filter(|_| row(tx, number).is_ok_and(|row| row.is_none())) {
        let tenant = id_of(tx, "tenants", "inn", inn.as_str(), at)?;
        insert(tx, number, tenant, ReadWhy::New, at)?;
        facts.recovering = true;
    }
    Ok(id)
}

/// A copy knows this FN up to its mark; whatever stands above it is read.
pub(super) fn begin_restore(
    tx: &Transaction<'_>,
    number: &str,
    tenant: i64,
    mark: u32,
    jobs_upto: i64,
    at: UnixMillis,
) -> Result<(), WriteError> {
    let known = row(tx, number)?;
    if known.as_ref().is_some_and(|row| !row.done) {
        // It was being read when the copy was taken: that goes on from where it was.
        return Ok(());
    }
    if known.is_none() {
        insert(tx, number, tenant, ReadWhy::Restore, at)?;
    }
    tx.prepare_cached(
        "UPDATE readings SET why = 'restore', began_at = ?2, jobs_upto = ?3, mark = ?4, read_fd = ?4, done_at = NULL \
         WHERE number = ?1",
    )?
    .execute(params![number, at.0, jobs_upto, mark])?;
    Ok(())
}

/// The FN is ahead of its mark and no attempt explains why: its documents are read.
pub(super) fn begin_ahead(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    number: &FnNumber,
    at: UnixMillis,
) -> Written {
    let (fn_row, mark): (i64, u32) = tx
        .prepare_cached("SELECT id, last_fd FROM fns WHERE number = ?1")?
        .query_row([number.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match row(tx, number.as_str())? {
        Some(row) if !row.done => {}
        known => {
            if known.is_none() {
                let tenant = super::intents::tenant_of_fn(tx, fn_row)?;
                insert(tx, number.as_str(), tenant, ReadWhy::Ahead, at)?;
            }
            tx.prepare_cached(
                "UPDATE readings SET why = 'ahead', began_at = ?2, mark = ?3, read_fd = ?3, done_at = NULL, adopted = 1 \
                 WHERE number = ?1",
            )?
            .execute(params![number.as_str(), at.0, mark])?;
            seal_all(tx)?;
        }
    }
    facts.recovering = true;
    super::orders::mark(tx, fn_row).map(|mark| ReplyBody::Mark(Some(mark)))
}

/// What a document that was read is to this journal.
struct Judged {
    state: OrphanState,
    stops: bool,
    /// A job that waits, and whose document it may be.
    hold: Option<i64>,
    /// A key of our rack that this journal does not know.
    unknown_key: bool,
}

fn judge(tx: &Transaction<'_>, why: ReadWhy, document: &NotedDocument) -> Result<Judged, WriteError> {
    let as_is = |state, stops| Judged {
        state,
        stops,
        hold: None,
        unknown_key: false,
    };
    if !document.is_settlement() {
        // Code 0: the FN has the number and not the content, so nobody can tell whose it is.
        let unread = document.code == 0;
        return Ok(as_is(OrphanState::Noted, unread || why == ReadWhy::Ahead));
    }
    let Some(key) = &document.key else {
        return Ok(as_is(OrphanState::Open, why == ReadWhy::Ahead));
    };
    let job: Option<(i64, String)> = tx
        .prepare_cached("SELECT id, state FROM jobs WHERE key = ?1")?
        .query_row([key.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match job {
        None => Judged {
            unknown_key: true,
            ..as_is(OrphanState::Open, false)
        },
        Some((id, state)) => match state.as_str() {
            "ACCEPTED" => Judged {
                hold: Some(id),
                ..as_is(OrphanState::Open, false)
            },
            "RUNNING" | "IN_DOUBT" => as_is(OrphanState::Open, false),
            // A second document of a job that has one, or one of a job that ended without: an incident.
            _ => as_is(OrphanState::Open, true),
        },
    })
}

/// Notes documents that were read, and how far the reading has come.
pub(super) fn note(tx: &Transaction<'_>, facts: &mut JournalFacts, order: &NoteDocuments) -> Written {
    let number = order.fn_number.as_str();
    let Some(reading) = row(tx, number)?.filter(|row| !row.done) else {
        return Err(WriteError::Refused(
            Code::InternalFault,
            format!("FN {number} is not being read"),
        ));
    };
    if let Some((mark, span_from)) = order.mark {
        tx.prepare_cached("UPDATE readings SET mark = ?2, read_fd = ?2, span_from = ?3 WHERE id = ?1")?
            .execute(params![reading.id, mark.0, span_from.map(|at| at.0)])?;
    }
    let (mut held, mut unknown, mut ours) = (Vec::new(), None, false);
    for document in &order.documents {
        let judged = judge(tx, reading.why, document)?;
        ours |= document.key.is_some();
        unknown = unknown.or(document.key.filter(|_| judged.unknown_key));
        if insert_orphan(tx, order, document, &judged)? {
            held.extend(judged.hold);
        }
    }
    if ours {
        release_reports(tx, number)?;
    }
    let reason = Reason::new(Code::DoubtOrphan, format!("its document may stand in FN {number}"));
    for job in &held {
        held::begin(tx, facts, &Hold::of(tx, *job, &reason, order.at)?)?;
    }
    // The generation in a key that this journal does not know may be given out no more.
    if let Some(key) = unknown.filter(|key: &JobKey| key.parts().generation == facts.generation) {
        let _ = key;
        renew(tx, facts, order.draws, "seen", order.at)?;
    }
    progress(tx, order, &reading)?;
    facts.recovering = recovering(tx)?;
    Ok(ReplyBody::Noted {
        held,
        generation: facts.generation,
    })
}

/// Where a document above the mark carries a key of ours, the end of this journal was lost: shift reports among such
/// documents are ours as well.
fn release_reports(tx: &Transaction<'_>, number: &str) -> rusqlite::Result<()> {
    let reports: Vec<i64> = tx
        .prepare_cached("SELECT id FROM orphans WHERE number = ?1 AND stops = 1 AND state = 'noted' AND code <> 0")?
        .query_map([number], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in reports {
        tx.prepare_cached("UPDATE orphans SET stops = 0 WHERE id = ?1")?
            .execute([id])?;
        seal_orphan(tx, id)?;
    }
    Ok(())
}

fn progress(tx: &Transaction<'_>, order: &NoteDocuments, reading: &Row) -> Result<(), WriteError> {
    let number = order.fn_number.as_str();
    tx.prepare_cached(
        "UPDATE readings SET read_fd = MAX(COALESCE(read_fd, 0), ?2), done_at = CASE WHEN ?3 THEN ?4 END WHERE id = ?1",
    )?
    .execute(params![reading.id, order.upto.0, order.done, order.at.0])?;
    seal(tx, reading.id)?;
    // Read and explained counts as read back; from the first document that is not explained on, the audit reads again and
    // says what a person has to judge.
    let unexplained: Option<u32> = tx
        .prepare_cached("SELECT MIN(fd) FROM orphans WHERE number = ?1 AND stops = 1")?
        .query_row([number], |row| row.get(0))?;
    let audited = unexplained.map_or(order.upto.0, |first| order.upto.0.min(first.saturating_sub(1)));
    let last_time = order.documents.iter().rev().find_map(|document| document.time);
    tx.prepare_cached(
        "UPDATE fns SET audited_fd = CASE WHEN audited_fd = last_fd THEN MAX(audited_fd, ?4) ELSE audited_fd END, \
         last_fd = MAX(last_fd, ?2), last_time = COALESCE(?3, last_time) WHERE number = ?1",
    )?
    .execute(params![
        number,
        order.upto.0,
        last_time.map(|time| time.to_string()),
        audited,
    ])?;
    let fn_row: i64 = tx
        .prepare_cached("SELECT id FROM fns WHERE number = ?1")?
        .query_row([number], |row| row.get(0))?;
    seal_fn(tx, fn_row)?;
    Ok(())
}

/// Stores a document once; a crash may have the same one read again.
fn insert_orphan(
    tx: &Transaction<'_>,
    order: &NoteDocuments,
    document: &NotedDocument,
    judged: &Judged,
) -> Result<bool, WriteError> {
    let tenant = id_of(tx, "tenants", "inn", order.tenant.as_str(), order.at)?;
    let time_ms = document
        .time
        .map(|time| time.to_unix_in_zone(order.zone_minutes).saturating_mul(1000));
    let total = document.total.and_then(|total| i64::try_from(total.get()).ok());
    let sealed = document.sealed.as_ref();
    let stored = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO orphans (number, fd, tenant, code, key, hash, sign, total, fp, time, time_ms, \
             zone_minutes, shift, number_in_shift, register, rnm, nonce, sealed, state, stops, at, sum) VALUES (?1, ?2, \
             ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, x'')",
        )?
        .execute(params![
            order.fn_number.as_str(),
            document.fd.0,
            tenant,
            document.code,
            document.key.as_ref().map(JobKey::as_str),
            document.key.map(|key| key.parts().hash.get()),
            document.sign,
            total,
            document.fp.map(|sign| sign.0),
            document.time.map(|time| time.to_string()),
            time_ms,
            order.zone_minutes,
            document.shift.map(|shift| shift.0),
            document.number_in_shift,
            order.register.to_string(),
            order.rnm.as_str(),
            sealed.map(|sealed| sealed.nonce.to_vec()),
            sealed.map(|sealed| sealed.sealed.clone()),
            judged.state.as_str(),
            judged.stops,
            order.at.0,
        ])?;
    if stored == 0 {
        return Ok(false);
    }
    seal_orphan(tx, tx.last_insert_rowid())?;
    Ok(true)
}
