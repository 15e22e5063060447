//! Queues of waiting jobs. A job belongs to no register until a ready one takes it.
//!
//! Owns: which jobs wait, in memory; the journal holds them durably.
//! Must never: hand one job to two units, or lose one that the journal has.

pub mod coverage;
mod idle;
pub mod policy;

use crate::domain::job::Priority;
use crate::parts::UnixMillis;
use idle::IdleUnits;
use kassette_wire::value::Inn;
use kassette_wire::value::RegisterId;
use policy::{Turn, UnitFacts, Waiting, may_take};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A waiting job with its monotonic times.
#[derive(Debug, Clone)]
struct Entry {
    job: Waiting,
    expires: Instant,
    not_before: Option<Instant>,
    aside: bool,
}

#[derive(Debug, Default)]
struct Queue {
    idle: IdleUnits,
    interactive: BTreeMap<i64, Entry>,
    bulk: BTreeMap<i64, Entry>,
    /// When jobs that pause may be tried again.
    pauses: BTreeSet<(Instant, i64)>,
    turn: Turn,
    /// Places kept for jobs that are being stored.
    kept: u64,
}

#[derive(Debug, Default)]
struct Queues {
    by_tenant: BTreeMap<Inn, Queue>,
    tenant_of: BTreeMap<i64, Inn>,
    /// When each waiting job's time ends.
    deadlines: BTreeSet<(Instant, i64)>,
    /// Places kept for jobs that are being stored, of all tenants.
    kept: u64,
    /// When each register took the job it has in hand, and how long a document takes on it.
    hands: BTreeMap<RegisterId, Hand>,
}

/// A register at work.
#[derive(Debug, Default)]
struct Hand {
    since: Option<Instant>,
    usual: Option<Duration>,
}

impl Hand {
    /// An average that follows: each document counts an eighth.
    const SHARE: u32 = 8;

    fn made(&mut self, now: Instant) {
        let Some(since) = self.since.take() else { return };
        let took = now.duration_since(since);
        self.usual = Some(match self.usual {
            None => took,
            Some(usual) => usual - usual / Self::SHARE + took / Self::SHARE,
        });
    }
}

/// What waits of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Depth {
    /// Jobs that wait.
    pub waiting: u64,
    /// Those of them that are bulk.
    pub bulk: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<UnixMillis>,
}

/// Which limit of the queue is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// So many jobs of the tenant wait.
    Tenant(u64),
    /// So many jobs of all tenants wait.
    Rack(u64),
}

/// A place in the queue for a job that is being stored; given back when dropped.
#[derive(Debug)]
pub struct Place<'a> {
    dispatch: &'a Dispatch,
    tenant: Inn,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.dispatch.lock();
        queues.kept = queues.kept.saturating_sub(1);
        if let Some(queue) = queues.by_tenant.get_mut(&self.tenant) {
            queue.kept = queue.kept.saturating_sub(1);
        }
    }
}

impl Queues {
    /// Takes a job out of everything that knows it.
    fn remove(&mut self, id: i64) -> Option<Taken> {
        let tenant = self.tenant_of.remove(&id)?;
        let queue = self.by_tenant.get_mut(&tenant)?;
        let entry = queue.interactive.remove(&id).or_else(|| queue.bulk.remove(&id))?;
        if let Some(at) = entry.not_before {
            queue.pauses.remove(&(at, id));
        }
        self.deadlines.remove(&(entry.expires, id));
        Some(Taken {
            job: entry.job,
            expires: entry.expires,
        })
    }
}

/// The dispatcher.
#[derive(Debug, Default)]
pub struct Dispatch {
    queues: Mutex<Queues>,
    /// The time of some job ends earlier than that of every other.
    earlier: Notify,
}

/// A job that was taken out of its queue; put it back or end it.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The job.
    pub job: Waiting,
    /// When its time in the queue ends.
    pub expires: Instant,
}

impl Queue {
    fn line(&mut self, priority: Priority) -> &mut BTreeMap<i64, Entry> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }

    /// The next job this unit may take, by the turn.
    fn next(&self, unit: &UnitFacts, now: Instant) -> Option<i64> {
        let ready = |entry: &&Entry| {
            !entry.aside
                && entry.expires > now
                && entry.not_before.is_none_or(|at| at <= now)
                && may_take(unit, &entry.job).is_ok()
        };
        let first = |line: &BTreeMap<i64, Entry>| line.values().find(ready).map(|entry| entry.job.id);
        let bulk = || first(&self.bulk);
        let interactive = || first(&self.interactive);
        match self.turn.first() {
            Priority::Bulk => bulk().or_else(interactive),
            Priority::Interactive => interactive().or_else(bulk),
        }
    }

    fn len(&self) -> usize {
        self.interactive.len() + self.bulk.len()
    }
}

impl Dispatch {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, or puts one back.
    pub fn put(&self, taken: Taken, not_before: Option<Instant>, aside: bool) {
        let Taken { job, expires } = taken;
        let mut queues = self.lock();
        queues.tenant_of.insert(job.id, job.tenant.clone());
        queues.deadlines.insert((expires, job.id));
        let earliest = queues.deadlines.first() == Some(&(expires, job.id));
        let queue = queues.by_tenant.entry(job.tenant.clone()).or_default();
        queue.pauses.extend(not_before.map(|at| (at, job.id)));
        if not_before.is_some() {
            // Everybody who waits has to learn until when.
            queue.idle.call_all();
        } else if !aside {
            queue.idle.call_for(&job);
        }
        let (id, priority) = (job.id, job.priority);
        queue.line(priority).insert(
            id,
            Entry {
                job,
                expires,
                not_before,
                aside,
            },
        );
        drop(queues);
        if earliest {
            self.earlier.notify_waiters();
        }
    }

    /// Takes a job at once if there is one for this unit.
    #[must_use]
    pub fn try_take(&self, unit: &UnitFacts) -> Option<Taken> {
        let now = Instant::now();
        let mut queues = self.lock();
        let queue = queues.by_tenant.get_mut(&unit.tenant)?;
        let id = queue.next(unit, now)?;
        let bulk_waits = !queue.bulk.is_empty();
        let taken = queues.remove(id)?;
        if let Some(queue) = queues.by_tenant.get_mut(&unit.tenant) {
            queue.turn = queue.turn.after(taken.job.priority, bulk_waits);
        }
        queues.hands.entry(unit.register.clone()).or_default().since = Some(now);
        Some(taken)
    }

    /// Notes that a register made the document of the job it took.
    pub fn made(&self, register: &RegisterId) {
        let now = Instant::now();
        if let Some(hand) = self.lock().hands.get_mut(register) {
            hand.made(now);
        }
    }

    /// How long a document takes on a register, as it was measured since the start.
    #[must_use]
    pub fn usual(&self, register: &RegisterId) -> Option<Duration> {
        self.lock().hands.get(register)?.usual
    }

    /// Keeps a place for a job that is about to be stored, unless a limit is reached.
    ///
    /// # Errors
    /// The limit.
    pub fn keep_place(&self, tenant: &Inn, tenant_max: u64, rack_max: u64) -> Result<Place<'_>, Full> {
        let mut queues = self.lock();
        let all = queues.tenant_of.len() as u64 + queues.kept;
        let queue = queues.by_tenant.entry(tenant.clone()).or_default();
        let own = queue.len() as u64 + queue.kept;
        if own >= tenant_max {
            return Err(Full::Tenant(own));
        }
        if all >= rack_max {
            return Err(Full::Rack(all));
        }
        queue.kept += 1;
        queues.kept += 1;
        drop(queues);
        Ok(Place {
            dispatch: self,
            tenant: tenant.clone(),
        })
    }

    /// Waits for a job for this unit. Dropping the future loses no job.
    pub async fn take(&self, unit: &UnitFacts) -> Taken {
        loop {
            let stand = self.stand(unit);
            if let Some(taken) = self.try_take(unit) {
                return taken;
            }
            match self.next_retry(&unit.tenant) {
                None => stand.called().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = stand.called() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
            }
            // It looks before it leaves its stand: leaving without the job it was called for calls another.
            if let Some(taken) = self.try_take(unit) {
                return taken;
            }
        }
    }

    /// When the next job of a tenant that pauses may be tried again.
    fn next_retry(&self, tenant: &Inn) -> Option<Instant> {
        let now = Instant::now();
        let queues = self.lock();
        let queue = queues.by_tenant.get(tenant)?;
        queue.pauses.iter().map(|(at, _)| *at).find(|at| *at > now)
    }

    /// Removes a job that no unit has taken.
    #[must_use]
    pub fn remove(&self, id: i64) -> Option<Taken> {
        self.lock().remove(id)
    }

    /// Removes one job whose time has ended, so that no unit can take it any more.
    #[must_use]
    pub fn take_expired(&self) -> Option<Taken> {
        let now = Instant::now();
        let mut queues = self.lock();
        let (at, id) = queues.deadlines.first().copied()?;
        if at <= now { queues.remove(id) } else { None }
    }

    /// Waits until a job's time may have ended.
    pub async fn expiry(&self) {
        loop {
            let earlier = self.earlier.notified();
            tokio::pin!(earlier);
            earlier.as_mut().enable();
            let earliest = self.lock().deadlines.first().map(|(at, _)| *at);
            match earliest {
                None => earlier.await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = &mut earlier => {}
                        () = tokio::time::sleep_until(at) => return,
                    }
                }
            }
        }
    }

    /// Jobs that wait, of one tenant. Row numbers are given in the order of acceptance, so the first is the oldest.
    #[must_use]
    pub fn depth(&self, tenant: &Inn) -> Depth {
        let queues = self.lock();
        let Some(queue) = queues.by_tenant.get(tenant) else {
            return Depth::default();
        };
        let first = [&queue.interactive, &queue.bulk]
            .into_iter()
            .filter_map(|line| line.values().next());
        Depth {
            waiting: queue.len() as u64,
            bulk: queue.bulk.len() as u64,
            oldest: first.map(|entry| entry.job.accepted_at).min(),
        }
    }

    /// Jobs that wait, of all tenants.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().tenant_of.len()
    }

    /// Whether no job waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::{Ffd, Registration};
    use kassette_receipts::job_key::{Generation, JobKey, Parts, RackId, Sequence, SubmissionHash};
    use kassette_wire::value::{RegisterId, Vendor};
    use policy::Needs;

    pub(super) fn unit() -> UnitFacts {
        let inn: Inn = "7704358518".parse().unwrap();
        UnitFacts {
            register: RegisterId {
                vendor: Vendor::ShtrihM,
                serial: "1".parse().unwrap(),
            },
            fn_number: "9999078900000001".parse().unwrap(),
            tenant: inn.clone(),
            registration: Registration {
                inn,
                rnm: "0000000001061875".parse().unwrap(),
                tax_systems: 1,
                work_mode: 0x20,
                ffd: Ffd::V1_2,
                address: None,
                place: None,
            },
        }
    }

    pub(super) fn job(id: i64, priority: Priority) -> Taken {
        let key = JobKey::new(Parts {
            rack: RackId::UNNAMED,
            generation: Generation::new(1).unwrap(),
            sequence: Sequence::new(id.unsigned_abs()).unwrap(),
            hash: SubmissionHash::of("c", "t", &id.to_string()),
        });
        let needs = Needs {
            tax_system: Some(1),
            internet: false,
        };
        let tenant = "7704358518".parse().unwrap();
        let (not_on, faults) = Default::default();
        let job = Waiting {
            id,
            key,
            tenant,
            accepted_at: UnixMillis(id),
            priority,
            needs,
            not_on,
            faults,
            attempts: 0,
        };
        Taken {
            job,
            expires: Instant::now() + Duration::from_secs(300),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bulk_gets_a_tenth_and_interactive_the_rest() {
        let dispatch = Dispatch::default();
        let unit = unit();
        for id in 0..100 {
            dispatch.put(job(id, Priority::Interactive), None, false);
            dispatch.put(job(1000 + id, Priority::Bulk), None, false);
        }
        let bulk = (0..100)
            .filter(|_| dispatch.try_take(&unit).unwrap().job.priority == Priority::Bulk)
            .count();
        assert_eq!(bulk, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_counts_the_jobs_that_are_being_stored_too() {
        let dispatch = Dispatch::default();
        let (one, other): (Inn, Inn) = ("7704358518".parse().unwrap(), "7707083893".parse().unwrap());
        dispatch.put(job(1, Priority::Bulk), None, false);
        let kept = dispatch.keep_place(&one, 2, 3).unwrap();
        assert_eq!(dispatch.keep_place(&one, 2, 3).unwrap_err(), Full::Tenant(2));
        let second = dispatch.keep_place(&other, 2, 3).unwrap();
        assert_eq!(dispatch.keep_place(&other, 2, 3).unwrap_err(), Full::Rack(3));
        drop((kept, second));
        assert!(
            dispatch.keep_place(&one, 2, 3).is_ok(),
            "a place that was not used is free again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_waiting_job_is_told_by_its_acceptance_also_after_it_was_put_back() {
        let dispatch = Dispatch::default();
        for id in [7, 8, 9] {
            dispatch.put(job(id, Priority::Interactive), None, false);
        }
        let first = dispatch.try_take(&unit()).unwrap();
        let inn: Inn = "7704358518".parse().unwrap();
        assert_eq!(dispatch.depth(&inn).oldest, Some(UnixMillis(8)));
        dispatch.put(first, None, false);
        assert_eq!(dispatch.depth(&inn).oldest, Some(UnixMillis(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn how_long_a_document_takes_is_measured_from_its_job_to_its_answer() {
        let dispatch = Dispatch::default();
        let unit = unit();
        dispatch.made(&unit.register);
        assert_eq!(dispatch.usual(&unit.register), None);
        for (id, seconds) in [(1, 8), (2, 8), (3, 16)] {
            dispatch.put(job(id, Priority::Interactive), None, false);
            dispatch.try_take(&unit).unwrap();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            dispatch.made(&unit.register);
        }
        assert_eq!(dispatch.usual(&unit.register), Some(Duration::from_secs(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_whose_time_ended_is_taken_by_no_unit() {
        let dispatch = Dispatch::default();
        dispatch.put(job(1, Priority::Interactive), None, false);
        dispatch.expiry().await;
        assert!(dispatch.try_take(&unit()).is_none());
        assert_eq!(dispatch.take_expired().unwrap().job.id, 1);
        assert!(dispatch.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_pauses_is_taken_when_its_pause_ends() {
        let dispatch = Dispatch::default();
        let start = Instant::now();
        dispatch.put(
            job(1, Priority::Interactive),
            Some(start + Duration::from_secs(2)),
            false,
        );
        dispatch.take(&unit()).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
