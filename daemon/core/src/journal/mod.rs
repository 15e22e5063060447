//! The journal: what we meant and what we saw, durable before anybody acts on it.
//!
//! Constraints: one writer, values of one [`Command`] enum, one transaction per batch; a reply is given only after its
//! COMMIT. Format: SQLite, settings of `store`, tables of `schema`; rows of jobs and intents carry checksums, those
//! of intents chained per FN. Recovery: [`Store::open`] checks the file and turns every intent that an earlier start left
//! open into a doubt before anything else may run.
//!
//! Owns: the schema, the one write connection, and the meaning of each write.
//! Must never: talk to a device, decide what to do next, or answer before the commit.

mod audit;
mod buyer;
mod care;
mod checks;
mod command;
mod condition;
mod copy;
mod doubt_rows;
mod doubts;
mod ends;
mod generations;
mod held;
mod inline;
mod inspect;
mod intents;
mod jobs;
mod open;
mod orders;
mod orphans;
mod query;
mod read_back;
mod readings;
mod reconcile;
mod recover;
mod rows;
mod schema;
mod store;
mod verdicts;
mod verify;

pub use buyer::unseal_buyer;
pub use care::{
    ArchiveCursor, ArchiveFault, ArchiveFile, ArchivePlan, CareDone, CareFound, CareOrder, CareWork, DroppedBuyer,
    EndedBuyer, KeyRecord, KeySelect, SealArchive, UpgradeFacts,
};
pub use command::{
    AcceptJob, ApplyPlan, AskReading, Audited, BeginIntent, CancelJob, ClearFinding, Command, EndIntent, FnMark,
    GiveVerdict, HeldVerdict, JobEnd, NewFinding, NoteDocuments, ReadBack, Reply, ReplyBody, ReviewEnd, ReviewFound,
    Scan, Sealed, Seen, SettleHeld, UnitMove, Verdict,
};
pub use copy::{CopyFacts, archive_files, copy, copy_facts, fold};
pub use doubt_rows::OpenReview;
pub use generations::{Draws, draws};
pub use held::{HELD_PREFIX, Standing as HeldStanding};
pub use inline::{InlineCommitter, InlineReader, Witness};
pub use inspect::{Inspection, inspect};
pub use open::OpenError;
pub use query::{Query, ReadError, Rows, StoredJob};
pub use reconcile::{CopiedContent, CopiedDocument, Finding, KeysOf, Reconciler, Reconciliation, Unreadable};
pub use recover::{OpenIntent, Recovered, WaitingJob};
pub use schema::{MIN_READER, SCHEMA};
pub use store::{Applied, FreeMark, RESERVE_BYTES, Store, StoreConfig, StoreReader};
pub use verify::{Verification, verify};

/// Watch cursors survive for seven days (design 4.1, Watches).
pub const EVENTS_KEPT_MS: i64 = 7 * 86_400_000;

use async_trait::async_trait;

/// What became of a commit.
#[derive(Debug, Clone)]
pub enum Commit {
    /// Durable.
    Done(Reply),
    /// The disk is full; rolled back, nothing changed.
    Full,
    /// Unknown: the batch may or may not be on the disk. Nothing may be sent; the journal must be opened again.
    Stopped,
}

/// The only way into the journal.
#[async_trait]
pub trait Committer: Send + Sync {
    /// Makes a command durable.
    async fn commit(&self, command: Command) -> Commit;
}

/// Reads at one commit sequence, in bounded pages.
#[async_trait]
pub trait Reader: Send + Sync {
    /// Answers a query.
    ///
    /// # Errors
    /// [`ReadError`] when the file cannot be read or holds a row that does not make sense.
    async fn read(&self, query: Query) -> Result<Rows, ReadError>;
}
