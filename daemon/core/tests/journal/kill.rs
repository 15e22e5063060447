//! A process killed in the middle of its commits.
//!
//! Owns: K4 with the real file and a real kill -9.
//! Must never: count a job that nobody was told of as lost.

use crate::rig::{Fixed, NOW, Rig, order};
use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{Applied, Store, StoreConfig, verify};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Set for the child alone: the journal it works on.
const CHILD: &str = "KASSETTE_TEST_KILLED_JOURNAL";
const ROUNDS: usize = 6;
/// Jobs the parent waits for before it kills.
const TOLD_MIN: usize = 20;

fn config(path: PathBuf) -> StoreConfig {
    StoreConfig {
        path,
        kind: RackKind::Test,
        rack_id: Some("K7".parse().unwrap()),
        reserve_bytes: 0,
        free_mark: None,
    }
}

/// The child: commits jobs for ever and tells each key once it is durable. Without its variable it does nothing.
#[test]
fn child_that_commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let (mut store, recovered) = Store::open(&config(path.into()), &Fixed, NOW).unwrap();
    for n in 0_u64.. {
        let keys: Vec<String> = (0..3).map(|part| format!("{}-{n}-{part}", recovered.start)).collect();
        let Applied::Done(_) = store.apply(keys.iter().map(|key| order(key)).collect()) else {
            panic!()
        };
        let mut out = std::io::stdout().lock();
        for key in keys {
            writeln!(out, "told {key}").unwrap();
        }
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_process_loses_no_job_that_it_told_of() {
    let mut rig = Rig::new();
    rig.close();
    let mut told: Vec<String> = vec![];
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child_that_commits_until_it_is_killed", "--nocapture"])
            .env(CHILD, rig.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = told.len();
        while told.len() < before + TOLD_MIN + round * 7 {
            let line = lines.next().unwrap().unwrap();
            told.extend(line.split_once("told ").map(|(_, key)| key.to_owned()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it told before the signal reached it counts too; a line cut short does not.
        told.extend(
            lines
                .map_while(Result::ok)
                .filter_map(|line| line.strip_prefix("told ").map(str::to_owned)),
        );
    }
    let waiting = rig.reopen().waiting;
    let stored: std::collections::BTreeSet<&str> =
        waiting.iter().map(|job| job.stored.job.external_id.as_str()).collect();
    let lost: Vec<&String> = told.iter().filter(|key| !stored.contains(key.as_str())).collect();
    // The last line of a round may be cut in the middle of a key.
    assert!(
        lost.iter()
            .all(|key| stored.iter().any(|whole| whole.starts_with(key.as_str()))),
        "lost: {lost:?}"
    );
    rig.close();
    let found = verify(rig.path()).unwrap();
    assert!(found.is_good(), "{found:?}");
}
