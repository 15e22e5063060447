//! Whole receipts of the Shtrih-M driver: the real ones of 2020, long ones, and those that a register refuses.
//!
//! Owns: the count of commands a receipt takes, and its bound from below.
//! Must never: ask the driver how it packed; the simulated register counts the commands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod one_register;

use kassette_core::domain::attempt::{About, DocumentKind, Made, ReceiptOrder};
use kassette_core::domain::explain::{Explained, Wanted, explain};
use kassette_core::drivers::{DocumentRead, Driver};
use kassette_hw_sim::faults::{FaultKind, When};
use kassette_hw_sim::host::event_log::Happening;
use kassette_hw_sim::models::shtrih_m::{Config, Ffd, LinkKind, Timing};
use kassette_receipts::model::{Agent, Buyer, Cashier, Item, Payments, Receipt, Supplier};
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Document, Tag, TlvList};
use kassette_wire::text::{encode_cp866, encode_cp1251};
use kassette_wire::value::FdNumber;
use one_register::{SERIAL, World, beside, config, idle, item, kopecks, order, ready, receipt};
use serde_json::Value;

const RECEIPTS_2020: &str = include_str!("../../data/receipts.jsonl");

fn of(ffd: Ffd) -> Config {
    let mut config = config(LinkKind::Pty);
    config.ffd = ffd;
    config.timing = Timing::Instant;
    config
}

/// The commands that the register carried out or refused since an event.
fn commands(world: &World, after: u64) -> Vec<String> {
    let events = world.bench.events(SERIAL, after);
    let command = |what| match what {
        Happening::Exchange(exchange) => Some(exchange.command),
        _ => None,
    };
    events.into_iter().filter_map(|event| command(event.what)).collect()
}

fn last_event(world: &World) -> u64 {
    world.bench.observe(SERIAL).unwrap().last_event
}

async fn read(driver: &mut dyn Driver, fd: FdNumber) -> Document {
    match driver.read_document(fd).await.unwrap() {
        DocumentRead::Whole(document) => document,
        other => panic!("{other:?}"),
    }
}

fn explained(document: &Document, order: &ReceiptOrder) -> Explained {
    let wanted = Wanted {
        kind: DocumentKind::Receipt,
        receipt: Some(&order.receipt),
        key: Some((&order.key, order.key_place)),
    };
    explain(document, &wanted)
}

/// Makes a receipt; the commands it took, and its document read back.
async fn made(world: &World, driver: &mut dyn Driver, order: &ReceiptOrder) -> (Vec<String>, Document) {
    let before = last_event(world);
    let made = driver.make_receipt(order).await;
    let Made::Good(made) = made else { panic!("{made:?}") };
    let commands = commands(world, before);
    idle(driver).await;
    (commands, read(driver, made.fd).await)
}

/// A line of the file as a receipt for a driver: what the law of today says of it is the business of the rules.
fn of_2020(line: &str) -> Option<Receipt> {
    let line: Value = serde_json::from_str(line).unwrap();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let items: Vec<Item> = line["items"].as_array().unwrap().iter().map(item_of_2020).collect();
    let writable = |text: &str| encode_cp866(text).is_ok() && encode_cp1251(text).is_ok() && !text.is_empty();
    if !items.iter().all(|item| writable(&item.name)) {
        return None;
    }
    let mut read = receipt(items);
    read.sign = number(&line["operation_1054"]);
    if line["cash_1031_kopecks"].as_u64() == Some(read.total.get()) {
        read.payments = Payments {
            cash: read.total,
            ..Payments::default()
        };
    }
    read.internet = line.get("internet_1125").map(|flag| flag.as_u64() != Some(0));
    read.buyer = line.get("buyer_1008").map(|contact| Buyer {
        contact: Some(contact.as_str().unwrap().to_owned()),
        ..Buyer::default()
    });
    read.agent = line.get("agent_1057").map(|sign| agent(number(sign)));
    Some(read)
}

fn item_of_2020(line: &Value) -> Item {
    let rate = match line.get("vat_1199").and_then(Value::as_u64) {
        Some(1) | None => 11,
        Some(3) => 12,
        Some(other) => u32::try_from(other).unwrap(),
    };
    let mut read = item(
        line["name"].as_str().unwrap(),
        line["price_kopecks"].as_u64().unwrap(),
        line["quantity"].as_str().unwrap(),
        rate,
    );
    read.amount = kopecks(line["sum_kopecks"].as_u64().unwrap());
    let code = |name: &str| {
        line.get(name)
            .and_then(Value::as_u64)
            .map(|code| u32::try_from(code).unwrap())
    };
    read.method = code("method_1214").or(Some(4));
    read.subject = code("subject_1212").or(Some(13));
    read.measure_text = line.get("measure_1197").map(|text| text.as_str().unwrap().to_owned());
    read
}

fn agent(sign: u32) -> Agent {
    Agent {
        sign,
        operation: None,
        agent_phones: vec![],
        acceptor_phones: vec![],
        transfer_phones: vec![],
        transfer_name: None,
        transfer_address: None,
        transfer_inn: None,
    }
}

/// Adds what the file leaves out, so that tags of many sizes meet: more with each number.
fn dressed(mut plain: Receipt, number: usize) -> Receipt {
    let text = |length: usize| "т".repeat(length);
    plain.cashier = (number % 2 == 1).then(|| Cashier {
        name: text(10 + number % 50),
        inn: Some("500100732259".parse().unwrap()),
    });
    plain.address = (!number.is_multiple_of(3)).then(|| text(40 + number * 7 % 200));
    plain.place = (!number.is_multiple_of(5)).then(|| text(20 + number * 11 % 220));
    plain.sender_email = (!number.is_multiple_of(7)).then(|| "receipts@shop.example".to_owned());
    let buyer = plain.buyer.get_or_insert_with(Buyer::default);
    buyer.name = (!number.is_multiple_of(4)).then(|| text(30 + number * 13 % 180));
    for (at, item) in plain.items.iter_mut().enumerate() {
        item.additional_attribute = Some(text(1 + (number + at) % 64));
        let mut own = agent(64);
        own.transfer_address = (number + at)
            .is_multiple_of(3)
            .then(|| text(20 + (number * 3 + at) % 200));
        item.agent = Some(own);
        item.supplier = Some(Supplier {
            inn: Some("7704358518".parse().unwrap()),
            name: Some(text(10 + (number * 5 + at) % 200)),
            phones: vec!["+79160000005".into()],
        });
        item.customs_declaration = Some("10702020/060520/0013422".into());
    }
    plain
}

/// The fewest commands of 249 bytes (what a frame of v1 carries) that hold these TLV: over every set of them the fewest
/// commands, and then the least room taken in the last one.
fn fewest(sizes: &[usize]) -> usize {
    const ROOM: usize = 249;
    assert!(sizes.len() <= 16, "every set of {} is looked at", sizes.len());
    let mut best = vec![(usize::MAX, 0); 1 << sizes.len()];
    best[0] = (0, ROOM);
    for set in 0..best.len() {
        let (commands, taken) = best[set];
        for (at, size) in sizes.iter().enumerate().filter(|(at, _)| set & (1 << at) == 0) {
            let with = if taken + size <= ROOM {
                (commands, taken + size)
            } else {
                (commands + 1, *size)
            };
            let slot = &mut best[set | 1 << at];
            *slot = (*slot).min(with);
        }
    }
    best[best.len() - 1].0
}

/// The sizes of the TLV that a client or the rack brought to a list, by the tags that FF46, FF45 and the register make.
fn brought(tags: &TlvList, others: &[u16]) -> Vec<usize> {
    let own = tags.items.iter().filter(|tlv| !others.contains(&tlv.tag.0));
    own.map(|tlv| tlv.encode().unwrap().len()).collect()
}

/// Made by FF46 or computed by the register.
const OF_FF46: [u16; 8] = [1023, 1030, 1043, 1079, 1199, 1200, 1212, 1214];

/// What a register adds by itself, unless the receipt names it.
fn others(order: &ReceiptOrder) -> Vec<u16> {
    let given = [
        (1009, order.receipt.address.is_some()),
        (1187, order.receipt.place.is_some()),
        (1021, order.receipt.cashier.is_some()),
        (1117, order.receipt.sender_email.is_some()),
    ];
    let left = given.iter().filter(|(_, given)| !given).map(|(tag, _)| *tag);
    let always = [
        1012, 1018, 1020, 1031, 1037, 1038, 1040, 1041, 1042, 1048, 1054, 1055, 1059, 1060, 1077, 1081, 1108, 1115,
        1209, 1215, 1216, 1217,
    ];
    left.chain(always).chain(1102..=1107).collect()
}

/// All that the document brought took no command more than the fewest that hold it.
fn took_the_fewest(order: &ReceiptOrder, commands: &[String], document: &Document) {
    let count = |code: &str| commands.iter().filter(|command| *command == code).count();
    let items = document.tags.lists(Tag::ITEM).unwrap();
    assert_eq!((count("8D"), count("FF46"), count("FF45")), (1, items.len(), 1));
    let of_items: usize = items.iter().map(|item| fewest(&brought(item, &OF_FF46))).sum();
    let of_document = fewest(&brought(&document.tags, &others(order)));
    assert_eq!(
        commands.len(),
        2 + items.len() + count("FF4D") + count("FF0C"),
        "{commands:?}"
    );
    assert_eq!((count("FF4D"), count("FF0C")), (of_items, of_document));
}

/// Every real receipt, as it is and with more tags, on both formats: the document is the order, tag by tag, and took the
/// fewest commands that hold its tags.
#[tokio::test(start_paused = true)]
async fn every_real_receipt_stands_as_ordered_and_takes_the_fewest_commands() {
    for ffd in [Ffd::V12, Ffd::V105] {
        let world = World::of(of(ffd));
        let (mut plain, mut rich) = (0, 0);
        beside(&world, async {
            let mut driver = ready(&world).await;
            for (number, line) in RECEIPTS_2020.lines().enumerate() {
                let Some(mut real) = of_2020(line) else { continue };
                if ffd == Ffd::V12 {
                    real.agent = None;
                }
                let asked = order(real.clone());
                let (commands, document) = made(&world, driver.as_mut(), &asked).await;
                let ours = explained(&document, &asked);
                assert!(matches!(ours, Explained::Ours(_)), "receipt {number}: {ours:?}");
                took_the_fewest(&asked, &commands, &document);
                plain += 1;
                let asked = order(dressed(real, number));
                let (commands, document) = made(&world, driver.as_mut(), &asked).await;
                let ours = explained(&document, &asked);
                assert!(
                    matches!(ours, Explained::Ours(_)),
                    "receipt {number} with more tags: {ours:?}"
                );
                took_the_fewest(&asked, &commands, &document);
                rich += 1;
            }
        })
        .await;
        println!("FFD {ffd:?}: {plain} as they are, {rich} with more tags");
        assert_eq!((plain, rich), (400, 400));
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_one_item_is_open_item_its_tags_one_packed_command_and_close() {
    for ffd in [Ffd::V12, Ffd::V105] {
        let world = World::of(of(ffd));
        beside(&world, async {
            let mut driver = ready(&world).await;
            let mut asked = receipt(vec![item("Чай", 12_200, "1", 11)]);
            asked.internet = Some(true);
            asked.place = Some("https://shop.example".into());
            asked.cashier = Some(Cashier {
                name: "Кассир Иванова".into(),
                inn: Some("500100732259".parse().unwrap()),
            });
            asked.buyer = Some(Buyer {
                contact: Some("a@example.org".into()),
                ..Buyer::default()
            });
            let (commands, _) = made(&world, driver.as_mut(), &order(asked)).await;
            let expected = match ffd {
                Ffd::V12 => vec!["8D", "FF46", "FF4D", "FF0C", "FF45"],
                Ffd::V105 => vec!["8D", "FF46", "FF0C", "FF45"],
            };
            assert_eq!(commands, expected);
        })
        .await;
    }
}

/// 170 items are the bound of rule R10; their sums need a kopeck here and there.
#[tokio::test(start_paused = true)]
async fn a_receipt_of_170_items_with_discounts_to_the_kopeck_stands_as_ordered() {
    for ffd in [Ffd::V12, Ffd::V105] {
        let world = World::of(of(ffd));
        beside(&world, async {
            let mut driver = ready(&world).await;
            let one = |number: u64| {
                let mut sold = item(&format!("Товар {number}"), 3_333 + number, "3", 11);
                // 3 pieces for a sum that no price makes: a kopeck more or less than price by quantity.
                sold.amount = kopecks(3 * (3_333 + number) + 1 - 2 * (number % 2));
                sold
            };
            let asked = order(receipt((0..170).map(one).collect()));
            let (_, document) = made(&world, driver.as_mut(), &asked).await;
            let ours = explained(&document, &asked);
            assert!(matches!(ours, Explained::Ours(_)), "{ours:?}");
            let total: u64 = (0..170).map(|number| one(number).amount.get()).sum();
            assert_eq!(document.tags.money(Tag::RECEIPT_TOTAL), Ok(Some(kopecks(total))));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn kopecks_taken_off_the_total_are_the_registers_rounding() {
    let world = World::of(of(Ffd::V12));
    beside(&world, async {
        let mut driver = ready(&world).await;
        let mut asked = receipt(vec![item("Чай", 12_299, "1", 11)]);
        asked.total = kopecks(12_200);
        asked.payments.electronic = kopecks(12_200);
        let asked = order(asked);
        let (_, document) = made(&world, driver.as_mut(), &asked).await;
        assert!(matches!(explained(&document, &asked), Explained::Ours(_)));
        let mut wrong = asked;
        wrong.receipt.total = kopecks(12_100);
        let before = last_event(&world);
        let Made::Refused(refusal) = driver.make_receipt(&wrong).await else {
            panic!()
        };
        assert_eq!(
            (refusal.code, commands(&world, before).len()),
            (Code::ReceiptInvalid, 0)
        );
    })
    .await;
}

/// A register that refuses a tag: no document, a reason that names the tags of the command, and a register that goes on.
#[tokio::test(start_paused = true)]
async fn a_refused_tag_is_named_and_leaves_no_document() {
    for (command, what) in [
        ("FF46", "item 2"),
        ("FF4D", "tags 2108, 1191 of item 2"),
        ("FF0C", "tags 1192, 1008"),
    ] {
        for code in [0x33, 0x09, 0x0B, 0x0C, 0x10, 0xA4] {
            let world = World::of(of(Ffd::V12));
            beside(&world, async {
                let mut driver = ready(&world).await;
                let mut named = item("Сыр", 6_396, "2.675", 2);
                named.additional_attribute = Some("без сахара".into());
                let mut asked = receipt(vec![item("Чай", 12_200, "1", 11), named]);
                asked.buyer = Some(Buyer {
                    contact: Some("a@example.org".into()),
                    ..Buyer::default()
                });
                let asked = order(asked);
                let before = world.last_fd();
                let nth = if command == "FF0C" { 1 } else { 2 };
                let kind = FaultKind::Error {
                    code,
                    when: When::Before,
                };
                world.fault_at(kind, command, nth);
                let Made::Refused(refusal) = driver.make_receipt(&asked).await else {
                    panic!("{command} {code:02X}")
                };
                assert_eq!((refusal.command.as_str(), refusal.device_code), (command, code));
                assert_eq!((refusal.about, refusal.before_signing), (About::Document, true));
                assert!(refusal.text.ends_with(&format!("brought {what}")), "{}", refusal.text);
                assert!(
                    !refusal.text.contains("example.org"),
                    "no personal data: {}",
                    refusal.text
                );
                assert_eq!(world.last_fd(), before);
                driver.cancel_document().await.unwrap();
                idle(driver.as_mut()).await;
                assert!(matches!(driver.make_receipt(&asked).await, Made::Good(_)));
            })
            .await;
        }
    }
}
