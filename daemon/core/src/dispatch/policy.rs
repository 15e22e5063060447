//! May this unit take this job now, and which waiting job goes first. Pure.
//!
//! Owns: coverage, order and the poison rule.
//! Must never: know a clock, a queue's locks or a device.

use crate::domain::attempt::DeviceFault;
use crate::domain::device::Registration;
use crate::domain::error::Reason;
use crate::domain::job::{Attempt, AttemptState, Priority};
use crate::parts::UnixMillis;
use kassette_receipts::capability::unsupported_ffd;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::Receipt;
use kassette_wire::codes::Code;
use kassette_wire::value::{FnNumber, Inn, RegisterId};
use std::collections::BTreeSet;
use std::time::Duration;

/// Every tenth document of a tenant is a bulk one while both wait (design 4.1, `priority`).
pub const BULK_SHARE: u64 = 10;
/// First pause before a job is tried again after an attempt ended without a document; doubles up to the largest.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Largest pause between tries of one job.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Whose turn it is among a tenant's waiting jobs: a bulk document after nine interactive ones, never two in a row while
/// an interactive job waits. So bulk delays interactive by one document at most, and always gets its tenth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Interactive jobs taken since the last bulk one, while bulk jobs waited.
    passed_over: u64,
}

impl Turn {
    /// The line that is asked first.
    #[must_use]
    pub const fn first(self) -> Priority {
        if self.passed_over + 1 >= BULK_SHARE {
            Priority::Bulk
        } else {
            Priority::Interactive
        }
    }

    /// The turn after a job was taken; `bulk_waits`: bulk jobs were there to be taken instead.
    #[must_use]
    pub const fn after(self, taken: Priority, bulk_waits: bool) -> Self {
        let passed_over = match taken {
            Priority::Interactive if bulk_waits && self.passed_over < BULK_SHARE => self.passed_over + 1,
            Priority::Interactive if bulk_waits => self.passed_over,
            Priority::Interactive | Priority::Bulk => 0,
        };
        Self { passed_over }
    }
}

/// What a receipt asks of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Tax system that must be allowed, one bit of tag 1062; absent: whatever the only one is.
    pub tax_system: Option<u32>,
    /// Internet settlement (tag 1125): needs a register registered for it.
    pub internet: bool,
}

impl Needs {
    /// What this receipt asks.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Self {
        Self {
            tax_system: receipt.tax_system,
            internet: receipt.internet == Some(true),
        }
    }
}

/// A unit that is ready, as the dispatcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFacts {
    /// The register.
    pub register: RegisterId,
    /// Its FN.
    pub fn_number: FnNumber,
    /// Its tenant: until cassettes exist, all units of a tenant are its one implied cassette.
    pub tenant: Inn,
    /// Its registration.
    pub registration: Registration,
}

/// A job that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Row number in the journal: also its age.
    pub id: i64,
    /// Its name.
    pub key: JobKey,
    /// Its tenant.
    pub tenant: Inn,
    /// When it became durable.
    pub accepted_at: UnixMillis,
    /// How urgent.
    pub priority: Priority,
    /// What it asks of a registration.
    pub needs: Needs,
    /// Units whose driver cannot make it.
    pub not_on: BTreeSet<RegisterId>,
    /// What devices did to it at which command, by unit, for the poison rule.
    pub faults: Vec<(RegisterId, DeviceFault)>,
    /// Attempts so far.
    pub attempts: u32,
}

/// Work mode bit of a registration for internet settlements (`fn-ffd-ofd` A.4, mode bits).
const MODE_INTERNET: u32 = 1 << 5;

/// Whether a registration covers what a receipt asks.
///
/// # Errors
/// The reason it does not.
pub fn covers(registration: &Registration, needs: Needs) -> Result<(), Reason> {
    let refuse = |text: String| Err(Reason::new(Code::NoRegistrationCovers, text));
    if let Some(gap) = unsupported_ffd(registration.ffd) {
        return refuse(format!("{} is not served yet", gap.reason));
    }
    match needs.tax_system {
        Some(bit) if registration.tax_systems & bit == 0 => {
            return refuse(format!(
                "tax system {bit} is not among those registered ({})",
                registration.tax_systems
            ));
        }
        None if !registration.tax_systems.is_power_of_two() => {
            return refuse(format!(
                "the receipt names no tax system, {} are registered",
                registration.tax_systems
            ));
        }
        Some(_) | None => {}
    }
    if needs.internet && registration.work_mode & MODE_INTERNET == 0 {
        return refuse("the register is not registered for internet settlements".into());
    }
    Ok(())
}

/// May this unit take this job now?
///
/// # Errors
/// The reason it may not.
pub fn may_take(unit: &UnitFacts, job: &Waiting) -> Result<(), Reason> {
    if unit.tenant != job.tenant || unit.registration.inn != job.tenant {
        return Err(Reason::new(
            Code::RegisterWrongTenant,
            format!("{} serves {}", unit.register, unit.tenant),
        ));
    }
    if job.not_on.contains(&unit.register) {
        return Err(Reason::new(
            Code::ModelUndecided,
            format!("{} cannot make this receipt", unit.register),
        ));
    }
    covers(&unit.registration, job.needs)
}

/// The pause before a job is tried again.
#[must_use]
pub fn retry_after(attempts: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(1 << attempts.saturating_sub(1).min(16))
        .min(RETRY_MAX)
}

/// Whether a device's doing counts against the job (design, section 5: loss of link or power, unplug, hold, FN phase or
/// flags and shift age never count).
#[must_use]
pub fn counts_as_poison(code: Code, fault: &DeviceFault) -> bool {
    // Without a code of the device only its silence is a hang; noise on the line says nothing of the job.
    let hang = fault.device_code.is_some() || code == Code::RegisterSilent;
    hang && !matches!(
        code,
        Code::RegisterAbsent
            | Code::AttemptLinkLost
            | Code::DoubtOpen
            | Code::RegisterHeld
            | Code::FnPhase
            | Code::FnFull
            | Code::FnExpired
            | Code::FnUnsentTooOld
            | Code::FnAbsent
            | Code::ShiftTooOld
            | Code::ShiftClosed
            | Code::ShiftOpen
            | Code::ClockOff
            | Code::PaperOut
            | Code::RegisterBusy
            | Code::PasswordRefused
    )
}

/// The poison rule: two different units did the same to this job at the same command.
#[must_use]
pub fn poisoned(faults: &[(RegisterId, DeviceFault)]) -> Option<(&RegisterId, &RegisterId, &DeviceFault)> {
    for (at, (first, fault)) in faults.iter().enumerate() {
        if let Some((second, _)) = faults[at + 1..]
            .iter()
            .find(|(unit, other)| unit != first && other == fault)
        {
            return Some((first, second, fault));
        }
    }
    None
}

/// What devices did to a job, from its stored attempts.
#[must_use]
pub fn faults_of(attempts: &[Attempt]) -> Vec<(RegisterId, DeviceFault)> {
    attempts
        .iter()
        .filter(|a| a.state == AttemptState::NotMade)
        .filter_map(|a| Some((a, a.reason.as_ref()?, a.device.as_ref()?)))
        .filter(|(_, reason, fault)| counts_as_poison(reason.code, fault))
        .map(|(a, _, fault)| (a.register.clone(), fault.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::Ffd;

    fn unit(serial: &str) -> RegisterId {
        RegisterId {
            vendor: kassette_wire::value::Vendor::ShtrihM,
            serial: serial.parse().unwrap(),
        }
    }

    fn fault(command: &str, device_code: Option<u8>) -> DeviceFault {
        DeviceFault {
            command: command.into(),
            device_code,
        }
    }

    #[test]
    fn two_units_failing_alike_make_a_job_poison_and_one_unit_failing_twice_does_not() {
        let same = fault("FF46", Some(0x33));
        assert!(poisoned(&[(unit("1"), same.clone()), (unit("1"), same.clone())]).is_none());
        assert!(poisoned(&[(unit("1"), same.clone()), (unit("2"), fault("FF45", Some(0x33)))]).is_none());
        assert!(
            poisoned(&[
                (unit("1"), same.clone()),
                (unit("3"), fault("FF46", None)),
                (unit("2"), same)
            ])
            .is_some()
        );
    }

    #[test]
    fn noise_on_two_lines_is_no_hang_of_two_devices() {
        let hang = fault("FF46", None);
        assert!(counts_as_poison(Code::RegisterSilent, &hang));
        for code in [Code::RegisterGarbled, Code::RegisterAbsent, Code::InternalFault] {
            assert!(!counts_as_poison(code, &hang), "{code}");
        }
        assert!(counts_as_poison(Code::RegisterUnknownError, &fault("FF46", Some(0xEE))));
        assert!(!counts_as_poison(Code::PaperOut, &fault("FF46", Some(0x6B))));
    }

    #[test]
    fn bulk_delays_interactive_by_one_document_and_gets_its_tenth_whatever_comes_when() {
        for seed in 1..200_u64 {
            let mut draw = seed;
            let (mut turn, mut interactive, mut bulk) = (Turn::default(), 0_u64, 0_u64);
            let (mut in_a_row, mut passed_over) = (0, 0);
            for step in 0..500 {
                draw = draw
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (interactive, bulk) = (interactive + (draw >> 60) / 6, bulk + (draw >> 40) % 8 / 7);
                let taken = match (turn.first(), interactive, bulk) {
                    (_, 0, 0) => continue,
                    (Priority::Bulk, _, 1..) | (_, 0, _) => Priority::Bulk,
                    _ => Priority::Interactive,
                };
                let (both, bulk_waits) = (interactive > 0 && bulk > 0, bulk > 0);
                match taken {
                    Priority::Bulk => {
                        (bulk, in_a_row, passed_over) = (bulk - 1, if both { in_a_row + 1 } else { 0 }, 0);
                    }
                    Priority::Interactive => {
                        (interactive, in_a_row) = (interactive - 1, 0);
                        passed_over = if bulk_waits { passed_over + 1 } else { 0 };
                    }
                }
                turn = turn.after(taken, bulk_waits);
                assert!(
                    in_a_row <= 1,
                    "seed {seed} step {step}: two bulk documents before an interactive one"
                );
                assert!(
                    passed_over < BULK_SHARE,
                    "seed {seed} step {step}: bulk got less than a tenth"
                );
            }
        }
    }

    #[test]
    fn bulk_that_had_the_register_alone_leaves_it_to_interactive_at_once() {
        let mut turn = Turn::default();
        for _ in 0..25 {
            turn = turn.after(Priority::Bulk, true);
            assert_eq!(turn.first(), Priority::Interactive);
        }
    }

    #[test]
    fn retries_of_one_job_slow_down_to_a_bound() {
        assert_eq!(retry_after(1), RETRY_FIRST);
        assert!(retry_after(3) > retry_after(2));
        assert_eq!(retry_after(u32::MAX), RETRY_MAX);
    }

    #[test]
    fn a_receipt_goes_only_where_its_tax_system_and_internet_flag_are_registered() {
        let registration = Registration {
            inn: "7704358518".parse().unwrap(),
            rnm: "0000000001061875".parse().unwrap(),
            tax_systems: 0b11,
            work_mode: 0,
            ffd: Ffd::V1_2,
            address: None,
            place: None,
        };
        let needs = |tax_system, internet| Needs { tax_system, internet };
        assert!(covers(&registration, needs(Some(1), false)).is_ok());
        assert!(covers(&registration, needs(Some(4), false)).is_err());
        assert!(covers(&registration, needs(None, false)).is_err());
        assert!(covers(&registration, needs(Some(1), true)).is_err());
        let of = |ffd| Registration {
            ffd,
            ..registration.clone()
        };
        assert!(covers(&of(Ffd::V1_05), needs(Some(1), false)).is_ok());
        assert!(covers(&of(Ffd::V1_1), needs(Some(1), false)).is_err());
    }
}
