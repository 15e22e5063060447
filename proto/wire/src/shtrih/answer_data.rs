//! What successful answers carry behind the error byte (`shtrih-m` section 3).
//!
//! Owns: the field order of each answer, optional tails included.
//! Must never: require a tail that only some models send.

use super::cursor::{DecodeError, EncodeError, Fields, IfAny, OrZero, Reader, Rest, Six, Writer, wire_struct};
use super::fields::{
    DmyDate, FnDocumentKind, FnPhase, FnWarnings, Hms, Mode, ModelFlags, OperationKind, StateFlags, Submode, YmdDate,
};
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

wire_struct! {
    /// FF01 (3.7).
    pub struct FnStatus {
        /// Life phase.
        pub phase: FnPhase,
        /// Document open in the FN.
        pub document: FnDocumentKind,
        /// 1 when the data of the open document has been received.
        pub data_received: u8,
        /// 1 when the shift is open.
        pub shift_open: u8,
        /// Warnings.
        pub warnings: FnWarnings,
        /// Time of the last document, whole minutes; none (zeros) before the first.
        pub last_time: Option<LocalTime> as OrZero,
        /// Number of the FN, padded with spaces; see [`super::fn_number`].
        pub fn_number: [u8; 16],
        /// Number of the last document, 0 before the first.
        pub last_fd: FdNumber,
    }
}

impl FnStatus {
    /// Whether the FN has a shift open.
    #[must_use]
    pub const fn is_shift_open(&self) -> bool {
        self.shift_open != 0
    }
}

/// Re-registration counts of FF03.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reregistrations {
    /// How many are left.
    pub left: u8,
    /// How many were done.
    pub done: u8,
}

impl super::cursor::Codec<Reregistrations> for super::cursor::Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Reregistrations, DecodeError> {
        let bytes = reader.take(2, field)?;
        Ok(Reregistrations {
            left: bytes[0],
            done: bytes[1],
        })
    }

    fn write(value: &Reregistrations, writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
        writer.put(&[value.left, value.done]);
        Ok(())
    }
}

wire_struct! {
    /// FF03 (3.7).
    pub struct FnExpiry {
        /// Last day of the FN's life.
        pub date: YmdDate,
        /// Counts that two drivers read and the vendor text lacks.
        pub reregistrations: Option<Reregistrations> as IfAny,
    }
}

wire_struct! {
    /// FF04 (3.7).
    pub struct FnVersion {
        /// Firmware, ASCII, padded.
        pub firmware: [u8; 16],
        /// 0 debug, 1 serial.
        pub serial: u8,
    }
}

wire_struct! {
    /// What FF09 adds from FFD 1.1 on (3.7).
    pub struct FnRegistrationExtended {
        /// Extended work mode bits.
        pub mode: u8,
        /// INN of the OFD, ASCII, padded with spaces.
        pub ofd_inn: [u8; 12],
        /// Reasons of re-registration (tag 1205).
        pub reasons: u32,
    }
}

/// FF09 (3.7): 50 bytes up to FFD 1.05, 55 with date and time, 67 from FFD 1.1 on (72 with date and time, not seen);
/// counted with command and error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FnRegistration {
    /// Time of the registration document, whole minutes.
    pub registered: Option<LocalTime>,
    /// INN of the user, ASCII, padded with spaces.
    pub inn: [u8; 12],
    /// RNM, ASCII, padded with spaces.
    pub rnm: [u8; 20],
    /// Tax systems, bits as in FF45.
    pub tax_systems: u8,
    /// Work mode bits.
    pub work_mode: u8,
    /// From FFD 1.1 on.
    pub extended: Option<FnRegistrationExtended>,
    /// Document of the registration.
    pub fd: FdNumber,
    /// Its fiscal sign.
    pub fp: FiscalSign,
    /// Date and time behind the sign; only with table 17, field 36.
    pub time: Option<LocalTime>,
}

/// Bytes of FF09 behind work mode, without the fields of FFD 1.1: document and sign, and the optional time.
const REGISTRATION_END: usize = 8;
const REGISTRATION_END_WITH_TIME: usize = 13;

impl Fields for FnRegistration {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        use super::cursor::{Codec, Plain};
        Ok(Self {
            registered: OrZero::read(reader, "registered")?,
            inn: Plain::read(reader, "inn")?,
            rnm: Plain::read(reader, "rnm")?,
            tax_systems: Plain::read(reader, "tax_systems")?,
            work_mode: Plain::read(reader, "work_mode")?,
            extended: match reader.left() {
                REGISTRATION_END | REGISTRATION_END_WITH_TIME => None,
                _ => Some(FnRegistrationExtended::read(reader)?),
            },
            fd: Plain::read(reader, "fd")?,
            fp: Plain::read(reader, "fp")?,
            time: IfAny::read(reader, "time")?,
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        use super::cursor::{Codec, Plain};
        OrZero::write(&self.registered, writer, "registered")?;
        writer.put(&self.inn);
        writer.put(&self.rnm);
        writer.put(&[self.tax_systems, self.work_mode]);
        if let Some(extended) = &self.extended {
            extended.write(writer)?;
        }
        Plain::write(&self.fd, writer, "fd")?;
        Plain::write(&self.fp, writer, "fp")?;
        IfAny::write(&self.time, writer, "time")
    }
}

wire_struct! {
    /// FF0A (3.7).
    pub struct FnDocument {
        /// Kind of document as in tag numbers of C.2: 1, 11, 2, 3, 4, 31, 41, 5, 6, 21.
        pub kind: u8,
        /// 1 when the ticket of the OFD has been received.
        pub ticket: u8,
        /// Time of the document, whole minutes.
        pub time: Option<LocalTime> as OrZero,
        /// Number of the document.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
        /// By kind; see [`FnDocument::detail`]. FFD 1.2 may change some.
        pub body: Vec<u8> as Rest,
    }
}

/// What FF0A says by kind of document (two drivers; lengths under FFD 1.2 are unverified).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FnDocumentDetail {
    /// 1, 11: registration and re-registration, left as bytes: INN 12, RNM 20, tax systems, mode, and what FFD adds.
    Registration(Vec<u8>),
    /// 2, 5: shift opening and closing.
    Shift(ShiftNumber),
    /// 3, 4, 31, 41: receipts, BSO and their corrections.
    Settlement {
        /// Direction, in the numbering of FF46.
        operation: OperationKind,
        /// Total.
        total: Kopecks,
    },
    /// 6: FN closing, left as bytes: INN 12, RNM 20.
    FnClose(Vec<u8>),
    /// 21: calculation state report.
    CalculationReport {
        /// Documents without ticket.
        unconfirmed: u32,
        /// Date of the first of them.
        first_unconfirmed: YmdDate,
    },
    /// Any other kind.
    Other(Vec<u8>),
}

impl FnDocument {
    /// The body by kind of document.
    ///
    /// # Errors
    /// [`DecodeError`] when it has another length or an undefined direction.
    pub fn detail(&self) -> Result<FnDocumentDetail, DecodeError> {
        use super::cursor::{Codec, Plain};
        let mut reader = Reader::new(&self.body);
        let detail = match self.kind {
            1 | 11 => FnDocumentDetail::Registration(reader.rest()),
            2 | 5 => FnDocumentDetail::Shift(Plain::read(&mut reader, "shift")?),
            3 | 4 | 31 | 41 => FnDocumentDetail::Settlement {
                operation: Plain::read(&mut reader, "operation")?,
                total: Plain::read(&mut reader, "total")?,
            },
            6 => FnDocumentDetail::FnClose(reader.rest()),
            21 => FnDocumentDetail::CalculationReport {
                unconfirmed: Plain::read(&mut reader, "unconfirmed")?,
                first_unconfirmed: Plain::read(&mut reader, "first_unconfirmed")?,
            },
            _ => FnDocumentDetail::Other(reader.rest()),
        };
        reader.finish()?;
        Ok(detail)
    }
}

impl FnDocumentDetail {
    /// The bytes for [`FnDocument::body`].
    ///
    /// # Errors
    /// [`EncodeError`] when a value does not fit its field.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        use super::cursor::{Codec, Plain};
        let mut writer = Writer::default();
        match self {
            Self::Registration(bytes) | Self::FnClose(bytes) | Self::Other(bytes) => writer.put(bytes),
            Self::Shift(shift) => Plain::write(shift, &mut writer, "shift")?,
            Self::Settlement { operation, total } => {
                Plain::write(operation, &mut writer, "operation")?;
                Plain::write(total, &mut writer, "total")?;
            }
            Self::CalculationReport {
                unconfirmed,
                first_unconfirmed,
            } => {
                Plain::write(unconfirmed, &mut writer, "unconfirmed")?;
                Plain::write(first_unconfirmed, &mut writer, "first_unconfirmed")?;
            }
        }
        Ok(writer.into_bytes())
    }
}

wire_struct! {
    /// FF3A (3.7).
    pub struct DocumentHeader {
        /// Code of the document, which is the tag of its STLV; see [`crate::ffd::DocumentCode`].
        pub document: u16,
        /// Length of its TLV, all parts together.
        pub length: u16,
    }
}

wire_struct! {
    /// FF39 (3.7).
    pub struct OfdStatus {
        /// Bit 0 transport connected, 1 message to send, 2 waiting ticket, 3 command from OFD, 4 settings of the OFD
        /// changed, 5 waiting answer to a command of the OFD.
        pub exchange: u8,
        /// 1 while a message is being read.
        pub reading: u8,
        /// Documents waiting to be sent.
        pub queue: u16,
        /// First of them; 0 when there is none.
        pub first_fd: FdNumber,
        /// Its time, whole minutes; none (zeros) when there is none.
        pub first_time: Option<LocalTime> as OrZero,
    }
}

wire_struct! {
    /// FF63 (3.7).
    pub struct FnResource {
        /// Documents until the end of the five-year resource.
        pub documents: u32,
        /// KiB free in the 30-day store.
        pub free_kib: u32,
        /// Fill of the marking store, percent.
        pub marking_fill: Option<u8> as IfAny,
    }
}
