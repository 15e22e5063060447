//! The journal's disk and its troubles.
//!
//! Owns: what a commit meets.
//! Must never: change what a commit says, but for the trouble that was asked for.

use super::{World, lock};
use async_trait::async_trait;
use kassette_core::journal::{Command, Commit, Committer, InlineCommitter};

/// What happens to one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalFault {
    /// The disk is full: rolled back, nothing changed.
    Full,
    /// The answer is lost, the rows are on the disk.
    StoppedKept,
    /// The answer is lost, and the rows with it.
    StoppedLost,
}

impl JournalFault {
    /// Its name among the troubles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "journal-full",
            Self::StoppedKept => "journal-stopped-kept",
            Self::StoppedLost => "journal-stopped-lost",
        }
    }
}

/// The committer of the simulation with the disk's troubles in front of it.
pub(super) struct TroubledCommitter {
    pub(super) world: World,
    pub(super) inner: InlineCommitter,
}

#[async_trait]
impl Committer for TroubledCommitter {
    async fn commit(&self, command: Command) -> Commit {
        let fault = self.world.fault_of_commit();
        if let Some(fault) = fault {
            self.world.note(format_args!("commit meets {fault:?}"));
        }
        match fault {
            None => self.inner.commit(command).await,
            Some(JournalFault::Full) => Commit::Full,
            Some(JournalFault::StoppedLost) => Commit::Stopped,
            Some(JournalFault::StoppedKept) => {
                self.inner.commit(command).await;
                Commit::Stopped
            }
        }
    }
}

impl World {
    /// What a loss of power leaves of the journal: all of it where each commit waits for the disk; else the file as the
    /// log was last folded into it, which a start and an orderly end do.
    pub(super) fn lose_what_was_not_synced(&self) {
        if !*lock(&self.0.synced) {
            // The process still has the file open; it is put in its place before the next start.
            std::fs::copy(&self.0.journal, self.0.journal.with_extension("left")).expect("a copy in memory");
        }
    }

    /// Puts what a loss of power left in the place of the journal.
    pub(super) fn restore_after_power(&self) {
        let left = self.0.journal.with_extension("left");
        if left.exists() {
            for log in ["db-wal", "db-shm"] {
                std::fs::remove_file(self.0.journal.with_extension(log)).ok();
            }
            std::fs::rename(left, &self.0.journal).expect("a file in memory is moved");
        }
    }
}
