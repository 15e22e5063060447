//! The states of a job and the moves between them.
//!
//! Owns: which move is legal (design, section 5, "Job").
//! Must never: know a journal, a register, or why a move happened beyond its name.

use kassette_wire::codes::Code;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Where a job stands. `COMPLETED`, `REFUSED`, `CANCELLED` and `EXPIRED` are final for its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Durable, waiting for a unit to take it.
    Accepted,
    /// An intent is journalled; a unit works on it.
    Running,
    /// A document may exist; only its FN or a person can tell.
    InDoubt,
    /// One document exists and is known.
    Completed,
    /// No document exists, because of what the receipt says.
    Refused,
    /// No document exists, the client took the job back before any attempt.
    Cancelled,
    /// No document exists, the ttl ran out before a unit took it.
    Expired,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Running,
        Self::InDoubt,
        Self::Completed,
        Self::Refused,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The name in the journal, the API and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::InDoubt => "IN_DOUBT",
            Self::Completed => "COMPLETED",
            Self::Refused => "REFUSED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Whether no event moves the job any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Accepted | Self::Running | Self::InDoubt => false,
            Self::Completed | Self::Refused | Self::Cancelled | Self::Expired => true,
        }
    }

    /// Whether a final state promises that no document exists (promise K3), so that `replaces` may name the job.
    #[must_use]
    pub const fn ended_without_document(self) -> bool {
        match self {
            Self::Accepted | Self::Running | Self::InDoubt | Self::Completed => false,
            Self::Refused | Self::Cancelled | Self::Expired => true,
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no job state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is not a job state")]
pub struct UnknownState(pub String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// How a job enters the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A new job.
    Fresh,
    /// In recovery mode: a document that no job of this journal explains may be this job's (design, section 5,
    /// "Journal generations"); it must not run until that is settled.
    MayHaveDocument,
}

impl Admission {
    /// The first state.
    #[must_use]
    pub const fn state(self) -> JobState {
        match self {
            Self::Fresh => JobState::Accepted,
            Self::MayHaveDocument => JobState::InDoubt,
        }
    }
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A unit took it: the intent with its baseline is journalled, before the first byte.
    Took,
    /// The document exists: a good answer above the baseline, or a resolution that found it.
    Completed,
    /// The register refused what the receipt says, with a negative proof.
    RefusedDocument,
    /// The register refused because of its own state, with a negative proof.
    RefusedDevice,
    /// The attempt ended before anything that could make a document, with a negative proof.
    NotSent,
    /// The attempt ended and nobody knows yet whether the document exists.
    Doubt,
    /// A resolution read the FN and showed that the document does not exist.
    NegativeProof,
    /// The client asks to take the job back.
    Cancel {
        /// Whether the job ever had an attempt; then cancelling is refused (design, section 4.1, `CancelReceipt`).
        attempted: bool,
    },
    /// The ttl ran out.
    TtlPassed,
    /// A start of the daemon found an intent of this job without a resolution.
    FoundOpenIntent,
    /// A person settled the doubt: the document exists.
    SettledMade,
    /// Persons settled the doubt with proof that no document exists: the job waits again, for as long as its ttl says.
    SettledNone,
    /// The FN of an attempt that persons had settled shows its document after all, before another attempt began.
    DocumentSeen,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 14] = [
        Self::Took,
        Self::Completed,
        Self::RefusedDocument,
        Self::RefusedDevice,
        Self::NotSent,
        Self::Doubt,
        Self::NegativeProof,
        Self::Cancel { attempted: false },
        Self::Cancel { attempted: true },
        Self::TtlPassed,
        Self::FoundOpenIntent,
        Self::SettledMade,
        Self::SettledNone,
        Self::DocumentSeen,
    ];
}

/// A move that the machine does not have. It means that two parts of the daemon disagree about a job: the caller
/// changes nothing and reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a job that is {from} cannot take the event {event:?}; nothing was changed")]
pub struct IllegalMove {
    /// The state.
    pub from: JobState,
    /// The event.
    pub event: Event,
}

impl IllegalMove {
    /// The reason of the daemon's list.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.event {
            Event::Cancel { .. } if self.from.is_final() => Code::JobFinal,
            Event::Cancel { .. } => Code::JobHadAttempt,
            Event::Took
            | Event::Completed
            | Event::RefusedDocument
            | Event::RefusedDevice
            | Event::NotSent
            | Event::Doubt
            | Event::NegativeProof
            | Event::TtlPassed
            | Event::FoundOpenIntent
            | Event::SettledMade
            | Event::SettledNone
            | Event::DocumentSeen => Code::InternalFault,
        }
    }
}

/// The state after an event.
///
/// # Errors
/// [`IllegalMove`] when the event has no meaning in this state; the job stays as it is.
pub const fn step(state: JobState, event: Event) -> Result<JobState, IllegalMove> {
    let next = match state {
        JobState::Accepted => from_accepted(event),
        JobState::Running => from_running(event),
        JobState::InDoubt => from_in_doubt(event),
        JobState::Completed | JobState::Refused | JobState::Cancelled | JobState::Expired => None,
    };
    match next {
        Some(next) => Ok(next),
        None => Err(IllegalMove { from: state, event }),
    }
}

const fn from_accepted(event: Event) -> Option<JobState> {
    match event {
        Event::Took => Some(JobState::Running),
        Event::Cancel { attempted: false } => Some(JobState::Cancelled),
        Event::TtlPassed => Some(JobState::Expired),
        Event::DocumentSeen => Some(JobState::InDoubt),
        Event::Cancel { attempted: true }
        | Event::Completed
        | Event::RefusedDocument
        | Event::RefusedDevice
        | Event::NotSent
        | Event::Doubt
        | Event::NegativeProof
        | Event::FoundOpenIntent
        | Event::SettledMade
        | Event::SettledNone => None,
    }
}

const fn from_running(event: Event) -> Option<JobState> {
    match event {
        Event::Completed => Some(JobState::Completed),
        Event::RefusedDocument => Some(JobState::Refused),
        Event::RefusedDevice | Event::NotSent => Some(JobState::Accepted),
        Event::Doubt | Event::FoundOpenIntent => Some(JobState::InDoubt),
        Event::Took
        | Event::NegativeProof
        | Event::Cancel { .. }
        | Event::TtlPassed
        | Event::SettledMade
        | Event::SettledNone
        | Event::DocumentSeen => None,
    }
}

const fn from_in_doubt(event: Event) -> Option<JobState> {
    match event {
        Event::Completed | Event::SettledMade => Some(JobState::Completed),
        Event::NegativeProof | Event::SettledNone => Some(JobState::Accepted),
        // A resolution that explains the refusal ends the job as the answer would have (exactly-once, section 3).
        Event::RefusedDocument => Some(JobState::Refused),
        // A restart during a resolution finds the same intent again.
        Event::Doubt | Event::FoundOpenIntent => Some(JobState::InDoubt),
        Event::Took
        | Event::RefusedDevice
        | Event::NotSent
        | Event::Cancel { .. }
        | Event::TtlPassed
        | Event::DocumentSeen => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobState::{Accepted, Cancelled, Completed, Expired, InDoubt, Refused, Running};

    /// Every legal move; a pair that is not here must be refused.
    const LEGAL: [(JobState, Event, JobState); 17] = [
        (Accepted, Event::DocumentSeen, InDoubt),
        (Accepted, Event::Took, Running),
        (Accepted, Event::Cancel { attempted: false }, Cancelled),
        (Accepted, Event::TtlPassed, Expired),
        (Running, Event::Completed, Completed),
        (Running, Event::RefusedDocument, Refused),
        (Running, Event::RefusedDevice, Accepted),
        (Running, Event::NotSent, Accepted),
        (Running, Event::Doubt, InDoubt),
        (Running, Event::FoundOpenIntent, InDoubt),
        (InDoubt, Event::Completed, Completed),
        (InDoubt, Event::SettledMade, Completed),
        (InDoubt, Event::NegativeProof, Accepted),
        (InDoubt, Event::SettledNone, Accepted),
        (InDoubt, Event::RefusedDocument, Refused),
        (InDoubt, Event::Doubt, InDoubt),
        (InDoubt, Event::FoundOpenIntent, InDoubt),
    ];

    #[test]
    fn every_pair_of_state_and_event_moves_as_the_table_says_and_no_other_way() {
        for state in JobState::ALL {
            for event in Event::ALL {
                let expected = LEGAL.iter().find(|row| row.0 == state && row.1 == event);
                let expected = expected.map(|row| row.2).ok_or(IllegalMove { from: state, event });
                assert_eq!(step(state, event), expected, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn a_job_that_may_have_a_document_can_neither_be_cancelled_nor_expire_nor_run_again() {
        for state in [Running, InDoubt] {
            for event in [
                Event::Cancel { attempted: true },
                Event::Cancel { attempted: false },
                Event::TtlPassed,
            ] {
                assert!(step(state, event).is_err(), "{state} {event:?}");
            }
            assert!(step(state, Event::Took).is_err());
        }
        assert_eq!(Admission::MayHaveDocument.state(), InDoubt);
    }

    #[test]
    fn a_final_state_is_final_for_its_key() {
        for state in JobState::ALL.into_iter().filter(|state| state.is_final()) {
            assert!(
                Event::ALL.into_iter().all(|event| step(state, event).is_err()),
                "{state}"
            );
            assert_eq!(state.ended_without_document(), state != Completed);
        }
    }

    #[test]
    fn a_cancel_that_comes_too_late_says_why() {
        let code = |state| step(state, Event::Cancel { attempted: true }).unwrap_err().code();
        assert_eq!(code(Accepted), Code::JobHadAttempt);
        assert_eq!(code(Running), Code::JobHadAttempt);
        assert_eq!(code(Completed), Code::JobFinal);
        assert_eq!(step(Completed, Event::Took).unwrap_err().code(), Code::InternalFault);
    }

    #[test]
    fn names_of_states_are_read_back() {
        for state in JobState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        }
        assert!("DONE".parse::<JobState>().is_err());
    }
}
