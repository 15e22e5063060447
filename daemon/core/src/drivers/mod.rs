//! Drivers: what a vendor's register can be asked, in vendor-neutral words.
//!
//! Owns: the trait [`Driver`] and the one table of vendors.
//! Must never: know the journal, a job's history, or a surface; repeat anything inside a document.

use crate::domain::attempt::{Made, ReceiptOrder};
use crate::domain::device::{FnResource, Identity, Registration, Status};
use crate::domain::plan::LinkChoice;
use crate::exchange::DriverTiming;
use crate::parts::{FaultPoints, Port};
use async_trait::async_trait;
use kassette_wire::codes::Code;
use kassette_wire::ffd::Document;
use kassette_wire::value::{FdNumber, Inn, LocalTime, Rnm, Vendor};
use thiserror::Error;

/// Why a question to a register has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DriverError {
    /// The link failed: silent, garbled or gone. After it nothing is known of the command.
    #[error("{command}: {text}")]
    Link {
        /// The command as the vendor writes it.
        command: String,
        /// Our code.
        code: Code,
        /// Words for people.
        text: String,
        /// The port itself is gone and must be opened again.
        port_gone: bool,
    },
    /// The register refused with a code.
    #[error("{command} was refused with code {device_code:02X}: {text}")]
    Refused {
        /// The command as the vendor writes it.
        command: String,
        /// The vendor's code.
        device_code: u8,
        /// Our code.
        code: Code,
        /// Words for people.
        text: String,
    },
    /// The answer cannot be what the command returns.
    #[error("{command} was answered with something else: {text}")]
    Nonsense {
        /// The command as the vendor writes it.
        command: String,
        /// Words for people.
        text: String,
    },
    /// The register is in a state in which this must not be done; it was not sent.
    #[error("{command}: {text}")]
    NotNow {
        /// The command as the vendor writes it.
        command: String,
        /// Our code.
        code: Code,
        /// Words for people.
        text: String,
    },
    /// What the register says in one place cannot be true beside what it says in another.
    #[error("the register contradicts itself: {0}")]
    Contradiction(String),
    /// This model needs a fact that the driver does not have (a CONFLICT of the reference).
    #[error("{0}")]
    Undecided(String),
}

impl DriverError {
    /// The code of the reason.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Link { code, .. } | Self::Refused { code, .. } | Self::NotNow { code, .. } => *code,
            Self::Nonsense { .. } => Code::RegisterGarbled,
            Self::Contradiction(_) => Code::RegisterContradicts,
            Self::Undecided(_) => Code::ModelUndecided,
        }
    }
}

/// A document read back from the FN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentRead {
    /// Read to its end.
    Whole(Document),
    /// The FN says it has no such data. Never proof of absence for a number at or below its last.
    NoData,
    /// The read broke off or made no sense; nothing is known.
    Cut(String),
}

/// A register of one vendor on an open port. One command at a time; the port is the driver's alone.
///
/// Nothing here is sent twice inside a document: from the command that opens it to the one that makes it, the first
/// exchange that does not end cleanly ends the try.
#[async_trait]
pub trait Driver: Send {
    /// Empties the link: reads and drops answers of earlier commands until the register shows that it waits for a new
    /// one, then exchanges a fresh status request. Sends nothing beyond identification and state.
    ///
    /// # Errors
    /// [`DriverError::Link`] when the register does not come to that point in the bounded time.
    async fn barrier(&mut self) -> Result<(), DriverError>;

    /// Who answers. Identification commands alone; safe on a register that is not ours.
    ///
    /// # Errors
    /// [`DriverError`] when the answers fail or are not those of a register of this vendor.
    async fn identify(&mut self) -> Result<Identity, DriverError>;

    /// The registration the FN was activated with.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn registration(&mut self) -> Result<Registration, DriverError>;

    /// The taxpayer and the registration number alone: what settling a doubt needs, where `registration` fails over a field
    /// that makes no sense.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn owner(&mut self) -> Result<(Inn, Rnm), DriverError>;

    /// State of register, shift and FN, read now.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn status(&mut self) -> Result<Status, DriverError>;

    /// Memory and life of the FN.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn resource(&mut self) -> Result<FnResource, DriverError>;

    /// Brings the register's settings to what we work with (paperless, no automatic shift). Writes only what differs,
    /// never with a document open. Returns what was changed, in words.
    ///
    /// # Errors
    /// [`DriverError::Contradiction`] when the register's own statements about its registration differ; nothing was
    /// written then. [`DriverError`].
    async fn prepare(&mut self) -> Result<Vec<String>, DriverError>;

    /// Makes one receipt: open, items, tags, close. Once.
    async fn make_receipt(&mut self, order: &ReceiptOrder) -> Made;

    /// Why this driver cannot make that receipt, if so; asked before any byte is sent.
    fn cannot_make(&self, order: &ReceiptOrder, registration: &Registration) -> Option<(Code, String)>;

    /// Opens a shift. Once.
    async fn open_shift(&mut self) -> Made;

    /// Closes the shift. Once.
    async fn close_shift(&mut self) -> Made;

    /// Cancels the open document, if one is open.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn cancel_document(&mut self) -> Result<(), DriverError>;

    /// Tells a register that waits after a paper trouble to go on.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn finish_interrupted(&mut self) -> Result<(), DriverError>;

    /// Reads a document back from the FN.
    ///
    /// # Errors
    /// [`DriverError::Link`] when the link failed; what the FN itself says is in [`DocumentRead`].
    async fn read_document(&mut self, fd: FdNumber) -> Result<DocumentRead, DriverError>;

    /// Sets the register's clock; only with the shift closed.
    ///
    /// # Errors
    /// [`DriverError`].
    async fn set_clock(&mut self, time: LocalTime) -> Result<(), DriverError>;

    /// The longest time the vendor documents for one command: a resolution waits it out where the link proves nothing.
    fn longest_command(&self) -> std::time::Duration;

    /// Commands sent on this connection.
    fn commands(&self) -> u64;

    /// Whether another host may reach the same register beside us.
    fn shared_medium(&self) -> bool;
}

/// The driver of a vendor on an open port: the one table of vendors.
pub fn connect(
    vendor: Vendor,
    port: Box<dyn Port>,
    faults: FaultPoints,
    timing: DriverTiming,
    link: LinkChoice,
) -> Box<dyn Driver> {
    match vendor {
        Vendor::ShtrihM => Box::new(shtrih_m::ShtrihM::new(port, faults, timing, link)),
    }
}

pub mod shtrih_m;
