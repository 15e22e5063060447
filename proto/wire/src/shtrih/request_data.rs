//! What requests carry behind their command code (`shtrih-m` section 3).
//!
//! Owns: the field order of each request.
//! Must never: fill in a value the caller did not give.

use super::cursor::{IfAny, OrAllFf, Rest, Thousandths, wire_struct};
use super::dates::{DmyDate, Hms};
use super::fields::{OperationKind, ReceiptKind, VatCode};
use super::password::Password;
use crate::text::until_nul;
use crate::value::{FdNumber, Kopecks, Quantity};

wire_struct! {
    /// F7 (3.1).
    pub struct ModelParametersRequest {
        /// What to ask for: 01 the parameters of the model.
        pub parameter: u8,
    }
}

wire_struct! {
    /// 6B (3.1).
    pub struct ErrorTextRequest {
        /// The error to explain; none asks for the last one (F7 bit 49).
        pub error: Option<u8> as IfAny,
    }
}

wire_struct! {
    /// 26 (captures).
    pub struct FontRequest {
        /// Password of the system administrator.
        pub password: Password,
        /// Font number from 1.
        pub font: u8,
    }
}

wire_struct! {
    /// FE F3 (3.1).
    pub struct ServiceArgs {
        /// Four zero bytes.
        pub reserved: [u8; 4],
    }
}

wire_struct! {
    /// 21 (3.2).
    pub struct SetTime {
        /// Password of the system administrator.
        pub password: Password,
        /// Local time of the day.
        pub time: Hms,
    }
}

wire_struct! {
    /// 22 and 23 (3.2).
    pub struct SetDate {
        /// Password of the system administrator.
        pub password: Password,
        /// Local date.
        pub date: DmyDate,
    }
}

wire_struct! {
    /// 8D (3.5).
    pub struct OpenReceipt {
        /// Password of the operator.
        pub password: Password,
        /// What receipt.
        pub kind: ReceiptKind,
    }
}

wire_struct! {
    /// FF46 (3.5).
    pub struct OperationV2 {
        /// Password of the operator.
        pub password: Password,
        /// Direction, in the numbering of this command.
        pub kind: OperationKind,
        /// Quantity.
        pub quantity: Quantity,
        /// Price of one unit.
        pub price: Kopecks,
        /// Sum of the item; none (FF…) lets the register multiply.
        pub sum: Option<Kopecks> as OrAllFf,
        /// VAT of the item; none is FF… ("not given").
        pub tax: Option<Kopecks> as OrAllFf,
        /// VAT rate.
        pub vat: VatCode,
        /// Department 0 to 16; 255 by code.
        pub department: u8,
        /// Tag 1214.
        pub method: u8,
        /// Tag 1212.
        pub subject: u8,
        /// Name in windows-1251, at most 128 bytes; a host may pad it with zeros (captures: to 40), which stay here.
        pub name: Vec<u8> as Rest,
    }
}

impl OperationV2 {
    /// The name without padding.
    #[must_use]
    pub fn name_text(&self) -> &[u8] {
        until_nul(&self.name)
    }
}

wire_struct! {
    /// FF4D and FF0C (3.5).
    pub struct DocumentTlv {
        /// Password of the system administrator.
        pub password: Password,
        /// One or more TLV as bytes, at most 250; see [`crate::ffd::TlvList`]. Kept as sent: a device must also answer
        /// a wrong one.
        pub tlv: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// FF45 (3.5).
    pub struct CloseReceipt {
        /// Password of the system administrator.
        pub password: Password,
        /// Index 0 cash (tag 1031), 1 to 12 electronic (1081, summed), 13 prepayment (1215), 14 credit (1216),
        /// 15 counter-provision (1217).
        pub payments: [Kopecks; 16],
        /// Rounding of the total, kopecks, 0 to 99.
        pub rounding: u8,
        /// VAT totals in the order of tags 1102 to 1107; ignored when the register computes them.
        pub taxes: [Kopecks; 6],
        /// Exactly one [`super::TaxSystemBit`].
        pub tax_system: u8,
        /// Text to print, windows-1251, at most 64 bytes.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 80 to 83 (3.5, captures): operation of the older command set, which opens the receipt itself.
    pub struct LegacyOperation {
        /// Password of the operator.
        pub password: Password,
        /// Quantity in thousandths, 5 bytes.
        pub quantity_thousandths: u64 as Thousandths,
        /// Price of one unit.
        pub price: Kopecks,
        /// Department 0 to 16.
        pub department: u8,
        /// Four tax groups, 0 for none, else rows of table 6.
        pub taxes: [u8; 4],
        /// Name in windows-1251, padded with zeros to 40 bytes.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 85 (3.5, captures): closing of the older command set.
    pub struct CloseLegacy {
        /// Password of the operator.
        pub password: Password,
        /// Cash, then payment types 2 to 4.
        pub payments: [Kopecks; 4],
        /// Discount on the receipt in hundredths of a percent, two's complement; negative is a surcharge.
        pub discount: u16,
        /// Four tax groups, 0 for none, else rows of table 6.
        pub taxes: [u8; 4],
        /// Text in windows-1251, padded with zeros to 40 bytes.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 50 and 51 (3.5).
    pub struct CashMovement {
        /// Password of the operator.
        pub password: Password,
        /// How much goes in or out.
        pub amount: Kopecks,
    }
}

wire_struct! {
    /// FF0A and FF3A (3.7).
    pub struct DocumentByNumber {
        /// Password of the system administrator.
        pub password: Password,
        /// Which document.
        pub fd: FdNumber,
    }
}
