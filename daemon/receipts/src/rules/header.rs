//! Rules 7 to 10 and 28: whose receipt it is, its sign, its tax system, how many items, its cashier.
//!
//! Owns: the checks that need the registration most.
//! Must never: look into an item.

use super::context::{Ffd, RuleContext};
use super::findings::Findings;
use super::place::Place;
use crate::law::{Catalogue, Entry};
use crate::model::Receipt;

/// R7. The digits themselves are checked by the type `Inn`.
pub(super) fn tenant_inn(_: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let (Some(tenant), Some(facts)) = (&context.tenant_inn, &context.registration) else {
        return findings.unanswered();
    };
    if *tenant != facts.inn {
        findings.add(
            None,
            1018,
            format!(
                "the receipt is of taxpayer {tenant}, the registration is of {}",
                facts.inn
            ),
            format!("чек налогоплательщика {tenant}, а регистрация {}", facts.inn),
        );
    }
}

/// R8.
pub(super) fn sign(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let place = Place::top("sign");
    let sign = receipt.sign;
    if Catalogue::Sign.entry(sign).is_none() {
        return findings.add(
            Some(&place),
            1054,
            format!("settlement sign {sign} does not exist"),
            format!("признака расчета {sign} не существует"),
        );
    }
    if receipt.correction.is_none() || !matches!(sign, 2 | 4) {
        return;
    }
    match &context.registration {
        None => findings.unanswered(),
        Some(facts) if facts.ffd == Ffd::V1_05 => findings.add(
            Some(&place),
            1054,
            format!("a correction of FFD 1.05 has sign 1 or 3, not {sign}"),
            format!("в чеке коррекции ФФД 1.05 признак расчета 1 или 3, а не {sign}"),
        ),
        Some(_) => {}
    }
}

/// R9.
pub(super) fn tax_system(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let place = Place::top("tax_system");
    let Some(system) = receipt.tax_system else {
        return absent_tax_system(&place, context, findings);
    };
    let Some(entry) = Catalogue::TaxSystem.entry(system) else {
        return findings.add(
            Some(&place),
            1055,
            format!("{system} is not one tax system (one of 1, 2, 4, 16, 32)"),
            format!("{system} — не одна система налогообложения (одно из 1, 2, 4, 16, 32)"),
        );
    };
    if !entry.in_force(context.today) {
        return findings.add(
            Some(&place),
            1055,
            format!(
                "tax system {system} ({}) is not in force on {}",
                entry.en, context.today
            ),
            format!(
                "система налогообложения {system} ({}) не действует {}",
                entry.ru, context.today
            ),
        );
    }
    registered(&place, entry, context, findings);
}

fn registered(place: &Place<'_>, entry: &Entry, context: &RuleContext, findings: &mut Findings) {
    let system = entry.code;
    match &context.registration {
        None => findings.unanswered(),
        Some(facts) if facts.tax_systems & system == 0 => findings.add(
            Some(place),
            1055,
            format!(
                "tax system {system} ({}) is not one of the registration's ({})",
                entry.en, facts.tax_systems
            ),
            format!(
                "система налогообложения {system} ({}) не указана при регистрации ({})",
                entry.ru, facts.tax_systems
            ),
        ),
        Some(_) => {}
    }
}

/// A receipt without a tax system takes the registration's only one.
fn absent_tax_system(place: &Place<'_>, context: &RuleContext, findings: &mut Findings) {
    match &context.registration {
        None => findings.unanswered(),
        Some(facts) if facts.only_tax_system().is_some() => {}
        Some(facts) => findings.add(
            Some(place),
            1055,
            format!(
                "no tax system is given and the registration has several ({})",
                facts.tax_systems
            ),
            format!(
                "система налогообложения не указана, а при регистрации указано несколько ({})",
                facts.tax_systems
            ),
        ),
    }
}

/// R10.
pub(super) fn item_count(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let place = Place::top("items");
    let (count, most) = (receipt.items.len(), context.limits.items);
    if count > most {
        return findings.add(
            Some(&place),
            1059,
            format!("{count} items, at most {most} fit one receipt"),
            format!("предметов расчета {count}, в чек помещается не более {most}"),
        );
    }
    if count > 0 {
        return;
    }
    match (&receipt.correction, &context.registration) {
        (Some(_), Some(facts)) if facts.ffd == Ffd::V1_05 => {}
        (Some(_), None) => findings.unanswered(),
        _ => findings.add(
            Some(&place),
            1059,
            "the receipt has no item".to_owned(),
            "в чеке нет предметов расчета".to_owned(),
        ),
    }
}

/// R28, the part about 1203: 12 digits. A register of the captures refused a number of 10 padded with spaces.
pub(super) fn cashier_inn(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    let inn = receipt.cashier.as_ref().and_then(|cashier| cashier.inn.as_ref());
    if inn.is_some_and(|inn| inn.as_str().len() != 12) {
        let place = Place::top("cashier");
        findings.add(
            Some(&place.child("inn")),
            1203,
            "a cashier's INN has 12 digits".to_owned(),
            "ИНН кассира состоит из 12 цифр".to_owned(),
        );
    }
}
