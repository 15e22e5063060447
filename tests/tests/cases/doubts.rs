//! A doubt whose FN was taken out, settled by two persons at the command line.
//!
//! Owns: the whole way from 'kassettectl doubt list' to the job that is made elsewhere.
//! Must never: let one person settle anything.

use kassette_api::v1::JobState;
use kassette_tests::api::LONGEST_WAIT;
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::ledger::receipts_of;
use kassette_tests::programs::Programs;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, final_job};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// The FN that is put in place of the one in doubt.
const OTHER_FN: &str = "9999078900009999";

/// Exit code and standard output of a command of one of the two persons.
fn ctl(door: &[String], arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(Programs::built().unwrap().ctl().unwrap());
    let output = command.args(door).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!(
        "{arguments:?}: {:?}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap(), text)
}

fn json_of(door: &[String], arguments: &[&str]) -> Value {
    let (code, text) = ctl(door, &[&["--json"], arguments].concat());
    assert_eq!(code, 0);
    serde_json::from_str(&text).unwrap()
}

/// The one open doubt once it needs a person.
fn doubt(door: &[String]) -> Value {
    let until = Instant::now() + LONGEST_WAIT;
    loop {
        let listed = json_of(door, &["doubt", "list"]);
        if let Some(one) = listed["doubts"].get(0)
            && one["state"] == "DOUBT_STATE_NEEDS_PERSON"
        {
            return one.clone();
        }
        assert!(Instant::now() < until, "no doubt needs a person: {listed}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn two_persons_prove_that_nothing_was_made_and_the_receipt_is_made_on_another_register() {
    let mut rack = TestRack::start(81, vec![BenchRegister::new(1, &inn(1)), BenchRegister::new(2, &inn(1))]).unwrap();
    rack.take_daemon().unwrap().stop().unwrap();
    rack.setup.plain_tcp = true;
    rack.start_daemon().unwrap();
    // Every FN was read: what follows is no hold, but the doubt of an attempt.
    rack.wait_ready().unwrap();
    let first = rack.register(0).clone();
    rack.carry_away(1).unwrap();
    let hang = json!({ "kind": { "hang": { "for_ms": 3000, "when": "before" } },
        "trigger": { "command": { "code": "FF45" } } });
    rack.control().fault(&first.serial, &hang).unwrap();
    rack.api()
        .submit(submission(&first.inn, "sale", plain_receipt(12_200)))
        .unwrap();
    rack.control()
        .wait_event(&first.serial, 0, LONGEST_WAIT, |event| {
            event.command.as_deref() == Some("FF45")
        })
        .unwrap();
    let other = json!({ "kind": { "fn_replace": { "number": OTHER_FN, "phase": "fiscal",
        "documents_left": 100, "expiry": "2028-11-22" } }, "trigger": "now" });
    rack.control().fault(&first.serial, &other).unwrap();

    let socket = ["--socket".to_owned(), rack.setup.socket().display().to_string()];
    let plain = ["--address".to_owned(), rack.daemon().unwrap().plain_address().unwrap()];
    let one = doubt(&socket);
    let id = one["name"].as_str().unwrap().trim_start_matches("doubts/").to_owned();
    let (code, text) = ctl(&socket, &["doubt", "show", &id]);
    assert!(
        code == 0 && text.contains("  1. ") && text.contains("--not-made"),
        "{text}"
    );

    let settle = [
        "doubt",
        "settle",
        &id,
        "--not-made",
        "--evidence",
        "Ivanova read the FN on the reader in room 4",
    ];
    let with = |more: &[&'static str]| [settle.as_slice(), more].concat();
    // That something is absent somewhere is no proof.
    for nothing in [&["--source", "ofd-copy", "--yes"], &["--source", "paper", "--yes"]] {
        assert_eq!(ctl(&socket, &with(nothing)).0, 1);
    }
    let baseline = one["baseline_fd"].to_string();
    let proof = [
        with(&["--source", "fn-reader", "--fn-last-fd"]),
        vec![baseline.as_str()],
    ]
    .concat();
    assert_eq!(ctl(&socket, &[&proof[..], &["--dry-run"]].concat()).0, 0);
    assert_eq!(ctl(&socket, &proof).0, 1, "without --yes nothing is done");
    let given = json_of(&socket, &[&proof[..], &["--yes"]].concat());
    assert_eq!(given["needs_second_person"], true);
    let confirm = given["doubt"]["confirmation_id"].as_str().unwrap().to_owned();
    let digits = &rack.register(0).fn_number[12..];
    let repeat = [&proof[..], &["--confirm", &confirm, "--fn-digits", digits, "--yes"]].concat();
    assert_eq!(ctl(&socket, &repeat).0, 77, "the same person");
    let wrong = [&proof[..], &["--confirm", &confirm, "--fn-digits", "0000", "--yes"]].concat();
    assert_eq!(ctl(&plain, &wrong).0, 1, "another FN");
    assert_eq!(ctl(&plain, &repeat).0, 0);

    let settled = json_of(&socket, &["doubt", "show", &id]);
    assert_eq!(settled["state"], "DOUBT_STATE_RESOLVED");
    assert_ne!(settled["verdict_by"], settled["confirmed_by"]);
    assert_eq!(json_of(&socket, &["doubt", "list"])["doubts"], json!([]));
    assert_eq!(
        json_of(&socket, &["doubt", "list", "--all"])["doubts"][0]["name"],
        one["name"]
    );
    rack.control().replug(&rack.register(1).serial, None).unwrap();
    let job = final_job(rack.api(), &rack.register(0).inn, "sale").unwrap();
    assert_eq!(job.state(), JobState::Completed, "{job:?}");
    let ledger = rack.simulator.ledger().unwrap();
    assert_eq!(receipts_of(&ledger, &rack.register(1).fn_number).len(), 1);
    assert_eq!(receipts_of(&ledger, &rack.register(0).fn_number).len(), 0);
    assert_eq!(receipts_of(&ledger, OTHER_FN).len(), 0);
}
