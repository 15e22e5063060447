//! Reads of doubts, each with everything seen and said of it.
//!
//! Owns: the statements of doubts and reviews, and how their stored text becomes typed again.
//! Must never: write, or return more rows than asked.

use super::command::Scan;
use super::query::{PAGE_MAX, ReadError, Rows, cut, last_sequence, seen_up_to, stale};
use super::rows::{self, damaged};
use crate::domain::attempt::Learned;
use crate::domain::doubt::{Doubt, DoubtFilter, Given, SIGHTINGS_MAX, Sighting};
use crate::domain::error::Reason;
use crate::domain::job::Page;
use crate::domain::verdict::{Claim, Review, ReviewState, Waiting};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

/// Verdicts of one doubt that are read; more than so many were given by nobody in earnest.
const VERDICTS_MAX: u32 = 100;

const REVIEW_STATES: [(ReviewState, &str); 4] = [
    (ReviewState::Pending, "pending"),
    (ReviewState::Clean, "clean"),
    (ReviewState::Incident, "incident"),
    (ReviewState::Closed, "closed"),
];

pub(super) fn review_state_text(state: ReviewState) -> &'static str {
    match state {
        ReviewState::Pending => "pending",
        ReviewState::Clean => "clean",
        ReviewState::Incident => "incident",
        ReviewState::Closed => "closed",
    }
}

/// The FN of an attempt that persons settled, and what is to be done when it is seen again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReview {
    /// The attempt.
    pub intent: i64,
    /// The FN.
    pub fn_number: FnNumber,
    /// It was read, and shows otherwise than the persons said: why its register stands still.
    pub incident: Option<String>,
}

const COLUMNS: &str = "i.id, i.kind, r.name, f.number, i.baseline, i.number, i.state, i.ended_at, j.key, \
    COALESCE(t.inn, (SELECT json_extract(g.facts, '$.inn') FROM registrations g WHERE g.fn = i.fn ORDER BY g.id DESC \
    LIMIT 1)), d.opened_at, d.code, d.detail, d.person_code, d.person_detail, d.revision, o.fd, o.fp, o.learned, \
    o.verdict, v.state, v.detail, v.fd, v.fp, v.at, i.rnm, i.key_place";
const TABLES: &str = "doubts d JOIN intents i ON i.id = d.intent JOIN registers r ON r.id = i.register \
    JOIN fns f ON f.id = i.fn LEFT JOIN jobs j ON j.id = i.job LEFT JOIN tenants t ON t.id = j.tenant \
    LEFT JOIN documents o ON o.intent = i.id LEFT JOIN doubt_reviews v ON v.intent = d.intent";
/// Doubts that nobody has settled, by two small indexes.
const OPEN: &str = "(d.intent IN (SELECT id FROM intents WHERE state IN ('open', 'in_doubt')) OR d.intent IN \
    (SELECT intent FROM doubt_reviews WHERE state IN ('pending', 'incident') AND state = 'incident'))";

fn doubts(conn: &Connection, condition: &str, params: impl rusqlite::Params) -> Result<Vec<Doubt>, ReadError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE {condition}"))?;
    let mut listed = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = listed.next()? {
        found.push(doubt(row)?);
    }
    drop(listed);
    for doubt in &mut found {
        doubt.sightings = sightings(conn, doubt.id)?;
        verdicts(conn, doubt)?;
    }
    Ok(found)
}

fn reason(row: &Row<'_>, at: usize, id: i64) -> Result<Option<Reason>, ReadError> {
    let code: Option<String> = row.get(at)?;
    let detail: Option<String> = row.get(at + 1)?;
    code.map(|code| {
        let code = code
            .parse()
            .map_err(|_| damaged("doubt", id, format!("\"{code}\" is no code")))?;
        Ok(Reason::new(code, detail.unwrap_or_default()))
    })
    .transpose()
}

fn doubt(row: &Row<'_>) -> Result<Doubt, ReadError> {
    let id: i64 = row.get(0)?;
    let text = |at: usize| -> rusqlite::Result<String> { row.get(at) };
    let bad = |why: String| damaged("doubt", id, why);
    let job: Option<String> = row.get(8)?;
    let inn: Option<String> = row.get(9)?;
    let inn = inn.ok_or_else(|| bad("it has no taxpayer".into()))?;
    let fd: Option<u32> = row.get(16)?;
    let document = match fd {
        None => None,
        Some(fd) => {
            let by_persons = row.get::<_, Option<i64>>(19)?.is_some();
            let learned = match by_persons {
                true => Learned::Operator,
                false => rows::learned(id, &text(18)?)?,
            };
            Some((FdNumber(fd), FiscalSign(row.get(17)?), learned))
        }
    };
    Ok(Doubt {
        id,
        kind: rows::kind("doubt", id, &text(1)?)?,
        register: rows::register("doubt", id, &text(2)?)?,
        fn_number: text(3)?.parse().map_err(|error| bad(format!("{error}")))?,
        baseline: FdNumber(row.get(4)?),
        attempt: row.get(5)?,
        state: rows::attempt_state(id, &text(6)?)?,
        resolved_at: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
        job: job
            .map(JobKey::try_from)
            .transpose()
            .map_err(|error| bad(format!("{error}")))?,
        tenant: inn.parse().map_err(|error| bad(format!("{error}")))?,
        opened_at: UnixMillis(row.get(10)?),
        cause: reason(row, 11, id)?.ok_or_else(|| bad("it has no cause".into()))?,
        person: reason(row, 13, id)?,
        revision: row.get(15)?,
        document,
        review: review(row, id)?,
        rnm: text(25)?.parse().map_err(|error| bad(format!("{error}")))?,
        key_place: row
            .get::<_, Option<String>>(26)?
            .map(|place| rows::key_place(id, &place))
            .transpose()?,
        sightings: Vec::new(),
        verdicts: Vec::new(),
        waiting: None,
    })
}

fn review(row: &Row<'_>, id: i64) -> Result<Option<Review>, ReadError> {
    let Some(state) = row.get::<_, Option<String>>(20)? else {
        return Ok(None);
    };
    let known = REVIEW_STATES.iter().find(|(_, text)| *text == state);
    let (state, _) = known.ok_or_else(|| damaged("review", id, format!("\"{state}\" is no state")))?;
    let (fd, fp): (Option<u32>, Option<u32>) = (row.get(22)?, row.get(23)?);
    Ok(Some(Review {
        state: *state,
        detail: row.get(21)?,
        found: fd.zip(fp).map(|(fd, fp)| (FdNumber(fd), FiscalSign(fp))),
        at: UnixMillis(row.get(24)?),
    }))
}

fn sightings(conn: &Connection, intent: i64) -> Result<Vec<Sighting>, ReadError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, at, text, scan, client FROM doubt_sightings WHERE intent = ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut listed = statement.query(params![intent, SIGHTINGS_MAX])?;
    let mut found = Vec::new();
    while let Some(row) = listed.next()? {
        let id: i64 = row.get(0)?;
        let scan: Option<String> = row.get(3)?;
        let scan: Option<Scan> = scan
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| damaged("sighting", id, error))?;
        found.push(Sighting {
            at: UnixMillis(row.get(1)?),
            text: row.get(2)?,
            client: row.get(4)?,
            last_fd: scan.as_ref().map(|scan| scan.last_after),
            idle_twice: scan.as_ref().is_some_and(|scan| scan.idle_seen >= 2),
            documents: scan.map(|scan| scan.documents).unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Fills in what persons said, and what of it waits for a second one.
fn verdicts(conn: &Connection, doubt: &mut Doubt) -> Result<(), ReadError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, at, client, reason, claim, confirms, confirmation, expires_at, revision FROM verdicts \
         WHERE intent = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let mut listed = statement.query(params![doubt.id, VERDICTS_MAX])?;
    while let Some(row) = listed.next()? {
        let id: i64 = row.get(0)?;
        let claim: Claim =
            serde_json::from_str(&row.get::<_, String>(4)?).map_err(|error| damaged("verdict", id, error))?;
        let given = Given {
            id,
            at: UnixMillis(row.get(1)?),
            client: row.get(2)?,
            reason: row.get(3)?,
            claim,
            confirms: row.get(5)?,
        };
        // The newest alone can wait: a verdict after another one makes that void.
        if doubt.verdicts.is_empty() && given.confirms.is_none() && !doubt.is_settled() {
            doubt.waiting = Some(Waiting {
                id,
                client: given.client.clone(),
                claim: given.claim.clone(),
                confirmation: row.get(6)?,
                expires_at: UnixMillis(row.get(7)?),
                revision: row.get(8)?,
            });
        }
        doubt.verdicts.push(given);
    }
    doubt.verdicts.reverse();
    Ok(())
}

/// One doubt.
pub(super) fn one(conn: &Connection, intent: i64) -> Result<Option<Doubt>, ReadError> {
    Ok(doubts(conn, "d.intent = ?1", [intent])?.pop())
}

/// A page of doubts, newest first.
pub(super) fn page(conn: &Connection, filter: &DoubtFilter, after: Option<i64>, limit: u32) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut condition = "d.intent < ?1".to_owned();
    let mut values: Vec<Value> = vec![after.unwrap_or(i64::MAX).into()];
    if filter.open {
        condition.push_str(&format!(" AND {OPEN}"));
    }
    if let Some(register) = &filter.register {
        values.push(register.to_string().into());
        condition.push_str(&format!(" AND r.name = ?{}", values.len()));
    }
    if let Some(tenant) = &filter.tenant {
        values.push(tenant.as_str().to_owned().into());
        condition.push_str(&format!(
            " AND COALESCE(t.inn, (SELECT json_extract(g.facts, '$.inn') FROM registrations g WHERE g.fn = i.fn \
             ORDER BY g.id DESC LIMIT 1)) = ?{}",
            values.len()
        ));
    }
    let text = format!("{condition} ORDER BY d.intent DESC LIMIT {}", limit + 1);
    let mut found = doubts(conn, &text, params_from_iter(values))?;
    let next = cut(&mut found, limit).map(|last| last.id);
    Ok(Rows::Doubts(Page {
        looked: u32::try_from(found.len()).unwrap_or(u32::MAX),
        rows: found,
        next,
        sequence: last_sequence(conn)?,
    }))
}

/// Doubts that changed after a sequence, in order.
pub(super) fn events(conn: &Connection, after: u64, limit: u32) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let last = last_sequence(conn)?;
    if let Some(floor) = stale(conn, after, last)? {
        return Ok(Rows::CursorStale(floor));
    }
    let listed: Vec<(u64, i64)> = conn
        .prepare_cached(
            "SELECT sequence, intent FROM events WHERE kind = 'doubt' AND sequence > ?1 AND intent IS NOT NULL \
             ORDER BY sequence LIMIT ?2",
        )?
        .query_map(params![i64::try_from(after).unwrap_or(i64::MAX), limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let upto = seen_up_to(&listed, limit, last);
    let mut found = Vec::with_capacity(listed.len());
    for (sequence, intent) in listed {
        found.extend(one(conn, intent)?.map(|doubt| (sequence, doubt)));
    }
    Ok(Rows::DoubtEvents { rows: found, upto })
}

/// Every FN that is to be read, or shows otherwise than persons said.
pub(super) fn reviews(conn: &Connection) -> Result<Rows, ReadError> {
    let mut statement = conn.prepare_cached(
        "SELECT v.intent, f.number, v.state, v.detail FROM doubt_reviews v JOIN fns f ON f.id = v.fn \
         WHERE v.state IN ('pending', 'incident') ORDER BY v.intent",
    )?;
    let mut listed = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = listed.next()? {
        let intent: i64 = row.get(0)?;
        let number: String = row.get(1)?;
        let incident = row.get::<_, String>(2)? == review_state_text(ReviewState::Incident);
        found.push(OpenReview {
            intent,
            fn_number: number.parse().map_err(|error| damaged("review", intent, error))?,
            incident: if incident { Some(row.get(3)?) } else { None },
        });
    }
    Ok(Rows::Reviews(found))
}
