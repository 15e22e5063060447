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
    /// 14, settings of a port (3.1).
    SET_PORT = 0x14, "set port";
    /// 15, read the settings of a port (3.1).
    READ_PORT = 0x15, "read port";
    /// 16, technological reset (3.1).
    TECHNOLOGICAL_RESET = 0x16, "technological reset";
    /// 1A, content of a money register (captures).
    MONEY_REGISTER = 0x1A, "money register";
    /// 1B, content of an operation register (captures).
    OPERATION_REGISTER = 0x1B, "operation register";
    /// 24, tables back to their first values (2, matrix; layout not captured).
    RESET_TABLES = 0x24, "reset tables";
    /// 27, general reset of totals (2, matrix; layout not captured).
    GENERAL_RESET = 0x27, "general reset";
    /// 17, print a line (3.1; layout not captured).
    PRINT_LINE = 0x17, "print line";
    /// 2F, print a line in a font (captures).
    PRINT_FONT_LINE = 0x2F, "print line in font";
    /// 25, cut the receipt (captures).
    CUT_PAPER = 0x25, "cut paper";
    /// 28, open the drawer (3.1; layout not captured).
    OPEN_DRAWER = 0x28, "open drawer";
    /// 29, feed (3.1; layout not captured).
    FEED_PAPER = 0x29, "feed paper";
    /// 4D, print graphics of up to 512 dots (captures).
    PRINT_GRAPHICS_512 = 0x4D, "print graphics 512";
    /// 4E, load graphics of up to 512 dots (captures).
    LOAD_GRAPHICS_512 = 0x4E, "load graphics 512";
    /// 4F, print graphics scaled (captures).
    PRINT_SCALED_GRAPHICS = 0x4F, "print graphics scaled";
    /// C0, load a line of graphics (captures).
    LOAD_GRAPHICS = 0xC0, "load graphics";
    /// C1, print graphics (captures).
    PRINT_GRAPHICS = 0xC1, "print graphics";
    /// C3, print extended graphics (captures).
    PRINT_EXTENDED_GRAPHICS = 0xC3, "print extended graphics";
    /// C4, load a line of extended graphics (captures).
    LOAD_EXTENDED_GRAPHICS = 0xC4, "load extended graphics";
    /// C5, print a line of dots (captures).
    PRINT_DOTS = 0xC5, "print line of dots";
    /// CB, print a barcode (captures).
    PRINT_BARCODE = 0xCB, "print barcode";
    /// DD, load a block of data (captures).
    LOAD_BLOCK = 0xDD, "load block";
    /// DE, print a two-dimensional barcode (captures).
    PRINT_BARCODE_2D = 0xDE, "print 2D barcode";
    /// AC, stop a journal report of a device before the FN (captures).
    JOURNAL_STOP = 0xAC, "stop journal";
    /// AD, state of the journal of a device before the FN (captures).
    JOURNAL_STATE = 0xAD, "journal state";
    /// B3, next line of a journal report of a device before the FN (captures).
    JOURNAL_REPORT = 0xB3, "journal report line";
    /// BB, first line of the journal's activation report on a device before the FN (captures).
    JOURNAL_ACTIVATION = 0xBB, "journal activation";
    /// FE F2, ping (3.1).
    SERVICE_PING = 0xFEF2, "service ping";
    /// FE EC, version of the loader (3.1).
    SERVICE_LOADER_VERSION = 0xFEEC, "loader version";
    /// FE ED, reboot to firmware update (3.1).
    SERVICE_DFU = 0xFEED, "reboot to firmware update";
    /// FE EF, licences (3.1).
    SERVICE_LICENCES = 0xFEEF, "read licences";
    /// FE F0, number of the controller (3.1).
    SERVICE_CONTROLLER_ID = 0xFEF0, "controller number";
    /// FE F4, totals that nothing resets (3.1).
    LIFETIME_TOTALS = 0xFEF4, "lifetime totals";
    /// C6, Z-report to the buffer (3.4).
    BUFFER_Z_REPORT = 0xC6, "Z-report to buffer";
    /// C7, print the Z-report of the buffer (3.4).
    PRINT_Z_REPORT = 0xC7, "print Z-report of buffer";
    /// FF62, take the shift counters from the FN (3.4).
    SYNC_SHIFT = 0xFF62, "synchronise shift";
    /// 8E, close with 16 kinds of payment (2, matrix).
    CLOSE_EXTENDED = 0x8E, "close receipt extended";
    /// FF0D, operation with discount and surcharge (0, 2).
    OPERATION_DISCOUNTED = 0xFF0D, "operation with discount";
    /// FF4B, discount on the receipt (3.5).
    RECEIPT_DISCOUNT = 0xFF4B, "receipt discount";
    /// FF64, send the TLV loaded with FF32 and FF33 (3.5).
    SEND_LONG_TLV = 0xFF64, "long TLV";
    /// FF35, begin a correction receipt (3.6).
    BEGIN_CORRECTION = 0xFF35, "begin correction";
    /// FF36, form a correction receipt of FFD 1.0 (3.6).
    CORRECTION = 0xFF36, "correction";
    /// FF4A, form a correction receipt of FFD 1.05 (3.6).
    CORRECTION_V2 = 0xFF4A, "correction V2";
    /// FF4C, result of a registration by its number (3.7).
    REGISTRATION_BY_NUMBER = 0xFF4C, "registration by number";
    /// FF0E, tag of a registration report (3.7).
    REGISTRATION_REPORT_TAG = 0xFF0E, "tag of registration report";
    /// FF60, tag of a registration (3.7).
    REGISTRATION_TAG = 0xFF60, "tag of registration";
    /// FF3C, ticket of a document (3.7).
    FN_TICKET = 0xFF3C, "FN ticket";
    /// FF05, begin a registration report (3.8).
    BEGIN_REGISTRATION = 0xFF05, "begin registration";
    /// FF06, register (3.8).
    REGISTER = 0xFF06, "register";
    /// FF34, re-register (3.8).
    REREGISTER = 0xFF34, "re-register";
    /// FF3D, begin closing the FN (3.8).
    BEGIN_FN_CLOSE = 0xFF3D, "begin FN closing";
    /// FF3E, close the FN (3.8).
    FN_CLOSE = 0xFF3E, "close FN";
    /// FF07, reset a debug FN (3.8).
    RESET_FN = 0xFF07, "reset FN";
    /// FF30, what waits for the OFD (3.9).
    OFD_BUFFER = 0xFF30, "OFD buffer";
    /// FF31, read a block of a message to the OFD (3.9).
    READ_OFD_BLOCK = 0xFF31, "read OFD block";
    /// FF32, begin an answer of the OFD, or a long TLV (3.9, 3.5).
    BEGIN_OFD_ANSWER = 0xFF32, "begin OFD answer";
    /// FF33, a block of an answer of the OFD, or of a long TLV (3.9, 3.5).
    WRITE_OFD_BLOCK = 0xFF33, "write OFD block";
    /// FF61, check a marking code (3.10).
    CHECK_MARK = 0xFF61, "check marking code";
    /// FF67, bind a marking code to the item (3.10).
    BIND_MARK = 0xFF67, "bind marking code";
    /// FF68, state of the exchange of notifications (3.10).
    NOTIFICATION_EXCHANGE = 0xFF68, "notification exchange";
    /// FF69, accept or reject a checked code (3.10).
    ACCEPT_MARK = 0xFF69, "accept marking code";
    /// FF70, state of the work with marking codes (3.10).
    MARKING_STATE = 0xFF70, "marking state";
    /// FF71, begin reading notifications (3.10).
    NOTIFICATION_QUEUE = 0xFF71, "notification queue";
    /// FF72, next block of a notification (3.10).
    READ_NOTIFICATION = 0xFF72, "read notification";
    /// FF73, a notification was delivered (3.10).
    CONFIRM_NOTIFICATION = 0xFF73, "confirm notification";
    /// FF65, random bytes for the authorisation (3.10).
    RANDOM_BYTES = 0xFF65, "random bytes";
    /// FF66, authorise (3.10).
    AUTHORISE = 0xFF66, "authorise";
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
