//! Ledgers and memories in files.
//!
//! Owns: the file format: a magic, then length, checksum and content of each document.
//! Must never: give out part of a document.

use super::ledger::{LedgerError, LedgerStore, Record, Shelf};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"KSFN\x01\0\0\n";
/// Length and checksum in front of a record.
const HEAD: usize = 4 + 8;
/// Fixed fields of a record in front of its TLV.
const FIXED: usize = 4 + 1 + 4 + 4 + 8;
/// Far above the 32 KiB of the largest document: a longer length is damage.
const MAX_RECORD: usize = 1 << 17;

fn checksum(payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(payload);
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest[..8]);
    sum
}

fn encode(record: &Record) -> Vec<u8> {
    let mut payload = Vec::with_capacity(FIXED + record.tlv.len());
    payload.extend_from_slice(&record.fd.to_le_bytes());
    payload.push(record.kind);
    payload.extend_from_slice(&record.fp.to_le_bytes());
    payload.extend_from_slice(&record.time.to_le_bytes());
    payload.extend_from_slice(&record.made_unix_ms.to_le_bytes());
    payload.extend_from_slice(&record.tlv);
    let mut whole = Vec::with_capacity(HEAD + payload.len());
    whole.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    whole.extend_from_slice(&checksum(&payload));
    whole.extend_from_slice(&payload);
    whole
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The record at the start of `bytes` and its whole length; `None` when it is cut or damaged.
fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
    let length = u32::from_le_bytes(array(bytes, 0)?) as usize;
    if !(FIXED..=MAX_RECORD).contains(&length) {
        return None;
    }
    let payload = bytes.get(HEAD..HEAD + length)?;
    if checksum(payload) != array::<8>(bytes, 4)? {
        return None;
    }
    let record = Record {
        fd: u32::from_le_bytes(array(payload, 0)?),
        kind: payload[4],
        fp: u32::from_le_bytes(array(payload, 5)?),
        time: u32::from_le_bytes(array(payload, 9)?),
        made_unix_ms: i64::from_le_bytes(array(payload, 13)?),
        tlv: payload[FIXED..].to_vec(),
    };
    Some((record, HEAD + length))
}

/// All whole documents of a ledger file, also while a simulator writes it. A torn tail is passed over, not changed.
///
/// # Errors
/// [`LedgerError`].
pub fn read_file(path: &Path) -> Result<Vec<Record>, LedgerError> {
    let mut records = Vec::new();
    scan(path, |record, _| records.push(record))?;
    Ok(records)
}

/// Walks the whole records; returns the length of the good part.
fn scan(path: &Path, mut each: impl FnMut(Record, (u64, usize))) -> Result<u64, LedgerError> {
    let io = |source| LedgerError::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() < MAGIC.len() {
        // Killed while the file was made: as good as empty.
        return if MAGIC.starts_with(&bytes) {
            Ok(0)
        } else {
            Err(LedgerError::NotALedger(path.to_owned()))
        };
    }
    if !bytes.starts_with(MAGIC) {
        return Err(LedgerError::NotALedger(path.to_owned()));
    }
    let mut at = MAGIC.len();
    let mut expected = 1;
    while let Some((record, length)) = decode(&bytes[at..]) {
        if record.fd != expected {
            return Err(LedgerError::Order {
                path: path.to_owned(),
                expected,
                found: record.fd,
            });
        }
        expected += 1;
        each(record, (at as u64, length));
        at += length;
    }
    Ok(at as u64)
}

/// A ledger in one file: a magic, then length, checksum and content of each document.
#[derive(Debug)]
pub struct FileLedger {
    path: PathBuf,
    file: File,
    end: u64,
    places: Vec<(u64, usize)>,
    sync: bool,
}

impl FileLedger {
    /// Opens or makes the file and drops a torn tail. With `sync` each document also survives a power cut of the host.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(path: &Path, sync: bool) -> Result<Self, LedgerError> {
        let io = |source| LedgerError::Io {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        let mut places = Vec::new();
        let mut end = scan(path, |_, place| places.push(place))?;
        file.set_len(end).map_err(io)?;
        if end == 0 {
            file.write_all_at(MAGIC, 0).map_err(io)?;
            end = MAGIC.len() as u64;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            end,
            places,
            sync,
        })
    }

    fn io(&self, source: std::io::Error) -> LedgerError {
        LedgerError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

impl LedgerStore for FileLedger {
    fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        let expected = self.last_fd() + 1;
        if record.fd != expected {
            return Err(LedgerError::Order {
                path: self.path.clone(),
                expected,
                found: record.fd,
            });
        }
        let whole = encode(record);
        self.file.write_all_at(&whole, self.end).map_err(|e| self.io(e))?;
        if self.sync {
            self.file.sync_data().map_err(|e| self.io(e))?;
        }
        self.places.push((self.end, whole.len()));
        self.end += whole.len() as u64;
        Ok(())
    }

    fn last_fd(&self) -> u32 {
        self.places.len() as u32
    }

    fn read(&self, fd: u32) -> Result<Option<Record>, LedgerError> {
        let Some((at, length)) = fd.checked_sub(1).and_then(|i| self.places.get(i as usize)).copied() else {
            return Ok(None);
        };
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at).map_err(|e| self.io(e))?;
        match decode(&bytes) {
            Some((record, _)) => Ok(Some(record)),
            None => Err(LedgerError::NotALedger(self.path.clone())),
        }
    }
}

/// A folder: `<fn>.ledger` for each FN and `<serial>.memory` for each register.
#[derive(Debug, Clone)]
pub struct FileShelf {
    folder: PathBuf,
    sync: bool,
}

impl FileShelf {
    /// A shelf in `folder`, which must exist. `sync` as for [`FileLedger::open`].
    #[must_use]
    pub fn new(folder: &Path, sync: bool) -> Self {
        Self {
            folder: folder.to_owned(),
            sync,
        }
    }

    fn path(&self, name: &str, ending: &str) -> Result<PathBuf, LedgerError> {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain {
            return Err(LedgerError::Name(name.to_owned()));
        }
        Ok(self.folder.join(format!("{name}.{ending}")))
    }

    /// The FNs that have a ledger here, with their files, in the order of their numbers.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn ledgers(&self) -> Result<Vec<(String, PathBuf)>, LedgerError> {
        let io = |source| LedgerError::Io {
            path: self.folder.clone(),
            source,
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|e| e == "ledger")
                && let Some(stem) = path.file_stem().and_then(|s| s.to_str())
            {
                found.push((stem.to_owned(), path.clone()));
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Shelf for FileShelf {
    fn ledger(&mut self, fn_number: &str) -> Result<Box<dyn LedgerStore>, LedgerError> {
        Ok(Box::new(FileLedger::open(&self.path(fn_number, "ledger")?, self.sync)?))
    }

    fn memory(&self, serial: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let path = self.path(serial, "memory")?;
        match std::fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LedgerError::Io { path, source }),
        }
    }

    fn remember(&mut self, serial: &str, content: &[u8]) -> Result<(), LedgerError> {
        let path = self.path(serial, "memory")?;
        let new = self.path(serial, "memory-new")?;
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(content)?;
            // A rename puts the whole new content in place of the old one, or nothing.
            std::fs::rename(&new, &path)
        };
        write().map_err(|source| LedgerError::Io {
            path: path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fiscal_storage::ledger::MemoryShelf;

    fn record(fd: u32) -> Record {
        let tlv = vec![0x10, 0x04, 4, 0, fd as u8, 0, 0, 0];
        Record {
            fd,
            kind: 3,
            fp: 77 + fd,
            time: 1_795_348_800,
            made_unix_ms: 1_795_348_800_123,
            tlv,
        }
    }

    #[test]
    fn a_record_cut_at_any_byte_leaves_the_documents_before_it_and_room_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("9999.ledger");
        let last = encode(&record(2)).len() as u64;
        for cut in 0..last {
            let mut ledger = FileLedger::open(&path, false).unwrap();
            ledger.append(&record(1)).unwrap();
            ledger.append(&record(2)).unwrap();
            let whole = std::fs::metadata(&path).unwrap().len();
            OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(whole - last + cut)
                .unwrap();

            assert_eq!(read_file(&path).unwrap(), vec![record(1)], "cut after {cut} bytes");
            let mut again = FileLedger::open(&path, false).unwrap();
            assert_eq!(again.last_fd(), 1);
            again.append(&record(2)).unwrap();
            assert_eq!(again.read(2).unwrap(), Some(record(2)));
            assert_eq!(read_file(&path).unwrap().len(), 2);
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_changed_byte_ends_the_ledger_before_the_damaged_document() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("9999.ledger");
        let mut ledger = FileLedger::open(&path, true).unwrap();
        ledger.append(&record(1)).unwrap();
        ledger.append(&record(2)).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len() - 1;
        bytes[end] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_file(&path).unwrap(), vec![record(1)]);
    }

    #[test]
    fn a_file_that_is_no_ledger_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ledger");
        std::fs::write(&path, b"a text that someone put here").unwrap();
        assert!(matches!(
            FileLedger::open(&path, false),
            Err(LedgerError::NotALedger(_))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"a text that someone put here");
    }

    #[test]
    fn a_document_out_of_order_is_refused() {
        let shelf = MemoryShelf::new();
        let mut ledger = shelf.clone().ledger("9999").unwrap();
        ledger.append(&record(1)).unwrap();
        assert!(ledger.append(&record(3)).is_err());
        assert_eq!(shelf.records("9999").len(), 1);
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = FileShelf::new(folder.path(), false);
        assert!(shelf.ledger("../x").is_err());
        assert!(shelf.remember("", b"").is_err());
    }
}
