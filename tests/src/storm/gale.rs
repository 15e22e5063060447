//! The faults of one register, one after the other.
//!
//! Owns: arming, waiting until a fault has happened, and peace between faults.
//! Must never: hold a fault back because the daemon is in trouble already, or count one that did not happen.

use super::dice::Dice;
use super::technician::Technician;
use super::weather::{Deck, Kind, Squall};
use crate::control::Event;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long a fault may wait for its command before the register is looked after.
const HAPPENS_WITHIN: Duration = Duration::from_secs(4);
/// How long the daemon may take to make a document again by itself before a technician looks.
const RECOVERS_WITHIN: Duration = Duration::from_secs(6);
/// Longest single wait for an event: the end of the storm is looked at in between.
const STEP: Duration = Duration::from_millis(500);
/// How often a technician comes to one register after one fault.
const VISITS_MAX: u32 = 8;

/// Faults that happened, by kind.
pub type Happened = BTreeMap<Kind, u64>;

/// The faults of one register.
pub struct Gale {
    technician: Technician,
    deck: Deck,
    dice: Dice,
    last: u64,
    /// A fault did not happen in time and may still come.
    late: bool,
    happened: Happened,
}

impl Gale {
    /// The gale over the register of a technician.
    #[must_use]
    pub const fn new(technician: Technician, deck: Deck, dice: Dice) -> Self {
        Self {
            technician,
            deck,
            dice,
            last: 0,
            late: false,
            happened: BTreeMap::new(),
        }
    }

    /// Blows until the storm is over, then puts everything right.
    ///
    /// # Errors
    /// When the simulator's control port fails.
    pub fn blow(mut self) -> anyhow::Result<Happened> {
        while !self.over() {
            let squall = self.deck.draw();
            let lives = self.simulator_lives();
            match self.one(&squall) {
                Ok(()) => {}
                // The simulator was killed meanwhile: what it was to do went with it.
                Err(_) if self.simulator_lives() != lives || lives % 2 == 1 => thread::sleep(STEP),
                Err(error) => {
                    let whose = format!("register {}: {squall:?}", self.technician.serial);
                    return Err(error.context(whose));
                }
            }
        }
        self.technician.put_right(self.late)?;
        Ok(self.happened)
    }

    fn simulator_lives(&self) -> u64 {
        self.technician.sky.simulator_lives.load(Ordering::SeqCst)
    }

    /// A fault, what follows from it, and peace.
    fn one(&mut self, squall: &Squall) -> anyhow::Result<()> {
        self.last = self.technician.observe()?.last_event;
        self.squall(squall)?;
        self.recover()?;
        self.peace(squall.peace)
    }

    fn over(&self) -> bool {
        self.technician.sky.is_calm()
    }

    /// Events since the last look, waiting up to a step for the first.
    fn events(&mut self) -> anyhow::Result<Vec<Event>> {
        let Technician { sky, serial, .. } = &self.technician;
        let events = sky.control.events(serial, self.last, STEP)?;
        self.last = events.last().map_or(self.last, |event| event.seq);
        Ok(events)
    }

    fn count(&mut self, kind: Kind) {
        *self.happened.entry(kind).or_default() += 1;
    }

    fn squall(&mut self, squall: &Squall) -> anyhow::Result<()> {
        let happened = match &squall.fault {
            None => self.technician.swap(&mut self.dice)?,
            Some(fault) => {
                self.technician.fault(fault)?;
                self.happens()?
            }
        };
        if happened {
            self.count(squall.kind);
            self.follow_up(squall)?;
        }
        if squall.kind.lasts() {
            // How long it lasts is part of the fault; nothing is waited for.
            thread::sleep(squall.lasts);
        }
        self.technician.undo(squall.kind, &mut self.dice)
    }

    /// The second fault, which falls into what the daemon does about the first.
    fn follow_up(&mut self, squall: &Squall) -> anyhow::Result<()> {
        let Some((kind, second)) = &squall.second else {
            return Ok(());
        };
        self.technician.fault(second)?;
        if self.happens()? {
            self.count(*kind);
        }
        Ok(())
    }

    /// Waits until nothing is armed any more. A register without work may never come to the command.
    fn happens(&mut self) -> anyhow::Result<bool> {
        let until = Instant::now() + HAPPENS_WITHIN;
        let mut visited = false;
        loop {
            if self.technician.observe()?.armed_faults == 0 {
                return Ok(true);
            }
            if Instant::now() >= until {
                self.late = true;
                if visited || self.over() {
                    return Ok(false);
                }
                visited = true;
                self.technician.visit(self.late)?;
            }
            self.events()?;
        }
    }

    /// Waits for a document. A technician comes when there is none for a while, as one would after an alarm.
    fn recover(&mut self) -> anyhow::Result<()> {
        for _ in 0..VISITS_MAX {
            let until = Instant::now() + RECOVERS_WITHIN;
            while Instant::now() < until {
                if self.over() || self.events()?.iter().any(|event| event.fd.is_some()) {
                    return Ok(());
                }
                if self.technician.is_left_alone() {
                    break;
                }
            }
            self.technician.visit(self.late)?;
        }
        Ok(())
    }

    /// So many documents without a fault; fewer when there is no work.
    fn peace(&mut self, documents: u64) -> anyhow::Result<()> {
        let (mut made, mut until) = (0, Instant::now() + RECOVERS_WITHIN);
        while made < documents && !self.over() && Instant::now() < until {
            let new = self.events()?.iter().filter(|event| event.fd.is_some()).count();
            if new > 0 {
                until = Instant::now() + RECOVERS_WITHIN;
            }
            made += u64::try_from(new)?;
        }
        Ok(())
    }
}
