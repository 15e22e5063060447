//! Findings: what reading an FN back showed that only a person can judge.
//!
//! Owns: what is known of a finding, and of the job whose key a document carries.
//! Must never: be made from anything but a document that was read, or a rule about one that cannot be.

use super::error::Reason;
use crate::parts::UnixMillis;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FdNumber, FnNumber};

/// A finding that nobody cleared yet: it stops the register that holds its FN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The FN.
    pub fn_number: FnNumber,
    /// The document; of a run of foreign ones the first.
    pub fd: FdNumber,
    /// Why it stops the register, without a buyer's values.
    pub reason: Reason,
    /// The job concerned, where one is known.
    pub job: Option<JobKey>,
    /// When it was found.
    pub at: UnixMillis,
}

/// The job whose key a document carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its row number.
    pub job: i64,
    /// Its state.
    pub state: JobState,
    /// Its document, if it has one.
    pub document: Option<(FnNumber, FdNumber)>,
}

/// An order of a person to clear the findings on a document.
#[derive(Debug, Clone)]
pub struct ClearOrder {
    /// The FN.
    pub fn_number: FnNumber,
    /// The document.
    pub fd: FdNumber,
    /// Who orders it.
    pub client: String,
    /// What the person found out; never empty.
    pub reason: String,
}
