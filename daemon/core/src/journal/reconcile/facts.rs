//! What the journal knows, read for a comparison.
//!
//! Owns: the statements over FNs, attempts, documents and jobs that a comparison needs.
//! Must never: judge.

use super::super::open::Fault;
use super::super::orders::meta;
use super::super::query::StoredJob;
use super::super::rows::{self, damaged};
use crate::domain::attempt::{Evidence, KeyPlace};
use crate::domain::job::DocumentRow;
use crate::parts::UnixMillis;
use kassette_receipts::job_key::{Generation, JobKey, RackId};
use kassette_wire::value::FnNumber;
use rusqlite::{Connection, OptionalExtension as _, params};

/// The journal as a whole.
pub(super) struct Own {
    pub rack: Option<RackId>,
    pub generation: Option<Generation>,
    pub jobs: u64,
}

impl Own {
    pub fn read(conn: &Connection) -> Result<Self, Fault> {
        let rack = meta(conn, "rack_id")?.and_then(|text| text.parse().ok());
        let generation = meta(conn, "generation")?.and_then(|text| Generation::new(text.parse().ok()?).ok());
        let jobs = conn.query_row("SELECT COUNT(*) FROM jobs", [], |row| row.get(0))?;
        Ok(Self { rack, generation, jobs })
    }
}

/// One FN.
pub(super) struct FnFacts {
    pub row: i64,
    /// Documents up to here were in the FN before the journal made its first.
    pub mark: u32,
    /// Last number that the journal knows.
    pub last_fd: u32,
    /// Baseline of the attempt that is not resolved, if there is one.
    pub unresolved: Option<u32>,
}

/// What is known of an FN; none if the journal never knew it.
pub(super) fn fn_facts(conn: &Connection, number: &FnNumber) -> Result<Option<FnFacts>, Fault> {
    let found = conn
        .prepare_cached("SELECT id, last_fd FROM fns WHERE number = ?1")?
        .query_row([number.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((row, last_fd)) = found else { return Ok(None) };
    let mark: Option<u32> = conn
        .prepare_cached("SELECT MIN(baseline) FROM intents WHERE fn = ?1")?
        .query_row([row], |row| row.get(0))?;
    let unresolved = conn
        .prepare_cached("SELECT baseline FROM intents WHERE fn = ?1 AND state IN ('open', 'in_doubt')")?
        .query_row([row], |row| row.get(0))
        .optional()?;
    Ok(Some(FnFacts {
        row,
        mark: mark.unwrap_or(last_fd),
        last_fd,
        unresolved,
    }))
}

/// A document of the journal.
pub(super) struct Known {
    pub row: DocumentRow,
    pub evidence: Evidence,
    /// Where its key stands; none for documents that are no job's.
    pub place: Option<KeyPlace>,
    pub job: Option<i64>,
}

/// The row of a document.
pub(super) fn known(conn: &Connection, fn_row: i64, fd: u32) -> Result<Option<Known>, Fault> {
    let condition = "d.fn = ?1 AND d.fd = ?2";
    let Some(found) = rows::documents(conn, rows::WITHOUT_SIGN, condition, params![fn_row, fd])?.pop() else {
        return Ok(None);
    };
    let (job, intent, place): (Option<i64>, i64, Option<String>) = conn
        .prepare_cached(
            "SELECT d.job, i.id, i.key_place FROM documents d JOIN intents i ON i.id = d.intent WHERE d.id = ?1",
        )?
        .query_row([found.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let place = place.map(|text| rows::key_place(intent, &text)).transpose()?;
    Ok(Some(Known {
        row: found.row,
        evidence: found.evidence,
        place,
        job,
    }))
}

/// A job by its row number.
pub(super) fn job(conn: &Connection, id: i64) -> Result<Option<StoredJob>, Fault> {
    Ok(rows::jobs(conn, "j.id = ?1", [id])?.pop())
}

/// A job by its key.
pub(super) fn job_with(conn: &Connection, key: &JobKey) -> Result<Option<StoredJob>, Fault> {
    Ok(rows::jobs(conn, "j.key = ?1", [key.as_str()])?.pop())
}

/// Whether a shift report stands inside an attempt that made a document above it, or was seen as one by a resolution.
pub(super) fn within_an_attempt(conn: &Connection, fn_row: i64, fd: u32) -> Result<bool, Fault> {
    let found = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM intents i LEFT JOIN documents d ON d.intent = i.id \
             LEFT JOIN resolutions r ON r.intent = i.id WHERE i.fn = ?1 AND i.baseline < ?2 AND (d.fd > ?2 OR EXISTS \
             (SELECT 1 FROM json_each(r.scan, '$.documents') e WHERE json_extract(e.value, '$[0]') = ?2)))",
        )?
        .query_row(params![fn_row, fd], |row| row.get(0))?;
    Ok(found)
}

/// A document that the journal names on an FN.
pub(super) struct Named {
    pub fd: u32,
    pub job: Option<JobKey>,
    pub at: UnixMillis,
}

/// Every document that the journal names on an FN, in order.
pub(super) fn named(conn: &Connection, fn_row: i64, mut each: impl FnMut(Named)) -> Result<(), Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT d.fd, j.key, d.at, d.id FROM documents d LEFT JOIN jobs j ON j.id = d.job WHERE d.fn = ?1 ORDER BY d.fd",
    )?;
    let mut found = statement.query([fn_row])?;
    while let Some(row) = found.next()? {
        let (key, id): (Option<String>, i64) = (row.get(1)?, row.get(3)?);
        let job = key.map(JobKey::try_from).transpose();
        each(Named {
            fd: row.get(0)?,
            job: job.map_err(|error| damaged("document", id, error))?,
            at: UnixMillis(row.get(2)?),
        });
    }
    Ok(())
}

/// Every FN of the journal and how many documents it names there.
pub(super) fn all_fns(conn: &Connection) -> Result<Vec<(String, u64)>, Fault> {
    let found = conn
        .prepare_cached(
            "SELECT f.number, (SELECT COUNT(*) FROM documents d WHERE d.fn = f.id) FROM fns f ORDER BY f.number",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Attempts that are not resolved: their FN and job.
pub(super) fn unresolved(conn: &Connection) -> Result<Vec<(String, Option<String>)>, Fault> {
    let found = conn
        .prepare_cached(
            "SELECT f.number, j.key FROM intents i JOIN fns f ON f.id = i.fn LEFT JOIN jobs j ON j.id = i.job \
             WHERE i.state IN ('open', 'in_doubt') ORDER BY i.id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Keys of completed jobs that name no document.
pub(super) fn without_document(conn: &Connection) -> Result<Vec<String>, Fault> {
    let found = conn
        .prepare_cached(
            "SELECT j.key FROM jobs j WHERE j.state = 'COMPLETED' \
             AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.job = j.id)",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}
