//! Show 5 of issue 4: a backup, 100 receipts, the restore, and a client that repeats all of its keys; and no journal at all.
//!
//! Owns: the way of a backup through both programs.
//! Must never: look into a journal; what counts is what clients are told and what the FNs hold.

use kassette_api::codes::Code;
use kassette_api::v1::{CheckUpgradeRequest, JobState, ReceiptJob};
use kassette_tests::api::LONGEST_WAIT;
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::ledger::RECEIPT;
use kassette_tests::programs::Programs;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::TestRack;
use std::path::Path;
use std::process::{Command, Output};

const RECEIPTS: u64 = 100;

fn key(number: u64) -> String {
    format!("order-{number}")
}

/// Submits every order and waits for its end.
fn made(rack: &TestRack, numbers: impl IntoIterator<Item = u64> + Clone) -> Vec<(String, u32, u32)> {
    let inn = &rack.register(0).inn;
    for number in numbers.clone() {
        let request = submission(inn, &key(number), plain_receipt(100 + i64::try_from(number).unwrap()));
        rack.api().submit(request).unwrap();
    }
    let proof = |job: ReceiptJob| {
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
        let document = job.result.unwrap();
        (document.r#fn, document.fd, document.fp)
    };
    let jobs = numbers
        .into_iter()
        .map(|number| rack.api().job(inn, &key(number), LONGEST_WAIT).unwrap());
    jobs.map(proof).collect()
}

fn documents(rack: &TestRack) -> usize {
    let all = rack.simulator.ledger().unwrap();
    all.iter().filter(|document| document.kind == RECEIPT).count()
}

/// Whether a change of the program would wait for a backup.
fn wants_backup(rack: &TestRack) -> bool {
    let mut racks = rack.api().racks();
    let checked = rack
        .api()
        .wait(racks.check_upgrade(CheckUpgradeRequest::default()))
        .unwrap();
    let blockers = checked.into_inner().blockers;
    blockers.iter().any(|reason| reason.code == Code::BackupOld.as_str())
}

fn ran(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn restore(rack: &TestRack, file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(Programs::built().unwrap().daemon().unwrap());
    command
        .args(["journal", "restore", "--config"])
        .arg(rack.setup.config_file());
    ran(command.arg("--from").arg(file).args(more))
}

#[test]
fn a_client_that_repeats_all_its_keys_after_a_restore_gets_the_same_documents_and_no_new_ones() {
    let mut rack = TestRack::start(55, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let mut before = made(&rack, 1..=3);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rack.backup");
    let mut backup = Command::new(Programs::built().unwrap().ctl().unwrap());
    backup.arg("--socket").arg(rack.setup.socket()).arg("backup").arg(&file);
    assert!(wants_backup(&rack));
    assert!(ran(&mut backup).status.success());
    assert!(!wants_backup(&rack), "the backup is noted");
    before.extend(made(&rack, 4..=RECEIPTS));
    assert_eq!(documents(&rack), usize::try_from(RECEIPTS).unwrap());

    assert_eq!(
        restore(&rack, &file, &["--yes"]).status.code(),
        Some(1),
        "the daemon runs"
    );
    rack.take_daemon().unwrap().stop().unwrap();
    assert_eq!(restore(&rack, &file, &[]).status.code(), Some(0));
    rack.start_daemon().unwrap();
    assert_eq!(rack.api().jobs().unwrap().len(), 100, "a dry run changes nothing");
    rack.take_daemon().unwrap().stop().unwrap();
    assert_eq!(restore(&rack, &file, &["--yes"]).status.code(), Some(0));
    rack.start_daemon().unwrap();
    assert_eq!(rack.api().jobs().unwrap().len(), 3, "the journal is that of the backup");

    assert_eq!(made(&rack, 1..=RECEIPTS), before);
    assert_eq!(documents(&rack), usize::try_from(RECEIPTS).unwrap(), "no new documents");
    made(&rack, RECEIPTS + 1..=RECEIPTS + 2);
    assert_eq!(documents(&rack), usize::try_from(RECEIPTS + 2).unwrap());
}

#[test]
fn a_client_that_repeats_all_its_keys_to_an_empty_state_folder_gets_the_same_documents_and_no_new_ones() {
    let mut rack = TestRack::start(56, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let before = made(&rack, 1..=20);
    rack.take_daemon().unwrap().stop().unwrap();
    // The keys of the tenants are gone with it.
    let state = rack.folder().join("daemon/state");
    std::fs::rename(&state, rack.folder().join("daemon/lost")).unwrap();
    rack.start_daemon().unwrap();
    assert_eq!(rack.api().jobs().unwrap().len(), 0, "the journal is new");
    rack.apply().unwrap();

    assert_eq!(made(&rack, 1..=20), before);
    assert_eq!(documents(&rack), 20, "no new documents");
    made(&rack, 21..=22);
    assert_eq!(documents(&rack), 22);
}
