//! Service commands (`shtrih-m.md` 2, 3.1).
//!
//! Owns: 03, 24, FE F2, FE F4; 16 only in mode 9, which a register without a broken memory never has.
//! Must never: touch the FN.

use super::device::{Device, Outcome};
use super::tables::Tables;
use crate::moment::Moment;
use kassette_wire::shtrih::{Answer, CommandCode, ErrorCode, LifetimeTotals};
use std::collections::BTreeMap;

/// 03: stop giving out data. Its password is that of the service centre, 0, or the system administrator's.
pub(super) const STOP_OUTPUT: CommandCode = CommandCode::one(0x03);
/// Password of the service centre (2).
pub(super) const SERVICE_PASSWORD: u32 = 0;

impl Device {
    /// Mode 1 ends; what was being read must be begun again.
    pub(super) fn stop_output(&mut self, data: &[u8]) -> Outcome {
        if data.len() != 4 {
            return Err(ErrorCode::BAD_LENGTH);
        }
        self.reading = None;
        Ok(Answer::Raw(Vec::new()))
    }

    /// 24: every field has its factory value again, the passwords too; what follows the registration stays.
    pub(super) fn reset_tables(&mut self, now: Moment) -> Outcome {
        self.memory.written.clear();
        self.memory_changed = true;
        self.tables = Tables::new(&self.config, self.storage.number(), &BTreeMap::new());
        self.follow_tables(now);
        Ok(Answer::Operator(None))
    }

    /// FE F4: what the register sold and bought over its FNs, in the order of tag 1054.
    pub(super) fn lifetime_totals(&self) -> Outcome {
        let mut all = self.storage.life_totals().map(|totals| totals.total);
        for (number, earlier) in &self.memory.earlier_totals {
            // An FN that was put back counts its receipts itself.
            if number != self.storage.number() {
                for (sum, more) in all.iter_mut().zip(earlier) {
                    *sum = sum.saturating_add(*more);
                }
            }
        }
        let [sales, sale_returns, buys, buy_returns] = all;
        Ok(Answer::LifetimeTotals(LifetimeTotals {
            sales,
            sale_returns,
            buys,
            buy_returns,
        }))
    }

    /// Before another FN is put in: keeps what this one counted.
    pub(super) fn keep_totals(&mut self, number: String, totals: [u64; 4]) {
        self.memory.earlier_totals.insert(number, totals);
    }
}
