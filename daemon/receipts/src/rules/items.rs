//! Rules 11, 13, 14, 18, 20 and 21, and the code lists: what one item says.
//!
//! Owns: the checks of an item's numbers and codes.
//! Must never: add up items (see `money`) or read texts beyond the name (see `texts`).

use super::context::{Ffd, RuleContext};
use super::findings::Findings;
use super::place::Place;
use crate::law::{Catalogue, RateForm, TRANSITIONAL_20_PERCENT, rate};
use crate::model::{Item, Receipt};
use kassette_wire::value::{Kopecks, Quantity};
use time::Date;

/// Calls `check` with every item until no more violations would be listed.
fn each(receipt: &Receipt, findings: &mut Findings, mut check: impl FnMut(&Item, &Place<'_>, &mut Findings)) {
    for (at, item) in receipt.items.iter().enumerate() {
        if findings.full() {
            return;
        }
        check(item, &Place::item(at), findings);
    }
}

/// The method of settlement with the reading of an absent one: 4 in FFD 1.05 and 1.1 (`fn-ffd-ofd` C.5).
fn method(item: &Item, ffd: Ffd) -> Option<u32> {
    match ffd {
        Ffd::V1_05 | Ffd::V1_1 => item.method.or(Some(4)),
        Ffd::V1_2 => item.method,
    }
}

/// R11. Length and characters of a name beyond CP866 and control characters; those are R12 for every text.
pub(super) fn name(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let ffd = context.ffd();
    each(receipt, findings, |item, place, findings| {
        let place = place.child("name");
        let blank = item.name.chars().all(char::is_whitespace);
        if blank && !(ffd == Ffd::V1_05 && item.method == Some(3) && item.name.is_empty()) {
            findings.add(
                Some(&place),
                1030,
                "the item has no name".into(),
                "нет наименования".into(),
            );
        }
        // One character of CP866 is one byte; what CP866 cannot hold is R12.
        let too_long = item.name.chars().nth(super::lengths::NAME_MAX).is_some();
        if too_long {
            findings.add(
                Some(&place),
                1030,
                format!("the name is longer than {} characters", super::lengths::NAME_MAX),
                format!("наименование длиннее {} знаков", super::lengths::NAME_MAX),
            );
        }
        let control = item
            .name
            .chars()
            .take(super::lengths::NAME_MAX)
            .position(char::is_control);
        if let Some(at) = control {
            findings.add(
                Some(&place),
                1030,
                format!("the name has a control character at position {at}"),
                format!("в наименовании управляющий символ, позиция {at}"),
            );
        }
    });
}

/// R13. That a sum is not negative and fits six bytes is kept by the type `Kopecks`.
pub(super) fn amount(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    each(receipt, findings, |item, place, findings| {
        let place = place.child("amount");
        let (price, quantity, amount) = (item.price, item.quantity, item.amount);
        match quantity.cost(price) {
            Some(cost) if cost.abs_diff(amount).get() <= 1 => {}
            Some(cost) => findings.add_with(
                Some(&place),
                1043,
                format!("the amount is {amount}, but {price} x {quantity} is {cost}"),
                format!("стоимость {amount}, а {price} x {quantity} = {cost}"),
                match in_two_lines(quantity, amount) {
                    Some(lines) => format!("make the amount {cost}, or give the price with its discount: {lines}"),
                    None => format!("make the amount {cost}, or give the price with its discount"),
                },
            ),
            None => findings.add(
                Some(&place),
                1043,
                format!("{price} x {quantity} does not fit six bytes"),
                format!("{price} x {quantity} не помещается в шесть байт"),
            ),
        }
    });
}

/// How a whole quantity makes an amount to the kopeck: some at one price, the rest a kopeck dearer.
fn in_two_lines(quantity: Quantity, amount: Kopecks) -> Option<String> {
    let one = Quantity::ONE.millionths();
    let count = quantity.millionths().checked_div(one).filter(|count| *count > 0)?;
    if !quantity.millionths().is_multiple_of(one) {
        return None;
    }
    let (low, dearer) = (amount.get() / count, amount.get() % count);
    let at = |kopecks| Kopecks::new(kopecks).ok();
    if dearer == 0 {
        return Some(format!("{count} at {}", at(low)?));
    }
    Some(format!(
        "{} at {} and {dearer} at {}",
        count - dearer,
        at(low)?,
        at(low + 1)?
    ))
}

/// R14. At most six decimals and eight bytes are kept by the type `Quantity`.
pub(super) fn quantity(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    each(receipt, findings, |item, place, findings| {
        if item.quantity.millionths() == 0 {
            let place = place.child("quantity");
            findings.add(
                Some(&place),
                1023,
                "the quantity is zero".into(),
                "количество равно нулю".into(),
            );
        }
    });
}

/// R18.
pub(super) fn vat_rate(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let earlier_sale = receipt.correction.is_some() || matches!(receipt.sign, 2 | 4);
    each(receipt, findings, |item, place, findings| {
        let place = place.child("vat_rate");
        let Some(code) = item.vat_rate else {
            let (en, ru) = ("the item has no VAT rate", "у предмета расчета нет ставки НДС");
            return findings.add(Some(&place), 1199, en.into(), ru.into());
        };
        let Some(entry) = Catalogue::VatRate.entry(code) else {
            return findings.add(
                Some(&place),
                1199,
                format!("VAT rate {code} does not exist"),
                format!("ставки НДС {code} не существует"),
            );
        };
        if entry.in_force(context.today) || (ended(code, context.today) && (earlier_sale || TRANSITIONAL_20_PERCENT)) {
            return;
        }
        findings.add_with(
            Some(&place),
            1199,
            format!(
                "VAT rate {code} ({}) is not in force on {} for this receipt",
                entry.en, context.today
            ),
            format!(
                "ставка {code} ({}) не действует {} для такого чека",
                entry.ru, context.today
            ),
            instead(code),
        );
    });
}

/// Whether a rate of 20 % has ended by this day, so that only earlier sales may still carry it.
fn ended(code: u32, today: Date) -> bool {
    matches!(code, 1 | 3)
        && Catalogue::VatRate
            .entry(code)
            .and_then(|entry| entry.until)
            .is_some_and(|end| end < today)
}

fn instead(code: u32) -> String {
    match code {
        1 => "use 11 (22 %); 1 stays for returns and corrections of sales before 2026".into(),
        3 => "use 12 (22/122); 3 stays for returns and corrections of sales before 2026".into(),
        _ => "use a rate that ListCodes lists for this day".into(),
    }
}

/// R20. A rate or method that does not exist is R18 or C5.
pub(super) fn rate_and_method(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let ffd = context.ffd();
    each(receipt, findings, |item, place, findings| {
        let (Some(rate), Some(method)) = (item.vat_rate.and_then(rate), method(item, ffd)) else {
            return;
        };
        let wrong = match (rate.form, method) {
            (RateForm::Plain { .. }, 1..=3) => "calculated",
            (RateForm::Calculated { .. }, 4..=6) => "plain",
            _ => return,
        };
        let russian = if wrong == "plain" {
            "обычная"
        } else {
            "расчетная"
        };
        findings.add_with(
            Some(&place.child("vat_rate")),
            1199,
            format!("method {method} takes the {wrong} form of the rate, not {}", rate.code),
            format!(
                "при признаке способа {method} нужна {russian} ставка, а не {}",
                rate.code
            ),
            format!("use {} or correct the method", rate.counterpart),
        );
    });
}

/// R21. Both are always given in FFD 1.2 (`fn-ffd-ofd` C.5).
pub(super) fn subject_and_method(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let ffd = context.ffd();
    each(receipt, findings, |item, place, findings| {
        if ffd == Ffd::V1_2 {
            given(item.method, &place.child("method"), 1214, findings);
            given(item.subject, &place.child("subject"), 1212, findings);
        }
        let (Some(method), Some(subject)) = (method(item, ffd), item.subject) else {
            return;
        };
        let text = match method {
            3 | 7 if subject != 10 => ("takes subject 10", "нужен признак предмета 10"),
            4..=6 if subject == 10 => ("takes the subject of the item", "нужен признак самого предмета"),
            _ => return,
        };
        findings.add(
            Some(&place.child("subject")),
            1212,
            format!("method {method} {}, not {subject}", text.0),
            format!("при признаке способа {method} {}, а не {subject}", text.1),
        );
    });
}

fn given(value: Option<u32>, place: &Place<'_>, tag: u16, findings: &mut Findings) {
    if value.is_none() {
        findings.add(
            Some(place),
            tag,
            format!("tag {tag} is always given in FFD 1.2"),
            format!("в ФФД 1.2 реквизит {tag} указывается всегда"),
        );
    }
}

/// C5: codes that the lists do not have on this day. 1054, 1055 and 1199 have rules of their own.
pub(super) fn codes(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let correction = receipt.correction.as_ref().map(|correction| correction.kind);
    let agent = receipt.agent.as_ref().map(|agent| agent.sign);
    let kind_of = Place::top("correction");
    let sign_of = Place::top("agent");
    listed(
        Catalogue::CorrectionType,
        correction,
        &kind_of.child("kind"),
        context,
        findings,
    );
    listed(Catalogue::Agent, agent, &sign_of.child("sign"), context, findings);
    each(receipt, findings, |item, place, findings| {
        item_codes(item, place, context, findings)
    });
}

fn item_codes(item: &Item, place: &Place<'_>, context: &RuleContext, findings: &mut Findings) {
    let agent = item.agent.as_ref().map(|agent| agent.sign);
    let agent_place = place.child("agent");
    listed(
        Catalogue::Method,
        item.method,
        &place.child("method"),
        context,
        findings,
    );
    listed(
        Catalogue::Subject,
        item.subject,
        &place.child("subject"),
        context,
        findings,
    );
    listed(
        Catalogue::Measure,
        item.measure,
        &place.child("measure"),
        context,
        findings,
    );
    listed(Catalogue::Agent, agent, &agent_place.child("sign"), context, findings);
    let of_1_2 = item.subject.is_some_and(|subject| subject >= FIRST_SUBJECT_OF_FFD_1_2);
    if of_1_2 && context.ffd() != Ffd::V1_2 {
        findings.add(
            Some(&place.child("subject")),
            1212,
            format!("subjects from {FIRST_SUBJECT_OF_FFD_1_2} on are only in FFD 1.2"),
            format!("признаки предмета расчета от {FIRST_SUBJECT_OF_FFD_1_2} есть только в ФФД 1.2"),
        );
    }
}

/// Subjects 30 to 33 are only in FFD 1.2 (`fn-ffd-ofd` C.5).
const FIRST_SUBJECT_OF_FFD_1_2: u32 = 30;

fn listed(list: Catalogue, code: Option<u32>, place: &Place<'_>, context: &RuleContext, findings: &mut Findings) {
    let Some(code) = code else { return };
    if list.entry(code).is_some_and(|entry| entry.in_force(context.today)) {
        return;
    }
    findings.add(
        Some(place),
        list.tag(),
        format!("{code} is not a {} in force on {}", list.en(), context.today),
        format!("{code}: нет такого значения ({}) на {}", list.ru(), context.today),
    );
}

/// C7-1200.
pub(super) fn given_vat(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    each(receipt, findings, |item, place, findings| {
        let Some(rate) = item.vat_rate.and_then(rate) else {
            return;
        };
        agrees(
            item.vat_per_unit,
            rate.vat_inside(item.price.get()),
            &place.child("vat_per_unit"),
            1198,
            findings,
        );
        agrees(
            item.vat_amount,
            rate.vat_inside(item.amount.get()),
            &place.child("vat_amount"),
            1200,
            findings,
        );
    });
}

fn agrees(given: Option<Kopecks>, computed: u64, place: &Place<'_>, tag: u16, findings: &mut Findings) {
    let Some(given) = given.filter(|given| given.get().abs_diff(computed) > 1) else {
        return;
    };
    findings.add(
        Some(place),
        tag,
        format!(
            "the VAT is given as {} kopecks, the rate makes it {computed}",
            given.get()
        ),
        format!("указан НДС {} коп., по ставке получается {computed}", given.get()),
    );
}
