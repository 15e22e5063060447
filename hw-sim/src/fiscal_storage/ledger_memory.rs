//! Ledgers and memories of simulated registers in one process.
//!
//! Owns: the handle that outlives a register, so that a test can kill it and start it again.
//! Must never: write a file.

use super::ledger::{LedgerError, LedgerStore, Record, Shelf};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Kept {
    ledgers: BTreeMap<String, Vec<Record>>,
    memories: BTreeMap<String, Vec<u8>>,
}

/// A shelf in memory. Clones share their content, so a test can drop a register and start it again.
#[derive(Debug, Clone, Default)]
pub struct MemoryShelf(Arc<Mutex<Kept>>);

impl MemoryShelf {
    /// An empty shelf.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Every change under the lock is one step, so a panic elsewhere leaves whole content.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All documents of an FN.
    #[must_use]
    pub fn records(&self, fn_number: &str) -> Vec<Record> {
        self.kept().ledgers.get(fn_number).cloned().unwrap_or_default()
    }

    /// The documents of every FN above the last that the caller knows of it, in the order of FNs and documents.
    #[must_use]
    pub fn above(&self, known: impl Fn(&str) -> usize) -> Vec<(String, Record)> {
        let kept = self.kept();
        let new = kept.ledgers.iter().flat_map(|(number, records)| {
            let new = records.get(known(number)..).unwrap_or_default();
            new.iter().map(|record| (number.clone(), record.clone()))
        });
        new.collect()
    }

    /// The numbers of the FNs that lie here.
    #[must_use]
    pub fn fns(&self) -> Vec<String> {
        self.kept().ledgers.keys().cloned().collect()
    }
}

/// A handle to one FN's documents in a [`MemoryShelf`].
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    shelf: MemoryShelf,
    fn_number: String,
}

impl LedgerStore for MemoryLedger {
    fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        let mut kept = self.shelf.kept();
        let records = kept.ledgers.entry(self.fn_number.clone()).or_default();
        let expected = records.len() as u32 + 1;
        if record.fd != expected {
            let path = PathBuf::from(&self.fn_number);
            return Err(LedgerError::Order {
                path,
                expected,
                found: record.fd,
            });
        }
        records.push(record.clone());
        Ok(())
    }

    fn last_fd(&self) -> u32 {
        self.shelf
            .kept()
            .ledgers
            .get(&self.fn_number)
            .map_or(0, |r| r.len() as u32)
    }

    fn read(&self, fd: u32) -> Result<Option<Record>, LedgerError> {
        let kept = self.shelf.kept();
        let records = kept.ledgers.get(&self.fn_number);
        Ok(fd.checked_sub(1).and_then(|i| records?.get(i as usize).cloned()))
    }
}

impl Shelf for MemoryShelf {
    fn ledger(&mut self, fn_number: &str) -> Result<Box<dyn LedgerStore>, LedgerError> {
        self.kept().ledgers.entry(fn_number.to_owned()).or_default();
        Ok(Box::new(MemoryLedger {
            shelf: self.clone(),
            fn_number: fn_number.to_owned(),
        }))
    }

    fn memory(&self, serial: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.kept().memories.get(serial).cloned())
    }

    fn remember(&mut self, serial: &str, content: &[u8]) -> Result<(), LedgerError> {
        self.kept().memories.insert(serial.to_owned(), content.to_vec());
        Ok(())
    }
}
