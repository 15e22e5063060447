//! Troubles of one register: its answers, its cable, its power.
//!
//! Owns: what is drawn of the simulator's faults, and how each is mended.
//! Must never: leave a register without cable once it is mended, or give one name to two.

use crate::draw::Draw;
use crate::play::Play;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};

/// Commands that a fault waits for: those of a receipt, most often its closing, the state, shifts and reads back.
const COMMANDS: &[&str] = &[
    "8D", "FF46", "FF46", "FF4D", "FF0C", "FF45", "FF45", "FF45", "FF45", "FF0B", "FF43", "FF01", "11", "FF3A", "FF3B",
    "10", "88", "FF40", "1F", "FC", "FF02", "FF0A", "21", "22", "23", "1E",
];
/// Codes after which a register goes on by itself; any other code is drawn as often as all of these.
const CODES: &[u8] = &[0x02, 0x33, 0x37, 0x45, 0x4A, 0x50, 0x55, 0x58, 0x72, 0x73, 0xC0, 0xEE];

/// The names of the kinds that [`kind`] draws.
pub(super) const NAMES: &[&str] = &[
    "drop_reply_before",
    "drop_reply_after",
    "lost_before",
    "lost_after",
    "hang_before",
    "hang_after",
    "garble",
    "garble_request",
    "cut_reply",
    "duplicate_reply",
    "error_before",
    "error_after",
    "power_cut_before",
    "power_cut_after",
    "stale_reply",
    "late_reply",
    "unplug_before",
    "unplug_after",
    "false_nak",
    "taken_for_repeat",
];

fn when(draw: &mut Draw) -> When {
    draw.of_all(&[When::Before, When::After])
}

/// When it happens.
pub(super) fn trigger(draw: &mut Draw) -> Trigger {
    if draw.chance(35) {
        return Trigger::NthExchange(draw.between(1, 30));
    }
    Trigger::Command {
        code: draw.of_all(COMMANDS).into(),
        nth: draw.between(1, 3),
    }
}

/// What happens.
pub(super) fn kind(draw: &mut Draw) -> FaultKind {
    let when = when(draw);
    match draw.below(22) {
        0 | 1 => FaultKind::DropReply { when },
        2 | 3 => FaultKind::Lost { when },
        4 => FaultKind::Hang {
            for_ms: draw.chance(85).then(|| 200 + draw.below(90_000)),
            when,
        },
        5 => FaultKind::Garble,
        6 => FaultKind::GarbleRequest,
        7 => FaultKind::CutReply { keep: draw.index(30) },
        8 => FaultKind::DuplicateReply {
            after_ms: if draw.chance(30) { 0 } else { draw.below(2_000) },
        },
        9..=11 => FaultKind::Error {
            code: if draw.chance(50) {
                draw.of_all(CODES)
            } else {
                u8::try_from(draw.between(1, 255)).unwrap_or(1)
            },
            when,
        },
        12..=14 => FaultKind::PowerCut {
            when,
            down_ms: draw.below(20_000),
        },
        15 | 16 => FaultKind::StaleReply {
            of: draw.chance(60).then(|| draw.of_all(COMMANDS).into()),
        },
        17 => FaultKind::LateReply {
            by_ms: draw.below(90_000),
        },
        18 => FaultKind::FalseNak,
        19 => FaultKind::TakenForRepeat,
        _ => FaultKind::Unplug { when },
    }
}

/// Names that no register has now: neither one that is there nor one that will come back when its power does.
fn free_names(play: &Play) -> Vec<String> {
    let count = play.file.registers.len();
    let seen = (0..count).filter_map(|at| play.world.bench().observe(play.serial(at)));
    let taken: Vec<String> = seen.filter(|seen| seen.plugged).map(|seen| seen.name).collect();
    let all = (0..count).flat_map(|at| [play.serial(at).to_owned(), Play::spare(at)]);
    all.filter(|name| !taken.contains(name)).collect()
}

/// Puts the cable in, under the name before or any other that is free; ends a hang that has no end.
pub(super) fn mend(draw: &mut Draw, play: &Play, at: usize) {
    let bench = play.world.bench();
    let Some(mut seen) = bench.observe(play.serial(at)) else {
        return;
    };
    if seen.plugged && seen.device.powered && !bench.ports().contains_key(&seen.name) {
        // Its name was taken when it came: the cable is put in once more.
        play.fault(at, FaultKind::Unplug { when: When::Before }, Trigger::Now);
        seen.plugged = false;
    }
    if !seen.plugged {
        let free = free_names(play);
        let stays = draw.chance(40) && free.contains(&seen.name);
        let name = if stays {
            seen.name
        } else {
            free[draw.index(free.len())].clone()
        };
        play.fault(at, FaultKind::Replug { name: Some(name) }, Trigger::Now);
    }
    if seen.device.hangs {
        let (when, down_ms) = (When::Before, 1_000);
        play.fault(at, FaultKind::PowerCut { when, down_ms }, Trigger::Now);
    }
}

/// Mends all of them, in any order.
pub(super) fn mend_all(draw: &mut Draw, play: &Play) {
    let mut left: Vec<usize> = (0..play.file.registers.len()).collect();
    while !left.is_empty() {
        let at = left.swap_remove(draw.index(left.len()));
        mend(draw, play, at);
        super::lasting::mend(play, at);
    }
}
