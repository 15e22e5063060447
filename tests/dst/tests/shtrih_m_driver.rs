//! The Shtrih-M driver against the simulated register: each wrote the protocol for itself, from the reference.
//!
//! Owns: one driver on one memory port under a paused clock, and the faults of a single receipt.
//! Must never: judge by what the driver says alone; the ledger behind the register is the judge.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod one_register;

use kassette_core::domain::attempt::{About, Made, ReceiptOrder};
use kassette_core::domain::device::{Activity, Ffd};
use kassette_core::drivers::{DocumentRead, Driver};
use kassette_hw_sim::faults::{FaultKind, When};
use kassette_hw_sim::models::shtrih_m::LinkKind;
use kassette_receipts::model::{Buyer, Cashier};
use kassette_wire::ffd::Tag;
use kassette_wire::value::{FdNumber, LocalTime};
use one_register::{SERIAL, World, beside, idle, item, key, kopecks, ready, receipt};
use std::time::Duration;
use tokio::time::Instant;

fn order(sign: u32) -> ReceiptOrder {
    let mut weighed = item("Сыр \"Российский\"", 6_396, "2.675", 2);
    weighed.measure = Some(11);
    weighed.additional_attribute = Some("без сахара".to_owned());
    let mut asked = receipt(vec![item("Чай №5", 12_200, "1", 11), weighed]);
    asked.sign = sign;
    asked.internet = Some(true);
    asked.cashier = Some(Cashier {
        name: "Кассир Иванова".to_owned(),
        inn: Some("500100732259".parse().unwrap()),
    });
    asked.place = Some("https://shop.example".to_owned());
    asked.buyer = Some(Buyer {
        contact: Some("a@example.org".to_owned()),
        ..Buyer::default()
    });
    one_register::order(asked)
}

#[tokio::test(start_paused = true)]
async fn a_simulated_register_is_identified_prepared_and_makes_receipts_of_all_four_signs() {
    for link in [LinkKind::Pty, LinkKind::Tcp] {
        let world = World::new(link);
        beside(&world, async {
            let mut driver = world.driver();
            driver.barrier().await.unwrap();
            let identity = driver.identify().await.unwrap();
            assert_eq!(identity.register.serial.as_str(), SERIAL);
            assert_eq!(identity.fn_number.unwrap().as_str(), "9999078900001234");
            let registration = driver.registration().await.unwrap();
            assert_eq!((registration.ffd, registration.inn.as_str()), (Ffd::V1_2, "7704358518"));
            assert!(registration.address.is_some() && registration.place.is_some());
            println!("{:?}", driver.prepare().await.unwrap());
            assert_eq!(
                driver.prepare().await.unwrap(),
                Vec::<String>::new(),
                "what was written stays"
            );
            println!("{:?}", driver.resource().await.unwrap());
            assert!(matches!(driver.open_shift().await, Made::Good(_)));
            idle(driver.as_mut()).await;
            for sign in 1..=4 {
                let order = order(sign);
                assert_eq!(driver.cannot_make(&order, &registration), None);
                let before = world.last_fd();
                let made = driver.make_receipt(&order).await;
                let Made::Good(made) = made else {
                    panic!("{sign}: {made:?}")
                };
                assert_eq!((made.fd, world.last_fd()), (FdNumber(before + 1), before + 1));
                assert!(made.time.is_some(), "answers are extended");
                idle(driver.as_mut()).await;
                whole(driver.as_mut(), made.fd, sign).await;
            }
            assert!(matches!(driver.close_shift().await, Made::Good(_)));
        })
        .await;
    }
}

/// The document stands in the FN as it was ordered.
async fn whole(driver: &mut dyn Driver, fd: FdNumber, sign: u32) {
    let read = driver.read_document(fd).await.unwrap();
    let DocumentRead::Whole(document) = read else {
        panic!("{read:?}")
    };
    let tags = &document.tags;
    assert_eq!(tags.byte(Tag::SETTLEMENT_SIGN), Ok(u8::try_from(sign).ok()));
    assert_eq!(tags.text(Tag::RECEIPT_ATTRIBUTE), Some(key().to_string()));
    assert_eq!(tags.text(Tag::BUYER_CONTACT).as_deref(), Some("a@example.org"));
    assert_eq!(tags.text(Tag::CASHIER).as_deref(), Some("Кассир Иванова"));
    assert_eq!(tags.byte(Tag::INTERNET_SETTLEMENT), Ok(Some(1)));
    let items = tags.lists(Tag::ITEM).unwrap();
    assert_eq!(items[0].byte(Tag::VAT_RATE), Ok(Some(11)));
    assert_eq!(items[1].byte(Tag::MEASURE), Ok(Some(11)));
    assert_eq!(items[1].money(Tag::ITEM_AMOUNT), Ok(Some(kopecks(17_109))));
    assert_eq!(items[1].text(Tag::ITEM_ATTRIBUTE).as_deref(), Some("без сахара"));
}

/// One receipt with a fault; what the driver says, and whether a document more stands in the FN.
async fn with_fault(kind: FaultKind, code: &str) -> (Made, bool) {
    let world = World::new(LinkKind::Pty);
    beside(&world, async {
        let mut driver = ready(&world).await;
        let before = world.last_fd();
        world.fault(kind, code);
        let start = Instant::now();
        let made = driver.make_receipt(&order(1)).await;
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        (made, world.last_fd() > before)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_fault_before_the_closing_command_never_leaves_a_document_and_is_never_called_good() {
    for code in ["8D", "FF46", "FF4D", "FF0C"] {
        for kind in [
            FaultKind::DropReply { when: When::Before },
            FaultKind::DropReply { when: When::After },
            FaultKind::Hang {
                for_ms: None,
                when: When::Before,
            },
            FaultKind::Unplug { when: When::After },
            FaultKind::PowerCut {
                when: When::After,
                down_ms: 2_000,
            },
            FaultKind::Error {
                code: 0x33,
                when: When::Before,
            },
            FaultKind::Error {
                code: 0x33,
                when: When::After,
            },
        ] {
            let (made, document) = with_fault(kind.clone(), code).await;
            assert!(!document, "{code} {kind:?}");
            match made {
                Made::Broken(broken) => assert!(!broken.closing_sent, "{code} {kind:?} {broken:?}"),
                Made::Refused(refusal) => assert!(refusal.before_signing, "{code} {kind:?} {refusal:?}"),
                Made::Good(made) => panic!("{code} {kind:?} {made:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_the_closing_command_is_never_called_good_nor_unsent() {
    for when in [When::Before, When::After] {
        for kind in [
            FaultKind::DropReply { when },
            FaultKind::Hang { for_ms: None, when },
            FaultKind::Unplug { when },
            FaultKind::PowerCut { when, down_ms: 2_000 },
        ] {
            let (made, document) = with_fault(kind.clone(), "FF45").await;
            assert_eq!(document, when == When::After, "{kind:?}");
            let Made::Broken(broken) = made else {
                panic!("{kind:?} {made:?}")
            };
            assert!(broken.closing_sent, "{kind:?} {broken:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_closing_answer_is_read_again_without_a_second_document() {
    let (made, document) = with_fault(FaultKind::Garble, "FF45").await;
    assert!(matches!(made, Made::Good(_)) && document, "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_of_another_command_is_not_a_document() {
    let kind = FaultKind::StaleReply { of: None };
    let (made, document) = with_fault(kind, "FF45").await;
    assert!(
        matches!(made, Made::Broken(ref broken) if broken.closing_sent) && document,
        "{made:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stale_good_answer_of_the_same_command_keeps_its_old_number_for_the_baseline_to_expose() {
    let world = World::new(LinkKind::Pty);
    beside(&world, async {
        let mut driver = ready(&world).await;
        assert!(matches!(driver.make_receipt(&order(1)).await, Made::Good(_)));
        idle(driver.as_mut()).await;
        let baseline = world.last_fd();
        world.fault(
            FaultKind::StaleReply {
                of: Some("FF45".to_owned()),
            },
            "FF45",
        );
        let Made::Good(stale) = driver.make_receipt(&order(1)).await else {
            panic!()
        };
        assert_eq!((stale.fd.0, world.last_fd()), (baseline, baseline + 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_any_broken_receipt_the_register_is_found_cleaned_and_works_again() {
    for code in ["8D", "FF46", "FF0C", "FF45"] {
        for kind in [
            FaultKind::DropReply { when: When::After },
            FaultKind::Hang {
                for_ms: Some(20_000),
                when: When::Before,
            },
            FaultKind::PowerCut {
                when: When::After,
                down_ms: 2_000,
            },
            FaultKind::LateReply { by_ms: 35_000 },
        ] {
            let world = World::new(LinkKind::Pty);
            beside(&world, async {
                let mut driver = ready(&world).await;
                world.fault(kind.clone(), code);
                let made = driver.make_receipt(&order(1)).await;
                assert!(matches!(made, Made::Broken(_)), "{code} {kind:?} {made:?}");
                drop(driver);
                tokio::time::sleep(Duration::from_secs(60)).await;
                let mut driver = world.driver();
                driver.barrier().await.unwrap();
                driver.identify().await.unwrap();
                driver.registration().await.unwrap();
                driver.cancel_document().await.unwrap();
                idle(driver.as_mut()).await;
                let status = driver.status().await.unwrap();
                assert_eq!(
                    (status.activity, status.fn_state.document_open),
                    (Activity::Idle, false),
                    "{code} {kind:?}"
                );
                assert_eq!(status.fn_state.last_fd.0, world.last_fd());
                let made = driver.make_receipt(&order(1)).await;
                assert!(matches!(made, Made::Good(_)), "{code} {kind:?} {made:?}");
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_after_the_document_was_made_is_seen_by_the_last_number_alone() {
    let error = FaultKind::Error {
        code: 0x45,
        when: When::After,
    };
    let (made, document) = with_fault(error, "FF45").await;
    assert!(document);
    let Made::Refused(refusal) = made else {
        panic!("{made:?}")
    };
    assert_eq!((refusal.before_signing, refusal.about), (true, About::Document));
}

#[tokio::test(start_paused = true)]
async fn a_clock_is_set_with_the_shift_closed() {
    let world = World::new(LinkKind::Pty);
    beside(&world, async {
        let mut driver = world.driver();
        driver.barrier().await.unwrap();
        let set = LocalTime::new(2026, 11, 23, 0, 1, 0).unwrap();
        driver.set_clock(set).await.unwrap();
        let clock = driver.status().await.unwrap().clock;
        assert!(clock.seconds_since(set) < 5, "{clock}");
    })
    .await;
}
