//! Receipts for the tests of this crate.
//!
//! Owns: one plain lawful receipt, one with every field of the first drivers, one with every field of the model.
//! Must never: change without the fixed hash vectors being read again: they are computed over these.

use crate::model::*;
use kassette_wire::value::{Inn, Kopecks, LocalTime, Quantity};

pub(crate) fn kopecks(sum: u64) -> Kopecks {
    Kopecks::new(sum).unwrap()
}

fn inn() -> Inn {
    "500100732259".parse().unwrap()
}

pub(crate) fn item() -> Item {
    Item {
        name: "Чай".into(),
        price: kopecks(12_200),
        quantity: Quantity::ONE,
        amount: kopecks(12_200),
        measure: Some(0),
        measure_text: None,
        vat_rate: Some(11),
        vat_per_unit: None,
        vat_amount: None,
        method: Some(4),
        subject: Some(1),
        agent: None,
        supplier: None,
        additional_attribute: None,
        excise: None,
        country: None,
        customs_declaration: None,
        goods_code_bytes: None,
        goods_code: None,
        marking: None,
        industry: vec![],
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        sign: 1,
        tax_system: Some(1),
        items: vec![item()],
        total: kopecks(12_200),
        payments: Payments {
            electronic: kopecks(12_200),
            ..Payments::default()
        },
        non_cash: vec![],
        vat_totals: vec![],
        internet: None,
        cashier: None,
        address: None,
        place: None,
        tax_site: None,
        sender_email: None,
        machine_number: None,
        agent: None,
        additional_attribute: None,
        user_attribute: None,
        industry: vec![],
        operational: None,
        correction: None,
        buyer: None,
    }
}

pub(crate) fn supported() -> Receipt {
    let mut receipt = receipt();
    receipt.items[0].vat_per_unit = Some(kopecks(2_200));
    receipt.items[0].vat_amount = Some(kopecks(2_201));
    receipt.items[0].additional_attribute = Some("без сахара".into());
    receipt.vat_totals = vec![VatTotal {
        rate: 11,
        amount: kopecks(2_200),
    }];
    receipt.internet = Some(true);
    receipt.cashier = Some(Cashier {
        name: "Кассир Иванова".into(),
        inn: Some(inn()),
    });
    receipt.address = Some("г. Москва, ул. Мира, д. 1".into());
    receipt.place = Some("https://shop.example".into());
    receipt.sender_email = Some("receipts@shop.example".into());
    receipt.additional_attribute = Some("1234567890".into());
    receipt.user_attribute = Some(UserAttribute {
        name: "заказ".into(),
        value: "A-17".into(),
    });
    receipt.buyer = Some(Buyer {
        contact: Some("+79161234567".into()),
        ..Buyer::default()
    });
    receipt
}

fn agent() -> Agent {
    Agent {
        sign: 1,
        operation: Some("перевод".into()),
        agent_phones: vec!["+79160000001".into()],
        acceptor_phones: vec!["+79160000002".into()],
        transfer_phones: vec!["+79160000003".into(), "+79160000004".into()],
        transfer_name: Some("Оператор".into()),
        transfer_address: Some("г. Тверь".into()),
        transfer_inn: Some(inn()),
    }
}

fn industry() -> IndustryAttribute {
    IndustryAttribute {
        federal_body: "030".into(),
        document_date: "21.11.2023".into(),
        document_number: "1944".into(),
        value: "UUID=1&Time=2".into(),
    }
}

fn full_item() -> Item {
    Item {
        measure_text: Some("шт".into()),
        agent: Some(agent()),
        supplier: Some(Supplier {
            inn: Some(inn()),
            name: Some("Поставщик".into()),
            phones: vec!["+79160000005".into()],
        }),
        excise: Some(Kopecks::ZERO),
        country: Some("643".into()),
        customs_declaration: Some("10702020/060520/0013422".into()),
        goods_code_bytes: Some(vec![0x45, 0x0D, 1, 2, 3, 4, 5, 6]),
        goods_code: Some(GoodsCode {
            tag: 1302,
            code: "4607001234567".into(),
        }),
        marking: Some(Marking {
            code: b"010460406000600021N4N57RSCBUZTQ\x1d91003A".to_vec(),
            planned_status: Some(1),
            mode: Some(0),
            check_result: Some(15),
            fraction: Some(Fraction {
                numerator: 1,
                denominator: 2,
            }),
        }),
        industry: vec![industry()],
        ..supported().items[0].clone()
    }
}

pub(crate) fn everything() -> Receipt {
    Receipt {
        items: vec![full_item()],
        non_cash: vec![NonCashPayment {
            amount: kopecks(12_200),
            method: Some(1),
            identifiers: Some("pay-1".into()),
            extra: Some("СБП".into()),
        }],
        tax_site: Some("nalog.gov.ru".into()),
        machine_number: Some("17".into()),
        agent: Some(agent()),
        industry: vec![industry()],
        operational: Some(OperationalAttribute {
            id: 0,
            data: "данные".into(),
            time: LocalTime::new(2026, 11, 22, 15, 0, 0).unwrap(),
        }),
        correction: Some(Correction {
            kind: 1,
            settlement_date: Some(LocalTime::new(2026, 11, 1, 0, 0, 0).unwrap()),
            order_number: Some("12-3".into()),
        }),
        buyer: Some(Buyer {
            contact: Some("+79161234567".into()),
            name: Some("Петров Петр".into()),
            inn: Some(inn()),
            birth_date: Some("01.02.1990".into()),
            citizenship: Some("643".into()),
            document_kind: Some("21".into()),
            document_data: Some("4510 123456".into()),
            address: Some("г. Клин".into()),
        }),
        ..supported()
    }
}
