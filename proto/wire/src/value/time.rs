//! Local document time as a register and an FN keep it.
//!
//! Owns: the calendar value without a zone.
//! Must never: know the host clock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

/// Wall time of a register, to the second, without a zone (`fn-ffd-ofd` A.2, B.1): the zone is its registration's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(PrimitiveDateTime);

/// Why numbers are not a calendar time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is not a calendar time")]
pub struct LocalTimeError(pub String);

impl LocalTime {
    /// A local time from calendar numbers; `year` in full (2026).
    ///
    /// # Errors
    /// [`LocalTimeError`] when there is no such day or time.
    pub fn new(year: i32, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Result<Self, LocalTimeError> {
        let bad = || LocalTimeError(format!("{year}-{month}-{day} {hour}:{minute}:{second}"));
        let month = Month::try_from(month).map_err(|_| bad())?;
        let date = Date::from_calendar_date(year, month, day).map_err(|_| bad())?;
        let time = Time::from_hms(hour, minute, second).map_err(|_| bad())?;
        Ok(Self(PrimitiveDateTime::new(date, time)))
    }

    /// From tag 1012: wall time encoded as if it were UTC (`fn-ffd-ofd` C.1, unixtime).
    ///
    /// # Errors
    /// [`LocalTimeError`] outside the calendar.
    pub fn from_unix_as_local(seconds: u32) -> Result<Self, LocalTimeError> {
        let utc = time::OffsetDateTime::from_unix_timestamp(i64::from(seconds))
            .map_err(|_| LocalTimeError(seconds.to_string()))?;
        Ok(Self(PrimitiveDateTime::new(utc.date(), utc.time())))
    }

    /// As tag 1012 carries it; `None` outside 1970 to 2106.
    #[must_use]
    pub fn to_unix_as_local(self) -> Option<u32> {
        u32::try_from(self.0.assume_utc().unix_timestamp()).ok()
    }

    /// The local time of a zone at an instant, given in seconds since 1970 UTC.
    ///
    /// # Errors
    /// [`LocalTimeError`] outside the calendar.
    pub fn at_zone(unix_seconds: i64, offset_minutes: i16) -> Result<Self, LocalTimeError> {
        let bad = || LocalTimeError(format!("{unix_seconds} at {offset_minutes} min"));
        let utc = time::OffsetDateTime::from_unix_timestamp(unix_seconds).map_err(|_| bad())?;
        let offset = UtcOffset::from_whole_seconds(i32::from(offset_minutes) * 60).map_err(|_| bad())?;
        let local = utc.checked_to_offset(offset).ok_or_else(bad)?;
        Ok(Self(PrimitiveDateTime::new(local.date(), local.time())))
    }

    /// The instant (seconds since 1970 UTC) of this local time in a zone.
    #[must_use]
    pub fn to_unix_in_zone(self, offset_minutes: i16) -> i64 {
        self.0.assume_utc().unix_timestamp() - i64::from(offset_minutes) * 60
    }

    /// The calendar value.
    #[must_use]
    pub const fn calendar(self) -> PrimitiveDateTime {
        self.0
    }

    /// The same minute with the seconds dropped: FN commands carry no seconds.
    #[must_use]
    pub fn whole_minute(self) -> Self {
        let t = self.0.time();
        let time = Time::from_hms(t.hour(), t.minute(), 0).unwrap_or(t);
        Self(self.0.replace_time(time))
    }

    /// Seconds from `earlier` to this, negative when this is before it.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).whole_seconds()
    }

    /// This time moved by seconds; `None` outside the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Option<Self> {
        self.0.checked_add(time::Duration::seconds(seconds)).map(Self)
    }
}

impl From<PrimitiveDateTime> for LocalTime {
    fn from(value: PrimitiveDateTime) -> Self {
        Self(value)
    }
}

impl FromStr for LocalTime {
    type Err = LocalTimeError;

    /// Reads the form that `Display` writes: `2026-11-22T15:00:00`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        PrimitiveDateTime::parse(text, &form)
            .map(Self)
            .map_err(|_| LocalTimeError(text.to_owned()))
    }
}

impl TryFrom<String> for LocalTime {
    type Error = LocalTimeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (d, t) = (self.0.date(), self.0.time());
        let month = u8::from(d.month());
        write!(
            f,
            "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}",
            d.year(),
            d.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_and_unix_forms_agree() {
        let noon_utc = 1_795_348_800; // 2026-11-22T12:00:00Z
        let local = LocalTime::at_zone(noon_utc, 180).unwrap();
        assert_eq!(local.to_string(), "2026-11-22T15:00:00");
        assert_eq!(local.to_unix_in_zone(180), noon_utc);
        let tag = local.to_unix_as_local().unwrap();
        assert_eq!(LocalTime::from_unix_as_local(tag).unwrap(), local);
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        assert!(LocalTime::new(2026, 2, 30, 0, 0, 0).is_err());
        assert!(LocalTime::new(2026, 1, 1, 24, 0, 0).is_err());
    }
}
