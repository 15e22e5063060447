//! Many receipts over one stream of submissions.
//!
//! Owns: what a client of the stream may rely on when an item is bad, when the stream breaks, and when the daemon stops.
//! Must never: take an answer for a document.

use futures_util::stream::{self, StreamExt as _};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1::submit_receipts_response::Outcome;
use kassette_api::v1::{JobState, SubmitReceiptsRequest, SubmitReceiptsResponse};
use kassette_tests::api::{Api, LONGEST_WAIT, details};
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::programs::Programs;
use kassette_tests::reckoning::{Reckoning, reckon};
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, final_job};
use std::collections::BTreeMap;
use std::process::Command;
use tonic::Streaming;

const ITEMS: usize = 600;
/// Its total is not the sum of its items.
const INVALID: usize = 299;
/// It is for a tenant that nobody described.
const UNKNOWN_TENANT: usize = 300;

fn key(at: usize) -> String {
    format!("sale-{at:03}")
}

fn item(at: usize) -> SubmitReceiptsRequest {
    let mut receipt = plain_receipt(10_000 + i64::try_from(at).unwrap());
    if at == INVALID {
        receipt.total_kopecks = Some(1);
    }
    let tenant = inn(if at == UNKNOWN_TENANT { 77 } else { 1 });
    SubmitReceiptsRequest {
        item_id: at.to_string(),
        submit: Some(submission(&tenant, &key(at), receipt)),
    }
}

fn open(api: &Api) -> Streaming<SubmitReceiptsResponse> {
    let answers = api.wait(api.receipts().submit_receipts(stream::iter((0..ITEMS).map(item))));
    answers.unwrap().into_inner()
}

/// The name of the job and whether it was there before, or the code of the refusal, by item.
type Told = BTreeMap<usize, Result<(String, bool), Code>>;

/// Reads so many answers, each of another item.
fn read(api: &Api, answers: &mut Streaming<SubmitReceiptsResponse>, count: usize) -> Told {
    let mut told = Told::new();
    for _ in 0..count {
        let answer = api.wait(answers.message()).unwrap().unwrap();
        let outcome = match answer.outcome.unwrap() {
            Outcome::Submitted(stored) => Ok((stored.receipt_job.unwrap().name, stored.existing)),
            Outcome::Error(status) => Err(ErrorDetails::from_rpc_status(&status).unwrap().code),
        };
        let before = told.insert(answer.item_id.parse().unwrap(), outcome);
        assert_eq!(before, None, "item {} was answered twice", answer.item_id);
    }
    told
}

#[test]
fn a_stream_that_broke_half_way_is_repeated_whole_and_each_sale_is_one_document() {
    let registers = (1..=4).map(|n| BenchRegister::new(n, &inn(1))).collect();
    let rack = TestRack::start(90, registers).unwrap();
    let api = rack.api();
    let mut broken = open(api);
    let first = read(api, &mut broken, ITEMS / 2);
    drop(broken);

    let mut whole = open(api);
    let mut second = read(api, &mut whole, ITEMS);
    assert!(
        api.wait(whole.message()).unwrap().is_none(),
        "the stream ends after its last answer"
    );
    for (at, told) in &first {
        let again = told.clone().map(|(name, existing)| {
            assert!(!existing, "item {at} was new");
            (name, true)
        });
        assert_eq!(second[at], again, "item {at}");
    }
    assert_eq!(second.remove(&INVALID), Some(Err(Code::ReceiptInvalid)));
    assert_eq!(second.remove(&UNKNOWN_TENANT), Some(Err(Code::TenantUnknown)));
    check_documents(&rack, &second);
}

/// Each item is the job that the answer named, and each job is one receipt in the FNs, which hold no other.
fn check_documents(rack: &TestRack, told: &Told) {
    for (at, told) in told {
        let job = final_job(rack.api(), &inn(1), &key(*at)).unwrap();
        assert_eq!(Ok(&job.name), told.as_ref().map(|(name, _)| name), "item {at}");
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
    }
    let counted = reckon(&rack.api().jobs().unwrap(), 2, &rack.simulator.ledger().unwrap());
    let right = Reckoning {
        accepted: ITEMS - 2,
        refused: 2,
        documents: ITEMS - 2,
        lost: 0,
        doubled: 0,
    };
    assert_eq!((counted, told.len()), (right, ITEMS - 2));
    check_export(rack);
}

/// The export, which needs no second page below 1000 documents, names every receipt once.
fn check_export(rack: &TestRack) {
    let program = Programs::built().unwrap().ctl().unwrap();
    let output = Command::new(program)
        .args(["documents", "export", "--format", "csv", "--socket"])
        .arg(rack.setup.socket())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let exported = text.lines().filter(|line| line.split(',').nth(3) == Some("3")).count();
    assert_eq!(exported, ITEMS - 2, "{text}");
}

#[test]
fn when_the_daemon_stops_an_open_stream_ends_with_our_code_and_what_it_answered_is_kept() {
    let mut rack = TestRack::start(91, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let mut daemon = rack.take_daemon().unwrap();
    let api = daemon.api.clone();
    // The client never ends its side: only the daemon can end this stream.
    let items = stream::iter((0..4).map(item)).chain(stream::pending());
    let answers = api.wait(api.receipts().submit_receipts(items));
    let mut answers = answers.unwrap().into_inner();
    let told = read(&api, &mut answers, 4);
    daemon.terminate().unwrap();
    let end = api.wait(answers.message()).unwrap_err();
    assert_eq!(details(&end).unwrap().code, Code::DaemonStopping, "{end:?}");
    assert!(daemon.ended(LONGEST_WAIT).unwrap().success());
    rack.start_daemon().unwrap();
    for (at, told) in told {
        let job = final_job(rack.api(), &inn(1), &key(at)).unwrap();
        assert_eq!(Ok(job.name), told.map(|(name, _)| name));
    }
}
