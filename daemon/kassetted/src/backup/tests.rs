//! Backups with archives, and what a restore does to the files that stand there.
//!
//! Owns: that every file of a journal comes along and nothing that stood there is lost.
//! Must never: need a register.

use super::*;
use crate::config::HostEnvironment;
use crate::entropy::HostEntropy;
use crate::journal_parts::store_config;
use kassette_core::journal::Store;
use sha2::{Digest as _, Sha256};
use std::fs;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const OLD: &str = "archive-2026-07.db";
const NEW: &str = "archive-2026-08.db";

fn host(home: &Path) -> Config {
    let host = HostEnvironment {
        uid: 1000,
        home: Some(home.to_owned()),
        ..HostEnvironment::default()
    };
    Config::load(None, &host).unwrap()
}

/// A journal that names two archives, and a key.
fn worked(home: &Path) -> Config {
    let config = host(home);
    folder(&config.keys_dir).unwrap();
    fs::write(config.keys_dir.join("9901000010"), "a key").unwrap();
    drop(Store::open(&store_config(&config), &HostEntropy, NOW).unwrap());
    let journal = rusqlite::Connection::open(config.journal_path()).unwrap();
    for (number, name) in [(1_i64, OLD), (2, NEW)] {
        fs::write(config.state_dir.join(name), name).unwrap();
        let hash = Sha256::digest(name).to_vec();
        journal
            .execute(
                "INSERT INTO archives (number, name, bytes, hash, sealed_at, jobs, attempts, documents, sum) \
                 VALUES (?1, ?2, ?3, ?4, 0, 0, 0, 0, x'')",
                (number, name, i64::try_from(name.len()).unwrap(), hash),
            )
            .unwrap();
    }
    config
}

/// Takes a backup into a file, and tells what was left out.
fn backup(config: &Config, to: &Path) -> Vec<Reason> {
    let files = Files {
        journal: config.journal_path(),
        keys: config.keys_dir.clone(),
    };
    let mut taken = take(&files, true, NOW).unwrap();
    let written = io::copy(&mut taken.bytes, &mut File::create(to).unwrap()).unwrap();
    assert_eq!(written, taken.size);
    taken.left_out.clone()
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn kept(config: &Config) -> PathBuf {
    let all = fs::read_dir(&config.state_dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut kept: Vec<PathBuf> = all
        .filter(|path| path.display().to_string().contains("before-restore"))
        .collect();
    assert_eq!(kept.len(), 1);
    kept.remove(0)
}

#[test]
fn archives_and_keys_come_along_into_an_empty_state_folder() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = home.path().join("b");
    assert!(backup(&worked(home.path()), &file).is_empty());
    let there = host(other.path());
    let said = restore(&there, &file, false);
    assert!(said.text.contains("2 archives, 1 key files"), "{}", said.text);
    assert!(!there.journal_path().exists(), "without --yes nothing changes");
    assert_eq!(restore(&there, &file, true).exit, Exit::Done);

    let found = archive_files(&there.journal_path(), &there.state_dir).unwrap();
    assert_eq!(found.len(), 2);
    for file in found {
        let mode = fs::metadata(file.unwrap().path).unwrap().permissions();
        assert!(mode.readonly(), "an archive is only read");
    }
    assert_eq!(read(&there.keys_dir, "9901000010"), "a key");
    assert!(!there.state_dir.join("restore.new").exists());
}

#[test]
fn what_stood_in_the_place_of_a_restored_file_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let config = worked(home.path());
    let file = home.path().join("b");
    backup(&config, &file);
    fs::write(config.state_dir.join(NEW), "another life's").unwrap();
    fs::write(config.state_dir.join("archive-2026-09.db"), "younger").unwrap();
    fs::write(config.keys_dir.join("9901000010"), "another key").unwrap();
    let said = restore(&config, &file, true);
    assert_eq!(said.exit, Exit::Done, "{}", said.text);

    assert_eq!(
        (read(&config.state_dir, OLD), read(&config.state_dir, NEW)),
        (OLD.into(), NEW.into())
    );
    assert_eq!(
        read(&config.state_dir, "archive-2026-09.db"),
        "younger",
        "a file it does not know"
    );
    assert_eq!(read(&config.keys_dir, "9901000010"), "a key");
    let aside = kept(&config);
    assert_eq!(read(&aside, NEW), "another life's");
    assert_eq!(read(&aside, "9901000010"), "another key");
    assert_eq!(
        copy_facts(&aside.join("journal.sqlite")).unwrap().taken_at,
        None,
        "the journal of before"
    );
    assert_eq!(copy_facts(&config.journal_path()).unwrap().taken_at, Some(NOW.0));
}

#[test]
fn an_archive_that_is_not_what_was_written_is_left_out_and_named() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = worked(home.path());
    let file = home.path().join("b");
    fs::write(config.state_dir.join(OLD), "changed of 18 byte").unwrap();
    fs::remove_file(config.state_dir.join(NEW)).unwrap();
    let codes: Vec<Code> = backup(&config, &file).iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::ArchiveDamaged, Code::ArchiveMissing]);
    let said = restore(&host(other.path()), &file, true);
    assert_eq!(said.exit, Exit::Done, "{}", said.text);
    assert!(said.text.contains(OLD) && said.text.contains(NEW), "{}", said.text);
}

#[test]
fn a_backup_that_was_cut_or_altered_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = worked(home.path());
    let file = home.path().join("b");
    backup(&config, &file);
    let whole = fs::read(&file).unwrap();
    let journal = fs::read(config.journal_path()).unwrap();
    let at = whole
        .windows(OLD.len())
        .rposition(|part| part == OLD.as_bytes())
        .unwrap();
    let mut altered = whole.clone();
    altered[at] ^= 1;
    let mut longer = whole.clone();
    longer.push(0);
    for bad in [
        &whole[..whole.len() - 1],
        &whole[..10],
        &altered,
        &longer,
        b"something else entirely",
    ] {
        fs::write(&file, bad).unwrap();
        let said = restore(&config, &file, true);
        assert_eq!(said.exit, Exit::Refused, "{}", said.text);
        assert!(said.text.contains("nothing was put in place"), "{}", said.text);
        assert_eq!(fs::read(config.journal_path()).unwrap(), journal);
    }
}
