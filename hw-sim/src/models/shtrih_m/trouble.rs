//! Faults of the device itself: power, cable, FN, clock, paper.
//!
//! Owns: what each does to the register.
//! Must never: touch a document that stands in an FN.

use super::answering::Past;
use super::device::habits;
use super::memory::Memory;
use super::register::{Hang, Register, Stage};
use super::start;
use crate::faults::{FaultError, FaultKind};
use crate::fiscal_storage::{FiscalStorage, FnConfig, Relay, Troubles};
use crate::machine::Output;
use crate::moment::Moment;
use kassette_wire::shtrih::TableCell;
use std::time::Duration;

impl Register {
    /// Makes a fault happen at once. Faults of an answer do nothing here.
    pub(super) fn perform(&mut self, kind: FaultKind, now: Moment) -> Result<(), FaultError> {
        match kind {
            FaultKind::Unplug { .. } => self.outbox.push_back((now.elapsed, Output::Unplug)),
            FaultKind::Replug { name } => self.outbox.push_back((now.elapsed, Output::Replug { name })),
            FaultKind::Hang { for_ms, .. } => {
                self.link.reset();
                self.hang = for_ms.map_or(Hang::Forever, |ms| Hang::Until(now.elapsed + Duration::from_millis(ms)));
            }
            FaultKind::PowerCut { down_ms, .. } => self.power_off(down_ms, now),
            FaultKind::Slow { add_ms } => self.add_ms = add_ms,
            FaultKind::Paper { present } => self.device.set_paper(present, now),
            FaultKind::ClockSkew { seconds } => {
                self.device.clock.jump(seconds);
                self.device.keep_clock();
            }
            FaultKind::TableValue {
                table,
                row,
                field,
                value,
            } => {
                let asked = TableCell::new(table, row, field);
                self.device.defects.set_value(asked, value.as_deref())?;
            }
            FaultKind::Setting {
                table,
                row,
                field,
                value,
            } => self
                .device
                .set_at_its_keys(TableCell::new(table, row, field), &value, now),
            FaultKind::RefuseTag { tag, code } => self.device.defects.set_tag(tag, code),
            FaultKind::MiswriteTag { tag, value } => self.device.defects.set_miswritten(tag, value.as_deref())?,
            FaultKind::CutTlv { keep } => self.device.defects.set_cut(keep),
            other => self.trouble_fn(other, now)?,
        }
        self.device.memory.troubles = self.device.storage.troubles;
        self.device.memory_changed = true;
        self.remember().map_err(|error| FaultError::Fn(error.to_string()))
    }

    fn trouble_fn(&mut self, kind: FaultKind, now: Moment) -> Result<(), FaultError> {
        let storage = &mut self.device.storage;
        match kind {
            FaultKind::FnFault { code } => storage.troubles.code = Some(code).filter(|c| *c != 0),
            FaultKind::FnFill => storage.troubles.full = true,
            FaultKind::FnExpire => storage.troubles.expired = true,
            FaultKind::OfdDown { down } => storage.set_ofd_down(down, now),
            FaultKind::FnReplace {
                number,
                phase,
                documents_left,
                expiry,
            } => {
                self.replace_fn(
                    FnConfig {
                        number,
                        phase,
                        documents_left,
                        expiry,
                    },
                    now,
                )?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The old answer is not kept over a loss of power, an open document neither (1.2).
    fn power_off(&mut self, down_ms: u64, now: Moment) {
        self.device.lose_power();
        self.link.lose_power();
        self.stage = Stage::Idle;
        self.hang = Hang::No;
        self.outbox.clear();
        self.echoes.clear();
        self.outbox.push_back((now.elapsed, Output::Close));
        self.past = Past::default();
        self.power_at = Some(now.elapsed + Duration::from_millis(down_ms));
    }

    /// Puts another FN in, whole or not at all; the register is switched off for it.
    fn replace_fn(&mut self, unit: FnConfig, now: Moment) -> Result<(), FaultError> {
        let failed = |error: &dyn std::fmt::Display| FaultError::Fn(error.to_string());
        let ledger = self.shelf.ledger(&unit.number).map_err(|e| failed(&e))?;
        let habits = habits(&self.device.config);
        let storage = FiscalStorage::open(unit.clone(), habits, ledger, Troubles::default(), Relay::default())
            .map_err(|e| failed(&e))?;
        let old = std::mem::replace(&mut self.device.storage, storage);
        if let Err(error) = start::register_fresh(&mut self.device, now) {
            self.device.storage = old;
            return Err(failed(&error));
        }
        let sums = old.life_totals().map(|totals| totals.total);
        self.device.keep_totals(old.number().to_owned(), sums);
        self.device.memory = Memory {
            fn_unit: unit,
            troubles: Troubles::default(),
            relay: Relay::default(),
            registered: None,
            ..self.device.memory.clone()
        };
        self.device.show_registration();
        self.device.recount();
        self.device.follow_tables(now);
        self.power_off(0, now);
        Ok(())
    }
}
