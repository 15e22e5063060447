//! Money and operation registers, commands 1A and 1B (layout by captures).
//!
//! Owns: which numbers mean what, and what is counted of commands 50, 51 and 88.
//! Must never: count receipts of a kind beside the FN; those come from its documents.
//!
//! The numbers are those that the vendor's own driver names. Discounts are always zero, as 17/1/3 = 2 leaves none; what
//! came from the electronic journal and the counts of reports that FN models do not make are refused with 33.

use super::device::{Device, Outcome};
use super::figures::{Figures, place_of_sign};
use super::receipt::{Payment, Receipt};
use crate::fiscal_storage::ReceiptTotals;
use kassette_wire::shtrih::{Answer, ErrorCode, MoneyRegister, OperationRegister};
use kassette_wire::value::Kopecks;
use serde::{Deserialize, Serialize};

/// Money put into the drawer and taken out by 50 and 51.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DrawerCounts {
    /// The last closed shift when the four below were counted; after another closing they are zero.
    since: u16,
    in_kopecks: u64,
    out_kopecks: u64,
    ins: u16,
    outs: u16,
    all_ins: u16,
    all_outs: u16,
}

impl DrawerCounts {
    /// The counts as they stand when `closed` is the last closed shift.
    const fn after(self, closed: u16) -> Self {
        if self.since == closed {
            return self;
        }
        Self {
            since: closed,
            in_kopecks: 0,
            out_kopecks: 0,
            ins: 0,
            outs: 0,
            all_ins: self.all_ins,
            all_outs: self.all_outs,
        }
    }

    pub const fn count(&mut self, kopecks: u64, inwards: bool, closed: u16) {
        *self = self.after(closed);
        if inwards {
            self.in_kopecks = self.in_kopecks.saturating_add(kopecks);
            self.ins = self.ins.wrapping_add(1);
            self.all_ins = self.all_ins.wrapping_add(1);
        } else {
            self.out_kopecks = self.out_kopecks.saturating_add(kopecks);
            self.outs = self.outs.wrapping_add(1);
            self.all_outs = self.all_outs.wrapping_add(1);
        }
    }
}

/// Receipts that 88 or FF08 cancelled, by kind in the order of 8D.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CancelCounts {
    /// As in [`DrawerCounts`], for the sums and counts of the shift.
    since: u16,
    kopecks: [u64; 4],
    shift: [u16; 4],
    all: [u16; 4],
}

impl CancelCounts {
    fn after(self, closed: u16) -> Self {
        if self.since == closed {
            return self;
        }
        Self {
            since: closed,
            all: self.all,
            ..Self::default()
        }
    }

    fn count(&mut self, kind: usize, kopecks: u64, closed: u16) {
        *self = self.after(closed);
        self.kopecks[kind] = self.kopecks[kind].saturating_add(kopecks);
        self.shift[kind] = self.shift[kind].wrapping_add(1);
        self.all[kind] = self.all[kind].wrapping_add(1);
    }
}

/// Receipts of one kind in the order of 8D: sale, buy, sale return, buy return; tag 1054 counts 1, 3, 2, 4.
const fn in_order_of_8d(totals: [ReceiptTotals; 4], place: u8) -> ReceiptTotals {
    match place {
        0 => totals[0],
        1 => totals[2],
        2 => totals[1],
        _ => totals[3],
    }
}

impl Device {
    /// Number of the last closed shift.
    pub(super) fn closed_shift(&self) -> u16 {
        let shift = self.storage.shift();
        shift.number.saturating_sub(u16::from(shift.open))
    }

    /// What the shift brought; nothing when it is closed, as the closing resets the registers.
    fn shift_totals(&self) -> [ReceiptTotals; 4] {
        if self.storage.shift().open {
            self.storage.shift_totals()
        } else {
            Default::default()
        }
    }

    /// A receipt stands in the FN: adds it to the registers.
    pub(super) fn count_receipt(&mut self, receipt: &Receipt, payment: &Payment, change: u64) {
        let mut figures = receipt.figures();
        figures.payments = payment.types;
        figures.payments[0] = figures.payments[0].saturating_sub(change);
        let (drawer, closed) = (self.drawer(), self.closed_shift());
        self.figures.close(receipt.sign, figures, drawer, closed);
    }

    /// Drops the open receipt and counts it; whether there was one.
    pub(super) fn cancel_receipt(&mut self) -> bool {
        let Some(receipt) = self.receipt.take() else {
            return false;
        };
        let closed = self.closed_shift();
        let kind = place_of_sign(receipt.sign);
        self.memory.cancelled.count(kind, receipt.subtotal(), closed);
        self.memory_changed = true;
        self.figures.forget_last();
        true
    }

    /// Figures of the receipt that is open, else of the last one.
    fn receipt_figures(&self, kind: usize) -> Figures {
        match &self.receipt {
            Some(receipt) if place_of_sign(receipt.sign) == kind => receipt.figures(),
            Some(_) => Figures::default(),
            None => self.figures.of_last(kind),
        }
    }

    fn shift_figures(&self, kind: usize) -> Figures {
        self.figures.of_shift(kind, self.closed_shift())
    }

    pub(super) fn money_register(&self, number: u8, operator: u8) -> Outcome {
        let drawer = self.memory.drawer_counts.after(self.closed_shift());
        let kopecks = match number {
            // Registers of one receipt, then those of the shift: row by row, four kinds in a row.
            0..=119 => money_of_receipt(number, |kind| self.receipt_figures(kind)),
            120 => self.figures.drawer_then(),
            121..=184 => {
                let (row, kind) = row_and_kind(number - 121);
                self.shift_figures(kind).departments[row].0
            }
            185..=192 => 0,
            0xC1..=0xC4 => in_order_of_8d(self.shift_totals(), number - 0xC1).cash,
            0xC5..=0xF0 => {
                let (row, kind) = row_and_kind(number - 0xC1);
                let Figures {
                    payments,
                    turnover,
                    taxes,
                    ..
                } = self.shift_figures(kind);
                [payments, turnover, taxes].concat()[row]
            }
            0xF1 => self.drawer(),
            0xF2 => drawer.in_kopecks,
            0xF3 => drawer.out_kopecks,
            0xF9..=0xFC => self.memory.cancelled.after(self.closed_shift()).kopecks[usize::from(number - 0xF9)],
            _ => return Err(ErrorCode::BAD_PARAMETERS),
        };
        let value = Kopecks::new(kopecks).map_err(|_| ErrorCode(0x3A))?;
        Ok(Answer::MoneyRegister(MoneyRegister { operator, value }))
    }

    pub(super) fn operation_register(&self, number: u8, operator: u8) -> Outcome {
        let closed = self.closed_shift();
        let drawer = self.memory.drawer_counts.after(closed);
        let cancelled = self.memory.cancelled.after(closed);
        let value = match number {
            0..=63 => {
                let (row, kind) = row_and_kind(number);
                self.receipt_figures(kind).departments[row].1
            }
            64..=71 | 136..=143 => 0,
            72..=135 => {
                let (row, kind) = row_and_kind(number - 72);
                self.shift_figures(kind).departments[row].1
            }
            144..=147 => in_order_of_8d(self.shift_totals(), number - 144).count as u16,
            148..=151 => in_order_of_8d(self.storage.life_totals(), number - 148).count as u16,
            152 => self.storage.last_fd() as u16,
            153 => drawer.ins,
            154 => drawer.outs,
            155 => drawer.all_ins,
            156 => drawer.all_outs,
            157 => cancelled.shift.iter().fold(0_u16, |sum, n| sum.wrapping_add(*n)),
            158 => self.memory.x_reports,
            166 => cancelled.all.iter().fold(0_u16, |sum, n| sum.wrapping_add(*n)),
            179..=182 => cancelled.all[usize::from(number - 179)],
            _ => return Err(ErrorCode::BAD_PARAMETERS),
        };
        Ok(Answer::OperationRegister(OperationRegister { operator, value }))
    }
}

/// Four kinds stand side by side.
fn row_and_kind(number: u8) -> (usize, usize) {
    (usize::from(number / 4), usize::from(number % 4))
}

/// Money registers 0 to 119: departments, discounts and surcharges, payment types, turnover, taxes.
fn money_of_receipt(number: u8, figures: impl Fn(usize) -> Figures) -> u64 {
    let (row, kind) = row_and_kind(number);
    let of = figures(kind);
    match row {
        0..=15 => of.departments[row].0,
        16 | 17 => 0,
        18..=21 => of.payments[row - 18],
        22..=25 => of.turnover[row - 22],
        _ => of.taxes[row - 26],
    }
}
