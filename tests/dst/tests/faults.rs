//! Every fault of the simulated registers against the real core.
//!
//! Owns: the proof that each of them ends in one document or none, without a doubt left and with a reason that shows.
//! Must never: expect a verdict of the core; only what the FN holds and what callers are shown counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::job::Job;
use kassette_core::domain::unit::UnitState;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use std::time::Duration;

/// Every code of the reference (`shtrih-m` section 4), and one that stands in no list.
const CODES: &[u8] = &[
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x20, 0x23, 0x24,
    0x2F, 0x30, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x58,
    0x59, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x62, 0x63, 0x65, 0x66, 0x68, 0x69, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F,
    0x71, 0x72, 0x73, 0x74, 0x75, 0x77, 0x78, 0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x84, 0x85, 0x86, 0x87, 0x88,
    0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x90, 0x91, 0x92, 0x93, 0x94, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xC0, 0xC2,
    0xC4, 0xC7, 0xC8, 0xEE,
];

/// Commands on the way to a receipt.
const ON_THE_WAY: &[&str] = &["8D", "FF46", "FF4D", "FF0C", "FF45"];

fn at(code: &str) -> Trigger {
    Trigger::Command {
        code: code.into(),
        nth: 1,
    }
}

/// Whether the unit waits for a person, and shows why.
fn needs_person(play: &Play) -> bool {
    let unit = play.unit("S0");
    matches!(unit.state, UnitState::Quarantined | UnitState::Draining) && !unit.reason.detail.is_empty()
}

/// One job; where its unit was isolated, a person looks and starts the rack again.
async fn one_job(play: &mut Play, number: u32, what: &str) -> Job {
    let mut job = play.day_within([number], Duration::from_secs(180)).await.remove(0);
    for _ in 0..2 {
        if job.state.is_final() {
            break;
        }
        assert!(
            needs_person(play),
            "{what}: {job:?}\n{:?}\n{}",
            play.unit("S0"),
            play.tail()
        );
        play.crash().await;
        play.lives = 0;
        job = play.day_within([number], Duration::from_secs(180)).await.remove(0);
    }
    assert!(
        job.state.is_final(),
        "{what}: {job:?}\n{:?}\n{}",
        play.unit("S0"),
        play.tail()
    );
    job
}

/// Each code at one command of one register, one after the other, each against a job of its own.
fn every_code_at(command: &str, when: When) {
    simulate(async {
        let mut play = Play::begin(&Setting::new(1, 1).instant()).await;
        for (number, code) in (1..).zip(CODES) {
            let what = format!("{command} code {code:02X} {when:?}");
            play.fault(0, FaultKind::Error { code: *code, when }, at(command));
            let job = one_job(&mut play, number, &what).await;
            let made = when == When::After && command == "FF45";
            if made {
                assert_eq!(job.state, JobState::Completed, "{what}: {job:?}\n{}", play.tail());
            }
            if job.state == JobState::Refused {
                assert_eq!(job.reason.as_ref().unwrap().code, Code::JobRefusedByRegister, "{what}");
            }
        }
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn every_error_before_the_work_of_a_command_leaves_one_document_or_a_refused_job() {
    for command in ON_THE_WAY {
        every_code_at(command, When::Before);
    }
}

#[test]
fn every_error_after_the_work_of_a_command_leaves_one_document() {
    for command in ON_THE_WAY {
        every_code_at(command, When::After);
    }
}

#[test]
fn three_receipts_that_a_register_refuses_do_not_isolate_it() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(1, 1).instant()).await;
        for nth in 1..=4 {
            // 33: a bad parameter; the receipt has to change.
            let kind = FaultKind::Error {
                code: 0x33,
                when: When::Before,
            };
            play.fault(
                0,
                kind,
                Trigger::Command {
                    code: "FF46".into(),
                    nth,
                },
            );
        }
        let jobs = play.day(1..=5).await;
        let refused = jobs.iter().filter(|job| job.state == JobState::Refused).count();
        assert_eq!((refused, jobs[4].state), (4, JobState::Completed), "{}", play.tail());
        assert_eq!(play.unit("S0").state, UnitState::Active);
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_register_that_refuses_everything_for_its_own_sake_is_isolated_and_says_why() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(1, 1).instant()).await;
        for nth in 1..=20 {
            // 71: the cutter is broken.
            let kind = FaultKind::Error {
                code: 0x71,
                when: When::Before,
            };
            play.fault(0, kind, Trigger::Command { code: "8D".into(), nth });
        }
        let job = play.day([1]).await.remove(0);
        assert_eq!(job.state, JobState::Accepted, "it waits for another unit");
        let unit = play.unit("S0");
        assert_eq!(
            (unit.state, unit.reason.code),
            (UnitState::Quarantined, Code::RegisterFault),
            "{}",
            play.tail()
        );
        let waiting = Allowed {
            waiting: true,
            ..Allowed::default()
        };
        check::all(&mut play, waiting).await;
    });
}
