//! What was read back from the FNs: how far, what the documents say, and what a person has to judge.
//!
//! Owns: the mark up to which an FN was read, the documents as read, foreign ones, and findings.
//! Must never: move that mark past a document that was not read, matched or found; clear a finding without a name.

use super::checks::RowSum;
use super::command::{Audited, ClearFinding, FnMark, NewFinding, ReadBack, ReplyBody};
use super::query::{ReadError, Rows};
use super::rows::{self, damaged, sum_of};
use super::store::{WriteError, Written};
use crate::domain::attempt::KeyPlace;
use crate::domain::audit::{Entry, SHIFT_REPORT};
use crate::domain::error::Reason;
use crate::domain::finding::{Finding, Owner};
use crate::journal::Scan;
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

fn refused(text: String) -> WriteError {
    WriteError::Refused(Code::InternalFault, text)
}

struct FnRow {
    id: i64,
    last: u32,
    audited: u32,
}

fn fn_row(tx: &Transaction<'_>, number: &FnNumber) -> Result<FnRow, WriteError> {
    let found = tx
        .prepare_cached("SELECT id, last_fd, audited_fd FROM fns WHERE number = ?1")?
        .query_row([number.as_str()], |row| {
            Ok(FnRow {
                id: row.get(0)?,
                last: row.get(1)?,
                audited: row.get(2)?,
            })
        })
        .optional()?;
    found.ok_or_else(|| refused(format!("the journal does not know FN {number}")))
}

/// Notes a run of documents without a gap, from the first that was not read yet. Those that were read before are
/// compared with what was stored: a repeat after a crash changes nothing.
pub(super) fn audited(tx: &Transaction<'_>, order: &Audited) -> Written {
    let row = fn_row(tx, &order.fn_number)?;
    let mut next = order.documents.first().map_or(row.audited + 1, |first| first.fd.0);
    if next > row.audited + 1 {
        let text = format!("document {next} was read, {} was not", row.audited + 1);
        return Err(refused(text));
    }
    for document in &order.documents {
        if document.fd.0 != next {
            return Err(refused(format!("document {} was read after {}", document.fd, next - 1)));
        }
        next += 1;
        if document.fd.0 > row.last {
            above_mark(tx, &row, document, order)?;
        }
        store(tx, row.id, document, order.at)?;
    }
    for finding in &order.findings {
        insert_finding(tx, row.id, finding, order.at)?;
    }
    let audited = row.audited.max(next - 1);
    tx.prepare_cached("UPDATE fns SET audited_fd = ?2, last_fd = MAX(last_fd, ?2) WHERE id = ?1")?
        .execute(params![row.id, audited])?;
    super::intents::seal_fn(tx, row.id)?;
    let mark = FnMark {
        last_fd: FdNumber(row.last.max(audited)),
        audited_fd: FdNumber(audited),
        last_time: None,
        reading: None,
    };
    let findings = open_of(tx, row.id)?;
    Ok(ReplyBody::Audited { mark, findings })
}

/// I11: above the mark an FN grows by documents that are ours, or by foreign ones that are noted with a finding; and
/// never while an attempt on it may still have made one.
fn above_mark(tx: &Transaction<'_>, row: &FnRow, document: &ReadBack, order: &Audited) -> Result<(), WriteError> {
    let open: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM intents WHERE fn = ?1 AND state IN ('open', 'in_doubt'))")?
        .query_row([row.id], |found| found.get(0))?;
    if open {
        let text = format!("FN {} has an unresolved attempt", order.fn_number);
        return Err(WriteError::Refused(Code::DoubtOpen, text));
    }
    let explained = document.registration || (document.foreign.is_some() && !order.findings.is_empty());
    if explained {
        return Ok(());
    }
    Err(refused(format!(
        "document {} is above the mark and unexplained",
        document.fd
    )))
}

fn store(tx: &Transaction<'_>, fn_row: i64, document: &ReadBack, at: UnixMillis) -> Result<(), WriteError> {
    let known: Option<(u16, Option<Vec<u8>>)> = tx
        .prepare_cached("SELECT code, tlv FROM document_tags WHERE fn = ?1 AND fd = ?2")?
        .query_row(params![fn_row, document.fd.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((code, tlv)) = known {
        let changed = tlv.is_some() && document.tlv.is_some() && (code, &tlv) != (document.code, &document.tlv);
        if changed {
            let detail = format!("document {} reads otherwise than when it was read before", document.fd);
            let finding = NewFinding {
                fd: document.fd,
                reason: Reason::new(Code::DocumentChanged, detail),
                job: None,
            };
            insert_finding(tx, fn_row, &finding, at)?;
        }
        return Ok(());
    }
    tx.prepare_cached("INSERT INTO document_tags (fn, fd, code, tlv, read_at, sum) VALUES (?1, ?2, ?3, ?4, ?5, x'')")?
        .execute(params![fn_row, document.fd.0, document.code, document.tlv, at.0])?;
    seal(tx, "document_tags", tags_sum)?;
    let Some(foreign) = &document.foreign else {
        return Ok(());
    };
    let total = foreign.total.map(|sum| i64::try_from(sum.get())).transpose();
    let total = total.map_err(|error| refused(error.to_string()))?;
    let noted = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO foreign_documents (fn, fd, code, fp, sign, total, time, key, noted_at, sum) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, x'')",
        )?
        .execute(params![
            fn_row,
            document.fd.0,
            foreign.code,
            foreign.fp.map(|fp| fp.0),
            foreign.sign,
            total,
            foreign.time.map(|time| time.to_string()),
            foreign.key.as_ref().map(|key| key.as_str().to_owned()),
            at.0,
        ])?;
    if noted == 1 {
        seal(tx, "foreign_documents", foreign_sum)?;
    }
    Ok(())
}

/// Writes the checksum of the row that was just stored.
fn seal(
    tx: &Transaction<'_>,
    table: &str,
    sum: fn(&Connection, i64) -> rusqlite::Result<Vec<u8>>,
) -> rusqlite::Result<()> {
    let id = tx.last_insert_rowid();
    let sum = sum(tx, id)?;
    tx.prepare_cached(&format!("UPDATE {table} SET sum = ?2 WHERE id = ?1"))?
        .execute(params![id, sum])?;
    Ok(())
}

fn insert_finding(tx: &Transaction<'_>, fn_row: i64, finding: &NewFinding, at: UnixMillis) -> Result<(), WriteError> {
    let noted = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO findings (fn, fd, code, detail, job, at, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, x'')",
        )?
        .execute(params![
            fn_row,
            finding.fd.0,
            finding.reason.code.as_str(),
            finding.reason.detail,
            finding.job,
            at.0,
        ])?;
    if noted == 1 {
        seal(tx, "findings", finding_sum)?;
    }
    Ok(())
}

/// A person judged a document: its findings stop the register no longer.
pub(super) fn clear(tx: &Transaction<'_>, order: &ClearFinding) -> Written {
    let row = fn_row(tx, &order.fn_number)?;
    let open: Vec<i64> = tx
        .prepare_cached("SELECT id FROM findings WHERE fn = ?1 AND fd = ?2 AND cleared_at IS NULL")?
        .query_map(params![row.id, order.fd.0], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    if open.is_empty() {
        let text = format!("document {} of FN {} has no open finding", order.fd, order.fn_number);
        return Err(WriteError::Refused(Code::FindingNotFound, text));
    }
    for id in open {
        tx.prepare_cached("UPDATE findings SET cleared_at = ?2, cleared_by = ?3, cleared_reason = ?4 WHERE id = ?1")?
            .execute(params![id, order.at.0, order.client, order.reason])?;
        let sum = clear_sum(tx, id)?;
        tx.prepare_cached("UPDATE findings SET clear_sum = ?2 WHERE id = ?1")?
            .execute(params![id, sum])?;
    }
    let findings = open_of(tx, row.id)?;
    let mark = FnMark {
        last_fd: FdNumber(row.last),
        audited_fd: FdNumber(row.audited),
        last_time: None,
        reading: None,
    };
    Ok(ReplyBody::Audited { mark, findings })
}

pub(super) fn tags_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT id, fn, fd, code, tlv, read_at FROM document_tags WHERE id = ?1")?
        .query_row([id], |row| sum_of(RowSum::new("document_tags"), row, 6))
}

pub(super) fn foreign_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached(
        "SELECT id, fn, fd, code, fp, sign, total, time, key, noted_at FROM foreign_documents WHERE id = ?1",
    )?
    .query_row([id], |row| sum_of(RowSum::new("foreign_documents"), row, 10))
}

pub(super) fn finding_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT id, fn, fd, code, detail, job, at FROM findings WHERE id = ?1")?
        .query_row([id], |row| sum_of(RowSum::new("findings"), row, 7))
}

pub(super) fn clear_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT id, sum, cleared_at, cleared_by, cleared_reason FROM findings WHERE id = ?1")?
        .query_row([id], |row| sum_of(RowSum::new("cleared"), row, 5))
}

const FINDING_COLUMNS: &str = "SELECT n.id, f.number, n.fd, n.code, n.detail, j.key, n.at FROM findings n \
    JOIN fns f ON f.id = n.fn LEFT JOIN jobs j ON j.id = n.job WHERE n.cleared_at IS NULL";

fn open_of(tx: &Connection, fn_row: i64) -> Result<Vec<Finding>, WriteError> {
    let text = format!("{FINDING_COLUMNS} AND n.fn = ?1 ORDER BY n.fd, n.id");
    read_findings(tx, &text, [fn_row]).map_err(|error| match error {
        ReadError::Sql(error) => WriteError::Sql(error),
        other => WriteError::Refused(Code::JournalDamaged, other.to_string()),
    })
}

/// Every finding that nobody cleared, by FN and document.
pub(super) fn open_findings(conn: &Connection) -> Result<Vec<Finding>, ReadError> {
    read_findings(conn, &format!("{FINDING_COLUMNS} ORDER BY n.fn, n.fd, n.id"), [])
}

fn read_findings(conn: &Connection, text: &str, params: impl rusqlite::Params) -> Result<Vec<Finding>, ReadError> {
    let mut statement = conn.prepare_cached(text)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let bad = |why: String| damaged("finding", id, why);
        let key: Option<String> = row.get(5)?;
        found.push(Finding {
            fn_number: row.get::<_, String>(1)?.parse().map_err(|e| bad(format!("{e}")))?,
            fd: FdNumber(row.get(2)?),
            reason: Reason {
                code: row.get::<_, String>(3)?.parse().map_err(|e| bad(format!("{e}")))?,
                detail: row.get(4)?,
            },
            job: key.map(JobKey::try_from).transpose().map_err(|e| bad(e.to_string()))?,
            at: UnixMillis(row.get(6)?),
        });
    }
    Ok(found)
}

/// What the journal says of a document.
pub(super) fn entry(conn: &Connection, fn_number: &FnNumber, fd: FdNumber) -> Result<Rows, ReadError> {
    let fn_row: Option<i64> = conn
        .prepare_cached("SELECT id FROM fns WHERE number = ?1")?
        .query_row([fn_number.as_str()], |row| row.get(0))
        .optional()?;
    let Some(fn_row) = fn_row else {
        return Ok(Rows::Entry(Box::default()));
    };
    let mut entry = Entry {
        foreign: super::orphans::is_explained(conn, fn_number, fd)?,
        ..Entry::default()
    };
    if entry.foreign {
        return Ok(Rows::Entry(Box::new(entry)));
    }
    let found = rows::documents(
        conn,
        rows::WITHOUT_SIGN,
        "d.fn = ?1 AND d.fd = ?2 LIMIT 1",
        params![fn_row, fd.0],
    )?;
    let Some(found) = found.into_iter().next() else {
        entry.foreign = is_foreign(conn, fn_row, fd)?;
        entry.resolved_as = resolved_as(conn, fn_row, fd)?;
        return Ok(Rows::Entry(Box::new(entry)));
    };
    let (job, place) = made_for(conn, found.id)?;
    entry.job = job;
    entry.key_place = place;
    if found.row.kind == crate::domain::attempt::DocumentKind::ShiftClose {
        entry.receipts_in_shift = receipts_in_shift(conn, fn_row, fd, found.row.shift.0)?;
    }
    entry.told = Some((found.row.kind, found.evidence));
    Ok(Rows::Entry(Box::new(entry)))
}

fn made_for(conn: &Connection, document: i64) -> Result<(Option<i64>, Option<KeyPlace>), ReadError> {
    let (intent, job, place): (i64, Option<i64>, Option<String>) = conn
        .prepare_cached(
            "SELECT i.id, d.job, i.key_place FROM documents d JOIN intents i ON i.id = d.intent WHERE d.id = ?1",
        )?
        .query_row([document], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let place = place.map(|text| rows::key_place(intent, &text)).transpose()?;
    Ok((job, place))
}

fn is_foreign(conn: &Connection, fn_row: i64, fd: FdNumber) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM foreign_documents WHERE fn = ?1 AND fd = ?2)")?
        .query_row(params![fn_row, fd.0], |row| row.get(0))
}

/// Steps back from the next document of ours to the attempt within which an unexplained one came to be; each step is an
/// attempt that made nothing.
const STEPS_MAX: u32 = 4096;

/// What the resolution of the attempt around a document says of it.
fn resolved_as(conn: &Connection, fn_row: i64, fd: FdNumber) -> Result<Option<String>, ReadError> {
    let scan: Option<(i64, Option<String>)> = conn
        .prepare_cached(
            "WITH RECURSIVE lane (id, baseline, previous, steps) AS ( \
             SELECT i.id, i.baseline, i.previous, 0 FROM intents i WHERE i.id = COALESCE( \
             (SELECT d.intent FROM documents d WHERE d.fn = ?1 AND d.fd > ?2 ORDER BY d.fd LIMIT 1), \
             (SELECT f.last_intent FROM fns f WHERE f.id = ?1)) \
             UNION ALL SELECT p.id, p.baseline, p.previous, l.steps + 1 FROM lane l JOIN intents p ON p.id = l.previous \
             WHERE l.baseline >= ?2 AND l.steps < ?3) \
             SELECT l.id, r.scan FROM lane l LEFT JOIN resolutions r ON r.intent = l.id WHERE l.baseline < ?2",
        )?
        .query_row(params![fn_row, fd.0, STEPS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((intent, Some(text))) = scan else {
        return Ok(None);
    };
    let scan: Scan = serde_json::from_str(&text).map_err(|error| damaged("resolution", intent, error))?;
    let found = scan.documents.into_iter().find(|(number, _)| *number == fd.0);
    Ok(found.map(|(_, what)| what).filter(|what| what == SHIFT_REPORT))
}

/// Receipts between the opening of a shift and its closing, whoever made them, if the opening is ours.
fn receipts_in_shift(conn: &Connection, fn_row: i64, close: FdNumber, shift: u32) -> rusqlite::Result<Option<u32>> {
    let opening: Option<u32> = conn
        .prepare_cached(
            "SELECT fd FROM documents WHERE fn = ?1 AND fd < ?2 AND kind = 'shift_open' AND shift = ?3 \
             ORDER BY fd DESC LIMIT 1",
        )?
        .query_row(params![fn_row, close.0, shift], |row| row.get(0))
        .optional()?;
    let Some(opening) = opening else { return Ok(None) };
    // A receipt that this journal forgot, or that somebody else made, is in the shift as any other. The codes are those of
    // receipts and corrections (`fn-ffd-ofd` C.2).
    conn.prepare_cached(
        "SELECT COUNT(*) FROM (SELECT fd FROM documents WHERE fn = ?1 AND fd > ?2 AND fd < ?3 \
         AND kind IN ('receipt', 'correction') UNION \
         SELECT o.fd FROM fns f JOIN orphans o ON o.number = f.number WHERE f.id = ?1 AND o.fd > ?2 AND o.fd < ?3 \
         AND o.code IN (3, 4, 31, 41) UNION \
         SELECT fd FROM foreign_documents WHERE fn = ?1 AND fd > ?2 AND fd < ?3 AND code IN (3, 4, 31, 41))",
    )?
    .query_row(params![fn_row, opening, close.0], |row| row.get(0).map(Some))
}

/// The job with a key, and the document it is known to have.
pub(super) fn owner(conn: &Connection, key: &JobKey) -> Result<Rows, ReadError> {
    let found: Option<(i64, String, Option<String>, Option<u32>)> = conn
        .prepare_cached(
            "SELECT j.id, j.state, f.number, d.fd FROM jobs j LEFT JOIN documents d ON d.job = j.id \
             LEFT JOIN fns f ON f.id = d.fn WHERE j.key = ?1 UNION ALL \
             SELECT k.job, k.state, f.number, k.fd FROM keys k LEFT JOIN fns f ON f.id = k.fn WHERE k.key = ?1",
        )?
        .query_row([key.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((id, state, number, fd)) = found else {
        return Ok(Rows::Owner(None));
    };
    let state = state.parse().map_err(|error| damaged("job", id, error))?;
    let number: Option<FnNumber> = number
        .map(|text| text.parse().map_err(|error| damaged("job", id, error)))
        .transpose()?;
    Ok(Rows::Owner(Some(Owner {
        job: id,
        state,
        document: number.zip(fd.map(FdNumber)),
    })))
}
