//! Jobs, attempts and results: domain to contract.
//!
//! Owns: how a job is shown.
//! Must never: show more certainty than the job has.

use super::reason::reason;
use super::show_receipt;
use super::time::{document_timestamp, duration, timestamp};
use super::unit::ffd_code;
use crate::grpc::names;
use kassette_api::v1;
use kassette_core::domain::attempt::{Evidence, KeyPlace, Learned};
use kassette_core::domain::job::{Attempt, AttemptState, Job, Priority};
use kassette_core::journal::HELD_PREFIX;
use kassette_receipts::job::JobState;
use kassette_wire::fiscal::QrText;

/// Document code of a receipt, tag 1000 by the format tables.
pub const CODE_RECEIPT: u32 = 3;
/// Document code of a correction receipt.
pub const CODE_CORRECTION: u32 = 31;

/// A job; `zone_minutes` is the zone of the tenant's registers, minutes east of UTC.
#[must_use]
pub fn job(stored: Job, zone_minutes: Option<i16>) -> v1::ReceiptJob {
    let ended = stored.state.is_final();
    let key_place = KeyPlace::of(&stored.receipt);
    let result = stored.evidence.as_ref().map(|evidence| result(evidence, &stored));
    v1::ReceiptJob {
        name: names::receipt(&stored.tenant, &stored.key),
        external_id: stored.external_id,
        client: stored.client,
        state: state(stored.state).into(),
        needs_person: stored.needs_person.as_ref().map(reason),
        reason: stored
            .reason
            .as_ref()
            .filter(|_| stored.state != JobState::Completed)
            .map(reason),
        result,
        attempts: stored
            .attempts
            .iter()
            .filter(|one| !is_hold(one))
            .map(attempt)
            .collect(),
        receipt: Some(show_receipt::receipt(stored.receipt, zone_minutes)),
        filled: Vec::new(),
        content_hash: stored.content_hash.to_string(),
        job_key: match key_place {
            KeyPlace::ByContent => String::new(),
            KeyPlace::AdditionalAttribute | KeyPlace::UserAttribute => stored.key.to_string(),
        },
        revision: stored.revision,
        etag: etag(stored.revision),
        priority: priority(stored.priority).into(),
        labels: stored.labels,
        replaces: stored.replaces.map(|key| names::receipt(&stored.tenant, &key)),
        replaced_by: stored.replaced_by.map(|key| names::receipt(&stored.tenant, &key)),
        cassette: None,
        accepted_at: Some(timestamp(stored.accepted_at)),
        changed_at: Some(timestamp(stored.updated_at)),
        ended_at: ended.then(|| timestamp(stored.updated_at)),
        expires_at: Some(timestamp(stored.expires_at)),
        key_time: stored.key_time.map(timestamp),
        ttl: u64::try_from(stored.expires_at.0 - stored.accepted_at.0)
            .ok()
            .map(duration),
        contact_dropped_at: None,
    }
}

/// The etag of a revision.
#[must_use]
pub fn etag(revision: u64) -> String {
    format!("r{revision}")
}

/// A state.
#[must_use]
pub const fn state(stored: JobState) -> v1::JobState {
    match stored {
        JobState::Accepted => v1::JobState::Accepted,
        JobState::Running => v1::JobState::Running,
        JobState::InDoubt => v1::JobState::InDoubt,
        JobState::Completed => v1::JobState::Completed,
        JobState::Refused => v1::JobState::Refused,
        JobState::Cancelled => v1::JobState::Cancelled,
        JobState::Expired => v1::JobState::Expired,
    }
}

/// The state that a request names; `None` for "unspecified".
#[must_use]
pub const fn read_state(given: v1::JobState) -> Option<JobState> {
    match given {
        v1::JobState::Unspecified => None,
        v1::JobState::Accepted => Some(JobState::Accepted),
        v1::JobState::Running => Some(JobState::Running),
        v1::JobState::InDoubt => Some(JobState::InDoubt),
        v1::JobState::Completed => Some(JobState::Completed),
        v1::JobState::Refused => Some(JobState::Refused),
        v1::JobState::Cancelled => Some(JobState::Cancelled),
        v1::JobState::Expired => Some(JobState::Expired),
    }
}

const fn priority(stored: Priority) -> v1::Priority {
    match stored {
        Priority::Interactive => v1::Priority::Interactive,
        Priority::Bulk => v1::Priority::Bulk,
    }
}

/// The priority that a request names; "unspecified" is `None`.
#[must_use]
pub const fn read_priority(given: v1::Priority) -> Option<Priority> {
    match given {
        v1::Priority::Unspecified => None,
        v1::Priority::Interactive => Some(Priority::Interactive),
        v1::Priority::Bulk => Some(Priority::Bulk),
    }
}

/// A job that was held until FNs were read was not tried on a unit by that.
fn is_hold(stored: &Attempt) -> bool {
    stored.fn_number.as_str().starts_with(HELD_PREFIX)
}

fn attempt(stored: &Attempt) -> v1::Attempt {
    let device_code = stored.device.as_ref().and_then(|device| device.device_code);
    let outcome = match stored.state {
        AttemptState::Open => v1::AttemptOutcome::Unspecified,
        AttemptState::InDoubt => v1::AttemptOutcome::InDoubt,
        AttemptState::Made => v1::AttemptOutcome::Completed,
        AttemptState::NotMade if device_code.is_some() => v1::AttemptOutcome::Refused,
        AttemptState::NotMade => v1::AttemptOutcome::NotSent,
    };
    let mut why = stored
        .reason
        .as_ref()
        .filter(|_| stored.state != AttemptState::Made)
        .map(reason);
    if let (Some(why), Some(device)) = (&mut why, &stored.device) {
        why.details.insert("command".to_owned(), device.command.clone());
    }
    v1::Attempt {
        number: stored.number,
        register: names::register(&stored.register),
        r#fn: names::fiscal_storage(&stored.fn_number),
        slot: stored.slot.as_deref().map(names::slot).unwrap_or_default(),
        baseline_fd: stored.baseline.0,
        outcome: outcome.into(),
        reason: why,
        vendor_error: device_code.map(u32::from),
        evidence: v1::Evidence::Unspecified.into(),
        intent_at: Some(timestamp(stored.started_at)),
        ended_at: stored.ended_at.map(timestamp),
        ..v1::Attempt::default()
    }
}

/// How a document became known.
#[must_use]
pub const fn evidence(learned: Learned) -> v1::Evidence {
    match learned {
        Learned::Answer => v1::Evidence::Answer,
        Learned::Scan => v1::Evidence::ReadBack,
        Learned::Content => v1::Evidence::Content,
        Learned::Operator => v1::Evidence::Person,
    }
}

fn result(found: &Evidence, job: &Job) -> v1::FiscalResult {
    let receipt = &job.receipt;
    let correction = receipt.correction.is_some();
    v1::FiscalResult {
        r#fn: found.fn_number.to_string(),
        fd: found.fd.0,
        fp: found.fp.0,
        shift: found.shift.0,
        number_in_shift: found.number_in_shift,
        document_time: Some(document_timestamp(found.time, found.zone_minutes)),
        document_offset_minutes: i32::from(found.zone_minutes),
        register_serial: found.register.serial.to_string(),
        register: names::register(&found.register),
        rnm: found.rnm.to_string(),
        inn: job.tenant.to_string(),
        settlement_sign: receipt.sign,
        total_kopecks: found.total.signed(),
        payments: Some(show_receipt::payments(receipt.payments, Vec::new())),
        qr_text: qr_text(found, receipt.sign),
        ffd_version: job.ffd.map_or(0, ffd_code),
        evidence: evidence(found.learned).into(),
        document_code: if correction { CODE_CORRECTION } else { CODE_RECEIPT },
        ..v1::FiscalResult::default()
    }
}

fn qr_text(found: &Evidence, sign: u32) -> String {
    let text = u8::try_from(sign).map(|sign| QrText {
        time: found.time,
        total: found.total,
        fn_number: found.fn_number.clone(),
        fd: found.fd,
        fp: found.fp,
        sign,
    });
    text.map_or_else(|_| String::new(), |text| text.to_string())
}
