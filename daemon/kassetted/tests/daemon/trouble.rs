//! Trouble with the journal's files: what the shipped binary does, and what it says.
//!
//! Owns: that each names its file, its code and the next step, and that nothing that was answered is lost.
//! Must never: repair a file; a test puts back what it took away.

use crate::place::{Daemon, Place, channel, kassetted};
use kassette_api::codes::Code;
use kassette_api::status::StatusExt as _;
use kassette_api::v1::rack_service_client::RackServiceClient;
use kassette_api::v1::{ApplyRackRequest, ExportRackRequest, GetRackRequest, JournalState, apply_rack_request};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tonic::transport::Channel;

/// A plan with one tenant of this name.
fn tenant(name: &str) -> String {
    format!("[[tenant]]\ninn = \"7704358518\"\nname = \"{name}\"\n")
}

fn stop(daemon: Daemon) -> String {
    daemon.signal(Signal::SIGTERM);
    let (status, words) = daemon.end();
    assert_eq!(status.code(), Some(0), "{words}");
    words
}

/// What stands in every message to a person: code, file, what to do.
fn assert_told(words: &str, code: Code, file: &str) {
    assert!(words.contains(code.as_str()), "no {code}: {words}");
    assert!(words.contains(file), "{file} is not named: {words}");
    assert!(words.contains(code.next_step_en()), "no next step: {words}");
}

fn journal(place: &Place) -> PathBuf {
    place.path("state").join("journal.sqlite")
}

fn sql(place: &Place, text: &str) {
    let file = rusqlite::Connection::open(journal(place)).unwrap();
    file.execute_batch(text).unwrap();
    // Closing folds the log, so that the file alone is what a start finds.
    file.close().unwrap();
}

async fn rack(place: &Place) -> RackServiceClient<Channel> {
    RackServiceClient::new(channel(place.socket("run")).await)
}

async fn apply(rack: &mut RackServiceClient<Channel>, plan: &str) -> Result<(), tonic::Status> {
    let request = ApplyRackRequest {
        source: Some(apply_rack_request::Source::RackToml(plan.to_owned())),
        ..Default::default()
    };
    rack.apply_rack(request).await.map(drop)
}

/// A journal with a plan, closed.
async fn worked() -> (Place, PathBuf) {
    let place = Place::new();
    let config = place.config("k.toml", "state", "run");
    let daemon = Daemon::ready(&config);
    apply(&mut rack(&place).await, &tenant("Shop")).await.unwrap();
    stop(daemon);
    (place, config)
}

#[tokio::test]
async fn a_row_that_was_changed_leaves_it_up_and_read_only_and_the_file_as_it_was() {
    let (place, config) = worked().await;
    sql(&place, "UPDATE orders SET client = client || 'x'");
    let before = fs::read(journal(&place)).unwrap();
    let daemon = Daemon::ready(&config);
    let refused = rack(&place)
        .await
        .get_rack(GetRackRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.error_details().unwrap().code, Code::JournalDamaged);
    assert!(refused.message().contains("order row 1"), "{refused:?}");
    assert_told(&stop(daemon), Code::JournalDamaged, "journal.sqlite");
    assert_eq!(fs::read(journal(&place)).unwrap(), before);
    sql(&place, "UPDATE orders SET client = rtrim(client, 'x')");
    stop(Daemon::ready(&config));
}

#[tokio::test]
async fn a_journal_that_a_newer_program_needs_is_refused_by_name_and_left_alone() {
    let (place, config) = worked().await;
    sql(&place, "UPDATE meta SET value = '99' WHERE name = 'min_reader'");
    let before = fs::read(journal(&place)).unwrap();
    let (status, words) = Daemon::spawn(&config).end();
    assert_eq!(status.code(), Some(1), "{words}");
    assert_told(&words, Code::JournalTooNew, "journal.sqlite");
    assert_eq!(fs::read(journal(&place)).unwrap(), before);
}

#[tokio::test]
async fn a_missing_archive_is_told_at_the_start_and_in_the_status_and_work_goes_on() {
    let (place, config) = worked().await;
    sql(
        &place,
        "INSERT INTO archives (name, bytes, hash, sealed_at, jobs, attempts, documents, sum, moved_at) VALUES \
         ('archive-2026-01.db', 4096, x'00', 1, 0, 0, 0, x'00', 1)",
    );
    let daemon = Daemon::ready(&config);
    let mut rack = rack(&place).await;
    let told = rack.get_rack(GetRackRequest::default()).await.unwrap().into_inner();
    let reasons = told.rack.unwrap().reasons;
    let missing = reasons.iter().find(|one| one.code == Code::ArchiveMissing.as_str());
    assert!(missing.unwrap().text.contains("archive-2026-01.db"), "{reasons:?}");
    apply(&mut rack, &tenant("Other")).await.unwrap();
    drop(rack);
    assert_told(&stop(daemon), Code::ArchiveMissing, "archive-2026-01.db");
    let verdict = kassetted(&["journal", "verify"], &config).output().unwrap();
    let said = String::from_utf8_lossy(&verdict.stdout).into_owned() + &String::from_utf8_lossy(&verdict.stderr);
    assert!(said.contains("archive-2026-01.db"), "{said}");
}

/// A small disk of its own; gone with the test.
struct Disk(PathBuf);

impl Disk {
    /// Needs the right to mount: as root, or under `unshare --user --map-root-user --mount`.
    fn mount(at: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "kassette-test"])
            .arg(&at)
            .status()
            .unwrap();
        assert!(done.success(), "no right to mount a small disk: run this test as root");
        Self(at)
    }

    fn read_only(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

/// Fills what is left of a disk.
fn fill(folder: &Path) -> PathBuf {
    use std::io::Write as _;
    let ballast = folder.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    ballast
}

#[tokio::test]
async fn on_a_full_disk_it_stays_up_refuses_what_is_new_and_goes_on_when_there_is_room() {
    let place = Place::new();
    let disk = Disk::mount(place.path("state"), "8m");
    let config = place.config("k.toml", "state", "run");
    let mut daemon = Daemon::ready(&config);
    let mut client = rack(&place).await;
    apply(&mut client, &tenant("Shop")).await.unwrap();
    let ballast = fill(&disk.0);
    let (mut full, mut taken) = (None, 0);
    while full.is_none() && taken < 1000 {
        full = apply(&mut client, &tenant(&format!("Shop {taken}"))).await.err();
        taken += 1;
    }
    let full = full.expect("the disk became full");
    assert_eq!(full.error_details().unwrap().code, Code::JournalFull, "{full:?}");
    let told = client.get_rack(GetRackRequest::default()).await.unwrap().into_inner();
    assert_eq!(told.rack.unwrap().journal_state(), JournalState::Full);
    fs::remove_file(ballast).unwrap();
    apply(&mut client, &tenant("Room again")).await.unwrap();
    drop(client);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    drop(daemon);
    let verdict = kassetted(&["journal", "verify"], &config).output().unwrap();
    assert_eq!(verdict.status.code(), Some(0), "{verdict:?}");
    let daemon = Daemon::ready(&config);
    let stands = rack(&place)
        .await
        .export_rack(ExportRackRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(stands.rack_toml.contains("Room again"), "{stands:?}");
    stop(daemon);
}

#[tokio::test]
async fn a_read_only_disk_is_refused_with_the_name_of_the_file() {
    let place = Place::new();
    let disk = Disk::mount(place.path("state"), "8m");
    let config = place.config("k.toml", "state", "run");
    stop(Daemon::ready(&config));
    disk.read_only();
    let (status, words) = Daemon::spawn(&config).end();
    assert_eq!(status.code(), Some(1), "{words}");
    assert_told(&words, Code::ConfigBadPath, &disk.0.join("lock").display().to_string());
}

#[test]
fn a_state_folder_of_another_user_is_refused_by_name_and_nothing_is_made_in_it() {
    let place = Place::new();
    let config = place.config("k.toml", "state", "run");
    let state = place.path("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let given = std::os::unix::fs::chown(&state, Some(65_534), Some(65_534));
    assert!(given.is_ok(), "only root can give a folder away: run this test as root");
    let (status, words) = Daemon::spawn(&config).end();
    assert_eq!(status.code(), Some(77), "{words}");
    assert_told(&words, Code::ConfigBadPath, &state.display().to_string());
    assert!(words.contains("65534"), "{words}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
}
