//! Orders that change what stands in the rack.
//!
//! Owns: what a change of plan must not do.
//! Must never: change anything without a row that says who ordered it.

use super::shared::{Shared, Standing};
use crate::domain::error::RackError;
use crate::domain::plan::{CheckedPlan, PlanChange, PlanError, RackPlan};
use crate::journal::{ApplyPlan, Command, ReplyBody};
use crate::parts::{Event, Severity};
use kassette_wire::codes::Code;
use std::sync::Arc;

/// An order to change what stands in the rack.
#[derive(Debug, Clone)]
pub struct ApplyOrder {
    /// The whole plan.
    pub plan: RackPlan,
    /// The version it was made from.
    pub expected_version: Option<u64>,
    /// Only say what it would change.
    pub validate_only: bool,
    /// Why.
    pub reason: Option<String>,
    /// Makes a repeat safe.
    pub request_id: Option<String>,
    /// Who orders.
    pub client: String,
}

/// What an order changed.
#[derive(Debug, Clone)]
pub struct AppliedPlan {
    /// The difference.
    pub changes: Vec<PlanChange>,
    /// Version of the plan now.
    pub version: u64,
}

/// Applies a plan, or says what it would change.
pub(super) async fn apply(shared: &Shared, order: ApplyOrder) -> Result<AppliedPlan, RackError> {
    let checked = order.plan.check().map_err(plan_error)?;
    let standing = shared.plan.borrow().clone();
    let changes = standing.plan.changes_to(&order.plan);
    refuse_what_is_in_use(shared, &standing, &checked)?;
    // A repeat under its request id was made from an older version; the journal knows whether it is one.
    let may_be_repeat = order.request_id.is_some() && !order.validate_only;
    let expected = order.expected_version.filter(|_| !may_be_repeat);
    if let Some(expected) = expected.filter(|expected| *expected != standing.version) {
        let text = format!(
            "the plan was made from version {expected}, the rack has version {}",
            standing.version
        );
        return Err(RackError::new(Code::EtagMismatch, text));
    }
    if order.validate_only {
        return Ok(AppliedPlan {
            changes,
            version: standing.version,
        });
    }
    let text = order.plan.to_toml();
    if RackPlan::from_toml(&text).as_ref() != Ok(&order.plan) {
        // What is stored is what the next start reads: never another plan than the one that was checked.
        let text = "the plan cannot be written so that it reads back the same";
        return Err(RackError::new(Code::InternalFault, text));
    }
    let command = ApplyPlan {
        plan: text,
        rack_id: checked.rack_id,
        expected: order.expected_version,
        client: order.client.clone(),
        reason: order.reason,
        request_id: order.request_id,
        tenants: checked.tenants.keys().cloned().collect(),
        slots: checked.slots.keys().cloned().collect(),
        at: shared.now(),
    };
    let body = shared
        .commit(Command::Apply(Box::new(command)))
        .await
        .map_err(super::shared::NotWritten::into_error)?;
    let ReplyBody::Applied(version) = body else {
        return Err(RackError::new(Code::InternalFault, "the journal stored no plan"));
    };
    let text = format!("{} changes, version {version}, by {}", changes.len(), order.client);
    shared.tell(Event::new(Severity::Info, "the plan of the rack was changed").detail(text));
    stand(
        shared,
        Standing {
            plan: order.plan,
            checked,
            version,
        },
    );
    Ok(AppliedPlan { changes, version })
}

fn stand(shared: &Shared, standing: Standing) {
    let (version, named) = (standing.version, standing.checked.rack_id);
    shared.plan.send_if_modified(|known| {
        // A repeated request answers with an older version; the newer plan stands.
        let newer = version > known.version;
        if newer {
            *known = Arc::new(standing);
        }
        newer
    });
    shared.snapshot.send_modify(|snapshot| {
        let snapshot = Arc::make_mut(snapshot);
        snapshot.plan_version = snapshot.plan_version.max(version);
        if let Some(id) = named {
            snapshot.rack_id = Some(id.to_string());
        }
    });
}

fn plan_error(errors: Vec<PlanError>) -> RackError {
    let texts: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", error.path, error.text))
        .collect();
    let mut error = RackError::new(Code::RackInvalid, texts.join("; "));
    for wrong in errors {
        error = error.fact("error", format!("{}: {}", wrong.path, wrong.text));
    }
    error
}

/// A register whose FN has an unresolved attempt stays, with its FN and tenant; a tenant with waiting jobs stays.
fn refuse_what_is_in_use(shared: &Shared, standing: &Standing, next: &CheckedPlan) -> Result<(), RackError> {
    for (register, adoption) in &standing.checked.registers {
        if next.registers.get(register) != Some(adoption) && shared.doubt_on(&adoption.fn_number).is_some() {
            let text = format!("{register} has an attempt in doubt on FN {}", adoption.fn_number);
            return Err(RackError::new(Code::DoubtOpen, text).fact("register", register));
        }
    }
    refuse_what_works(shared, standing, next)?;
    for inn in standing.checked.tenants.keys() {
        let (waiting, _) = shared.dispatch.depth(inn);
        if !next.tenants.contains_key(inn) && waiting > 0 {
            let text = format!("tenant {inn} has {waiting} waiting jobs");
            return Err(RackError::new(Code::OrderRefused, text).fact("tenant", inn));
        }
    }
    Ok(())
}

/// A unit with a job in hand keeps its slot and its adoption: should the attempt fall into doubt, only a unit that still
/// stands in the plan can settle it.
fn refuse_what_works(shared: &Shared, standing: &Standing, next: &CheckedPlan) -> Result<(), RackError> {
    let snapshot = shared.snapshot.borrow().clone();
    for unit in snapshot.units.values() {
        let Some(job) = unit.job else { continue };
        let adoption = |plan: &CheckedPlan| {
            unit.register
                .as_ref()
                .and_then(|register| plan.registers.get(register))
                .cloned()
        };
        let kept = next.slots.get(&unit.slot) == standing.checked.slots.get(&unit.slot)
            && adoption(next) == adoption(&standing.checked);
        if !kept {
            let text = format!("slot {} works on job {job}; wait until it is idle", unit.slot);
            return Err(RackError::new(Code::OrderRefused, text)
                .fact("slot", &unit.slot)
                .retry_after(5_000));
        }
    }
    Ok(())
}
