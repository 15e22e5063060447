//! What our drivers can put on a document today. Not law: a refusal from here is "not yet", never a violation.
//!
//! Owns: the table of fields that are lawful and not yet made.
//! Must never: name a rule; when a driver learns a field, its line is deleted here.

use crate::model::{Buyer, Item, Receipt};
use crate::rules::Ffd;
use kassette_wire::codes::Code;

/// Most items that the drivers put on one receipt.
pub const MAX_ITEMS: usize = 100;

/// A lawful wish that no driver fulfils yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYet {
    /// Path of the (first) field in the model; empty when the document as a whole is meant.
    pub field: String,
    /// Its tag; `None` when no single tag is meant.
    pub tag: Option<u16>,
    /// Short reason, the same for every receipt that fails for it: `FFD 1.05`, `correction`, `tag 1057`, …
    pub reason: String,
}

impl NotYet {
    /// The reason of the daemon's list.
    pub const CODE: Code = Code::ReceiptNotServedYet;
}

/// Where a field stands.
enum Field {
    Receipt(fn(&Receipt) -> bool),
    Buyer(fn(&Buyer) -> bool),
    Item(fn(&Item) -> bool),
}

/// One line: the field's path, its tag, and whether a receipt has it.
type Line = (&'static str, u16, Field);

const LINES: [Line; 23] = [
    ("tax_site", 1060, Field::Receipt(|r| r.tax_site.is_some())),
    ("machine_number", 1036, Field::Receipt(|r| r.machine_number.is_some())),
    ("agent", 1057, Field::Receipt(|r| r.agent.is_some())),
    ("non_cash", 1234, Field::Receipt(|r| !r.non_cash.is_empty())),
    ("industry", 1261, Field::Receipt(|r| !r.industry.is_empty())),
    ("operational", 1270, Field::Receipt(|r| r.operational.is_some())),
    ("name", 1227, Field::Buyer(|b| b.name.is_some())),
    ("inn", 1228, Field::Buyer(|b| b.inn.is_some())),
    ("birth_date", 1243, Field::Buyer(|b| b.birth_date.is_some())),
    ("citizenship", 1244, Field::Buyer(|b| b.citizenship.is_some())),
    ("document_kind", 1245, Field::Buyer(|b| b.document_kind.is_some())),
    ("document_data", 1246, Field::Buyer(|b| b.document_data.is_some())),
    ("address", 1254, Field::Buyer(|b| b.address.is_some())),
    ("measure_text", 1197, Field::Item(|i| i.measure_text.is_some())),
    ("agent", 1222, Field::Item(|i| i.agent.is_some())),
    ("supplier", 1224, Field::Item(|i| i.supplier.is_some())),
    ("excise", 1229, Field::Item(|i| i.excise.is_some())),
    ("country", 1230, Field::Item(|i| i.country.is_some())),
    (
        "customs_declaration",
        1231,
        Field::Item(|i| i.customs_declaration.is_some()),
    ),
    ("goods_code_bytes", 1162, Field::Item(|i| i.goods_code_bytes.is_some())),
    ("goods_code", 1163, Field::Item(|i| i.goods_code.is_some())),
    ("marking", 2000, Field::Item(|i| i.marking.is_some())),
    ("industry", 1260, Field::Item(|i| !i.industry.is_empty())),
];

/// Everything in the receipt that no driver makes yet, each field once (at its first item).
///
/// The VAT that a client computed (1198, 1200 and the totals) is compared by rules C7-1200 and C7-1102 and not sent:
/// the register computes it.
#[must_use]
pub fn unsupported(receipt: &Receipt) -> Vec<NotYet> {
    let mut found = Vec::new();
    if receipt.correction.is_some() {
        found.push(NotYet {
            field: "correction".to_owned(),
            tag: Some(1173),
            reason: "correction".to_owned(),
        });
    }
    if receipt.items.len() > MAX_ITEMS {
        found.push(NotYet {
            field: "items".to_owned(),
            tag: Some(1059),
            reason: format!("more than {MAX_ITEMS} items"),
        });
    }
    let lines = LINES.iter().filter_map(|line| Some((path(line, receipt)?, line.1)));
    found.extend(lines.map(|(field, tag)| NotYet {
        field,
        tag: Some(tag),
        reason: format!("tag {tag}"),
    }));
    found
}

fn path((name, _, field): &Line, receipt: &Receipt) -> Option<String> {
    match field {
        Field::Receipt(has) => has(receipt).then(|| (*name).to_owned()),
        Field::Buyer(has) => receipt.buyer.as_ref().is_some_and(has).then(|| format!("buyer.{name}")),
        Field::Item(has) => receipt
            .items
            .iter()
            .position(has)
            .map(|at| format!("items[{at}].{name}")),
    }
}

/// Why documents of a format are not made yet; `None` when they are.
#[must_use]
pub fn unsupported_ffd(ffd: Ffd) -> Option<NotYet> {
    match ffd {
        Ffd::V1_2 => None,
        Ffd::V1_05 | Ffd::V1_1 => Some(NotYet {
            field: String::new(),
            tag: Some(1209),
            reason: format!("FFD {}", ffd.as_str()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_receipt_with_every_supported_field_is_made_today() {
        assert_eq!(unsupported(&sample::supported()), []);
        assert_eq!(unsupported(&sample::receipt()), []);
    }

    #[test]
    fn every_field_that_is_not_made_yet_is_named_once() {
        let mut everything = sample::everything();
        everything.items.push(everything.items[0].clone());
        let found = unsupported(&everything);
        assert_eq!(found[0].reason, "correction");
        let tags: Vec<u16> = found[1..].iter().filter_map(|one| one.tag).collect();
        let expected: Vec<u16> = LINES.iter().map(|line| line.1).collect();
        assert_eq!(tags, expected);
        let excise = found.iter().find(|one| one.tag == Some(1229)).unwrap();
        assert_eq!(
            (excise.field.as_str(), excise.reason.as_str()),
            ("items[0].excise", "tag 1229")
        );
    }

    #[test]
    fn more_items_than_a_driver_sends_are_not_made_yet() {
        let mut long = sample::receipt();
        long.items = vec![long.items[0].clone(); MAX_ITEMS + 1];
        assert_eq!(unsupported(&long)[0].reason, "more than 100 items");
        long.items.pop();
        assert_eq!(unsupported(&long), []);
    }

    #[test]
    fn only_ffd_1_2_is_made_today() {
        assert_eq!(unsupported_ffd(Ffd::V1_2), None);
        assert_eq!(
            unsupported_ffd(Ffd::V1_05).map(|one| one.reason),
            Some("FFD 1.05".to_owned())
        );
    }
}
