//! Units of the snapshot as slots, registers and FNs of the contract.
//!
//! Owns: how hardware is shown, and what "ready" means to a reader.
//! Must never: keep a second truth: everything comes from one snapshot and the plan.

use super::reason::{lasting, reason};
use super::time::{document_timestamp, timestamp};
use crate::grpc::names;
use kassette_api::codes::Code;
use kassette_api::v1;
use kassette_core::domain::device::{Ffd, FnPhase, FnState, Registration};
use kassette_core::domain::error::Reason;
use kassette_core::domain::plan::Adoption;
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_core::domain::unit::UnitState;
use prost::Message;
use prost_types::Duration;
use sha2::{Digest, Sha256};

/// The unit could take a receipt now.
#[must_use]
pub fn is_ready(unit: &UnitSnapshot) -> bool {
    unit.state == UnitState::Active && unit.not_ready.is_none() && unit.in_doubt.is_none()
}

/// Everything in the way of a unit; empty when it is ready.
#[must_use]
pub fn reasons(unit: &UnitSnapshot) -> Vec<v1::Reason> {
    if is_ready(unit) {
        return Vec::new();
    }
    let of_state = (unit.state != UnitState::Active).then(|| lasting(&unit.reason, unit.since));
    let more = unit.not_ready.iter().chain(&unit.in_doubt).map(reason);
    of_state.into_iter().chain(more).collect()
}

/// An etag of a resource that has no revision of its own: it changes when anything shown changes.
fn etag(resource: &impl Message) -> String {
    let digest = Sha256::digest(resource.encode_to_vec());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A slot.
#[must_use]
pub fn slot(unit: &UnitSnapshot) -> v1::Slot {
    let problem = (!is_ready(unit)).then(|| lasting(unit.not_ready.as_ref().unwrap_or(&unit.reason), unit.since));
    let mut shown = v1::Slot {
        name: names::slot(&unit.slot),
        label: unit.slot.clone(),
        port: unit.port.to_string(),
        port_present: unit.port_present,
        register: unit.register.as_ref().map(names::register),
        reason: problem,
        can_locate: v1::Verdict::CannotTell.into(),
        ..v1::Slot::default()
    };
    shown.etag = etag(&shown);
    shown
}

/// A register that answers in a slot; `None` when nothing was identified there.
#[must_use]
pub fn register(unit: &UnitSnapshot) -> Option<v1::Register> {
    let id = unit.register.as_ref()?;
    let offset_s = unit.clock_offset_s;
    let mut shown = v1::Register {
        name: names::register(id),
        vendor: id.vendor.to_string(),
        serial: id.serial.to_string(),
        model: unit.model.clone().unwrap_or_default(),
        firmware: unit.firmware.clone().unwrap_or_default(),
        slot: Some(names::slot(&unit.slot)),
        tenant: unit.tenant.as_ref().map(names::tenant),
        r#fn: unit.fn_number.as_ref().map(names::fiscal_storage),
        state: state(unit.state).into(),
        state_since: Some(timestamp(unit.since)),
        ready: is_ready(unit),
        reasons: reasons(unit),
        registration: unit
            .registration
            .as_ref()
            .map(|stored| registration(stored, unit.zone_minutes)),
        shift: unit.shift.map(|shift| v1::ShiftSummary {
            number: shift.number.0,
            open: shift.open,
            opened_at: None,
            receipts: shift.receipts,
        }),
        clock_offset: offset_s.map(|seconds| Duration { seconds, nanos: 0 }),
        last_exchange_at: unit.last_good.map(timestamp),
        current_job: unit
            .job
            .as_ref()
            .zip(unit.tenant.as_ref())
            .map(|(key, inn)| names::receipt(inn, key)),
        jobs_in_doubt: u32::from(unit.in_doubt.is_some()),
        ..v1::Register::default()
    };
    shown.etag = etag(&shown);
    Some(shown)
}

/// An adopted register that answers in no slot.
#[must_use]
pub fn absent_register(adoption: &Adoption) -> v1::Register {
    let detail = format!("register {} answers in no slot of this rack", adoption.register);
    let mut shown = v1::Register {
        name: names::register(&adoption.register),
        vendor: adoption.register.vendor.to_string(),
        serial: adoption.register.serial.to_string(),
        tenant: Some(names::tenant(&adoption.tenant)),
        state: v1::UnitState::Lost.into(),
        reasons: vec![reason(&Reason::new(Code::RegisterAbsent, detail))],
        ..v1::Register::default()
    };
    shown.etag = etag(&shown);
    shown
}

/// An FN that was read in a slot; `None` when none was.
#[must_use]
pub fn fiscal_storage(unit: &UnitSnapshot) -> Option<v1::FiscalStorage> {
    let number = unit.fn_number.as_ref()?;
    let state = unit.fn_state.as_ref();
    let resource = unit.resource.unwrap_or_default();
    let zone = unit.zone_minutes.unwrap_or(0);
    let mut shown = v1::FiscalStorage {
        name: names::fiscal_storage(number),
        number: number.to_string(),
        test: number.is_test(),
        register: unit.register.as_ref().map(names::register),
        tenant: unit.tenant.as_ref().map(names::tenant),
        phase: state.map_or(PHASE_UNKNOWN, |state| phase(state.phase)),
        warning_flags: state.map_or(0, |state| u32::from(state.warnings)),
        expires_on: resource
            .expires
            .map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}")),
        last_fd: state.map_or(0, |state| state.last_fd.0),
        last_audited_fd: unit.audit.map_or(0, |audit| audit.audited_fd.0),
        documents_left: resource.documents_left,
        unsent_documents: resource.unsent,
        oldest_unsent_at: resource.oldest_unsent.map(|time| document_timestamp(time, zone)),
        registration: unit
            .registration
            .as_ref()
            .map(|stored| registration(stored, unit.zone_minutes)),
        reasons: state
            .filter(|state| state.stops_work())
            .map(|state| fn_trouble(state, unit))
            .into_iter()
            .collect(),
        ..v1::FiscalStorage::default()
    };
    shown.etag = etag(&shown);
    Some(shown)
}

fn fn_trouble(state: &FnState, unit: &UnitSnapshot) -> v1::Reason {
    let stated = || {
        Reason::new(
            Code::FnFault,
            format!("FN {} shows warning flags {:02X}", state.number, state.warnings),
        )
    };
    lasting(&unit.not_ready.clone().unwrap_or_else(stated), unit.since)
}

/// An adopted FN that no register of this rack shows.
#[must_use]
pub fn absent_fiscal_storage(adoption: &Adoption) -> v1::FiscalStorage {
    let detail = format!(
        "FN {} of register {} was not seen",
        adoption.fn_number, adoption.register
    );
    let mut shown = v1::FiscalStorage {
        name: names::fiscal_storage(&adoption.fn_number),
        number: adoption.fn_number.to_string(),
        test: adoption.fn_number.is_test(),
        tenant: Some(names::tenant(&adoption.tenant)),
        phase: PHASE_UNKNOWN,
        reasons: vec![reason(&Reason::new(Code::FnAbsent, detail))],
        ..v1::FiscalStorage::default()
    };
    shown.etag = etag(&shown);
    shown
}

/// Shown for a phase that was not read or fits no known one; the FN's own values are 0, 1, 3, 7 and 15.
const PHASE_UNKNOWN: u32 = 255;

const fn phase(stored: FnPhase) -> u32 {
    match stored {
        FnPhase::Blank => 1,
        FnPhase::Fiscal => 3,
        FnPhase::Closed => 7,
        FnPhase::Archive => 15,
        FnPhase::Unknown => PHASE_UNKNOWN,
    }
}

/// A state.
#[must_use]
pub const fn state(stored: UnitState) -> v1::UnitState {
    match stored {
        UnitState::Arrived => v1::UnitState::Arrived,
        UnitState::Identifying => v1::UnitState::Identifying,
        UnitState::Foreign => v1::UnitState::Foreign,
        UnitState::Blank => v1::UnitState::Blank,
        UnitState::Standby => v1::UnitState::Standby,
        UnitState::Active => v1::UnitState::Active,
        UnitState::Draining => v1::UnitState::Draining,
        UnitState::Retired => v1::UnitState::Retired,
        UnitState::Held => v1::UnitState::Held,
        UnitState::Quarantined => v1::UnitState::Quarantined,
        UnitState::Lost => v1::UnitState::Lost,
    }
}

/// The value of tag 1209.
#[must_use]
pub const fn ffd_code(ffd: Ffd) -> u32 {
    match ffd {
        Ffd::V1_05 => 2,
        Ffd::V1_1 => 3,
        Ffd::V1_2 => 4,
    }
}

/// Conditions of use as bits of tag 1290 (2 BSO, 5 internet only, 9 services only), put together from the work mode.
#[must_use]
pub fn usage_conditions(registration: &Registration) -> u32 {
    let bit = |from: u32, to: u32| ((registration.work_mode >> from) & 1) << to;
    bit(4, 2) | bit(5, 5) | bit(3, 9)
}

fn registration(stored: &Registration, zone_minutes: Option<i16>) -> v1::Registration {
    v1::Registration {
        rnm: stored.rnm.to_string(),
        inn: stored.inn.to_string(),
        tax_systems: stored.tax_systems,
        ffd_version: ffd_code(stored.ffd),
        settlement_address: stored.address.clone(),
        settlement_place: stored.place.clone(),
        modes: stored.work_mode,
        offset_minutes: i32::from(zone_minutes.unwrap_or(0)),
        ..v1::Registration::default()
    }
}
