//! The shipped binary as its host sees it: start, refusals, answers, stop.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test like the tests themselves"
)]

mod place;
mod trouble;

use kassette_api::codes::Code;
use kassette_api::status::StatusExt as _;
use kassette_api::v1::rack_service_client::RackServiceClient;
use kassette_api::v1::{ApplyRackRequest, GetRackRequest, apply_rack_request};
use nix::sys::signal::Signal;
use place::{Daemon, Place, channel, kassetted};
use std::fs;

#[tokio::test]
async fn it_starts_answers_over_its_socket_and_ends_with_sigterm_leaving_no_socket() {
    let place = Place::new();
    let daemon = Daemon::ready(&place.config("k.toml", "state", "run"));
    let mut rack = RackServiceClient::new(channel(place.socket("run")).await);
    let told = rack.get_rack(GetRackRequest::default()).await.unwrap().into_inner();
    assert_eq!(told.rack.unwrap().rack_id, "K1");
    drop(rack);
    daemon.signal(Signal::SIGTERM);
    let (status, words) = daemon.end();
    assert_eq!(status.code(), Some(0), "{words}");
    assert!(!place.socket("run").exists());
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_daemon_goes_on() {
    let place = Place::new();
    let _daemon = Daemon::ready(&place.config("k.toml", "state", "run"));
    let mut rack = RackServiceClient::new(channel(place.socket("run")).await);
    let source = Some(apply_rack_request::Source::RackToml("#".repeat(2 << 20)));
    let refused = rack
        .apply_rack(ApplyRackRequest {
            source,
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(
        refused.error_details().unwrap().code,
        Code::MessageTooLarge,
        "{refused:?}"
    );
    rack.get_rack(GetRackRequest::default()).await.unwrap();
}

#[test]
fn a_second_daemon_on_the_same_state_or_socket_is_refused_with_the_name_of_the_first() {
    let place = Place::new();
    let first = Daemon::ready(&place.config("k.toml", "state", "run"));
    for (state, run) in [("state", "run2"), ("state2", "run")] {
        let (status, words) = Daemon::spawn(&place.config("second.toml", state, run)).end();
        assert_eq!(status.code(), Some(1), "{words}");
        let named = format!("kassetted pid {}", first.child.id());
        assert!(
            words.contains("DAEMON_ALREADY_RUNNING") && words.contains(&named),
            "{words}"
        );
    }
}

#[test]
fn after_kill_9_the_next_start_needs_no_hand() {
    let place = Place::new();
    let config = place.config("k.toml", "state", "run");
    let mut first = Daemon::ready(&config);
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert!(place.socket("run").exists(), "the socket of a killed daemon stays");
    let second = Daemon::ready(&config);
    second.signal(Signal::SIGINT);
    assert_eq!(second.end().0.code(), Some(0));
}

#[tokio::test]
async fn on_a_damaged_journal_it_is_up_and_says_so_and_does_not_touch_the_file() {
    let place = Place::new();
    let config = place.config("k.toml", "state", "run");
    let first = Daemon::ready(&config);
    first.signal(Signal::SIGTERM);
    assert_eq!(first.end().0.code(), Some(0));
    let journal = place.path("state").join("journal.sqlite");
    let mut bytes = fs::read(&journal).unwrap();
    // The first page of the schema's own table: structural damage that SQLite's check sees.
    bytes[100..400].fill(0xA5);
    fs::write(&journal, &bytes).unwrap();
    let daemon = Daemon::ready(&config);
    let mut rack = RackServiceClient::new(channel(place.socket("run")).await);
    let refused = rack.get_rack(GetRackRequest::default()).await.unwrap_err();
    assert_eq!(
        refused.error_details().unwrap().code,
        Code::JournalDamaged,
        "{refused:?}"
    );
    let verdict = kassetted(&["journal", "verify"], &config).output().unwrap();
    assert_eq!(verdict.status.code(), Some(1), "{verdict:?}");
    drop(rack);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.end().0.code(), Some(0));
    assert_eq!(fs::read(&journal).unwrap(), bytes);
}

#[test]
fn after_three_reopenings_in_ten_minutes_it_stays_up_and_starts_no_lane() {
    let place = Place::new();
    let config = place.config("k.toml", "state", "run");
    fs::create_dir(place.path("run")).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    fs::write(
        place.path("run").join("api.sock.reopens"),
        format!("{now}\n{now}\n{now}\n"),
    )
    .unwrap();
    let daemon = Daemon::ready(&config);
    daemon.signal(Signal::SIGTERM);
    let (status, words) = daemon.end();
    assert_eq!(status.code(), Some(0), "{words}");
    assert!(words.contains("JOURNAL_READ_ONLY"), "{words}");
    assert!(
        !place.path("state").join("journal.sqlite").exists(),
        "the journal was not even opened"
    );
}

#[test]
fn a_wrong_configuration_is_told_whole_with_exit_code_64() {
    let place = Place::new();
    let file = place.path("bad.toml");
    fs::write(&file, "[rack]\nkind = 1\n[api]\nmax_message = \"1\"\ncolour = 3\n").unwrap();
    let checked = kassetted(&["check-config", "--json"], &file).output().unwrap();
    assert_eq!(checked.status.code(), Some(64));
    let told: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let keys: Vec<_> = told["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["rack.kind", "api.max_message", "api.colour"]);
    assert_eq!(kassetted(&["run"], &file).output().unwrap().status.code(), Some(64));
}
