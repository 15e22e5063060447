//! One TLV: tag, length, value (`fn-ffd-ofd` C.1).
//!
//! Owns: the bytes of one value of each kind, and the errors of this folder.
//! Must never: cut a value that does not fit.

use super::number::{Fvln, encode_vln};
use super::tag::{Kind, Tag};
use super::tlv_list::TlvList;
use crate::text::{TextError, encode_cp866};
use crate::value::{FiscalSign, Kopecks, LocalTime, Quantity};
use thiserror::Error;

/// Longest list a decoder takes: the largest document is 32768 bytes (C.2), with its own header.
pub const MAX_LIST_BYTES: usize = 32_768 + 4;
/// How deep lists may stand in lists; documents of the reference need four (5, 1157, 1133, 1145).
pub const MAX_DEPTH: usize = 6;

/// What is wrong with a TLV or a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlvError {
    /// Fewer than four bytes where a TLV should begin.
    #[error("at byte {offset}: {left} bytes are too few for a tag and a length")]
    Header {
        /// Where, from the first byte of the list.
        offset: usize,
        /// How many bytes are left.
        left: usize,
    },
    /// The value ends behind the list.
    #[error("at byte {offset}: tag {tag} says {length} bytes, {left} are left")]
    Value {
        /// Where the tag begins.
        offset: usize,
        /// The tag.
        tag: Tag,
        /// Its stated length.
        length: usize,
        /// What is there.
        left: usize,
    },
    /// The list is longer than any document.
    #[error("a list of {0} bytes is longer than any document (at most {MAX_LIST_BYTES})")]
    ListTooLong(usize),
    /// Lists stand in lists deeper than any document needs.
    #[error("tag {0} stands deeper than {MAX_DEPTH} lists")]
    TooDeep(Tag),
    /// The bytes are no value of the kind that was asked for.
    #[error("tag {tag} holds {value:02X?}, which is no {expected}")]
    Form {
        /// The tag.
        tag: Tag,
        /// What was expected.
        expected: &'static str,
        /// At most the first 16 bytes of the value.
        value: Vec<u8>,
    },
    /// A value that the tag cannot hold.
    #[error("a value of {length} bytes does not fit tag {tag} (at most {max})")]
    TooLong {
        /// The tag.
        tag: Tag,
        /// Bytes of the value.
        length: usize,
        /// Bytes the tag holds.
        max: usize,
    },
    /// A text that CP866 cannot hold.
    #[error("text of tag {tag}: {source}")]
    Text {
        /// The tag.
        tag: Tag,
        /// The character.
        source: TextError,
    },
    /// A time outside 1970 to 2106.
    #[error("tag {tag} cannot hold the time {time}")]
    Time {
        /// The tag.
        tag: Tag,
        /// The time.
        time: LocalTime,
    },
}

/// A tag and its value as bytes. The constructors write the forms of C.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tlv {
    /// The tag.
    pub tag: Tag,
    /// The value; at most 65535 bytes can be written.
    pub value: Vec<u8>,
}

impl Tlv {
    /// A value as it stands. Its length is checked only when it is written.
    #[must_use]
    pub fn bytes(tag: Tag, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        Self { tag, value }
    }

    /// One byte; also bits of one byte.
    #[must_use]
    pub fn byte(tag: Tag, value: u8) -> Self {
        Self::bytes(tag, [value])
    }

    /// Two bytes.
    #[must_use]
    pub fn u16(tag: Tag, value: u16) -> Self {
        Self::bytes(tag, value.to_le_bytes())
    }

    /// Four bytes; also bits of four bytes.
    #[must_use]
    pub fn u32(tag: Tag, value: u32) -> Self {
        Self::bytes(tag, value.to_le_bytes())
    }

    /// A number of variable length in its shortest form.
    #[must_use]
    pub fn vln(tag: Tag, value: u64) -> Self {
        Self::bytes(tag, encode_vln(value))
    }

    /// A sum.
    #[must_use]
    pub fn money(tag: Tag, value: Kopecks) -> Self {
        Self::vln(tag, value.get())
    }

    /// A quantity with the fewest decimals.
    #[must_use]
    pub fn quantity(tag: Tag, value: Quantity) -> Self {
        let fvln = Fvln::shortest(value);
        let mut bytes = vec![fvln.decimals];
        bytes.extend(encode_vln(fvln.mantissa));
        Self::bytes(tag, bytes)
    }

    /// A decimal number in the given form.
    ///
    /// # Errors
    /// [`TlvError::TooLong`] when its mantissa needs more than 7 bytes.
    pub fn fvln(tag: Tag, value: Fvln) -> Result<Self, TlvError> {
        let length = 1 + encode_vln(value.mantissa).len();
        let bytes = value.encode().ok_or(TlvError::TooLong { tag, length, max: 8 })?;
        Ok(Self::bytes(tag, bytes))
    }

    /// A local time, as if it were UTC.
    ///
    /// # Errors
    /// [`TlvError::Time`] outside 1970 to 2106.
    pub fn time(tag: Tag, time: LocalTime) -> Result<Self, TlvError> {
        let seconds = time.to_unix_as_local().ok_or(TlvError::Time { tag, time })?;
        Ok(Self::u32(tag, seconds))
    }

    /// A text in CP866; fixed tags are padded on the right with spaces.
    ///
    /// # Errors
    /// [`TlvError::Text`] for a character CP866 lacks, [`TlvError::TooLong`] above the length of the tag table.
    pub fn text(tag: Tag, text: &str) -> Result<Self, TlvError> {
        let mut value = encode_cp866(text).map_err(|source| TlvError::Text { tag, source })?;
        if let Some(info) = tag.info() {
            let max = info.max_len.map_or(usize::from(u16::MAX), usize::from);
            if value.len() > max {
                let length = value.len();
                return Err(TlvError::TooLong { tag, length, max });
            }
            if info.kind == Kind::FixedStr {
                value.resize(max, b' ');
            }
        }
        Ok(Self { tag, value })
    }

    /// A list within a tag.
    ///
    /// # Errors
    /// [`TlvError::TooLong`] when a value or the list is longer than a length field can say.
    pub fn list(tag: Tag, list: &TlvList) -> Result<Self, TlvError> {
        Ok(Self::bytes(tag, list.encode()?))
    }

    /// The fiscal sign (tag 1077): two prefix bytes, then the sign high byte first. Captures: prefix 31 04 in receipts,
    /// 21 04 in registrations.
    #[must_use]
    pub fn fiscal_sign(prefix: [u8; 2], sign: FiscalSign) -> Self {
        let mut value = prefix.to_vec();
        value.extend(sign.0.to_be_bytes());
        Self::bytes(Tag::FISCAL_SIGN, value)
    }

    /// The bytes: tag, length, value.
    ///
    /// # Errors
    /// [`TlvError::TooLong`] when the value is longer than 65535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, TlvError> {
        let mut bytes = Vec::with_capacity(4 + self.value.len());
        self.write(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) -> Result<(), TlvError> {
        let length = u16::try_from(self.value.len()).map_err(|_| TlvError::TooLong {
            tag: self.tag,
            length: self.value.len(),
            max: usize::from(u16::MAX),
        })?;
        bytes.extend(self.tag.0.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(&self.value);
        Ok(())
    }

    pub(super) fn form_error(&self, expected: &'static str) -> TlvError {
        TlvError::Form {
            tag: self.tag,
            expected,
            value: self.value.iter().copied().take(16).collect(),
        }
    }
}
