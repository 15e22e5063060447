//! Show 6: what must not be driven is not driven.
//!
//! Owns: a live FN in a test rack, a second daemon on the same register, and ports where no register answers.
//! Must never: let a case drive a live FN to see what happens.

use super::matrix::KEY;
use kassette_api::v1::{JobState, UnitState};
use kassette_tests::api::{LONGEST_WAIT, duration};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::daemon::DaemonSetup;
use kassette_tests::requests::{plain_receipt, slot, submission};
use kassette_tests::test_rack::{TestRack, final_job};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant, SystemTime};

/// Commands that identify a register and its FN and change nothing (`shtrih-m` 3.1, 3.7): kind, abilities, states, FN
/// state and number, term, registration, and the serial's table field.
const IDENTIFICATION: [&str; 9] = ["FC", "F7", "10", "11", "FF01", "FF02", "FF03", "FF09", "1F"];

/// How far a client's clock may be ahead of the daemon's, and a key is believed to be younger than a reading that began
/// at that moment.
const CLOCKS_APART: Duration = Duration::from_secs(5);

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
    // Its journal never read this FN, where the document of the first key may stand; the second key is younger than that.
    let mut request = submission(&taxpayer, "second", plain_receipt(800));
    request.ttl = Some(duration(Duration::from_secs(3)));
    second.api.submit(request.clone()).unwrap();
    request.external_id = "new".to_owned();
    request.key_time = Some((SystemTime::now() + CLOCKS_APART).into());
    second.api.submit(request).unwrap();
    let job = second.api.job(&taxpayer, "new", LONGEST_WAIT).unwrap();
    assert_eq!(job.state(), JobState::Expired, "{job:?}");
    let job = second.api.job(&taxpayer, "second", Duration::ZERO).unwrap();
    assert_eq!(job.state(), JobState::InDoubt, "{job:?}");
    assert_eq!(job.reason.as_ref().unwrap().code, "JOURNAL_RECOVERING", "{job:?}");
    assert_eq!(job.attempts, [], "it was never tried anywhere");
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

/// Nothing at a network address tells that a person changed something at the register: it must be looked at again.
#[test]
fn a_network_register_takes_jobs_again_when_its_own_fn_is_back() {
    let network = BenchRegister {
        link: "tcp".into(),
        ..BenchRegister::new(1, &inn(1))
    };
    let rack = TestRack::start(73, vec![network]).unwrap();
    let (register, api) = (rack.register(0), rack.api());
    let put_in = |number: &str| {
        let unit = json!({ "number": number, "phase": "fiscal", "documents_left": 1000, "expiry": "2028-11-22" });
        let fault = json!({ "kind": { "fn_replace": unit } });
        rack.control().fault(&register.serial, &fault).unwrap();
    };
    api.submit(submission(&register.inn, "first", plain_receipt(700)))
        .unwrap();
    assert_eq!(
        final_job(api, &register.inn, "first").unwrap().state(),
        JobState::Completed
    );
    put_in("9999000000000099");
    let until = Instant::now() + LONGEST_WAIT;
    // A register has no watch in this version: it is asked until the foreign FN was seen.
    while api.registers().unwrap()[0].state() != UnitState::Quarantined {
        assert!(Instant::now() < until, "{:?}", api.registers());
        std::thread::sleep(Duration::from_millis(50));
    }
    put_in(&register.fn_number);
    api.submit(submission(&register.inn, "second", plain_receipt(800)))
        .unwrap();
    let job = final_job(api, &register.inn, "second").unwrap();
    assert_eq!(job.state(), JobState::Completed, "{job:?}; {:?}", api.registers());
}

/// Something that is no register answers at a slot's address: bytes without end, or nothing at all.
#[test]
fn garbage_and_silence_at_a_port_have_a_visible_reason_and_disturb_nobody() {
    let mut rack = TestRack::bench(72, vec![BenchRegister::new(1, &inn(1)), BenchRegister::new(2, &inn(2))]).unwrap();
    rack.start_daemon().unwrap();
    let (noisy, silent) = (stranger(true), stranger(false));
    let mut described = rack.description().unwrap();
    for (label, address) in [("NOISY-1", &noisy), ("SILENT-1", &silent)] {
        let mut slot = slot(0, &format!("tcp:{address}"));
        slot.label = label.into();
        described.slots.push(slot);
    }
    rack.api().apply(described).unwrap();
    for n in 0..rack.count() {
        rack.api()
            .submit(submission(&rack.register(n).inn, KEY, plain_receipt(700)))
            .unwrap();
        let job = rack.api().job(&rack.register(n).inn, KEY, LONGEST_WAIT).unwrap();
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
    }
    let until = Instant::now() + LONGEST_WAIT;
    // A slot has no watch in this version: it is asked until both reasons stand there.
    for label in ["NOISY-1", "SILENT-1"] {
        loop {
            let slots = rack.api().slots().unwrap();
            let reason = slots
                .into_iter()
                .find(|slot| slot.label == label)
                .and_then(|slot| slot.reason);
            let code = reason.as_ref().map_or("", |reason| reason.code.as_str());
            if matches!(code, "REGISTER_GARBLED" | "REGISTER_SILENT" | "REGISTER_BUSY") {
                println!("{label}: {reason:?}");
                break;
            }
            assert!(Instant::now() < until, "{label}: {reason:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A TCP server that sends noise, or reads and says nothing; it ends with the test's process.
fn stranger(noisy: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            std::thread::spawn(move || {
                let mut byte = 0_u8;
                let mut read = [0; 64];
                loop {
                    byte = byte.wrapping_mul(181).wrapping_add(7);
                    let gone = if noisy {
                        connection.write_all(&[byte; 16]).is_err()
                    } else {
                        !matches!(connection.read(&mut read), Ok(1..))
                    };
                    if gone {
                        return;
                    }
                }
            });
        }
    });
    address
}
