//! Items of settlement: contract to domain.
//!
//! Owns: where each tag of an item goes.
//! Must never: check a rule of the law, or drop a field silently.

use super::findings::{At, Findings};
use super::parties;
use super::values::{required, required_quantity, required_sum, sum};
use kassette_api::v1;
use kassette_receipts::model::{Fraction, GoodsCode, Item, Marking};
use kassette_wire::value::{Kopecks, Quantity};

/// Inner tags of tag 1163 that a goods code is given by, with their fields.
pub const GOODS_CODE_TAGS: [(u32, &str); 16] = [
    (1300, "unrecognised"),
    (1301, "ean8"),
    (1302, "ean13"),
    (1303, "itf14"),
    (1304, "gs1_unmarked"),
    (1305, "gs1_marked"),
    (1306, "short_code"),
    (1307, "fur"),
    (1308, "egais2"),
    (1309, "egais3"),
    (1320, "f1"),
    (1321, "f2"),
    (1322, "f3"),
    (1323, "f4"),
    (1324, "f5"),
    (1325, "f6"),
];

/// One item, and whether its amount was filled in.
pub fn item(findings: &mut Findings, at: &At<'_>, given: v1::Item) -> (Item, bool) {
    let price = required_sum(findings, &at.field("price_kopecks"), 1079, given.price_kopecks);
    let quantity = required_quantity(
        findings,
        &at.field("quantity_millionths"),
        1023,
        given.quantity_millionths,
    );
    let filled = given.amount_kopecks.is_none();
    let amount = amount(
        findings,
        &at.field("amount_kopecks"),
        given.amount_kopecks,
        (price, quantity),
    );
    findings.not_yet_if(
        given.wholesale.is_some(),
        &at.field("wholesale"),
        None,
        "wholesale flag",
    );
    findings.not_yet_if(
        given.reference.is_some(),
        &at.field("reference"),
        None,
        "the client's mark of an item",
    );
    let read = Item {
        price,
        quantity,
        amount,
        vat_per_unit: sum(
            findings,
            &at.field("vat_per_unit_kopecks"),
            1198,
            given.vat_per_unit_kopecks,
        ),
        vat_amount: sum(findings, &at.field("vat_kopecks"), 1200, given.vat_kopecks),
        excise: sum(findings, &at.field("excise_kopecks"), 1229, given.excise_kopecks),
        agent: parties::agent(findings, at, 1222, given.agent_sign, given.agent),
        supplier: parties::supplier(findings, at, given.supplier, given.supplier_inn.as_deref()),
        industry: parties::industry(findings, at, given.industry_attributes),
        goods_code: given
            .goods_code
            .and_then(|code| goods_code(findings, &at.field("goods_code"), code)),
        marking: given.marking.map(|code| marking(findings, &at.field("marking"), code)),
        name: required(findings, &at.field("name"), 1030, given.name),
        measure: given.measure,
        measure_text: given.unit_name,
        vat_rate: given.vat_rate,
        method: given.payment_method,
        subject: given.item_kind,
        additional_attribute: given.additional_attribute,
        country: given.country_code,
        customs_declaration: given.customs_declaration,
        goods_code_bytes: given.goods_code_bytes,
    };
    (read, filled)
}

/// The amount of an item: as given, else price by quantity.
fn amount(findings: &mut Findings, at: &At<'_>, given: Option<i64>, (price, quantity): (Kopecks, Quantity)) -> Kopecks {
    if given.is_some() {
        return required_sum(findings, at, 1043, given);
    }
    quantity.cost(price).unwrap_or_else(|| {
        findings.form(
            at,
            Some(1043),
            "price by quantity is too large",
            "стоимость слишком велика",
        );
        Kopecks::ZERO
    })
}

/// The fields of a goods code in the order of [`GOODS_CODE_TAGS`].
fn goods_code_fields(given: v1::GoodsCode) -> [Option<String>; 16] {
    [
        given.unrecognised,
        given.ean8,
        given.ean13,
        given.itf14,
        given.gs1_unmarked,
        given.gs1_marked,
        given.short_code,
        given.fur,
        given.egais2,
        given.egais3,
        given.f1,
        given.f2,
        given.f3,
        given.f4,
        given.f5,
        given.f6,
    ]
}

fn goods_code(findings: &mut Findings, at: &At<'_>, given: v1::GoodsCode) -> Option<GoodsCode> {
    let mut codes = GOODS_CODE_TAGS
        .into_iter()
        .zip(goods_code_fields(given))
        .filter_map(|((tag, name), code)| Some((tag, name, code?)));
    let Some((tag, _, code)) = codes.next() else {
        findings.form(at, Some(1163), "holds no code", "не содержит кода");
        return None;
    };
    for (tag, name, _) in codes {
        findings.not_yet(&at.field(name), Some(tag), "a second goods code of one item");
    }
    Some(GoodsCode { tag, code })
}

fn marking(findings: &mut Findings, at: &At<'_>, given: v1::Marking) -> Marking {
    let status = given.assigned_status.is_some();
    findings.not_yet_if(
        status,
        &at.field("assigned_status"),
        Some(2110),
        "status given to marked goods",
    );
    findings.not_yet_if(
        given.code_type.is_some(),
        &at.field("code_type"),
        Some(2100),
        "type of the marking code",
    );
    Marking {
        code: required(findings, &at.field("code"), 2000, given.code),
        planned_status: given.planned_status,
        mode: given.processing_mode,
        check_result: given.check_result,
        fraction: given
            .fraction
            .map(|part| fraction(findings, &at.field("fraction"), &part)),
    }
}

/// The numbers of a fraction; its text is made from them, so another text is refused.
fn fraction(findings: &mut Findings, at: &At<'_>, given: &v1::Fraction) -> Fraction {
    let numerator = required(findings, &at.field("numerator"), 1293, given.numerator);
    let denominator = required(findings, &at.field("denominator"), 1294, given.denominator);
    if given
        .text
        .as_ref()
        .is_some_and(|text| *text != fraction_text(numerator, denominator))
    {
        findings.form(
            &at.field("text"),
            Some(1292),
            "is not numerator/denominator",
            "не числитель/знаменатель",
        );
    }
    Fraction { numerator, denominator }
}

/// Tag 1292 of a fraction.
#[must_use]
pub fn fraction_text(numerator: u64, denominator: u64) -> String {
    format!("{numerator}/{denominator}")
}
