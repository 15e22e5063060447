//! What an FN is asked and what it says.
//!
//! Owns: document kinds, answer codes, and the values that pass between FN and register.
//! Must never: hold state.

use super::Phase;
use super::document::Body;
use kassette_wire::value::LocalTime;

/// Document codes of the FFD that this FN can make (`fn-ffd-ofd` C.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Registration report.
    Registration = 1,
    /// Shift open.
    ShiftOpen = 2,
    /// Receipt.
    Receipt = 3,
    /// Shift close.
    ShiftClose = 5,
    /// Closing of the FN.
    Closing = 6,
    /// Re-registration report, with or without another FN.
    Reregistration = 11,
    /// State of settlements.
    CalculationState = 21,
    /// Correction receipt.
    Correction = 31,
}

impl Kind {
    /// Whether it says for whom the register works.
    #[must_use]
    pub const fn registers(self) -> bool {
        matches!(self, Self::Registration | Self::Reregistration)
    }
}

/// FN answer codes (`fn-ffd-ofd` A.7), as they pass through the register.
pub mod code {
    /// Wrong FN state.
    pub const STATE: u8 = 0x02;
    /// FN failure.
    pub const FAILURE: u8 = 0x03;
    /// The life of the FN has ended.
    pub const EXPIRED: u8 = 0x05;
    /// Archive full (FN of the first generation).
    pub const FULL: u8 = 0x06;
    /// Wrong date or time.
    pub const TIME: u8 = 0x07;
    /// No data.
    pub const NO_DATA: u8 = 0x08;
    /// Tag not allowed in this block.
    pub const TAG_NOT_ALLOWED: u8 = 0x0B;
    /// Duplicated tag.
    pub const TAG_TWICE: u8 = 0x0C;
    /// Wrong value of a parameter, for a registration that of the RNM's check digits.
    pub const BAD_VALUE: u8 = 0x09;
    /// TLV size exceeded.
    pub const TOO_LARGE: u8 = 0x10;
    /// Resource exhausted (FN 1.2).
    pub const EXHAUSTED: u8 = 0x12;
    /// No room for documents to the OFD; in an FN 1.2 the 30-day limit too.
    pub const OFD_STORE: u8 = 0x14;
    /// Oldest message waits for more than 30 days (FN of the first generation).
    pub const OFD_DAYS: u8 = 0x15;
    /// No transport connection.
    pub const NO_TRANSPORT: u8 = 0x11;
    /// A message of the OFD cannot be taken.
    pub const OFD_MESSAGE: u8 = 0x20;
    /// Shift longer than 24 hours.
    pub const SHIFT_AGE: u8 = 0x16;
    /// The register's clock and the FN's timer differ.
    pub const CLOCK_DELTA: u8 = 0x17;
}

/// FN firmware families, which word the same trouble differently (`fn-ffd-ofd` A.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// Codes 06h and 15h, no tag checks.
    First,
    /// Codes 12h and 14h, tag checks 0Bh to 0Dh.
    Fn12,
}

/// Where FNs differ from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Firmware family.
    pub generation: Generation,
    /// A shift may open up to one hour before the last document (A.8, one source).
    pub open_may_lag_close: bool,
}

/// What a register hands over for a document.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which document.
    pub kind: Kind,
    /// Time by the register's clock; the FN takes it without seconds.
    pub time: LocalTime,
    /// Everything but the tags that the FN puts in front.
    pub body: Body,
}

/// A document that stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formed {
    /// Its number.
    pub fd: u32,
    /// Its fiscal sign.
    pub fp: u32,
    /// Shift it belongs to.
    pub shift: u16,
    /// Receipt number in the shift; 0 for reports.
    pub receipt: u16,
    /// Its time.
    pub time: LocalTime,
}

/// The shift as the FN counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// Whether it is open.
    pub open: bool,
    /// Its number, or of the last one; 0 before the first.
    pub number: u16,
    /// Receipts in it.
    pub receipts: u16,
    /// Documents in it.
    pub documents: u32,
    /// Time of its opening by the register's clock.
    pub opened: Option<LocalTime>,
    /// True time of its opening, milliseconds since 1970 UTC: the FN's own timer.
    pub(super) opened_ms: i64,
}

/// Answer to a status question (A.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Life phase.
    pub phase: Phase,
    /// Warning flags.
    pub warnings: u8,
    /// Time of the last document.
    pub last_time: Option<LocalTime>,
    /// Number of the last document.
    pub last_fd: u32,
}

/// Receipts and corrections of one settlement sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiptTotals {
    /// How many.
    pub count: u32,
    /// Their sum, kopecks.
    pub total: u64,
    /// What was paid in cash, kopecks.
    pub cash: u64,
}

/// The OFD's answer to a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// When the OFD took it, true time, milliseconds since 1970 UTC.
    pub taken_unix_ms: i64,
    /// The OFD's sign, up to 18 bytes.
    pub sign: Vec<u8>,
}

/// What has no ticket yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// How many documents.
    pub length: u16,
    /// The oldest of them.
    pub first_fd: u32,
    /// Its time.
    pub first_time: Option<LocalTime>,
}

/// Faults that stay until they are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Troubles {
    /// Every operation answers this.
    pub code: Option<u8>,
    /// No room for documents.
    pub full: bool,
    /// The keys' term has passed.
    pub expired: bool,
    /// No tickets since this true time.
    pub ofd_down_since_ms: Option<i64>,
}
