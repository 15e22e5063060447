//! What stands in an FN and was not asked for so, or not at all: its register stops with a reason, the others go on.
//!
//! Owns: the proof that the audit sees every kind of difference, survives, and holds up no job.
//! Must never: bend a register; each is wrong as hardware is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::finding::ClearOrder;
use kassette_core::domain::unit::UnitState;
use kassette_core::parts::Point;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger};
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Tag, Tlv, TlvList};
use kassette_wire::shtrih::{
    CloseReceipt, DocumentTlv, OpenReceipt, OperationKind, OperationV2, Password, ReceiptKind, Request, VatCode,
};
use kassette_wire::value::{FdNumber, Kopecks, Quantity};
use std::time::Duration;

const PASSWORD: Password = Password(30);

/// What the unit in a slot stands still for.
async fn stopped(play: &mut Play, slot: &str) -> (Code, String) {
    let unit = play
        .until_unit(slot, "stopped", |unit| unit.state == UnitState::Quarantined)
        .await;
    (unit.reason.code, unit.reason.detail)
}

fn miswrite(play: &Play, tag: u16, value: Option<&str>) {
    let value = value.map(str::to_owned);
    play.world.witness_looks_away();
    play.fault(0, FaultKind::MiswriteTag { tag, value }, Trigger::Now);
}

/// Each tag with a value that differs from what the stories ask for.
const WRONG: [(u16, &str); 12] = [
    (1008, "612E"),
    (1192, "4142"),
    (1054, "02"),
    (1055, "02"),
    (1020, "E803"),
    (1081, "E803"),
    (1105, "E803"),
    (1030, "6162"),
    (1043, "E803"),
    (1023, "0002"),
    (1199, "05"),
    (1212, "03"),
];

#[test]
fn a_register_that_writes_a_tag_wrong_stops_with_that_tag_and_the_others_go_on() {
    for (tag, value) in WRONG {
        simulate(async {
            let mut play = Play::begin(&Setting::new(3, 2).instant()).await;
            play.day(1..=2).await;
            miswrite(&play, tag, Some(value));
            // Until the register had one of them, whichever unit is faster.
            let mut number = 2;
            while play.handle().findings().is_empty() {
                assert!(number < 12, "tag {tag} was not found\n{}", play.tail());
                number += 2;
                play.day(number - 1..=number).await;
                play.pass(Duration::from_secs(5)).await;
            }
            let (code, detail) = stopped(&mut play, "S0").await;
            assert_eq!(code, Code::ContentMismatch, "tag {tag}: {detail}");
            let named = if tag == 1192 {
                "does not carry the key".to_owned()
            } else {
                tag.to_string()
            };
            assert!(
                detail.contains(&named) || tag == 1105 && detail.contains("rate 6"),
                "tag {tag}: {detail}"
            );
            assert!(!detail.contains("example.com"), "a buyer is never shown: {detail}");
            let jobs = play.day(20..=21).await;
            assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
            assert_ne!(play.unit("S1").state, UnitState::Quarantined, "the other goes on");
        });
    }
}

#[test]
fn a_register_that_was_stopped_stays_so_over_a_restart_until_a_person_clears_what_was_found() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        miswrite(&play, 1020, Some("E803"));
        play.day([2]).await;
        stopped(&mut play, "S0").await;
        play.crash().await;
        miswrite(&play, 1020, None);
        play.start().await;
        let (code, detail) = stopped(&mut play, "S0").await;
        assert_eq!(code, Code::ContentMismatch, "{detail}");
        let job = play.day_within([3], Duration::from_secs(120)).await.remove(0);
        assert_eq!(
            (job.state, job.attempts.len()),
            (JobState::Accepted, 0),
            "{}",
            play.tail()
        );
        let finding = play.handle().findings().remove(0);
        let order = ClearOrder {
            fn_number: finding.fn_number.clone(),
            fd: finding.fd,
            client: "Anna".into(),
            reason: "corrected by receipt 17, the register was repaired".into(),
        };
        let unsaid = ClearOrder {
            reason: " ".into(),
            ..order.clone()
        };
        let refused = play.handle().clear_finding(unsaid).await.unwrap_err();
        assert_eq!(refused.reason.code, Code::RequestInvalid);
        let left = play.handle().clear_finding(order.clone()).await.unwrap();
        assert!(left.is_empty());
        let again = play.handle().clear_finding(order).await.unwrap_err();
        assert_eq!(again.reason.code, Code::FindingNotFound, "a finding is cleared once");
        let job = play.day([3]).await.remove(0);
        assert_eq!(job.state, JobState::Completed, "{}", play.tail());
        play.calm().await;
        assert!(
            play.handle().findings().is_empty(),
            "what was cleared is not found again"
        );
    });
}

fn operation() -> Request {
    Request::Operation(OperationV2 {
        password: PASSWORD,
        kind: OperationKind::Sale,
        quantity: Quantity::ONE,
        price: Kopecks::new(700).expect("a small sum"),
        sum: Some(Kopecks::new(700).expect("a small sum")),
        tax: None,
        vat: VatCode::NONE,
        department: 1,
        method: 4,
        subject: 1,
        name: b"tea".to_vec(),
    })
}

fn close() -> Request {
    let mut payments = [Kopecks::ZERO; 16];
    payments[0] = Kopecks::new(700).expect("a small sum");
    Request::CloseReceipt(CloseReceipt {
        password: PASSWORD,
        payments,
        rounding: 0,
        taxes: [Kopecks::ZERO; 6],
        tax_system: 1,
        text: Vec::new(),
    })
}

/// Another program makes a receipt while ours does not run, with a job's key or without.
async fn strangers_receipt(play: &Play, key: Option<&JobKey>) {
    play.world.witness_looks_away();
    let open = Request::OpenReceipt(OpenReceipt {
        password: PASSWORD,
        kind: ReceiptKind::Sale,
    });
    let tag = key.map(|key| {
        let tlv = Tlv::text(Tag::RECEIPT_ATTRIBUTE, key.as_str()).expect("a key fits its tag");
        Request::DocumentTag(DocumentTlv {
            password: PASSWORD,
            tlv: tlv.encode().expect("a tag has bytes"),
        })
    });
    for request in [Some(open), Some(operation()), tag, Some(close())]
        .into_iter()
        .flatten()
    {
        play.stranger(0, &request).await;
    }
}

#[test]
fn a_receipt_of_another_program_is_read_told_and_stops_its_register_until_it_is_cleared() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 2).instant()).await;
        play.day(1..=2).await;
        play.crash().await;
        strangers_receipt(&play, None).await;
        strangers_receipt(&play, None).await;
        play.start().await;
        let (code, detail) = stopped(&mut play, "S0").await;
        assert_eq!(code, Code::ForeignDocuments, "{detail}");
        assert_eq!(detail.matches("7.00").count(), 2, "both are named: {detail}");
        let jobs = play.day(3..=4).await;
        assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
        for finding in play.handle().findings() {
            let order = ClearOrder {
                fn_number: finding.fn_number,
                fd: finding.fd,
                client: "Anna".into(),
                reason: "a receipt by hand".into(),
            };
            play.handle().clear_finding(order).await.unwrap();
        }
        let active = |unit: &kassette_core::domain::snapshot::UnitSnapshot| unit.state == UnitState::Active;
        play.until_unit("S0", "at work again", active).await;
        play.day(5..=12).await;
        play.calm().await;
        assert!(play.handle().findings().is_empty(), "noted once, not found again");
    });
}

#[test]
fn a_second_document_with_the_key_of_a_job_is_told_as_doubled() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        let job = play.day([1]).await.remove(0);
        play.crash().await;
        strangers_receipt(&play, Some(&job.key)).await;
        play.start().await;
        let (code, detail) = stopped(&mut play, "S0").await;
        let made = job.evidence.unwrap();
        assert_eq!(code, Code::DocumentDoubled, "{detail}");
        assert!(
            detail.contains(&format!("document {} of FN {}", made.fd, made.fn_number)),
            "{detail}"
        );
    });
}

#[test]
fn a_document_with_the_key_of_a_waiting_job_keeps_that_job_from_being_made_again() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        // While the host's clock is wrong the job waits.
        play.world.move_host_clock(3_600_000);
        play.pass(Duration::from_secs(30)).await;
        let job = play.day_within([2], Duration::from_secs(60)).await.remove(0);
        assert_eq!((job.state, job.attempts.len()), (JobState::Accepted, 0));
        play.crash().await;
        strangers_receipt(&play, Some(&job.key)).await;
        play.world.move_host_clock(-3_600_000);
        play.start().await;
        let job = play.day([2]).await.remove(0);
        let person = job.needs_person.expect("only a person can tell");
        assert_eq!(
            (job.state, person.code),
            (JobState::InDoubt, Code::ContentMismatch),
            "{person}"
        );
        // Whatever comes, its receipt is not made again.
        play.crash().await;
        play.day([3]).await;
        let key = job.key.to_string();
        let ledgers = play.world.ledgers();
        let tags = |tlv: &[u8]| TlvList::decode(tlv).unwrap().text(Tag::RECEIPT_ATTRIBUTE);
        let of_it = ledgers[play.fn_number(0)]
            .iter()
            .filter(|record| tags(&record.tlv) == Some(key.clone()));
        assert_eq!(of_it.count(), 1);
    });
}

/// Numbers of trace lines with a text, in their order.
fn seen(play: &Play, text: &str) -> Vec<usize> {
    let trace = play.world.trace();
    let lines = trace.iter().enumerate().filter(|(_, line)| line.contains(text));
    lines.map(|(at, _)| at).collect()
}

#[test]
fn while_jobs_never_end_one_document_follows_each_receipt_and_a_hundred_are_never_unread() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        let jobs = play.day(1..=180).await;
        assert!(jobs.iter().all(|job| job.state == JobState::Completed));
        let durable = seen(&play, "point outcome-durable");
        let read = seen(&play, "point audit-read");
        let first = durable[0];
        let last = durable[durable.len() - 1];
        let busy: Vec<usize> = read.into_iter().filter(|at| (first..last).contains(at)).collect();
        assert!(busy.len() > 100, "{} were read among 180 receipts", busy.len());
        for pair in durable.windows(2) {
            let between = busy.iter().filter(|at| (pair[0]..pair[1]).contains(at)).count();
            assert!(between <= 1, "a job waited for {between} documents");
        }
        for (made, at) in durable.iter().enumerate() {
            let unread = made + 1 - busy.iter().filter(|read| *read < at).count();
            assert!(unread <= 100, "{unread} documents were unread");
        }
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn everything_is_read_before_a_shift_is_closed() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        // A day later the shift is closed, with receipts right before.
        play.pass(Duration::from_secs(23 * 3600 + 29 * 60)).await;
        play.day(1..=3).await;
        play.pass(Duration::from_secs(1800)).await;
        play.calm().await;
        let unit = play.unit("S0");
        let audit = unit.audit.unwrap();
        assert_eq!(audit.unread, 0);
        assert!(audit.documents >= 5, "{audit:?}");
        assert!(
            audit.commands > 0 && audit.commands < audit.session_commands,
            "{audit:?}"
        );
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_document_that_cannot_be_read_is_tried_again_and_stops_the_register_after_the_eighth_try() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        play.calm().await;
        play.fault(0, FaultKind::CutTlv { keep: Some(30) }, Trigger::Now);
        play.day([2]).await;
        play.pass(Duration::from_secs(600)).await;
        let told = seen(&play, "could not be read back");
        assert!((2..8).contains(&told.len()), "{} tries in ten minutes", told.len());
        let job = play.day([3]).await.remove(0);
        assert_eq!(job.state, JobState::Completed, "the lane goes on meanwhile");
        play.pass(Duration::from_secs(3 * 3600)).await;
        let (code, detail) = stopped(&mut play, "S0").await;
        assert_eq!(code, Code::FnDocumentUnreadable, "{detail}");
        assert_eq!(seen(&play, "could not be read back").len(), 8);
    });
}

#[test]
fn a_document_that_was_cut_once_is_read_at_the_next_try() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        play.calm().await;
        play.fault(0, FaultKind::CutTlv { keep: Some(30) }, Trigger::Now);
        play.day([2]).await;
        play.pass(Duration::from_secs(30)).await;
        assert!(!seen(&play, "could not be read back").is_empty());
        play.fault(0, FaultKind::CutTlv { keep: None }, Trigger::Now);
        play.pass(Duration::from_secs(1200)).await;
        assert_eq!(play.unit("S0").audit.unwrap().unread, 0, "{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_death_at_any_point_of_the_audit_repeats_reads_and_nothing_else() {
    for point in [Point::AuditRead, Point::AuditNoted] {
        for nth in [1, 3] {
            simulate(async {
                let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
                for number in 1..=4 {
                    if number == 2 {
                        play.world.kill_at(point, nth);
                    }
                    play.day([number]).await;
                    play.calm().await;
                }
                assert_eq!(play.world.kills_left(), 0, "{point:?} {nth}");
                let audit = play.unit("S0").audit.unwrap();
                let last = play.world.ledgers()[play.fn_number(0)].len();
                assert_eq!(audit.audited_fd, FdNumber(u32::try_from(last).unwrap()));
                check::all(&mut play, Allowed::default()).await;
            });
        }
    }
}

#[test]
fn a_death_between_a_find_and_its_note_finds_it_again() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        play.calm().await;
        miswrite(&play, 1020, Some("E803"));
        play.world.kill_at(Point::AuditRead, 1);
        play.day([2]).await;
        play.calm().await;
        assert_eq!(play.world.kills_left(), 0);
        let (code, detail) = stopped(&mut play, "S0").await;
        assert_eq!(code, Code::ContentMismatch, "{detail}");
        assert_eq!(play.handle().findings().len(), 1);
    });
}
