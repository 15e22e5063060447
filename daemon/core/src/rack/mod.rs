//! The rack: one object, started from its parts, used only through its handle.
//!
//! Owns: the task set in which everything of the core runs; dropping it is a crash.
//! Must never: exit the process; it ends with `Stopped` or `Reopen`.

mod care;
mod doubts;
mod endings;
mod handle;
mod held;
mod intake;
mod limits;
mod orders;
pub(crate) mod shared;
mod slots;

pub use doubts::{ReadingOrder, VerdictOrder};
pub use handle::RackHandle;
pub use orders::{AppliedPlan, ApplyOrder, TenantOrder};
pub use shared::Standing;

use crate::domain::error::{RackError, Reason};
use crate::domain::finding::Finding;
use crate::domain::plan::RackPlan;
use crate::domain::snapshot::{JournalHealth, QueueSnapshot, RackSnapshot};
use crate::exchange::DriverTiming;
use crate::journal::{Command, Committer, HELD_PREFIX, OpenIntent, Query, Reader, Recovered, ReplyBody, Rows};
use crate::parts::{Entropy, EventSink, Faults, Locks, PortSource, Secrets, WallClock};
use kassette_wire::codes::Code;
use kassette_wire::value::FnNumber;
use shared::{Shared, Unresolved};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Submissions, cancellations and orders in flight at once; more wait at the surface.
const INTAKE_MAX: usize = 256;

/// Jobs stay in the journal for a month and some days after they ended.
pub const ARCHIVE_AFTER_DAYS: u16 = 35;

/// Numbers the configuration may set.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Scale of the drivers' documented times; other than 100 % only in test racks.
    pub driver_timing: DriverTiming,
    /// Most jobs that may wait in the whole rack.
    pub queue_max: usize,
    /// Days after which a job that has ended may leave the journal for an archive file; 0 = never.
    pub archive_after_days: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            driver_timing: DriverTiming::default(),
            queue_max: 1_000_000,
            archive_after_days: ARCHIVE_AFTER_DAYS,
        }
    }
}

/// Everything the rack needs from outside.
pub struct Parts {
    /// Calendar time.
    pub clock: Arc<dyn WallClock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Host-wide locks.
    pub locks: Arc<dyn Locks>,
    /// Ports.
    pub ports: Arc<dyn PortSource>,
    /// The way into the journal.
    pub committer: Arc<dyn Committer>,
    /// Reads of the journal.
    pub reader: Arc<dyn Reader>,
    /// Keys of tenants.
    pub secrets: Arc<dyn Secrets>,
    /// Named points between effects.
    pub faults: Arc<dyn Faults>,
    /// Logs and metrics.
    pub events: Arc<dyn EventSink>,
    /// Numbers.
    pub policy: Policy,
}

/// How the rack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// As asked; everything that was begun has an outcome or is a durable intent.
    Stopped,
    /// The state of the journal is unknown; it must be opened again.
    Reopen(Reason),
}

/// A running rack. Dropping it is a crash: nothing of it runs on.
pub struct Rack {
    shared: Arc<Shared>,
    requests: mpsc::Sender<intake::Request>,
    tasks: JoinSet<()>,
}

impl Rack {
    /// Starts the rack on what the journal recovered.
    ///
    /// # Errors
    /// [`RackError`] when the stored plan cannot be read.
    pub async fn start(parts: Parts, recovered: Recovered) -> Result<Self, RackError> {
        let standing = standing(&recovered)?;
        let snapshot = first_snapshot(&parts, &recovered);
        let shared = Arc::new(Shared::new(parts, standing, snapshot, recovered.sequence));
        recall_registrations(&shared).await?;
        for waiting in &recovered.waiting {
            let taken = shared.taken_of(&waiting.stored);
            let aside = waiting.stored.job.needs_person.is_some();
            shared.dispatch.put(taken, None, aside);
        }
        adopt(&shared, &recovered).await?;
        // A held job waits on a lane of its own, for no register.
        let lanes = recovered.doubts.iter();
        for intent in lanes.filter(|intent| !intent.fn_number.as_str().starts_with(HELD_PREFIX)) {
            let unresolved = recall_doubt(&shared, intent).await?;
            shared.doubt(unresolved);
        }
        recall_findings(&shared).await?;
        if let Rows::Reviews(open) = shared.read(Query::Reviews).await? {
            for review in open {
                shared.review(review);
            }
        }
        let (requests, inbox) = mpsc::channel(INTAKE_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(intake::run(Arc::clone(&shared), inbox));
        tasks.spawn(slots::run(Arc::clone(&shared)));
        tasks.spawn(expire(Arc::clone(&shared)));
        tasks.spawn(held::run(Arc::clone(&shared)));
        tasks.spawn(prune(Arc::clone(&shared)));
        tasks.spawn(care::run(Arc::clone(&shared)));
        tasks.spawn(publish_queues(Arc::clone(&shared)));
        Ok(Self {
            shared,
            requests,
            tasks,
        })
    }

    /// The handle.
    #[must_use]
    pub fn handle(&self) -> RackHandle {
        RackHandle::new(Arc::clone(&self.shared), self.requests.clone())
    }

    /// Resolves when the rack has ended: stopped as asked, or for the journal's sake.
    pub async fn ended(&mut self) -> Ended {
        let mut ended = self.shared.ended.subscribe();
        loop {
            if let Some(how @ Ended::Reopen(_)) = ended.borrow_and_update().clone() {
                self.tasks.abort_all();
                while self.tasks.join_next().await.is_some() {}
                return how;
            }
            tokio::select! {
                biased;
                () = ended.changed() => {}
                joined = self.tasks.join_next() => match joined {
                    None => return Ended::Stopped,
                    Some(Ok(())) => {}
                    Some(Err(error)) => {
                        let reason = Reason::new(Code::InternalFault, format!("a task of the rack failed: {error}"));
                        self.shared.ended.send_if_modified(|ended| {
                            *ended = Some(Ended::Reopen(reason.clone()));
                            true
                        });
                    }
                },
            }
        }
    }
}

fn standing(recovered: &Recovered) -> Result<Standing, RackError> {
    let (text, version) = &recovered.plan;
    let damaged = |text: String| RackError::new(Code::JournalDamaged, text);
    let plan = RackPlan::from_toml(text).map_err(|error| damaged(format!("the stored plan: {}", error.text)))?;
    let checked = plan.check().map_err(|errors| {
        let texts: Vec<String> = errors
            .iter()
            .map(|error| format!("{}: {}", error.path, error.text))
            .collect();
        damaged(format!("the stored plan: {}", texts.join("; ")))
    })?;
    Ok(Standing {
        plan,
        checked,
        version: *version,
        revisions: recovered.tenant_revisions.clone(),
    })
}

fn first_snapshot(parts: &Parts, recovered: &Recovered) -> RackSnapshot {
    RackSnapshot {
        rack_id: recovered.rack_id.map(|id| id.to_string()),
        kind: recovered.kind,
        journal_id: recovered.journal_id.clone(),
        generation: recovered.generation.get(),
        start: recovered.start,
        started_at: recovered.at,
        sequence: recovered.sequence,
        plan_version: recovered.plan.1,
        clock_synchronised: parts.clock.synchronised(),
        journal: JournalHealth::Writing,
        archive_faults: recovered
            .archive_faults
            .iter()
            .map(|fault| fault.reason.clone())
            .collect(),
        stopping: false,
        units: BTreeMap::new(),
        queues: BTreeMap::new(),
    }
}

/// Registrations as the journal last saw them: a tenant is served as before while its units are still being identified.
async fn recall_registrations(shared: &Shared) -> Result<(), RackError> {
    if let Rows::Registrations(rows) = shared.read(Query::Registrations).await? {
        for (register, registration) in rows {
            shared.registered(&register, &registration);
        }
    }
    Ok(())
}

/// What stopped a register stops it after a restart too.
async fn recall_findings(shared: &Shared) -> Result<(), RackError> {
    let Rows::Findings(rows) = shared.read(Query::Findings).await? else {
        return Ok(());
    };
    let mut by_fn: BTreeMap<FnNumber, Vec<Finding>> = BTreeMap::new();
    for finding in rows {
        by_fn.entry(finding.fn_number.clone()).or_default().push(finding);
    }
    for (fn_number, findings) in by_fn {
        shared.found(&fn_number, findings);
    }
    Ok(())
}

/// FNs of a plan that was applied before the journal noted such: those that it never saw are read first.
async fn adopt(shared: &Shared, recovered: &Recovered) -> Result<(), RackError> {
    let fns = shared.plan.borrow().checked.fns();
    if fns.keys().all(|number| recovered.known_fns.contains(number.as_str())) {
        return Ok(());
    }
    let command = Command::Adopt { fns, at: shared.now() };
    shared
        .commit(command)
        .await
        .map(|_| ())
        .map_err(shared::NotWritten::into_error)
}

async fn recall_doubt(shared: &Shared, intent: &OpenIntent) -> Result<Unresolved, RackError> {
    let mut unresolved = Unresolved {
        intent: intent.clone(),
        taken: None,
        manual: None,
        why: None,
    };
    if let Some(id) = intent.job
        && let Rows::Job(Some(stored)) = shared.read(Query::JobById(id)).await?
    {
        unresolved.taken = Some(shared.taken_of(&stored));
    }
    // What a person was asked to settle stays a person's, unless the FN was only not there to be read.
    if let Rows::Doubt(Some(doubt)) = shared.read(Query::Doubt(intent.intent)).await? {
        unresolved.manual = doubt.person.filter(|reason| reason.code != Code::RegisterWrongFn);
    }
    Ok(unresolved)
}

/// Ends jobs whose time in the queue ran out. The job leaves the queue first, so that no unit can take it any more.
async fn expire(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            biased;
            () = stop.wait_for(|stop| *stop) => return,
            () = shared.dispatch.expiry() => {}
        }
        while let Some(taken) = shared.dispatch.take_expired() {
            let command = Command::Expire {
                job: taken.job.id,
                at: shared.now(),
            };
            if let Err(error) = shared.commit_until_done(command).await {
                let event =
                    crate::parts::Event::new(crate::parts::Severity::Warn, "a job could not be ended by its ttl");
                shared.tell(event.job(taken.job.key).detail(error.into_error()));
            }
        }
    }
}

/// Drops events that no cursor may point to any more.
async fn prune(shared: Arc<Shared>) {
    const EVERY: Duration = Duration::from_secs(3600);
    // Between two steps of one clearing: other writes come first.
    const STEP: Duration = Duration::from_millis(20);
    let mut stop = shared.stop.subscribe();
    loop {
        let before = shared.now().plus_millis(-crate::journal::EVENTS_KEPT_MS);
        // A full disk or a stopping journal: the next hour tries again.
        let pruned = shared.commit(Command::PruneEvents { before }).await;
        let pause = if matches!(pruned, Ok(ReplyBody::Pruned)) {
            STEP
        } else {
            EVERY
        };
        tokio::select! {
            biased;
            () = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Publishes queue lengths and the sequence once a second while they change.
async fn publish_queues(shared: Arc<Shared>) {
    const EVERY: Duration = Duration::from_secs(1);
    let mut stop = shared.stop.subscribe();
    loop {
        let queues: BTreeMap<_, _> = {
            let standing = shared.plan.borrow().clone();
            standing
                .checked
                .tenants
                .keys()
                .map(|inn| (inn.clone(), queue_of(&shared, inn)))
                .collect()
        };
        let (sequence, synchronised) = (*shared.sequence.borrow(), shared.parts.clock.synchronised());
        shared.snapshot.send_if_modified(|snapshot| {
            let same = snapshot.queues == queues
                && snapshot.sequence == sequence
                && snapshot.clock_synchronised == synchronised;
            if !same {
                let snapshot = Arc::make_mut(snapshot);
                snapshot.queues = queues;
                snapshot.sequence = sequence;
                snapshot.clock_synchronised = synchronised;
            }
            !same
        });
        tokio::select! {
            biased;
            () = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

fn queue_of(shared: &Shared, tenant: &kassette_wire::value::Inn) -> QueueSnapshot {
    let snapshot = shared.snapshot.borrow();
    let units = snapshot
        .units
        .values()
        .filter(|unit| unit.tenant.as_ref() == Some(tenant));
    let (mut running, mut in_doubt) = (0, 0);
    for unit in units {
        if unit.in_doubt.is_some() {
            in_doubt += 1;
        } else if unit.job.is_some() {
            running += 1;
        }
    }
    let depth = shared.dispatch.depth(tenant);
    QueueSnapshot {
        waiting: depth.waiting,
        bulk: depth.bulk,
        oldest: depth.oldest,
        running,
        in_doubt,
    }
}
