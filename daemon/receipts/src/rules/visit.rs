//! Walks over every text of a receipt.
//!
//! Owns: which fields are texts, and under which tag each stands.
//! Must never: judge one.

use super::place::Place;
use crate::model::{Agent, Buyer, IndustryAttribute, Item, Receipt};

/// Takes one text; `false` ends the walk.
pub(super) type Visit<'v> = dyn FnMut(&Place<'_>, u16, &str) -> bool + 'v;

/// Every text of the receipt, in the order of the model; ends early when `visit` says so.
pub(super) fn texts(receipt: &Receipt, visit: &mut Visit<'_>) {
    // The answer of the walk only ends it.
    let _ = items(receipt, visit) && header(receipt, visit) && buyer(receipt.buyer.as_ref(), visit);
}

fn one(place: &Place<'_>, tag: u16, text: Option<&String>, visit: &mut Visit<'_>) -> bool {
    text.is_none_or(|text| visit(place, tag, text))
}

fn list(parent: &Place<'_>, name: &'static str, tag: u16, texts: &[String], visit: &mut Visit<'_>) -> bool {
    texts
        .iter()
        .enumerate()
        .all(|(at, text)| visit(&parent.child_at(name, at), tag, text))
}

fn items(receipt: &Receipt, visit: &mut Visit<'_>) -> bool {
    receipt
        .items
        .iter()
        .enumerate()
        .all(|(at, one)| item(one, &Place::item(at), visit))
}

fn item(item: &Item, place: &Place<'_>, visit: &mut Visit<'_>) -> bool {
    visit(&place.child("name"), 1030, &item.name)
        && one(&place.child("measure_text"), 1197, item.measure_text.as_ref(), visit)
        && one(
            &place.child("additional_attribute"),
            1191,
            item.additional_attribute.as_ref(),
            visit,
        )
        && one(&place.child("country"), 1230, item.country.as_ref(), visit)
        && one(
            &place.child("customs_declaration"),
            1231,
            item.customs_declaration.as_ref(),
            visit,
        )
        && item
            .agent
            .as_ref()
            .is_none_or(|data| agent(data, &place.child("agent"), visit))
        && supplier(item, place, visit)
        && goods_code(item, place, visit)
        && industry(&item.industry, |at| place.child_at("industry", at), visit)
}

fn supplier(item: &Item, place: &Place<'_>, visit: &mut Visit<'_>) -> bool {
    let place = place.child("supplier");
    item.supplier.as_ref().is_none_or(|supplier| {
        one(&place.child("name"), 1225, supplier.name.as_ref(), visit)
            && list(&place, "phones", 1171, &supplier.phones, visit)
    })
}

fn goods_code(item: &Item, place: &Place<'_>, visit: &mut Visit<'_>) -> bool {
    let place = place.child("goods_code");
    item.goods_code.as_ref().is_none_or(|code| {
        visit(
            &place.child("code"),
            u16::try_from(code.tag).unwrap_or(1163),
            &code.code,
        )
    })
}

fn industry<'a>(list: &[IndustryAttribute], place: impl Fn(usize) -> Place<'a>, visit: &mut Visit<'_>) -> bool {
    list.iter().enumerate().all(|(at, attribute)| {
        let place = place(at);
        visit(&place.child("federal_body"), 1262, &attribute.federal_body)
            && visit(&place.child("document_date"), 1263, &attribute.document_date)
            && visit(&place.child("document_number"), 1264, &attribute.document_number)
            && visit(&place.child("value"), 1265, &attribute.value)
    })
}

fn agent(agent: &Agent, place: &Place<'_>, visit: &mut Visit<'_>) -> bool {
    one(&place.child("operation"), 1044, agent.operation.as_ref(), visit)
        && list(place, "agent_phones", 1073, &agent.agent_phones, visit)
        && list(place, "acceptor_phones", 1074, &agent.acceptor_phones, visit)
        && list(place, "transfer_phones", 1075, &agent.transfer_phones, visit)
        && one(&place.child("transfer_name"), 1026, agent.transfer_name.as_ref(), visit)
        && one(
            &place.child("transfer_address"),
            1005,
            agent.transfer_address.as_ref(),
            visit,
        )
}

fn header(receipt: &Receipt, visit: &mut Visit<'_>) -> bool {
    let cashier = Place::top("cashier");
    receipt
        .cashier
        .as_ref()
        .is_none_or(|who| visit(&cashier.child("name"), 1021, &who.name))
        && one(&Place::top("address"), 1009, receipt.address.as_ref(), visit)
        && one(&Place::top("place"), 1187, receipt.place.as_ref(), visit)
        && one(&Place::top("tax_site"), 1060, receipt.tax_site.as_ref(), visit)
        && one(&Place::top("sender_email"), 1117, receipt.sender_email.as_ref(), visit)
        && one(
            &Place::top("machine_number"),
            1036,
            receipt.machine_number.as_ref(),
            visit,
        )
        && one(
            &Place::top("additional_attribute"),
            1192,
            receipt.additional_attribute.as_ref(),
            visit,
        )
        && receipt
            .agent
            .as_ref()
            .is_none_or(|data| agent(data, &Place::top("agent"), visit))
        && containers(receipt, visit)
}

fn containers(receipt: &Receipt, visit: &mut Visit<'_>) -> bool {
    let (user, correction) = (Place::top("user_attribute"), Place::top("correction"));
    let operational = Place::top("operational");
    receipt.user_attribute.as_ref().is_none_or(|attribute| {
        visit(&user.child("name"), 1085, &attribute.name) && visit(&user.child("value"), 1086, &attribute.value)
    }) && industry(&receipt.industry, |at| Place::top_at("industry", at), visit)
        && receipt
            .operational
            .as_ref()
            .is_none_or(|attribute| visit(&operational.child("data"), 1272, &attribute.data))
        && receipt.correction.as_ref().is_none_or(|ground| {
            one(
                &correction.child("order_number"),
                1179,
                ground.order_number.as_ref(),
                visit,
            )
        })
        && receipt.non_cash.iter().enumerate().all(|(at, payment)| {
            let place = Place::top_at("non_cash", at);
            one(&place.child("identifiers"), 1237, payment.identifiers.as_ref(), visit)
                && one(&place.child("extra"), 1238, payment.extra.as_ref(), visit)
        })
}

fn buyer(buyer: Option<&Buyer>, visit: &mut Visit<'_>) -> bool {
    let place = Place::top("buyer");
    buyer.is_none_or(|who| {
        one(&place.child("contact"), 1008, who.contact.as_ref(), visit)
            && one(&place.child("name"), 1227, who.name.as_ref(), visit)
            && one(&place.child("birth_date"), 1243, who.birth_date.as_ref(), visit)
            && one(&place.child("citizenship"), 1244, who.citizenship.as_ref(), visit)
            && one(&place.child("document_kind"), 1245, who.document_kind.as_ref(), visit)
            && one(&place.child("document_data"), 1246, who.document_data.as_ref(), visit)
            && one(&place.child("address"), 1254, who.address.as_ref(), visit)
    })
}
