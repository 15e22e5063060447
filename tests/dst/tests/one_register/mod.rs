//! One Shtrih-M driver on one simulated register under a paused clock.
//!
//! Owns: the bench of the test files that drive a single register.
//! Must never: judge; each file has its own judge.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "not every file needs all of it")]

use async_trait::async_trait;
use kassette_core::domain::attempt::{KeyPlace, Made, ReceiptOrder};
use kassette_core::domain::device::Activity;
use kassette_core::domain::plan::LinkChoice;
use kassette_core::drivers::{Driver, connect};
use kassette_core::exchange::DriverTiming;
use kassette_core::parts::{FaultPoints, NoFaults, Port};
use kassette_hw_sim::chance::Chance;
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger};
use kassette_hw_sim::fiscal_storage::ledger::MemoryShelf;
use kassette_hw_sim::fiscal_storage::{CalendarDay, FnConfig, Phase};
use kassette_hw_sim::host::memory::{MemoryBench, MemoryLink, MemoryPort};
use kassette_hw_sim::models::shtrih_m::{Config, LinkKind, Register, Registration, Timing};
use kassette_hw_sim::moment::Moment;
use kassette_hw_sim::switches::{Switches, Vat22};
use kassette_receipts::job_key::{Generation, JobKey, Parts, Sequence, SubmissionHash};
use kassette_receipts::model::{Item, Payments, Receipt};
use kassette_wire::value::{Kopecks, Quantity, Vendor};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub const SERIAL: &str = "0012345678901234";
pub const SEED: u64 = 7;
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

pub fn config(link: LinkKind) -> Config {
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

pub struct World {
    pub bench: MemoryBench,
    network: bool,
}

impl World {
    pub fn new(link: LinkKind) -> Self {
        Self::of(config(link))
    }

    pub fn of(config: Config) -> Self {
        println!("seed {SEED}");
        let link = config.link;
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
            config,
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

    pub fn driver(&self) -> Box<dyn Driver> {
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

    pub fn fault(&self, kind: FaultKind, code: &str) {
        self.fault_at(kind, code, 1);
    }

    pub fn fault_at(&self, kind: FaultKind, code: &str, nth: u64) {
        let trigger = Trigger::Command {
            code: code.to_owned(),
            nth,
        };
        self.bench.fault(SERIAL, FaultSpec { kind, trigger }).unwrap();
    }

    pub fn last_fd(&self) -> u32 {
        self.bench.observe(SERIAL).unwrap().device.last_fd
    }
}

/// Runs a program beside the devices.
pub async fn beside<T>(world: &World, program: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        done = program => done,
        () = world.bench.run() => unreachable!("the bench never ends"),
    }
}

/// Adopted, prepared, shift open.
pub async fn ready(world: &World) -> Box<dyn Driver> {
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

pub async fn idle(driver: &mut dyn Driver) {
    while driver.status().await.unwrap().activity == Activity::Busy {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub fn kopecks(sum: u64) -> Kopecks {
    Kopecks::new(sum).unwrap()
}

pub fn key() -> JobKey {
    JobKey::new(Parts {
        rack: "AB".parse().unwrap(),
        generation: Generation::new(7).unwrap(),
        sequence: Sequence::new(42).unwrap(),
        hash: SubmissionHash::of("client", "7704358518", "order-1"),
    })
}

pub fn item(name: &str, price: u64, quantity: &str, rate: u32) -> Item {
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

/// A receipt of these items, paid electronically, with nothing that may be left out.
pub fn receipt(items: Vec<Item>) -> Receipt {
    let total = kopecks(items.iter().map(|item| item.amount.get()).sum());
    Receipt {
        sign: 1,
        tax_system: Some(1),
        items,
        total,
        payments: Payments {
            electronic: total,
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

/// The order of a receipt, with the key where the rack would put it.
pub fn order(receipt: Receipt) -> ReceiptOrder {
    ReceiptOrder {
        key: key(),
        key_place: KeyPlace::of(&receipt),
        receipt,
    }
}
