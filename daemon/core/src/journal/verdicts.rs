//! Verdicts of persons, and what their FN says when it is seen again.
//!
//! A verdict that counts, the move of its job, its document and the order to read the FN again are one commit: after a
//! power cut there is all of it or nothing, and the second person repeats.
//!
//! Owns: the rows of verdicts and reviews.
//! Must never: let a verdict count that `domain::verdict` refuses, or change one that was given.

use super::checks::RowSum;
use super::command::{GiveVerdict, ReplyBody, ReviewEnd, ReviewFound};
use super::doubt_rows::review_state_text;
use super::doubts::{Seeing, changed, check_revision, json, load, see, set_person, used};
use super::ends;
use super::intents::{end_sum, seal_fn};
use super::jobs::{JobMove, move_job};
use super::query::ReadError;
use super::read_back::foreign_sum;
use super::rows::sum_of;
use super::store::{WriteError, Written};
use crate::domain::attempt::{DocumentKind, Evidence};
use crate::domain::doubt::Doubt;
use crate::domain::error::Reason;
use crate::domain::job::AttemptState;
use crate::domain::verdict::{Case, Claimed, Judgement, Person, ReviewState, Standing, WAIT_MS, judge};
use crate::parts::UnixMillis;
use kassette_receipts::job::{Event, JobState};
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// What the journal knows of a doubt when a verdict on it is judged.
fn case(conn: &Connection, doubt: &Doubt, claimed: &Claimed, fn_answers: Option<String>) -> Result<Case, ReadError> {
    let standing = match &doubt.review {
        Some(review) if review.is_incident() => Standing::Incident(review.found),
        _ if doubt.is_settled() => Standing::Settled,
        _ => Standing::Open,
    };
    let known_as = match claimed {
        Claimed::NotMade(_) => None,
        Claimed::Made(existing) => {
            let other: Option<i64> = conn
                .prepare_cached(
                    "SELECT d.intent FROM documents d JOIN fns f ON f.id = d.fn WHERE f.number = ?1 AND d.fd = ?2 \
                     AND d.intent <> ?3",
                )?
                .query_row(params![doubt.fn_number.as_str(), existing.fd.0, doubt.id], |row| {
                    row.get(0)
                })
                .optional()?;
            other.map(|intent| format!("the one of attempt {intent}"))
        }
    };
    Ok(Case {
        fn_number: doubt.fn_number.clone(),
        baseline: doubt.baseline,
        standing,
        fn_answers,
        known_as,
        waiting: doubt.waiting.clone(),
        revision: doubt.revision,
    })
}

/// Takes a verdict: it is judged by what stands in this very commit.
pub(super) fn give(tx: &Transaction<'_>, order: &GiveVerdict) -> Written {
    let claim = json(&order.claim)?;
    if let Some(given) = given_before(tx, order, &claim)? {
        return Ok(given);
    }
    let doubt = load(tx, order.intent)?;
    check_revision(&doubt, order.expected)?;
    let case = case(tx, &doubt, &order.claim.verdict, order.fn_answers.clone())?;
    let person = Person {
        client: order.client.clone(),
        repeats: order.repeats.clone(),
    };
    let judged = judge(&case, &order.claim, &person, order.at)
        .map_err(|reason| WriteError::Refused(reason.code, reason.detail))?;
    if order.validate_only {
        return Ok(ReplyBody::Verdict { judged, job: None });
    }
    let confirms = match judged {
        Judgement::NeedsSecond => None,
        Judgement::Counts => doubt.waiting.as_ref().map(|waiting| waiting.id),
    };
    let verdict = insert_verdict(tx, order, &claim, confirms, doubt.revision + 1)?;
    let job = match (judged, &case.standing) {
        (Judgement::NeedsSecond, _) => None,
        (Judgement::Counts, Standing::Incident(_)) => {
            close_incident(tx, &doubt, order.at)?;
            None
        }
        (Judgement::Counts, _) => settle(tx, &doubt, order, verdict)?,
    };
    changed(tx, order.intent, order.at)?;
    Ok(ReplyBody::Verdict { judged, job })
}

/// The reply to a verdict that was given under the same request id.
fn given_before(tx: &Transaction<'_>, order: &GiveVerdict, claim: &str) -> Result<Option<ReplyBody>, WriteError> {
    let Some(id) = order.request_id.as_ref().filter(|_| !order.validate_only) else {
        return Ok(None);
    };
    let known: Option<(i64, String, Option<i64>)> = tx
        .prepare_cached("SELECT intent, claim, confirms FROM verdicts WHERE client = ?1 AND request_id = ?2")?
        .query_row(params![order.client, id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    match known {
        None => Ok(None),
        Some((intent, same, confirms))
            if intent == order.intent && same == claim && confirms.is_some() == order.repeats.is_some() =>
        {
            let judged = match confirms {
                Some(_) => Judgement::Counts,
                None => Judgement::NeedsSecond,
            };
            // Carried out before: whatever it moved was told then.
            Ok(Some(ReplyBody::Verdict { judged, job: None }))
        }
        Some(_) => Err(used(id)),
    }
}

fn insert_verdict(
    tx: &Transaction<'_>,
    order: &GiveVerdict,
    claim: &str,
    confirms: Option<i64>,
    revision: u64,
) -> Result<i64, WriteError> {
    tx.prepare_cached(
        "INSERT INTO verdicts (intent, at, client, reason, request_id, claim, confirmation, confirms, expires_at, \
         revision, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, x'')",
    )?
    .execute(params![
        order.intent,
        order.at.0,
        order.client,
        order.reason,
        order.request_id,
        claim,
        order.confirmation,
        confirms,
        order.at.plus_millis(WAIT_MS).0,
        i64::try_from(revision).unwrap_or(i64::MAX),
    ])?;
    let id = tx.last_insert_rowid();
    let sum = verdict_sum(tx, id)?;
    tx.prepare_cached("UPDATE verdicts SET sum = ?2 WHERE id = ?1")?
        .execute(params![id, sum])?;
    Ok(id)
}

/// Two persons agree: the attempt ends, its job moves, and the FN is to be read when it is seen again.
fn settle(
    tx: &Transaction<'_>,
    doubt: &Doubt,
    order: &GiveVerdict,
    verdict: i64,
) -> Result<Option<(i64, JobState)>, WriteError> {
    let made = match (&order.claim.verdict, &order.evidence) {
        (Claimed::Made(existing), Some(evidence)) if evidence.fd == existing.fd && evidence.fp == existing.fp => {
            Some(evidence.as_ref())
        }
        (Claimed::NotMade(_), None) => None,
        _ => {
            let text = format!("the verdict on doubt {} and its document do not fit", doubt.id);
            return Err(WriteError::Refused(Code::InternalFault, text));
        }
    };
    let state = if made.is_some() {
        AttemptState::Made
    } else {
        AttemptState::NotMade
    };
    let first = doubt.waiting.as_ref().map_or("", |waiting| waiting.client.as_str());
    let text = format!("{first} and {} settled it with evidence", order.client);
    // A code that an older program knows: it reads this row.
    let reason = Reason::new(Code::AttemptNotSent, text);
    let reason = Some(&reason).filter(|_| made.is_none());
    let job = end_attempt(tx, doubt.id, &state, reason, order.at)?;
    if let Some(evidence) = made {
        ends::insert_settled(tx, doubt.id, evidence, verdict, order.at)?;
    }
    set_person(tx, doubt.id, None)?;
    let review = ReviewRow {
        state: ReviewState::Pending,
        at: order.at,
        detail: "the FN was not seen since",
        found: None,
        last_fd: None,
    };
    put_review(tx, doubt.id, &review)?;
    let event = match state {
        AttemptState::Made => Event::SettledMade,
        _ => Event::SettledNone,
    };
    job.map(|job| Ok((job, move_of(tx, job, event, reason, None, order.at)?)))
        .transpose()
}

fn move_of(
    tx: &Transaction<'_>,
    job: i64,
    event: Event,
    reason: Option<&Reason>,
    needs_person: Option<&Reason>,
    at: UnixMillis,
) -> Result<JobState, WriteError> {
    let change = JobMove {
        job,
        event,
        reason,
        needs_person,
        attempts: None,
        at,
    };
    move_job(tx, &change)
}

/// Writes the end of an attempt; its job.
fn end_attempt(
    tx: &Transaction<'_>,
    intent: i64,
    state: &AttemptState,
    reason: Option<&Reason>,
    at: UnixMillis,
) -> Result<Option<i64>, WriteError> {
    let ended_at = (*state != AttemptState::InDoubt).then_some(at.0);
    tx.prepare_cached("UPDATE intents SET state = ?2, ended_at = ?3, code = ?4, detail = ?5 WHERE id = ?1")?
        .execute(params![
            intent,
            super::rows::attempt_state_text(state),
            ended_at,
            reason.map(|reason| reason.code.as_str()),
            reason.map(|reason| reason.detail.as_str()),
        ])?;
    let sum = end_sum(tx, intent)?;
    tx.prepare_cached("UPDATE intents SET end_sum = ?2 WHERE id = ?1")?
        .execute(params![intent, sum])?;
    let job = tx
        .prepare_cached("SELECT job FROM intents WHERE id = ?1")?
        .query_row([intent], |row| row.get(0))?;
    Ok(job)
}

/// A review about to be stored.
struct ReviewRow<'a> {
    state: ReviewState,
    at: UnixMillis,
    detail: &'a str,
    found: Option<&'a Evidence>,
    last_fd: Option<FdNumber>,
}

fn put_review(tx: &Transaction<'_>, intent: i64, review: &ReviewRow<'_>) -> Result<(), WriteError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO doubt_reviews (intent, fn, state, at, detail, fd, fp, last_fd, sum) \
         SELECT id, fn, ?2, ?3, ?4, ?5, ?6, ?7, x'' FROM intents WHERE id = ?1",
    )?
    .execute(params![
        intent,
        review_state_text(review.state),
        review.at.0,
        review.detail,
        review.found.map(|found| found.fd.0),
        review.found.map(|found| found.fp.0),
        review.last_fd.map(|last| last.0),
    ])?;
    seal_review(tx, intent)?;
    Ok(())
}

fn seal_review(tx: &Transaction<'_>, intent: i64) -> rusqlite::Result<()> {
    let sum = review_sum(tx, intent)?;
    tx.prepare_cached("UPDATE doubt_reviews SET sum = ?2 WHERE intent = ?1")?
        .execute(params![intent, sum])?;
    Ok(())
}

fn raise_mark(tx: &Transaction<'_>, intent: i64, last: FdNumber) -> Result<(), WriteError> {
    let fn_row: i64 = tx
        .prepare_cached("SELECT fn FROM intents WHERE id = ?1")?
        .query_row([intent], |row| row.get(0))?;
    tx.prepare_cached("UPDATE fns SET last_fd = MAX(last_fd, ?2) WHERE id = ?1")?
        .execute(params![fn_row, last.0])?;
    seal_fn(tx, fn_row)?;
    Ok(())
}

/// The FN of a doubt that persons settled was seen again and read from its baseline.
pub(super) fn review(tx: &Transaction<'_>, end: &ReviewEnd) -> Written {
    let doubt = load(tx, end.intent)?;
    let pending = doubt
        .review
        .as_ref()
        .is_some_and(|review| review.state == ReviewState::Pending);
    if !pending {
        let text = format!("doubt {} has no review to end", doubt.id);
        return Err(WriteError::Refused(Code::InternalFault, text));
    }
    ends::check_read(tx, end.intent, &end.scan)?;
    // It explains the reports of a shift that the register made by itself.
    ends::write_scan(tx, (end.intent, end.at), &end.scan, &doubt.state)?;
    let last = end.scan.last_after;
    let settled = doubt.document.as_ref().map(|(fd, fp, _)| (*fd, *fp));
    let found = match &end.found {
        ReviewFound::Document(evidence) => Some(evidence.as_ref()),
        ReviewFound::Nothing => None,
    };
    let same = settled == found.map(|evidence| (evidence.fd, evidence.fp));
    let text = match (same, found) {
        (true, _) => "the FN shows what the persons said".to_owned(),
        (false, Some(found)) => format!("the FN shows document {} of this attempt", found.fd),
        (false, None) => "the FN shows that nothing was made".to_owned(),
    };
    see(tx, end.intent, &Seeing::by_daemon(&text, Some(&end.scan), end.at))?;
    let mut row = ReviewRow {
        state: ReviewState::Clean,
        at: end.at,
        detail: &text,
        found,
        last_fd: Some(last),
    };
    let mut reopened = None;
    if same {
        raise_mark(tx, end.intent, last)?;
    } else {
        row.state = ReviewState::Incident;
        if found.is_some() && settled.is_none() {
            reopened = reopen(tx, &doubt, &text, end.at)?;
        }
    }
    put_review(tx, end.intent, &row)?;
    changed(tx, end.intent, end.at)?;
    Ok(ReplyBody::Reviewed {
        incident: !same,
        reopened,
    })
}

/// The document exists although persons said otherwise. While no other attempt of its job has begun and the job has not
/// ended, the attempt is in doubt again: no other unit can take the job, and the FN settles it at once.
fn reopen(tx: &Transaction<'_>, doubt: &Doubt, text: &str, at: UnixMillis) -> Result<Option<Option<i64>>, WriteError> {
    let job: Option<(i64, String)> = tx
        .prepare_cached("SELECT j.id, j.state FROM intents i JOIN jobs j ON j.id = i.job WHERE i.id = ?1")?
        .query_row([doubt.id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if job
        .as_ref()
        .is_some_and(|(_, state)| state != JobState::Accepted.as_str())
    {
        return Ok(None);
    }
    // A code that an older program knows: it reads this row.
    let reason = Reason::new(Code::DoubtOpen, text);
    end_attempt(tx, doubt.id, &AttemptState::InDoubt, Some(&reason), at)?;
    let job = job.map(|(job, _)| job);
    if let Some(job) = job {
        move_of(tx, job, Event::DocumentSeen, Some(&reason), None, at)?;
    }
    Ok(Some(job))
}

/// Two persons have seen what the FN shows: what stands there is explained up to where it was read, a doubled document as
/// one that is not ours to keep.
fn close_incident(tx: &Transaction<'_>, doubt: &Doubt, at: UnixMillis) -> Result<(), WriteError> {
    let (fn_row, last): (i64, Option<u32>) = tx
        .prepare_cached("SELECT fn, last_fd FROM doubt_reviews WHERE intent = ?1")?
        .query_row([doubt.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tx.prepare_cached("UPDATE doubt_reviews SET state = 'closed', at = ?2 WHERE intent = ?1")?
        .execute(params![doubt.id, at.0])?;
    seal_review(tx, doubt.id)?;
    if let Some((fd, fp)) = doubt.review.as_ref().and_then(|review| review.found) {
        let noted = tx
            .prepare_cached(
                "INSERT OR IGNORE INTO foreign_documents (fn, fd, code, fp, key, noted_at, sum) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, x'' \
                 WHERE NOT EXISTS (SELECT 1 FROM documents WHERE fn = ?1 AND fd = ?2)",
            )?
            .execute(params![
                fn_row,
                fd.0,
                code_of(doubt.kind),
                fp.0,
                doubt.job.map(|key| key.as_str().to_owned()),
                at.0,
            ])?;
        if noted > 0 {
            let id = tx.last_insert_rowid();
            let sum = foreign_sum(tx, id)?;
            tx.prepare_cached("UPDATE foreign_documents SET sum = ?2 WHERE id = ?1")?
                .execute(params![id, sum])?;
        }
    }
    match last {
        Some(last) => raise_mark(tx, doubt.id, FdNumber(last)),
        None => Ok(()),
    }
}

/// The kind of a document by its code in the FFD.
const fn code_of(kind: DocumentKind) -> u8 {
    match kind {
        DocumentKind::Receipt => 3,
        DocumentKind::Correction => 31,
        DocumentKind::ShiftOpen => 2,
        DocumentKind::ShiftClose => 5,
    }
}

/// Whether an FN must be read from the baseline of a settled doubt before anything is made on it.
pub(super) fn unreviewed(tx: &Transaction<'_>, fn_row: i64) -> rusqlite::Result<Option<i64>> {
    tx.prepare_cached("SELECT intent FROM doubt_reviews WHERE fn = ?1 AND state IN ('pending', 'incident')")?
        .query_row([fn_row], |row| row.get(0))
        .optional()
}

/// Chained over the verdict before, so that none can go unseen.
pub(super) fn verdict_sum(conn: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    let before: Option<Vec<u8>> = conn
        .prepare_cached("SELECT sum FROM verdicts WHERE id < ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    conn.prepare_cached(
        "SELECT id, intent, at, client, reason, request_id, claim, confirmation, confirms, expires_at, revision \
         FROM verdicts WHERE id = ?1",
    )?
    .query_row([id], |row| {
        sum_of(RowSum::chained("verdicts", &before.unwrap_or_default()), row, 11)
    })
}

pub(super) fn review_sum(conn: &Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached("SELECT intent, fn, state, at, detail, fd, fp, last_fd FROM doubt_reviews WHERE intent = ?1")?
        .query_row([intent], |row| sum_of(RowSum::new("doubt_reviews"), row, 8))
}
