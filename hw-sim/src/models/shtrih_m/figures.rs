//! What the register itself adds up of receipts: by department, payment type and tax group.
//!
//! Owns: the figures of one receipt and of the shift.
//! Must never: be stored beside the documents; after a start the shift's are read from the FN's documents, which know
//! no departments and no payment types beyond cash and the rest: those count as department 1 and type 2.

use crate::fiscal_storage::document::{find_number, number, walk};
use crate::fiscal_storage::ledger::Record;

/// What one receipt adds, or all of one kind in a shift.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Sum and number of the operations of departments 1 to 16.
    pub departments: [(u64, u16); 16],
    /// Cash, payment types 2 to 4.
    pub payments: [u64; 4],
    /// Turnover of tax groups 1 to 4: main rate, 10 %, 0 %, without.
    pub turnover: [u64; 4],
    /// Tax of the same.
    pub taxes: [u64; 4],
}

impl Figures {
    /// One operation. `department` 0 and 255 (by code) count as the first; `rate` is a value of tag 1199, of which the
    /// calculated ones belong to no group.
    pub fn add_operation(&mut self, department: u8, sum: u64, rate: u8, tax: u64) {
        let place = usize::from(department.saturating_sub(1)) % self.departments.len();
        let place = if department > 16 { 0 } else { place };
        let (total, count) = &mut self.departments[place];
        *total = total.saturating_add(sum);
        *count = count.wrapping_add(1);
        let group = match rate {
            1 | 11 => 0,
            2 => 1,
            5 => 2,
            6 => 3,
            _ => return,
        };
        self.turnover[group] = self.turnover[group].saturating_add(sum);
        self.taxes[group] = self.taxes[group].saturating_add(tax);
    }

    fn add(&mut self, other: &Self) {
        for ((sum, count), (more, times)) in self.departments.iter_mut().zip(other.departments) {
            *sum = sum.saturating_add(more);
            *count = count.wrapping_add(times);
        }
        let rows = [&mut self.payments, &mut self.turnover, &mut self.taxes];
        for (row, more) in rows.into_iter().zip([other.payments, other.turnover, other.taxes]) {
            for (sum, more) in row.iter_mut().zip(more) {
                *sum = sum.saturating_add(more);
            }
        }
    }
}

/// Kinds in the order of 8D: sale, buy, sale return, buy return; tag 1054 counts them 1, 3, 2, 4.
pub(super) const fn place_of_sign(sign: u8) -> usize {
    match sign {
        3 => 1,
        2 => 2,
        4 => 3,
        _ => 0,
    }
}

/// The figures that 1A and 1B show.
#[derive(Debug, Clone, Default)]
pub(super) struct ShiftFigures {
    /// The last closed shift when they were counted; after another closing they are zero.
    since: u16,
    shift: [Figures; 4],
    /// The last receipt, until another begins.
    last: Option<(usize, Figures)>,
    /// Cash in the drawer when it was closed.
    drawer: u64,
}

impl ShiftFigures {
    /// Figures of the open shift from its documents.
    pub fn of_documents(records: impl Iterator<Item = Record>, closed: u16) -> Self {
        let mut figures = Self {
            since: closed,
            ..Self::default()
        };
        for record in records.filter(|r| matches!(r.kind, 3 | 31)) {
            let sign = find_number(&record.tlv, 1054).unwrap_or(0) as u8;
            figures.shift[place_of_sign(sign)].add(&of_document(&record.tlv));
        }
        figures
    }

    /// A receipt was closed.
    pub fn close(&mut self, sign: u8, receipt: Figures, drawer: u64, closed: u16) {
        if self.since != closed {
            self.shift = Default::default();
            self.since = closed;
        }
        self.shift[place_of_sign(sign)].add(&receipt);
        self.last = Some((place_of_sign(sign), receipt));
        self.drawer = drawer;
    }

    /// A receipt was opened or cancelled: the last one is shown no more.
    pub fn forget_last(&mut self) {
        self.last = None;
    }

    /// Figures of a kind in the shift.
    pub fn of_shift(&self, kind: usize, closed: u16) -> Figures {
        if self.since == closed {
            self.shift.get(kind).cloned().unwrap_or_default()
        } else {
            Figures::default()
        }
    }

    /// Figures of the last receipt, if it is of this kind.
    pub fn of_last(&self, kind: usize) -> Figures {
        let last = self.last.as_ref().filter(|(of, _)| *of == kind);
        last.map(|(_, figures)| figures.clone()).unwrap_or_default()
    }

    /// Cash in the drawer when the last receipt was closed.
    pub const fn drawer_then(&self) -> u64 {
        self.drawer
    }
}

fn of_document(tlv: &[u8]) -> Figures {
    let mut figures = Figures::default();
    let sum = |tag| find_number(tlv, tag).unwrap_or(0);
    figures.payments = [sum(1031), sum(1081), 0, 0];
    for (_, line) in walk(tlv).unwrap_or_default().iter().filter(|(tag, _)| *tag == 1059) {
        let tags = walk(line).unwrap_or_default();
        let of = |wanted: u16| {
            let found = tags.iter().find(|(tag, _)| *tag == wanted);
            found.and_then(|(_, value)| number(value)).unwrap_or(0)
        };
        figures.add_operation(1, of(1043), of(1199) as u8, of(1200));
    }
    figures
}
