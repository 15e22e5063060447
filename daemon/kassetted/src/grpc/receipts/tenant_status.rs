//! `GetTenantStatus`: what can be issued for a tenant now, and why not.
//!
//! Owns: how units, registrations and the queue of one tenant are summed up.
//! Must never: promise a delay that was not measured.

use crate::grpc::access;
use crate::grpc::convert::findings::At;
use crate::grpc::convert::reason::reason;
use crate::grpc::convert::time::{duration, timestamp};
use crate::grpc::convert::unit::{ffd_code, is_ready, reasons, usage_conditions};
use crate::grpc::names;
use crate::grpc::status::refusal;
use crate::grpc::surface::Surface;
use crate::grpc::tenants::admission;
use crate::grpc::tokens::PAGE_MAX;
use crate::identity::Role;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::dispatch::policy::BULK_SHARE;
use kassette_core::domain::error::Reason;
use kassette_core::domain::job::JobFilter;
use kassette_core::domain::plan::TenantPlan;
use kassette_core::domain::snapshot::{JournalHealth, QueueSnapshot, RackSnapshot, UnitSnapshot};
use kassette_core::parts::UnixMillis;
use kassette_wire::value::{Inn, LocalTime};
use tonic::Request;

const DAY_MS: i64 = 86_400_000;

/// The status of one tenant.
pub(super) async fn get(
    surface: &Surface,
    request: Request<v1::GetTenantStatusRequest>,
) -> Result<v1::GetTenantStatusResponse, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let tenant = grants.named(&caller, &At::top("name"), &request.get_ref().name)?;
    let plan = grants.tenant(&caller, &tenant)?;
    let mut shown = status(&surface.snapshot(), &tenant, plan, surface.clock().now());
    // Counted up to a page: more than a thousand jobs that need a person is "very many" to any reader.
    let waiting = JobFilter {
        tenant: Some(tenant),
        needs_person: Some(true),
        ..JobFilter::default()
    };
    let page = surface.rack().jobs(waiting, None, PAGE_MAX).await.map_err(refusal)?;
    shown.jobs_needing_person = page.rows.len() as u64;
    Ok(v1::GetTenantStatusResponse {
        tenant_status: Some(shown),
    })
}

fn status(snapshot: &RackSnapshot, tenant: &Inn, plan: &TenantPlan, now: UnixMillis) -> v1::TenantStatus {
    let units: Vec<_> = snapshot
        .units
        .values()
        .filter(|unit| unit.tenant.as_ref() == Some(tenant))
        .collect();
    let ready: Vec<_> = units.iter().copied().filter(|unit| is_ready(unit)).collect();
    let queue = snapshot.queues.get(tenant).cloned().unwrap_or_default();
    let rate = rate_millihertz(&ready);
    let first_end = units.iter().filter_map(|unit| fn_end(unit)).min();
    v1::TenantStatus {
        name: names::tenant(tenant),
        ready_units: count(ready.len()),
        units: count(units.len()),
        queue_depth: queue.waiting,
        queue_limit: plan.queue_max,
        queue_oldest_accepted_at: queue.oldest.map(timestamp),
        expected_delay: rate.and_then(|rate| expected_delay(&queue, rate)),
        rate_millihertz: rate,
        attributes: attributes(&ready),
        first_fn_end: first_end.map(timestamp),
        days_to_first_fn_end: first_end.and_then(|end| i32::try_from((end.0 - now.0).div_euclid(DAY_MS)).ok()),
        reasons: admission(plan)
            .into_iter()
            .chain(why_not(snapshot, plan, &queue, &units))
            .collect(),
        jobs_in_doubt: queue.in_doubt,
        jobs_needing_person: 0,
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The beginning of the day on which an FN's keys end, in the zone of its registration.
fn fn_end(unit: &UnitSnapshot) -> Option<UnixMillis> {
    let (year, month, day) = unit.resource?.expires?;
    let midnight = LocalTime::new(year, month, day, 0, 0, 0).ok()?;
    Some(UnixMillis(
        midnight
            .to_unix_in_zone(unit.zone_minutes.unwrap_or(0))
            .checked_mul(1000)?,
    ))
}

/// One entry for each set of equal registrations of ready units.
fn attributes(ready: &[&UnitSnapshot]) -> Vec<v1::ServedAttributes> {
    let mut sets: Vec<v1::ServedAttributes> = Vec::new();
    for unit in ready {
        let Some(registration) = &unit.registration else {
            continue;
        };
        let one = v1::ServedAttributes {
            tax_systems: registration.tax_systems,
            ffd_version: ffd_code(registration.ffd),
            settlement_address: registration.address.clone().unwrap_or_default(),
            settlement_place: registration.place.clone().unwrap_or_default(),
            usage_conditions: usage_conditions(registration),
            agent_signs: None,
            ready_units: 0,
            offset_minutes: i32::from(unit.zone_minutes.unwrap_or(0)),
            marking: false,
        };
        let same = |set: &&mut v1::ServedAttributes| {
            v1::ServedAttributes {
                ready_units: 0,
                ..(**set).clone()
            } == one
        };
        match sets.iter_mut().find(same) {
            Some(set) => set.ready_units += 1,
            None => sets.push(v1::ServedAttributes { ready_units: 1, ..one }),
        }
    }
    sets
}

/// Receipts in a thousand seconds that the ready units sustain, from what one takes on each; a unit that made none yet
/// counts like the others.
fn rate_millihertz(ready: &[&UnitSnapshot]) -> Option<u64> {
    let measured = ready.iter().filter_map(|unit| unit.receipt_takes);
    let per_unit = measured.map(|takes| 1_000_000_000 / takes.as_micros().max(1));
    let (units, sum) = per_unit.fold((0_u128, 0_u128), |(units, sum), rate| (units + 1, sum + rate));
    let all = sum.checked_mul(ready.len() as u128)?.checked_div(units)?;
    u64::try_from(all).ok().filter(|rate| *rate > 0)
}

/// How long an interactive receipt waits that is submitted now: what is interactive goes before it, and a ninth of that
/// in bulk.
fn expected_delay(queue: &QueueSnapshot, rate_millihertz: u64) -> Option<prost_types::Duration> {
    let interactive = queue.waiting.saturating_sub(queue.bulk);
    let before = interactive.saturating_add(queue.bulk.min(interactive / (BULK_SHARE - 1)));
    let millis = u128::from(before) * 1_000_000 / u128::from(rate_millihertz);
    u64::try_from(millis).ok().map(duration)
}

/// Reasons of the rack first, then of the queue, then of each unit that is not ready.
pub(in crate::grpc) fn why_not(
    snapshot: &RackSnapshot,
    plan: &TenantPlan,
    queue: &QueueSnapshot,
    units: &[&UnitSnapshot],
) -> Vec<v1::Reason> {
    let mut all = Vec::new();
    match &snapshot.journal {
        JournalHealth::Writing => {}
        JournalHealth::Full => all.push(reason(&Reason::new(Code::JournalFull, ""))),
        JournalHealth::ReadOnly(why) => all.push(reason(why)),
    }
    if snapshot.rack_id.is_none() {
        all.push(reason(&Reason::new(Code::RackIdMissing, "")));
    }
    if queue.waiting >= plan.queue_max {
        let text = format!("{} jobs wait, the limit is {}.", queue.waiting, plan.queue_max);
        all.push(reason(&Reason::new(Code::QueueFull, text)));
    }
    if units.is_empty() {
        all.push(reason(&Reason::new(
            Code::NoUnitReady,
            "No register of this tenant stands in the rack.",
        )));
    }
    for unit in units {
        for mut why in reasons(unit) {
            why.details.insert("slot".to_owned(), unit.slot.clone());
            all.push(why);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_core::domain::unit::UnitState;
    use std::time::Duration;

    fn unit(takes: Option<u64>) -> UnitSnapshot {
        let reason = Reason::new(Code::RegisterAbsent, "");
        UnitSnapshot {
            state: UnitState::Active,
            receipt_takes: takes.map(Duration::from_millis),
            ..UnitSnapshot::empty("S", &"/dev/x".parse().unwrap(), reason, UnixMillis(0))
        }
    }

    #[test]
    fn a_delay_is_told_from_what_was_measured_and_only_then() {
        let units = [unit(Some(500)), unit(None)];
        assert_eq!(rate_millihertz(&[&units[1]]), None);
        assert_eq!(rate_millihertz(&[]), None);
        let rate = rate_millihertz(&[&units[0], &units[1]]).unwrap();
        assert_eq!(rate, 4_000, "two units of half a second each");
        let queue = |waiting, bulk| QueueSnapshot {
            waiting,
            bulk,
            ..QueueSnapshot::default()
        };
        let seconds = |waiting, bulk| expected_delay(&queue(waiting, bulk), rate).map(|delay| delay.seconds);
        assert_eq!(seconds(40, 0), Some(10));
        assert_eq!(seconds(1_000, 1_000), Some(0), "bulk waits for interactive");
        assert_eq!(
            seconds(1_036, 1_000),
            Some(10),
            "36 interactive ones and a ninth of them in bulk"
        );
        assert_eq!(expected_delay(&queue(u64::MAX, 0), 1), None, "beyond any clock");
    }
}
