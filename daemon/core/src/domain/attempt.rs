//! Attempts and what can come of them.
//!
//! Owns: the closed set of outcomes, and the evidence behind each.
//! Must never: turn silence into a verdict.

use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::Receipt;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Kopecks, LocalTime, RegisterId, Rnm, ShiftNumber};
use serde::{Deserialize, Serialize};

/// Name of the attribute that carries the job key where 1192 is taken (tag 1085).
pub const KEY_ATTRIBUTE_NAME: &str = "Kassette";

/// Where the job key stands inside the document (`exactly-once` section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// Tag 1192, the rule.
    AdditionalAttribute,
    /// Tag 1084, when the customer uses 1192 or a repair needs it.
    UserAttribute,
    /// Nowhere: both are the customer's; the document is known by its content and an exclusive lane.
    ByContent,
}

impl KeyPlace {
    /// Where the key of this receipt goes: the customer's own 1192 and 1084 win.
    #[must_use]
    pub const fn of(receipt: &Receipt) -> Self {
        match (&receipt.additional_attribute, &receipt.user_attribute) {
            (None, _) if receipt.correction.is_none() => Self::AdditionalAttribute,
            (_, None) => Self::UserAttribute,
            (_, Some(_)) => Self::ByContent,
        }
    }
}

/// What kind of document an attempt is to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A receipt of a job.
    Receipt,
    /// A correction of a job.
    Correction,
    /// A shift opening report.
    ShiftOpen,
    /// A shift closing report.
    ShiftClose,
}

/// One receipt for a driver to make.
#[derive(Debug, Clone)]
pub struct ReceiptOrder {
    /// What to make, with the buyer.
    pub receipt: Receipt,
    /// The job key.
    pub key: JobKey,
    /// Where the key goes.
    pub key_place: KeyPlace,
}

/// A good answer to a command that makes a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeDocument {
    /// Number of the document as the answer states it; counts only when it is what the attempt explains.
    pub fd: FdNumber,
    /// Fiscal sign.
    pub fp: FiscalSign,
    /// Local time, where the answer tells it.
    pub time: Option<LocalTime>,
    /// Shift, where the answer tells it.
    pub shift: Option<ShiftNumber>,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The document: no other unit would take it either; the job ends `REFUSED`.
    Document,
    /// The device: another unit may take it; this unit is examined.
    Device,
}

/// An error code from the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The command it answered, as the vendor writes it: `FF45`.
    pub command: String,
    /// The vendor's code.
    pub device_code: u8,
    /// The driver's table says: for this command this code is raised before the FN is asked to sign. Anything else
    /// is doubt when the command makes a document.
    pub before_signing: bool,
    /// What it is about.
    pub about: About,
    /// Our code.
    pub code: Code,
    /// Words for people.
    pub text: String,
}

/// An exchange that did not end cleanly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The command whose exchange broke, as the vendor writes it.
    pub command: String,
    /// The command that makes the document had been sent, at least in part.
    pub closing_sent: bool,
    /// Our code: silent, garbled, gone …
    pub code: Code,
    /// Words for people.
    pub text: String,
}

/// What a driver saw of one try to make a document. It is not yet an outcome: that needs the FN's last number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A good answer to the command that makes the document.
    Good(MadeDocument),
    /// The register refused with a code.
    Refused(Refusal),
    /// An exchange broke.
    Broken(Broken),
}

/// How a document was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// From the good answer to the closing command.
    Answer,
    /// From the FN, by the job key in the document.
    Scan,
    /// From the FN, by content, the lane being ours the whole time.
    Content,
    /// From two persons, with evidence; the FN could not be read.
    Operator,
}

/// Proof of a fiscal document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The FN that holds it.
    pub fn_number: FnNumber,
    /// Its number.
    pub fd: FdNumber,
    /// Its sign.
    pub fp: FiscalSign,
    /// Its shift.
    pub shift: ShiftNumber,
    /// Its number within the shift; 0 for documents that are not receipts.
    pub number_in_shift: u32,
    /// Its local time.
    pub time: LocalTime,
    /// Zone of the registration, minutes east of UTC.
    pub zone_minutes: i16,
    /// The register that made it.
    pub register: RegisterId,
    /// Registration number.
    pub rnm: Rnm,
    /// Its total.
    pub total: Kopecks,
    /// How we know.
    pub learned: Learned,
}

/// The closed set of outcomes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Exactly one document exists.
    Completed(Evidence),
    /// None exists, with proof, and the device said why.
    Refused(Refusal),
    /// None exists, with proof, and the job may go elsewhere.
    NotSent(NotMade),
    /// Unknown until the FN answers.
    InDoubt(Doubt),
}

/// Why a document was not made, with proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotMade {
    /// Our code.
    pub code: Code,
    /// Words for people.
    pub text: String,
    /// The vendor's command and code, where there was one; what the poison rule compares.
    pub device: Option<DeviceFault>,
}

/// What a device did at which command; two units doing the same to one job make the job poison (design 5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceFault {
    /// The command as the vendor writes it.
    pub command: String,
    /// The vendor's code; `None` = it hung.
    pub device_code: Option<u8>,
}

/// Why an attempt is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Our code.
    pub code: Code,
    /// Words for people.
    pub text: String,
    /// The vendor's command and code, where there was one.
    pub device: Option<DeviceFault>,
}
