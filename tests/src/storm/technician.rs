//! What people do about a register in trouble: the own FN, power, clock and paper, and the cable seated anew.
//!
//! Owns: putting right what a fault changed for good.
//! Must never: do to the daemon what no technician at the rack could do.

use super::cables::Cables;
use super::dice::Dice;
use super::weather::Kind;
use crate::api::Api;
use crate::control::{Control, Observed};
use kassette_api::v1::UnitState;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the threads of a storm share.
#[derive(Debug)]
pub struct Sky {
    /// The daemon.
    pub api: Api,
    /// The simulator.
    pub control: Control,
    /// Who stands where.
    pub cables: Mutex<Cables>,
    /// Set when no further fault may begin.
    pub calm: AtomicBool,
    /// Counts up when the simulator goes away and when it is back: odd while it is away.
    pub simulator_lives: AtomicU64,
}

impl Sky {
    /// Whether no further fault may begin.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(super) fn cables(&self) -> MutexGuard<'_, Cables> {
        self.cables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who looks after one register.
#[derive(Debug)]
pub struct Technician {
    pub(super) sky: Arc<Sky>,
    pub(super) serial: String,
    fn_number: String,
}

impl Technician {
    /// The technician of register `serial` with its own FN.
    #[must_use]
    pub fn new(sky: Arc<Sky>, (serial, fn_number): (String, String)) -> Self {
        Self { sky, serial, fn_number }
    }

    pub(super) fn observe(&self) -> anyhow::Result<Observed> {
        self.sky.control.observe(&self.serial)
    }

    pub(super) fn fault(&self, fault: &Value) -> anyhow::Result<()> {
        self.sky.control.fault(&self.serial, fault)
    }

    /// Puts right what a fault of this kind left behind; most end by themselves.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn undo(&self, kind: Kind, dice: &mut Dice) -> anyhow::Result<()> {
        match kind {
            Kind::Unplug => self.plug_in(None),
            Kind::ReplugElsewhere => self.plug_in(Some(dice)),
            Kind::FnFault => self.fault(&json!({ "kind": { "fn_fault": { "code": 0 } } })),
            Kind::Paper => self.fault(&json!({ "kind": { "paper": { "present": true } } })),
            Kind::Slow => self.fault(&json!({ "kind": { "slow": { "add_ms": 0 } } })),
            Kind::ClockSkew => self.set_clock(),
            Kind::FnFill | Kind::FnExpire | Kind::FnReplace => self.own_fn(),
            _ => Ok(()),
        }
    }

    fn set_clock(&self) -> anyhow::Result<()> {
        match -self.observe()?.clock_skew_seconds {
            0 => Ok(()),
            seconds => self.fault(&json!({ "kind": { "clock_skew": { "seconds": seconds } } })),
        }
    }

    /// The own FN, fit for work.
    fn own_fn(&self) -> anyhow::Result<()> {
        let unit = json!({
            "number": self.fn_number, "phase": "fiscal", "documents_left": 250_000, "expiry": "2028-11-22",
        });
        self.fault(&json!({ "kind": { "fn_replace": unit } }))
    }

    fn plug_in(&self, elsewhere: Option<&mut Dice>) -> anyhow::Result<()> {
        let mut cables = self.sky.cables();
        let moved = elsewhere.and_then(|dice| cables.elsewhere(&self.serial, dice));
        let name = moved.or_else(|| cables.name(&self.serial).map(str::to_owned));
        self.sky.control.replug(&self.serial, name.as_deref())
    }

    /// Two registers change ports; false when there is no other.
    pub(super) fn swap(&self, dice: &mut Dice) -> anyhow::Result<bool> {
        let mut cables = self.sky.cables();
        let Some(other) = cables.other(&self.serial, dice) else {
            return Ok(false);
        };
        self.sky.control.swap(&self.serial, &other)?;
        cables.swap(&self.serial, &other);
        Ok(true)
    }

    /// Whether the daemon leaves the register alone until a person acts.
    pub(super) fn is_left_alone(&self) -> bool {
        const LEFT_ALONE: [UnitState; 4] = [
            UnitState::Quarantined,
            UnitState::Foreign,
            UnitState::Blank,
            UnitState::Draining,
        ];
        // A daemon that was killed answers nothing; that is no state of the register.
        let registers = self.sky.api.registers().unwrap_or_default();
        let own = registers.iter().find(|one| one.serial == self.serial);
        own.is_some_and(|one| LEFT_ALONE.contains(&one.state()))
    }

    /// Everything is put right, then the cable is seated anew.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn visit(&self, fn_doubtful: bool) -> anyhow::Result<()> {
        self.put_right(fn_doubtful)?;
        self.sky.control.unplug(&self.serial)?;
        self.plug_in(None)
    }

    /// Everything is put right; the FN too if it may have been spoiled in a way that cannot be seen from outside.
    pub(super) fn put_right(&self, fn_doubtful: bool) -> anyhow::Result<()> {
        let mut unused = Dice::of(0, "nothing here is drawn");
        for kind in [Kind::FnFault, Kind::Paper, Kind::Slow] {
            self.undo(kind, &mut unused)?;
        }
        if fn_doubtful || self.observe()?.fn_number != self.fn_number {
            self.own_fn()?;
        }
        self.set_clock()?;
        if self.observe()?.port.is_none() {
            self.plug_in(None)?;
        }
        Ok(())
    }
}
