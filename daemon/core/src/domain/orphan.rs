//! Documents that were read from an FN whose ledger this journal does not know whole.
//!
//! Owns: what is kept of such a document, and whose it may be.
//! Must never: hold a buyer in clear.

use super::attempt::{Evidence, Learned};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::ffd::DocumentCode;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Inn, Kopecks, LocalTime, RegisterId, Rnm, ShiftNumber};

/// Why the documents of an FN are read before its lane opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadWhy {
    /// This journal never knew the FN.
    New,
    /// The FN has documents above the journal's mark and no attempt explains them.
    Ahead,
    /// This journal is a copy that was put in place.
    Restore,
}

impl ReadWhy {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ahead => "ahead",
            Self::Restore => "restore",
        }
    }

    /// From its stored text.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        [Self::New, Self::Ahead, Self::Restore]
            .into_iter()
            .find(|why| why.as_str() == text)
    }
}

/// A reading of an FN that has not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Why.
    pub why: ReadWhy,
    /// Since when.
    pub began_at: UnixMillis,
    /// The last document that need not be read; absent until it was looked for.
    pub mark: Option<FdNumber>,
    /// Read up to here.
    pub read: FdNumber,
}

/// What has become of a document that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrphanState {
    /// It explains itself, or a job explains it.
    Noted,
    /// A receipt without a job.
    Open,
    /// It is the document of a job.
    Claimed,
    /// A person knows it as somebody else's.
    Dismissed,
}

impl OrphanState {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Open => "open",
            Self::Claimed => "claimed",
            Self::Dismissed => "dismissed",
        }
    }

    /// From its stored text.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        [Self::Noted, Self::Open, Self::Claimed, Self::Dismissed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A document that was read from an FN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedDocument {
    /// Its number.
    pub fd: FdNumber,
    /// Its code; 0 when the FN has the number but not the content.
    pub code: u16,
    /// The job key in it, when that is of our form and names our rack.
    pub key: Option<JobKey>,
    /// Settlement sign, tag 1054.
    pub sign: Option<u32>,
    /// Total, tag 1020.
    pub total: Option<Kopecks>,
    /// Fiscal sign, tag 1077.
    pub fp: Option<FiscalSign>,
    /// Local time, tag 1012.
    pub time: Option<LocalTime>,
    /// Shift, tag 1038.
    pub shift: Option<ShiftNumber>,
    /// Number in the shift, tag 1042.
    pub number_in_shift: Option<u32>,
    /// Its tags, encrypted; receipts alone.
    pub sealed: Option<crate::journal::Sealed>,
}

impl NotedDocument {
    /// Whether it is a receipt, a BSO, or a correction of one.
    #[must_use]
    pub fn is_settlement(&self) -> bool {
        DocumentCode::from_code(self.code).is_some_and(DocumentCode::is_settlement)
    }
}

/// A document that was read from an FN, with where it was read and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its row number.
    pub id: i64,
    /// The FN.
    pub fn_number: FnNumber,
    /// The taxpayer.
    pub tenant: Inn,
    /// The register that was read.
    pub register: RegisterId,
    /// Its registration number.
    pub rnm: Rnm,
    /// Zone of the registration, minutes east of UTC.
    pub zone_minutes: i16,
    /// What was read.
    pub document: NotedDocument,
    /// What has become of it.
    pub state: OrphanState,
    /// Its lane waits for a person because of it.
    pub stops: bool,
    /// The job whose document it is.
    pub job: Option<JobKey>,
    /// When it was read.
    pub at: UnixMillis,
}

impl Orphan {
    /// The proof it is; `None` when it lacks what every document has.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        Some(Evidence {
            fn_number: self.fn_number.clone(),
            fd: self.document.fd,
            fp: self.document.fp?,
            shift: self.document.shift?,
            number_in_shift: self.document.number_in_shift.unwrap_or(0),
            time: self.document.time?,
            zone_minutes: self.zone_minutes,
            register: self.register.clone(),
            rnm: self.rnm.clone(),
            total: self.document.total.unwrap_or_default(),
            learned: Learned::Scan,
        })
    }
}
