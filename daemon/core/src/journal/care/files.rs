//! The archive files.
//!
//! They lie beside the journal, `archive-YYYY-MM.db` (`-2`, `-3` … when a month has more than one), each a SQLite file
//! with the tables of the journal, written once and then only read.
//!
//! Owns: their names, and how one is opened, looked at and compared with its hash.
//! Must never: write into a file that is noted in the journal.

use super::super::checks::RowSum;
use super::super::query::ReadError;
use super::super::rows::sum_of;
use super::super::store::connect_to_read;
use super::{CareFound, fault};
use crate::domain::error::Reason;
use kassette_wire::codes::Code;
use rusqlite::{Connection, OptionalExtension as _, Row};
use sha2::{Digest, Sha256};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Ending of a file that is not in its place yet.
const PART: &str = ".part";

/// An archive that cannot be read as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ArchiveFault {
    /// Name of the file, in the folder of the journal.
    pub name: String,
    /// Why, with the whole path.
    pub reason: Reason,
}

/// A row of `archives`.
#[derive(Debug, Clone)]
pub(super) struct ArchiveRow {
    pub number: i64,
    pub name: String,
    pub bytes: u64,
    pub hash: Vec<u8>,
    pub jobs: Option<(i64, i64)>,
    pub documents: Option<(i64, i64)>,
    pub accepted: Option<(i64, i64)>,
    pub moved: bool,
}

const COLUMNS: &str = "number, name, bytes, hash, first_job, last_job, first_document, last_document, accepted_from, \
    accepted_until, moved_at IS NOT NULL";

fn archive_row(row: &Row<'_>) -> rusqlite::Result<ArchiveRow> {
    let range = |at: usize| -> rusqlite::Result<Option<(i64, i64)>> {
        Ok(row.get::<_, Option<i64>>(at)?.zip(row.get::<_, Option<i64>>(at + 1)?))
    };
    Ok(ArchiveRow {
        number: row.get(0)?,
        name: row.get(1)?,
        bytes: row.get(2)?,
        hash: row.get(3)?,
        jobs: range(4)?,
        documents: range(6)?,
        accepted: range(8)?,
        moved: row.get(10)?,
    })
}

/// All archives, in the order they were made.
pub(super) fn archives(conn: &Connection) -> rusqlite::Result<Vec<ArchiveRow>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM archives ORDER BY number"))?;
    statement.query_map([], archive_row)?.collect()
}

pub(super) fn archive(conn: &Connection, number: i64) -> Result<ArchiveRow, ReadError> {
    let found = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM archives WHERE number = ?1"))?
        .query_row([number], archive_row)
        .optional()?;
    found.ok_or_else(|| super::super::rows::damaged("archive", number, "it is not noted"))
}

pub(super) fn archive_sum(conn: &Connection, number: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached(
        "SELECT number, name, bytes, hash, sealed_at, jobs, attempts, documents, first_job, last_job, first_document, \
         last_document, accepted_from, accepted_until FROM archives WHERE number = ?1",
    )?
    .query_row([number], |row| sum_of(RowSum::new("archives"), row, 14))
}

/// The folder of the journal behind a connection.
pub(super) fn folder(conn: &Connection) -> PathBuf {
    let path = conn.path().map(Path::new).and_then(Path::parent);
    path.unwrap_or(Path::new(".")).to_owned()
}

pub(super) fn part(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{PART}"))
}

/// Where an archive that is noted lies: in its place, or still under the name it was written as.
fn located(folder: &Path, row: &ArchiveRow) -> Result<PathBuf, ArchiveFault> {
    let place = folder.join(&row.name);
    for path in [place.clone(), part(folder, &row.name)] {
        match std::fs::metadata(&path) {
            Ok(found) if found.len() == row.bytes => return Ok(path),
            Ok(found) => {
                let text = format!(
                    "{} has {} bytes, it was written with {}",
                    path.display(),
                    found.len(),
                    row.bytes
                );
                return Err(fault(&row.name, Code::ArchiveDamaged, text));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(fault(
                    &row.name,
                    Code::ArchiveMissing,
                    format!("{}: {error}", path.display()),
                ));
            }
        }
    }
    Err(fault(
        &row.name,
        Code::ArchiveMissing,
        format!("{} is not there", place.display()),
    ))
}

/// Opens an archive to read from it.
pub(super) fn open(conn: &Connection, row: &ArchiveRow) -> Result<Connection, ReadError> {
    let path = located(&folder(conn), row)?;
    connect_to_read(&path).map_err(|error| fault(&row.name, Code::ArchiveDamaged, error).into())
}

/// Every archive, newest first, opened to read from it; or why one cannot be.
pub(in super::super) fn open_all(conn: &Connection) -> rusqlite::Result<Vec<Result<Connection, ReadError>>> {
    let all = archives(conn)?;
    Ok(all.iter().rev().map(|row| open(conn, row)).collect())
}

/// What SQLite says of an archive is about that file, not about the journal.
pub(super) fn told_of<T>(row: &ArchiveRow, read: Result<T, ReadError>) -> Result<T, ReadError> {
    read.map_err(|error| match error {
        ReadError::Sql(error) => fault(&row.name, Code::ArchiveDamaged, error).into(),
        other => other,
    })
}

/// Archives that are not there or have another length: what a start can tell without reading them.
pub(in super::super) fn archived_file_faults(conn: &Connection) -> rusqlite::Result<Vec<ArchiveFault>> {
    let folder = folder(conn);
    let all = archives(conn)?;
    Ok(all.iter().filter_map(|row| located(&folder, row).err()).collect())
}

/// Number of each archive, and whether it has still to be moved.
pub(super) fn list(conn: &Connection) -> Result<Vec<(i64, bool)>, ReadError> {
    let all = archives(conn)?;
    Ok(all.into_iter().map(|row| (row.number, !row.moved)).collect())
}

/// Length and hash of a file.
pub(super) fn hash(path: &Path) -> std::io::Result<(u64, Vec<u8>)> {
    let mut file = std::fs::OpenOptions::new().read(true).open(path)?;
    let mut sum = Sha256::new();
    let mut block = vec![0_u8; 1 << 20];
    let mut bytes = 0_u64;
    loop {
        match file.read(&mut block)? {
            0 => return Ok((bytes, sum.finalize().to_vec())),
            read => {
                sum.update(&block[..read]);
                bytes += read as u64;
            }
        }
    }
}

pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().read(true).open(folder)?.sync_all()
}

fn compared(folder: &Path, row: &ArchiveRow) -> Result<PathBuf, ArchiveFault> {
    let path = located(folder, row)?;
    let unreadable = |error| fault(&row.name, Code::ArchiveDamaged, format!("{}: {error}", path.display()));
    let (_, found) = hash(&path).map_err(unreadable)?;
    if found == row.hash {
        return Ok(path);
    }
    let text = format!("{} is not the file that was written: its hash differs", path.display());
    Err(fault(&row.name, Code::ArchiveDamaged, text))
}

/// Compares an archive with its hash, and puts it in its place if it is not there yet.
pub(super) fn place(conn: &Connection, number: i64) -> Result<CareFound, ReadError> {
    let (folder, row) = (folder(conn), archive(conn, number)?);
    let path = match compared(&folder, &row) {
        Ok(path) => path,
        Err(fault) => return Ok(CareFound::Fault(fault)),
    };
    let place = folder.join(&row.name);
    if path == place {
        return Ok(CareFound::Placed);
    }
    let placed = std::fs::metadata(&path).and_then(|meta| {
        let mut mode = meta.permissions();
        mode.set_readonly(true);
        std::fs::set_permissions(&path, mode)?;
        std::fs::rename(&path, &place)?;
        sync_folder(&folder)
    });
    Ok(match placed {
        Ok(()) => CareFound::Placed,
        Err(error) => {
            let text = format!("{} cannot be put in its place: {error}", path.display());
            CareFound::Fault(fault(&row.name, Code::ArchiveMissing, text))
        }
    })
}

/// An archive file that is what the journal says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Its name in the folder of a journal.
    pub name: String,
    /// Where it lies now.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// The archives that a journal names, looked for in any folder and compared with their hashes, oldest first.
pub(in super::super) fn archives_in(
    conn: &Connection,
    folder: &Path,
) -> rusqlite::Result<Vec<Result<ArchiveFile, ArchiveFault>>> {
    let file = |row: &ArchiveRow| {
        let path = compared(folder, row)?;
        Ok(ArchiveFile {
            name: row.name.clone(),
            path,
            bytes: row.bytes,
        })
    };
    Ok(archives(conn)?.iter().map(file).collect())
}

/// Every archive compared with its hash, for a verification of the whole journal.
pub(in super::super) fn verify_archives(conn: &Connection) -> rusqlite::Result<Vec<ArchiveFault>> {
    let folder = folder(conn);
    let all = archives(conn)?;
    Ok(all.iter().filter_map(|row| compared(&folder, row).err()).collect())
}
