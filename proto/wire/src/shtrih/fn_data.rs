//! What successful answers of the FN commands carry (`shtrih-m` 3.7).
//!
//! Owns: the field order of each answer, optional tails included.
//! Must never: require a tail that only some FFD versions send.

use super::cursor::{Codec, DecodeError, EncodeError, Fields, IfAny, OrZero, Plain, Reader, Rest, Writer, wire_struct};
use super::dates::YmdDate;
use super::fields::{FnDocumentKind, FnPhase, FnWarnings, OperationKind};
use crate::value::{FdNumber, FiscalSign, Kopecks, LocalTime, ShiftNumber};

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

impl Codec<Reregistrations> for Plain {
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
