//! The same stories over every link: serial line or network, frames with numbers or without.
//!
//! Owns: what the link changes for a job, and what it must not change.
//! Must never: expect a promise to hold on one link alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::attempt::Learned;
use kassette_core::domain::job::Job;
use kassette_core::parts::Point;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_hw_sim::host::event_log::Happening;
use kassette_receipts::job::JobState;

const LINKS: [(&str, bool); 4] = [("pty", false), ("tcp", false), ("pty", true), ("tcp", true)];
const ON_THE_WAY: &[&str] = &["8D", "FF46", "FF0C", "FF45"];

fn at(code: &str) -> Trigger {
    Trigger::Command {
        code: code.into(),
        nth: 1,
    }
}

fn setting(link: (&'static str, bool)) -> Setting {
    Setting::new(5, 1).instant().linked(link.0, link.1)
}

/// One job of a register that works, with a fault on its way; everything holds at the end.
fn one_job(link: (&'static str, bool), kind: &FaultKind, code: &str) -> Job {
    simulate(async {
        let mut play = Play::begin(&setting(link)).await;
        play.day([1]).await;
        play.fault(0, kind.clone(), at(code));
        let job = play.day([2]).await.remove(0);
        let armed = play.world.bench().observe(play.serial(0)).unwrap().device.armed_faults;
        assert_eq!(armed, 0, "{link:?} {kind:?} at {code} happened");
        assert_eq!(
            job.state,
            JobState::Completed,
            "{link:?} {kind:?} at {code}: {job:?}\n{}",
            play.tail()
        );
        check::all(&mut play, Allowed::default()).await;
        job
    })
}

fn learned(job: &Job) -> Learned {
    job.evidence.as_ref().unwrap().learned
}

#[test]
fn a_quiet_day_over_every_link_makes_one_document_of_each_job_and_repeats_exactly() {
    for link in LINKS {
        let day = || {
            simulate(async {
                let mut play = Play::begin(&Setting::new(3, 2).linked(link.0, link.1)).await;
                let jobs = play.day(1..=6).await;
                assert!(
                    jobs.iter().all(|job| job.state == JobState::Completed),
                    "{link:?}: {jobs:?}"
                );
                check::all(&mut play, Allowed::default()).await;
                play.world.trace()
            })
        };
        assert_eq!(day(), day(), "{link:?}");
    }
}

#[test]
fn every_fault_on_the_way_to_a_receipt_leaves_one_document_over_every_link() {
    // The first has stories of its own in faults.rs.
    for link in LINKS.into_iter().skip(1) {
        for code in ON_THE_WAY {
            for when in [When::Before, When::After] {
                for kind in [
                    FaultKind::DropReply { when },
                    FaultKind::Garble,
                    FaultKind::StaleReply { of: None },
                    FaultKind::LateReply { by_ms: 45_000 },
                    FaultKind::Hang {
                        for_ms: Some(8_000),
                        when,
                    },
                    FaultKind::PowerCut { when, down_ms: 4_000 },
                ] {
                    one_job(link, &kind, code);
                }
            }
        }
    }
}

#[test]
fn an_answer_that_was_lost_or_damaged_is_asked_for_by_its_number_and_the_attempt_goes_on() {
    for link in [("pty", true), ("tcp", true)] {
        for code in ON_THE_WAY {
            for kind in [FaultKind::DropReply { when: When::After }, FaultKind::Garble] {
                let job = one_job(link, &kind, code);
                assert_eq!(
                    (job.attempts.len(), learned(&job)),
                    (1, Learned::Answer),
                    "{link:?} {kind:?} {code}"
                );
            }
        }
    }
}

#[test]
fn a_lost_frame_goes_out_again_under_its_number_except_the_one_that_makes_the_document() {
    let lost = FaultKind::DropReply { when: When::Before };
    for link in [("pty", true), ("tcp", true)] {
        for code in ["FF46", "FF0C"] {
            assert_eq!(one_job(link, &lost, code).attempts.len(), 1, "{link:?} {code}");
        }
        // The FN is read, and the second attempt makes it.
        assert_eq!(one_job(link, &lost, "FF45").attempts.len(), 2, "{link:?}");
    }
}

#[test]
fn without_numbers_a_lost_closing_answer_is_found_in_the_fn() {
    for link in [("pty", false), ("tcp", false)] {
        let job = one_job(link, &FaultKind::DropReply { when: When::After }, "FF45");
        assert_eq!((job.attempts.len(), learned(&job)), (1, Learned::Scan), "{link:?}");
    }
}

#[test]
fn a_register_that_restarts_at_the_closing_command_is_read_whatever_the_numbers_say() {
    for link in LINKS {
        let cut = |when| FaultKind::PowerCut { when, down_ms: 0 };
        assert_eq!(one_job(link, &cut(When::Before), "FF45").attempts.len(), 2, "{link:?}");
        let job = one_job(link, &cut(When::After), "FF45");
        assert_eq!((job.attempts.len(), learned(&job)), (1, Learned::Scan), "{link:?}");
    }
}

#[test]
fn a_death_at_the_closing_command_leaves_one_document_over_every_link() {
    for link in LINKS {
        for point in [
            Point::IntentDurable,
            Point::DocumentOpened,
            Point::ItemTaken,
            Point::ClosingBefore,
            Point::ClosingAnswered,
            Point::OutcomeBefore,
            Point::OutcomeDurable,
        ] {
            simulate(async {
                let mut play = Play::new(&setting(link));
                play.world.kill_at(point, 2);
                let jobs = play.day(1..=3).await;
                assert_eq!(play.world.kills_left(), 0, "{link:?} {point:?} happened");
                assert!(
                    jobs.iter().all(|job| job.state == JobState::Completed),
                    "{link:?} {point:?}: {jobs:?}"
                );
                check::all(&mut play, Allowed::default()).await;
            });
        }
    }
}

/// Commands of a register, in order.
fn commands(play: &Play) -> Vec<String> {
    let events = play.world.bench().events(play.serial(0), 0).into_iter();
    events
        .filter_map(|event| match event.what {
            Happening::Exchange(exchange) => Some(exchange.command),
            _ => None,
        })
        .collect()
}

#[test]
fn on_the_network_the_fn_is_read_before_each_document() {
    for v2 in [false, true] {
        simulate(async {
            let mut play = Play::begin(&Setting::new(1, 1).instant().linked("tcp", v2)).await;
            play.day(1..=5).await;
            let commands = commands(&play);
            let opened: Vec<usize> = (0..commands.len()).filter(|at| commands[*at] == "8D").collect();
            assert_eq!(opened.len(), 5);
            for at in opened {
                let read = commands[..at].iter().rposition(|command| command == "FF01");
                let closed = commands[..at].iter().rposition(|command| command == "FF45");
                assert!(read > closed, "v2 {v2}: {commands:?}");
            }
        });
    }
}

#[test]
fn a_slot_that_stays_on_v1_works_with_a_register_that_has_both() {
    simulate(async {
        let mut play = Play::new(&Setting::new(1, 1).linked("pty", true));
        for slot in &mut play.plan.slots {
            slot.link = Some(kassette_core::domain::plan::LinkChoice::V1);
        }
        play.day([1]).await;
        // Only v1 loses an answer for good.
        play.fault(0, FaultKind::DropReply { when: When::After }, at("FF45"));
        let job = play.day([2]).await.remove(0);
        assert_eq!(
            (job.state, learned(&job)),
            (JobState::Completed, Learned::Scan),
            "{job:?}"
        );
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn a_register_that_another_program_spoke_v1_to_is_spoken_to_in_v1() {
    simulate(async {
        let mut play = Play::new(&Setting::new(1, 1).linked("pty", true));
        let (bench, name) = (play.world.bench().clone(), play.serial(0).to_owned());
        let mut port = bench.open(&name, bench.ports()[&name]).unwrap();
        port.write(&[0x05]).await.unwrap();
        let mut reply = [0; 8];
        assert_eq!((port.read(&mut reply).await, reply[0]), (1, 0x15));
        drop(port);
        let jobs = play.day(1..=2).await;
        assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
        check::all(&mut play, Allowed::default()).await;
    });
}
