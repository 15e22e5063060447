//! Troubles of one register: its answers, its cable, its power.
//!
//! Owns: what is drawn of the simulator's faults, and how each is mended.
//! Must never: leave a register without cable or power once it is mended.

use crate::draw::Draw;
use crate::play::Play;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};

/// Commands that a fault waits for: reads before a receipt, each command of a receipt, the state, shifts and reads back.
const COMMANDS: &[&str] = &[
    "8D", "FF46", "FF4D", "FF0C", "FF45", "FF45", "FF45", "FF0B", "FF01", "11", "FF3A", "FF3B", "10",
];
/// Codes after which a register goes on by itself; those that isolate a unit have tests of their own.
const CODES: &[u8] = &[0x02, 0x33, 0x37, 0x45, 0x4A, 0x50, 0x55, 0x58, 0x72, 0x73, 0xC0, 0xEE];

/// The names of the kinds that [`kind`] draws.
pub(super) const NAMES: &[&str] = &[
    "reply-lost",
    "hang",
    "garbled",
    "error-code",
    "power-cut",
    "stale-reply",
    "late-reply",
    "unplugged",
];

/// The name of a kind.
pub(super) const fn name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::DropReply { .. } => "reply-lost",
        FaultKind::Hang { .. } => "hang",
        FaultKind::Garble => "garbled",
        FaultKind::Error { .. } => "error-code",
        FaultKind::PowerCut { .. } => "power-cut",
        FaultKind::StaleReply { .. } => "stale-reply",
        FaultKind::LateReply { .. } => "late-reply",
        FaultKind::Unplug { .. } => "unplugged",
        _ => "other",
    }
}

fn when(draw: &mut Draw) -> When {
    draw.of_all(&[When::Before, When::After])
}

/// When it happens.
pub(super) fn trigger(draw: &mut Draw) -> Trigger {
    if draw.chance(30) {
        return Trigger::NthExchange(draw.between(1, 25));
    }
    Trigger::Command {
        code: draw.of_all(COMMANDS).into(),
        nth: draw.between(1, 3),
    }
}

/// What happens.
pub(super) fn kind(draw: &mut Draw) -> FaultKind {
    let when = when(draw);
    match draw.below(11) {
        0 | 1 => FaultKind::DropReply { when },
        2 => FaultKind::Hang {
            for_ms: Some(200 + draw.below(60_000)),
            when,
        },
        3 => FaultKind::Garble,
        4 | 5 => FaultKind::Error {
            code: draw.of_all(CODES),
            when,
        },
        6 | 7 => FaultKind::PowerCut {
            when,
            down_ms: draw.below(20_000),
        },
        8 => FaultKind::StaleReply {
            of: draw.chance(50).then(|| draw.of_all(COMMANDS).into()),
        },
        9 => FaultKind::LateReply {
            by_ms: draw.below(60_000),
        },
        _ => FaultKind::Unplug { when },
    }
}

/// Puts the cable in; a register whose cable was drawn may come back under a name of its own.
pub(super) fn mend(draw: &mut Draw, play: &Play, at: usize) {
    let Some(seen) = play.world.bench().observe(play.serial(at)) else {
        return;
    };
    if !seen.plugged {
        let other = if seen.name == play.serial(at) {
            Play::spare(at)
        } else {
            play.serial(at).to_owned()
        };
        let name = draw.chance(50).then_some(other);
        play.fault(at, FaultKind::Replug { name }, Trigger::Now);
    }
}
