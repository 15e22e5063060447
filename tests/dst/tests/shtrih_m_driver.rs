//! The Shtrih-M driver against the simulated register: each wrote the protocol for itself, from the reference.
//!
//! Owns: one driver on one memory port under a paused clock, and the faults of a single receipt.
//! Must never: judge by what the driver says alone; the ledger behind the register is the judge.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use kassette_core::domain::attempt::{About, KeyPlace, Made, ReceiptOrder};
use kassette_core::domain::device::{Activity, Ffd};
use kassette_core::domain::plan::LinkChoice;
use kassette_core::drivers::{DocumentRead, Driver, connect};
use kassette_core::exchange::DriverTiming;
use kassette_core::parts::{FaultPoints, NoFaults, Port};
use kassette_hw_sim::chance::Chance;
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger, When};
use kassette_hw_sim::fiscal_storage::ledger::MemoryShelf;
use kassette_hw_sim::fiscal_storage::{CalendarDay, FnConfig, Phase};
use kassette_hw_sim::host::memory::{MemoryBench, MemoryLink, MemoryPort};
use kassette_hw_sim::models::shtrih_m::{Config, LinkKind, Register, Registration, Timing};
use kassette_hw_sim::moment::Moment;
use kassette_hw_sim::switches::{Switches, Vat22};
use kassette_receipts::job_key::{Generation, JobKey, Parts, Sequence, SubmissionHash};
use kassette_receipts::model::{Buyer, Cashier, Item, Payments, Receipt};
use kassette_wire::ffd::Tag;
use kassette_wire::value::{FdNumber, Kopecks, LocalTime, Quantity, Vendor};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SERIAL: &str = "0012345678901234";
const SEED: u64 = 7;
/// 22.11.2026 12:30:00 in Moscow.
const START_MS: i64 = 1_795_339_800_000;

struct Wire(MemoryPort, bool);

#[async_trait]
impl Port for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.0.read(buffer).await)
    }

    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write(bytes).await.map_err(std::io::Error::other)
    }

    async fn discard(&mut self) -> std::io::Result<()> {
        self.0.discard();
        Ok(())
    }

    async fn set_baud(&mut self, _baud: u32) -> std::io::Result<()> {
        Ok(())
    }

    fn shared_medium(&self) -> bool {
        self.1
    }
}

fn config(link: LinkKind) -> Config {
    Config {
        model: "РИТЕЙЛ-01Ф".to_owned(),
        model_code: 22,
        serial: SERIAL.to_owned(),
        inn: "7704358518".to_owned(),
        rnm: "0000000001002569".to_owned(),
        ffd: kassette_hw_sim::models::shtrih_m::Ffd::V12,
        fn_unit: FnConfig {
            number: "9999078900001234".to_owned(),
            phase: Phase::Fiscal,
            documents_left: 250_000,
            expiry: CalendarDay::try_from("2027-11-22".to_owned()).unwrap(),
        },
        registration: Registration::default(),
        timing: Timing::Realistic,
        link,
        switches: Switches {
            vat_22: Some(Vat22::Rows11And12),
            ..Switches::default()
        },
        clock_skew_seconds: 0,
    }
}

struct World {
    bench: MemoryBench,
    network: bool,
}

impl World {
    fn new(link: LinkKind) -> Self {
        println!("seed {SEED}");
        let origin = Instant::now();
        let clock = move || {
            let elapsed = origin.elapsed();
            Moment {
                elapsed,
                unix_ms: START_MS + i64::try_from(elapsed.as_millis()).unwrap(),
            }
        };
        let bench = MemoryBench::new(Arc::new(clock));
        let register = Register::new(
            config(link),
            Box::new(MemoryShelf::new()),
            Chance::from_seed(SEED),
            bench.now(),
        );
        let network = link == LinkKind::Tcp;
        let kind = if network {
            MemoryLink::Network
        } else {
            MemoryLink::Serial
        };
        bench.seat(SERIAL, "port", kind, Box::new(register.unwrap())).unwrap();
        Self { bench, network }
    }

    fn driver(&self) -> Box<dyn Driver> {
        let ports = self.bench.ports();
        let (name, generation) = ports.iter().next().expect("the register is plugged in");
        let port = self.bench.open(name, *generation).unwrap();
        let port = Box::new(Wire(port, self.network));
        connect(
            Vendor::ShtrihM,
            port,
            FaultPoints::new(Arc::new(NoFaults)),
            DriverTiming::default(),
            LinkChoice::Auto,
        )
    }

    fn fault(&self, kind: FaultKind, code: &str) {
        let trigger = Trigger::Command {
            code: code.to_owned(),
            nth: 1,
        };
        self.bench.fault(SERIAL, FaultSpec { kind, trigger }).unwrap();
    }

    fn last_fd(&self) -> u32 {
        self.bench.observe(SERIAL).unwrap().device.last_fd
    }
}

/// Runs a program beside the devices.
async fn beside<T>(world: &World, program: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        done = program => done,
        () = world.bench.run() => unreachable!("the bench never ends"),
    }
}

/// Adopted, prepared, shift open.
async fn ready(world: &World) -> Box<dyn Driver> {
    let mut driver = world.driver();
    driver.barrier().await.unwrap();
    driver.identify().await.unwrap();
    driver.registration().await.unwrap();
    driver.prepare().await.unwrap();
    let made = driver.open_shift().await;
    assert!(matches!(made, Made::Good(_)), "{made:?}");
    idle(driver.as_mut()).await;
    driver
}

async fn idle(driver: &mut dyn Driver) {
    while driver.status().await.unwrap().activity == Activity::Busy {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn kopecks(sum: u64) -> Kopecks {
    Kopecks::new(sum).unwrap()
}

fn key() -> JobKey {
    JobKey::new(Parts {
        rack: "AB".parse().unwrap(),
        generation: Generation::new(7).unwrap(),
        sequence: Sequence::new(42).unwrap(),
        hash: SubmissionHash::of("client", "7704358518", "order-1"),
    })
}

fn item(name: &str, price: u64, quantity: &str, rate: u32) -> Item {
    let quantity: Quantity = quantity.parse().unwrap();
    Item {
        name: name.to_owned(),
        price: kopecks(price),
        quantity,
        amount: quantity.cost(kopecks(price)).unwrap(),
        measure: Some(0),
        measure_text: None,
        vat_rate: Some(rate),
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

fn order(sign: u32) -> ReceiptOrder {
    let mut weighed = item("Сыр \"Российский\"", 6_396, "2.675", 2);
    weighed.measure = Some(11);
    weighed.additional_attribute = Some("без сахара".to_owned());
    let items = vec![item("Чай №5", 12_200, "1", 11), weighed];
    let total = kopecks(items.iter().map(|item| item.amount.get()).sum());
    let receipt = Receipt {
        sign,
        tax_system: Some(1),
        items,
        total,
        payments: Payments {
            electronic: total,
            ..Payments::default()
        },
        non_cash: vec![],
        vat_totals: vec![],
        internet: Some(true),
        cashier: Some(Cashier {
            name: "Кассир Иванова".to_owned(),
            inn: Some("500100732259".parse().unwrap()),
        }),
        address: None,
        place: Some("https://shop.example".to_owned()),
        tax_site: None,
        sender_email: None,
        machine_number: None,
        agent: None,
        additional_attribute: None,
        user_attribute: None,
        industry: vec![],
        operational: None,
        correction: None,
        buyer: Some(Buyer {
            contact: Some("a@example.org".to_owned()),
            ..Buyer::default()
        }),
    };
    ReceiptOrder {
        receipt,
        key: key(),
        key_place: KeyPlace::AdditionalAttribute,
    }
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
