//! What a start takes over from the one before.
//!
//! Owns: the doubts that open intents become, and the list of everything unfinished.
//! Must never: leave an intent open that nobody works on any more.

use super::care::{self, ArchiveFault};
use super::doubts;
use super::intents::end_sum;
use super::jobs::{JobMove, move_job};
use super::open::Fault;
use super::query::{Query, ReadError, Rows, StoredJob, last_sequence};
use super::rows;
use super::store::{Store, WriteError};
use crate::domain::attempt::{DocumentKind, KeyPlace};
use crate::domain::error::Reason;
use crate::domain::snapshot::RackKind;
use crate::parts::UnixMillis;
use kassette_receipts::job::Event;
use kassette_receipts::job_key::{Generation, JobKey, RackId};
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber, Inn, RegisterId};
use rusqlite::{Connection, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

/// A job that waits for a unit.
#[derive(Debug, Clone)]
pub struct WaitingJob {
    /// The job as stored.
    pub stored: StoredJob,
}

/// A try that no start has ended.
#[derive(Debug, Clone)]
pub struct OpenIntent {
    /// Its row number.
    pub intent: i64,
    /// What it was to make.
    pub kind: DocumentKind,
    /// The register.
    pub register: RegisterId,
    /// The FN.
    pub fn_number: FnNumber,
    /// The FN's last number before it.
    pub baseline: FdNumber,
    /// The job.
    pub job: Option<i64>,
    /// The taxpayer, for jobs.
    pub tenant: Option<Inn>,
    /// The key that would stand in the document.
    pub job_key: Option<JobKey>,
    /// Where it would stand.
    pub key_place: Option<KeyPlace>,
}

/// What a start found.
#[derive(Debug)]
pub struct Recovered {
    /// Live or test.
    pub kind: RackKind,
    /// Letters of the rack, if named.
    pub rack_id: Option<RackId>,
    /// Id of this journal, hexadecimal.
    pub journal_id: String,
    /// Generation of this journal.
    pub generation: Generation,
    /// Number of this start.
    pub start: u64,
    /// When.
    pub at: UnixMillis,
    /// Latest commit sequence.
    pub sequence: u64,
    /// The plan as TOML, and its version.
    pub plan: (String, u64),
    /// How often each tenant's row of the plan has changed.
    pub tenant_revisions: BTreeMap<Inn, u64>,
    /// Jobs that wait, oldest first.
    pub waiting: Vec<WaitingJob>,
    /// Tries in doubt, all of them.
    pub doubts: Vec<OpenIntent>,
    /// Archive files that are not there or have another length. The rack works without them.
    pub archive_faults: Vec<ArchiveFault>,
    /// FNs that the journal knows, or knows that it must read.
    pub known_fns: BTreeSet<String>,
}

/// Most unfinished jobs loaded at a start; more means that the limits of the queue were not kept.
const UNFINISHED_MAX: i64 = 10_000_000;

/// "The next start makes it `IN_DOUBT` before that lane takes work" (design, section 5, Stop).
pub(super) fn doubt_open_intents(tx: &Transaction<'_>, now: UnixMillis) -> Result<(), WriteError> {
    let open: Vec<(i64, Option<i64>)> = tx
        .prepare("SELECT id, job FROM intents WHERE state IN ('open', 'in_doubt') AND state = 'open' ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let reason = Reason::new(
        Code::DoubtOpen,
        "the daemon ended during this attempt; the FN is read before it goes on",
    );
    for (intent, job) in open {
        tx.execute(
            "UPDATE intents SET state = 'in_doubt', code = ?2, detail = ?3 WHERE id = ?1",
            params![intent, reason.code.as_str(), reason.detail],
        )?;
        let sum = end_sum(tx, intent)?;
        tx.execute("UPDATE intents SET end_sum = ?2 WHERE id = ?1", params![intent, sum])?;
        let Some(job) = job else { continue };
        move_job(
            tx,
            &JobMove {
                job,
                event: Event::FoundOpenIntent,
                reason: Some(&reason),
                needs_person: None,
                attempts: None,
                at: now,
            },
        )?;
    }
    doubts::list_unlisted(tx, now)
}

pub(super) fn recovered(store: &Store, now: UnixMillis) -> Result<Recovered, Fault> {
    let conn = store.connection();
    let Rows::Plan(plan, version) = store.read(&Query::Plan)? else {
        return Err(Fault::Damaged("its plan cannot be read".into()));
    };
    let condition = format!("{} AND j.state = 'ACCEPTED' ORDER BY j.id LIMIT ?1", rows::UNFINISHED);
    let waiting = rows::jobs(conn, &condition, [UNFINISHED_MAX])?;
    Ok(Recovered {
        kind: store.facts.kind,
        rack_id: store.facts.rack_id,
        journal_id: super::orders::meta(conn, "journal_id")?.unwrap_or_default(),
        generation: store.facts.generation,
        start: u64::try_from(store.facts.start).unwrap_or_default(),
        at: now,
        sequence: last_sequence(conn)?,
        plan: (plan, version),
        tenant_revisions: super::orders::tenant_revisions(conn)?,
        waiting: waiting.into_iter().map(|stored| WaitingJob { stored }).collect(),
        doubts: doubts(conn)?,
        archive_faults: care::archived_file_faults(conn)?,
        known_fns: conn
            .prepare("SELECT number FROM fns UNION SELECT number FROM readings")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
    })
}

fn doubts(conn: &Connection) -> Result<Vec<OpenIntent>, ReadError> {
    let mut statement = conn.prepare(
        "SELECT i.id, i.kind, r.name, f.number, i.baseline, i.job, t.inn, i.job_key, i.key_place FROM intents i \
         JOIN registers r ON r.id = i.register JOIN fns f ON f.id = i.fn LEFT JOIN jobs j ON j.id = i.job \
         LEFT JOIN tenants t ON t.id = j.tenant WHERE i.state IN ('open', 'in_doubt') ORDER BY i.id",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let bad = |why: String| rows::damaged("intent", id, why);
        let key: Option<String> = row.get(7)?;
        let place: Option<String> = row.get(8)?;
        found.push(OpenIntent {
            intent: id,
            kind: rows::kind("intent", id, &row.get::<_, String>(1)?)?,
            register: rows::register("intent", id, &row.get::<_, String>(2)?)?,
            fn_number: row.get::<_, String>(3)?.parse().map_err(|e| bad(format!("{e}")))?,
            baseline: FdNumber(row.get(4)?),
            job: row.get(5)?,
            tenant: row
                .get::<_, Option<String>>(6)?
                .map(|t| t.parse())
                .transpose()
                .map_err(|e| bad(format!("{e}")))?,
            job_key: key.map(JobKey::try_from).transpose().map_err(|e| bad(format!("{e}")))?,
            key_place: place.as_deref().map(|text| rows::key_place(id, text)).transpose()?,
        });
    }
    Ok(found)
}
