//! Kinds of fiscal documents and a document as the FN gives it back.
//!
//! Owns: document codes and sizes (`fn-ffd-ofd` C.2).
//! Must never: say which tags a document needs.

use super::tag::Tag;
use super::tlv::{Tlv, TlvError};
use super::tlv_list::TlvList;
use std::fmt;

macro_rules! document_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// Code of a document; the tag of its STLV (C.2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DocumentCode { $($(#[$doc])* $name,)+ }

        impl DocumentCode {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The number.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The kind with a number; none for numbers the reference does not list (marking documents included).
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            /// Short English name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

document_codes! {
    /// 1: registration report.
    Registration = 1, "registration";
    /// 11: re-registration report.
    Reregistration = 11, "re-registration";
    /// 2: shift opening.
    ShiftOpen = 2, "shift opening";
    /// 21: calculation state report.
    CalculationReport = 21, "calculation state report";
    /// 3: receipt.
    Receipt = 3, "receipt";
    /// 31: correction receipt.
    Correction = 31, "correction receipt";
    /// 4: BSO.
    Bso = 4, "BSO";
    /// 41: correction BSO.
    BsoCorrection = 41, "correction BSO";
    /// 5: shift closing.
    ShiftClose = 5, "shift closing";
    /// 6: FN closing.
    FnClose = 6, "FN closing";
    /// 7: ticket of the OFD.
    Ticket = 7, "ticket";
}

impl fmt::Display for DocumentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DocumentCode {
    /// Whether this is a receipt, a BSO, or a correction of one.
    #[must_use]
    pub const fn is_settlement(self) -> bool {
        matches!(self, Self::Receipt | Self::Correction | Self::Bso | Self::BsoCorrection)
    }
}

/// A document: its code and its tags. FF3A gives the code and the length, FF3B the bytes of the tags in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is; the number as it came, see [`Document::kind`].
    pub code: u16,
    /// Its tags, in order.
    pub tags: TlvList,
}

impl Document {
    /// A document from the code of FF3A and all parts of FF3B joined.
    ///
    /// # Errors
    /// [`TlvError`] with the offset where the list breaks.
    pub fn from_parts(code: u16, joined: &[u8]) -> Result<Self, TlvError> {
        let tags = TlvList::decode(joined)?;
        Ok(Self { code, tags })
    }

    /// A document from its STLV, as it stands in the messages of the OFD; nothing may follow it.
    ///
    /// # Errors
    /// [`TlvError`] when the bytes are not exactly one STLV.
    pub fn decode_stlv(bytes: &[u8]) -> Result<Self, TlvError> {
        let outer = TlvList::decode(bytes)?;
        let [document] = outer.items.as_slice() else {
            let offset = outer.items.first().map_or(0, |tlv| 4 + tlv.value.len());
            let left = bytes.len() - offset;
            return Err(TlvError::Header { offset, left });
        };
        Self::from_parts(document.tag.0, &document.value)
    }

    /// The STLV.
    ///
    /// # Errors
    /// [`TlvError::TooLong`] when it is longer than a length field can say.
    pub fn encode_stlv(&self) -> Result<Vec<u8>, TlvError> {
        Tlv::list(Tag(self.code), &self.tags)?.encode()
    }

    /// The kind, if the reference lists its code.
    #[must_use]
    pub const fn kind(&self) -> Option<DocumentCode> {
        DocumentCode::from_code(self.code)
    }
}
