//! What a register keeps through a power cut, besides its FN.
//!
//! Owns: the stored form: settings written by 1E, the clock's error, which FN is in, drawer money.
//! Must never: hold an open document; that is lost with the power.

use super::registration::Registered;
use super::totals::{CancelCounts, DrawerCounts};
use crate::fiscal_storage::{FnConfig, Relay, Troubles};
use kassette_wire::shtrih::TableCell;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// 115200, code 6 (`shtrih-m.md` 1.1).
pub(super) const FACTORY_SPEED: u8 = 6;
/// 100 ms, the default of command 14 (1.2).
pub(super) const FACTORY_BYTE_TIMEOUT: u8 = 100;

/// Stored as JSON beside the ledgers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The FN that the rack file named when this was stored: another name there puts that one in.
    pub named_fn: String,
    /// The FN that is in.
    pub fn_unit: FnConfig,
    /// What is wrong with it on purpose.
    pub troubles: Troubles,
    /// Values written by 1E: table, row, field, value.
    pub written: Vec<(u8, u16, u8, Vec<u8>)>,
    /// Error of the clock.
    pub skew_ms: i64,
    /// Money put into the drawer less money taken out, commands 50 and 51.
    pub drawer_kopecks: i64,
    /// Sums and numbers of 50 and 51 for the registers.
    #[serde(default)]
    pub drawer_counts: DrawerCounts,
    /// Z-reports that C6 put into the buffer and C7 has not printed.
    #[serde(default)]
    pub buffered_reports: u16,
    /// What a host registered; it belongs to the FN that is in.
    #[serde(default)]
    pub registered: Option<Registered>,
    /// The exchange with the OFD through the host; it belongs to the FN that is in.
    #[serde(default)]
    pub relay: Relay,
    /// Receipts that were cancelled.
    #[serde(default)]
    pub cancelled: CancelCounts,
    /// X-reports so far.
    #[serde(default)]
    pub x_reports: u16,
    /// Sums of receipts in FNs that were in before, by FN number, in the order of tag 1054.
    #[serde(default)]
    pub earlier_totals: BTreeMap<String, [u64; 4]>,
    /// Numbers given to 50 and 51.
    pub cash_documents: u16,
    /// Speed code of command 14.
    pub port_speed: u8,
    /// Byte timeout code of command 14.
    pub byte_timeout: u8,
}

impl Memory {
    pub fn written_cells(&self) -> BTreeMap<TableCell, Vec<u8>> {
        let cells = self.written.iter();
        cells
            .map(|(table, row, field, value)| (TableCell::new(*table, *row, *field), value.clone()))
            .collect()
    }

    pub fn keep_cell(&mut self, place: TableCell, value: Vec<u8>) {
        self.written
            .retain(|(t, r, f, _)| (*t, *r, *f) != (place.table, place.row, place.field));
        self.written.push((place.table, place.row, place.field, value));
    }
}
