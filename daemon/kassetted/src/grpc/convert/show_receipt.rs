//! Receipts and corrections: domain to contract, the exact reverse of reading them.
//!
//! Owns: how a stored receipt is shown.
//! Must never: fill in what the stored receipt does not have.

use super::item::GOODS_CODE_TAGS;
use super::time::{dashed_day, day_text};
use kassette_api::v1;
use kassette_receipts::model;
use kassette_wire::value::{Inn, Kopecks};
use prost_types::Timestamp;

fn kopecks(sum: Option<Kopecks>) -> Option<i64> {
    sum.map(Kopecks::signed)
}

fn inn(number: Option<Inn>) -> Option<String> {
    number.map(String::from)
}

/// A stored receipt as the contract shows it. `zone_minutes` is that of the tenant's registers; without it the time
/// of an operational attribute is shown as if it were UTC.
#[must_use]
pub fn receipt(stored: model::Receipt, zone_minutes: Option<i16>) -> v1::Receipt {
    let (agent_sign, agent) = agent(stored.agent);
    let (cashier_name, cashier_inn) = stored
        .cashier
        .map_or((None, None), |cashier| (Some(cashier.name), inn(cashier.inn)));
    v1::Receipt {
        settlement_sign: Some(stored.sign),
        tax_system: stored.tax_system,
        items: stored.items.into_iter().map(item).collect(),
        payments: Some(payments(stored.payments, stored.non_cash)),
        total_kopecks: Some(stored.total.signed()),
        vat_totals: (!stored.vat_totals.is_empty()).then(|| vat_totals(&stored.vat_totals)),
        correction: stored.correction.map(correction),
        buyer: stored.buyer.map(buyer),
        cashier_name,
        cashier_inn,
        settlement_address: stored.address,
        settlement_place: stored.place,
        sender_email: stored.sender_email,
        tax_service_site: stored.tax_site,
        machine_number: stored.machine_number,
        internet_settlement: stored.internet,
        additional_attribute: stored.additional_attribute,
        user_attribute: stored.user_attribute.map(|one| v1::UserAttribute {
            name: Some(one.name),
            value: Some(one.value),
        }),
        industry_attributes: stored.industry.into_iter().map(industry).collect(),
        operational_attribute: stored
            .operational
            .map(|one| operational(one, zone_minutes.unwrap_or(0))),
        agent_sign,
        agent,
        ..v1::Receipt::default()
    }
}

fn item(stored: model::Item) -> v1::Item {
    let (agent_sign, agent) = agent(stored.agent);
    let (supplier, supplier_inn) = supplier(stored.supplier);
    v1::Item {
        name: Some(stored.name),
        price_kopecks: Some(stored.price.signed()),
        quantity_millionths: i64::try_from(stored.quantity.millionths()).ok(),
        amount_kopecks: Some(stored.amount.signed()),
        vat_rate: stored.vat_rate,
        vat_per_unit_kopecks: kopecks(stored.vat_per_unit),
        vat_kopecks: kopecks(stored.vat_amount),
        payment_method: stored.method,
        item_kind: stored.subject,
        measure: stored.measure,
        unit_name: stored.measure_text,
        additional_attribute: stored.additional_attribute,
        excise_kopecks: kopecks(stored.excise),
        country_code: stored.country,
        customs_declaration: stored.customs_declaration,
        agent_sign,
        agent,
        supplier,
        supplier_inn,
        industry_attributes: stored.industry.into_iter().map(industry).collect(),
        goods_code_bytes: stored.goods_code_bytes,
        goods_code: stored.goods_code.map(|code| goods_code(&code)),
        marking: stored.marking.map(marking),
        wholesale: None,
        reference: None,
    }
}

/// The five sums and the details of non-cash payments.
#[must_use]
pub fn payments(sums: model::Payments, details: Vec<model::NonCashPayment>) -> v1::Payments {
    let details = details.into_iter().map(|detail| v1::NoncashPayment {
        amount_kopecks: Some(detail.amount.signed()),
        method: detail.method,
        identifiers: detail.identifiers,
        additional_data: detail.extra,
    });
    v1::Payments {
        cash_kopecks: Some(sums.cash.signed()),
        noncash_kopecks: Some(sums.electronic.signed()),
        prepaid_kopecks: Some(sums.prepaid.signed()),
        credit_kopecks: Some(sums.credit.signed()),
        counter_provision_kopecks: Some(sums.counter.signed()),
        noncash_details: details.collect(),
        cash_tendered_kopecks: None,
        extended: Vec::new(),
    }
}

fn vat_totals(stored: &[model::VatTotal]) -> v1::VatTotals {
    let mut shown = v1::VatTotals::default();
    for total in stored {
        let amount = Some(total.amount.signed());
        match total.rate {
            1 => shown.vat20_kopecks = amount,
            2 => shown.vat10_kopecks = amount,
            3 => shown.vat20_120_kopecks = amount,
            4 => shown.vat10_110_kopecks = amount,
            5 => shown.turnover_vat0_kopecks = amount,
            6 => shown.turnover_without_vat_kopecks = amount,
            rate => shown.others.push(v1::VatAmount {
                vat_rate: Some(rate),
                amount_kopecks: amount,
            }),
        }
    }
    shown
}

fn agent(stored: Option<model::Agent>) -> (Option<u32>, Option<v1::AgentData>) {
    let Some(stored) = stored else { return (None, None) };
    let data = v1::AgentData {
        operation: stored.operation,
        paying_agent_phones: stored.agent_phones,
        receiving_operator_phones: stored.acceptor_phones,
        transfer_operator_phones: stored.transfer_phones,
        transfer_operator_name: stored.transfer_name,
        transfer_operator_address: stored.transfer_address,
        transfer_operator_inn: inn(stored.transfer_inn),
    };
    (Some(stored.sign), (data != v1::AgentData::default()).then_some(data))
}

fn supplier(stored: Option<model::Supplier>) -> (Option<v1::SupplierData>, Option<String>) {
    let Some(stored) = stored else { return (None, None) };
    let data = v1::SupplierData {
        name: stored.name,
        phones: stored.phones,
    };
    // An INN alone needs no data; a supplier about whom nothing is said stays an empty one.
    let shown = stored.inn.is_none() || data != v1::SupplierData::default();
    (shown.then_some(data), inn(stored.inn))
}

fn goods_code(stored: &model::GoodsCode) -> v1::GoodsCode {
    let mut shown = v1::GoodsCode::default();
    let fields = [
        &mut shown.unrecognised,
        &mut shown.ean8,
        &mut shown.ean13,
        &mut shown.itf14,
        &mut shown.gs1_unmarked,
        &mut shown.gs1_marked,
        &mut shown.short_code,
        &mut shown.fur,
        &mut shown.egais2,
        &mut shown.egais3,
        &mut shown.f1,
        &mut shown.f2,
        &mut shown.f3,
        &mut shown.f4,
        &mut shown.f5,
        &mut shown.f6,
    ];
    for ((tag, _), field) in GOODS_CODE_TAGS.into_iter().zip(fields) {
        if tag == stored.tag {
            *field = Some(stored.code.clone());
        }
    }
    shown
}

fn marking(stored: model::Marking) -> v1::Marking {
    v1::Marking {
        code: Some(stored.code),
        processing_mode: stored.mode,
        check_result: stored.check_result,
        planned_status: stored.planned_status,
        assigned_status: None,
        fraction: stored.fraction.map(|part| v1::Fraction {
            numerator: Some(part.numerator),
            denominator: Some(part.denominator),
            text: None,
        }),
        code_type: None,
    }
}

fn industry(stored: model::IndustryAttribute) -> v1::IndustryAttribute {
    v1::IndustryAttribute {
        federal_body: Some(stored.federal_body),
        basis_date: Some(dashed_day(&stored.document_date)),
        basis_number: Some(stored.document_number),
        value: Some(stored.value),
    }
}

fn operational(stored: model::OperationalAttribute, zone_minutes: i16) -> v1::OperationalAttribute {
    let time = Timestamp {
        seconds: stored.time.to_unix_in_zone(zone_minutes),
        nanos: 0,
    };
    v1::OperationalAttribute {
        operation: Some(stored.id),
        data: Some(stored.data),
        time: Some(time),
    }
}

fn correction(stored: model::Correction) -> v1::Correction {
    let basis = v1::CorrectionBasis {
        settlement_date: stored.settlement_date.map(day_text),
        order_number: stored.order_number,
        description: None,
    };
    let shown = (basis != v1::CorrectionBasis::default()).then_some(basis);
    v1::Correction {
        correction_type: Some(stored.kind),
        basis: shown,
    }
}

fn buyer(stored: model::Buyer) -> v1::Buyer {
    v1::Buyer {
        contact: stored.contact,
        name: stored.name,
        inn: inn(stored.inn),
        birth_date: stored.birth_date.as_deref().map(dashed_day),
        citizenship: stored.citizenship,
        document_kind: stored.document_kind,
        document_data: stored.document_data,
        address: stored.address,
    }
}
