//! Rules 15 to 17 and the VAT totals: what must add up over the whole receipt.
//!
//! Owns: sums over items and payments, in numbers that cannot overflow.
//! Must never: round.

use super::context::{Ffd, RuleContext};
use super::findings::Findings;
use super::place::Place;
use crate::law::{HIGHEST_RATE, rate};
use crate::model::{Item, Receipt};
use crate::spread;
use kassette_wire::value::Kopecks;

/// Kopecks of a sum that may be larger than a single tag holds, as roubles.
fn roubles(kopecks: u128) -> String {
    format!("{}.{:02}", kopecks / 100, kopecks % 100)
}

/// R15. A correction of FFD 1.05 without items has nothing to add up.
pub(super) fn total(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    if receipt.items.is_empty() && receipt.correction.is_some() && context.ffd() == Ffd::V1_05 {
        return;
    }
    let sum: u128 = receipt.items.iter().map(|item| u128::from(item.amount.get())).sum();
    let total = u128::from(receipt.total.get());
    let rounded_down = context.limits.round_total_down && total < sum && sum - total < 100;
    if total == sum || rounded_down {
        return;
    }
    let place = Place::top("total");
    let (en, ru) = (
        format!("the total is {}, the items make {}", receipt.total, roubles(sum)),
        format!("итог {}, а сумма предметов расчета {}", receipt.total, roubles(sum)),
    );
    match spread_of(receipt, sum) {
        Some(amounts) => {
            let suggestion = format!("make the total the sum of the items, or the amounts {amounts}");
            findings.add_with(Some(&place), 1020, en, ru, suggestion);
        }
        None => findings.add(Some(&place), 1020, en, ru),
    }
}

/// Most amounts that a suggestion lists.
const SPREAD_SHOWN: usize = 16;

/// A total below the items is a discount on the whole receipt: the amounts that spread it to the kopeck.
fn spread_of(receipt: &Receipt, sum: u128) -> Option<String> {
    let discount = sum.checked_sub(u128::from(receipt.total.get()))?;
    let discount = Kopecks::new(u64::try_from(discount).ok()?).ok()?;
    if receipt.items.is_empty() || receipt.items.len() > SPREAD_SHOWN {
        return None;
    }
    let amounts: Vec<Kopecks> = receipt.items.iter().map(|item| item.amount).collect();
    let left = spread::discounted(&amounts, discount)?;
    let shown: Vec<String> = left.iter().map(ToString::to_string).collect();
    Some(shown.join(", "))
}

/// R16. That no payment is negative is kept by the type `Kopecks`.
pub(super) fn payments(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    let paid = &receipt.payments;
    let all = [paid.cash, paid.electronic, paid.prepaid, paid.credit, paid.counter];
    let sum: u128 = all.iter().map(|part| u128::from(part.get())).sum();
    if sum == u128::from(receipt.total.get()) {
        return;
    }
    findings.add(
        Some(&Place::top("payments")),
        1081,
        format!("the payments make {}, the total is {}", roubles(sum), receipt.total),
        format!("сумма оплат {}, а итог {}", roubles(sum), receipt.total),
    );
}

/// R17.
pub(super) fn cash(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let cash = receipt.payments.cash;
    if cash.get() == 0 {
        return;
    }
    let Some(facts) = &context.registration else {
        return findings.unanswered();
    };
    if (facts.internet || facts.automatic) && !facts.cash_unit {
        let place = Place::top("payments");
        findings.add(
            Some(&place.child("cash")),
            1031,
            format!(
                "{cash} in cash, but the register is registered for internet or automatic mode and has no cash unit"
            ),
            format!("наличными {cash}, но касса зарегистрирована для интернета или автоматического режима"),
        );
    }
}

/// C7-1102. Registers round either per item or once per rate; the tolerance of one kopeck per item of the rate
/// (`fn-ffd-ofd` C.7) covers both. A turnover (0 %, without VAT) is exact. With an item whose rate is missing or
/// unknown (R18) there is nothing to compare with.
pub(super) fn vat_totals(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    let known = |item: &Item| item.vat_rate.and_then(rate).is_some();
    if receipt.vat_totals.is_empty() || !receipt.items.iter().all(known) {
        return;
    }
    let computed = totals_by_rate(receipt);
    for (at, given) in receipt.vat_totals.iter().enumerate() {
        if findings.full() {
            return;
        }
        let place = Place::top_at("vat_totals", at);
        let (Some(rate), Some(computed)) = (rate(given.rate), computed.get(given.rate as usize)) else {
            findings.add(
                Some(&place.child("rate")),
                1199,
                format!("VAT rate {} does not exist", given.rate),
                format!("ставки НДС {} не существует", given.rate),
            );
            continue;
        };
        if u128::from(given.amount.get()).abs_diff(computed.sum) > computed.tolerance {
            let made = roubles(computed.sum);
            findings.add(
                Some(&place.child("amount")),
                rate.total_tag,
                format!(
                    "the VAT total of rate {} is given as {}, the items make {made}",
                    rate.code, given.amount
                ),
                format!(
                    "итог НДС по ставке {} указан {}, по предметам расчета {made}",
                    rate.code, given.amount
                ),
            );
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Total {
    sum: u128,
    tolerance: u128,
}

/// The totals of all rates by their codes, in one pass: a hostile list of totals must not cost a pass each.
fn totals_by_rate(receipt: &Receipt) -> [Total; HIGHEST_RATE + 1] {
    let mut totals = [Total::default(); HIGHEST_RATE + 1];
    for item in &receipt.items {
        let Some(rate) = item.vat_rate.and_then(rate) else {
            continue;
        };
        let Some(total) = totals.get_mut(rate.code as usize) else {
            continue;
        };
        if rate.totals_turnover() {
            total.sum += u128::from(item.amount.get());
        } else {
            total.sum += u128::from(rate.vat_inside(item.amount.get()));
            total.tolerance += 1;
        }
    }
    totals
}
