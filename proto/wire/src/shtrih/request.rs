//! Requests of the host.
//!
//! Owns: the list of commands of the slice and which payload each carries.
//! Must never: drop a byte: what decodes also encodes back to the same bytes.

use super::command::CommandCode;
use super::cursor::{DecodeError, EncodeError, Fields, Reader, Writer};
use super::password::Password;
use super::request_data::{
    CashMovement, CloseLegacy, CloseReceipt, DocumentByNumber, DocumentTlv, ErrorTextRequest, FontRequest,
    LegacyOperation, ModelParametersRequest, OpenReceipt, OperationV2, ServiceArgs, SetDate, SetTime,
};
use super::table::{FieldStructureRequest, ReadTable, TableStructureRequest, WriteTable};

macro_rules! requests {
    (
        unit { $(#[$umeta:meta])* $unit:ident = $ucode:ident }
        $($(#[$vmeta:meta])* $variant:ident($ty:ty) = $code:ident;)+
    ) => {
        /// A command as the host sends it. Section numbers are those of the protocol reference (`shtrih-m`).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request {
            $(#[$umeta])* $unit,
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
                    Self::$unit => CommandCode::$ucode,
                    $(Self::$variant(_) => CommandCode::$code,)+
                    Self::Other { command, .. } => *command,
                }
            }

            fn read(command: CommandCode, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match command {
                    CommandCode::$ucode => Ok(Self::$unit),
                    $(CommandCode::$code => Fields::read(reader).map(Self::$variant),)+
                    command => Ok(Self::Other { command, data: reader.rest() }),
                }
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    Self::$unit => Ok(()),
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
        DeviceType = DEVICE_TYPE
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
