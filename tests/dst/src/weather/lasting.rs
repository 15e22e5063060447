//! Troubles that stay with a register until they are lifted: its FN, its paper, its clock, its settings.
//!
//! Owns: how each begins and ends.
//! Must never: lift what reality does not: a full FN stays full.

use crate::check::Allowed;
use crate::draw::Draw;
use crate::play::Play;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_hw_sim::fiscal_storage::{CalendarDay, Phase};

/// What stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lasting {
    /// Every operation of the FN answers this code.
    FnFails(u8),
    /// The FN takes no more documents.
    FnFull,
    /// The term of its keys is over.
    FnExpired,
    /// Another FN is in the register.
    OtherFn {
        /// Whether the first one comes back.
        returns: bool,
    },
    /// The paper is out.
    NoPaper,
    /// Every answer is late, milliseconds.
    Slow(u64),
    /// The register's clock jumps, seconds; by more than K7 allows only where its power goes with it, as nobody can look
    /// at a clock that jumps between the look and the document.
    Clock(i64),
    /// Documents that are read from the FN end after so many bytes.
    CutDocuments(usize),
    /// A tag is refused with this code.
    TagRefused(u16, u8),
    /// Somebody changes a setting at the register: table, row, field, value.
    Setting(u8, u16, u8, &'static str),
    /// The OFD is out of reach.
    NoOfd,
}

/// The names of the kinds.
pub(super) const NAMES: &[&str] = &[
    "fn-fails",
    "fn-full",
    "fn-expired",
    "other-fn",
    "no-paper",
    "slow",
    "register-clock",
    "cut-documents",
    "tag-refused",
    "setting-changed",
    "no-ofd",
];

/// What a person may change: nothing is printed; answers without their extension; the shift ends early; a receipt opens
/// the shift by itself.
const SETTINGS: &[(u8, u16, u8, &str)] = &[
    (17, 1, 7, "02"),
    (17, 1, 7, "01"),
    (17, 1, 36, "00"),
    (17, 1, 8, "1E"),
    (24, 1, 13, "01"),
];
/// A jump of a clock that leaves documents true enough, seconds.
const SMALL_JUMP_S: i64 = 240;
/// Documents that an FN can still make when it is put in.
const DOCUMENTS: u32 = 250_000;

fn other_fn(number: String) -> FaultKind {
    FaultKind::FnReplace {
        number,
        phase: Phase::Fiscal,
        documents_left: DOCUMENTS,
        expiry: CalendarDay::try_from("2028-11-22".to_owned()).expect("a day of the calendar"),
    }
}

impl Lasting {
    /// Draws one.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        match draw.below(22) {
            0..=2 => Self::FnFails(draw.of_all(&[0x02, 0x03, 0x05, 0x08, 0x11, 0x2F, 0x3C])),
            3 => Self::FnFull,
            4 => Self::FnExpired,
            5..=7 => Self::OtherFn {
                returns: draw.chance(70),
            },
            8..=10 => Self::NoPaper,
            11..=12 => Self::Slow(draw.of_all(&[300, 3_000, 40_000])),
            13..=14 => Self::Clock(draw.of_all(&[-3600, -200, 200, 240])),
            15..=16 => Self::CutDocuments(draw.index(200)),
            17 => Self::TagRefused(draw.of_all(&[1192, 1008, 1084]), draw.of_all(&[0x33, 0x35])),
            18..=20 => {
                let (table, row, field, value) = draw.of_all(SETTINGS);
                Self::Setting(table, row, field, value)
            }
            _ => Self::NoOfd,
        }
    }

    /// The name of its kind.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::FnFails(_) => "fn-fails",
            Self::FnFull => "fn-full",
            Self::FnExpired => "fn-expired",
            Self::OtherFn { .. } => "other-fn",
            Self::NoPaper => "no-paper",
            Self::Slow(_) => "slow",
            Self::Clock(_) => "register-clock",
            Self::CutDocuments(_) => "cut-documents",
            Self::TagRefused(..) => "tag-refused",
            Self::Setting(..) => "setting-changed",
            Self::NoOfd => "no-ofd",
        }
    }

    pub(super) const fn allows(&self, at: usize) -> Allowed {
        match self {
            Self::FnFull | Self::FnExpired => Allowed::worn_out(at),
            Self::OtherFn { returns: false } => Allowed::taken_away(at),
            _ => Allowed::NOTHING,
        }
    }

    fn begins(&self, at: usize) -> FaultKind {
        match self {
            Self::FnFails(code) => FaultKind::FnFault { code: *code },
            Self::FnFull => FaultKind::FnFill,
            Self::FnExpired => FaultKind::FnExpire,
            Self::OtherFn { .. } => other_fn(format!("99990000007{at:05}")),
            Self::NoPaper => FaultKind::Paper { present: false },
            Self::Slow(add_ms) => FaultKind::Slow { add_ms: *add_ms },
            Self::Clock(seconds) => FaultKind::ClockSkew { seconds: *seconds },
            Self::CutDocuments(keep) => FaultKind::CutTlv { keep: Some(*keep) },
            Self::TagRefused(tag, code) => FaultKind::RefuseTag { tag: *tag, code: *code },
            Self::Setting(table, row, field, value) => FaultKind::Setting {
                table: *table,
                row: *row,
                field: *field,
                value: (*value).to_owned(),
            },
            Self::NoOfd => FaultKind::OfdDown { down: true },
        }
    }

    fn ends(&self) -> Option<FaultKind> {
        match self {
            Self::FnFails(_) => Some(FaultKind::FnFault { code: 0 }),
            Self::NoPaper => Some(FaultKind::Paper { present: true }),
            Self::Slow(_) => Some(FaultKind::Slow { add_ms: 0 }),
            Self::CutDocuments(_) => Some(FaultKind::CutTlv { keep: None }),
            Self::TagRefused(tag, _) => Some(FaultKind::RefuseTag { tag: *tag, code: 0 }),
            Self::NoOfd => Some(FaultKind::OfdDown { down: false }),
            // Its clock is set by the daemon, or by nobody; a setting stays as it was left.
            Self::FnFull | Self::FnExpired | Self::OtherFn { .. } | Self::Clock(_) | Self::Setting(..) => None,
        }
    }

    pub(super) fn strike(&self, play: &Play, at: usize, nth: u64) {
        let (serial, name, kind) = (play.serial(at).to_owned(), self.name(), self.begins(at));
        let jump = match self {
            Self::Clock(seconds) => *seconds,
            _ => 0,
        };
        play.world.at_exchange(nth, move |world| {
            let seen = world.bench().observe(&serial);
            let off = seen.map_or(0, |seen| seen.device.clock_skew_seconds);
            let far = jump.abs() > SMALL_JUMP_S;
            if !far && jump != 0 && (off + jump).abs() > SMALL_JUMP_S {
                // Small jumps that add up are a far one, which nobody can see between the look and the document.
                return;
            }
            if far {
                let (when, down_ms) = (When::Before, 1_000);
                world.fault(&serial, FaultKind::PowerCut { when, down_ms }, Trigger::Now);
            }
            world.fault(&serial, kind, Trigger::Now);
            world.took_effect(name);
        });
    }

    pub(super) fn lift(&self, play: &Play, at: usize) {
        if let Some(kind) = self.ends() {
            play.fault(at, kind, Trigger::Now);
        }
        mend(play, at);
    }
}

/// Puts the first FN back, unless it is gone for good. One that takes no more documents is as it was.
pub(super) fn mend(play: &Play, at: usize) {
    let seen = play.world.bench().observe(play.serial(at));
    let own = play.fn_number(at);
    if play.allowed.has_lost_fn(at) || seen.is_none_or(|seen| seen.device.fn_number == own) {
        return;
    }
    play.fault(at, other_fn(own.to_owned()), Trigger::Now);
    if !play.allowed.needs(at) {
        play.fault(at, FaultKind::FnFill, Trigger::Now);
    }
}
