//! The FN behind a register: what it holds, permits and refuses.
//!
//! Owns: phases, documents, shift and time rules (`fn-ffd-ofd` A.3 to A.11).
//! Must never: judge the arithmetic of a receipt, which a real FN leaves to the register.

mod counters;
pub mod document;
mod facts;
pub mod ledger;
mod ledger_file;
mod ledger_memory;
mod limits;
pub(crate) mod ofd_message;
mod ofd_queue;
mod storage;

pub use facts::{Draft, Formed, Generation, Habits, Kind, Queue, ReceiptTotals, Shift, Status, Ticket, Troubles, code};
pub use ofd_queue::{KeptTicket, Relay};
pub use storage::FiscalStorage;

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Life phase of an FN (`fn-ffd-ofd` A.3); the value is the byte of its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Phase {
    /// From the factory, 00h.
    Setup = 0x00,
    /// Ready for registration, 01h.
    Ready = 0x01,
    /// Fiscal mode, 03h.
    #[default]
    Fiscal = 0x03,
    /// Closed, documents still go to the OFD, 07h.
    PostFiscal = 0x07,
    /// Everything acknowledged, 0Fh.
    Archive = 0x0F,
}

/// A day, written `2027-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CalendarDay(time::Date);

/// Why a text is not a day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is not a day between 2000 and 2099: write it as 2027-11-22")]
pub struct DayError(String);

impl TryFrom<String> for CalendarDay {
    type Error = DayError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        match time::Date::parse(&text, format) {
            Ok(day) if (2000..2100).contains(&day.year()) => Ok(Self(day)),
            _ => Err(DayError(text)),
        }
    }
}

impl From<CalendarDay> for String {
    fn from(day: CalendarDay) -> Self {
        day.to_string()
    }
}

impl fmt::Display for CalendarDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0.year(),
            u8::from(self.0.month()),
            self.0.day()
        )
    }
}

impl CalendarDay {
    /// The day as a calendar value.
    #[must_use]
    pub const fn date(self) -> time::Date {
        self.0
    }
}

/// The FN that stands in a register, as it left the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FnConfig {
    /// Its number, up to 16 characters; a test FN begins 9999.
    pub number: String,
    /// Its phase when it has no documents yet. A fresh FN in fiscal mode gets its registration report at the start.
    #[serde(default)]
    pub phase: Phase,
    /// Documents it can make in all; 250 000 is the usual limit (`fn-ffd-ofd` B.1).
    #[serde(default = "usual_documents")]
    pub documents_left: u32,
    /// Last day of its keys.
    pub expiry: CalendarDay,
}

const fn usual_documents() -> u32 {
    250_000
}
