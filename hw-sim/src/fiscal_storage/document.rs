//! Fiscal documents as TLV.
//!
//! Owns: writing and walking TLV, and the tags that stand in front of every document (`fn-ffd-ofd` C.1 to C.4).
//! Must never: choose a value; what a document says comes from the register and the FN.

use kassette_wire::text::encode_cp866;

/// A list of TLV under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes TLV that are whole already.
    #[must_use]
    pub const fn from_tlv(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// One tag with its value as bytes.
    pub fn bytes(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&tag.to_le_bytes());
        // Values come from fields with limits far below 64 KiB; a longer one is cut to what the length can say.
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.0.extend_from_slice(&(value.len() as u16).to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// A tag of one byte.
    pub fn byte(&mut self, tag: u16, value: u8) -> &mut Self {
        self.bytes(tag, &[value])
    }

    /// A tag of four bytes, little-endian.
    pub fn u32(&mut self, tag: u16, value: u32) -> &mut Self {
        self.bytes(tag, &value.to_le_bytes())
    }

    /// A sum: the shortest form, at least one byte (captures: a zero sum is one byte 00).
    pub fn sum(&mut self, tag: u16, kopecks: u64) -> &mut Self {
        let value = vln(kopecks);
        self.bytes(tag, &value)
    }

    /// A text in CP866; characters without a byte there become `?`, as a register does with text it converts itself.
    pub fn text(&mut self, tag: u16, text: &str) -> &mut Self {
        let value = cp866_lossy(text);
        self.bytes(tag, &value)
    }

    /// A text of a fixed width, padded with spaces on the right.
    pub fn padded(&mut self, tag: u16, text: &str, width: usize) -> &mut Self {
        let mut value = cp866_lossy(text);
        value.resize(width, b' ');
        self.bytes(tag, &value)
    }

    /// A tag that holds a list.
    pub fn list(&mut self, tag: u16, inner: &Self) -> &mut Self {
        self.bytes(tag, &inner.0)
    }

    /// Another list behind this one.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    /// The bytes so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The finished bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Text in CP866, with `?` for what it lacks.
#[must_use]
pub fn cp866_lossy(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for char in text.chars() {
        bytes.extend(encode_cp866(char.encode_utf8(&mut buffer)).unwrap_or_else(|_| vec![b'?']));
    }
    bytes
}

/// VLN of `fn-ffd-ofd` C.1: little-endian without leading zero bytes, at least one byte.
#[must_use]
pub fn vln(value: u64) -> Vec<u8> {
    let significant = (8 - value.leading_zeros() as usize / 8).max(1);
    value.to_le_bytes()[..significant].to_vec()
}

/// Quantity as tag 1023 with six decimals, the form that the captured 1059 has: `FF 03 04 00 06 40 42 0F` is 1.
#[must_use]
pub fn fvln_millionths(millionths: u64) -> Vec<u8> {
    let mut value = vec![6];
    value.extend(vln(millionths));
    value
}

/// The top-level tags of a list; `None` when a header or a value is cut.
#[must_use]
pub fn walk(mut bytes: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]);
        let length = usize::from(u16::from_le_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        found.push((tag, bytes.get(4..4 + length)?));
        bytes = &bytes[4 + length..];
    }
    Some(found)
}

/// A little-endian number of up to eight bytes; longer values give nothing. An empty value is zero (C.1).
#[must_use]
pub fn number(value: &[u8]) -> Option<u64> {
    if value.len() > 8 {
        return None;
    }
    Some(value.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

/// The number in the first tag of this kind in a list that is known to be whole.
#[must_use]
pub fn find_number(tlv: &[u8], tag: u16) -> Option<u64> {
    let found = walk(tlv)?.into_iter().find(|(t, _)| *t == tag)?;
    number(found.1)
}

/// Text of the first tag of this kind, without the spaces at its end.
#[must_use]
pub fn find_text(tlv: &[u8], tag: u16) -> Option<String> {
    let found = walk(tlv)?.into_iter().find(|(t, _)| *t == tag)?;
    Some(kassette_wire::text::decode_cp866(found.1).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_quantities_have_the_bytes_of_the_reference() {
        let mut body = Body::new();
        body.sum(1020, 100_000).sum(1081, 0);
        assert_eq!(body.as_bytes(), [0xFC, 3, 3, 0, 0xA0, 0x86, 1, 0x39, 4, 1, 0, 0]);
        assert_eq!(fvln_millionths(1_000_000), [6, 0x40, 0x42, 0x0F]);
    }

    #[test]
    fn a_cut_list_is_seen_as_cut() {
        assert_eq!(walk(&[0xFC, 3, 3, 0, 0xA0, 0x86]), None);
        assert_eq!(walk(&[0xFC, 3, 3]), None);
        assert_eq!(walk(&[]), Some(vec![]));
    }
}
