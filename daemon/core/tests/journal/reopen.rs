//! What a start finds of the one before.
//!
//! Owns: the crash points C1, C2, C4 to C10 as far as the journal decides them.
//! Must never: resolve a doubt.

use crate::rig::{FN, Fixed, NOW, OTHER_FN, Rig, in_doubt, lane_intent, receipt_intent};
use kassette_core::domain::attempt::{DocumentKind, KeyPlace};
use kassette_core::domain::job::AttemptState;
use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{Command, OpenError, Rows, Store};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;

#[test]
fn every_open_intent_is_in_doubt_after_a_start_with_its_job_and_an_event() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    rig.begin(receipt_intent(id, &job, FN, 10));
    rig.begin(lane_intent(OTHER_FN, 3));
    let sequence = rig.reopen().sequence;
    let stored = rig.job(id).job;
    assert_eq!(
        (stored.state, stored.attempts[0].state.clone()),
        (JobState::InDoubt, AttemptState::InDoubt)
    );
    assert_eq!(stored.reason.as_ref().map(|reason| reason.code), Some(Code::DoubtOpen));
    // One event of the job, and one of each doubt.
    let Rows::JobEvents { rows, .. } = rig.events(None, sequence - 3, 10) else {
        panic!()
    };
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1.job.state, JobState::InDoubt);
}

#[test]
fn doubts_are_recovered_with_all_that_a_resolution_needs() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let mut intent = receipt_intent(id, &job, FN, 10);
    intent.key_place = Some(KeyPlace::UserAttribute);
    let first = rig.begin(intent);
    rig.apply(Command::End(Box::new(in_doubt(first, 10)), None));
    let second = rig.begin(lane_intent(OTHER_FN, 3));
    let doubts = rig.reopen().doubts;
    assert_eq!(
        doubts.iter().map(|doubt| doubt.intent).collect::<Vec<_>>(),
        [first, second]
    );
    let doubt = &doubts[0];
    assert_eq!((doubt.kind, doubt.baseline), (DocumentKind::Receipt, FdNumber(10)));
    assert_eq!((doubt.job, doubt.job_key), (Some(id), Some(job.key)));
    assert_eq!(
        (doubt.key_place, doubt.tenant.clone()),
        (Some(KeyPlace::UserAttribute), Some(job.tenant))
    );
    assert_eq!((doubts[1].job, doubts[1].kind), (None, DocumentKind::ShiftOpen));
}

#[test]
fn opening_twice_finds_the_same() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    rig.accept("order-2");
    rig.begin(receipt_intent(id, &job, FN, 10));
    let first = rig.reopen();
    let before = rig.job(id).job;
    let second = rig.reopen();
    assert_eq!(rig.job(id).job, before);
    assert_eq!(first.sequence, second.sequence);
    assert_eq!(first.generation, second.generation);
    assert_eq!((first.doubts.len(), second.doubts.len()), (1, 1));
    assert_eq!((first.waiting.len(), second.waiting.len()), (1, 1));
    assert_eq!(first.start + 1, second.start);
}

#[test]
fn waiting_jobs_are_recovered_in_the_order_they_came() {
    let mut rig = Rig::new();
    let ids: Vec<i64> = (0..20).map(|n| rig.accept(&format!("{}", 50 - n)).0).collect();
    rig.complete("done", FN, 10);
    let waiting = rig.reopen().waiting;
    assert_eq!(waiting.iter().map(|job| job.stored.id).collect::<Vec<_>>(), ids);
}

#[test]
fn a_journal_that_a_newer_program_needs_is_left_alone() {
    let mut rig = Rig::new();
    rig.close();
    rig.sql()
        .execute_batch("UPDATE meta SET value = '99' WHERE name = 'min_reader'")
        .unwrap();
    let error = rig.try_reopen().unwrap_err();
    assert!(matches!(error, OpenError::TooNew { min_reader: 99, .. }), "{error}");
    let starts: i64 = rig
        .sql()
        .query_row("SELECT COUNT(*) FROM starts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(starts, 1);
}

#[test]
fn a_newer_schema_that_this_program_can_follow_is_worked_on() {
    let mut rig = Rig::new();
    rig.close();
    rig.sql()
        .execute_batch("PRAGMA user_version = 99; ALTER TABLE jobs ADD COLUMN later TEXT")
        .unwrap();
    rig.reopen();
    rig.accept("order-1");
}

#[test]
fn a_journal_of_another_kind_or_rack_is_refused_and_left_alone() {
    let mut rig = Rig::new();
    rig.close();
    rig.config.kind = RackKind::Live;
    assert!(matches!(rig.try_reopen(), Err(OpenError::OtherKind { .. })));
    rig.config.kind = RackKind::Test;
    rig.config.rack_id = Some("Z9".parse().unwrap());
    assert!(matches!(rig.try_reopen(), Err(OpenError::OtherRack { .. })));
    rig.config.rack_id = None;
    let recovered = rig.reopen();
    assert_eq!(recovered.start, 2, "a refused start is not a start");
    assert_eq!(recovered.rack_id.map(|id| id.to_string()).as_deref(), Some("K7"));
}

#[test]
fn the_database_of_another_program_is_not_touched() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut config = Rig::new().config;
    config.path = folder.path().join("journal.db");
    rusqlite::Connection::open(&config.path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    assert!(matches!(
        Store::open(&config, &Fixed, NOW),
        Err(OpenError::Damaged { .. })
    ));
    let tables: i64 = rusqlite::Connection::open(&config.path)
        .unwrap()
        .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}
