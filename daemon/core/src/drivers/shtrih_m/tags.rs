//! The one table of this driver between the values of fiscal tags and what the register's commands carry.
//!
//! Owns: signs, rates, tax systems, and which tags go by FF4D and FF0C (`shtrih-m` 3.5, `fn-ffd-ofd` C).
//! Must never: fill in a value that the receipt does not state, or drop one that it does.

use super::packing::{Pack, TLV_MAX, Unpackable, packed};
use super::quirks::Quirk;
use crate::domain::attempt::{KEY_ATTRIBUTE_NAME, KeyPlace, ReceiptOrder};
use crate::domain::content::{self, ContentError};
use crate::domain::device::Ffd;
use kassette_receipts::capability::needs_marking_exchange;
use kassette_receipts::model::{Item, Payments, Receipt};
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Tag, Tlv, TlvError};
use kassette_wire::shtrih::{OperationKind, ReceiptKind, TaxSystemBit, VatCode};
use kassette_wire::value::Kopecks;

/// Why a receipt cannot be made by this driver.
pub(super) type Cannot = (Code, String);

/// A 10-digit number padded with spaces was refused with 33 by a real register (captures).
const CASHIER_INN_DIGITS: usize = 12;

/// Rates in table 6 of the register, in hundredths of a percent (`shtrih-m` 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rates {
    /// Row 1, the main rate.
    pub(super) main: Option<u16>,
    /// Row 11, where the vendor's driver keeps 22 % (row 12: its calculated form).
    pub(super) row_11: Option<u16>,
}

const TWENTY: u16 = 2000;
const TWENTY_TWO: u16 = 2200;

fn not_yet(tag: u16) -> Cannot {
    (Code::ReceiptNotServedYet, format!("not yet: tag {tag}"))
}

fn absent(tag: u16) -> Cannot {
    (
        Code::ReceiptNotServedYet,
        format!("tag {tag} is absent and the register cannot fill it in"),
    )
}

fn outside(tag: u16, value: u32) -> Cannot {
    (
        Code::ReceiptNotServedYet,
        format!("the register has no code for tag {tag} = {value}"),
    )
}

fn undecided(text: impl Into<String>) -> Cannot {
    (Code::ModelUndecided, text.into())
}

/// Tag 1054 to the kind of 8D and the operation of FF46, which number the same four signs differently.
pub(super) fn sign(sign: u32) -> Result<(ReceiptKind, OperationKind), Cannot> {
    Ok(match sign {
        1 => (ReceiptKind::Sale, OperationKind::Sale),
        2 => (ReceiptKind::SaleReturn, OperationKind::SaleReturn),
        3 => (ReceiptKind::Buy, OperationKind::Buy),
        4 => (ReceiptKind::BuyReturn, OperationKind::BuyReturn),
        other => return Err(outside(1054, other)),
    })
}

/// Tag 1055 to the tax system byte of FF45; absent means the registration's only one.
pub(super) fn tax_system(stated: Option<u32>, registered: Option<u32>) -> Result<u8, Cannot> {
    let only = registered.filter(|bits| bits.count_ones() == 1);
    let bit = stated.or(only).ok_or_else(|| absent(1055))?;
    let known = [
        TaxSystemBit::COMMON,
        TaxSystemBit::SIMPLIFIED_INCOME,
        TaxSystemBit::SIMPLIFIED_INCOME_EXPENSE,
        TaxSystemBit::IMPUTED,
        TaxSystemBit::AGRICULTURAL,
        TaxSystemBit::PATENT,
    ];
    let found = known.iter().find(|system| u32::from(system.0) == bit);
    found.map(|system| system.0).ok_or_else(|| outside(1055, bit))
}

/// Tag 1199 to the VAT byte of FF46. The main rate is what row 1 of table 6 holds; 22 % stands there, or in row 11, or
/// where a model's quirk says; the device is asked, not guessed (`shtrih-m` section 8).
pub(super) fn vat(rate: Option<u32>, rates: Option<Rates>, quirk: &Quirk) -> Result<VatCode, Cannot> {
    let rate = rate.ok_or_else(|| absent(1199))?;
    let table = rates.unwrap_or_default();
    let main = |wanted: u16, code: VatCode| {
        let text = || {
            undecided(format!(
                "table 6 row 1 holds {:?}, not {wanted} (0.01 %), for tag 1199 = {rate}",
                table.main
            ))
        };
        if table.main == Some(wanted) {
            Ok(code)
        } else {
            Err(text())
        }
    };
    let twenty_two = |row: VatCode, as_main: VatCode, own: Option<u8>| match own {
        Some(byte) => Ok(VatCode(byte)),
        None if table.row_11 == Some(TWENTY_TWO) => Ok(row),
        None => main(TWENTY_TWO, as_main),
    };
    match rate {
        1 => main(TWENTY, VatCode::MAIN),
        2 => Ok(VatCode::TEN),
        3 => main(TWENTY, VatCode::MAIN_CALC),
        4 => Ok(VatCode::TEN_CALC),
        5 => Ok(VatCode::ZERO),
        6 => Ok(VatCode::NONE),
        7 => Ok(VatCode::FIVE),
        8 => Ok(VatCode::SEVEN),
        9 => Ok(VatCode::FIVE_CALC),
        10 => {
            let disputed = || undecided("the VAT byte of 7/107 (tag 1199 = 10) is disputed for this model");
            quirk.vat_7_107.map(VatCode).ok_or_else(disputed)
        }
        11 => twenty_two(VatCode::TWENTY_TWO, VatCode::MAIN, quirk.vat_22.map(|(plain, _)| plain)),
        12 => twenty_two(
            VatCode::TWENTY_TWO_CALC,
            VatCode::MAIN_CALC,
            quirk.vat_22.map(|(_, calc)| calc),
        ),
        other => Err(outside(1199, other)),
    }
}

/// A tag with one byte whose values the command takes as they are.
fn byte(tag: u16, value: Option<u32>, from: u8, to: u8) -> Result<u8, Cannot> {
    let value = value.ok_or_else(|| absent(tag))?;
    let byte = u8::try_from(value).ok().filter(|byte| (from..=to).contains(byte));
    byte.ok_or_else(|| outside(tag, value))
}

/// Tag 1214.
pub(super) fn method(value: Option<u32>) -> Result<u8, Cannot> {
    byte(1214, value, 1, 7)
}

/// Tag 1212.
pub(super) fn subject(value: Option<u32>) -> Result<u8, Cannot> {
    byte(1212, value, 1, 33)
}

/// Payments in the order of FF45: 1031 first, 1081 in the first electronic type, then 1215, 1216, 1217.
pub(super) fn payments(payments: &Payments) -> [Kopecks; 16] {
    let mut slots = [Kopecks::ZERO; 16];
    slots[0] = payments.cash;
    slots[1] = payments.electronic;
    slots[13] = payments.prepaid;
    slots[14] = payments.credit;
    slots[15] = payments.counter;
    slots
}

/// What no document of this driver carries yet: corrections, and codes of marked goods, which need an exchange with the
/// FN before the receipt (3.10).
pub(super) fn gaps(receipt: &Receipt) -> Result<(), Cannot> {
    if receipt.correction.is_some() {
        return Err(not_yet(1173));
    }
    let marked = |item: &Item| {
        let code = item.goods_code.as_ref().filter(|code| needs_marking_exchange(code.tag));
        item.marking.as_ref().map(|_| 2000).or(code.map(|_| 1163))
    };
    receipt
        .items
        .iter()
        .find_map(marked)
        .map_or(Ok(()), |tag| Err(not_yet(tag)))
}

/// Whether one FF4D may bring several TLV. The text says "TLV(s)" of FF0C and "TLV" of FF4D (`shtrih-m` 3.5); captures hold
/// no FF4D with two. Unverified.
const ITEM_TAGS_JOINED: bool = true;

/// Tags of an item, for FF4D.
pub(super) fn item_tags(item: &Item, ffd: Ffd) -> Result<Vec<Pack>, Cannot> {
    let tags = content::item_tags(item, ffd).map_err(no_content)?;
    if ITEM_TAGS_JOINED {
        return pack(&tags);
    }
    let each = tags.iter().map(|tag| pack(std::slice::from_ref(tag)));
    Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Tags of the document, for FF0C: the job key first, so that every packed command order begins with it.
pub(super) fn document_tags(order: &ReceiptOrder, ffd: Ffd) -> Result<Vec<Pack>, Cannot> {
    let receipt = &order.receipt;
    let key = order.key.to_string();
    let mut tags = match order.key_place {
        KeyPlace::AdditionalAttribute => vec![Tlv::text(Tag::RECEIPT_ATTRIBUTE, &key).map_err(unwritable)?],
        KeyPlace::UserAttribute => vec![content::user_attribute(KEY_ATTRIBUTE_NAME, &key).map_err(no_content)?],
        KeyPlace::ByContent => Vec::new(),
    };
    tags.extend(content::document_tags(receipt, ffd).map_err(no_content)?);
    let inn = receipt.cashier.as_ref().and_then(|cashier| cashier.inn.as_ref());
    if inn.is_some_and(|inn| inn.as_str().len() != CASHIER_INN_DIGITS) {
        let text = "tag 1203: a cashier's INN is a person's, of 12 digits";
        return Err((Code::ReceiptInvalid, text.to_owned()));
    }
    pack(&tags)
}

fn unwritable(error: TlvError) -> Cannot {
    (Code::ReceiptInvalid, error.to_string())
}

/// A field that the registration's format has no place for is a matter of the unit: one of the other format may serve.
fn no_content(error: ContentError) -> Cannot {
    let code = match error {
        ContentError::Format { .. } => Code::NoRegistrationCovers,
        ContentError::Value(_) | ContentError::Byte { .. } => Code::ReceiptInvalid,
    };
    (code, error.to_string())
}

fn pack(tags: &[Tlv]) -> Result<Vec<Pack>, Cannot> {
    packed(tags).map_err(|error| match error {
        Unpackable::Long(tag) => (
            Code::ReceiptNotServedYet,
            format!("not yet: tag {tag} longer than {TLV_MAX} bytes"),
        ),
        Unpackable::Value(error) => unwritable(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quirk() -> Quirk {
        Quirk::of("РИТЕЙЛ-01Ф").unwrap()
    }

    #[test]
    fn the_four_signs_keep_their_meaning_in_both_numberings() {
        let bytes = |tag| sign(tag).map(|(open, item)| (open.code(), item.code())).unwrap();
        assert_eq!(
            [bytes(1), bytes(2), bytes(3), bytes(4)],
            [(0, 1), (2, 2), (1, 3), (3, 4)]
        );
        assert!(sign(0).is_err() && sign(5).is_err());
    }

    #[test]
    fn the_main_rate_is_what_the_register_says_it_is() {
        let rates = |main, row_11| Some(Rates { main, row_11 });
        let byte = |rate, rates| {
            vat(Some(rate), rates, &quirk())
                .map(|code| code.0)
                .map_err(|(code, _)| code)
        };
        assert_eq!(byte(1, rates(Some(2000), None)), Ok(0x01));
        assert_eq!(byte(11, rates(Some(2200), None)), Ok(0x01));
        assert_eq!(byte(12, rates(Some(2200), None)), Ok(0x10));
        assert_eq!(byte(11, rates(Some(2000), Some(2200))), Ok(0xCB));
        assert_eq!(byte(12, rates(Some(2000), Some(2200))), Ok(0xCC));
        assert_eq!(byte(1, rates(Some(2200), None)), Err(Code::ModelUndecided));
        assert_eq!(byte(11, rates(Some(2000), None)), Err(Code::ModelUndecided));
        assert_eq!(byte(11, None), Err(Code::ModelUndecided));
    }

    #[test]
    fn a_rate_whose_byte_the_sources_dispute_is_refused_and_the_others_have_theirs() {
        let byte = |rate| {
            vat(Some(rate), None, &quirk())
                .map(|code| code.0)
                .map_err(|(code, _)| code)
        };
        let all = [2, 4, 5, 6, 7, 8, 9].map(|rate| byte(rate).unwrap());
        assert_eq!(all, [0x02, 0x20, 0x04, 0x08, 0x81, 0x82, 0x84]);
        assert_eq!(byte(10), Err(Code::ModelUndecided));
    }

    #[test]
    fn the_tax_system_is_the_stated_one_or_the_only_one_registered() {
        assert_eq!(tax_system(Some(16), None), Ok(0x10));
        assert_eq!(tax_system(None, Some(1)), Ok(0x01));
        assert!(tax_system(None, Some(3)).is_err() && tax_system(None, None).is_err());
        assert!(tax_system(Some(3), Some(3)).is_err() && tax_system(Some(64), None).is_err());
    }
}
