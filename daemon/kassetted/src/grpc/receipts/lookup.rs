//! Getting one job by its name, its key or its document, and cancelling one.
//!
//! Owns: how a job is found within what the caller was granted.
//! Must never: tell a job of a tenant that is not granted from one that does not exist.

use super::submit::{NO_WAIT, until_final};
use crate::grpc::access::{self, Grants};
use crate::grpc::convert::findings::At;
use crate::grpc::convert::job::etag;
use crate::grpc::status::{invalid_field, refusal};
use crate::grpc::surface::Surface;
use crate::grpc::{deadline, names, orders};
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::get_receipt_request::By;
use kassette_core::domain::job::{CancelOrder, Job, JobSelect};
use kassette_receipts::job::JobState;
use kassette_wire::value::{FdNumber, FnNumber, Inn};
use tokio::time::Instant;
use tonic::Request;

const NAME: At<'static> = At::top("name");

fn not_found(what: impl std::fmt::Display) -> ErrorDetails {
    ErrorDetails::new(Code::JobNotFound).with_message(format!("there is no job {what} for this client"))
}

/// One job; the answer waits for its end as long as it may.
pub(super) async fn get(
    surface: &Surface,
    request: Request<v1::GetReceiptRequest>,
) -> Result<v1::GetReceiptResponse, ErrorDetails> {
    let begun = Instant::now();
    let caller = access::caller_with(&request, Role::Provider)?;
    let wait = deadline::within_call(deadline::wait(request.get_ref().wait.as_ref())?, request.metadata());
    let grants = surface.grants().await?;
    let job = find(surface, &caller, &grants, request.into_inner().by).await?;
    let job = if wait == NO_WAIT {
        job
    } else {
        until_final(surface, job, begun + wait).await
    };
    if job.client == caller.name() {
        surface.rack().shown(&job);
    }
    Ok(v1::GetReceiptResponse {
        receipt_job: Some(surface.show(&grants, job)),
    })
}

async fn find(
    surface: &Surface,
    caller: &ClientIdentity,
    grants: &Grants,
    by: Option<By>,
) -> Result<Job, ErrorDetails> {
    match by {
        None => Err(invalid_field(
            Code::RequestInvalid,
            &At::top("by"),
            "name, key or document must be given",
        )),
        Some(By::Name(name)) => by_name(surface, caller, grants, &name).await,
        Some(By::Key(lookup)) => {
            let tenant = grants.named(caller, &At::top("key").field("parent"), &lookup.parent)?;
            let client = lookup.client.unwrap_or_else(|| caller.name().to_owned());
            let missing = not_found(format_args!("under key {} of client {client}", lookup.external_id));
            let select = JobSelect::External {
                tenant,
                client,
                external_id: lookup.external_id,
            };
            surface.rack().job(select).await.map_err(refusal)?.ok_or(missing)
        }
        Some(By::Document(lookup)) => by_document(surface, caller, grants, &lookup).await,
    }
}

async fn by_name(surface: &Surface, caller: &ClientIdentity, grants: &Grants, name: &str) -> Result<Job, ErrorDetails> {
    let (tenant, key) = names::read_receipt(&NAME, name)?;
    grants.tenant(caller, &tenant)?;
    let found = surface
        .rack()
        .job(JobSelect::Name { tenant, key })
        .await
        .map_err(refusal)?;
    found.ok_or_else(|| not_found(name))
}

/// The lookup names no tenant: the FN's tenant by the plan is asked first, then the other granted ones.
async fn by_document(
    surface: &Surface,
    caller: &ClientIdentity,
    grants: &Grants,
    lookup: &v1::DocumentLookup,
) -> Result<Job, ErrorDetails> {
    let wrong = |error| invalid_field(Code::RequestInvalid, &At::top("document").field("fn"), error);
    let fn_number: FnNumber = lookup.r#fn.parse().map_err(wrong)?;
    let granted = grants.all(caller);
    let first = grants
        .tenant_of_fn(&fn_number)
        .filter(|tenant| granted.contains(*tenant));
    let others = granted.iter().filter(|tenant| Some(*tenant) != first);
    let candidates: Vec<Inn> = first.into_iter().chain(others).cloned().collect();
    for tenant in candidates {
        let select = JobSelect::Document {
            tenant,
            fn_number: fn_number.clone(),
            fd: FdNumber(lookup.fd),
        };
        if let Some(job) = surface.rack().job(select).await.map_err(refusal)? {
            return Ok(job);
        }
    }
    Err(not_found(format_args!("of document {} in FN {fn_number}", lookup.fd)))
}

/// Ends a job that never had an attempt. Cancelling a cancelled one changes nothing.
pub(super) async fn cancel(
    surface: &Surface,
    request: Request<v1::CancelReceiptRequest>,
) -> Result<v1::CancelReceiptResponse, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let given = request.into_inner();
    orders::words(given.reason.as_deref(), given.request_id.as_deref())?;
    let mut job = by_name(surface, &caller, &grants, &given.name).await?;
    // A repeat under its request id was read before its first time.
    let may_be_repeat = job.state == JobState::Cancelled && given.request_id.is_some();
    if !may_be_repeat && given.etag.as_ref().is_some_and(|read| *read != etag(job.revision)) {
        return Err(ErrorDetails::new(Code::EtagMismatch).with("etag", etag(job.revision)));
    }
    cancellable(&job)?;
    if !given.validate_only {
        let order = CancelOrder {
            tenant: job.tenant,
            key: job.key,
            client: caller.name().to_owned(),
            reason: given.reason,
            request_id: given.request_id,
        };
        job = surface.rack().cancel(order).await.map_err(refusal)?;
    }
    Ok(v1::CancelReceiptResponse {
        receipt_job: Some(surface.show(&grants, job)),
    })
}

/// What can be told without changing anything; the rack decides again in one step with the change.
fn cancellable(job: &Job) -> Result<(), ErrorDetails> {
    let refuse = |code: Code| {
        let text = format!(
            "job {} is {} and has {} attempt(s)",
            job.key,
            job.state,
            job.attempts.len()
        );
        Err(ErrorDetails::new(code)
            .with_message(text)
            .with("job", names::receipt(&job.tenant, &job.key)))
    };
    match job.state {
        JobState::Cancelled => Ok(()),
        JobState::Completed | JobState::Refused | JobState::Expired => refuse(Code::JobFinal),
        JobState::Running | JobState::InDoubt => refuse(Code::JobHadAttempt),
        JobState::Accepted if !job.attempts.is_empty() => refuse(Code::JobHadAttempt),
        JobState::Accepted => Ok(()),
    }
}
