//! Opening the journal: check it, migrate it, and find what an earlier start left open.
//!
//! Owns: what must be true before the first lane starts.
//! Must never: repair a damaged file, or run on one.

use super::intents::{begin_chain, end_sum};
use super::jobs::{JobMove, move_job};
use super::orders::{meta, set_meta};
use super::query::{Query, ReadError, Rows, StoredJob, last_sequence};
use super::rows::{self, job_state_sum, job_sum};
use super::schema::{MIGRATIONS, MIN_READER, SCHEMA};
use super::store::{JournalFacts, Store, StoreConfig, WriteError, connect};
use crate::domain::attempt::{DocumentKind, KeyPlace};
use crate::domain::error::Reason;
use crate::domain::snapshot::RackKind;
use crate::parts::{Entropy, UnixMillis};
use kassette_receipts::job::Event;
use kassette_receipts::job_key::{Generation, JobKey, RackId};
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber, Inn, RegisterId};
use rusqlite::{Connection, TransactionBehavior, params};
use thiserror::Error;

/// Why the journal cannot be worked on.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file cannot be opened or written.
    #[error("journal {path} cannot be opened")]
    Sql {
        /// The file.
        path: String,
        /// The database's words.
        #[source]
        source: rusqlite::Error,
    },
    /// The file or a row in it is damaged.
    #[error("journal {path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: String,
        /// What was found.
        why: String,
    },
    /// The file was written by a newer program that this one cannot follow.
    #[error("journal {path} needs a program of schema {min_reader}; this one has {SCHEMA}")]
    TooNew {
        /// The file.
        path: String,
        /// The oldest schema that may work on it.
        min_reader: i64,
    },
    /// The configuration says something else than the journal was created with.
    #[error("journal {path} is of a {journal} rack; the configuration says {configured}")]
    OtherKind {
        /// The file.
        path: String,
        /// What it was created as.
        journal: String,
        /// What the configuration says.
        configured: String,
    },
    /// The configured letters differ from those of the journal.
    #[error("journal {path} belongs to rack {journal}; the configuration says {configured}")]
    OtherRack {
        /// The file.
        path: String,
        /// Its letters.
        journal: RackId,
        /// Those of the configuration.
        configured: RackId,
    },
}

impl OpenError {
    /// The code of the reason.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Sql { .. } => Code::JournalStopped,
            Self::Damaged { .. } => Code::JournalDamaged,
            Self::TooNew { .. } => Code::JournalTooNew,
            Self::OtherKind { .. } | Self::OtherRack { .. } => Code::RackIdFixed,
        }
    }
}

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
    /// Jobs that wait, oldest first.
    pub waiting: Vec<WaitingJob>,
    /// Tries in doubt, all of them.
    pub doubts: Vec<OpenIntent>,
}

/// Most unfinished jobs loaded at a start; more means that the limits of the queue were not kept.
const UNFINISHED_MAX: i64 = 10_000_000;

impl Store {
    /// Opens the journal, making it at the first start.
    ///
    /// Every try that an earlier start left open is `IN_DOUBT`, durably, when this returns.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was started then.
    pub fn open(config: &StoreConfig, entropy: &dyn Entropy, now: UnixMillis) -> Result<(Self, Recovered), OpenError> {
        let path = config.path.display().to_string();
        let sql = |source| OpenError::Sql {
            path: path.clone(),
            source,
        };
        let mut conn = connect(&config.path).map_err(sql)?;
        check_file(&conn, &path)?;
        migrate(&mut conn, &path)?;
        let facts = facts(&mut conn, config, &path, entropy, now)?;
        check_rows(&conn, &path)?;
        doubt_open_intents(&mut conn, &path, now)?;
        let store = Self::new(conn, config.clone(), facts);
        let recovered = recovered(&store, &path, now)?;
        Ok((store, recovered))
    }
}

pub(super) fn check_file(conn: &Connection, path: &str) -> Result<(), OpenError> {
    let damaged = |why: String| OpenError::Damaged {
        path: path.to_owned(),
        why,
    };
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged(error.to_string()))?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(verdict)) }
}

fn migrate(conn: &mut Connection, path: &str) -> Result<(), OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    let version: i64 = conn
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(sql)?;
    if version > 0 {
        let min_reader = meta(conn, "min_reader")
            .map_err(sql)?
            .and_then(|text| text.parse().ok())
            .unwrap_or(version);
        if min_reader > SCHEMA {
            return Err(OpenError::TooNew {
                path: path.to_owned(),
                min_reader,
            });
        }
    }
    for (at, migration) in MIGRATIONS.iter().enumerate() {
        let number = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1);
        if number <= version {
            continue;
        }
        let run = |conn: &mut Connection| -> rusqlite::Result<()> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute_batch(migration)?;
            set_meta(&tx, "schema", &number.to_string())?;
            set_meta(&tx, "min_reader", &MIN_READER.to_string())?;
            tx.pragma_update(None, "user_version", number)?;
            tx.commit()
        };
        run(conn).map_err(sql)?;
    }
    Ok(())
}

/// Reads the facts of the journal, or draws them at the first start; counts this start.
fn facts(
    conn: &mut Connection,
    config: &StoreConfig,
    path: &str,
    entropy: &dyn Entropy,
    now: UnixMillis,
) -> Result<JournalFacts, OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    if meta(conn, "journal_id").map_err(sql)?.is_none() {
        create_facts(conn, config, entropy).map_err(sql)?;
    }
    let facts = read_facts(conn, path)?;
    if facts.kind != config.kind {
        let (journal, configured) = (facts.kind.as_str().to_owned(), config.kind.as_str().to_owned());
        return Err(OpenError::OtherKind {
            path: path.to_owned(),
            journal,
            configured,
        });
    }
    let facts = name_from_config(conn, facts, config, path)?;
    conn.execute(
        "INSERT INTO starts (number, at, program) VALUES (?1, ?2, ?3)",
        params![facts.start, now.0, env!("CARGO_PKG_VERSION")],
    )
    .map_err(sql)?;
    Ok(facts)
}

fn create_facts(conn: &mut Connection, config: &StoreConfig, entropy: &dyn Entropy) -> rusqlite::Result<()> {
    let mut id = [0_u8; 16];
    entropy.fill(&mut id);
    let mut draw = [0_u8; 2];
    entropy.fill(&mut draw);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    set_meta(&tx, "journal_id", &hex)?;
    set_meta(&tx, "kind", config.kind.as_str())?;
    set_meta(
        &tx,
        "generation",
        &(u16::from_le_bytes(draw) % Generation::COUNT).to_string(),
    )?;
    tx.commit()
}

fn read_facts(conn: &Connection, path: &str) -> Result<JournalFacts, OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    let damaged = |why: &str| OpenError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let kind = match meta(conn, "kind").map_err(sql)?.as_deref() {
        Some("live") => RackKind::Live,
        Some("test") => RackKind::Test,
        _ => return Err(damaged("it does not say whether it is of a live or a test rack")),
    };
    let generation = meta(conn, "generation")
        .map_err(sql)?
        .and_then(|text| text.parse().ok())
        .and_then(|number| Generation::new(number).ok())
        .ok_or_else(|| damaged("it has no generation"))?;
    let rack_id = match meta(conn, "rack_id").map_err(sql)? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| damaged("its rack letters make no sense"))?),
    };
    let start: i64 = conn
        .query_row("SELECT COALESCE(MAX(number), 0) + 1 FROM starts", [], |row| row.get(0))
        .map_err(sql)?;
    Ok(JournalFacts {
        rack_id,
        kind,
        generation,
        start,
    })
}

fn name_from_config(
    conn: &Connection,
    mut facts: JournalFacts,
    config: &StoreConfig,
    path: &str,
) -> Result<JournalFacts, OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    match (facts.rack_id, config.rack_id) {
        (Some(journal), Some(configured)) if journal != configured => {
            return Err(OpenError::OtherRack {
                path: path.to_owned(),
                journal,
                configured,
            });
        }
        (None, Some(configured)) => {
            set_meta(conn, "rack_id", &configured.to_string()).map_err(sql)?;
            facts.rack_id = Some(configured);
        }
        (Some(_), _) | (None, None) => {}
    }
    Ok(facts)
}

/// Checksums of everything unfinished: rows that decide what is sent next.
fn check_rows(conn: &Connection, path: &str) -> Result<(), OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    let damaged = |why: String| OpenError::Damaged {
        path: path.to_owned(),
        why,
    };
    let mut statement = conn
        .prepare("SELECT id, sum, state_sum FROM jobs WHERE state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT')")
        .map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let (id, sum, state_sum): (i64, Vec<u8>, Vec<u8>) = (
            row.get(0).map_err(sql)?,
            row.get(1).map_err(sql)?,
            row.get(2).map_err(sql)?,
        );
        if job_sum(conn, id).map_err(sql)? != sum || job_state_sum(conn, id).map_err(sql)? != state_sum {
            return Err(damaged(format!("the checksum of job row {id} does not match")));
        }
    }
    drop(rows);
    drop(statement);
    check_lanes(conn, path)
}

/// The chain of each lane must end where its FN says.
fn check_lanes(conn: &Connection, path: &str) -> Result<(), OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    let mut statement = conn
        .prepare(
            "SELECT f.number, f.chain, (SELECT MAX(i.id) FROM intents i WHERE i.fn = f.id), \
             (SELECT i.id FROM intents i WHERE i.fn = f.id ORDER BY i.id DESC LIMIT 1 OFFSET 1) FROM fns f",
        )
        .map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let number: String = row.get(0).map_err(sql)?;
        let chain: Vec<u8> = row.get(1).map_err(sql)?;
        let last: Option<i64> = row.get(2).map_err(sql)?;
        let before: Option<i64> = row.get(3).map_err(sql)?;
        if !lane_matches(conn, &chain, last, before).map_err(sql)? {
            let why = format!("the chain of attempts on FN {number} is broken");
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                why,
            });
        }
    }
    Ok(())
}

fn lane_matches(conn: &Connection, chain: &[u8], last: Option<i64>, before: Option<i64>) -> rusqlite::Result<bool> {
    let Some(last) = last else { return Ok(chain.is_empty()) };
    let chain_of = |id: i64| -> rusqlite::Result<Vec<u8>> {
        conn.query_row("SELECT chain FROM intents WHERE id = ?1", [id], |row| row.get(0))
    };
    let previous = before.map(chain_of).transpose()?.unwrap_or_default();
    let ended: Option<Vec<u8>> = conn.query_row("SELECT end_sum FROM intents WHERE id = ?1", [last], |r| r.get(0))?;
    let begun = begin_chain(conn, last, &previous)?;
    let end_matches = match ended {
        None => true,
        Some(sum) => end_sum(conn, last)? == sum,
    };
    Ok(begun == chain && end_matches)
}

/// "The next start makes it `IN_DOUBT` before that lane takes work" (design, section 5, Stop).
fn doubt_open_intents(conn: &mut Connection, path: &str, now: UnixMillis) -> Result<(), OpenError> {
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    let run = |conn: &mut Connection| -> Result<(), WriteError> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open: Vec<(i64, Option<i64>)> = tx
            .prepare("SELECT id, job FROM intents WHERE state = 'open' ORDER BY id")?
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
            let sum = end_sum(&tx, intent)?;
            tx.execute("UPDATE intents SET end_sum = ?2 WHERE id = ?1", params![intent, sum])?;
            if let Some(job) = job {
                let event = Event::FoundOpenIntent;
                move_job(
                    &tx,
                    &JobMove {
                        job,
                        event,
                        reason: Some(&reason),
                        needs_person: None,
                        attempts: None,
                        at: now,
                    },
                )?;
            }
        }
        tx.commit()?;
        Ok(())
    };
    run(conn).map_err(|error| match error {
        WriteError::Sql(source) => sql(source),
        WriteError::Refused(_, why) => OpenError::Damaged {
            path: path.to_owned(),
            why,
        },
    })
}

fn recovered(store: &Store, path: &str, now: UnixMillis) -> Result<Recovered, OpenError> {
    let conn = store.connection();
    let sql = |source| OpenError::Sql {
        path: path.to_owned(),
        source,
    };
    let read = |error: ReadError| match error {
        ReadError::Sql(source) => OpenError::Sql {
            path: path.to_owned(),
            source,
        },
        other @ (ReadError::Damaged { .. } | ReadError::Unavailable(_)) => OpenError::Damaged {
            path: path.to_owned(),
            why: other.to_string(),
        },
    };
    let Rows::Plan(plan, version) = store.read(&Query::Plan).map_err(read)? else {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            why: "its plan cannot be read".into(),
        });
    };
    let waiting = rows::jobs(conn, "j.state = 'ACCEPTED' ORDER BY j.id LIMIT ?1", [UNFINISHED_MAX]).map_err(read)?;
    Ok(Recovered {
        kind: store.facts.kind,
        rack_id: store.facts.rack_id,
        generation: store.facts.generation,
        start: u64::try_from(store.facts.start).unwrap_or_default(),
        at: now,
        sequence: last_sequence(conn).map_err(sql)?,
        plan: (plan, version),
        waiting: waiting.into_iter().map(|stored| WaitingJob { stored }).collect(),
        doubts: doubts(conn).map_err(read)?,
    })
}

fn doubts(conn: &Connection) -> Result<Vec<OpenIntent>, ReadError> {
    let mut statement = conn.prepare(
        "SELECT i.id, i.kind, r.name, f.number, i.baseline, i.job, t.inn, i.job_key, i.key_place FROM intents i \
         JOIN registers r ON r.id = i.register JOIN fns f ON f.id = i.fn LEFT JOIN jobs j ON j.id = i.job \
         LEFT JOIN tenants t ON t.id = j.tenant WHERE i.state = 'in_doubt' ORDER BY i.id",
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
            key_place: place
                .as_deref()
                .map(|text| key_place(text).ok_or_else(|| bad(text.to_owned())))
                .transpose()?,
        });
    }
    Ok(found)
}

fn key_place(text: &str) -> Option<KeyPlace> {
    [
        KeyPlace::AdditionalAttribute,
        KeyPlace::UserAttribute,
        KeyPlace::ByContent,
    ]
    .into_iter()
    .find(|place| format!("{place:?}") == text)
}
