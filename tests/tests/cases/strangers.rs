//! Show 6: what must not be driven is not driven.
//!
//! Owns: a live FN in a test rack, and a second daemon on the same register.
//! Must never: let a case drive a live FN to see what happens.

use super::matrix::KEY;
use kassette_api::v1::JobState;
use kassette_tests::api::{LONGEST_WAIT, duration};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::daemon::DaemonSetup;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::TestRack;
use std::collections::BTreeSet;
use std::time::Duration;

/// Commands that identify a register and its FN and change nothing (`shtrih-m` 3.1, 3.7): kind, abilities, states, FN
/// state and number, term, registration, and the serial's table field.
const IDENTIFICATION: [&str; 9] = ["FC", "F7", "10", "11", "FF01", "FF02", "FF03", "FF09", "1F"];

#[test]
fn a_live_fn_in_a_test_rack_gets_nothing_beyond_identification() {
    let live = BenchRegister {
        // Not a test number: those begin 9999.
        fn_number: "9282440300600001".into(),
        ..BenchRegister::new(1, &inn(1))
    };
    let rack = TestRack::start(70, vec![live, BenchRegister::new(2, &inn(2))]).unwrap();
    let mut request = submission(&rack.register(0).inn, KEY, plain_receipt(700));
    request.ttl = Some(duration(Duration::from_secs(3)));
    // Refused at once or waiting in vain: both are right, a document is not.
    if rack.api().submit(request).is_ok() {
        let job = rack.api().job(&rack.register(0).inn, KEY, LONGEST_WAIT).unwrap();
        assert_eq!(job.state(), JobState::Expired, "{job:?}");
    }
    // The register beside it works: the rack as a whole is up.
    rack.api()
        .submit(submission(&rack.register(1).inn, KEY, plain_receipt(700)))
        .unwrap();
    let job = rack.api().job(&rack.register(1).inn, KEY, LONGEST_WAIT).unwrap();
    assert_eq!(job.state(), JobState::Completed, "{job:?}");

    let events = rack
        .control()
        .events(&rack.register(0).serial, 0, Duration::ZERO)
        .unwrap();
    let sent: BTreeSet<&str> = events.iter().filter_map(|one| one.command.as_deref()).collect();
    println!("sent to the live FN's register: {sent:?}");
    assert!(!sent.is_empty(), "it was not even identified");
    assert!(sent.iter().all(|command| IDENTIFICATION.contains(command)), "{sent:?}");
    let codes: Vec<String> = rack
        .api()
        .registers()
        .unwrap()
        .iter()
        .flat_map(|one| &one.reasons)
        .map(|one| one.code.clone())
        .collect();
    assert!(codes.iter().any(|code| code == "LIVE_FN_IN_TEST_RACK"), "{codes:?}");
}

#[test]
fn a_second_daemon_on_the_same_register_is_refused_by_name() {
    let mut rack = TestRack::start(71, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let taxpayer = rack.register(0).inn.clone();
    rack.api()
        .submit(submission(&taxpayer, "first", plain_receipt(700)))
        .unwrap();
    assert_eq!(
        rack.api().job(&taxpayer, "first", LONGEST_WAIT).unwrap().state(),
        JobState::Completed
    );

    let second = DaemonSetup {
        locks: rack.setup.locks.clone(),
        ..DaemonSetup::within(&rack.setup.folder.join("second"))
    };
    let second = second.start().unwrap();
    second.api.apply(rack.description().unwrap()).unwrap();
    let mut request = submission(&taxpayer, "second", plain_receipt(800));
    request.ttl = Some(duration(Duration::from_secs(3)));
    if second.api.submit(request).is_ok() {
        let job = second.api.job(&taxpayer, "second", LONGEST_WAIT).unwrap();
        assert_eq!(job.state(), JobState::Expired, "{job:?}");
    }
    // The first one is named, so that a person knows whom to stop.
    let slots = second.api.slots().unwrap();
    let reasons: Vec<_> = slots.iter().filter_map(|slot| slot.reason.as_ref()).collect();
    println!("the second daemon says: {reasons:?}");
    let first = format!("{}", rack.daemon().unwrap().id());
    let names_it = |code: &str, text: &str| {
        matches!(code, "REGISTER_LOCKED" | "PORT_UNOPENABLE") && text.contains("kassetted") && text.contains(&first)
    };
    assert!(reasons.iter().any(|one| names_it(&one.code, &one.text)), "{reasons:?}");
    second.stop().unwrap();

    // The first daemon was not disturbed.
    rack.api()
        .submit(submission(&taxpayer, "third", plain_receipt(900)))
        .unwrap();
    assert_eq!(
        rack.api().job(&taxpayer, "third", LONGEST_WAIT).unwrap().state(),
        JobState::Completed
    );
    let daemon = rack.take_daemon().unwrap();
    assert!(daemon.stop().unwrap().success());
}
