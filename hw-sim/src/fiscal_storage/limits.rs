//! What an FN permits and refuses (`fn-ffd-ofd` A.2, A.3, A.7, A.8).
//!
//! Owns: the rules of phase, shift, time, resources and size, and their codes.
//! Must never: change the FN's state.

use super::Phase;
use super::document::walk;
use super::facts::{Draft, Generation, Kind, code};
use super::storage::{DAY_MS, FiscalStorage};
use crate::moment::Moment;
use kassette_wire::value::LocalTime;

const SHIFT_SECONDS: i64 = 86_400;
/// Five minutes (A.7, 17h), and the minute that is lost because commands carry no seconds.
const CLOCK_DELTA_SECONDS: i64 = 5 * 60 + 59;
/// Data of a receipt or correction (A.2).
const RECEIPT_BYTES: usize = 30 * 1024;
/// Data of a shift report or calculation state; registration and closing take twice that (A.2).
const REPORT_BYTES: usize = 1024;
/// Tags of a document that may stand several times (`fn-ffd-ofd` E.1, 37); 1119 and 1235 stand within lists.
const REPEATABLE: [u16; 5] = [1059, 1073, 1074, 1075, 1171];

impl FiscalStorage {
    /// Whether a document of this kind may be begun now.
    ///
    /// # Errors
    /// The FN's answer code.
    pub fn permits(&mut self, kind: Kind, time: LocalTime, now: Moment) -> Result<(), u8> {
        self.alive()?;
        self.take_tickets(now.unix_ms);
        self.state_permits(kind)?;
        let time = time.whole_minute();
        let lag = if kind == Kind::ShiftOpen && self.habits.open_may_lag_close {
            3600
        } else {
            0
        };
        let behind = self.last_time.is_some_and(|last| last.seconds_since(time) > lag);
        if kind != Kind::Registration && behind {
            return Err(code::TIME);
        }
        if matches!(kind, Kind::Receipt | Kind::Correction) {
            self.shift_permits(time, now)?;
        }
        if matches!(kind, Kind::Receipt | Kind::Correction | Kind::ShiftOpen) {
            self.resources_permit(time, now)?;
        }
        Ok(())
    }

    fn state_permits(&self, kind: Kind) -> Result<(), u8> {
        let phase = match kind {
            Kind::Registration => self.phase == Phase::Ready,
            // Into another FN, or of the same one (A.8).
            Kind::Reregistration => matches!(self.phase, Phase::Ready | Phase::Fiscal),
            Kind::CalculationState => matches!(self.phase, Phase::Fiscal | Phase::PostFiscal),
            _ => self.phase == Phase::Fiscal,
        };
        let shift_open = matches!(kind, Kind::Receipt | Kind::Correction | Kind::ShiftClose);
        // Before its closing everything must have a ticket (`shtrih-m` 3.8).
        let waiting = kind == Kind::Closing && !self.unsent.is_empty();
        if !phase || self.shift.open != shift_open || waiting {
            return Err(code::STATE);
        }
        Ok(())
    }

    /// 24 hours and the clock. A closing is free of both: it is the way out (A.7).
    fn shift_permits(&self, time: LocalTime, now: Moment) -> Result<(), u8> {
        let by_clock = self.shift.opened.map_or(0, |opened| time.seconds_since(opened));
        let by_timer = (now.unix_ms - self.shift.opened_ms) / 1000;
        if by_clock >= SHIFT_SECONDS || by_timer >= SHIFT_SECONDS {
            return Err(code::SHIFT_AGE);
        }
        let Some((last, last_ms)) = self.timer else {
            return Ok(());
        };
        let delta = time.seconds_since(last) - (now.unix_ms - last_ms) / 1000;
        if delta.abs() > CLOCK_DELTA_SECONDS {
            return Err(code::CLOCK_DELTA);
        }
        Ok(())
    }

    fn resources_permit(&self, time: LocalTime, now: Moment) -> Result<(), u8> {
        if self.key_days_left(time) < 0 {
            return Err(code::EXPIRED);
        }
        let first = self.habits.generation == Generation::First;
        if self.documents_left() == 0 {
            return Err(if first { code::FULL } else { code::EXHAUSTED });
        }
        if self.oldest_unsent_ms(now).is_some_and(|age| age > 30 * DAY_MS) {
            return Err(if first { code::OFD_DAYS } else { code::OFD_STORE });
        }
        Ok(())
    }

    /// Sizes, and in an FN 1.2 that no tag stands twice.
    pub(super) fn body_permits(&self, draft: &Draft) -> Result<(), u8> {
        let receipt = matches!(draft.kind, Kind::Receipt | Kind::Correction);
        let limit = match draft.kind {
            Kind::Receipt | Kind::Correction => RECEIPT_BYTES,
            Kind::Registration | Kind::Reregistration | Kind::Closing => 2 * REPORT_BYTES,
            _ => REPORT_BYTES,
        };
        let tags = walk(draft.body.as_bytes()).ok_or(code::TOO_LARGE)?;
        let item_too_large = tags.iter().any(|(tag, value)| *tag == 1059 && value.len() > 1024);
        if draft.body.as_bytes().len() > limit || item_too_large {
            return Err(code::TOO_LARGE);
        }
        let repeats = |(i, (tag, _)): (usize, &(u16, &[u8]))| {
            !REPEATABLE.contains(tag) && tags[..i].iter().any(|(t, _)| t == tag)
        };
        if self.habits.generation == Generation::Fn12 && receipt && tags.iter().enumerate().any(repeats) {
            return Err(code::TAG_TWICE);
        }
        Ok(())
    }
}
