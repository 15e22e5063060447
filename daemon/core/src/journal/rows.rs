//! Rows back into domain values.
//!
//! Owns: the one place where stored text becomes typed again; a row that does not make sense is an error, not a guess.
//! Must never: write.

use super::checks::RowSum;
use super::command::Sealed;
use super::query::{ReadError, StoredJob};
use crate::domain::attempt::{DeviceFault, DocumentKind, Evidence, KeyPlace, Learned};
use crate::domain::error::Reason;
use crate::domain::job::{Attempt, AttemptState, DocumentRow, Job, Priority};
use crate::parts::UnixMillis;
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::rules::Ffd;
use kassette_wire::value::{FdNumber, FiscalSign, Kopecks, RegisterId, ShiftNumber};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::str::FromStr;

/// Columns of a job with its tenant and client, in the order [`job`] reads them.
pub const JOB_COLUMNS: &str = "j.id, j.key, t.inn, c.name, j.external_id, j.hash_version, j.hash, j.key_time, j.body, \
    j.priority, j.labels, j.accepted_at, j.expires_at, r.key, j.state, j.code, j.detail, j.person_code, \
    j.person_detail, j.revision, j.updated_at, COALESCE((SELECT x.key FROM jobs x WHERE x.replaces = j.id), \
    (SELECT x.key FROM keys x WHERE x.replaces = j.id)), j.attempts";
/// The tables behind [`JOB_COLUMNS`].
pub const JOB_TABLES: &str = "jobs j JOIN tenants t ON t.id = j.tenant JOIN clients c ON c.id = j.client \
    LEFT JOIN jobs r ON r.id = j.replaces";

/// Jobs that have not ended, in the words of their index: another condition would scan the table.
pub const UNFINISHED: &str = "j.state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT')";

pub(super) fn damaged(what: &'static str, id: i64, why: impl std::fmt::Display) -> ReadError {
    ReadError::Damaged {
        what,
        id,
        why: why.to_string(),
    }
}

pub(super) fn parsed<T: FromStr>(what: &'static str, id: i64, text: &str) -> Result<T, ReadError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| damaged(what, id, error))
}

fn reason(row: &Row<'_>, at: usize, what: &'static str, id: i64) -> Result<Option<Reason>, ReadError> {
    let code: Option<String> = row.get(at)?;
    let detail: Option<String> = row.get(at + 1)?;
    code.map(|code| {
        Ok(Reason {
            code: parsed(what, id, &code)?,
            detail: detail.unwrap_or_default(),
        })
    })
    .transpose()
}

/// A register from its stored name `vendor-serial`.
pub(super) fn register(what: &'static str, id: i64, name: &str) -> Result<RegisterId, ReadError> {
    // A vendor's name holds dashes itself: try each known vendor as prefix.
    let vendor = kassette_wire::value::Vendor::ShtrihM;
    let serial = name
        .strip_prefix(vendor.as_str())
        .and_then(|rest| rest.strip_prefix('-'));
    let serial = serial.ok_or_else(|| damaged(what, id, format!("\"{name}\" is no register")))?;
    Ok(RegisterId {
        vendor,
        serial: parsed(what, id, serial)?,
    })
}

pub(super) fn priority_number(priority: Priority) -> i64 {
    match priority {
        Priority::Interactive => 0,
        Priority::Bulk => 1,
    }
}

pub(super) fn kind_text(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Receipt => "receipt",
        DocumentKind::Correction => "correction",
        DocumentKind::ShiftOpen => "shift_open",
        DocumentKind::ShiftClose => "shift_close",
    }
}

pub(super) fn kind(what: &'static str, id: i64, text: &str) -> Result<DocumentKind, ReadError> {
    [
        DocumentKind::Receipt,
        DocumentKind::Correction,
        DocumentKind::ShiftOpen,
        DocumentKind::ShiftClose,
    ]
    .into_iter()
    .find(|kind| kind_text(*kind) == text)
    .ok_or_else(|| damaged(what, id, format!("\"{text}\" is no kind of document")))
}

pub(super) fn attempt_state_text(state: &AttemptState) -> &'static str {
    match state {
        AttemptState::Open => "open",
        AttemptState::InDoubt => "in_doubt",
        AttemptState::Made => "made",
        AttemptState::NotMade => "not_made",
    }
}

pub(super) fn attempt_state(id: i64, text: &str) -> Result<AttemptState, ReadError> {
    [
        AttemptState::Open,
        AttemptState::InDoubt,
        AttemptState::Made,
        AttemptState::NotMade,
    ]
    .into_iter()
    .find(|state| attempt_state_text(state) == text)
    .ok_or_else(|| damaged("intent", id, format!("\"{text}\" is no state")))
}

pub(super) fn key_place_text(place: KeyPlace) -> &'static str {
    match place {
        KeyPlace::AdditionalAttribute => "1192",
        KeyPlace::UserAttribute => "1084",
        KeyPlace::ByContent => "content",
    }
}

pub(super) fn key_place(id: i64, text: &str) -> Result<KeyPlace, ReadError> {
    [
        KeyPlace::AdditionalAttribute,
        KeyPlace::UserAttribute,
        KeyPlace::ByContent,
    ]
    .into_iter()
    .find(|place| key_place_text(*place) == text)
    .ok_or_else(|| damaged("intent", id, format!("\"{text}\" is no place of a key")))
}

pub(super) fn learned_text(learned: Learned) -> &'static str {
    match learned {
        Learned::Answer => "answer",
        Learned::Scan => "scan",
        // The word that programs of the schemas before know; that persons said so stands in the row's verdict.
        Learned::Content | Learned::Operator => "content",
    }
}

pub(super) fn learned(id: i64, text: &str) -> Result<Learned, ReadError> {
    [Learned::Answer, Learned::Scan, Learned::Content]
        .into_iter()
        .find(|l| learned_text(*l) == text)
        .ok_or_else(|| damaged("document", id, format!("\"{text}\" is no way to learn")))
}

/// A job from a row of [`JOB_COLUMNS`], without attempts, document and buyer; and whether an attempt of it ever began.
fn job_row(row: &Row<'_>) -> Result<(i64, Job, bool), ReadError> {
    let id: i64 = row.get(0)?;
    let text = |at: usize| -> rusqlite::Result<String> { row.get(at) };
    let digest: Vec<u8> = row.get(6)?;
    let digest = digest
        .try_into()
        .map_err(|_| damaged("job", id, "its hash has another length"))?;
    let key: JobKey = text(1)?.try_into().map_err(|e| damaged("job", id, e))?;
    let other = |at: usize| -> Result<Option<JobKey>, ReadError> {
        let key: Option<String> = row.get(at)?;
        key.map(JobKey::try_from).transpose().map_err(|e| damaged("job", id, e))
    };
    let job = Job {
        key,
        tenant: parsed("job", id, &text(2)?)?,
        client: text(3)?,
        external_id: text(4)?,
        key_time: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
        receipt: serde_json::from_str(&text(8)?).map_err(|e| damaged("job", id, e))?,
        content_hash: ContentHash {
            version: row.get::<_, i64>(5)?.try_into().map_err(|e| damaged("job", id, e))?,
            digest,
        },
        priority: if row.get::<_, i64>(9)? == 0 {
            Priority::Interactive
        } else {
            Priority::Bulk
        },
        labels: serde_json::from_str(&text(10)?).map_err(|e| damaged("job", id, e))?,
        accepted_at: UnixMillis(row.get(11)?),
        expires_at: UnixMillis(row.get(12)?),
        replaces: other(13)?,
        replaced_by: other(21)?,
        state: parsed("job", id, &text(14)?)?,
        reason: reason(row, 15, "job", id)?,
        needs_person: reason(row, 17, "job", id)?,
        evidence: None,
        ffd: None,
        attempts: Vec::new(),
        revision: row.get::<_, i64>(19)?.try_into().map_err(|e| damaged("job", id, e))?,
        updated_at: UnixMillis(row.get(20)?),
    };
    Ok((id, job, row.get::<_, i64>(22)? > 0))
}

/// Fills in attempts, document and sealed buyer of a job.
fn complete(conn: &Connection, id: i64, mut job: Job, attempted: bool) -> Result<StoredJob, ReadError> {
    if attempted {
        attempts(conn, id, &mut job)?;
    }
    let buyer = sealed(conn, "contacts", id)?;
    Ok(StoredJob { id, job, buyer })
}

/// The encrypted buyer of a job, from the table that keeps it.
pub(super) fn sealed(conn: &Connection, table: &str, id: i64) -> Result<Option<Sealed>, ReadError> {
    let found = conn
        .prepare_cached(&format!("SELECT nonce, sealed FROM {table} WHERE job = ?1"))?
        .query_row([id], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    found
        .map(|(nonce, sealed)| {
            let nonce = nonce
                .try_into()
                .map_err(|_| damaged("contact", id, "its nonce has another length"))?;
            Ok(Sealed { nonce, sealed })
        })
        .transpose()
}

/// Whether a row has not left for an archive.
pub(super) fn is_here(conn: &Connection, table: &str, id: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE id = ?1)"))?
        .query_row([id], |row| row.get(0))
}

/// Fills in attempts and document. A job that waits for its first attempt has neither: that spares two joins each time
/// one is taken.
fn attempts(conn: &Connection, id: i64, job: &mut Job) -> Result<(), ReadError> {
    let mut statement = conn.prepare_cached(
        "SELECT i.id, i.number, i.kind, r.name, f.number, i.baseline, i.started_at, i.ended_at, i.state, i.code, \
         i.detail, i.device, (SELECT s.label FROM placements p JOIN slots s ON s.id = p.slot WHERE \
         p.register = i.register AND p.from_at <= i.started_at ORDER BY p.from_at DESC, p.id DESC LIMIT 1) \
         FROM intents i JOIN registers r ON r.id = i.register JOIN fns f ON f.id = i.fn \
         WHERE i.job = ?1 ORDER BY i.number",
    )?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        job.attempts.push(attempt(row)?);
    }
    if let Some(found) = documents(conn, WITHOUT_SIGN, "d.job = ?1 LIMIT 1", params![id])?.pop() {
        job.ffd = found.row.ffd;
        job.evidence = Some(found.evidence);
    }
    Ok(())
}

/// An attempt from a row: id, number, kind, register, fn, baseline, started, ended, state, code, detail, device, slot.
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt, ReadError> {
    let id: i64 = row.get(0)?;
    let device: Option<String> = row.get(11)?;
    let device: Option<DeviceFault> = device
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|e| damaged("intent", id, e))?;
    Ok(Attempt {
        intent: id,
        number: row.get(1)?,
        kind: kind("intent", id, &row.get::<_, String>(2)?)?,
        register: register("intent", id, &row.get::<_, String>(3)?)?,
        slot: row.get(12)?,
        fn_number: parsed("intent", id, &row.get::<_, String>(4)?)?,
        baseline: FdNumber(row.get(5)?),
        started_at: UnixMillis(row.get(6)?),
        ended_at: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
        state: attempt_state(id, &row.get::<_, String>(8)?)?,
        reason: reason(row, 9, "intent", id)?,
        device,
    })
}

/// Jobs by a condition on `j`, `t`, `c`.
pub(super) fn jobs(
    conn: &Connection,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<StoredJob>, ReadError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {JOB_COLUMNS} FROM {JOB_TABLES} WHERE {condition}"))?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(job_row(row)?);
    }
    found
        .into_iter()
        .map(|(id, job, attempted)| complete(conn, id, job, attempted))
        .collect()
}

/// A document with its row number and its proof.
pub(super) struct FoundDocument {
    pub id: i64,
    pub row: DocumentRow,
    pub evidence: Evidence,
}

/// The format stated by the registration that the FN showed when a document `d` was made: the last one before it, or the
/// first one known.
const FORMAT: &str = "(SELECT json_extract(g.facts, '$.ffd') FROM registrations g WHERE g.fn = d.fn \
    ORDER BY g.seen_at > d.at, CASE WHEN g.seen_at > d.at THEN g.id ELSE -g.id END LIMIT 1)";
/// The settlement sign of a document's job, read out of its body, and when the document was read back.
pub(super) const WITH_SIGN: &str = "json_extract(j.body, '$.sign'), (SELECT x.read_at FROM document_tags x \
    WHERE x.fn = d.fn AND x.fd = d.fd AND x.tlv IS NOT NULL), NULL";
/// The same with what was read.
pub(super) const WITH_TLV: &str = "json_extract(j.body, '$.sign'), (SELECT x.read_at FROM document_tags x \
    WHERE x.fn = d.fn AND x.fd = d.fd AND x.tlv IS NOT NULL), \
    (SELECT x.tlv FROM document_tags x WHERE x.fn = d.fn AND x.fd = d.fd)";
/// Who has the job at hand does not read its body twice.
pub(super) const WITHOUT_SIGN: &str = "NULL, NULL, NULL";

/// Documents by a condition on `d`, `t`, `f`, with their proof.
pub(super) fn documents(
    conn: &Connection,
    sign: &str,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<FoundDocument>, ReadError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT f.number, d.fd, d.kind, d.fp, d.time, d.zone_minutes, d.shift, d.number_in_shift, d.total, t.inn, \
         r.name, d.rnm, j.key, d.learned, d.id, {FORMAT}, {sign}, d.verdict FROM documents d JOIN fns f ON f.id = d.fn JOIN tenants t ON t.id = d.tenant \
         JOIN registers r ON r.id = d.register LEFT JOIN jobs j ON j.id = d.job WHERE {condition}"
    ))?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(document(row)?);
    }
    Ok(found)
}

fn document(row: &Row<'_>) -> Result<FoundDocument, ReadError> {
    let fd: u32 = row.get(1)?;
    let id: i64 = row.get(14)?;
    let text = |at: usize| -> rusqlite::Result<String> { row.get(at) };
    let job: Option<String> = row.get(12)?;
    let total = u64::try_from(row.get::<_, i64>(8)?).map_err(|e| damaged("document", id, e))?;
    let evidence = Evidence {
        fn_number: parsed("document", id, &text(0)?)?,
        fd: FdNumber(fd),
        fp: FiscalSign(row.get(3)?),
        shift: ShiftNumber(row.get(6)?),
        number_in_shift: row.get(7)?,
        time: parsed("document", id, &text(4)?)?,
        zone_minutes: row.get(5)?,
        register: register("document", id, &text(10)?)?,
        rnm: parsed("document", id, &text(11)?)?,
        total: Kopecks::new(total).map_err(|e| damaged("document", id, e))?,
        learned: match row.get::<_, Option<i64>>(19)? {
            Some(_) => Learned::Operator,
            None => learned(id, &text(13)?)?,
        },
    };
    let found = DocumentRow {
        fn_number: evidence.fn_number.clone(),
        fd: evidence.fd,
        kind: kind("document", id, &text(2)?)?,
        fp: evidence.fp,
        time: evidence.time,
        zone_minutes: evidence.zone_minutes,
        shift: evidence.shift,
        number_in_shift: evidence.number_in_shift,
        total: evidence.total,
        tenant: parsed("document", id, &text(9)?)?,
        register: evidence.register.clone(),
        ffd: ffd(row.get(15)?).map_err(|e| damaged("document", id, e))?,
        rnm: evidence.rnm.clone(),
        learned: evidence.learned,
        sign: row.get(16)?,
        job: job
            .map(JobKey::try_from)
            .transpose()
            .map_err(|e| damaged("document", id, e))?,
        audited_at: row.get::<_, Option<i64>>(17)?.map(UnixMillis),
        tlv: row.get(18)?,
    };
    Ok(FoundDocument {
        id,
        row: found,
        evidence,
    })
}

/// A format as registrations hold it.
fn ffd(text: Option<String>) -> Result<Option<Ffd>, serde_json::Error> {
    text.map(|text| serde_json::from_value(text.into())).transpose()
}

/// Checksum of the part of a job that never changes.
pub(super) fn job_sum(conn: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached(
        "SELECT id, key, tenant, client, external_id, hash_version, hash, key_time, body, priority, labels, \
         accepted_at, expires_at, replaces FROM jobs WHERE id = ?1",
    )?
    .query_row([id], |row| sum_of(RowSum::new("jobs"), row, 14))
}

/// Checksum of the part of a job that changes.
pub(super) fn job_state_sum(conn: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached(
        "SELECT id, state, code, detail, person_code, person_detail, attempts, revision, updated_at FROM jobs \
         WHERE id = ?1",
    )?
    .query_row([id], |row| sum_of(RowSum::new("job_state"), row, 9))
}

/// Checksum of all columns of a row.
pub(super) fn sum_of(mut sum: RowSum, row: &Row<'_>, columns: usize) -> rusqlite::Result<Vec<u8>> {
    for at in 0..columns {
        sum = sum.value(row.get_ref(at)?);
    }
    Ok(sum.finish())
}

/// The same of values that are about to be stored.
pub(super) fn sum_of_values(sum: RowSum, values: &[Value]) -> Vec<u8> {
    values.iter().fold(sum, |sum, value| sum.value(value.into())).finish()
}
