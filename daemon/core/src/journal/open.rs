//! Opening the journal: check it, migrate it, and find what an earlier start left open.
//!
//! Owns: what must be true before the first lane starts.
//! Must never: repair a damaged file, or run on one.

use super::audit;
use super::generations::{self, Draws, draws};
use super::orders::{facts_match, meta, seal_facts, set_meta};
use super::query::ReadError;
use super::recover::{Recovered, doubt_open_intents, recovered};
use super::schema::{MIGRATIONS, MIN_READER, SCHEMA};
use super::store::{JournalFacts, Store, StoreConfig, WriteError, connect};
use crate::domain::snapshot::RackKind;
use crate::mutants::Mutant;
use crate::parts::{Entropy, UnixMillis};
use kassette_receipts::job_key::{Generation, RackId};
use kassette_wire::codes::Code;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
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

/// Why the journal cannot be worked on, before its path is named.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Damaged(String),
    TooNew(i64),
    OtherKind(RackKind, RackKind),
    OtherRack(RackId, RackId),
}

impl Fault {
    pub(super) fn at(self, path: String) -> OpenError {
        match self {
            Self::Sql(source) => OpenError::Sql { path, source },
            Self::Damaged(why) => OpenError::Damaged { path, why },
            Self::TooNew(min_reader) => OpenError::TooNew { path, min_reader },
            Self::OtherKind(journal, configured) => OpenError::OtherKind {
                path,
                journal: journal.as_str().to_owned(),
                configured: configured.as_str().to_owned(),
            },
            Self::OtherRack(journal, configured) => OpenError::OtherRack {
                path,
                journal,
                configured,
            },
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string()),
            _ => Self::Sql(error),
        }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sql(source) => source.into(),
            ReadError::Damaged { .. } | ReadError::Archive(_) | ReadError::Unavailable(_) => {
                Self::Damaged(error.to_string())
            }
        }
    }
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Sql(source) => source.into(),
            WriteError::Refused(_, why) => Self::Damaged(why),
        }
    }
}

impl Store {
    /// Opens the journal, making it at the first start.
    ///
    /// Every try that an earlier start left open is `IN_DOUBT`, durably, when this returns. On a full disk the reserve
    /// is given up for that, and no new job is taken until it is back.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was started then.
    pub fn open(config: &StoreConfig, entropy: &dyn Entropy, now: UnixMillis) -> Result<(Self, Recovered), OpenError> {
        let full = |fault: &Fault| matches!(fault, Fault::Sql(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull));
        match open(config, entropy, now, false) {
            Err(fault) if full(&fault) && std::fs::remove_file(config.reserve_path()).is_ok() => {
                open(config, entropy, now, true)
            }
            other => other,
        }
        .map_err(|fault| fault.at(config.path.display().to_string()))
    }
}

fn open(
    config: &StoreConfig,
    entropy: &dyn Entropy,
    now: UnixMillis,
    reserve_spent: bool,
) -> Result<(Store, Recovered), Fault> {
    let mut conn = connect(&config.path)?;
    // Naive: a disk that flushes at each commit is too slow.
    if config.mutant(Mutant::CommitsLost) {
        conn.pragma_update(None, "synchronous", "NORMAL")?;
    }
    check_file(&conn)?;
    migrate(&mut conn, config, entropy)?;
    let facts = read_facts(&conn)?;
    if facts.kind != config.kind {
        return Err(Fault::OtherKind(facts.kind, config.kind));
    }
    audit::before_start(&conn)?;
    let facts = start(&mut conn, facts, config, draws(entropy), now)?;
    let store = Store::new(conn, config.clone(), facts, reserve_spent);
    let recovered = recovered(&store, now)?;
    Ok((store, recovered))
}

pub(super) fn check_file(conn: &Connection) -> Result<(), Fault> {
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(Fault::Damaged(verdict))
    }
}

/// The schema the file has, if this program may work on it.
pub(super) fn version(conn: &Connection) -> Result<i64, Fault> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > 0 {
        let written = meta(conn, "min_reader")?;
        let min_reader = written.and_then(|text| text.parse().ok()).unwrap_or(version);
        if min_reader > SCHEMA {
            return Err(Fault::TooNew(min_reader));
        }
    } else if conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))? {
        return Err(Fault::Damaged("it is the database of another program".into()));
    }
    Ok(version)
}

fn migrate(conn: &mut Connection, config: &StoreConfig, entropy: &dyn Entropy) -> Result<(), Fault> {
    let version = version(conn)?;
    for (migration, number) in MIGRATIONS.iter().zip(1_i64..).filter(|(_, number)| *number > version) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(migration)?;
        if number == 1 {
            // With the tables or not at all: a journal that has lost its facts is damaged, never a new one.
            create_facts(&tx, config, entropy)?;
        }
        set_meta(&tx, "schema", &number.to_string())?;
        set_meta(&tx, "min_reader", &MIN_READER.to_string())?;
        tx.pragma_update(None, "user_version", number)?;
        tx.commit()?;
    }
    Ok(())
}

fn create_facts(tx: &Connection, config: &StoreConfig, entropy: &dyn Entropy) -> rusqlite::Result<()> {
    let mut id = [0_u8; 16];
    entropy.fill(&mut id);
    let mut draw = [0_u8; 2];
    entropy.fill(&mut draw);
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    let generation = u16::from_le_bytes(draw) % Generation::COUNT;
    set_meta(tx, "journal_id", &hex)?;
    set_meta(tx, "kind", config.kind.as_str())?;
    set_meta(tx, "generation", &generation.to_string())?;
    seal_facts(tx)
}

pub(super) fn read_facts(conn: &Connection) -> Result<JournalFacts, Fault> {
    let damaged = |why: &str| Fault::Damaged(why.to_owned());
    if !facts_match(conn)? {
        return Err(damaged(
            "the checksum of its kind, letters and generation does not match",
        ));
    }
    let kind = match meta(conn, "kind")?.as_deref() {
        Some("live") => RackKind::Live,
        Some("test") => RackKind::Test,
        _ => return Err(damaged("it does not say whether it is of a live or a test rack")),
    };
    let generation = meta(conn, "generation")?
        .and_then(|text| text.parse().ok())
        .and_then(|number| Generation::new(number).ok())
        .ok_or_else(|| damaged("it has no generation"))?;
    let rack_id = match meta(conn, "rack_id")? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| damaged("its rack letters make no sense"))?),
    };
    let start: i64 = conn.query_row("SELECT COALESCE(MAX(number), 0) + 1 FROM starts", [], |row| row.get(0))?;
    Ok(JournalFacts {
        rack_id,
        kind,
        generation,
        start,
        recovering: false,
    })
}

/// Everything this start writes before anything runs, in one transaction: its number, letters that the configuration
/// gives a rack without, and the doubts that an earlier start left.
fn start(
    conn: &mut Connection,
    mut facts: JournalFacts,
    config: &StoreConfig,
    draws: Draws,
    now: UnixMillis,
) -> Result<JournalFacts, Fault> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match (facts.rack_id, config.rack_id.filter(|id| *id != RackId::UNNAMED)) {
        (Some(journal), Some(configured)) if journal != configured => {
            return Err(Fault::OtherRack(journal, configured));
        }
        (None, Some(configured)) => {
            set_meta(&tx, "rack_id", &configured.to_string())?;
            seal_facts(&tx)?;
            facts.rack_id = Some(configured);
        }
        (Some(_), _) | (None, None) => {}
    }
    tx.execute(
        "INSERT INTO starts (number, at, program) VALUES (?1, ?2, ?3)",
        params![facts.start, now.0, env!("CARGO_PKG_VERSION")],
    )?;
    doubt_open_intents(&tx, now)?;
    generations::at_start(&tx, &mut facts, draws, now)?;
    tx.commit()?;
    Ok(facts)
}
