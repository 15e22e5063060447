//! Whether a register that answers is ours to drive.
//!
//! Owns: adoption, test against live, locks, and the device's own registration.
//! Must never: let anything beyond identification be sent to a register that is not ours.

use super::session::{LOCK_AGAIN, SessionEnd, manual_again};
use super::slot::SlotActor;
use crate::dispatch::policy::{Needs, covers};
use crate::domain::device::{FnPhase, Identity, Registration, Status};
use crate::domain::error::Reason;
use crate::domain::plan::Adoption;
use crate::domain::snapshot::RackKind;
use crate::domain::unit::UnitState;
use crate::drivers::{Driver, DriverError};
use crate::journal::{Command, EndIntent, FnMark, JobEnd, ReplyBody, Seen, Verdict};
use crate::parts::{Event, LockGuard, LockHeld, LockKind, Severity};
use crate::rack::shared::Shared;
use kassette_receipts::capability::unsupported_ffd;
use kassette_wire::codes::Code;
use kassette_wire::value::FnNumber;

/// The adoption, the locks on register and FN, and the version of the plan that says so.
pub(super) type Admitted = (Adoption, (LockGuard, LockGuard), u64);

/// Whether this register with this FN is ours to drive. Nothing beyond identification was sent when this says no.
pub(super) async fn admit(actor: &mut SlotActor, identity: &Identity) -> Result<Admitted, SessionEnd> {
    let standing = actor.shared.plan.borrow().clone();
    let foreign = |code, text: String| (UnitState::Foreign, Reason::new(code, text), None);
    let register = &identity.register;
    let verdict = match (standing.checked.registers.get(register), &identity.fn_number) {
        (None, _) => Err(foreign(Code::RegisterForeign, format!("{register} was not adopted"))),
        (Some(_), None) => Err((
            UnitState::Blank,
            Reason::new(Code::FnAbsent, format!("{register} states that it has no FN")),
            Some(LOCK_AGAIN),
        )),
        (Some(adoption), Some(number)) => match wrong_kind(&actor.shared, number) {
            Some(reason) => Err((UnitState::Foreign, reason, None)),
            None if *number == adoption.fn_number => Ok(adoption.clone()),
            None => {
                let text = format!(
                    "{register} holds FN {number}; it was adopted with FN {}",
                    adoption.fn_number
                );
                let retry = Some(manual_again(&actor.shared));
                Err((UnitState::Quarantined, Reason::new(Code::RegisterWrongFn, text), retry))
            }
        },
    };
    let verdict = match verdict {
        Err(refused) => Err(refused),
        Ok(adoption) => take_locks(&actor.shared, &adoption)
            .map(|locks| (adoption, locks, standing.version))
            .map_err(|reason| (UnitState::Quarantined, reason, Some(LOCK_AGAIN))),
    };
    match verdict {
        Ok(admitted) => Ok(admitted),
        Err((state, reason, retry)) => {
            if let Some(adoption) = standing.checked.registers.get(register)
                && reason.code == Code::RegisterWrongFn
            {
                tell_person(actor, &adoption.fn_number, &reason).await?;
            }
            actor
                .shared
                .publish(&actor.label, |unit| unit.not_ready = Some(reason.clone()));
            actor.enter(state, reason).await;
            Err(SessionEnd::Isolated { retry })
        }
    }
}

/// Another FN stands where an attempt is in doubt: the document may be in the old one, which only a person can bring back
/// (`exactly-once` C13). When it answers again the doubt is settled from it as any other.
async fn tell_person(actor: &SlotActor, fn_number: &FnNumber, reason: &Reason) -> Result<(), SessionEnd> {
    let Some(unresolved) = actor.shared.doubt_on(fn_number) else {
        return Ok(());
    };
    let units = actor.shared.snapshot.borrow().clone();
    let told = units.units.get(&actor.label).and_then(|unit| unit.in_doubt.as_ref());
    if told == Some(reason) {
        // Told at an earlier look; nothing has changed since.
        return Ok(());
    }
    let end = EndIntent {
        intent: unresolved.intent.intent,
        verdict: Verdict::InDoubt,
        job_end: JobEnd::InDoubt,
        reason: Some(reason.clone()),
        device: None,
        scan: None,
        last_fd: unresolved.intent.baseline,
        needs_person: Some(reason.clone()),
        at: actor.shared.now(),
    };
    actor
        .shared
        .commit_until_done(Command::End(Box::new(end), None))
        .await?;
    actor
        .shared
        .publish(&actor.label, |unit| unit.in_doubt = Some(reason.clone()));
    Ok(())
}

fn wrong_kind(shared: &Shared, number: &FnNumber) -> Option<Reason> {
    let kind = shared.snapshot.borrow().kind;
    match (kind, number.is_test()) {
        (RackKind::Test, false) => Some(Reason::new(
            Code::LiveFnInTestRack,
            format!("FN {number} is not a test unit (9999…)"),
        )),
        (RackKind::Live, true) => Some(Reason::new(
            Code::TestFnInLiveRack,
            format!("FN {number} is a test unit"),
        )),
        (RackKind::Test, true) | (RackKind::Live, false) => None,
    }
}

fn take_locks(shared: &Shared, adoption: &Adoption) -> Result<(LockGuard, LockGuard), Reason> {
    let locks = &shared.parts.locks;
    let held = |error: LockHeld| Reason::new(Code::RegisterLocked, error);
    let register = locks
        .take(LockKind::Register, &adoption.register.to_string())
        .map_err(held)?;
    let storage = locks.take(LockKind::Fn, adoption.fn_number.as_str()).map_err(held)?;
    Ok((register, storage))
}

/// The device's own registration must be what the adoption says.
pub(super) async fn check_registration(
    actor: &mut SlotActor,
    adoption: &Adoption,
    registration: &Registration,
    status: &Status,
) -> Result<(), SessionEnd> {
    let number = &status.fn_state.number;
    let (state, reason) = if registration.inn != adoption.tenant {
        let text = format!(
            "FN {number} is registered for {}, adopted for {}",
            registration.inn, adoption.tenant
        );
        (UnitState::Quarantined, Reason::new(Code::RegisterWrongTenant, text))
    } else if status.fn_state.phase == FnPhase::Blank {
        (
            UnitState::Blank,
            Reason::new(Code::FnPhase, format!("FN {number} is not registered")),
        )
    } else if *number != adoption.fn_number {
        let text = format!("FN {number} answers, adopted was {}", adoption.fn_number);
        (UnitState::Quarantined, Reason::new(Code::RegisterWrongFn, text))
    } else {
        if unsupported_ffd(registration.ffd).is_some() {
            let event = Event::new(Severity::Warn, "a unit's format is not served yet").code(Code::FfdUnsupported);
            actor
                .shared
                .tell(event.register(&adoption.register).detail(registration.ffd.as_str()));
        } else if let Err(reason) = covers(
            registration,
            Needs {
                tax_system: Some(registration.tax_systems),
                internet: false,
            },
        ) {
            actor
                .shared
                .tell(Event::new(Severity::Warn, "a unit's registration covers nothing").code(reason.code));
        }
        return Ok(());
    };
    actor
        .shared
        .publish(&actor.label, |unit| unit.not_ready = Some(reason.clone()));
    actor.enter(state, reason).await;
    Err(SessionEnd::Isolated {
        retry: Some(manual_again(&actor.shared)),
    })
}

/// A registration that differs from the one seen last is news: a re-registration, or a setting that somebody changed.
pub(super) fn tell_change(shared: &Shared, adoption: &Adoption, before: &Registration, now: &Registration) {
    let rows = [
        ("RNM", before.rnm.to_string(), now.rnm.to_string()),
        ("FFD", before.ffd.as_str().to_owned(), now.ffd.as_str().to_owned()),
        (
            "tax systems",
            before.tax_systems.to_string(),
            now.tax_systems.to_string(),
        ),
        ("work mode", before.work_mode.to_string(), now.work_mode.to_string()),
    ];
    let changed: Vec<String> = rows
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(what, was, is)| format!("{what} was {was} and is {is}"))
        .collect();
    if !changed.is_empty() {
        let event = Event::new(Severity::Warn, "a register's registration changed").register(&adoption.register);
        shared.tell(event.fn_number(&adoption.fn_number).detail(changed.join(", ")));
    }
}

/// Shows who answers here, and in no other slot: a register whose cable was moved stands where it answers now.
pub(super) fn publish_identity(actor: &SlotActor, identity: &Identity) {
    actor.shared.stands_at(&actor.label, &identity.register);
    actor.shared.publish(&actor.label, |unit| {
        unit.register = Some(identity.register.clone());
        unit.model = Some(identity.model.clone());
        unit.firmware = Some(identity.firmware.clone());
        unit.fn_number.clone_from(&identity.fn_number);
    });
}

/// Notes who stands where; the journal's mark of the FN.
pub(super) async fn see(
    actor: &SlotActor,
    shared: &Shared,
    identity: &Identity,
    registration: &Registration,
) -> Result<FnMark, SessionEnd> {
    let seen = Seen {
        slot: actor.label.clone(),
        register: identity.register.clone(),
        model: identity.model.clone(),
        firmware: identity.firmware.clone(),
        fn_number: identity.fn_number.clone(),
        registration: Some(registration.clone()),
        last_fd: None,
        at: shared.now(),
    };
    match shared.commit(Command::Seen(Box::new(seen))).await? {
        ReplyBody::Mark(Some(mark)) => Ok(mark),
        _ => Err(SessionEnd::Failed(Reason::new(
            Code::InternalFault,
            "the journal gave no mark for the FN",
        ))),
    }
}

/// A doubt is settled by INN, RNM and FN alone: where a register states something else that makes no sense, that must not
/// keep its FN from being read. What it was last seen registered for stands in until then.
pub(super) async fn doubted_registration(
    shared: &Shared,
    adoption: &Adoption,
    driver: &mut dyn Driver,
    error: &DriverError,
) -> Result<Registration, SessionEnd> {
    let unsettled = shared.doubt_on(&adoption.fn_number).is_some() || shared.review_on(&adoption.fn_number).is_some();
    let known = shared.registration_of(&adoption.register);
    match (error, known) {
        (DriverError::Undecided(_), Some(known)) if unsettled => {
            let (inn, rnm) = driver.owner().await?;
            Ok(Registration { inn, rnm, ..known })
        }
        _ => Err(error.clone().into()),
    }
}
