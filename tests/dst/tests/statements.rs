//! Registers whose settings contradict their registration, or whose memory cannot be read whole.
//!
//! Owns: the proof that such a register takes nothing, says which fact contradicts which, and works again once mended.
//! Must never: let a receipt be made on a register that was not believed.

use kassette_core::domain::unit::UnitState;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use std::fmt::Write as _;
use std::time::Duration;

/// What 1F gives for a field from now on; `None` the truth again.
fn set(play: &Play, at: usize, table: u8, field: u8, value: Option<&[u8]>) {
    let hex = value.map(|bytes| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        })
    });
    let kind = FaultKind::TableValue {
        table,
        row: 1,
        field,
        value: hex,
    };
    play.fault(at, kind, Trigger::Now);
}

/// The cable out and in again: the next connection reads everything anew.
async fn reconnect(play: &mut Play, at: usize) {
    play.fault(at, FaultKind::Unplug { when: When::Before }, Trigger::Now);
    play.pass(Duration::from_secs(2)).await;
    play.fault(at, FaultKind::Replug { name: None }, Trigger::Now);
}

fn receipts(play: &Play, at: usize) -> usize {
    let ledgers = play.world.ledgers();
    let records = ledgers[play.fn_number(at)].iter();
    records.filter(|record| record.kind == 3).count()
}

#[test]
fn a_register_whose_tables_contradict_its_registration_takes_nothing_until_they_agree() {
    let rows: [(u8, u8, &[u8], &[&str]); 4] = [
        (17, 17, &[2], &["FFD 1.05", "1209", "says 1.2"]),
        (18, 2, b"7707083893", &["INN", "7704358518", "7707083893"]),
        (18, 3, b"0000000001002569", &["RNM", "0000000001002569"]),
        (18, 4, b"9999078900009999", &["FN number", "9999078900009999"]),
    ];
    for (table, field, value, words) in rows {
        simulate(async {
            let mut play = Play::begin(&Setting::new(1, 2).instant()).await;
            play.day(1..=4).await;
            let before = receipts(&play, 0);
            // Changed between two connections.
            set(&play, 0, table, field, Some(value));
            reconnect(&mut play, 0).await;
            let isolated = play.until_unit("S0", "isolated", |unit| unit.state == UnitState::Quarantined);
            let reason = isolated.await.reason;
            assert_eq!(reason.code, Code::RegisterContradicts, "{reason:?}");
            assert!(
                words.iter().all(|word| reason.detail.contains(word)),
                "{}",
                reason.detail
            );
            // The other register of the tenant makes all of them.
            let jobs = play.day(5..=8).await;
            assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
            assert_eq!(receipts(&play, 0), before);
            // The rack looks again by itself.
            set(&play, 0, table, field, None);
            play.until_unit("S0", "at work", |unit| {
                unit.state == UnitState::Active && unit.not_ready.is_none()
            })
            .await;
            play.day(9..=16).await;
            assert!(receipts(&play, 0) > before);
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn a_register_that_states_no_known_format_takes_nothing_and_says_so() {
    simulate(async {
        let mut play = Play::new(&Setting::new(1, 1).instant());
        for format in [0, 1, 9, 255] {
            set(&play, 0, 17, 17, Some(&[format]));
            play.start().await;
            reconnect(&mut play, 0).await;
            let unit = play
                .until_unit("S0", "lost with a reason", |unit| {
                    unit.reason.code == Code::ModelUndecided
                })
                .await;
            assert!(unit.reason.detail.contains("17/1/17"), "{}", unit.reason.detail);
        }
        let jobs = play.day_within([1], Duration::from_secs(60)).await;
        // The journal is new, and the FN cannot be read: the receipt may stand in it already.
        assert_eq!((jobs[0].state, receipts(&play, 0)), (JobState::InDoubt, 0), "{jobs:?}");
        set(&play, 0, 17, 17, None);
        let jobs = play.day([1]).await;
        assert_eq!(jobs[0].state, JobState::Completed, "{jobs:?}");
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_doubt_whose_document_reads_cut_anywhere_stays_a_doubt_until_it_reads_whole() {
    for keep in [0, 1, 3, 4, 5, 20, 57, 100, 211, 300] {
        simulate(async {
            let mut play = Play::begin(&Setting::new(1, 1).instant()).await;
            play.day([1]).await;
            let lost = FaultKind::DropReply { when: When::After };
            let closing = Trigger::Command {
                code: "FF45".into(),
                nth: 1,
            };
            play.fault(0, lost, closing);
            play.fault(0, FaultKind::CutTlv { keep: Some(keep) }, Trigger::Now);
            let jobs = play.day_within([2], Duration::from_secs(300)).await;
            assert_eq!(jobs[0].state, JobState::InDoubt, "cut after {keep}: {jobs:?}");
            play.fault(0, FaultKind::CutTlv { keep: None }, Trigger::Now);
            // The unit is looked at again by itself.
            play.pass(Duration::from_secs(120)).await;
            let jobs = play.day([2]).await;
            assert_eq!(jobs[0].state, JobState::Completed, "cut after {keep}: {jobs:?}");
            assert_eq!(receipts(&play, 0), 2, "cut after {keep}");
            check::all(&mut play, Allowed::default()).await;
        });
    }
}
