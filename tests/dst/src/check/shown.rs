//! What callers were shown, and whether it still holds.
//!
//! Owns: I4 and I5, over all lives of the process.
//! Must never: forget what was shown.

use super::Seen;
use kassette_core::domain::job::{Job, JobEvent};
use kassette_receipts::job_key::JobKey;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything that a watching client was ever shown, over all lives of the process.
#[derive(Debug, Default)]
pub struct Shown(Mutex<ShownInner>);

#[derive(Debug, Default)]
struct ShownInner {
    cursor: u64,
    last: BTreeMap<JobKey, Job>,
    wrong: Vec<String>,
    /// The job under each client's key.
    keys: BTreeMap<String, JobKey>,
    /// Every client's key that was ever answered: good clients ask again for all of them.
    answered: BTreeSet<String>,
    /// The document shown for each client's key; no journal that goes back changes that.
    documents: BTreeMap<String, (String, u32)>,
}

impl Shown {
    /// Where the watch continues.
    pub fn cursor(&self) -> u64 {
        self.lock().cursor
    }

    /// Takes what a watch brought. I5: what was final stays as it was; nothing goes back.
    pub fn take(&self, events: Vec<JobEvent>, upto: u64) {
        let mut inner = self.lock();
        for event in events {
            if let Some(before) = inner.last.get(&event.job.key) {
                let wrong = contradiction(before, &event.job);
                inner.wrong.extend(wrong);
            }
            inner.last.insert(event.job.key, event.job);
        }
        inner.cursor = inner.cursor.max(upto);
    }

    /// The journal knows less than it did: who was told of a job may find it unknown, or another under the same key. The
    /// document stays the one that was shown.
    pub fn goes_back(&self) {
        let mut inner = self.lock();
        inner.cursor = 0;
        inner.last.clear();
        inner.keys.clear();
    }

    /// A client was told that its key is this job. I5: it stays that job.
    pub fn answered(&self, external_id: &str, job: &Job) {
        {
            let mut inner = self.lock();
            inner.answered.insert(external_id.to_owned());
            match inner.keys.insert(external_id.to_owned(), job.key) {
                Some(before) if before != job.key => {
                    let text = format!("I5: key {external_id} was job {before} and is job {}", job.key);
                    inner.wrong.push(text);
                }
                _ => {}
            }
        }
        self.looked_at(job);
    }

    /// Whether a client ever had an answer for its key, and has not seen the end of its job.
    pub fn waits(&self, external_id: &str) -> bool {
        let inner = self.lock();
        let last = inner.keys.get(external_id).and_then(|key| inner.last.get(key));
        inner.answered.contains(external_id) && last.is_none_or(|job| !job.state.is_final())
    }

    /// A caller was shown a job. An answer may come after a newer one that was asked for elsewhere: only what is final
    /// must be what was final.
    pub fn looked_at(&self, job: &Job) {
        let mut inner = self.lock();
        if let Some(evidence) = &job.evidence {
            let now = (evidence.fn_number.to_string(), evidence.fd.0);
            let before = inner.documents.insert(job.external_id.clone(), now.clone());
            if let Some(before) = before.filter(|before| *before != now) {
                let text = format!("K1: key {} had document {before:?} and has {now:?}", job.external_id);
                inner.wrong.push(text);
            }
        }
        let before = inner.last.get(&job.key);
        if before.is_none_or(|before| before.revision < job.revision) {
            let wrong = before.and_then(|before| contradiction(before, job));
            inner.wrong.extend(wrong);
            inner.last.insert(job.key, job.clone());
        } else if job.state.is_final() {
            let wrong = before.and_then(|before| contradiction(job, before));
            inner.wrong.extend(wrong);
        }
    }

    /// Notes what broke a promise to a caller.
    pub fn is_wrong(&self, text: String) {
        self.lock().wrong.push(text);
    }

    /// What broke a promise to a caller so far.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().wrong.clone()
    }

    fn lock(&self) -> MutexGuard<'_, ShownInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contradiction(before: &Job, after: &Job) -> Option<String> {
    let shown = |job: &Job| (job.state, job.evidence.clone(), job.reason.clone());
    if before.state.is_final() && shown(before) != shown(after) {
        return Some(format!(
            "job {} was {:?} and became {:?}",
            before.key,
            shown(before),
            shown(after)
        ));
    }
    if before.revision > after.revision {
        return Some(format!(
            "job {} went back from revision {}",
            before.key, before.revision
        ));
    }
    None
}

/// I5, I4: what a client was shown stands, and every job it was shown is there.
pub(super) fn results_never_changed(shown: &Shown, seen: &Seen, wrong: &mut Vec<String>) {
    let shown = shown.lock();
    wrong.extend(shown.wrong.iter().map(|text| format!("I5: {text}")));
    for (key, before) in &shown.last {
        match seen.jobs.get(key) {
            None => wrong.push(format!("I4: job {key} was shown and is gone")),
            Some(now) => wrong.extend(contradiction(before, now).map(|text| format!("I5: {text}"))),
        }
    }
}
