//! Who waits for the end of which job.
//!
//! Owns: one call per job that is waited for, in memory alone.
//! Must never: say how a job ended; whoever is called reads the journal.

use kassette_receipts::job_key::JobKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The register of those who wait. Only the end of its own job wakes one: woken by every commit, so many who wait would
/// read the journal once each for every step of every other job.
#[derive(Debug, Default)]
pub struct Endings(Mutex<BTreeMap<u64, Arc<Notify>>>);

/// A place among those who wait for one job; given up when dropped.
#[derive(Debug)]
pub struct Ending<'a> {
    endings: &'a Endings,
    job: u64,
    call: Arc<Notify>,
}

/// The row number of a job, which is the sequence inside its key.
fn row(key: &JobKey) -> u64 {
    key.parts().sequence.get()
}

impl Endings {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for the end of a job.
    pub fn of(&self, key: &JobKey) -> Ending<'_> {
        let job = row(key);
        let call = Arc::clone(self.lock().entry(job).or_default());
        Ending {
            endings: self,
            job,
            call,
        }
    }

    /// A job has ended, durably.
    pub fn ended(&self, row: i64) {
        let waiting = u64::try_from(row).ok().and_then(|job| self.lock().remove(&job));
        if let Some(call) = waiting {
            call.notify_waiters();
        }
    }
}

impl Ending<'_> {
    /// The call. To be enabled before the look at the job, so that an end in between is not missed.
    pub fn called(&self) -> Notified<'_> {
        self.call.notified()
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut waiting = self.endings.lock();
        // Ours and the one in the register: nobody else waits.
        let alone = Arc::strong_count(&self.call) <= 2;
        if alone && waiting.get(&self.job).is_some_and(|call| Arc::ptr_eq(call, &self.call)) {
            waiting.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use kassette_receipts::job_key::{Generation, Parts, RackId, Sequence, SubmissionHash};

    fn key(sequence: u64) -> JobKey {
        JobKey::new(Parts {
            rack: RackId::UNNAMED,
            generation: Generation::new(1).unwrap(),
            sequence: Sequence::new(sequence).unwrap(),
            hash: SubmissionHash::of("c", "t", "e"),
        })
    }

    #[test]
    fn the_end_of_a_job_calls_all_who_wait_for_it_and_nobody_else() {
        let endings = Endings::default();
        let (one, same, other) = (endings.of(&key(7)), endings.of(&key(7)), endings.of(&key(8)));
        let mut calls = [&one, &same, &other].map(|ending| Box::pin(ending.called()));
        for call in &mut calls {
            call.as_mut().enable();
        }
        endings.ended(7);
        let called = calls.map(|call| call.now_or_never().is_some());
        assert_eq!(called, [true, true, false]);
    }

    #[test]
    fn whoever_gives_up_leaves_nothing_behind_and_takes_no_place_from_others() {
        let endings = Endings::default();
        let (one, same) = (endings.of(&key(7)), endings.of(&key(7)));
        drop(one);
        let mut call = Box::pin(same.called());
        call.as_mut().enable();
        endings.ended(7);
        assert!(call.now_or_never().is_some());
        drop(same);
        drop(endings.of(&key(9)));
        assert!(endings.lock().is_empty());
    }
}
