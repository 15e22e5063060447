//! What troubles a story: each kind as a value that is drawn, strikes, and is lifted again.
//!
//! Owns: the list of troubles, and what each does to the world.
//! Must never: decide when, how often or for how long; that is the story's.

mod journals;
mod lasting;
pub mod models;
mod registers;
mod several;
mod strangers;
pub mod visits;

use crate::check::Allowed;
use crate::draw::Draw;
use crate::play::Play;
use crate::world::{FrameSide, JournalFault};
pub use journals::Older;
use kassette_core::parts::Point;
use kassette_hw_sim::faults::{FaultKind, Trigger};
pub use lasting::Lasting;
pub use several::Several;
use std::collections::BTreeSet;
pub use strangers::Stranger;
pub use visits::Visit;

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// One answer, command, cable or power of a register, at a later command.
    Register {
        /// Which, from 0.
        at: usize,
        /// What.
        kind: FaultKind,
        /// When.
        trigger: Trigger,
    },
    /// Something that stays with a register until it is lifted, from the n-th command of the rack on.
    Lasting {
        /// Which, from 0.
        at: usize,
        /// What.
        what: Lasting,
        /// From which command on.
        nth: u64,
    },
    /// Several registers at once, at the n-th command of the rack.
    Several(Several, u64),
    /// The process is down, and another program uses a register.
    Stranger(usize, Stranger),
    /// The process dies behind the n-th good closing answer, and something befalls the register before its next start.
    Visit(Visit, u32),
    /// The host loses its power at the n-th command, before or after the register has it.
    HostPower(u64, FrameSide),
    /// The process dies at the n-th reach of a point.
    DeathAtPoint(Point, u32),
    /// The process dies at the n-th command, before or after the register has it.
    DeathAtExchange(u64, FrameSide),
    /// The n-th commit meets a fault.
    Journal(u64, JournalFault),
    /// The process dies at the n-th command from now, and an older journal stands when it starts again.
    OlderJournal(Older, u64),
    /// The host's clock jumps, milliseconds.
    HostClock(i64),
    /// Virtual time leaps, hours: shifts grow old.
    Leap(u64),
}

const OWN_NAMES: [&str; 8] = [
    "host-power-cut",
    "death-at-point",
    "death-at-exchange",
    "journal-full",
    "journal-stopped-kept",
    "journal-stopped-lost",
    "host-clock",
    "leap",
];

impl Trouble {
    /// Draws one for a rack of so many registers.
    #[must_use]
    pub fn draw(draw: &mut Draw, registers: usize) -> Self {
        let nth = draw.between(1, 60);
        match draw.below(44) {
            0..=19 => Self::Register {
                at: draw.index(registers),
                kind: registers::kind(draw),
                trigger: registers::trigger(draw),
            },
            20..=25 => Self::lasting(draw, registers, nth),
            26..=28 => Self::Several(Several::draw(draw, registers), nth),
            29 => Self::Stranger(last(registers), Stranger::draw(draw, registers)),
            30..=32 => Self::death(draw),
            33 | 34 => {
                let fault = draw.of_all(&[JournalFault::Full, JournalFault::StoppedKept, JournalFault::StoppedLost]);
                Self::Journal(draw.between(1, 40), fault)
            }
            37 => Self::OlderJournal(Older::draw(draw), nth),
            35 | 36 => Self::Leap(draw.between(1, 30)),
            40 | 41 => Self::Visit(Visit::draw(draw), u32::try_from(draw.between(1, 3)).unwrap_or(1)),
            42 | 43 => Self::HostPower(nth, draw.of_all(&[FrameSide::Before, FrameSide::After])),
            _ => Self::HostClock(draw.of_all(&[-3_600_000, 3_600_000, 86_400_000, 120_000, -120_000])),
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

    /// What may keep a register away for good only befalls the last one, and only where others of its taxpayer are left.
    fn lasting(draw: &mut Draw, registers: usize, nth: u64) -> Self {
        let what = Lasting::draw(draw);
        let at = draw.index(registers);
        let for_good = what.allows(at) != Allowed::NOTHING;
        let (what, at) = match for_good {
            false => (what, at),
            true if registers > 2 => (what, last(registers)),
            true => (Lasting::OtherFn { returns: true }, at),
        };
        Self::Lasting { at, what, nth }
    }

    /// The name of its kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Register { kind, .. } => kind.name(),
            Self::Lasting { what, .. } => what.name(),
            Self::Several(what, _) => what.name(),
            Self::Stranger(_, what) => what.name(),
            Self::Visit(what, _) => what.name(),
            Self::HostPower(..) => "host-power-cut",
            Self::DeathAtPoint(..) => "death-at-point",
            Self::DeathAtExchange(..) => "death-at-exchange",
            Self::Journal(_, fault) => fault.name(),
            Self::OlderJournal(what, _) => what.name(),
            Self::HostClock(_) => "host-clock",
            Self::Leap(_) => "leap",
        }
    }

    /// The names of all effects that stories draw: what coverage is counted by.
    #[must_use]
    pub fn names() -> BTreeSet<&'static str> {
        let lists = [
            &OWN_NAMES[..],
            registers::NAMES,
            lasting::NAMES,
            several::NAMES,
            strangers::NAMES,
            journals::NAMES,
            visits::NAMES,
        ];
        lists.into_iter().flatten().copied().collect()
    }

    /// What a story may leave behind once it has struck.
    #[must_use]
    pub const fn allows(&self) -> Allowed {
        match self {
            Self::Lasting { at, what, .. } => what.allows(*at),
            Self::Stranger(at, what) => what.allows(*at),
            Self::OlderJournal(..) => Allowed::FORGOTTEN,
            _ => Allowed::NOTHING,
        }
    }

    /// Lets it strike.
    pub async fn strike(&self, play: &mut Play) {
        play.world.struck(self.name(), self);
        play.allowed = play.allowed.or(self.allows());
        match self {
            Self::Register { at, kind, trigger } => play.fault(*at, kind.clone(), trigger.clone()),
            Self::Lasting { at, what, nth } => what.strike(play, *at, *nth),
            Self::Several(what, nth) => what.strike(play, *nth),
            Self::Stranger(at, what) => what.strike(play, *at).await,
            Self::OlderJournal(what, nth) => what.strike(play, *nth).await,
            Self::Visit(what, nth) => what.strike(play, *nth),
            Self::HostPower(nth, side) => play.world.host_power_at_exchange(*nth, *side),
            Self::DeathAtPoint(point, nth) => play.world.kill_at(*point, *nth),
            Self::DeathAtExchange(nth, side) => play.world.kill_at_exchange(*nth, *side),
            Self::Journal(nth, fault) => play.world.fail_commit(*nth, *fault),
            Self::HostClock(millis) => {
                play.world.move_host_clock(*millis);
                play.world.took_effect(self.name());
            }
            Self::Leap(hours) => {
                tokio::time::advance(std::time::Duration::from_secs(3600 * hours)).await;
                play.world.took_effect(self.name());
            }
        }
    }

    /// Ends it, as far as it does not end by itself.
    pub async fn lift(&self, draw: &mut Draw, play: &mut Play) {
        play.world.nothing_later();
        match self {
            Self::Register { at, .. } => registers::mend(draw, play, *at),
            Self::Lasting { at, what, .. } => what.lift(play, *at),
            Self::Several(..) => registers::mend_all(draw, play),
            Self::HostClock(millis) => play.world.move_host_clock(-millis),
            Self::Stranger(..)
            | Self::Leap(_)
            | Self::OlderJournal(..)
            | Self::Visit(..)
            | Self::HostPower(..)
            | Self::DeathAtPoint(..)
            | Self::DeathAtExchange(..)
            | Self::Journal(..) => {}
        }
    }
}

const fn last(registers: usize) -> usize {
    registers.saturating_sub(1)
}

/// Ends everything that still waits to strike the process, and brings every register back.
pub async fn lift_all(draw: &mut Draw, play: &mut Play) {
    play.world.spare_the_process();
    play.world.nothing_later();
    registers::mend_all(draw, play);
    for at in 0..play.file.registers.len() {
        set_clock(play, at);
    }
}

/// A person sets a register's clock right where the rack may not: further off than it corrects by itself.
fn set_clock(play: &Play, at: usize) {
    let seen = play.world.bench().observe(play.serial(at));
    let off = seen.map_or(0, |seen| seen.device.clock_skew_seconds);
    if off.abs() > CLOCK_OFF_S {
        play.fault(at, FaultKind::ClockSkew { seconds: -off }, Trigger::Now);
    }
}

/// What the rack sets right by itself, seconds (design 5, "Clock").
const CLOCK_OFF_S: i64 = 300;
