//! The exchange with the OFD as the register shows it (`shtrih-m.md` 3.3, 3.7).
//!
//! Owns: command FF39 and table 20, which say the same.
//! Must never: change the FN.

use super::device::Device;
use super::tables::cell;
use crate::moment::Moment;
use kassette_wire::shtrih::OfdStatus;
use kassette_wire::value::FdNumber;

/// Number of the table that nobody writes: it stands as the exchange does.
pub(super) const EXCHANGE_TABLE: u8 = 20;
/// Bit 1 of the exchange state: there is something to send.
const TO_SEND: u8 = 1 << 1;

impl Device {
    pub(super) fn ofd_status(&mut self, now: Moment) -> OfdStatus {
        let queue = self.storage.queue(now);
        OfdStatus {
            exchange: if queue.length > 0 { TO_SEND } else { 0 },
            reading: 0,
            queue: queue.length,
            first_fd: FdNumber(queue.first_fd),
            first_time: queue.first_time,
        }
    }

    /// After the tables changed: what follows them at once.
    pub(super) fn follow_tables(&mut self, _now: Moment) {}

    /// Puts the state into the fields of table 20. Its log lines stay empty: there is no network to tell of.
    pub(super) fn show_exchange(&mut self, now: Moment) {
        let state = self.ofd_status(now);
        let place = |field| cell(EXCHANGE_TABLE, 1, field);
        for (field, value) in [
            (1, u64::from(state.exchange)),
            (2, u64::from(state.reading)),
            (3, u64::from(state.queue)),
            (4, u64::from(state.first_fd.0)),
        ] {
            self.tables.set_number(place(field), value);
        }
        let first = state.first_time.map_or_else(
            || "00.00.00 00:00".to_owned(),
            |time| {
                let at = time.calendar();
                format!(
                    "{:02}.{:02}.{:02} {:02}:{:02}",
                    at.day(),
                    u8::from(at.month()),
                    at.year() % 100,
                    at.hour(),
                    at.minute()
                )
            },
        );
        self.tables.set_text(place(5), &first);
    }
}
