//! What successful answers carry behind the error byte (`shtrih-m` 3.1 to 3.5).
//!
//! Owns: the field order of each answer, optional tails included.
//! Must never: require a tail that only some models send.

use super::cursor::{IfAny, Rest, Six, wire_struct};
use super::dates::{DmyDate, Hms, YmdDate};
use super::fields::{Mode, ModelFlags, StateFlags, Submode};
use crate::text::{decode_cp1251, until_nul};
use crate::value::{FdNumber, FiscalSign, Kopecks, LocalTime, ShiftNumber};

wire_struct! {
    /// FC (3.1).
    pub struct DeviceType {
        /// 0: cash register.
        pub kind: u8,
        /// 0.
        pub subtype: u8,
        /// Protocol version.
        pub protocol: u8,
        /// Protocol subversion.
        pub subprotocol: u8,
        /// Model code (section 7).
        pub model: u8,
        /// 0: Russian.
        pub language: u8,
        /// Name in windows-1251.
        pub name: Vec<u8> as Rest,
    }
}

impl DeviceType {
    /// The name for people.
    #[must_use]
    pub fn name_text(&self) -> String {
        decode_cp1251(until_nul(&self.name))
    }
}

wire_struct! {
    /// F7 (3.1). Its length differs by model and firmware: everything behind the flags is kept as it came.
    pub struct ModelParameters {
        /// Capability bits.
        pub flags: ModelFlags,
        /// Bytes behind the flags. From 0: width of font 1, of font 2, first graphics line, INN digits, RNM digits, long
        /// RNM digits, long serial digits; 7 tax officer's password (4); 11 system administrator's password (4); 15
        /// Bluetooth table; 16 "tax accrual" field; 17 maximum command length (2); 19 width of a graphics line; 20 width
        /// of graphics 512; 21 lines of graphics 512 (2); 23 FN table; 24 OFD table; 25 table of embedded devices; 26
        /// FFD table; 27 FFD field. Captures: 25 bytes (Retail-01F), 29 (cash-core, one unknown byte at the end).
        pub tail: Vec<u8> as Rest,
    }
}

impl ModelParameters {
    /// Maximum command length in bytes.
    #[must_use]
    pub fn max_command_length(&self) -> Option<u16> {
        let bytes = self.tail.get(17..19)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Number of the FN table (18, on cash-core 13).
    #[must_use]
    pub fn fn_table(&self) -> Option<u8> {
        self.tail.get(23).copied()
    }

    /// Number of the OFD table (19, on cash-core 14).
    #[must_use]
    pub fn ofd_table(&self) -> Option<u8> {
        self.tail.get(24).copied()
    }

    /// Number of the table of embedded devices.
    #[must_use]
    pub fn embedded_table(&self) -> Option<u8> {
        self.tail.get(25).copied()
    }

    /// Table and field that hold the FFD version (row 1).
    #[must_use]
    pub fn ffd_place(&self) -> Option<(u8, u8)> {
        Some((*self.tail.get(26)?, *self.tail.get(27)?))
    }
}

wire_struct! {
    /// 10 (3.1).
    pub struct ShortState {
        /// Row of table 2 whose password matched.
        pub operator: u8,
        /// Flags.
        pub flags: StateFlags,
        /// Mode and status.
        pub mode: Mode,
        /// Submode.
        pub submode: Submode,
        /// Operations in the receipt, low byte.
        pub operations_low: u8,
        /// Battery voltage, raw/51 V.
        pub battery: u8,
        /// Supply voltage, raw/9 V.
        pub supply: u8,
        /// FM and EJ error of devices before the FN; arbitrary on FN devices (captures): ignore.
        pub legacy_errors: [u8; 2],
        /// Operations in the receipt, high byte.
        pub operations_high: u8,
        /// Head temperature, previous mode, last print result on some models; FF FF FF on others.
        pub reserved: [u8; 3],
        /// Result of the last print: 00 idle, 05 printing; only with F7 bit 34.
        pub print_result: Option<u8> as IfAny,
    }
}

impl ShortState {
    /// Operations in the open receipt.
    #[must_use]
    pub const fn operations(&self) -> u16 {
        u16::from_le_bytes([self.operations_low, self.operations_high])
    }
}

wire_struct! {
    /// 11 (3.1). "FM" fields are left from fiscal memory and constant on FN devices.
    pub struct FullState {
        /// Row of table 2 whose password matched.
        pub operator: u8,
        /// Firmware version, two characters.
        pub firmware_version: [u8; 2],
        /// Firmware build.
        pub firmware_build: u16,
        /// Firmware date.
        pub firmware_date: DmyDate,
        /// Number in the hall.
        pub hall_number: u8,
        /// Number of the current document.
        pub document_number: u16,
        /// Flags.
        pub flags: StateFlags,
        /// Mode and status.
        pub mode: Mode,
        /// Submode.
        pub submode: Submode,
        /// Port the host is connected to; 128 is TCP (on some models also USB).
        pub port: u8,
        /// FM version, two characters ("NA" on FN devices).
        pub fm_version: [u8; 2],
        /// FM build.
        pub fm_build: u16,
        /// FM date.
        pub fm_date: DmyDate,
        /// Date of the register's clock.
        pub date: DmyDate,
        /// Time of the register's clock.
        pub time: Hms,
        /// FM flags.
        pub fm_flags: u8,
        /// Serial number, low four bytes; all FF when not entered.
        pub serial_low: u32,
        /// Last closed shift.
        pub last_closed_shift: u16,
        /// Free FM records.
        pub fm_free_records: u16,
        /// Registrations done.
        pub registrations: u8,
        /// Registrations left.
        pub registrations_left: u8,
        /// INN as a binary number of six bytes; all FF when not entered.
        pub inn: u64 as Six,
        /// Longer models: two legacy bytes, then the high two bytes of the serial.
        pub tail: Vec<u8> as Rest,
    }
}

impl FullState {
    /// The serial number as a number; none when not entered.
    #[must_use]
    pub fn serial(&self) -> Option<u64> {
        if self.serial_low == u32::MAX {
            return None;
        }
        let high = match self.tail.get(2..4) {
            Some(bytes) => u16::from_le_bytes([bytes[0], bytes[1]]),
            None => 0,
        };
        Some(u64::from(high) << 32 | u64::from(self.serial_low))
    }
}

wire_struct! {
    /// 26 (captures).
    pub struct FontInfo {
        /// Width of the print area in dots.
        pub width: u16,
        /// Width of a character.
        pub char_width: u8,
        /// Height of a character.
        pub char_height: u8,
        /// How many fonts there are.
        pub fonts: u8,
    }
}

wire_struct! {
    /// FF0B (3.4).
    pub struct ShiftOpened {
        /// Number of the opened shift.
        pub shift: ShiftNumber,
        /// Document of the opening.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
    }
}

wire_struct! {
    /// FF43 (3.4).
    pub struct ShiftClosed {
        /// Number of the closed shift.
        pub shift: ShiftNumber,
        /// Document of the closing.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
        /// Time of the document; only with table 17, field 36.
        pub time: Option<LocalTime> as IfAny,
    }
}

wire_struct! {
    /// FF40 (3.4).
    pub struct ShiftState {
        /// 0 closed, 1 open.
        pub state: u8,
        /// Number of the shift.
        pub shift: ShiftNumber,
        /// Number of the receipt in the shift.
        pub receipt: u16,
    }
}

wire_struct! {
    /// FF38 (3.4).
    pub struct CalculationReport {
        /// Document of the report.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
        /// Documents without ticket.
        pub unconfirmed: u32,
        /// Date of the first of them; zeros when there is none.
        pub first_unconfirmed: YmdDate,
        /// Time of the document; only with table 17, field 36.
        pub time: Option<LocalTime> as IfAny,
    }
}

wire_struct! {
    /// 89 (3.5).
    pub struct Subtotal {
        /// Row of table 2 whose password matched.
        pub operator: u8,
        /// Total so far.
        pub total: Kopecks,
    }
}

wire_struct! {
    /// 85 (captures).
    pub struct CloseLegacyDone {
        /// Row of table 2 whose password matched.
        pub operator: u8,
        /// Change.
        pub change: Kopecks,
    }
}

wire_struct! {
    /// FF45 (3.5).
    pub struct CloseReceiptDone {
        /// Change.
        pub change: Kopecks,
        /// Document of the receipt.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
        /// Time of the document; only with table 17, field 36.
        pub time: Option<LocalTime> as IfAny,
    }
}

wire_struct! {
    /// 50, 51 (3.5).
    pub struct CashDone {
        /// Row of table 2 whose password matched; 00 on some models (captures).
        pub operator: u8,
        /// Number of the cash document.
        pub document: u16,
    }
}
