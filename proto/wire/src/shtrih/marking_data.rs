//! Marking codes of FFD 1.2 (`shtrih-m` 3.10): FF61 to FF73, and the authorisation of FF65 and FF66.
//!
//! Owns: the field order of each; forms that sources tell differently are read as they come and written back the same.
//! Must never: judge a code.

use super::cursor::{
    Codec, Counted, DecodeError, EncodeError, Fields, IfAny, OrZero, Plain, Reader, Rest, Writer, wire_struct,
};
use super::password::Password;
use crate::value::LocalTime;

/// FF61 (3.10): check a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckMark {
    /// Password of the system administrator.
    pub password: Password,
    /// Planned status (tag 2003): 1 piece sold, 2 measured sold, 3 piece returned, 4 measured returned, 255 unchanged.
    pub planned_status: u8,
    /// Processing mode (tag 2102): 0.
    pub mode: u8,
    /// The code as scanned, GS (1D) kept; at most 255 bytes.
    pub code: Vec<u8>,
    /// 2108 and 1023 for a part of a package, and 1291; at most 255 bytes.
    pub tlv: Vec<u8>,
}

impl Fields for CheckMark {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let password = Plain::read(reader, "password")?;
        let [planned_status, mode, code_length, tlv_length] = Plain::read(reader, "lengths")?;
        Ok(Self {
            password,
            planned_status,
            mode,
            code: reader.take(usize::from(code_length), "code")?.to_vec(),
            tlv: reader.take(usize::from(tlv_length), "tlv")?.to_vec(),
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        Plain::write(&self.password, writer, "password")?;
        let code = Counted::length(&self.code, "code")?;
        let tlv = Counted::length(&self.tlv, "tlv")?;
        writer.put(&[self.planned_status, self.mode, code, tlv]);
        writer.put(&self.code);
        writer.put(&self.tlv);
        Ok(())
    }
}

wire_struct! {
    /// Answer to FF61 (3.10), also at the end of the answer to FF67.
    pub struct MarkChecked {
        /// Result of the local check (tag 2004).
        pub local: u8,
        /// 0 checked, 1 kind not checkable, 2 no key, 3 identifiers 91 or 92 missing or malformed, 4 other.
        pub reason: u8,
        /// Kind of code (tag 2100).
        pub kind: u8,
        /// Length of what follows; 0: autonomous. Whether it counts the two bytes before the TLV is not told.
        pub extra_length: u8,
        /// Answer of the FN and of the server; see [`MarkChecked::server`].
        pub extra: Vec<u8> as Rest,
    }
}

/// The part of FF61 that comes from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkServer<'a> {
    /// Answer code of the FN: FF timeout of the server, 20 answer rejected.
    pub answer: u8,
    /// Result (tag 2106), or why the answer was rejected.
    pub result: u8,
    /// What the server said, as TLV.
    pub tlv: &'a [u8],
}

/// Whether the answer code stands before the result: by the vendor text; one driver reads them the other way (3.10,
/// CONFLICT).
const ANSWER_BEFORE_RESULT: bool = true;

impl MarkChecked {
    /// What the server said; none when the check was local only.
    #[must_use]
    pub fn server(&self) -> Option<MarkServer<'_>> {
        let [first, second, tlv @ ..] = self.extra.as_slice() else {
            return None;
        };
        let (answer, result) = if ANSWER_BEFORE_RESULT {
            (*first, *second)
        } else {
            (*second, *first)
        };
        Some(MarkServer { answer, result, tlv })
    }
}

impl Codec<MarkChecked> for Plain {
    fn read(reader: &mut Reader<'_>, _field: &'static str) -> Result<MarkChecked, DecodeError> {
        Fields::read(reader)
    }

    fn write(value: &MarkChecked, writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
        Fields::write(value, writer)
    }
}

wire_struct! {
    /// FF69 (3.10): what to do with a checked code.
    pub struct AcceptMark {
        /// Password of the system administrator.
        pub password: Password,
        /// 0 reject, 1 accept, 2 clear the buffer (one driver).
        pub decision: u8,
    }
}

wire_struct! {
    /// FF67 (3.10): bind a code to the last item.
    pub struct BindMark {
        /// Password of the system administrator.
        pub password: Password,
        /// The code; its length stands before it in one byte.
        pub code: Vec<u8> as Counted,
        /// FF for volumetric accounting (one driver).
        pub volumetric: Option<u8> as IfAny,
    }
}

wire_struct! {
    /// Answer to FF67 (3.10).
    pub struct MarkBound {
        /// Prefix of the product code, big-endian; see [`MarkBound::prefix`].
        pub prefix_bytes: [u8; 2],
        /// Kind of code.
        pub kind: u8,
        /// The check, when the register made it itself.
        pub check: Option<MarkChecked> as IfAny,
    }
}

impl MarkBound {
    /// Prefix of the product code.
    #[must_use]
    pub const fn prefix(&self) -> u16 {
        u16::from_be_bytes(self.prefix_bytes)
    }
}

wire_struct! {
    /// Answer to FF68 (3.10): state of the exchange of notifications.
    pub struct NotificationExchange {
        /// State of the exchange.
        pub state: u8,
        /// Notifications waiting.
        pub queue: u16,
        /// The current one.
        pub current: u32,
        /// Its time; none (zeros) when there is none.
        pub time: Option<LocalTime> as OrZero,
        /// Fill of the store, percent.
        pub fill: u8,
    }
}

wire_struct! {
    /// Answer to FF70 (3.10): state of the work with codes.
    pub struct MarkingState {
        /// State of the check.
        pub check: u8,
        /// State of the notification.
        pub notification: u8,
        /// Commands of the FN now allowed: bits B1, B2, B3, B5, B6, B7/1, B7/2, B7/3.
        pub allowed: u8,
        /// Results kept.
        pub saved: u8,
        /// Codes in the notification.
        pub codes: u8,
        /// 0 below 50 %, 1 to 80, 2 to 90, 3 above, 4 full.
        pub fill_warning: u8,
        /// Notifications waiting.
        pub queue: u16,
    }
}

wire_struct! {
    /// Answer to FF71 (3.10).
    pub struct NotificationQueue {
        /// How many.
        pub count: u16,
        /// Number of the first.
        pub first: u32,
        /// Its size.
        pub first_size: u16,
    }
}

/// Answer to FF72 (3.10): a block of a notification. The vendor text has no block size, two other sources have (CONFLICT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationBlock {
    /// Number of the notification.
    pub number: u32,
    /// Size of the whole.
    pub size: u16,
    /// Where the block begins.
    pub offset: u16,
    /// Whether the size of the block stands before it: when two bytes there say how many follow.
    pub sized: bool,
    /// The block, at most 128 bytes.
    pub data: Vec<u8>,
}

impl Fields for NotificationBlock {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = Plain::read(reader, "number")?;
        let size = Plain::read(reader, "size")?;
        let offset = Plain::read(reader, "offset")?;
        let rest = reader.rest();
        let (sized, data) = match rest.as_slice() {
            [low, high, data @ ..] if usize::from(u16::from_le_bytes([*low, *high])) == data.len() => {
                (true, data.to_vec())
            }
            _ => (false, rest),
        };
        Ok(Self {
            number,
            size,
            offset,
            sized,
            data,
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        Plain::write(&self.number, writer, "number")?;
        Plain::write(&self.size, writer, "size")?;
        Plain::write(&self.offset, writer, "offset")?;
        if self.sized {
            let (length, max) = (self.data.len(), usize::from(u16::MAX));
            let size = u16::try_from(length).map_err(|_| EncodeError::Length {
                field: "data",
                length,
                max,
            })?;
            Plain::write(&size, writer, "data")?;
        }
        writer.put(&self.data);
        Ok(())
    }
}

/// Check sum of FF73: two bytes or four (3.10, CONFLICT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationCrc {
    /// As one driver sends it.
    Two(u16),
    /// As the vendor text says.
    Four(u32),
}

impl Codec<NotificationCrc> for Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<NotificationCrc, DecodeError> {
        match reader.left() {
            0..4 => Self::read(reader, field).map(NotificationCrc::Two),
            _ => Self::read(reader, field).map(NotificationCrc::Four),
        }
    }

    fn write(value: &NotificationCrc, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        match value {
            NotificationCrc::Two(crc) => Self::write(crc, writer, field),
            NotificationCrc::Four(crc) => Self::write(crc, writer, field),
        }
    }
}

wire_struct! {
    /// FF73 (3.10): the notification has been delivered.
    pub struct ConfirmNotification {
        /// Password of the system administrator.
        pub password: Password,
        /// Number of the notification.
        pub number: u32,
        /// CRC-16 of what was delivered.
        pub crc: NotificationCrc,
    }
}

wire_struct! {
    /// FF66 (3.10): authorisation (F7 bit 51).
    pub struct Authorise {
        /// Password of the system administrator.
        pub password: Password,
        /// Answer to the random bytes of FF65.
        pub proof: [u8; 16],
    }
}
