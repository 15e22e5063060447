//! Dates and times of the plain commands and of the FN commands (`shtrih-m` section 0).
//!
//! Owns: their byte order.
//! Must never: refuse a date that no calendar has; a device without a clock states one, and a host may send one.

use super::cursor::{Codec, DecodeError, EncodeError, Plain, Reader, Writer};
use crate::value::{LocalTime, LocalTimeError};

/// A date of the plain commands (11, 22, 23): `DD MM YY`. May be no calendar day: a device without a clock, or a
/// request the device has to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DmyDate {
    /// Day of the month.
    pub day: u8,
    /// Month, January is 1.
    pub month: u8,
    /// Year since 2000.
    pub year: u8,
}

/// A time of the plain commands (11, 21): `hh mm ss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hms {
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
}

/// A date of the FN commands (FF03, FF38): `YY MM DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct YmdDate {
    /// Year since 2000.
    pub year: u8,
    /// Month, January is 1.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
}

impl DmyDate {
    /// The calendar time of this date and a time of the day.
    ///
    /// # Errors
    /// [`LocalTimeError`] when there is no such day or time.
    pub fn at(self, time: Hms) -> Result<LocalTime, LocalTimeError> {
        let year = 2000 + i32::from(self.year);
        LocalTime::new(year, self.month, self.day, time.hour, time.minute, time.second)
    }

    /// The date of a calendar time; `None` outside the years 2000 to 2255.
    #[must_use]
    pub fn of(time: LocalTime) -> Option<Self> {
        let date = time.calendar().date();
        let year = short_year(time)?;
        let (day, month) = (date.day(), u8::from(date.month()));
        Some(Self { day, month, year })
    }
}

impl Hms {
    /// The time of the day of a calendar time.
    #[must_use]
    pub fn of(time: LocalTime) -> Self {
        let (hour, minute, second) = time.calendar().time().as_hms();
        Self { hour, minute, second }
    }
}

impl YmdDate {
    /// Midnight of the day.
    ///
    /// # Errors
    /// [`LocalTimeError`] when there is no such day.
    pub fn midnight(self) -> Result<LocalTime, LocalTimeError> {
        LocalTime::new(2000 + i32::from(self.year), self.month, self.day, 0, 0, 0)
    }

    /// The date of a calendar time; `None` outside the years 2000 to 2255.
    #[must_use]
    pub fn of(time: LocalTime) -> Option<Self> {
        let DmyDate { day, month, year } = DmyDate::of(time)?;
        Some(Self { year, month, day })
    }
}

fn short_year(time: LocalTime) -> Option<u8> {
    time.calendar().year().checked_sub(2000)?.try_into().ok()
}

macro_rules! three_bytes {
    ($($name:ident { $a:ident, $b:ident, $c:ident })+) => {
        $(impl Codec<$name> for Plain {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<$name, DecodeError> {
                let [$a, $b, $c] = <Plain as Codec<[u8; 3]>>::read(reader, field)?;
                Ok($name { $a, $b, $c })
            }

            fn write(value: &$name, writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
                writer.put(&[value.$a, value.$b, value.$c]);
                Ok(())
            }
        })+
    };
}

three_bytes! {
    DmyDate { day, month, year }
    Hms { hour, minute, second }
    YmdDate { year, month, day }
}
