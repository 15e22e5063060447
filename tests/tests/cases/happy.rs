//! One receipt goes in over gRPC, one fiscal document comes out of a register.
//!
//! Owns: the plain way, keys, and the oracle over a corpus of receipts.
//! Must never: test what happens when something fails.

use kassette_api::codes::Code;
use kassette_api::status::{CONTENT_HASH, FIRST_CONTENT_HASH, JOB};
use kassette_api::v1::watch_start::Start;
use kassette_api::v1::{JobState, Receipt, UserAttribute};
use kassette_tests::api::{LONGEST_WAIT, details};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::ledger::{SHIFT_OPEN, receipts_of};
use kassette_tests::python;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, check_only_job, final_job};
use serde_json::Value;
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

/// Both places of the job key are the client's: the document is known by its content, and the job names no key that
/// nobody will find.
#[test]
fn a_job_whose_document_has_no_room_for_its_key_names_none() {
    let rack = TestRack::start(3, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let (register, api) = (rack.register(0), rack.api());
    let own = UserAttribute {
        name: Some("Заказ".to_owned()),
        value: Some("77".to_owned()),
    };
    let receipt = Receipt {
        additional_attribute: Some("A1".to_owned()),
        user_attribute: Some(own),
        ..plain_receipt(12_200)
    };
    api.submit(submission(&register.inn, "sale", receipt)).unwrap();
    let job = final_job(api, &register.inn, "sale").unwrap();
    assert_eq!((job.state(), job.job_key.as_str()), (JobState::Completed, ""));
    let ledger = rack.simulator.ledger().unwrap();
    let receipts = receipts_of(&ledger, &register.fn_number);
    assert_eq!(receipts[0].job_keys(), ["A1", "77"], "the client's own");
}
