//! Every fault of the simulated registers against the real core.
//!
//! Owns: the proof that each of them ends in one document or none, without a doubt left and with a reason that shows.
//! Must never: expect a verdict of the core; only what the FN holds and what callers are shown counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kassette_core::domain::job::Job;
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_core::domain::unit::UnitState;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger, When};
use kassette_hw_sim::fiscal_storage::Phase;
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

/// Whether a unit waits for a person, and shows why.
fn needs_person(play: &Play) -> bool {
    let isolated = |unit: &UnitSnapshot| matches!(unit.state, UnitState::Quarantined | UnitState::Draining);
    let units = play.snapshot().units;
    units
        .values()
        .any(|unit| isolated(unit) && !unit.reason.detail.is_empty())
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

/// A fault that did not happen proves nothing.
fn happened(play: &Play, what: &str) {
    let armed = play.world.bench().observe(play.serial(0)).unwrap().device.armed_faults;
    assert_eq!(armed, 0, "{what} happened");
}

/// Each code at one command of one register, one after the other, each against a job of its own.
fn every_code_at(command: &str, when: When) {
    simulate(async {
        let mut play = Play::begin(&Setting::new(1, 1).instant()).await;
        for (number, code) in (1..).zip(CODES) {
            let what = format!("{command} code {code:02X} {when:?}");
            play.fault(0, FaultKind::Error { code: *code, when }, at(command));
            let job = one_job(&mut play, number, &what).await;
            happened(&play, &what);
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

/// How a register comes back after a fault that leaves it away.
#[derive(Debug, Clone)]
enum Back {
    ByItself,
    PowerCycle,
    Cable,
    OtherPort,
}

struct Cell {
    kind: FaultKind,
    back: Back,
}

fn cell(kind: FaultKind, back: Back) -> Cell {
    Cell { kind, back }
}

/// Faults of one exchange, at whichever command.
fn cells(command: &str) -> Vec<Cell> {
    let mut cells = vec![cell(FaultKind::Garble, Back::ByItself)];
    for when in [When::Before, When::After] {
        let hang = |for_ms| FaultKind::Hang { for_ms, when };
        cells.push(cell(FaultKind::DropReply { when }, Back::ByItself));
        cells.push(cell(hang(Some(700)), Back::ByItself));
        cells.push(cell(hang(Some(40_000)), Back::ByItself));
        cells.push(cell(hang(None), Back::PowerCycle));
        cells.push(cell(FaultKind::PowerCut { when, down_ms: 5_000 }, Back::ByItself));
        cells.push(cell(FaultKind::Unplug { when }, Back::Cable));
        cells.push(cell(FaultKind::Unplug { when }, Back::OtherPort));
    }
    for by_ms in [300, 3_000, 30_000, 90_000] {
        cells.push(cell(FaultKind::LateReply { by_ms }, Back::ByItself));
    }
    for of in [None, Some(command), Some("FF45"), Some("FF01")] {
        let of = of.map(str::to_owned);
        cells.push(cell(FaultKind::StaleReply { of }, Back::ByItself));
    }
    cells
}

impl Back {
    /// What brings the register back, a minute later.
    fn kinds(&self, here: &str, other: &str) -> Vec<FaultKind> {
        let name = Some(if matches!(self, Self::OtherPort) { other } else { here }.to_owned());
        match self {
            Self::ByItself => Vec::new(),
            Self::PowerCycle => vec![FaultKind::PowerCut {
                when: When::After,
                down_ms: 5_000,
            }],
            Self::Cable | Self::OtherPort => vec![FaultKind::Replug { name }],
        }
    }
}

/// Names of the ports between which the register's cable moves.
struct Cable {
    here: String,
    other: String,
}

/// One job against one fault; what brings the register back comes a minute later. A job that cannot meet the fault is a
/// mistake of the test.
async fn one_fault(play: &mut Play, number: u32, command: &str, cell: Cell, cable: &mut Cable) {
    let what = format!("{:?} at {command}, back {:?}", cell.kind, cell.back);
    play.world.note(&what);
    play.fault(0, cell.kind, at(command));
    let (world, serial) = (play.world.clone(), play.serial(0).to_owned());
    let kinds = cell.back.kinds(&cable.here, &cable.other);
    let back = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        for kind in kinds {
            let spec = FaultSpec {
                kind,
                trigger: Trigger::Now,
            };
            world.bench().fault(&serial, spec).unwrap();
        }
    });
    let job = one_job(play, number, &what).await;
    back.await.unwrap();
    if matches!(cell.back, Back::OtherPort) {
        std::mem::swap(&mut cable.here, &mut cable.other);
    }
    assert_eq!(job.state, JobState::Completed, "{what}: {job:?}\n{}", play.tail());
    happened(play, &what);
}

async fn every_fault_at(play: &mut Play, command: &str, first: u32, turn_shift: bool) {
    let mut cable = Cable {
        here: play.serial(0).to_owned(),
        other: Play::spare(0),
    };
    for (number, cell) in (first..).zip(cells(command)) {
        play.lives = 0;
        if turn_shift {
            // The shift grows old: it is closed and the next one opened.
            tokio::time::advance(Duration::from_secs(23 * 3600 + 35 * 60)).await;
        }
        one_fault(play, number, command, cell, &mut cable).await;
    }
}

#[test]
fn every_fault_of_an_exchange_on_the_way_to_a_receipt_leaves_one_document() {
    for (at, command) in ON_THE_WAY.iter().enumerate() {
        simulate(async {
            let mut play = Play::begin(&Setting::new(at as u64, 1).instant()).await;
            // A good answer that may come again.
            play.day([1]).await;
            every_fault_at(&mut play, command, 2, false).await;
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

/// Opening and closing a shift.
const SHIFT: &[&str] = &["FF0B", "FF43"];

#[test]
fn every_fault_of_an_exchange_of_a_shift_leaves_one_report() {
    for (at, command) in SHIFT.iter().enumerate() {
        simulate(async {
            let mut play = Play::begin(&Setting::new(at as u64, 1).instant()).await;
            play.day([1]).await;
            every_fault_at(&mut play, command, 2, true).await;
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn every_error_of_a_shift_command_leaves_one_report_and_receipts_go_on() {
    for command in SHIFT {
        for when in [When::Before, When::After] {
            simulate(async {
                let mut play = Play::begin(&Setting::new(1, 1).instant()).await;
                play.day([1]).await;
                for (number, code) in (2..).zip(CODES) {
                    play.lives = 0;
                    play.fault(0, FaultKind::Error { code: *code, when }, at(command));
                    tokio::time::advance(Duration::from_secs(23 * 3600 + 35 * 60)).await;
                    play.pass(Duration::from_secs(20)).await;
                    let what = format!("{command} code {code:02X} {when:?}");
                    let job = one_job(&mut play, number, &what).await;
                    assert_eq!(job.state, JobState::Completed, "{what}");
                    happened(&play, &what);
                }
                check::all(&mut play, Allowed::default()).await;
            });
        }
    }
}

/// Two registers, the first with a fault; the jobs as they stand when all is at rest.
async fn two_registers(kind: FaultKind, trigger: Trigger) -> (Play, Vec<Job>) {
    let mut play = Play::begin(&Setting::new(7, 2)).await;
    play.day([1, 2]).await;
    play.fault(0, kind, trigger);
    let jobs = play.day(3..=8).await;
    (play, jobs)
}

fn all_completed(jobs: &[Job]) -> bool {
    jobs.iter().all(|job| job.state == JobState::Completed)
}

#[test]
fn an_fn_that_fails_fills_or_expires_is_left_and_the_other_unit_goes_on() {
    for (kind, code) in [
        (FaultKind::FnFault { code: 0x03 }, Code::FnFault),
        (FaultKind::FnFill, Code::FnFull),
        (FaultKind::FnExpire, Code::FnExpired),
    ] {
        simulate(async {
            let (mut play, mut jobs) = two_registers(kind.clone(), at("FF45")).await;
            if let FaultKind::FnFault { .. } = kind {
                // The doubt waits for its FN, and the reason shows; the other unit has made the rest.
                let left: Vec<&Job> = jobs.iter().filter(|job| job.state != JobState::Completed).collect();
                assert!(
                    matches!(left[..], [job] if job.state == JobState::InDoubt),
                    "{left:?}\n{}",
                    play.tail()
                );
                assert_eq!(play.unit("S0").reason.code, code);
                play.fault(0, FaultKind::FnFault { code: 0 }, Trigger::Now);
                jobs = play.day(3..=8).await;
                assert!(all_completed(&jobs), "{jobs:?}\n{}", play.tail());
                check::all(&mut play, Allowed::default()).await;
                return;
            }
            assert!(all_completed(&jobs), "{kind:?}: {jobs:?}\n{}", play.tail());
            let slot = play.unit("S0");
            let shown = slot.not_ready.clone().map_or(slot.reason.code, |reason| reason.code);
            assert_eq!(shown, code, "{kind:?}: {slot:?}\n{}", play.tail());
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn an_fn_that_fails_for_a_while_is_let_in_again_by_a_person_and_settles_its_doubt() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1)).await;
        play.day([1]).await;
        play.fault(0, FaultKind::DropReply { when: When::After }, at("FF45"));
        play.fault(0, FaultKind::FnFault { code: 0x2F }, at("FF3A"));
        play.day_within([2], Duration::from_secs(60)).await;
        play.fault(0, FaultKind::FnFault { code: 0 }, Trigger::Now);
        play.crash().await;
        let jobs = play.day([2, 3]).await;
        assert!(all_completed(&jobs), "{jobs:?}\n{}", play.tail());
        check::all(&mut play, Allowed::default()).await;
    });
}

fn other_fn(number: &str) -> FaultKind {
    FaultKind::FnReplace {
        number: number.into(),
        phase: Phase::Fiscal,
        documents_left: 1000,
        expiry: "2028-11-22".to_owned().try_into().unwrap(),
    }
}

#[test]
fn an_fn_replaced_during_a_doubt_leaves_the_job_to_a_person_and_comes_back_to_an_answer() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 2)).await;
        play.day([1, 2]).await;
        let own = play.fn_number(0).to_owned();
        play.fault(
            0,
            FaultKind::Hang {
                for_ms: Some(20_000),
                when: When::After,
            },
            at("FF45"),
        );
        let world = play.world.clone();
        let serial = play.serial(0).to_owned();
        let swap = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(15)).await;
            let spec = |kind| FaultSpec {
                kind,
                trigger: Trigger::Now,
            };
            world
                .bench()
                .fault(&serial, spec(other_fn("9999000000000077")))
                .unwrap();
        });
        let jobs = play.day(3..=6).await;
        swap.await.unwrap();
        let stuck: Vec<&Job> = jobs.iter().filter(|job| job.state != JobState::Completed).collect();
        assert_eq!(stuck.len(), 1, "{jobs:?}\n{}", play.tail());
        assert_eq!(stuck[0].state, JobState::InDoubt);
        assert_eq!(
            stuck[0].needs_person.as_ref().map(|reason| reason.code),
            Some(Code::RegisterWrongFn),
            "{}",
            play.tail()
        );
        let unit = play.unit("S0");
        assert_eq!(
            (unit.state, unit.reason.code),
            (UnitState::Quarantined, Code::RegisterWrongFn)
        );
        let manual = Allowed {
            manual: true,
            ..Allowed::default()
        };
        check::all(&mut play, manual).await;
        // The old FN is put back: it answers, and nobody has to decide.
        play.fault(0, other_fn(&own), Trigger::Now);
        let until = tokio::time::Instant::now() + Duration::from_secs(300);
        let job = play
            .handle()
            .wait_final(&stuck[0].tenant, &stuck[0].key, until)
            .await
            .unwrap();
        assert_eq!(
            (job.state, job.needs_person),
            (JobState::Completed, None),
            "{}",
            play.tail()
        );
        check::all(&mut play, Allowed::default()).await;
    });
}

#[test]
fn two_registers_that_swap_their_ports_are_known_by_what_they_say() {
    for when in [When::Before, When::After] {
        simulate(async {
            let mut play = Play::begin(&Setting::new(7, 2)).await;
            play.day([1, 2]).await;
            let names = [play.serial(0).to_owned(), play.serial(1).to_owned()];
            play.fault(0, FaultKind::Unplug { when }, at("FF45"));
            play.fault(1, FaultKind::Unplug { when }, at("FF45"));
            let world = play.world.clone();
            let swap = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(30)).await;
                for (serial, name) in [(&names[0], &names[1]), (&names[1], &names[0])] {
                    let kind = FaultKind::Replug {
                        name: Some(name.clone()),
                    };
                    world
                        .bench()
                        .fault(
                            serial,
                            FaultSpec {
                                kind,
                                trigger: Trigger::Now,
                            },
                        )
                        .unwrap();
                }
            });
            let jobs = play.day(3..=8).await;
            swap.await.unwrap();
            assert!(all_completed(&jobs), "{jobs:?}\n{}", play.tail());
            assert_eq!(play.unit("S0").register.unwrap().serial.to_string(), play.serial(1));
            check::all(&mut play, Allowed::default()).await;
        });
    }
}

#[test]
fn a_register_without_paper_or_slow_or_with_a_jumping_clock_makes_each_document_once() {
    let cells = [
        (
            FaultKind::Paper { present: false },
            Some(FaultKind::Paper { present: true }),
        ),
        (FaultKind::Slow { add_ms: 3_000 }, Some(FaultKind::Slow { add_ms: 0 })),
        (FaultKind::Slow { add_ms: 40_000 }, Some(FaultKind::Slow { add_ms: 0 })),
        (
            FaultKind::ClockSkew { seconds: 200 },
            Some(FaultKind::ClockSkew { seconds: -200 }),
        ),
        (
            FaultKind::ClockSkew { seconds: 3600 },
            Some(FaultKind::ClockSkew { seconds: -3600 }),
        ),
        (
            FaultKind::ClockSkew { seconds: -3600 },
            Some(FaultKind::ClockSkew { seconds: 3600 }),
        ),
        (
            FaultKind::OfdDown { down: true },
            Some(FaultKind::OfdDown { down: false }),
        ),
    ];
    for (kind, back) in cells {
        for command in ["8D", "FF45", "FF01"] {
            simulate(async {
                let mut play = Play::begin(&Setting::new(7, 1)).await;
                play.day([1]).await;
                play.fault(0, kind.clone(), at(command));
                play.day_within([2, 3], Duration::from_secs(200)).await;
                if let Some(back) = back.clone() {
                    play.fault(0, back, Trigger::Now);
                }
                let jobs = play.day([2, 3, 4]).await;
                // A document made while the clock was ahead holds the unit until true time has passed it.
                let ahead = matches!(kind, FaultKind::ClockSkew { seconds } if seconds > 300);
                let ends = all_completed(&jobs) || ahead;
                assert!(
                    ends,
                    "{kind:?} at {command}: {jobs:?}\n{:?}\n{}",
                    play.unit("S0"),
                    play.tail()
                );
                let waiting = Allowed {
                    waiting: ahead,
                    ..Allowed::default()
                };
                check::all(&mut play, waiting).await;
            });
        }
    }
}
