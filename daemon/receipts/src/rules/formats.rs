//! Rule C4: what has a place in the format of the registration, and what stands only beside something else.
//!
//! Owns: which fields exist in FFD 1.05 alone and in 1.2 alone (`fn-ffd-ofd` C.4, columns of the two formats).
//! Must never: move a field to another tag; the document is made of what the client stated.

use super::context::{Ffd, RuleContext};
use super::findings::Findings;
use super::place::Place;
use crate::model::{Item, Receipt};

/// Takes a field that is there, and its tag.
type Found<'f> = dyn FnMut(&Place<'_>, u16) + 'f;

/// C4.
pub(super) fn places(receipt: &Receipt, context: &RuleContext, findings: &mut Findings) {
    let Some(facts) = &context.registration else {
        let mut bound = false;
        only_in_1_05(receipt, &mut |_, _| bound = true);
        only_in_1_2(receipt, &mut |_, _| bound = true);
        if bound {
            findings.unanswered();
        }
        return;
    };
    let ffd = facts.ffd;
    let mut refuse = |place: &Place<'_>, tag: u16| {
        if findings.full() {
            return;
        }
        findings.add_with(
            Some(place),
            tag,
            format!("tag {tag} has no place in FFD {}", ffd.as_str()),
            format!("в ФФД {} нет реквизита {tag}", ffd.as_str()),
            instead(tag).to_owned(),
        );
    };
    match ffd {
        Ffd::V1_2 => only_in_1_05(receipt, &mut refuse),
        Ffd::V1_05 | Ffd::V1_1 => only_in_1_2(receipt, &mut refuse),
    }
}

const fn instead(tag: u16) -> &'static str {
    match tag {
        1057 => "give the agent of each item (1222, 1223)",
        1162 => "give the goods code of FFD 1.2 (1163)",
        1163 => "give the goods code of FFD 1.05 (1162)",
        1197 => "give the measure of FFD 1.2 (2108), alone or beside the text",
        _ => "leave the field out, or use a register of FFD 1.2",
    }
}

fn only_in_1_05(receipt: &Receipt, found: &mut Found<'_>) {
    if receipt.agent.is_some() {
        found(&Place::top("agent").child("sign"), 1057);
    }
    for (at, item) in receipt.items.iter().enumerate() {
        let place = Place::item(at);
        if item.goods_code_bytes.is_some() {
            found(&place.child("goods_code_bytes"), 1162);
        }
        // Beside 2108 it says the same for a register of FFD 1.05.
        if item.measure_text.is_some() && item.measure.is_none() {
            found(&place.child("measure_text"), 1197);
        }
    }
}

fn only_in_1_2(receipt: &Receipt, found: &mut Found<'_>) {
    if !receipt.non_cash.is_empty() {
        found(&Place::top("non_cash"), 1234);
    }
    if !receipt.industry.is_empty() {
        found(&Place::top("industry"), 1261);
    }
    if receipt.operational.is_some() {
        found(&Place::top("operational"), 1270);
    }
    if let Some(buyer) = &receipt.buyer {
        let place = Place::top("buyer");
        let later = [
            ("birth_date", 1243, &buyer.birth_date),
            ("citizenship", 1244, &buyer.citizenship),
            ("document_kind", 1245, &buyer.document_kind),
            ("document_data", 1246, &buyer.document_data),
            ("address", 1254, &buyer.address),
        ];
        for (name, tag, _) in later.iter().filter(|(_, _, text)| text.is_some()) {
            found(&place.child(name), *tag);
        }
    }
    for (at, item) in receipt.items.iter().enumerate() {
        item_of_1_2(item, &Place::item(at), found);
    }
}

fn item_of_1_2(item: &Item, place: &Place<'_>, found: &mut Found<'_>) {
    if item.goods_code.is_some() {
        found(&place.child("goods_code"), 1163);
    }
    if item.marking.is_some() {
        found(&place.child("marking"), 2000);
    }
    if !item.industry.is_empty() {
        found(&place.child("industry"), 1260);
    }
}

/// C4-1234: the details of non-cash payments stand beside a sum of them.
pub(super) fn details_of_non_cash(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    if receipt.non_cash.is_empty() || receipt.payments.electronic.get() > 0 {
        return;
    }
    findings.add(
        Some(&Place::top("non_cash")),
        1234,
        "details of non-cash payments are given, but nothing was paid so".to_owned(),
        "указаны сведения о безналичных оплатах, а безналичной суммы нет".to_owned(),
    );
}
