//! Jobs and documents as the journal holds them and the surfaces show them.
//!
//! Owns: what is known of a job, its attempts and its document.
//! Must never: be changed by anyone but the journal.

use super::attempt::{DeviceFault, DocumentKind, Evidence, Learned};
use super::error::Reason;
use crate::parts::UnixMillis;
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::Receipt;
use kassette_receipts::rules::Ffd;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Inn, Kopecks, LocalTime, RegisterId, Rnm, ShiftNumber};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How urgent a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// A buyer waits.
    #[default]
    Interactive,
    /// Nobody waits; never delays an interactive job by more than one document per unit.
    Bulk,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct SubmitOrder {
    /// The taxpayer.
    pub tenant: Inn,
    /// Who calls.
    pub client: String,
    /// The client's key.
    pub external_id: String,
    /// When the client made its key, if it says so.
    pub key_time: Option<UnixMillis>,
    /// What to make.
    pub receipt: Receipt,
    /// Lifetime in the queue, milliseconds from acceptance; absent: the tenant's default.
    pub ttl_ms: Option<u64>,
    /// How urgent.
    pub priority: Priority,
    /// Labels; never on the document.
    pub labels: BTreeMap<String, String>,
    /// The job that this one stands in for.
    pub replaces: Option<JobKey>,
}

/// An order to take a job back.
#[derive(Debug, Clone)]
pub struct CancelOrder {
    /// The taxpayer.
    pub tenant: Inn,
    /// The job.
    pub key: JobKey,
    /// Who orders it.
    pub client: String,
    /// Why, kept with the job.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
}

/// The answer to a submission, durable when given.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// It was there already, under the same key with the same content.
    pub existing: bool,
}

/// How an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// The intent is durable, nothing else is known.
    Open,
    /// Unknown until the FN answers.
    InDoubt,
    /// Ended with a document.
    Made,
    /// Ended without one, with proof.
    NotMade,
}

/// One try of a job, or of a shift opening or closing, on one FN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Row number of the intent in the journal.
    pub intent: i64,
    /// Number of the try, from 1.
    pub number: u32,
    /// What it was to make.
    pub kind: DocumentKind,
    /// The register.
    pub register: RegisterId,
    /// Label of the slot in which it stood; absent when the journal did not see it there.
    pub slot: Option<String>,
    /// The FN.
    pub fn_number: FnNumber,
    /// The FN's last document number before it.
    pub baseline: FdNumber,
    /// When the intent became durable.
    pub started_at: UnixMillis,
    /// When its end became durable.
    pub ended_at: Option<UnixMillis>,
    /// How it stands.
    pub state: AttemptState,
    /// Why it ended or is in doubt.
    pub reason: Option<Reason>,
    /// What the device did, for the poison rule.
    pub device: Option<DeviceFault>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its key, which is also its name.
    pub key: JobKey,
    /// The taxpayer.
    pub tenant: Inn,
    /// Who asked.
    pub client: String,
    /// The client's key.
    pub external_id: String,
    /// When the client made its key.
    pub key_time: Option<UnixMillis>,
    /// What was asked; without the buyer once that was dropped.
    pub receipt: Receipt,
    /// Hash of the content.
    pub content_hash: ContentHash,
    /// How urgent.
    pub priority: Priority,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When it became durable.
    pub accepted_at: UnixMillis,
    /// When it ends unless an attempt has begun.
    pub expires_at: UnixMillis,
    /// The job it stands in for.
    pub replaces: Option<JobKey>,
    /// The job that stands in for it.
    pub replaced_by: Option<JobKey>,
    /// Its state.
    pub state: JobState,
    /// Why it is in that state, where there is something to say.
    pub reason: Option<Reason>,
    /// Only a person can move it on, and why.
    pub needs_person: Option<Reason>,
    /// Its document.
    pub evidence: Option<Evidence>,
    /// Format of its document, by the registration under which it was made.
    pub ffd: Option<Ffd>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Grows with each change.
    pub revision: u64,
    /// When it last changed.
    pub updated_at: UnixMillis,
}

/// A fiscal document the journal knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// The FN.
    pub fn_number: FnNumber,
    /// Number.
    pub fd: FdNumber,
    /// What it is.
    pub kind: DocumentKind,
    /// Sign.
    pub fp: FiscalSign,
    /// Local time.
    pub time: LocalTime,
    /// Zone of the registration, minutes east of UTC.
    pub zone_minutes: i16,
    /// Shift.
    pub shift: ShiftNumber,
    /// Number within the shift.
    pub number_in_shift: u32,
    /// Total.
    pub total: Kopecks,
    /// The taxpayer.
    pub tenant: Inn,
    /// The register that made it.
    pub register: RegisterId,
    /// Its format, by the registration under which it was made.
    pub ffd: Option<Ffd>,
    /// Its registration number.
    pub rnm: Rnm,
    /// How it became known.
    pub learned: Learned,
    /// Settlement sign, for receipts and corrections.
    pub sign: Option<u32>,
    /// The job that asked for it.
    pub job: Option<JobKey>,
    /// When it was read back and compared; absent before, and when the FN no longer kept it.
    pub audited_at: Option<UnixMillis>,
    /// What was read back, without the tags that tell who buys; only when asked for.
    pub tlv: Option<Vec<u8>>,
}

/// Which job is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobSelect {
    /// By its name.
    Name {
        /// The taxpayer.
        tenant: Inn,
        /// The job key.
        key: JobKey,
    },
    /// By the client's key.
    External {
        /// The taxpayer.
        tenant: Inn,
        /// Who asked.
        client: String,
        /// The client's key.
        external_id: String,
    },
    /// By its document.
    Document {
        /// The taxpayer.
        tenant: Inn,
        /// The FN.
        fn_number: FnNumber,
        /// The document's number.
        fd: FdNumber,
    },
}

/// Typed filter of a job list; an absent part admits all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// The taxpayer.
    pub tenant: Option<Inn>,
    /// Any of these states.
    pub states: Vec<JobState>,
    /// Accepted at or after.
    pub accepted_from: Option<UnixMillis>,
    /// Accepted before.
    pub accepted_until: Option<UnixMillis>,
    /// All of these labels.
    pub labels: BTreeMap<String, String>,
    /// Only jobs that need a person.
    pub needs_person: Option<bool>,
    /// The client's key.
    pub external_id: Option<String>,
}

/// Typed filter of a document list; an absent part admits all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentFilter {
    /// The taxpayer.
    pub tenant: Option<Inn>,
    /// The FN.
    pub fn_number: Option<FnNumber>,
    /// The kinds.
    pub kinds: Vec<DocumentKind>,
    /// Number from, within an FN.
    pub fd_from: Option<FdNumber>,
    /// With what was read back of each.
    pub with_tlv: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, at most as many as asked.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<i64>,
    /// How many rows were looked at to find these.
    pub looked: u32,
    /// The commit sequence the page was read at: where a watch continues from it without a gap.
    pub sequence: u64,
}

/// One step of a watch: the object as it stands now, at least once, in order per object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// Its place in the one commit sequence.
    pub sequence: u64,
    /// The whole job.
    pub job: Job,
}
