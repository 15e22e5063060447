//! Receipts of a storm: drawn from the seed, and what their documents must hold.
//!
//! Owns: the drawn fields, and the comparison of each with the tag it becomes.
//! Must never: use the daemon's conversions, so that a mistake there is not made twice.

use super::dice::Dice;
use crate::ledger::Document;
use kassette_api::v1::{Buyer, Item, Payments, Receipt, UserAttribute};
use serde_json::{Value, json};

const NAMES: [&str; 6] = [
    "Чай чёрный байховый",
    "Хлеб ржаной",
    "Доставка \"до двери\" №7",
    "Cable USB-C, 1.5 m",
    "Молоко 3,2 %",
    "Ремонт обуви",
];
/// Rates of tag 1199 that a taxpayer on the general system may use: 10 %, without, 22 %.
const RATES: [u32; 3] = [2, 6, 11];
/// Measures of tag 2108: piece, kilogram.
const PIECE: u32 = 0;
const KILOGRAM: u32 = 11;

/// Value of tag 1209 in documents of FFD 1.2.
const FFD_1_2: i64 = 4;

/// Whose tags for an attribute a receipt already uses: they decide where the job key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attributes {
    None,
    Receipt,
    User,
    Both,
}

/// A lawful receipt. `mark` is unique within the storm and stands in the first item's name, so that a document tells
/// whose content it holds even where no job key can.
pub fn draw(dice: &mut Dice, mark: &str) -> Receipt {
    let count = if dice.percent(5) { 12 } else { dice.between(1, 4) };
    let mut items: Vec<Item> = (0..count).map(|_| item(dice)).collect();
    if let Some(first) = items.first_mut() {
        first.name = Some(format!("{} {mark}", dice.pick(&NAMES)));
    }
    let total: i64 = items.iter().filter_map(|one| one.amount_kopecks).sum();
    // A return in cash would need the cash in the drawer; by card it needs none.
    let sign = if dice.percent(15) { 2 } else { 1 };
    let buyer = dice.percent(30).then(|| format!("buyer-{mark}@example.com"));
    let attributes = match dice.between(0, 99) {
        0..=9 => Attributes::Receipt,
        10..=14 => Attributes::User,
        15..=17 => Attributes::Both,
        _ => Attributes::None,
    };
    let (receipt, user) = (
        matches!(attributes, Attributes::Receipt | Attributes::Both),
        matches!(attributes, Attributes::User | Attributes::Both),
    );
    Receipt {
        settlement_sign: Some(sign),
        tax_system: Some(1),
        items,
        payments: Some(payments(dice, total)),
        total_kopecks: Some(total),
        buyer: buyer.map(|contact| Buyer {
            contact: Some(contact),
            ..Buyer::default()
        }),
        additional_attribute: receipt.then(|| format!("A{mark}")),
        user_attribute: user.then(|| UserAttribute {
            name: Some("Заказ".to_owned()),
            value: Some(format!("N {mark}")),
        }),
        ..Receipt::default()
    }
}

fn item(dice: &mut Dice) -> Item {
    let by_weight = dice.percent(20);
    let quantity = match by_weight {
        true => i64::try_from(dice.between(1, 3000)).unwrap_or(1) * 1000,
        false => i64::try_from(dice.between(1, 5)).unwrap_or(1) * 1_000_000,
    };
    let price = i64::try_from(dice.between(100, 250_000)).unwrap_or(100);
    Item {
        name: Some(dice.pick(&NAMES).to_owned()),
        price_kopecks: Some(price),
        quantity_millionths: Some(quantity),
        // Half up to the kopeck (`fn-ffd-ofd` C.7).
        amount_kopecks: Some((price * quantity + 500_000) / 1_000_000),
        vat_rate: Some(dice.pick(&RATES)),
        payment_method: Some(4),
        item_kind: Some(1),
        measure: Some(if by_weight { KILOGRAM } else { PIECE }),
        unit_name: dice.percent(30).then(|| if by_weight { "кг" } else { "шт" }.to_owned()),
        ..Item::default()
    }
}

fn payments(dice: &mut Dice, total: i64) -> Payments {
    let share = |percent: u64| total * i64::try_from(percent).unwrap_or(0) / 100;
    let prepaid = if dice.percent(10) {
        share(dice.between(1, 60))
    } else {
        0
    };
    Payments {
        noncash_kopecks: Some(total - prepaid),
        prepaid_kopecks: (prepaid > 0).then_some(prepaid),
        ..Payments::default()
    }
}

/// The same sale with another content: what a client must not send under the same key.
#[must_use]
pub fn altered(receipt: &Receipt) -> Receipt {
    let mut other = receipt.clone();
    if let Some(first) = other.items.first_mut() {
        first.name = first.name.as_ref().map(|name| format!("{name}!"));
    }
    other
}

/// An unlawful receipt: its total is not the sum of its items.
#[must_use]
pub fn unlawful(receipt: &Receipt) -> Receipt {
    Receipt {
        total_kopecks: receipt.total_kopecks.map(|total| total + 12_345),
        ..receipt.clone()
    }
}

/// What a document holds that its receipt does not ask for, or the other way round.
#[must_use]
pub fn differences(receipt: &Receipt, document: &Document) -> Vec<String> {
    let sums = receipt.payments.clone().unwrap_or_default();
    let mut wanted: Vec<(u16, Option<Value>)> = vec![
        (1054, receipt.settlement_sign.map(Value::from)),
        (1055, receipt.tax_system.map(Value::from)),
        (1020, receipt.total_kopecks.map(Value::from)),
        (1031, Some(sums.cash_kopecks.unwrap_or(0).into())),
        (1081, Some(sums.noncash_kopecks.unwrap_or(0).into())),
        (1215, Some(sums.prepaid_kopecks.unwrap_or(0).into())),
        (1216, Some(sums.credit_kopecks.unwrap_or(0).into())),
        (1217, Some(sums.counter_provision_kopecks.unwrap_or(0).into())),
        (
            1008,
            receipt
                .buyer
                .as_ref()
                .and_then(|buyer| buyer.contact.clone())
                .map(Value::from),
        ),
    ];
    if let Some(own) = &receipt.additional_attribute {
        wanted.push((1192, Some(own.clone().into())));
    }
    if let Some(own) = &receipt.user_attribute {
        wanted.push((1084, Some(json!([{ "1085": own.name, "1086": own.value }]))));
    }
    let differs = |(tag, value): &(u16, Option<Value>)| {
        let there = document.tag(*tag);
        (there != value.as_ref()).then(|| format!("tag {tag} is {there:?}, asked was {value:?}"))
    };
    let mut found: Vec<String> = wanted.iter().filter_map(differs).collect();
    found.extend(item_differences(&receipt.items, document));
    found
}

fn item_differences(items: &[Item], document: &Document) -> Vec<String> {
    let there = document
        .tag(1059)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if there.len() != items.len() {
        return vec![format!("{} items, asked were {}", there.len(), items.len())];
    }
    let old_format = document.tag(1209).and_then(Value::as_i64) != Some(FFD_1_2);
    let mut found = Vec::new();
    for (at, (item, tags)) in items.iter().zip(&there).enumerate() {
        let wanted = [
            ("1030", item.name.clone().map(Value::from)),
            ("1079", item.price_kopecks.map(Value::from)),
            ("1043", item.amount_kopecks.map(Value::from)),
            ("1199", item.vat_rate.map(Value::from)),
            ("1214", item.payment_method.map(Value::from)),
            ("1212", item.item_kind.map(Value::from)),
            // What only one of the formats has (`fn-ffd-ofd` C.4).
            ("2108", item.measure.filter(|_| !old_format).map(Value::from)),
            ("1197", item.unit_name.clone().filter(|_| old_format).map(Value::from)),
        ];
        for (tag, value) in wanted {
            if tags.get(tag) != value.as_ref() {
                found.push(format!(
                    "item {at}: tag {tag} is {:?}, asked was {value:?}",
                    tags.get(tag)
                ));
            }
        }
        let quantity = tags["1023"].as_str().and_then(millionths);
        if quantity != item.quantity_millionths {
            found.push(format!(
                "item {at}: tag 1023 is {}, asked was {:?}",
                tags["1023"], item.quantity_millionths
            ));
        }
    }
    found
}

/// A decimal text in millionths.
fn millionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = format!("{fraction:0<6}");
    Some(whole.parse::<i64>().ok()? * 1_000_000 + fraction.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(tags: Value) -> Document {
        let line = json!({
            "fn": "9999000000000001", "fd": 3, "kind": 3, "fp": 1, "time": null, "made_unix_ms": 0, "tlv": "", "tags": tags,
        });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_document_that_differs_in_one_tag_or_one_item_is_told() {
        let receipt = Receipt {
            settlement_sign: Some(1),
            tax_system: Some(1),
            items: vec![Item {
                name: Some("Чай".to_owned()),
                price_kopecks: Some(150),
                quantity_millionths: Some(1_500_000),
                amount_kopecks: Some(225),
                vat_rate: Some(6),
                payment_method: Some(4),
                item_kind: Some(1),
                measure: Some(11),
                ..Item::default()
            }],
            payments: Some(Payments {
                noncash_kopecks: Some(225),
                ..Payments::default()
            }),
            total_kopecks: Some(225),
            ..Receipt::default()
        };
        let mut tags = json!({
            "1209": 4, "1054": 1, "1055": 1, "1020": 225, "1031": 0, "1081": 225, "1215": 0, "1216": 0, "1217": 0,
            "1059": [{ "1030": "Чай", "1079": 150, "1023": "1.5", "1043": 225, "1199": 6, "1214": 4, "1212": 1, "2108": 11 }],
        });
        assert_eq!(differences(&receipt, &document(tags.clone())), Vec::<String>::new());
        tags["1020"] = json!(226);
        assert_eq!(differences(&receipt, &document(tags.clone())).len(), 1);
        tags["1059"][0]["1023"] = json!("1.500001");
        assert_eq!(differences(&receipt, &document(tags.clone())).len(), 2);
        tags["1008"] = json!("a@b.c");
        assert_eq!(differences(&receipt, &document(tags)).len(), 3);
    }

    #[test]
    fn a_drawn_receipt_adds_up() {
        let mut dice = Dice::of(5, "goods");
        for n in 0..500 {
            let receipt = draw(&mut dice, &n.to_string());
            let sums = receipt.payments.unwrap();
            let paid = sums.noncash_kopecks.unwrap_or(0) + sums.prepaid_kopecks.unwrap_or(0);
            let total: i64 = receipt.items.iter().filter_map(|one| one.amount_kopecks).sum();
            assert_eq!((Some(total), paid), (receipt.total_kopecks, total));
            assert!(receipt.items.iter().all(|one| one.amount_kopecks > Some(0)));
        }
    }
}
