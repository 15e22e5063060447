//! A rack whose registers make documents of both formats, and receipts whose key has to stand aside.
//!
//! Owns: which unit takes what, and that each doubt about such a document is settled from the FN.
//! Must never: take the rack's word for a document; the ledgers are read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::attempt::Learned;
use kassette_core::domain::job::Job;
use kassette_dst::play::{Play, Setting, order, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_receipts::job::JobState;
use kassette_receipts::model::{Agent, IndustryAttribute, Receipt, UserAttribute};
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Tag, TlvList};
use std::time::Duration;
use tokio::time::Instant;

fn agent() -> Agent {
    Agent {
        sign: 64,
        operation: None,
        agent_phones: vec!["+79160000001".into(), "+79160000002".into()],
        acceptor_phones: vec![],
        transfer_phones: vec![],
        transfer_name: None,
        transfer_address: None,
        transfer_inn: None,
    }
}

fn industry() -> IndustryAttribute {
    IndustryAttribute {
        federal_body: "030".into(),
        document_date: "21.11.2023".into(),
        document_number: "1944".into(),
        value: "UUID=1&Time=2".into(),
    }
}

/// Submits a receipt and waits until its job is at an end.
async fn made(play: &mut Play, number: u32, change: impl FnOnce(&mut Receipt)) -> Job {
    let handle = play.handle();
    let mut order = order(number);
    change(&mut order.receipt);
    let tenant = order.tenant.clone();
    let work = async move {
        let job = handle.submit(order).await.unwrap().job;
        let until = Instant::now() + Duration::from_secs(3600);
        handle.wait_final(&tenant, &job.key, until).await.unwrap()
    };
    play.live(work).await.unwrap()
}

/// The receipts of each register, in the order of the registers.
fn receipts(play: &Play, register: usize) -> Vec<TlvList> {
    let ledgers = play.world.ledgers();
    let all = &ledgers[play.fn_number(register)];
    let receipts = all.iter().filter(|record| record.kind == 3);
    receipts.map(|record| TlvList::decode(&record.tlv).unwrap()).collect()
}

fn completed(job: &Job) -> Learned {
    assert_eq!(job.state, JobState::Completed, "{job:?}");
    job.evidence.as_ref().unwrap().learned
}

#[test]
fn a_receipt_that_only_one_format_holds_goes_to_the_unit_of_that_format() {
    simulate(async {
        let setting = Setting {
            of_1_05: 1,
            ..Setting::new(7, 3).instant()
        };
        let mut play = Play::begin(&setting).await;
        play.calm().await;
        for number in 1..=6 {
            completed(&made(&mut play, number, |receipt| receipt.agent = Some(agent())).await);
            completed(&made(&mut play, 100 + number, |receipt| receipt.industry = vec![industry()]).await);
        }
        let of = |register, tag| -> usize {
            receipts(&play, register)
                .iter()
                .filter(|tags| tags.find(tag).is_some())
                .count()
        };
        let counts = [0, 1, 2].map(|register| {
            (
                of(register, Tag::AGENT_SIGN),
                of(register, Tag::RECEIPT_INDUSTRY_ATTRIBUTE),
            )
        });
        assert_eq!(counts[0], (6, 0), "the register of FFD 1.05");
        assert_eq!(
            (counts[1].0 + counts[2].0, counts[1].1 + counts[2].1),
            (0, 6),
            "those of 1.2"
        );
    });
}

#[test]
fn a_receipt_that_no_format_of_the_rack_holds_is_refused_with_the_field_and_the_rule() {
    simulate(async {
        for (of_1_05, refused) in [(0, "agent.sign"), (2, "industry")] {
            let setting = Setting {
                of_1_05,
                ..Setting::new(7, 2).instant()
            };
            let mut play = Play::begin(&setting).await;
            play.calm().await;
            let mut both = order(1);
            both.receipt.agent = Some(agent());
            let mut one = order(2);
            one.receipt.industry = vec![industry()];
            for order in [both, one] {
                let field = if order.receipt.agent.is_some() {
                    "agent.sign"
                } else {
                    "industry"
                };
                let answer = play.live(play.handle().submit(order)).await.unwrap();
                if field != refused {
                    assert!(answer.is_ok(), "{answer:?}");
                    continue;
                }
                let error = answer.unwrap_err();
                assert_eq!(error.reason.code, Code::NoRegistrationCovers);
                let told: Vec<_> = error
                    .violations
                    .iter()
                    .map(|one| (one.rule, one.field.as_str()))
                    .collect();
                assert_eq!(told, [("C4", field)]);
            }
        }
    });
}

/// 1192 taken: the key stands in 1084. Both taken: the content is the key. On both formats, with the answer lost after the
/// document was made, and with the document lost before.
#[test]
fn a_doubt_is_settled_wherever_the_key_stands() {
    for of_1_05 in [0, 1] {
        for (own_1084, expected) in [(false, Learned::Scan), (true, Learned::Content)] {
            for when in [When::Before, When::After] {
                simulate(async {
                    let setting = Setting {
                        of_1_05,
                        ..Setting::new(7, 1).instant()
                    };
                    let mut play = Play::begin(&setting).await;
                    play.calm().await;
                    let code = "FF45".to_owned();
                    play.fault(0, FaultKind::DropReply { when }, Trigger::Command { code, nth: 1 });
                    let dressed = |receipt: &mut Receipt| {
                        receipt.additional_attribute = Some("3735928559".into());
                        receipt.user_attribute = own_1084.then(|| UserAttribute {
                            name: "заказ".into(),
                            value: "A-17".into(),
                        });
                        receipt.items[0].agent = Some(agent());
                    };
                    let job = made(&mut play, 1, dressed).await;
                    let learned = completed(&job);
                    let wanted = if when == When::After { expected } else { Learned::Answer };
                    assert_eq!(learned, wanted, "{own_1084} {when:?}");
                    assert_eq!(receipts(&play, 0).len(), 1, "one document: {own_1084} {when:?}");
                    // The next one of the same content is another job, and a document of its own.
                    completed(&made(&mut play, 2, dressed).await);
                    assert_eq!(receipts(&play, 0).len(), 2);
                });
            }
        }
    }
}
