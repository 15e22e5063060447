//! Receipts through the contract and back, and hostile ones.

use super::findings::{RULE_FORM, RULE_NOT_YET};
use super::receipt::{Scene, receipt};
use super::show_receipt;
use kassette_api::v1;
use kassette_wire::value::Inn;
use prost_types::Timestamp;

const ZONE: i16 = 180;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn read(given: v1::Receipt) -> Result<super::receipt::ReadReceipt, Vec<v1::Violation>> {
    let tenant: Inn = "7704358518".parse().unwrap();
    let scene = Scene {
        tenant: &tenant,
        zone_minutes: Some(ZONE),
    };
    receipt(Some(given), &scene).map_err(super::findings::Findings::into_list)
}

fn small_item() -> v1::Item {
    v1::Item {
        name: text("Кофе"),
        price_kopecks: Some(12_200),
        quantity_millionths: Some(1_000_000),
        amount_kopecks: Some(12_200),
        vat_rate: Some(11),
        payment_method: Some(4),
        item_kind: Some(1),
        measure: Some(0),
        ..v1::Item::default()
    }
}

fn small() -> v1::Receipt {
    v1::Receipt {
        settlement_sign: Some(1),
        items: vec![small_item()],
        payments: Some(v1::Payments {
            cash_kopecks: Some(0),
            noncash_kopecks: Some(12_200),
            prepaid_kopecks: Some(0),
            credit_kopecks: Some(0),
            counter_provision_kopecks: Some(0),
            ..v1::Payments::default()
        }),
        total_kopecks: Some(12_200),
        ..v1::Receipt::default()
    }
}

fn agent() -> v1::AgentData {
    v1::AgentData {
        operation: text("перевод"),
        paying_agent_phones: vec!["+79990000001".into()],
        receiving_operator_phones: vec!["+79990000002".into(), "+79990000003".into()],
        transfer_operator_phones: vec!["+79990000004".into()],
        transfer_operator_name: text("Оператор"),
        transfer_operator_address: text("Москва"),
        transfer_operator_inn: text("7707083893"),
    }
}

fn industry() -> v1::IndustryAttribute {
    v1::IndustryAttribute {
        federal_body: text("030"),
        basis_date: text("2023-11-21"),
        basis_number: text("1944"),
        value: text("mode=horeca"),
    }
}

fn full_item() -> v1::Item {
    v1::Item {
        vat_per_unit_kopecks: Some(2_200),
        vat_kopecks: Some(0),
        unit_name: text("шт"),
        additional_attribute: text(""),
        excise_kopecks: Some(5),
        country_code: text("643"),
        customs_declaration: text("10702020/060520/0013422"),
        agent_sign: Some(64),
        agent: Some(agent()),
        supplier: Some(v1::SupplierData {
            name: text("Поставщик"),
            phones: vec!["+79990000005".into()],
        }),
        supplier_inn: text("000000000000"),
        industry_attributes: vec![industry()],
        goods_code_bytes: Some(vec![0x44, 0x4d, 0]),
        goods_code: Some(v1::GoodsCode {
            ean13: text("4006381333931"),
            ..v1::GoodsCode::default()
        }),
        marking: Some(v1::Marking {
            code: Some(vec![0, 29, 255]),
            processing_mode: Some(0),
            check_result: Some(15),
            planned_status: Some(2),
            fraction: Some(v1::Fraction {
                numerator: Some(1),
                denominator: Some(3),
                text: None,
            }),
            ..v1::Marking::default()
        }),
        ..small_item()
    }
}

/// A correction with every field that the model has a place for.
fn full() -> v1::Receipt {
    let mut full = v1::Receipt {
        tax_system: Some(2),
        items: vec![full_item(), small_item()],
        total_kopecks: Some(24_400),
        vat_totals: Some(v1::VatTotals {
            vat20_kopecks: Some(1),
            vat10_kopecks: Some(0),
            turnover_vat0_kopecks: Some(3),
            turnover_without_vat_kopecks: Some(4),
            vat20_120_kopecks: Some(5),
            vat10_110_kopecks: Some(6),
            others: vec![v1::VatAmount {
                vat_rate: Some(11),
                amount_kopecks: Some(7),
            }],
        }),
        correction: Some(v1::Correction {
            correction_type: Some(1),
            basis: Some(v1::CorrectionBasis {
                settlement_date: text("2026-11-20"),
                order_number: text("17"),
                description: None,
            }),
        }),
        buyer: Some(v1::Buyer {
            contact: text("buyer@example.com"),
            name: text("Иванов"),
            inn: text("500100732259"),
            birth_date: text("1990-02-28"),
            citizenship: text("643"),
            document_kind: text("21"),
            document_data: text("1234 567890"),
            address: text("Тула"),
        }),
        cashier_name: text("Кассир"),
        cashier_inn: text("500100732259"),
        settlement_address: text("Москва"),
        settlement_place: text("https://shop.example"),
        sender_email: text("shop@example.com"),
        tax_service_site: text("nalog.gov.ru"),
        machine_number: text("7"),
        internet_settlement: Some(true),
        additional_attribute: text("A1"),
        user_attribute: Some(v1::UserAttribute {
            name: text("заказ"),
            value: text("17"),
        }),
        industry_attributes: vec![industry()],
        operational_attribute: Some(v1::OperationalAttribute {
            operation: Some(0),
            data: text("x"),
            time: Some(Timestamp {
                seconds: 1_795_348_800,
                nanos: 0,
            }),
        }),
        agent_sign: Some(1),
        agent: Some(agent()),
        ..small()
    };
    if let Some(payments) = &mut full.payments {
        payments.noncash_kopecks = Some(24_400);
        payments.noncash_details = vec![v1::NoncashPayment {
            amount_kopecks: Some(24_400),
            method: Some(1),
            identifiers: text("id"),
            additional_data: text("more"),
        }];
    }
    full
}

#[test]
fn every_field_that_has_a_place_comes_back_as_it_was_given() {
    for given in [small(), full()] {
        let stored = read(given.clone()).unwrap();
        assert_eq!(stored.filled, []);
        assert_eq!(show_receipt::receipt(stored.receipt, Some(ZONE)), given);
    }
}

#[test]
fn absent_zero_and_empty_stay_three_things() {
    let mut absent = small();
    absent.items[0].vat_kopecks = None;
    let mut zero = small();
    zero.items[0].vat_kopecks = Some(0);
    let mut empty_text = small();
    empty_text.items[0].additional_attribute = text("");
    let mut empty_buyer = small();
    empty_buyer.buyer = Some(v1::Buyer::default());
    let mut empty_supplier = small();
    empty_supplier.items[0].supplier = Some(v1::SupplierData::default());
    let all = [absent, zero, empty_text, empty_buyer, empty_supplier];
    let stored: Vec<_> = all.iter().map(|given| read(given.clone()).unwrap().receipt).collect();
    for (at, one) in stored.iter().enumerate() {
        assert!(!stored[at + 1..].contains(one), "{at}");
        assert_eq!(show_receipt::receipt(one.clone(), None), all[at]);
    }
}

#[test]
fn a_receipt_without_anything_is_told_everything_it_lacks() {
    let empty = v1::Receipt {
        items: vec![v1::Item::default()],
        ..v1::Receipt::default()
    };
    let fields: Vec<_> = read(empty)
        .unwrap_err()
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    let expected = [
        "receipt.items[0].price_kopecks",
        "receipt.items[0].quantity_millionths",
        "receipt.items[0].name",
        "receipt.payments",
        "receipt.settlement_sign",
    ];
    assert_eq!(fields, expected);
    let nothing = receipt(
        None,
        &Scene {
            tenant: &"7704358518".parse().unwrap(),
            zone_minutes: None,
        },
    );
    assert_eq!(nothing.unwrap_err().into_list()[0].field, "receipt");
}

#[test]
fn sums_that_are_negative_or_do_not_fit_are_refused_wherever_they_stand() {
    for bad in [-1, i64::MIN, i64::MAX, 1 << 48] {
        let mut given = full();
        given.total_kopecks = Some(bad);
        given.items[0].price_kopecks = Some(bad);
        given.items[0].amount_kopecks = Some(bad);
        given.items[0].quantity_millionths = Some(bad);
        given.items[0].vat_kopecks = Some(bad);
        given.items[0].excise_kopecks = Some(bad);
        let payments = given.payments.as_mut().unwrap();
        payments.cash_kopecks = Some(bad);
        payments.noncash_details[0].amount_kopecks = Some(bad);
        given.vat_totals.as_mut().unwrap().others[0].amount_kopecks = Some(bad);
        let found = read(given).unwrap_err();
        assert_eq!(found.len(), 9, "{bad}: {found:#?}");
        assert!(
            found
                .iter()
                .all(|violation| violation.rule == RULE_FORM && violation.tag.is_some())
        );
    }
}

#[test]
fn sums_that_overflow_only_together_are_refused_and_never_wrap() {
    let mut given = small();
    given.items[0].amount_kopecks = Some((1 << 48) - 1);
    given.items.push(given.items[0].clone());
    given.total_kopecks = None;
    assert_eq!(read(given).unwrap_err()[0].field, "receipt.total_kopecks");
    let mut product = small();
    product.items[0].price_kopecks = Some((1 << 48) - 1);
    product.items[0].quantity_millionths = Some((1 << 48) - 1);
    product.items[0].amount_kopecks = None;
    assert_eq!(read(product).unwrap_err()[0].field, "receipt.items[0].amount_kopecks");
}

#[test]
fn amounts_and_total_that_were_left_out_are_computed_and_named() {
    let mut given = small();
    given.items[0].quantity_millionths = Some(2_500_000);
    given.items[0].amount_kopecks = None;
    given.total_kopecks = None;
    let stored = read(given).unwrap();
    assert_eq!(stored.receipt.total.get(), 30_500);
    let filled: Vec<_> = stored
        .filled
        .iter()
        .map(|one| (one.field.as_str(), one.value.as_str()))
        .collect();
    assert_eq!(
        filled,
        [
            ("receipt.items[0].amount_kopecks", "30500"),
            ("receipt.total_kopecks", "30500")
        ]
    );
}

#[test]
fn values_of_enums_that_this_version_does_not_know_are_refused() {
    for bad in [-1, 99, i32::MAX] {
        let given = v1::Receipt {
            form: bad,
            marking_policy: bad,
            ..small()
        };
        let found = read(given).unwrap_err();
        assert_eq!(
            found.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(),
            ["receipt.form", "receipt.marking_policy"]
        );
    }
}

#[test]
fn fields_without_a_place_are_refused_as_not_yet_and_never_dropped() {
    let mut given = v1::Receipt {
        internet_only: Some(false),
        time_zone: Some(2),
        user_name: text("Магазин"),
        supplier_phones: vec!["+7".into()],
        marking_check_result: Some(0),
        marking_policy: v1::MarkingPolicy::IssueAnyway.into(),
        form: v1::DocumentForm::Bso.into(),
        ffd_version: Some(4),
        ..full()
    };
    let payments = given.payments.as_mut().unwrap();
    payments.cash_tendered_kopecks = Some(0);
    payments.extended.push(v1::ExtendedPayment::default());
    given.items[0].wholesale = Some(false);
    given.items[0].reference = text("");
    given.items[0].goods_code.as_mut().unwrap().f1 = text("x");
    let marking = given.items[0].marking.as_mut().unwrap();
    (marking.assigned_status, marking.code_type) = (Some(1), Some(1));
    given.correction.as_mut().unwrap().basis.as_mut().unwrap().description = text("x");
    let found = read(given).unwrap_err();
    assert!(
        found.iter().all(|violation| violation.rule == RULE_NOT_YET),
        "{found:#?}"
    );
    assert_eq!(found.len(), 16, "{found:#?}");
}

#[test]
fn a_foreign_inn_wrong_check_digits_and_wrong_days_are_named() {
    let mut given = full();
    given.user_inn = text("7707083893");
    given.cashier_inn = text("123");
    given.buyer.as_mut().unwrap().inn = text("7704358519");
    given.buyer.as_mut().unwrap().birth_date = text("1990-02-30");
    given.items[0].supplier_inn = text("\u{0}");
    given.industry_attributes[0].basis_date = text("21.11.2023");
    given.agent_sign = None;
    let found = read(given).unwrap_err();
    let mut fields: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
    fields.sort_unstable();
    let expected = [
        "receipt.agent_sign",
        "receipt.buyer.birth_date",
        "receipt.buyer.inn",
        "receipt.cashier_inn",
        "receipt.industry_attributes[0].basis_date",
        "receipt.items[0].supplier_inn",
        "receipt.user_inn",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn the_tenants_own_inn_may_be_repeated() {
    assert!(
        read(v1::Receipt {
            user_inn: text("7704358518"),
            ..small()
        })
        .is_ok()
    );
}

#[test]
fn a_hundred_thousand_bad_items_give_a_bounded_answer() {
    let items = vec![v1::Item::default(); 100_000];
    let found = read(v1::Receipt { items, ..small() }).unwrap_err();
    assert_eq!(found.len(), super::findings::FINDINGS_MAX + 1);
}
