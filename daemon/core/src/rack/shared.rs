//! What the parts of a running rack share.
//!
//! Owns: the standing plan, the unresolved attempts, the one snapshot, the way into the journal.
//! Must never: be reached from outside but through the handle.

use super::endings::Endings;
use super::limits::Rates;
use super::{Ended, Parts};
use crate::dispatch::policy::{Needs, Waiting, faults_of};
use crate::dispatch::{Dispatch, Taken};
use crate::domain::attempt::DeviceFault;
use crate::domain::device::Registration;
use crate::domain::error::{RackError, Reason};
use crate::domain::finding::Finding;
use crate::domain::job::Job;
use crate::domain::plan::{CheckedPlan, RackPlan};
use crate::domain::snapshot::{JournalHealth, RackSnapshot, UnitSnapshot};
use crate::domain::unit::UnitState;
use crate::journal::{
    CareFound, CareWork, Command, Commit, OpenIntent, OpenReview, Query, ReadError, ReplyBody, Rows, StoredJob,
    unseal_buyer,
};
use crate::parts::{Event, FaultPoints, Severity, TenantKeys, UnixMillis};
use crate::told::Told;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use kassette_receipts::model::Buyer;
use kassette_wire::codes::Code;
use kassette_wire::value::{FnNumber, Inn, RegisterId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The plan that stands now.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// As written.
    pub plan: RackPlan,
    /// As checked.
    pub checked: CheckedPlan,
    /// Its version.
    pub version: u64,
    /// How often each tenant's row has changed.
    pub revisions: BTreeMap<Inn, u64>,
}

impl Standing {
    /// How often a tenant's row has changed.
    #[must_use]
    pub fn revision(&self, tenant: &Inn) -> u64 {
        self.revisions.get(tenant).copied().unwrap_or_default()
    }
}

/// An attempt that the FN has not explained yet.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// The attempt.
    pub intent: OpenIntent,
    /// Its job's place in the queue, should it wait again.
    pub taken: Option<Taken>,
    /// Only a person can settle it.
    pub manual: Option<Reason>,
    /// Why it fell into doubt, and what the device did; unknown after a restart.
    pub why: Option<(Reason, Option<DeviceFault>)>,
}

/// Why a command was not made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotWritten {
    /// The disk is full; nothing changed.
    Full,
    /// Unknown; the rack is ending.
    Stopped,
    /// It makes no sense now.
    Refused(Code, String),
}

impl NotWritten {
    /// As an error for a caller.
    pub fn into_error(self) -> RackError {
        match self {
            Self::Full => RackError::new(Code::JournalFull, "nothing was stored").retry_after(10_000),
            Self::Stopped => RackError::new(
                Code::JournalStopped,
                "it is unknown whether this was stored; repeat under the same key",
            )
            .retry_after(2_000),
            Self::Refused(code, text) => RackError::new(code, text),
        }
    }
}

/// Shared state.
pub struct Shared {
    pub parts: Parts,
    pub points: FaultPoints,
    pub dispatch: Dispatch,
    pub rates: Rates,
    pub plan: Told<Arc<Standing>>,
    pub snapshot: watch::Sender<Arc<RackSnapshot>>,
    pub sequence: watch::Sender<u64>,
    pub stop: Told<bool>,
    pub ended: Told<Option<Ended>>,
    pub endings: Endings,
    /// Wakes whoever decides on held jobs.
    pub held: Notify,
    doubts: Mutex<BTreeMap<FnNumber, Unresolved>>,
    registrations: Mutex<BTreeMap<RegisterId, Registration>>,
    keys: Mutex<BTreeMap<Inn, TenantKeys>>,
    clock_wanted: Mutex<BTreeSet<String>>,
    findings: Mutex<BTreeMap<FnNumber, Vec<Finding>>>,
    /// Grows when a person has settled something that kept a lane closed.
    pub lanes: Told<u64>,
    shown: Mutex<BTreeSet<i64>>,
    reviews: Mutex<BTreeMap<FnNumber, OpenReview>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The job that a command ends by itself.
fn job_of(command: &Command) -> Option<i64> {
    match command {
        Command::Cancel(order) => Some(order.job),
        Command::Expire { job, .. } => Some(*job),
        Command::SettleHeld(order) => Some(order.job),
        _ => None,
    }
}

impl Shared {
    pub fn new(parts: Parts, standing: Standing, snapshot: RackSnapshot, sequence: u64) -> Self {
        Self {
            points: FaultPoints::new(Arc::clone(&parts.faults)),
            parts,
            dispatch: Dispatch::default(),
            rates: Rates::default(),
            plan: Told::new(Arc::new(standing)),
            snapshot: watch::Sender::new(Arc::new(snapshot)),
            sequence: watch::Sender::new(sequence),
            stop: Told::new(false),
            ended: Told::new(None),
            endings: Endings::default(),
            held: Notify::new(),
            doubts: Mutex::default(),
            registrations: Mutex::default(),
            keys: Mutex::default(),
            clock_wanted: Mutex::default(),
            findings: Mutex::default(),
            lanes: Told::new(0),
            shown: Mutex::default(),
            reviews: Mutex::default(),
        }
    }

    /// Calendar time now.
    pub fn now(&self) -> UnixMillis {
        self.parts.clock.now()
    }

    /// Tells an event.
    pub fn tell(&self, event: Event) {
        self.parts.events.event(event);
    }

    /// Whether the rack is stopping or has ended.
    pub fn stopping(&self) -> bool {
        *self.stop.borrow() || self.ended.borrow().is_some()
    }

    /// Makes a command durable.
    pub async fn commit(&self, command: Command) -> Result<ReplyBody, NotWritten> {
        if self.ended.borrow().is_some() {
            return Err(NotWritten::Stopped);
        }
        let job = job_of(&command);
        match self.parts.committer.commit(command).await {
            Commit::Done(reply) => {
                match (&reply.body, job) {
                    (ReplyBody::JobState(state), Some(row)) if state.is_final() => self.endings.ended(row),
                    (
                        ReplyBody::Ended {
                            job: Some((row, state)),
                            ..
                        },
                        _,
                    )
                    | (
                        ReplyBody::Verdict {
                            job: Some((row, state)),
                            ..
                        },
                        _,
                    ) if state.is_final() => {
                        self.endings.ended(*row);
                    }
                    _ => {}
                }
                self.sequence.send_if_modified(|known| {
                    let newer = reply.sequence > *known;
                    *known = reply.sequence.max(*known);
                    newer
                });
                if let ReplyBody::Refused(Code::JournalFull, _) = reply.body {
                    self.journal_is(JournalHealth::Full);
                    return Err(NotWritten::Full);
                }
                self.journal_is(JournalHealth::Writing);
                match reply.body {
                    ReplyBody::Refused(code, text) => Err(NotWritten::Refused(code, text)),
                    body => Ok(body),
                }
            }
            Commit::Full => {
                self.journal_is(JournalHealth::Full);
                Err(NotWritten::Full)
            }
            Commit::Stopped => {
                self.reopen();
                Err(NotWritten::Stopped)
            }
        }
    }

    /// A commit that is not given up while the disk is full: the outcome waits in memory and the device is idle
    /// meanwhile. At a stop it is given up: the durable intent stands, and the next start reads the FN.
    pub async fn commit_until_done(&self, command: Command) -> Result<ReplyBody, NotWritten> {
        const PAUSE: Duration = Duration::from_secs(1);
        loop {
            match self.commit(command.clone()).await {
                Err(NotWritten::Full) if !self.stopping() => tokio::time::sleep(PAUSE).await,
                other => return other,
            }
        }
    }

    fn journal_is(&self, health: JournalHealth) {
        self.snapshot.send_if_modified(|snapshot| {
            let changed = snapshot.journal != health;
            if changed {
                Arc::make_mut(snapshot).journal = health.clone();
            }
            changed
        });
    }

    /// The journal's state is unknown: nothing may be sent any more, the host opens it again.
    fn reopen(&self) {
        self.end(
            "the journal stopped; the rack ends",
            Reason::new(Code::JournalStopped, "a commit was not confirmed"),
        );
    }

    /// A task of the rack failed: what it held in memory is gone, so everything begins anew from the journal.
    pub fn task_failed(&self, error: &tokio::task::JoinError) {
        if !error.is_cancelled() {
            let text = format!("a task of the rack failed: {error}");
            self.end("a task failed; the rack ends", Reason::new(Code::InternalFault, text));
        }
    }

    fn end(&self, what: &'static str, reason: Reason) {
        self.tell(
            Event::new(Severity::Error, what)
                .code(reason.code)
                .detail(&reason.detail),
        );
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(Ended::Reopen(reason.clone()));
            }
            first
        });
    }

    /// Reads from the journal.
    pub async fn read(&self, query: Query) -> Result<Rows, RackError> {
        self.parts.reader.read(query).await.map_err(|error| {
            let code = match error {
                ReadError::Damaged { .. } => Code::JournalDamaged,
                ReadError::Archive(ref fault) => fault.reason.code,
                ReadError::Sql(_) | ReadError::Unavailable(_) => Code::JournalStopped,
            };
            RackError::new(code, error)
        })
    }

    /// The keys of a tenant.
    pub async fn keys(&self, tenant: &Inn) -> Result<TenantKeys, RackError> {
        if let Some(keys) = lock(&self.keys).get(tenant) {
            return Ok(keys.clone());
        }
        let work = CareWork::HasJobs(tenant.clone());
        let found = self.read(Query::Care(work)).await?;
        let has_jobs = matches!(found, Rows::Care(CareFound::HasJobs(true)));
        let keys = self.parts.secrets.tenant_keys(tenant, has_jobs).await;
        let keys = keys.map_err(|error| RackError::new(Code::KeysMissing, error))?;
        lock(&self.keys).insert(tenant.clone(), keys.clone());
        Ok(keys)
    }

    /// Encrypts a buyer under the tenant's key.
    pub fn seal(&self, tenant: &Inn, keys: &TenantKeys, buyer: &Buyer) -> Result<crate::journal::Sealed, RackError> {
        let plain = serde_json::to_vec(buyer).map_err(|e| RackError::new(Code::InternalFault, e))?;
        self.seal_bytes(tenant, keys, &plain)
    }

    /// Encrypts personal data under the tenant's key.
    pub fn seal_bytes(
        &self,
        tenant: &Inn,
        keys: &TenantKeys,
        plain: &[u8],
    ) -> Result<crate::journal::Sealed, RackError> {
        let failed = |_| RackError::new(Code::InternalFault, "personal data could not be encrypted");
        let mut nonce = [0_u8; 12];
        self.parts.entropy.fill(&mut nonce);
        let cipher = ChaCha20Poly1305::new((&keys.contacts).into());
        let payload = Payload {
            msg: plain,
            aad: tenant.as_str().as_bytes(),
        };
        let sealed = cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(failed)?;
        Ok(crate::journal::Sealed { nonce, sealed })
    }

    /// What was encrypted under the tenant's key.
    pub fn unseal_bytes(
        &self,
        tenant: &Inn,
        keys: &TenantKeys,
        sealed: &crate::journal::Sealed,
    ) -> Result<Vec<u8>, RackError> {
        let unreadable = |_| {
            RackError::new(
                Code::KeysMissing,
                "personal data cannot be decrypted with the keys at hand",
            )
        };
        let cipher = ChaCha20Poly1305::new((&keys.contacts).into());
        let payload = Payload {
            msg: &sealed.sealed,
            aad: tenant.as_str().as_bytes(),
        };
        cipher
            .decrypt(Nonce::from_slice(&sealed.nonce), payload)
            .map_err(unreadable)
    }

    /// Shows the generation of new job keys, which is drawn anew when an FN shows that it was used before.
    pub fn generation_is(&self, generation: kassette_receipts::job_key::Generation) {
        self.snapshot.send_if_modified(|snapshot| {
            let changed = snapshot.generation != generation.get();
            if changed {
                Arc::make_mut(snapshot).generation = generation.get();
            }
            changed
        });
    }

    /// A stored job with its buyer in clear.
    pub async fn unseal(&self, stored: StoredJob) -> Result<Job, RackError> {
        let StoredJob { mut job, buyer, .. } = stored;
        let Some(sealed) = buyer else { return Ok(job) };
        let keys = self.keys(&job.tenant).await?;
        let unreadable = || {
            let text = format!("the buyer of job {} cannot be decrypted with the keys at hand", job.key);
            RackError::new(Code::KeysMissing, text).fact("job", job.key)
        };
        job.receipt.buyer = Some(unseal_buyer(&keys, &job.tenant, &sealed).ok_or_else(unreadable)?);
        Ok(job)
    }

    /// Jobs whose ends were shown to their clients and are not noted yet.
    pub fn shown(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        lock(&self.shown)
    }

    /// Publishes what is wrong with archive files.
    pub fn archives_are(&self, faults: Vec<Reason>) {
        self.snapshot.send_if_modified(|snapshot| {
            let changed = snapshot.archive_faults != faults;
            if changed {
                Arc::make_mut(snapshot).archive_faults.clone_from(&faults);
            }
            changed
        });
    }

    /// A stored job's place in the queue.
    pub fn taken_of(&self, stored: &StoredJob) -> Taken {
        let job = &stored.job;
        let left = u64::try_from(job.expires_at.0.saturating_sub(self.now().0)).unwrap_or(0);
        let waiting = Waiting {
            id: stored.id,
            key: job.key,
            tenant: job.tenant.clone(),
            accepted_at: job.accepted_at,
            priority: job.priority,
            needs: Needs::of(&job.receipt),
            not_on: BTreeSet::new(),
            faults: faults_of(&job.attempts),
            attempts: u32::try_from(job.attempts.len()).unwrap_or(u32::MAX),
        };
        Taken {
            job: waiting,
            expires: Instant::now() + Duration::from_millis(left),
        }
    }

    /// The unresolved attempt on an FN.
    pub fn doubt_on(&self, fn_number: &FnNumber) -> Option<Unresolved> {
        lock(&self.doubts).get(fn_number).cloned()
    }

    /// Notes an unresolved attempt.
    pub fn doubt(&self, unresolved: Unresolved) {
        lock(&self.doubts).insert(unresolved.intent.fn_number.clone(), unresolved);
    }

    /// Empties what is shown of slots in which a register stood before.
    pub fn stands_at(&self, slot: &str, register: &RegisterId) {
        self.snapshot.send_if_modified(|snapshot| {
            let left = |unit: &UnitSnapshot| {
                unit.slot != slot && unit.state == UnitState::Lost && unit.register.as_ref() == Some(register)
            };
            let any = snapshot.units.values().any(left);
            if any {
                for unit in Arc::make_mut(snapshot).units.values_mut().filter(|unit| left(unit)) {
                    *unit = UnitSnapshot {
                        port_present: unit.port_present,
                        ..UnitSnapshot::empty(&unit.slot, &unit.port, unit.reason.clone(), unit.since)
                    };
                }
            }
            any
        });
    }

    /// Forgets an attempt that was resolved.
    pub fn resolved(&self, fn_number: &FnNumber) -> Option<Unresolved> {
        lock(&self.doubts).remove(fn_number)
    }

    /// Forgets the attempt on an FN that persons settled, and what is shown of it.
    pub fn settled(&self, fn_number: &FnNumber, intent: i64) -> Option<Unresolved> {
        let removed = {
            let mut doubts = lock(&self.doubts);
            let same = doubts.get(fn_number).is_some_and(|known| known.intent.intent == intent);
            same.then(|| doubts.remove(fn_number)).flatten()
        };
        if let Some(unresolved) = &removed {
            self.snapshot.send_modify(|snapshot| {
                let units = Arc::make_mut(snapshot).units.values_mut();
                for unit in units.filter(|unit| unit.register.as_ref() == Some(&unresolved.intent.register)) {
                    unit.in_doubt = None;
                    unit.job = None;
                }
            });
        }
        removed
    }

    /// What is to be read of an FN before anything is made on it, because persons settled a doubt there.
    pub fn review_on(&self, fn_number: &FnNumber) -> Option<OpenReview> {
        lock(&self.reviews).get(fn_number).cloned()
    }

    /// Notes that an FN is to be read, or stands still.
    pub fn review(&self, open: OpenReview) {
        lock(&self.reviews).insert(open.fn_number.clone(), open);
    }

    /// Notes that an FN shows what persons said, or that they have answered for what it shows.
    pub fn reviewed(&self, fn_number: &FnNumber) {
        lock(&self.reviews).remove(fn_number);
    }

    /// What a register was last seen registered for.
    pub fn registration_of(&self, register: &RegisterId) -> Option<Registration> {
        lock(&self.registrations).get(register).cloned()
    }

    /// Notes what a register is registered for; what was noted before.
    pub fn registered(&self, register: &RegisterId, registration: &Registration) -> Option<Registration> {
        lock(&self.registrations).insert(register.clone(), registration.clone())
    }

    /// Whether a registration of a tenant's adopted registers, as last seen, is one that `fits`; asked in place, for a
    /// tenant may have hundreds.
    pub fn any_registration(&self, tenant: &Inn, fits: impl FnMut(&Registration) -> bool) -> bool {
        let standing = self.plan.borrow().clone();
        let known = lock(&self.registrations);
        let adopted = standing
            .checked
            .registers
            .values()
            .filter(|adoption| adoption.tenant == *tenant);
        adopted.filter_map(|adoption| known.get(&adoption.register)).any(fits)
    }

    /// Findings on an FN that nobody cleared.
    pub fn findings_on(&self, fn_number: &FnNumber) -> Vec<Finding> {
        lock(&self.findings).get(fn_number).cloned().unwrap_or_default()
    }

    /// The findings on an FN as the journal has them now.
    pub fn found(&self, fn_number: &FnNumber, findings: Vec<Finding>) {
        let mut known = lock(&self.findings);
        if findings.is_empty() {
            known.remove(fn_number);
        } else {
            known.insert(fn_number.clone(), findings);
        }
    }

    /// Every finding that nobody cleared, by FN and document.
    pub fn all_findings(&self) -> Vec<Finding> {
        lock(&self.findings).values().flatten().cloned().collect()
    }

    /// A person settled what kept lanes closed: isolated units look again at once.
    pub fn lanes_changed(&self) {
        self.lanes.send_if_modified(|changes| {
            *changes += 1;
            true
        });
    }

    /// Notes whether a unit's clock needs a correction; how many do.
    pub fn clock_wants(&self, slot: &str, wants: bool) -> usize {
        let mut wanted = lock(&self.clock_wanted);
        if wants {
            wanted.insert(slot.to_owned());
        } else {
            wanted.remove(slot);
        }
        wanted.len()
    }

    /// Changes what is published of a unit.
    pub fn publish(&self, slot: &str, change: impl FnOnce(&mut UnitSnapshot)) {
        self.snapshot.send_if_modified(|snapshot| {
            let snapshot = Arc::make_mut(snapshot);
            let Some(unit) = snapshot.units.get_mut(slot) else {
                return false;
            };
            change(unit);
            true
        });
    }
}
