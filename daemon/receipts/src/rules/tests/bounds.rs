//! Tests of sizes, and of receipts that were made to hurt.

use super::*;
use proptest::prelude::*;

#[test]
fn the_size_of_an_item_agrees_with_the_published_bytes() {
    // `fn-ffd-ofd` C.1: {1214=3, 1212=10, 1030="Аванс", 1079=1000.00, 1023=1, 1199=3, 1043=1000.00} takes 2C bytes.
    let item = Item {
        name: "Аванс".into(),
        price: kopecks(100_000),
        amount: kopecks(100_000),
        measure: None,
        vat_rate: Some(3),
        method: Some(3),
        subject: Some(10),
        ..sample::item()
    };
    let six_decimals = 2; // 1000000 with six decimals takes two bytes more than 1 with none
    let vat_by_the_register = 4 + 3;
    assert_eq!(size::item(&item), 0x2C + six_decimals + vat_by_the_register);
}

#[test]
fn a_document_above_30_kib_is_refused_as_a_whole() {
    let mut receipt = of_sum(100);
    receipt.items[0].industry = vec![industry(240); 3];
    let count = 40;
    receipt.items = vec![receipt.items[0].clone(); count];
    receipt.total = kopecks(100 * count as u64);
    receipt.payments.electronic = receipt.total;
    let found = check(&receipt, &context());
    assert_eq!(
        found.iter().map(|v| (v.rule, v.field.as_str())).collect::<Vec<_>>(),
        [("R36", "")]
    );
    receipt.items.truncate(20);
    receipt.total = kopecks(2_000);
    receipt.payments.electronic = receipt.total;
    assert!(check(&receipt, &context()).is_empty());
}

#[test]
fn a_hostile_receipt_gets_a_bounded_answer_that_says_so() {
    let mut receipt = sample::receipt();
    let bad = Item {
        name: "😀".repeat(300_000),
        vat_rate: Some(99),
        measure: Some(7),
        ..sample::item()
    };
    receipt.items = vec![bad; 3];
    let plain = Item {
        name: "\u{0}".into(),
        method: Some(3),
        vat_rate: None,
        ..sample::item()
    };
    receipt.items.resize(10_000, plain);
    receipt.vat_totals = vec![
        VatTotal {
            rate: u32::MAX,
            amount: Kopecks::MAX
        };
        10_000
    ];
    let found = check(&receipt, &context());
    assert!(found.len() <= MAX_VIOLATIONS + 1);
    assert_eq!(found.last().unwrap().rule, MORE);
    for rule in ["R10", "R11", "R12", "R15", "R18", "R21", "R36", "C5"] {
        let count = found.iter().filter(|v| v.rule == rule).count();
        assert!((1..=MAX_OF_ONE_RULE).contains(&count), "{rule} {count}");
    }
    let longest = found
        .iter()
        .map(|v| v.text_en.len() + v.text_ru.len() + v.suggestion.len())
        .max()
        .unwrap();
    assert!(longest < 600, "a text of the answer grew with the request: {longest}");
}

fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), 0..1_000_000_u64, Just((1 << 48) - 1), 0..1_u64 << 48]
}

fn code() -> impl Strategy<Value = Option<u32>> {
    proptest::option::of(prop_oneof![0..40_u32, any::<u32>()])
}

prop_compose! {
    fn any_item()(name in ".{0,200}", price in edge(), quantity in edge(), amount in edge(), rate in code(),
                  method in code(), subject in code(), measure in code(), vat in proptest::option::of(edge()),
                  attribute in proptest::option::of(".{0,80}")) -> Item {
        Item {
            name, price: kopecks(price), quantity: Quantity::from_millionths(quantity).unwrap(),
            amount: kopecks(amount), vat_rate: rate, method, subject, measure,
            vat_amount: vat.map(kopecks), vat_per_unit: vat.map(kopecks), additional_attribute: attribute,
            ..sample::item()
        }
    }
}

proptest! {
    #[test]
    fn no_receipt_makes_the_rules_panic_or_answer_without_bound(
        items in proptest::collection::vec(any_item(), 0..40),
        sign in any::<u32>(), system in code(), total in edge(), cash in edge(), credit in edge(),
        rate in any::<u32>(), full in any::<bool>(), day in 0..200_000_i32,
    ) {
        let mut receipt = if full { sample::everything() } else { sample::receipt() };
        receipt.items.extend(items);
        receipt.sign = sign;
        receipt.tax_system = system;
        receipt.total = kopecks(total);
        receipt.payments = Payments { cash: kopecks(cash), credit: kopecks(credit), ..Payments::default() };
        receipt.vat_totals.push(VatTotal { rate, amount: kopecks(total) });
        let mut context = context();
        context.today = time::Date::from_julian_day(2_300_000 + day).unwrap();
        let found = check(&receipt, &context);
        prop_assert!(found.len() <= MAX_VIOLATIONS + 1);
        prop_assert!(found.iter().any(|v| v.rule == "R8") || (1..=4).contains(&sign));
        prop_assert_eq!(crate::rules::check(&receipt, &context), found, "the same receipt gets the same answer");
    }
}
