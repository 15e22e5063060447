//! One receipt goes in over gRPC, one fiscal document comes out of a register.
//!
//! Owns: the plain way, keys, and the oracle over a corpus of receipts.
//! Must never: test what happens when something fails.

use futures_util::stream::{self, StreamExt as _};
use kassette_api::codes::Code;
use kassette_api::status::{CONTENT_HASH, FIRST_CONTENT_HASH, JOB};
use kassette_api::v1::watch_start::Start;
use kassette_api::v1::{JobState, SubmitReceiptRequest};
use kassette_tests::api::{LONGEST_WAIT, details, duration};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::ledger::{SHIFT_OPEN, receipts_of};
use kassette_tests::mapping::{RECEIPTS_2020, receipt_of_2020};
use kassette_tests::python;
use kassette_tests::reckoning::reckon;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, check_only_job, final_job};
use prost::Message as _;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn a_receipt_becomes_one_document_and_its_key_stays_its_own() {
    let rack = TestRack::start(1, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let (register, api) = (rack.register(0), rack.api());
    let mut watch = api.watch(Start::Origin(2)).unwrap();
    let first = api
        .submit(submission(&register.inn, "sale-1", plain_receipt(12_200)))
        .unwrap();
    assert!(!first.existing);
    let seen = watch
        .until(LONGEST_WAIT, |job| job.state() == JobState::Completed)
        .unwrap();
    let job = final_job(api, &register.inn, "sale-1").unwrap();
    assert_eq!(seen, job, "the watch and the answer show the same job");
    let ledger = rack.simulator.ledger().unwrap();
    check_only_job(&job, &ledger, &register.fn_number).unwrap();
    assert!(
        ledger.iter().any(|document| document.kind == SHIFT_OPEN),
        "the shift was opened before"
    );
    let result = job.result.as_ref().unwrap();
    assert_eq!(
        (result.total_kopecks, result.settlement_sign, result.inn.as_str()),
        (12_200, 1, register.inn.as_str())
    );
    assert!(
        result.qr_text.contains(&format!("fn={}", register.fn_number)),
        "{}",
        result.qr_text
    );

    let again = api
        .submit(submission(&register.inn, "sale-1", plain_receipt(12_200)))
        .unwrap();
    assert!(again.existing);
    assert_eq!(again.receipt_job.unwrap(), job);

    let status = api
        .submit(submission(&register.inn, "sale-1", plain_receipt(12_201)))
        .unwrap_err();
    let told = details(&status).unwrap();
    assert_eq!(
        (status.code(), told.code),
        (tonic::Code::AlreadyExists, Code::KeyConflict)
    );
    assert_eq!(told.metadata.get(JOB), Some(&job.name));
    assert_eq!(told.metadata.get(FIRST_CONTENT_HASH), Some(&job.content_hash));
    assert_ne!(told.metadata.get(CONTENT_HASH), Some(&job.content_hash));
    assert_eq!(
        receipts_of(&rack.simulator.ledger().unwrap(), &register.fn_number).len(),
        1
    );
}

/// Show 2.
#[test]
fn every_tag_of_a_corpus_of_receipts_stands_in_the_fn_as_it_was_asked_for() {
    // Four registers of one taxpayer: three in a shop, which may take cash, and the last for the internet.
    let register = |n| BenchRegister {
        registration: format!("{{ tax_systems = 55, work_mode = {} }}", if n == 4 { 36 } else { 0 }),
        ..BenchRegister::new(n, &inn(1))
    };
    let rack = TestRack::start(2, (1..=4).map(register).collect()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let requests = folder.path().join("requests.jsonl");
    let (socket, taxpayer) = (rack.setup.socket(), inn(1));
    python::run("python/submit_corpus.py", &[&socket, Path::new(&taxpayer), &requests]).unwrap();
    assert!(equal_by_the_oracle(&rack, folder.path(), &requests) >= 25);
}

/// How many documents the oracle compared and found equal.
fn equal_by_the_oracle(rack: &TestRack, folder: &Path, requests: &Path) -> u64 {
    let ledger = folder.join("ledger.jsonl");
    rack.simulator.write_ledger(&ledger).unwrap();
    let arguments = [Path::new("--requests"), requests, Path::new("--ledger"), &ledger];
    let said = python::run("oracle/compare.py", &arguments).unwrap();
    let counts: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    println!("{counts}");
    assert_eq!(counts["differences"], 0, "{said}");
    assert_eq!(counts["compared"], counts["jobs"]);
    counts["compared"].as_u64().unwrap()
}

/// The receipts of 2020 by their mapping, as `cargo demo` submits them; over TCP, where the FN is read before each.
#[test]
fn the_real_receipts_that_are_accepted_stand_in_the_fns_tag_by_tag() {
    let register = |n| BenchRegister {
        link: if n % 2 == 0 { "tcp" } else { "pty" }.into(),
        ..BenchRegister::new(n, &inn(1))
    };
    let rack = TestRack::start(4, (1..=4).map(register).collect()).unwrap();
    let api = rack.api();
    // A register that has worked has shown its registration: what it does not cover is then refused at once.
    api.submit(submission(&inn(1), "first", plain_receipt(100))).unwrap();
    let first = final_job(api, &inn(1), "first").unwrap();
    let client = api.receipts();
    let submitted = RECEIPTS_2020.lines().enumerate().map(|(at, line)| {
        let (mut client, receipt) = (client.clone(), receipt_of_2020(line).unwrap());
        let request = SubmitReceiptRequest {
            wait: Some(duration(LONGEST_WAIT)),
            ..submission(&inn(1), &format!("receipt-2020-{at:03}"), receipt.clone())
        };
        async move {
            client
                .submit_receipt(request)
                .await
                .map(|answer| (receipt, answer.into_inner()))
        }
    });
    let answers: Vec<_> = api.wait(stream::iter(submitted).buffer_unordered(16).collect());
    let mut lines = String::new();
    let first = (plain_receipt(100), &first);
    let made = answers
        .iter()
        .flatten()
        .map(|(receipt, answer)| (receipt.clone(), answer.receipt_job.as_ref().unwrap()));
    for (receipt, job) in made.chain([first]) {
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
        let result = job.result.as_ref().unwrap();
        let line = json!({
            "receipt": hex(&receipt.encode_to_vec()), "inn": inn(1), "state": "COMPLETED", "job_key": job.job_key,
            "fn": result.r#fn, "fd": result.fd, "fp": result.fp,
        });
        writeln!(lines, "{line}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (encoded, requests) = (
        folder.path().join("encoded.jsonl"),
        folder.path().join("requests.jsonl"),
    );
    std::fs::write(&encoded, lines).unwrap();
    python::run("python/as_json.py", &[&encoded, &requests]).unwrap();
    let equal = equal_by_the_oracle(&rack, folder.path(), &requests);
    assert!(equal >= 50, "only {equal} of the real receipts became documents");
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    let counted = reckon(&api.jobs().unwrap(), refused, &rack.simulator.ledger().unwrap());
    assert_eq!(
        (counted.lost, counted.doubled, counted.accepted + counted.refused),
        (0, 0, 401),
        "{counted:?}"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
