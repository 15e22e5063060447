//! Shifts and reports (`shtrih-m.md` 3.4).
//!
//! Owns: commands E0, FF41, FF0B, FF42, FF43, 41, 40, C6, C7, FF40, FF62, FF37, FF38, and what the register writes into reports.
//! Must never: open a shift that nobody asked for, unless 24/1/13 or a switch says so.

use super::device::{Begun, Device, Outcome};
use super::tables::EXTENDED_ANSWERS;
use super::tags::Place;
use crate::fiscal_storage::document::{Body, walk};
use crate::fiscal_storage::{Formed, Kind, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{
    Answer, CalculationReport, ErrorCode, Request, ShiftClosed, ShiftOpened, ShiftState, YmdDate,
};
use kassette_wire::value::{FdNumber, FiscalSign, LocalTime, ShiftNumber};

/// Version of the register model, tag 1188.
pub(super) const MODEL_VERSION: &str = "001";

impl Device {
    pub(super) fn shift_command(&mut self, request: &Request, operator: u8, now: Moment) -> Outcome {
        match request {
            Request::OpenShift(_) => {
                self.open_shift(operator, now)?;
                Ok(Answer::Operator(Some(operator)))
            }
            Request::FnOpenShift(_) => {
                let Formed { fd, fp, shift, .. } = self.open_shift(operator, now)?;
                let (shift, fd, fp) = (ShiftNumber(u32::from(shift)), FdNumber(fd), FiscalSign(fp));
                Ok(Answer::ShiftOpened(ShiftOpened { shift, fd, fp }))
            }
            Request::ZReport(_) => {
                self.close_shift(operator, now)?;
                Ok(Answer::Operator(Some(operator)))
            }
            Request::FnCloseShift(_) => {
                let Formed {
                    fd, fp, shift, time, ..
                } = self.close_shift(operator, now)?;
                let (shift, fd, fp) = (ShiftNumber(u32::from(shift)), FdNumber(fd), FiscalSign(fp));
                Ok(Answer::ShiftClosed(ShiftClosed {
                    shift,
                    fd,
                    fp,
                    time: self.extended(time),
                }))
            }
            Request::BufferZReport(_) => {
                self.close_shift_unprinted(operator, now)?;
                self.memory.buffered_reports = self.memory.buffered_reports.saturating_add(1);
                self.memory_changed = true;
                Ok(Answer::Operator(Some(operator)))
            }
            Request::PrintZReport(_) => {
                let left = self.memory.buffered_reports.checked_sub(1);
                self.memory.buffered_reports = left.ok_or(ErrorCode::NO_DATA)?;
                self.memory_changed = true;
                self.start_printing(None, now);
                Ok(Answer::Operator(Some(operator)))
            }
            Request::SyncShift(_) => {
                // The register counts no shifts of its own: it always stands as the FN does.
                self.storage.alive().map_err(ErrorCode)?;
                Ok(Answer::Done)
            }
            Request::XReport(_) => {
                self.memory.x_reports = self.memory.x_reports.wrapping_add(1);
                self.memory_changed = true;
                self.start_printing(None, now);
                // The recorded register does not say who asked.
                Ok(Answer::Operator(Some(0)))
            }
            Request::ShiftState(_) => Ok(Answer::ShiftState(self.shift_state())),
            Request::BeginOpenShift(_) => self.begin(Kind::ShiftOpen, now),
            Request::BeginCloseShift(_) => self.begin(Kind::ShiftClose, now),
            Request::BeginCalculationReport(_) => self.begin(Kind::CalculationState, now),
            _ => self.calculation_report(now),
        }
    }

    fn shift_state(&self) -> ShiftState {
        let shift = self.storage.shift();
        ShiftState {
            state: u8::from(shift.open),
            shift: ShiftNumber(u32::from(shift.number)),
            receipt: shift.receipts,
        }
    }

    pub(super) fn begin(&mut self, kind: Kind, now: Moment) -> Outcome {
        if self.begun.is_some() {
            return Err(ErrorCode(code::STATE));
        }
        let time = self.local(now);
        self.storage.permits(kind, time, now).map_err(ErrorCode)?;
        self.begun = Some(Begun { kind, tags: Vec::new() });
        Ok(Answer::Done)
    }

    /// Tags of the document that was begun, if it is of this kind; a begun document of another kind is in the way. It
    /// stays begun until it is made or cancelled.
    pub(super) fn begun_tags(&self, kind: Kind) -> Result<Vec<u8>, ErrorCode> {
        match &self.begun {
            Some(begun) if begun.kind != kind => Err(ErrorCode(code::STATE)),
            begun => Ok(begun.as_ref().map(|b| b.tags.clone()).unwrap_or_default()),
        }
    }

    /// Opens the shift: E0, FF0B, or the register by itself.
    pub(super) fn open_shift(&mut self, operator: u8, now: Moment) -> Result<Formed, ErrorCode> {
        let tags = self.begun_tags(Kind::ShiftOpen)?;
        let body = self.report_body(tags, operator, true);
        let formed = self.form(Kind::ShiftOpen, body, now)?;
        self.start_printing(None, now);
        Ok(formed)
    }

    fn close_shift(&mut self, operator: u8, now: Moment) -> Result<Formed, ErrorCode> {
        let formed = self.close_shift_unprinted(operator, now)?;
        self.start_printing(None, now);
        Ok(formed)
    }

    fn close_shift_unprinted(&mut self, operator: u8, now: Moment) -> Result<Formed, ErrorCode> {
        let tags = self.begun_tags(Kind::ShiftClose)?;
        let body = self.report_body(tags, operator, false);
        self.form(Kind::ShiftClose, body, now)
    }

    fn calculation_report(&mut self, now: Moment) -> Outcome {
        if self.begun.as_ref().is_none_or(|b| b.kind != Kind::CalculationState) {
            return Err(ErrorCode(code::STATE));
        }
        let mut body = Body::from_tlv(self.begun_tags(Kind::CalculationState)?);
        body.byte(1209, self.config.ffd.tag_value());
        let formed = self.form(Kind::CalculationState, body, now)?;
        self.start_printing(None, now);
        let queue = self.storage.queue(now);
        let none = YmdDate {
            year: 0,
            month: 0,
            day: 0,
        };
        Ok(Answer::CalculationReport(CalculationReport {
            fd: FdNumber(formed.fd),
            fp: FiscalSign(formed.fp),
            unconfirmed: u32::from(queue.length),
            first_unconfirmed: queue.first_time.and_then(YmdDate::of).unwrap_or(none),
            time: self.extended(formed.time),
        }))
    }

    /// DATE_TIME behind an answer, with 17/1/36 = 1.
    pub(super) fn extended(&self, time: LocalTime) -> Option<LocalTime> {
        (self.tables.number(EXTENDED_ANSWERS) == 1).then_some(time)
    }

    /// Host tags, the cashier where the host gave none, and versions.
    fn report_body(&self, tags: Vec<u8>, operator: u8, opening: bool) -> Body {
        let named = walk(&tags).unwrap_or_default().iter().any(|(tag, _)| *tag == 1021);
        let mut body = Body::from_tlv(tags);
        let cashier = self.cashier(operator);
        if !named && !cashier.is_empty() {
            body.text(1021, &cashier);
        }
        if opening {
            body.text(1188, MODEL_VERSION).byte(1189, self.config.ffd.tag_value());
        }
        body.byte(1209, self.config.ffd.tag_value());
        body
    }

    /// Where tags of FF0C go while a report is begun.
    pub(super) const fn report_place(kind: Kind) -> Place {
        match kind {
            Kind::ShiftOpen => Place::ShiftOpen,
            Kind::ShiftClose => Place::ShiftClose,
            Kind::Correction => Place::Correction,
            Kind::Closing => Place::Closing,
            Kind::Registration | Kind::Reregistration => Place::Registration,
            _ => Place::CalculationState,
        }
    }
}
