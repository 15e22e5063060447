//! Lists of TLV and typed reading of their values.
//!
//! Owns: order and bytes of a list; reading by tag.
//! Must never: recurse without a bound, or hide a value it cannot read.

use super::number::{Fvln, decode_vln};
use super::tag::{Kind, Tag};
use super::tlv::{MAX_DEPTH, MAX_LIST_BYTES, Tlv, TlvError};
use crate::text::decode_cp866;
use crate::value::{FiscalSign, Kopecks, LocalTime, Quantity};

/// TLV in the order they stand. Lists within it stay bytes until asked for by [`TlvList::list`], so decoding needs no
/// recursion.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TlvList {
    /// The TLV.
    pub items: Vec<Tlv>,
}

impl TlvList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Reads all of `bytes` as TLV. Zero-length values are legal.
    ///
    /// # Errors
    /// [`TlvError`] with the offset where the list breaks, or when it is longer than [`MAX_LIST_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TlvError> {
        if bytes.len() > MAX_LIST_BYTES {
            return Err(TlvError::ListTooLong(bytes.len()));
        }
        let mut items = Vec::new();
        let mut offset = 0;
        while offset < bytes.len() {
            let left = bytes.len() - offset;
            let [t0, t1, l0, l1, rest @ ..] = &bytes[offset..] else {
                return Err(TlvError::Header { offset, left });
            };
            let tag = Tag(u16::from_le_bytes([*t0, *t1]));
            let length = usize::from(u16::from_le_bytes([*l0, *l1]));
            let value = rest.get(..length).ok_or(TlvError::Value {
                offset,
                tag,
                length,
                left: rest.len(),
            })?;
            items.push(Tlv::bytes(tag, value));
            offset += 4 + length;
        }
        Ok(Self { items })
    }

    /// The bytes of the list.
    ///
    /// # Errors
    /// [`TlvError::TooLong`] when a value is longer than 65535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, TlvError> {
        let mut bytes = Vec::new();
        self.items.iter().try_for_each(|tlv| tlv.write(&mut bytes))?;
        Ok(bytes)
    }

    /// Adds a TLV behind the others.
    pub fn push(&mut self, tlv: Tlv) {
        self.items.push(tlv);
    }

    /// The list with a TLV added.
    #[must_use]
    pub fn with(mut self, tlv: Tlv) -> Self {
        self.push(tlv);
        self
    }

    /// The first TLV with a tag.
    #[must_use]
    pub fn find(&self, tag: Tag) -> Option<&Tlv> {
        self.items.iter().find(|tlv| tlv.tag == tag)
    }

    /// All TLV with a tag, in order.
    pub fn all(&self, tag: Tag) -> impl Iterator<Item = &Tlv> {
        self.items.iter().filter(move |tlv| tlv.tag == tag)
    }

    /// The value of a tag as it stands.
    #[must_use]
    pub fn raw(&self, tag: Tag) -> Option<&[u8]> {
        self.find(tag).map(|tlv| tlv.value.as_slice())
    }

    /// A byte, or bits of one byte.
    ///
    /// # Errors
    /// [`TlvError::Form`] when the value is not one byte.
    pub fn byte(&self, tag: Tag) -> Result<Option<u8>, TlvError> {
        self.read(tag, Tlv::to_byte)
    }

    /// A number of two bytes.
    ///
    /// # Errors
    /// [`TlvError::Form`] when the value has another length.
    pub fn u16(&self, tag: Tag) -> Result<Option<u16>, TlvError> {
        self.read(tag, Tlv::to_u16)
    }

    /// A number, or bits, of four bytes.
    ///
    /// # Errors
    /// [`TlvError::Form`] when the value has another length.
    pub fn u32(&self, tag: Tag) -> Result<Option<u32>, TlvError> {
        self.read(tag, Tlv::to_u32)
    }

    /// A number of variable length; an empty value is zero.
    ///
    /// # Errors
    /// [`TlvError::Form`] above 8 bytes.
    pub fn vln(&self, tag: Tag) -> Result<Option<u64>, TlvError> {
        self.read(tag, Tlv::to_vln)
    }

    /// A sum; an empty value is zero.
    ///
    /// # Errors
    /// [`TlvError::Form`] above 8 bytes or above [`Kopecks::MAX`].
    pub fn money(&self, tag: Tag) -> Result<Option<Kopecks>, TlvError> {
        self.read(tag, Tlv::to_money)
    }

    /// A quantity.
    ///
    /// # Errors
    /// [`TlvError::Form`] when it is too long, too large, or finer than a millionth.
    pub fn quantity(&self, tag: Tag) -> Result<Option<Quantity>, TlvError> {
        self.read(tag, Tlv::to_quantity)
    }

    /// A local time.
    ///
    /// # Errors
    /// [`TlvError::Form`] when the value is not four bytes.
    pub fn time(&self, tag: Tag) -> Result<Option<LocalTime>, TlvError> {
        self.read(tag, Tlv::to_time)
    }

    /// A text; the padding of fixed tags is cut. Every byte of CP866 is a character, so this never fails.
    #[must_use]
    pub fn text(&self, tag: Tag) -> Option<String> {
        self.find(tag).map(Tlv::to_text)
    }

    /// The fiscal sign of tag 1077.
    ///
    /// # Errors
    /// [`TlvError::Form`] when the value is not six bytes.
    pub fn fiscal_sign(&self) -> Result<Option<FiscalSign>, TlvError> {
        self.read(Tag::FISCAL_SIGN, Tlv::to_fiscal_sign)
    }

    /// The list within the first TLV with a tag.
    ///
    /// # Errors
    /// [`TlvError`] with an offset within that value.
    pub fn list(&self, tag: Tag) -> Result<Option<Self>, TlvError> {
        self.read(tag, Tlv::to_list)
    }

    /// The lists within every TLV with a tag, in order: the items (1059) of a receipt.
    ///
    /// # Errors
    /// [`TlvError`] of the first one that breaks, with an offset within its value.
    pub fn lists(&self, tag: Tag) -> Result<Vec<Self>, TlvError> {
        self.all(tag).map(Tlv::to_list).collect()
    }

    /// Decodes the lists within this one, to [`MAX_DEPTH`], to learn whether the whole tree is sound.
    ///
    /// # Errors
    /// [`TlvError`] of the first break, or [`TlvError::TooDeep`].
    pub fn check_tree(&self) -> Result<(), TlvError> {
        let mut waiting: Vec<(usize, Self)> = vec![(1, self.clone())];
        while let Some((depth, list)) = waiting.pop() {
            for tlv in list.items.iter().filter(|tlv| tlv.tag.is_list()) {
                if depth >= MAX_DEPTH {
                    return Err(TlvError::TooDeep(tlv.tag));
                }
                waiting.push((depth + 1, tlv.to_list()?));
            }
        }
        Ok(())
    }

    fn read<T>(&self, tag: Tag, read: impl Fn(&Tlv) -> Result<T, TlvError>) -> Result<Option<T>, TlvError> {
        self.find(tag).map(read).transpose()
    }
}

impl Tlv {
    fn array<const N: usize>(&self, expected: &'static str) -> Result<[u8; N], TlvError> {
        <[u8; N]>::try_from(self.value.as_slice()).map_err(|_| self.form_error(expected))
    }

    /// See [`TlvList::byte`].
    ///
    /// # Errors
    /// As there.
    pub fn to_byte(&self) -> Result<u8, TlvError> {
        self.array::<1>("byte").map(|[byte]| byte)
    }

    /// See [`TlvList::u16`].
    ///
    /// # Errors
    /// As there.
    pub fn to_u16(&self) -> Result<u16, TlvError> {
        self.array("number of two bytes").map(u16::from_le_bytes)
    }

    /// See [`TlvList::u32`].
    ///
    /// # Errors
    /// As there.
    pub fn to_u32(&self) -> Result<u32, TlvError> {
        self.array("number of four bytes").map(u32::from_le_bytes)
    }

    /// See [`TlvList::vln`].
    ///
    /// # Errors
    /// As there.
    pub fn to_vln(&self) -> Result<u64, TlvError> {
        decode_vln(&self.value).ok_or_else(|| self.form_error("number of at most 8 bytes"))
    }

    /// See [`TlvList::money`].
    ///
    /// # Errors
    /// As there.
    pub fn to_money(&self) -> Result<Kopecks, TlvError> {
        Kopecks::new(self.to_vln()?).map_err(|_| self.form_error("sum of at most 6 bytes"))
    }

    /// The decimal number in the form it was written in.
    ///
    /// # Errors
    /// [`TlvError::Form`] above 8 bytes.
    pub fn to_fvln(&self) -> Result<Fvln, TlvError> {
        Fvln::decode(&self.value).ok_or_else(|| self.form_error("decimal number of at most 8 bytes"))
    }

    /// See [`TlvList::quantity`].
    ///
    /// # Errors
    /// As there.
    pub fn to_quantity(&self) -> Result<Quantity, TlvError> {
        let quantity = self.to_fvln()?.quantity();
        quantity.ok_or_else(|| self.form_error("quantity in millionths"))
    }

    /// See [`TlvList::time`].
    ///
    /// # Errors
    /// As there.
    pub fn to_time(&self) -> Result<LocalTime, TlvError> {
        LocalTime::from_unix_as_local(self.to_u32()?).map_err(|_| self.form_error("time"))
    }

    /// See [`TlvList::text`].
    #[must_use]
    pub fn to_text(&self) -> String {
        let text = decode_cp866(&self.value);
        match self.tag.info() {
            Some(info) if info.kind == Kind::FixedStr => text.trim_end_matches(' ').to_owned(),
            _ => text,
        }
    }

    /// See [`TlvList::fiscal_sign`].
    ///
    /// # Errors
    /// As there.
    pub fn to_fiscal_sign(&self) -> Result<FiscalSign, TlvError> {
        let [_, _, sign @ ..] = self.array::<6>("fiscal sign of six bytes")?;
        Ok(FiscalSign(u32::from_be_bytes(sign)))
    }

    /// See [`TlvList::list`].
    ///
    /// # Errors
    /// As there.
    pub fn to_list(&self) -> Result<TlvList, TlvError> {
        TlvList::decode(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_list_is_named_with_its_offset() {
        let good = Tlv::byte(Tag::SETTLEMENT_SIGN, 1).encode().unwrap();
        let cut = [&good[..], &[0x1F, 0x04, 1]].concat();
        assert_eq!(TlvList::decode(&cut), Err(TlvError::Header { offset: 5, left: 3 }));
        let long = [&good[..], &[0x1F, 0x04, 2, 0, 9]].concat();
        let error = TlvError::Value {
            offset: 5,
            tag: Tag::TAX_SYSTEM,
            length: 2,
            left: 1,
        };
        assert_eq!(TlvList::decode(&long), Err(error));
        assert_eq!(
            TlvList::decode(&vec![0; MAX_LIST_BYTES + 4]),
            Err(TlvError::ListTooLong(MAX_LIST_BYTES + 4))
        );
    }

    #[test]
    fn lists_deeper_than_any_document_are_refused() {
        let mut list = TlvList::new();
        for _ in 1..MAX_DEPTH {
            list = TlvList::new().with(Tlv::list(Tag::ITEM, &list).unwrap());
        }
        assert_eq!(list.check_tree(), Ok(()));
        let deeper = TlvList::new().with(Tlv::list(Tag::ITEM, &list).unwrap());
        assert_eq!(deeper.check_tree(), Err(TlvError::TooDeep(Tag::ITEM)));
    }

    #[test]
    fn values_of_another_form_are_errors_not_none() {
        let list = TlvList::new()
            .with(Tlv::bytes(Tag::SETTLEMENT_SIGN, []))
            .with(Tlv::bytes(Tag::RECEIPT_TOTAL, [0xFF; 7]))
            .with(Tlv::bytes(Tag::CASH, []));
        assert!(list.byte(Tag::SETTLEMENT_SIGN).is_err());
        assert!(list.money(Tag::RECEIPT_TOTAL).is_err());
        assert_eq!(list.money(Tag::CASH), Ok(Some(Kopecks::ZERO)));
        assert_eq!(list.money(Tag::ELECTRONIC), Ok(None));
    }

    #[test]
    fn fixed_texts_are_padded_when_written_and_cut_when_read() {
        let tlv = Tlv::text(Tag::USER_INN, "7704358518").unwrap();
        assert_eq!(tlv.value, b"7704358518  ");
        assert_eq!(tlv.to_text(), "7704358518");
        assert!(matches!(
            Tlv::text(Tag::USER_INN, "1234567890123"),
            Err(TlvError::TooLong { max: 12, .. })
        ));
        assert!(matches!(Tlv::text(Tag::ITEM_NAME, "a«"), Err(TlvError::Text { .. })));
    }

    #[test]
    fn the_fiscal_sign_stands_high_byte_first_as_captured() {
        let tlv = Tlv::fiscal_sign([0x31, 0x04], FiscalSign(0x3E0B_BFF2));
        assert_eq!(tlv.value, [0x31, 0x04, 0x3E, 0x0B, 0xBF, 0xF2]);
        assert_eq!(tlv.to_fiscal_sign(), Ok(FiscalSign(0x3E0B_BFF2)));
    }
}
