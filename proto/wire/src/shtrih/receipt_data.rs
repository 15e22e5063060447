//! What the rarer receipt commands carry (`shtrih-m` 3.5, 3.6): discounts, the extended closing, corrections.
//!
//! Owns: the field order of each.
//! Must never: fill in a value the caller did not give.

use super::cursor::{IfAny, Rest, Thousandths, wire_struct};
use super::fields::{OperationKind, TaxSystemBit, VatCode};
use super::password::Password;
use crate::value::{FdNumber, FiscalSign, Kopecks, LocalTime};

wire_struct! {
    /// FF4B (3.5): discount or surcharge on the receipt; special firmware.
    pub struct ReceiptDiscount {
        /// Password of the system administrator.
        pub password: Password,
        /// Discount.
        pub discount: Kopecks,
        /// Surcharge.
        pub surcharge: Kopecks,
        /// Tax byte, as in FF46.
        pub vat: VatCode,
        /// Text in windows-1251, at most 128 bytes.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// FF0D (one driver; 3.5 names it by its quantity alone): operation with discount and surcharge.
    pub struct OperationDiscounted {
        /// Password of the system administrator.
        pub password: Password,
        /// Direction.
        pub kind: OperationKind,
        /// Quantity in thousandths, 5 bytes.
        pub quantity_thousandths: u64 as Thousandths,
        /// Price of one unit.
        pub price: Kopecks,
        /// Discount.
        pub discount: Kopecks,
        /// Surcharge.
        pub surcharge: Kopecks,
        /// Department 0 to 16; 255 by code of the item.
        pub department: u8,
        /// Tax groups, bits 0 to 3.
        pub taxes: u8,
        /// Barcode, 5 bytes little-endian.
        pub barcode: [u8; 5],
        /// Name in windows-1251; real length or padded with zeros.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 8E (layout of one driver): closing with 16 kinds of payment. Answered as 85.
    pub struct CloseExtended {
        /// Password of the operator.
        pub password: Password,
        /// Cash, then payment types 2 to 16.
        pub payments: [Kopecks; 16],
        /// Discount on the receipt in hundredths of a percent, two's complement; negative is a surcharge.
        pub discount: u16,
        /// Four tax groups, 0 for none, else rows of table 6.
        pub taxes: [u8; 4],
        /// Text in windows-1251, padded with zeros to 40 bytes.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// FF36 (3.6): correction receipt of FFD 1.0.
    pub struct Correction {
        /// Password of the system administrator.
        pub password: Password,
        /// Total.
        pub total: Kopecks,
        /// 1 income, 3 expense (numbering unverified).
        pub direction: u8,
    }
}

wire_struct! {
    /// FF4A (3.6): correction receipt of FFD 1.05.
    pub struct CorrectionV2 {
        /// Password of the system administrator.
        pub password: Password,
        /// 0 by oneself, 1 by prescript.
        pub kind: u8,
        /// 1 income, 3 expense; a capture has 2.
        pub direction: u8,
        /// Total.
        pub total: Kopecks,
        /// Cash, electronic, prepayment, credit, counter-provision.
        pub payments: [Kopecks; 5],
        /// VAT main, 10 %, turnover 0 %, turnover without VAT, calculated main, calculated 10/110.
        pub taxes: [Kopecks; 6],
        /// Exactly one bit.
        pub tax_system: TaxSystemBit,
    }
}

wire_struct! {
    /// Answer to FF36 and FF4A (3.6).
    pub struct CorrectionDone {
        /// Number of the receipt in the shift.
        pub receipt: u16,
        /// Document of the correction.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
        /// Time of the document; only with table 17, field 36.
        pub time: Option<LocalTime> as IfAny,
    }
}
