//! What rack a story is about.
//!
//! Owns: the draw of registers, links, formats and tenants.
//! Must never: draw anything that happens; that is the rounds'.

use super::Mode;
use crate::draw::Draw;
use crate::play::Setting;
use crate::weather::models;

/// What stands when a story begins.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// How it ends.
    pub mode: Mode,
    /// The rack.
    pub setting: Setting,
}

impl Stage {
    /// Draws it.
    pub(super) fn draw(seed: u64, mode: Option<Mode>) -> Self {
        let mut draw = Draw::of(seed, "stage", 0);
        let by_seed = if seed.is_multiple_of(2) {
            Mode::Safety
        } else {
            Mode::Liveness
        };
        let registers = draw.between(2, 4);
        let mut setting = Setting::new(seed, u32::try_from(registers).unwrap_or(2));
        setting = setting.linked(draw.of_all(&["pty", "tcp"]), draw.chance(50));
        if draw.chance(60) {
            setting = setting.instant();
        }
        setting.of_1_05 = draw.index(usize::try_from(registers).unwrap_or(0) + 1);
        setting.tenants = if draw.chance(35) { 2 } else { 1 };
        setting.ttl_s = draw.of_all(&[600, 3_600, 86_400]);
        setting.switches = models::switches(&mut draw);
        Self {
            mode: mode.unwrap_or(by_seed),
            setting,
        }
    }
}
