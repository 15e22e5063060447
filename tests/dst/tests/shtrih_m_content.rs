//! What the Shtrih-M driver puts on a document, tag by tag, as the simulated FN holds it.
//!
//! Owns: a hand-written list of tags for each receipt, and the one list of tags that a register adds.
//! Must never: take an expected tag from the table that the driver sends by.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod one_register;

use kassette_core::domain::attempt::{KeyPlace, Made, ReceiptOrder};
use kassette_core::domain::explain::{Explained, Wanted, explain};
use kassette_core::drivers::{DocumentRead, Driver};
use kassette_hw_sim::models::shtrih_m::{Config, Ffd, LinkKind};
use kassette_receipts::model::{
    Agent, Buyer, Cashier, GoodsCode, IndustryAttribute, Item, NonCashPayment, OperationalAttribute, Payments, Receipt,
    Supplier, UserAttribute,
};
use kassette_wire::ffd::{Document, Tag, Tlv, TlvList};
use kassette_wire::text::encode_cp866;
use kassette_wire::value::{FdNumber, Inn, LocalTime};
use one_register::{World, beside, config, item, key, kopecks, order, ready, receipt};

/// Tags that the register or the FN puts on a receipt where the client said nothing.
const ADDED: [u16; 24] = [
    1009, 1012, 1018, 1021, 1036, 1037, 1038, 1040, 1041, 1042, 1048, 1060, 1077, 1102, 1103, 1104, 1105, 1106, 1107,
    1108, 1115, 1117, 1187, 1209,
];

fn of(ffd: Ffd) -> Config {
    let mut config = config(LinkKind::Pty);
    config.ffd = ffd;
    config
}

/// A text in CP866.
fn text(tag: u16, text: &str) -> (u16, Vec<u8>) {
    (tag, encode_cp866(text).unwrap())
}

fn padded(tag: u16, value: &str, width: usize) -> (u16, Vec<u8>) {
    let mut bytes = encode_cp866(value).unwrap();
    bytes.resize(width, b' ');
    (tag, bytes)
}

fn list(tag: u16, inner: &[(u16, Vec<u8>)]) -> (u16, Vec<u8>) {
    let mut bytes = Vec::new();
    for (tag, value) in inner {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend(value);
    }
    (tag, bytes)
}

fn pairs(tags: &TlvList) -> Vec<(u16, Vec<u8>)> {
    tags.items.iter().map(|tlv| (tlv.tag.0, tlv.value.clone())).collect()
}

/// Tags of an item without what FF46 states or the register computes, sorted by tag.
fn own_tags(item: &TlvList) -> Vec<(u16, Vec<u8>)> {
    let by_ff46 = [1023, 1030, 1043, 1079, 1199, 1200, 1212, 1214];
    sorted(pairs(item).into_iter().filter(|(tag, _)| !by_ff46.contains(tag)))
}

/// Tags of the document without items and sums, and without what was added though nobody asked.
fn document_tags(document: &Document, asked: &[(u16, Vec<u8>)]) -> Vec<(u16, Vec<u8>)> {
    let by_commands = [1020, 1031, 1054, 1055, 1059, 1081, 1215, 1216, 1217];
    let wanted = |tag: u16| asked.iter().any(|(one, _)| *one == tag);
    let kept = |(tag, _): &(u16, Vec<u8>)| !by_commands.contains(tag) && (wanted(*tag) || !ADDED.contains(tag));
    sorted(pairs(&document.tags).into_iter().filter(kept))
}

/// By tag; those of one tag stay in their order.
fn sorted(tags: impl IntoIterator<Item = (u16, Vec<u8>)>) -> Vec<(u16, Vec<u8>)> {
    let mut tags: Vec<_> = tags.into_iter().collect();
    tags.sort_by_key(|(tag, _)| *tag);
    tags
}

/// Makes one receipt and reads it back whole.
async fn made(driver: &mut dyn Driver, order: &ReceiptOrder) -> Document {
    let registration = driver.registration().await.unwrap();
    assert_eq!(driver.cannot_make(order, &registration), None);
    let made = driver.make_receipt(order).await;
    let Made::Good(made) = made else { panic!("{made:?}") };
    one_register::idle(driver).await;
    read(driver, made.fd).await
}

async fn read(driver: &mut dyn Driver, fd: FdNumber) -> Document {
    match driver.read_document(fd).await.unwrap() {
        DocumentRead::Whole(document) => document,
        other => panic!("{other:?}"),
    }
}

fn explained(document: &Document, order: &ReceiptOrder) -> Explained {
    let wanted = Wanted {
        kind: kassette_core::domain::attempt::DocumentKind::Receipt,
        receipt: Some(&order.receipt),
        key: Some((&order.key, order.key_place)),
    };
    explain(document, &wanted)
}

/// Makes the receipt on a register of this format; its tags and those of its items must be the listed ones, and the
/// document must be explained as ours.
async fn stands_as(ffd: Ffd, receipt: Receipt, tags: Vec<(u16, Vec<u8>)>, items: Vec<Vec<(u16, Vec<u8>)>>) {
    let world = World::of(of(ffd));
    let order = order(receipt);
    beside(&world, async {
        let mut driver = ready(&world).await;
        let document = made(driver.as_mut(), &order).await;
        assert_eq!(document_tags(&document, &tags), sorted(tags.clone()));
        let found = document.tags.lists(Tag::ITEM).unwrap();
        assert_eq!(
            found.iter().map(own_tags).collect::<Vec<_>>(),
            items.into_iter().map(sorted).collect::<Vec<_>>()
        );
        let ours = explained(&document, &order);
        assert!(matches!(ours, Explained::Ours(_)), "{ours:?}");
        each_change_is_seen(&document, &order);
        each_change_of_an_item_is_seen(&document, &order);
    })
    .await;
}

/// Changes each tag of each item but the VAT that the register computed: the document is then no longer ours.
fn each_change_of_an_item_is_seen(document: &Document, order: &ReceiptOrder) {
    let items = document.tags.items.iter().enumerate();
    for (at, item) in items.filter(|(_, tlv)| tlv.tag == Tag::ITEM) {
        let inner = item.to_list().unwrap();
        let asked = |tlv: &Tlv| tlv.tag != Tag::ITEM_VAT;
        for place in (0..inner.items.len()).filter(|place| asked(&inner.items[*place])) {
            let mut list = inner.clone();
            let last = list.items[place].value.last_mut().unwrap();
            *last = last.wrapping_add(1);
            let mut changed = document.clone();
            changed.tags.items[at] = Tlv::list(Tag::ITEM, &list).unwrap();
            let tag = inner.items[place].tag;
            // An item whose measure was not asked for has the register's own.
            let own = tag == Tag::MEASURE && order.receipt.items.iter().all(|item| item.measure.is_none());
            let ours = matches!(explained(&changed, order), Explained::Ours(_));
            assert_eq!(ours, own, "changed {tag} of an item");
        }
    }
}

/// Takes each tag that a client brought out of the document, or changes it: the document is then no longer ours.
fn each_change_is_seen(document: &Document, order: &ReceiptOrder) {
    let added = |tag: u16| ADDED.contains(&tag);
    for at in 0..document.tags.items.len() {
        let tag = document.tags.items[at].tag.0;
        if added(tag) {
            continue;
        }
        let mut cut = document.clone();
        cut.tags.items.remove(at);
        let zero = document.tags.items[at].value == [0];
        if !zero {
            assert!(!matches!(explained(&cut, order), Explained::Ours(_)), "without {tag}");
        }
        let mut changed = document.clone();
        let last = changed.tags.items[at].value.last_mut().unwrap();
        *last = last.wrapping_add(1);
        assert!(
            !matches!(explained(&changed, order), Explained::Ours(_)),
            "changed {tag}"
        );
    }
}

fn inn() -> Inn {
    "500100732259".parse().unwrap()
}

fn agent() -> Agent {
    Agent {
        sign: 1,
        operation: Some("перевод".into()),
        agent_phones: vec!["+79160000001".into()],
        acceptor_phones: vec!["+79160000002".into()],
        transfer_phones: vec!["+79160000003".into(), "+79160000004".into()],
        transfer_name: Some("Оператор №1".into()),
        transfer_address: Some("г. Тверь, ул. Мира, д. 1".into()),
        transfer_inn: Some("7704358518".parse().unwrap()),
    }
}

fn agent_tags() -> Vec<(u16, Vec<u8>)> {
    vec![
        text(1075, "+79160000003"),
        text(1075, "+79160000004"),
        text(1044, "перевод"),
        text(1073, "+79160000001"),
        text(1074, "+79160000002"),
        text(1026, "Оператор №1"),
        text(1005, "г. Тверь, ул. Мира, д. 1"),
        padded(1016, "7704358518", 12),
    ]
}

fn industry() -> IndustryAttribute {
    IndustryAttribute {
        federal_body: "030".into(),
        document_date: "21.11.2023".into(),
        document_number: "1944".into(),
        value: "UUID=1&Time=2".into(),
    }
}

fn industry_tags() -> [(u16, Vec<u8>); 4] {
    [
        text(1262, "030"),
        text(1263, "21.11.2023"),
        text(1264, "1944"),
        text(1265, "UUID=1&Time=2"),
    ]
}

fn buyer() -> Buyer {
    Buyer {
        contact: Some("+79161234567".into()),
        name: Some("ООО \"Ромашка\"".into()),
        inn: Some("7704358518".parse().unwrap()),
        ..Buyer::default()
    }
}

fn key_tag() -> (u16, Vec<u8>) {
    text(1192, &key().to_string())
}

#[tokio::test(start_paused = true)]
async fn the_agent_of_a_whole_receipt_stands_in_a_document_of_ffd_1_05() {
    let mut sold = item("Перевозка", 9_900, "1", 6);
    sold.measure = None;
    let mut asked = receipt(vec![sold]);
    asked.agent = Some(agent());
    let mut tags = agent_tags();
    tags.extend([key_tag(), (1057, vec![1])]);
    stands_as(Ffd::V105, asked, tags, vec![vec![]]).await;
}

#[tokio::test(start_paused = true)]
async fn the_agent_and_the_supplier_of_an_item_stand_in_both_formats() {
    for ffd in [Ffd::V105, Ffd::V12] {
        let mut sold = item("Перевозка", 9_900, "1", 6);
        sold.agent = Some(agent());
        sold.supplier = Some(Supplier {
            inn: Some(inn()),
            name: Some("ИП Иванов".into()),
            phones: vec!["+79160000005".into(), "+79160000006".into()],
        });
        let mut bare = item("Билет", 100, "1", 6);
        bare.agent = Some(Agent {
            sign: 64,
            operation: None,
            agent_phones: vec![],
            acceptor_phones: vec![],
            transfer_phones: vec![],
            transfer_name: None,
            transfer_address: None,
            transfer_inn: None,
        });
        let mut tags = vec![
            (1222, vec![1]),
            list(1223, &agent_tags()),
            padded(1226, "500100732259", 12),
            list(
                1224,
                &[
                    text(1171, "+79160000005"),
                    text(1171, "+79160000006"),
                    text(1225, "ИП Иванов"),
                ],
            ),
        ];
        let mut others = vec![(1222, vec![64])];
        if ffd == Ffd::V12 {
            tags.push((2108, vec![0]));
            others.push((2108, vec![0]));
        }
        stands_as(ffd, receipt(vec![sold, bare]), vec![key_tag()], vec![tags, others]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_buyer_stands_plainly_in_ffd_1_05_and_as_buyer_information_in_1_2() {
    let mut asked = receipt(vec![item("Чай", 12_200, "1", 11)]);
    asked.buyer = Some(buyer());
    let plain = vec![
        key_tag(),
        text(1008, "+79161234567"),
        text(1227, "ООО \"Ромашка\""),
        padded(1228, "7704358518", 12),
    ];
    stands_as(Ffd::V105, asked.clone(), plain, vec![vec![]]).await;
    asked.buyer = Some(Buyer {
        birth_date: Some("01.02.1990".into()),
        citizenship: Some("643".into()),
        document_kind: Some("21".into()),
        document_data: Some("4510 123456".into()),
        address: Some("г. Клин".into()),
        ..buyer()
    });
    let inner = [
        text(1227, "ООО \"Ромашка\""),
        padded(1228, "7704358518", 12),
        text(1243, "01.02.1990"),
        text(1244, "643"),
        padded(1245, "21", 32),
        text(1246, "4510 123456"),
        text(1254, "г. Клин"),
    ];
    let information = vec![key_tag(), text(1008, "+79161234567"), list(1256, &inner)];
    stands_as(Ffd::V12, asked, information, vec![vec![(2108, vec![0])]]).await;
}

#[tokio::test(start_paused = true)]
async fn the_key_moves_aside_for_the_customers_own_attributes() {
    let own = |name: &str, value: &str| list(1084, &[text(1085, name), text(1086, value)]);
    for ffd in [Ffd::V105, Ffd::V12] {
        let measure = if ffd == Ffd::V12 { vec![(2108, vec![0])] } else { vec![] };
        let mut asked = receipt(vec![item("Чай", 12_200, "1", 11)]);
        asked.additional_attribute = Some("3735928559".into());
        assert_eq!(KeyPlace::of(&asked), KeyPlace::UserAttribute);
        let tags = vec![text(1192, "3735928559"), own("Kassette", &key().to_string())];
        stands_as(ffd, asked.clone(), tags, vec![measure.clone()]).await;
        asked.user_attribute = Some(UserAttribute {
            name: "заказ".into(),
            value: "A-17".into(),
        });
        assert_eq!(KeyPlace::of(&asked), KeyPlace::ByContent);
        let tags = vec![text(1192, "3735928559"), own("заказ", "A-17")];
        stands_as(ffd, asked.clone(), tags, vec![measure.clone()]).await;
        asked.additional_attribute = None;
        assert_eq!(KeyPlace::of(&asked), KeyPlace::AdditionalAttribute);
        stands_as(ffd, asked, vec![key_tag(), own("заказ", "A-17")], vec![measure]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_other_tag_of_a_receipt_stands_as_it_was_asked() {
    let mut sold = item("Чай", 12_200, "1", 11);
    sold.measure_text = Some("кг".into());
    sold.measure = Some(11);
    sold.vat_per_unit = Some(kopecks(2_200));
    sold.additional_attribute = Some("без сахара".into());
    sold.excise = Some(kopecks(70_000));
    sold.country = Some("643".into());
    sold.customs_declaration = Some("10702020/060520/0013422".into());
    let common_of_item = vec![
        text(1191, "без сахара"),
        (1198, vec![0x98, 0x08]),
        (1229, vec![0x70, 0x11, 0x01]),
        text(1230, "643"),
        text(1231, "10702020/060520/0013422"),
    ];
    let mut asked = receipt(vec![sold]);
    asked.internet = Some(true);
    asked.cashier = Some(Cashier {
        name: "Кассир Иванова".into(),
        inn: Some(inn()),
    });
    asked.address = Some("г. Москва, ул. Мира, д. 1".into());
    asked.place = Some("https://shop.example".into());
    asked.sender_email = Some("receipts@shop.example".into());
    asked.tax_site = Some("nalog.gov.ru".into());
    asked.machine_number = Some("17".into());
    let common = vec![
        key_tag(),
        text(1021, "Кассир Иванова"),
        text(1203, "500100732259"),
        text(1009, "г. Москва, ул. Мира, д. 1"),
        text(1187, "https://shop.example"),
        text(1117, "receipts@shop.example"),
        text(1060, "nalog.gov.ru"),
        text(1036, "17"),
    ];

    let mut older = asked.clone();
    older.items[0].goods_code_bytes = Some(vec![0x45, 0x0D, 4, 0x30, 0x84, 0x13, 0x18, 0x87]);
    let mut tags = common_of_item.clone();
    tags.extend([
        text(1197, "кг"),
        (1162, vec![0x45, 0x0D, 4, 0x30, 0x84, 0x13, 0x18, 0x87]),
    ]);
    let mut internet = common.clone();
    internet.push((1108, vec![1]));
    stands_as(Ffd::V105, older, internet, vec![tags]).await;

    asked.items[0].goods_code = Some(GoodsCode {
        tag: 1302,
        code: "4607001234567".into(),
    });
    asked.items[0].industry = vec![industry(), industry()];
    asked.industry = vec![industry()];
    asked.operational = Some(OperationalAttribute {
        id: 1,
        data: "данные".into(),
        time: LocalTime::new(2026, 11, 22, 15, 0, 0).unwrap(),
    });
    asked.non_cash = vec![
        NonCashPayment {
            amount: kopecks(12_000),
            method: Some(1),
            identifiers: Some("pay-1".into()),
            extra: Some("СБП".into()),
        },
        NonCashPayment {
            amount: kopecks(200),
            method: None,
            identifiers: None,
            extra: None,
        },
    ];
    let mut tags = common_of_item;
    tags.extend([
        (2108, vec![11]),
        list(1163, &[text(1302, "4607001234567")]),
        list(1260, &industry_tags()),
        list(1260, &industry_tags()),
    ]);
    // 22.11.2026 15:00:00 as if it were UTC: 1 795 359 600.
    let time = (1273, 1_795_359_600_u32.to_le_bytes().to_vec());
    let details = [
        list(
            1235,
            &[
                (1082, vec![0xE0, 0x2E]),
                (1236, vec![1]),
                text(1237, "pay-1"),
                text(1238, "СБП"),
            ],
        ),
        list(1235, &[(1082, vec![0xC8])]),
    ];
    let mut all = common;
    all.extend([
        (1125, vec![1]),
        list(1261, &industry_tags()),
        list(1270, &[(1271, vec![1]), text(1272, "данные"), time]),
        list(1234, &details),
    ]);
    stands_as(Ffd::V12, asked, all, vec![tags]).await;
}

/// FF45: cash first, then electronic, and 14 to 16 for prepayment, credit and counter-provision.
#[tokio::test(start_paused = true)]
async fn each_kind_of_payment_stands_under_its_own_tag() {
    for ffd in [Ffd::V105, Ffd::V12] {
        let world = World::of(of(ffd));
        beside(&world, async {
            let mut driver = ready(&world).await;
            let mut sold: Item = item("Чай", 12_345, "1", 11);
            sold.method = Some(5);
            let mut asked = receipt(vec![sold]);
            asked.payments = Payments {
                cash: kopecks(1),
                electronic: kopecks(20),
                prepaid: kopecks(300),
                credit: kopecks(4_000),
                counter: kopecks(8_024),
            };
            let order = order(asked);
            let document = made(driver.as_mut(), &order).await;
            let sums = [1031, 1081, 1215, 1216, 1217].map(|tag| {
                let tlv = document
                    .tags
                    .items
                    .iter()
                    .find(|tlv| tlv.tag.0 == tag)
                    .map(Tlv::to_money);
                tlv.unwrap().unwrap().get()
            });
            assert_eq!(sums, [1, 20, 300, 4_000, 8_024]);
            assert!(matches!(explained(&document, &order), Explained::Ours(_)));
        })
        .await;
    }
}
