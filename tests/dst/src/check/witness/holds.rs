//! Jobs that are held until the FNs were read, doubts that persons settle, and journals that go back.
//!
//! Owns: how a hold begins and ends in the eyes of the witness, what a verdict moves, and what is remembered of an older
//! journal.
//! Must never: let a held job begin.

use super::{Durable, KnownDocument, Witness};
use kassette_core::domain::verdict::Judgement;
use kassette_core::journal::{HELD_PREFIX, HeldVerdict, Recovered, SettleHeld};
use kassette_hw_sim::fiscal_storage::ledger::MemoryShelf;
use kassette_receipts::job::JobState;
use kassette_wire::value::FnNumber;
use std::collections::BTreeMap;

/// What was durable at one moment.
#[derive(Debug, Clone, Default)]
pub struct Remembered(Durable);

/// Whether a lane is no FN, but the place of a held job.
pub(super) fn is_hold(number: &FnNumber) -> bool {
    number.as_str().starts_with(HELD_PREFIX)
}

impl Witness {
    /// What is durable now.
    #[must_use]
    pub fn remembers(&self) -> Remembered {
        Remembered(self.known.clone())
    }

    /// The journal knows less than it did: what stands in the FNs stays, what was durable beside them is what it was then.
    pub fn goes_back(&mut self, shelf: &MemoryShelf, to: Remembered) {
        self.look(shelf);
        let open = std::mem::replace(&mut self.known, to.0);
        let of_fn = |(number, id): (&String, &i64)| Some((number.clone(), open.intents.get(id)?.begin.clone()));
        self.ghosts.extend(open.unresolved.iter().filter_map(of_fn));
        let last = |all: &Vec<KnownDocument>| u32::try_from(all.len()).unwrap_or(u32::MAX);
        let ledgers = self.ledgers.iter();
        self.forgotten = ledgers.map(|(number, all)| (number.clone(), last(all))).collect();
    }

    /// The last document of each FN when the journal last went back.
    #[must_use]
    pub fn forgotten(&self) -> BTreeMap<String, u32> {
        self.forgotten.clone()
    }

    /// A job is held from now on.
    pub(super) fn is_held(&mut self, id: i64) {
        let Some(job) = self.known.jobs.get_mut(&id) else {
            return self.wrong.push(format!("I4: row {id} is held, which is no job"));
        };
        if job.held || job.state.is_final() {
            self.wrong
                .push(format!("I10: job {} is held, and was {}", job.key, job.state));
        }
        job.held = true;
        job.state = JobState::InDoubt;
        job.attempts += 1;
        job.holds += 1;
    }

    /// A start finds these jobs held: those that were, and on a copy all that waited.
    pub(super) fn holds_found(&mut self, recovered: &Recovered) {
        let holds = recovered.doubts.iter().filter(|doubt| is_hold(&doubt.fn_number));
        let found: Vec<i64> = holds.filter_map(|doubt| doubt.job).collect();
        let jobs = self.known.jobs.iter();
        let forgotten: Vec<i64> = jobs
            .filter(|(id, job)| job.held && !found.contains(id))
            .map(|(id, _)| *id)
            .collect();
        if !forgotten.is_empty() {
            self.wrong.push(format!(
                "I8: a start has forgotten that the jobs of rows {forgotten:?} are held"
            ));
        }
        for id in found {
            if self.known.jobs.get(&id).is_none_or(|job| !job.held) {
                self.is_held(id);
            }
        }
    }

    /// A held job goes on: with the document that is its, or without any.
    pub(super) fn hold_settled(&mut self, order: &SettleHeld, state: JobState) {
        let Some(job) = self.known.jobs.get_mut(&order.job) else {
            return self
                .wrong
                .push(format!("I4: row {} is settled, which is no job", order.job));
        };
        let told = match order.verdict {
            HeldVerdict::Person(_) => job.held && state == JobState::InDoubt,
            HeldVerdict::Claim(_) => job.held && state == JobState::Completed,
            HeldVerdict::Release => job.held && !matches!(state, JobState::Completed | JobState::Running),
        };
        if !told {
            self.wrong.push(format!(
                "I10: job {} was {} and becomes {state} by {:?}",
                job.key, job.state, order.verdict
            ));
        }
        job.state = state;
        job.held = state == JobState::InDoubt;
        let released = matches!(order.verdict, HeldVerdict::Release);
        if let Some((number, fd)) = self.keys.get(&job.key).filter(|_| released) {
            self.wrong.push(format!(
                "I8: job {} is let go, document {fd} of {number} is its",
                job.key
            ));
        }
    }

    /// A person gave a verdict; when it counts, the attempt is settled and its job moves.
    pub(super) fn judged(&mut self, intent: i64, judged: &Judgement, job: Option<(i64, JobState)>) {
        if !matches!(judged, Judgement::Counts) {
            return;
        }
        if let Some(known) = self.known.intents.get_mut(&intent) {
            known.open = false;
            self.known.unresolved.remove(known.begin.fn_number.as_str());
        }
        if let Some((id, state)) = job
            && let Some(job) = self.known.jobs.get_mut(&id)
        {
            job.state = state;
        }
    }

    /// The FN shows otherwise than persons said: the attempt may be in doubt again, with its job.
    pub(super) fn reviewed(&mut self, intent: i64, reopened: Option<Option<i64>>) {
        let Some(job) = reopened else { return };
        if let Some(known) = self.known.intents.get_mut(&intent) {
            known.open = true;
            let number = known.begin.fn_number.to_string();
            self.known.unresolved.insert(number, intent);
        }
        if let Some(job) = job.and_then(|id| self.known.jobs.get_mut(&id)) {
            job.state = JobState::InDoubt;
        }
    }
}
