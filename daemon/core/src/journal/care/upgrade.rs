//! What a change of the program depends on.
//!
//! Owns: the facts that an upgrade is checked against, and the note of the last backup.
//! Must never: judge them: the host does, with what it knows of its disk and of the package.

use super::super::orders::{meta, set_meta};
use super::super::query::ReadError;
use super::CareDone;
use crate::parts::UnixMillis;
use rusqlite::{Connection, Transaction};
use std::path::PathBuf;

/// The fact that says when the last backup was begun, milliseconds.
const BACKED_UP: &str = "backed_up_at";

/// The journal as an upgrade finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeFacts {
    /// Its schema.
    pub schema: i64,
    /// The lowest schema of a program that may work on it.
    pub min_reader: i64,
    /// Its file.
    pub path: PathBuf,
    /// Size of that file, bytes.
    pub bytes: u64,
    /// Attempts that are in doubt.
    pub doubts: u64,
    /// When the last backup was begun.
    pub backed_up_at: Option<UnixMillis>,
}

pub(super) fn facts(conn: &Connection) -> Result<UpgradeFacts, ReadError> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let fact =
        |name: &str| -> rusqlite::Result<Option<i64>> { Ok(meta(conn, name)?.and_then(|text| text.parse().ok())) };
    let schema = number("PRAGMA user_version")?;
    let bytes = number("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")?;
    Ok(UpgradeFacts {
        schema,
        min_reader: fact("min_reader")?.unwrap_or(schema),
        path: conn.path().unwrap_or_default().into(),
        bytes: u64::try_from(bytes).unwrap_or_default(),
        doubts: u64::try_from(number(
            "SELECT COUNT(*) FROM intents WHERE state IN ('open', 'in_doubt') AND state = 'in_doubt'",
        )?)
        .unwrap_or_default(),
        backed_up_at: fact(BACKED_UP)?.map(UnixMillis),
    })
}

/// Notes a backup; an older one never takes the place of a newer.
pub(super) fn backed_up(tx: &Transaction<'_>, at: UnixMillis) -> rusqlite::Result<CareDone> {
    let known = meta(tx, BACKED_UP)?
        .and_then(|text| text.parse().ok())
        .unwrap_or(i64::MIN);
    set_meta(tx, BACKED_UP, &at.0.max(known).to_string())?;
    Ok(CareDone::Nothing)
}
