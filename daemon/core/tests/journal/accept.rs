//! Acceptance: one job for one key, durable before it is answered.
//!
//! Owns: the promises K4, I4 and I5 as far as the journal keeps them.
//! Must never: test what a receipt may hold.

use crate::rig::{FN, made, not_made, register_of};
use crate::rig::{INN, NOW, OTHER_INN, Rig, accept_job, inn, key_of, order, receipt_intent, refusal};
use kassette_core::journal::{
    ApplyPlan, CancelJob, Command, HeldVerdict, JobEnd, NoteDocuments, ReplyBody, Sealed, SettleHeld, Store,
};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_same_key_of_the_same_client_and_tenant_is_the_same_job() {
    let mut rig = Rig::new();
    let (id, first) = rig.accept("order-1");
    let mut again = accept_job("order-1");
    again.hash.digest = [4; 32];
    let ReplyBody::KeyKnown { id: known, job } = rig.apply(Command::Accept(Box::new(again))) else {
        panic!("taken as new")
    };
    assert_eq!((known, *job), (id, first));
}

#[test]
fn the_same_key_of_another_client_or_tenant_is_another_job() {
    let mut rig = Rig::new();
    rig.accept("order-1");
    let mut client = accept_job("order-1");
    client.client = "other".into();
    let mut tenant = accept_job("order-1");
    tenant.tenant = inn(OTHER_INN);
    for other in [client, tenant] {
        let body = rig.apply(Command::Accept(Box::new(other)));
        assert!(matches!(body, ReplyBody::Accepted { .. }), "{body:?}");
    }
}

#[test]
fn one_batch_with_the_same_key_twice_makes_one_job() {
    let mut rig = Rig::new();
    let kassette_core::journal::Applied::Done(replies) = rig.store().apply(vec![order("a"), order("a")]) else {
        panic!()
    };
    assert!(matches!(replies[0].body, ReplyBody::Accepted { id: 1, .. }));
    assert!(matches!(replies[1].body, ReplyBody::KeyKnown { id: 1, .. }));
}

#[test]
fn a_job_key_is_unique_and_carries_rack_generation_and_sequence() {
    let mut rig = Rig::new();
    let generation = rig.reopen().generation;
    let keys: Vec<_> = (0..40).map(|n| rig.accept(&format!("order-{n}")).1.key).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    for (key, sequence) in keys.iter().zip(1..) {
        let parts = key.parts();
        assert_eq!(parts.rack.to_string(), "K7");
        assert_eq!(parts.generation, generation);
        assert_eq!(parts.sequence.get(), sequence);
    }
}

#[test]
fn a_sequence_is_never_given_twice_even_when_the_newest_rows_were_archived() {
    let mut rig = Rig::new();
    let (_, first) = rig.accept("order-1");
    rig.close();
    rig.sql().execute_batch("DELETE FROM events; DELETE FROM jobs").unwrap();
    rig.reopen();
    let (_, second) = rig.accept("order-1");
    assert_ne!(first.key, second.key);
}

#[test]
fn a_rack_without_letters_takes_no_receipt() {
    for letters in [None, Some("00".parse().unwrap())] {
        let mut rig = Rig::with(|config| config.rack_id = letters);
        assert_eq!(refusal(rig.apply(order("order-1"))), Code::RackIdMissing);
        assert!(rig.reopen().waiting.is_empty());
    }
}

#[test]
fn an_accepted_job_is_on_the_disk_when_it_is_answered() {
    let mut rig = Rig::new();
    let (id, job) = rig.accept("order-1");
    let (_folder, config) = rig.power_cut();
    let (_, recovered) = Store::open(&config, &crate::rig::Fixed, NOW).unwrap();
    assert_eq!(recovered.waiting.len(), 1);
    assert_eq!(recovered.waiting[0].stored.id, id);
    assert_eq!(recovered.waiting[0].stored.job, job);
}

#[test]
fn a_buyer_is_stored_apart_and_never_in_the_body() {
    let mut rig = Rig::new();
    let mut job = accept_job("order-1");
    let sealed = Sealed {
        nonce: [9; 12],
        sealed: b"not the mail itself".to_vec(),
    };
    job.buyer = Some(sealed.clone());
    rig.apply(Command::Accept(Box::new(job)));
    assert_eq!(rig.job(1).buyer, Some(sealed));
    rig.close();
    let body: String = rig
        .sql()
        .query_row("SELECT body FROM jobs", [], |row| row.get(0))
        .unwrap();
    assert!(!body.contains("buyer"), "{body}");
}

#[test]
fn a_receipt_that_still_holds_its_buyer_in_clear_is_not_stored() {
    let mut rig = Rig::new();
    let mut job = accept_job("order-1");
    job.receipt.buyer = serde_json::from_value(serde_json::json!({"contact": "anna@mail.example"})).ok();
    assert!(job.receipt.buyer.is_some(), "the test's buyer has the model's shape");
    assert_eq!(refusal(rig.apply(Command::Accept(Box::new(job)))), Code::InternalFault);
    rig.close();
    let bytes = std::fs::read(rig.path()).unwrap();
    assert!(!bytes.windows(17).any(|part| part == b"anna@mail.example"));
}

#[test]
fn a_job_is_replaced_once_and_only_when_it_ended_without_a_document() {
    let mut rig = Rig::new();
    let replacing = |key: &str, of| {
        let mut job = accept_job(key);
        job.replaces = Some(of);
        Command::Accept(Box::new(job))
    };
    let (waiting, job) = rig.accept("order-1");
    assert_eq!(refusal(rig.apply(replacing("order-2", job.key))), Code::ReplacesInvalid);
    rig.apply(Command::Expire { job: waiting, at: NOW });
    assert!(matches!(
        rig.apply(replacing("order-2", job.key)),
        ReplyBody::Accepted { .. }
    ));
    let by = rig.job(waiting).job.replaced_by.unwrap();
    assert_eq!(
        key_of(&mut rig, waiting + 1),
        by,
        "the ended job names the one that stands in for it"
    );
    assert_eq!(refusal(rig.apply(replacing("order-3", job.key))), Code::ReplacesInvalid);
    let done = rig.complete("order-4", FN, 10);
    let key = key_of(&mut rig, done);
    assert_eq!(refusal(rig.apply(replacing("order-5", key))), Code::ReplacesInvalid);
    let mut foreign = accept_job("order-6");
    foreign.tenant = inn(OTHER_INN);
    foreign.replaces = Some(job.key);
    assert_eq!(
        refusal(rig.apply(Command::Accept(Box::new(foreign)))),
        Code::ReplacesInvalid
    );
}

fn cancel(job: i64, request_id: Option<&str>) -> Command {
    Command::Cancel(Box::new(CancelJob {
        job,
        client: "shop".into(),
        reason: Some("asked".into()),
        request_id: request_id.map(str::to_owned),
        at: NOW,
    }))
}

#[test]
fn a_cancellation_is_done_once_under_its_request_id_which_names_no_other_job() {
    let mut rig = Rig::new();
    let (first, _) = rig.accept("order-1");
    let (second, _) = rig.accept("order-2");
    for _ in 0..2 {
        let done = rig.apply(cancel(first, Some("r1")));
        assert!(matches!(done, ReplyBody::JobState(JobState::Cancelled)), "{done:?}");
    }
    rig.reopen();
    rig.apply(cancel(first, Some("r1")));
    let job = rig.job(first).job;
    assert_eq!(job.revision, 2, "the repeats changed nothing");
    assert_eq!(job.reason.map(|why| why.detail).as_deref(), Some("by shop: asked"));
    assert_eq!(refusal(rig.apply(cancel(second, Some("r1")))), Code::RequestIdConflict);
    assert_eq!(rig.job(second).job.state, JobState::Accepted);
}

/// Adopts an FN that this journal never knew.
fn adopt(rig: &mut Rig, fn_number: &str) {
    let plan = ApplyPlan {
        plan: "p".into(),
        rack_id: None,
        expected: None,
        client: "admin".into(),
        reason: None,
        request_id: None,
        request: None,
        tenants: BTreeMap::new(),
        slots: vec![],
        fns: BTreeMap::from([(fn_number.parse().unwrap(), inn(INN))]),
        at: NOW,
    };
    rig.apply(Command::Apply(Box::new(plan)));
}

/// That FN was read whole, and holds nothing.
fn read(rig: &mut Rig, fn_number: &str) {
    let read = NoteDocuments {
        fn_number: fn_number.parse().unwrap(),
        tenant: inn(INN),
        register: register_of(fn_number),
        rnm: "0000000001054321".parse().unwrap(),
        zone_minutes: 180,
        mark: Some((FdNumber(0), None)),
        upto: FdNumber(0),
        documents: vec![],
        done: true,
        draws: [1; 8],
        at: NOW,
    };
    rig.apply(crate::rig::seen(fn_number, 0));
    rig.apply(Command::Note(Box::new(read)));
}

#[test]
fn a_job_that_was_held_until_the_fns_were_read_was_never_tried_and_can_be_cancelled_while_it_waits() {
    let mut rig = Rig::new();
    adopt(&mut rig, FN);
    let (id, job) = rig.accept("order-1");
    assert_eq!(job.state, JobState::InDoubt);
    let refused = refusal(rig.apply(cancel(id, None)));
    assert_eq!(refused, Code::JobHadAttempt, "its document may stand in that FN");
    read(&mut rig, FN);
    let release = SettleHeld {
        job: id,
        verdict: HeldVerdict::Release,
        client: None,
        at: NOW,
    };
    rig.apply(Command::SettleHeld(Box::new(release)));
    assert_eq!(rig.job(id).job.state, JobState::Accepted);
    let done = rig.apply(cancel(id, None));
    assert!(matches!(done, ReplyBody::JobState(JobState::Cancelled)), "{done:?}");
}

#[test]
fn a_job_can_be_cancelled_only_before_its_first_attempt_and_expire_only_while_it_waits() {
    let mut rig = Rig::new();
    let cancel = |job| cancel(job, None);
    let (id, job) = rig.accept("order-1");
    let intent = rig.begin(receipt_intent(id, &job, FN, 10));
    assert_eq!(refusal(rig.apply(cancel(id))), Code::JobHadAttempt);
    assert_eq!(
        refusal(rig.apply(Command::Expire { job: id, at: NOW })),
        Code::InternalFault
    );
    rig.apply(Command::End(Box::new(not_made(intent, JobEnd::Again, 10)), None));
    assert_eq!(refusal(rig.apply(cancel(id))), Code::JobHadAttempt);
    let again = rig.begin(receipt_intent(id, &job, FN, 10));
    rig.apply(Command::End(Box::new(made(again, FN, 11)), None));
    assert_eq!(refusal(rig.apply(cancel(id))), Code::JobFinal);
    let (fresh, _) = rig.accept("order-2");
    assert!(matches!(
        rig.apply(cancel(fresh)),
        ReplyBody::JobState(JobState::Cancelled)
    ));
    assert_eq!(
        refusal(rig.apply(Command::Expire { job: fresh, at: NOW })),
        Code::InternalFault
    );
    assert_eq!(rig.job(id).job.tenant, inn(INN));
}
