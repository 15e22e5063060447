//! Follows every job by the daemon's own events, over all lives of the daemon.
//!
//! Owns: what was told of each job, and the count of those that have ended.
//! Must never: ask for a job; what a watch does not bring is missing.

use super::sale::End;
use crate::api::{Api, LONGEST_WAIT};
use kassette_api::v1::watch_start::Start;
use kassette_api::v1::{JobState, ReceiptJob, WatchOrigin};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Pause before a watch that ended is opened again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What a watch told of one job.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its revision.
    pub revision: u64,
    /// Its end, once it has one.
    pub end: Option<End>,
    /// It waits for a person before it goes to any register; a doubt may still be settled by its FN.
    pub set_aside: bool,
}

#[derive(Debug, Default)]
struct Heard {
    jobs: BTreeMap<String, Told>,
    ended: usize,
    wrong: Vec<String>,
}

/// A watch over all jobs.
#[derive(Debug, Default)]
pub struct Watcher {
    heard: Mutex<Heard>,
    news: Condvar,
    over: AtomicBool,
}

impl Watcher {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows until [`Watcher::stop`]; after a break from the last cursor.
    pub fn follow(&self, api: &Api) {
        let mut start = Start::Origin(WatchOrigin::Oldest.into());
        while !self.over.load(Ordering::Relaxed) {
            let Ok(mut watch) = api.watch(start.clone()) else {
                thread::sleep(AGAIN_AFTER);
                continue;
            };
            // A bounded wait for each event, so that the end of the storm is seen.
            loop {
                match watch.next_job(Duration::from_secs(1)) {
                    Ok((job, cursor)) => {
                        self.take(&job);
                        start = Start::Cursor(cursor);
                    }
                    Err(status) if status.code() == tonic::Code::DeadlineExceeded => {
                        if self.over.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                    Err(_) => break,
                }
            }
        }
    }

    /// Ends the following.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn take(&self, job: &ReceiptJob) {
        let mut heard = self.lock();
        let told = Told {
            revision: job.revision,
            end: End::of(job),
            set_aside: job.state() == JobState::Accepted && job.needs_person.is_some(),
        };
        let before = heard.jobs.insert(job.name.clone(), told.clone());
        heard.ended = heard.ended + usize::from(rests(&told)) - usize::from(before.as_ref().is_some_and(rests));
        if let Some(before) = before {
            // A revision may be told twice after a break; an older one after a newer may not (design 4.1, watches).
            if before.revision > told.revision || (before.end.is_some() && before.end != told.end) {
                let text = format!("watch: job {} was told as {before:?}, then as {told:?}", job.name);
                heard.wrong.push(text);
            }
        }
        drop(heard);
        self.news.notify_all();
    }

    /// How many jobs have ended or are set aside.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.lock().ended
    }

    /// Waits until so many have ended; false when there was no news for `patience`.
    #[must_use]
    pub fn wait_ended(&self, count: usize, patience: Duration) -> bool {
        let mut heard = self.lock();
        let (mut best, mut until) = (heard.ended, Instant::now() + patience);
        while heard.ended < count {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.news.wait_timeout(heard, left.min(LONGEST_WAIT));
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
            if heard.ended > best {
                (best, until) = (heard.ended, Instant::now() + patience);
            }
        }
        true
    }

    /// What was told of every job, and what must not have been.
    #[must_use]
    pub fn result(&self) -> (BTreeMap<String, Told>, Vec<String>) {
        let heard = self.lock();
        (heard.jobs.clone(), heard.wrong.clone())
    }
}

/// Nothing more happens to it by itself.
fn rests(told: &Told) -> bool {
    told.end.is_some() || told.set_aside
}
