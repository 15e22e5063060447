//! Buyer, agent, supplier and the attributes of a receipt: contract to domain.
//!
//! Owns: where each of their tags goes.
//! Must never: keep personal data anywhere but in the value it returns.

use super::findings::{At, Findings};
use super::time::{dotted_day, instant};
use super::values::{inn, required};
use kassette_api::v1;
use kassette_receipts::model::{Agent, Buyer, IndustryAttribute, OperationalAttribute, Supplier, UserAttribute};
use kassette_wire::value::LocalTime;

/// The buyer. An empty one stays an empty one.
pub fn buyer(findings: &mut Findings, at: &At<'_>, given: v1::Buyer) -> Buyer {
    Buyer {
        contact: given.contact,
        name: given.name,
        inn: inn(findings, &at.field("inn"), 1228, given.inn.as_deref()),
        birth_date: dotted_day(findings, &at.field("birth_date"), 1243, given.birth_date.as_deref()),
        citizenship: given.citizenship,
        document_kind: given.document_kind,
        document_data: given.document_data,
        address: given.address,
    }
}

/// Agent sign and agent data of an item (tags 1222, 1223) or of a receipt (1057); `sign_tag` says which. An empty
/// `AgentData` says nothing and is the same as none.
pub fn agent(
    findings: &mut Findings,
    parent: &At<'_>,
    sign_tag: u32,
    sign: Option<u32>,
    data: Option<v1::AgentData>,
) -> Option<Agent> {
    let at = parent.field("agent");
    let data = data.unwrap_or_default();
    let Some(sign) = sign else {
        if data != v1::AgentData::default() {
            findings.missing(&parent.field("agent_sign"), Some(sign_tag));
        }
        return None;
    };
    let transfer_inn = data.transfer_operator_inn.as_deref();
    Some(Agent {
        sign,
        operation: data.operation.clone(),
        transfer_inn: inn(findings, &at.field("transfer_operator_inn"), 1016, transfer_inn),
        agent_phones: data.paying_agent_phones,
        acceptor_phones: data.receiving_operator_phones,
        transfer_phones: data.transfer_operator_phones,
        transfer_name: data.transfer_operator_name,
        transfer_address: data.transfer_operator_address,
    })
}

/// Supplier of an item: its data (tag 1224) and its INN (1226).
pub fn supplier(
    findings: &mut Findings,
    item: &At<'_>,
    data: Option<v1::SupplierData>,
    number: Option<&str>,
) -> Option<Supplier> {
    if data.is_none() && number.is_none() {
        return None;
    }
    let data = data.unwrap_or_default();
    let inn = inn(findings, &item.field("supplier_inn"), 1226, number);
    Some(Supplier {
        inn,
        name: data.name,
        phones: data.phones,
    })
}

/// The user's additional attribute, tag 1084.
pub fn user_attribute(findings: &mut Findings, at: &At<'_>, given: v1::UserAttribute) -> UserAttribute {
    UserAttribute {
        name: required(findings, &at.field("name"), 1085, given.name),
        value: required(findings, &at.field("value"), 1086, given.value),
    }
}

/// Industry attributes, tag 1260 of an item or 1261 of a receipt.
pub fn industry(findings: &mut Findings, parent: &At<'_>, given: Vec<v1::IndustryAttribute>) -> Vec<IndustryAttribute> {
    given
        .into_iter()
        .enumerate()
        .map(|(index, one)| {
            let at = parent.element("industry_attributes", index);
            let date_at = at.field("basis_date");
            let date = dotted_day(findings, &date_at, 1263, one.basis_date.as_deref());
            if one.basis_date.is_none() {
                findings.missing(&date_at, Some(1263));
            }
            IndustryAttribute {
                federal_body: required(findings, &at.field("federal_body"), 1262, one.federal_body),
                document_date: date.unwrap_or_default(),
                document_number: required(findings, &at.field("basis_number"), 1264, one.basis_number),
                value: required(findings, &at.field("value"), 1265, one.value),
            }
        })
        .collect()
}

/// The operational attribute, tag 1270. Its time is written in the zone of the registration, so that zone must be
/// known and one for all of the tenant's registers.
pub fn operational(
    findings: &mut Findings,
    at: &At<'_>,
    zone_minutes: Option<i16>,
    given: &v1::OperationalAttribute,
) -> Option<OperationalAttribute> {
    let time_at = at.field("time");
    let id = required(findings, &at.field("operation"), 1271, given.operation);
    let data = required(findings, &at.field("data"), 1272, given.data.clone());
    if given.time.is_none() {
        findings.missing(&time_at, Some(1273));
    }
    let instant = instant(findings, &time_at, given.time.as_ref())?;
    let Some(zone) = zone_minutes else {
        findings.form(
            &time_at,
            Some(1273),
            "cannot be written: the tenant's registers have no common time zone",
            "у ККТ налогоплательщика нет общей часовой зоны",
        );
        return None;
    };
    match LocalTime::at_zone(instant.seconds(), zone) {
        Ok(time) => Some(OperationalAttribute { id, data, time }),
        Err(error) => {
            findings.form(&time_at, Some(1273), error, "нет такого момента в календаре");
            None
        }
    }
}
