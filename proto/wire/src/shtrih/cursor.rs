//! Reading and writing the fields of a payload in order.
//!
//! Owns: little-endian fields, sums, quantities, dates as Shtrih-M writes them (`shtrih-m` section 0), and the errors.
//! Must never: read past the end, or cut a value that does not fit.

use crate::value::{FdNumber, FiscalSign, Kopecks, LocalTime, Quantity, ShiftNumber};
use thiserror::Error;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No command code.
    #[error("the payload is empty")]
    Empty,
    /// The payload ends inside a field.
    #[error("the payload ends at byte {at}, inside field \"{field}\"")]
    Short {
        /// The field that is cut.
        field: &'static str,
        /// Where the payload ends, counted from its first byte after the command code (and error code).
        at: usize,
    },
    /// Bytes are left behind the last field.
    #[error("{extra} bytes follow the last field, from byte {at}")]
    Trailing {
        /// Where they begin.
        at: usize,
        /// How many.
        extra: usize,
    },
    /// A field has a value that the protocol does not define.
    #[error("field \"{field}\" holds {value:#x}, which the protocol does not define")]
    Value {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A date or time that no calendar has.
    #[error("field \"{field}\" holds {bytes:02X?}, which is no date and time")]
    Time {
        /// The field.
        field: &'static str,
        /// What it holds, in wire order.
        bytes: Vec<u8>,
    },
}

/// Why a value has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A number too large for its field.
    #[error("{value} does not fit field \"{field}\" (at most {max})")]
    Range {
        /// The field.
        field: &'static str,
        /// The number.
        value: u64,
        /// The largest the field holds.
        max: u64,
    },
    /// A byte string too long or too short for its field.
    #[error("{length} bytes do not fit field \"{field}\" (at most {max})")]
    Length {
        /// The field.
        field: &'static str,
        /// The length given.
        length: usize,
        /// The longest the field holds.
        max: usize,
    },
    /// A year outside 2000 to 2255, which one byte cannot hold.
    #[error("{time} does not fit the one-byte year of field \"{field}\"")]
    Year {
        /// The field.
        field: &'static str,
        /// The time given.
        time: LocalTime,
    },
    /// Fields in an order or combination the layout has no bytes for.
    #[error("field \"{field}\" cannot be written without the optional field before it")]
    Gap {
        /// The field.
        field: &'static str,
    },
}

/// Reads fields one after another.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..count) else {
            let at = self.bytes.len();
            return Err(DecodeError::Short { field, at });
        };
        self.at += count;
        Ok(taken)
    }

    pub(super) fn uint(&mut self, count: usize, field: &'static str) -> Result<u64, DecodeError> {
        let bytes = self.take(count, field)?;
        Ok(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    pub(super) fn rest(&mut self) -> Vec<u8> {
        let rest = self.bytes[self.at..].to_vec();
        self.at = self.bytes.len();
        rest
    }

    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing { at: self.at, extra }),
        }
    }
}

/// Writes fields one after another.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn uint(&mut self, value: u64, count: usize, field: &'static str) -> Result<(), EncodeError> {
        let max = if count >= 8 { u64::MAX } else { (1 << (8 * count)) - 1 };
        if value > max {
            return Err(EncodeError::Range { field, value, max });
        }
        self.put(&value.to_le_bytes()[..count]);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// How a value of type `T` stands in a payload. One implementor for each form a field can have.
pub(super) trait Codec<T> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<T, DecodeError>;
    fn write(value: &T, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError>;
}

/// A payload or a part of it, made of fields.
pub(super) trait Fields: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError>;
}

/// The plain form of a type: numbers little-endian, sums of 5 bytes, quantities of 6, arrays as they are.
pub(super) struct Plain;

macro_rules! plain_uint {
    ($($ty:ty, $count:literal, $from:expr, $to:expr;)+) => {
        $(impl Codec<$ty> for Plain {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<$ty, DecodeError> {
                let value = reader.uint($count, field)?;
                let from: fn(u64) -> Option<$ty> = $from;
                from(value).ok_or(DecodeError::Value { field, value })
            }

            fn write(value: &$ty, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
                let to: fn($ty) -> u64 = $to;
                writer.uint(to(*value), $count, field)
            }
        })+
    };
}

plain_uint! {
    u8, 1, |v| v.try_into().ok(), u64::from;
    u16, 2, |v| v.try_into().ok(), u64::from;
    u32, 4, |v| v.try_into().ok(), u64::from;
    u64, 8, Some, |v| v;
    Kopecks, 5, |v| Kopecks::new(v).ok(), Kopecks::get;
    Quantity, 6, |v| Quantity::from_millionths(v).ok(), Quantity::millionths;
    FdNumber, 4, |v| v.try_into().ok().map(FdNumber), |v| u64::from(v.0);
    FiscalSign, 4, |v| v.try_into().ok().map(FiscalSign), |v| u64::from(v.0);
    ShiftNumber, 2, |v| v.try_into().ok().map(ShiftNumber), |v| u64::from(v.0);
}

impl<const N: usize> Codec<[u8; N]> for Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(reader.take(N, field)?);
        Ok(bytes)
    }

    fn write(value: &[u8; N], writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
        writer.put(value);
        Ok(())
    }
}

impl<const N: usize> Codec<[Kopecks; N]> for Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<[Kopecks; N], DecodeError> {
        let mut sums = [Kopecks::ZERO; N];
        for sum in &mut sums {
            *sum = Self::read(reader, field)?;
        }
        Ok(sums)
    }

    fn write(value: &[Kopecks; N], writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        value.iter().try_for_each(|sum| Self::write(sum, writer, field))
    }
}

/// A quantity in thousandths, 5 bytes (commands 80 to 83).
pub(super) struct Thousandths;

impl Codec<u64> for Thousandths {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<u64, DecodeError> {
        reader.uint(5, field)
    }

    fn write(value: &u64, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        writer.uint(*value, 5, field)
    }
}

/// A binary number of 6 bytes (INN in command 11, sums of 1A).
pub(super) struct Six;

impl Codec<u64> for Six {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<u64, DecodeError> {
        reader.uint(6, field)
    }

    fn write(value: &u64, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        writer.uint(*value, 6, field)
    }
}

impl Codec<Kopecks> for Six {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Kopecks, DecodeError> {
        let value = reader.uint(6, field)?;
        Kopecks::new(value).map_err(|_| DecodeError::Value { field, value })
    }

    fn write(value: &Kopecks, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        writer.uint(value.get(), 6, field)
    }
}

/// Five bytes FF mean "not given" (FF46 sum and tax).
pub(super) struct OrAllFf;

const NOT_GIVEN: u64 = 0xFF_FFFF_FFFF;

impl Codec<Option<Kopecks>> for OrAllFf {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<Kopecks>, DecodeError> {
        let value = reader.uint(5, field)?;
        if value == NOT_GIVEN {
            return Ok(None);
        }
        Kopecks::new(value)
            .map(Some)
            .map_err(|_| DecodeError::Value { field, value })
    }

    fn write(value: &Option<Kopecks>, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        let max = NOT_GIVEN - 1;
        match value.map(Kopecks::get) {
            Some(value) if value > max => Err(EncodeError::Range { field, value, max }),
            value => writer.uint(value.unwrap_or(NOT_GIVEN), 5, field),
        }
    }
}

/// All bytes to the end of the payload.
pub(super) struct Rest;

impl Codec<Vec<u8>> for Rest {
    fn read(reader: &mut Reader<'_>, _field: &'static str) -> Result<Vec<u8>, DecodeError> {
        Ok(reader.rest())
    }

    fn write(value: &Vec<u8>, writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
        writer.put(value);
        Ok(())
    }
}

/// Bytes with their count before them in one byte.
pub(super) struct Counted;

impl Counted {
    pub(super) fn length(bytes: &[u8], field: &'static str) -> Result<u8, EncodeError> {
        let (length, max) = (bytes.len(), usize::from(u8::MAX));
        u8::try_from(length).map_err(|_| EncodeError::Length { field, length, max })
    }
}

impl Codec<Vec<u8>> for Counted {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u8>, DecodeError> {
        let count: u8 = Plain::read(reader, field)?;
        Ok(reader.take(usize::from(count), field)?.to_vec())
    }

    fn write(value: &Vec<u8>, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        writer.put(&[Self::length(value, field)?]);
        writer.put(value);
        Ok(())
    }
}

/// All bytes but the last `N`: a name of unstated length before fixed fields.
pub(super) struct AllBut<const N: usize>;

impl<const N: usize> Codec<Vec<u8>> for AllBut<N> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u8>, DecodeError> {
        let count = reader.left().saturating_sub(N);
        Ok(reader.take(count, field)?.to_vec())
    }

    fn write(value: &Vec<u8>, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        Rest::write(value, writer, field)
    }
}

/// A field that may be missing at the end of the payload.
pub(super) struct IfAny;

impl<T> Codec<Option<T>> for IfAny
where
    Plain: Codec<T>,
{
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<T>, DecodeError> {
        if reader.left() == 0 {
            return Ok(None);
        }
        Plain::read(reader, field).map(Some)
    }

    fn write(value: &Option<T>, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        value.as_ref().map_or(Ok(()), |v| Plain::write(v, writer, field))
    }
}

/// DATE_TIME of FN commands, `YY MM DD hh mm`; seconds are not carried.
impl Codec<LocalTime> for Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<LocalTime, DecodeError> {
        let bytes = reader.take(5, field)?;
        let year = 2000 + i32::from(bytes[0]);
        LocalTime::new(year, bytes[1], bytes[2], bytes[3], bytes[4], 0).map_err(|_| DecodeError::Time {
            field,
            bytes: bytes.to_vec(),
        })
    }

    fn write(value: &LocalTime, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        let at = value.calendar();
        let year = at.year().checked_sub(2000).and_then(|y| u8::try_from(y).ok());
        let year = year.ok_or(EncodeError::Year { field, time: *value })?;
        writer.put(&[year, u8::from(at.month()), at.day(), at.hour(), at.minute()]);
        Ok(())
    }
}

/// DATE_TIME where five zeros mean "none" (FF01 before the first document, FF39 with an empty queue).
pub(super) struct OrZero;

impl Codec<Option<LocalTime>> for OrZero {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<LocalTime>, DecodeError> {
        let bytes = reader.take(5, field)?;
        if bytes == [0; 5] {
            return Ok(None);
        }
        Plain::read(&mut Reader::new(bytes), field).map(Some)
    }

    fn write(value: &Option<LocalTime>, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        match value {
            Some(time) => Plain::write(time, writer, field),
            None => {
                writer.put(&[0; 5]);
                Ok(())
            }
        }
    }
}

/// Declares a struct whose fields follow each other on the wire: `name: Type as Codec`, `Plain` when none is named.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty $(as $codec:ty)?,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)+ }

        impl $crate::shtrih::cursor::Fields for $name {
            fn read(
                reader: &mut $crate::shtrih::cursor::Reader<'_>,
            ) -> Result<Self, $crate::shtrih::cursor::DecodeError> {
                Ok(Self { $($field: <wire_struct!(@codec $($codec)?) as $crate::shtrih::cursor::Codec<$ty>>::read(
                    reader, stringify!($field))?,)+ })
            }

            fn write(
                &self,
                writer: &mut $crate::shtrih::cursor::Writer,
            ) -> Result<(), $crate::shtrih::cursor::EncodeError> {
                $(<wire_struct!(@codec $($codec)?) as $crate::shtrih::cursor::Codec<$ty>>::write(
                    &self.$field, writer, stringify!($field))?;)+
                Ok(())
            }
        }
    };
    (@codec) => { $crate::shtrih::cursor::Plain };
    (@codec $codec:ty) => { $codec };
}
pub(super) use wire_struct;
