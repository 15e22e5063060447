//! Receipts and drawer money (`shtrih-m.md` 3.5).
//!
//! Owns: commands 8D, FF46, FF4D, FF0C, FF45, 88, FF08, 89, FF4B, and of the older set 80 to 83, FF0D, 85, 8E, 50, 51.
//! Must never: answer a closing before the receipt stands in the FN.

use super::correction::{CORRECTION_TYPE, basis_is_whole};
use super::device::{Device, MARKING_MODE, NOT_REGISTERED_FOR_MARKING, Outcome};
use super::receipt::{Closing, NewItem, Payment, Receipt};
use super::tables::{AUTO_SHIFT, cell};
use super::tags::{self, BAD, Place, vat_of_byte, vat_of_row};
use crate::fiscal_storage::document::find_number;
use crate::fiscal_storage::{Formed, Kind, code};
use crate::moment::Moment;
use kassette_wire::shtrih::{
    Answer, CashDone, CloseExtended, CloseLegacy, CloseLegacyDone, CloseReceipt, CloseReceiptDone, ErrorCode,
    LegacyOperation, OperationDiscounted, OperationV2, ReceiptDiscount, Request, Subtotal,
};
use kassette_wire::text::until_nul;
use kassette_wire::value::{FdNumber, FiscalSign, Kopecks, Quantity};

/// 1/1/14: the host must pass taxes.
const TAX_ACCRUAL: kassette_wire::shtrih::TableCell = cell(1, 1, 14);
/// 1/1/23: zero receipts are forbidden.
const ZERO_FORBIDDEN: kassette_wire::shtrih::TableCell = cell(1, 1, 23);

impl Device {
    pub(super) fn sale_command(&mut self, request: Request, operator: u8, now: Moment) -> Outcome {
        match request {
            Request::OpenReceipt(open) => {
                let receipt = Receipt::of_8d(open.kind.code(), operator).ok_or(ErrorCode::BAD_PARAMETERS)?;
                self.open_receipt(receipt, now)?;
                Ok(Answer::Operator(Some(operator)))
            }
            Request::Operation(item) => self.item(&item, operator, now),
            Request::OperationTag(tags) => self.item_tags(&tags.tlv),
            Request::DocumentTag(tags) => self.document_tags(&tags.tlv),
            Request::CloseReceipt(close) => self.close(&close, operator, now),
            Request::CancelReceipt(_) => {
                self.own_receipt(operator)?;
                self.cancel_receipt();
                Ok(Answer::Operator(Some(operator)))
            }
            Request::FnCancelDocument(_) => self.cancel_fn_document(),
            Request::Subtotal(_) => {
                let total = money(self.own_receipt(operator)?.subtotal())?;
                Ok(Answer::Subtotal(Subtotal { operator, total }))
            }
            Request::LegacySale(item) => self.legacy_item(&item, 0, operator, now),
            Request::LegacyBuy(item) => self.legacy_item(&item, 1, operator, now),
            Request::LegacySaleReturn(item) => self.legacy_item(&item, 2, operator, now),
            Request::LegacyBuyReturn(item) => self.legacy_item(&item, 3, operator, now),
            Request::OperationDiscounted(item) => self.discounted_item(&item, operator, now),
            Request::ReceiptDiscount(discount) => self.receipt_discount(&discount, operator),
            Request::CloseLegacy(CloseLegacy { payments, discount, .. }) => {
                let mut all = [Kopecks::ZERO; 16];
                all[..4].copy_from_slice(&payments);
                self.close_legacy(&all, discount, operator, now)
            }
            Request::CloseExtended(CloseExtended { payments, discount, .. }) => {
                self.close_legacy(&payments, discount, operator, now)
            }
            Request::CashIn(movement) => self.move_cash(movement.amount, true, now),
            Request::CashOut(movement) => self.move_cash(movement.amount, false, now),
            _ => Err(ErrorCode::UNSUPPORTED),
        }
    }

    /// The receipt that is open, if this operator opened it.
    fn own_receipt(&mut self, operator: u8) -> Result<&mut Receipt, ErrorCode> {
        match &mut self.receipt {
            Some(receipt) if receipt.operator == operator => Ok(receipt),
            Some(_) => Err(ErrorCode::OTHER_OPERATOR),
            None => Err(ErrorCode::RECEIPT_CLOSED),
        }
    }

    fn kind(receipt: &Receipt) -> Kind {
        if receipt.correction {
            Kind::Correction
        } else {
            Kind::Receipt
        }
    }

    /// Opens a receipt; the FN is asked at once whether it would take one.
    fn open_receipt(&mut self, receipt: Receipt, now: Moment) -> Result<(), ErrorCode> {
        if receipt.correction && self.config.ffd != super::Ffd::V12 {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        if self.begun.is_some() {
            return Err(ErrorCode(code::STATE));
        }
        if !self.storage.shift().open {
            let before = self.config.switches.receipt_opens_shift || self.tables.number(AUTO_SHIFT) == 2;
            if before {
                self.open_shift(receipt.operator, now)?;
            } else if self.tables.number(AUTO_SHIFT) == 0 {
                return Err(ErrorCode::SHIFT_NOT_OPEN);
            } else {
                // The shift opens when the receipt is closed; until then the FN cannot be asked.
                let time = self.local(now);
                self.storage.permits(Kind::ShiftOpen, time, now).map_err(ErrorCode)?;
                self.receipt = Some(receipt);
                return Ok(());
            }
        }
        self.figures.forget_last();
        let time = self.local(now);
        self.storage
            .permits(Self::kind(&receipt), time, now)
            .map_err(ErrorCode)?;
        self.receipt = Some(receipt);
        Ok(())
    }

    fn item(&mut self, item: &OperationV2, operator: u8, now: Moment) -> Outcome {
        if self.receipt.is_none() {
            let receipt = Receipt::of_ff46(item.kind.code(), operator).ok_or(ErrorCode::BAD_PARAMETERS)?;
            self.open_receipt(receipt, now)?;
        }
        let vat = vat_of_byte(item.vat.0, &self.tables, &self.config.switches).ok_or(ErrorCode::BAD_PARAMETERS)?;
        if item.department > 16 && item.department != 255 {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        let new = NewItem {
            name: &item.name,
            quantity: item.quantity,
            price: item.price,
            sum: item.sum,
            vat,
            department: item.department,
            method: item.method,
            subject: item.subject,
        };
        self.add_item(&new, item.kind.code(), operator)?;
        Ok(Answer::Done)
    }

    /// Adds an item whose direction (numbered as tag 1054) must be that of the receipt.
    fn add_item(&mut self, new: &NewItem<'_>, sign: u8, operator: u8) -> Result<(), ErrorCode> {
        let marked = (30..=33).contains(&new.subject);
        if marked && self.config.registration.extended_mode & MARKING_MODE == 0 {
            return Err(NOT_REGISTERED_FOR_MARKING);
        }
        let (ffd, mismatch) = (
            self.config.ffd,
            if self.config.switches.sum_mismatch_is_5e {
                0x5E
            } else {
                BAD
            },
        );
        let receipt = self.own_receipt(operator)?;
        if receipt.sign != sign {
            return Err(ErrorCode::WRONG_RECEIPT_TYPE);
        }
        receipt.add_item(new, ffd, mismatch).map_err(ErrorCode)
    }

    fn item_tags(&mut self, tlv: &[u8]) -> Outcome {
        self.defects.permit(tlv)?;
        let (ffd, generation) = (self.config.ffd, self.generation());
        let receipt = self.receipt.as_mut().ok_or(ErrorCode::RECEIPT_CLOSED)?;
        let before = receipt.item_tags().ok_or(ErrorCode::BAD_PARAMETERS)?;
        tags::check(tlv, before, Place::Item, ffd, generation).map_err(ErrorCode)?;
        receipt.add_item_tags(tlv).map_err(ErrorCode)?;
        Ok(Answer::Done)
    }

    /// FF0C goes, whoever sends it (drivers send it with rank 30 into a cashier's receipt), to the open receipt or the begun report; without either the FN has no document to take it.
    pub(super) fn document_tags(&mut self, tlv: &[u8]) -> Outcome {
        self.defects.permit(tlv)?;
        let (ffd, generation) = (self.config.ffd, self.generation());
        self.storage.alive().map_err(ErrorCode)?;
        if let Some(begun) = &mut self.begun {
            let place = Self::report_place(begun.kind);
            // FF4A brings the type of a correction itself.
            let twice = begun.kind == Kind::Correction && find_number(tlv, CORRECTION_TYPE).is_some();
            if twice {
                return Err(ErrorCode::BAD_PARAMETERS);
            }
            tags::check(tlv, &begun.tags, place, ffd, generation).map_err(ErrorCode)?;
            begun.tags.extend_from_slice(tlv);
            return Ok(Answer::Done);
        }
        let receipt = self.receipt.as_mut().ok_or(ErrorCode(code::STATE))?;
        tags::check(tlv, receipt.host_tags(), receipt.place(), ffd, generation).map_err(ErrorCode)?;
        receipt.add_tags(tlv).map_err(ErrorCode)?;
        Ok(Answer::Done)
    }

    fn cancel_fn_document(&mut self) -> Outcome {
        self.storage.alive().map_err(ErrorCode)?;
        let open = self.cancel_receipt() | self.begun.take().is_some();
        if open {
            Ok(Answer::Done)
        } else {
            Err(ErrorCode(code::STATE))
        }
    }

    fn close(&mut self, close: &CloseReceipt, operator: u8, now: Moment) -> Outcome {
        if close.text.len() > 64 {
            return Err(ErrorCode::BAD_LENGTH);
        }
        let host_taxes = self.tables.number(TAX_ACCRUAL) == 1;
        let payment = Payment {
            sums: kinds_of_payment(close.payments),
            types: first_types(&close.payments),
            rounding: u64::from(close.rounding),
            tax_system: self.tax_system(close.tax_system)?,
            taxes: host_taxes.then(|| close.taxes.map(Kopecks::get)),
        };
        let (formed, change) = self.settle(&payment, operator, now)?;
        Ok(Answer::CloseReceipt(CloseReceiptDone {
            change: money(change)?,
            fd: FdNumber(formed.fd),
            fp: FiscalSign(formed.fp),
            time: self.extended(formed.time),
        }))
    }

    /// Exactly one bit, and one of the registration. 0 is doubtful (3.5, unverified).
    pub(super) fn tax_system(&self, given: u8) -> Result<u8, ErrorCode> {
        let registered = self.config.registration.tax_systems;
        let default = self.config.switches.zero_tax_system_is_default && registered.count_ones() == 1;
        let chosen = if given == 0 && default { registered } else { given };
        if chosen.count_ones() == 1 && chosen & registered != 0 {
            Ok(chosen)
        } else {
            Err(ErrorCode::BAD_PARAMETERS)
        }
    }

    /// Checks the money, makes the document, and only then forgets the receipt.
    fn settle(&mut self, payment: &Payment, operator: u8, now: Moment) -> Result<(Formed, u64), ErrorCode> {
        let zero_forbidden = self.tables.number(ZERO_FORBIDDEN) == 1;
        let receipt = self.own_receipt(operator)?.clone();
        let (total, change) = receipt.settle(payment, zero_forbidden).map_err(ErrorCode)?;
        let pays_out = matches!(receipt.sign, 2 | 3);
        if pays_out && payment.sums[0] - change > self.drawer() {
            return Err(ErrorCode::NOT_ENOUGH_CASH);
        }
        if receipt.correction && !correction_is_whole(receipt.host_tags()) {
            return Err(ErrorCode::TLV_INCOMPLETE);
        }
        if !self.storage.shift().open {
            self.open_shift(operator, now)?;
        }
        let cashier = self.cashier(operator);
        let body = receipt.body(&Closing {
            payment,
            total,
            change,
            over_total: self.config.switches.vat_rounded_over_total,
            facts: &self.config.registration,
            ffd: self.config.ffd,
            cashier: &cashier,
        });
        let formed = self.form(Self::kind(&receipt), body, now)?;
        self.receipt = None;
        self.count_receipt(&receipt, payment, change);
        self.start_printing(Some(receipt.status), now);
        Ok((formed, change))
    }

    fn legacy_item(&mut self, item: &LegacyOperation, kind: u8, operator: u8, now: Moment) -> Outcome {
        let fresh = Receipt::of_8d(kind, operator).ok_or(ErrorCode::BAD_PARAMETERS)?;
        let old = OldItem {
            name: &item.text,
            thousandths: item.quantity_thousandths,
            price: item.price,
            department: item.department,
            row: item.taxes[0],
        };
        self.old_item(&old, fresh, operator, now)?;
        Ok(Answer::Operator(Some(operator)))
    }

    /// FF0D. With 17/1/3 = 2, which the format requires, no discount changes an item.
    fn discounted_item(&mut self, item: &OperationDiscounted, operator: u8, now: Moment) -> Outcome {
        if item.text.len() > 220 {
            return Err(ErrorCode::BAD_LENGTH);
        }
        if item.discount.get() != 0 || item.surcharge.get() != 0 {
            return Err(ErrorCode::ILLEGAL_WITH_SETTINGS);
        }
        let one_group = item.taxes.count_ones() <= 1 && item.taxes & 0xF0 == 0;
        if !one_group || (item.department > 16 && item.department != 255) {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        let fresh = Receipt::of_ff46(item.kind.code(), operator).ok_or(ErrorCode::BAD_PARAMETERS)?;
        let old = OldItem {
            // The name ends with a zero; what follows is the name of the discount.
            name: until_nul(&item.text),
            thousandths: item.quantity_thousandths,
            price: item.price,
            department: item.department,
            row: if item.taxes == 0 {
                0
            } else {
                item.taxes.trailing_zeros() as u8 + 1
            },
        };
        self.old_item(&old, fresh, operator, now)?;
        Ok(Answer::Done)
    }

    /// An item of the older commands: into the open receipt, else into one that it opens.
    fn old_item(&mut self, old: &OldItem<'_>, fresh: Receipt, operator: u8, now: Moment) -> Result<(), ErrorCode> {
        let vat = vat_of_row(old.row, &self.tables, &self.config.switches).ok_or(ErrorCode::BAD_PARAMETERS)?;
        let millionths = old.thousandths.checked_mul(1000).ok_or(ErrorCode(0x60))?;
        let quantity = Quantity::from_millionths(millionths).map_err(|_| ErrorCode(0x60))?;
        let sign = fresh.sign;
        let opened_here = self.receipt.is_none();
        if opened_here {
            self.open_receipt(fresh, now)?;
        }
        // The older set says nothing of tags 1214 and 1212: full settlement of goods.
        let new = NewItem {
            name: old.name,
            quantity,
            price: old.price,
            sum: None,
            vat,
            department: old.department,
            method: 4,
            subject: 1,
        };
        let added = self.add_item(&new, sign, operator);
        if added.is_err() && opened_here {
            self.receipt = None;
        }
        added
    }

    fn receipt_discount(&mut self, asked: &ReceiptDiscount, operator: u8) -> Outcome {
        if asked.text.len() > 128 {
            return Err(ErrorCode::BAD_LENGTH);
        }
        if asked.surcharge.get() != 0 {
            return Err(ErrorCode::ILLEGAL_WITH_SETTINGS);
        }
        let receipt = self.own_receipt(operator)?;
        receipt.take_off(asked.discount.get()).map_err(ErrorCode)?;
        Ok(Answer::Done)
    }

    /// 85 and 8E: the only registered tax system. 17/1/3 = 2, which the format requires, leaves no discount.
    fn close_legacy(&mut self, payments: &[Kopecks; 16], discount: u16, operator: u8, now: Moment) -> Outcome {
        let registered = self.config.registration.tax_systems;
        if discount != 0 || registered.count_ones() != 1 {
            return Err(ErrorCode::ILLEGAL_WITH_SETTINGS);
        }
        let payment = Payment {
            sums: kinds_of_payment(*payments),
            types: first_types(payments),
            rounding: 0,
            tax_system: registered,
            taxes: None,
        };
        let (_, change) = self.settle(&payment, operator, now)?;
        Ok(Answer::CloseLegacy(CloseLegacyDone {
            operator,
            change: money(change)?,
        }))
    }

    /// Cash in the drawer: what receipts brought and took, and commands 50 and 51.
    pub(super) fn drawer(&self) -> u64 {
        let all = i128::from(self.storage.cash_balance()) + i128::from(self.memory.drawer_kopecks);
        u64::try_from(all).unwrap_or(0)
    }

    fn move_cash(&mut self, amount: Kopecks, inwards: bool, now: Moment) -> Outcome {
        if !inwards && amount.get() > self.drawer() {
            return Err(ErrorCode::NOT_ENOUGH_CASH);
        }
        let signed = if inwards { amount.signed() } else { -amount.signed() };
        self.memory.drawer_kopecks = self.memory.drawer_kopecks.saturating_add(signed);
        let closed = self.closed_shift();
        self.memory.drawer_counts.count(amount.get(), inwards, closed);
        self.memory.cash_documents = self.memory.cash_documents.wrapping_add(1);
        self.memory_changed = true;
        self.start_printing(None, now);
        Ok(Answer::Cash(CashDone {
            // The recorded register does not say who moved the cash.
            operator: 0,
            document: self.memory.cash_documents,
        }))
    }
}

/// What the older commands say of an item.
struct OldItem<'a> {
    name: &'a [u8],
    thousandths: u64,
    price: Kopecks,
    department: u8,
    /// Row of table 6, 0 for none.
    row: u8,
}

/// Payment types 1 to 16 as the format knows them: 2 to 13 are electronic together, 14 to 16 are prepayment, credit and
/// counter-provision (3.5).
pub(super) fn kinds_of_payment(payments: [Kopecks; 16]) -> [u64; 5] {
    let paid = payments.map(Kopecks::get);
    [paid[0], paid[1..13].iter().sum(), paid[13], paid[14], paid[15]]
}

fn first_types(payments: &[Kopecks; 16]) -> [u64; 4] {
    std::array::from_fn(|at| payments[at].get())
}

pub(super) fn money(kopecks: u64) -> Result<Kopecks, ErrorCode> {
    Kopecks::new(kopecks).map_err(|_| ErrorCode(0x60))
}

/// A correction of FFD 1.2 names its type and basis.
fn correction_is_whole(host: &[u8]) -> bool {
    match find_number(host, CORRECTION_TYPE) {
        Some(0) => basis_is_whole(host, false),
        Some(1) => basis_is_whole(host, true),
        _ => false,
    }
}
