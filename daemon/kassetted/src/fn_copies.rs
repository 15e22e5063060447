//! Copies of FNs in files: ledger lines, exports of documents, and files of field programs.
//!
//! Owns: telling the forms apart, and reading each document of them.
//! Must never: pass over a line or a container without saying so, or hold a whole file of lines in memory.

mod line;

use kassette_core::journal::{CopiedContent, CopiedDocument, OpenError, Reconciler};
use kassette_core::parts::UnixMillis;
use kassette_wire::ffd::{Document, ExportContainer, ExportKind, FnExport, HeaderSum, Tag};
use kassette_wire::value::{FdNumber, FnNumber};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Longest line: a document of 32 KiB in hex, and its tags beside it.
const LINE_MAX: u64 = 1 << 20;
/// Largest file of a field program: an FN of 250,000 documents of 512 bytes has half of it.
const EXPORT_MAX: u64 = 256 << 20;
/// Endings of the files that are read in a folder.
const ENDINGS: [&str; 3] = ["jsonl", "ndjson", "fnc"];
/// After so long there is a word of progress, and again each time.
const PROGRESS_MS: u128 = 2000;

/// Why a copy cannot be read at all.
#[derive(Debug, Error)]
pub(crate) enum CopyError {
    /// The operating system refused.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// A folder of a running or stopped simulator.
    #[error(
        "{0} is the state of a simulated rack; write its documents with: kassette-hw-sim ledger --state {0} > FILE"
    )]
    SimulatorState(PathBuf),
    /// Nothing in it looks like a copy.
    #[error("{0} holds no file that ends in .jsonl, .ndjson or .fnc")]
    NoCopies(PathBuf),
    /// A file that is larger than any FN.
    #[error("{path} has {size} bytes, more than any FN")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
}

/// Reads a file or every copy in a folder.
pub(crate) fn read(path: &Path, into: &mut Reconciler) -> Result<(), CopyError> {
    if !path.is_dir() {
        return read_file(path, into);
    }
    if path.join("fn").is_dir() && path.join("ports").is_dir() {
        return Err(CopyError::SimulatorState(path.to_owned()));
    }
    let at = |source| io_error(path, source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(at)? {
        let file = entry.map_err(at)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ENDINGS.contains(&ending) {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(CopyError::NoCopies(path.to_owned()));
    }
    files.sort();
    files.iter().try_for_each(|file| read_file(file, into))
}

fn io_error(path: &Path, source: io::Error) -> CopyError {
    CopyError::Io {
        path: path.to_owned(),
        source,
    }
}

fn read_file(path: &Path, into: &mut Reconciler) -> Result<(), CopyError> {
    let at = |source| io_error(path, source);
    let file = File::open(path).map_err(at)?;
    let meta = file.metadata().map_err(at)?;
    let taken_at = meta.modified().ok().and_then(unix_ms);
    into.source(&path.display().to_string(), taken_at);
    let mut reader = BufReader::new(file);
    let first = reader.fill_buf().map_err(at)?.first().copied();
    match first {
        Some(b'{') => read_lines(path, reader, into),
        None => {
            into.unreadable("the file is empty".to_owned());
            Ok(())
        }
        Some(_) if meta.len() > EXPORT_MAX => Err(CopyError::TooLarge {
            path: path.to_owned(),
            size: meta.len(),
        }),
        Some(_) => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(at)?;
            read_export(&bytes, into)
        }
    }
}

fn unix_ms(time: SystemTime) -> Option<UnixMillis> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixMillis(i64::try_from(since.as_millis()).ok()?))
}

/// Tells on standard error how far a long reading has come.
struct Progress {
    begin: Instant,
    told: u128,
    documents: u64,
}

impl Progress {
    fn begin() -> Self {
        Self {
            begin: Instant::now(),
            told: 0,
            documents: 0,
        }
    }

    fn step(&mut self) {
        self.documents += 1;
        let passed = self.begin.elapsed().as_millis();
        if passed >= self.told + PROGRESS_MS {
            self.told = passed;
            eprintln!("{} documents compared", self.documents);
        }
    }
}

fn read_lines(path: &Path, mut reader: BufReader<File>, into: &mut Reconciler) -> Result<(), CopyError> {
    let (mut number, mut progress) = (0_u64, Progress::begin());
    loop {
        let mut text = Vec::new();
        let mut limited = reader.by_ref().take(LINE_MAX);
        let length = limited.read_until(b'\n', &mut text).map_err(|e| io_error(path, e))?;
        if length == 0 {
            return Ok(());
        }
        number += 1;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match line::read(&text) {
            Ok((document, wrong)) => {
                for what in wrong {
                    into.unreadable(format!("line {number} contradicts itself: {what}"));
                }
                into.document(&document)?;
            }
            Err(why) => into.unreadable(format!("line {number}: {why}")),
        }
        progress.step();
    }
}

/// The file of a field program (`fn-ffd-ofd` D.7).
fn read_export(bytes: &[u8], into: &mut Reconciler) -> Result<(), CopyError> {
    let export = match FnExport::open(bytes) {
        Ok(export) => export,
        Err(error) => {
            into.unreadable(error.to_string());
            return Ok(());
        }
    };
    if export.checksum() == HeaderSum::Wrong {
        into.unreadable("the checksum of its header matches neither the header nor the file".to_owned());
    }
    let Ok(fn_number) = export.header.fn_text().parse::<FnNumber>() else {
        into.unreadable("its header names no FN".to_owned());
        return Ok(());
    };
    let mut progress = Progress::begin();
    for container in export {
        match container
            .map_err(|error| error.to_string())
            .and_then(|one| contained(&one))
        {
            Ok(Some(whole)) => match document_of(&fn_number, whole) {
                Ok(document) => into.document(&document)?,
                Err(why) => into.unreadable(why),
            },
            Ok(None) => {}
            Err(why) => into.unreadable(why),
        }
        progress.step();
    }
    Ok(())
}

/// The document of a container; none for a ticket.
fn contained(container: &ExportContainer) -> Result<Option<Document>, String> {
    match container.kind() {
        Some(ExportKind::Ticket) => Ok(None),
        Some(ExportKind::Document) => match container.document() {
            Ok(Some(document)) => Ok(Some(document)),
            Ok(None) => Err("a container of a document holds none".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        None => Err(format!("a container of the unknown number {}", container.code)),
    }
}

/// A document with all its tags, under the number and sign that it states.
fn document_of(fn_number: &FnNumber, whole: Document) -> Result<CopiedDocument, String> {
    let stated = whole.tags.u32(Tag::FD_NUMBER).map_err(|error| error.to_string())?;
    let fd = stated.ok_or("a document without a number (1040)")?;
    let sign = whole.tags.fiscal_sign().map_err(|error| error.to_string())?;
    let fp = sign.ok_or_else(|| format!("document {fd} has no fiscal sign (1077)"))?;
    Ok(CopiedDocument {
        fn_number: fn_number.clone(),
        fd: FdNumber(fd),
        fp,
        content: CopiedContent::Whole(whole),
    })
}
