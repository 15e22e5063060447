//! The rack on one thread under a paused clock, killed at every fault point.
//!
//! Owns: the proof that a death at any point leaves exactly one document of each job.
//! Must never: wait for real time, or leave a point out.

use kassette_core::parts::Point;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_receipts::job::JobState;
use std::collections::{BTreeMap, BTreeSet};

const JOBS: u32 = 4;

/// Registers with other settings than ours, and clocks that are a minute behind: everything is brought right at first.
fn setting(seed: u64) -> Setting {
    Setting {
        extra: "clock_skew = -60".into(),
        ..Setting::new(seed, 2)
    }
}

struct Told {
    reached: BTreeMap<Point, u32>,
    trace: Vec<String>,
}

fn tell(seed: u64, kills: &[(Point, u32)]) -> Told {
    simulate(async {
        let mut play = Play::new(&setting(seed));
        for (point, nth) in kills {
            play.world.kill_at(*point, *nth);
        }
        let jobs = play.day(1..=JOBS).await;
        play.calm().await;
        assert_eq!(play.world.kills_left(), 0, "every kill happened: {kills:?}");
        assert!(jobs.iter().all(|job| job.state == JobState::Completed), "{jobs:?}");
        check::all(&mut play, Allowed::default()).await;
        Told {
            reached: play.world.reached(),
            trace: play.world.trace(),
        }
    })
}

/// Tells a story twice; both must be the same to the last line.
fn tell_twice(seed: u64, kills: &[(Point, u32)]) -> Told {
    println!("seed {seed}, killed at {kills:?}");
    let first = tell(seed, kills);
    assert_eq!(first.trace, tell(seed, kills).trace, "{kills:?}");
    first
}

#[test]
fn a_quiet_day_makes_one_document_of_each_job_and_repeats_exactly() {
    let first = tell_twice(1, &[]);
    assert_ne!(tell(2, &[]).trace, first.trace, "another seed tells another story");
}

/// Points of a resolution: a first death makes the doubt, a second one falls into its resolution.
const RESOLVING: &[Point] = &[
    Point::ResolveIdentified,
    Point::ResolveIdle,
    Point::ResolveCancelled,
    Point::ResolveScanned,
    Point::ResolveDurable,
];

#[test]
fn every_point_is_one_at_which_a_death_is_tried() {
    let quiet: BTreeSet<Point> = tell(1, &[]).reached.into_keys().collect();
    let all: BTreeSet<Point> = Point::ALL.iter().copied().collect();
    let resolving: BTreeSet<Point> = RESOLVING.iter().copied().collect();
    let missing: Vec<&Point> = all
        .iter()
        .filter(|p| !quiet.contains(p) && !resolving.contains(p))
        .collect();
    assert!(missing.is_empty(), "no story reaches {missing:?}");
}

#[test]
fn a_death_at_any_point_loses_nothing_and_doubles_nothing() {
    let quiet = tell(1, &[]).reached;
    for point in Point::ALL.iter().filter(|point| !RESOLVING.contains(point)) {
        let times = quiet[point];
        let nths: BTreeSet<u32> = [1, times / 2, times]
            .into_iter()
            .filter(|n| *n > 0 && *n <= times)
            .collect();
        for nth in nths {
            tell_twice(1, &[(*point, nth)]);
        }
    }
}

#[test]
fn a_death_inside_the_resolution_of_a_doubt_loses_nothing_and_doubles_nothing() {
    for doubt in [
        Point::IntentDurable,
        Point::DocumentOpened,
        Point::ClosingAnswered,
        Point::ShiftAnswered,
    ] {
        for point in RESOLVING {
            let cancels = doubt == Point::DocumentOpened;
            if *point == Point::ResolveCancelled && !cancels {
                continue;
            }
            let told = tell_twice(1, &[(doubt, 2), (*point, 1)]);
            assert!(told.reached.contains_key(point));
        }
    }
}

#[test]
fn two_deaths_in_a_row_at_the_closing_command_make_one_document() {
    for point in [
        Point::ClosingBefore,
        Point::ClosingAnswered,
        Point::OutcomeBefore,
        Point::OutcomeDurable,
    ] {
        tell_twice(3, &[(point, 1), (point, 1)]);
    }
}
