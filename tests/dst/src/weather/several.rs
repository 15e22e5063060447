//! Troubles of several registers at once: a hub that browns out, two cables that change places.
//!
//! Owns: what happens to all of them in one moment.
//! Must never: bring them back; what is away is mended in any order.

use crate::draw::Draw;
use crate::play::Play;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};

/// What happens to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Several {
    /// All lose their power and come back when theirs is up, milliseconds each.
    PowerCut(Vec<u64>),
    /// All vanish from the host; they keep their power and come back when they are mended, under any names.
    Vanish,
    /// Two of them exchange their ports in one moment.
    Swap(usize, usize),
}

/// The names of the kinds.
pub(super) const NAMES: &[&str] = &["hub-power-cut", "hub-vanishes", "ports-swapped"];

impl Several {
    /// Draws one.
    pub(super) fn draw(draw: &mut Draw, registers: usize) -> Self {
        match draw.below(3) {
            0 => Self::PowerCut((0..registers).map(|_| draw.below(30_000)).collect()),
            1 => Self::Vanish,
            _ => {
                let one = draw.index(registers);
                let other = (one + 1 + draw.index(registers.saturating_sub(1))) % registers.max(1);
                Self::Swap(one, other)
            }
        }
    }

    /// The name of its kind.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::PowerCut(_) => "hub-power-cut",
            Self::Vanish => "hub-vanishes",
            Self::Swap(..) => "ports-swapped",
        }
    }

    pub(super) fn strike(&self, play: &Play, nth: u64) {
        let serials: Vec<String> = (0..play.file.registers.len())
            .map(|at| play.serial(at).to_owned())
            .collect();
        let what = self.clone();
        play.world.at_exchange(nth, move |world| {
            let now = |serial: &str, kind| world.fault(serial, kind, Trigger::Now);
            let when = When::Before;
            match &what {
                Self::PowerCut(down) => {
                    for (serial, down_ms) in serials.iter().zip(down) {
                        now(
                            serial,
                            FaultKind::PowerCut {
                                when,
                                down_ms: *down_ms,
                            },
                        );
                    }
                }
                Self::Vanish => {
                    for serial in &serials {
                        now(serial, FaultKind::Unplug { when });
                    }
                }
                Self::Swap(one, other) => {
                    let pair = [&serials[*one], &serials[*other]];
                    let names = pair.map(|serial| world.bench().observe(serial).map(|seen| seen.name));
                    for serial in pair {
                        now(serial, FaultKind::Unplug { when });
                    }
                    for (serial, name) in pair.into_iter().zip(names.into_iter().rev()) {
                        now(serial, FaultKind::Replug { name });
                    }
                }
            }
            world.took_effect(what.name());
        });
    }
}
