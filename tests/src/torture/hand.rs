//! What is done to the programs themselves: kills, hangs, stops, a dead simulator, a full disk.
//!
//! Owns: when the next of them comes, which it is, and bringing everything back after it.
//! Must never: spare the daemon because it has just started, or count what did not happen.

use super::disk::OwnDisk;
use crate::storm::dice::Dice;
use crate::storm::field::Field;
use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use serde::Serialize;
use std::thread;
use std::time::{Duration, Instant};

/// A daemon may need several starts while its disk is full; longer than this it is a finding.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two tries to start.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// Longest hang of the daemon, milliseconds.
const HANG_MAX_MS: u64 = 3000;
/// Longest time without room on the disk, milliseconds.
const FULL_MAX_MS: u64 = 4000;

/// What happened to the programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The daemon was killed.
    pub kills: usize,
    /// The daemon was stopped in order.
    pub stops: usize,
    /// The daemon hung for a while.
    pub hangs: usize,
    /// The simulator was killed.
    pub simulator_kills: usize,
    /// The disk was full for a while.
    pub disk_fills: usize,
    /// The daemon ended by itself, as it does after a commit of unknown end.
    pub own_ends: usize,
    /// Starts that failed and were tried again.
    pub failed_starts: usize,
}

/// Whoever does it.
pub(crate) struct Hand {
    dice: Dice,
    disk: Option<OwnDisk>,
    done: Done,
}

impl Hand {
    /// By this seed; the disk can be filled if it is one of our own.
    #[must_use]
    pub fn new(seed: u64, disk: Option<OwnDisk>) -> Self {
        Self {
            dice: Dice::of(seed, "hand"),
            disk,
            done: Done::default(),
        }
    }

    /// Until the time is over: so many kills spread over it, and the other things between them.
    ///
    /// # Errors
    /// When a program cannot be brought back.
    pub fn work(&mut self, field: &mut Field, until: Instant, kills: usize) -> anyhow::Result<()> {
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let open = kills.saturating_sub(self.done.kills).max(1);
            // Half to one and a half of the even share, which the other things also take their time from.
            let share = u64::try_from(left.as_millis())? / u64::try_from(open)?;
            thread::sleep(Duration::from_millis(self.dice.between(share / 4, share)).min(left));
            self.look_after(field)?;
            if self.dice.percent(40) {
                self.other(field)?;
            }
            if self.done.kills < kills {
                self.kill(field)?;
            }
        }
        // Of the kills that time ran out for.
        while self.done.kills < kills {
            self.kill(field)?;
            thread::sleep(Duration::from_millis(self.dice.between(20, 500)));
        }
        self.calm(field)
    }

    /// Everything runs and has room.
    fn calm(&mut self, field: &mut Field) -> anyhow::Result<()> {
        if let Some(disk) = &self.disk {
            disk.free()?;
        }
        self.look_after(field)
    }

    /// Starts the daemon again if it has ended by itself.
    fn look_after(&mut self, field: &mut Field) -> anyhow::Result<()> {
        if let Some(ended) = field.rack.daemon()?.has_ended()? {
            println!("the daemon ended by itself: {ended}");
            self.done.own_ends += 1;
            drop(field.rack.take_daemon()?);
            self.start(field)?;
        }
        Ok(())
    }

    fn kill(&mut self, field: &mut Field) -> anyhow::Result<()> {
        // A daemon that hangs is killed as well as one that works.
        if self.dice.percent(10) {
            field.rack.daemon()?.signal(Signal::SIGSTOP)?;
            thread::sleep(Duration::from_millis(self.dice.between(1, 300)));
        }
        field.rack.take_daemon()?.kill()?;
        self.done.kills += 1;
        // Some time without a daemon: registers go on, clients repeat.
        thread::sleep(Duration::from_millis(self.dice.between(0, 400)));
        self.start(field)
    }

    fn start(&mut self, field: &mut Field) -> anyhow::Result<()> {
        let until = Instant::now() + STARTS_WITHIN;
        loop {
            let error = match field.rack.start_daemon() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.done.failed_starts += 1;
            if Instant::now() >= until {
                return Err(error).context("the daemon does not start any more");
            }
            if let Some(disk) = &self.disk {
                // A start on a full disk may be refused; an operator makes room.
                disk.free()?;
            }
            thread::sleep(AGAIN_AFTER);
        }
    }

    fn other(&mut self, field: &mut Field) -> anyhow::Result<()> {
        match self.dice.between(0, 99) {
            0..=39 => self.hang(field),
            40..=59 => self.stop(field),
            60..=79 => self.kill_simulator(field),
            _ => self.fill(field),
        }
    }

    fn hang(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.rack.daemon()?.signal(Signal::SIGSTOP)?;
        thread::sleep(Duration::from_millis(self.dice.between(100, HANG_MAX_MS)));
        field.rack.daemon()?.signal(Signal::SIGCONT)?;
        self.done.hangs += 1;
        Ok(())
    }

    fn stop(&mut self, field: &mut Field) -> anyhow::Result<()> {
        let ended = field.rack.take_daemon()?.stop()?;
        if !ended.success() {
            bail!("the daemon did not stop in order: {ended}");
        }
        self.done.stops += 1;
        self.start(field)
    }

    fn kill_simulator(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.restart_simulator()?;
        self.done.simulator_kills += 1;
        Ok(())
    }

    /// The disk is full for a while, in half of the cases also while the daemon is killed and started.
    fn fill(&mut self, field: &mut Field) -> anyhow::Result<()> {
        let Some(disk) = &self.disk else {
            return self.hang(field);
        };
        disk.fill()?;
        self.done.disk_fills += 1;
        thread::sleep(Duration::from_millis(self.dice.between(200, FULL_MAX_MS)));
        if self.dice.percent(50) {
            self.look_after(field)?;
            self.kill(field)?;
        }
        if let Some(disk) = &self.disk {
            disk.free()?;
        }
        self.look_after(field)
    }

    /// What happened, and the disk, which must outlive the comparison.
    #[must_use]
    pub fn done(self) -> (Done, Option<OwnDisk>) {
        (self.done, self.disk)
    }
}
