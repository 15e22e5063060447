//! What must hold on one lane: the mark, the baseline, the clock between two looks, the jobs that never get lost.
//!
//! Owns: regressions of single races and faults that no kill point shows.
//! Must never: wait for real time.

use kassette_core::domain::job::Job;
use kassette_core::domain::unit::UnitState;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, order, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use std::time::Duration;
use tokio::time::Instant;

fn at(command: &str) -> Trigger {
    Trigger::Command {
        code: command.to_owned(),
        nth: 1,
    }
}

fn completed(jobs: &[Job]) {
    assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
}

#[test]
fn a_code_of_the_table_after_the_document_was_made_never_makes_a_second_one() {
    for code in [0x33, 0x45, 0x4D, 0x4E, 0x50, 0x73] {
        simulate(async {
            let mut play = Play::begin(&Setting::new(7, 1)).await;
            let when = When::After;
            play.fault(0, FaultKind::Error { code, when }, at("FF45"));
            println!("code {code:02X}");
            completed(&play.day([1]).await);
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn a_register_that_works_without_a_pause_is_not_thought_to_have_a_slow_clock() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        completed(&play.day_within(1..=400, Duration::from_secs(7200)).await);
        let trace = play.world.trace();
        let told: Vec<_> = trace
            .iter()
            .filter(|line| line.contains("takes no jobs") && line.contains("CLOCK"))
            .collect();
        assert!(told.is_empty(), "{told:?}");
        let offset = play.unit("S0").clock_offset_s.unwrap();
        assert!(offset.abs() < 5, "the register's clock is right, {offset} s were told");
    });
}

#[test]
fn jobs_that_wait_while_a_correction_of_clocks_is_held_survive_a_shift_that_does_not_open() {
    simulate(async {
        let setting = Setting {
            extra: "clock_skew = -60".into(),
            ..Setting::new(7, 4).instant()
        };
        let mut play = Play::new(&setting);
        for register in 0..4 {
            let when = When::Before;
            // A setting that takes long keeps the wish of its unit standing.
            play.fault(register, FaultKind::DropReply { when }, at("21"));
            play.fault(register, FaultKind::DropReply { when }, at("FF0B"));
        }
        completed(&play.day(1..=8).await);
        let trace = play.world.trace();
        assert!(trace.iter().any(|line| line.contains("a correction of clocks is held")));
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_bad_receipt_is_no_fault_of_the_register() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        for number in 2..6 {
            let when = When::Before;
            play.fault(0, FaultKind::Error { code: 0x45, when }, at("FF45"));
            let jobs = play.day([number]).await;
            assert_eq!(jobs[0].state, JobState::Refused, "{jobs:?}");
        }
        let when = When::Before;
        play.fault(0, FaultKind::Error { code: 0x50, when }, at("FF45"));
        completed(&play.day([1]).await);
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_rack_that_is_stopped_at_once_ends() {
    simulate(async {
        let play = Play::new(&Setting::new(7, 1));
        let mut rack = play.world.start().await;
        let handle = rack.handle();
        // Before any task of the rack ran.
        let stopped = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::join!(handle.stop(), rack.ended())
        });
        stopped.await.unwrap();
    });
}

#[test]
fn a_shift_that_is_refused_shows_the_reason_of_the_register() {
    simulate(async {
        let mut play = Play::new(&Setting::new(7, 1));
        let when = When::Before;
        play.fault(0, FaultKind::Error { code: 0x15, when }, at("FF0B"));
        play.start().await;
        let unit = play
            .until_unit("S0", "draining", |unit| unit.state == UnitState::Draining)
            .await;
        assert_eq!(unit.reason.code, Code::FnUnsentTooOld, "{unit:?}");
        // It may pass by itself, so the unit is looked at again.
        completed(&play.day([1]).await);
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_stop_does_not_wait_for_a_register_in_doubt() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        let when = When::After;
        let for_ms = Some(600_000);
        play.fault(0, FaultKind::Hang { for_ms, when }, at("FF45"));
        let handle = play.handle();
        let submitted = tokio::spawn(async move { handle.submit(order(1)).await });
        play.until_unit("S0", "in doubt", |unit| unit.in_doubt.is_some()).await;
        play.pass(Duration::from_secs(1)).await;
        let before = Instant::now();
        play.stop().await;
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        submitted.await.unwrap().unwrap();
        completed(&play.day([1]).await);
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_register_that_stays_silent_is_told_once() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        completed(&play.day([1]).await);
        let when = When::Before;
        play.fault(0, FaultKind::Hang { for_ms: None, when }, Trigger::Now);
        play.pass(Duration::from_secs(3600)).await;
        let trace = play.world.trace();
        let moves = trace.iter().filter(|line| line.contains("unit moved")).count();
        assert!(moves < 8, "{}", play.tail());
        assert_eq!(play.unit("S0").reason.code, Code::RegisterSilent);
    });
}

#[test]
fn a_unit_that_breaks_every_attempt_slows_down_and_spares_the_jobs_that_wait() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        for nth in 1..=60 {
            let (when, down_ms) = (When::Before, 10);
            let code = "FF46".to_owned();
            play.fault(0, FaultKind::PowerCut { when, down_ms }, Trigger::Command { code, nth });
        }
        let handle = play.handle();
        for number in 1..=10 {
            play.live(handle.submit(order(number))).await.unwrap().unwrap();
        }
        play.pass(Duration::from_secs(120)).await;
        let trace = play.world.trace();
        let broken = trace
            .iter()
            .filter(|line| line.contains("an attempt is in doubt"))
            .count();
        assert!((2..25).contains(&broken), "{broken} attempts in two minutes");
        completed(&play.day_within(1..=10, Duration::from_secs(7200)).await);
        check::all(&mut play, Allowed::default()).await;
    });
}
