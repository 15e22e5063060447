//! Reading the FN through the register (`shtrih-m.md` 3.7).
//!
//! Owns: commands FF01 to FF04, FF09, FF0A, FF3A, FF3B, FF3F, FF63.
//! Must never: change the FN.

use super::config::Ffd;
use super::device::{Device, Outcome};
use super::registration::modes_of;
use crate::fiscal_storage::document::{find_number, find_text, walk};
use crate::fiscal_storage::ledger::Record;
use crate::fiscal_storage::{Generation, Kind, Phase, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{
    Answer, DocumentHeader, ErrorCode, FnDocument, FnDocumentKind, FnExpiry, FnPhase, FnRegistration,
    FnRegistrationExtended, FnResource, FnStatus, FnVersion, FnWarnings, Request, Reregistrations, YmdDate,
};
use kassette_wire::value::{FdNumber, FiscalSign, LocalTime};
use std::collections::VecDeque;

/// Most TLV bytes of one FF3B answer: 255 less code and error. An answer holds one whole TLV (captures) or a part of
/// one that is longer.
pub(super) const PART: usize = 252;
/// Re-registrations that an FN takes, about (`fn-ffd-ofd` B.1).
pub(super) const MOST_REREGISTRATIONS: usize = 30;
/// Room of the 30-day store, KiB; the figure is ours, no source gives one.
const STORE_KIB: u32 = 32 * 1024;

impl Device {
    pub(super) fn fn_read(&mut self, request: &Request, now: Moment) -> Outcome {
        self.storage.alive().map_err(ErrorCode)?;
        match request {
            Request::FnStatus(_) => Ok(Answer::FnStatus(self.fn_status(now))),
            Request::FnNumber(_) => Ok(Answer::FnNumber(padded(self.storage.number()))),
            Request::FnExpiry(_) => self.fn_expiry(),
            Request::FnVersion(_) => Ok(Answer::FnVersion(self.fn_version())),
            Request::FnRegistration(_) => self.registration().map(Answer::FnRegistration),
            Request::FnDocument(asked) => self.fn_document(asked.fd, now),
            Request::OpenDocument(asked) => self.open_document(asked.fd, now),
            Request::ReadDocument(_) => self.read_document(),
            Request::OfdStatus(_) => Ok(Answer::OfdStatus(self.ofd_status(now))),
            Request::UnconfirmedCount(_) => Ok(Answer::UnconfirmedCount(self.storage.queue(now).length)),
            _ => {
                let used = u32::from(self.storage.queue(now).length);
                Ok(Answer::FnResource(FnResource {
                    documents: self.storage.documents_left(),
                    free_kib: STORE_KIB.saturating_sub(used),
                    marking_fill: self.config.switches.marking_fill.then_some(0),
                }))
            }
        }
    }

    fn fn_version(&self) -> FnVersion {
        let firmware = match self.generation() {
            Generation::First => "fn_v_1_1",
            Generation::Fn12 => "fn_v_1_2",
        };
        // A test FN (its number begins 9999) is a debug unit.
        let serial = u8::from(!self.storage.number().starts_with("9999"));
        FnVersion {
            firmware: padded(firmware),
            serial,
        }
    }

    fn fn_status(&mut self, now: Moment) -> FnStatus {
        let status = self.storage.status(self.local(now), now);
        let (document, data) = match (&self.begun, &self.receipt) {
            (Some(begun), _) => {
                let kind = match begun.kind {
                    Kind::ShiftOpen => FnDocumentKind::SHIFT_OPEN,
                    Kind::ShiftClose => FnDocumentKind::SHIFT_CLOSE,
                    Kind::Correction => FnDocumentKind::CORRECTION,
                    Kind::Closing => FnDocumentKind::FN_CLOSE,
                    Kind::Registration => FnDocumentKind::REGISTRATION,
                    Kind::Reregistration if status.phase == Phase::Ready => FnDocumentKind::REREGISTRATION_FN_CHANGE,
                    Kind::Reregistration => FnDocumentKind::REREGISTRATION,
                    _ => FnDocumentKind::CALCULATION_REPORT,
                };
                (kind, !begun.tags.is_empty())
            }
            (None, Some(receipt)) => {
                let kind = if receipt.correction {
                    FnDocumentKind::CORRECTION
                } else {
                    FnDocumentKind::RECEIPT
                };
                (kind, receipt.item_count() > 0 || !receipt.host_tags().is_empty())
            }
            (None, None) => (FnDocumentKind::NONE, false),
        };
        FnStatus {
            phase: FnPhase(status.phase as u8),
            document,
            data_received: u8::from(data),
            shift_open: u8::from(self.storage.shift().open),
            warnings: FnWarnings(status.warnings),
            last_time: status.last_time,
            fn_number: padded(self.storage.number()),
            last_fd: FdNumber(status.last_fd),
        }
    }

    fn fn_expiry(&self) -> Outcome {
        let date = self.storage.unit().expiry.date();
        let year = u8::try_from(date.year() - 2000).map_err(|_| ErrorCode(code::FAILURE))?;
        let date = YmdDate {
            year,
            month: u8::from(date.month()),
            day: date.day(),
        };
        let done = self
            .storage
            .registrations()
            .len()
            .saturating_sub(1)
            .min(MOST_REREGISTRATIONS);
        let counts = Reregistrations {
            left: (MOST_REREGISTRATIONS - done) as u8,
            done: done as u8,
        };
        let reregistrations = self.config.switches.expiry_counts.then_some(counts);
        Ok(Answer::FnExpiry(FnExpiry { date, reregistrations }))
    }

    /// Result of the registration, from the FN's own document and not from the register's settings.
    pub(super) fn registration(&self) -> Result<FnRegistration, ErrorCode> {
        if self.storage.status_phase() < Phase::Fiscal as u8 {
            return Err(ErrorCode(code::STATE));
        }
        let last = self.storage.registrations().last().ok_or(ErrorCode(code::STATE))?;
        let record = self.storage.record(*last).map_err(ErrorCode)?;
        let facts = &self.config.registration;
        Ok(self.registration_of(&record, (facts.tax_systems, facts.work_mode, facts.extended_mode)))
    }

    /// What a report registered; the modes are tax systems, work mode, extended mode.
    pub(super) fn registration_of(&self, record: &Record, modes: (u8, u8, u8)) -> FnRegistration {
        let (tax_systems, work_mode, mode) = modes;
        let text = |tag| find_text(&record.tlv, tag).unwrap_or_default();
        let time = time_of(record);
        let format = find_number(&record.tlv, 1209);
        let extended = (format == Some(u64::from(Ffd::V12.tag_value()))).then(|| FnRegistrationExtended {
            mode,
            ofd_inn: padded(&text(1017)),
            reasons: find_number(&record.tlv, 1205).unwrap_or(0) as u32,
        });
        FnRegistration {
            registered: time,
            inn: padded(&text(1018)),
            rnm: padded(&text(1037)),
            tax_systems,
            work_mode,
            time: if extended.is_none() {
                time.and_then(|t| self.extended(t))
            } else {
                None
            },
            extended,
            fd: FdNumber(record.fd),
            fp: FiscalSign(record.fp),
        }
    }

    fn fn_document(&mut self, fd: FdNumber, now: Moment) -> Outcome {
        let record = self.storage.record(fd.0).map_err(ErrorCode)?;
        Ok(Answer::FnDocument(FnDocument {
            kind: self.marked_kind(record.kind),
            ticket: u8::from(self.storage.has_ticket(fd.0, now)),
            time: time_of(&record),
            fd,
            fp: FiscalSign(record.fp),
            body: self.short_body(&record),
        }))
    }

    /// Kind byte; with the switch the marks of `fn-ffd-ofd` A.6: C0h for receipts of FFD 1.2, 40h for registrations.
    fn marked_kind(&self, kind: u8) -> u8 {
        let marks = self.config.switches.document_kind_marks && self.config.ffd == Ffd::V12;
        match kind {
            3 | 4 | 31 | 41 if marks => kind | 0xC0,
            1 | 11 if marks => kind | 0x40,
            _ => kind,
        }
    }

    fn short_body(&self, record: &Record) -> Vec<u8> {
        let number = |tag| find_number(&record.tlv, tag).unwrap_or(0);
        match record.kind {
            1 | 11 => {
                let inn: [u8; 12] = padded(&find_text(&record.tlv, 1018).unwrap_or_default());
                let rnm: [u8; 20] = padded(&find_text(&record.tlv, 1037).unwrap_or_default());
                let (tax, mode, _) = modes_of(record);
                let mut body = [&inn[..], &rnm, &[tax, mode]].concat();
                body.extend((record.kind == 11).then_some(number(1101) as u8));
                body
            }
            6 => {
                let inn: [u8; 12] = padded(&find_text(&record.tlv, 1018).unwrap_or_default());
                let rnm: [u8; 20] = padded(&find_text(&record.tlv, 1037).unwrap_or_default());
                [&inn[..], &rnm].concat()
            }
            2 | 5 => number(1038).to_le_bytes()[..2].to_vec(),
            3 | 31 => {
                let mut body = vec![number(1054) as u8];
                body.extend_from_slice(&number(1020).to_le_bytes()[..5]);
                body
            }
            21 => {
                let mut body = number(1097).to_le_bytes()[..4].to_vec();
                let first = u32::try_from(number(1098)).ok().filter(|t| *t > 0);
                let date = first
                    .and_then(|t| LocalTime::from_unix_as_local(t).ok())
                    .and_then(YmdDate::of);
                body.extend(date.map_or([0; 3], |d| [d.year, d.month, d.day]));
                body
            }
            _ => Vec::new(),
        }
    }

    fn open_document(&mut self, fd: FdNumber, now: Moment) -> Outcome {
        self.reading = None;
        // 17/1/31 = 1: number 0 is the last document.
        let last = fd.0 == 0 && self.tables.number(super::tables::cell(17, 1, 31)) == 1;
        let fd = if last { self.storage.last_fd() } else { fd.0 };
        let record = self.storage.full_document(fd, now).map_err(ErrorCode)?;
        let length = u16::try_from(record.tlv.len()).map_err(|_| ErrorCode(code::FAILURE))?;
        self.reading = Some(self.defects.cut(parts(&record.tlv)));
        Ok(Answer::DocumentHeader(DocumentHeader {
            document: u16::from(record.kind),
            length,
        }))
    }

    fn read_document(&mut self) -> Outcome {
        let part = self.reading.as_mut().and_then(VecDeque::pop_front);
        match part {
            Some(part) => Ok(Answer::DocumentPart(part)),
            None => {
                self.reading = None;
                Err(ErrorCode(code::NO_DATA))
            }
        }
    }
}

/// One answer per TLV; a longer one in parts.
pub(super) fn parts(tlv: &[u8]) -> VecDeque<Vec<u8>> {
    let tags = walk(tlv).unwrap_or_default();
    let mut parts = VecDeque::new();
    for (tag, value) in tags {
        let mut whole = tag.to_le_bytes().to_vec();
        whole.extend_from_slice(&(value.len() as u16).to_le_bytes());
        whole.extend_from_slice(value);
        parts.extend(whole.chunks(PART).map(<[u8]>::to_vec));
    }
    parts
}

fn time_of(record: &Record) -> Option<LocalTime> {
    LocalTime::from_unix_as_local(record.time).ok()
}

/// ASCII in a field, padded with spaces on the right (`shtrih-m.md` 3.8).
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    field
}
