//! Looking into a journal from outside: what it is.
//!
//! Owns: reading it whole, through a read-only connection, also beside a running daemon.
//! Must never: write, migrate or repair.

use super::open::{Fault, OpenError};
use super::orders::meta;
use super::query::last_sequence;
use super::store::connect_to_read;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

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

/// Runs a look inside one read transaction, so that a daemon that writes meanwhile does not look like damage.
fn look<T>(path: &Path, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, OpenError> {
    let read = || {
        let conn = connect_to_read(path)?;
        conn.execute_batch("BEGIN")?;
        look(&conn)
    };
    read().map_err(|error| Fault::from(error).at(path.display().to_string()))
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
