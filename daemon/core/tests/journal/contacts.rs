//! Buyers, and what stays of them.
//!
//! Owns: that a buyer goes only when nobody needs it any more, and never without its digests.
//! Must never: look at a buyer in clear: the journal has none.

use crate::rig::{FN, NOW, Rig, accept_job, made, receipt_intent, refusal};
use kassette_core::journal::{
    CareDone, CareFound, CareOrder, CareWork, Command, DroppedBuyer, EndedBuyer, Query, ReplyBody, Rows, Sealed, verify,
};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;

fn ended(rig: &mut Rig) -> Vec<EndedBuyer> {
    let work = CareWork::EndedBuyers { after: 0, limit: 10 };
    match rig.store().read(&Query::Care(work)).unwrap() {
        Rows::Care(CareFound::EndedBuyers(found, None)) => found,
        other => panic!("{other:?}"),
    }
}

fn drop_buyer(rig: &mut Rig, job: i64) -> ReplyBody {
    let digests = vec![(1008, [5; 16]), (1228, [6; 16])];
    let buyers = vec![DroppedBuyer { job, digests }];
    rig.apply(Command::Care(CareOrder::DropBuyers { buyers, at: NOW }))
}

/// A completed job with a buyer, and one that waits with another.
fn with_buyers() -> Rig {
    let mut rig = Rig::new();
    for name in ["order-1", "order-2"] {
        let mut order = accept_job(name);
        order.buyer = Some(Sealed {
            nonce: [9; 12],
            sealed: vec![1, 2, 3],
        });
        let accepted = rig.apply(Command::Accept(Box::new(order)));
        assert!(matches!(accepted, ReplyBody::Accepted { .. }));
    }
    let job = rig.job(1).job;
    let intent = rig.begin(receipt_intent(1, &job, FN, 10));
    rig.apply(Command::End(Box::new(made(intent, FN, 11)), None));
    rig
}

#[test]
fn a_buyer_may_go_when_the_job_is_completed_read_back_and_shown_or_its_retention_is_over() {
    let mut rig = with_buyers();
    let mut buyer = ended(&mut rig).pop().unwrap();
    assert_eq!((buyer.job, buyer.audited, buyer.shown), (1, false, false));
    let shown = CareOrder::Shown { jobs: vec![1], at: NOW };
    rig.apply(Command::Care(shown));
    assert!(ended(&mut rig)[0].shown);
    for (audited, shown, may) in [(false, true, false), (true, false, false), (true, true, true)] {
        (buyer.audited, buyer.shown) = (audited, shown);
        assert_eq!(buyer.may_be_dropped(None, NOW), may, "audited {audited} shown {shown}");
    }
    (buyer.audited, buyer.shown) = (false, false);
    assert!(!buyer.may_be_dropped(Some(60), NOW.plus_millis(59_999)));
    assert!(buyer.may_be_dropped(Some(60), NOW.plus_millis(60_000)));
    (buyer.state, buyer.audited, buyer.shown) = (JobState::Refused, true, true);
    assert!(!buyer.may_be_dropped(None, NOW), "only a document makes it needless");
    buyer.state = JobState::InDoubt;
    assert!(
        !buyer.may_be_dropped(Some(0), NOW),
        "a job that may still run keeps its content"
    );
}

#[test]
fn what_is_dropped_leaves_its_digests_and_a_job_that_waits_keeps_its_buyer() {
    let mut rig = with_buyers();
    assert_eq!(ended(&mut rig).len(), 1, "the job that waits is not among them");
    assert_eq!(refusal(drop_buyer(&mut rig, 2)), Code::InternalFault);
    assert!(rig.job(2).buyer.is_some());
    assert!(matches!(drop_buyer(&mut rig, 1), ReplyBody::Care(CareDone::Nothing)));
    assert!(rig.job(1).buyer.is_none() && ended(&mut rig).is_empty());
    let Rows::Care(CareFound::Digests(kept)) = rig.store().read(&Query::Care(CareWork::Digests(1))).unwrap() else {
        panic!()
    };
    assert_eq!(kept, [(1008, "05".repeat(16)), (1228, "06".repeat(16))]);
    let ReplyBody::KeyKnown { id, job } = rig.apply(Command::Accept(Box::new(accept_job("order-1")))) else {
        panic!("a key was forgotten with its buyer")
    };
    assert_eq!((id, job.content_hash.digest), (1, [3; 32]));
    rig.close();
    assert!(verify(rig.path()).unwrap().is_good());
    rig.sql()
        .execute_batch("UPDATE contact_digests SET digests = replace(digests, '05', '07')")
        .unwrap();
    assert!(!verify(rig.path()).unwrap().is_good(), "a changed digest is found");
}
