//! Care of the journal's files: what has ended long ago goes into archive files, and its keys into an index of their own.
//!
//! The order, so that a cut at any place loses nothing and doubles nothing: rows are copied into a file that nobody knows
//! (`NAME.part`); the file is compared row by row, checked and hashed; one commit notes it in `archives`; only then is
//! it put in its place and are its rows taken out of the journal, some hundred in a commit, each job in the same commit
//! that writes its key into the index. A start finds either a file nobody knows, which is made anew, or one that is noted,
//! which is placed and moved from the beginning: a row that has left already is not there to be taken out.
//!
//! Owns: which rows may leave the journal (one rule, in `copy`), the archive files, the key index, buyers that are dropped.
//! Must never: take out a row that stands nowhere else, or one that decides what is sent next.

mod contacts;
mod copy;
mod files;
mod keys;
mod moving;
mod reading;
mod upgrade;

use super::query::ReadError;
use super::store::{WriteError, Written};
use crate::domain::error::Reason;
use crate::parts::UnixMillis;
use rusqlite::{Connection, Transaction};

pub use contacts::{DroppedBuyer, EndedBuyer};
pub use copy::{ArchiveCursor, ArchivePlan, SealArchive};
pub use files::{ArchiveFault, ArchiveFile};
pub(super) use files::{archived_file_faults, archives_in, open_all, verify_archives};
pub use keys::{KeyRecord, KeySelect};
pub(super) use keys::{is_replaced, known_key, pruned_floor, state_of_archived};
pub(super) use reading::{documents, find, jobs};
pub use upgrade::UpgradeFacts;

/// What the journal is asked to do for its own files.
#[derive(Debug, Clone)]
pub enum CareOrder {
    /// Note an archive file that is whole.
    Seal(Box<SealArchive>),
    /// Take rows out of the journal that stand in an archive.
    MoveOut {
        /// Number of the archive.
        archive: i64,
        /// Where the step before ended; from the beginning after a start.
        after: ArchiveCursor,
        /// Now.
        at: UnixMillis,
    },
    /// Give pages that are free back to the disk.
    Shrink,
    /// Note the jobs whose ends were shown to their clients.
    Shown {
        /// Row numbers.
        jobs: Vec<i64>,
        /// Now.
        at: UnixMillis,
    },
    /// Drop buyers, and keep a digest of each tag.
    DropBuyers {
        /// Which, with what stays of them.
        buyers: Vec<DroppedBuyer>,
        /// Now.
        at: UnixMillis,
    },
    /// Note that a whole backup was handed out.
    BackedUp {
        /// When it was begun: what was written later is not in it.
        at: UnixMillis,
    },
    /// Drop keys and moves of units that are older than the horizon.
    PruneOld {
        /// What is older than this instant.
        before: UnixMillis,
    },
}

/// What became of a [`CareOrder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CareDone {
    /// The archive stands under this number.
    Sealed(i64),
    /// Rows left; continue there.
    Moved(ArchiveCursor),
    /// There may be more to do.
    More,
    /// Nothing is left to do.
    Nothing,
}

/// What the journal is asked about its own files. Some of it writes archive files that nobody reads yet; the journal is
/// only read.
#[derive(Debug, Clone)]
pub enum CareWork {
    /// Begin a new archive file of what may leave the journal.
    Begin {
        /// Only what ended before this instant.
        before: UnixMillis,
        /// What nobody was shown must have ended before this instant.
        unseen_before: UnixMillis,
    },
    /// Copy some rows into it.
    Copy {
        /// The file.
        plan: ArchivePlan,
        /// Where the step before ended.
        after: ArchiveCursor,
    },
    /// Compare, check and hash it.
    Finish {
        /// The file.
        plan: ArchivePlan,
    },
    /// Put an archive that is noted in its place, and compare it with its hash.
    Place {
        /// Number of the archive.
        archive: i64,
    },
    /// Archives whose rows have not all left the journal, and those that should be looked at.
    List,
    /// Buyers of ended jobs.
    EndedBuyers {
        /// After this job.
        after: i64,
        /// At most so many jobs are looked at.
        limit: u32,
    },
    /// What is known of a key whose job was archived.
    Key(KeySelect),
    /// What stays of the buyer of a job.
    Digests(i64),
    /// What a change of the program depends on.
    Upgrade,
    /// Whether the journal or its archives hold a job of a tenant.
    HasJobs(kassette_wire::value::Inn),
}

/// The answer to a [`CareWork`].
#[derive(Debug)]
pub enum CareFound {
    /// A file was begun.
    Begun(ArchivePlan),
    /// Rows were copied; continue there, or finish.
    Copied(Option<ArchiveCursor>),
    /// The file is whole and durable.
    Finished(Box<SealArchive>),
    /// It is in its place and what it was.
    Placed,
    /// Number of each archive, and whether rows of it have still to leave the journal.
    Archives(Vec<(i64, bool)>),
    /// An archive file is missing or altered.
    Fault(ArchiveFault),
    /// Buyers, and where to continue.
    EndedBuyers(Vec<EndedBuyer>, Option<i64>),
    /// A key, or none.
    Key(Option<Box<KeyRecord>>),
    /// Tag and hexadecimal digest of each; none while the buyer is kept, or when there was none.
    Digests(Vec<(u16, String)>),
    /// What a change of the program depends on.
    Upgrade(Box<UpgradeFacts>),
    /// Yes or no.
    HasJobs(bool),
    /// There is nothing to do.
    Nothing,
}

/// Answers a question.
pub(super) fn work(conn: &Connection, work: &CareWork) -> Result<CareFound, ReadError> {
    match work {
        CareWork::Begin { before, unseen_before } => copy::begin(conn, *before, *unseen_before),
        CareWork::Copy { plan, after } => copy::step(conn, plan, *after),
        CareWork::Finish { plan } => copy::finish(conn, plan),
        CareWork::Place { archive } => files::place(conn, *archive),
        CareWork::List => files::list(conn).map(CareFound::Archives),
        CareWork::EndedBuyers { after, limit } => contacts::ended(conn, *after, *limit),
        CareWork::Key(select) => keys::find(conn, select).map(|found| CareFound::Key(found.map(Box::new))),
        CareWork::Digests(job) => contacts::digests(conn, *job).map(CareFound::Digests),
        CareWork::Upgrade => upgrade::facts(conn).map(|facts| CareFound::Upgrade(Box::new(facts))),
        CareWork::HasJobs(tenant) => keys::has_jobs(conn, tenant).map(CareFound::HasJobs),
    }
}

/// Carries out an order inside a transaction.
pub(super) fn write(tx: &Transaction<'_>, order: &CareOrder) -> Written {
    let done = match order {
        CareOrder::Seal(sealed) => copy::seal(tx, sealed)?,
        CareOrder::MoveOut { archive, after, at } => moving::step(tx, *archive, *after, *at)?,
        CareOrder::Shrink => moving::shrink(tx)?,
        CareOrder::Shown { jobs, at } => contacts::shown(tx, jobs, *at)?,
        CareOrder::DropBuyers { buyers, at } => contacts::drop_buyers(tx, buyers, *at)?,
        CareOrder::BackedUp { at } => upgrade::backed_up(tx, *at)?,
        CareOrder::PruneOld { before } => moving::prune(tx, *before)?,
    };
    Ok(super::command::ReplyBody::Care(done))
}

/// Orders that take parents out before SQLite could look for their children without reading a whole table: they run in a
/// transaction of their own, in which their own rule stands for the foreign keys.
pub(super) const fn runs_alone(order: &CareOrder) -> bool {
    matches!(order, CareOrder::MoveOut { .. })
}

fn as_write(error: ReadError) -> WriteError {
    match error {
        ReadError::Sql(error) => WriteError::Sql(error),
        ReadError::Archive(fault) => WriteError::Refused(fault.reason.code, fault.to_string()),
        other => WriteError::Refused(kassette_wire::codes::Code::JournalDamaged, other.to_string()),
    }
}

/// A reason with a code of an archive.
fn fault(name: &str, code: kassette_wire::codes::Code, why: impl std::fmt::Display) -> ArchiveFault {
    ArchiveFault {
        name: name.to_owned(),
        reason: Reason::new(code, why.to_string()),
    }
}

/// Checksums of the rows that this module writes.
pub(super) const SUMS: [(&str, &str, super::audit::Sum); 4] = [
    ("archive", "SELECT number, sum FROM archives", files::archive_sum),
    ("key", "SELECT job, sum FROM keys", keys::key_sum),
    ("gap", "SELECT intent, sum FROM lane_gaps", moving::gap_sum),
    ("digest", "SELECT job, sum FROM contact_digests", contacts::digest_sum),
];
