//! What our drivers can put on a document today. Not law: a refusal from here is "not yet", never a violation.
//!
//! Owns: the table of fields that are lawful and not yet made.
//! Must never: name a rule; when a driver learns a field, its line is deleted here.

use crate::model::{Item, Receipt};
use crate::rules::{Ffd, long_tlvs};
use kassette_wire::codes::Code;
use kassette_wire::text::encode_cp1251;

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

/// Most bytes of one TLV: what FF0C and FF4D of the Shtrih-M protocol carry in a frame of v1 (`shtrih-m` 1.2 and 3.5).
const TLV_MAX: usize = 249;
/// Largest sum: what a money field of the Shtrih-M protocol holds (`shtrih-m` section 0).
const SUM_MAX: u64 = 9_999_999_999;

/// One line: the field's path, its tag, whether an item has it, and the reason.
type Line = (&'static str, u16, fn(&Item) -> bool, &'static str);

const LINES: [Line; 6] = [
    ("goods_code", 1163, marked_code, "tag 1163 of marked goods"),
    ("marking", 2000, |item| item.marking.is_some(), "tag 2000"),
    // The name goes to the register in windows-1251 and comes to stand in CP866: R12 asks for the second alone.
    (
        "name",
        1030,
        |item| encode_cp1251(&item.name).is_err(),
        "a name with a character that windows-1251 lacks",
    ),
    // "Do not print" (3.5); whether the slashes stand in the document is not said.
    (
        "name",
        1030,
        |item| item.name.starts_with("//"),
        "a name that begins with //",
    ),
    (
        "price",
        1079,
        |item| item.price.get() > SUM_MAX,
        "a sum above 99999999.99",
    ),
    (
        "amount",
        1043,
        |item| item.amount.get() > SUM_MAX,
        "a sum above 99999999.99",
    ),
];

fn marked_code(item: &Item) -> bool {
    let code = item.goods_code.as_ref();
    code.is_some_and(|code| needs_marking_exchange(code.tag))
}

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
    if receipt.total.get() > SUM_MAX {
        found.push(NotYet {
            field: "total".to_owned(),
            tag: Some(1020),
            reason: "a sum above 99999999.99".to_owned(),
        });
    }
    found.extend(LINES.iter().filter_map(|line| in_item(line, receipt)));
    for (field, tag, bytes) in long_tlvs(receipt) {
        let known = |one: &NotYet| one.tag == Some(tag);
        if bytes > TLV_MAX && !found.iter().any(known) {
            let reason = format!("tag {tag} longer than {TLV_MAX} bytes");
            found.push(NotYet {
                field,
                tag: Some(tag),
                reason,
            });
        }
    }
    found
}

fn in_item((name, tag, has, reason): &Line, receipt: &Receipt) -> Option<NotYet> {
    let at = receipt.items.iter().position(has)?;
    Some(NotYet {
        field: format!("items[{at}].{name}"),
        tag: Some(*tag),
        reason: (*reason).to_owned(),
    })
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
    use crate::model::{GoodsCode, Supplier};
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
                ("items[1].goods_code", "tag 1163 of marked goods"),
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
    fn what_the_registers_commands_cannot_carry_is_said_before_a_job_is_taken() {
        type Change = fn(&mut Receipt);
        let cases: [(&str, &str, Change); 9] = [
            ("total", "a sum above 99999999.99", |r| {
                r.total = sample::kopecks(SUM_MAX + 1)
            }),
            ("items[0].price", "a sum above 99999999.99", |r| {
                r.items[0].price = sample::kopecks(SUM_MAX + 1);
            }),
            ("items[0].name", "a name that begins with //", |r| {
                r.items[0].name = "//Чай".into()
            }),
            (
                "items[0].name",
                "a name with a character that windows-1251 lacks",
                |r| {
                    r.items[0].name = "кВт∙ч".into();
                },
            ),
            ("address", "tag 1009 longer than 249 bytes", |r| {
                r.address = Some("а".repeat(246))
            }),
            ("user_attribute", "tag 1084 longer than 249 bytes", |r| {
                r.user_attribute.as_mut().unwrap().value = "а".repeat(234);
            }),
            ("buyer", "tag 1256 longer than 249 bytes", |r| {
                r.buyer.as_mut().unwrap().address = Some("а".repeat(243));
            }),
            ("items[0].supplier", "tag 1224 longer than 249 bytes", |r| {
                r.items[0].supplier = Some(Supplier {
                    inn: None,
                    name: Some("а".repeat(243)),
                    phones: vec![],
                });
            }),
            ("items[0].industry", "tag 1260 longer than 249 bytes", |r| {
                let mut long = sample::everything().items[0].industry[0].clone();
                long.value = "а".repeat(240);
                r.items[0].industry = vec![long.clone(), long];
            }),
        ];
        for (field, reason, change) in cases {
            let mut receipt = sample::supported();
            change(&mut receipt);
            let found = unsupported(&receipt);
            let named: Vec<_> = found
                .iter()
                .map(|one| (one.field.as_str(), one.reason.as_str()))
                .collect();
            assert_eq!(named, [(field, reason)]);
        }
        let mut fits = sample::supported();
        fits.address = Some("а".repeat(245));
        assert_eq!(unsupported(&fits), []);
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
