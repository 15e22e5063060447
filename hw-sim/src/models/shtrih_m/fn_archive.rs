//! What the FN keeps of tickets and of the registration (`shtrih-m.md` 3.7).
//!
//! Owns: commands FF3C, FF4C, FF0E, FF60.
//! Must never: change the FN.

use super::device::{Device, Outcome};
use super::fn_reads::{PART, parts};
use super::registration::modes_of;
use crate::fiscal_storage::document::{find_number, walk};
use crate::fiscal_storage::ledger::Record;
use crate::fiscal_storage::{Phase, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{Answer, ErrorCode, FnRegistrationReport, FnTicket, Request, TicketParts};
use kassette_wire::value::FdNumber;

/// FF60: the last registration.
const LAST_REGISTRATION: u8 = 0;
/// FF0E: all tags, which FF3B then gives.
const ALL_TAGS: u16 = 0xFFFF;

impl Device {
    pub(super) fn fn_archive(&mut self, request: &Request, now: Moment) -> Outcome {
        self.storage.alive().map_err(ErrorCode)?;
        match request {
            Request::FnTicket(asked) => self.fn_ticket(asked.fd, now),
            Request::RegistrationByNumber(asked) => self.registration_by_number(asked.number),
            Request::RegistrationReportTag(asked) => {
                self.registration_tag(asked.number, asked.tag, asked.tag == ALL_TAGS)
            }
            Request::RegistrationTag(asked) => {
                let last = self.storage.registrations().len() as u8;
                let number = if asked.number == LAST_REGISTRATION {
                    last
                } else {
                    asked.number
                };
                self.registration_tag(number, asked.tag, false)
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

    /// The report with this number, counted from 1.
    fn registration_report(&self, number: u8) -> Result<Record, ErrorCode> {
        if self.storage.status_phase() < Phase::Fiscal as u8 {
            return Err(ErrorCode(code::STATE));
        }
        let place = usize::from(number).checked_sub(1).ok_or(ErrorCode(code::NO_DATA))?;
        let fd = self
            .storage
            .registrations()
            .get(place)
            .ok_or(ErrorCode(code::NO_DATA))?;
        self.storage.record(*fd).map_err(ErrorCode)
    }

    /// FF4C: as FF09; up to FFD 1.05 later ones with their reason.
    fn registration_by_number(&self, number: u8) -> Outcome {
        let record = self.registration_report(number)?;
        let last = usize::from(number) == self.storage.registrations().len();
        let registration = if last {
            self.registration()?
        } else {
            self.registration_of(&record, modes_of(&record))
        };
        let reason = find_number(&record.tlv, 1101).map(|reason| reason as u8);
        Ok(Answer::RegistrationReport(FnRegistrationReport {
            reason: reason.filter(|_| registration.extended.is_none()),
            registration,
        }))
    }

    /// Tags of the registration report, whole with number and length (FF60 has one source, which says "TLV data").
    fn registration_tag(&mut self, number: u8, tag: u16, all: bool) -> Outcome {
        let record = self.registration_report(number)?;
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
