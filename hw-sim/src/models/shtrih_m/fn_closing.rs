//! Closing the FN (`shtrih-m.md` 3.8, `fn-ffd-ofd` B.4).
//!
//! Owns: command FF3E; FF3D begins as any report does.
//! Must never: close an FN whose documents have no tickets.

use super::device::{Device, Outcome};
use crate::fiscal_storage::document::{Body, walk};
use crate::fiscal_storage::{Kind, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{Answer, ErrorCode, FnReportDone};
use kassette_wire::value::{FdNumber, FiscalSign};

impl Device {
    /// FF3E: the last document of the FN, which then only sends and shows what it holds.
    pub(super) fn close_fn(&mut self, operator: u8, now: Moment) -> Outcome {
        if self.begun.as_ref().is_none_or(|b| b.kind != Kind::Closing) {
            return Err(ErrorCode(code::STATE));
        }
        let tags = self.begun_tags(Kind::Closing)?;
        let given: Vec<u16> = walk(&tags).unwrap_or_default().iter().map(|(tag, _)| *tag).collect();
        let facts = &self.config.registration;
        let cashier = self.cashier(operator);
        let mut body = Body::new();
        for (tag, text) in [
            (1021, &cashier),
            (1048, &facts.user_name),
            (1009, &facts.address),
            (1187, &facts.place),
        ] {
            if !text.is_empty() && !given.contains(&tag) {
                body.text(tag, text);
            }
        }
        body.append(&Body::from_tlv(tags))
            .byte(1209, self.config.ffd.tag_value());
        let formed = self.form(Kind::Closing, body, now)?;
        self.start_printing(None, now);
        Ok(Answer::FnReport(FnReportDone {
            fd: FdNumber(formed.fd),
            fp: FiscalSign(formed.fp),
            time: self.extended(formed.time),
        }))
    }
}
