//! Orders that change what stands in the rack.
//!
//! Owns: what a change of plan must not do.
//! Must never: change anything without a row that says who ordered it.

use super::shared::{Shared, Standing};
use crate::domain::error::RackError;
use crate::domain::finding::{ClearOrder, Finding};
use crate::domain::plan::{CheckedPlan, PlanChange, PlanError, RackPlan};
use crate::domain::tenant::TenantChange;
use crate::journal::{ApplyPlan, ClearFinding, Command, Query, ReplyBody, Rows};
use crate::parts::{Event, Severity};
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
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

/// An order to change tenants, each in the same way.
#[derive(Debug, Clone)]
pub struct TenantOrder {
    /// Which.
    pub tenants: Vec<Inn>,
    /// What of them.
    pub change: TenantChange,
    /// The revision that the one tenant was read with.
    pub expected_revision: Option<u64>,
    /// The version of the plan that it was made from.
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

impl TenantOrder {
    /// The same words for the same order, whatever stands when it is made.
    fn request(&self) -> Result<String, RackError> {
        let change = serde_json::to_string(&self.change).map_err(|e| RackError::new(Code::InternalFault, e))?;
        let tenants: Vec<&str> = self.tenants.iter().map(Inn::as_str).collect();
        Ok(format!("tenants {} {change}", tenants.join(" ")))
    }
}

/// Clears the findings on a document; those that are left on its FN.
pub(super) async fn clear_finding(shared: &Shared, order: ClearOrder) -> Result<Vec<Finding>, RackError> {
    if order.reason.trim().is_empty() {
        let text = "say what was found out: it is kept with the finding";
        return Err(RackError::new(Code::RequestInvalid, text).fact("field", "reason"));
    }
    let ClearOrder {
        fn_number,
        fd,
        client,
        reason,
    } = order;
    let command = ClearFinding {
        fn_number: fn_number.clone(),
        fd,
        client: client.clone(),
        reason: reason.clone(),
        at: shared.now(),
    };
    let reply = shared.commit(Command::ClearFinding(Box::new(command))).await;
    let ReplyBody::Audited { findings, .. } = reply.map_err(super::shared::NotWritten::into_error)? else {
        return Err(RackError::new(
            Code::InternalFault,
            "the journal answered another order",
        ));
    };
    shared.found(&fn_number, findings.clone());
    shared.lanes_changed();
    let event = Event::new(Severity::Info, "a finding was cleared by a person").fn_number(&fn_number);
    shared.tell(event.detail(format!("document {fd}, by {client}: {reason}")));
    Ok(findings)
}

/// Tries of a change of tenants while other orders come in between.
const CHANGE_TRIES: usize = 8;

/// Changes tenants; the plan as it stands after it, or would stand.
pub(super) async fn change_tenants(shared: &Shared, order: TenantOrder) -> Result<Arc<Standing>, RackError> {
    let request = order.request()?;
    if let Some(id) = order.request_id.as_ref().filter(|_| !order.validate_only)
        && let Rows::Request(Some(made)) = shared.read(Query::Request(id.clone())).await?
    {
        if made.as_ref() == Some(&request) {
            return Ok(shared.plan.borrow().clone());
        }
        let text = format!("request id {id} was used for another order");
        return Err(RackError::new(Code::RequestIdConflict, text));
    }
    for _ in 0..CHANGE_TRIES {
        let standing = shared.plan.borrow().clone();
        let next = changed(&standing, &order)?;
        let nothing = next == standing.plan && order.request_id.is_none();
        if order.validate_only || nothing {
            return would_stand(&standing, next);
        }
        let apply = ApplyOrder {
            plan: next,
            expected_version: Some(standing.version),
            validate_only: false,
            reason: order.reason.clone(),
            request_id: order.request_id.clone(),
            client: order.client.clone(),
        };
        match store(shared, apply, Some(request.clone())).await {
            // Another order came first: this one is made of what stands now, unless it names what it was made from.
            Err(error) if error.reason.code == Code::EtagMismatch => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(shared.plan.borrow().clone()),
        }
    }
    Err(RackError::new(Code::EtagMismatch, "other orders came in between each time").retry_after(1_000))
}

/// The plan with the tenants changed, if the order was made from what stands.
fn changed(standing: &Standing, order: &TenantOrder) -> Result<RackPlan, RackError> {
    if let Some(inn) = order
        .tenants
        .iter()
        .find(|inn| !standing.checked.tenants.contains_key(*inn))
    {
        return Err(RackError::new(Code::TenantUnknown, inn).fact("tenant", inn));
    }
    if let (Some(expected), [inn]) = (order.expected_revision, order.tenants.as_slice())
        && expected != standing.revision(inn)
    {
        let text = format!(
            "tenant {inn} was read at revision {expected}, it has revision {}",
            standing.revision(inn)
        );
        return Err(RackError::new(Code::EtagMismatch, text).fact("tenant", inn));
    }
    check_version(standing, order.expected_version)?;
    Ok(order.change.made_in(&standing.plan, &order.tenants))
}

/// What would stand: the revisions grow by one where a row differs.
fn would_stand(standing: &Standing, next: RackPlan) -> Result<Arc<Standing>, RackError> {
    let checked = next.check().map_err(plan_error)?;
    let (before, after) = (standing.plan.tenant_rows(), next.tenant_rows());
    let mut revisions = standing.revisions.clone();
    for inn in checked.tenants.keys() {
        if before.get(inn.as_str()) != after.get(inn.as_str()) {
            *revisions.entry(inn.clone()).or_default() += 1;
        }
    }
    Ok(Arc::new(Standing {
        plan: next,
        checked,
        version: standing.version,
        revisions,
    }))
}

fn check_version(standing: &Standing, expected: Option<u64>) -> Result<(), RackError> {
    match expected.filter(|expected| *expected != standing.version) {
        None => Ok(()),
        Some(expected) => {
            let text = format!(
                "the plan was made from version {expected}, the rack has version {}",
                standing.version
            );
            Err(RackError::new(Code::EtagMismatch, text))
        }
    }
}

/// Applies a plan, or says what it would change.
pub(super) async fn apply(shared: &Shared, order: ApplyOrder) -> Result<AppliedPlan, RackError> {
    store(shared, order, None).await
}

/// Stores a plan, with the request it was made of where a repeat of that may make another.
async fn store(shared: &Shared, order: ApplyOrder, request: Option<String>) -> Result<AppliedPlan, RackError> {
    let checked = order.plan.check().map_err(plan_error)?;
    let standing = shared.plan.borrow().clone();
    let changes = standing.plan.changes_to(&order.plan);
    refuse_what_is_in_use(shared, &standing, &checked)?;
    // A repeat under its request id was made from an older version; the journal knows whether it is one.
    let may_be_repeat = order.request_id.is_some() && !order.validate_only;
    check_version(&standing, order.expected_version.filter(|_| !may_be_repeat))?;
    if order.validate_only {
        return Ok(AppliedPlan {
            changes,
            version: standing.version,
        });
    }
    let command = command(shared, &order, &checked, request)?;
    let body = shared
        .commit(Command::Apply(Box::new(command)))
        .await
        .map_err(super::shared::NotWritten::into_error)?;
    let ReplyBody::Applied(version, revisions) = body else {
        return Err(RackError::new(Code::InternalFault, "the journal stored no plan"));
    };
    // An FN that was taken out of the plan holds nobody up any more.
    shared.held.notify_one();
    // Carried out before: the order that did it shows what stands, also when it is still about to.
    let Some(revisions) = revisions else {
        return Ok(AppliedPlan { changes, version });
    };
    let text = format!("{} changes, version {version}, by {}", changes.len(), order.client);
    shared.tell(Event::new(Severity::Info, "the plan of the rack was changed").detail(text));
    stand(
        shared,
        Standing {
            plan: order.plan,
            checked,
            version,
            revisions,
        },
    );
    Ok(AppliedPlan { changes, version })
}

fn command(
    shared: &Shared,
    order: &ApplyOrder,
    checked: &CheckedPlan,
    request: Option<String>,
) -> Result<ApplyPlan, RackError> {
    let text = order.plan.to_toml();
    if RackPlan::from_toml(&text).as_ref() != Ok(&order.plan) {
        // What is stored is what the next start reads: never another plan than the one that was checked.
        let text = "the plan cannot be written so that it reads back the same";
        return Err(RackError::new(Code::InternalFault, text));
    }
    let mut rows = order.plan.tenant_rows();
    let tenants = checked.tenants.keys();
    Ok(ApplyPlan {
        plan: text,
        rack_id: checked.rack_id,
        expected: order.expected_version,
        client: order.client.clone(),
        reason: order.reason.clone(),
        request_id: order.request_id.clone(),
        request,
        tenants: tenants
            .map(|inn| (inn.clone(), rows.remove(inn.as_str()).unwrap_or_default()))
            .collect(),
        slots: checked.slots.keys().cloned().collect(),
        fns: checked.fns(),
        at: shared.now(),
    })
}

fn stand(shared: &Shared, standing: Standing) {
    let (version, named) = (standing.version, standing.checked.rack_id);
    shared.plan.send_if_modified(|known| {
        // Two orders may come here in the other order; the newer plan stands.
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
        let waiting = shared.dispatch.depth(inn).waiting;
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
