//! Mode, submode and FN state as activity and health.
//!
//! Owns: the reading of the register's state bytes (`shtrih-m` section 2, captures).
//! Must never: call a register idle that may still be working.

use super::ShtrihM;
use super::conversation::{Conversation, Failed, pick};
use crate::domain::device::{Activity, FnPhase, FnResource, FnState, ShiftState, Status};
use crate::drivers::DriverError;
use crate::exchange::Care;
use crate::mutants::Mutant;
use kassette_wire::shtrih::{
    CommandCode, ErrorCode, FnDocumentKind, FnPhase as WirePhase, FnStatus, FullState, Mode, Request, ShortState,
    Submode, YmdDate, fn_number,
};
use kassette_wire::value::LocalTime;

/// What the register does, by mode and submode and by the document that the FN holds open.
///
/// Mode 8 with submode 5 follows a closed receipt for seconds (captures): busy, not an open document.
pub(super) const fn activity(mode: Mode, submode: Submode, fn_document_open: bool) -> Activity {
    match submode {
        Submode::PRINTING | Submode::PRINTING_REPORT => return Activity::Busy,
        Submode::WAITING_CONTINUE => return Activity::WaitsContinue,
        Submode::PAPER_RAN_OUT => return Activity::PaperOut,
        // IDLE, and NO_PAPER: passive lack of paper does not stop a paperless register.
        _ => {}
    }
    match mode.mode() {
        Mode::DOCUMENT_OPEN => Activity::DocumentOpen,
        // A document read that was not read to its end: `finish_interrupted` reads it out.
        Mode::DATA_OUTPUT => Activity::WaitsContinue,
        0 | Mode::SHIFT_OPEN | Mode::SHIFT_EXPIRED | Mode::SHIFT_CLOSED if fn_document_open => Activity::DocumentOpen,
        0 | Mode::SHIFT_OPEN | Mode::SHIFT_EXPIRED | Mode::SHIFT_CLOSED => Activity::Idle,
        FULL_REPORT => Activity::Busy,
        _ => Activity::Blocked,
    }
}

/// Mode B: a full fiscal report is being printed.
const FULL_REPORT: u8 = 0x0B;

const fn phase(phase: WirePhase) -> FnPhase {
    match phase {
        WirePhase(0) | WirePhase::READY => FnPhase::Blank,
        WirePhase::WORKING => FnPhase::Fiscal,
        WirePhase::CLOSED_SENDING => FnPhase::Closed,
        WirePhase::ARCHIVE => FnPhase::Archive,
        _ => FnPhase::Unknown,
    }
}

/// The register's clock.
pub(super) fn clock(state: &FullState) -> Result<LocalTime, Failed> {
    let time = state.date.at(state.time);
    time.map_err(|e| Failed::nonsense(CommandCode::FULL_STATE, format!("its clock: {e}")))
}

fn fn_state(status: &FnStatus) -> Result<FnState, Failed> {
    let number = fn_number(&status.fn_number);
    Ok(FnState {
        number: number.map_err(|e| Failed::nonsense(CommandCode::FN_STATUS, format!("number of the FN: {e}")))?,
        phase: phase(status.phase),
        last_fd: status.last_fd,
        document_open: status.document != FnDocumentKind::NONE,
        warnings: status.warnings.0,
        last_time: status.last_time,
    })
}

impl Conversation {
    /// 10.
    pub(super) async fn short_state(&mut self) -> Result<ShortState, Failed> {
        let request = Request::ShortState(Self::PASSWORD);
        self.ask(&request, Care::Read, |answer| pick!(answer, ShortState)).await
    }

    /// 11.
    pub(super) async fn full_state(&mut self) -> Result<FullState, Failed> {
        let request = Request::FullState(Self::PASSWORD);
        self.ask(&request, Care::Read, |answer| pick!(answer, FullState)).await
    }

    /// FF01.
    pub(super) async fn fn_status(&mut self) -> Result<FnStatus, Failed> {
        let request = Request::FnStatus(Self::PASSWORD);
        self.ask(&request, Care::Read, |answer| pick!(answer, FnStatus)).await
    }

    /// FF40.
    pub(super) async fn shift_state(&mut self) -> Result<kassette_wire::shtrih::ShiftState, Failed> {
        let request = Request::ShiftState(Self::PASSWORD);
        self.ask(&request, Care::Read, |answer| pick!(answer, ShiftState)).await
    }
}

impl ShtrihM {
    /// 11 (it carries mode, submode and clock together), FF01, FF40.
    pub(super) async fn read_status(&mut self) -> Result<Status, DriverError> {
        let state = self.talk.full_state().await?;
        let fn_state = fn_state(&self.talk.fn_status().await?)?;
        let shift = self.talk.shift_state().await?;
        let mut activity = activity(state.mode, state.submode, fn_state.document_open);
        // Naive: mode 8 is an open receipt, whatever the submode.
        if self.faults.mutant(Mutant::PrintingTakenForOpen) && state.mode.is_document_open() {
            activity = Activity::DocumentOpen;
        }
        Ok(Status {
            activity,
            mode_text: format!("mode {}, submode {}", state.mode, state.submode.0),
            clock: clock(&state)?,
            shift: ShiftState {
                open: shift.state != 0,
                number: shift.shift,
                receipts: u32::from(shift.receipt),
                over_24h: state.mode.mode() == Mode::SHIFT_EXPIRED,
            },
            fn_state,
        })
    }

    /// FF63, FF03, FF39; what a model lacks stays unknown.
    pub(super) async fn read_resource(&mut self) -> Result<FnResource, DriverError> {
        let password = Conversation::PASSWORD;
        let left = self
            .talk
            .ask(&Request::FnResource(password), Care::Read, |a| pick!(a, FnResource))
            .await;
        let expiry = self
            .talk
            .ask(&Request::FnExpiry(password), Care::Read, |a| pick!(a, FnExpiry))
            .await;
        let ofd = self
            .talk
            .ask(&Request::OfdStatus(password), Care::Read, |a| pick!(a, OfdStatus))
            .await;
        // One source lets FF39 through in mode 4 alone (`shtrih-m` 2, CONFLICT): what it says is then not known until the
        // shift is closed, and the register works all the same.
        let ofd = match ofd {
            Err(failed) if failed.error_code() == Some(ErrorCode::WRONG_MODE) => None,
            answer => known(answer)?,
        };
        Ok(FnResource {
            documents_left: known(left)?.map(|left| left.documents),
            expires: known(expiry)?.and_then(|expiry| day(expiry.date)),
            unsent: ofd.as_ref().map(|ofd| u32::from(ofd.queue)),
            oldest_unsent: ofd.and_then(|ofd| ofd.first_time),
        })
    }
}

/// `None` when the register says that it does not know.
fn known<T>(answer: Result<T, Failed>) -> Result<Option<T>, Failed> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(failed) if failed.error_code().is_some_and(super::refusals::means_absent) => Ok(None),
        Err(failed) => Err(failed),
    }
}

fn day(date: YmdDate) -> Option<(i32, u8, u8)> {
    date.midnight()
        .ok()
        .map(|_| (2000 + i32::from(date.year), date.month, date.day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_that_still_prints_is_never_idle_nor_holding_an_open_document() {
        for mode in 0..=15 {
            for submode in [Submode::PRINTING, Submode::PRINTING_REPORT] {
                assert_eq!(
                    activity(Mode::new(mode, 0), submode, true),
                    Activity::Busy,
                    "mode {mode}"
                );
            }
        }
    }

    #[test]
    fn an_open_document_is_seen_in_the_mode_or_in_the_fn() {
        assert_eq!(activity(Mode(0x28), Submode::IDLE, false), Activity::DocumentOpen);
        assert_eq!(activity(Mode(0x02), Submode::NO_PAPER, true), Activity::DocumentOpen);
        assert_eq!(activity(Mode(0x02), Submode::NO_PAPER, false), Activity::Idle);
        assert_eq!(activity(Mode(0x06), Submode::IDLE, false), Activity::Blocked);
    }
}
