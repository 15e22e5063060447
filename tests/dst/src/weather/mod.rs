//! What troubles a story: each kind as a value that is drawn, strikes, and is lifted again.
//!
//! Owns: the list of troubles, and what each does to the world.
//! Must never: decide when, how often or for how long; that is the story's.

mod registers;

use crate::draw::Draw;
use crate::play::Play;
use crate::world::{FrameSide, JournalFault};
use kassette_core::parts::Point;
use kassette_hw_sim::faults::{FaultKind, Trigger};
use std::collections::BTreeSet;

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A register, its cable, its power or its FN does something, now or at a later command.
    Register {
        /// Which, from 0.
        at: usize,
        /// What.
        kind: FaultKind,
        /// When.
        trigger: Trigger,
    },
    /// The process dies at the n-th reach of a point.
    DeathAtPoint(Point, u32),
    /// The process dies at the n-th command, before or after the register has it.
    DeathAtExchange(u64, FrameSide),
    /// The n-th commit meets a fault.
    Journal(u64, JournalFault),
    /// The host's clock jumps, milliseconds.
    HostClock(i64),
}

impl Trouble {
    /// Draws one for a rack of so many registers.
    #[must_use]
    pub fn draw(draw: &mut Draw, registers: usize) -> Self {
        match draw.below(20) {
            0..=12 => Self::Register {
                at: draw.index(registers),
                kind: registers::kind(draw),
                trigger: registers::trigger(draw),
            },
            13..=15 => Self::death(draw),
            16 | 17 => {
                let fault = draw.of_all(&[JournalFault::Full, JournalFault::StoppedKept, JournalFault::StoppedLost]);
                Self::Journal(draw.between(1, 40), fault)
            }
            _ => Self::HostClock(draw.of_all(&[-3_600_000, 3_600_000, 120_000, -120_000])),
        }
    }

    /// Draws a death of the process.
    #[must_use]
    pub fn death(draw: &mut Draw) -> Self {
        if draw.chance(50) {
            let side = draw.of_all(&[FrameSide::Before, FrameSide::After]);
            return Self::DeathAtExchange(draw.between(1, 60), side);
        }
        let nth = u32::try_from(draw.between(1, 3)).unwrap_or(1);
        Self::DeathAtPoint(draw.of_all(Point::ALL), nth)
    }

    /// The name of its kind: what coverage is counted by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Register { kind, .. } => registers::name(kind),
            Self::DeathAtPoint(..) => "death-at-point",
            Self::DeathAtExchange(..) => "death-at-exchange",
            Self::Journal(_, JournalFault::Full) => "journal-full",
            Self::Journal(_, JournalFault::StoppedKept) => "journal-stopped-kept",
            Self::Journal(_, JournalFault::StoppedLost) => "journal-stopped-lost",
            Self::HostClock(_) => "host-clock",
        }
    }

    /// The names of all kinds that stories draw.
    #[must_use]
    pub fn names() -> BTreeSet<&'static str> {
        let own = [
            "death-at-point",
            "death-at-exchange",
            "journal-full",
            "journal-stopped-kept",
            "journal-stopped-lost",
            "host-clock",
        ];
        own.into_iter().chain(registers::NAMES.iter().copied()).collect()
    }

    /// Lets it strike.
    pub async fn strike(&self, play: &mut Play) {
        play.world.struck(self.name(), self);
        match self {
            Self::Register { at, kind, trigger } => play.fault(*at, kind.clone(), trigger.clone()),
            Self::DeathAtPoint(point, nth) => play.world.kill_at(*point, *nth),
            Self::DeathAtExchange(nth, side) => play.world.kill_at_exchange(*nth, *side),
            Self::Journal(nth, fault) => play.world.fail_commit(*nth, *fault),
            Self::HostClock(millis) => play.world.move_host_clock(*millis),
        }
    }

    /// Ends it, as far as it does not end by itself.
    pub async fn lift(&self, draw: &mut Draw, play: &mut Play) {
        match self {
            Self::Register { at, .. } => registers::mend(draw, play, *at),
            Self::HostClock(millis) => play.world.move_host_clock(-millis),
            Self::DeathAtPoint(..) | Self::DeathAtExchange(..) | Self::Journal(..) => {}
        }
    }
}

/// Ends everything that still waits to strike the process, and brings every register back.
pub async fn lift_all(draw: &mut Draw, play: &mut Play) {
    play.world.spare_the_process();
    for at in 0..play.file.registers.len() {
        registers::mend(draw, play, at);
    }
}
