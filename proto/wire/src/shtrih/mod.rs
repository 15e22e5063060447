//! Shtrih-M commands and answers (`shtrih-m` sections 2 to 4) as typed values, both directions.
//!
//! Owns: the layout of every payload: section 3 whole, and the older commands that captures hold.
//! Must never: say what a command does to a receipt; the driver and the simulator each say that for themselves.

mod answer;
mod answer_data;
mod command;
mod cursor;
mod dates;
mod error_code;
mod fields;
mod fn_data;
mod marking_data;
mod ofd_data;
mod password;
mod printer_data;
mod receipt_data;
mod registration_data;
mod request;
mod request_data;
mod service_data;
mod table;

pub use answer::{Answer, AnswerFrame, Echo};
pub use answer_data::{
    CalculationReport, CashDone, CloseLegacyDone, CloseReceiptDone, DeviceType, FontInfo, FullState, ModelParameters,
    ShiftClosed, ShiftOpened, ShiftState, ShortState, Subtotal,
};
pub use command::CommandCode;
pub use cursor::{DecodeError, EncodeError};
pub use dates::{DmyDate, Hms, YmdDate};
pub use error_code::ErrorCode;
pub use fields::{
    FnDocumentKind, FnPhase, FnWarnings, Mode, ModelFlags, OperationKind, ReceiptKind, StateFlags, Submode,
    TaxSystemBit, VatCode, fn_number, fn_number_bytes,
};
pub use fn_data::{
    DocumentHeader, FnDocument, FnDocumentDetail, FnExpiry, FnRegistration, FnRegistrationExtended, FnResource,
    FnStatus, FnVersion, OfdStatus, Reregistrations,
};
pub use marking_data::{
    AcceptMark, Authorise, BindMark, CheckMark, ConfirmNotification, MarkBound, MarkChecked, MarkServer, MarkingState,
    NotificationBlock, NotificationCrc, NotificationExchange, NotificationQueue,
};
pub use ofd_data::{BeginOfdAnswer, FnTicket, OfdBuffer, ReadOfdBlock, TicketParts, WriteOfdBlock};
pub use password::Password;
pub use printer_data::{
    CutPaper, FeedPaper, LoadBlock, LoadExtendedGraphics, LoadGraphics, LoadGraphics512, OpenDrawer, PrintBarcode,
    PrintBarcode2d, PrintDots, PrintExtendedGraphics, PrintFontLine, PrintGraphics, PrintGraphics512, PrintLine,
    PrintScaledGraphics,
};
pub use receipt_data::{CloseExtended, Correction, CorrectionDone, CorrectionV2, OperationDiscounted, ReceiptDiscount};
pub use registration_data::{
    BeginRegistration, FnRegistrationReport, FnReportDone, ReadRegistrationTag, Register, RegistrationByNumber,
    Reregister, ResetFn,
};
pub use request::Request;
pub use request_data::{
    CashMovement, CloseLegacy, CloseReceipt, DocumentByNumber, DocumentTlv, ErrorTextRequest, FontRequest,
    LegacyOperation, ModelParametersRequest, OpenReceipt, OperationV2, ServiceArgs, SetDate, SetTime,
};
pub use service_data::{
    JournalState, LifetimeTotals, MoneyRegister, OperationRegister, PortSettings, ReadPort, ReadRegister, SetPort,
};
pub use table::{
    FieldKind, FieldStructure, FieldStructureRequest, ReadTable, TableCell, TableStructure, TableStructureRequest,
    WriteTable,
};
