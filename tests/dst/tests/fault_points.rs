//! The rack on one thread under a paused clock, killed at every fault point.
//!
//! Owns: the proof that a death at any point leaves exactly one document of each job.
//! Must never: wait for real time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::job::{JobFilter, Priority, SubmitOrder};
use kassette_core::domain::plan::{RackPlan, RegisterPlan, SlotPlan, TenantPlan};
use kassette_core::parts::Point;
use kassette_core::rack::{ApplyOrder, Rack, RackHandle};
use kassette_dst::world::World;
use kassette_hw_sim::fiscal_storage::ledger::Record;
use kassette_hw_sim::rack_file::{Generated, RackFile, generate};
use kassette_receipts::job::JobState;
use kassette_receipts::model::{Item, Payments, Receipt};
use kassette_wire::ffd::{Tag, TlvList};
use kassette_wire::value::{Inn, Kopecks, Quantity};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const TENANT: &str = "7704358518";
const REGISTERS: u32 = 2;
const JOBS: u32 = 6;
/// Virtual time in which everything must come to rest.
const CALM: Duration = Duration::from_secs(3600);

fn rack_file(seed: u64) -> RackFile {
    let wish = Generated {
        registers: REGISTERS,
        tenants: vec![TENANT.to_owned()],
        timing: "\"realistic\"".to_owned(),
        seed,
        ..Generated::default()
    };
    generate(&wish).parse().unwrap()
}

fn plan(file: &RackFile) -> RackPlan {
    RackPlan {
        rack_id: None,
        tenants: vec![TenantPlan {
            inn: TENANT.into(),
            name: "Test".into(),
            ttl_s: 86_400,
            queue_max: 1000,
            clients: vec!["*".into()],
        }],
        slots: file
            .registers
            .iter()
            .enumerate()
            .map(|(at, entry)| SlotPlan {
                label: format!("S{at}"),
                port: format!("/sim/{}", entry.config.serial),
                baud: None,
            })
            .collect(),
        registers: file
            .registers
            .iter()
            .map(|entry| RegisterPlan {
                vendor: "shtrih-m".into(),
                serial: entry.config.serial.clone(),
                fn_number: entry.config.fn_unit.number.clone(),
                tenant: TENANT.into(),
                zone: "+03:00".into(),
            })
            .collect(),
    }
}

fn receipt(number: u32) -> Receipt {
    let sum = Kopecks::new(u64::from(number) * 100 + 1).unwrap();
    let text = serde_json::json!({
        "sign": 1, "tax_system": 1, "items": [], "total": sum.get(),
        "payments": Payments { electronic: sum, ..Payments::default() },
        "buyer": {"contact": format!("buyer{number}@example.com")},
    });
    let mut receipt: Receipt = serde_json::from_value(text).unwrap();
    let item = serde_json::json!({
        "name": format!("Товар {number}"), "price": sum.get(), "quantity": Quantity::ONE.millionths(),
        "amount": sum.get(), "vat_rate": 6, "method": 4, "subject": 1, "measure": 0,
    });
    receipt.items.push(serde_json::from_value::<Item>(item).unwrap());
    receipt
}

fn order(number: u32) -> SubmitOrder {
    SubmitOrder {
        tenant: TENANT.parse().unwrap(),
        client: "shop".into(),
        external_id: format!("order-{number}"),
        key_time: None,
        receipt: receipt(number),
        ttl_ms: None,
        priority: Priority::Interactive,
        labels: BTreeMap::new(),
        replaces: None,
    }
}

/// A good client: repeats under the same key until it has an answer, then waits for the end.
async fn clients(handle: &RackHandle) {
    let inn: Inn = TENANT.parse().unwrap();
    let mut keys = Vec::new();
    for number in 1..=JOBS {
        keys.push(handle.submit(order(number)).await.unwrap().job.key);
    }
    for key in keys {
        let job = handle.wait_final(&inn, &key, Instant::now() + CALM).await.unwrap();
        assert_eq!(job.state, JobState::Completed, "{job:?}");
    }
}

async fn stand(handle: &RackHandle, file: &RackFile) {
    let order = ApplyOrder {
        plan: plan(file),
        expected_version: None,
        validate_only: false,
        reason: None,
        request_id: Some("first".into()),
        client: "admin".into(),
    };
    handle.apply(order).await.unwrap();
}

/// One life of the process: until the clients are content, or it is killed. Whether it was killed.
async fn life(world: &World, rack: Rack, file: &RackFile) -> bool {
    let handle = rack.handle();
    let work = async {
        stand(&handle, file).await;
        clients(&handle).await;
    };
    let killed = tokio::select! {
        biased;
        () = world.run() => unreachable!("the world never ends"),
        () = world.killed() => true,
        done = timeout(CALM, work) => {
            done.expect("everything comes to rest in virtual time");
            false
        }
    };
    drop(rack);
    // Tasks of the dead process are dropped when the runtime next looks at them.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    killed
}

fn receipts_of(ledgers: &BTreeMap<String, Vec<Record>>) -> Vec<(String, TlvList)> {
    let mut found = Vec::new();
    for (number, records) in ledgers {
        for record in records.iter().filter(|record| record.kind == 3) {
            found.push((number.clone(), TlvList::decode(&record.tlv).unwrap()));
        }
    }
    found
}

/// I1, I2, K1, K2: each job has exactly one document, as asked, and there is no other receipt.
async fn check(world: &World, rack: &Rack) {
    let ledgers = world.ledgers();
    let receipts = receipts_of(&ledgers);
    let keys: Vec<String> = receipts
        .iter()
        .map(|(_, tags)| tags.text(Tag::RECEIPT_ATTRIBUTE).unwrap())
        .collect();
    let distinct: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(
        (keys.len(), distinct.len()),
        (JOBS as usize, JOBS as usize),
        "documents by key: {keys:?}"
    );
    let page = rack.handle().jobs(JobFilter::default(), None, 1000).await.unwrap();
    assert_eq!(page.rows.len(), JOBS as usize);
    for job in page.rows {
        let evidence = job.evidence.expect("a completed job has its document");
        let record = &ledgers[evidence.fn_number.as_str()][evidence.fd.0 as usize - 1];
        assert_eq!((record.fd, record.fp), (evidence.fd.0, evidence.fp.0));
        let tags = TlvList::decode(&record.tlv).unwrap();
        assert_eq!(tags.text(Tag::RECEIPT_ATTRIBUTE).as_deref(), Some(job.key.as_str()));
        assert_eq!(tags.money(Tag::RECEIPT_TOTAL).unwrap(), Some(job.receipt.total));
        assert_eq!(tags.text(Tag::BUYER_CONTACT), job.receipt.buyer.unwrap().contact);
        assert_eq!(tags.u32(Tag::RECEIPT_NUMBER).unwrap(), Some(evidence.number_in_shift));
        assert_eq!(tags.u32(Tag::SHIFT_NUMBER).unwrap(), Some(evidence.shift.0));
    }
}

async fn story(seed: u64, kill: Option<(Point, u32)>) -> (String, BTreeMap<Point, u32>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = rack_file(seed);
    let world = World::new(&file, folder.path());
    if let Some((point, nth)) = kill {
        world.kill_at(point, nth);
    }
    let mut lives = 0;
    loop {
        let rack = world.start().await;
        lives += 1;
        if !life(&world, rack, &file).await {
            break;
        }
        assert!(lives < 4, "killed once, so the second life is the last");
    }
    let rack = world.start().await;
    check(&world, &rack).await;
    (world.trace_hash(), world.reached(), world.trace())
}

fn simulate(seed: u64, kill: Option<(Point, u32)>) -> (String, BTreeMap<Point, u32>, Vec<String>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(story(seed, kill))
}

#[test]
fn a_quiet_day_makes_one_document_of_each_job_and_repeats_exactly() {
    let (first, reached, trace) = simulate(1, None);
    let (second, _, again) = simulate(1, None);
    assert_eq!(trace, again);
    assert_eq!(first, second);
    assert!(reached.contains_key(&Point::OutcomeDurable));
    assert_ne!(simulate(2, None).0, first, "another seed tells another story");
}

#[test]
fn a_death_at_any_point_loses_nothing_and_doubles_nothing() {
    let (_, quiet, _) = simulate(1, None);
    for point in Point::ALL {
        let times = quiet.get(point).copied().unwrap_or(0);
        for nth in [1, 2, 3, times / 2, times] {
            if nth == 0 || nth > times {
                continue;
            }
            println!("seed 1, killed at {} #{nth} of {times}", point.as_str());
            let (first, _, trace) = simulate(1, Some((*point, nth)));
            let (second, _, again) = simulate(1, Some((*point, nth)));
            assert_eq!(trace, again, "{point:?}");
            assert_eq!(first, second);
        }
    }
}
