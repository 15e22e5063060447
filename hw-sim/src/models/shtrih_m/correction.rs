//! Corrections of FFD 1.05 (`shtrih-m.md` 3.6, `fn-ffd-ofd` C.8).
//!
//! Owns: commands FF35 and FF4A, and what makes the basis of any correction whole.
//! Must never: make one under FFD 1.2, which corrects by receipts with items (8D with 80 to 83).

use super::config::Ffd;
use super::device::{Device, Outcome};
use super::receipt::{Closing, Payment, Receipt};
use super::tables::AUTO_SHIFT;
use crate::fiscal_storage::document::{Body, walk};
use crate::fiscal_storage::{Generation, Kind, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{Answer, CorrectionDone, CorrectionV2, ErrorCode};
use kassette_wire::value::{FdNumber, FiscalSign, Kopecks};

/// Tag 1173, the type of a correction: 0 by oneself, 1 by order of the tax service.
pub(super) const CORRECTION_TYPE: u16 = 1173;

impl Device {
    /// FF35. FF36 forms corrections of FFD 1.0, for which no register here is set up: it is refused with 35.
    pub(super) fn begin_correction(&mut self, operator: u8, now: Moment) -> Outcome {
        if self.config.ffd != Ffd::V105 {
            return Err(ErrorCode::ILLEGAL_WITH_SETTINGS);
        }
        if self.begun.is_none() && !self.storage.shift().open {
            let opens = self.config.switches.receipt_opens_shift || self.tables.number(AUTO_SHIFT) == 2;
            if !opens {
                return Err(ErrorCode::SHIFT_NOT_OPEN);
            }
            self.open_shift(operator, now)?;
        }
        self.begin(Kind::Correction, now)
    }

    /// FF4A. A refusal leaves the correction begun.
    pub(super) fn correction(&mut self, asked: &CorrectionV2, operator: u8, now: Moment) -> Outcome {
        let begun = self.begun.clone().filter(|begun| begun.kind == Kind::Correction);
        let tags = begun.ok_or(ErrorCode(code::STATE))?.tags;
        let returns = self.config.switches.correction_of_returns;
        let direction = matches!(asked.direction, 1 | 3) || (returns && matches!(asked.direction, 2 | 4));
        if asked.kind > 1 || !direction {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        let payment = Payment {
            sums: asked.payments.map(Kopecks::get),
            types: [asked.payments[0].get(), asked.payments[1].get(), 0, 0],
            rounding: 0,
            tax_system: self.tax_system(asked.tax_system.0)?,
            taxes: Some(asked.taxes.map(Kopecks::get)),
        };
        self.adds_up(asked, &payment)?;
        // FFD 1.05 asks for the number of the order in every correction (`fn-ffd-ofd` C.5).
        if !basis_is_whole(&tags, true) {
            let checks_tags = self.generation() == Generation::Fn12;
            return Err(if checks_tags {
                ErrorCode::TLV_INCOMPLETE
            } else {
                ErrorCode::BAD_PARAMETERS
            });
        }
        let mut host = Body::new();
        host.byte(CORRECTION_TYPE, asked.kind).append(&Body::from_tlv(tags));
        let receipt = Receipt::of_ff4a(asked.direction, operator, host.into_bytes());
        let cashier = self.cashier(operator);
        let receipt = receipt.ok_or(ErrorCode::BAD_PARAMETERS)?;
        let body = receipt.body(&Closing {
            payment: &payment,
            total: asked.total.get(),
            change: 0,
            over_total: false,
            facts: &self.config.registration,
            ffd: self.config.ffd,
            cashier: &cashier,
        });
        let formed = self.form(Kind::Correction, body, now)?;
        self.count_receipt(&receipt, &payment, 0);
        self.start_printing(None, now);
        Ok(Answer::Correction(CorrectionDone {
            receipt: formed.receipt,
            fd: FdNumber(formed.fd),
            fp: FiscalSign(formed.fp),
            time: self.extended(formed.time),
        }))
    }

    /// The payments are the total, exactly: a correction gives no change.
    fn adds_up(&self, asked: &CorrectionV2, payment: &Payment) -> Result<(), ErrorCode> {
        let total = asked.total.get();
        let [cash, others @ ..] = payment.sums;
        let cashless: u64 = others.iter().sum();
        let pays_out = matches!(asked.direction, 2 | 3);
        if total == 0 {
            Err(ErrorCode::ZERO_TOTAL)
        } else if cashless > total {
            Err(ErrorCode::CASHLESS_TOO_LARGE)
        } else if cash + cashless < total {
            Err(ErrorCode::PAYMENTS_TOO_SMALL)
        } else if cash + cashless > total {
            Err(ErrorCode::BAD_PARAMETERS)
        } else if pays_out && cash > self.drawer() {
            Err(ErrorCode::NOT_ENOUGH_CASH)
        } else {
            Ok(())
        }
    }
}

/// Tag 1174 with the date of the settlement, and the number of the order where one is needed (`fn-ffd-ofd` C.5).
pub(super) fn basis_is_whole(host: &[u8], order: bool) -> bool {
    let tags = walk(host).unwrap_or_default();
    let basis = tags
        .iter()
        .find(|(tag, _)| *tag == 1174)
        .and_then(|(_, value)| walk(value));
    let has = |wanted: u16| basis.iter().flatten().any(|(tag, _)| *tag == wanted);
    has(1178) && (has(1179) || !order)
}
