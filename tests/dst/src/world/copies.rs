//! Older states of the journal: a copy for a backup, and what a disk holds that lost its last commits.
//!
//! Owns: taking such a state, and putting it in place of the journal while no process lives.
//! Must never: change what a state says.

use super::{World, lock};
use crate::check::Remembered;
use kassette_core::journal::copy;
use kassette_core::parts::WallClock;
use std::path::PathBuf;

/// A state of the journal that was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    file: Vec<u8>,
    log: Vec<u8>,
    known: Remembered,
}

impl World {
    fn log_path(&self) -> PathBuf {
        self.0.journal.with_extension("db-wal")
    }

    /// A backup as the product makes it: the first start on it knows that it is a copy.
    ///
    /// # Panics
    /// When it cannot be made: a finding.
    #[must_use]
    pub fn back_up(&self) -> Kept {
        let to = self.0.journal.with_extension("copy");
        std::fs::remove_file(&to).ok();
        copy(&self.0.journal, &to, self.now()).expect("a living journal can be copied");
        Kept {
            file: std::fs::read(&to).expect("the copy is there"),
            log: Vec::new(),
            known: lock(&self.0.witness).remembers(),
        }
    }

    /// What the disk holds now: put back later, everything committed since is lost and nothing tells so.
    ///
    /// # Panics
    /// When there is no journal yet: a mistake of the test.
    #[must_use]
    pub fn keep_disk(&self) -> Kept {
        Kept {
            file: std::fs::read(&self.0.journal).expect("there is a journal"),
            log: std::fs::read(self.log_path()).unwrap_or_default(),
            known: lock(&self.0.witness).remembers(),
        }
    }

    /// Puts a kept state in place of the journal. The process must be dead.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn put_back(&self, kept: &Kept) {
        self.lose_journal();
        lock(&self.0.witness).goes_back(&self.0.shelf, kept.known.clone());
        std::fs::write(&self.0.journal, &kept.file).expect("the folder can be written");
        if !kept.log.is_empty() {
            std::fs::write(self.log_path(), &kept.log).expect("the folder can be written");
        }
        self.note("an older journal was put in place");
    }

    /// Removes the journal: an empty state folder. The process must be dead.
    pub fn lose_journal(&self) {
        for extension in ["db", "db-wal", "db-shm"] {
            std::fs::remove_file(self.0.journal.with_extension(extension)).ok();
        }
        lock(&self.0.witness).goes_back(&self.0.shelf, Remembered::default());
    }
}
