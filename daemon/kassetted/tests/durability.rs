//! What the committer answered as durable is in the journal after kill -9 (promise K4).

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test like the tests themselves"
)]

use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{ApplyPlan, Command as Change, Commit, Committer as _, Query, ReplyBody, Rows};
use kassette_core::journal::{Store, StoreConfig, StoreReader};
use kassette_core::parts::{LockKind, Locks as _, UnixMillis};
use kassette_daemon::entropy::HostEntropy;
use kassette_daemon::journal_parts::ThreadCommitter;
use kassette_daemon::locks::HostLocks;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Names the folder in which this program plays the part of the process that is killed.
const PART: &str = "KASSETTE_TEST_PART_OF_THE_KILLED";

fn store(folder: &Path) -> StoreConfig {
    StoreConfig {
        path: folder.join("journal.sqlite"),
        kind: RackKind::Test,
        rack_id: None,
        reserve_bytes: 0,
        free_mark: None,
    }
}

/// Runs one test of this program again in a process of its own, as the one that will be killed.
fn other_self(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PART, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Commits for ever from several tasks and says each answer on standard output after it came.
async fn commit_until_killed(folder: &Path) {
    let (store, _) = Store::open(&store(folder), &HostEntropy, UnixMillis(0)).unwrap();
    let (committer, _writer) = ThreadCommitter::start(store, 64).unwrap();
    let committer = Arc::new(committer);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let committer = Arc::clone(&committer);
        tasks.spawn(async move {
            for turn in 0.. {
                let order = ApplyPlan {
                    plan: format!("# task {task} turn {turn}\n"),
                    rack_id: None,
                    expected: None,
                    client: "uid:0".into(),
                    reason: None,
                    request_id: Some(format!("{task}-{turn}")),
                    request: None,
                    tenants: Default::default(),
                    slots: Vec::new(),
                    fns: std::collections::BTreeMap::new(),
                    at: UnixMillis(0),
                };
                match committer.commit(Change::Apply(Box::new(order))).await {
                    Commit::Done(reply) => match reply.body {
                        ReplyBody::Applied(version, _) => say(&format!("durable {version}")),
                        other => panic!("{other:?}"),
                    },
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    tasks.join_next().await;
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_as_durable_survives_kill_9() {
    if let Some(folder) = std::env::var_os(PART) {
        return commit_until_killed(&PathBuf::from(folder)).await;
    }
    for kill_after in [1, 7, 60, 200] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = other_self("what_was_answered_as_durable_survives_kill_9", folder.path());
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let versions = lines.filter_map(|line| line.split("durable ").nth(1)?.parse::<u64>().ok());
        let mut answered = 0;
        for (at, version) in versions.enumerate() {
            answered = answered.max(version);
            if at + 1 == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(
            answered >= kill_after as u64,
            "the process that was to be killed ended before: {answered}"
        );
        Store::open(&store(folder.path()), &HostEntropy, UnixMillis(0)).expect("the journal is whole");
        let kept = StoreReader::open(&folder.path().join("journal.sqlite"))
            .unwrap()
            .read(&Query::Plan)
            .unwrap();
        let Rows::Plan(_, kept) = kept else {
            panic!("a plan was asked for")
        };
        assert!(
            kept >= answered,
            "version {answered} was answered as durable, {kept} was kept"
        );
        assert!(
            kassette_core::journal::verify(&folder.path().join("journal.sqlite"))
                .unwrap()
                .findings
                .is_empty()
        );
    }
}

#[test]
fn a_lock_names_its_holder_to_another_process_and_is_free_after_kill_9() {
    if let Some(folder) = std::env::var_os(PART) {
        let locks = HostLocks::new(folder.into(), format!("kassetted pid {}", std::process::id()));
        let _held = locks.take(LockKind::Fn, "9999078900000001").unwrap();
        say("held");
        loop {
            std::thread::park();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = other_self(
        "a_lock_names_its_holder_to_another_process_and_is_free_after_kill_9",
        folder.path(),
    );
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.any(|line| line.contains("held")));
    let mine = HostLocks::new(folder.path().to_owned(), "me".into());
    let refused = mine.take(LockKind::Fn, "9999078900000001").unwrap_err();
    assert_eq!(refused.holder, format!("kassetted pid {}", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    mine.take(LockKind::Fn, "9999078900000001").unwrap();
}
