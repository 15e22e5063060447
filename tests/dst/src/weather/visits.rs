//! What befalls a register whose receipt was made while the process that asked for it is down.
//!
//! Owns: the death behind a good closing answer, and what happens before the next start.
//! Must never: touch a register that no attempt is open on.

use crate::check::Allowed;
use crate::draw::Draw;
use crate::play::Play;
use kassette_core::parts::Point;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_wire::shtrih::{Password, Request};

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Somebody closes the shift: the receipt is no longer the last document.
    ClosesShift,
    /// The FN once has no data for a number it has given.
    HidesDocument,
}

/// The names of the kinds.
pub(super) const NAMES: &[&str] = &["shift-closed-in-doubt", "document-hidden-in-doubt"];
/// "No such data" of the FN (`shtrih-m` 4).
const NO_DATA: u8 = 0x08;

impl Visit {
    /// Draws one.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        draw.of_all(&[Self::ClosesShift, Self::HidesDocument])
    }

    /// The name of its kind.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ClosesShift => "shift-closed-in-doubt",
            Self::HidesDocument => "document-hidden-in-doubt",
        }
    }

    /// The process will die with a good answer to a closing command in its memory alone.
    pub(super) fn strike(self, play: &mut Play, nth: u32) {
        play.world.kill_at(Point::ClosingAnswered, nth);
        play.visit = Some(self);
    }

    async fn comes_to(self, play: &mut Play, at: usize) {
        match self {
            Self::HidesDocument => {
                let (code, when) = (NO_DATA, When::Before);
                let trigger = Trigger::Command {
                    code: "FF3A".into(),
                    nth: 1,
                };
                play.fault(at, FaultKind::Error { code, when }, trigger);
                // What could not be read once is a person's from then on.
                play.allowed = play.allowed.or(Allowed::taken_away(at));
            }
            Self::ClosesShift => {
                let seen = play.world.bench().observe(play.serial(at));
                let there = |name: &str| play.world.bench().ports().contains_key(name);
                let Some(seen) = seen.filter(|seen| there(&seen.name)) else {
                    return;
                };
                play.world.expects_foreign(&seen.device.fn_number);
                play.allowed = play.allowed.or(Allowed::shared(at));
                play.stranger(at, &Request::FnCloseShift(Password(30))).await;
            }
        }
        play.world.took_effect(self.name());
    }
}

/// Before a start: what was to happen, if the process died where it was meant to.
pub async fn come(play: &mut Play) {
    if play.world.died_at() != Some(Point::ClosingAnswered) {
        return;
    }
    let Some(visit) = play.visit.take() else { return };
    for at in 0..play.file.registers.len() {
        if play.world.is_asked(play.serial(at)) {
            visit.comes_to(play, at).await;
        }
    }
}
