//! Requests of the host.
//!
//! Owns: the list of commands and which payload each carries.
//! Must never: drop a byte: what decodes also encodes back to the same bytes.

use super::command::CommandCode;
use super::cursor::{DecodeError, EncodeError, Fields, Reader, Writer};
use super::marking_data::{AcceptMark, Authorise, BindMark, CheckMark, ConfirmNotification};
use super::ofd_data::{BeginOfdAnswer, ReadOfdBlock, WriteOfdBlock};
use super::password::Password;
use super::printer_data::{
    CutPaper, FeedPaper, LoadBlock, LoadExtendedGraphics, LoadGraphics, LoadGraphics512, OpenDrawer, PrintBarcode,
    PrintBarcode2d, PrintDots, PrintExtendedGraphics, PrintFontLine, PrintGraphics, PrintGraphics512, PrintLine,
    PrintScaledGraphics,
};
use super::receipt_data::{CloseExtended, Correction, CorrectionV2, OperationDiscounted, ReceiptDiscount};
use super::registration_data::{
    BeginRegistration, ReadRegistrationTag, Register, RegistrationByNumber, Reregister, ResetFn,
};
use super::request_data::{
    CashMovement, CloseLegacy, CloseReceipt, DocumentByNumber, DocumentTlv, ErrorTextRequest, FontRequest,
    LegacyOperation, ModelParametersRequest, OpenReceipt, OperationV2, ServiceArgs, SetDate, SetTime,
};
use super::service_data::{ReadPort, ReadRegister, SetPort};
use super::table::{FieldStructureRequest, ReadTable, TableStructureRequest, WriteTable};

macro_rules! requests {
    (
        unit { $($(#[$umeta:meta])* $unit:ident = $ucode:ident;)+ }
        $($(#[$vmeta:meta])* $variant:ident($ty:ty) = $code:ident;)+
    ) => {
        /// A command as the host sends it. Section numbers are those of the protocol reference (`shtrih-m`).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request {
            $($(#[$umeta])* $unit,)+
            $($(#[$vmeta])* $variant($ty),)+
            /// Any command outside this list, byte for byte. Never holds a code of this list: `decode` does not make
            /// such a value.
            Other {
                /// Its code.
                command: CommandCode,
                /// What follows the code.
                data: Vec<u8>,
            },
        }

        impl Request {
            /// The code this request begins with.
            #[must_use]
            pub const fn command(&self) -> CommandCode {
                match self {
                    $(Self::$unit => CommandCode::$ucode,)+
                    $(Self::$variant(_) => CommandCode::$code,)+
                    Self::Other { command, .. } => *command,
                }
            }

            fn read(command: CommandCode, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match command {
                    $(CommandCode::$ucode => Ok(Self::$unit),)+
                    $(CommandCode::$code => Fields::read(reader).map(Self::$variant),)+
                    command => Ok(Self::Other { command, data: reader.rest() }),
                }
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    $(Self::$unit => Ok(()),)+
                    $(Self::$variant(fields) => fields.write(writer),)+
                    Self::Other { data, .. } => {
                        writer.put(data);
                        Ok(())
                    }
                }
            }
        }
    };
}

requests! {
    unit {
        /// FC: device type and name (3.1).
        DeviceType = DEVICE_TYPE;
        /// 16: technological reset (3.1).
        TechnologicalReset = TECHNOLOGICAL_RESET;
    }
    /// F7: parameters of the model (3.1).
    ModelParameters(ModelParametersRequest) = MODEL_PARAMETERS;
    /// 10: short state (3.1).
    ShortState(Password) = SHORT_STATE;
    /// 11: full state (3.1).
    FullState(Password) = FULL_STATE;
    /// 13: beep (3.1).
    Beep(Password) = BEEP;
    /// 6B: text of an error (3.1).
    ErrorText(ErrorTextRequest) = ERROR_TEXT;
    /// 26: font parameters (captures).
    FontInfo(FontRequest) = FONT_INFO;
    /// FE F3: reboot (3.1).
    Reboot(ServiceArgs) = REBOOT;
    /// 21: set the time (3.2).
    SetTime(SetTime) = SET_TIME;
    /// 22: set the date (3.2).
    SetDate(SetDate) = SET_DATE;
    /// 23: confirm the date (3.2).
    ConfirmDate(SetDate) = CONFIRM_DATE;
    /// 1E: write a table field (3.3).
    WriteTable(WriteTable) = WRITE_TABLE;
    /// 1F: read a table field (3.3).
    ReadTable(ReadTable) = READ_TABLE;
    /// 2D: structure of a table (3.3).
    TableStructure(TableStructureRequest) = TABLE_STRUCTURE;
    /// 2E: structure of a field (3.3).
    FieldStructure(FieldStructureRequest) = FIELD_STRUCTURE;
    /// E0: open the shift (3.4).
    OpenShift(Password) = OPEN_SHIFT;
    /// FF41: begin opening of a shift (3.4).
    BeginOpenShift(Password) = BEGIN_OPEN_SHIFT;
    /// FF0B: open the shift in the FN (3.4).
    FnOpenShift(Password) = FN_OPEN_SHIFT;
    /// FF42: begin closing of a shift (3.4).
    BeginCloseShift(Password) = BEGIN_CLOSE_SHIFT;
    /// FF43: close the shift in the FN (3.4).
    FnCloseShift(Password) = FN_CLOSE_SHIFT;
    /// 41: Z-report (3.4).
    ZReport(Password) = Z_REPORT;
    /// 40: X-report (3.4).
    XReport(Password) = X_REPORT;
    /// FF40: state of the shift (3.4).
    ShiftState(Password) = SHIFT_STATE;
    /// FF37: begin the calculation state report (3.4).
    BeginCalculationReport(Password) = BEGIN_CALCULATION_REPORT;
    /// FF38: form the calculation state report (3.4).
    CalculationReport(Password) = CALCULATION_REPORT;
    /// 8D: open a receipt (3.5).
    OpenReceipt(OpenReceipt) = OPEN_RECEIPT;
    /// FF46: operation V2 (3.5).
    Operation(OperationV2) = OPERATION;
    /// FF4D: TLV bound to the last operation (3.5).
    OperationTag(DocumentTlv) = OPERATION_TAG;
    /// FF0C: TLV of the document (3.5).
    DocumentTag(DocumentTlv) = DOCUMENT_TAG;
    /// 89: subtotal (3.5).
    Subtotal(Password) = SUBTOTAL;
    /// FF45: close the receipt V2 (3.5).
    CloseReceipt(CloseReceipt) = CLOSE_RECEIPT;
    /// 88: cancel the receipt (3.5).
    CancelReceipt(Password) = CANCEL_RECEIPT;
    /// FF08: cancel the document open in the FN (3.5).
    FnCancelDocument(Password) = FN_CANCEL_DOCUMENT;
    /// 80: sale of the older command set (3.5).
    LegacySale(LegacyOperation) = LEGACY_SALE;
    /// 81: buy of the older command set (3.5).
    LegacyBuy(LegacyOperation) = LEGACY_BUY;
    /// 82: sale return of the older command set (3.5).
    LegacySaleReturn(LegacyOperation) = LEGACY_SALE_RETURN;
    /// 83: buy return of the older command set (3.5).
    LegacyBuyReturn(LegacyOperation) = LEGACY_BUY_RETURN;
    /// 85: close the receipt of the older command set (3.5).
    CloseLegacy(CloseLegacy) = CLOSE_LEGACY;
    /// 50: cash in (3.5).
    CashIn(CashMovement) = CASH_IN;
    /// 51: cash out (3.5).
    CashOut(CashMovement) = CASH_OUT;
    /// B0: continue print (3.5).
    ContinuePrint(Password) = CONTINUE_PRINT;
    /// FF01: status of the FN (3.7).
    FnStatus(Password) = FN_STATUS;
    /// FF02: number of the FN (3.7).
    FnNumber(Password) = FN_NUMBER;
    /// FF03: expiry of the FN (3.7).
    FnExpiry(Password) = FN_EXPIRY;
    /// FF04: firmware of the FN (3.7).
    FnVersion(Password) = FN_VERSION;
    /// FF09: result of the last registration (3.7).
    FnRegistration(Password) = FN_REGISTRATION;
    /// FF0A: document by number (3.7).
    FnDocument(DocumentByNumber) = FN_DOCUMENT;
    /// FF3A: begin reading a document as TLV (3.7).
    OpenDocument(DocumentByNumber) = OPEN_DOCUMENT;
    /// FF3B: next part of the document's TLV (3.7).
    ReadDocument(Password) = READ_DOCUMENT;
    /// FF39: state of the exchange with the OFD (3.7).
    OfdStatus(Password) = OFD_STATUS;
    /// FF3F: number of documents without ticket (3.7).
    UnconfirmedCount(Password) = UNCONFIRMED_COUNT;
    /// FF63: what the FN has left (3.7).
    FnResource(Password) = FN_RESOURCE;
    /// 14: settings of a port (3.1).
    SetPort(SetPort) = SET_PORT;
    /// 15: read the settings of a port (3.1).
    ReadPort(ReadPort) = READ_PORT;
    /// 1A: content of a money register (captures).
    MoneyRegister(ReadRegister) = MONEY_REGISTER;
    /// 1B: content of an operation register (captures).
    OperationRegister(ReadRegister) = OPERATION_REGISTER;
    /// 24: tables back to their first values (2, matrix; layout not captured).
    ResetTables(Password) = RESET_TABLES;
    /// 27: general reset of totals (2, matrix; layout not captured).
    GeneralReset(Password) = GENERAL_RESET;
    /// 17: print a line (3.1; layout not captured).
    PrintLine(PrintLine) = PRINT_LINE;
    /// 2F: print a line in a font (captures).
    PrintFontLine(PrintFontLine) = PRINT_FONT_LINE;
    /// 25: cut the receipt (captures).
    CutPaper(CutPaper) = CUT_PAPER;
    /// 28: open the drawer (3.1; layout not captured).
    OpenDrawer(OpenDrawer) = OPEN_DRAWER;
    /// 29: feed (3.1; layout not captured).
    FeedPaper(FeedPaper) = FEED_PAPER;
    /// 4D: print graphics of up to 512 dots (captures).
    PrintGraphics512(PrintGraphics512) = PRINT_GRAPHICS_512;
    /// 4E: load graphics of up to 512 dots (captures).
    LoadGraphics512(LoadGraphics512) = LOAD_GRAPHICS_512;
    /// 4F: print graphics scaled (captures).
    PrintScaledGraphics(PrintScaledGraphics) = PRINT_SCALED_GRAPHICS;
    /// C0: load a line of graphics (captures).
    LoadGraphics(LoadGraphics) = LOAD_GRAPHICS;
    /// C1: print graphics (captures).
    PrintGraphics(PrintGraphics) = PRINT_GRAPHICS;
    /// C3: print extended graphics (captures).
    PrintExtendedGraphics(PrintExtendedGraphics) = PRINT_EXTENDED_GRAPHICS;
    /// C4: load a line of extended graphics (captures).
    LoadExtendedGraphics(LoadExtendedGraphics) = LOAD_EXTENDED_GRAPHICS;
    /// C5: print a line of dots (captures).
    PrintDots(PrintDots) = PRINT_DOTS;
    /// CB: print a barcode (captures).
    PrintBarcode(PrintBarcode) = PRINT_BARCODE;
    /// DD: load a block of data (captures).
    LoadBlock(LoadBlock) = LOAD_BLOCK;
    /// DE: print a two-dimensional barcode (captures).
    PrintBarcode2d(PrintBarcode2d) = PRINT_BARCODE_2D;
    /// AC: stop a journal report of a device before the FN (captures).
    JournalStop(Password) = JOURNAL_STOP;
    /// AD: state of the journal of a device before the FN (captures).
    JournalState(Password) = JOURNAL_STATE;
    /// B3: next line of a journal report of a device before the FN (captures).
    JournalReport(Password) = JOURNAL_REPORT;
    /// BB: first line of the journal's activation report on a device before the FN (captures).
    JournalActivation(Password) = JOURNAL_ACTIVATION;
    /// FE F2: ping (3.1).
    ServicePing(ServiceArgs) = SERVICE_PING;
    /// FE EC: version of the loader (3.1).
    LoaderVersion(ServiceArgs) = SERVICE_LOADER_VERSION;
    /// FE ED: reboot to firmware update (3.1).
    RebootToDfu(ServiceArgs) = SERVICE_DFU;
    /// FE EF: licences (3.1).
    ReadLicences(ServiceArgs) = SERVICE_LICENCES;
    /// FE F0: number of the controller (3.1).
    ControllerId(ServiceArgs) = SERVICE_CONTROLLER_ID;
    /// FE F4: totals that nothing resets (3.1).
    LifetimeTotals(ServiceArgs) = LIFETIME_TOTALS;
    /// C6: Z-report to the buffer (3.4).
    BufferZReport(Password) = BUFFER_Z_REPORT;
    /// C7: print the Z-report of the buffer (3.4).
    PrintZReport(Password) = PRINT_Z_REPORT;
    /// FF62: take the shift counters from the FN (3.4).
    SyncShift(Password) = SYNC_SHIFT;
    /// 8E: close with 16 kinds of payment (2, matrix).
    CloseExtended(CloseExtended) = CLOSE_EXTENDED;
    /// FF0D: operation with discount and surcharge (0, 2).
    OperationDiscounted(OperationDiscounted) = OPERATION_DISCOUNTED;
    /// FF4B: discount on the receipt (3.5).
    ReceiptDiscount(ReceiptDiscount) = RECEIPT_DISCOUNT;
    /// FF64: send the TLV loaded with FF32 and FF33 (3.5).
    SendLongTlv(Password) = SEND_LONG_TLV;
    /// FF35: begin a correction receipt (3.6).
    BeginCorrection(Password) = BEGIN_CORRECTION;
    /// FF36: form a correction receipt of FFD 1.0 (3.6).
    Correction(Correction) = CORRECTION;
    /// FF4A: form a correction receipt of FFD 1.05 (3.6).
    CorrectionV2(CorrectionV2) = CORRECTION_V2;
    /// FF4C: result of a registration by its number (3.7).
    RegistrationByNumber(RegistrationByNumber) = REGISTRATION_BY_NUMBER;
    /// FF0E: tag of a registration report (3.7).
    RegistrationReportTag(ReadRegistrationTag) = REGISTRATION_REPORT_TAG;
    /// FF60: tag of a registration (3.7).
    RegistrationTag(ReadRegistrationTag) = REGISTRATION_TAG;
    /// FF3C: ticket of a document (3.7).
    FnTicket(DocumentByNumber) = FN_TICKET;
    /// FF05: begin a registration report (3.8).
    BeginRegistration(BeginRegistration) = BEGIN_REGISTRATION;
    /// FF06: register (3.8).
    Register(Register) = REGISTER;
    /// FF34: re-register (3.8).
    Reregister(Reregister) = REREGISTER;
    /// FF3D: begin closing the FN (3.8).
    BeginFnClose(Password) = BEGIN_FN_CLOSE;
    /// FF3E: close the FN (3.8).
    FnClose(Password) = FN_CLOSE;
    /// FF07: reset a debug FN (3.8).
    ResetFn(ResetFn) = RESET_FN;
    /// FF30: what waits for the OFD (3.9).
    OfdBuffer(Password) = OFD_BUFFER;
    /// FF31: read a block of a message to the OFD (3.9).
    ReadOfdBlock(ReadOfdBlock) = READ_OFD_BLOCK;
    /// FF32: begin an answer of the OFD, or a long TLV (3.9, 3.5).
    BeginOfdAnswer(BeginOfdAnswer) = BEGIN_OFD_ANSWER;
    /// FF33: a block of an answer of the OFD, or of a long TLV (3.9, 3.5).
    WriteOfdBlock(WriteOfdBlock) = WRITE_OFD_BLOCK;
    /// FF61: check a marking code (3.10).
    CheckMark(CheckMark) = CHECK_MARK;
    /// FF67: bind a marking code to the item (3.10).
    BindMark(BindMark) = BIND_MARK;
    /// FF68: state of the exchange of notifications (3.10).
    NotificationExchange(Password) = NOTIFICATION_EXCHANGE;
    /// FF69: accept or reject a checked code (3.10).
    AcceptMark(AcceptMark) = ACCEPT_MARK;
    /// FF70: state of the work with marking codes (3.10).
    MarkingState(Password) = MARKING_STATE;
    /// FF71: begin reading notifications (3.10).
    NotificationQueue(Password) = NOTIFICATION_QUEUE;
    /// FF72: next block of a notification (3.10).
    ReadNotification(Password) = READ_NOTIFICATION;
    /// FF73: a notification was delivered (3.10).
    ConfirmNotification(ConfirmNotification) = CONFIRM_NOTIFICATION;
    /// FF65: random bytes for the authorisation (3.10).
    RandomBytes(Password) = RANDOM_BYTES;
    /// FF66: authorise (3.10).
    Authorise(Authorise) = AUTHORISE;
}

impl Request {
    /// Reads a payload (command code and what follows).
    ///
    /// # Errors
    /// [`DecodeError`] when the payload is empty, or a known command has a wrong length or an undefined value.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (command, data) = CommandCode::split_request(payload).ok_or(DecodeError::Empty)?;
        let mut reader = Reader::new(data);
        let request = Self::read(command, &mut reader)?;
        reader.finish()?;
        Ok(request)
    }

    /// The payload of this request.
    ///
    /// # Errors
    /// [`EncodeError`] when a value does not fit its field.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::default();
        writer.put(&self.command().to_bytes());
        self.write(&mut writer)?;
        Ok(writer.into_bytes())
    }
}
