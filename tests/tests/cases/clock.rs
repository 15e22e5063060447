//! Show 6: the host's clock is wrong.
//!
//! Owns: a clock an hour and a day ahead, and an hour behind.
//! Must never: accept a document whose time is not the simulator's true time.

use super::matrix::KEY;
use kassette_api::v1::JobState;
use kassette_tests::api::{LONGEST_WAIT, duration};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, check_only_job};
use std::thread;
use std::time::Duration;

const HOUR: i64 = 3600;
/// Furthest that a document may lie from true time (promise K7), seconds.
const MAX_ERROR: i64 = 300;
/// The registers' zone, seconds east of UTC.
const ZONE: i64 = 3 * HOUR;

fn unix_of_local(text: &str) -> i64 {
    let form = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    time::PrimitiveDateTime::parse(text, &form)
        .unwrap()
        .assume_utc()
        .unix_timestamp()
        - ZONE
}

/// A rack that has worked, whose host's clock then jumps: before any start, or under a running daemon.
fn a_wrong_host_clock(seed: u64, offset: i64, while_it_runs: bool) {
    let mut rack = TestRack::bench(
        seed,
        vec![BenchRegister::new(1, &inn(1)), BenchRegister::new(2, &inn(2))],
    )
    .unwrap();
    let set = |rack: &TestRack, offset: i64| {
        std::fs::create_dir_all(&rack.setup.folder).unwrap();
        std::fs::write(rack.setup.clock_offset_file(), offset.to_string()).unwrap();
    };
    if !while_it_runs {
        set(&rack, offset);
    }
    rack.start_daemon().unwrap();
    rack.apply().unwrap();
    if while_it_runs {
        // The second register works before the jump, so that its shift is open.
        let job = rack
            .api()
            .submit(submission(&rack.register(1).inn, "before", plain_receipt(500)))
            .unwrap();
        assert!(job.receipt_job.is_some());
        let job = rack.api().job(&rack.register(1).inn, "before", LONGEST_WAIT).unwrap();
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
        set(&rack, offset);
    }
    let mut request = submission(&rack.register(0).inn, KEY, plain_receipt(700));
    // The ttl is of the host's clock too: a job that no register may take ends soon.
    request.ttl = Some(duration(Duration::from_secs(6)));
    rack.api().submit(request).unwrap();
    let job = rack.api().job(&rack.register(0).inn, KEY, LONGEST_WAIT).unwrap();
    println!("offset {offset} s: {:?}, {:?}", job.state(), job.reason);
    let ledger = rack.simulator.ledger().unwrap();
    check_only_job(&job, &ledger, &rack.register(0).fn_number).unwrap();
    for document in &ledger {
        let error = unix_of_local(document.time.as_ref().unwrap()) - document.made_unix_ms / 1000;
        assert!(
            error.abs() <= MAX_ERROR,
            "{} FD {} is {error} s off",
            document.fn_number,
            document.fd
        );
    }
    for n in 0..rack.count() {
        let observed = rack.control().observe(&rack.register(n).serial).unwrap();
        assert_eq!(
            observed.clock_skew_seconds, 0,
            "the clock of register {} was moved",
            observed.serial
        );
    }
    if offset.abs() > MAX_ERROR && !while_it_runs {
        let reasons: Vec<String> = rack
            .api()
            .registers()
            .unwrap()
            .iter()
            .flat_map(|one| &one.reasons)
            .map(|one| one.code.clone())
            .collect();
        assert!(
            reasons.iter().any(|code| code.starts_with("CLOCK")),
            "no reason names the clock: {reasons:?}"
        );
    }
}

#[test]
fn a_host_clock_that_is_wrong_moves_no_register_clock_and_dates_no_document() {
    let cases = [
        (60, HOUR, false),
        (61, 24 * HOUR, false),
        (62, -HOUR, false),
        (63, HOUR, true),
        (64, -HOUR, true),
    ];
    thread::scope(|scope| {
        let running = cases.map(|(seed, offset, runs)| scope.spawn(move || a_wrong_host_clock(seed, offset, runs)));
        for one in running {
            one.join().unwrap();
        }
    });
}
