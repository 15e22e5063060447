//! What clients of a story ask for, and how good ones behave.
//!
//! Owns: the receipts, the repeats under the same key, and the cursor of the watch.
//! Must never: give up a job, or take an answer for granted.

use super::setting::TENANTS;
use crate::check::Shown;
use kassette_core::domain::error::RackError;
use kassette_core::domain::job::{Job, Priority, SubmitOrder};
use kassette_core::domain::plan::RackPlan;
use kassette_core::rack::{ApplyOrder, RackHandle};
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::{Item, Payments, Receipt};
use kassette_wire::codes::Code;
use kassette_wire::value::{Inn, Kopecks, Quantity};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Numbers from here on are receipts of a return.
pub const RETURNS: u32 = 1_000_000;

/// One receipt of so many has a gift.
const GIFT_EVERY: u32 = 3;

/// A receipt of so many roubles and a kopeck, to a buyer of its own.
///
/// # Panics
/// Never: the sums fit.
#[must_use]
pub fn receipt(number: u32) -> Receipt {
    let sum = Kopecks::new(u64::from(number) * 100 + 1).expect("a small sum");
    let text = serde_json::json!({
        "sign": if number < RETURNS { 1 } else { 2 }, "tax_system": 1, "items": [], "total": sum.get(),
        "payments": Payments { electronic: sum, ..Payments::default() },
        "buyer": {"contact": format!("buyer{number}@example.com")},
    });
    let mut receipt: Receipt = serde_json::from_value(text).expect("a receipt of the model");
    let item = |name: String, price: u64| {
        let item = serde_json::json!({
            "name": name, "price": price, "quantity": Quantity::ONE.millionths(),
            "amount": price, "vat_rate": 6, "method": 4, "subject": 1, "measure": 0,
        });
        serde_json::from_value::<Item>(item).expect("an item of the model")
    };
    receipt.items.push(item(format!("Товар {number}"), sum.get()));
    if number.is_multiple_of(GIFT_EVERY) {
        // Twice on a receipt or not at all, it changes no sum that a register checks.
        receipt.items.push(item(format!("Подарок {number}"), 0));
    }
    receipt
}

/// The order of client `shop` for receipt `number`, of the first tenant.
///
/// # Panics
/// Never: the tenant is a good one.
#[must_use]
pub fn order(number: u32) -> SubmitOrder {
    order_of(0, number)
}

/// The order of a client of a tenant, from 0, for receipt `number`.
///
/// # Panics
/// When there is no such tenant: a mistake of the test.
#[must_use]
pub fn order_of(tenant: usize, number: u32) -> SubmitOrder {
    SubmitOrder {
        tenant: TENANTS[tenant].parse().expect("the check digits are right"),
        client: "shop".into(),
        external_id: format!("order-{number}"),
        key_time: None,
        receipt: receipt(number),
        ttl_ms: None,
        priority: Priority::Interactive,
        labels: BTreeMap::new(),
        replaces: None,
    }
}

/// The first tenant.
///
/// # Panics
/// Never: its check digits are right.
#[must_use]
pub fn tenant() -> Inn {
    TENANTS[0].parse().expect("the check digits are right")
}

pub(super) async fn stand(handle: &RackHandle, plan: RackPlan) {
    loop {
        let order = ApplyOrder {
            plan: plan.clone(),
            expected_version: None,
            validate_only: false,
            reason: None,
            request_id: Some("first".into()),
            client: "admin".into(),
        };
        match handle.apply(order).await {
            Ok(_) => return,
            Err(error) => assert!(passes(error.reason.code), "the plan is applied: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Whether a good client tries again.
pub(crate) const fn passes(code: Code) -> bool {
    matches!(code, Code::JournalFull | Code::JournalStopped | Code::DaemonStopping)
}

pub(super) async fn submit(handle: &RackHandle, number: u32) -> JobKey {
    loop {
        match handle.submit(order(number)).await {
            Ok(submitted) => return submitted.job.key,
            Err(error) => assert!(passes(error.reason.code), "order {number} is taken: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The job when it is final or waits for a person, or as it stands at `until`.
pub(crate) async fn at_rest(handle: &RackHandle, inn: &Inn, key: &JobKey, until: Instant) -> Result<Job, RackError> {
    loop {
        let step = (Instant::now() + Duration::from_secs(5)).min(until);
        let job = handle.wait_final(inn, key, step).await?;
        if job.state.is_final() || job.needs_person.is_some() || Instant::now() >= until {
            return Ok(job);
        }
    }
}

/// Reads every event of jobs as a watching client does, over all lives from its cursor.
pub(super) async fn watch(handle: RackHandle, shown: Arc<Shown>) {
    let mut sequence = handle.sequence();
    loop {
        sequence.mark_unchanged();
        match handle.job_events(None, shown.cursor(), 1000).await {
            Ok((events, upto)) => shown.take(events, upto),
            Err(error) => shown.is_wrong(format!("I4: a cursor survives restarts: {error}")),
        }
        if sequence.changed().await.is_err() {
            return;
        }
    }
}
