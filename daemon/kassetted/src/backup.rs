//! Backups: one file that holds a copy of the journal, its archives and the tenants' keys, and putting it in place.
//!
//! A backup is a line that names it, a line of JSON that lists its files, and the bytes of those files in that order.
//!
//! Owns: that form, and the order of a restore: keys and archives first, then the journal by one rename, so that an
//! interrupted one leaves the journal that was there or the one of the backup. Only an archive in whose place another
//! stands comes last; until then the journal names it as altered, and a repeated restore puts it there.
//! Must never: delete what stood there before, or work beside a running daemon.

use crate::cli::Said;
use crate::config::Config;
use crate::exit::Exit;
use crate::supervisor::lock_state;
use kassette_core::domain::error::Reason;
use kassette_core::journal::{CopyFacts, archive_files, copy, copy_facts, fold, inspect};
use kassette_core::parts::UnixMillis;
use kassette_wire::codes::Code;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const NAME: &str = "KASSETTE-BACKUP 1\n";
/// Longest list of files, bytes.
const INDEX_MAX: u64 = 1 << 20;
/// Name of the journal inside a backup; every other file is an archive or the key file of a tenant.
const JOURNAL: &str = "journal.db";

/// What of this host a backup holds.
#[derive(Debug, Clone)]
pub struct Files {
    /// The journal.
    pub journal: PathBuf,
    /// Folder of the tenants' keys.
    pub keys: PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    files: Vec<Entry>,
}

/// A backup that was taken and is about to be sent; its file goes with it.
pub struct Taken {
    /// What the copy is of.
    pub facts: CopyFacts,
    /// Everything, from its first byte.
    pub bytes: Box<dyn Read + Send>,
    /// How many bytes that is.
    pub size: u64,
    /// Archives that are not in it, because they are not what was written.
    pub left_out: Vec<Reason>,
    copy: PathBuf,
}

impl Drop for Taken {
    fn drop(&mut self) {
        std::fs::remove_file(&self.copy).ok();
    }
}

/// Takes a backup while work goes on. Blocks; not for the runtime's own threads.
///
/// # Errors
/// When the copy cannot be written, or a key or an archive not be read.
pub fn take(files: &Files, with_keys: bool, now: UnixMillis) -> io::Result<Taken> {
    let path = files.journal.with_extension(format!("backup-{}", now.0));
    let facts = copy(&files.journal, &path, now).map_err(io::Error::other);
    if facts.is_err() {
        std::fs::remove_file(&path).ok();
    }
    let mut taken = Taken {
        facts: facts?,
        bytes: Box::new(File::open(&path)?),
        size: 0,
        left_out: Vec::new(),
        copy: path,
    };
    let mut entries = vec![Entry {
        name: JOURNAL.into(),
        bytes: std::fs::metadata(&taken.copy)?.len(),
    }];
    append_archives(&mut taken, &mut entries, files)?;
    append_keys(&mut taken, &mut entries, files, with_keys)?;
    let size = entries.iter().map(|entry| entry.bytes).sum::<u64>();
    let head = format!("{NAME}{}\n", serde_json::to_string(&Index { files: entries })?);
    if head.len() as u64 > INDEX_MAX {
        return Err(io::Error::other("it has more files than a backup may hold"));
    }
    taken.size = head.len() as u64 + size;
    let body = std::mem::replace(&mut taken.bytes, Box::new(io::empty()));
    taken.bytes = Box::new(io::Cursor::new(head.into_bytes()).chain(body));
    Ok(taken)
}

fn append(taken: &mut Taken, more: impl Read + Send + 'static) {
    let before = std::mem::replace(&mut taken.bytes, Box::new(io::empty()));
    taken.bytes = Box::new(before.chain(more));
}

/// A file that is opened when its turn comes: a rack of many years has more archives than files may be open.
struct Later(PathBuf, Option<File>);

impl Read for Later {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let file = match self.1.take() {
            Some(file) => file,
            None => File::open(&self.0)?,
        };
        self.1.insert(file).read(into)
    }
}

fn append_archives(taken: &mut Taken, entries: &mut Vec<Entry>, files: &Files) -> io::Result<()> {
    let folder = files.journal.parent().unwrap_or(Path::new("."));
    for found in archive_files(&taken.copy, folder).map_err(io::Error::other)? {
        match found {
            Ok(file) => {
                append(taken, Later(folder.join(&file.name), None));
                entries.push(Entry {
                    name: file.name,
                    bytes: file.bytes,
                });
            }
            Err(fault) => taken.left_out.push(fault.reason),
        }
    }
    Ok(())
}

fn append_keys(taken: &mut Taken, entries: &mut Vec<Entry>, files: &Files, wanted: bool) -> io::Result<()> {
    for path in keys_of(&files.keys, wanted)? {
        let content = std::fs::read(&path)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        entries.push(Entry {
            name: name.to_owned(),
            bytes: content.len() as u64,
        });
        append(taken, io::Cursor::new(content));
    }
    Ok(())
}

/// Key files: those of tenants are named by digits alone.
fn keys_of(folder: &Path, wanted: bool) -> io::Result<Vec<PathBuf>> {
    if !wanted || !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_key) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_key(name: &str) -> bool {
    !name.is_empty() && name.len() <= 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Archives are named `archive-YYYY-MM.db` or `archive-YYYY-MM-N.db`.
fn is_archive(name: &str) -> bool {
    let middle = name.strip_prefix("archive-").and_then(|rest| rest.strip_suffix(".db"));
    middle.is_some_and(|middle| middle.len() <= 20 && middle.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()))
}

/// Shows what a restore would put in the place of what; with `yes` does it.
pub(crate) fn restore(config: &Config, from: &Path, yes: bool) -> Said {
    match restored(config, from, yes) {
        Ok(said) => said,
        Err(error) => {
            let code = Code::BackupFailed;
            let text = format!("{}: {error} [{code}]", from.display());
            Said {
                exit: Exit::Refused,
                json: json!({ "ok": false, "code": code.as_str(), "text": text }),
                text,
            }
        }
    }
}

fn restored(config: &Config, from: &Path, yes: bool) -> io::Result<Said> {
    let state = &config.state_dir;
    let _lock = lock_state(config)
        .map_err(|error| io::Error::other(format!("{error}; stop the daemon first; nothing was put in place")))?;
    let fresh = state.join("restore.new");
    if fresh.exists() {
        // What an interrupted restore unpacked; it was never in place.
        std::fs::remove_dir_all(&fresh)?;
    }
    folder(&fresh)?;
    let (index, facts, missing) =
        checked(from, &fresh).map_err(|error| io::Error::other(format!("{error}; nothing was put in place")))?;
    let there = match inspect(&config.journal_path()) {
        Ok(known) => format!("sequence {}, {} documents", known.sequence, known.documents),
        Err(_) => "no journal that can be read".to_owned(),
    };
    let archives = index.files.iter().filter(|entry| is_archive(&entry.name)).count();
    let shown = format!(
        "{}\n  there now    {there}\n  the backup   sequence {}, schema {}, {archives} archives, {} key files{missing}",
        config.journal_path().display(),
        facts.sequence,
        facts.schema,
        index.files.len() - 1 - archives,
    );
    if !yes {
        std::fs::remove_dir_all(&fresh)?;
        return Ok(said(
            format!("{shown}\nnothing was changed; repeat with --yes to put it in place"),
            &facts,
            None,
        ));
    }
    let aside = put_in_place(config, &fresh, &index)?;
    std::fs::remove_dir_all(&fresh)?;
    let text = format!(
        "{shown}\ndone: what stood there is kept in {}\n  next: start the daemon and apply the newest plan ('kassettectl rack apply'); it reads the FNs before it works",
        aside.display()
    );
    Ok(said(text, &facts, Some(&aside)))
}

fn said(text: String, facts: &CopyFacts, aside: Option<&Path>) -> Said {
    let aside = aside.map(|path| path.display().to_string());
    Said {
        exit: Exit::Done,
        json: json!({ "ok": true, "restored": aside.is_some(), "kept": aside, "backup": facts, "text": text }),
        text,
    }
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// What a backup holds, once it is unpacked and every file in it is what it should be.
fn checked(from: &Path, fresh: &Path) -> io::Result<(Index, CopyFacts, String)> {
    let index = unpack(from, fresh)?;
    let journal = fresh.join(JOURNAL);
    let facts = copy_facts(&journal).map_err(io::Error::other)?;
    if facts.taken_at.is_none() {
        return Err(io::Error::other("the journal in it does not say that it is a copy"));
    }
    let mut missing = String::new();
    for fault in archive_files(&journal, fresh)
        .map_err(io::Error::other)?
        .into_iter()
        .filter_map(Result::err)
    {
        if index.files.iter().any(|entry| entry.name == fault.name) {
            return Err(io::Error::other(fault.reason.to_string()));
        }
        missing = format!(
            "{missing}\n  not in it    {}: if you have this file, put it into the state folder",
            fault.name
        );
    }
    Ok((index, facts, missing))
}

fn unpack(from: &Path, into: &Path) -> io::Result<Index> {
    let bad = |text: &str| io::Error::other(text.to_owned());
    let mut file = BufReader::new(File::open(from)?);
    let mut name = vec![0; NAME.len()];
    file.read_exact(&mut name)?;
    if name != NAME.as_bytes() {
        return Err(bad("it is no backup of this program"));
    }
    let mut line = String::new();
    file.by_ref().take(INDEX_MAX).read_line(&mut line)?;
    let index: Index = serde_json::from_str(&line)?;
    let known = |entry: &Entry| is_key(&entry.name) || is_archive(&entry.name);
    match index.files.split_first() {
        Some((journal, others)) if journal.name == JOURNAL && others.iter().all(known) => {}
        _ => return Err(bad("its list of files makes no sense")),
    }
    for entry in &index.files {
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(into.join(&entry.name))?;
        let copied = io::copy(&mut file.by_ref().take(entry.bytes), &mut out)?;
        if copied != entry.bytes {
            return Err(bad("it is cut off"));
        }
        out.flush()?;
        out.sync_all()?;
    }
    if file.fill_buf()?.is_empty() {
        return Ok(index);
    }
    Err(bad("more follows its last file"))
}

/// Puts everything in place. A failure on the way says where the rest is; the same restore once more finishes it.
fn put_in_place(config: &Config, fresh: &Path, index: &Index) -> io::Result<PathBuf> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(io::Error::other)?;
    let aside = config.state_dir.join(format!("before-restore-{}", now.as_millis()));
    let placed = folder(&aside)
        .and_then(|()| place_keys(config, fresh, index, &aside))
        .and_then(|()| place_journal(config, fresh, index, &aside));
    let failed = |error| {
        let text = format!(
            "{error}; it may be in place in part: repeat it; what stood there is in {}",
            aside.display()
        );
        io::Error::other(text)
    };
    placed.map_err(failed).map(|()| aside.clone())
}

/// The folder of the keys may lie on another disk, where nothing can be renamed or linked to.
fn place_keys(config: &Config, fresh: &Path, index: &Index, aside: &Path) -> io::Result<()> {
    folder(&config.keys_dir)?;
    for entry in index.files.iter().filter(|entry| is_key(&entry.name)) {
        let (new, place) = (
            std::fs::read(fresh.join(&entry.name))?,
            config.keys_dir.join(&entry.name),
        );
        if place.exists() {
            let old = std::fs::read(&place)?;
            if old == new {
                continue;
            }
            write_new(&aside.join(&entry.name), &old)?;
        }
        let part = config.keys_dir.join(format!("{}.restore", entry.name));
        if part.exists() {
            std::fs::remove_file(&part)?;
        }
        write_new(&part, &new)?;
        std::fs::rename(&part, &place)?;
    }
    File::open(&config.keys_dir)?.sync_all()
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn place_journal(config: &Config, fresh: &Path, index: &Index, aside: &Path) -> io::Result<()> {
    let state = &config.state_dir;
    let known = archive_files(&fresh.join(JOURNAL), state).map_err(io::Error::other)?;
    let there: BTreeSet<String> = known.into_iter().flatten().map(|file| file.name).collect();
    let wanted = index.files.iter().map(|entry| &entry.name);
    let wanted = wanted.filter(|name| is_archive(name) && !there.contains(*name));
    let (taken, free): (Vec<&String>, Vec<&String>) = wanted.partition(|name| state.join(name).exists());
    for name in &taken {
        std::fs::hard_link(state.join(name), aside.join(name))?;
    }
    keep_journal(config, aside)?;
    let put = |names: Vec<&String>| {
        names.into_iter().try_for_each(|name| {
            let mut mode = std::fs::metadata(fresh.join(name))?.permissions();
            mode.set_readonly(true);
            std::fs::set_permissions(fresh.join(name), mode)?;
            std::fs::rename(fresh.join(name), state.join(name))
        })
    };
    put(free)?;
    File::open(state)?.sync_all()?;
    std::fs::rename(fresh.join(JOURNAL), config.journal_path())?;
    File::open(state)?.sync_all()?;
    put(taken)?;
    File::open(state)?.sync_all()
}

/// Keeps the journal that stands there, and leaves one file in its place that the new one can be renamed over.
fn keep_journal(config: &Config, aside: &Path) -> io::Result<()> {
    let journal = config.journal_path();
    let log = |suffix: &str| PathBuf::from(format!("{}{suffix}", journal.display()));
    // Best as one file; a journal that cannot be folded is kept with its log as it is.
    let folded = journal.exists() && fold(&journal).is_ok();
    for path in [journal.clone(), log("-wal")].into_iter().filter(|path| path.exists()) {
        std::fs::hard_link(&path, aside.join(path.file_name().unwrap_or_default()))?;
    }
    File::open(aside)?.sync_all()?;
    if folded {
        return Ok(());
    }
    // A log belongs to its file alone; it is kept beside it.
    for path in [log("-wal"), log("-shm")].into_iter().filter(|path| path.exists()) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
