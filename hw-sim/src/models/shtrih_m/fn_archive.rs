//! What the FN keeps of tickets and of the registration (`shtrih-m.md` 3.7).
//!
//! Owns: commands FF3C, FF4C, FF0E, FF60.
//! Must never: change the FN.

use super::device::{Device, Outcome};
use super::fn_reads::{PART, parts};
use crate::fiscal_storage::document::walk;
use crate::fiscal_storage::{Phase, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{Answer, ErrorCode, FnRegistrationReport, FnTicket, Request, TicketParts};
use kassette_wire::value::FdNumber;

/// The only registration of an FN here: re-registrations are not modelled.
const FIRST_REGISTRATION: u8 = 1;
/// FF60: the last registration.
const LAST_REGISTRATION: u8 = 0;
/// FF0E: all tags, which FF3B then gives.
const ALL_TAGS: u16 = 0xFFFF;

impl Device {
    pub(super) fn fn_archive(&mut self, request: &Request, now: Moment) -> Outcome {
        self.storage.alive().map_err(ErrorCode)?;
        match request {
            Request::FnTicket(asked) => self.fn_ticket(asked.fd, now),
            Request::RegistrationByNumber(asked) if asked.number == FIRST_REGISTRATION => {
                Ok(Answer::RegistrationReport(FnRegistrationReport {
                    registration: self.registration()?,
                    reason: None,
                }))
            }
            Request::RegistrationReportTag(asked) if asked.number == FIRST_REGISTRATION => {
                self.registration_tag(asked.tag, asked.tag == ALL_TAGS)
            }
            Request::RegistrationTag(asked) if matches!(asked.number, LAST_REGISTRATION | FIRST_REGISTRATION) => {
                self.registration_tag(asked.tag, false)
            }
            _ => Err(ErrorCode(code::NO_DATA)),
        }
    }

    fn fn_ticket(&mut self, fd: FdNumber, now: Moment) -> Outcome {
        let ticket = self.storage.ticket(fd.0, now).map_err(ErrorCode)?;
        let taken = Moment {
            elapsed: now.elapsed,
            unix_ms: ticket.taken_unix_ms,
        };
        // The OFD's own clock is right, whatever the register shows.
        let mut ofd_clock = self.clock;
        ofd_clock.correct();
        let parts = TicketParts {
            time: Some(ofd_clock.local(taken).whole_minute()),
            sign: ticket.sign,
            fd,
        };
        let body = parts.encode().map_err(|_| ErrorCode(code::FAILURE))?;
        Ok(Answer::FnTicket(FnTicket { body }))
    }

    /// Tags of the registration report, whole with number and length (FF60 has one source, which says "TLV data").
    fn registration_tag(&mut self, tag: u16, all: bool) -> Outcome {
        if self.storage.status_phase() < Phase::Fiscal as u8 {
            return Err(ErrorCode(code::STATE));
        }
        let record = self.storage.record(1).map_err(ErrorCode)?;
        if all {
            self.reading = Some(self.defects.cut(parts(&record.tlv)));
            return Ok(Answer::RegistrationTlv(Vec::new()));
        }
        let tags = walk(&record.tlv).unwrap_or_default();
        let mut found = Vec::new();
        for (_, value) in tags.into_iter().filter(|(t, _)| *t == tag) {
            found.extend_from_slice(&tag.to_le_bytes());
            found.extend_from_slice(&(value.len() as u16).to_le_bytes());
            found.extend_from_slice(value);
        }
        match found.len() {
            0 => Err(ErrorCode(code::NO_DATA)),
            1..=PART => Ok(Answer::RegistrationTlv(found)),
            _ => Err(ErrorCode(code::TOO_LARGE)),
        }
    }
}
