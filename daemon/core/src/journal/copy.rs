//! A copy of the journal for a backup.
//!
//! The copy is written by a connection of its own, as of one instant, while the writer goes on (`exactly-once` section 10:
//! the writer saw at most 78 ms). Until the first start on it the copy says two things of itself: that it is one
//! (`pending_restore`), so that this start draws a new generation and reads the FNs; and that no program without recovery
//! mode may work on it (`min_reader`).
//!
//! Owns: what makes a file a copy.
//! Must never: write to the journal itself, or leave a copy that looks like one and is not whole.

use super::care::{ArchiveFault, ArchiveFile, archives_in};
use super::generations::PENDING_RESTORE;
use super::open::{Fault, OpenError, check_file, read_facts, version};
use super::orders::{meta, set_meta};
use super::query::last_sequence;
use super::store::{connect, connect_to_read};
use crate::parts::UnixMillis;
use rusqlite::params;
use std::path::Path;

/// The first schema whose programs know what a copy is.
const COPY_READER: i64 = 3;

/// What a copy is of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CopyFacts {
    /// Id of the journal.
    pub journal_id: String,
    /// `live` or `test`.
    pub kind: String,
    /// Letters of the rack, once named.
    pub rack_id: Option<String>,
    /// Its generation.
    pub generation: u16,
    /// Its schema.
    pub schema: i64,
    /// Latest commit sequence in it.
    pub sequence: u64,
    /// When it was taken, milliseconds of Unix time; absent: it is no copy but a journal.
    pub taken_at: Option<i64>,
}

fn at<T>(path: &Path, done: Result<T, Fault>) -> Result<T, OpenError> {
    done.map_err(|fault| fault.at(path.display().to_string()))
}

/// Writes a copy of the journal `from` to the new file `to`, which is durable when this returns. The daemon may run.
///
/// # Errors
/// [`OpenError`]; what was written of `to` is of no use then.
pub fn copy(from: &Path, to: &Path, now: UnixMillis) -> Result<CopyFacts, OpenError> {
    at(from, write(from, to, now))?;
    copy_facts(to)
}

fn write(from: &Path, to: &Path, now: UnixMillis) -> Result<(), Fault> {
    let target = to
        .to_str()
        .ok_or_else(|| Fault::Damaged(format!("{} is not UTF-8", to.display())))?;
    connect_to_read(from)?.execute("VACUUM INTO ?1", [target])?;
    let conn = connect(to)?;
    set_meta(&conn, PENDING_RESTORE, &now.0.to_string())?;
    set_meta(&conn, "min_reader", &COPY_READER.to_string())?;
    // One file: whoever takes it away takes all of it.
    conn.query_row("PRAGMA journal_mode = DELETE", params![], |_| Ok(()))?;
    Ok(())
}

/// What a file is a copy of. The file is read whole once.
///
/// # Errors
/// [`OpenError`] when it is damaged or no journal.
pub fn copy_facts(path: &Path) -> Result<CopyFacts, OpenError> {
    at(path, facts(path))
}

fn facts(path: &Path) -> Result<CopyFacts, Fault> {
    let conn = connect_to_read(path)?;
    check_file(&conn)?;
    let schema = version(&conn)?;
    if schema == 0 {
        return Err(Fault::Damaged("it is empty".into()));
    }
    let known = read_facts(&conn)?;
    Ok(CopyFacts {
        journal_id: meta(&conn, "journal_id")?.unwrap_or_default(),
        kind: known.kind.as_str().to_owned(),
        rack_id: known.rack_id.map(|id| id.to_string()),
        generation: known.generation.get(),
        schema,
        sequence: last_sequence(&conn)?,
        taken_at: meta(&conn, PENDING_RESTORE)?.and_then(|text| text.parse().ok()),
    })
}

/// The archive files that belong to a journal or a copy of it, as they lie in `folder`: each one, or why it is not the one
/// that was written. Every file is read whole once.
///
/// # Errors
/// [`OpenError`] when the journal cannot be read.
pub fn archive_files(journal: &Path, folder: &Path) -> Result<Vec<Result<ArchiveFile, ArchiveFault>>, OpenError> {
    let found = connect_to_read(journal).and_then(|conn| {
        // A journal of an older schema knows no archives.
        let known = conn.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'archives')",
            [],
            |row| row.get(0),
        )?;
        if known {
            archives_in(&conn, folder)
        } else {
            Ok(Vec::new())
        }
    });
    at(journal, found.map_err(Fault::from))
}

/// Folds the log of a journal that nobody has open into its one file.
///
/// # Errors
/// [`OpenError`] when it cannot be read; it stands as it stood.
pub fn fold(path: &Path) -> Result<(), OpenError> {
    let folded = connect(path).and_then(|conn| conn.query_row("PRAGMA journal_mode = DELETE", params![], |_| Ok(())));
    at(path, folded.map_err(Fault::from))
}
