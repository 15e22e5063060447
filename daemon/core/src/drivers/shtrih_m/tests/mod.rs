//! The driver against scripted registers: bytes of the reference and of captures, under a paused clock.
//!
//! Owns: the scripts beside it.
//! Must never: take expected bytes from the codec under test.

mod making;
mod reading;
mod stating;
mod turning;

use super::ShtrihM;
use crate::domain::attempt::{KeyPlace, ReceiptOrder};
use crate::domain::plan::LinkChoice;
use crate::exchange::DriverTiming;
use crate::exchange::script::{Played, script};
use crate::parts::{FaultPoints, Faults, Point, Reach};
use kassette_receipts::job_key::{Generation, JobKey, Parts, Sequence, SubmissionHash};
use kassette_receipts::model::{Buyer, Item, Payments, Receipt};
use kassette_wire::value::{Kopecks, Quantity};
use std::sync::{Arc, Mutex};

const CONNECT: &str = include_str!("connect.txt");
const IDENTIFY: &str = include_str!("identify.txt");
const REGISTRATION: &str = include_str!("registration.txt");
const RECEIPT: &str = include_str!("receipt.txt");

/// The points reached, in order.
#[derive(Default)]
struct Passed(Mutex<Vec<Point>>);

impl Faults for Passed {
    fn reach(&self, point: Point) -> Reach {
        self.0.lock().unwrap().push(point);
        Reach::Go
    }
}

struct Bench {
    driver: ShtrihM,
    played: Played,
    passed: Arc<Passed>,
}

impl Bench {
    fn points(&self) -> Vec<Point> {
        self.passed.0.lock().unwrap().clone()
    }
}

fn bench(text: &str) -> Bench {
    let (port, played) = script(text);
    let passed = Arc::new(Passed::default());
    let faults = FaultPoints::new(Arc::clone(&passed) as Arc<dyn Faults>);
    Bench {
        driver: ShtrihM::new(port, faults, DriverTiming::default(), LinkChoice::V1),
        played,
        passed,
    }
}

/// A bench whose driver knows model, registration and rates, and then plays `text`.
async fn ready(text: &str) -> Bench {
    let mut bench = bench(&format!("{CONNECT}\n{REGISTRATION}\n{text}"));
    bench.driver.read_registration().await.unwrap();
    bench
}

fn key() -> JobKey {
    JobKey::new(Parts {
        rack: "AB".parse().unwrap(),
        generation: Generation::new(7).unwrap(),
        sequence: Sequence::new(42).unwrap(),
        hash: SubmissionHash::of("client", "7704358518", "order-1"),
    })
}

fn kopecks(sum: u64) -> Kopecks {
    Kopecks::new(sum).unwrap()
}

fn item() -> Item {
    Item {
        name: "Товар".to_owned(),
        price: kopecks(10_000),
        quantity: Quantity::ONE,
        amount: kopecks(10_000),
        measure: Some(0),
        measure_text: None,
        vat_rate: Some(1),
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

/// The receipt of the worked example: one piece for 100.00, paid electronically, a buyer's e-mail.
fn order() -> ReceiptOrder {
    let receipt = Receipt {
        sign: 1,
        tax_system: Some(1),
        items: vec![item()],
        total: kopecks(10_000),
        payments: Payments {
            electronic: kopecks(10_000),
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

/// The golden script with the key of [`order`].
fn receipt_script() -> String {
    let key = key().to_string();
    let bytes: String = key.bytes().map(|byte| format!("{byte:02X}")).collect();
    RECEIPT.replace("{KEY}", &bytes)
}

/// The golden script up to the answer of its closing command, exclusive: FF45 is sent and acknowledged by what follows.
fn until_closing() -> String {
    let script = receipt_script();
    let at = script.find("< 06 02 15 FF 45").unwrap();
    script[..at].to_owned()
}
