//! Journals of older programs, as those programs wrote them.
//!
//! Owns: that a migration loses nothing and leaves nothing that fails a check, and that the program before still works
//! on what was migrated. The files in `data/` are dumps of journals that the programs of those schemas wrote.
//! Must never: make an old journal from a new one.

use crate::rig::{FN, OTHER_FN, Rig};
use kassette_core::domain::job::{AttemptState, Job};
use kassette_core::journal::{Query, Recovered, Rows, verify};
use kassette_receipts::job::JobState::{self, Accepted, Cancelled, Completed, Expired, InDoubt, Refused};
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;

const OF_SCHEMA_1: &str = include_str!("data/schema_1.sql");
const OF_SCHEMA_2: &str = include_str!("data/schema_2.sql");
const WORK_OF_SCHEMA_2: &str = include_str!("data/schema_2_work.sql");

/// The journal of an older program, opened by this one.
fn migrated(dump: &str) -> (Rig, Recovered) {
    let mut rig = Rig::new();
    rig.close();
    std::fs::remove_file(rig.path()).unwrap();
    rig.sql().execute_batch(dump).unwrap();
    let recovered = rig.reopen();
    (rig, recovered)
}

fn assert_is_good(rig: &Rig) {
    let report = verify(rig.path()).unwrap();
    assert!(report.is_good(), "{report:?}");
}

fn jobs(rig: &mut Rig) -> Vec<Job> {
    let query = Query::Jobs {
        filter: Default::default(),
        after: None,
        limit: 100,
    };
    let Rows::Jobs(page) = rig.store().read(&query).unwrap() else {
        panic!()
    };
    page.rows.into_iter().rev().map(|stored| stored.job).collect()
}

fn states(jobs: &[Job]) -> Vec<(&str, JobState, usize)> {
    jobs.iter()
        .map(|job| (job.external_id.as_str(), job.state, job.attempts.len()))
        .collect()
}

fn documents(rig: &mut Rig) -> Vec<(String, u32, Option<String>)> {
    let query = Query::Documents {
        filter: Default::default(),
        after: None,
        limit: 100,
    };
    let Rows::Documents(page) = rig.store().read(&query).unwrap() else {
        panic!()
    };
    let named = |rows: Vec<kassette_core::domain::job::DocumentRow>| {
        rows.into_iter()
            .map(|row| (row.fn_number.to_string(), row.fd.0, row.job.map(|key| key.to_string())))
            .collect()
    };
    named(page.rows)
}

/// What both dumps hold, job by job and document by document.
fn assert_nothing_is_lost(rig: &mut Rig, recovered: &Recovered) {
    let found = jobs(rig);
    let wanted = [
        ("order-1", Completed, 1),
        ("order-2", Completed, 1),
        ("order-3", Accepted, 1),
        ("order-4", Refused, 1),
        ("order-5", Cancelled, 0),
        ("order-6", Expired, 0),
        ("order-7", Accepted, 0),
        ("order-8", Accepted, 0),
        ("order-9", InDoubt, 1),
        ("order-10", InDoubt, 1),
    ];
    assert_eq!(states(&found), wanted);
    assert_eq!(found[7].replaces, Some(found[5].key));
    assert_eq!(
        found[6].needs_person.as_ref().map(|reason| reason.code),
        Some(Code::JobPoison)
    );
    let buyer = rig.job(1).buyer.expect("a migration drops no buyer");
    assert_eq!(
        (buyer.nonce, buyer.sealed.as_slice()),
        ([9; 12], &[1, 2, 3, 4, 5, 6, 7, 8][..])
    );
    let key = |at: usize| Some(found[at].key.to_string());
    let wanted = [
        (FN.to_owned(), 11, key(0)),
        (FN.to_owned(), 12, key(1)),
        (OTHER_FN.to_owned(), 4, None),
    ];
    assert_eq!(documents(rig), wanted);
    let doubts: Vec<_> = recovered
        .doubts
        .iter()
        .map(|doubt| (doubt.job, doubt.fn_number.to_string(), doubt.baseline))
        .collect();
    assert_eq!(
        doubts,
        [
            (Some(9), FN.to_owned(), FdNumber(12)),
            (Some(10), OTHER_FN.to_owned(), FdNumber(4))
        ]
    );
    assert_eq!(found[9].attempts[0].state, AttemptState::InDoubt);
    let waiting: Vec<i64> = recovered.waiting.iter().map(|waiting| waiting.stored.id).collect();
    assert_eq!(waiting, [3, 7, 8]);
    assert!(recovered.plan.0.contains("9999078902001234"), "{}", recovered.plan.0);
    assert_eq!((recovered.plan.1, recovered.start), (2, 2));
}

#[test]
fn a_journal_of_the_first_schema_is_carried_over_with_everything_in_it() {
    let (mut rig, recovered) = migrated(OF_SCHEMA_1);
    assert_nothing_is_lost(&mut rig, &recovered);
    assert_eq!(recovered.tenant_revisions.len(), 0);
    rig.accept("order-11");
    rig.close();
    assert_is_good(&rig);
    rig.reopen();
}

#[test]
fn a_journal_of_the_second_schema_is_carried_over_with_everything_in_it() {
    let (mut rig, recovered) = migrated(OF_SCHEMA_2);
    assert_nothing_is_lost(&mut rig, &recovered);
    assert_eq!(recovered.tenant_revisions.into_values().collect::<Vec<_>>(), [1]);
    rig.accept("order-11");
    rig.close();
    assert_is_good(&rig);
    rig.reopen();
}

#[test]
fn a_program_of_the_second_schema_works_on_a_migrated_journal_and_this_one_takes_it_back() {
    let (mut rig, _) = migrated(OF_SCHEMA_2);
    rig.close();
    let older = rig.sql();
    older.execute_batch("PRAGMA foreign_keys = 1").unwrap();
    older.execute_batch(WORK_OF_SCHEMA_2).unwrap();
    drop(older);
    assert_is_good(&rig);
    let recovered = rig.reopen();
    let found = jobs(&mut rig);
    let wanted = [
        ("order-1", Completed, 1),
        ("order-2", Completed, 1),
        ("order-3", Expired, 1),
        ("order-4", Refused, 1),
        ("order-5", Cancelled, 0),
        ("order-6", Expired, 0),
        ("order-7", Accepted, 0),
        ("order-8", Accepted, 0),
        ("order-9", Completed, 1),
        ("order-10", Accepted, 1),
        ("order-11", Completed, 1),
        ("order-12", InDoubt, 1),
        ("order-13", Cancelled, 0),
    ];
    assert_eq!(states(&found), wanted);
    assert_eq!((recovered.start, recovered.plan.1), (4, 3));
    assert_eq!(documents(&mut rig).len(), 5);
    rig.close();
    assert_is_good(&rig);
}
