//! Turns the real receipts of 2020 (`tests/data/receipts.jsonl`) into requests of today.
//!
//! Owns: the mapping written down in `tests/data/MAPPING.md`, and the count of what became of each receipt.
//! Must never: make an unlawful receipt lawful: what it may change stands in that table, the rest is refused.

use kassette_receipts::capability::unsupported;
use kassette_receipts::law::rate;
use kassette_receipts::model::{Agent, Buyer, Item, Payments, Receipt, VatTotal};
use kassette_receipts::rules::{RuleContext, Violation, check};
use kassette_wire::value::{Kopecks, MoneyError, Quantity, QuantityError};
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// The 400 receipts, one JSON object a line.
pub const RECEIPTS_2020: &str = include_str!("../data/receipts.jsonl");

/// Why a line is not a receipt of the file's form.
#[derive(Debug, Error)]
pub enum MappingError {
    /// Not the JSON of a receipt.
    #[error("not a receipt: {0}")]
    Json(#[from] serde_json::Error),
    /// A sum that no tag can hold.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A quantity that no tag can hold.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    /// A VAT total under a name that the file's description does not have.
    #[error("VAT total \"{0}\" is unknown")]
    VatTotal(String),
}

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
    quantity: String,
    sum_kopecks: u64,
    vat_1199: Option<u32>,
    vat_sum_1200_kopecks: Option<u64>,
    method_1214: Option<u32>,
    subject_1212: Option<u32>,
    measure_1197: Option<String>,
}

/// The request of today for a line of the file. It may still break a rule; see [`judge`].
///
/// # Errors
/// [`MappingError`] when the line is not of the file's form.
pub fn map_2020(line: &str) -> Result<Receipt, MappingError> {
    let line: Line = serde_json::from_str(line)?;
    let totals = vat_totals(&line.vat_totals_kopecks)?;
    let (items, changed_rates) = items(line.items, &totals, matches!(line.operation_1054, 2 | 4))?;
    let buyer = line.buyer_1008.map(|contact| Buyer {
        contact: Some(contact),
        ..Buyer::default()
    });
    Ok(Receipt {
        sign: line.operation_1054,
        tax_system: Some(line.taxation_1055),
        items,
        total: Kopecks::new(line.total_1020_kopecks)?,
        payments: Payments {
            cash: Kopecks::new(line.cash_1031_kopecks)?,
            electronic: Kopecks::new(line.ecash_1081_kopecks)?,
            ..Payments::default()
        },
        vat_totals: totals
            .into_iter()
            .filter(|total| !changed_rates.contains(&total.rate))
            .collect(),
        internet: line.internet_1125.map(|flag| flag != 0),
        agent: line.agent_1057.map(agent),
        buyer,
        non_cash: vec![],
        cashier: None,
        address: None,
        place: None,
        tax_site: None,
        sender_email: None,
        machine_number: None,
        additional_attribute: None,
        user_attribute: None,
        industry: vec![],
        operational: None,
        correction: None,
    })
}

/// The items of today, and the old rates that were changed in any of them.
fn items(old: Vec<LineItem>, totals: &[VatTotal], keeps_20: bool) -> Result<(Vec<Item>, Vec<u32>), MappingError> {
    let only_rate = match totals {
        [only] => Some(only.rate),
        _ => None,
    };
    let mut changed_rates = Vec::new();
    let mut items = Vec::with_capacity(old.len());
    for old in old {
        let old_rate = old.vat_1199.or(only_rate);
        let item = item(old, old_rate, keeps_20)?;
        if item.vat_rate != old_rate {
            changed_rates.extend(old_rate);
        }
        items.push(item);
    }
    Ok((items, changed_rates))
}

fn agent(sign: u32) -> Agent {
    Agent {
        sign,
        operation: None,
        agent_phones: vec![],
        acceptor_phones: vec![],
        transfer_phones: vec![],
        transfer_name: None,
        transfer_address: None,
        transfer_inn: None,
    }
}

/// The totals of the file by the codes of 1199; 18 in a name is an old label, the rate of 2020 was 20 %.
fn vat_totals(totals: &BTreeMap<String, u64>) -> Result<Vec<VatTotal>, MappingError> {
    let total = |(name, &kopecks): (&String, &u64)| {
        let rate = match name.as_str() {
            "nds18" | "nds20" => 1,
            "nds10" => 2,
            "ndsCalculated18" | "ndsCalculated20" => 3,
            "ndsCalculated10" => 4,
            "nds0" => 5,
            "ndsNo" => 6,
            _ => return Err(MappingError::VatTotal(name.clone())),
        };
        Ok(VatTotal {
            rate,
            amount: Kopecks::new(kopecks)?,
        })
    };
    totals.iter().map(total).collect()
}

fn item(old: LineItem, old_rate: Option<u32>, keeps_20: bool) -> Result<Item, MappingError> {
    let method = old.method_1214.or_else(|| absent_method(old_rate));
    let vat_rate = old_rate.map(|code| {
        let today = if keeps_20 { code } else { rate_of_today(code) };
        calculated_where_prepaid(today, method)
    });
    let quantity: Quantity = old.quantity.parse()?;
    // The VAT of another rate is another number; today's register computes it.
    let vat_amount = old.vat_sum_1200_kopecks.filter(|_| vat_rate == old_rate);
    Ok(Item {
        name: old.name,
        price: Kopecks::new(old.price_kopecks)?,
        quantity,
        amount: Kopecks::new(old.sum_kopecks)?,
        measure: Some(measure(old.measure_1197.as_deref(), quantity)),
        measure_text: None,
        vat_rate,
        vat_per_unit: None,
        vat_amount: vat_amount.map(Kopecks::new).transpose()?,
        method,
        subject: old.subject_1212.or(Some(absent_subject(method))),
        agent: None,
        supplier: None,
        additional_attribute: None,
        excise: None,
        country: None,
        customs_declaration: None,
        goods_code_bytes: None,
        goods_code: None,
        marking: None,
        industry: vec![],
    })
}

const fn rate_of_today(code: u32) -> u32 {
    match code {
        1 => 11,
        3 => 12,
        other => other,
    }
}

fn calculated_where_prepaid(code: u32, method: Option<u32>) -> u32 {
    match (code, method) {
        (1 | 2 | 7 | 8 | 11, Some(1..=3)) => rate(code).map_or(code, |rate| rate.counterpart),
        _ => code,
    }
}

/// A calculated rate says that money was taken before delivery.
const fn absent_method(old_rate: Option<u32>) -> Option<u32> {
    match old_rate {
        Some(3 | 4) => Some(1),
        _ => Some(4),
    }
}

/// 10 "payment" where the method is about money, else 13 "other": what it was cannot be known.
const fn absent_subject(method: Option<u32>) -> u32 {
    match method {
        Some(1 | 2 | 3 | 7) => 10,
        _ => 13,
    }
}

/// The measure of a text, or of a quantity without one: pieces when whole, "other" when not.
fn measure(text: Option<&str>, quantity: Quantity) -> u32 {
    match text {
        Some("шт.") => 0,
        Some("тонн") => 12,
        Some("Кв.м") => 32,
        Some("Куб.м") => 42,
        Some("кВт.ч") => 50,
        Some("Гкал") => 51,
        Some(_) => 255,
        None if quantity.millionths().is_multiple_of(Quantity::ONE.millionths()) => 0,
        None => 255,
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Lawful, and our drivers make it.
    Accepted,
    /// It breaks rules; at least one.
    Refused(Vec<Violation>),
    /// Lawful, and not made yet; the reasons.
    NotYet(Vec<String>),
}

impl Judgement {
    /// The first reason, under which the receipt is counted: a rule's id, or `not yet: …`.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Accepted => None,
            Self::Refused(violations) => violations.first().map(|one| one.rule.to_owned()),
            Self::NotYet(reasons) => reasons.first().map(|one| format!("not yet: {one}")),
        }
    }
}

/// Judges a request as the daemon does: the rules first, then what drivers make.
#[must_use]
pub fn judge(receipt: &Receipt, context: &RuleContext) -> Judgement {
    let violations = check(receipt, context);
    if !violations.is_empty() {
        return Judgement::Refused(violations);
    }
    let reasons: Vec<String> = unsupported(receipt).into_iter().map(|one| one.reason).collect();
    if reasons.is_empty() {
        Judgement::Accepted
    } else {
        Judgement::NotYet(reasons)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_receipts::rules::{Ffd, RegistrationFacts};
    use std::collections::BTreeSet;
    use time::macros::date;

    /// A register of a datacenter: internet and automatic, no cash unit, every tax system that exists today.
    fn context() -> RuleContext {
        RuleContext {
            registration: Some(RegistrationFacts {
                inn: "7704358518".parse().unwrap(),
                tax_systems: 1 | 2 | 4 | 16 | 32,
                ffd: Ffd::V1_2,
                internet: true,
                automatic: true,
                cash_unit: false,
            }),
            ..RuleContext::on(date!(2026 - 11 - 22))
        }
    }

    fn judged() -> Vec<Judgement> {
        let map = |line| judge(&map_2020(line).unwrap(), &context());
        RECEIPTS_2020.lines().map(map).collect()
    }

    #[test]
    fn each_of_the_400_receipts_is_accepted_or_refused_for_the_counted_reason() {
        let mut counts = BTreeMap::new();
        for judgement in judged() {
            *counts
                .entry(judgement.reason().unwrap_or_else(|| "accepted".into()))
                .or_insert(0) += 1;
        }
        println!("by first reason: {counts:#?}");
        let expected = [
            ("accepted", 147),
            ("R9", 106),
            ("R15", 1),
            ("R16", 2),
            ("R17", 93),
            ("R18", 5),
            ("R20", 1),
            ("R21", 34),
            ("not yet: tag 1057", 11),
        ];
        assert_eq!(
            counts,
            expected.map(|(reason, count)| (reason.to_owned(), count)).into()
        );
        assert_eq!(counts.values().sum::<i32>(), 400);
    }

    #[test]
    fn every_rule_is_broken_by_the_counted_number_of_receipts() {
        let mut counts = BTreeMap::new();
        for judgement in judged() {
            let Judgement::Refused(violations) = judgement else {
                continue;
            };
            let rules: BTreeSet<_> = violations.iter().map(|one| one.rule).collect();
            for rule in rules {
                *counts.entry(rule).or_insert(0) += 1;
            }
        }
        println!("by every rule broken: {counts:#?}");
        let expected = [
            ("R9", 106),
            ("R11", 1),
            ("R15", 1),
            ("R16", 2),
            ("R17", 148),
            ("R18", 10),
            ("R20", 4),
            ("R21", 34),
            ("C7-1200", 3),
        ];
        assert_eq!(counts, expected.into());
    }

    #[test]
    fn a_given_subject_is_never_replaced() {
        for line in RECEIPTS_2020.lines() {
            let old: Line = serde_json::from_str(line).unwrap();
            let new = map_2020(line).unwrap();
            for (old, new) in old.items.iter().zip(&new.items) {
                assert!(old.subject_1212.is_none() || old.subject_1212 == new.subject);
                assert!(old.method_1214.is_none() || old.method_1214 == new.method);
            }
        }
    }

    #[test]
    fn a_line_that_is_no_receipt_is_an_error() {
        for bad in ["", "{}", "[]", "{\"operation_1054\": -1}"] {
            assert!(map_2020(bad).is_err(), "{bad}");
        }
    }
}
