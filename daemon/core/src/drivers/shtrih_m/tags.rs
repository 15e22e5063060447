//! The one table of this driver between the values of fiscal tags and what the register's commands carry.
//!
//! Owns: signs, rates, tax systems, and the TLV of items and documents (`shtrih-m` 3.5, `fn-ffd-ofd` C).
//! Must never: fill in a value that the receipt does not state, or drop one that it does.

use super::quirks::Quirk;
use crate::domain::attempt::{KEY_ATTRIBUTE_NAME, KeyPlace, ReceiptOrder};
use kassette_receipts::model::{Buyer, Item, Payments, Receipt};
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Tag, Tlv, TlvError, TlvList};
use kassette_wire::shtrih::{OperationKind, ReceiptKind, TaxSystemBit, VatCode};
use kassette_wire::value::{Inn, Kopecks};

/// Why a receipt cannot be made by this driver.
pub(super) type Cannot = (Code, String);

/// Most TLV bytes in one FF0C or FF4D (`shtrih-m` 3.5).
const TLV_MAX: usize = 250;

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

pub(super) fn not_yet(tag: u16) -> Cannot {
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

/// Item tags that this slice does not carry.
pub(super) fn item_gaps(item: &Item) -> Result<(), Cannot> {
    let gaps = [
        (1197, item.measure_text.is_some()),
        (1222, item.agent.is_some()),
        (1224, item.supplier.is_some()),
        (1229, item.excise.is_some()),
        (1162, item.goods_code_bytes.is_some()),
        (1163, item.goods_code.is_some()),
        (2000, item.marking.is_some()),
        (1260, !item.industry.is_empty()),
    ];
    gaps.iter()
        .find(|(_, present)| *present)
        .map_or(Ok(()), |(tag, _)| Err(not_yet(*tag)))
}

/// Document tags that this slice does not carry.
pub(super) fn receipt_gaps(receipt: &Receipt) -> Result<(), Cannot> {
    let gaps = [
        (1173, receipt.correction.is_some()),
        (1234, !receipt.non_cash.is_empty()),
        (1060, receipt.tax_site.is_some()),
        (1036, receipt.machine_number.is_some()),
        (1057, receipt.agent.is_some()),
        (1261, !receipt.industry.is_empty()),
        (1270, receipt.operational.is_some()),
        (1256, receipt.buyer.as_ref().is_some_and(names_buyer)),
    ];
    gaps.iter()
        .find(|(_, present)| *present)
        .map_or(Ok(()), |(tag, _)| Err(not_yet(*tag)))
}

fn names_buyer(buyer: &Buyer) -> bool {
    let texts = [
        &buyer.name,
        &buyer.birth_date,
        &buyer.citizenship,
        &buyer.document_kind,
        &buyer.document_data,
        &buyer.address,
    ];
    buyer.inn.is_some() || texts.iter().any(|text| text.is_some())
}

/// Tags of an item, for FF4D: 2108, 1191, 1230, 1231.
pub(super) fn item_tags(item: &Item) -> Result<Vec<Tlv>, Cannot> {
    let mut tags = Vec::new();
    if item.measure.is_some() {
        tags.push(Tlv::byte(Tag::MEASURE, byte(2108, item.measure, 0, u8::MAX)?));
    }
    push_text(&mut tags, Tag::ITEM_ATTRIBUTE, item.additional_attribute.as_deref())?;
    push_text(&mut tags, Tag::COUNTRY_OF_ORIGIN, item.country.as_deref())?;
    push_text(&mut tags, Tag::CUSTOMS_DECLARATION, item.customs_declaration.as_deref())?;
    Ok(tags)
}

/// Tags of the document, for FF0C: the job key first, so that every packed command order begins with it.
pub(super) fn document_tags(order: &ReceiptOrder) -> Result<Vec<Tlv>, Cannot> {
    let receipt = &order.receipt;
    let mut tags = Vec::new();
    let key = order.key.to_string();
    match order.key_place {
        KeyPlace::AdditionalAttribute => push_text(&mut tags, Tag::RECEIPT_ATTRIBUTE, Some(&key))?,
        KeyPlace::UserAttribute => tags.push(user_attribute(KEY_ATTRIBUTE_NAME, &key)?),
        KeyPlace::ByContent => {}
    }
    push_text(
        &mut tags,
        Tag::RECEIPT_ATTRIBUTE,
        receipt.additional_attribute.as_deref(),
    )?;
    if let Some(own) = &receipt.user_attribute {
        tags.push(user_attribute(&own.name, &own.value)?);
    }
    let contact = receipt.buyer.as_ref().and_then(|buyer| buyer.contact.as_deref());
    push_text(&mut tags, Tag::BUYER_CONTACT, contact)?;
    if let Some(cashier) = &receipt.cashier {
        push_text(&mut tags, Tag::CASHIER, Some(&cashier.name))?;
        let inn = cashier.inn.as_ref().map(Inn::as_str);
        if inn.is_some_and(|inn| inn.len() != CASHIER_INN_DIGITS) {
            let text = "tag 1203: a cashier's INN is a person's, of 12 digits";
            return Err((Code::ReceiptInvalid, text.to_owned()));
        }
        push_text(&mut tags, Tag::CASHIER_INN, inn)?;
    }
    push_text(&mut tags, Tag::SETTLEMENT_ADDRESS, receipt.address.as_deref())?;
    push_text(&mut tags, Tag::SETTLEMENT_PLACE, receipt.place.as_deref())?;
    push_text(&mut tags, Tag::SENDER_EMAIL, receipt.sender_email.as_deref())?;
    if receipt.internet == Some(true) {
        tags.push(Tlv::byte(Tag::INTERNET_SETTLEMENT, 1));
    }
    Ok(tags)
}

fn push_text(tags: &mut Vec<Tlv>, tag: Tag, text: Option<&str>) -> Result<(), Cannot> {
    if let Some(text) = text {
        tags.push(Tlv::text(tag, text).map_err(unwritable)?);
    }
    Ok(())
}

fn user_attribute(name: &str, value: &str) -> Result<Tlv, Cannot> {
    let mut tags = Vec::new();
    push_text(&mut tags, Tag::USER_ATTRIBUTE_NAME, Some(name))?;
    push_text(&mut tags, Tag::USER_ATTRIBUTE_VALUE, Some(value))?;
    Tlv::list(Tag::USER_ATTRIBUTE, &TlvList { items: tags }).map_err(unwritable)
}

fn unwritable(error: TlvError) -> Cannot {
    (Code::ReceiptInvalid, error.to_string())
}

/// TLV joined into as few commands as they fit, in order.
pub(super) fn packed(tags: &[Tlv]) -> Result<Vec<Vec<u8>>, Cannot> {
    let mut commands: Vec<Vec<u8>> = Vec::new();
    for tag in tags {
        let bytes = tag.encode().map_err(unwritable)?;
        if bytes.len() > TLV_MAX {
            // FF64 carries longer ones; this slice does not use it.
            return Err(not_yet(tag.tag.0));
        }
        match commands.last_mut() {
            Some(open) if open.len() + bytes.len() <= TLV_MAX => open.extend(bytes),
            _ => commands.push(bytes),
        }
    }
    Ok(commands)
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

    #[test]
    fn tags_are_packed_into_the_fewest_commands_without_cutting_one() {
        let tag = |length: usize| Tlv::bytes(Tag::SETTLEMENT_PLACE, vec![b'x'; length]);
        let sizes = |tags: &[Tlv]| packed(tags).map(|all| all.iter().map(Vec::len).collect::<Vec<_>>());
        assert_eq!(sizes(&[tag(100), tag(142), tag(1)]), Ok(vec![250, 5]));
        assert_eq!(sizes(&[tag(246)]), Ok(vec![250]));
        assert_eq!(sizes(&[tag(247)]), Err(not_yet(1187)));
    }
}
