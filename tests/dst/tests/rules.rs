//! Clocks, strangers, shifts, lifetimes and stops: what the rack must do without any fault of a register.
//!
//! Owns: the parts of Show 6 that one process can show, stops between any two exchanges, and the poison rule.
//! Must never: wait for real time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::job::{CancelOrder, Job, JobSelect, Priority};
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_core::domain::unit::UnitState;
use kassette_core::parts::{LockKind, Point};
use kassette_core::rack::ApplyOrder;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, order, simulate, tenant};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_hw_sim::host::event_log::Happening;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{Password, Request};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, advance};

const HOUR_MS: i64 = 3_600_000;
const WAITING: Allowed = Allowed {
    waiting: true,
    ..Allowed::NOTHING
};
const FOREIGN: Allowed = Allowed {
    waiting: true,
    foreign: true,
    ..Allowed::NOTHING
};

fn completed(jobs: &[Job]) -> bool {
    jobs.iter().all(|job| job.state == JobState::Completed)
}

/// Commands that the simulator's own log shows.
fn commands(play: &Play, at: usize) -> BTreeSet<String> {
    let events = play.world.bench().events(play.serial(at), 0);
    let commands = events.into_iter().filter_map(|event| match event.what {
        Happening::Exchange(exchange) => Some(exchange.command),
        _ => None,
    });
    commands.collect()
}

fn clocks_were_not_moved(play: &Play) {
    for at in 0..play.file.registers.len() {
        let skew = play
            .world
            .bench()
            .observe(play.serial(at))
            .unwrap()
            .device
            .clock_skew_seconds;
        assert_eq!(skew, 0, "the clock of register {at} was moved\n{}", play.tail());
        let set = commands(play, at);
        assert!(
            !["21", "22", "23"].iter().any(|c| set.contains(*c)),
            "a clock was set: {set:?}"
        );
    }
}

async fn units_are_off(play: &mut Play) {
    for slot in ["S0", "S1"] {
        let off = |unit: &UnitSnapshot| {
            unit.not_ready
                .as_ref()
                .is_some_and(|reason| reason.code == Code::ClockOff)
        };
        play.until_unit(slot, "off by its clock", off).await;
    }
}

#[test]
fn a_host_clock_that_is_wrong_at_the_start_moves_no_register_and_makes_no_document() {
    for millis in [HOUR_MS, 24 * HOUR_MS, -HOUR_MS] {
        simulate(async {
            let mut play = Play::new(&Setting::new(3, 2));
            play.world.move_host_clock(millis);
            play.start().await;
            let jobs = play.day_within(1..=3, Duration::from_secs(60)).await;
            assert!(jobs.iter().all(|job| job.state == JobState::Accepted), "{jobs:?}");
            units_are_off(&mut play).await;
            assert!(
                play.world.ledgers().values().all(|records| records.len() == 1),
                "only the registration"
            );
            play.world.move_host_clock(-millis);
            let jobs = play.day(1..=3).await;
            assert!(completed(&jobs), "{millis}: {jobs:?}\n{}", play.tail());
            clocks_were_not_moved(&play);
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn a_host_clock_that_jumps_at_work_moves_no_register_and_work_goes_on_when_it_is_right_again() {
    for millis in [HOUR_MS, 24 * HOUR_MS, -HOUR_MS] {
        simulate(async {
            let mut play = Play::begin(&Setting::new(3, 2)).await;
            play.day(1..=3).await;
            play.world.move_host_clock(millis);
            let jobs = play.day_within(4..=6, Duration::from_secs(60)).await;
            assert!(jobs.iter().all(|job| job.state == JobState::Accepted), "{jobs:?}");
            units_are_off(&mut play).await;
            play.world.move_host_clock(-millis);
            let jobs = play.day(1..=6).await;
            assert!(completed(&jobs), "{millis}: {jobs:?}\n{}", play.tail());
            clocks_were_not_moved(&play);
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn a_host_clock_that_jumps_during_a_doubt_does_not_hinder_its_resolution() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1)).await;
        play.day([1]).await;
        let lost = FaultKind::DropReply { when: When::After };
        play.fault(
            0,
            lost,
            Trigger::Command {
                code: "FF45".into(),
                nth: 1,
            },
        );
        play.world.move_host_clock(-HOUR_MS / 20);
        let jobs = play.day([2]).await;
        assert!(completed(&jobs), "{jobs:?}\n{}", play.tail());
        clocks_were_not_moved(&play);
        check::all(&mut play, Allowed::default()).await;
    });
}

/// FC, F7, 11, reading of the serial in a table, and the FN's number.
const IDENTIFICATION: &[&str] = &["FC", "F7", "11", "1F", "FF02"];

fn only_identified(play: &Play) {
    let sent = commands(play, 0);
    assert!(sent.contains("FF02"), "it was identified: {sent:?}");
    assert!(sent.iter().all(|c| IDENTIFICATION.contains(&c.as_str())), "{sent:?}");
}

#[test]
fn a_live_fn_in_a_test_rack_gets_nothing_beyond_identification() {
    simulate(async {
        let mut setting = Setting::new(3, 1);
        setting.fn_prefix = "9289";
        let mut play = Play::begin(&setting).await;
        let jobs = play.day_within([1], Duration::from_secs(120)).await;
        assert_eq!(jobs[0].state, JobState::Accepted);
        let unit = play.unit("S0");
        assert_eq!(
            (unit.state, unit.reason.code),
            (UnitState::Foreign, Code::LiveFnInTestRack)
        );
        only_identified(&play);
        check::all(&mut play, WAITING).await;
    });
}

#[test]
fn a_register_that_was_not_adopted_gets_nothing_beyond_identification() {
    simulate(async {
        let mut play = Play::new(&Setting::new(3, 2));
        play.plan.registers.remove(0);
        play.start().await;
        assert!(completed(&play.day(1..=3).await), "the adopted one works");
        let unit = play.unit("S0");
        assert_eq!(
            (unit.state, unit.reason.code),
            (UnitState::Foreign, Code::RegisterForeign)
        );
        only_identified(&play);
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_register_or_fn_that_another_daemon_holds_is_refused_by_name_and_taken_when_it_is_free() {
    for kind in [LockKind::Register, LockKind::Fn] {
        simulate(async {
            let mut play = Play::new(&Setting::new(3, 1));
            let id = match kind {
                LockKind::Register => format!("shtrih-m-{}", play.serial(0)),
                LockKind::Fn => play.fn_number(0).to_owned(),
            };
            play.world.lock_by_other(kind, &id, "kassetted (process 77)");
            play.start().await;
            let unit = play
                .until_unit("S0", "locked", |u| u.state == UnitState::Quarantined)
                .await;
            assert_eq!(unit.reason.code, Code::RegisterLocked);
            assert!(unit.reason.detail.contains("kassetted (process 77)"), "{}", unit.reason);
            assert!(unit.reason.detail.contains(&id), "{}", unit.reason);
            only_identified(&play);
            play.world.unlock_by_other(kind, &id);
            assert!(completed(&play.day([1]).await), "{}", play.tail());
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn a_second_rack_on_the_same_ports_sends_nothing() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1)).await;
        play.day([1]).await;
        let folder = tempfile::tempdir().unwrap();
        let other = play.world.neighbour("another rack", folder.path());
        let carried = other.clone();
        let shown = tokio::spawn(async move { carried.run().await });
        let rack = other.start().await;
        let apply = ApplyOrder {
            plan: play.plan.clone(),
            expected_version: None,
            validate_only: false,
            reason: None,
            request_id: None,
            client: "admin".into(),
        };
        rack.handle().apply(apply).await.unwrap();
        rack.handle().submit(order(100)).await.unwrap();
        play.pass(Duration::from_secs(60)).await;
        let unit = rack.handle().snapshot().borrow().units["S0"].clone();
        assert_eq!((unit.state, unit.reason.code), (UnitState::Lost, Code::PortUnopenable));
        assert!(unit.reason.detail.contains("another program"), "{}", unit.reason);
        assert!(completed(&play.day(2..=3).await), "{}", play.tail());
        drop(rack);
        shown.abort();
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_shift_is_turned_before_24_hours_and_after_a_long_pause() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        for (number, hours) in (2..).zip([23, 24, 25, 1, 50]) {
            play.lives = 0;
            if hours == 50 {
                play.crash().await;
            }
            advance(Duration::from_secs(hours * 3600)).await;
            play.start().await;
            let jobs = play.day([number]).await;
            assert!(completed(&jobs), "after {hours} h: {jobs:?}\n{}", play.tail());
        }
        let seen = check::all(&mut play, Allowed::default()).await;
        let opened = seen
            .ledgers
            .values()
            .flatten()
            .filter(|record| record.kind == 2)
            .count();
        assert!(opened >= 4, "{opened} shifts");
    });
}

#[test]
fn a_job_without_a_unit_ends_by_its_ttl_over_a_restart_and_has_no_document() {
    simulate(async {
        let mut setting = Setting::new(3, 1);
        setting.ttl_s = 90;
        let mut play = Play::begin(&setting).await;
        play.day([1]).await;
        play.fault(0, FaultKind::Unplug { when: When::Before }, Trigger::Now);
        play.day_within([2], Duration::from_secs(60)).await;
        play.crash().await;
        let began = Instant::now();
        let jobs = play.day([2]).await;
        assert_eq!(jobs[0].state, JobState::Expired, "{}", play.tail());
        assert!(
            began.elapsed() < Duration::from_secs(35),
            "the restart did not give it a new life"
        );
        play.fault(0, FaultKind::Replug { name: None }, Trigger::Now);
        assert!(completed(&play.day([3]).await), "{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn bulk_receipts_go_between_interactive_ones_one_at_a_time_and_always_get_their_share() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(11, 1)).await;
        let mut keys = Vec::new();
        for number in 1..=40 {
            let mut order = order(number);
            order.priority = if number % 2 == 0 {
                Priority::Interactive
            } else {
                Priority::Bulk
            };
            let priority = order.priority;
            keys.push((play.handle().submit(order).await.unwrap().job.key, priority));
        }
        let until = Instant::now() + Duration::from_secs(600);
        let mut made = Vec::new();
        for (key, priority) in keys {
            let job = play.handle().wait_final(&tenant(), &key, until).await.unwrap();
            made.push((job.evidence.unwrap().fd, priority));
        }
        made.sort_unstable();
        let line: Vec<Priority> = made.into_iter().map(|(_, priority)| priority).collect();
        let of_interactive = |one: &Priority| *one == Priority::Interactive;
        let (first, last) = (
            line.iter().position(of_interactive).unwrap(),
            line.iter().rposition(of_interactive).unwrap(),
        );
        let both_wait = &line[first..=last];
        assert!(!both_wait.windows(2).any(|two| two == [Priority::Bulk; 2]), "{line:?}");
        assert!(
            both_wait.windows(10).all(|ten| ten.contains(&Priority::Bulk)),
            "{line:?}"
        );
        check::all(&mut play, Allowed::default()).await;
    });
}

fn take_back(key: JobKey) -> CancelOrder {
    CancelOrder {
        tenant: tenant(),
        key,
        client: "shop".into(),
        reason: None,
        request_id: None,
    }
}

#[test]
fn a_job_is_taken_back_only_before_its_first_attempt_and_then_has_no_document() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1)).await;
        let made = play.day([1]).await.remove(0);
        let late = play.handle().cancel(take_back(made.key)).await.unwrap_err();
        assert_eq!(late.reason.code, Code::JobFinal);
        play.fault(0, FaultKind::Unplug { when: When::Before }, Trigger::Now);
        let waiting = play.day_within([2], Duration::from_secs(20)).await.remove(0);
        let job = play.handle().cancel(take_back(waiting.key)).await.unwrap();
        assert_eq!(job.state, JobState::Cancelled);
        play.fault(0, FaultKind::Replug { name: None }, Trigger::Now);
        assert!(completed(&play.day([3]).await), "{}", play.tail());
        // One that waits again after an attempt is not taken back.
        play.fault(
            0,
            FaultKind::Error {
                code: 0x71,
                when: When::Before,
            },
            Trigger::Command {
                code: "FF46".into(),
                nth: 1,
            },
        );
        let tried = play.handle().submit(order(4)).await.unwrap().job;
        let mut sequence = play.handle().sequence();
        loop {
            let select = JobSelect::Name {
                tenant: tenant(),
                key: tried.key,
            };
            let job = play.handle().job(select).await.unwrap().unwrap();
            if job.state == JobState::Accepted && !job.attempts.is_empty() {
                break;
            }
            sequence.changed().await.unwrap();
        }
        let refused = play.handle().cancel(take_back(tried.key)).await;
        assert!(
            refused.is_err(),
            "a job that had an attempt is not taken back: {refused:?}"
        );
        assert!(completed(&play.day([4]).await), "{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn two_units_that_fail_alike_at_the_same_command_set_a_job_aside_as_poison() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 2)).await;
        play.day(1..=4).await;
        for at in [0, 1] {
            let kind = FaultKind::Error {
                code: 0x71,
                when: When::Before,
            };
            play.fault(
                at,
                kind,
                Trigger::Command {
                    code: "FF46".into(),
                    nth: 1,
                },
            );
        }
        let job = play.day([5]).await.remove(0);
        assert_eq!(job.state, JobState::Accepted, "{}", play.tail());
        assert_eq!(
            job.needs_person.map(|reason| reason.code),
            Some(Code::JobPoison),
            "{}",
            play.tail()
        );
        assert!(completed(&play.day(6..=8).await), "the others go on\n{}", play.tail());
        let attempts = play.day([5]).await.remove(0).attempts.len();
        // It stays aside over a restart.
        play.crash().await;
        play.day(9..=10).await;
        let job = play.day([5]).await.remove(0);
        assert_eq!(
            (job.state, job.attempts.len()),
            (JobState::Accepted, attempts),
            "{}",
            play.tail()
        );
        check::all(&mut play, Allowed::default()).await;
    });
}

/// Stops the rack after so many exchanges of a receipt; what was held passes a second later.
async fn stopped_after(exchanges: u64) -> bool {
    let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
    play.day([1]).await;
    let before = play.world.bench().observe(play.serial(0)).unwrap().device.exchanges;
    play.world.bench().hold(play.serial(0)).unwrap();
    play.world.bench().step(play.serial(0), exchanges).unwrap();
    play.handle().submit(order(2)).await.unwrap();
    play.pass(Duration::from_millis(200)).await;
    let passed = play.world.bench().observe(play.serial(0)).unwrap().device.exchanges - before;
    let (bench, serial) = (play.world.bench().clone(), play.serial(0).to_owned());
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        bench.release(&serial).unwrap();
    });
    let began = Instant::now();
    play.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(120),
        "a stop takes no longer than its commands"
    );
    release.await.unwrap();
    play.world.bench().release(play.serial(0)).unwrap();
    let jobs = play.day([2, 3]).await;
    assert!(completed(&jobs), "stopped after {exchanges}: {jobs:?}\n{}", play.tail());
    check::all(&mut play, Allowed::default()).await;
    passed < exchanges
}

#[test]
fn a_stop_between_any_two_exchanges_of_a_receipt_leaves_an_outcome_or_a_durable_intent() {
    let mut exchanges = 0;
    // Until the receipt needs no more exchanges than were let through.
    while !simulate(stopped_after(exchanges)) {
        exchanges += 1;
        assert!(exchanges < 40, "a receipt has an end");
    }
    assert!(exchanges >= 6, "status, opening, item, tags, closing: {exchanges}");
}

const CLOSE_SHIFT: Request = Request::FnCloseShift(Password(30));

#[test]
fn a_shift_that_another_program_closed_behind_a_lost_receipt_does_not_hide_the_receipt() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 1).instant()).await;
        play.day([1]).await;
        play.world.kill_at(Point::ClosingAnswered, 1);
        let lost = play.handle();
        let submitted = async move { lost.submit(order(2)).await };
        play.live(async move {
            submitted.await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        // The process is dead, the receipt stands in the FN, and somebody works with the register by hand.
        play.world.expects_foreign(play.fn_number(0));
        play.stranger(0, &CLOSE_SHIFT).await;
        let last = play.world.ledgers()[play.fn_number(0)].last().unwrap().kind;
        assert_eq!(last, 5, "the shift was closed");
        let job = play.day([2]).await.remove(0);
        assert_eq!(job.state, JobState::Completed, "{}", play.tail());
        assert_eq!(job.attempts.len(), 1, "it was found, not made again");
        check::all(&mut play, FOREIGN).await;
    });
}

#[test]
fn documents_of_another_program_isolate_the_register_and_the_other_one_goes_on() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(3, 2).instant()).await;
        play.day(1..=2).await;
        play.crash().await;
        play.world.expects_foreign(play.fn_number(0));
        play.stranger(0, &CLOSE_SHIFT).await;
        let jobs = play.day(3..=6).await;
        assert!(completed(&jobs), "{jobs:?}\n{}", play.tail());
        let unit = play.unit("S0");
        assert_eq!(
            (unit.state, unit.reason.code),
            (UnitState::Quarantined, Code::ForeignDocuments),
            "{}",
            play.tail()
        );
        check::all(&mut play, FOREIGN).await;
    });
}
