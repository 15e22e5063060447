//! A register and its FN as the device itself states them.
//!
//! Owns: the vendor-neutral picture a driver gives of its device.
//! Must never: hold a fact that was not read from the device.

pub use kassette_receipts::rules::Ffd;
use kassette_wire::value::{FdNumber, FnNumber, Inn, LocalTime, RegisterId, Rnm, ShiftNumber};
use serde::{Deserialize, Serialize};

/// Who answers on a port, read with identification commands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Vendor and factory serial.
    pub register: RegisterId,
    /// Name of the model as the device states it.
    pub model: String,
    /// Firmware version and build.
    pub firmware: String,
    /// Number of the FN inside; `None` when the register states that it has none.
    pub fn_number: Option<FnNumber>,
}

/// What the FN was activated with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Taxpayer.
    pub inn: Inn,
    /// Registration number of the register.
    pub rnm: Rnm,
    /// Tax systems allowed, bits of tag 1062.
    pub tax_systems: u32,
    /// Work mode bits: 0 encryption, 1 autonomous, 2 automatic, 3 services, 4 BSO, 5 internet.
    pub work_mode: u32,
    /// Format of the documents this register makes.
    pub ffd: Ffd,
    /// Settlement address, tag 1009, where the device tells it.
    pub address: Option<String>,
    /// Settlement place, tag 1187, where the device tells it.
    pub place: Option<String>,
}

/// Life phase of an FN (`fn-ffd-ofd` A.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FnPhase {
    /// Not yet registered (00h, 01h).
    Blank,
    /// Fiscal mode: makes documents (03h).
    Fiscal,
    /// Archive closed, documents still go to the OFD (07h).
    Closed,
    /// Archive only (0Fh).
    Archive,
    /// Bits that fit none of them.
    Unknown,
}

/// Shift as the device states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftState {
    /// Whether a shift is open.
    pub open: bool,
    /// Its number, or the last one's.
    pub number: ShiftNumber,
    /// Receipts made in it.
    pub receipts: u32,
    /// The device says it is older than 24 h.
    pub over_24h: bool,
}

/// The FN as it states itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FnState {
    /// Its number.
    pub number: FnNumber,
    /// Its life phase.
    pub phase: FnPhase,
    /// Number of its last document: what every baseline is taken from.
    pub last_fd: FdNumber,
    /// A document is open in it.
    pub document_open: bool,
    /// Warning flags (`fn-ffd-ofd` A.5): 01 replace within 3 days, 02 within 30 days, 04 archive 90 % full, 08 OFD
    /// answer overdue, 10 format refused, 20 setup needed, 40 OFD annulled, 80 critical error.
    pub warnings: u8,
    /// Local time of its last document.
    pub last_time: Option<LocalTime>,
}

impl FnState {
    /// A flag that stops all new work: critical error, or replacement within 3 days (`fn-ffd-ofd` A.5).
    #[must_use]
    pub const fn stops_work(&self) -> bool {
        self.warnings & 0x81 != 0
    }
}

/// What a register is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Ready for a command, no document open.
    Idle,
    /// A document is open.
    DocumentOpen,
    /// Printing or finishing something; wait.
    Busy,
    /// Waits for "continue printing"; a driver's `finish_interrupted` gives it.
    WaitsContinue,
    /// Paper is out while something has to be printed.
    PaperOut,
    /// A mode in which no document can be made until a person acts.
    Blocked,
}

/// State of a register, all of it read in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub activity: Activity,
    /// Vendor words for the mode, for people: `mode 8.0`.
    pub mode_text: String,
    /// Its clock.
    pub clock: LocalTime,
    /// Shift.
    pub shift: ShiftState,
    /// FN.
    pub fn_state: FnState,
}

/// Use of an FN's memory and life, where the device tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FnResource {
    /// Documents that still fit.
    pub documents_left: Option<u32>,
    /// Day of expiry: year, month, day.
    pub expires: Option<(i32, u8, u8)>,
    /// Documents the OFD has not confirmed.
    pub unsent: Option<u32>,
    /// Local time of the oldest of them.
    pub oldest_unsent: Option<LocalTime>,
}
