//! What a client is told whose discount does not stand in prices and amounts.

use super::*;

#[test]
fn a_discount_that_one_price_cannot_hold_is_refused_with_the_two_prices_that_hold_it_to_the_kopeck() {
    let suggestion = |quantity: &str, price, amount| {
        let mut receipt = of_sum(amount);
        receipt.items[0].quantity = quantity.parse().unwrap();
        receipt.items[0].price = kopecks(price);
        let violations = check(&receipt, &context());
        violations
            .into_iter()
            .find(|one| one.rule == "R13")
            .map(|one| one.suggestion)
    };
    // 7 pieces for 100.00: 5 x 14.28 + 2 x 14.29 is 99.98; 3 x 14.28 + 4 x 14.29 is 100.00.
    let told = suggestion("7", 1_430, 10_000).unwrap();
    assert!(told.ends_with("3 at 14.28 and 4 at 14.29"), "{told}");
    let told = suggestion("4", 3_000, 10_000).unwrap();
    assert!(told.ends_with("its discount: 4 at 25.00"), "{told}");
    let told = suggestion("2.5", 4_100, 10_000).unwrap();
    assert!(told.ends_with("with its discount"), "{told}");
    assert_eq!(
        suggestion("3", 3_333, 10_000),
        None,
        "one kopeck is the register's to round"
    );
}

#[test]
fn a_discount_on_the_whole_receipt_is_refused_with_the_amounts_that_spread_it() {
    let mut receipt = of_sum(10_000);
    receipt.items = vec![receipt.items[0].clone(); 3];
    receipt.total = kopecks(29_000);
    receipt.payments.electronic = kopecks(29_000);
    let violations = check(&receipt, &context());
    let told = violations.iter().find(|one| one.rule == "R15").unwrap();
    assert!(
        told.suggestion.ends_with("the amounts 96.66, 96.67, 96.67"),
        "{}",
        told.suggestion
    );
}
