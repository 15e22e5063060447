//! Tests of the rules: each has a receipt that passes and one that breaks it alone.

use super::*;
use crate::model::{Buyer, Correction, IndustryAttribute, Item, NonCashPayment, Payments, UserAttribute, VatTotal};
use crate::sample::{self, kopecks};
use kassette_wire::value::{Kopecks, Quantity};
use time::macros::date;

mod bounds;
mod discounts;
mod formats;

fn context() -> RuleContext {
    let inn: kassette_wire::value::Inn = "7704358518".parse().unwrap();
    RuleContext {
        tenant_inn: Some(inn.clone()),
        registration: Some(RegistrationFacts {
            inn,
            tax_systems: 1 | 2,
            ffd: Ffd::V1_2,
            internet: true,
            automatic: true,
            cash_unit: false,
        }),
        ..RuleContext::on(date!(2026 - 11 - 22))
    }
}

fn facts(context: &mut RuleContext) -> &mut RegistrationFacts {
    context.registration.as_mut().unwrap()
}

/// A receipt whose every sum is `sum`, without given VAT.
fn of_sum(sum: u64) -> Receipt {
    let mut receipt = sample::receipt();
    receipt.items[0].price = kopecks(sum);
    receipt.items[0].amount = kopecks(sum);
    receipt.total = kopecks(sum);
    receipt.payments.electronic = kopecks(sum);
    receipt
}

fn rules_of(receipt: &Receipt, context: &RuleContext) -> Vec<&'static str> {
    check(receipt, context).iter().map(|violation| violation.rule).collect()
}

fn fields_of(receipt: &Receipt, context: &RuleContext) -> Vec<String> {
    check(receipt, context)
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

fn industry(value: usize) -> IndustryAttribute {
    IndustryAttribute {
        federal_body: "030".into(),
        document_date: "21.11.2023".into(),
        document_number: "1944".into(),
        value: "x".repeat(value),
    }
}

type Break = fn(&mut Receipt, &mut RuleContext);

/// For every rule: the field it must name, and a change of a lawful receipt that breaks that rule and no other.
const BREAKS: [(&str, &str, Break); 23] = [
    ("R7", "", |_, context| {
        facts(context).inn = "7707083893".parse().unwrap()
    }),
    ("R8", "sign", |receipt, _| receipt.sign = 5),
    ("R9", "tax_system", |receipt, _| receipt.tax_system = Some(8)),
    ("R10", "items", |receipt, _| {
        receipt.items.clear();
        receipt.total = Kopecks::ZERO;
        receipt.payments = Payments::default();
        receipt.vat_totals.clear();
    }),
    ("R11", "items[0].name", |receipt, _| receipt.items[0].name = "  ".into()),
    ("R12", "items[0].name", |receipt, _| {
        receipt.items[0].name = "Чай «Я»".into()
    }),
    ("R13", "items[0].amount", |receipt, _| {
        receipt.items[0].price = kopecks(12_300);
        receipt.items[0].vat_per_unit = None;
    }),
    ("R14", "items[0].quantity", |receipt, _| {
        *receipt = of_sum(0);
        receipt.items[0].quantity = Quantity::from_millionths(0).unwrap();
    }),
    ("R15", "total", |receipt, _| {
        receipt.total = kopecks(12_199);
        receipt.payments.electronic = kopecks(12_199);
    }),
    ("R16", "payments", |receipt, _| receipt.payments.credit = kopecks(1)),
    ("R17", "payments.cash", |receipt, _| {
        receipt.payments = Payments {
            cash: kopecks(200),
            electronic: kopecks(12_000),
            ..Payments::default()
        };
    }),
    ("R18", "items[0].vat_rate", |receipt, _| {
        *receipt = of_sum(100);
        receipt.items[0].vat_rate = Some(1);
    }),
    ("R20", "items[0].vat_rate", |receipt, _| {
        receipt.items[0].vat_rate = Some(12);
        receipt.vat_totals[0].rate = 12;
    }),
    ("R21", "items[0].subject", |receipt, _| {
        receipt.items[0].subject = Some(10)
    }),
    ("R28", "cashier.inn", |receipt, _| {
        let cashier = receipt.cashier.as_mut().unwrap();
        cashier.inn = Some("7704358518".parse().unwrap());
    }),
    ("R36", "items[0]", |receipt, _| {
        receipt.items[0].industry = vec![industry(200); 5]
    }),
    ("R37", "vat_totals[1]", |receipt, _| {
        receipt.vat_totals.push(receipt.vat_totals[0])
    }),
    ("R38", "additional_attribute", |receipt, _| {
        receipt.additional_attribute = Some("1".repeat(17))
    }),
    ("C4", "items[0].goods_code_bytes", |receipt, _| {
        receipt.items[0].goods_code_bytes = Some(vec![0x45, 0x0D, 1, 2, 3, 4, 5, 6]);
    }),
    ("C4-1234", "non_cash", |receipt, _| {
        receipt.payments = Payments {
            prepaid: kopecks(12_200),
            ..Payments::default()
        };
        receipt.non_cash = vec![NonCashPayment {
            amount: kopecks(12_200),
            method: None,
            identifiers: None,
            extra: None,
        }];
    }),
    ("C5", "items[0].measure", |receipt, _| {
        receipt.items[0].measure = Some(1)
    }),
    ("C7-1200", "items[0].vat_amount", |receipt, _| {
        receipt.items[0].vat_amount = Some(kopecks(2_202))
    }),
    ("C7-1102", "vat_totals[0].amount", |receipt, _| {
        receipt.vat_totals[0].amount = kopecks(2_202)
    }),
];

#[test]
fn a_lawful_receipt_keeps_every_rule() {
    for receipt in [sample::receipt(), sample::supported()] {
        let verdict = examine(&receipt, &context());
        assert_eq!(verdict.violations, []);
        assert_eq!(verdict.unanswered, ["R6"]);
    }
}

#[test]
fn every_rule_has_a_receipt_that_breaks_it_and_nothing_else() {
    for (id, field, broken) in BREAKS {
        let (mut receipt, mut context) = (sample::supported(), context());
        broken(&mut receipt, &mut context);
        let violations = check(&receipt, &context);
        let found: Vec<_> = violations.iter().map(|v| (v.rule, v.field.as_str())).collect();
        assert_eq!(found, [(id, field)], "{violations:?}");
        let one = &violations[0];
        assert!(one.text_en.is_ascii() || id == "R12", "{}", one.text_en);
        assert!(!one.text_ru.is_ascii() && !one.suggestion.is_empty(), "{one:?}");
    }
}

#[test]
fn the_table_has_each_rule_of_the_order_once_and_each_is_tested() {
    let mut expected: Vec<String> = (6..=18)
        .chain([20, 21, 28, 36, 37, 38])
        .map(|n| format!("R{n}"))
        .collect();
    expected.extend(["C4", "C4-1234", "C5", "C7-1200", "C7-1102"].map(String::from));
    assert_eq!(RULES.iter().map(|rule| rule.id).collect::<Vec<_>>(), expected);
    for rule in &RULES {
        let tested = BREAKS.iter().any(|row| row.0 == rule.id);
        assert_eq!(tested, !matches!(rule.place, Where::Elsewhere(_)), "{}", rule.id);
        assert!(!rule.title_ru.is_ascii() && rule.in_force(date!(2026 - 01 - 01)));
    }
}

#[test]
fn all_violations_are_found_at_once() {
    let mut receipt = sample::supported();
    receipt.sign = 0;
    receipt.tax_system = Some(3);
    receipt.total = kopecks(1);
    receipt.items[0].name.clear();
    receipt.items[0].method = Some(9);
    receipt.items[0].subject = None;
    assert_eq!(
        rules_of(&receipt, &context()),
        ["R8", "R9", "R11", "R15", "R16", "R21", "C5"]
    );
}

#[test]
fn a_rule_whose_facts_are_missing_is_reported_as_unanswered_and_not_as_kept() {
    let bare = RuleContext::on(date!(2026 - 11 - 22));
    assert_eq!(examine(&sample::receipt(), &bare).unanswered, ["R6", "R7", "R9"]);
    let mut receipt = sample::receipt();
    receipt.payments = Payments {
        cash: receipt.total,
        ..Payments::default()
    };
    receipt.sign = 2;
    receipt.correction = Some(Correction {
        kind: 0,
        settlement_date: None,
        order_number: None,
    });
    assert_eq!(examine(&receipt, &bare).unanswered, ["R6", "R7", "R8", "R9", "R17"]);
    receipt.items.clear();
    assert!(examine(&receipt, &bare).unanswered.contains(&"R10"));
    assert_eq!(check(&sample::receipt(), &bare), []);
}

#[test]
fn twenty_percent_ends_with_2025_except_for_returns_and_corrections() {
    let on = |day, rate, sign| {
        let mut receipt = of_sum(100);
        receipt.sign = sign;
        receipt.items[0].vat_rate = Some(rate);
        let mut context = context();
        context.today = day;
        rules_of(&receipt, &context)
    };
    let (last, first) = (date!(2025 - 12 - 31), date!(2026 - 01 - 01));
    assert!(on(last, 1, 1).is_empty());
    assert_eq!(on(first, 1, 1), ["R18"]);
    assert_eq!(on(first, 1, 3), ["R18"]);
    assert!(on(first, 1, 2).is_empty());
    assert!(on(first, 1, 4).is_empty());
    assert!(on(first, 11, 1).is_empty());
    assert_eq!(on(last, 11, 1), ["R18"]);
    assert_eq!(on(last, 11, 2), ["R18"], "no earlier sale can have had 22 %");
    assert_eq!(on(date!(2024 - 12 - 31), 7, 1), ["R18"]);
    assert!(on(date!(2025 - 01 - 01), 7, 1).is_empty());
    assert_eq!(on(first, 13, 1), ["R18"]);

    let mut correction = of_sum(100);
    correction.items[0].vat_rate = Some(1);
    correction.correction = Some(Correction {
        kind: 0,
        settlement_date: None,
        order_number: None,
    });
    assert!(check(&correction, &context()).is_empty());
}

#[test]
fn a_missing_rate_method_or_subject_is_a_violation() {
    let mut receipt = of_sum(100);
    receipt.items[0].vat_rate = None;
    receipt.items[0].method = None;
    receipt.items[0].subject = None;
    assert_eq!(
        fields_of(&receipt, &context()),
        ["items[0].vat_rate", "items[0].method", "items[0].subject"]
    );
}

#[test]
fn the_form_of_the_rate_follows_the_method_for_every_pair() {
    for (method, subject) in [(1, 1), (2, 1), (3, 10), (4, 1), (5, 1), (6, 1), (7, 10)] {
        for rate in 2..=12 {
            let mut receipt = of_sum(100);
            receipt.sign = 2; // so that 3 (20/120) is in force too
            receipt.items[0].vat_rate = Some(rate);
            receipt.items[0].method = Some(method);
            receipt.items[0].subject = Some(subject);
            let calculated = matches!(rate, 3 | 4 | 9 | 10 | 12);
            let neutral = matches!(rate, 5 | 6) || method == 7;
            let lawful = neutral || calculated == (method <= 3);
            let expected: &[&str] = if lawful { &[] } else { &["R20"] };
            assert_eq!(rules_of(&receipt, &context()), expected, "method {method}, rate {rate}");
        }
    }
}

#[test]
fn advances_and_credit_payments_take_subject_10_and_deliveries_never() {
    for (method, subject, lawful) in [
        (1, 1, true),
        (1, 10, true),
        (3, 10, true),
        (3, 4, false),
        (4, 4, true),
        (4, 10, false),
        (5, 10, false),
        (6, 10, false),
        (7, 10, true),
        (7, 1, false),
    ] {
        let mut receipt = of_sum(100);
        receipt.items[0].vat_rate = Some(6);
        receipt.items[0].method = Some(method);
        receipt.items[0].subject = Some(subject);
        let expected: &[&str] = if lawful { &[] } else { &["R21"] };
        assert_eq!(
            rules_of(&receipt, &context()),
            expected,
            "method {method}, subject {subject}"
        );
    }
}

#[test]
fn the_tax_system_is_one_registered_bit_and_may_be_left_out_when_there_is_only_one() {
    let of = |system, registered| {
        let mut receipt = sample::receipt();
        receipt.tax_system = system;
        let mut context = context();
        facts(&mut context).tax_systems = registered;
        rules_of(&receipt, &context)
    };
    assert!(of(Some(2), 3).is_empty());
    assert_eq!(of(Some(4), 3), ["R9"]);
    assert_eq!(of(Some(3), 3), ["R9"]);
    assert_eq!(of(Some(0), 3), ["R9"]);
    assert_eq!(of(Some(8), 8), ["R9"], "abolished, whatever an old registration says");
    assert!(of(None, 2).is_empty());
    assert_eq!(of(None, 3), ["R9"]);
}

#[test]
fn the_amount_may_differ_by_one_kopeck_and_cannot_overflow() {
    let mut receipt = of_sum(17_109);
    receipt.items[0].price = kopecks(6_396);
    receipt.items[0].quantity = "2.675".parse().unwrap();
    for (amount, lawful) in [
        (17_107, false),
        (17_108, true),
        (17_109, true),
        (17_110, true),
        (17_111, false),
    ] {
        receipt.items[0].amount = kopecks(amount);
        receipt.total = kopecks(amount);
        receipt.payments.electronic = kopecks(amount);
        assert_eq!(check(&receipt, &context()).is_empty(), lawful, "{amount}");
    }
    let mut huge = of_sum(Kopecks::MAX.get());
    huge.items[0].quantity = Quantity::MAX;
    huge.items.push(huge.items[0].clone());
    huge.payments.prepaid = Kopecks::MAX;
    let found = rules_of(&huge, &context());
    assert_eq!(found, ["R13", "R13", "R15", "R16"]);
}

#[test]
fn a_total_may_be_rounded_down_by_less_than_a_rouble_only_where_that_is_switched_on() {
    let rounded = |total, on| {
        let mut receipt = of_sum(12_299);
        receipt.total = kopecks(total);
        receipt.payments.electronic = kopecks(total);
        let mut context = context();
        context.limits.round_total_down = on;
        rules_of(&receipt, &context)
    };
    assert_eq!(rounded(12_200, false), ["R15"]);
    assert!(rounded(12_200, true).is_empty());
    assert_eq!(rounded(12_199, true), ["R15"]);
    assert_eq!(rounded(12_300, true), ["R15"], "never up");
}

#[test]
fn cash_is_lawful_at_a_register_with_a_cash_unit_or_of_neither_mode() {
    let mut receipt = sample::receipt();
    receipt.payments = Payments {
        cash: receipt.total,
        ..Payments::default()
    };
    let mut context = context();
    assert_eq!(rules_of(&receipt, &context), ["R17"]);
    facts(&mut context).automatic = false;
    assert_eq!(rules_of(&receipt, &context), ["R17"]);
    facts(&mut context).internet = false;
    assert!(check(&receipt, &context).is_empty());
    facts(&mut context).automatic = true;
    facts(&mut context).cash_unit = true;
    assert!(check(&receipt, &context).is_empty());
}

#[test]
fn corrections_of_ffd_1_05_have_signs_1_and_3_and_need_no_items() {
    let mut receipt = sample::receipt();
    receipt.correction = Some(Correction {
        kind: 0,
        settlement_date: None,
        order_number: None,
    });
    receipt.items.clear();
    let mut context = context();
    assert_eq!(rules_of(&receipt, &context), ["R10", "R15"]);
    facts(&mut context).ffd = Ffd::V1_05;
    assert!(check(&receipt, &context).is_empty());
    receipt.sign = 2;
    assert_eq!(rules_of(&receipt, &context), ["R8"]);
}

#[test]
fn a_character_that_cp866_lacks_is_named_with_its_position_in_every_text() {
    let mut receipt = sample::supported();
    receipt.items[0].name = "Ёлка №5 ✓".into();
    receipt.cashier.as_mut().unwrap().name = "Иванова\n".into();
    receipt.buyer = Some(Buyer {
        contact: Some("а👍@example.com".into()),
        ..Buyer::default()
    });
    let found = check(&receipt, &context());
    let shown: Vec<_> = found.iter().map(|v| (v.rule, v.field.as_str(), v.tag)).collect();
    let expected = [
        ("R12", "items[0].name", Some(1030)),
        ("R12", "cashier.name", Some(1021)),
        ("R12", "buyer.contact", Some(1008)),
    ];
    assert_eq!(shown, expected);
    assert!(
        found[0].text_en.contains("U+2713) at position 8"),
        "{}",
        found[0].text_en
    );
    assert!(
        found[1].text_en.contains("U+000A) at position 7"),
        "{}",
        found[1].text_en
    );
    assert!(
        found[2].text_en.contains("U+1F44D) at position 1"),
        "{}",
        found[2].text_en
    );
}

#[test]
fn a_name_holds_128_characters_without_control_characters() {
    let mut receipt = sample::supported();
    receipt.items[0].name = "Щ".repeat(128);
    assert!(
        check(&receipt, &context()).is_empty(),
        "characters count, not bytes of UTF-8"
    );
    receipt.items[0].name.push('Щ');
    assert_eq!(rules_of(&receipt, &context()), ["R11"]);
    receipt.items[0].name = "Чай\tчерный".into();
    assert_eq!(rules_of(&receipt, &context()), ["R11"]);
}

#[test]
fn texts_and_containers_have_the_lengths_of_their_tags() {
    let of = |name: usize, value: usize| {
        let mut receipt = sample::supported();
        receipt.user_attribute = Some(UserAttribute {
            name: "n".repeat(name),
            value: "v".repeat(value),
        });
        fields_of(&receipt, &context())
    };
    assert!(of(56, 256).is_empty());
    assert_eq!(
        of(57, 256),
        ["user_attribute"],
        "1084 holds 320 bytes with the heads of 1085 and 1086"
    );
    assert_eq!(of(65, 1), ["user_attribute.name"]);
    assert_eq!(of(1, 257), ["user_attribute.value"]);
    assert_eq!(of(0, 1), ["user_attribute.name"], "given but empty");

    let mut receipt = sample::supported();
    receipt.items[0].country = Some("64".into());
    receipt.items[0].additional_attribute = Some("x".repeat(65));
    receipt.items[0].industry = vec![industry(242)];
    receipt.items[0].industry[0].document_number = "1".repeat(32);
    let expected = [
        "items[0].additional_attribute",
        "items[0].country",
        "items[0].industry[0]",
    ];
    assert_eq!(fields_of(&receipt, &context()), expected);
}
