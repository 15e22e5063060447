//! The store: one connection, one transaction per batch.
//!
//! Owns: the SQLite settings, group commit, and what an error of the disk means.
//! Must never: retry a COMMIT that failed for any reason but a full disk whose rollback is confirmed.

use super::command::{Command, Reply, ReplyBody};
use super::query::{Query, ReadError, Rows};
use super::{care, doubts, ends, held, intents, jobs, orders, query, read_back, readings, verdicts};
use crate::domain::snapshot::RackKind;
use crate::mutants::Mutant;
use kassette_receipts::job_key::{Generation, RackId};
use kassette_wire::codes::Code;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, DropBehavior, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The log is folded into the file after this many pages (`exactly-once` section 10).
const LOG_PAGES: i64 = 1000;
/// What SQLite calls FULL: the log is flushed at each commit.
const SYNCHRONOUS_FULL: i64 = 2;
/// Largest log file left after a checkpoint.
const JOURNAL_SIZE_LIMIT: i64 = 64 << 20;
/// How long a connection waits for a lock of another before it gives up.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Space kept back to record results in flight when the disk fills (`exactly-once` C16).
pub const RESERVE_BYTES: u64 = 64 << 20;

/// Batches after which a spent reserve is tried again, and free space looked at, although no moment was quiet.
const RENEW_EVERY: u32 = 64;

/// Where the journal is and what it is created as.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The SQLite file.
    pub path: PathBuf,
    /// Live or test, fixed at creation.
    pub kind: RackKind,
    /// Letters of the rack, fixed once named.
    pub rack_id: Option<RackId>,
    /// Size of the reserve file beside it; 0 = none.
    pub reserve_bytes: u64,
    /// New jobs are refused while less than this share of the disk is free (`exactly-once` section 10); `None` = never.
    pub free_mark: Option<FreeMark>,
    /// The mutant that is alive, in a simulation that asks for one.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

/// The refusal mark: what a full disk would still take is kept for jobs that were accepted.
#[derive(Debug, Clone, Copy)]
pub struct FreeMark {
    /// Percent of the disk that must be free.
    pub percent: u8,
    /// Percent of the disk under a path that is free now; `None` when the host cannot tell. From outside, because the
    /// core asks no operating system.
    pub free: fn(&Path) -> Option<u8>,
}

impl FreeMark {
    fn is_crossed(&self, path: &Path) -> bool {
        (self.free)(path).is_some_and(|free| free < self.percent)
    }
}

/// What there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// New jobs.
    pub jobs: bool,
    /// New attempts: their outcome must fit as well.
    pub attempts: bool,
}

impl StoreConfig {
    #[cfg(feature = "mutants")]
    pub(super) fn mutant(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self, reason = "the same calls with and without the feature")]
    pub(super) const fn mutant(&self, _mutant: Mutant) -> bool {
        false
    }

    /// The reserve file.
    #[must_use]
    pub fn reserve_path(&self) -> PathBuf {
        self.path.with_extension("reserve")
    }
}

/// What became of a batch.
#[derive(Debug)]
pub enum Applied {
    /// Durable; replies in the order of the commands.
    Done(Vec<Reply>),
    /// The disk is full; rolled back, nothing changed.
    Full,
    /// Unknown. The words of the database.
    Stopped(String),
}

/// Facts of the journal that do not change while it is open, except that the rack's letters may be named once, and that
/// its generation is drawn anew when an FN shows that it was used before.
#[derive(Debug, Clone)]
pub(super) struct JournalFacts {
    pub rack_id: Option<RackId>,
    pub kind: RackKind,
    pub generation: Generation,
    pub start: i64,
    /// An FN is being read, or a receipt without a job stands in one: submissions are compared with them.
    pub recovering: bool,
}

/// The one writer.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    config: StoreConfig,
    pub(super) facts: JournalFacts,
    /// The reserve was spent or never made: no new job is taken.
    reserve_spent: bool,
    batches_without_reserve: u32,
    /// Less than the mark is free: no new job is taken.
    space_low: bool,
    batches: u32,
    stopped: Option<String>,
}

/// Why a command inside a batch did not work.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The command makes no sense now; the others go on.
    Refused(Code, String),
    /// The database.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

pub(super) type Written = Result<ReplyBody, WriteError>;

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // Only has an effect in an empty file, before the first table; in another it would write, before anything was checked.
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages == 0 {
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // SQLite's own checkpoint after a commit drops its errors; `fold_when_long` does not.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", JOURNAL_SIZE_LIMIT, |_| Ok(()))?;
    harden(&conn)?;
    Ok(conn)
}

pub(super) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    harden(&conn)?;
    Ok(conn)
}

fn harden(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            other => Err(other),
        })?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    // Without this a plan may hang on the values that are bound, and each new value compiles the statement anew
    // (sqlite.org "The SQLite Query Planner Stability Guarantee"): a third of all time in the journal.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(())
}

impl Store {
    pub(super) fn new(conn: Connection, config: StoreConfig, facts: JournalFacts, reserve_spent: bool) -> Self {
        let mut store = Self {
            conn,
            config,
            facts,
            reserve_spent,
            batches_without_reserve: 0,
            space_low: false,
            batches: 0,
            stopped: None,
        };
        store.reserve_spent = reserve_spent || !store.make_reserve();
        store.look_at_space();
        store
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Writes the reserve file if it is wanted and not there; whether it is there now.
    fn make_reserve(&self) -> bool {
        let size = self.config.reserve_bytes;
        let path = self.config.reserve_path();
        if size == 0 || std::fs::metadata(&path).is_ok_and(|m| m.len() == size) {
            return true;
        }
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .open(&path)?;
            let block = vec![0_u8; 1 << 20];
            let mut left = size;
            while left > 0 {
                let part = left.min(block.len() as u64);
                file.write_all(&block[..usize::try_from(part).unwrap_or(block.len())])?;
                left -= part;
            }
            file.sync_all()
        };
        let made = write().is_ok();
        if !made {
            // A half-written reserve would only make the full disk fuller; if even that fails the next try says so.
            std::fs::remove_file(&path).ok();
        }
        made
    }

    /// Applies a batch in one transaction. Steps that take archived rows out come after the others, in one of their own.
    pub fn apply(&mut self, batch: Vec<Command>) -> Applied {
        if let Some(reason) = &self.stopped {
            return Applied::Stopped(reason.clone());
        }
        if batch.iter().any(runs_alone) {
            return self.apply_apart(batch);
        }
        self.apply_together(&batch)
    }

    fn apply_apart(&mut self, batch: Vec<Command>) -> Applied {
        let places: Vec<bool> = batch.iter().map(runs_alone).collect();
        let (apart, together): (Vec<_>, Vec<_>) = batch.into_iter().partition(runs_alone);
        let mut done = match together.is_empty() {
            true => Vec::new(),
            false => match self.apply_together(&together) {
                Applied::Done(done) => done,
                other => return other,
            },
        };
        let mut moved = match self.without_foreign_keys(&apart) {
            Applied::Done(moved) => moved,
            // Nothing of it changed, and the reserve is not for it: it is tried again when there is room.
            Applied::Full => full_replies(apart.len(), done.last().map_or(0, |reply| reply.sequence)),
            Applied::Stopped(reason) => return self.keep_stop(Applied::Stopped(reason)),
        };
        done.reverse();
        moved.reverse();
        let next = |apart: bool| if apart { moved.pop() } else { done.pop() };
        Applied::Done(places.into_iter().filter_map(next).collect())
    }

    /// SQLite would look for children of each row that leaves in tables without an index by it; care's own rule has
    /// looked before (`care::copy`), and takes out what goes along.
    fn without_foreign_keys(&mut self, batch: &[Command]) -> Applied {
        let room = Room {
            jobs: false,
            attempts: false,
        };
        if let Err(error) = self.conn.pragma_update(None, "foreign_keys", false) {
            return Applied::Stopped(error.to_string());
        }
        let applied = self.transact(batch, room);
        match self.conn.pragma_update(None, "foreign_keys", true) {
            Ok(()) => applied,
            Err(error) => Applied::Stopped(error.to_string()),
        }
    }

    fn apply_together(&mut self, batch: &[Command]) -> Applied {
        self.renew_reserve();
        self.batches = self.batches.wrapping_add(1);
        if self.batches.is_multiple_of(RENEW_EVERY) {
            self.look_at_space();
        }
        let room = Room {
            jobs: !self.reserve_spent && !self.space_low,
            attempts: !self.reserve_spent,
        };
        match self.transact(batch, room) {
            Applied::Full if self.config.reserve_bytes > 0 && !self.reserve_spent => {
                // Results in flight must be recorded: give up the reserve, take no new job until it is back.
                self.reserve_spent = true;
                std::fs::remove_file(self.config.reserve_path()).ok();
                let none = Room {
                    jobs: false,
                    attempts: false,
                };
                let again = self.transact(batch, none);
                self.keep_stop(again)
            }
            other => self.keep_stop(other),
        }
    }

    /// Callers that come again without a pause leave no quiet moment: now and then the reserve is made among them.
    fn renew_reserve(&mut self) {
        if !self.reserve_spent {
            self.batches_without_reserve = 0;
            return;
        }
        self.batches_without_reserve = self.batches_without_reserve.wrapping_add(1);
        if self.batches_without_reserve.is_multiple_of(RENEW_EVERY) && self.make_reserve() {
            self.reserve_spent = false;
        }
    }

    fn look_at_space(&mut self) {
        self.space_low = self
            .config
            .free_mark
            .is_some_and(|mark| mark.is_crossed(&self.config.path));
    }

    fn keep_stop(&mut self, applied: Applied) -> Applied {
        if let Applied::Stopped(reason) = &applied {
            self.stopped = Some(reason.clone());
        }
        applied
    }

    fn transact(&mut self, batch: &[Command], room: Room) -> Applied {
        let mut facts = self.facts.clone();
        let outcome = (|| {
            if self.config.mutant(Mutant::AnswerBeforeCommit) && !self.conn.is_autocommit() {
                self.conn.execute_batch("COMMIT")?;
            }
            let mut tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut replies = Vec::with_capacity(batch.len());
            for command in batch {
                let body = run_one(&tx, &mut facts, command, room)?;
                replies.push(body);
            }
            let sequence = query::last_sequence(&tx)?;
            // Naive: the client need not wait for the disk; the next commit takes it along.
            let accepts = |command: &Command| matches!(command, Command::Accept(_));
            if self.config.mutant(Mutant::AnswerBeforeCommit) && batch.iter().all(accepts) {
                tx.set_drop_behavior(DropBehavior::Ignore);
                return Ok((replies, sequence));
            }
            tx.commit()?;
            Ok::<_, rusqlite::Error>((replies, sequence))
        })();
        match outcome {
            Ok((replies, sequence)) => {
                self.facts = facts;
                self.fold_when_long();
                Applied::Done(replies.into_iter().map(|body| Reply { sequence, body }).collect())
            }
            Err(error) => self.failed(&error),
        }
    }

    /// A failed batch. Only a full disk with a confirmed rollback means that nothing changed.
    fn failed(&self, error: &rusqlite::Error) -> Applied {
        let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        if !self.conn.is_autocommit()
            && let Err(rollback) = self.conn.execute_batch("ROLLBACK")
        {
            return Applied::Stopped(format!("{error}; then the rollback failed: {rollback}"));
        }
        if full {
            Applied::Full
        } else {
            Applied::Stopped(error.to_string())
        }
    }

    /// Whether what was answered survives the loss of power: each commit waits for the disk (`exactly-once` section 10).
    ///
    /// # Errors
    /// The database's words.
    pub fn syncs_each_commit(&self) -> Result<bool, ReadError> {
        let level: i64 = self.conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        Ok(level >= SYNCHRONOUS_FULL)
    }

    /// Answers a query with the statements of the readers.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, query: &Query) -> Result<Rows, ReadError> {
        query::read(&self.conn, query)
    }

    /// To be called when nothing was written for a while: empties the log file and makes the reserve again.
    pub fn idle(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        // A reader may hold the checkpoint back; it is not waited for, the next quiet moment tries again.
        self.conn.busy_timeout(Duration::ZERO).ok();
        let folded = self.fold("TRUNCATE");
        self.conn.busy_timeout(BUSY_TIMEOUT).ok();
        self.stop_on_bad_fold(folded);
        if self.reserve_spent && self.make_reserve() {
            self.reserve_spent = false;
        }
        self.look_at_space();
    }

    /// Runs a checkpoint: pages in the log, pages folded.
    fn fold(&self, mode: &str) -> rusqlite::Result<(i64, i64)> {
        self.conn
            .prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
            .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
    }

    fn fold_when_long(&mut self) {
        let folded = match self.fold("NOOP") {
            Ok((log, done)) if log >= LOG_PAGES && done < log => self.fold("PASSIVE"),
            looked => looked,
        };
        self.stop_on_bad_fold(folded);
    }

    /// After a failed fsync nobody knows which pages the disk has: the log still has all of them, so the journal must
    /// be opened again before it is folded (`exactly-once` C26). A full disk or a reader in the way loses nothing.
    fn stop_on_bad_fold(&mut self, folded: rusqlite::Result<(i64, i64)>) {
        if let Err(error) = folded {
            let harmless = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::DiskFull];
            if !error.sqlite_error_code().is_some_and(|code| harmless.contains(&code)) {
                self.stopped = Some(format!("the log could not be folded into the file: {error}"));
            }
        }
    }
}

fn runs_alone(command: &Command) -> bool {
    matches!(command, Command::Care(order) if care::runs_alone(order))
}

fn full_replies(count: usize, sequence: u64) -> Vec<Reply> {
    let full = || ReplyBody::Refused(Code::JournalFull, "the disk of the journal is full".into());
    (0..count).map(|_| Reply { sequence, body: full() }).collect()
}

/// Runs one write so that a refusal leaves no trace of it and the others of the batch go on. The outer error is the
/// database's own.
pub(super) fn savepoint<T>(
    tx: &Transaction<'_>,
    write: impl FnOnce() -> Result<T, WriteError>,
) -> rusqlite::Result<Result<T, (Code, String)>> {
    tx.prepare_cached("SAVEPOINT one")?.execute([])?;
    let refused = match write() {
        Ok(done) => {
            tx.prepare_cached("RELEASE one")?.execute([])?;
            return Ok(Ok(done));
        }
        Err(WriteError::Refused(code, text)) => (code, text),
        // A constraint stands for an invariant (one unresolved intent per FN …): refused, not stored.
        Err(WriteError::Sql(error)) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            (Code::InternalFault, format!("the journal refused a write: {error}"))
        }
        Err(WriteError::Sql(error)) => return Err(error),
    };
    tx.execute_batch("ROLLBACK TO one; RELEASE one")?;
    Ok(Err(refused))
}

fn run_one(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    command: &Command,
    room: Room,
) -> rusqlite::Result<ReplyBody> {
    let mut changed = facts.clone();
    Ok(match savepoint(tx, || write(tx, &mut changed, command, room))? {
        Ok(body) => {
            *facts = changed;
            body
        }
        Err((code, text)) => ReplyBody::Refused(code, text),
    })
}

fn write(tx: &Transaction<'_>, facts: &mut JournalFacts, command: &Command, room: Room) -> Written {
    match command {
        Command::Accept(job) => jobs::accept(tx, facts, job, room.jobs),
        Command::Begin(intent) => intents::begin(tx, facts, intent, room.attempts),
        Command::End(end, next) => ends::end(tx, facts, end, next.as_deref(), room.attempts),
        Command::Cancel(order) => jobs::cancel(tx, order),
        Command::Expire { job, at } => jobs::expire(tx, *job, *at),
        Command::SetAside { job, reason, at } => jobs::set_aside(tx, *job, reason, *at),
        Command::Looked { intent, reason, at } => doubts::looked(tx, *intent, reason, *at),
        Command::AskReading(order) => doubts::ask_reading(tx, order),
        Command::GiveVerdict(order) => verdicts::give(tx, order),
        Command::Review(end) => verdicts::review(tx, end),
        Command::Seen(seen) => orders::seen(tx, facts, seen),
        Command::Move(unit) => orders::unit_move(tx, unit),
        Command::Adopt { fns, at } => readings::adopt(tx, facts, fns, *at).map(|()| ReplyBody::Done),
        Command::ReadAhead { fn_number, at } => readings::begin_ahead(tx, facts, fn_number, *at),
        Command::Note(note) => readings::note(tx, facts, note),
        Command::SettleHeld(order) => held::settle(tx, facts, order),
        Command::Dismiss {
            orphan,
            client,
            reason,
            at,
        } => held::dismiss(tx, facts, *orphan, client, reason, *at),
        Command::Apply(order) => orders::apply(tx, facts, order),
        Command::Reported { job, at } => jobs::reported(tx, *job, *at),
        Command::Audited(order) => read_back::audited(tx, order),
        Command::ClearFinding(order) => read_back::clear(tx, order),
        Command::Care(order) => care::write(tx, order),
        Command::PruneEvents { before } => orders::prune_events(tx, *before),
    }
}

/// A read-only connection.
#[derive(Debug)]
pub struct StoreReader(Connection);

impl StoreReader {
    /// Opens the journal for reading.
    ///
    /// # Errors
    /// [`ReadError`] when the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Ok(Self(connect_to_read(path)?))
    }

    /// Answers a query.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, query: &Query) -> Result<Rows, ReadError> {
        query::read(&self.0, query)
    }
}

#[cfg(test)]
mod tests;
