//! Totals of receipts, over a shift and over the life of an FN.
//!
//! Owns: what tags 1194 and 1157 of a shift closing hold (`fn-ffd-ofd` C.4).
//! Must never: be stored; they are counted from the documents.

use super::document::{Body, number, walk};
use super::facts::ReceiptTotals;

/// Sums of one settlement sign. The order is that of the tags in the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sums {
    count: u32,
    total: u64,
    /// Cash, non-cash, prepayment, credit, counter-provision.
    payments: [u64; 5],
    /// VAT 20, 10, 20/120, 10/110, turnover 0 %, turnover without VAT.
    taxes: [u64; 6],
}

/// Where the payments stand in a receipt, and where their totals stand in the counters.
const PAYMENTS: [(u16, u16); 5] = [(1031, 1136), (1081, 1138), (1215, 1218), (1216, 1219), (1217, 1220)];
/// Where VAT stands in a receipt, and where its totals stand.
const TAXES: [(u16, u16); 6] = [
    (1102, 1139),
    (1103, 1140),
    (1106, 1141),
    (1107, 1142),
    (1104, 1143),
    (1105, 1183),
];

impl Sums {
    fn add(&mut self, tags: &[(u16, &[u8])]) {
        let of = |tag: u16| {
            let found = tags.iter().find(|(t, _)| *t == tag);
            found.and_then(|(_, value)| number(value)).unwrap_or(0)
        };
        self.count += 1;
        self.total = self.total.saturating_add(of(1020));
        for (sum, (tag, _)) in self.payments.iter_mut().zip(PAYMENTS) {
            *sum = sum.saturating_add(of(tag));
        }
        for (sum, (tag, _)) in self.taxes.iter_mut().zip(TAXES) {
            *sum = sum.saturating_add(of(tag));
        }
    }

    fn full(&self) -> Body {
        let mut body = self.short();
        for (sum, (_, tag)) in self.taxes.iter().zip(TAXES) {
            body.sum(tag, *sum);
        }
        body
    }

    fn short(&self) -> Body {
        let mut body = Body::new();
        body.u32(1135, self.count).sum(1201, self.total);
        for (sum, (_, tag)) in self.payments.iter().zip(PAYMENTS) {
            body.sum(tag, *sum);
        }
        body
    }
}

/// Totals by settlement sign (tag 1054), receipts and corrections apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    receipts: [Sums; 4],
    corrections: [Sums; 4],
}

impl Counters {
    /// Counts one document; other kinds than receipts and corrections change nothing.
    pub fn add(&mut self, kind: u8, tlv: &[u8]) {
        let Some(tags) = walk(tlv) else { return };
        let sign = tags
            .iter()
            .find(|(t, _)| *t == 1054)
            .and_then(|(_, v)| v.first().copied());
        let group = match kind {
            3 | 4 => &mut self.receipts,
            31 | 41 => &mut self.corrections,
            _ => return,
        };
        if let Some(sums) = sign
            .and_then(|s| usize::from(s).checked_sub(1))
            .and_then(|i| group.get_mut(i))
        {
            sums.add(&tags);
        }
    }

    /// Receipts and corrections of all signs: tags 1118 and 1134.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.receipts.iter().chain(&self.corrections).map(|s| s.count).sum()
    }

    /// Receipts and corrections by settlement sign 1 to 4.
    #[must_use]
    pub fn totals(&self) -> [ReceiptTotals; 4] {
        std::array::from_fn(|at| {
            let (receipts, corrections) = (&self.receipts[at], &self.corrections[at]);
            ReceiptTotals {
                count: receipts.count.saturating_add(corrections.count),
                total: receipts.total.saturating_add(corrections.total),
                cash: receipts.payments[0].saturating_add(corrections.payments[0]),
            }
        })
    }

    /// Cash of income and outcome returns, less cash of outcome and income returns.
    #[must_use]
    pub fn cash_balance(&self) -> i64 {
        let cash = |at: usize| {
            let sum = self.receipts[at].payments[0].saturating_add(self.corrections[at].payments[0]);
            i64::try_from(sum).unwrap_or(i64::MAX)
        };
        cash(0)
            .saturating_add(cash(3))
            .saturating_sub(cash(1))
            .saturating_sub(cash(2))
    }

    /// The content of 1194 or 1157.
    #[must_use]
    pub fn body(&self) -> Body {
        let mut body = Body::new();
        body.u32(1134, self.count());
        for (sums, tag) in self.receipts.iter().zip(1129..) {
            if sums.count > 0 {
                body.list(tag, &sums.full());
            }
        }
        let corrections: u32 = self.corrections.iter().map(|s| s.count).sum();
        if corrections > 0 {
            let mut inner = Body::new();
            inner.u32(1144, corrections);
            for (sums, tag) in self.corrections.iter().zip([1145, 1232, 1146, 1233]) {
                if sums.count > 0 {
                    inner.list(tag, &sums.short());
                }
            }
            body.list(1133, &inner);
        }
        body
    }
}
