//! Show 4: what goes wrong at the command that makes the document, and before it.
//!
//! Owns: the list of faults.
//! Must never: choose faults by what the daemon does well.

use super::matrix::{self, Cell, KEY, Must};
use kassette_api::v1::JobState;
use kassette_tests::api::LONGEST_WAIT;
use kassette_tests::bench_rack::{BenchRegister, inn, one_tenant_each};
use kassette_tests::ledger::receipts_of;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, check_only_job, final_job};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Every error code of the vendor's list (`shtrih-m` section 4).
const CODES: [u8; 124] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x20, 0x23, 0x24,
    0x2F, 0x30, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x58,
    0x59, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x62, 0x63, 0x65, 0x66, 0x68, 0x69, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F,
    0x71, 0x72, 0x73, 0x74, 0x75, 0x77, 0x78, 0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x84, 0x85, 0x86, 0x87, 0x88,
    0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x90, 0x91, 0x92, 0x93, 0x94, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xC0, 0xC2,
    0xC4, 0xC7, 0xC8, 0xA6, 0xA7, 0xAA, 0xAC, 0xB0, 0xD0, 0xFE,
];

/// The commands of a receipt, the last of which makes the document.
const COMMANDS: [&str; 5] = ["8D", "FF46", "FF4D", "FF0C", "FF45"];
/// The command that makes the document.
const CLOSING: &str = "FF45";

fn at(command: &str, kind: Value) -> Value {
    json!({ "kind": kind, "trigger": { "command": { "code": command } } })
}

fn errors(when: &str) -> Vec<Cell> {
    // After the document was made whatever the register says of it must not matter.
    let must = if when == "after" { Must::Complete } else { Must::End };
    let cell = |code: &u8| {
        let kind = json!({ "error": { "code": code, "when": when } });
        Cell::new(format!("error {code:02X} {when} {CLOSING}"), at(CLOSING, kind), must)
    };
    CODES.iter().map(cell).collect()
}

#[test]
fn every_error_code_instead_of_the_document_leaves_none_and_no_doubt() {
    matrix::run(41, &errors("before"));
}

#[test]
fn every_error_code_after_the_document_was_made_is_seen_through() {
    matrix::run(42, &errors("after"));
}

#[test]
fn a_lost_answer_a_hang_a_power_cut_and_damage_at_any_command_leave_one_document() {
    let mut cells = Vec::new();
    for command in COMMANDS {
        for when in ["before", "after"] {
            let kinds = [
                ("drop_reply", json!({ "drop_reply": { "when": when } })),
                ("hang", json!({ "hang": { "for_ms": 4000, "when": when } })),
                ("power_cut", json!({ "power_cut": { "when": when, "down_ms": 1500 } })),
            ];
            for (name, kind) in kinds {
                cells.push(Cell::new(
                    format!("{name} {when} {command}"),
                    at(command, kind),
                    Must::Complete,
                ));
            }
        }
        cells.push(Cell::new(
            format!("garble {command}"),
            at(command, json!("garble")),
            Must::Complete,
        ));
        let late = json!({ "late_reply": { "by_ms": 8000 } });
        cells.push(Cell::new(
            format!("late answer to {command}"),
            at(command, late),
            Must::Complete,
        ));
        let stale = json!({ "stale_reply": {} });
        cells.push(Cell::new(
            format!("another command's answer to {command}"),
            at(command, stale),
            Must::Complete,
        ));
    }
    matrix::run(43, &cells);
}

/// Links beside the serial line without numbers: `link` and `switches` of a register.
const OTHER_LINKS: [(&str, &str); 3] = [
    ("tcp", "{ vat_22 = \"rows_11_and_12\" }"),
    ("pty", "{ vat_22 = \"rows_11_and_12\", link_v2 = true }"),
    ("tcp", "{ vat_22 = \"rows_11_and_12\", link_v2 = true }"),
];

/// The same at the document over the other links: on the network the register may be talked to by others and a connection
/// ends by itself; with numbered frames a lost answer is asked for again.
#[test]
fn faults_at_the_document_over_tcp_and_in_numbered_frames_leave_one_document() {
    let mut cells = Vec::new();
    let mut registers = Vec::new();
    for ((link, switches), when) in OTHER_LINKS
        .into_iter()
        .flat_map(|one| [(one, "before"), (one, "after")])
    {
        let kinds = [
            ("drop_reply", json!({ "drop_reply": { "when": when } })),
            ("hang", json!({ "hang": { "for_ms": 4000, "when": when } })),
            ("power_cut", json!({ "power_cut": { "when": when, "down_ms": 1500 } })),
            ("error 2F", json!({ "error": { "code": 0x2F, "when": when } })),
        ];
        for (name, kind) in kinds {
            let n = u32::try_from(registers.len() + 1).unwrap();
            registers.push(BenchRegister {
                link: link.into(),
                switches: switches.into(),
                ..BenchRegister::new(n, &inn(n))
            });
            let name = format!("{name} {when} {CLOSING} over {link}, {switches}");
            cells.push(Cell::new(name, at(CLOSING, kind), Must::Complete));
        }
    }
    matrix::run_on(46, registers, &cells);
}

/// The cable goes at the closing command; the register comes back under another name, on a port that the plan knows
/// without knowing who stands there.
#[test]
fn a_register_that_comes_back_under_another_name_is_found_by_its_fn() {
    let rack = TestRack::start(44, one_tenant_each(4)).unwrap();
    thread::scope(|scope| {
        for (n, (command, when)) in [
            (CLOSING, "before"),
            (CLOSING, "after"),
            ("FF46", "after"),
            ("8D", "before"),
        ]
        .into_iter()
        .enumerate()
        {
            let rack = &rack;
            scope.spawn(move || {
                let serial = &rack.register(n).serial;
                let kind = json!({ "unplug": { "when": when } });
                rack.control().fault(serial, &at(command, kind)).unwrap();
                let submitted = scope.spawn(move || matrix::submit_only(rack, n));
                rack.control()
                    .wait_event(serial, 0, LONGEST_WAIT, |event| event.event == "port_down")
                    .unwrap();
                rack.control()
                    .replug(serial, Some(&TestRack::spare_name(serial)))
                    .unwrap();
                let job = submitted.join().unwrap().unwrap();
                assert_eq!(job.state(), JobState::Completed, "{command} {when}: {job:?}");
            });
        }
    });
    let ledger = rack.simulator.ledger().unwrap();
    for n in 0..rack.count() {
        let job = rack.api().job(&rack.register(n).inn, KEY, Duration::ZERO).unwrap();
        check_only_job(&job, &ledger, &rack.register(n).fn_number).unwrap();
    }
}

/// The first receipt's good answer comes again in place of the second's: as numbers go it is not of this attempt.
#[test]
fn a_good_but_stale_answer_is_not_taken_for_the_document() {
    let rack = TestRack::start(45, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let (register, api) = (rack.register(0), rack.api());
    let submit = |key: &str, kopecks| {
        api.submit(submission(&register.inn, key, plain_receipt(kopecks)))
            .unwrap();
        final_job(api, &register.inn, key).unwrap()
    };
    let first = submit("first", 10_000);
    assert_eq!(first.state(), JobState::Completed);
    let stale = at(CLOSING, json!({ "stale_reply": { "of": CLOSING } }));
    rack.control().fault(&register.serial, &stale).unwrap();
    let second = submit("second", 20_000);
    assert_eq!(second.state(), JobState::Completed, "{second:?}");
    let (first, second_result) = (first.result.unwrap(), second.result.unwrap());
    assert_ne!(first.fd, second_result.fd, "the stale answer was believed");
    let ledger = rack.simulator.ledger().unwrap();
    let receipts = receipts_of(&ledger, &register.fn_number);
    assert_eq!(receipts.len(), 2);
    assert_eq!((receipts[1].fd, receipts[1].fp), (second_result.fd, second_result.fp));
    assert!(receipts[1].job_keys().contains(&second.job_key.as_str()));
}
