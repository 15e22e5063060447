//! Command codes.
//!
//! Owns: one- and two-byte codes and their names.
//! Must never: say what a command does.

use std::fmt;

/// Code of a command: one byte (`10`) or two, high byte first (`FF46`, `FEF3`; `shtrih-m` section 0).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandCode(u16);

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        impl CommandCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)+

            /// Every code that has a name, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Short English name for logs and errors; `"unnamed command"` for codes outside [`CommandCode::ALL`].
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => $text,)+
                    _ => "unnamed command",
                }
            }
        }
    };
}

commands! {
    /// FC, device type (3.1).
    DEVICE_TYPE = 0xFC, "device type";
    /// F7, model parameters (3.1).
    MODEL_PARAMETERS = 0xF7, "model parameters";
    /// 10, short state (3.1).
    SHORT_STATE = 0x10, "short state";
    /// 11, full state (3.1).
    FULL_STATE = 0x11, "full state";
    /// 13, beep (3.1).
    BEEP = 0x13, "beep";
    /// 6B, text of an error (3.1).
    ERROR_TEXT = 0x6B, "error text";
    /// 26, font parameters (captures).
    FONT_INFO = 0x26, "font parameters";
    /// FE F3, reboot (3.1).
    REBOOT = 0xFEF3, "reboot";
    /// 21, set time (3.2).
    SET_TIME = 0x21, "set time";
    /// 22, set date (3.2).
    SET_DATE = 0x22, "set date";
    /// 23, confirm date (3.2).
    CONFIRM_DATE = 0x23, "confirm date";
    /// 1E, write a table field (3.3).
    WRITE_TABLE = 0x1E, "write table";
    /// 1F, read a table field (3.3).
    READ_TABLE = 0x1F, "read table";
    /// 2D, structure of a table (3.3).
    TABLE_STRUCTURE = 0x2D, "table structure";
    /// 2E, structure of a field (3.3).
    FIELD_STRUCTURE = 0x2E, "field structure";
    /// E0, open shift (3.4).
    OPEN_SHIFT = 0xE0, "open shift";
    /// FF41, begin opening of a shift (3.4).
    BEGIN_OPEN_SHIFT = 0xFF41, "begin shift opening";
    /// FF0B, open shift in the FN (3.4).
    FN_OPEN_SHIFT = 0xFF0B, "open shift in FN";
    /// FF42, begin closing of a shift (3.4).
    BEGIN_CLOSE_SHIFT = 0xFF42, "begin shift closing";
    /// FF43, close shift in the FN (3.4).
    FN_CLOSE_SHIFT = 0xFF43, "close shift in FN";
    /// 41, Z-report (3.4).
    Z_REPORT = 0x41, "Z-report";
    /// 40, X-report (3.4).
    X_REPORT = 0x40, "X-report";
    /// FF40, state of the shift (3.4).
    SHIFT_STATE = 0xFF40, "shift state";
    /// FF37, begin calculation state report (3.4).
    BEGIN_CALCULATION_REPORT = 0xFF37, "begin calculation state report";
    /// FF38, form calculation state report (3.4).
    CALCULATION_REPORT = 0xFF38, "calculation state report";
    /// 8D, open receipt (3.5).
    OPEN_RECEIPT = 0x8D, "open receipt";
    /// FF46, operation V2 (3.5).
    OPERATION = 0xFF46, "operation V2";
    /// FF4D, TLV bound to the last operation (3.5).
    OPERATION_TAG = 0xFF4D, "operation TLV";
    /// FF0C, TLV of the document (3.5).
    DOCUMENT_TAG = 0xFF0C, "document TLV";
    /// 89, subtotal (3.5).
    SUBTOTAL = 0x89, "subtotal";
    /// FF45, close receipt V2 (3.5).
    CLOSE_RECEIPT = 0xFF45, "close receipt V2";
    /// 88, cancel receipt (3.5).
    CANCEL_RECEIPT = 0x88, "cancel receipt";
    /// FF08, cancel the FN document (3.5).
    FN_CANCEL_DOCUMENT = 0xFF08, "cancel FN document";
    /// 80, sale of the older command set (3.5).
    LEGACY_SALE = 0x80, "sale";
    /// 81, buy of the older command set.
    LEGACY_BUY = 0x81, "buy";
    /// 82, sale return of the older command set.
    LEGACY_SALE_RETURN = 0x82, "sale return";
    /// 83, buy return of the older command set.
    LEGACY_BUY_RETURN = 0x83, "buy return";
    /// 85, close receipt of the older command set.
    CLOSE_LEGACY = 0x85, "close receipt";
    /// 50, cash in (3.5).
    CASH_IN = 0x50, "cash in";
    /// 51, cash out (3.5).
    CASH_OUT = 0x51, "cash out";
    /// B0, continue print (3.5).
    CONTINUE_PRINT = 0xB0, "continue print";
    /// FF01, FN status (3.7).
    FN_STATUS = 0xFF01, "FN status";
    /// FF02, FN number (3.7).
    FN_NUMBER = 0xFF02, "FN number";
    /// FF03, FN expiry (3.7).
    FN_EXPIRY = 0xFF03, "FN expiry";
    /// FF04, FN firmware version (3.7).
    FN_VERSION = 0xFF04, "FN version";
    /// FF09, result of the last registration (3.7).
    FN_REGISTRATION = 0xFF09, "FN registration";
    /// FF0A, FN document by number (3.7).
    FN_DOCUMENT = 0xFF0A, "FN document";
    /// FF3A, begin reading a document as TLV (3.7).
    OPEN_DOCUMENT = 0xFF3A, "begin document TLV";
    /// FF3B, next part of the document's TLV (3.7).
    READ_DOCUMENT = 0xFF3B, "read document TLV";
    /// FF39, state of the exchange with the OFD (3.7).
    OFD_STATUS = 0xFF39, "OFD exchange state";
    /// FF3F, number of documents without ticket (3.7).
    UNCONFIRMED_COUNT = 0xFF3F, "documents without ticket";
    /// FF63, what the FN has left (3.7).
    FN_RESOURCE = 0xFF63, "FN resource";
}

impl CommandCode {
    /// The bare prefix FF: the answer of a model without two-byte commands (`02 02 FF 37 CA`, captures).
    pub const PREFIX_FF: Self = Self(0xFF);
    /// The bare prefix FE: one driver reads service answers as a one-byte command (3.1, CONFLICT).
    pub const PREFIX_FE: Self = Self(0xFE);

    /// A code of one byte.
    #[must_use]
    pub const fn one(byte: u8) -> Self {
        Self(byte as u16)
    }

    /// A code of two bytes; the first is FF or FE.
    #[must_use]
    pub const fn two(prefix: u8, byte: u8) -> Self {
        Self((prefix as u16) << 8 | byte as u16)
    }

    /// Splits the code from the front of a request: two bytes after FF and FE, else one. `None` when empty. A lone FF
    /// or FE is a one-byte code.
    #[must_use]
    pub fn split_request(payload: &[u8]) -> Option<(Self, &[u8])> {
        match payload {
            [] => None,
            [prefix @ (0xFE | 0xFF), byte, rest @ ..] => Some((Self::two(*prefix, *byte), rest)),
            [byte, rest @ ..] => Some((Self::one(*byte), rest)),
        }
    }

    /// Whether the code has two bytes.
    #[must_use]
    pub const fn is_two_byte(self) -> bool {
        self.0 > 0xFF
    }

    /// The code as it stands on the wire, high byte first.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let [high, low] = self.0.to_be_bytes();
        if high == 0 { vec![low] } else { vec![high, low] }
    }
}

impl fmt::Display for CommandCode {
    /// Hexadecimal, as the references write it: `10`, `FF46`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.is_two_byte() { 4 } else { 2 };
        write!(f, "{:0width$X}", self.0)
    }
}

impl fmt::Debug for CommandCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.name())
    }
}
