//! The one snapshot that every view reads.
//!
//! Owns: what is published of the rack and of each unit.
//! Must never: be written by a view.

use super::device::{FnResource, FnState, Registration, ShiftState};
use super::error::Reason;
use super::unit::UnitState;
use crate::parts::{PortAddress, UnixMillis};
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FdNumber, FnNumber, Inn, RegisterId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether documents are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RackKind {
    /// Real taxpayers, real FNs.
    Live,
    /// Test FNs only (numbers that begin 9999).
    Test,
}

impl RackKind {
    /// The name in configuration and journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalHealth {
    /// Takes writes.
    Writing,
    /// The disk is full; reads work, new jobs are refused.
    Full,
    /// Read only, for the reason given.
    ReadOnly(Reason),
}

/// How far an FN was read back and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditSnapshot {
    /// Every document up to here was read back and matched, or has a finding.
    pub audited_fd: FdNumber,
    /// Documents that were not read back yet.
    pub unread: u32,
    /// Documents read back on this connection.
    pub documents: u64,
    /// Commands that took.
    pub commands: u64,
    /// All commands of this connection.
    pub session_commands: u64,
    /// Findings that nobody cleared.
    pub findings: usize,
}

/// A register with its FN as it stands in a slot now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSnapshot {
    /// Label of the slot.
    pub slot: String,
    /// Where it is reached.
    pub port: PortAddress,
    /// The port is there.
    pub port_present: bool,
    /// Who answers, once identified.
    pub register: Option<RegisterId>,
    /// Model as the device states it.
    pub model: Option<String>,
    /// Firmware as the device states it.
    pub firmware: Option<String>,
    /// FN as the device states it.
    pub fn_number: Option<FnNumber>,
    /// Tenant it was adopted for.
    pub tenant: Option<Inn>,
    /// State.
    pub state: UnitState,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: UnixMillis,
    /// Why it takes no job although its state would allow it.
    pub not_ready: Option<Reason>,
    /// Last good exchange: what readiness means.
    pub last_good: Option<UnixMillis>,
    /// Registration.
    pub registration: Option<Registration>,
    /// Zone of the registration, minutes east of UTC.
    pub zone_minutes: Option<i16>,
    /// Shift.
    pub shift: Option<ShiftState>,
    /// FN.
    pub fn_state: Option<FnState>,
    /// Memory and life of the FN.
    pub resource: Option<FnResource>,
    /// Register clock minus true time, seconds.
    pub clock_offset_s: Option<i64>,
    /// The job in hand.
    pub job: Option<JobKey>,
    /// An attempt on this FN is in doubt.
    pub in_doubt: Option<Reason>,
    /// How long a receipt takes here, as it was measured since the start.
    pub receipt_takes: Option<Duration>,
    /// The audit of its FN.
    pub audit: Option<AuditSnapshot>,
}

impl UnitSnapshot {
    /// A slot in which nothing stands.
    #[must_use]
    pub fn empty(slot: &str, port: &PortAddress, reason: Reason, since: UnixMillis) -> Self {
        Self {
            slot: slot.to_owned(),
            port: port.clone(),
            port_present: false,
            register: None,
            model: None,
            firmware: None,
            fn_number: None,
            tenant: None,
            state: UnitState::Lost,
            reason,
            since,
            not_ready: None,
            last_good: None,
            registration: None,
            zone_minutes: None,
            shift: None,
            fn_state: None,
            resource: None,
            clock_offset_s: None,
            job: None,
            in_doubt: None,
            receipt_takes: None,
            audit: None,
        }
    }
}

/// A tenant's queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueSnapshot {
    /// Jobs that wait.
    pub waiting: u64,
    /// Those of them that are bulk.
    pub bulk: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<UnixMillis>,
    /// Jobs on a unit now.
    pub running: u64,
    /// Jobs in doubt.
    pub in_doubt: u64,
}

/// The rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RackSnapshot {
    /// Two letters; `None` until named.
    pub rack_id: Option<String>,
    /// Live or test.
    pub kind: RackKind,
    /// Id of the journal, hexadecimal.
    pub journal_id: String,
    /// Generation of the journal.
    pub generation: u16,
    /// Number of this start of the daemon.
    pub start: u64,
    /// When this start was.
    pub started_at: UnixMillis,
    /// Latest commit sequence.
    pub sequence: u64,
    /// Version of the plan, for `etag`.
    pub plan_version: u64,
    /// Host clock is synchronised.
    pub clock_synchronised: bool,
    /// Journal.
    pub journal: JournalHealth,
    /// Archive files of the journal that are missing or altered; everything else goes on.
    pub archive_faults: Vec<Reason>,
    /// No new work is taken: stopping.
    pub stopping: bool,
    /// Units by slot label.
    pub units: BTreeMap<String, UnitSnapshot>,
    /// Queues by tenant.
    pub queues: BTreeMap<Inn, QueueSnapshot>,
}
