//! The register's own clock.
//!
//! Owns: its error against true time and its zone.
//! Must never: move by itself; only commands 21 to 23 and a fault move it.

use crate::moment::Moment;
use kassette_wire::shtrih::{DmyDate, Hms};
use kassette_wire::value::LocalTime;

/// A clock that runs as true time does, with an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    skew_ms: i64,
    zone_minutes: i16,
}

impl Clock {
    pub const fn new(skew_ms: i64, zone_minutes: i16) -> Self {
        Self { skew_ms, zone_minutes }
    }

    pub const fn skew_ms(self) -> i64 {
        self.skew_ms
    }

    /// Local time as the register shows it. Far outside the calendar it stands at its end.
    pub fn local(self, now: Moment) -> LocalTime {
        let seconds = now.unix_ms.saturating_add(self.skew_ms).div_euclid(1000);
        LocalTime::at_zone(seconds, self.zone_minutes)
            .or_else(|_| LocalTime::from_unix_as_local(0))
            .expect("1970 is in the calendar")
    }

    /// Without its error.
    pub const fn correct(&mut self) {
        self.skew_ms = 0;
    }

    pub const fn jump(&mut self, seconds: i64) {
        self.skew_ms = self.skew_ms.saturating_add(seconds.saturating_mul(1000));
    }

    /// Makes the clock show this local time at this moment.
    pub fn set(&mut self, local: LocalTime, now: Moment) {
        self.skew_ms = local.to_unix_in_zone(self.zone_minutes) * 1000 - now.unix_seconds() * 1000;
    }

    /// 21: the time of the day, on the date that the clock shows.
    pub fn set_time(&mut self, time: Hms, now: Moment) -> Option<()> {
        let date = DmyDate::of(self.local(now))?;
        self.set(date.at(time).ok()?, now);
        Some(())
    }

    /// 23: the date, at the time that the clock shows.
    pub fn set_date(&mut self, date: DmyDate, now: Moment) -> Option<()> {
        let time = Hms::of(self.local(now));
        self.set(date.at(time).ok()?, now);
        Some(())
    }
}
