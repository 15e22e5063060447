//! Jobs that must not run until it is known whether their document stands in an FN already.
//!
//! A held job is `IN_DOUBT` with an attempt on a lane of its own: an FN "HELD" and the job's row number, which never
//! answers. So everything that holds for a doubt holds for it, also for a program that knows no recovery mode: no unit
//! takes it, its ttl does not end it, nobody takes it back.
//!
//! Owns: which job is held, and how it leaves: its document was found, every FN was read without it, or a person decides.
//! Must never: let a job go on while a document that may be its own is unexplained.

use super::command::{BeginIntent, EndIntent, HeldVerdict, JobEnd, ReplyBody, Scan, SettleHeld, Verdict};
use super::doubts;
use super::ends::{self, OpenRow};
use super::intents;
use super::jobs::id_of;
use super::orphans::{ORPHAN, orphan};
use super::query::ReadError;
use super::readings::{KEY_TIME_SLACK_MS, recovering, seal_orphan};
use super::rows::{self, damaged};
use super::store::{JournalFacts, WriteError, Written};
use crate::domain::attempt::{DocumentKind, KeyPlace};
use crate::domain::error::Reason;
use crate::domain::job::{AttemptState, Job};
use crate::domain::orphan::{Orphan, OrphanState};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber, RegisterId, Rnm, Vendor};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// First letters of the number of a lane that is no FN.
pub const HELD_PREFIX: &str = "HELD";

/// A job that is to be held, and why.
pub(super) struct Hold {
    job: i64,
    key: JobKey,
    place: KeyPlace,
    kind: DocumentKind,
    content: kassette_receipts::hash::ContentHash,
    reason: Reason,
    at: UnixMillis,
}

fn bad(error: impl std::fmt::Display) -> WriteError {
    WriteError::Refused(Code::InternalFault, error.to_string())
}

impl Hold {
    /// The hold of a job that stands in the journal.
    pub(super) fn of(tx: &Connection, job: i64, reason: &Reason, at: UnixMillis) -> Result<Self, WriteError> {
        let found = rows::jobs(tx, "j.id = ?1", [job])
            .map_err(|error| WriteError::Refused(Code::JournalDamaged, error.to_string()))?;
        let stored = found.into_iter().next();
        let stored =
            stored.ok_or_else(|| WriteError::Refused(Code::JobNotFound, format!("no job with row number {job}")))?;
        Ok(Self::new(job, &stored.job, reason, at))
    }

    /// The hold of a job.
    pub(super) fn new(row: i64, job: &Job, reason: &Reason, at: UnixMillis) -> Self {
        Self {
            job: row,
            key: job.key,
            place: KeyPlace::of(&job.receipt),
            kind: match job.receipt.correction {
                Some(_) => DocumentKind::Correction,
                None => DocumentKind::Receipt,
            },
            content: job.content_hash,
            reason: reason.clone(),
            at,
        }
    }

    fn intent(&self) -> Result<BeginIntent, WriteError> {
        Ok(BeginIntent {
            job: Some(self.job),
            kind: self.kind,
            register: RegisterId {
                vendor: Vendor::ShtrihM,
                serial: HELD_PREFIX.parse().map_err(bad)?,
            },
            rnm: "0000000000000000".parse::<Rnm>().map_err(bad)?,
            fn_number: lane(self.job)?,
            baseline: FdNumber(0),
            job_key: Some(self.key),
            key_place: Some(self.place),
            content: Some(self.content),
            at: self.at,
        })
    }
}

fn lane(job: i64) -> Result<FnNumber, WriteError> {
    format!("{HELD_PREFIX}{job}").parse().map_err(bad)
}

/// Holds a job that waits.
pub(super) fn begin(tx: &Transaction<'_>, facts: &JournalFacts, hold: &Hold) -> Result<(), WriteError> {
    // The few rows of a hold need less room than the job they are about.
    let (intent, _) = intents::insert(tx, facts, &hold.intent()?, true)?;
    in_doubt(tx, facts, intent, &hold.reason, None, hold.at)
}

fn in_doubt(
    tx: &Transaction<'_>,
    facts: &JournalFacts,
    intent: i64,
    reason: &Reason,
    needs_person: Option<Reason>,
    at: UnixMillis,
) -> Result<(), WriteError> {
    let end = EndIntent {
        intent,
        verdict: Verdict::InDoubt,
        job_end: JobEnd::InDoubt,
        reason: Some(reason.clone()),
        device: None,
        scan: None,
        last_fd: FdNumber(0),
        needs_person,
        at,
    };
    ends::end(tx, facts, &end, None, true).map(|_| ())
}

/// What a submission is asked before it may run.
pub(super) struct Asked {
    pub tenant: i64,
    pub key_time: Option<UnixMillis>,
    pub hash: u32,
    pub sign: u32,
    pub total: i64,
    pub at: UnixMillis,
}

impl Asked {
    /// When the client made its key, if that can be believed: a clock that is ahead of ours tells nothing.
    fn key_time(&self) -> Option<i64> {
        self.key_time
            .map(|made| made.0)
            .filter(|made| *made <= self.at.0.saturating_add(KEY_TIME_SLACK_MS))
    }
}

/// Why a new submission must not run yet, if so.
pub(super) fn gate(tx: &Connection, facts: &JournalFacts, asked: &Asked) -> Result<Option<Reason>, WriteError> {
    if !facts.recovering {
        return Ok(None);
    }
    if let Some(number) = unread(tx, asked)? {
        let text = format!("FN {number} was not read yet; the document may stand in it");
        return Ok(Some(Reason::new(Code::JournalRecovering, text)));
    }
    if let Some(reason) = before_span(tx, asked)?.or(without_content(tx, asked)?) {
        return Ok(Some(reason));
    }
    let candidate = candidates(tx, asked, None)?.into_iter().next();
    Ok(candidate.map(|orphan| {
        let text = format!("document {} of FN {} may be its", orphan.document.fd, orphan.fn_number);
        Reason::new(Code::DoubtOrphan, text)
    }))
}

/// An adopted FN of the tenant that was not read yet, and that may hold a document of this key: a key that was made
/// after the reading began stands in no FN that we have not opened since.
fn unread(tx: &Connection, asked: &Asked) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached(
        "SELECT number FROM readings WHERE tenant = ?1 AND done_at IS NULL AND adopted = 1 \
         AND (?2 IS NULL OR ?2 < began_at + ?3) LIMIT 1",
    )?
    .query_row(params![asked.tenant, asked.key_time(), KEY_TIME_SLACK_MS], |row| {
        row.get(0)
    })
    .optional()
}

fn before_span(tx: &Connection, asked: &Asked) -> rusqlite::Result<Option<Reason>> {
    let Some(made) = asked.key_time() else { return Ok(None) };
    let found: Option<String> = tx
        .prepare_cached("SELECT number FROM readings WHERE tenant = ?1 AND span_from > ?2 LIMIT 1")?
        .query_row(params![asked.tenant, made], |row| row.get(0))
        .optional()?;
    Ok(found.map(|number| {
        let text = format!("the key is older than the documents that FN {number} still keeps whole");
        Reason::new(Code::DoubtLedgerUnreadable, text)
    }))
}

/// A document of the tenant that an FN has and does not show: "no data" proves nothing, so it may be anybody's, until it
/// is dismissed by a person.
fn without_content(tx: &Connection, asked: &Asked) -> rusqlite::Result<Option<Reason>> {
    let found: Option<(String, u32)> = tx
        .prepare_cached(
            "SELECT o.number, o.fd FROM orphans o JOIN readings r ON r.number = o.number WHERE o.stops = 1 AND o.code = 0 \
             AND o.tenant = ?1 AND (?2 IS NULL OR ?2 < r.began_at + ?3) LIMIT 1",
        )?
        .query_row(params![asked.tenant, asked.key_time(), KEY_TIME_SLACK_MS], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(number, fd)| {
        let text = format!("FN {number} has document {fd} but not its content; it may be this one");
        Reason::new(Code::DoubtLedgerUnreadable, text)
    }))
}

/// Most documents that are compared with one job; more of one total are for a person.
const CANDIDATES_MAX: usize = 64;

/// Receipts without a job that may be the document of a submission: of the same client's key, of the very key of a job,
/// or, without a key of ours, of the same sign and total. A key that was made after a document is not in it.
pub(super) fn candidates(tx: &Connection, asked: &Asked, key: Option<&JobKey>) -> Result<Vec<Orphan>, WriteError> {
    let statement = format!(
        "{ORPHAN} WHERE o.state = 'open' AND ((o.tenant = ?1 AND o.hash = ?2) OR (o.tenant = ?1 AND o.hash IS NULL \
         AND o.total = ?4 AND o.sign = ?3)) AND (o.key IS ?6 OR ?5 IS NULL OR o.time_ms IS NULL OR ?5 < o.time_ms + ?7) \
         ORDER BY o.id LIMIT {}",
        CANDIDATES_MAX + 1
    );
    let read = |tx: &Connection| -> Result<Vec<Orphan>, ReadError> {
        let mut statement = tx.prepare_cached(&statement)?;
        let mut rows = statement.query(params![
            asked.tenant,
            asked.hash,
            asked.sign,
            asked.total,
            asked.key_time(),
            key.map(JobKey::as_str),
            KEY_TIME_SLACK_MS + MINUTE_MS,
        ])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(orphan(row)?);
        }
        Ok(found)
    };
    read(tx).map_err(unreadable)
}

/// A document's time has whole minutes.
const MINUTE_MS: i64 = 60_000;

fn unreadable(error: ReadError) -> WriteError {
    match error {
        ReadError::Sql(error) => WriteError::Sql(error),
        other => WriteError::Refused(Code::JournalDamaged, other.to_string()),
    }
}

/// What stands between a held job and its next move.
#[derive(Debug)]
pub struct Standing {
    /// Why it waits on, if an FN was not read yet.
    pub waits: Option<Reason>,
    /// Why only a person can decide, whatever the documents say.
    pub person: Option<Reason>,
    /// Documents that may be its.
    pub candidates: Vec<Orphan>,
}

/// What is known about a held job.
pub(super) fn standing(conn: &Connection, job: i64) -> Result<Standing, ReadError> {
    let found = rows::jobs(conn, "j.id = ?1", [job])?;
    let stored = found
        .into_iter()
        .next()
        .ok_or_else(|| damaged("job", job, "it is not there"))?;
    let tenant = conn
        .prepare_cached("SELECT tenant FROM jobs WHERE id = ?1")?
        .query_row([job], |row| row.get(0))?;
    let copied: Option<String> = conn
        .prepare_cached(
            "SELECT number FROM readings WHERE tenant = ?1 AND done_at IS NULL AND adopted = 1 AND jobs_upto >= ?2 LIMIT 1",
        )?
        .query_row(params![tenant, job], |row| row.get(0))
        .optional()?;
    let asked = asked(tenant, &stored.job);
    let known = |error| match error {
        WriteError::Sql(error) => ReadError::Sql(error),
        WriteError::Refused(_, why) => damaged("job", job, why),
    };
    let number = match copied {
        Some(number) => Some(number),
        None => unread(conn, &asked)?,
    };
    let waits = number.map(|number| {
        let text = format!("FN {number} was not read yet; the document may stand in it");
        Reason::new(Code::JournalRecovering, text)
    });
    let person = before_span(conn, &asked)?.or(without_content(conn, &asked)?);
    let candidates = candidates(conn, &asked, Some(&stored.job.key)).map_err(known)?;
    Ok(Standing {
        waits,
        person,
        candidates,
    })
}

fn asked(tenant: i64, job: &Job) -> Asked {
    let hash = kassette_receipts::job_key::SubmissionHash::of(&job.client, job.tenant.as_str(), &job.external_id);
    Asked {
        tenant,
        key_time: job.key_time,
        hash: hash.get(),
        sign: job.receipt.sign,
        total: i64::try_from(job.receipt.total.get()).unwrap_or(i64::MAX),
        at: job.accepted_at,
    }
}

/// A job whose attempt made nothing waits again only if its document stands in no other FN: in a copy it may.
pub(super) fn gate_again(tx: &Connection, facts: &JournalFacts, job: i64) -> Result<Option<Reason>, WriteError> {
    if !facts.recovering {
        return Ok(None);
    }
    let unread: Option<String> = tx
        .prepare_cached(
            "SELECT number FROM readings WHERE done_at IS NULL AND adopted = 1 AND jobs_upto >= ?1 \
             AND tenant = (SELECT tenant FROM jobs WHERE id = ?1) LIMIT 1",
        )?
        .query_row([job], |row| row.get(0))
        .optional()?;
    let found: Option<String> = tx
        .prepare_cached(
            "SELECT o.number FROM jobs j JOIN orphans o ON o.tenant = j.tenant AND o.hash IS NOT NULL \
             AND o.state = 'open' AND o.key = j.key WHERE j.id = ?1 LIMIT 1",
        )?
        .query_row([job], |row| row.get(0))
        .optional()?;
    Ok(unread.or(found).map(|number| {
        Reason::new(
            Code::JournalRecovering,
            format!("its document may stand in FN {number}"),
        )
    }))
}

fn held_intent(tx: &Connection, job: i64) -> Result<i64, WriteError> {
    let found: Option<i64> = tx
        .prepare_cached(
            "SELECT i.id FROM intents i JOIN fns f ON f.id = i.fn WHERE i.job = ?1 AND i.state = 'in_doubt' \
             AND f.number GLOB 'HELD*'",
        )?
        .query_row([job], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| WriteError::Refused(Code::DoubtNotFound, format!("job row {job} is not held")))
}

/// A held job leaves its hold, or a person is asked.
pub(super) fn settle(tx: &Transaction<'_>, facts: &mut JournalFacts, order: &SettleHeld) -> Written {
    let intent = held_intent(tx, order.job)?;
    match &order.verdict {
        HeldVerdict::Claim(orphan) => claim(tx, order, intent, *orphan)?,
        HeldVerdict::Release => release(tx, facts, order, intent)?,
        HeldVerdict::Person(reason) => in_doubt(tx, facts, intent, reason, Some(reason.clone()), order.at)?,
    }
    facts.recovering = recovering(tx)?;
    let state = tx
        .prepare_cached("SELECT state FROM jobs WHERE id = ?1")?
        .query_row([order.job], |row| row.get::<_, String>(0))?;
    Ok(ReplyBody::JobState(
        state.parse().map_err(|_| bad(format!("a job has state {state}")))?,
    ))
}

fn empty_scan(job: i64) -> Result<Scan, WriteError> {
    Ok(Scan {
        register: RegisterId {
            vendor: Vendor::ShtrihM,
            serial: HELD_PREFIX.parse().map_err(bad)?,
        },
        fn_number: lane(job)?,
        idle_seen: 2,
        cancelled: false,
        last_before: FdNumber(0),
        last_after: FdNumber(0),
        documents: Vec::new(),
    })
}

/// No FN holds a document that may be the job's: it waits for a unit.
fn release(tx: &Transaction<'_>, facts: &JournalFacts, order: &SettleHeld, intent: i64) -> Result<(), WriteError> {
    let end = EndIntent {
        intent,
        verdict: Verdict::NotMade,
        job_end: JobEnd::Again,
        reason: Some(Reason::new(
            Code::AttemptNotSent,
            "no FN that was read holds a document of it",
        )),
        device: None,
        scan: Some(empty_scan(order.job)?),
        last_fd: FdNumber(0),
        needs_person: None,
        at: order.at,
    };
    ends::end(tx, facts, &end, None, true).map(|_| ())
}

/// The document is the job's.
fn claim(tx: &Transaction<'_>, order: &SettleHeld, intent: i64, id: i64) -> Result<(), WriteError> {
    let found = {
        let mut statement = tx.prepare_cached(&format!("{ORPHAN} WHERE o.id = ?1"))?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(orphan).transpose().map_err(unreadable)?
    };
    let open = found.filter(|orphan| orphan.state == OrphanState::Open);
    let refused = |text: &str| WriteError::Refused(Code::VerdictInvalid, format!("document row {id}: {text}"));
    let orphan = open.ok_or_else(|| refused("it is not open"))?;
    let evidence = orphan
        .evidence()
        .ok_or_else(|| refused("it lacks what proves a receipt"))?;
    let (kind, tenant): (String, String) = tx
        .prepare_cached(
            "SELECT i.kind, t.inn FROM intents i JOIN jobs j ON j.id = i.job JOIN tenants t ON t.id = j.tenant WHERE i.id = ?1",
        )?
        .query_row([intent], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if tenant != orphan.tenant.as_str() {
        return Err(refused("it is of another taxpayer"));
    }
    let row = OpenRow {
        fn_row: intents::fn_id(tx, orphan.fn_number.as_str(), FdNumber(0), order.at)?,
        fn_number: orphan.fn_number.to_string(),
        register: id_of(tx, "registers", "name", &orphan.register.to_string(), order.at)?,
        register_name: orphan.register.to_string(),
        rnm: orphan.rnm.to_string(),
        job: Some(order.job),
        kind,
        baseline: 0,
        in_doubt: true,
    };
    let mut scan = empty_scan(order.job)?;
    scan.documents
        .push((evidence.fd.0, format!("of FN {}: its document", evidence.fn_number)));
    let end = EndIntent {
        intent,
        last_fd: evidence.fd,
        verdict: Verdict::Made(Box::new(evidence.clone())),
        job_end: JobEnd::Completed,
        reason: None,
        device: None,
        scan: None,
        needs_person: None,
        at: order.at,
    };
    ends::write_end(tx, &end, &AttemptState::Made)?;
    ends::insert_document(tx, (intent, order.at), &row, &evidence)?;
    ends::write_scan(tx, (intent, order.at), &scan, &AttemptState::Made)?;
    ends::end_job(tx, order.job, &end)?;
    doubts::note_end(tx, &end, true)?;
    tx.prepare_cached("UPDATE orphans SET client = ?2 WHERE id = ?1")?
        .execute(params![id, order.client])?;
    seal_orphan(tx, id)?;
    intents::seal_fn(tx, row.fn_row)?;
    Ok(())
}

/// A document that was read is that of an attempt after all: it is nobody else's.
pub(super) fn explained(
    tx: &Transaction<'_>,
    number: &str,
    fd: FdNumber,
    job: Option<i64>,
    at: UnixMillis,
) -> Result<(), WriteError> {
    let found: Option<i64> = tx
        .prepare_cached("SELECT id FROM orphans WHERE number = ?1 AND fd = ?2")?
        .query_row(params![number, fd.0], |row| row.get(0))
        .optional()?;
    let Some(id) = found else { return Ok(()) };
    tx.prepare_cached(
        "UPDATE orphans SET state = CASE WHEN ?2 IS NULL THEN 'noted' ELSE 'claimed' END, stops = 0, job = ?2, \
         settled_at = ?3, nonce = NULL, sealed = NULL WHERE id = ?1",
    )?
    .execute(params![id, job, at.0])?;
    seal_orphan(tx, id)?;
    Ok(())
}

/// A person knows whose a document is: its lane goes on, and no submission is compared with it any more.
pub(super) fn dismiss(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    orphan: i64,
    client: &str,
    reason: &str,
    at: UnixMillis,
) -> Written {
    let changed = tx
        .prepare_cached(
            "UPDATE orphans SET state = CASE state WHEN 'open' THEN 'dismissed' ELSE state END, stops = 0, settled_at = ?2, \
             client = ?3, reason = ?4, nonce = NULL, sealed = NULL WHERE id = ?1 AND (state = 'open' OR stops = 1)",
        )?
        .execute(params![orphan, at.0, client, reason])?;
    if changed == 0 {
        let text = format!("document row {orphan} waits for nobody");
        return Err(WriteError::Refused(Code::DoubtNotFound, text));
    }
    seal_orphan(tx, orphan)?;
    facts.recovering = recovering(tx)?;
    Ok(ReplyBody::Done)
}
