//! A whole rack in one process under a paused clock.
//!
//! Owns: what the deterministic simulation of the project relies on.
//! Must never: wait for real time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_hw_sim::faults::FaultSpec;
use kassette_hw_sim::fiscal_storage::ledger::MemoryShelf;
use kassette_hw_sim::host::memory::{MemoryBench, MemoryPort};
use kassette_hw_sim::moment::Moment;
use kassette_hw_sim::rack::seat_in_memory;
use kassette_hw_sim::rack_file::{Generated, RackFile, generate};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;
const SERIAL: &str = "000000000001";
const FN: &str = "9999000000000001";

fn rack(seed: u64) -> RackFile {
    let wish = Generated {
        registers: 2,
        seed,
        timing: "\"realistic\"".to_owned(),
        ..Generated::default()
    };
    generate(&wish).parse().unwrap()
}

fn bench() -> MemoryBench {
    let start = Instant::now();
    MemoryBench::new(Arc::new(move || Moment {
        elapsed: start.elapsed(),
        unix_ms: 1_795_348_800_000 + i64::try_from(start.elapsed().as_millis()).unwrap(),
    }))
}

/// What came, and when since the start of the simulation.
type Trace = Vec<(Duration, Vec<u8>)>;

/// Sends a command and takes what comes until the line is quiet for a simulated minute or ends.
async fn talk(port: &mut MemoryPort, command: &[u8], start: Instant, trace: &mut Trace) {
    let length = u8::try_from(command.len()).unwrap();
    let sum = command.iter().fold(length, |sum, byte| sum ^ byte);
    let frame = [&[ENQ, 0x02, length], command, &[sum]].concat();
    if port.write(&frame).await.is_err() {
        return;
    }
    let mut buffer = [0; 300];
    while let Ok(length @ 1..) = tokio::time::timeout(Duration::from_secs(60), port.read(&mut buffer)).await {
        trace.push((start.elapsed(), buffer[..length].to_vec()));
    }
    let _ = port.write(&[ACK]).await;
}

/// A day at the rack: shift, a power cut in the middle, the port again, the end of the shift.
async fn day(seed: u64) -> (Trace, Vec<u32>) {
    let (bench, shelf, start) = (bench(), MemoryShelf::new(), Instant::now());
    seat_in_memory(&bench, &rack(seed), &shelf).unwrap();
    let script = async {
        let mut trace = Trace::new();
        let mut changes = bench.changes();
        let mut port = bench.open(SERIAL, bench.ports()[SERIAL]).unwrap();
        talk(&mut port, &[0xE0, 30, 0, 0, 0], start, &mut trace).await;
        let cut: FaultSpec = serde_json::from_value(json!({
            "kind": { "power_cut": { "when": "after", "down_ms": 7000 } },
            "trigger": { "command": { "code": "41" } }
        }))
        .unwrap();
        bench.fault(SERIAL, cut).unwrap();
        talk(&mut port, &[0x41, 30, 0, 0, 0], start, &mut trace).await;
        while !bench.ports().contains_key(SERIAL) {
            changes.changed().await.unwrap();
        }
        let mut port = bench.open(SERIAL, bench.ports()[SERIAL]).unwrap();
        talk(&mut port, &[0xFF, 0x01, 30, 0, 0, 0], start, &mut trace).await;
        trace
    };
    let trace = tokio::select! {
        biased;
        () = bench.run() => unreachable!("devices never end"),
        trace = script => trace,
    };
    (trace, shelf.records(FN).iter().map(|record| record.fp).collect())
}

fn simulate(seed: u64) -> (Trace, Vec<u32>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(day(seed))
}

#[test]
fn one_seed_gives_the_same_bytes_at_the_same_times_twice() {
    for seed in [1, 2, 3] {
        println!("seed {seed}");
        let (first, second) = (simulate(seed), simulate(seed));
        assert_eq!(first, second);
        // Registration, shift opening, and the closing whose answer the power cut took.
        assert_eq!(first.1.len(), 3);
        assert!(first.0.last().unwrap().0 > Duration::from_secs(7));
    }
    assert_ne!(simulate(1).0, simulate(2).0, "another seed gives other delays");
}

#[test]
fn registers_go_on_with_their_fns_on_a_new_bench() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let shelf = MemoryShelf::new();
        for _ in 0..2 {
            let bench = bench();
            seat_in_memory(&bench, &rack(1), &shelf).unwrap();
            assert_eq!(bench.observe(SERIAL).unwrap().device.last_fd, 1);
            assert_eq!(bench.ports().len(), 2);
        }
        assert_eq!(shelf.records(FN).len(), 1, "a start makes no second registration");
    });
}
