//! Doubts as persons work on them: where each stands, verdicts, and readings that are asked for.
//!
//! The journal judges a verdict and makes it durable together with all that follows; what is changed here in memory comes
//! after, and the next start makes the same of the journal.
//!
//! Owns: the state of a doubt as the rack shows it, and what a verdict changes in memory.
//! Must never: decide what a verdict needs; that is `domain::verdict`'s.

use super::shared::Shared;
use crate::domain::attempt::{Evidence, Learned};
use crate::domain::doubt::{Doubt, DoubtState, ShownDoubt};
use crate::domain::error::{RackError, Reason};
use crate::domain::job::JobSelect;
use crate::domain::snapshot::UnitSnapshot;
use crate::domain::unit::UnitState;
use crate::domain::verdict::{Absence, Claim, Claimed, Existing, Judgement, Review, Source};
use crate::journal::{AskReading, Command, GiveVerdict, OpenReview, Query, ReplyBody, Rows};
use crate::mutants::Mutant;
use crate::parts::{Event, Severity};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::value::{Kopecks, LocalTime, ShiftNumber};

/// Letters of a confirmation id: none that can be taken for another.
const ID_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Code of a receipt (tag 1000).
const RECEIPT_CODE: u32 = 3;
/// Length of a confirmation id: two persons read it to each other.
const ID_LENGTH: usize = 6;
/// Zone of a register that no plan describes any more: Moscow.
const ZONE_MINUTES: i16 = 180;

/// A verdict of a person.
#[derive(Debug, Clone)]
pub struct VerdictOrder {
    /// The doubt.
    pub doubt: i64,
    /// What is said, with its evidence.
    pub claim: Claim,
    /// What only a second person gives: the shown id, and the last digits of the FN.
    pub repeats: Option<(String, String)>,
    /// The revision that the doubt was read with.
    pub expected_revision: Option<u64>,
    /// Only say what it would bring about.
    pub validate_only: bool,
    /// Why.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// Who gives it.
    pub client: String,
}

/// A wish that the FN of a doubt is read again.
#[derive(Debug, Clone)]
pub struct ReadingOrder {
    /// The doubt.
    pub doubt: i64,
    /// The revision that the doubt was read with.
    pub expected_revision: Option<u64>,
    /// Only say whether it can be.
    pub validate_only: bool,
    /// Why.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// Who asks.
    pub client: String,
}

/// The unit in which an FN answers well enough to be read.
fn answering(shared: &Shared, doubt: &Doubt) -> Option<UnitSnapshot> {
    let snapshot = shared.snapshot.borrow().clone();
    let mut units = snapshot.units.values();
    let unit = units.find(|unit| unit.fn_number.as_ref() == Some(&doubt.fn_number) && unit.port_present)?;
    let answers = match unit.state {
        UnitState::Arrived | UnitState::Identifying | UnitState::Standby | UnitState::Active | UnitState::Draining => {
            true
        }
        UnitState::Foreign
        | UnitState::Blank
        | UnitState::Retired
        | UnitState::Held
        | UnitState::Quarantined
        | UnitState::Lost => false,
    };
    answers.then(|| unit.clone())
}

/// A doubt with where it stands now.
pub(super) fn shown(shared: &Shared, doubt: Doubt) -> ShownDoubt {
    let (state, waits_for) = place(shared, &doubt);
    ShownDoubt {
        doubt,
        state,
        waits_for,
    }
}

fn place(shared: &Shared, doubt: &Doubt) -> (DoubtState, Option<Reason>) {
    if doubt.is_settled() {
        return (DoubtState::Settled, None);
    }
    let waiting = doubt.waiting.as_ref();
    if let Some(waiting) = waiting.filter(|waiting| waiting.stands(doubt.revision, shared.now())) {
        let text = format!(
            "{} gave it; it is to be repeated under {}",
            waiting.client, waiting.confirmation
        );
        let reason = Reason::new(Code::VerdictSecondPerson, text);
        return (DoubtState::Unconfirmed, Some(reason));
    }
    if let Some(review) = doubt.review.as_ref().filter(|review| Review::is_incident(review)) {
        let reason = Reason::new(Code::DoubtVerdictWrong, &review.detail);
        return (DoubtState::NeedsPerson, Some(reason));
    }
    if let Some(person) = &doubt.person {
        return (DoubtState::NeedsPerson, Some(person.clone()));
    }
    match answering(shared, doubt) {
        Some(unit) => {
            let reading = || Reason::new(Code::DoubtOpen, format!("the FN is read in slot {}", unit.slot));
            (DoubtState::Reading, Some(unit.in_doubt.clone().unwrap_or_else(reading)))
        }
        None => {
            let text = format!("FN {} answers in no register", doubt.fn_number);
            (
                DoubtState::WaitsForRegister,
                Some(Reason::new(Code::RegisterAbsent, text)),
            )
        }
    }
}

pub(super) async fn load(shared: &Shared, id: i64) -> Result<Doubt, RackError> {
    match shared.read(Query::Doubt(id)).await? {
        Rows::Doubt(Some(doubt)) => Ok(*doubt),
        _ => Err(RackError::new(Code::DoubtNotFound, format!("there is no doubt {id}"))),
    }
}

/// Takes a verdict, or says what it would bring about; the doubt after it.
pub(super) async fn give_verdict(
    shared: &Shared,
    mut order: VerdictOrder,
) -> Result<(ShownDoubt, Judgement), RackError> {
    let doubt = load(shared, order.doubt).await?;
    // Naive: what the OFD has not got was not made.
    if shared.points.mutant(Mutant::OfdAbsenceIsProof) && order.claim.source == Source::OfdCopy {
        order.claim.verdict = as_if_held(&doubt, order.claim.verdict);
    }
    let evidence = match &order.claim.verdict {
        Claimed::Made(existing) => Some(Box::new(evidence(shared, &doubt, existing).await?)),
        Claimed::NotMade(_) => None,
    };
    let command = GiveVerdict {
        intent: doubt.id,
        claim: order.claim.clone(),
        evidence,
        fn_answers: fn_answers(shared, &doubt),
        repeats: order.repeats,
        confirmation: confirmation(shared),
        expected: order.expected_revision,
        validate_only: order.validate_only,
        client: order.client.clone(),
        reason: order.reason,
        request_id: order.request_id,
        at: shared.now(),
    };
    let reply = shared.commit(Command::GiveVerdict(Box::new(command))).await;
    let (judged, job) = match reply.map_err(|error| error.into_error().fact("doubt", format!("doubts/{}", doubt.id)))? {
        ReplyBody::Verdict { judged, job } => (judged, job),
        _ => return Err(RackError::new(Code::InternalFault, "the journal took no verdict")),
    };
    if !order.validate_only {
        took(shared, &doubt, &order.client, judged, job.map(|(_, state)| state));
    }
    Ok((shown(shared, load(shared, doubt.id).await?), judged))
}

/// An absence as that of a copy which holds all that an attempt can have made.
fn as_if_held(doubt: &Doubt, claimed: Claimed) -> Claimed {
    match claimed {
        Claimed::Made(_) => claimed,
        Claimed::NotMade(absence) => Claimed::NotMade(Absence {
            first_fd: Some(doubt.baseline),
            last_fd: doubt.baseline.next(),
            last_code: Some(RECEIPT_CODE),
            ..absence
        }),
    }
}

/// How the FN can be read here: then it decides, unless it was read already and cannot tell.
fn fn_answers(shared: &Shared, doubt: &Doubt) -> Option<String> {
    let cannot_tell = shared
        .doubt_on(&doubt.fn_number)
        .is_some_and(|unresolved| unresolved.manual.is_some());
    let unit = answering(shared, doubt).filter(|_| !cannot_tell)?;
    Some(format!("answers in slot {}", unit.slot))
}

fn confirmation(shared: &Shared) -> String {
    let mut drawn = [0_u8; ID_LENGTH];
    shared.parts.entropy.fill(&mut drawn);
    let letter = |byte: &u8| char::from(ID_LETTERS[usize::from(byte % 32)]);
    drawn.iter().map(letter).collect()
}

/// The document that a person has seen, as it will be shown.
async fn evidence(shared: &Shared, doubt: &Doubt, existing: &Existing) -> Result<Evidence, RackError> {
    let plan = shared.plan.borrow().clone();
    let adoption = plan.checked.registers.get(&doubt.register);
    let zone_minutes = adoption.map_or(ZONE_MINUTES, |adoption| adoption.zone_minutes);
    let at = existing.time.unwrap_or(doubt.opened_at);
    let time = LocalTime::at_zone(at.seconds(), zone_minutes)
        .map_err(|error| RackError::new(Code::VerdictInvalid, format!("the time of the document: {error}")))?;
    let total = match doubt.job {
        None => Kopecks::default(),
        Some(key) => {
            let select = JobSelect::Name {
                tenant: doubt.tenant.clone(),
                key,
            };
            match shared.read(Query::Job(select)).await? {
                Rows::Job(Some(stored)) => stored.job.receipt.total,
                _ => return Err(RackError::new(Code::JobNotFound, key)),
            }
        }
    };
    Ok(Evidence {
        fn_number: doubt.fn_number.clone(),
        fd: existing.fd,
        fp: existing.fp,
        shift: existing.shift.unwrap_or(ShiftNumber(0)),
        number_in_shift: existing.number_in_shift.unwrap_or(0),
        time,
        zone_minutes,
        register: doubt.register.clone(),
        rnm: doubt.rnm.clone(),
        total,
        learned: Learned::Operator,
    })
}

/// What a durable verdict changes in memory.
fn took(shared: &Shared, doubt: &Doubt, client: &str, judged: Judgement, job: Option<JobState>) {
    let event = |severity, what| {
        let event = Event::new(severity, what).register(&doubt.register);
        let event = event.fn_number(&doubt.fn_number).tenant(&doubt.tenant);
        event.detail(format!("doubt {} by {client}", doubt.id))
    };
    if judged == Judgement::NeedsSecond {
        return shared.tell(event(Severity::Warn, "a verdict waits for a second person"));
    }
    shared.tell(event(Severity::Warn, "two persons settled a doubt"));
    if doubt.review.as_ref().is_some_and(Review::is_incident) {
        shared.reviewed(&doubt.fn_number);
        return shared.lanes_changed();
    }
    // The order to read the FN first, so that no session finds neither.
    shared.review(OpenReview {
        intent: doubt.id,
        fn_number: doubt.fn_number.clone(),
        incident: None,
    });
    let unresolved = shared.settled(&doubt.fn_number, doubt.id);
    if let Some(mut taken) = unresolved.and_then(|unresolved| unresolved.taken)
        && job == Some(JobState::Accepted)
    {
        taken.job.attempts = taken.job.attempts.saturating_add(1);
        shared.dispatch.put(taken, None, false);
    }
    shared.lanes_changed();
}

/// Asks the unit that holds the FN to read it again; the doubt after it.
pub(super) async fn read_again(shared: &Shared, order: ReadingOrder) -> Result<ShownDoubt, RackError> {
    let doubt = load(shared, order.doubt).await?;
    let snapshot = shared.snapshot.borrow().clone();
    let there = |unit: &&UnitSnapshot| unit.fn_number.as_ref() == Some(&doubt.fn_number) && unit.port_present;
    if !doubt.is_settled() && !snapshot.units.values().any(|unit| there(&unit)) {
        let text = format!("FN {} stands in no register that is connected", doubt.fn_number);
        return Err(RackError::new(Code::RegisterAbsent, text).fact("doubt", format!("doubts/{}", doubt.id)));
    }
    let command = AskReading {
        intent: doubt.id,
        expected: order.expected_revision,
        validate_only: order.validate_only,
        client: order.client,
        reason: order.reason,
        request_id: order.request_id,
        at: shared.now(),
    };
    let stored = shared.commit(Command::AskReading(Box::new(command))).await;
    stored.map_err(|error| error.into_error().fact("doubt", format!("doubts/{}", doubt.id)))?;
    if !order.validate_only {
        // From now on the FN may settle it itself again.
        if let Some(mut unresolved) = shared.doubt_on(&doubt.fn_number) {
            unresolved.manual = None;
            shared.doubt(unresolved);
        }
        shared.lanes_changed();
    }
    Ok(shown(shared, load(shared, doubt.id).await?))
}
