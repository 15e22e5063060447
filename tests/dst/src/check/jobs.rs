//! What must hold of jobs, their attempts and the units.
//!
//! Owns: I6, I10, K5, K10, L1 and "no unit is stuck without a reason".
//! Must never: look into an FN; that is `ledgers`'.

use super::{Allowed, Seen};
use kassette_core::domain::job::{AttemptState, Job};
use kassette_core::domain::unit::UnitState;
use kassette_core::journal::HELD_PREFIX;
use kassette_receipts::job::JobState;
use std::collections::BTreeMap;

/// I6: at most one unresolved attempt per FN and per job; I10: attempts are numbered from 1 without gaps.
pub(super) fn attempts_are_in_order(seen: &Seen, wrong: &mut Vec<String>) {
    let mut open = BTreeMap::new();
    for job in seen.jobs.values() {
        let numbers: Vec<u32> = job.attempts.iter().map(|attempt| attempt.number).collect();
        let expected: Vec<u32> = (1..).take(numbers.len()).collect();
        if numbers != expected {
            wrong.push(format!("I10: job {} has attempts {numbers:?}", job.key));
        }
        let unresolved = job
            .attempts
            .iter()
            .filter(|a| matches!(a.state, AttemptState::Open | AttemptState::InDoubt));
        for (at, attempt) in unresolved.enumerate() {
            if at > 0 {
                wrong.push(format!("I6: job {} has two unresolved attempts", job.key));
            }
            if let Some(other) = open.insert(attempt.fn_number.clone(), job.key) {
                wrong.push(format!(
                    "I6: jobs {other} and {} are unresolved on {}",
                    job.key, attempt.fn_number
                ));
            }
        }
        let made = job.attempts.iter().filter(|a| a.state == AttemptState::Made).count();
        if made != usize::from(job.state == JobState::Completed) {
            wrong.push(format!(
                "job {} is {} with {made} attempts that made it",
                job.key, job.state
            ));
        }
    }
}

/// K5, L1: nothing runs and nothing is in doubt, but what only a person can settle, with its unit isolated.
pub(super) fn nothing_is_left_open(seen: &Seen, allowed: Allowed, wrong: &mut Vec<String>) {
    let isolated = |job: &Job| {
        let on = job.attempts.last().map(|attempt| attempt.fn_number.clone());
        let there = seen
            .units
            .values()
            .find(|unit| unit.in_doubt.is_some() || unit.fn_number == on);
        there.is_some_and(|unit| unit.state == UnitState::Quarantined)
    };
    for job in seen.jobs.values() {
        // It waits for an FN that must be read first, and no unit is the cause.
        let on = job.attempts.last().map(|attempt| attempt.fn_number.as_str());
        let held = allowed.forgotten && on.is_some_and(|number| number.starts_with(HELD_PREFIX));
        let good = match job.state {
            JobState::Completed | JobState::Refused | JobState::Cancelled | JobState::Expired => true,
            JobState::Accepted => allowed.waiting || job.needs_person.is_some(),
            JobState::Running => false,
            JobState::InDoubt if held => true,
            JobState::InDoubt => allowed.manual && job.needs_person.is_some() && isolated(job),
        };
        if !good {
            wrong.push(format!(
                "job {} is left {} (person: {:?}, reason: {:?})",
                job.key, job.state, job.needs_person, job.reason
            ));
        }
    }
    if !allowed.manual {
        for unit in seen.units.values().filter(|unit| unit.in_doubt.is_some()) {
            wrong.push(format!("slot {} is left in doubt: {:?}", unit.slot, unit.in_doubt));
        }
    }
}

/// K10: a unit takes jobs, or shows a reason; none is stuck half way.
pub(super) fn units_say_why(seen: &Seen, wrong: &mut Vec<String>) {
    for unit in seen.units.values() {
        let stuck = matches!(unit.state, UnitState::Arrived | UnitState::Identifying);
        let silent = unit.state != UnitState::Active && unit.reason.detail.is_empty();
        if stuck || silent {
            wrong.push(format!(
                "slot {} is {:?} and does not say why: {:?}",
                unit.slot, unit.state, unit.reason
            ));
        }
        if unit.job.is_some() && unit.in_doubt.is_none() {
            wrong.push(format!("slot {} shows a job in hand: {:?}", unit.slot, unit.job));
        }
    }
}
