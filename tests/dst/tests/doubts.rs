//! Doubts that persons settle: an FN that is gone, two verdicts with evidence, and the FN that comes back.
//!
//! Owns: the stories of verdicts, true ones and false ones, and of crashes at each of their commits.
//! Must never: take the rack's word for a document; the ledgers are read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::attempt::Learned;
use kassette_core::domain::doubt::{DoubtFilter, DoubtState, ShownDoubt};
use kassette_core::domain::error::RackError;
use kassette_core::domain::job::Job;
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_core::domain::unit::UnitState;
use kassette_core::domain::verdict::{Absence, Claim, Claimed, Existing, Judgement, ReviewState, Source};
use kassette_core::parts::UnixMillis;
use kassette_core::rack::{ReadingOrder, VerdictOrder};
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, order, simulate, tenant};
use kassette_dst::world::JournalFault;
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger, When};
use kassette_hw_sim::fiscal_storage::Phase;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Tag, TlvList};
use kassette_wire::value::{FdNumber, FiscalSign, ShiftNumber};
use std::time::Duration;
use tokio::time::Instant;

const OTHER_FN: &str = "9999000000000077";
const ZONE_S: i64 = 3 * 3600;

fn at(command: &str) -> Trigger {
    Trigger::Command {
        code: command.to_owned(),
        nth: 1,
    }
}

fn other_fn(number: &str) -> FaultKind {
    FaultKind::FnReplace {
        number: number.into(),
        phase: Phase::Fiscal,
        documents_left: 1000,
        expiry: "2028-11-22".to_owned().try_into().unwrap(),
    }
}

/// A story in which the closing command of receipt 3 is lost, before or after its document was made, and the FN is taken
/// out before it can be read.
async fn in_doubt(registers: u32, when: When) -> (Play, JobKey) {
    let mut play = Play::begin(&Setting::new(7, registers)).await;
    play.day(1..=registers).await;
    for register in 1..usize::try_from(registers).unwrap() {
        // The receipt goes to the first register alone.
        let when = When::Before;
        play.fault(register, FaultKind::Unplug { when }, Trigger::Now);
    }
    let for_ms = Some(20_000);
    play.fault(0, FaultKind::Hang { for_ms, when }, at("FF45"));
    let (world, serial) = (play.world.clone(), play.serial(0).to_owned());
    let swap = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let spec = FaultSpec {
            kind: other_fn(OTHER_FN),
            trigger: Trigger::Now,
        };
        world.bench().fault(&serial, spec).unwrap();
    });
    let job = play.day([10]).await.remove(0);
    swap.await.unwrap();
    assert_eq!(job.state, JobState::InDoubt, "{}", play.tail());
    assert_eq!(job.needs_person.unwrap().code, Code::RegisterWrongFn);
    (play, job.key)
}

async fn open(play: &mut Play) -> Vec<ShownDoubt> {
    play.start().await;
    let filter = DoubtFilter {
        open: true,
        ..DoubtFilter::default()
    };
    play.handle().doubts(filter, None, 100).await.unwrap().rows
}

async fn only(play: &mut Play) -> ShownDoubt {
    let mut open = open(play).await;
    assert_eq!(open.len(), 1, "{open:?}\n{}", play.tail());
    open.remove(0)
}

fn not_made(baseline: FdNumber) -> Claimed {
    Claimed::NotMade(Absence {
        fn_last_fd: Some(baseline),
        ..Absence::default()
    })
}

/// What a person reads of the last document of the FN that stood in the first register.
fn last_document(play: &Play) -> Existing {
    let ledgers = play.world.ledgers();
    let record = ledgers[play.fn_number(0)].last().unwrap().clone();
    let tags = TlvList::decode(&record.tlv).unwrap();
    Existing {
        fd: FdNumber(record.fd),
        fp: FiscalSign(record.fp),
        time: Some(UnixMillis((i64::from(record.time) - ZONE_S) * 1000)),
        shift: tags.u32(Tag::SHIFT_NUMBER).unwrap().map(ShiftNumber),
        number_in_shift: tags.u32(Tag::RECEIPT_NUMBER).unwrap(),
    }
}

/// A person who repeats the command under the same request id until there is an answer, over restarts of the daemon.
async fn say(
    play: &mut Play,
    client: &str,
    (doubt, verdict): (i64, &Claimed),
    repeats: Option<(String, String)>,
) -> Result<(ShownDoubt, Judgement), RackError> {
    let order = VerdictOrder {
        doubt,
        claim: Claim {
            verdict: verdict.clone(),
            source: Source::FnReader,
            words: format!("{client} has read the FN on the reader in room 4"),
        },
        repeats,
        expected_revision: None,
        validate_only: false,
        reason: None,
        request_id: Some(format!("{client} on {doubt} {verdict:?}")),
        client: client.into(),
    };
    loop {
        play.start().await;
        let handle = play.handle();
        match play.live(handle.give_verdict(order.clone())).await {
            None => {}
            Some(Err(error)) if matches!(error.reason.code, Code::JournalStopped | Code::DaemonStopping) => {
                play.crash().await;
            }
            Some(answer) => return answer,
        }
    }
}

/// Two persons settle the only open doubt.
async fn settle(play: &mut Play, verdict: Claimed) -> ShownDoubt {
    let doubt = only(play).await.doubt;
    let (first, judged) = say(play, "uid:1", (doubt.id, &verdict), None).await.unwrap();
    assert_eq!((first.state, judged), (DoubtState::Unconfirmed, Judgement::NeedsSecond));
    let shown = first.doubt.waiting.unwrap().confirmation;
    let digits = doubt.fn_number.as_str()[12..].to_owned();
    let repeats = Some((shown, digits));
    let alone = say(play, "uid:1", (doubt.id, &verdict), repeats.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(alone.reason.code, Code::VerdictSamePerson | Code::RequestIdConflict),
        "{alone}"
    );
    let (settled, judged) = say(play, "uid:2", (doubt.id, &verdict), repeats).await.unwrap();
    assert_eq!(judged, Judgement::Counts);
    settled
}

async fn ended(play: &mut Play, key: &JobKey) -> Job {
    play.start().await;
    let handle = play.handle();
    let until = Instant::now() + Duration::from_secs(900);
    let inn = tenant();
    play.live(handle.wait_final(&inn, key, until)).await.unwrap().unwrap()
}

fn back(play: &Play, registers: u32) {
    for register in 1..usize::try_from(registers).unwrap() {
        play.fault(register, FaultKind::Replug { name: None }, Trigger::Now);
    }
}

/// The FN that was taken out is put back.
fn old_fn_returns(play: &Play) {
    let own = play.fn_number(0).to_owned();
    play.fault(0, other_fn(&own), Trigger::Now);
}

#[test]
fn a_receipt_that_two_persons_prove_not_made_is_made_elsewhere_once() {
    simulate(async {
        let (mut play, key) = in_doubt(2, When::Before).await;
        let before = only(&mut play).await;
        assert_eq!(before.state, DoubtState::NeedsPerson);
        let settled = settle(&mut play, not_made(before.doubt.baseline)).await;
        assert_eq!(settled.state, DoubtState::Settled, "{settled:?}");
        assert_eq!(settled.doubt.verdicts.len(), 2);
        back(&play, 2);
        let job = ended(&mut play, &key).await;
        assert_eq!(
            (job.state, job.attempts.len()),
            (JobState::Completed, 2),
            "{}",
            play.tail()
        );
        old_fn_returns(&play);
        play.until_unit("S0", "active", |unit| unit.state == UnitState::Active)
            .await;
        let doubt = play.handle().doubt(before.doubt.id).await.unwrap().doubt;
        assert_eq!(doubt.review.unwrap().state, ReviewState::Clean);
        assert!(open(&mut play).await.is_empty());
        // The lane of the FN that came back makes documents again.
        back(&play, 1);
        let when = When::Before;
        play.fault(1, FaultKind::Unplug { when }, Trigger::Now);
        assert_eq!(play.day([20]).await[0].state, JobState::Completed, "{}", play.tail());
        play.fault(1, FaultKind::Replug { name: None }, Trigger::Now);
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_document_that_two_persons_have_seen_completes_its_job_and_is_read_back_when_the_fn_returns() {
    simulate(async {
        let (mut play, key) = in_doubt(1, When::After).await;
        let made = last_document(&play);
        let settled = settle(&mut play, Claimed::Made(made.clone())).await;
        assert_eq!(settled.state, DoubtState::Settled);
        let job = ended(&mut play, &key).await;
        let evidence = job.evidence.unwrap();
        assert_eq!((evidence.fd, evidence.fp), (made.fd, made.fp));
        assert_eq!(evidence.learned, Learned::Operator);
        old_fn_returns(&play);
        play.until_unit("S0", "active", |unit| unit.state == UnitState::Active)
            .await;
        assert_eq!(play.day([20]).await[0].state, JobState::Completed, "{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn an_fn_that_shows_a_document_persons_denied_stops_its_register_until_they_answer_for_it() {
    simulate(async {
        let (mut play, key) = in_doubt(2, When::After).await;
        let doubt = only(&mut play).await.doubt;
        let denied = last_document(&play);
        // The persons are wrong: a second document will be made.
        play.world.witness_looks_away();
        settle(&mut play, not_made(doubt.baseline)).await;
        back(&play, 2);
        let elsewhere = ended(&mut play, &key).await.evidence.unwrap();
        assert_eq!(elsewhere.fn_number.as_str(), play.fn_number(1));
        old_fn_returns(&play);
        let stopped =
            |unit: &UnitSnapshot| unit.state == UnitState::Quarantined && unit.reason.code == Code::DoubtVerdictWrong;
        play.until_unit("S0", "stopped", stopped).await;
        let incident = only(&mut play).await;
        assert_eq!(incident.state, DoubtState::NeedsPerson);
        assert_eq!(incident.doubt.review.unwrap().found, Some((denied.fd, denied.fp)));
        let told = play.world.trace();
        assert!(
            told.iter()
                .any(|line| line.contains("an FN contradicts") && line.starts_with(char::is_numeric))
        );
        // It stays so over a restart, and the result that the client was shown stays too.
        play.crash().await;
        play.start().await;
        play.until_unit("S0", "stopped", stopped).await;
        assert_eq!(ended(&mut play, &key).await.evidence.unwrap(), elsewhere);
        // What is named is what the FN shows, or nothing changes.
        let wrong = say(&mut play, "uid:1", (doubt.id, &not_made(doubt.baseline)), None).await;
        assert!(wrong.is_err() || wrong.unwrap().1 == Judgement::NeedsSecond);
        let settled = settle(&mut play, Claimed::Made(denied)).await;
        assert_eq!(settled.state, DoubtState::Settled);
        play.until_unit("S0", "active", |unit| unit.state == UnitState::Active)
            .await;
        let own = play.fn_number(0).to_owned();
        let receipts = |play: &Play| {
            play.world.ledgers()[&own]
                .iter()
                .filter(|record| record.kind == 3)
                .count()
        };
        let before = receipts(&play);
        play.fault(1, FaultKind::Unplug { when: When::Before }, Trigger::Now);
        assert_eq!(play.day([20]).await[0].state, JobState::Completed, "{}", play.tail());
        assert_eq!(receipts(&play), before + 1);
    });
}

#[test]
fn a_job_that_nobody_has_taken_since_is_kept_from_a_second_document_when_the_fn_shows_its_first() {
    simulate(async {
        let (mut play, key) = in_doubt(1, When::After).await;
        let doubt = only(&mut play).await.doubt;
        let denied = last_document(&play);
        settle(&mut play, not_made(doubt.baseline)).await;
        play.pass(Duration::from_secs(30)).await;
        let waiting = play.handle().jobs(Default::default(), None, 100).await.unwrap().rows;
        let waiting = waiting.into_iter().find(|job| job.key == key).unwrap();
        assert_eq!(waiting.state, JobState::Accepted);
        old_fn_returns(&play);
        let job = ended(&mut play, &key).await;
        let evidence = job.evidence.unwrap();
        assert_eq!(
            (evidence.fd, evidence.fp, evidence.learned),
            (denied.fd, denied.fp, Learned::Scan)
        );
        let stopped =
            |unit: &UnitSnapshot| unit.state == UnitState::Quarantined && unit.reason.code == Code::DoubtVerdictWrong;
        play.until_unit("S0", "stopped", stopped).await;
        settle(&mut play, Claimed::Made(denied)).await;
        play.until_unit("S0", "active", |unit| unit.state == UnitState::Active)
            .await;
        assert_eq!(play.day([20]).await[0].state, JobState::Completed, "{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_crash_at_any_commit_of_a_settlement_and_a_return_loses_and_doubles_nothing() {
    for fault in [JournalFault::StoppedKept, JournalFault::StoppedLost] {
        for nth in 1..=12 {
            simulate(async {
                println!("{fault:?} at commit {nth}");
                let (mut play, key) = in_doubt(2, When::Before).await;
                let baseline = only(&mut play).await.doubt.baseline;
                play.world.fail_commit(nth, fault);
                settle(&mut play, not_made(baseline)).await;
                back(&play, 2);
                let job = loop {
                    play.start().await;
                    let (handle, inn) = (play.handle(), tenant());
                    let until = Instant::now() + Duration::from_secs(900);
                    if let Some(job) = play.live(handle.wait_final(&inn, &key, until)).await {
                        break job.unwrap();
                    }
                };
                assert_eq!(job.state, JobState::Completed, "{}", play.tail());
                old_fn_returns(&play);
                play.day([20]).await;
                check::all(&mut play, Allowed::default()).await;
                assert!(open(&mut play).await.is_empty());
            });
        }
    }
}

#[test]
fn while_the_fn_answers_it_decides_and_a_person_can_only_ask_it_again() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        play.day([1]).await;
        let when = When::After;
        play.fault(0, FaultKind::DropReply { when }, at("FF45"));
        play.fault(0, FaultKind::CutTlv { keep: Some(10) }, at("FF45"));
        let handle = play.handle();
        let submitted = tokio::spawn(async move { handle.submit(order(2)).await });
        let reading = |unit: &UnitSnapshot| unit.in_doubt.is_some() && unit.state == UnitState::Identifying;
        play.until_unit("S0", "being read", reading).await;
        let job = submitted.await.unwrap().unwrap().job;
        let doubt = only(&mut play).await;
        assert_eq!(doubt.state, DoubtState::Reading);
        let refused = say(
            &mut play,
            "uid:1",
            (doubt.doubt.id, &not_made(doubt.doubt.baseline)),
            None,
        )
        .await;
        assert_eq!(refused.unwrap_err().reason.code, Code::DoubtFnDecides);
        play.pass(Duration::from_secs(120)).await;
        play.fault(0, FaultKind::CutTlv { keep: None }, Trigger::Now);
        let reading = ReadingOrder {
            doubt: doubt.doubt.id,
            expected_revision: None,
            validate_only: false,
            reason: Some("the cable was changed".into()),
            request_id: None,
            client: "uid:1".into(),
        };
        play.handle().read_again(reading).await.unwrap();
        assert_eq!(ended(&mut play, &job.key).await.state, JobState::Completed);
        let doubt = play.handle().doubt(doubt.doubt.id).await.unwrap();
        assert_eq!(doubt.state, DoubtState::Settled);
        assert!(
            doubt
                .doubt
                .sightings
                .iter()
                .any(|seen| seen.client.as_deref() == Some("uid:1"))
        );
        assert!(doubt.doubt.sightings.iter().any(|seen| seen.idle_twice), "{doubt:?}");
        let unread = Code::FnDocumentUnreadable.as_str();
        assert!(
            doubt.doubt.sightings.iter().any(|seen| seen.text.contains(unread)),
            "{doubt:?}"
        );
        check::all(&mut play, Allowed::default()).await;
    });
}

/// The format field stands in table 17, field 17 of a paper model (`shtrih-m` 3.3): the doubt does not wait for it.
#[test]
fn a_doubt_is_settled_although_the_register_states_a_format_that_nobody_knows() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        play.day([1]).await;
        play.fault(0, FaultKind::DropReply { when: When::After }, at("FF45"));
        let (table, row, field) = (17, 1, 17);
        let value = Some("77".to_owned());
        play.fault(
            0,
            FaultKind::TableValue {
                table,
                row,
                field,
                value,
            },
            at("FF45"),
        );
        let job = play.day([2]).await.remove(0);
        assert_eq!(job.state, JobState::Completed, "{}", play.tail());
        assert_eq!(job.evidence.unwrap().learned, Learned::Scan);
        let told = |unit: &UnitSnapshot| {
            unit.not_ready
                .as_ref()
                .is_some_and(|why| why.code == Code::ModelUndecided)
        };
        play.until_unit("S0", "refused for its format", told).await;
        let value = None;
        play.fault(
            0,
            FaultKind::TableValue {
                table,
                row,
                field,
                value,
            },
            Trigger::Now,
        );
        assert_eq!(play.day([3]).await[0].state, JobState::Completed, "{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}
