//! A bench under a paused clock.
//!
//! Owns: what the deterministic simulation relies on.
//! Must never: wait for real time.

use super::*;
use crate::faults::{FaultKind, When};
use crate::host::test_device::{SLOW, TestDevice, now, replug, unplug};
use tokio::time::Instant;

fn bench() -> MemoryBench {
    let start = Instant::now();
    MemoryBench::new(Arc::new(move || Moment {
        elapsed: start.elapsed(),
        unix_ms: i64::try_from(start.elapsed().as_millis()).unwrap(),
    }))
}

fn seated(link: MemoryLink) -> MemoryBench {
    let bench = bench();
    bench.seat("S1", "a", link, Box::new(TestDevice::default())).unwrap();
    bench
}

fn open(bench: &MemoryBench, name: &str) -> MemoryPort {
    bench.open(name, bench.ports()[name]).unwrap()
}

async fn line(port: &mut MemoryPort) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        let mut buffer = [0; 3];
        let length = port.read(&mut buffer).await;
        assert_ne!(length, 0, "the port is gone after {text:?}");
        text.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(text).unwrap()
}

/// Runs a test beside the devices, under a clock that moves only when everybody waits.
fn simulate<T>(test: impl AsyncFnOnce(MemoryBench) -> T, link: MemoryLink) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bench = seated(link);
        let devices = bench.clone();
        tokio::select! {
            biased;
            () = devices.run() => unreachable!("devices never end"),
            result = test(bench) => result,
        }
    })
}

#[test]
fn a_slow_command_is_answered_at_its_time_and_no_real_time_passes() {
    let real = std::time::Instant::now();
    simulate(
        async |bench| {
            let mut port = open(&bench, "a");
            let asked = Instant::now();
            for n in 1..=1000 {
                port.write(b"slow\n").await.unwrap();
                assert_eq!(line(&mut port).await, format!("ok {n}\n"));
                port.write(b"\x06").await.unwrap();
            }
            assert_eq!(asked.elapsed(), SLOW * 1000);
        },
        MemoryLink::Serial,
    );
    assert!(real.elapsed() < SLOW * 100, "{:?}", real.elapsed());
}

#[test]
fn an_unplugged_port_ends_and_comes_back_under_another_name_and_generation() {
    simulate(
        async |bench| {
            let mut port = open(&bench, "a");
            let old = bench.ports()["a"];
            port.write(b"one\n").await.unwrap();
            bench.fault("S1", unplug()).unwrap();
            assert_eq!(port.read(&mut [0; 8]).await, 0);
            assert_eq!(port.write(b"x").await, Err(MemoryError::Gone("a".to_owned())));
            assert!(bench.ports().is_empty());
            let mut changes = bench.changes();
            bench.fault("S1", replug(Some("b"))).unwrap();
            changes.changed().await.unwrap();
            assert!(bench.open("b", old).is_err(), "a new generation must be named");
            let mut port = open(&bench, "b");
            port.write(b"two\n").await.unwrap();
            assert_eq!(line(&mut port).await, "ok 2\n");
        },
        MemoryLink::Serial,
    );
}

#[test]
fn a_power_cut_takes_the_port_away_until_power_is_back() {
    simulate(
        async |bench| {
            let mut port = open(&bench, "a");
            let cut = now(FaultKind::PowerCut {
                when: When::Before,
                down_ms: 3000,
            });
            let (began, mut changes) = (Instant::now(), bench.changes());
            bench.fault("S1", cut).unwrap();
            assert_eq!(port.read(&mut [0; 8]).await, 0);
            changes.changed().await.unwrap();
            while bench.ports().is_empty() {
                changes.changed().await.unwrap();
            }
            assert_eq!(began.elapsed(), Duration::from_secs(3));
        },
        MemoryLink::Serial,
    );
}

#[test]
fn a_second_user_is_refused_and_a_name_in_use_is_not_given_twice() {
    simulate(
        async |bench| {
            let port = open(&bench, "a");
            let generation = bench.ports()["a"];
            assert!(matches!(bench.open("a", generation), Err(MemoryError::Busy(_))));
            drop(port);
            let _again = open(&bench, "a");
            let device = Box::new(TestDevice::default());
            bench.seat("S2", "a", MemoryLink::Serial, device).unwrap();
            assert_eq!(bench.ports().len(), 1);
            let events = bench.events("S2", 0);
            assert!(matches!(events[0].what, Happening::PortFailed { .. }), "{events:?}");
            bench.fault("S2", replug(Some("b"))).unwrap();
            assert_eq!(bench.ports().keys().collect::<Vec<_>>(), ["a", "b"]);
        },
        MemoryLink::Serial,
    );
}

#[test]
fn discarded_bytes_never_arrive_and_what_nobody_reads_is_lost() {
    simulate(
        async |bench| {
            let mut port = open(&bench, "a");
            port.write(b"one\n").await.unwrap();
            port.discard();
            port.write(b"\x06slow\n").await.unwrap();
            drop(port);
            tokio::time::sleep(SLOW * 2).await;
            let mut port = open(&bench, "a");
            port.write(b"\x06three\n").await.unwrap();
            assert_eq!(line(&mut port).await, "ok 3\n");
        },
        MemoryLink::Serial,
    );
}

#[test]
fn only_a_network_device_notices_its_peer() {
    let heard = |link| {
        simulate(
            async |bench| {
                drop(open(&bench, "a"));
                bench.observe("S1").unwrap().device.last_command.unwrap()
            },
            link,
        )
    };
    assert_eq!(heard(MemoryLink::Serial), "[true]");
    assert_eq!(heard(MemoryLink::Network), "[true, false]");
}
