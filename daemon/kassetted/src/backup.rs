//! Backups: one file that holds a copy of the journal and the tenants' keys, and putting it in place.
//!
//! A backup is a line that names it, a line of JSON that lists its files, and the bytes of those files in that order.
//!
//! Owns: that form, and the order of a restore: keys first, then the journal by one rename, so that an interrupted one
//! leaves the journal that was there or the one of the backup.
//! Must never: delete what stood there before, or work beside a running daemon.

use crate::cli::Said;
use crate::config::Config;
use crate::exit::Exit;
use crate::locks::{holder_name, lock_file};
use kassette_core::journal::{CopyFacts, copy, copy_facts, fold, inspect};
use kassette_core::parts::UnixMillis;
use kassette_wire::codes::Code;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const NAME: &str = "KASSETTE-BACKUP 1\n";
/// Longest list of files, bytes.
const INDEX_MAX: u64 = 1 << 20;
/// Name of the journal inside a backup; every other file is the key file of a tenant.
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
/// When the copy cannot be written or a key not be read.
pub fn take(files: &Files, with_keys: bool, now: UnixMillis) -> io::Result<Taken> {
    let copy_path = files.journal.with_extension(format!("backup-{}", now.0));
    let facts = copy(&files.journal, &copy_path, now).map_err(io::Error::other);
    if facts.is_err() {
        std::fs::remove_file(&copy_path).ok();
    }
    let facts = facts?;
    let mut entries = vec![Entry {
        name: JOURNAL.into(),
        bytes: std::fs::metadata(&copy_path)?.len(),
    }];
    let mut bytes: Box<dyn Read + Send> = Box::new(File::open(&copy_path)?);
    for path in keys_of(&files.keys, with_keys)? {
        let content = std::fs::read(&path)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        entries.push(Entry {
            name: name.to_owned(),
            bytes: content.len() as u64,
        });
        bytes = Box::new(bytes.chain(io::Cursor::new(content)));
    }
    let index = serde_json::to_string(&Index { files: entries.clone() })?;
    let head = format!("{NAME}{index}\n");
    let size = head.len() as u64 + entries.iter().map(|entry| entry.bytes).sum::<u64>();
    Ok(Taken {
        facts,
        bytes: Box::new(io::Cursor::new(head.into_bytes()).chain(bytes)),
        size,
        copy: copy_path,
    })
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

/// Shows what a restore would put in the place of what; with `yes` does it.
pub(crate) fn restore(config: &Config, from: &Path, yes: bool) -> Said {
    match restored(config, from, yes) {
        Ok(said) => said,
        Err(error) => {
            let code = Code::BackupFailed;
            let text = format!("{}: {error} [{code}]\n  nothing was put in place", from.display());
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
    folder(state)?;
    let _lock = lock_file(&state.join("lock"), &holder_name(state))
        .map_err(|error| io::Error::other(format!("the state folder is in use, stop the daemon first: {error}")))?;
    let fresh = state.join("restore.new");
    if fresh.exists() {
        // What an interrupted restore unpacked; it was never in place.
        std::fs::remove_dir_all(&fresh)?;
    }
    folder(&fresh)?;
    let index = unpack(from, &fresh)?;
    let facts = copy_facts(&fresh.join(JOURNAL)).map_err(io::Error::other)?;
    if facts.taken_at.is_none() {
        return Err(io::Error::other("the journal in it does not say that it is a copy"));
    }
    let there = match inspect(&config.journal_path()) {
        Ok(known) => format!("sequence {}, {} documents", known.sequence, known.documents),
        Err(_) => "no journal that can be read".to_owned(),
    };
    let keys = index.files.len() - 1;
    let shown = format!(
        "{}\n  there now    {there}\n  the backup   sequence {}, schema {}, {keys} key files",
        config.journal_path().display(),
        facts.sequence,
        facts.schema
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
    let keys_alone = |files: &[Entry]| files.iter().all(|entry| is_key(&entry.name));
    match index.files.split_first() {
        Some((journal, keys)) if journal.name == JOURNAL && keys_alone(keys) => {}
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

/// Keys first, the journal last and by one rename.
fn put_in_place(config: &Config, fresh: &Path, index: &Index) -> io::Result<PathBuf> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(io::Error::other)?;
    let aside = config.state_dir.join(format!("before-restore-{}", now.as_millis()));
    folder(&aside)?;
    folder(&config.keys_dir)?;
    for entry in index.files.iter().skip(1) {
        let (new, place) = (fresh.join(&entry.name), config.keys_dir.join(&entry.name));
        if place.exists() && std::fs::read(&place)? == std::fs::read(&new)? {
            continue;
        }
        if place.exists() {
            std::fs::hard_link(&place, aside.join(&entry.name))?;
        }
        std::fs::rename(&new, &place)?;
    }
    let journal = config.journal_path();
    let log = |suffix: &str| PathBuf::from(format!("{}{suffix}", journal.display()));
    if journal.exists() {
        // Best as one file; a journal that cannot be folded is kept with its log as it is.
        let folded = fold(&journal);
        for path in [journal.clone(), log("-wal")].into_iter().filter(|path| path.exists()) {
            let name = path.file_name().unwrap_or_default();
            std::fs::hard_link(&path, aside.join(name))?;
        }
        File::open(&aside)?.sync_all()?;
        if folded.is_err() {
            // A log belongs to its file alone; it is kept beside it.
            for path in [log("-wal"), log("-shm")].into_iter().filter(|path| path.exists()) {
                std::fs::remove_file(path)?;
            }
        }
    }
    std::fs::rename(fresh.join(JOURNAL), &journal)?;
    File::open(&config.state_dir)?.sync_all()?;
    Ok(aside)
}
