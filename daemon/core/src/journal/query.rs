//! Reads, each a bounded page at one commit sequence.
//!
//! Owns: the statements of every list and look-up.
//! Must never: return more rows than asked, or write.

use super::care::{self, ArchiveFault, CareFound, CareWork, KeySelect};
use super::command::Sealed;
use super::condition::Condition;
use super::doubt_rows::{self, OpenReview};
use super::held::{self, Standing as HeldStanding};
use super::orphans;
use super::rows;
use crate::domain::audit::Entry;
use crate::domain::device::Registration;
use crate::domain::doubt::{Doubt, DoubtFilter};
use crate::domain::finding::{Finding, Owner};
use crate::domain::job::{DocumentFilter, DocumentRow, Job, JobFilter, JobSelect, Page};
use crate::domain::orphan::{Orphan, OrphanState};
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FdNumber, FnNumber, Inn, RegisterId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};
use thiserror::Error;

/// Most rows of one page.
pub const PAGE_MAX: u32 = 1000;

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Query {
    /// One job.
    Job(JobSelect),
    /// One job by its row number.
    JobById(i64),
    /// A page of jobs, newest first.
    Jobs {
        /// Which.
        filter: JobFilter,
        /// Before this row number.
        after: Option<i64>,
        /// At most so many.
        limit: u32,
    },
    /// A page of documents, in the order they were learned: one learned late still comes after every page before.
    Documents {
        /// Which.
        filter: DocumentFilter,
        /// After this row number.
        after: Option<i64>,
        /// At most so many.
        limit: u32,
    },
    /// Jobs that changed after a sequence, in order.
    JobEvents {
        /// Of this tenant alone.
        tenant: Option<Inn>,
        /// After this sequence.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// Tenants that changed after a sequence, in order.
    TenantEvents {
        /// After this sequence.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// One doubt by its attempt.
    Doubt(i64),
    /// A page of doubts, newest first.
    Doubts {
        /// Which.
        filter: DoubtFilter,
        /// Before this row number.
        after: Option<i64>,
        /// At most so many.
        limit: u32,
    },
    /// Doubts that changed after a sequence, in order.
    DoubtEvents {
        /// After this sequence.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// FNs that are read anew before anything is made on them, because persons settled a doubt there.
    Reviews,
    /// What was ordered under a request id.
    Request(String),
    /// The plan of the rack.
    Plan,
    /// What each register was last seen registered for.
    Registrations,
    /// Where the events that are kept begin.
    EventsFloor,
    /// What is known of a document of an FN.
    Entry {
        /// The FN.
        fn_number: FnNumber,
        /// The document.
        fd: FdNumber,
    },
    /// The job with this key, of any tenant.
    Owner(JobKey),
    /// Every finding that nobody cleared.
    Findings,
    /// Something about the journal's own files.
    Care(CareWork),
    /// Jobs that are held, oldest first.
    Held {
        /// After this row number.
        after: i64,
        /// At most so many.
        limit: u32,
    },
    /// What is known about a held job.
    HeldStanding(i64),
    /// Documents that were read in recovery mode, oldest first.
    Orphans {
        /// Of this FN alone.
        fn_number: Option<FnNumber>,
        /// In this state alone; absent: also those that need nobody.
        state: Option<OrphanState>,
        /// After this row number.
        after: i64,
        /// At most so many.
        limit: u32,
    },
}

/// A job with its row number and its encrypted buyer.
#[derive(Debug, Clone)]
pub struct StoredJob {
    /// Row number.
    pub id: i64,
    /// The job, without its buyer.
    pub job: Job,
    /// The buyer, while it is kept.
    pub buyer: Option<Sealed>,
}

/// The answer to a query.
#[derive(Debug)]
pub enum Rows {
    /// One job or none.
    Job(Option<Box<StoredJob>>),
    /// Jobs.
    Jobs(Page<StoredJob>),
    /// Documents.
    Documents(Page<DocumentRow>),
    /// Jobs that changed, each with its sequence; `upto` is the sequence that was read up to.
    JobEvents {
        /// The rows.
        rows: Vec<(u64, StoredJob)>,
        /// Continue after this.
        upto: u64,
    },
    /// Tenants that changed, each with its sequence; `upto` is the sequence that was read up to.
    TenantEvents {
        /// The rows.
        rows: Vec<(u64, Inn)>,
        /// Continue after this.
        upto: u64,
    },
    /// One doubt or none.
    Doubt(Option<Box<Doubt>>),
    /// Doubts.
    Doubts(Page<Doubt>),
    /// Doubts that changed, each with its sequence; `upto` is the sequence that was read up to.
    DoubtEvents {
        /// The rows.
        rows: Vec<(u64, Doubt)>,
        /// Continue after this.
        upto: u64,
    },
    /// FNs that are to be read, or were and stand still.
    Reviews(Vec<OpenReview>),
    /// Whether an order was made under the id, and what it asked for where that was not a whole plan.
    Request(Option<Option<String>>),
    /// The cursor is older than what is kept; events begin at this sequence.
    CursorStale(u64),
    /// The plan as TOML and its version; version 0 is the empty plan.
    Plan(String, u64),
    /// Registrations by register.
    Registrations(Vec<(RegisterId, Registration)>),
    /// What is known of a document; nothing at all for one that nobody here made.
    Entry(Box<Entry>),
    /// The job with a key, or none.
    Owner(Option<Owner>),
    /// Findings by FN and document.
    Findings(Vec<Finding>),
    /// What became of care for the journal's own files.
    Care(CareFound),
    /// Jobs that are held.
    Held(Vec<StoredJob>),
    /// What is known about a held job.
    HeldStanding(HeldStanding),
    /// Documents that were read in recovery mode.
    Orphans(Vec<Orphan>),
}

/// Why a query has no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The database.
    #[error("the journal cannot be read")]
    Sql(#[from] rusqlite::Error),
    /// A row that does not make sense.
    #[error("{what} {id} in the journal does not make sense: {why}")]
    Damaged {
        /// Which table.
        what: &'static str,
        /// Which row.
        id: i64,
        /// Why.
        why: String,
    },
    /// An archive file that holds the answer is missing or altered.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// The reader is gone or overloaded.
    #[error("the journal's readers are not available: {0}")]
    Unavailable(String),
}

pub(super) fn last_sequence(conn: &Connection) -> rusqlite::Result<u64> {
    // AUTOINCREMENT keeps the highest number ever given, also after old events were dropped.
    let found: Option<u64> = conn
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// Answers a query inside one read transaction, so that rows and sequence belong together.
pub(super) fn read(conn: &Connection, query: &Query) -> Result<Rows, ReadError> {
    let own = conn.is_autocommit();
    if own {
        conn.execute_batch("BEGIN")?;
    }
    let answer = answer(conn, query);
    if own {
        conn.execute_batch("COMMIT")?;
    }
    answer
}

fn answer(conn: &Connection, query: &Query) -> Result<Rows, ReadError> {
    match query {
        Query::Job(select) => or_archived(conn, one(conn, select)?, || KeySelect::Job(select.clone())),
        Query::JobById(id) => {
            let found = first(rows::jobs(conn, "j.id = ?1", [id])?);
            or_archived(conn, found, || KeySelect::Id(*id))
        }
        Query::Jobs { filter, after, limit } => {
            let hot = jobs(conn, filter, *after, *limit)?;
            let ask = |file: &Connection| jobs(file, filter, *after, *limit);
            care::jobs(conn, filter, *after, *limit, hot, ask).map(Rows::Jobs)
        }
        Query::Documents { filter, after, limit } => documents(conn, filter, *after, *limit),
        Query::Care(work) => care::work(conn, work).map(Rows::Care),
        Query::JobEvents { tenant, after, limit } => job_events(conn, tenant.as_ref(), *after, *limit),
        Query::TenantEvents { after, limit } => tenant_events(conn, *after, *limit),
        Query::Doubt(id) => Ok(Rows::Doubt(doubt_rows::one(conn, *id)?.map(Box::new))),
        Query::Doubts { filter, after, limit } => doubt_rows::page(conn, filter, *after, *limit),
        Query::DoubtEvents { after, limit } => doubt_rows::events(conn, *after, *limit),
        Query::Reviews => doubt_rows::reviews(conn),
        Query::Request(id) => Ok(Rows::Request(super::orders::request(conn, id)?)),
        Query::Plan => plan(conn),
        Query::Registrations => registrations(conn),
        Query::Entry { fn_number, fd } => super::read_back::entry(conn, fn_number, *fd),
        Query::Owner(key) => super::read_back::owner(conn, key),
        Query::Findings => Ok(Rows::Findings(super::read_back::open_findings(conn)?)),
        Query::EventsFloor => Ok(Rows::CursorStale(floor(conn)?)),
        Query::Held { after, limit } => orphans::held_jobs(conn, *after, *limit),
        Query::HeldStanding(job) => Ok(Rows::HeldStanding(held::standing(conn, *job)?)),
        Query::Orphans {
            fn_number,
            state,
            after,
            limit,
        } => orphans::orphans(conn, fn_number.as_ref(), *state, *after, *limit),
    }
}

fn first(found: Vec<StoredJob>) -> Option<StoredJob> {
    found.into_iter().next()
}

/// A job of the journal, or of the archive that it left for.
fn or_archived(
    conn: &Connection,
    found: Option<StoredJob>,
    select: impl FnOnce() -> KeySelect,
) -> Result<Rows, ReadError> {
    let found = match found {
        Some(found) => Some(found),
        None => care::find(conn, &select())?,
    };
    Ok(Rows::Job(found.map(Box::new)))
}

fn one(conn: &Connection, select: &JobSelect) -> Result<Option<StoredJob>, ReadError> {
    Ok(first(match select {
        JobSelect::Name { tenant, key } => {
            rows::jobs(conn, "j.key = ?1 AND t.inn = ?2", [key.as_str(), tenant.as_str()])?
        }
        JobSelect::External {
            tenant,
            client,
            external_id,
        } => rows::jobs(
            conn,
            "j.tenant = (SELECT id FROM tenants WHERE inn = ?1) AND j.client = (SELECT id FROM clients WHERE name = ?2) \
             AND j.external_id = ?3",
            [tenant.as_str(), client, external_id],
        )?,
        JobSelect::Document { tenant, fn_number, fd } => rows::jobs(
            conn,
            "j.id = (SELECT d.job FROM documents d WHERE d.fn = (SELECT id FROM fns WHERE number = ?1) AND d.fd = ?2) \
             AND t.inn = ?3",
            rusqlite::params![fn_number.as_str(), fd.0, tenant.as_str()],
        )?,
    }))
}

/// Most rows that one read looks at to find those that fit: a filter that fits nothing must not hold up a reader.
const WINDOW: u32 = 2_000;

/// The rows among which those that fit are sought: newest first, by conditions that have an index.
fn window(filter: &JobFilter, after: Option<i64>) -> Condition {
    let mut window = Condition::new();
    window.and("w.id < ?", after.unwrap_or(i64::MAX));
    let unfinished = !filter.states.is_empty() && filter.states.iter().all(|state| !state.is_final());
    if unfinished {
        window.parts.push(rows::UNFINISHED.replace("j.", "w."));
    }
    let needs_person = filter.needs_person == Some(true);
    if needs_person {
        window.parts.push("w.person_code IS NOT NULL".into());
    }
    if let Some(tenant) = &filter.tenant {
        // Few jobs are open or need a person: they have indexes of their own, and a tenant's millions of others would be
        // read one by one to find them. The plus keeps SQLite from choosing the tenant's index.
        let few = if unfinished || needs_person { "+" } else { "" };
        window.and(
            &format!("{few}w.tenant = (SELECT id FROM tenants WHERE inn = ?)"),
            tenant.as_str().to_owned(),
        );
    }
    window
}

/// What each row of the window is asked.
fn asked(condition: &mut Condition, filter: &JobFilter) {
    if !filter.states.is_empty() {
        condition.any_of("j.state", filter.states.iter().map(|s| s.as_str().to_owned()).collect());
    }
    if let Some(from) = filter.accepted_from {
        condition.and("j.accepted_at >= ?", from.0);
    }
    if let Some(until) = filter.accepted_until {
        condition.and("j.accepted_at < ?", until.0);
    }
    if let Some(key) = &filter.external_id {
        condition.and("j.external_id = ?", key.clone());
    }
    if filter.needs_person == Some(false) {
        condition.parts.push("j.person_code IS NULL".into());
    }
    for (name, value) in &filter.labels {
        condition.label(name, value);
    }
}

fn jobs(conn: &Connection, filter: &JobFilter, after: Option<i64>, limit: u32) -> Result<Page<StoredJob>, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut condition = window(filter, after);
    let among = condition.text();
    condition.parts.clear();
    let seek = condition.values.clone();
    asked(&mut condition, filter);
    // Without a question every row of the window fits: it need be no larger than the page.
    let width = if condition.parts.is_empty() { limit + 1 } else { WINDOW };
    let looked = format!("SELECT w.id FROM jobs w WHERE {among} ORDER BY w.id DESC LIMIT {width}");
    let text = format!(
        "j.id IN ({looked}) AND {} ORDER BY j.id DESC LIMIT {}",
        condition.text(),
        limit + 1
    );
    let (rows_looked, oldest): (u32, Option<i64>) = conn
        .prepare_cached(&format!("SELECT COUNT(*), MIN(id) FROM ({looked})"))?
        .query_row(params_from_iter(seek), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = rows::jobs(conn, &text, params_from_iter(condition.values))?;
    let more = cut(&mut found, limit).map(|last| last.id);
    // A full window may have more rows behind it, also when none of its own fitted.
    let next = more.or(oldest.filter(|_| rows_looked == width));
    Ok(Page {
        rows: found,
        next,
        looked: rows_looked,
        sequence: last_sequence(conn)?,
    })
}

/// Cuts a list to its page; the last row of the page when more follow.
pub(super) fn cut<T>(found: &mut Vec<T>, limit: u32) -> Option<&T> {
    let limit = limit as usize;
    if found.len() > limit {
        found.truncate(limit);
        return found.last();
    }
    None
}

fn documents(conn: &Connection, filter: &DocumentFilter, after: Option<i64>, limit: u32) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let hot = documents_of(conn, filter, after, limit)?;
    let ask = |file: &Connection| documents_of(file, filter, after, limit);
    let mut found = care::documents(conn, after, limit, hot, ask)?;
    let next = cut(&mut found, limit).map(|(id, _)| *id);
    Ok(Rows::Documents(Page {
        looked: u32::try_from(found.len()).unwrap_or(u32::MAX),
        rows: found.into_iter().map(|(_, row)| row).collect(),
        next,
        sequence: last_sequence(conn)?,
    }))
}

/// The rows of a page and one more, each with its row number.
fn documents_of(
    conn: &Connection,
    filter: &DocumentFilter,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, DocumentRow)>, ReadError> {
    let mut condition = Condition::new();
    condition.and("d.id > ?", after.unwrap_or(0));
    if let Some(tenant) = &filter.tenant {
        condition.and(
            "d.tenant = (SELECT id FROM tenants WHERE inn = ?)",
            tenant.as_str().to_owned(),
        );
    }
    if let Some(number) = &filter.fn_number {
        condition.and(
            "d.fn = (SELECT id FROM fns WHERE number = ?)",
            number.as_str().to_owned(),
        );
    }
    if !filter.kinds.is_empty() {
        condition.any_of(
            "d.kind",
            filter.kinds.iter().map(|k| rows::kind_text(*k).to_owned()).collect(),
        );
    }
    if let Some(from) = filter.fd_from {
        condition.and("d.fd >= ?", i64::from(from.0));
    }
    let text = format!("{} ORDER BY d.id LIMIT {}", condition.text(), limit + 1);
    let more = if filter.with_tlv {
        rows::WITH_TLV
    } else {
        rows::WITH_SIGN
    };
    let found = rows::documents(conn, more, &text, params_from_iter(condition.values))?;
    Ok(found.into_iter().map(|found| (found.id, found.row)).collect())
}

/// Where events begin when a cursor does not lie within those that are kept.
pub(super) fn stale(conn: &Connection, after: u64, last: u64) -> rusqlite::Result<Option<u64>> {
    let floor = floor(conn)?;
    Ok((after > last || after.saturating_add(1) < floor).then_some(floor))
}

/// A full page may have more behind it; else everything up to the latest sequence was seen.
pub(super) fn seen_up_to<T>(found: &[(u64, T)], limit: u32, last: u64) -> u64 {
    if found.len() == limit as usize {
        found.last().map_or(last, |(sequence, _)| *sequence)
    } else {
        last
    }
}

fn tenant_events(conn: &Connection, after: u64, limit: u32) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let last = last_sequence(conn)?;
    if let Some(floor) = stale(conn, after, last)? {
        return Ok(Rows::CursorStale(floor));
    }
    let mut statement = conn.prepare_cached(
        "SELECT e.sequence, t.inn FROM events e JOIN tenants t ON t.id = e.tenant \
         WHERE e.kind = 'tenant' AND e.sequence > ?1 ORDER BY e.sequence LIMIT ?2",
    )?;
    let mut listed = statement.query(rusqlite::params![i64::try_from(after).unwrap_or(i64::MAX), limit])?;
    let mut found = Vec::new();
    while let Some(row) = listed.next()? {
        let (sequence, inn): (u64, String) = (row.get(0)?, row.get(1)?);
        let inn = inn
            .parse()
            .map_err(|e| rows::damaged("event", i64::try_from(sequence).unwrap_or(0), e))?;
        found.push((sequence, inn));
    }
    let upto = seen_up_to(&found, limit, last);
    Ok(Rows::TenantEvents { rows: found, upto })
}

fn job_events(conn: &Connection, tenant: Option<&Inn>, after: u64, limit: u32) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let last = last_sequence(conn)?;
    if let Some(floor) = stale(conn, after, last)? {
        return Ok(Rows::CursorStale(floor));
    }
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    // Two statements, so that each has its index.
    let mut statement = conn.prepare_cached(match tenant {
        None => "SELECT sequence, job FROM events WHERE sequence > ?1 AND job IS NOT NULL ORDER BY sequence LIMIT ?2",
        Some(_) => {
            "SELECT sequence, job FROM events WHERE sequence > ?1 AND job IS NOT NULL AND tenant = \
             (SELECT id FROM tenants WHERE inn = ?3) ORDER BY sequence LIMIT ?2"
        }
    })?;
    let values: Vec<Value> = [from.into(), i64::from(limit).into()]
        .into_iter()
        .chain(tenant.map(|inn| inn.as_str().to_owned().into()))
        .collect();
    let found: Vec<(u64, i64)> = statement
        .query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let upto = seen_up_to(&found, limit, last);
    let mut events = Vec::with_capacity(found.len());
    for (sequence, id) in found {
        events.extend(
            rows::jobs(conn, "j.id = ?1", [id])?
                .into_iter()
                .map(|job| (sequence, job)),
        );
    }
    Ok(Rows::JobEvents { rows: events, upto })
}

fn plan(conn: &Connection) -> Result<Rows, ReadError> {
    let found: Option<(String, u64)> = conn
        .prepare_cached("SELECT plan, version FROM orders ORDER BY version DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (text, version) = found.unwrap_or_default();
    Ok(Rows::Plan(text, version))
}

fn floor(conn: &Connection) -> rusqlite::Result<u64> {
    let text = super::orders::meta(conn, "events_floor")?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(1))
}

fn registrations(conn: &Connection) -> Result<Rows, ReadError> {
    let mut statement = conn.prepare_cached(
        "SELECT g.id, r.name, g.facts FROM registrations g JOIN registers r ON r.id = g.register \
         WHERE g.id IN (SELECT MAX(id) FROM registrations GROUP BY register)",
    )?;
    let mut listed = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = listed.next()? {
        let id: i64 = row.get(0)?;
        let register = rows::register("registration", id, &row.get::<_, String>(1)?)?;
        let facts =
            serde_json::from_str(&row.get::<_, String>(2)?).map_err(|e| rows::damaged("registration", id, e))?;
        found.push((register, facts));
    }
    Ok(Rows::Registrations(found))
}
