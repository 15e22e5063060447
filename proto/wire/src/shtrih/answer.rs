//! Answers of the register.
//!
//! Owns: the answer frame, and which data each command's success carries.
//! Must never: match an answer to a request it does not belong to.

use super::answer_data::{
    CalculationReport, CashDone, CloseLegacyDone, CloseReceiptDone, DeviceType, FontInfo, FullState, ModelParameters,
    ShiftClosed, ShiftOpened, ShiftState, ShortState, Subtotal,
};
use super::command::CommandCode;
use super::cursor::{Codec, DecodeError, EncodeError, Fields, IfAny, Plain, Reader, Rest, Writer};
use super::error_code::ErrorCode;
use super::fn_data::{
    DocumentHeader, FnDocument, FnExpiry, FnRegistration, FnResource, FnStatus, FnVersion, OfdStatus,
};
use super::marking_data::{
    MarkBound, MarkChecked, MarkingState, NotificationBlock, NotificationExchange, NotificationQueue,
};
use super::ofd_data::{FnTicket, OfdBuffer};
use super::receipt_data::CorrectionDone;
use super::registration_data::{FnRegistrationReport, FnReportDone};
use super::service_data::{JournalState, LifetimeTotals, MoneyRegister, OperationRegister, PortSettings};
use super::table::{FieldStructure, TableStructure};

/// An answer before its data is looked into: command code, error code, data. With an error the register sends no
/// data, but bytes that come are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFrame {
    /// The echoed code, or a bare prefix; see [`AnswerFrame::echo`].
    pub command: CommandCode,
    /// 0 is success.
    pub error: ErrorCode,
    /// What follows.
    pub data: Vec<u8>,
}

/// How an answer's code relates to the command that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The same code: this is its answer.
    Same,
    /// Only the prefix FF or FE of it. FF: a model without two-byte commands (`02 02 FF 37 CA`, captures). FE: the form
    /// one driver reads (3.1, CONFLICT). It may belong to any command with that prefix.
    Prefix,
    /// Another command's: a stale answer.
    Other,
}

/// A second byte of an FE answer from here on is a service subcode (EC to F4), below it an error code (3.1, CONFLICT:
/// one driver sees one-byte echoes, another two-byte ones).
const FIRST_SERVICE_SUBCODE: u8 = 0xEC;

impl AnswerFrame {
    /// An answer of a register.
    #[must_use]
    pub const fn new(command: CommandCode, error: ErrorCode, data: Vec<u8>) -> Self {
        Self { command, error, data }
    }

    /// A refusal: code and error, no data.
    #[must_use]
    pub const fn refusal(command: CommandCode, error: ErrorCode) -> Self {
        Self::new(command, error, Vec::new())
    }

    /// Reads a payload. FF followed by one byte only is a bare prefix with an error, not a two-byte code.
    ///
    /// # Errors
    /// [`DecodeError`] when code or error are missing.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (command, error, data) = match payload {
            [] => return Err(DecodeError::Empty),
            [_] => return Err(DecodeError::Short { field: "error", at: 1 }),
            [0xFF, byte, error, data @ ..] => (CommandCode::two(0xFF, *byte), error, data),
            [0xFE, byte @ FIRST_SERVICE_SUBCODE..=0xFF, error, data @ ..] => {
                (CommandCode::two(0xFE, *byte), error, data)
            }
            [byte, error, data @ ..] => (CommandCode::one(*byte), error, data),
        };
        Ok(Self::new(command, ErrorCode(*error), data.to_vec()))
    }

    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = self.command.to_bytes();
        payload.push(self.error.0);
        payload.extend_from_slice(&self.data);
        payload
    }

    /// Whether this can be the answer to `sent`.
    #[must_use]
    pub fn echo(&self, sent: CommandCode) -> Echo {
        if self.command == sent {
            return Echo::Same;
        }
        let prefix = CommandCode::one(sent.to_bytes()[0]);
        if sent.is_two_byte() && self.command == prefix {
            Echo::Prefix
        } else {
            Echo::Other
        }
    }
}

macro_rules! bytes_payload {
    ($($(#[$meta:meta])* $name:ident($ty:ty as $codec:ty, $field:literal);)+) => {
        $($(#[$meta])*
        struct $name($ty);

        impl Fields for $name {
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <$codec as Codec<$ty>>::read(reader, $field).map(Self)
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                <$codec as Codec<$ty>>::write(&self.0, writer, $field)
            }
        })+
    };
}

bytes_payload! {
    OperatorByte(Option<u8> as IfAny, "operator");
    AllBytes(Vec<u8> as Rest, "data");
    Number16([u8; 16] as Plain, "fn_number");
    Count(u16 as Plain, "count");
    ByteValue(u8 as Plain, "value");
    Random16([u8; 16] as Plain, "random");
}

macro_rules! answers {
    (
        $($(#[$vmeta:meta])* $variant:ident($ty:ty $(, $wrap:ident)?) = [$($code:ident),+];)+
    ) => {
        /// Data of a successful answer.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Answer {
            /// No data: 14, 16, 1E, 21, 22, 23, AC, FF05, FF07, FF08, FF0C, FF0D, FF33, FF35, FF37, FF3D, FF41, FF42, FF46,
            /// FF4B, FF4D, FF62, FF64, FF66, FF73.
            Done,
            $($(#[$vmeta])* $variant($ty),)+
            /// Data of a command without a name, byte for byte.
            Raw(Vec<u8>),
        }

        impl Answer {
            fn read(command: CommandCode, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match command {
                    CommandCode::SET_TIME
                    | CommandCode::SET_DATE
                    | CommandCode::CONFIRM_DATE
                    | CommandCode::WRITE_TABLE
                    | CommandCode::FN_CANCEL_DOCUMENT
                    | CommandCode::DOCUMENT_TAG
                    | CommandCode::BEGIN_CALCULATION_REPORT
                    | CommandCode::BEGIN_OPEN_SHIFT
                    | CommandCode::BEGIN_CLOSE_SHIFT
                    | CommandCode::OPERATION
                    | CommandCode::OPERATION_TAG
                    | CommandCode::SET_PORT
                    | CommandCode::TECHNOLOGICAL_RESET
                    | CommandCode::JOURNAL_STOP
                    | CommandCode::SYNC_SHIFT
                    | CommandCode::OPERATION_DISCOUNTED
                    | CommandCode::RECEIPT_DISCOUNT
                    | CommandCode::SEND_LONG_TLV
                    | CommandCode::BEGIN_CORRECTION
                    | CommandCode::BEGIN_REGISTRATION
                    | CommandCode::BEGIN_FN_CLOSE
                    | CommandCode::RESET_FN
                    | CommandCode::WRITE_OFD_BLOCK
                    | CommandCode::CONFIRM_NOTIFICATION
                    | CommandCode::AUTHORISE => Ok(Self::Done),
                    $($(CommandCode::$code)|+ => answers!(@read $variant, $ty, reader $(, $wrap)?),)+
                    _ => Ok(Self::Raw(reader.rest())),
                }
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    Self::Done => Ok(()),
                    $(Self::$variant(value) => answers!(@write value, writer $(, $wrap)?),)+
                    Self::Raw(data) => {
                        writer.put(data);
                        Ok(())
                    }
                }
            }
        }
    };
    (@read $variant:ident, $ty:ty, $reader:ident) => { <$ty as Fields>::read($reader).map(Self::$variant) };
    (@read $variant:ident, $ty:ty, $reader:ident, $wrap:ident) => {
        $wrap::read($reader).map(|wrapped| Self::$variant(wrapped.0))
    };
    (@write $value:ident, $writer:ident) => { $value.write($writer) };
    (@write $value:ident, $writer:ident, $wrap:ident) => { $wrap($value.clone()).write($writer) };
}

answers! {
    /// Row of table 2 whose password matched; 00 on some models (captures), missing for E0 in the vendor text. 13, E0,
    /// 41, 40, 80 to 83, 88, 8D, B0, C6, C7, 24, 27, and the commands that print.
    Operator(Option<u8>, OperatorByte) = [
        BEEP, OPEN_SHIFT, Z_REPORT, X_REPORT, LEGACY_SALE, LEGACY_BUY, LEGACY_SALE_RETURN, LEGACY_BUY_RETURN,
        CANCEL_RECEIPT, OPEN_RECEIPT, CONTINUE_PRINT, RESET_TABLES, GENERAL_RESET, PRINT_LINE, PRINT_FONT_LINE, CUT_PAPER, OPEN_DRAWER, FEED_PAPER, PRINT_GRAPHICS_512, LOAD_GRAPHICS_512, PRINT_SCALED_GRAPHICS, LOAD_GRAPHICS, PRINT_GRAPHICS, PRINT_EXTENDED_GRAPHICS, LOAD_EXTENDED_GRAPHICS, PRINT_DOTS, PRINT_BARCODE, LOAD_BLOCK, PRINT_BARCODE_2D, BUFFER_Z_REPORT, PRINT_Z_REPORT
    ];
    /// FC (3.1).
    DeviceType(DeviceType) = [DEVICE_TYPE];
    /// F7 (3.1).
    ModelParameters(ModelParameters) = [MODEL_PARAMETERS];
    /// 10 (3.1).
    ShortState(ShortState) = [SHORT_STATE];
    /// 11 (3.1).
    FullState(FullState) = [FULL_STATE];
    /// 6B (3.1): text in windows-1251.
    ErrorText(Vec<u8>, AllBytes) = [ERROR_TEXT];
    /// 26 (captures).
    FontInfo(FontInfo) = [FONT_INFO];
    /// FE EC to FE F3 (3.1): what a model adds, mostly nothing.
    Service(Vec<u8>, AllBytes) = [
        REBOOT, SERVICE_PING, SERVICE_LOADER_VERSION, SERVICE_DFU, SERVICE_LICENCES, SERVICE_CONTROLLER_ID
    ];
    /// 1F (3.3): BIN little-endian; CHAR in windows-1251, padded to the width of the field or cut, also to nothing.
    TableValue(Vec<u8>, AllBytes) = [READ_TABLE];
    /// 2D (3.3).
    TableStructure(TableStructure) = [TABLE_STRUCTURE];
    /// 2E (3.3).
    FieldStructure(FieldStructure) = [FIELD_STRUCTURE];
    /// FF0B (3.4).
    ShiftOpened(ShiftOpened) = [FN_OPEN_SHIFT];
    /// FF43 (3.4).
    ShiftClosed(ShiftClosed) = [FN_CLOSE_SHIFT];
    /// FF40 (3.4).
    ShiftState(ShiftState) = [SHIFT_STATE];
    /// FF38 (3.4).
    CalculationReport(CalculationReport) = [CALCULATION_REPORT];
    /// 89 (3.5).
    Subtotal(Subtotal) = [SUBTOTAL];
    /// FF45 (3.5).
    CloseReceipt(CloseReceiptDone) = [CLOSE_RECEIPT];
    /// 85, 8E (3.5, captures).
    CloseLegacy(CloseLegacyDone) = [CLOSE_LEGACY, CLOSE_EXTENDED];
    /// 50, 51 (3.5).
    Cash(CashDone) = [CASH_IN, CASH_OUT];
    /// FF01 (3.7).
    FnStatus(FnStatus) = [FN_STATUS];
    /// FF02 (3.7): padded with spaces; see [`super::fn_number`].
    FnNumber([u8; 16], Number16) = [FN_NUMBER];
    /// FF03 (3.7).
    FnExpiry(FnExpiry) = [FN_EXPIRY];
    /// FF04 (3.7).
    FnVersion(FnVersion) = [FN_VERSION];
    /// FF09 (3.7).
    FnRegistration(FnRegistration) = [FN_REGISTRATION];
    /// FF0A (3.7).
    FnDocument(FnDocument) = [FN_DOCUMENT];
    /// FF3A (3.7).
    DocumentHeader(DocumentHeader) = [OPEN_DOCUMENT];
    /// FF3B (3.7): the next bytes of the document's TLV. Every part seen holds one whole TLV (captures), but nothing
    /// promises it: join all parts before decoding. Error 08 ends the document.
    DocumentPart(Vec<u8>, AllBytes) = [READ_DOCUMENT];
    /// FF39 (3.7).
    OfdStatus(OfdStatus) = [OFD_STATUS];
    /// FF3F (3.7).
    UnconfirmedCount(u16, Count) = [UNCONFIRMED_COUNT];
    /// FF63 (3.7).
    FnResource(FnResource) = [FN_RESOURCE];
    /// 15 (3.1).
    PortSettings(PortSettings) = [READ_PORT];
    /// 1A (captures).
    MoneyRegister(MoneyRegister) = [MONEY_REGISTER];
    /// 1B (captures).
    OperationRegister(OperationRegister) = [OPERATION_REGISTER];
    /// AD (captures).
    JournalState(JournalState) = [JOURNAL_STATE];
    /// B3, BB (captures): text in windows-1251.
    JournalText(Vec<u8>, AllBytes) = [JOURNAL_REPORT, JOURNAL_ACTIVATION];
    /// FE F4 (3.1).
    LifetimeTotals(LifetimeTotals) = [LIFETIME_TOTALS];
    /// FF36, FF4A (3.6).
    Correction(CorrectionDone) = [CORRECTION, CORRECTION_V2];
    /// FF4C (3.7).
    RegistrationReport(FnRegistrationReport) = [REGISTRATION_BY_NUMBER];
    /// FF0E, FF60 (3.7): TLV.
    RegistrationTlv(Vec<u8>, AllBytes) = [REGISTRATION_REPORT_TAG, REGISTRATION_TAG];
    /// FF3C (3.7).
    FnTicket(FnTicket) = [FN_TICKET];
    /// FF06, FF34, FF3E (3.8).
    FnReport(FnReportDone) = [REGISTER, REREGISTER, FN_CLOSE];
    /// FF30 (3.9).
    OfdBuffer(OfdBuffer) = [OFD_BUFFER];
    /// FF31 (3.9): bytes of the message to the OFD.
    OfdBlock(Vec<u8>, AllBytes) = [READ_OFD_BLOCK];
    /// FF32 (3.9): most bytes one FF33 may carry.
    MaxBlock(u8, ByteValue) = [BEGIN_OFD_ANSWER];
    /// FF61 (3.10).
    MarkChecked(MarkChecked) = [CHECK_MARK];
    /// FF67 (3.10).
    MarkBound(MarkBound) = [BIND_MARK];
    /// FF68 (3.10).
    NotificationExchange(NotificationExchange) = [NOTIFICATION_EXCHANGE];
    /// FF69 (3.10): result of the check (tag 2106).
    MarkResult(u8, ByteValue) = [ACCEPT_MARK];
    /// FF70 (3.10).
    MarkingState(MarkingState) = [MARKING_STATE];
    /// FF71 (3.10).
    NotificationQueue(NotificationQueue) = [NOTIFICATION_QUEUE];
    /// FF72 (3.10).
    NotificationBlock(NotificationBlock) = [READ_NOTIFICATION];
    /// FF65 (3.10).
    RandomBytes([u8; 16], Random16) = [RANDOM_BYTES];
}

impl Answer {
    /// Reads the data of a successful answer to `command`.
    ///
    /// # Errors
    /// [`DecodeError`] when the data has another length, or an impossible date.
    pub fn decode(command: CommandCode, data: &[u8]) -> Result<Self, DecodeError> {
        let (answer, unread) = Self::decode_known(command, data)?;
        match unread {
            0 => Ok(answer),
            extra => Err(DecodeError::Trailing {
                at: data.len() - extra,
                extra,
            }),
        }
    }

    /// As [`Answer::decode`], but firmware newer than the reference may have added fields at the end: gives also how many
    /// bytes were not read. For reading states, not for exact round trips.
    ///
    /// # Errors
    /// [`DecodeError`] when the data is too short, or holds an impossible date.
    pub fn decode_known(command: CommandCode, data: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut reader = Reader::new(data);
        let answer = Self::read(command, &mut reader)?;
        Ok((answer, reader.left()))
    }

    /// The data behind the error byte.
    ///
    /// # Errors
    /// [`EncodeError`] when a value does not fit its field.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::default();
        self.write(&mut writer)?;
        Ok(writer.into_bytes())
    }

    /// The whole success answer to `command`.
    ///
    /// # Errors
    /// [`EncodeError`] when a value does not fit its field.
    pub fn into_frame(self, command: CommandCode) -> Result<AnswerFrame, EncodeError> {
        Ok(AnswerFrame::new(command, ErrorCode::OK, self.encode()?))
    }
}
