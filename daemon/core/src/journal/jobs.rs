//! Writes that concern jobs.
//!
//! Owns: acceptance under a key, the moves of the job machine, and the row of each move in the commit sequence.
//! Must never: take a known key as new.

use super::care;
use super::checks::RowSum;
use super::command::{AcceptJob, CancelJob, ReplyBody};
use super::held::{self, Asked, Hold};
use super::query::ReadError;
use super::rows::{job_state_sum, jobs, priority_number, sum_of_values};
use super::store::{JournalFacts, WriteError, Written};
use crate::domain::error::Reason;
use crate::domain::job::Job;
use crate::parts::UnixMillis;
use kassette_receipts::job::{Event, JobState, step};
use kassette_receipts::job_key::{JobKey, Parts, Sequence};
use kassette_wire::codes::Code;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Transaction, params, params_from_iter};

/// The row number of a tenant, client … made at first sight.
pub(super) fn id_of(
    tx: &Transaction<'_>,
    table: &str,
    column: &str,
    value: &str,
    at: UnixMillis,
) -> rusqlite::Result<i64> {
    let found = tx
        .prepare_cached(&format!("SELECT id FROM {table} WHERE {column} = ?1"))?
        .query_row([value], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    tx.prepare_cached(&format!("INSERT INTO {table} ({column}, first_seen) VALUES (?1, ?2)"))?
        .execute(params![value, at.0])?;
    Ok(tx.last_insert_rowid())
}

fn load(tx: &Transaction<'_>, id: i64) -> Result<Box<Job>, WriteError> {
    let found = jobs(tx, "j.id = ?1", [id]).map_err(|e| WriteError::Refused(Code::JournalDamaged, e.to_string()))?;
    let stored = found.into_iter().next();
    stored
        .map(|stored| Box::new(stored.job))
        .ok_or_else(|| WriteError::Refused(Code::JobNotFound, format!("no job with row number {id}")))
}

fn damaged(error: ReadError) -> WriteError {
    match error {
        ReadError::Sql(error) => error.into(),
        other => WriteError::Refused(Code::JournalDamaged, other.to_string()),
    }
}

pub(super) fn accept(tx: &Transaction<'_>, facts: &JournalFacts, order: &AcceptJob, room: bool) -> Written {
    let tenant = id_of(tx, "tenants", "inn", order.tenant.as_str(), order.at)?;
    let client = id_of(tx, "clients", "name", &order.client, order.at)?;
    let known: Option<i64> = tx
        .prepare_cached("SELECT id FROM jobs WHERE tenant = ?1 AND client = ?2 AND external_id = ?3")?
        .query_row(params![tenant, client, order.external_id], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(ReplyBody::KeyKnown { id, job: load(tx, id)? });
    }
    if let Some(record) = care::known_key(tx, tenant, client, &order.external_id).map_err(damaged)? {
        return Ok(ReplyBody::KeyArchived(Box::new(record)));
    }
    check_key_time(tx, order)?;
    if !room {
        return Err(WriteError::Refused(
            Code::JournalFull,
            "the disk of the journal is full".into(),
        ));
    }
    let Some(rack) = facts.rack_id else {
        return Err(WriteError::Refused(
            Code::RackIdMissing,
            "the rack has no letters yet".into(),
        ));
    };
    let replaces = order
        .replaces
        .as_ref()
        .map(|key| replaced(tx, tenant, key))
        .transpose()?;
    let id: i64 = tx
        .prepare_cached("SELECT COALESCE(MAX(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'jobs'")?
        .query_row([], |row| row.get(0))?;
    let sequence = u64::try_from(id)
        .ok()
        .and_then(|n| Sequence::new(n).ok())
        .ok_or_else(|| {
            WriteError::Refused(
                Code::JournalReadOnly,
                "the sequence of job keys is used up; a new journal is needed".into(),
            )
        })?;
    let key = JobKey::new(Parts {
        rack,
        generation: facts.generation,
        sequence,
        hash: order.submission,
    });
    let row = NewRow {
        id,
        tenant,
        client,
        replaces,
        key,
    };
    insert(tx, &row, order)?;
    let asked = Asked {
        tenant,
        key_time: order.key_time,
        hash: order.submission.get(),
        sign: order.receipt.sign,
        total: i64::try_from(order.receipt.total.get()).unwrap_or(i64::MAX),
        at: order.at,
    };
    let job = new_job(key, order);
    let Some(reason) = held::gate(tx, facts, &asked)? else {
        return Ok(ReplyBody::Accepted { id, job: Box::new(job) });
    };
    held::begin(tx, facts, &Hold::new(id, &job, &reason, order.at))?;
    Ok(ReplyBody::Accepted { id, job: load(tx, id)? })
}

/// Once rows of the key index have been dropped, only the time of a key tells that it was never one of them.
fn check_key_time(tx: &Transaction<'_>, order: &AcceptJob) -> Result<(), WriteError> {
    let Some(floor) = care::pruned_floor(tx)? else {
        return Ok(());
    };
    match order.key_time {
        None => Err(WriteError::Refused(
            Code::KeyTimeRequired,
            "keys older than the horizon were dropped from the index".into(),
        )),
        Some(made) if made.0 < floor => Err(WriteError::Refused(
            Code::KeyTooOld,
            "keys of that time were dropped from the index".into(),
        )),
        Some(_) => Ok(()),
    }
}

/// The row of the job that a new one stands in for: it must have ended without a document, and only once.
fn replaced(tx: &Transaction<'_>, tenant: i64, key: &JobKey) -> Result<i64, WriteError> {
    let refused = |text: String| WriteError::Refused(Code::ReplacesInvalid, text);
    let found: Option<(i64, String)> = tx
        .prepare_cached("SELECT id, state FROM jobs WHERE key = ?1 AND tenant = ?2")?
        .query_row(params![key.as_str(), tenant], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (id, state) = found.ok_or_else(|| {
        refused(format!(
            "this tenant has no job {key}, or it ended so long ago that it was archived"
        ))
    })?;
    let ended = state.parse::<JobState>().is_ok_and(JobState::ended_without_document);
    if !ended {
        return Err(refused(format!(
            "job {key} is {state}; only one that ended without a document can be replaced"
        )));
    }
    let by: Option<String> = tx
        .prepare_cached("SELECT key FROM jobs WHERE replaces = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    match by.map_or_else(|| care::is_replaced(tx, id), |by| Ok(Some(by)))? {
        Some(by) => Err(refused(format!("job {key} was replaced already, by {by}"))),
        None => Ok(id),
    }
}

/// What the journal gives a new job.
struct NewRow {
    id: i64,
    tenant: i64,
    client: i64,
    replaces: Option<i64>,
    key: JobKey,
}

/// The job as its row would be read.
fn new_job(key: JobKey, order: &AcceptJob) -> Job {
    Job {
        key,
        tenant: order.tenant.clone(),
        client: order.client.clone(),
        external_id: order.external_id.clone(),
        key_time: order.key_time,
        receipt: order.receipt.clone(),
        content_hash: order.hash,
        priority: order.priority,
        labels: order.labels.clone(),
        accepted_at: order.at,
        expires_at: order.expires_at,
        replaces: order.replaces,
        replaced_by: None,
        state: JobState::Accepted,
        reason: None,
        needs_person: None,
        evidence: None,
        attempts: Vec::new(),
        revision: 1,
        updated_at: order.at,
        ffd: None,
    }
}

/// Stores a job in one statement: its checksums are those of the values that are stored, not read back.
fn insert(tx: &Transaction<'_>, new: &NewRow, order: &AcceptJob) -> Result<(), WriteError> {
    if order.receipt.buyer.is_some() {
        // The buyer is personal data and stands encrypted in a table of its own.
        return Err(WriteError::Refused(
            Code::InternalFault,
            "the receipt still holds its buyer in clear".into(),
        ));
    }
    let body =
        serde_json::to_string(&order.receipt).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    let labels =
        serde_json::to_string(&order.labels).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    // The columns of `job_sum` in its order.
    let fixed: [Value; 14] = [
        new.id.into(),
        new.key.as_str().to_owned().into(),
        new.tenant.into(),
        new.client.into(),
        order.external_id.clone().into(),
        i64::from(order.hash.version).into(),
        order.hash.digest.to_vec().into(),
        order.key_time.map(|time| time.0).into(),
        body.into(),
        priority_number(order.priority).into(),
        labels.into(),
        order.at.0.into(),
        order.expires_at.0.into(),
        new.replaces.into(),
    ];
    let sum = sum_of_values(RowSum::new("jobs"), &fixed);
    let state = StateColumns {
        state: JobState::Accepted,
        reason: None,
        needs_person: None,
        attempts: 0,
        revision: 1,
        at: order.at,
    };
    let sums = [Value::from(sum), Value::from(state.sum(new.id))];
    tx.prepare_cached(
        "INSERT INTO jobs (id, key, tenant, client, external_id, hash_version, hash, key_time, body, priority, labels, \
         accepted_at, expires_at, replaces, sum, state_sum, state, attempts, revision, updated_at) VALUES \
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 'ACCEPTED', 0, 1, ?12)",
    )?
    .execute(params_from_iter(fixed.iter().chain(&sums)))?;
    if let Some(buyer) = &order.buyer {
        tx.prepare_cached("INSERT INTO contacts (job, nonce, sealed) VALUES (?1, ?2, ?3)")?
            .execute(params![new.id, buyer.nonce.as_slice(), buyer.sealed])?;
    }
    tx.prepare_cached("INSERT INTO events (at, job, tenant, kind) VALUES (?1, ?2, ?3, 'accepted')")?
        .execute([order.at.0, new.id, new.tenant])?;
    Ok(())
}

/// One row of the commit sequence.
pub(super) fn event(tx: &Transaction<'_>, job: i64, kind: &str, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO events (at, job, tenant, kind) SELECT ?2, id, tenant, ?3 FROM jobs WHERE id = ?1")?
        .execute(params![job, at.0, kind])?;
    Ok(())
}

/// A move of a job by the job machine.
pub(super) struct JobMove<'a> {
    pub job: i64,
    pub event: Event,
    pub reason: Option<&'a Reason>,
    pub needs_person: Option<&'a Reason>,
    pub attempts: Option<u32>,
    pub at: UnixMillis,
}

/// The columns of a job that change, as they are about to be stored.
struct StateColumns<'a> {
    state: JobState,
    reason: Option<&'a Reason>,
    needs_person: Option<&'a Reason>,
    attempts: i64,
    revision: i64,
    at: UnixMillis,
}

impl StateColumns<'_> {
    /// As `job_state_sum` finds them.
    fn values(&self, id: i64) -> [Value; 9] {
        let code = |reason: Option<&Reason>| reason.map(|reason| reason.code.as_str().to_owned()).into();
        let detail = |reason: Option<&Reason>| reason.map(|reason| reason.detail.clone()).into();
        [
            id.into(),
            self.state.as_str().to_owned().into(),
            code(self.reason),
            detail(self.reason),
            code(self.needs_person),
            detail(self.needs_person),
            self.attempts.into(),
            self.revision.into(),
            self.at.0.into(),
        ]
    }

    fn sum(&self, id: i64) -> Vec<u8> {
        sum_of_values(RowSum::new("job_state"), &self.values(id))
    }
}

pub(super) fn move_job(tx: &Transaction<'_>, change: &JobMove<'_>) -> Result<JobState, WriteError> {
    let (state, attempts, revision) = standing(tx, change.job)?;
    let next =
        step(state, change.event).map_err(|illegal| WriteError::Refused(Code::InternalFault, illegal.to_string()))?;
    let columns = StateColumns {
        state: next,
        reason: change.reason,
        needs_person: change.needs_person,
        attempts: change.attempts.map_or(attempts, i64::from),
        revision: revision + 1,
        at: change.at,
    };
    let sum = Value::from(columns.sum(change.job));
    // One statement: the row holds the receipt, and every update writes all of it.
    tx.prepare_cached(
        "UPDATE jobs SET state = ?2, code = ?3, detail = ?4, person_code = ?5, person_detail = ?6, attempts = ?7, \
         revision = ?8, updated_at = ?9, state_sum = ?10 WHERE id = ?1",
    )?
    .execute(params_from_iter(columns.values(change.job).iter().chain([&sum])))?;
    event(tx, change.job, "state", change.at)?;
    if next.is_final() {
        tx.prepare_cached("INSERT INTO outbox (job, at) VALUES (?1, ?2)")?
            .execute(params![change.job, change.at.0])?;
    }
    Ok(next)
}

fn seal_state(tx: &Transaction<'_>, job: i64) -> rusqlite::Result<()> {
    let sum = job_state_sum(tx, job)?;
    tx.prepare_cached("UPDATE jobs SET state_sum = ?2 WHERE id = ?1")?
        .execute(params![job, sum])?;
    Ok(())
}

/// State, attempts and revision of a job.
fn standing(tx: &Transaction<'_>, job: i64) -> Result<(JobState, i64, i64), WriteError> {
    let found: Option<(String, i64, i64)> = tx
        .prepare_cached("SELECT state, attempts, revision FROM jobs WHERE id = ?1")?
        .query_row([job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (text, attempts, revision) =
        found.ok_or_else(|| WriteError::Refused(Code::JobNotFound, format!("no job with row number {job}")))?;
    let state = text
        .parse()
        .map_err(|_| WriteError::Refused(Code::JournalDamaged, format!("job {job} has state \"{text}\"")))?;
    Ok((state, attempts, revision))
}

fn state_of(tx: &Transaction<'_>, job: i64) -> Result<JobState, WriteError> {
    Ok(standing(tx, job)?.0)
}

pub(super) fn cancel(tx: &Transaction<'_>, order: &CancelJob) -> Written {
    let client = id_of(tx, "clients", "name", &order.client, order.at)?;
    // A repeat of an order on a job that has been archived since.
    if care::state_of_archived(tx, order.job)?.as_deref() == Some(JobState::Cancelled.as_str()) {
        return Ok(ReplyBody::JobState(JobState::Cancelled));
    }
    let state = state_of(tx, order.job)?;
    if cancelled_before(tx, order, client)? || state == JobState::Cancelled {
        return Ok(ReplyBody::JobState(state));
    }
    if state.is_final() {
        return Err(WriteError::Refused(Code::JobFinal, format!("the job is {state}")));
    }
    // A hold that ended without a document was no attempt; while it stands, the document may be there.
    let attempted: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM intents i JOIN fns f ON f.id = i.fn WHERE i.job = ?1 \
             AND (i.state <> 'not_made' OR f.number NOT GLOB 'HELD*'))",
        )?
        .query_row([order.job], |row| row.get(0))?;
    if attempted {
        return Err(WriteError::Refused(
            Code::JobHadAttempt,
            "an attempt of this job has begun".into(),
        ));
    }
    let why = order.reason.as_ref().map(|words| format!(": {words}"));
    let reason = Reason::new(
        Code::JobCancelled,
        format!("by {}{}", order.client, why.unwrap_or_default()),
    );
    let change = JobMove {
        job: order.job,
        event: Event::Cancel { attempted: false },
        reason: Some(&reason),
        needs_person: None,
        attempts: None,
        at: order.at,
    };
    let state = move_job(tx, &change)?;
    tx.prepare_cached("INSERT INTO cancellations (job, client, at, reason, request_id) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![order.job, client, order.at.0, order.reason, order.request_id])?;
    Ok(ReplyBody::JobState(state))
}

/// Whether this very order was carried out before; the id of an order that took another job back is refused.
fn cancelled_before(tx: &Transaction<'_>, order: &CancelJob, client: i64) -> Result<bool, WriteError> {
    let Some(request) = &order.request_id else {
        return Ok(false);
    };
    let known: Option<i64> = tx
        .prepare_cached("SELECT job FROM cancellations WHERE client = ?1 AND request_id = ?2")?
        .query_row(params![client, request], |row| row.get(0))
        .optional()?;
    match known {
        Some(job) if job != order.job => {
            let text = format!("request id {request} was used to cancel another job");
            Err(WriteError::Refused(Code::RequestIdConflict, text))
        }
        known => Ok(known.is_some()),
    }
}

pub(super) fn expire(tx: &Transaction<'_>, job: i64, at: UnixMillis) -> Written {
    let reason = Reason::new(Code::JobExpired, "no unit took it within its time in the queue");
    let change = JobMove {
        job,
        event: Event::TtlPassed,
        reason: Some(&reason),
        needs_person: None,
        attempts: None,
        at,
    };
    move_job(tx, &change).map(ReplyBody::JobState)
}

pub(super) fn set_aside(tx: &Transaction<'_>, job: i64, reason: &Reason, at: UnixMillis) -> Written {
    let state = state_of(tx, job)?;
    if state != JobState::Accepted {
        return Err(WriteError::Refused(
            Code::InternalFault,
            format!("a job that is {state} cannot be set aside"),
        ));
    }
    tx.prepare_cached(
        "UPDATE jobs SET person_code = ?2, person_detail = ?3, revision = revision + 1, updated_at = ?4 WHERE id = ?1",
    )?
    .execute(params![job, reason.code.as_str(), reason.detail, at.0])?;
    seal_state(tx, job)?;
    event(tx, job, "set_aside", at)?;
    Ok(ReplyBody::JobState(state))
}

pub(super) fn reported(tx: &Transaction<'_>, job: i64, at: UnixMillis) -> Written {
    tx.prepare_cached("UPDATE outbox SET reported_at = COALESCE(reported_at, ?2) WHERE job = ?1")?
        .execute(params![job, at.0])?;
    Ok(ReplyBody::Done)
}
