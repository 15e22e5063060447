//! Units that wait for a job, and which of them is called when one comes.
//!
//! Owns: the order of calls: each job calls one unit, not all; with hundreds idle the others would wake for nothing.
//! Must never: leave a job lying while a unit that may take it waits.

use super::policy::{UnitFacts, Waiting, may_take};
use super::{Dispatch, Queue};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// A unit that waits.
#[derive(Debug)]
struct Idle {
    unit: UnitFacts,
    call: Arc<Notify>,
    /// The job it was called for. Until it has looked it is called for no other.
    called_for: Option<i64>,
}

/// The units of one tenant that wait, the longest first.
#[derive(Debug, Default)]
pub(super) struct IdleUnits {
    units: BTreeMap<u64, Idle>,
    next: u64,
}

impl IdleUnits {
    /// Calls the unit that has waited longest of those that may take a job and were not called yet.
    pub(super) fn call_for(&mut self, job: &Waiting) {
        let fits = |idle: &&mut Idle| idle.called_for.is_none() && may_take(&idle.unit, job).is_ok();
        if let Some(idle) = self.units.values_mut().find(fits) {
            idle.called_for = Some(job.id);
            idle.call.notify_one();
        }
    }

    /// Lets every unit look again.
    pub(super) fn call_all(&self) {
        self.units.values().for_each(|idle| idle.call.notify_one());
    }
}

impl Queue {
    /// Calls a unit for a job that still waits.
    fn call_again(&mut self, id: i64) {
        let entry = self.interactive.get(&id).or_else(|| self.bulk.get(&id));
        if let Some(entry) = entry.filter(|entry| !entry.aside) {
            self.idle.call_for(&entry.job);
        }
    }
}

/// A unit's stand among those that wait. Whoever leaves it without the job it was called for calls another for that job.
pub(super) struct Stand<'a> {
    dispatch: &'a Dispatch,
    unit: &'a UnitFacts,
    number: u64,
    call: Arc<Notify>,
}

impl Stand<'_> {
    /// Waits for a call.
    pub(super) async fn called(&self) {
        self.call.notified().await;
    }
}

impl Drop for Stand<'_> {
    fn drop(&mut self) {
        let mut queues = self.dispatch.lock();
        let Some(queue) = queues.by_tenant.get_mut(&self.unit.tenant) else {
            return;
        };
        let left = queue.idle.units.remove(&self.number);
        if let Some(id) = left.and_then(|idle| idle.called_for) {
            queue.call_again(id);
        }
    }
}

impl Dispatch {
    /// Begins to wait. To be done before the look at the queue, so that a job put in between calls this unit.
    pub(super) fn stand<'a>(&'a self, unit: &'a UnitFacts) -> Stand<'a> {
        let mut queues = self.lock();
        let idle = &mut queues.by_tenant.entry(unit.tenant.clone()).or_default().idle;
        let number = idle.next;
        idle.next += 1;
        let call = Arc::new(Notify::new());
        let one = Idle {
            unit: unit.clone(),
            call: Arc::clone(&call),
            called_for: None,
        };
        idle.units.insert(number, one);
        Stand {
            dispatch: self,
            unit,
            number,
            call,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, unit};
    use super::*;
    use crate::domain::job::Priority;
    use futures_util::FutureExt as _;

    #[tokio::test(start_paused = true)]
    async fn a_job_put_while_a_unit_waits_reaches_it_and_no_other() {
        let dispatch = Dispatch::default();
        let unit = unit();
        let (taken, ()) = tokio::join!(dispatch.take(&unit), async {
            dispatch.put(job(1, Priority::Bulk), None, false)
        });
        assert_eq!(taken.job.id, 1);
        assert!(dispatch.try_take(&unit).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_idle_units_are_called_as_jobs_are_put() {
        let dispatch = Arc::new(Dispatch::default());
        let mut units = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let dispatch = Arc::clone(&dispatch);
            units.spawn(async move { dispatch.take(&unit()).await.job.id });
        }
        tokio::task::yield_now().await;
        for id in 0..50 {
            dispatch.put(job(id, Priority::Interactive), None, false);
        }
        let mut taken = units.join_all().await;
        taken.sort_unstable();
        assert_eq!(taken, (0..50).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_that_goes_away_when_called_leaves_the_job_to_the_next() {
        let dispatch = Dispatch::default();
        let (first, second) = (unit(), unit());
        let (mut gone, mut stays) = (Box::pin(dispatch.take(&first)), Box::pin(dispatch.take(&second)));
        assert!(gone.as_mut().now_or_never().is_none());
        assert!(stays.as_mut().now_or_never().is_none());
        dispatch.put(job(1, Priority::Bulk), None, false);
        drop(gone);
        let taken = stays.as_mut().now_or_never();
        assert_eq!(taken.expect("the second is called").job.id, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_that_takes_a_more_urgent_job_leaves_its_own_to_the_next() {
        let dispatch = Dispatch::default();
        let (first, second) = (unit(), unit());
        let (mut one, mut two) = (Box::pin(dispatch.take(&first)), Box::pin(dispatch.take(&second)));
        assert!(one.as_mut().now_or_never().is_none());
        dispatch.put(job(1, Priority::Bulk), None, false);
        dispatch.put(job(2, Priority::Interactive), None, false);
        assert!(dispatch.remove(2).is_some());
        // The first is called for job 1; the second comes to wait while job 1 pauses for nobody.
        let taken = two.as_mut().now_or_never();
        assert_eq!(taken.expect("a waiting job is found without a call").job.id, 1);
        dispatch.put(job(3, Priority::Interactive), None, false);
        assert_eq!(one.await.job.id, 3);
    }
}
