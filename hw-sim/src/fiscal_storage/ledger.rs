//! Where the documents of an FN stand.
//!
//! Owns: the form of a stored document, and what a store of them must keep.
//! Must never: hold part of a document, or change one that was appended.

pub use super::ledger_file::{FileLedger, FileShelf, read_file};
pub use super::ledger_memory::{MemoryLedger, MemoryShelf};
use std::path::PathBuf;
use thiserror::Error;

/// One fiscal document as the FN keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Document number within its FN (tag 1040), gapless from 1.
    pub fd: u32,
    /// Document code of the FFD (`fn-ffd-ofd` C.2): 1 registration, 2 shift open, 3 receipt, 5 shift close, 31 correction.
    pub kind: u8,
    /// Fiscal sign (tag 1077, low four bytes).
    pub fp: u32,
    /// The document's time, tag 1012: local wall time encoded as if it were UTC.
    pub time: u32,
    /// True time when it was made, milliseconds since 1970 UTC: how a test sees a wrong clock. No FN has this.
    pub made_unix_ms: i64,
    /// The document's tags as TLV, 1040 and 1077 among them.
    pub tlv: Vec<u8>,
}

/// What went wrong with a ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("ledger {path}: {source}; check the state folder")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is not a ledger, or of a later version.
    #[error("{0} is not a ledger of this simulator; name another state folder")]
    NotALedger(PathBuf),
    /// Whole records that do not follow each other.
    #[error("ledger {path}: document {found} stands where {expected} should; the file was changed from outside")]
    Order {
        /// Which file.
        path: PathBuf,
        /// Number that should come.
        expected: u32,
        /// Number that came.
        found: u32,
    },
    /// A name that cannot be a file name.
    #[error("\"{0}\" cannot name an FN or a register: letters, digits and dashes only")]
    Name(String),
}

/// The documents of one FN.
pub trait LedgerStore: Send {
    /// Adds a document. When this returns `Ok` the document survives the death of the process.
    ///
    /// # Errors
    /// [`LedgerError`]; the document then does not exist.
    fn append(&mut self, record: &Record) -> Result<(), LedgerError>;

    /// How many documents there are; also the number of the last.
    fn last_fd(&self) -> u32;

    /// A document by its number; `None` when there is none.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be read.
    fn read(&self, fd: u32) -> Result<Option<Record>, LedgerError>;
}

/// Where FNs lie and registers keep what survives a power cut.
pub trait Shelf: Send {
    /// The ledger of an FN, made if there is none. A torn tail (a record cut by kill -9) is dropped.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn ledger(&mut self, fn_number: &str) -> Result<Box<dyn LedgerStore>, LedgerError>;

    /// What a register kept.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn memory(&self, serial: &str) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Keeps what a register must not lose, in place of what it kept before.
    ///
    /// # Errors
    /// [`LedgerError`]; the old content stands then.
    fn remember(&mut self, serial: &str, content: &[u8]) -> Result<(), LedgerError>;
}
