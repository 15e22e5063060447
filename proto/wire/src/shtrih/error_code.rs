//! Error codes of answers (`shtrih-m` section 4).
//!
//! Owns: the numbers and a short text of each.
//! Must never: say how to react; that is the driver's.

use std::fmt;

/// Error byte of an answer; 0 is success.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u8);

macro_rules! named_errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)+) => {
        impl ErrorCode { $($(#[$doc])* pub const $name: Self = Self($code);)+ }
    };
}

named_errors! {
    /// Success.
    OK = 0x00;
    /// FN: unknown command or bad format.
    FN_UNKNOWN_COMMAND = 0x01;
    /// FN: wrong state (phase, shift, open document).
    FN_WRONG_STATE = 0x02;
    /// FN failure.
    FN_FAILURE = 0x03;
    /// FN crypto failure.
    FN_CRYPTO_FAILURE = 0x04;
    /// FN life ended.
    FN_LIFE_ENDED = 0x05;
    /// FN archive full.
    FN_ARCHIVE_FULL = 0x06;
    /// FN: bad date or time.
    FN_BAD_TIME = 0x07;
    /// FN: no such data; also the normal end of FF3B.
    FN_NO_DATA = 0x08;
    /// FN: bad parameter value.
    FN_BAD_PARAMETER = 0x09;
    /// FN: TLV too large.
    FN_TLV_TOO_LARGE = 0x10;
    /// FN: no transport connection.
    FN_NO_TRANSPORT = 0x11;
    /// FN: crypto resource exhausted.
    FN_RESOURCE_EXHAUSTED = 0x12;
    /// FN: store of documents for the OFD exhausted.
    FN_OFD_STORE_FULL = 0x14;
    /// FN: the oldest message waits for more than 30 days.
    FN_OFD_OVERDUE = 0x15;
    /// FN: shift longer than 24 h.
    FN_SHIFT_EXPIRED = 0x16;
    /// FN: clock differs by more than 5 minutes from the FN's timer.
    FN_CLOCK_DELTA = 0x17;
    /// Exchange with the FN timed out.
    FN_EXCHANGE_TIMEOUT = 0x2F;
    /// FN does not answer.
    FN_SILENT = 0x30;
    /// Bad command parameters.
    BAD_PARAMETERS = 0x33;
    /// No data.
    NO_DATA = 0x34;
    /// Parameter illegal with the present settings.
    ILLEGAL_WITH_SETTINGS = 0x35;
    /// Parameters illegal for this model.
    ILLEGAL_FOR_MODEL = 0x36;
    /// Command not supported by this model.
    UNSUPPORTED = 0x37;
    /// Shift open: operation impossible.
    SHIFT_OPEN = 0x3C;
    /// Shift not open: operation impossible.
    SHIFT_NOT_OPEN = 0x3D;
    /// Payments less than total.
    PAYMENTS_TOO_SMALL = 0x45;
    /// Not enough cash.
    NOT_ENOUGH_CASH = 0x46;
    /// Operation not possible in this receipt type.
    WRONG_RECEIPT_TYPE = 0x49;
    /// Receipt open.
    RECEIPT_OPEN = 0x4A;
    /// Receipt buffer full.
    RECEIPT_FULL = 0x4B;
    /// Cashless more than total.
    CASHLESS_TOO_LARGE = 0x4D;
    /// Shift longer than 24 h.
    SHIFT_EXPIRED = 0x4E;
    /// Wrong password.
    WRONG_PASSWORD = 0x4F;
    /// The previous command is still printing.
    STILL_PRINTING = 0x50;
    /// Receipt closed.
    RECEIPT_CLOSED = 0x55;
    /// Waits for continue-print.
    WAITING_CONTINUE = 0x58;
    /// Document opened by another operator.
    OTHER_OPERATOR = 0x59;
    /// Table not defined.
    NO_TABLE = 0x5D;
    /// Wrong operation.
    WRONG_OPERATION = 0x5E;
    /// Negative total.
    NEGATIVE_TOTAL = 0x5F;
    /// No receipt paper.
    NO_PAPER = 0x6B;
    /// Not supported in this submode.
    WRONG_SUBMODE = 0x72;
    /// Not supported in this mode.
    WRONG_MODE = 0x73;
    /// Field is read-only.
    READ_ONLY = 0x7A;
    /// Dates do not match.
    DATE_MISMATCH = 0x7C;
    /// Bad date.
    BAD_DATE = 0x7D;
    /// Bad length.
    BAD_LENGTH = 0x7E;
    /// Zero total.
    ZERO_TOTAL = 0x8E;
    /// FN: TLV lacks required tags.
    TLV_INCOMPLETE = 0xA4;
    /// Data structure version mismatch in the storage (captures: FF45 on SMARTPOS).
    STORAGE_VERSION = 0xB9;
    /// Confirm date and time.
    CONFIRM_DATE = 0xC0;
    /// Shift numbers of register and FN differ.
    SHIFT_NUMBERS_DIFFER = 0xC4;
    /// Field is read-only in this mode.
    READ_ONLY_NOW = 0xC7;
}

impl ErrorCode {
    /// Every code of section 4 (and B9 of the captures) with a short text, ascending. Where the section groups codes under
    /// one text, each has that text.
    pub const KNOWN: &[(u8, &str)] = KNOWN;

    /// Whether this is success.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Short English text; `"unlisted error"` for codes outside [`ErrorCode::KNOWN`].
    #[must_use]
    pub fn text(self) -> &'static str {
        KNOWN
            .iter()
            .find(|(code, _)| *code == self.0)
            .map_or("unlisted error", |(_, text)| text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} ({})", self.0, self.text())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const ACCUMULATOR: &str = "shift or money accumulator overflow or insufficient";
const RANGE: &str = "range overflow in receipt or discount";
const SUPPLY: &str = "supply voltage";
const HARDWARE: &str = "cutter, sensor, hardware or printer link fault";
const FIELD_GEOMETRY: &str = "print field geometry";
const KEY_UPDATE: &str = "FN: answer to key update";

const KNOWN: &[(u8, &str)] = &[
    (0x00, "ok"),
    (0x01, "FN: unknown command or bad format"),
    (0x02, "FN: wrong state"),
    (0x03, "FN failure"),
    (0x04, "FN crypto failure"),
    (0x05, "FN life ended"),
    (0x06, "FN archive full"),
    (0x07, "FN: bad date or time"),
    (0x08, "FN: no requested data"),
    (0x09, "FN: bad parameter value"),
    (0x10, "FN: TLV too large"),
    (0x11, "FN: no transport connection"),
    (0x12, "FN: crypto resource exhausted"),
    (0x14, "FN: store of documents for the OFD exhausted"),
    (0x15, "FN: oldest message waits for more than 30 days"),
    (0x16, "FN: shift longer than 24 h"),
    (0x17, "FN: clock differs by more than 5 min from the FN timer"),
    (0x20, "FN: message of the OFD rejected"),
    (0x23, KEY_UPDATE),
    (0x24, KEY_UPDATE),
    (0x2F, "exchange with the FN timed out"),
    (0x30, "FN does not answer"),
    (0x33, "bad command parameters"),
    (0x34, "no data"),
    (0x35, "parameter illegal with present settings"),
    (0x36, "parameters illegal for this model"),
    (0x37, "command not supported by this model"),
    (0x38, "ROM error"),
    (0x39, "internal error"),
    (0x3A, ACCUMULATOR),
    (0x3C, "shift open: operation impossible"),
    (0x3D, "shift not open: operation impossible"),
    (0x3E, ACCUMULATOR),
    (0x3F, ACCUMULATOR),
    (0x40, RANGE),
    (0x41, RANGE),
    (0x42, RANGE),
    (0x43, RANGE),
    (0x44, RANGE),
    (0x45, "payments less than total"),
    (0x46, "not enough cash"),
    (0x47, ACCUMULATOR),
    (0x48, RANGE),
    (0x49, "not possible in this receipt type"),
    (0x4A, "receipt open"),
    (0x4B, "receipt buffer full"),
    (0x4C, ACCUMULATOR),
    (0x4D, "cashless more than total"),
    (0x4E, "shift longer than 24 h"),
    (0x4F, "wrong password"),
    (0x50, "previous command still printing"),
    (0x51, ACCUMULATOR),
    (0x52, ACCUMULATOR),
    (0x53, ACCUMULATOR),
    (0x54, ACCUMULATOR),
    (0x55, "receipt closed"),
    (0x56, "no document to repeat"),
    (0x58, "waiting for continue-print"),
    (0x59, "document opened by another operator"),
    (0x5B, RANGE),
    (0x5C, SUPPLY),
    (0x5D, "table not defined"),
    (0x5E, "wrong operation"),
    (0x5F, "negative total"),
    (0x60, RANGE),
    (0x61, RANGE),
    (0x62, RANGE),
    (0x63, RANGE),
    (0x65, ACCUMULATOR),
    (0x66, ACCUMULATOR),
    (0x68, ACCUMULATOR),
    (0x69, ACCUMULATOR),
    (0x6B, "no receipt paper"),
    (0x6C, "no journal paper"),
    (0x6D, ACCUMULATOR),
    (0x6E, ACCUMULATOR),
    (0x6F, ACCUMULATOR),
    (0x71, HARDWARE),
    (0x72, "not supported in this submode"),
    (0x73, "not supported in this mode"),
    (0x74, "RAM error"),
    (0x75, SUPPLY),
    (0x77, HARDWARE),
    (0x78, "firmware replaced"),
    (0x79, "clock error"),
    (0x7A, "field is read-only"),
    (0x7B, HARDWARE),
    (0x7C, "date mismatch"),
    (0x7D, "bad date"),
    (0x7E, "bad length"),
    (0x7F, RANGE),
    (0x84, ACCUMULATOR),
    (0x85, ACCUMULATOR),
    (0x86, ACCUMULATOR),
    (0x87, ACCUMULATOR),
    (0x88, ACCUMULATOR),
    (0x89, ACCUMULATOR),
    (0x8A, RANGE),
    (0x8B, RANGE),
    (0x8C, RANGE),
    (0x8D, RANGE),
    (0x8E, "zero total"),
    (0x90, FIELD_GEOMETRY),
    (0x91, FIELD_GEOMETRY),
    (0x92, FIELD_GEOMETRY),
    (0x93, "RAM restored"),
    (0x94, "too many operations"),
    (0xA0, "FN: marking not enabled at registration"),
    (0xA1, "FN: wrong sequence of marking commands"),
    (0xA2, "FN: marking blocked, notification store full"),
    (0xA3, "FN: table of marking checks full"),
    (0xA4, "FN: TLV lacks required tags"),
    (0xA5, "FN: marking code not checked before"),
    (0xB9, "data structure version mismatch in the storage"),
    (0xC0, "confirm date and time"),
    (0xC2, SUPPLY),
    (0xC4, "shift numbers differ"),
    (0xC7, "field is read-only in this mode"),
    (0xC8, HARDWARE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_is_listed_once_and_in_order() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(ErrorCode(0x8E).to_string(), "8E (zero total)");
        assert_eq!(ErrorCode(0xEE).text(), "unlisted error");
    }
}
