//! The values that callers send to the journal, and its replies.
//!
//! Owns: the one [`Command`] enum; there is no other way to write.
//! Must never: hold a closure, a clock or a buyer in clear.

use super::care::{CareDone, CareOrder, KeyRecord};
use crate::domain::attempt::{DeviceFault, DocumentKind, Evidence, KeyPlace};
use crate::domain::audit::Found;
use crate::domain::device::Registration;
use crate::domain::error::Reason;
use crate::domain::finding::Finding;
use crate::domain::job::{Job, Priority};
use crate::domain::orphan::{NotedDocument, Reading};
use crate::domain::unit::UnitState;
use crate::domain::verdict::{Claim, Judgement};
use crate::parts::UnixMillis;
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::{Generation, JobKey, RackId, SubmissionHash};
use kassette_receipts::model::Receipt;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber, Inn, LocalTime, RegisterId, Rnm};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A buyer, encrypted under the tenant's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The nonce, drawn anew for each job.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub sealed: Vec<u8>,
}

/// A submission that passed its checks.
#[derive(Debug, Clone)]
pub struct AcceptJob {
    /// The taxpayer.
    pub tenant: Inn,
    /// Who asks.
    pub client: String,
    /// The client's key.
    pub external_id: String,
    /// When the client made its key.
    pub key_time: Option<UnixMillis>,
    /// What to make, without the buyer.
    pub receipt: Receipt,
    /// The buyer.
    pub buyer: Option<Sealed>,
    /// Hash of the content, current version.
    pub hash: ContentHash,
    /// Hash part of the job key.
    pub submission: SubmissionHash,
    /// How urgent.
    pub priority: Priority,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The job it stands in for.
    pub replaces: Option<JobKey>,
    /// Now.
    pub at: UnixMillis,
    /// When it ends unless taken.
    pub expires_at: UnixMillis,
}

/// An order to take a job back.
#[derive(Debug, Clone)]
pub struct CancelJob {
    /// The job.
    pub job: i64,
    /// Who orders it.
    pub client: String,
    /// Why, in the words of the client.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// Now.
    pub at: UnixMillis,
}

/// The intent of one try, durable before its first byte.
#[derive(Debug, Clone)]
pub struct BeginIntent {
    /// The job, for receipts and corrections.
    pub job: Option<i64>,
    /// What is to be made.
    pub kind: DocumentKind,
    /// The register.
    pub register: RegisterId,
    /// Its registration number.
    pub rnm: Rnm,
    /// The FN.
    pub fn_number: FnNumber,
    /// The FN's last document number, read in this session.
    pub baseline: FdNumber,
    /// The key that will stand in the document.
    pub job_key: Option<JobKey>,
    /// Where it will stand.
    pub key_place: Option<KeyPlace>,
    /// Hash of the exact content.
    pub content: Option<ContentHash>,
    /// Now.
    pub at: UnixMillis,
}

/// How a try ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Exactly one document exists.
    Made(Box<Evidence>),
    /// None exists, with proof.
    NotMade,
    /// Nothing is known yet; only the FN or a person can tell.
    InDoubt,
}

/// What that means for the job, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// The job is `COMPLETED`.
    Completed,
    /// The job is `REFUSED`: no other unit would take it.
    Refused,
    /// The job waits again.
    Again,
    /// The job is `IN_DOUBT` with its unit.
    InDoubt,
}

/// What a resolution looked at (`exactly-once` section 2, Resolution).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Register, as read again.
    pub register: RegisterId,
    /// FN, as read again.
    pub fn_number: FnNumber,
    /// Times the register was seen idle.
    pub idle_seen: u32,
    /// An open document was cancelled.
    pub cancelled: bool,
    /// Last number before the documents were read.
    pub last_before: FdNumber,
    /// Last number after.
    pub last_after: FdNumber,
    /// What each document above the baseline is.
    pub documents: Vec<(u32, String)>,
}

/// The end of a try, or its fall into doubt.
#[derive(Debug, Clone)]
pub struct EndIntent {
    /// The intent.
    pub intent: i64,
    /// What is known of the document.
    pub verdict: Verdict,
    /// What it means for the job.
    pub job_end: JobEnd,
    /// Why.
    pub reason: Option<Reason>,
    /// What the device did, for the poison rule.
    pub device: Option<DeviceFault>,
    /// The resolution, when it took one.
    pub scan: Option<Scan>,
    /// The FN's last number as now known.
    pub last_fd: FdNumber,
    /// Only a person can move the job on.
    pub needs_person: Option<Reason>,
    /// Now.
    pub at: UnixMillis,
}

/// A unit as it identified itself.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Label of the slot.
    pub slot: String,
    /// The register.
    pub register: RegisterId,
    /// Model.
    pub model: String,
    /// Firmware.
    pub firmware: String,
    /// The FN.
    pub fn_number: Option<FnNumber>,
    /// Its registration.
    pub registration: Option<Registration>,
    /// The FN's last number, where it is known that every document up to it is explained; accepted as mark only for an FN
    /// the journal never knew. Absent: such an FN is read before its lane opens.
    pub last_fd: Option<FdNumber>,
    /// Now.
    pub at: UnixMillis,
}

/// A move of the unit machine.
#[derive(Debug, Clone)]
pub struct UnitMove {
    /// Label of the slot.
    pub slot: String,
    /// The register, if known.
    pub register: Option<RegisterId>,
    /// The FN, if known.
    pub fn_number: Option<FnNumber>,
    /// The state.
    pub state: UnitState,
    /// Why.
    pub reason: Reason,
    /// Now.
    pub at: UnixMillis,
}

/// A new plan of the rack.
#[derive(Debug, Clone)]
pub struct ApplyPlan {
    /// The whole plan as TOML.
    pub plan: String,
    /// Letters for a rack that has none yet.
    pub rack_id: Option<RackId>,
    /// Version it was made from; absent: whatever stands.
    pub expected: Option<u64>,
    /// Who ordered it.
    pub client: String,
    /// Why.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// What was asked for, where a repeat may make another plan of it; absent: the plan itself.
    pub request: Option<String>,
    /// Tenants it names, each with its own row.
    pub tenants: BTreeMap<Inn, String>,
    /// Slots it names.
    pub slots: Vec<String>,
    /// FNs it adopts, each with its taxpayer.
    pub fns: BTreeMap<FnNumber, Inn>,
    /// Now.
    pub at: UnixMillis,
}

/// A verdict of a person on a doubt.
#[derive(Debug, Clone)]
pub struct GiveVerdict {
    /// The attempt.
    pub intent: i64,
    /// What is said, with its evidence.
    pub claim: Claim,
    /// The document that the claim names, as it will be shown; absent when it says that there is none.
    pub evidence: Option<Box<Evidence>>,
    /// How the FN can be read in a register that answers; `None` when it cannot.
    pub fn_answers: Option<String>,
    /// What only a second person gives: the shown id, and the last digits of the FN.
    pub repeats: Option<(String, String)>,
    /// The id that a second person is to repeat, drawn anew.
    pub confirmation: String,
    /// The revision that the doubt was read with; absent: whatever it is.
    pub expected: Option<u64>,
    /// Only judge it; nothing is stored.
    pub validate_only: bool,
    /// Who gives it.
    pub client: String,
    /// Why.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// Now.
    pub at: UnixMillis,
}

/// A person's wish that the FN of a doubt is read again.
#[derive(Debug, Clone)]
pub struct AskReading {
    /// The attempt.
    pub intent: i64,
    /// The revision that the doubt was read with; absent: whatever it is.
    pub expected: Option<u64>,
    /// Only say whether it can be; nothing is stored.
    pub validate_only: bool,
    /// Who asks.
    pub client: String,
    /// Why.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// Now.
    pub at: UnixMillis,
}

/// What an FN shows of an attempt that persons settled.
#[derive(Debug, Clone)]
pub enum ReviewFound {
    /// Its document.
    Document(Box<Evidence>),
    /// That there is none: every document above the baseline is something else.
    Nothing,
}

/// The FN of a doubt that persons settled, read again from its baseline.
#[derive(Debug, Clone)]
pub struct ReviewEnd {
    /// The attempt.
    pub intent: i64,
    /// What was looked at.
    pub scan: Scan,
    /// What it shows.
    pub found: ReviewFound,
    /// Now.
    pub at: UnixMillis,
}

/// What the journal knows of an FN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FnMark {
    /// Last document number known.
    pub last_fd: FdNumber,
    /// Every document up to here was read back and matched.
    pub audited_fd: FdNumber,
    /// Local time of the last document known.
    pub last_time: Option<LocalTime>,
    /// Its documents are being read; until then `last_fd` is how far that has come.
    pub reading: Option<Reading>,
}

/// Documents that were read from an FN in recovery mode, and how far that has come.
#[derive(Debug, Clone)]
pub struct NoteDocuments {
    /// The FN.
    pub fn_number: FnNumber,
    /// Its taxpayer.
    pub tenant: Inn,
    /// The register that was read.
    pub register: RegisterId,
    /// Its registration number.
    pub rnm: Rnm,
    /// Zone of the registration, minutes east of UTC.
    pub zone_minutes: i16,
    /// The last document that need not be read, once it was found, and the instant before which nothing was read.
    pub mark: Option<(FdNumber, Option<UnixMillis>)>,
    /// Every document up to here was read.
    pub upto: FdNumber,
    /// What was read.
    pub documents: Vec<NotedDocument>,
    /// The FN holds no more.
    pub done: bool,
    /// Random numbers, should a document show that the generation of new keys was used before.
    pub draws: [u16; 8],
    /// Now.
    pub at: UnixMillis,
}

/// How a held job goes on.
#[derive(Debug, Clone)]
pub enum HeldVerdict {
    /// This document, by its row number, is the job's.
    Claim(i64),
    /// No document is: it waits for a unit.
    Release,
    /// Only a person can tell.
    Person(Reason),
}

/// The end of a hold.
#[derive(Debug, Clone)]
pub struct SettleHeld {
    /// The job.
    pub job: i64,
    /// How it goes on.
    pub verdict: HeldVerdict,
    /// The person who decided; absent: the content did.
    pub client: Option<String>,
    /// Now.
    pub at: UnixMillis,
}

/// A document that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// Its number.
    pub fd: FdNumber,
    /// Its code (`fn-ffd-ofd` C.2); 0 when the FN no longer keeps it whole.
    pub code: u16,
    /// What it says, without the buyer's tags; `None` when the FN no longer keeps it whole.
    pub tlv: Option<Vec<u8>>,
    /// It is a registration report of what the FN is activated with.
    pub registration: bool,
    /// Nobody here asked for it.
    pub foreign: Option<Found>,
}

/// Something about a document that only a person can judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFinding {
    /// The document.
    pub fd: FdNumber,
    /// Why.
    pub reason: Reason,
    /// Row number of the job concerned.
    pub job: Option<i64>,
}

/// A run of documents that were read back, without a gap.
#[derive(Debug, Clone)]
pub struct Audited {
    /// The FN.
    pub fn_number: FnNumber,
    /// The documents in their order; the first is at most the one after those read before.
    pub documents: Vec<ReadBack>,
    /// What does not match.
    pub findings: Vec<NewFinding>,
    /// Now.
    pub at: UnixMillis,
}

/// A person's order to clear the findings on a document.
#[derive(Debug, Clone)]
pub struct ClearFinding {
    /// The FN.
    pub fn_number: FnNumber,
    /// The document.
    pub fd: FdNumber,
    /// Who orders it.
    pub client: String,
    /// What the person found out.
    pub reason: String,
    /// Now.
    pub at: UnixMillis,
}

/// Everything that can be written.
#[derive(Debug, Clone)]
pub enum Command {
    /// Store a job, or find the one under its key.
    Accept(Box<AcceptJob>),
    /// Begin a try.
    Begin(Box<BeginIntent>),
    /// End a try and, in the same commit, begin the next on the same FN.
    End(Box<EndIntent>, Option<Box<BeginIntent>>),
    /// Take a job back.
    Cancel(Box<CancelJob>),
    /// End a job whose time in the queue ran out.
    Expire {
        /// The job.
        job: i64,
        /// Now.
        at: UnixMillis,
    },
    /// Set a waiting job aside until a person decides.
    SetAside {
        /// The job.
        job: i64,
        /// Why.
        reason: Reason,
        /// Now.
        at: UnixMillis,
    },
    /// Note a look that could not settle a doubt.
    Looked {
        /// The attempt.
        intent: i64,
        /// Why.
        reason: Reason,
        /// Now.
        at: UnixMillis,
    },
    /// Note that a person asked for another reading of an FN.
    AskReading(Box<AskReading>),
    /// Take a verdict of a person.
    GiveVerdict(Box<GiveVerdict>),
    /// Note what an FN shows of an attempt that persons settled.
    Review(Box<ReviewEnd>),
    /// Note who stands where.
    Seen(Box<Seen>),
    /// Note a move of a unit.
    Move(Box<UnitMove>),
    /// Note which FNs are adopted: one that is not known is read before its lane opens.
    Adopt {
        /// FNs, each with its taxpayer.
        fns: BTreeMap<FnNumber, Inn>,
        /// Now.
        at: UnixMillis,
    },
    /// Read an FN whose last number is above its mark.
    ReadAhead {
        /// The FN.
        fn_number: FnNumber,
        /// Now.
        at: UnixMillis,
    },
    /// Note documents that were read.
    Note(Box<NoteDocuments>),
    /// Let a held job go on, or ask a person.
    SettleHeld(Box<SettleHeld>),
    /// A person knows whose a document without a job is.
    Dismiss {
        /// Row number of the document.
        orphan: i64,
        /// Who.
        client: String,
        /// What is known of it.
        reason: String,
        /// Now.
        at: UnixMillis,
    },
    /// Change what stands in the rack.
    Apply(Box<ApplyPlan>),
    /// A receiver confirmed a result.
    Reported {
        /// The job.
        job: i64,
        /// Now.
        at: UnixMillis,
    },
    /// Note documents that were read back.
    Audited(Box<Audited>),
    /// Clear the findings on a document.
    ClearFinding(Box<ClearFinding>),
    /// Care for the journal's own files.
    Care(CareOrder),
    /// Drop events older than what cursors promise.
    PruneEvents {
        /// Events before this instant.
        before: UnixMillis,
    },
}

/// The reply to a command, durable when given.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Latest commit sequence.
    pub sequence: u64,
    /// What became of it.
    pub body: ReplyBody,
}

/// What became of a command.
#[derive(Debug, Clone)]
pub enum ReplyBody {
    /// A new job.
    Accepted {
        /// Its row number.
        id: i64,
        /// The job; its buyer is not in it.
        job: Box<Job>,
    },
    /// A job under the same key: the caller compares the content.
    KeyKnown {
        /// The row number of the job.
        id: i64,
        /// The job as it stands; its buyer is not in it.
        job: Box<Job>,
    },
    /// A job under the same key, that was archived: the caller compares the content.
    KeyArchived(Box<KeyRecord>),
    /// A try began.
    Begun {
        /// The intent's row number.
        intent: i64,
        /// Number of the try of this job.
        number: u32,
    },
    /// A try ended. Its end is durable whatever became of the next one.
    Ended {
        /// Row number and state of the job now.
        job: Option<(i64, JobState)>,
        /// The next intent and the number of that try; absent when none was given or it could not begin. Nothing of it
        /// was stored then; a `Begin` of its own tells why.
        next: Option<(i64, u32)>,
    },
    /// A verdict was taken.
    Verdict {
        /// What it brought about.
        judged: Judgement,
        /// Row number and state of the job that it moved.
        job: Option<(i64, JobState)>,
    },
    /// An FN was read again.
    Reviewed {
        /// It shows otherwise than the persons said.
        incident: bool,
        /// The attempt is in doubt again, with the row number of its job if it has one.
        reopened: Option<Option<i64>>,
    },
    /// A job changed.
    JobState(JobState),
    /// The plan stands under this version, and how often each of its tenants has changed; without that: the order was
    /// carried out before, and what it made then may be another plan than the one given now.
    Applied(u64, Option<BTreeMap<Inn, u64>>),
    /// What the journal knows of the FN that was seen.
    Mark(Option<FnMark>),
    /// Documents were noted as read, or findings cleared.
    Audited {
        /// How far the FN is known and read.
        mark: FnMark,
        /// Findings of this FN that are not cleared.
        findings: Vec<Finding>,
    },
    /// What became of care for the journal's own files.
    Care(CareDone),
    /// Documents were noted.
    Noted {
        /// Jobs that waited, and whose documents may be among them: they are held now.
        held: Vec<i64>,
        /// Generation of new job keys from here on.
        generation: Generation,
    },
    /// Old events were dropped; there may be more of them.
    Pruned,
    /// Done, nothing to say.
    Done,
    /// Nothing was changed, and why.
    Refused(Code, String),
}
