//! The journal inside a simulation: the same store and statements, driven in line under virtual time.
//!
//! Owns: a virtual delay for each commit.
//! Must never: be used by a shipped binary; the product drives the store on its own thread.

use super::{Applied, Command, Commit, Committer, Query, ReadError, Reader, Rows, Store};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Who looks at each command as the store applies it: without a result just before, with it just after. A simulation
/// compares what became durable with its ledgers there, whoever lives to see the answer.
pub type Witness = Arc<dyn Fn(&Command, Option<&Applied>) + Send + Sync>;

/// A committer that applies each command at once, after a virtual delay.
#[derive(Clone)]
pub struct InlineCommitter {
    store: Arc<Mutex<Store>>,
    delay: Duration,
    witness: Option<Witness>,
}

impl InlineCommitter {
    /// Drives `store`; each commit takes `delay` of virtual time.
    #[must_use]
    pub fn new(store: Store, delay: Duration) -> Self {
        Self {
            store: Arc::new(Mutex::new(store)),
            delay,
            witness: None,
        }
    }

    /// As [`InlineCommitter::new`], before a witness.
    #[must_use]
    pub fn witnessed(store: Store, delay: Duration, witness: Witness) -> Self {
        Self {
            witness: Some(witness),
            ..Self::new(store, delay)
        }
    }

    fn apply(&self, command: Command) -> Applied {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(witness) = &self.witness else {
            return store.apply(vec![command]);
        };
        witness(&command, None);
        let applied = store.apply(vec![command.clone()]);
        witness(&command, Some(&applied));
        applied
    }

    /// A reader over the same connection.
    #[must_use]
    pub fn reader(&self) -> InlineReader {
        InlineReader {
            store: Arc::clone(&self.store),
        }
    }
}

#[async_trait]
impl Committer for InlineCommitter {
    async fn commit(&self, command: Command) -> Commit {
        // Half before and half after: a crash in between is a commit that is durable and whose answer is lost.
        tokio::time::sleep(self.delay / 2).await;
        let applied = self.apply(command);
        tokio::time::sleep(self.delay / 2).await;
        match applied {
            Applied::Done(mut replies) => replies.pop().map_or(Commit::Stopped, Commit::Done),
            Applied::Full => Commit::Full,
            Applied::Stopped(_) => Commit::Stopped,
        }
    }
}

/// A reader over the store of an [`InlineCommitter`].
#[derive(Clone)]
pub struct InlineReader {
    store: Arc<Mutex<Store>>,
}

#[async_trait]
impl Reader for InlineReader {
    async fn read(&self, query: Query) -> Result<Rows, ReadError> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).read(&query)
    }
}
