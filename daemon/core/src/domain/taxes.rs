//! The taxes of a receipt, which the register computes, against what its items make.
//!
//! Owns: the arithmetic of `fn-ffd-ofd` C.7, with the room that registers are left in rounding.
//! Must never: fill in a tax; a receipt whose rates are not all stated is not judged.

use kassette_receipts::model::{Item, Receipt};
use kassette_wire::ffd::{Tag, TlvList};
use std::collections::BTreeMap;

/// What a rate of tag 1199 is (`fn-ffd-ofd` C.5).
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Percent; `None` where the total holds the turnover.
    percent: Option<u64>,
    /// Tag of the receipt's total; `None` for those that stand in 1115.
    total: Option<Tag>,
}

const fn rate(percent: Option<u64>, total: Option<Tag>) -> Rate {
    Rate { percent, total }
}

/// Values 1 to 12 of tag 1199, in their order.
const RATES: [Rate; 12] = [
    rate(Some(20), Some(Tag::VAT_20)),
    rate(Some(10), Some(Tag::VAT_10)),
    rate(Some(20), Some(Tag::VAT_20_120)),
    rate(Some(10), Some(Tag::VAT_10_110)),
    rate(None, Some(Tag::TURNOVER_VAT_0)),
    rate(None, Some(Tag::TURNOVER_NO_VAT)),
    rate(Some(5), None),
    rate(Some(7), None),
    rate(Some(5), None),
    rate(Some(7), None),
    rate(Some(22), None),
    rate(Some(22), None),
];

fn rate_of(number: u32) -> Option<Rate> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    RATES.get(at).copied()
}

/// The tax inside a sum, rounded half up to a kopeck.
fn tax_in(gross: u64, percent: u64) -> u64 {
    let whole = 100 + percent;
    (gross.saturating_mul(percent).saturating_mul(2) + whole) / (2 * whole)
}

/// What a receipt says of one rate: the items' sum, and how far the register's own total may be from ours.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    sum: u64,
    items: u64,
}

/// Totals by rate that are not what the items make. Registers round per item and add, or add and round: a kopeck for each
/// item lies between; a total rounded down to whole roubles leaves its kopecks open too.
#[must_use]
pub fn differences(tags: &TlvList, receipt: &Receipt) -> Vec<String> {
    let mut expected: BTreeMap<u32, Expected> = BTreeMap::new();
    for item in &receipt.items {
        let Some(number) = item.vat_rate.filter(|number| rate_of(*number).is_some()) else {
            return Vec::new();
        };
        let of_rate = expected.entry(number).or_default();
        of_rate.sum = of_rate.sum.saturating_add(item.amount.get());
        of_rate.items += 1;
    }
    let whole: u64 = expected.values().fold(0, |sum, rate| sum.saturating_add(rate.sum));
    let rounded_off = whole.saturating_sub(receipt.total.get());
    let stated = match stated(tags) {
        Ok(stated) => stated,
        Err(text) => return vec![text],
    };
    let mut found = Vec::new();
    for (number, rate) in (1..).zip(RATES) {
        let asked = expected.get(&number).copied().unwrap_or_default();
        let (want, room) = match rate.percent {
            Some(percent) => (tax_in(asked.sum, percent), asked.items + rounded_off),
            None => (asked.sum, rounded_off),
        };
        let made = stated.get(&number).copied().unwrap_or(0);
        if made.abs_diff(want) > if asked.items == 0 { 0 } else { room } {
            found.push(format!(
                "taxes of rate {number} (tag 1199): {made}, the items make {want}"
            ));
        }
    }
    found
}

/// Totals of a document by rate, kopecks.
fn stated(tags: &TlvList) -> Result<BTreeMap<u32, u64>, String> {
    let mut found: BTreeMap<u32, u64> = BTreeMap::new();
    for (number, rate) in (1..).zip(RATES) {
        let Some(tag) = rate.total else { continue };
        if let Some(sum) = tags.vln(tag).map_err(|error| format!("tag {tag}: {error}"))? {
            found.insert(number, sum);
        }
    }
    let bad = |error| format!("tag {}: {error}", Tag::VAT_AMOUNTS);
    let Some(amounts) = tags.list(Tag::VAT_AMOUNTS).map_err(bad)? else {
        return Ok(found);
    };
    for one in amounts.lists(Tag::VAT_AMOUNT_OF_RATE).map_err(bad)? {
        let number = one.byte(Tag::VAT_RATE).map_err(bad)?.unwrap_or(0);
        let sum = one.vln(Tag::VAT_AMOUNT).map_err(bad)?.unwrap_or(0);
        let before = found.entry(u32::from(number)).or_default();
        *before = before.saturating_add(sum);
        if rate_of(u32::from(number)).is_none() {
            return Err(format!(
                "tag {} holds rate {number}, which there is not",
                Tag::VAT_AMOUNTS
            ));
        }
    }
    Ok(found)
}

/// The tax of an item, tag 1200, if the register states it and it is not what the amount makes.
#[must_use]
pub fn item_difference(at: usize, made: &TlvList, asked: &Item) -> Option<String> {
    let stated = match made.vln(Tag::ITEM_VAT) {
        Ok(stated) => stated?,
        Err(error) => return Some(format!("item {at} tag 1200: {error}")),
    };
    let percent = asked.vat_rate.and_then(rate_of)?.percent;
    let want = percent.map_or(0, |percent| tax_in(asked.amount.get(), percent));
    (stated.abs_diff(want) > u64::from(percent.is_some()))
        .then(|| format!("item {at} tag 1200: {stated}, its amount makes {want}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_wire::ffd::Tlv;
    use kassette_wire::value::Kopecks;

    fn receipt(amounts: &[u64], rate: u32, total: u64) -> Receipt {
        let item = |amount: &u64| serde_json::json!({"name": "a", "price": amount, "quantity": 1_000_000, "amount": amount, "vat_rate": rate});
        let items: Vec<_> = amounts.iter().map(item).collect();
        let payments = serde_json::json!({"cash": total, "electronic": 0, "prepaid": 0, "credit": 0, "counter": 0});
        serde_json::from_value(serde_json::json!({"sign": 1, "items": items, "total": total, "payments": payments}))
            .unwrap()
    }

    fn stated(tag: Tag, sum: u64) -> TlvList {
        TlvList::new().with(Tlv::money(tag, Kopecks::new(sum).unwrap()))
    }

    #[test]
    fn rounding_per_item_and_over_the_sum_are_both_right_and_a_rouble_is_not() {
        // 20 % in 1.05 three times: 0.18 each (0.175 rounded up), 0.53 in the sum of 3.15.
        let three = receipt(&[105, 105, 105], 1, 315);
        for sum in [53, 54] {
            assert!(differences(&stated(Tag::VAT_20, sum), &three).is_empty(), "{sum}");
        }
        for sum in [0, 49, 153] {
            assert_eq!(differences(&stated(Tag::VAT_20, sum), &three).len(), 1, "{sum}");
        }
    }

    #[test]
    fn turnover_without_tax_is_the_sum_and_no_other_rate_has_any() {
        let one = receipt(&[500], 6, 500);
        assert!(differences(&stated(Tag::TURNOVER_NO_VAT, 500), &one).is_empty());
        assert_eq!(differences(&stated(Tag::TURNOVER_NO_VAT, 501), &one).len(), 1);
        let two = stated(Tag::TURNOVER_NO_VAT, 500).with(Tlv::money(Tag::VAT_10, Kopecks::new(1).unwrap()));
        assert_eq!(differences(&two, &one).len(), 1);
        let filler = stated(Tag::TURNOVER_NO_VAT, 500).with(Tlv::money(Tag::TURNOVER_VAT_0, Kopecks::ZERO));
        assert!(differences(&filler, &one).is_empty(), "an empty 1104 says nothing");
    }

    #[test]
    fn newer_rates_stand_in_the_container() {
        let one = receipt(&[12_200], 11, 12_200);
        let amount = |sum| {
            let inner = TlvList::new()
                .with(Tlv::byte(Tag::VAT_RATE, 11))
                .with(Tlv::money(Tag::VAT_AMOUNT, Kopecks::new(sum).unwrap()));
            let list = TlvList::new().with(Tlv::list(Tag::VAT_AMOUNT_OF_RATE, &inner).unwrap());
            TlvList::new().with(Tlv::list(Tag::VAT_AMOUNTS, &list).unwrap())
        };
        assert!(differences(&amount(2200), &one).is_empty());
        assert_eq!(differences(&amount(2203), &one).len(), 1);
    }
}
