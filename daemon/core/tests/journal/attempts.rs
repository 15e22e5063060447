//! Attempts: one unresolved intent per FN and per job, and no way out without proof.
//!
//! Owns: I6, I8, I10 and I11 as far as the journal keeps them.
//! Must never: talk about a device.

use crate::rig::seen;
use crate::rig::{FN, OTHER_FN, Rig, evidence, in_doubt, lane_intent, made, not_made, receipt_intent, refusal, scan};
use kassette_core::domain::job::AttemptState;
use kassette_core::journal::{Command, EndIntent, JobEnd, ReplyBody, Verdict};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;

fn end(end: EndIntent) -> Command {
    Command::End(Box::new(end), None)
}

fn begin(intent: kassette_core::journal::BeginIntent) -> Command {
    Command::Begin(Box::new(intent))
}

#[test]
fn an_end_and_the_next_intent_are_one_commit() {
    let mut rig = Rig::new();
    let (first, job) = rig.accept("order-1");
    let (second, next) = rig.accept("order-2");
    let intent = rig.begin(receipt_intent(first, &job, FN, 10));
    let next = receipt_intent(second, &next, FN, 11);
    let body = rig.apply(Command::End(Box::new(made(intent, FN, 11)), Some(Box::new(next))));
    let ReplyBody::Ended {
        job,
        next: Some((_, 1)),
    } = body
    else {
        panic!("{body:?}")
    };
    assert_eq!(job, Some((first, JobState::Completed)));
    let stored = rig.job(first).job;
    assert_eq!(stored.evidence, Some(evidence(FN, 11)));
    assert_eq!(stored.attempts[0].state, AttemptState::Made);
    assert_eq!(rig.job(second).job.state, JobState::Running);
}

#[test]
fn an_outcome_is_durable_although_the_next_intent_cannot_begin() {
    let mut rig = Rig::new();
    let (first, job) = rig.accept("order-1");
    let intent = rig.begin(receipt_intent(first, &job, FN, 10));
    let (waiting, next) = rig.accept("order-2");
    let next = receipt_intent(waiting, &next, FN, 9);
    let body = rig.apply(Command::End(Box::new(made(intent, FN, 11)), Some(Box::new(next))));
    let ReplyBody::Ended { job, next: None } = body else {
        panic!("{body:?}")
    };
    assert_eq!(job, Some((first, JobState::Completed)));
    assert_eq!(rig.job(waiting).job.state, JobState::Accepted);
    assert!(rig.job(waiting).job.attempts.is_empty());
    assert!(rig.reopen().doubts.is_empty());
}

#[test]
fn a_second_intent_on_an_fn_or_of_a_job_is_refused() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let (other, other_job) = rig.accept("order-2");
    let intent = rig.begin(receipt_intent(id, &job, FN, 10));
    for doubted in [false, true] {
        if doubted {
            rig.apply(end(in_doubt(intent, 10)));
        }
        assert_eq!(
            refusal(rig.apply(begin(receipt_intent(other, &other_job, FN, 10)))),
            Code::DoubtOpen
        );
        assert_eq!(refusal(rig.apply(begin(lane_intent(FN, 10)))), Code::DoubtOpen);
        assert_eq!(
            refusal(rig.apply(begin(receipt_intent(id, &job, OTHER_FN, 3)))),
            if doubted { Code::JobInDoubt } else { Code::InternalFault }
        );
    }
    assert_eq!(rig.job(other).job.state, JobState::Accepted);
}

#[test]
fn the_database_itself_refuses_two_unresolved_intents() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    rig.begin(receipt_intent(id, &job, FN, 10));
    rig.begin(lane_intent(OTHER_FN, 3));
    let sql = rig.sql();
    let copy = |fn_row: &str, job: &str| {
        sql.execute_batch(&format!(
            "INSERT INTO intents (fn, register, rnm, job, number, kind, baseline, start, started_at, chain, state) \
             SELECT {fn_row}, register, rnm, {job}, 2, kind, baseline, start, started_at, chain, 'in_doubt' \
             FROM intents WHERE id = 1"
        ))
        .unwrap_err()
        .to_string()
    };
    assert!(copy("fn", "NULL").contains("intents.fn"));
    sql.execute_batch(
        "INSERT INTO fns (number, last_fd, audited_fd, chain, first_seen, sum) VALUES ('9', 0, 0, x'', 0, x'')",
    )
    .unwrap();
    assert!(copy("3", "job").contains("intents.job"));
}

#[test]
fn a_document_of_an_fn_or_of_a_job_is_stored_once() {
    let mut rig = Rig::new();
    rig.complete("order-1", FN, 10);
    let (id, job) = rig.accept("order-2");
    let intent = rig.begin(receipt_intent(id, &job, FN, 11));
    assert_eq!(refusal(rig.apply(end(made(intent, FN, 11)))), Code::InternalFault);
    assert_eq!(
        rig.job(id).job.state,
        JobState::Running,
        "nothing of the refused end is stored"
    );
    let sql = rig.sql();
    let copy = |fd: &str, job: &str, intent: &str| {
        sql.execute_batch(&format!(
            "INSERT INTO documents (id, fn, fd, kind, fp, time, zone_minutes, shift, number_in_shift, total, tenant, \
             register, rnm, job, intent, learned, at, sum) SELECT NULL, fn, {fd}, kind, fp, time, zone_minutes, shift, number_in_shift, total, \
             tenant, register, rnm, {job}, {intent}, learned, at, sum FROM documents"
        ))
        .unwrap_err()
        .to_string()
    };
    assert!(copy("fd", "NULL", "2").contains("documents.fd"));
    assert!(copy("99", "job", "2").contains("documents.job"));
    assert!(copy("99", "NULL", "intent").contains("documents.intent"));
}

#[test]
fn the_mark_of_an_fn_is_never_lowered_and_never_taken_from_the_device_again() {
    let mut rig = Rig::new();
    rig.complete("order-1", FN, 10);
    for stated in [3, 11, 500] {
        let ReplyBody::Mark(Some(mark)) = rig.apply(seen(FN, stated)) else {
            panic!()
        };
        assert_eq!(mark.last_fd, FdNumber(11), "stated {stated}");
    }
    let ReplyBody::Mark(Some(mark)) = rig.apply(seen(OTHER_FN, 500)) else {
        panic!()
    };
    assert_eq!(mark.last_fd, FdNumber(500), "an FN the journal never knew");
}

#[test]
fn a_baseline_that_is_not_the_mark_is_refused() {
    let mut rig = Rig::new();
    rig.complete("order-1", FN, 10);
    assert_eq!(
        refusal(rig.apply(begin(lane_intent(FN, 10)))),
        Code::LedgerBehindJournal
    );
    assert_eq!(refusal(rig.apply(begin(lane_intent(FN, 12)))), Code::ForeignDocuments);
    rig.begin(lane_intent(FN, 11));
}

#[test]
fn a_doubt_does_not_move_the_mark() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let intent = rig.begin(receipt_intent(id, &job, FN, 10));
    rig.apply(end(in_doubt(intent, 12)));
    let ReplyBody::Mark(Some(mark)) = rig.apply(seen(FN, 12)) else {
        panic!()
    };
    assert_eq!(mark.last_fd, FdNumber(10), "documents 11 and 12 are not explained yet");
    rig.apply(end(EndIntent {
        scan: Some(scan(FN, 10, 12)),
        ..made(intent, FN, 12)
    }));
    let ReplyBody::Mark(Some(mark)) = rig.apply(seen(FN, 12)) else {
        panic!()
    };
    assert_eq!(mark.last_fd, FdNumber(12));
}

#[test]
fn an_end_that_contradicts_itself_is_refused_and_changes_nothing() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let intent = rig.begin(receipt_intent(id, &job, FN, 10));
    let before = rig.job(id).job;
    let with = |verdict, job_end| {
        end(EndIntent {
            verdict,
            job_end,
            ..not_made(intent, JobEnd::Again, 10)
        })
    };
    let document = || Verdict::Made(Box::new(evidence(FN, 11)));
    let contradictions = [
        with(document(), JobEnd::Again),
        with(document(), JobEnd::Refused),
        with(document(), JobEnd::InDoubt),
        with(Verdict::NotMade, JobEnd::Completed),
        with(Verdict::NotMade, JobEnd::InDoubt),
        with(Verdict::InDoubt, JobEnd::Again),
        with(Verdict::InDoubt, JobEnd::Completed),
        with(Verdict::InDoubt, JobEnd::Refused),
    ];
    for command in contradictions {
        assert_eq!(refusal(rig.apply(command)), Code::InternalFault);
        assert_eq!(rig.job(id).job, before);
    }
}

#[test]
fn no_document_is_taken_from_another_fn_or_from_below_the_baseline() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let intent = rig.begin(receipt_intent(id, &job, FN, 10));
    for wrong in [made(intent, OTHER_FN, 11), made(intent, FN, 10), made(intent, FN, 4)] {
        assert_eq!(refusal(rig.apply(end(wrong))), Code::InternalFault);
    }
    assert_eq!(rig.job(id).job.state, JobState::Running);
}

#[test]
fn a_job_leaves_an_attempt_without_a_document_only_with_a_negative_proof() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let intent = rig.begin(receipt_intent(id, &job, FN, 10));
    assert_eq!(
        refusal(rig.apply(end(not_made(intent, JobEnd::Again, 11)))),
        Code::InternalFault,
        "the FN has grown"
    );
    rig.apply(end(in_doubt(intent, 11)));
    let again = |scan| {
        end(EndIntent {
            scan,
            ..not_made(intent, JobEnd::Again, 10)
        })
    };
    let good = scan(FN, 10, 12);
    let mut unread = good.clone();
    unread.documents.pop();
    let mut wrong = good.clone();
    wrong.documents[0].0 = 10;
    let mut busy = good.clone();
    busy.idle_seen = 1;
    let mut moving = good.clone();
    moving.last_before = FdNumber(11);
    for bad in [
        None,
        Some(scan(OTHER_FN, 10, 12)),
        Some(scan(FN, 10, 9)),
        Some(unread),
        Some(wrong),
        Some(busy),
        Some(moving),
    ] {
        assert_eq!(refusal(rig.apply(again(bad.clone()))), Code::InternalFault, "{bad:?}");
        assert_eq!(rig.job(id).job.state, JobState::InDoubt);
    }
    assert!(matches!(
        rig.apply(again(Some(good))),
        ReplyBody::Ended {
            job: Some((_, JobState::Accepted)),
            ..
        }
    ));
}

#[test]
fn an_ended_attempt_cannot_end_again() {
    let mut rig = Rig::new();
    let id = rig.complete("order-1", FN, 10);
    let before = rig.job(id).job;
    for again in [made(1, FN, 12), not_made(1, JobEnd::Again, 11), in_doubt(1, 11)] {
        assert_eq!(refusal(rig.apply(end(again))), Code::InternalFault);
    }
    assert_eq!(rig.job(id).job, before);
}

#[test]
fn attempts_of_a_job_count_up_by_one_and_keep_its_key() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let (_, foreign) = rig.accept("order-2");
    for lane in [FN, OTHER_FN, FN] {
        let intent = rig.begin(receipt_intent(id, &job, lane, 10));
        rig.apply(end(not_made(intent, JobEnd::Again, 10)));
    }
    let stored = rig.job(id).job;
    assert_eq!(stored.attempts.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(stored.key, job.key);
    let mut other_key = receipt_intent(id, &job, FN, 10);
    other_key.job_key = Some(foreign.key);
    assert_eq!(refusal(rig.apply(begin(other_key))), Code::InternalFault);
}

#[test]
fn a_shift_document_has_the_taxpayer_of_its_fn() {
    let mut rig = Rig::new();
    rig.apply(seen(FN, 10));
    let intent = rig.begin(lane_intent(FN, 10));
    let body = rig.apply(end(made(intent, FN, 11)));
    assert!(matches!(body, ReplyBody::Ended { job: None, next: None }), "{body:?}");
}
