//! Submissions and cancellations, each in a task of the rack: a caller that goes away changes nothing.
//!
//! If the process dies between the commit and the queue, the next start queues the job from the journal.
//!
//! Owns: what is checked before a job is stored, and what a known key means.
//! Must never: take a known key as new, or answer before the commit.

use super::INTAKE_MAX;
use super::doubts::{self, ReadingOrder, VerdictOrder};
use super::limits::room;
use super::orders::{self, AppliedPlan, ApplyOrder, TenantOrder};
use super::shared::{NotWritten, Shared, Standing};
use crate::dispatch::coverage::{context, covered};
use crate::domain::device::Registration;
use crate::domain::doubt::ShownDoubt;
use crate::domain::error::RackError;
use crate::domain::finding::{ClearOrder, Finding};
use crate::domain::job::{CancelOrder, Job, JobSelect, SubmitOrder, Submitted};
use crate::domain::verdict::Judgement;
use crate::journal::{
    AcceptJob, CancelJob, CareFound, CareWork, Command, KeyRecord, KeySelect, Query, ReplyBody, Rows, StoredJob,
};
use crate::parts::{Point, TenantKeys, UnixMillis};
use kassette_receipts::capability;
use kassette_receipts::hash::{ContentHash, HashKey};
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::{JobKey, SubmissionHash};
use kassette_receipts::model::Receipt;
use kassette_receipts::rules::{self, Violation};
use kassette_wire::codes::Code;
use kassette_wire::value::{Inn, LocalTime};
use std::sync::Arc;
use time::Date;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Longest key of a client (`external_id`), characters.
const EXTERNAL_ID_MAX: usize = 128;
/// Most labels, and the longest name and value, characters (design 4.1).
const LABELS_MAX: usize = 16;
const LABEL_NAME_MAX: usize = 64;
const LABEL_VALUE_MAX: usize = 256;
/// Longest lifetime in the queue.
const TTL_MAX_MS: u64 = 86_400_000;
/// Keys are kept for five years; a key made before that is refused, never taken as new (design 4.1, Key).
pub(super) const KEY_HORIZON_MS: i64 = 5 * 366 * 86_400_000;
/// Without units of a tenant its rules are judged by the day in Moscow.
const DEFAULT_ZONE_MINUTES: i16 = 180;

type Answer<T> = oneshot::Sender<Result<T, RackError>>;

/// A request to the rack.
pub(super) enum Request {
    Submit(Box<SubmitOrder>, Answer<Submitted>),
    Cancel(Box<CancelOrder>, Answer<Job>),
    Apply(Box<ApplyOrder>, Answer<AppliedPlan>),
    ChangeTenants(Box<TenantOrder>, Answer<Arc<Standing>>),
    ClearFinding(Box<ClearOrder>, Answer<Vec<Finding>>),
    GiveVerdict(Box<VerdictOrder>, Answer<(ShownDoubt, Judgement)>),
    ReadAgain(Box<ReadingOrder>, Answer<ShownDoubt>),
}

/// Runs requests, at most so many at once, until the rack stops and all are answered.
pub(super) async fn run(shared: Arc<Shared>, mut inbox: mpsc::Receiver<Request>) {
    let mut stop = shared.stop.subscribe();
    let mut tasks = JoinSet::new();
    while !shared.stopping() {
        tokio::select! {
            biased;
            () = stop.changed() => {}
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                shared.task_failed(&error);
            },
            request = inbox.recv(), if tasks.len() < INTAKE_MAX => match request {
                None => break,
                Some(request) => {
                    tasks.spawn(serve(Arc::clone(&shared), request));
                }
            },
        }
    }
    inbox.close();
    while tasks.join_next().await.is_some() {}
}

async fn serve(shared: Arc<Shared>, request: Request) {
    // A caller that went away is no error: what was done is in the journal.
    match request {
        Request::Submit(order, answer) => {
            answer.send(submit(&shared, *order).await).ok();
        }
        Request::Cancel(order, answer) => {
            answer.send(cancel(&shared, *order).await).ok();
        }
        Request::ClearFinding(order, answer) => {
            answer.send(orders::clear_finding(&shared, *order).await).ok();
        }
        Request::Apply(order, answer) => {
            answer.send(orders::apply(&shared, *order).await).ok();
        }
        Request::ChangeTenants(order, answer) => {
            answer.send(orders::change_tenants(&shared, *order).await).ok();
        }
        Request::GiveVerdict(order, answer) => {
            answer.send(doubts::give_verdict(&shared, *order).await).ok();
        }
        Request::ReadAgain(order, answer) => {
            answer.send(doubts::read_again(&shared, *order).await).ok();
        }
    }
}

async fn submit(shared: &Shared, order: SubmitOrder) -> Result<Submitted, RackError> {
    let keys = check_order(shared, &order).await?;
    // The place is given back when the job stands in the queue, or was none.
    let _place = match check_receipt(shared, &order).and_then(|()| room(shared, &order.tenant)) {
        Ok(place) => place,
        // What was accepted once stays accepted: a rule or a limit that came later does not change the answer under
        // its key.
        Err(refusal) => {
            return match known(shared, &order, &keys).await? {
                Some(submitted) => Ok(submitted),
                None => Err(refusal),
            };
        }
    };
    shared.points.reach(Point::AcceptBefore).await;
    let command = accept_command(shared, &order, &keys)?;
    match shared.commit(Command::Accept(Box::new(command))).await {
        Ok(ReplyBody::Accepted { id, job }) => {
            shared.points.reach(Point::AcceptDurable).await;
            let stored = StoredJob {
                id,
                job: *job,
                buyer: None,
            };
            if stored.job.state == JobState::Accepted {
                shared.dispatch.put(shared.taken_of(&stored), None, false);
            } else {
                shared.held.notify_one();
            }
            let mut job = stored.job;
            job.receipt.buyer = order.receipt.buyer;
            Ok(Submitted { job, existing: false })
        }
        Ok(ReplyBody::KeyKnown { id, job }) => same_content(shared, &order, &keys, id, *job).await,
        Ok(ReplyBody::KeyArchived(record)) => archived(shared, &order, &keys, *record).await,
        Ok(_) => Err(RackError::new(Code::InternalFault, "the journal stored no job")),
        Err(error) => Err(error.into_error()),
    }
}

fn longer(text: &str, characters: usize) -> bool {
    text.chars().nth(characters).is_some()
}

/// What can be said before anything is looked up.
async fn check_order(shared: &Shared, order: &SubmitOrder) -> Result<TenantKeys, RackError> {
    if shared.stopping() {
        return Err(RackError::new(Code::DaemonStopping, "no new job is taken").retry_after(5_000));
    }
    if !shared.plan.borrow().checked.tenants.contains_key(&order.tenant) {
        return Err(RackError::new(Code::TenantUnknown, &order.tenant).fact("tenant", &order.tenant));
    }
    let printable = order.external_id.chars().all(|c| !c.is_control());
    if order.external_id.is_empty() || longer(&order.external_id, EXTERNAL_ID_MAX) || !printable {
        let text = format!("external_id must be 1 to {EXTERNAL_ID_MAX} characters without control characters");
        return Err(RackError::new(Code::KeyInvalid, text));
    }
    let fits =
        |name: &str, value: &str| !name.is_empty() && !longer(name, LABEL_NAME_MAX) && !longer(value, LABEL_VALUE_MAX);
    if order.labels.len() > LABELS_MAX || !order.labels.iter().all(|(name, value)| fits(name, value)) {
        let text = format!(
            "at most {LABELS_MAX} labels, names of 1 to {LABEL_NAME_MAX} characters, values of at most {LABEL_VALUE_MAX}"
        );
        return Err(RackError::new(Code::LabelsInvalid, text));
    }
    if order.ttl_ms.is_some_and(|ttl| ttl == 0 || ttl > TTL_MAX_MS) {
        return Err(RackError::new(
            Code::WaitInvalid,
            format!("ttl must be 1 to {TTL_MAX_MS} milliseconds"),
        ));
    }
    if order
        .key_time
        .is_some_and(|made| made.0 < shared.now().0.saturating_sub(KEY_HORIZON_MS))
    {
        return Err(RackError::new(
            Code::KeyTooOld,
            "the key was made before the horizon of five years",
        ));
    }
    shared.keys(&order.tenant).await
}

/// Rules, the limits of this release, registrations.
fn check_receipt(shared: &Shared, order: &SubmitOrder) -> Result<(), RackError> {
    let now = shared.now();
    let violations = violations(shared, &order.tenant, &order.receipt, now);
    if !violations.is_empty() {
        let text = format!("{} violations", violations.len());
        let mut error = RackError::new(Code::ReceiptInvalid, text);
        error.violations = violations;
        return Err(error);
    }
    not_yet(&order.receipt)?;
    coverage(shared, &order.tenant, &order.receipt, now)
}

/// Every rule the receipt breaks, seen without a registration.
pub(super) fn violations(shared: &Shared, tenant: &Inn, receipt: &Receipt, at: UnixMillis) -> Vec<Violation> {
    rules::check(receipt, &context(tenant, day(shared, tenant, at), None))
}

/// The civil day that a document of this tenant would carry at a moment.
fn day(shared: &Shared, tenant: &Inn, at: UnixMillis) -> Date {
    let standing = shared.plan.borrow().clone();
    let zone = standing
        .checked
        .registers
        .values()
        .find(|a| a.tenant == *tenant)
        .map(|a| a.zone_minutes);
    let local = LocalTime::at_zone(at.seconds(), zone.unwrap_or(DEFAULT_ZONE_MINUTES));
    // A clock outside the calendar judges by its first day: rules of today then refuse.
    local.map_or(Date::MIN, |time| time.calendar().date())
}

/// What this release does not make yet.
pub(super) fn not_yet(receipt: &Receipt) -> Result<(), RackError> {
    let missing = capability::unsupported(receipt);
    let Some(first) = missing.first() else { return Ok(()) };
    let mut error = RackError::new(capability::NotYet::CODE, &first.reason);
    for item in &missing {
        error = error.fact("not_yet", format!("{}: {}", item.field, item.reason));
    }
    Err(error)
}

/// A receipt that no registration of the tenant covers is refused; with none known yet it waits for a unit.
pub(super) fn coverage(shared: &Shared, tenant: &Inn, receipt: &Receipt, at: UnixMillis) -> Result<(), RackError> {
    let day = day(shared, tenant, at);
    let mut first = None;
    let covers = |registration: &Registration| match covered(registration, tenant, receipt, day) {
        Ok(()) => true,
        Err(reason) => {
            first.get_or_insert(reason);
            false
        }
    };
    if shared.any_registration(tenant, covers) {
        return Ok(());
    }
    let Some(first) = first else {
        if shared
            .plan
            .borrow()
            .checked
            .registers
            .values()
            .any(|adoption| adoption.tenant == *tenant)
        {
            return Ok(());
        }
        return Err(RackError::new(
            Code::NoRegistrationCovers,
            format!("tenant {tenant} has no adopted register"),
        ));
    };
    let (reason, violations) = first;
    Err(RackError {
        reason,
        violations,
        facts: Vec::new(),
        retry_after_ms: None,
    }
    .fact("tenant", tenant))
}

fn accept_command(shared: &Shared, order: &SubmitOrder, keys: &TenantKeys) -> Result<AcceptJob, RackError> {
    let at = shared.now();
    let default_ttl = shared
        .plan
        .borrow()
        .checked
        .tenants
        .get(&order.tenant)
        .map_or(300, |tenant| tenant.ttl_s);
    let ttl = order.ttl_ms.unwrap_or(default_ttl.saturating_mul(1000));
    let hash = ContentHash::of(&HashKey::new(keys.content), &order.receipt);
    let (receipt, buyer) = order.receipt.clone().split_buyer();
    let buyer = buyer
        .map(|buyer| shared.seal(&order.tenant, keys, &buyer))
        .transpose()?;
    Ok(AcceptJob {
        tenant: order.tenant.clone(),
        client: order.client.clone(),
        external_id: order.external_id.clone(),
        key_time: order.key_time,
        receipt,
        buyer,
        hash,
        submission: SubmissionHash::of(&order.client, order.tenant.as_str(), &order.external_id),
        priority: order.priority,
        labels: order.labels.clone(),
        replaces: order.replaces,
        at,
        expires_at: at.plus_millis(i64::try_from(ttl).unwrap_or(i64::MAX)),
    })
}

/// The job under the same key, if there is one.
async fn known(shared: &Shared, order: &SubmitOrder, keys: &TenantKeys) -> Result<Option<Submitted>, RackError> {
    let select = JobSelect::External {
        tenant: order.tenant.clone(),
        client: order.client.clone(),
        external_id: order.external_id.clone(),
    };
    match shared.read(Query::Job(select.clone())).await {
        Ok(Rows::Job(Some(stored))) => same_content(shared, order, keys, stored.id, stored.job).await.map(Some),
        Ok(_) => Ok(None),
        Err(error) if is_archive_fault(&error) => {
            let work = CareWork::Key(KeySelect::Job(select));
            match shared.read(Query::Care(work)).await? {
                Rows::Care(CareFound::Key(Some(record))) => archived(shared, order, keys, *record).await.map(Some),
                _ => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

fn is_archive_fault(error: &RackError) -> bool {
    matches!(error.reason.code, Code::ArchiveMissing | Code::ArchiveDamaged)
}

/// A known key whose job was archived: the job of the archive, or, where that file is not there, what the index knows.
async fn archived(
    shared: &Shared,
    order: &SubmitOrder,
    keys: &TenantKeys,
    record: KeyRecord,
) -> Result<Submitted, RackError> {
    let same = record.content_hash.matches(&HashKey::new(keys.content), &order.receipt);
    if !same.map_err(|error| RackError::new(Code::InternalFault, error))? {
        return Err(other_content(
            order,
            keys,
            record.key,
            &record.tenant,
            record.content_hash,
        ));
    }
    let job = match shared.read(Query::JobById(record.id)).await {
        Ok(Rows::Job(Some(stored))) => shared.unseal(*stored).await?,
        Ok(_) => record.into_job(order.receipt.clone()),
        Err(error) if is_archive_fault(&error) => record.into_job(order.receipt.clone()),
        Err(error) => return Err(error),
    };
    Ok(Submitted { job, existing: true })
}

/// The same content under a known key is the same job; other content is refused with both hashes.
async fn same_content(
    shared: &Shared,
    order: &SubmitOrder,
    keys: &TenantKeys,
    id: i64,
    job: Job,
) -> Result<Submitted, RackError> {
    let key = HashKey::new(keys.content);
    let same = job.content_hash.matches(&key, &order.receipt);
    if same.map_err(|error| RackError::new(Code::InternalFault, error))? {
        let stored = match shared.read(Query::JobById(id)).await? {
            Rows::Job(Some(stored)) => *stored,
            _ => StoredJob { id, job, buyer: None },
        };
        return Ok(Submitted {
            job: shared.unseal(stored).await?,
            existing: true,
        });
    }
    Err(other_content(order, keys, job.key, &job.tenant, job.content_hash))
}

fn other_content(order: &SubmitOrder, keys: &TenantKeys, first: JobKey, tenant: &Inn, hash: ContentHash) -> RackError {
    let text = format!("key {} belongs to job {first} with other content", order.external_id);
    RackError::new(Code::KeyConflict, text)
        .fact("job", format!("tenants/{tenant}/receipts/{first}"))
        .fact("first_content_hash", hash)
        .fact(
            "content_hash",
            ContentHash::of(&HashKey::new(keys.content), &order.receipt),
        )
}

/// Takes a job back: only while it never had an attempt. It leaves the queue first, so that no unit can take it.
async fn cancel(shared: &Shared, order: CancelOrder) -> Result<Job, RackError> {
    let select = JobSelect::Name {
        tenant: order.tenant.clone(),
        key: order.key,
    };
    let Rows::Job(Some(stored)) = shared.read(Query::Job(select.clone())).await? else {
        let text = format!("tenant {} has no job {}", order.tenant, order.key);
        return Err(RackError::new(Code::JobNotFound, text));
    };
    let taken = shared.dispatch.remove(stored.id);
    let aside = stored.job.needs_person.is_some();
    if let Err(error) = take_back(shared, &order, &stored, taken.is_some()).await {
        if let Some(taken) = taken {
            shared.dispatch.put(taken, None, aside);
        }
        return Err(error);
    }
    match shared.read(Query::Job(select)).await? {
        Rows::Job(Some(stored)) => shared.unseal(*stored).await,
        _ => Err(RackError::new(Code::JobNotFound, order.key)),
    }
}

/// The journal decides whether it is a repeat, and notes who took the job back and why.
async fn take_back(shared: &Shared, order: &CancelOrder, stored: &StoredJob, out: bool) -> Result<(), RackError> {
    let (key, job) = (order.key, &stored.job);
    let refused = |code, text: String| Err(RackError::new(code, text).fact("job", key));
    if !out && job.state != JobState::Cancelled {
        return match (job.state.is_final(), job.attempts.is_empty()) {
            (true, _) => refused(Code::JobFinal, format!("job {key} is {}", job.state)),
            (false, false) => refused(Code::JobHadAttempt, format!("an attempt of job {key} has begun")),
            // Between two queues: just stored, or in the hands of a unit that has not begun yet.
            (false, true) => refused(Code::JobHadAttempt, format!("a unit is about to take job {key}"))
                .map_err(|error| error.retry_after(1_000)),
        };
    }
    let command = CancelJob {
        job: stored.id,
        client: order.client.clone(),
        reason: order.reason.clone(),
        request_id: order.request_id.clone(),
        at: shared.now(),
    };
    let done = shared.commit(Command::Cancel(Box::new(command))).await;
    done.map(|_| ()).map_err(NotWritten::into_error)
}
