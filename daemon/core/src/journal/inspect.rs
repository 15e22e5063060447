//! Looking into a journal from outside: what it is, and whether every row still has its checksum.
//!
//! Owns: reading it whole, through a read-only connection, also beside a running daemon.
//! Must never: write, migrate or repair.

use super::intents::{begin_chain, document_sum, end_sum};
use super::open::{OpenError, check_file};
use super::orders::meta;
use super::query::last_sequence;
use super::rows::{job_state_sum, job_sum};
use super::store::connect_to_read;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// Most findings that are told; one flipped bit early in a chain is one finding, not thousands.
const FINDINGS_MAX: usize = 100;

/// What a journal is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Inspection {
    /// Drawn when the journal was made.
    pub journal_id: Option<String>,
    /// `live` or `test`.
    pub kind: Option<String>,
    /// Letters of the rack, once named.
    pub rack_id: Option<String>,
    /// Generation, part of every job key.
    pub generation: Option<String>,
    /// Schema.
    pub schema: i64,
    /// Starts of the daemon on it.
    pub starts: i64,
    /// Latest commit sequence.
    pub sequence: u64,
    /// Version of the plan; 0 = nothing was ever applied.
    pub plan_version: i64,
    /// Jobs by state.
    pub jobs: BTreeMap<String, i64>,
    /// Attempts that are open or in doubt.
    pub unresolved: i64,
    /// Documents known.
    pub documents: i64,
}

/// What a check of every row found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// Rows whose checksum was computed again.
    pub rows: u64,
    /// What does not match, at most a hundred.
    pub findings: Vec<String>,
}

/// Runs a look inside one read transaction, so that a daemon that writes meanwhile does not look like damage.
fn look<T>(path: &Path, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, OpenError> {
    let read = || {
        let conn = connect_to_read(path)?;
        conn.execute_batch("BEGIN")?;
        look(&conn)
    };
    read().map_err(|source| OpenError::Sql {
        path: path.display().to_string(),
        source,
    })
}

/// What the journal is.
///
/// # Errors
/// [`OpenError`] when it cannot be read.
pub fn inspect(path: &Path) -> Result<Inspection, OpenError> {
    look(path, |conn| {
        let count = |sql: &str| conn.query_row(sql, [], |row| row.get(0));
        Ok(Inspection {
            journal_id: meta(conn, "journal_id")?,
            kind: meta(conn, "kind")?,
            rack_id: meta(conn, "rack_id")?,
            generation: meta(conn, "generation")?,
            schema: count("PRAGMA user_version")?,
            starts: count("SELECT COUNT(*) FROM starts")?,
            sequence: last_sequence(conn)?,
            plan_version: count("SELECT COALESCE(MAX(version), 0) FROM orders")?,
            jobs: conn
                .prepare("SELECT state, COUNT(*) FROM jobs GROUP BY state")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?,
            unresolved: count("SELECT COUNT(*) FROM intents WHERE state IN ('open', 'in_doubt')")?,
            documents: count("SELECT COUNT(*) FROM documents")?,
        })
    })
}

/// Checks the file, and the checksum of every job, attempt and document in it.
///
/// # Errors
/// [`OpenError`] when it cannot be read or its structure is damaged; rows that do not match are findings.
pub fn verify(path: &Path) -> Result<Verification, OpenError> {
    let shown = path.display().to_string();
    let conn = connect_to_read(path).map_err(|source| OpenError::Sql {
        path: shown.clone(),
        source,
    })?;
    check_file(&conn, &shown)?;
    drop(conn);
    look(path, |conn| {
        let mut found = Verification {
            rows: 0,
            findings: Vec::new(),
        };
        verify_jobs(conn, &mut found)?;
        verify_lanes(conn, &mut found)?;
        verify_documents(conn, &mut found)?;
        Ok(found)
    })
}

impl Verification {
    fn row(&mut self, matches: bool, what: impl FnOnce() -> String) {
        self.rows += 1;
        if !matches && self.findings.len() < FINDINGS_MAX {
            self.findings.push(what());
        }
    }
}

fn verify_jobs(conn: &Connection, found: &mut Verification) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("SELECT id, key, sum, state_sum FROM jobs ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, key, sum, state_sum): (i64, String, Vec<u8>, Vec<u8>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        found.row(job_sum(conn, id)? == sum, || {
            format!("job {key} (row {id}): its content does not match its checksum")
        });
        found.row(job_state_sum(conn, id)? == state_sum, || {
            format!("job {key} (row {id}): its state does not match its checksum")
        });
    }
    Ok(())
}

/// Attempts are chained per FN; after a broken link the chain is followed on from what is stored.
fn verify_lanes(conn: &Connection, found: &mut Verification) -> rusqlite::Result<()> {
    let lanes: Vec<(i64, String, Vec<u8>)> = conn
        .prepare("SELECT id, number, chain FROM fns ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (lane, number, head) in lanes {
        let mut previous: Vec<u8> = Vec::new();
        let mut statement = conn.prepare_cached("SELECT id, chain, end_sum FROM intents WHERE fn = ?1 ORDER BY id")?;
        let mut rows = statement.query([lane])?;
        while let Some(row) = rows.next()? {
            let (id, chain, ended): (i64, Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            found.row(begin_chain(conn, id, &previous)? == chain, || {
                format!("attempt {id} on FN {number}: its beginning does not match the chain")
            });
            if let Some(sum) = ended {
                found.row(end_sum(conn, id)? == sum, || {
                    format!("attempt {id} on FN {number}: its end does not match its checksum")
                });
            }
            previous = chain;
        }
        found.row(previous == head, || {
            format!("FN {number}: the chain of attempts does not end where the FN says")
        });
    }
    Ok(())
}

fn verify_documents(conn: &Connection, found: &mut Verification) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(
        "SELECT d.fn, d.fd, d.sum, f.number FROM documents d LEFT JOIN fns f ON f.id = d.fn ORDER BY d.fn, d.fd",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (lane, fd, sum): (i64, u32, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let number: Option<String> = row.get(3)?;
        found.row(document_sum(conn, lane, fd)? == sum, || {
            format!(
                "document {fd} of FN {}: it does not match its checksum",
                number.unwrap_or_default()
            )
        });
    }
    Ok(())
}
