//! From the journal into a new archive file.
//!
//! Owns: the one rule of what may leave the journal, and the proof that a copy is one.
//! Must never: choose a row that is unfinished, that an audit has not confirmed, or that a lane is checked by at a start.

use super::super::query::ReadError;
use super::super::schema::{MIGRATIONS, SCHEMA};
use super::super::store::{BUSY_TIMEOUT, WriteError};
use super::files::{archive_sum, folder, hash, part, sync_folder};
use super::{CareDone, CareFound, fault};
use crate::parts::UnixMillis;
use kassette_wire::codes::Code;
use rusqlite::{Connection, OpenFlags, Transaction, params};
use std::path::Path;

/// Jobs, or attempts without one, that one step copies (`exactly-once` section 10, Growth).
const STEP_ROWS: i64 = 500;
/// Row numbers that one step looks at.
const STEP_WINDOW: i64 = 20_000;

/// Where a run through the rows stands: jobs first, then attempts that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveCursor {
    /// After this job.
    Jobs(i64),
    /// After this attempt without a job.
    Attempts(i64),
}

impl ArchiveCursor {
    /// Where every run begins.
    pub const START: Self = Self::Jobs(0);
}

/// An archive file that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePlan {
    /// Name it will have.
    pub name: String,
    /// What ended before this instant.
    pub before: UnixMillis,
    /// What nobody was shown must have ended before this one.
    pub unseen_before: UnixMillis,
    /// Only jobs below this row number: no event that is kept names one of them.
    pub ceiling: i64,
}

/// An archive file that is whole and durable, and not noted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealArchive {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it.
    pub hash: Vec<u8>,
    /// Jobs, attempts and documents in it.
    pub counts: [i64; 3],
    /// First and last job, document and moment of acceptance in it.
    pub ranges: [Option<(i64, i64)>; 3],
    /// Now.
    pub at: UnixMillis,
}

/// What a job must be to leave: ended long enough ago, everything it made read back and matched (audited_fd of its FN),
/// shown to its client or ended very long ago, wanted by no person, stood in for by none that is still here, and no part
/// of the last two attempts of an FN, by which a start checks the lane. `?1` before, `?2` unseen before, `?3` ceiling.
const JOB_MAY_LEAVE: &str = "j.id < ?3 AND j.state IN ('COMPLETED', 'REFUSED', 'CANCELLED', 'EXPIRED') \
    AND j.updated_at < ?1 AND j.person_code IS NULL \
    AND (j.updated_at < ?2 OR EXISTS (SELECT 1 FROM hot.outbox o WHERE o.job = j.id AND o.reported_at IS NOT NULL)) \
    AND NOT EXISTS (SELECT 1 FROM hot.jobs x WHERE x.replaces = j.id) \
    AND NOT EXISTS (SELECT 1 FROM hot.documents d JOIN hot.fns f ON f.id = d.fn WHERE d.job = j.id \
    AND d.fd > f.audited_fd) \
    AND NOT EXISTS (SELECT 1 FROM hot.intents i JOIN hot.fns f ON f.id = i.fn LEFT JOIN hot.intents l \
    ON l.id = f.last_intent WHERE i.job = j.id AND i.id IN (f.last_intent, l.previous))";

/// The same for an attempt without a job: a shift report.
const ATTEMPT_MAY_LEAVE: &str = "i.job IS NULL AND i.state IN ('made', 'not_made') AND i.ended_at < ?1 \
    AND NOT EXISTS (SELECT 1 FROM hot.documents d JOIN hot.fns f ON f.id = d.fn WHERE d.intent = i.id \
    AND d.fd > f.audited_fd) \
    AND NOT EXISTS (SELECT 1 FROM hot.fns f LEFT JOIN hot.intents l ON l.id = f.last_intent WHERE f.id = i.fn \
    AND i.id IN (f.last_intent, l.previous))";

/// Tables whose rows go with a job or an attempt. A row that any other table names stays, with everything around it: there
/// are few doubts, verdicts and findings, and people look for them here.
const GO_ALONG: [&str; 9] = [
    "jobs",
    "intents",
    "documents",
    "resolutions",
    "cancellations",
    "contact_digests",
    "lane_gaps",
    "outbox",
    "contacts",
];
/// Tables whose rows are copied.
const COPIED: [&str; 8] = [
    "jobs",
    "intents",
    "documents",
    "resolutions",
    "cancellations",
    "contact_digests",
    "lane_gaps",
    "document_tags",
];
/// Named by events that are kept, a job lies above the ceiling.
const BELOW_CEILING: &str = "events";

/// Small tables that every archive holds whole, so that its rows can be read without the journal.
const WHOLE: [&str; 9] = [
    "meta",
    "starts",
    "tenants",
    "clients",
    "slots",
    "registers",
    "fns",
    "registrations",
    "placements",
];

/// Begins a file, if there is anything to put into it. A file left by an earlier try is made anew.
pub(super) fn begin(conn: &Connection, before: UnixMillis, unseen_before: UnixMillis) -> Result<CareFound, ReadError> {
    let ceiling: i64 = conn.query_row(
        "SELECT COALESCE(MIN(job), 9223372036854775807) FROM events",
        [],
        |row| row.get(0),
    )?;
    let oldest: Option<i64> = conn.query_row("SELECT MIN(id) FROM jobs", [], |row| row.get(0))?;
    let lanes: Option<i64> = conn.query_row("SELECT MIN(id) FROM intents", [], |row| row.get(0))?;
    if oldest.is_none_or(|id| id >= ceiling) && lanes.is_none() {
        return Ok(CareFound::Nothing);
    }
    let folder = folder(conn);
    let plan = ArchivePlan {
        name: free_name(conn, &folder, before)?,
        before,
        unseen_before,
        ceiling,
    };
    let path = part(&folder, &plan.name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(fault(&plan.name, Code::ArchiveMissing, format!("{}: {error}", path.display())).into());
        }
        _ => {}
    }
    let file = both(conn, &plan)?;
    create(&file)?;
    Ok(CareFound::Begun(plan))
}

/// The first name of the month that neither the journal nor the folder knows. A file that the journal does not know may
/// be all that is left of a newer journal: it is never touched.
fn free_name(conn: &Connection, folder: &Path, before: UnixMillis) -> Result<String, ReadError> {
    let last = time::OffsetDateTime::from_unix_timestamp(before.plus_millis(-1).seconds());
    let last = last.map_err(|error| ReadError::Unavailable(error.to_string()))?;
    let month = format!("archive-{:04}-{:02}", last.year(), u8::from(last.month()));
    let mut statement = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM archives WHERE name = ?1)")?;
    for number in 1_u32.. {
        let name = match number {
            1 => format!("{month}.db"),
            _ => format!("{month}-{number}.db"),
        };
        let known: bool = statement.query_row([&name], |row| row.get(0))?;
        if !known && !folder.join(&name).exists() {
            return Ok(name);
        }
    }
    Err(ReadError::Unavailable("no name is left for an archive".into()))
}

/// The new file, with the journal beside it as `hot`, which is only read.
fn both(conn: &Connection, plan: &ArchivePlan) -> Result<Connection, ReadError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let file = Connection::open_with_flags(part(&folder(conn), &plan.name), flags)?;
    // Whole when it is finished, worth nothing before: only the last step waits for the disk.
    file.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "OFF")?;
    file.pragma_update(None, "foreign_keys", false)?;
    file.pragma_update(None, "trusted_schema", false)?;
    file.busy_timeout(BUSY_TIMEOUT)?;
    // Signs that a path may have and a URI gives a meaning to.
    let path = conn
        .path()
        .unwrap_or_default()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    file.execute("ATTACH DATABASE ?1 AS hot", [format!("file:{path}?mode=ro")])?;
    Ok(file)
}

fn create(file: &Connection) -> Result<(), ReadError> {
    file.execute_batch("BEGIN")?;
    for migration in MIGRATIONS {
        file.execute_batch(migration)?;
    }
    // Nothing is ever new here.
    file.execute_batch("DROP TRIGGER known_keys_are_never_new")?;
    file.pragma_update(None, "user_version", SCHEMA)?;
    for table in WHOLE {
        copy(file, table, "1")?;
    }
    file.execute_batch("COMMIT")?;
    Ok(())
}

/// The columns of a table that this program knows; a newer one may have added others to the journal.
fn columns(file: &Connection, table: &str) -> rusqlite::Result<String> {
    let names: Vec<String> = file
        .prepare_cached("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(names.join(", "))
}

fn copy(file: &Connection, table: &str, condition: &str) -> rusqlite::Result<()> {
    let columns = columns(file, table)?;
    file.execute_batch(&format!(
        "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM hot.{table} WHERE {condition}"
    ))
}

/// Conditions that keep a row because a table names it that does not go along.
fn named_elsewhere(file: &Connection, parent: &str, row: &str) -> rusqlite::Result<String> {
    let found: Vec<(String, String)> = file
        .prepare_cached(
            "SELECT t.name, k.\"from\" FROM hot.sqlite_schema t, pragma_foreign_key_list(t.name, 'hot') k \
             WHERE t.type = 'table' AND k.\"table\" = ?1",
        )?
        .query_map([parent], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let kept = found
        .iter()
        .filter(|(table, _)| !GO_ALONG.contains(&table.as_str()) && table != BELOW_CEILING)
        .map(|(table, column)| format!(" AND NOT EXISTS (SELECT 1 FROM hot.{table} o WHERE o.{column} = {row})"));
    Ok(kept.collect())
}

/// Copies some rows; where to go on, or nothing when all are copied.
pub(super) fn step(conn: &Connection, plan: &ArchivePlan, after: ArchiveCursor) -> Result<CareFound, ReadError> {
    let file = both(conn, plan)?;
    file.execute_batch("BEGIN; CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")?;
    let next = match after {
        ArchiveCursor::Jobs(after) => copy_jobs(&file, plan, after)?,
        ArchiveCursor::Attempts(after) => copy_attempts(&file, plan, after)?,
    };
    file.execute_batch("COMMIT")?;
    Ok(CareFound::Copied(next))
}

fn copy_jobs(file: &Connection, plan: &ArchivePlan, after: i64) -> Result<Option<ArchiveCursor>, ReadError> {
    let window: (Option<i64>, i64) = file.query_row(
        "SELECT MAX(id), COUNT(*) FROM (SELECT id FROM hot.jobs WHERE id > ?1 ORDER BY id LIMIT ?2)",
        [after, STEP_ROWS],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some(upto) = window.0.filter(|_| after < plan.ceiling) else {
        return Ok(Some(ArchiveCursor::Attempts(0)));
    };
    let named = format!(
        "{} AND NOT EXISTS (SELECT 1 FROM hot.intents i WHERE i.job = j.id AND NOT (1{}))",
        named_elsewhere(file, "jobs", "j.id")?,
        named_elsewhere(file, "intents", "i.id")?
    );
    file.execute(
        &format!(
            "INSERT INTO chosen SELECT j.id FROM hot.jobs j WHERE j.id > ?4 AND j.id <= ?5 AND {JOB_MAY_LEAVE}{named}"
        ),
        params![plan.before.0, plan.unseen_before.0, plan.ceiling, after, upto],
    )?;
    copy(file, "jobs", "id IN (SELECT id FROM chosen)")?;
    for table in ["intents", "documents", "cancellations", "contact_digests"] {
        copy(file, table, "job IN (SELECT id FROM chosen)")?;
    }
    let of_attempts = "intent IN (SELECT id FROM hot.intents WHERE job IN (SELECT id FROM chosen))";
    for table in ["resolutions", "lane_gaps"] {
        copy(file, table, of_attempts)?;
    }
    copy(file, "document_tags", &tags_of("d.job IN (SELECT id FROM chosen)"))?;
    Ok(Some(ArchiveCursor::Jobs(upto)))
}

/// What was read back of documents.
fn tags_of(documents: &str) -> String {
    format!(
        "id IN (SELECT t.id FROM hot.documents d JOIN hot.document_tags t ON t.fn = d.fn AND t.fd = d.fd WHERE {documents})"
    )
}

fn copy_attempts(file: &Connection, plan: &ArchivePlan, after: i64) -> Result<Option<ArchiveCursor>, ReadError> {
    let last: Option<i64> = file.query_row("SELECT MAX(id) FROM hot.intents", [], |row| row.get(0))?;
    let Some(last) = last.filter(|last| *last > after) else {
        return Ok(None);
    };
    let upto = after.saturating_add(STEP_WINDOW);
    let named = named_elsewhere(file, "intents", "i.id")?;
    file.execute(
        &format!("INSERT INTO chosen SELECT i.id FROM hot.intents i WHERE i.id > ?2 AND i.id <= ?3 AND {ATTEMPT_MAY_LEAVE}{named}"),
        params![plan.before.0, after, upto],
    )?;
    copy(file, "intents", "id IN (SELECT id FROM chosen)")?;
    for table in ["documents", "resolutions", "lane_gaps"] {
        copy(file, table, "intent IN (SELECT id FROM chosen)")?;
    }
    copy(file, "document_tags", &tags_of("d.intent IN (SELECT id FROM chosen)"))?;
    Ok((upto < last).then_some(ArchiveCursor::Attempts(upto)))
}

/// Compares every copied row with the journal, checks the file, writes it to the disk and hashes it.
pub(super) fn finish(conn: &Connection, plan: &ArchivePlan) -> Result<CareFound, ReadError> {
    let (folder, name) = (folder(conn), &plan.name);
    let path = part(&folder, name);
    let bad = |why: String| ReadError::from(fault(name, Code::ArchiveDamaged, format!("{}: {why}", path.display())));
    let sealed = {
        let file = both(conn, plan)?;
        let sealed = contents(&file, plan)?;
        if sealed.counts == [0; 3] {
            drop(file);
            std::fs::remove_file(&path).map_err(|error| bad(error.to_string()))?;
            return Ok(CareFound::Nothing);
        }
        for table in COPIED {
            if differs(&file, table)? {
                return Err(bad(format!("a row of {table} is not the one of the journal")));
            }
        }
        let verdict: String = file.query_row("PRAGMA main.quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(bad(verdict));
        }
        sealed
    };
    let durable = || -> std::io::Result<(u64, Vec<u8>)> {
        std::fs::OpenOptions::new().write(true).open(&path)?.sync_all()?;
        sync_folder(&folder)?;
        hash(&path)
    };
    let (bytes, hash) = durable().map_err(|error| bad(error.to_string()))?;
    Ok(CareFound::Finished(Box::new(SealArchive { bytes, hash, ..sealed })))
}

/// Whether a copied row is not, value by value, the one of the journal. In windows, so that no long read holds up the
/// folding of the log.
fn differs(file: &Connection, table: &str) -> rusqlite::Result<bool> {
    let names = columns(file, table)?;
    let equal: Vec<String> = names.split(", ").map(|name| format!("h.{name} IS m.{name}")).collect();
    let mut statement = file.prepare(&format!(
        "SELECT EXISTS (SELECT 1 FROM main.{table} m WHERE m.rowid > ?1 AND m.rowid <= ?2 AND NOT EXISTS (SELECT 1 FROM \
         hot.{table} h WHERE h.rowid = m.rowid AND {}))",
        equal.join(" AND ")
    ))?;
    let ends = format!("SELECT COALESCE(MIN(rowid), 1) - 1, COALESCE(MAX(rowid), 0) FROM main.{table}");
    let (mut after, last): (i64, i64) = file.query_row(&ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    while after < last {
        let upto = after.saturating_add(STEP_WINDOW);
        if statement.query_row([after, upto], |row| row.get(0))? {
            return Ok(true);
        }
        after = upto;
    }
    Ok(false)
}

fn contents(file: &Connection, plan: &ArchivePlan) -> rusqlite::Result<SealArchive> {
    let count = |table: &str| file.query_row(&format!("SELECT COUNT(*) FROM main.{table}"), [], |row| row.get(0));
    let range = |table: &str, column: &str| -> rusqlite::Result<Option<(i64, i64)>> {
        file.query_row(
            &format!("SELECT MIN({column}), MAX({column}) FROM main.{table}"),
            [],
            |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?)),
        )
    };
    Ok(SealArchive {
        name: plan.name.clone(),
        bytes: 0,
        hash: Vec::new(),
        counts: [count("jobs")?, count("intents")?, count("documents")?],
        ranges: [
            range("jobs", "id")?,
            range("documents", "id")?,
            range("jobs", "accepted_at")?,
        ],
        at: plan.before,
    })
}

/// Notes an archive file. The same file twice is one.
pub(super) fn seal(tx: &Transaction<'_>, sealed: &SealArchive) -> Result<CareDone, WriteError> {
    let [jobs, documents, accepted] = sealed.ranges.map(|range| (range.map(|r| r.0), range.map(|r| r.1)));
    tx.execute(
        "INSERT INTO archives (name, bytes, hash, sealed_at, jobs, attempts, documents, first_job, last_job, \
         first_document, last_document, accepted_from, accepted_until, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
         ?10, ?11, ?12, ?13, x'')",
        params![
            sealed.name,
            i64::try_from(sealed.bytes).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?,
            sealed.hash,
            sealed.at.0,
            sealed.counts[0],
            sealed.counts[1],
            sealed.counts[2],
            jobs.0,
            jobs.1,
            documents.0,
            documents.1,
            accepted.0,
            accepted.1,
        ],
    )?;
    let number = tx.last_insert_rowid();
    let sum = archive_sum(tx, number)?;
    tx.execute("UPDATE archives SET sum = ?2 WHERE number = ?1", params![number, sum])?;
    Ok(CareDone::Sealed(number))
}
