//! What must hold on one lane: the mark, the baseline, the clock between two looks, the jobs that never get lost.
//!
//! Owns: regressions of single races and faults that no kill point shows.
//! Must never: wait for real time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::job::{Job, Priority, SubmitOrder};
use kassette_core::domain::plan::{RackPlan, RegisterPlan, SlotPlan, TenantPlan};
use kassette_core::domain::unit::UnitState;
use kassette_core::rack::{ApplyOrder, RackHandle};
use kassette_dst::world::World;
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger, When};
use kassette_hw_sim::rack_file::{Generated, RackFile, generate};
use kassette_receipts::job::JobState;
use kassette_receipts::model::{Item, Payments, Receipt};
use kassette_wire::value::{Inn, Kopecks, Quantity};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const TENANT: &str = "7704358518";
const CALM: Duration = Duration::from_secs(900);

fn rack_file(registers: u32) -> RackFile {
    let wish = Generated {
        registers,
        tenants: vec![TENANT.to_owned()],
        timing: "\"realistic\"".to_owned(),
        seed: 7,
        ..Generated::default()
    };
    generate(&wish).parse().unwrap()
}

fn plan(file: &RackFile) -> RackPlan {
    let slot = |at: usize, serial: &str| SlotPlan {
        label: format!("S{at}"),
        port: format!("/sim/{serial}"),
        baud: None,
    };
    let registers = file.registers.iter();
    RackPlan {
        rack_id: None,
        tenants: vec![TenantPlan {
            inn: TENANT.into(),
            name: "Test".into(),
            ttl_s: 86_400,
            queue_max: 1000,
            clients: vec!["*".into()],
        }],
        slots: registers
            .clone()
            .enumerate()
            .map(|(at, entry)| slot(at, &entry.config.serial))
            .collect(),
        registers: registers
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
    });
    let mut receipt: Receipt = serde_json::from_value(text).unwrap();
    let item = serde_json::json!({
        "name": format!("Товар {number}"), "price": sum.get(), "quantity": Quantity::ONE.millionths(),
        "amount": sum.get(), "vat_rate": 6, "method": 4, "subject": 1, "measure": 0,
    });
    receipt.items.push(serde_json::from_value::<Item>(item).unwrap());
    receipt
}

async fn submit(handle: &RackHandle, number: u32) -> Job {
    let order = SubmitOrder {
        tenant: TENANT.parse().unwrap(),
        client: "shop".into(),
        external_id: format!("order-{number}"),
        key_time: None,
        receipt: receipt(number),
        ttl_ms: None,
        priority: Priority::Interactive,
        labels: BTreeMap::new(),
        replaces: None,
    };
    handle.submit(order).await.unwrap().job
}

async fn ended(handle: &RackHandle, job: &Job) -> Job {
    let inn: Inn = TENANT.parse().unwrap();
    handle.wait_final(&inn, &job.key, Instant::now() + CALM).await.unwrap()
}

async fn stand(handle: &RackHandle, plan: RackPlan) {
    let order = ApplyOrder {
        plan,
        expected_version: None,
        validate_only: false,
        reason: None,
        request_id: None,
        client: "admin".into(),
    };
    handle.apply(order).await.unwrap();
}

/// A rack whose units are ready, beside its world, for as long as the story lasts.
fn simulate<T>(registers: u32, story: impl AsyncFnOnce(World, RackHandle, RackFile) -> T) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = rack_file(registers);
        let world = World::new(&file, folder.path());
        let rack = world.start().await;
        let handle = rack.handle();
        let told = async {
            stand(&handle, plan(&file)).await;
            all_ready(&handle, registers).await;
            story(world.clone(), handle.clone(), file.clone()).await
        };
        tokio::select! {
            biased;
            () = world.run() => unreachable!("the world never ends"),
            done = timeout(Duration::from_secs(7200), told) => done.unwrap(),
        }
    })
}

async fn all_ready(handle: &RackHandle, registers: u32) {
    let mut snapshot = handle.snapshot();
    let ready = snapshot.wait_for(|snapshot| {
        let ready = snapshot.units.values().filter(|unit| {
            unit.state == UnitState::Active && unit.not_ready.is_none() && unit.shift.is_some_and(|shift| shift.open)
        });
        ready.count() == registers as usize
    });
    ready.await.unwrap();
}

fn serial(file: &RackFile, at: usize) -> &str {
    &file.registers[at].config.serial
}

fn receipts(world: &World) -> usize {
    let ledgers = world.ledgers();
    ledgers.values().flatten().filter(|record| record.kind == 3).count()
}

fn fault(world: &World, serial: &str, command: &str, kind: FaultKind) {
    let trigger = Trigger::Command {
        code: command.to_owned(),
        nth: 1,
    };
    world.bench().fault(serial, FaultSpec { kind, trigger }).unwrap();
}

#[test]
fn a_code_of_the_table_after_the_document_was_made_never_makes_a_second_one() {
    for code in [0x33, 0x45, 0x4D, 0x4E, 0x50, 0x73] {
        simulate(1, async |world, handle, file| {
            let when = When::After;
            fault(&world, serial(&file, 0), "FF45", FaultKind::Error { code, when });
            let job = submit(&handle, 1).await;
            let job = ended(&handle, &job).await;
            assert_eq!(job.state, JobState::Completed, "code {code:02X}: {job:?}");
            assert_eq!(receipts(&world), 1, "code {code:02X}");
        });
    }
}
