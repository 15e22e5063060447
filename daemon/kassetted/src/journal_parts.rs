//! The core's store behind the threads of [`crate::journal_threads`].
//!
//! Owns: opening the journal of this host and its readers.
//! Must never: know what a command or a row means.

use crate::config::Config;
use crate::journal_threads::{Batch, BatchStore, Committed, GroupCommitter, QueryReader, ReaderPool, WriterThread};
use async_trait::async_trait;
use kassette_core::journal::{
    Applied, Command, Commit, Committer, FreeMark, OpenError, Query, ReadError, Reader, Recovered, Reply, Rows, Store,
    StoreConfig, StoreReader,
};
use kassette_core::parts::{Entropy, WallClock};
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Most questions that wait for a reader.
const READ_QUEUE: usize = 1024;

/// Percent of the disk under the journal that this user could still fill.
fn free_percent(journal: &Path) -> Option<u8> {
    let disk = nix::sys::statvfs::statvfs(journal.parent()?).ok()?;
    let (free, all) = (u128::from(disk.blocks_available()), u128::from(disk.blocks()));
    u8::try_from((free * 100).checked_div(all)?).ok()
}

impl BatchStore for Store {
    type Command = Command;
    type Reply = Reply;

    fn apply(&mut self, batch: Vec<Command>) -> Batch<Self> {
        match Self::apply(self, batch) {
            Applied::Done(replies) => Batch::Done(replies),
            Applied::Full => Batch::Full,
            Applied::Stopped(reason) => Batch::Stopped(reason),
        }
    }

    fn idle(&mut self) {
        Self::idle(self);
    }
}

impl QueryReader for StoreReader {
    type Query = Query;
    type Answer = Result<Rows, ReadError>;

    fn read(&self, query: &Query) -> Self::Answer {
        Self::read(self, query)
    }
}

/// The committer of the product.
pub struct ThreadCommitter(GroupCommitter<Store>);

impl ThreadCommitter {
    /// Starts the writer thread over a store.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(store: Store, queue_max: usize) -> std::io::Result<(Self, WriterThread)> {
        let (committer, writer) = GroupCommitter::start(store, queue_max)?;
        Ok((Self(committer), writer))
    }
}

#[async_trait]
impl Committer for ThreadCommitter {
    async fn commit(&self, command: Command) -> Commit {
        match self.0.commit(command).await {
            Committed::Done(reply) => Commit::Done(reply),
            Committed::Full => Commit::Full,
            Committed::Stopped => Commit::Stopped,
        }
    }
}

/// The readers of the product.
pub struct ThreadReader(ReaderPool<StoreReader>);

#[async_trait]
impl Reader for ThreadReader {
    async fn read(&self, query: Query) -> Result<Rows, ReadError> {
        let gone = || ReadError::Unavailable("every reader has ended".into());
        self.0.read(query).await.unwrap_or_else(|| Err(gone()))
    }
}

/// Why the journal cannot be worked with.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A reader cannot be opened.
    #[error("the journal cannot be opened for reading")]
    Read(#[from] ReadError),
    /// The operating system gave no thread.
    #[error("no thread for the journal")]
    Thread(#[from] std::io::Error),
}

/// The open journal.
pub struct Journal {
    /// For the core.
    pub committer: Arc<ThreadCommitter>,
    /// For the core.
    pub reader: Arc<ThreadReader>,
    /// What the start found.
    pub recovered: Recovered,
    /// The thread that writes.
    pub writer: WriterThread,
}

/// Where the journal of this host is and what it is made as.
#[must_use]
pub fn store_config(config: &Config) -> StoreConfig {
    StoreConfig {
        path: config.journal_path(),
        kind: config.rack.kind,
        rack_id: config.rack.id,
        reserve_bytes: config.journal_reserve_bytes,
        free_mark: Some(FreeMark {
            percent: config.journal_free_percent,
            free: free_percent,
        }),
    }
}

/// Opens the journal and starts its threads. Blocks.
///
/// # Errors
/// [`JournalError`].
pub fn open(config: &Config, entropy: &dyn Entropy, clock: &dyn WallClock) -> Result<Journal, JournalError> {
    let (store, recovered) = Store::open(&store_config(config), entropy, clock.now())?;
    let readers: Result<Vec<_>, _> = (0..config.readers)
        .map(|_| StoreReader::open(&config.journal_path()))
        .collect();
    let reader = ThreadReader(ReaderPool::start(readers?, READ_QUEUE)?);
    let (committer, writer) = ThreadCommitter::start(store, config.commit_queue)?;
    Ok(Journal {
        committer: Arc::new(committer),
        reader: Arc::new(reader),
        recovered,
        writer,
    })
}
