//! The journal against copies of FNs: what is lost, what stands twice, what nobody ordered.
//!
//! Owns: the comparison of every document of a copy with the journal's rows and jobs, and of the rows with the copies.
//! Must never: write, guess, or leave out in silence what could not be compared.

mod facts;
mod findings;
mod judge;
mod remainder;

pub use findings::{Finding, Reconciliation};

use super::open::{Fault, OpenError};
use super::store::connect_to_read;
use crate::parts::{TenantKeys, UnixMillis};
use facts::{Books, FnFacts};
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::ffd::Document;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Inn, Kopecks, LocalTime};
use std::collections::BTreeMap;
use std::path::Path;

/// What a copy tells of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedDocument {
    /// Its FN.
    pub fn_number: FnNumber,
    /// Its number.
    pub fd: FdNumber,
    /// Its fiscal sign.
    pub fp: FiscalSign,
    /// What it says.
    pub content: CopiedContent,
}

/// How much a copy tells of a document's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopiedContent {
    /// Every tag.
    Whole(Document),
    /// What an export of documents tells.
    Summary {
        /// Code of the document.
        code: u16,
        /// Its total.
        total: Kopecks,
        /// Its local time.
        time: Option<LocalTime>,
    },
}

/// Why a buyer cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The keys of a tenant, under which its buyers and their digests are kept.
pub type KeysOf = Box<dyn Fn(&Inn) -> Result<TenantKeys, Unreadable>>;

/// A copy that is being read.
struct Source {
    name: String,
    /// When the copy was made: a document that was learned later cannot be in it.
    taken_at: Option<UnixMillis>,
}

/// What was seen of one document in the copies.
struct Seen {
    fp: u32,
    /// Start of the digest of its bytes, of a copy that holds them.
    digest: Option<[u8; 8]>,
    is_receipt: bool,
    source: usize,
}

/// What is known of one FN while the copies are read.
struct Lane {
    facts: Option<FnFacts>,
    seen: BTreeMap<u32, Seen>,
}

/// The comparison. Copies are read one after the other, in any order; then [`Reconciler::finish`] tells the rest.
///
/// It holds some 50 bytes for each document and, for each key of this rack, its place.
pub struct Reconciler {
    books: Books,
    keys: KeysOf,
    sources: Vec<Source>,
    lanes: BTreeMap<FnNumber, Lane>,
    /// First place of each key that no job of this journal has.
    orphans: BTreeMap<JobKey, (FnNumber, u32)>,
    found: Reconciliation,
}

impl Reconciler {
    /// Opens a journal to be compared, at one instant; the daemon may go on.
    ///
    /// # Errors
    /// [`OpenError`] when there is no journal that this program can read.
    pub fn open(path: &Path, keys: KeysOf) -> Result<Self, OpenError> {
        let open = || -> Result<Self, Fault> {
            let conn = connect_to_read(path)?;
            conn.execute_batch("BEGIN")?;
            let (books, missing) = Books::open(conn)?;
            let mut found = Reconciliation {
                jobs: books.jobs()?,
                ..Reconciliation::default()
            };
            for error in missing {
                found.unsure(Finding::new(Code::LedgerNotCompared, error.to_string()));
            }
            Ok(Self {
                books,
                keys,
                sources: Vec::new(),
                lanes: BTreeMap::new(),
                orphans: BTreeMap::new(),
                found,
            })
        };
        open().map_err(|fault| fault.at(path.display().to_string()))
    }

    /// The copy that the next documents stand in, and when it was made if that is known.
    pub fn source(&mut self, name: &str, taken_at: Option<UnixMillis>) {
        self.sources.push(Source {
            name: name.to_owned(),
            taken_at,
        });
    }

    /// Something in the copy at hand that cannot be read or contradicts itself.
    pub fn unreadable(&mut self, text: String) {
        let text = format!("{}: {text}", self.source_name());
        self.found.differs(Finding::new(Code::LedgerCopyUnreadable, text));
    }

    /// Something that the copy at hand cannot show.
    pub fn not_compared(&mut self, text: String) {
        let text = format!("{}: {text}", self.source_name());
        self.found.unsure(Finding::new(Code::LedgerNotCompared, text));
    }

    fn source_name(&self) -> &str {
        self.sources.last().map_or("no copy", |source| source.name.as_str())
    }

    /// Compares one document of the copy at hand.
    ///
    /// # Errors
    /// [`OpenError`] when the journal cannot be read any more; a difference is no error.
    pub fn document(&mut self, document: &CopiedDocument) -> Result<(), OpenError> {
        self.judge(document).map_err(|fault| self.failed(fault))
    }

    /// Compares what the journal names with what the copies showed, and gives the result.
    ///
    /// # Errors
    /// [`OpenError`] when the journal cannot be read any more.
    pub fn finish(mut self) -> Result<Reconciliation, OpenError> {
        match self.remainder() {
            Ok(()) => Ok(self.found),
            Err(fault) => Err(self.failed(fault)),
        }
    }

    fn failed(&self, fault: Fault) -> OpenError {
        fault.at(self.books.journal.path().unwrap_or_default().to_owned())
    }
}
