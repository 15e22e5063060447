//! Receipts and corrections: contract to domain, with everything that is wrong at once.
//!
//! Owns: where each tag of a receipt goes, and what is filled in (amounts and the total).
//! Must never: check a rule of the law, take a value it does not understand, or drop a field silently.

use super::findings::{At, Findings};
use super::values::{inn, required, required_sum, sum};
use super::{item, parties, time};
use kassette_api::v1;
use kassette_receipts::model::{Cashier, Correction, Item, NonCashPayment, Payments, Receipt, VatTotal};
use kassette_wire::value::{Inn, Kopecks};

/// Where a receipt stands in a request.
pub const RECEIPT: At<'static> = At::top("receipt");

/// What reading a receipt needs to know of its tenant.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The tenant.
    pub tenant: &'a Inn,
    /// The zone of its registers, minutes east of UTC, where they have one in common.
    pub zone_minutes: Option<i16>,
}

/// A receipt as the domain knows it, and the fields that were filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReceipt {
    /// The receipt.
    pub receipt: Receipt,
    /// What the client left out and we computed.
    pub filled: Vec<v1::FilledField>,
}

/// Reads a receipt.
///
/// # Errors
/// Everything that is wrong with its form.
pub fn receipt(given: Option<v1::Receipt>, scene: &Scene<'_>) -> Result<ReadReceipt, Findings> {
    let mut findings = Findings::default();
    let Some(given) = given else {
        findings.missing(&RECEIPT, None);
        return Err(findings);
    };
    let read = read(&mut findings, given, scene);
    if findings.is_empty() { Ok(read) } else { Err(findings) }
}

fn read(findings: &mut Findings, mut given: v1::Receipt, scene: &Scene<'_>) -> ReadReceipt {
    let at = RECEIPT;
    no_place_yet(findings, &given, scene);
    let mut filled = Vec::new();
    let items = items(findings, std::mem::take(&mut given.items), &mut filled);
    let total = total(findings, given.total_kopecks, &items, &mut filled);
    if given.payments.is_none() {
        findings.missing(&at.field("payments"), None);
    }
    let (payments, non_cash) = payments(findings, given.payments.unwrap_or_default());
    let operational = given
        .operational_attribute
        .as_ref()
        .and_then(|one| parties::operational(findings, &at.field("operational_attribute"), scene.zone_minutes, one));
    let receipt = Receipt {
        sign: required(findings, &at.field("settlement_sign"), 1054, given.settlement_sign),
        tax_system: given.tax_system,
        items,
        total,
        payments,
        non_cash,
        vat_totals: vat_totals(findings, given.vat_totals.unwrap_or_default()),
        internet: given.internet_settlement,
        cashier: cashier(findings, given.cashier_name, given.cashier_inn.as_deref()),
        address: given.settlement_address,
        place: given.settlement_place,
        tax_site: given.tax_service_site,
        sender_email: given.sender_email,
        machine_number: given.machine_number,
        agent: parties::agent(findings, &at, 1057, given.agent_sign, given.agent),
        additional_attribute: given.additional_attribute,
        user_attribute: given
            .user_attribute
            .map(|one| parties::user_attribute(findings, &at.field("user_attribute"), one)),
        industry: parties::industry(findings, &at, given.industry_attributes),
        operational,
        correction: given
            .correction
            .map(|one| correction(findings, &at.field("correction"), one)),
        buyer: given.buyer.map(|one| parties::buyer(findings, &at.field("buyer"), one)),
    };
    ReadReceipt { receipt, filled }
}

/// Fields of the contract that the receipt model of this version has no place for.
fn no_place_yet(findings: &mut Findings, given: &v1::Receipt, scene: &Scene<'_>) {
    let at = RECEIPT;
    findings.not_yet_if(
        given.internet_only.is_some(),
        &at.field("internet_only"),
        Some(1108),
        "tag 1108 of a receipt",
    );
    findings.not_yet_if(
        given.time_zone.is_some(),
        &at.field("time_zone"),
        Some(1011),
        "tag 1011 of a receipt",
    );
    findings.not_yet_if(
        given.user_name.is_some(),
        &at.field("user_name"),
        Some(1048),
        "tag 1048 of a receipt",
    );
    let phones = !given.supplier_phones.is_empty();
    findings.not_yet_if(
        phones,
        &at.field("supplier_phones"),
        Some(1171),
        "tag 1171 of a whole receipt (FFD 1.05)",
    );
    let checked = given.marking_check_result.is_some();
    findings.not_yet_if(checked, &at.field("marking_check_result"), Some(2107), "tag 2107");
    findings.not_yet_if(
        given.ffd_version.is_some(),
        &at.field("ffd_version"),
        Some(1209),
        "asking for one format",
    );
    if given
        .user_inn
        .as_deref()
        .is_some_and(|inn| inn != scene.tenant.as_str())
    {
        let text = format!("is not the tenant's INN {}", scene.tenant);
        findings.form(&at.field("user_inn"), Some(1018), text, "не ИНН налогоплательщика");
    }
    wishes(findings, given);
}

/// The words of ours in a receipt: each known one but the default is not served yet.
fn wishes(findings: &mut Findings, given: &v1::Receipt) {
    let form_at = RECEIPT.field("form");
    match v1::DocumentForm::try_from(given.form) {
        Ok(v1::DocumentForm::Unspecified | v1::DocumentForm::Receipt) => {}
        Ok(v1::DocumentForm::Bso) => findings.not_yet(&form_at, None, "strict reporting forms (documents 4 and 41)"),
        Err(_) => unknown_value(findings, &form_at, given.form),
    }
    let policy_at = RECEIPT.field("marking_policy");
    match v1::MarkingPolicy::try_from(given.marking_policy) {
        Ok(v1::MarkingPolicy::Unspecified) => {}
        Ok(_) => findings.not_yet(&policy_at, None, "a policy for marking checks"),
        Err(_) => unknown_value(findings, &policy_at, given.marking_policy),
    }
}

/// A number that the contract's enum does not have: from a newer client, and never guessed at.
pub fn unknown_value(findings: &mut Findings, at: &At<'_>, value: i32) {
    findings.form(
        at,
        None,
        format!("{value} is not a value that this version knows"),
        "неизвестное значение",
    );
}

fn filled_field(field: String, tag: u32, value: Kopecks) -> v1::FilledField {
    v1::FilledField {
        field,
        tag: Some(tag),
        value: value.get().to_string(),
        source: "computed".to_owned(),
    }
}

fn items(findings: &mut Findings, given: Vec<v1::Item>, filled: &mut Vec<v1::FilledField>) -> Vec<Item> {
    given
        .into_iter()
        .enumerate()
        .map(|(index, one)| {
            let at = RECEIPT.element("items", index);
            let (read, computed) = item::item(findings, &at, one);
            if computed {
                filled.push(filled_field(at.field("amount_kopecks").to_string(), 1043, read.amount));
            }
            read
        })
        .collect()
}

fn total(findings: &mut Findings, given: Option<i64>, items: &[Item], filled: &mut Vec<v1::FilledField>) -> Kopecks {
    let at = RECEIPT.field("total_kopecks");
    if given.is_some() {
        return required_sum(findings, &at, 1020, given);
    }
    let Some(total) = items
        .iter()
        .try_fold(Kopecks::ZERO, |sum, item| sum.checked_add(item.amount))
    else {
        findings.form(
            &at,
            Some(1020),
            "the sum of the items is too large",
            "сумма предметов расчета слишком велика",
        );
        return Kopecks::ZERO;
    };
    filled.push(filled_field(at.to_string(), 1020, total));
    total
}

fn payments(findings: &mut Findings, given: v1::Payments) -> (Payments, Vec<NonCashPayment>) {
    let at = RECEIPT.field("payments");
    // An absent sum is zero in the document: all five tags are always there.
    let mut one = |name, tag, value| sum(findings, &at.field(name), tag, value).unwrap_or_default();
    let sums = Payments {
        cash: one("cash_kopecks", 1031, given.cash_kopecks),
        electronic: one("noncash_kopecks", 1081, given.noncash_kopecks),
        prepaid: one("prepaid_kopecks", 1215, given.prepaid_kopecks),
        credit: one("credit_kopecks", 1216, given.credit_kopecks),
        counter: one("counter_provision_kopecks", 1217, given.counter_provision_kopecks),
    };
    let tendered = given.cash_tendered_kopecks.is_some();
    findings.not_yet_if(
        tendered,
        &at.field("cash_tendered_kopecks"),
        None,
        "cash handed over and change",
    );
    findings.not_yet_if(
        !given.extended.is_empty(),
        &at.field("extended"),
        None,
        "payments under a provider's number",
    );
    let details = given.noncash_details.into_iter().enumerate();
    let non_cash = details.map(|(index, detail)| {
        let at = at.element("noncash_details", index);
        NonCashPayment {
            amount: required_sum(findings, &at.field("amount_kopecks"), 1082, detail.amount_kopecks),
            method: detail.method,
            identifiers: detail.identifiers,
            extra: detail.additional_data,
        }
    });
    let non_cash = non_cash.collect();
    (sums, non_cash)
}

/// The fields of VAT totals that have a tag of their own: value of tag 1199, tag of the total, field.
pub const VAT_TOTAL_FIELDS: [(u32, u32, &str); 6] = [
    (1, 1102, "vat20_kopecks"),
    (2, 1103, "vat10_kopecks"),
    (3, 1106, "vat20_120_kopecks"),
    (4, 1107, "vat10_110_kopecks"),
    (5, 1104, "turnover_vat0_kopecks"),
    (6, 1105, "turnover_without_vat_kopecks"),
];

fn vat_totals(findings: &mut Findings, given: v1::VatTotals) -> Vec<VatTotal> {
    let at = RECEIPT.field("vat_totals");
    let named = [
        given.vat20_kopecks,
        given.vat10_kopecks,
        given.vat20_120_kopecks,
        given.vat10_110_kopecks,
        given.turnover_vat0_kopecks,
        given.turnover_without_vat_kopecks,
    ];
    let mut totals = Vec::new();
    for ((rate, tag, name), value) in VAT_TOTAL_FIELDS.into_iter().zip(named) {
        let amount = sum(findings, &at.field(name), tag, value);
        totals.extend(amount.map(|amount| VatTotal { rate, amount }));
    }
    for (index, one) in given.others.into_iter().enumerate() {
        let at = at.element("others", index);
        let rate = required(findings, &at.field("vat_rate"), 1199, one.vat_rate);
        if VAT_TOTAL_FIELDS.iter().any(|(named, _, _)| *named == rate) {
            let text = format!("rate {rate} has a field of its own in vat_totals");
            findings.form(
                &at.field("vat_rate"),
                Some(1199),
                text,
                "для этой ставки есть отдельное поле",
            );
        }
        let amount = required_sum(findings, &at.field("amount_kopecks"), 1120, one.amount_kopecks);
        totals.push(VatTotal { rate, amount });
    }
    totals
}

fn cashier(findings: &mut Findings, name: Option<String>, number: Option<&str>) -> Option<Cashier> {
    let inn = inn(findings, &RECEIPT.field("cashier_inn"), 1203, number);
    if name.is_none() && number.is_some() {
        findings.missing(&RECEIPT.field("cashier_name"), Some(1021));
    }
    name.map(|name| Cashier { name, inn })
}

fn correction(findings: &mut Findings, at: &At<'_>, given: v1::Correction) -> Correction {
    let basis_at = at.field("basis");
    let basis = given.basis.unwrap_or_default();
    let described = basis.description.is_some();
    findings.not_yet_if(
        described,
        &basis_at.field("description"),
        Some(1177),
        "description of a correction",
    );
    let date_at = basis_at.field("settlement_date");
    Correction {
        kind: required(findings, &at.field("correction_type"), 1173, given.correction_type),
        settlement_date: time::day(findings, &date_at, 1178, basis.settlement_date.as_deref()),
        order_number: basis.order_number,
    }
}
