//! Small fields of answers and requests: states, kinds, rates.
//!
//! Owns: their bit layout.
//! Must never: map a register's code to an FFD tag or to the law.

use super::cursor::{Codec, DecodeError, EncodeError, Plain, Reader, Writer};
use crate::value::{FnNumber, TextIdError};
use std::fmt;

/// Mode byte of commands 10 and 11: low nibble mode, high nibble status (`shtrih-m` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(pub u8);

impl Mode {
    /// Data output: a document is being read and not read to its end.
    pub const DATA_OUTPUT: u8 = 1;
    /// Shift open, less than 24 h.
    pub const SHIFT_OPEN: u8 = 2;
    /// Shift open, 24 h or more.
    pub const SHIFT_EXPIRED: u8 = 3;
    /// Shift closed.
    pub const SHIFT_CLOSED: u8 = 4;
    /// Locked by a wrong tax inspector password.
    pub const LOCKED: u8 = 5;
    /// Waiting for the date to be confirmed (command 23).
    pub const DATE_CONFIRMATION: u8 = 6;
    /// Document open. Proves an open receipt only when the submode is not [`Submode::PRINTING`] (captures).
    pub const DOCUMENT_OPEN: u8 = 8;
    /// Technological reset allowed (bad RAM).
    pub const RESET_ALLOWED: u8 = 9;
    /// Test run.
    pub const TEST_RUN: u8 = 10;

    /// A mode byte from its two nibbles; only the low four bits of each count.
    #[must_use]
    pub const fn new(mode: u8, status: u8) -> Self {
        Self((status & 0x0F) << 4 | mode & 0x0F)
    }

    /// The mode, 0 to 15: one of the constants of this type.
    #[must_use]
    pub const fn mode(self) -> u8 {
        self.0 & 0x0F
    }

    /// The status; in mode 8 the kind of document: 0 sale, 1 buy, 2 sale return, 3 buy return, 4 non-fiscal.
    #[must_use]
    pub const fn status(self) -> u8 {
        self.0 >> 4
    }

    /// Whether the mode is 8. See [`Mode::DOCUMENT_OPEN`] for when that proves an open receipt.
    #[must_use]
    pub const fn is_document_open(self) -> bool {
        self.mode() == Self::DOCUMENT_OPEN
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            0 => write!(f, "{}", self.mode()),
            status => write!(f, "{}.{status}", self.mode()),
        }
    }
}

/// Submode byte of commands 10 and 11 (`shtrih-m` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Submode(pub u8);

impl Submode {
    /// Idle, paper present.
    pub const IDLE: Self = Self(0);
    /// No paper, not printing.
    pub const NO_PAPER: Self = Self(1);
    /// Paper ran out while printing.
    pub const PAPER_RAN_OUT: Self = Self(2);
    /// Paper is back; waits for command B0.
    pub const WAITING_CONTINUE: Self = Self(3);
    /// Printing a long report.
    pub const PRINTING_REPORT: Self = Self(4);
    /// Printing.
    pub const PRINTING: Self = Self(5);
}

/// Flags word of commands 10 and 11 (`shtrih-m` 3.1). Which bits a model sets differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StateFlags(pub u16);

impl StateFlags {
    const fn bit(self, bit: u16) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// Bit 1: receipt roll present.
    #[must_use]
    pub const fn receipt_roll(self) -> bool {
        self.bit(1)
    }

    /// Bit 7: the optical sensor sees receipt paper.
    #[must_use]
    pub const fn receipt_paper(self) -> bool {
        self.bit(7)
    }

    /// Bit 10: cover open.
    #[must_use]
    pub const fn cover_open(self) -> bool {
        self.bit(10)
    }

    /// Bit 11: drawer open.
    #[must_use]
    pub const fn drawer_open(self) -> bool {
        self.bit(11)
    }
}

/// Flags of command F7 (`shtrih-m` 3.1); bits from 43 on are known from one driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ModelFlags(pub u64);

impl ModelFlags {
    /// Whether a bit, 0 to 63, is set; false above.
    #[must_use]
    pub const fn bit(self, bit: u32) -> bool {
        bit < 64 && self.0 >> bit & 1 == 1
    }

    /// Bit 23: firmware family "cash core".
    #[must_use]
    pub const fn cash_core(self) -> bool {
        self.bit(23)
    }

    /// Bit 28: protocol v2.
    #[must_use]
    pub const fn protocol_v2(self) -> bool {
        self.bit(28)
    }

    /// Bit 34: command 10 ends with the result of the last print.
    #[must_use]
    pub const fn print_result(self) -> bool {
        self.bit(34)
    }

    /// Bit 43: an FN is present.
    #[must_use]
    pub const fn fn_present(self) -> bool {
        self.bit(43)
    }

    /// Bit 44: the host may carry the exchange with the OFD.
    #[must_use]
    pub const fn host_ofd_exchange(self) -> bool {
        self.bit(44)
    }

    /// Bit 50: answers can carry date and time (table 17, field 36).
    #[must_use]
    pub const fn extended_answers(self) -> bool {
        self.bit(50)
    }
}

/// Life phase of the FN in FF01: bit 0 configured, 1 fiscal mode open, 2 closed, 3 all data sent (`shtrih-m` 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FnPhase(pub u8);

impl FnPhase {
    /// Ready for registration.
    pub const READY: Self = Self(0x01);
    /// Working.
    pub const WORKING: Self = Self(0x03);
    /// Fiscal mode closed, documents still to be sent.
    pub const CLOSED_SENDING: Self = Self(0x07);
    /// Archive only.
    pub const ARCHIVE: Self = Self(0x0F);
}

/// Warnings of the FN in FF01 (`shtrih-m` 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FnWarnings(pub u8);

impl FnWarnings {
    /// Bit 0: key resource, replace within 3 days.
    #[must_use]
    pub const fn replace_now(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 1: key resource below 30 days.
    #[must_use]
    pub const fn resource_30_days(self) -> bool {
        self.0 & 2 != 0
    }

    /// Bit 2: archive 90 % full.
    #[must_use]
    pub const fn archive_nearly_full(self) -> bool {
        self.0 & 4 != 0
    }

    /// Bit 3: answer of the OFD overdue.
    #[must_use]
    pub const fn ofd_overdue(self) -> bool {
        self.0 & 8 != 0
    }

    /// Bits 4 to 7 (format refused, setup needed, OFD cancelled, critical error): by the FN specification, not seen.
    #[must_use]
    pub const fn unverified_bits(self) -> u8 {
        self.0 & 0xF0
    }
}

/// Current document of the FN in FF01 (`shtrih-m` 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FnDocumentKind(pub u8);

impl FnDocumentKind {
    /// No document open.
    pub const NONE: Self = Self(0x00);
    /// Registration report.
    pub const REGISTRATION: Self = Self(0x01);
    /// Shift opening.
    pub const SHIFT_OPEN: Self = Self(0x02);
    /// Receipt.
    pub const RECEIPT: Self = Self(0x04);
    /// Shift closing.
    pub const SHIFT_CLOSE: Self = Self(0x08);
    /// FN closing.
    pub const FN_CLOSE: Self = Self(0x10);
    /// BSO.
    pub const BSO: Self = Self(0x11);
    /// Re-registration with change of the FN.
    pub const REREGISTRATION_FN_CHANGE: Self = Self(0x12);
    /// Re-registration.
    pub const REREGISTRATION: Self = Self(0x13);
    /// Correction receipt.
    pub const CORRECTION: Self = Self(0x14);
    /// Correction BSO.
    pub const BSO_CORRECTION: Self = Self(0x15);
    /// Calculation state report.
    pub const CALCULATION_REPORT: Self = Self(0x17);
}

macro_rules! coded_enum {
    (
        $(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The byte on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value of a wire byte; `None` when the protocol defines none.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl Codec<$name> for Plain {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<$name, DecodeError> {
                let code = <Plain as Codec<u8>>::read(reader, field)?;
                $name::from_code(code).ok_or(DecodeError::Value { field, value: u64::from(code) })
            }

            fn write(value: &$name, writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
                writer.put(&[value.code()]);
                Ok(())
            }
        }
    };
}

coded_enum! {
    /// Operation byte of FF46 (`shtrih-m` 3.5). Its numbering differs from [`ReceiptKind`].
    pub enum OperationKind {
        /// Sale.
        Sale = 1,
        /// Sale return.
        SaleReturn = 2,
        /// Buy.
        Buy = 3,
        /// Buy return.
        BuyReturn = 4,
    }
}

coded_enum! {
    /// Kind byte of 8D (`shtrih-m` 3.5). Its numbering differs from [`OperationKind`]. 80 to 83 (correction receipts
    /// of FFD 1.1 and 1.2) are known from one source.
    pub enum ReceiptKind {
        /// Sale.
        Sale = 0x00,
        /// Buy.
        Buy = 0x01,
        /// Sale return.
        SaleReturn = 0x02,
        /// Buy return.
        BuyReturn = 0x03,
        /// Correction of a sale.
        CorrectionSale = 0x80,
        /// Correction of a buy.
        CorrectionBuy = 0x81,
        /// Correction of a sale return.
        CorrectionSaleReturn = 0x82,
        /// Correction of a buy return.
        CorrectionBuyReturn = 0x83,
    }
}

/// VAT byte of FF46 (`shtrih-m` 3.5). The rate behind a byte is what table 6 of the register holds; which tag 1199 it
/// becomes is not said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VatCode(pub u8);

impl VatCode {
    /// Main rate (row 1 of table 6).
    pub const MAIN: Self = Self(0x01);
    /// 10 %.
    pub const TEN: Self = Self(0x02);
    /// 0 %.
    pub const ZERO: Self = Self(0x04);
    /// No VAT.
    pub const NONE: Self = Self(0x08);
    /// Main rate, calculated form.
    pub const MAIN_CALC: Self = Self(0x10);
    /// 10/110.
    pub const TEN_CALC: Self = Self(0x20);
    /// 5 %.
    pub const FIVE: Self = Self(0x81);
    /// 7 %.
    pub const SEVEN: Self = Self(0x82);
    /// 5/105.
    pub const FIVE_CALC: Self = Self(0x84);
    /// 7/107 by the vendor's driver code. CONFLICT with [`VatCode::SEVEN_CALC_TABLE`]; the bit pattern favours this.
    pub const SEVEN_CALC: Self = Self(0x88);
    /// 7/107 by the vendor's `Doc/VatTable.txt`. CONFLICT with [`VatCode::SEVEN_CALC`].
    pub const SEVEN_CALC_TABLE: Self = Self(0x90);
    /// 22 %, row 11 (vendor's driver code of 02.2026, one source).
    pub const TWENTY_TWO: Self = Self(0xCB);
    /// 22/122, row 12 (same source).
    pub const TWENTY_TWO_CALC: Self = Self(0xCC);
    /// 22 % on SHTRIH-NANO (same source).
    pub const TWENTY_TWO_NANO: Self = Self(0x90);
    /// 22/122 on SHTRIH-NANO (same source).
    pub const TWENTY_TWO_CALC_NANO: Self = Self(0xA0);
}

/// Tax system bit of FF45, and bits of FF09 (`shtrih-m` 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaxSystemBit(pub u8);

impl TaxSystemBit {
    /// ОСН.
    pub const COMMON: Self = Self(0x01);
    /// УСН, income.
    pub const SIMPLIFIED_INCOME: Self = Self(0x02);
    /// УСН, income minus expense.
    pub const SIMPLIFIED_INCOME_EXPENSE: Self = Self(0x04);
    /// ЕНВД (not since 2021).
    pub const IMPUTED: Self = Self(0x08);
    /// ЕСХН.
    pub const AGRICULTURAL: Self = Self(0x10);
    /// Patent.
    pub const PATENT: Self = Self(0x20);
}

macro_rules! byte_newtype {
    ($($name:ident($inner:ty),)+) => {
        $(impl Codec<$name> for Plain {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<$name, DecodeError> {
                <Plain as Codec<$inner>>::read(reader, field).map($name)
            }

            fn write(value: &$name, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
                Plain::write(&value.0, writer, field)
            }
        })+
    };
}

byte_newtype! {
    Mode(u8), Submode(u8), StateFlags(u16), ModelFlags(u64), FnPhase(u8), FnWarnings(u8), FnDocumentKind(u8),
    VatCode(u8), TaxSystemBit(u8),
}

/// The FN number in a 16-byte field: ASCII, padded with spaces or zeros (debug units are shorter; captures).
///
/// # Errors
/// [`TextIdError`] when the rest is no FN number.
pub fn fn_number(field: &[u8; 16]) -> Result<FnNumber, TextIdError> {
    String::from_utf8_lossy(field).trim_end_matches([' ', '\0']).parse()
}

/// The 16-byte field of an FN number, padded with spaces.
#[must_use]
pub fn fn_number_bytes(number: &FnNumber) -> [u8; 16] {
    let mut field = [b' '; 16];
    for (place, byte) in field.iter_mut().zip(number.as_str().bytes()) {
        *place = byte;
    }
    field
}
