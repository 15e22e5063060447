//! What our drivers can put on a document today. Not law: a refusal from here is "not yet", never a violation.
//!
//! Owns: the table of fields that are lawful and not yet made.
//! Must never: name a rule; when a driver learns a field, its line is deleted here.

use crate::model::{Item, Receipt};
use crate::rules::Ffd;
use kassette_wire::codes::Code;

/// A lawful wish that no driver fulfils yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYet {
    /// Path of the (first) field in the model; empty when the document as a whole is meant.
    pub field: String,
    /// Its tag; `None` when no single tag is meant.
    pub tag: Option<u16>,
    /// Short reason, the same for every receipt that fails for it: `FFD 1.1`, `correction`, `tag 2000`, …
    pub reason: String,
}

impl NotYet {
    /// The reason of the daemon's list.
    pub const CODE: Code = Code::ReceiptNotServedYet;
}

/// One line: the field's path, its tag, and whether an item has it.
type Line = (&'static str, u16, fn(&Item) -> bool);

const LINES: [Line; 2] = [
    ("goods_code", 1163, |item| {
        item.goods_code
            .as_ref()
            .is_some_and(|code| needs_marking_exchange(code.tag))
    }),
    ("marking", 2000, |item| item.marking.is_some()),
];

/// Whether a goods code (an inner tag of 1163) is of marked goods (`fn-ffd-ofd` C.6: 1305 GS1.M, 1306 short, 1307 fur, 1308
/// and 1309 EGAIS). Such a code stands in a receipt only after the FN has checked it.
#[must_use]
pub const fn needs_marking_exchange(tag: u32) -> bool {
    matches!(tag, 1305..=1309)
}

/// Everything in the receipt that no driver makes yet, each field once (at its first item).
///
/// The VAT that a client computed (1200 and the totals) is compared by rules C7-1200 and C7-1102 and not sent: the
/// register computes it.
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
    let lines = LINES.iter().filter_map(|line| Some((path(line, receipt)?, line.1)));
    found.extend(lines.map(|(field, tag)| NotYet {
        field,
        tag: Some(tag),
        reason: format!("tag {tag}"),
    }));
    found
}

fn path((name, _, has): &Line, receipt: &Receipt) -> Option<String> {
    let at = receipt.items.iter().position(has)?;
    Some(format!("items[{at}].{name}"))
}

/// Why documents of a format are not made yet; `None` when they are.
#[must_use]
pub fn unsupported_ffd(ffd: Ffd) -> Option<NotYet> {
    match ffd {
        Ffd::V1_05 | Ffd::V1_2 => None,
        Ffd::V1_1 => Some(NotYet {
            field: String::new(),
            tag: Some(1209),
            reason: format!("FFD {}", ffd.as_str()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GoodsCode;
    use crate::sample;

    #[test]
    fn a_receipt_with_every_supported_field_is_made_today() {
        assert_eq!(unsupported(&sample::supported()), []);
        assert_eq!(unsupported(&sample::receipt()), []);
    }

    #[test]
    fn every_field_that_is_not_made_yet_is_named_once() {
        let mut everything = sample::everything();
        everything.items[0].goods_code = Some(GoodsCode {
            tag: 1305,
            code: "0104604060006000".into(),
        });
        everything.items.insert(0, sample::item());
        everything.items.push(everything.items[1].clone());
        let found = unsupported(&everything);
        let named: Vec<_> = found
            .iter()
            .map(|one| (one.field.as_str(), one.reason.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("correction", "correction"),
                ("items[1].goods_code", "tag 1163"),
                ("items[1].marking", "tag 2000")
            ]
        );
    }

    #[test]
    fn a_goods_code_that_is_not_marked_needs_no_exchange() {
        let mut receipt = sample::receipt();
        for (tag, marked) in [(1300, false), (1302, false), (1305, true), (1309, true), (1320, false)] {
            let code = "4607001234567".into();
            receipt.items[0].goods_code = Some(GoodsCode { tag, code });
            assert_eq!(!unsupported(&receipt).is_empty(), marked, "{tag}");
        }
    }

    #[test]
    fn ffd_1_1_is_the_one_format_that_is_not_made() {
        assert_eq!([Ffd::V1_05, Ffd::V1_2].map(unsupported_ffd), [None, None]);
        assert_eq!(
            unsupported_ffd(Ffd::V1_1).map(|one| one.reason),
            Some("FFD 1.1".to_owned())
        );
    }
}
