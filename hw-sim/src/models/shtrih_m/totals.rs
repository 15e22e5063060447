//! Money and operation registers, commands 1A and 1B (layout by captures).
//!
//! Owns: which numbers mean what, and what is counted of commands 50 and 51.
//! Must never: count receipts beside the FN; their totals come from its documents.
//!
//! The numbers: C1 to C4, F1 to F3 and 144 to 156 as public drivers of this family name them; no vendor text here. Other
//! numbers are refused with 33, as their totals (discounts, departments, single kinds of payment) are not kept.

use super::device::{Device, Outcome};
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

    pub(super) fn money_register(&self, number: u8, operator: u8) -> Outcome {
        let drawer = self.memory.drawer_counts.after(self.closed_shift());
        let kopecks = match number {
            0xC1..=0xC4 => in_order_of_8d(self.shift_totals(), number - 0xC1).cash,
            0xF1 => self.drawer(),
            0xF2 => drawer.in_kopecks,
            0xF3 => drawer.out_kopecks,
            _ => return Err(ErrorCode::BAD_PARAMETERS),
        };
        let value = Kopecks::new(kopecks).map_err(|_| ErrorCode(0x3A))?;
        Ok(Answer::MoneyRegister(MoneyRegister { operator, value }))
    }

    pub(super) fn operation_register(&self, number: u8, operator: u8) -> Outcome {
        let drawer = self.memory.drawer_counts.after(self.closed_shift());
        let value = match number {
            144..=147 => in_order_of_8d(self.shift_totals(), number - 144).count as u16,
            148..=151 => in_order_of_8d(self.storage.life_totals(), number - 148).count as u16,
            152 => self.storage.last_fd() as u16,
            153 => drawer.ins,
            154 => drawer.outs,
            155 => drawer.all_ins,
            156 => drawer.all_outs,
            _ => return Err(ErrorCode::BAD_PARAMETERS),
        };
        Ok(Answer::OperationRegister(OperationRegister { operator, value }))
    }
}
