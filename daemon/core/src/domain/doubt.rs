//! Doubts as persons see them: an attempt of which it is not known whether its document exists, and all seen since.
//!
//! Owns: the shape of a doubt, of what was seen, and of what persons said about it.
//! Must never: decide anything; the rules for persons stand in `verdict`, those for the FN in `register/recovery`.

use super::attempt::{DocumentKind, KeyPlace, Learned};
use super::error::Reason;
use super::job::AttemptState;
use super::verdict::{Claim, Review, Waiting};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Inn, RegisterId, Rnm};

/// Most sightings that are kept of one doubt; the oldest go first. Verdicts are never dropped.
pub const SIGHTINGS_MAX: u32 = 32;

/// One thing that was seen, or asked for, while the doubt stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: UnixMillis,
    /// What, in words.
    pub text: String,
    /// The FN's last number as read; `None` when it was not read.
    pub last_fd: Option<FdNumber>,
    /// The register was seen idle twice before.
    pub idle_twice: bool,
    /// Documents above the baseline that were looked at, and what each is.
    pub documents: Vec<(u32, String)>,
    /// Who asked for it; `None` for the daemon itself.
    pub client: Option<String>,
}

/// One verdict as it was given; never changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its row number.
    pub id: i64,
    /// When.
    pub at: UnixMillis,
    /// Who gave it.
    pub client: String,
    /// Why, in the words of that person.
    pub reason: Option<String>,
    /// What was said, with its evidence.
    pub claim: Claim,
    /// The verdict that this one repeats as the second person; `None` for a first one.
    pub confirms: Option<i64>,
}

/// One doubt with all that the journal knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Row number of its attempt, which is also its name.
    pub id: i64,
    /// What the attempt was to make.
    pub kind: DocumentKind,
    /// The job, for receipts and corrections.
    pub job: Option<JobKey>,
    /// The taxpayer.
    pub tenant: Inn,
    /// The register.
    pub register: RegisterId,
    /// The FN.
    pub fn_number: FnNumber,
    /// Number of the attempt of its job.
    pub attempt: u32,
    /// The FN's last number before the attempt.
    pub baseline: FdNumber,
    /// Registration number of the register.
    pub rnm: Rnm,
    /// Where the job key would stand in the document.
    pub key_place: Option<KeyPlace>,
    /// How the attempt stands: `InDoubt`, or how it was settled.
    pub state: AttemptState,
    /// What made it doubtful.
    pub cause: Reason,
    /// Why only a person can settle it; `None` while the FN may.
    pub person: Option<Reason>,
    /// What was seen, oldest first; at most [`SIGHTINGS_MAX`].
    pub sightings: Vec<Sighting>,
    /// What persons said, oldest first.
    pub verdicts: Vec<Given>,
    /// The verdict that waits for a second person; it may have expired.
    pub waiting: Option<Waiting>,
    /// What is to be found, or was found, when the FN was seen again after a verdict of persons.
    pub review: Option<Review>,
    /// Its document, when it exists, and how that is known.
    pub document: Option<(FdNumber, FiscalSign, Learned)>,
    /// Since when it is doubtful.
    pub opened_at: UnixMillis,
    /// When it was settled.
    pub resolved_at: Option<UnixMillis>,
    /// Grows by one with each change.
    pub revision: u64,
}

impl Doubt {
    /// Whether the FN or persons have settled it. One that the FN contradicted afterwards counts as open.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let ended = matches!(self.state, AttemptState::Made | AttemptState::NotMade);
        ended && !self.review.as_ref().is_some_and(Review::is_incident)
    }
}

/// Where a doubt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtState {
    /// Its FN answers in no register.
    WaitsForRegister,
    /// Its FN is being read.
    Reading,
    /// The FN cannot tell, or has contradicted persons.
    NeedsPerson,
    /// A verdict waits for its second person.
    Unconfirmed,
    /// The FN or two persons have decided.
    Settled,
}

/// A doubt, and where it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownDoubt {
    /// The doubt.
    pub doubt: Doubt,
    /// Where it stands.
    pub state: DoubtState,
    /// What it waits for; `None` when settled.
    pub waits_for: Option<Reason>,
}

/// Which doubts are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoubtFilter {
    /// Only those that nobody has settled.
    pub open: bool,
    /// Of this taxpayer.
    pub tenant: Option<Inn>,
    /// On this register.
    pub register: Option<RegisterId>,
}
