//! Whether a unit may make a document now. Pure.
//!
//! Owns: the clock rules, the shift's age and the FN's say (design, section 5).
//! Must never: set anything; it only says what is so and what should be done.

use crate::domain::device::{Activity, FnPhase, FnResource, Status};
use crate::domain::error::Reason;
use kassette_wire::codes::Code;
use kassette_wire::value::LocalTime;

/// A register's clock may differ from true time by so much (tag 1012: 5 minutes, `fn-ffd-ofd` B.1).
pub const CLOCK_TOLERANCE_S: i64 = 300;
/// From this difference on a clock is corrected when the shift is closed.
pub const CLOCK_CORRECT_FROM_S: i64 = 20;
/// A shift older than this is closed at the next quiet moment.
pub const SHIFT_CLOSE_FROM_S: i64 = 23 * 3600 + 30 * 60;
/// A shift older than this is closed before anything else (10 minutes before the FN refuses).
pub const SHIFT_CLOSE_AT_S: i64 = 23 * 3600 + 50 * 60;

/// What to do before a document can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// Make documents.
    Yes,
    /// Set the clock to true time: the shift is closed.
    SetClock,
    /// Open a shift.
    OpenShift,
    /// Close the shift: it is old, or of unknown age.
    CloseShift,
    /// Ready but the shift should be closed when no job waits.
    CloseWhenQuiet,
    /// Nothing can be made, and why.
    No(Reason),
}

/// What readiness is judged by.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The register as just read.
    pub status: &'a Status,
    /// Memory and life of its FN.
    pub resource: &'a FnResource,
    /// True local time in the registration's zone, by the host clock.
    pub host: LocalTime,
    /// The kernel says the host clock is right.
    pub synchronised: bool,
    /// When the shift was opened, by the register's clock, if that is known.
    pub shift_opened: Option<LocalTime>,
}

/// Judges a unit.
#[must_use]
pub fn judge(view: &View<'_>) -> Ready {
    if let Some(reason) = device_reason(view.status, view.resource) {
        return Ready::No(reason);
    }
    if let Some(verdict) = clock_verdict(view) {
        return verdict;
    }
    let shift = view.status.shift;
    if !shift.open {
        return Ready::OpenShift;
    }
    let age = view.shift_opened.map(|opened| view.status.clock.seconds_since(opened));
    match age {
        _ if shift.over_24h => Ready::CloseShift,
        // Somebody else's shift: its age cannot be known cheaply, so it is replaced by one of ours.
        None => Ready::CloseShift,
        Some(age) if age >= SHIFT_CLOSE_AT_S => Ready::CloseShift,
        Some(age) if age >= SHIFT_CLOSE_FROM_S => Ready::CloseWhenQuiet,
        Some(_) => Ready::Yes,
    }
}

fn device_reason(status: &Status, resource: &FnResource) -> Option<Reason> {
    let no = |code, text: String| Some(Reason::new(code, text));
    match status.activity {
        Activity::Idle => {}
        Activity::DocumentOpen => {
            return no(
                Code::RegisterWrongMode,
                format!("a document is open ({})", status.mode_text),
            );
        }
        Activity::Busy | Activity::WaitsContinue => return no(Code::RegisterBusy, status.mode_text.clone()),
        Activity::PaperOut => return no(Code::PaperOut, status.mode_text.clone()),
        Activity::Blocked => return no(Code::RegisterWrongMode, status.mode_text.clone()),
    }
    let storage = &status.fn_state;
    if storage.phase != FnPhase::Fiscal {
        return no(
            Code::FnPhase,
            format!("FN {} is in phase {:?}", storage.number, storage.phase),
        );
    }
    if storage.stops_work() {
        return no(
            Code::FnExpired,
            format!("FN {} warns with flags {:02X}", storage.number, storage.warnings),
        );
    }
    if resource.documents_left == Some(0) {
        return no(
            Code::FnFull,
            format!("no document fits into FN {} any more", storage.number),
        );
    }
    None
}

fn clock_verdict(view: &View<'_>) -> Option<Ready> {
    let status = view.status;
    let offset = status.clock.seconds_since(view.host);
    let off = |text: String| Some(Ready::No(Reason::new(Code::ClockOff, text)));
    // The FN keeps whole minutes.
    if let Some(last) = status
        .fn_state
        .last_time
        .filter(|last| status.clock < last.whole_minute())
    {
        return off(format!("the clock {} is behind the last document {last}", status.clock));
    }
    if offset.abs() > CLOCK_TOLERANCE_S {
        let text = format!(
            "the clock {} differs by {offset} s from the host's {}",
            status.clock, view.host
        );
        if !view.synchronised {
            return Some(Ready::No(Reason::new(Code::ClockHostUnsynchronised, text)));
        }
        return off(text);
    }
    let not_below_last = status
        .fn_state
        .last_time
        .is_none_or(|last| view.host >= last.whole_minute());
    let correct = offset.abs() >= CLOCK_CORRECT_FROM_S && !status.shift.open && view.synchronised && not_below_last;
    correct.then_some(Ready::SetClock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::{FnState, ShiftState};
    use kassette_wire::value::{FdNumber, ShiftNumber};

    fn at(hour: u8, minute: u8, second: u8) -> LocalTime {
        LocalTime::new(2026, 11, 22, hour, minute, second).unwrap()
    }

    fn status(clock: LocalTime, open: bool) -> Status {
        Status {
            activity: Activity::Idle,
            mode_text: "mode 2.0".into(),
            clock,
            shift: ShiftState {
                open,
                number: ShiftNumber(3),
                receipts: 0,
                over_24h: false,
            },
            fn_state: FnState {
                number: "9999078900000001".parse().unwrap(),
                phase: FnPhase::Fiscal,
                last_fd: FdNumber(7),
                document_open: false,
                warnings: 0,
                last_time: Some(at(11, 0, 0)),
            },
        }
    }

    fn verdict(status: &Status, host: LocalTime, opened: Option<LocalTime>) -> Ready {
        let resource = FnResource::default();
        judge(&View {
            status,
            resource: &resource,
            host,
            synchronised: true,
            shift_opened: opened,
        })
    }

    #[test]
    fn a_clock_off_by_more_than_five_minutes_takes_nothing_and_is_not_set() {
        let Ready::No(reason) = verdict(&status(at(12, 0, 0), false), at(12, 5, 1), None) else {
            panic!()
        };
        assert_eq!(reason.code, Code::ClockOff);
        let Ready::No(reason) = verdict(&status(at(12, 5, 1), true), at(12, 0, 0), Some(at(9, 0, 0))) else {
            panic!()
        };
        assert_eq!(reason.code, Code::ClockOff);
    }

    #[test]
    fn a_small_difference_is_corrected_only_with_the_shift_closed() {
        assert_eq!(
            verdict(&status(at(12, 0, 0), false), at(12, 1, 0), None),
            Ready::SetClock
        );
        assert_eq!(
            verdict(&status(at(12, 0, 0), true), at(12, 1, 0), Some(at(9, 0, 0))),
            Ready::Yes
        );
    }

    #[test]
    fn a_clock_is_never_set_below_the_last_document() {
        let mut register = status(at(12, 2, 0), false);
        register.fn_state.last_time = Some(at(12, 1, 0));
        assert_eq!(verdict(&register, at(12, 0, 0), None), Ready::OpenShift);
    }

    #[test]
    fn an_unsynchronised_host_sets_no_clock() {
        let register = status(at(12, 0, 0), false);
        let resource = FnResource::default();
        let view = View {
            status: &register,
            resource: &resource,
            host: at(12, 1, 0),
            synchronised: false,
            shift_opened: None,
        };
        assert_eq!(judge(&view), Ready::OpenShift);
    }

    #[test]
    fn a_shift_of_unknown_age_or_near_24_hours_is_closed_first() {
        let register = status(at(12, 0, 0), true);
        assert_eq!(verdict(&register, at(12, 0, 0), None), Ready::CloseShift);
        let opened = |seconds: i64| at(12, 0, 0).plus_seconds(-seconds);
        assert_eq!(
            verdict(&register, at(12, 0, 0), opened(SHIFT_CLOSE_AT_S)),
            Ready::CloseShift
        );
        assert_eq!(
            verdict(&register, at(12, 0, 0), opened(SHIFT_CLOSE_FROM_S)),
            Ready::CloseWhenQuiet
        );
        assert_eq!(verdict(&register, at(12, 0, 0), opened(3600)), Ready::Yes);
    }

    #[test]
    fn an_fn_that_is_full_expired_or_closed_takes_nothing() {
        let mut register = status(at(12, 0, 0), true);
        register.fn_state.warnings = 0x80;
        assert!(matches!(
            verdict(&register, at(12, 0, 0), Some(at(9, 0, 0))),
            Ready::No(_)
        ));
        register.fn_state.warnings = 0;
        register.fn_state.phase = FnPhase::Closed;
        assert!(matches!(
            verdict(&register, at(12, 0, 0), Some(at(9, 0, 0))),
            Ready::No(_)
        ));
        register.fn_state.phase = FnPhase::Fiscal;
        let resource = FnResource {
            documents_left: Some(0),
            ..FnResource::default()
        };
        let view = View {
            status: &register,
            resource: &resource,
            host: at(12, 0, 0),
            synchronised: true,
            shift_opened: Some(at(9, 0, 0)),
        };
        assert!(matches!(judge(&view), Ready::No(_)));
    }
}
