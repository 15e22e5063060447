//! How much a tenant may bring: whether at all, how many jobs a second, how many that wait.
//!
//! Owns: the pace of each tenant's submissions, in memory: a start begins with a full allowance.
//! Must never: know a receipt, or hold anybody up: it answers at once.

use super::shared::Shared;
use crate::dispatch::{Full, Place};
use crate::domain::error::RackError;
use crate::domain::plan::Admission;
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So much of a limit may come at once after a pause.
const BURST: Duration = Duration::from_secs(1);

/// When a submission to a full queue may be tried again.
const QUEUE_RETRY_MS: u64 = 1_000;
/// When one to a tenant that an operator closed may be.
const CLOSED_RETRY_MS: u64 = 60_000;

/// A place for one more job of a tenant, if its operator and its limits allow it now.
pub fn room<'a>(shared: &'a Shared, tenant: &Inn) -> Result<Place<'a>, RackError> {
    let standing = shared.plan.borrow().clone();
    let Some(plan) = standing.checked.tenants.get(tenant) else {
        return Err(RackError::new(Code::TenantUnknown, tenant).fact("tenant", tenant));
    };
    let closed = match plan.admission {
        Admission::Open => None,
        Admission::Cordoned => Some(Code::TenantCordoned),
        Admission::Draining => Some(Code::TenantDraining),
    };
    if let Some(code) = closed {
        let text = format!("tenant {tenant} takes no new receipts by an operator's word");
        return Err(RackError::new(code, text)
            .fact("tenant", tenant)
            .retry_after(CLOSED_RETRY_MS));
    }
    let rack_max = u64::try_from(shared.parts.policy.queue_max).unwrap_or(u64::MAX);
    let place = shared.dispatch.keep_place(tenant, plan.queue_max, rack_max);
    let place = place.map_err(|full| queue_full(tenant, plan.queue_max, rack_max, full))?;
    let rate = plan.submissions_per_second;
    let counted = shared.rates.count(tenant, rate, Instant::now());
    counted.map_err(|wait| {
        let text = format!("tenant {tenant} may bring {rate} jobs a second");
        let millis = u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        let error = RackError::new(Code::RateLimited, text).fact("tenant", tenant);
        error.fact("limit", rate).retry_after(millis)
    })?;
    Ok(place)
}

fn queue_full(tenant: &Inn, tenant_max: u64, rack_max: u64, full: Full) -> RackError {
    let (text, limit) = match full {
        Full::Tenant(waiting) => (
            format!("{waiting} jobs of tenant {tenant} wait, its limit is {tenant_max}"),
            tenant_max,
        ),
        Full::Rack(waiting) => (
            format!("{waiting} jobs wait in the rack, its limit is {rack_max}"),
            rack_max,
        ),
    };
    RackError::new(Code::QueueFull, text)
        .fact("tenant", tenant)
        .fact("limit", limit)
        .retry_after(QUEUE_RETRY_MS)
}

/// When each tenant's submissions so far would have been used up at its pace (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub struct Rates {
    used_until: Mutex<BTreeMap<Inn, Instant>>,
}

impl Rates {
    /// Counts one submission of a tenant that may bring so many a second; 0: no limit.
    ///
    /// # Errors
    /// After which time the next one fits.
    pub fn count(&self, tenant: &Inn, per_second: u32, now: Instant) -> Result<(), Duration> {
        if per_second == 0 {
            return Ok(());
        }
        let mut all = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        let used = all.get(tenant).copied().unwrap_or(now);
        let next = counted(used, per_second, now)?;
        all.insert(tenant.clone(), next);
        Ok(())
    }
}

fn counted(used_until: Instant, per_second: u32, now: Instant) -> Result<Instant, Duration> {
    let next = used_until.max(now) + Duration::from_secs(1) / per_second;
    match next.checked_duration_since(now + BURST) {
        Some(early) if !early.is_zero() => Err(early),
        Some(_) | None => Ok(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inn() -> Inn {
        "7704358518".parse().unwrap()
    }

    fn taken(rates: &Rates, per_second: u32, now: Instant, tries: usize) -> usize {
        (0..tries)
            .filter(|_| rates.count(&inn(), per_second, now).is_ok())
            .count()
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_a_second_come_through_and_the_next_is_told_when() {
        let rates = Rates::default();
        let start = Instant::now();
        assert_eq!(taken(&rates, 10, start, 50), 10);
        let wait = rates.count(&inn(), 10, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(rates.count(&inn(), 10, start + wait).is_ok(), "what was told is true");
        let through: usize = (1..=100)
            .map(|step| taken(&rates, 10, start + wait + Duration::from_millis(50 * step), 3))
            .sum();
        assert_eq!(through, 50, "5 s at 10 a second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_limit_holds_at_once_and_a_long_pause_saves_nothing_up() {
        let rates = Rates::default();
        let start = Instant::now();
        assert_eq!(taken(&rates, 1, start, 5), 1);
        assert_eq!(taken(&rates, 0, start, 5), 5, "no limit");
        assert_eq!(taken(&rates, 1, start, 5), 0);
        assert_eq!(taken(&rates, 4, start + Duration::from_millis(500), 9), 2);
        assert_eq!(taken(&rates, 4, start + Duration::from_secs(3600), 9), 4);
    }
}
