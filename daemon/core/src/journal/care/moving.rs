//! Out of the journal, once it stands in an archive; and what else becomes too old.
//!
//! Owns: the steps in which rows leave, what of them stays (keys, gaps of lanes, kept buyers), pages given back.
//! Must never: take out a row that is not in the archive as it is here, or hold up the other writes for long.

use super::super::checks::RowSum;
use super::super::orders::{meta, set_meta};
use super::super::query::ReadError;
use super::super::rows::sum_of;
use super::super::store::WriteError;
use super::copy::ArchiveCursor;
use super::{CareDone, as_write, files, keys};
use crate::parts::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// Rows that one step takes out (`exactly-once` section 10, Growth: 500 rows, longest step 25 ms; a job has several).
const STEP_JOBS: i64 = 100;
const STEP_ATTEMPTS: i64 = 250;
/// Pages given back in one step: 1 MiB.
const STEP_PAGES: i64 = 256;
/// Free pages that are kept, because the next hour needs them anyway: 16 MiB.
const KEPT_PAGES: i64 = 4096;
/// Old rows dropped in one step.
const STEP_OLD: i64 = 500;

/// A row of an archive, with the checksums that tell whether the one here is the same.
struct There {
    id: i64,
    sums: [Vec<u8>; 2],
}

fn there(file: &Connection, statement: &str, after: i64, limit: i64) -> rusqlite::Result<Vec<There>> {
    file.prepare(statement)?
        .query_map([after, limit], |row| {
            Ok(There {
                id: row.get(0)?,
                sums: [row.get(1)?, row.get(2)?],
            })
        })?
        .collect()
}

/// Takes some rows of an archive out of the journal; nothing is left when all were looked at.
pub(super) fn step(
    tx: &Transaction<'_>,
    archive: i64,
    after: ArchiveCursor,
    at: UnixMillis,
) -> Result<CareDone, WriteError> {
    let row = files::archive(tx, archive).map_err(as_write)?;
    let file = files::open(tx, &row).map_err(as_write)?;
    let read = |statement: &str, after: i64, limit: i64| {
        let read = there(&file, statement, after, limit).map_err(ReadError::from);
        files::told_of(&row, read).map_err(as_write)
    };
    match after {
        ArchiveCursor::Jobs(after) => {
            let jobs = "SELECT id, sum, state_sum FROM jobs WHERE id > ?1 ORDER BY id LIMIT ?2";
            let jobs = read(jobs, after, STEP_JOBS)?;
            for job in &jobs {
                move_job(tx, archive, job)?;
            }
            let next = jobs
                .last()
                .map_or(ArchiveCursor::Attempts(0), |last| ArchiveCursor::Jobs(last.id));
            Ok(CareDone::Moved(next))
        }
        ArchiveCursor::Attempts(after) => {
            let attempts = "SELECT id, chain, end_sum FROM intents WHERE job IS NULL AND id > ?1 ORDER BY id LIMIT ?2";
            let attempts = read(attempts, after, STEP_ATTEMPTS)?;
            for attempt in &attempts {
                let same = same(tx, "SELECT chain, end_sum FROM intents WHERE id = ?1", attempt)?;
                if same {
                    move_attempt(tx, attempt.id)?;
                }
            }
            if let Some(last) = attempts.last() {
                return Ok(CareDone::Moved(ArchiveCursor::Attempts(last.id)));
            }
            tx.execute(
                "UPDATE archives SET moved_at = ?2 WHERE number = ?1",
                params![archive, at.0],
            )?;
            Ok(CareDone::Nothing)
        }
    }
}

/// Whether the row is here, and the one that stands in the archive. One that has changed since is left where it is.
fn same(tx: &Transaction<'_>, statement: &str, there: &There) -> rusqlite::Result<bool> {
    let here: Option<[Vec<u8>; 2]> = tx
        .prepare_cached(statement)?
        .query_row([there.id], |row| Ok([row.get(0)?, row.get(1)?]))
        .optional()?;
    Ok(here.is_some_and(|here| here == there.sums))
}

fn move_job(tx: &Transaction<'_>, archive: i64, job: &There) -> Result<(), WriteError> {
    if !same(tx, "SELECT sum, state_sum FROM jobs WHERE id = ?1", job)? {
        return Ok(());
    }
    keys::insert(tx, job.id, archive)?;
    let attempts: Vec<i64> = tx
        .prepare_cached("SELECT id FROM intents WHERE job = ?1 ORDER BY id")?
        .query_map([job.id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for attempt in attempts {
        move_attempt(tx, attempt)?;
    }
    tx.prepare_cached("INSERT OR REPLACE INTO archived_contacts (job, nonce, sealed) SELECT job, nonce, sealed FROM contacts WHERE job = ?1")?
        .execute([job.id])?;
    for table in ["contacts", "outbox", "cancellations", "contact_digests"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE job = ?1"))?
            .execute([job.id])?;
    }
    tx.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([job.id])?;
    Ok(())
}

/// The attempt after it in its lane keeps the checksum that the chain had here.
fn move_attempt(tx: &Transaction<'_>, attempt: i64) -> Result<(), WriteError> {
    let next: Option<i64> = tx
        .prepare_cached("SELECT id FROM intents WHERE previous = ?1")?
        .query_row([attempt], |row| row.get(0))
        .optional()?;
    if let Some(next) = next {
        tx.prepare_cached(
            "INSERT OR REPLACE INTO lane_gaps (intent, previous, chain, sum) SELECT ?2, id, chain, x'' FROM intents \
             WHERE id = ?1",
        )?
        .execute([attempt, next])?;
        let sum = gap_sum(tx, next)?;
        tx.prepare_cached("UPDATE lane_gaps SET sum = ?2 WHERE intent = ?1")?
            .execute(params![next, sum])?;
    }
    for statement in [
        "DELETE FROM document_tags WHERE (fn, fd) IN (SELECT fn, fd FROM documents WHERE intent = ?1)",
        "DELETE FROM documents WHERE intent = ?1",
        "DELETE FROM resolutions WHERE intent = ?1",
        "DELETE FROM lane_gaps WHERE intent = ?1",
        "DELETE FROM intents WHERE id = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([attempt])?;
    }
    Ok(())
}

pub(super) fn gap_sum(conn: &Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached("SELECT intent, previous, chain FROM lane_gaps WHERE intent = ?1")?
        .query_row([intent], |row| sum_of(RowSum::new("lane_gaps"), row, 3))
}

/// Gives some free pages back to the disk.
pub(super) fn shrink(tx: &Transaction<'_>) -> Result<CareDone, WriteError> {
    let free = || tx.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let before = free()?;
    if before <= KEPT_PAGES {
        return Ok(CareDone::Nothing);
    }
    let mut pages = tx.prepare(&format!("PRAGMA incremental_vacuum({STEP_PAGES})"))?;
    let mut given = pages.query([])?;
    while given.next()?.is_some() {}
    // A file that was made without the setting never gives any back.
    Ok(if free()? < before {
        CareDone::More
    } else {
        CareDone::Nothing
    })
}

/// Drops what is older than the horizon: keys, after which a key must say when it was made, and moves of units.
pub(super) fn prune(tx: &Transaction<'_>, before: UnixMillis) -> Result<CareDone, WriteError> {
    let moves = tx
        .prepare_cached(
            "DELETE FROM unit_moves WHERE id IN (SELECT id FROM unit_moves ORDER BY id LIMIT ?2) AND at < ?1",
        )?
        .execute([before.0, STEP_OLD])?;
    let old: Vec<i64> = tx
        .prepare_cached("SELECT job FROM keys WHERE accepted_at < ?1 ORDER BY accepted_at LIMIT ?2")?
        .query_map([before.0, STEP_OLD], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for job in &old {
        for table in ["archived_contacts", "keys"] {
            tx.prepare_cached(&format!("DELETE FROM {table} WHERE job = ?1"))?
                .execute([job])?;
        }
    }
    if !old.is_empty() {
        let floor = meta(tx, keys::FLOOR)?
            .and_then(|text| text.parse().ok())
            .unwrap_or(i64::MIN);
        set_meta(tx, keys::FLOOR, &before.0.max(floor).to_string())?;
    }
    let step = usize::try_from(STEP_OLD).unwrap_or(usize::MAX);
    Ok(if old.len() == step || moves == step {
        CareDone::More
    } else {
        CareDone::Nothing
    })
}
