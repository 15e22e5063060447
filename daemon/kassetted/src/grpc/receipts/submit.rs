//! Submitting and validating one receipt.
//!
//! Owns: the form of a submission, and how long its answer waits.
//! Must never: lose a job that was stored because its answer could not wait.

use crate::grpc::access::{self, Grants};
use crate::grpc::convert::findings::{At, Findings, quote};
use crate::grpc::convert::job::read_priority;
use crate::grpc::convert::reason::reason;
use crate::grpc::convert::receipt::{ReadReceipt, Scene, receipt, unknown_value};
use crate::grpc::convert::time::instant;
use crate::grpc::status::{invalid, invalid_field, invalid_receipt, not_served, refusal, violation};
use crate::grpc::surface::Surface;
use crate::grpc::{deadline, names};
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::error::RackError;
use kassette_core::domain::job::{Job, JobSelect, SubmitOrder, Submitted};
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::StatusClass;
use kassette_wire::value::Inn;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Request;

const PARENT: At<'static> = At::top("parent");
/// Longest key of a client (design 4.1 and `KEY_INVALID`).
const KEY_CHARS_MAX: usize = 128;
/// Most labels of a job.
const LABELS_MAX: usize = 16;
/// Longest name of a label.
const LABEL_NAME_CHARS_MAX: usize = 64;
/// Longest value of a label.
const LABEL_VALUE_CHARS_MAX: usize = 256;

/// Stores one receipt; the answer then waits for its end as long as it may.
pub(super) async fn submit(
    surface: &Surface,
    request: Request<v1::SubmitReceiptRequest>,
) -> Result<v1::SubmitReceiptResponse, ErrorDetails> {
    let begun = Instant::now();
    let caller = access::caller_with(&request, Role::Provider)?;
    let wait = deadline::within_call(deadline::wait(request.get_ref().wait.as_ref())?, request.metadata());
    let mut stored = store(surface, &caller, request.into_inner()).await?;
    stored.submitted.job = until_final(surface, stored.submitted.job, begun + wait).await;
    Ok(stored.shown(surface))
}

/// A receipt that is a job now, or was one already.
pub(super) struct Stored {
    grants: Arc<Grants>,
    submitted: Submitted,
    filled: Vec<v1::FilledField>,
}

impl Stored {
    /// The answer.
    pub(super) fn shown(self, surface: &Surface) -> v1::SubmitReceiptResponse {
        surface.rack().shown(&self.submitted.job);
        let mut shown = surface.show(&self.grants, self.submitted.job);
        shown.filled = self.filled;
        v1::SubmitReceiptResponse {
            receipt_job: Some(shown),
            existing: self.submitted.existing,
        }
    }
}

/// Stores one receipt, under the grants in force now; `wait` is left to the caller.
pub(super) async fn store(
    surface: &Surface,
    caller: &ClientIdentity,
    given: v1::SubmitReceiptRequest,
) -> Result<Stored, ErrorDetails> {
    let grants = surface.grants().await?;
    let (order, filled) = order(caller, &grants, given)?;
    let submitted = surface.rack().submit(order).await.map_err(refusal)?;
    Ok(Stored {
        grants,
        submitted,
        filled,
    })
}

/// The job at its end, or as it stands at the moment given. It is stored already: whatever happens to the wait, the
/// answer is the job.
pub(super) async fn until_final(surface: &Surface, job: Job, until: Instant) -> Job {
    if job.state.is_final() || until <= Instant::now() {
        return job;
    }
    let waited = tokio::select! {
        biased;
        waited = surface.rack().wait_final(&job.tenant, &job.key, until) => waited.ok(),
        stopped = at_stop(surface, &job) => stopped,
    };
    waited.unwrap_or(job)
}

/// When the daemon stops nothing new begins, but what was sent to a register is waited out: the job as it stands once
/// no register works on it.
async fn at_stop(surface: &Surface, job: &Job) -> Option<Job> {
    // A dropped sender means that the daemon is going down as well.
    surface.stopping().wait_for(|stopping| *stopping).await.ok();
    let mut commits = surface.rack().sequence();
    loop {
        commits.mark_unchanged();
        let select = JobSelect::Name {
            tenant: job.tenant.clone(),
            key: job.key,
        };
        let found = surface.rack().job(select).await.ok().flatten()?;
        if found.state != JobState::Running || commits.changed().await.is_err() {
            return Some(found);
        }
    }
}

fn order(
    caller: &ClientIdentity,
    grants: &Grants,
    given: v1::SubmitReceiptRequest,
) -> Result<(SubmitOrder, Vec<v1::FilledField>), ErrorDetails> {
    let tenant = grants.named(caller, &PARENT, &given.parent)?;
    if given.cassette.is_some() {
        return Err(not_served("SubmitReceipt.cassette"));
    }
    external_id(&given.external_id)?;
    labels(&given.labels)?;
    let ttl_ms = deadline::ttl_millis(given.ttl.as_ref())?;
    let replaces = given
        .replaces
        .as_deref()
        .map(|name| replaced(&tenant, name))
        .transpose()?;
    let mut findings = Findings::default();
    let key_time = instant(&mut findings, &At::top("key_time"), given.key_time.as_ref());
    let priority = v1::Priority::try_from(given.priority);
    if priority.is_err() {
        unknown_value(&mut findings, &At::top("priority"), given.priority);
    }
    if !findings.is_empty() {
        return Err(invalid(Code::RequestInvalid, findings));
    }
    let ReadReceipt { receipt, filled } = receipt(given.receipt, &scene(grants, &tenant)).map_err(invalid_receipt)?;
    let order = SubmitOrder {
        client: caller.name().to_owned(),
        external_id: given.external_id,
        key_time,
        receipt,
        ttl_ms,
        priority: priority.ok().and_then(read_priority).unwrap_or_default(),
        labels: given.labels,
        replaces,
        tenant,
    };
    Ok((order, filled))
}

fn scene<'a>(grants: &Grants, tenant: &'a Inn) -> Scene<'a> {
    Scene {
        tenant,
        zone_minutes: grants.zone_minutes(tenant),
    }
}

/// Whether a text has 1 to so many characters and no control character.
pub(super) fn printable(text: &str, chars_max: usize) -> bool {
    let length = text.chars().take(chars_max + 1).count();
    length > 0 && length <= chars_max && !text.chars().any(char::is_control)
}

fn external_id(given: &str) -> Result<(), ErrorDetails> {
    if printable(given, KEY_CHARS_MAX) {
        return Ok(());
    }
    let text = format!("{} is not 1 to {KEY_CHARS_MAX} printable characters", quote(given));
    Err(invalid_field(Code::KeyInvalid, &At::top("external_id"), text))
}

fn labels(given: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
    let at = At::top("labels");
    if given.len() > LABELS_MAX {
        return Err(invalid_field(
            Code::LabelsInvalid,
            &at,
            format!("{} labels; at most {LABELS_MAX}", given.len()),
        ));
    }
    let fits = |(name, value): &(&String, &String)| {
        printable(name, LABEL_NAME_CHARS_MAX) && (value.is_empty() || printable(value, LABEL_VALUE_CHARS_MAX))
    };
    match given.iter().find(|pair| !fits(pair)) {
        Some((name, _)) => {
            let text = format!(
                "label {}: names of 1 to {LABEL_NAME_CHARS_MAX} and values of at most {LABEL_VALUE_CHARS_MAX} \
                 printable characters",
                quote(name)
            );
            Err(invalid_field(Code::LabelsInvalid, &at, text))
        }
        None => Ok(()),
    }
}

/// A job can only stand in for one of the same tenant; one of another tenant is told nothing else.
fn replaced(tenant: &Inn, name: &str) -> Result<JobKey, ErrorDetails> {
    let at = At::top("replaces");
    let (of, key) = names::read_receipt(&at, name)?;
    if of == *tenant {
        return Ok(key);
    }
    Err(invalid_field(
        Code::ReplacesInvalid,
        &at,
        format!("{} is no job of tenant {tenant}", quote(name)),
    ))
}

/// Everything that is wrong with a receipt; nothing is stored.
pub(super) async fn validate(
    surface: &Surface,
    request: Request<v1::ValidateReceiptRequest>,
) -> Result<v1::ValidateReceiptResponse, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let given = request.into_inner();
    let tenant = grants.named(&caller, &PARENT, &given.parent)?;
    let mut findings = Findings::default();
    let at = instant(&mut findings, &At::top("at"), given.at.as_ref());
    if !findings.is_empty() {
        return Err(invalid(Code::RequestInvalid, findings));
    }
    let read = match receipt(given.receipt, &scene(&grants, &tenant)) {
        Ok(read) => read,
        Err(findings) => {
            return Ok(v1::ValidateReceiptResponse {
                violations: findings.into_list(),
                ..Default::default()
            });
        }
    };
    let filled = read.filled;
    match surface.rack().validate(&tenant, &read.receipt, at).await {
        Ok(broken) => {
            let violations = broken.iter().map(violation).collect();
            Ok(v1::ValidateReceiptResponse {
                violations,
                filled,
                reason: None,
            })
        }
        Err(error) if is_verdict(&error) => {
            let reason = Some(reason(&error.reason));
            Ok(v1::ValidateReceiptResponse {
                violations: refusal(error).violations,
                filled,
                reason,
            })
        }
        Err(error) => Err(refusal(error)),
    }
}

/// The rack judged the receipt, as opposed to not being able to judge it.
fn is_verdict(error: &RackError) -> bool {
    let class = error.reason.code.class();
    matches!(
        class,
        StatusClass::InvalidArgument | StatusClass::FailedPrecondition | StatusClass::Unimplemented
    )
}

/// A wait that is not asked for.
pub(super) const NO_WAIT: Duration = Duration::ZERO;

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "7704358518";

    fn grants() -> Grants {
        let plan = format!("[[tenant]]\ninn = \"{TENANT}\"\nname = \"shop\"\nclients = [\"uid:1000\"]\n");
        Grants::of(&kassette_core::domain::plan::RackPlan::from_toml(&plan).unwrap(), 1)
    }

    fn submission() -> v1::SubmitReceiptRequest {
        let item = v1::Item {
            name: Some("Кофе".into()),
            price_kopecks: Some(100),
            quantity_millionths: Some(1_000_000),
            ..Default::default()
        };
        v1::SubmitReceiptRequest {
            parent: format!("tenants/{TENANT}"),
            external_id: "order-1".into(),
            receipt: Some(v1::Receipt {
                settlement_sign: Some(1),
                items: vec![item],
                payments: Some(v1::Payments {
                    noncash_kopecks: Some(100),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn read(given: v1::SubmitReceiptRequest) -> Result<SubmitOrder, Code> {
        let caller = ClientIdentity::new("uid:1000", [Role::Provider]);
        order(&caller, &grants(), given)
            .map(|(order, _)| order)
            .map_err(|error| error.code)
    }

    fn with(change: impl FnOnce(&mut v1::SubmitReceiptRequest)) -> Result<SubmitOrder, Code> {
        let mut given = submission();
        change(&mut given);
        read(given)
    }

    #[test]
    fn a_submission_becomes_an_order_of_its_caller() {
        let order = with(|given| given.labels = BTreeMap::from([("shop".into(), String::new())])).unwrap();
        assert_eq!((order.client.as_str(), order.tenant.as_str()), ("uid:1000", TENANT));
        assert_eq!(order.receipt.total.get(), 100);
        assert_eq!(order.ttl_ms, None);
    }

    #[test]
    fn every_wrong_field_has_its_own_code() {
        let long = "x".repeat(129);
        let other_job = "tenants/7707083893/receipts/0000000000000000".to_owned();
        let cases: [(Result<SubmitOrder, Code>, Code); 11] = [
            (with(|given| given.external_id.clear()), Code::KeyInvalid),
            (with(|given| given.external_id = long.clone()), Code::KeyInvalid),
            (with(|given| given.external_id = "a\nb".into()), Code::KeyInvalid),
            (
                with(|given| given.parent = "tenants/7707083893".into()),
                Code::TenantUnknown,
            ),
            (
                with(|given| given.parent = "tenants/7707083894".into()),
                Code::InnInvalid,
            ),
            (
                with(|given| given.labels = (0..17).map(|i| (i.to_string(), String::new())).collect()),
                Code::LabelsInvalid,
            ),
            (
                with(|given| given.labels = BTreeMap::from([(String::new(), "x".into())])),
                Code::LabelsInvalid,
            ),
            (
                with(|given| given.ttl = Some(prost_types::Duration { seconds: 0, nanos: 0 })),
                Code::WaitInvalid,
            ),
            (with(|given| given.priority = 77), Code::RequestInvalid),
            (with(|given| given.replaces = Some(other_job)), Code::ReplacesInvalid),
            (with(|given| given.receipt = None), Code::ReceiptInvalid),
        ];
        for (at, (read, code)) in cases.into_iter().enumerate() {
            assert_eq!(read.err(), Some(code), "case {at}");
        }
    }
}
