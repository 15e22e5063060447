//! Writes that concern doubts: that they are there, and what was seen of them.
//!
//! Owns: the rows of doubts and sightings, and the row of each change in the commit sequence.
//! Must never: lose a doubt that an attempt fell into, whichever program noted it.

use super::checks::RowSum;
use super::command::{AskReading, EndIntent, ReplyBody, Scan, Verdict};
use super::doubt_rows;
use super::query::ReadError;
use super::rows::sum_of;
use super::store::{WriteError, Written};
use crate::domain::doubt::{Doubt, SIGHTINGS_MAX};
use crate::domain::error::Reason;
use crate::parts::UnixMillis;
use kassette_wire::codes::Code;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sql(error) => Self::Sql(error),
            other => Self::Refused(Code::JournalDamaged, other.to_string()),
        }
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, WriteError> {
    serde_json::to_string(value).map_err(|error| WriteError::Refused(Code::InternalFault, error.to_string()))
}

/// Lists every attempt that is in doubt, or was, and is not listed yet: after an upgrade, after a start, and after a life
/// of an older program.
pub(super) fn list_unlisted(tx: &Transaction<'_>, now: UnixMillis) -> Result<(), WriteError> {
    type Unlisted = (i64, i64, Option<String>, Option<String>, bool);
    let unlisted: Vec<Unlisted> = tx
        .prepare(
            "SELECT i.id, i.started_at, i.code, i.detail, i.state IN ('open', 'in_doubt') FROM intents i WHERE i.id IN \
             (SELECT id FROM intents WHERE state IN ('open', 'in_doubt') UNION SELECT intent FROM resolutions) \
             AND NOT EXISTS (SELECT 1 FROM doubts d WHERE d.intent = i.id) ORDER BY i.id",
        )?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    for (intent, started, code, detail, open) in unlisted {
        let code = code.and_then(|code| code.parse().ok()).unwrap_or(Code::DoubtOpen);
        let cause = Reason::new(code, detail.unwrap_or_default());
        insert(tx, intent, &cause, UnixMillis(started))?;
        if open {
            let person = person_of_job(tx, intent)?;
            set_person(tx, intent, person.as_ref())?;
            changed(tx, intent, now)?;
        }
    }
    Ok(())
}

/// Why only a person can move the attempt's job on, as its row says.
fn person_of_job(tx: &Transaction<'_>, intent: i64) -> rusqlite::Result<Option<Reason>> {
    let found: Option<(Option<String>, Option<String>)> = tx
        .prepare_cached(
            "SELECT j.person_code, j.person_detail FROM intents i JOIN jobs j ON j.id = i.job WHERE i.id = ?1",
        )?
        .query_row([intent], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (code, detail) = found.unwrap_or_default();
    let code = code.and_then(|code| code.parse().ok());
    Ok(code.map(|code| Reason::new(code, detail.unwrap_or_default())))
}

/// Why only a person can settle the doubt, as it stands.
fn person_of(tx: &Transaction<'_>, intent: i64) -> rusqlite::Result<Option<Reason>> {
    let found: Option<(Option<String>, Option<String>)> = tx
        .prepare_cached("SELECT person_code, person_detail FROM doubts WHERE intent = ?1")?
        .query_row([intent], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (code, detail) = found.unwrap_or_default();
    let code = code.and_then(|code| code.parse().ok());
    Ok(code.map(|code| Reason::new(code, detail.unwrap_or_default())))
}

fn insert(tx: &Transaction<'_>, intent: i64, cause: &Reason, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO doubts (intent, opened_at, code, detail, revision, sum) VALUES (?1, ?2, ?3, ?4, 0, x'')",
    )?
    .execute(params![intent, at.0, cause.code.as_str(), cause.detail])?;
    seal(tx, intent)
}

pub(super) fn set_person(tx: &Transaction<'_>, intent: i64, person: Option<&Reason>) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE doubts SET person_code = ?2, person_detail = ?3 WHERE intent = ?1")?
        .execute(params![
            intent,
            person.map(|reason| reason.code.as_str()),
            person.map(|reason| reason.detail.as_str()),
        ])?;
    Ok(())
}

/// A doubt changed: one revision, one event. To be called once for each change, after it.
pub(super) fn changed(tx: &Transaction<'_>, intent: i64, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE doubts SET revision = revision + 1 WHERE intent = ?1")?
        .execute([intent])?;
    seal(tx, intent)?;
    tx.prepare_cached(
        "INSERT INTO events (at, tenant, fn, intent, kind) SELECT ?2, \
         COALESCE((SELECT tenant FROM jobs WHERE id = i.job), (SELECT t.id FROM registrations g JOIN tenants t \
         ON t.inn = json_extract(g.facts, '$.inn') WHERE g.fn = i.fn ORDER BY g.id DESC LIMIT 1)), i.fn, i.id, 'doubt' \
         FROM intents i WHERE i.id = ?1",
    )?
    .execute(params![intent, at.0])?;
    Ok(())
}

fn seal(tx: &Transaction<'_>, intent: i64) -> rusqlite::Result<()> {
    let sum = doubt_sum(tx, intent)?;
    tx.prepare_cached("UPDATE doubts SET sum = ?2 WHERE intent = ?1")?
        .execute(params![intent, sum])?;
    Ok(())
}

/// What an end of an attempt means for its doubt: it opens, more is seen of it, or the FN has settled it.
pub(super) fn note_end(tx: &Transaction<'_>, end: &EndIntent, was_in_doubt: bool) -> Result<(), WriteError> {
    let opens = matches!(end.verdict, Verdict::InDoubt);
    if !opens && !was_in_doubt {
        return Ok(());
    }
    let unknown = Reason::new(Code::DoubtOpen, "");
    let reason = end.reason.as_ref().unwrap_or(&unknown);
    // The same said again, as after each start beside another FN, is nothing new: it makes no verdict void.
    if opens && was_in_doubt && end.scan.is_none() && person_of(tx, end.intent)?.as_ref() == end.needs_person.as_ref() {
        return Ok(());
    }
    insert(tx, end.intent, reason, end.at)?;
    let text = match &end.verdict {
        Verdict::Made(made) => Some(format!("the FN shows document {}", made.fd)),
        Verdict::NotMade => Some("the FN shows that nothing was made".to_owned()),
        Verdict::InDoubt if was_in_doubt => Some(reason.to_string()),
        Verdict::InDoubt => None,
    };
    if let Some(text) = text {
        see(tx, end.intent, &Seeing::by_daemon(&text, end.scan.as_ref(), end.at))?;
    }
    set_person(tx, end.intent, end.needs_person.as_ref().filter(|_| opens))?;
    changed(tx, end.intent, end.at)?;
    Ok(())
}

/// A sighting about to be stored.
pub(super) struct Seeing<'a> {
    text: &'a str,
    scan: Option<&'a Scan>,
    client: Option<&'a str>,
    request_id: Option<&'a str>,
    at: UnixMillis,
}

impl<'a> Seeing<'a> {
    pub(super) const fn by_daemon(text: &'a str, scan: Option<&'a Scan>, at: UnixMillis) -> Self {
        Self {
            text,
            scan,
            client: None,
            request_id: None,
            at,
        }
    }
}

pub(super) fn see(tx: &Transaction<'_>, intent: i64, seen: &Seeing<'_>) -> Result<(), WriteError> {
    let scan = seen.scan.map(json).transpose()?;
    tx.prepare_cached(
        "INSERT INTO doubt_sightings (intent, at, text, scan, client, request_id, sum) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, x'')",
    )?
    .execute(params![
        intent,
        seen.at.0,
        seen.text,
        scan,
        seen.client,
        seen.request_id
    ])?;
    let id = tx.last_insert_rowid();
    let sum = sighting_sum(tx, id)?;
    tx.prepare_cached("UPDATE doubt_sightings SET sum = ?2 WHERE id = ?1")?
        .execute(params![id, sum])?;
    tx.prepare_cached(
        "DELETE FROM doubt_sightings WHERE intent = ?1 AND id <= \
         (SELECT id FROM doubt_sightings WHERE intent = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![intent, SIGHTINGS_MAX])?;
    Ok(())
}

/// Notes a look that could not settle a doubt: the register is busy, or its FN moves.
pub(super) fn looked(tx: &Transaction<'_>, intent: i64, reason: &Reason, at: UnixMillis) -> Written {
    let open: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM doubts d JOIN intents i ON i.id = d.intent WHERE d.intent = ?1 AND i.state = 'in_doubt')")?
        .query_row([intent], |row| row.get(0))?;
    if open {
        see(tx, intent, &Seeing::by_daemon(&reason.to_string(), None, at))?;
        changed(tx, intent, at)?;
    }
    Ok(ReplyBody::Done)
}

pub(super) fn load(tx: &Transaction<'_>, intent: i64) -> Result<Doubt, WriteError> {
    let found = doubt_rows::one(tx, intent)?;
    found.ok_or_else(|| WriteError::Refused(Code::DoubtNotFound, format!("there is no doubt {intent}")))
}

pub(super) fn check_revision(doubt: &Doubt, expected: Option<u64>) -> Result<(), WriteError> {
    match expected {
        Some(expected) if expected != doubt.revision => {
            let text = format!(
                "doubt {} was read at revision {expected}, it has revision {}",
                doubt.id, doubt.revision
            );
            Err(WriteError::Refused(Code::EtagMismatch, text))
        }
        _ => Ok(()),
    }
}

/// A person asks to read the FN again: from now on it may settle the doubt itself.
pub(super) fn ask_reading(tx: &Transaction<'_>, order: &AskReading) -> Written {
    if let Some(id) = order.request_id.as_ref().filter(|_| !order.validate_only) {
        let known: Option<i64> = tx
            .prepare_cached("SELECT intent FROM doubt_sightings WHERE client = ?1 AND request_id = ?2")?
            .query_row(params![order.client, id], |row| row.get(0))
            .optional()?;
        match known {
            Some(intent) if intent == order.intent => return Ok(ReplyBody::Done),
            Some(_) => return Err(used(id)),
            None => {}
        }
    }
    let doubt = load(tx, order.intent)?;
    check_revision(&doubt, order.expected)?;
    if doubt.is_settled() {
        let text = format!("doubt {} was settled", doubt.id);
        return Err(WriteError::Refused(Code::DoubtSettled, text));
    }
    if order.validate_only {
        return Ok(ReplyBody::Done);
    }
    let text = match &order.reason {
        Some(reason) => format!("another reading was asked for: {reason}"),
        None => "another reading was asked for".to_owned(),
    };
    let seen = Seeing {
        text: &text,
        scan: None,
        client: Some(&order.client),
        request_id: order.request_id.as_deref(),
        at: order.at,
    };
    see(tx, order.intent, &seen)?;
    set_person(tx, order.intent, None)?;
    changed(tx, order.intent, order.at)?;
    Ok(ReplyBody::Done)
}

pub(super) fn used(request_id: &str) -> WriteError {
    let text = format!("request id {request_id} was used for another order");
    WriteError::Refused(Code::RequestIdConflict, text)
}

pub(super) fn doubt_sum(conn: &Connection, intent: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached(
        "SELECT intent, opened_at, code, detail, person_code, person_detail, revision FROM doubts WHERE intent = ?1",
    )?
    .query_row([intent], |row| sum_of(RowSum::new("doubts"), row, 7))
}

pub(super) fn sighting_sum(conn: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached("SELECT id, intent, at, text, scan, client, request_id FROM doubt_sightings WHERE id = ?1")?
        .query_row([id], |row| sum_of(RowSum::new("doubt_sightings"), row, 7))
}
