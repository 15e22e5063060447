//! Registration and re-registration (`shtrih-m.md` 3.8, `fn-ffd-ofd` A.8, B.2, B.3).
//!
//! Owns: commands FF05, FF06, FF34, what the report says, and what the register is registered as from then on.
//! Must never: register for another taxpayer or under another number than the FN holds.

use super::config::{Config, Ffd, Registration};
use super::device::{Begun, Device, Outcome};
use super::shift::MODEL_VERSION;
use super::tables::cell;
use crate::fiscal_storage::document::{Body, find_number, walk};
use crate::fiscal_storage::ledger::Record;
use crate::fiscal_storage::{Generation, Kind, Phase, code};
use crate::moment::Moment;
use kassette_wire::fiscal::verify_rnm;
use kassette_wire::shtrih::{Answer, ErrorCode, FnReportDone, Register, Reregister};
use kassette_wire::value::{FdNumber, FiscalSign, Inn, Rnm};
use serde::{Deserialize, Serialize};

/// Reason 1 of FF34: another FN.
const FN_CHANGE: u8 = 1;
/// Bits of the tax systems of tag 1062 and of the work mode of FF06.
const TAX_SYSTEMS: u8 = 0x3F;

/// What a host registered, in place of what the rack file says; it belongs to the FN that is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registered {
    pub ffd: Ffd,
    pub inn: String,
    pub rnm: String,
    pub facts: Registration,
}

impl Registered {
    /// The configuration of a register that is registered so.
    pub fn apply(&self, config: &mut Config) {
        config.ffd = self.ffd;
        config.inn.clone_from(&self.inn);
        config.rnm.clone_from(&self.rnm);
        config.registration = self.facts.clone();
    }
}

impl Device {
    /// FF05: 0 registration, 1 into another FN, 2 without one.
    pub(super) fn begin_registration(&mut self, report: u8, now: Moment) -> Outcome {
        let (kind, phase) = match report {
            0 => (Kind::Registration, Phase::Ready),
            1 => (Kind::Reregistration, Phase::Ready),
            2 => (Kind::Reregistration, Phase::Fiscal),
            _ => return Err(ErrorCode::BAD_PARAMETERS),
        };
        if self.storage.status_phase() != phase as u8 {
            return Err(ErrorCode(code::STATE));
        }
        self.begin(kind, now)
    }

    /// FF06.
    pub(super) fn register(&mut self, asked: &Register, now: Moment) -> Outcome {
        self.begun_as(Kind::Registration)?;
        let (inn, rnm) = self.named(&asked.inn, &asked.rnm)?;
        let mut config = self.as_tables_say(asked.tax_systems, asked.work_mode)?;
        config.inn = inn;
        config.rnm = rnm;
        self.report(Kind::Registration, config, None, now)
    }

    /// FF34. Neither the taxpayer nor the number of the register can change: those need another registration (B.3).
    pub(super) fn reregister(&mut self, asked: &Reregister, now: Moment) -> Outcome {
        self.begun_as(Kind::Reregistration)?;
        let other_fn = self.storage.status_phase() == Phase::Ready as u8;
        let reasons = if other_fn {
            FN_CHANGE..=FN_CHANGE
        } else {
            FN_CHANGE + 1..=4
        };
        if !reasons.contains(&asked.reason) {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        let (inn, rnm) = self.named(&asked.inn, &asked.rnm)?;
        if inn != self.config.inn || rnm != self.config.rnm {
            return Err(ErrorCode(code::BAD_VALUE));
        }
        let config = self.as_tables_say(asked.tax_systems, asked.work_mode)?;
        self.report(Kind::Reregistration, config, Some(asked.reason), now)
    }

    /// Puts the registration into table 18; INN and RNM stand there only when the FN has them.
    pub(super) fn show_registration(&mut self) {
        let number = self.storage.number().to_owned();
        self.tables.registration(&self.config, &number);
        if self.storage.registrations().is_empty() {
            self.tables.set_text(cell(18, 1, 2), "");
            self.tables.set_text(cell(18, 1, 3), "");
        }
    }

    fn begun_as(&self, kind: Kind) -> Result<(), ErrorCode> {
        match &self.begun {
            Some(Begun { kind: begun, .. }) if *begun == kind => Ok(()),
            _ => Err(ErrorCode(code::STATE)),
        }
    }

    /// INN and RNM of a command, with right check digits: 09 for an RNM that is not of this register (A.7).
    fn named(&self, inn: &[u8; 12], rnm: &[u8; 20]) -> Result<(String, String), ErrorCode> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim_end().to_owned();
        let inn: Inn = text(inn).parse().map_err(|_| ErrorCode::BAD_PARAMETERS)?;
        let rnm: Rnm = text(rnm).parse().map_err(|_| ErrorCode(code::BAD_VALUE))?;
        verify_rnm(&rnm, &inn, &self.config.serial).map_err(|_| ErrorCode(code::BAD_VALUE))?;
        Ok((inn.as_str().to_owned(), rnm.as_str().to_owned()))
    }

    /// The configuration as tables 17, 18 and 24 have it. An FN of the first generation knows no FFD 1.2.
    fn as_tables_say(&self, tax_systems: u8, work_mode: u8) -> Result<Config, ErrorCode> {
        let ffd = match self.tables.number(cell(17, 1, 17)) {
            2 => Ffd::V105,
            4 if self.generation() == Generation::Fn12 => Ffd::V12,
            _ => return Err(ErrorCode::ILLEGAL_WITH_SETTINGS),
        };
        if tax_systems == 0 || tax_systems & !TAX_SYSTEMS != 0 {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        let text = |field: u8| self.tables.text(cell(18, 1, field)).trim_end().to_owned();
        let long = |first: u8, second: u8| text(first) + &text(second);
        let old = &self.config.registration;
        let automatic = work_mode & 0x04 != 0;
        let facts = Registration {
            tax_systems,
            work_mode,
            extended_mode: self.tables.number(cell(18, 1, 21)) as u8,
            address: long(9, 18),
            place: long(14, 20),
            user_name: long(7, 17),
            ofd_inn: text(12),
            ofd_name: long(10, 19),
            sender_email: text(15),
            tax_site: text(13),
            automat: if automatic {
                self.tables.text(cell(24, 1, 1))
            } else {
                String::new()
            },
            zone_minutes: old.zone_minutes,
        };
        Ok(Config {
            ffd,
            registration: facts,
            ..self.config.clone()
        })
    }

    /// Makes the report; the register is what it says from then on.
    fn report(&mut self, kind: Kind, config: Config, reason: Option<u8>, now: Moment) -> Outcome {
        let tags = self.begun.as_ref().map(|begun| begun.tags.clone()).unwrap_or_default();
        let given: Vec<u16> = walk(&tags).unwrap_or_default().iter().map(|(tag, _)| *tag).collect();
        let mut body = Body::new();
        // What the host gave by FF0C stands in the place of what the tables say.
        for (tag, value) in walk(self.registration_body(&config).as_bytes()).unwrap_or_default() {
            if !given.contains(&tag) {
                body.bytes(tag, value);
            }
        }
        body.append(&Body::from_tlv(tags));
        match (reason, config.ffd) {
            (Some(reason), Ffd::V105) => drop(body.byte(1101, reason)),
            (Some(_), Ffd::V12) => drop(body.u32(1205, self.tables.number(cell(18, 1, 22)) as u32)),
            (None, _) => {}
        }
        let formed = self.form(kind, body, now)?;
        self.memory.registered = Some(Registered {
            ffd: config.ffd,
            inn: config.inn.clone(),
            rnm: config.rnm.clone(),
            facts: config.registration.clone(),
        });
        self.memory_changed = true;
        self.config = config;
        self.show_registration();
        self.start_printing(None, now);
        Ok(Answer::FnReport(FnReportDone {
            fd: FdNumber(formed.fd),
            fp: FiscalSign(formed.fp),
            time: self.extended(formed.time),
        }))
    }

    /// Content of the registration report (`fn-ffd-ofd` C.4, column Rg).
    pub(super) fn registration_body(&self, config: &Config) -> Body {
        let facts = &config.registration;
        let mode = |bit: u8| facts.work_mode >> bit & 1;
        let mut body = Body::new();
        body.padded(1037, &config.rnm, 20).padded(1018, &config.inn, 12);
        body.text(1013, &config.serial).text(1048, &facts.user_name);
        body.text(1009, &facts.address).text(1187, &facts.place);
        body.byte(1062, facts.tax_systems)
            .byte(1002, mode(1))
            .byte(1001, mode(2))
            .byte(1056, mode(0));
        if config.ffd == Ffd::V12 {
            body.u32(1290, conditions(facts.work_mode, facts.extended_mode));
        } else {
            body.byte(1109, mode(3)).byte(1110, mode(4)).byte(1108, mode(5));
            body.byte(1207, facts.extended_mode & 1)
                .byte(1193, facts.extended_mode >> 1 & 1);
            body.byte(1126, facts.extended_mode >> 2 & 1)
                .byte(1221, facts.extended_mode >> 3 & 1);
        }
        for (tag, text) in [
            (1046, &facts.ofd_name),
            (1060, &facts.tax_site),
            (1117, &facts.sender_email),
        ] {
            if !text.is_empty() {
                body.text(tag, text);
            }
        }
        if !facts.ofd_inn.is_empty() {
            body.padded(1017, &facts.ofd_inn, 12);
        }
        if !facts.automat.is_empty() {
            body.text(1036, &facts.automat);
        }
        body.text(1021, &self.cashier(30)).text(1188, MODEL_VERSION);
        let ffd = config.ffd.tag_value();
        body.byte(1189, ffd).byte(1190, ffd).byte(1209, ffd);
        body
    }
}

/// Work mode bits of tag 1290: bit of FF06, bit there (`fn-ffd-ofd` A.4, C.5).
const FROM_MODE: [(u8, u8); 5] = [(3, 9), (4, 2), (5, 5), (6, 15), (7, 16)];
/// The same for the extended mode.
const FROM_EXTENDED: [(u8, u8); 8] = [(0, 6), (1, 10), (2, 11), (3, 1), (4, 8), (5, 12), (6, 13), (7, 14)];

/// Tag 1290 from the work mode bits.
fn conditions(mode: u8, extended: u8) -> u32 {
    let bits =
        |byte: u8, map: &[(u8, u8)]| -> u32 { map.iter().map(|(from, to)| u32::from(byte >> from & 1) << to).sum() };
    bits(mode, &FROM_MODE) | bits(extended, &FROM_EXTENDED)
}

/// Tax systems, work mode and extended mode of an earlier report, from its tags.
pub(super) fn modes_of(record: &Record) -> (u8, u8, u8) {
    let flag = |tag: u16, bit: u8| u8::from(find_number(&record.tlv, tag) == Some(1)) << bit;
    let tax = find_number(&record.tlv, 1062).unwrap_or(0) as u8;
    let common = flag(1056, 0) | flag(1002, 1) | flag(1001, 2);
    let Some(bits) = find_number(&record.tlv, 1290) else {
        let mode = common | flag(1109, 3) | flag(1110, 4) | flag(1108, 5);
        return (tax, mode, flag(1207, 0) | flag(1193, 1) | flag(1126, 2) | flag(1221, 3));
    };
    let back = |map: &[(u8, u8)]| -> u8 { map.iter().map(|(to, from)| ((bits >> from & 1) as u8) << to).sum() };
    (tax, common | back(&FROM_MODE), back(&FROM_EXTENDED))
}
