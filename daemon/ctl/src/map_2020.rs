//! A receipt of 2020, one JSON object, as a request of today: `kassettectl receipt import --map 2020`.
//!
//! Owns: the form of such a line, and everything that may be changed in it (`tests/data/MAPPING.md` says why).
//! Must never: make an unlawful receipt lawful: beyond those changes it goes over as it is, and the daemon judges it.

use kassette_api::v1::{Buyer, Item, Payments, Receipt, VatTotals};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;
use time::Date;
use time::macros::date;

/// The day on which 22 % took the place of 20 % (order ED-7-20/1050@; `fn-ffd-ofd` C.5).
const FIRST_DAY_OF_22_PERCENT: Date = date!(2026 - 01 - 01);

/// Why a line is not a receipt of 2020.
#[derive(Debug, Error)]
pub enum MapError {
    /// Not JSON, or not of the form: a field is missing, unknown or of another type.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A sum that the contract cannot hold.
    #[error("{0} kopecks are more than a receipt can hold")]
    Sum(u64),
    /// A quantity that is no decimal number of at most six places.
    #[error("the quantity \"{0}\" is not a decimal number with at most six places")]
    Quantity(String),
    /// A VAT total under a name that the form does not have.
    #[error("the VAT total \"{0}\" is unknown")]
    VatTotal(String),
    /// Two VAT totals of one rate.
    #[error("there are two VAT totals of rate {0} (tag 1199)")]
    VatTotalTwice(u32),
}

/// Field names end in their tag; sums are kopecks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    operation_1054: u32,
    taxation_1055: u32,
    items: Vec<LineItem>,
    total_1020_kopecks: u64,
    cash_1031_kopecks: u64,
    ecash_1081_kopecks: u64,
    #[serde(default)]
    vat_totals_kopecks: BTreeMap<String, u64>,
    internet_1125: Option<u8>,
    agent_1057: Option<u32>,
    buyer_1008: Option<String>,
    /// The day of 2020; the document of today has its own.
    #[serde(rename = "date")]
    _date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineItem {
    name: String,
    price_kopecks: u64,
    /// An exact decimal number.
    quantity: String,
    sum_kopecks: u64,
    vat_1199: Option<u32>,
    vat_sum_1200_kopecks: Option<u64>,
    method_1214: Option<u32>,
    subject_1212: Option<u32>,
    measure_1197: Option<String>,
}

/// The request for a line, as of the day on which the document will be made. It may break the law of that day: the
/// daemon says so.
///
/// # Errors
/// [`MapError`] when the line is not of the form.
pub fn receipt(line: &str, day: Date) -> Result<Receipt, MapError> {
    let line: Line = serde_json::from_str(line)?;
    let totals = vat_totals(&line.vat_totals_kopecks)?;
    let rates = Rates {
        only: totals.keys().next().copied().filter(|_| totals.len() == 1),
        // A return carries the rate of the sale that it returns.
        of_today: day >= FIRST_DAY_OF_22_PERCENT && !matches!(line.operation_1054, 2 | 4),
    };
    let mut changed = BTreeSet::new();
    let mut items = Vec::with_capacity(line.items.len());
    for old in line.items {
        items.push(Item {
            // 1057 of the whole receipt has no place in FFD 1.2; each item may carry it in both formats.
            agent_sign: line.agent_1057,
            ..item(old, &rates, &mut changed)?
        });
    }
    let kept = totals.into_iter().filter(|(rate, _)| !changed.contains(rate));
    Ok(Receipt {
        settlement_sign: Some(line.operation_1054),
        tax_system: Some(line.taxation_1055),
        items,
        total_kopecks: Some(kopecks(line.total_1020_kopecks)?),
        payments: Some(Payments {
            cash_kopecks: Some(kopecks(line.cash_1031_kopecks)?),
            noncash_kopecks: Some(kopecks(line.ecash_1081_kopecks)?),
            ..Payments::default()
        }),
        vat_totals: totals_message(kept),
        internet_settlement: line.internet_1125.map(|flag| flag != 0),
        buyer: line.buyer_1008.map(|contact| Buyer {
            contact: Some(contact),
            ..Buyer::default()
        }),
        ..Receipt::default()
    })
}

/// What decides about the rate of an item besides the item.
struct Rates {
    /// The rate of the VAT totals, when they have one: it can only be that of every item.
    only: Option<u32>,
    /// Whether 22 % is in force for this receipt.
    of_today: bool,
}

/// The item of today; an old rate that was changed is added to `changed`.
fn item(old: LineItem, rates: &Rates, changed: &mut BTreeSet<u32>) -> Result<Item, MapError> {
    let old_rate = old.vat_1199.or(rates.only);
    let method = old.method_1214.unwrap_or_else(|| absent_method(old_rate));
    let rate = old_rate.map(|code| {
        let code = if rates.of_today { rate_of_today(code) } else { code };
        if matches!(method, 1..=3) {
            calculated(code)
        } else {
            code
        }
    });
    if rate != old_rate {
        changed.extend(old_rate);
    }
    let quantity = millionths(&old.quantity)?;
    // A sum at the old rate is none at the new one; left out, the register computes it.
    let vat = old.vat_sum_1200_kopecks.filter(|_| rate == old_rate);
    Ok(Item {
        name: Some(old.name),
        price_kopecks: Some(kopecks(old.price_kopecks)?),
        quantity_millionths: Some(quantity),
        amount_kopecks: Some(kopecks(old.sum_kopecks)?),
        measure: Some(measure(old.measure_1197.as_deref(), quantity)),
        unit_name: old.measure_1197,
        vat_rate: rate,
        vat_kopecks: vat.map(kopecks).transpose()?,
        payment_method: Some(method),
        item_kind: Some(old.subject_1212.unwrap_or_else(|| absent_subject(method))),
        ..Item::default()
    })
}

const fn rate_of_today(code: u32) -> u32 {
    match code {
        1 => 11,
        3 => 12,
        other => other,
    }
}

/// The calculated form of a plain rate; every other rate as it is.
const fn calculated(code: u32) -> u32 {
    match code {
        1 => 3,
        2 => 4,
        7 => 9,
        8 => 10,
        11 => 12,
        other => other,
    }
}

/// A calculated rate says that money was taken before delivery; else an absent 1214 meant 4 (FFD 1.05).
const fn absent_method(old_rate: Option<u32>) -> u32 {
    match old_rate {
        Some(3 | 4) => 1,
        _ => 4,
    }
}

/// 10 "payment" where the method is about money, else 13 "other": what it was cannot be known.
const fn absent_subject(method: u32) -> u32 {
    match method {
        1 | 2 | 3 | 7 => 10,
        _ => 13,
    }
}

/// The measure of a text, or of a quantity without one: pieces when whole, "other" when not.
fn measure(text: Option<&str>, millionths: i64) -> u32 {
    match text {
        Some("шт.") => 0,
        Some("тонн") => 12,
        Some("Кв.м") => 32,
        Some("Куб.м") => 42,
        Some("кВт.ч") => 50,
        Some("Гкал") => 51,
        Some(_) => 255,
        None if millionths % MILLION == 0 => 0,
        None => 255,
    }
}

const MILLION: i64 = 1_000_000;

/// A decimal number of at most six places in millionths.
fn millionths(text: &str) -> Result<i64, MapError> {
    let wrong = || MapError::Quantity(text.chars().take(40).collect());
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(places) || places.len() > 6 {
        return Err(wrong());
    }
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    let places: i64 = format!("{places:0<6}").parse().map_err(|_| wrong())?;
    let made = whole.checked_mul(MILLION).and_then(|made| made.checked_add(places));
    made.ok_or_else(wrong)
}

fn kopecks(sum: u64) -> Result<i64, MapError> {
    i64::try_from(sum).map_err(|_| MapError::Sum(sum))
}

/// The VAT totals by the codes of 1199; 18 in a name is an old label, the rate of 2020 was 20 %.
fn vat_totals(named: &BTreeMap<String, u64>) -> Result<BTreeMap<u32, i64>, MapError> {
    let mut totals = BTreeMap::new();
    for (name, &sum) in named {
        let rate = match name.as_str() {
            "nds18" | "nds20" => 1,
            "nds10" => 2,
            "ndsCalculated18" | "ndsCalculated20" => 3,
            "ndsCalculated10" => 4,
            "nds0" => 5,
            "ndsNo" => 6,
            _ => return Err(MapError::VatTotal(name.chars().take(40).collect())),
        };
        if totals.insert(rate, kopecks(sum)?).is_some() {
            return Err(MapError::VatTotalTwice(rate));
        }
    }
    Ok(totals)
}

/// The totals of the contract; absent when none is left.
fn totals_message(totals: impl Iterator<Item = (u32, i64)>) -> Option<VatTotals> {
    let mut message = VatTotals::default();
    for (rate, sum) in totals {
        let field = match rate {
            1 => &mut message.vat20_kopecks,
            2 => &mut message.vat10_kopecks,
            3 => &mut message.vat20_120_kopecks,
            4 => &mut message.vat10_110_kopecks,
            5 => &mut message.turnover_vat0_kopecks,
            _ => &mut message.turnover_without_vat_kopecks,
        };
        *field = Some(sum);
    }
    (message != VatTotals::default()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const REAL: &str = include_str!("../../../tests/data/receipts.jsonl");
    const TODAY: Date = date!(2026 - 11 - 22);

    fn number(value: &Value, field: &str) -> Option<i64> {
        value.get(field).map(|number| number.as_i64().unwrap())
    }

    /// What an item of the file says, with the fields that may be changed as given.
    fn check_item(old: &Value, new: &Item, what: &str) {
        assert_eq!(new.name.as_deref(), old["name"].as_str(), "{what}");
        assert_eq!(new.price_kopecks, number(old, "price_kopecks"), "{what}");
        assert_eq!(new.amount_kopecks, number(old, "sum_kopecks"), "{what}");
        let quantity: f64 = old["quantity"].as_str().unwrap().parse().unwrap();
        assert_eq!(new.quantity_millionths, Some((quantity * 1e6).round() as i64), "{what}");
        let given = |tag| number(old, tag).map(|number| number as u32);
        assert!(
            given("subject_1212").is_none_or(|kind| new.item_kind == Some(kind)),
            "{what}"
        );
        assert!(
            given("method_1214").is_none_or(|method| new.payment_method == Some(method)),
            "{what}"
        );
        assert!(
            new.item_kind.is_some() && new.payment_method.is_some() && new.measure.is_some(),
            "{what}"
        );
        let rate_kept = given("vat_1199").is_some() && given("vat_1199") == new.vat_rate;
        let vat = new.vat_kopecks;
        assert!(
            vat == number(old, "vat_sum_1200_kopecks") || (vat.is_none() && !rate_kept),
            "{what}"
        );
        // What the file cannot say stays unsaid.
        let said = Item {
            name: new.name.clone(),
            price_kopecks: new.price_kopecks,
            quantity_millionths: new.quantity_millionths,
            amount_kopecks: new.amount_kopecks,
            measure: new.measure,
            unit_name: old.get("measure_1197").map(|text| text.as_str().unwrap().to_owned()),
            agent_sign: new.agent_sign,
            vat_rate: new.vat_rate,
            vat_kopecks: vat,
            payment_method: new.payment_method,
            item_kind: new.item_kind,
            ..Item::default()
        };
        assert_eq!(&said, new, "{what}");
    }

    #[test]
    fn of_the_400_real_receipts_nothing_is_changed_but_what_the_map_may_change() {
        let mut items = 0;
        for (at, line) in REAL.lines().enumerate() {
            let (old, new): (Value, _) = (serde_json::from_str(line).unwrap(), receipt(line, TODAY).unwrap());
            let what = format!("line {}", at + 1);
            assert_eq!(
                new.settlement_sign.map(i64::from),
                number(&old, "operation_1054"),
                "{what}"
            );
            assert_eq!(new.tax_system.map(i64::from), number(&old, "taxation_1055"), "{what}");
            assert_eq!(new.total_kopecks, number(&old, "total_1020_kopecks"), "{what}");
            let paid = new.payments.unwrap();
            assert_eq!(paid.cash_kopecks, number(&old, "cash_1031_kopecks"), "{what}");
            assert_eq!(paid.noncash_kopecks, number(&old, "ecash_1081_kopecks"), "{what}");
            assert_eq!(
                new.internet_settlement.map(i64::from),
                number(&old, "internet_1125"),
                "{what}"
            );
            let contact = new.buyer.and_then(|buyer| buyer.contact);
            assert_eq!(
                contact.as_deref(),
                old.get("buyer_1008").and_then(Value::as_str),
                "{what}"
            );
            let agent = number(&old, "agent_1057");
            let olds = old["items"].as_array().unwrap();
            assert_eq!(olds.len(), new.items.len(), "{what}");
            for (old, new) in olds.iter().zip(&new.items) {
                check_item(old, new, &what);
                assert_eq!(new.agent_sign.map(i64::from), agent, "{what}");
                items += 1;
            }
        }
        assert_eq!(items, 578);
    }

    /// Method and rate of the only item, and whether its VAT is still stated.
    fn mapped(sign: u32, given: &str, day: Date) -> (Option<u32>, Option<u32>, bool) {
        let line = format!(
            r#"{{"operation_1054": {sign}, "taxation_1055": 1, "items": [{{"name": "x", "price_kopecks": 600,
                "quantity": "1", "sum_kopecks": 600, "vat_sum_1200_kopecks": 100{given}}}], "total_1020_kopecks": 600,
                "cash_1031_kopecks": 0, "ecash_1081_kopecks": 600, "date": "2020-09-14"}}"#
        );
        let item = receipt(&line, day).unwrap().items.remove(0);
        (item.payment_method, item.vat_rate, item.vat_kopecks.is_some())
    }

    #[test]
    fn a_sale_takes_the_rate_of_its_day_and_a_return_that_of_its_sale() {
        let sold = r#", "vat_1199": 1, "method_1214": 4"#;
        assert_eq!(mapped(1, sold, date!(2025 - 12 - 31)), (Some(4), Some(1), true));
        assert_eq!(mapped(1, sold, date!(2026 - 01 - 01)), (Some(4), Some(11), false));
        assert_eq!(mapped(3, sold, TODAY), (Some(4), Some(11), false));
        assert_eq!(mapped(2, sold, TODAY), (Some(4), Some(1), true));
        assert_eq!(mapped(4, sold, TODAY), (Some(4), Some(1), true));
    }

    #[test]
    fn money_before_delivery_takes_the_calculated_rate_and_no_other_method_does() {
        for (method, rate) in [(1, 12), (2, 12), (3, 12), (4, 11), (5, 11), (6, 11), (7, 11)] {
            let given = format!(r#", "vat_1199": 1, "method_1214": {method}"#);
            assert_eq!(mapped(1, &given, TODAY), (Some(method), Some(rate), false));
        }
        assert_eq!(mapped(1, r#", "vat_1199": 2, "method_1214": 3"#, TODAY).1, Some(4));
        assert_eq!(mapped(1, r#", "vat_1199": 6, "method_1214": 3"#, TODAY).1, Some(6));
        // The other way round it stays, and the daemon refuses it.
        assert_eq!(
            mapped(1, r#", "vat_1199": 4, "method_1214": 4"#, TODAY),
            (Some(4), Some(4), true)
        );
    }

    #[test]
    fn what_is_absent_is_filled_from_what_is_given_and_never_guessed() {
        assert_eq!(mapped(1, r#", "vat_1199": 3"#, TODAY), (Some(1), Some(12), false));
        assert_eq!(mapped(1, r#", "vat_1199": 6"#, TODAY), (Some(4), Some(6), true));
        assert_eq!(mapped(1, "", TODAY), (Some(4), None, true));
        let two = r#"{"operation_1054": 1, "taxation_1055": 1, "items": [{"name": "x", "price_kopecks": 600,
            "quantity": "1", "sum_kopecks": 600}], "vat_totals_kopecks": {"nds10": 1, "nds20": 2},
            "total_1020_kopecks": 600, "cash_1031_kopecks": 0, "ecash_1081_kopecks": 600, "date": "2020-09-14"}"#;
        assert_eq!(receipt(two, TODAY).unwrap().items[0].vat_rate, None);
    }

    #[test]
    fn a_quantity_is_read_exactly_or_not_at_all() {
        let read = |text| millionths(text).ok();
        assert_eq!(read("14.36"), Some(14_360_000));
        assert_eq!(read("0.000001"), Some(1));
        assert_eq!(read("007"), Some(7_000_000));
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "0.0000001",
            "9223372036855",
            " 1",
            "1.5.5",
            "١",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_line_that_is_no_receipt_is_an_error() {
        let good = REAL.lines().next().unwrap();
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            "{\"operation_1054\": -1}",
            &good[1..],
            &format!("{good}{good}"),
        ] {
            assert!(receipt(bad, TODAY).is_err(), "{bad}");
        }
        for (from, to) in [
            ("\"nds18\"", "\"nds21\""),
            ("{\"nds18\"", "{\"nds20\": 1, \"nds18\""),
            ("\"quantity\": \"1\"", "\"quantity\": 1"),
            ("\"date\"", "\"colour\""),
            ("509100", "18446744073709551615"),
            ("509100", "-1"),
        ] {
            assert!(
                good.contains(from) && receipt(&good.replace(from, to), TODAY).is_err(),
                "{to}"
            );
        }
    }
}
