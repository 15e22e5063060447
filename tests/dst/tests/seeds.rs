//! Stories drawn from seeds, each over a link of its own: faults of registers, deaths of the process, journal trouble and
//! clock jumps at random.
//!
//! Owns: what is drawn, and the print of a story that fails.
//! Must never: draw from anything but its seed.

use kassette_core::domain::job::Job;
use kassette_core::domain::unit::UnitState;
use kassette_core::parts::Point;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_dst::world::JournalFault;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_receipts::job::JobState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Seeds of a run without `KASSETTE_SEEDS`.
const SEEDS: u64 = 24;
const REGISTERS: usize = 2;
/// Rounds of trouble in one story, each with jobs of its own.
const ROUNDS: u32 = 4;
const JOBS_A_ROUND: u32 = 3;
const COMMANDS: &[&str] = &[
    "8D", "FF46", "FF4D", "FF0C", "FF45", "FF45", "FF45", "FF0B", "FF01", "11", "FF3A", "FF3B", "10",
];
/// Codes after which a register goes on by itself; those that isolate a unit have tests of their own.
const CODES: &[u8] = &[0x02, 0x33, 0x37, 0x45, 0x4A, 0x50, 0x55, 0x58, 0x72, 0x73, 0xC0, 0xEE];

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap_or(0)]
    }

    fn when(&mut self) -> When {
        self.of(&[When::Before, When::After])
    }

    fn at(&mut self) -> usize {
        usize::try_from(self.below(REGISTERS as u64)).unwrap_or(0)
    }

    fn trigger(&mut self) -> Trigger {
        if self.chance(30) {
            return Trigger::NthExchange(1 + self.below(25));
        }
        Trigger::Command {
            code: self.of(COMMANDS).into(),
            nth: 1 + self.below(3),
        }
    }

    fn fault(&mut self) -> FaultKind {
        let when = self.when();
        match self.below(11) {
            0 | 1 => FaultKind::DropReply { when },
            2 => FaultKind::Hang {
                for_ms: Some(200 + self.below(60_000)),
                when,
            },
            3 => FaultKind::Garble,
            4 | 5 => FaultKind::Error {
                code: self.of(CODES),
                when,
            },
            6 | 7 => FaultKind::PowerCut {
                when,
                down_ms: self.below(20_000),
            },
            8 => FaultKind::StaleReply {
                of: self.chance(50).then(|| self.of(COMMANDS).into()),
            },
            9 => FaultKind::LateReply {
                by_ms: self.below(60_000),
            },
            _ => FaultKind::Unplug { when },
        }
    }

    fn trouble_process(&mut self, play: &Play) {
        for _ in 0..self.below(3) {
            play.world
                .kill_at(self.of(Point::ALL), 1 + u32::try_from(self.below(3)).unwrap_or(0));
        }
        if self.chance(30) {
            let fault = self.of(&[JournalFault::Full, JournalFault::StoppedKept, JournalFault::StoppedLost]);
            play.world.fail_commit(1 + self.below(40), fault);
        }
    }
}

/// Puts every cable in and every power on; a register whose cable was drawn comes back under a name of its own.
fn mend(draw: &mut Draw, play: &Play) {
    for at in 0..REGISTERS {
        let Some(seen) = play.world.bench().observe(play.serial(at)) else {
            continue;
        };
        if !seen.plugged {
            let other = if seen.name == play.serial(at) {
                Play::spare(at)
            } else {
                play.serial(at).to_owned()
            };
            let name = draw.chance(50).then_some(other);
            play.fault(at, FaultKind::Replug { name }, Trigger::Now);
        }
    }
}

fn story(seed: u64) -> Vec<String> {
    simulate(async {
        let mut draw = Draw(seed);
        let link = draw.of(&["pty", "tcp"]);
        let numbered = draw.chance(50);
        let mut play = Play::begin(&Setting::new(seed, 2).linked(link, numbered)).await;
        play.world
            .note(format!("registers on {link}, numbered frames: {numbered}"));
        let mut number = 1;
        for _ in 0..ROUNDS {
            play.lives = 0;
            for _ in 0..1 + draw.below(3) {
                let (at, kind, trigger) = (draw.at(), draw.fault(), draw.trigger());
                play.fault(at, kind, trigger);
            }
            draw.trouble_process(&play);
            let jump = draw
                .chance(25)
                .then(|| draw.of(&[-3_600_000_i64, 3_600_000, 120_000, -120_000]));
            play.world.move_host_clock(jump.unwrap_or(0));
            let troubled = Duration::from_secs(5 + draw.below(120));
            play.day_within(number..number + JOBS_A_ROUND, troubled).await;
            play.world.move_host_clock(-jump.unwrap_or(0));
            mend(&mut draw, &play);
            if draw.chance(15) {
                tokio::time::advance(Duration::from_secs(3600 * (1 + draw.below(30)))).await;
            }
            number += JOBS_A_ROUND;
        }
        calm(&mut draw, &mut play, number).await;
        play.world.trace()
    })
}

/// Faults that were drawn may still wait for their command and meet it now: mended and waited for, until the registers
/// are there and everything has come to rest.
async fn calm(draw: &mut Draw, play: &mut Play, number: u32) {
    play.world.spare_the_process();
    let mut jobs = Vec::new();
    for _ in 0..10 {
        play.lives = 0;
        mend(draw, play);
        // A person looks at units that were isolated.
        play.crash().await;
        jobs = play.day_within(1..number, Duration::from_secs(300)).await;
        // Power that was cut comes back.
        play.pass(Duration::from_secs(30)).await;
        play.calm().await;
        let ended = |job: &Job| job.state.is_final() || job.needs_person.is_some();
        if jobs.iter().all(ended) && there(play) {
            break;
        }
    }
    for job in &jobs {
        // Time passed by days: what no unit could take in time has ended.
        let ended = matches!(job.state, JobState::Completed | JobState::Refused | JobState::Expired);
        assert!(
            ended || job.needs_person.is_some(),
            "job {} is left {}: {:?}\n{}",
            job.key,
            job.state,
            job.reason,
            play.tail()
        );
    }
    check::all(play, Allowed::default()).await;
}

/// Whether every register has its cable and its power, and answers where it stands.
fn there(play: &Play) -> bool {
    let seen = (0..REGISTERS).filter_map(|at| play.world.bench().observe(play.serial(at)));
    let all = seen.filter(|seen| seen.plugged && seen.device.powered).count() == REGISTERS;
    let units = play.snapshot().units;
    let known = units
        .values()
        .filter(|unit| unit.register.is_some() && unit.state == UnitState::Active);
    all && known.count() == REGISTERS
}

fn told(seed: u64) -> Option<Vec<String>> {
    catch_unwind(AssertUnwindSafe(|| story(seed))).ok()
}

#[test]
fn stories_drawn_from_seeds_keep_every_promise_and_repeat() {
    let asked = std::env::var("KASSETTE_SEEDS").ok();
    // One seed as `=17`, else how many from 1.
    let seeds: Vec<u64> = match asked.as_deref().map(|text| (text.strip_prefix('='), text)) {
        Some((Some(one), _)) => one.parse().into_iter().collect(),
        Some((None, count)) => (1..=count.parse().unwrap_or(SEEDS)).collect(),
        None => (1..=SEEDS).collect(),
    };
    assert!(!seeds.is_empty(), "KASSETTE_SEEDS is a count, or = and one seed");
    let mut failed = Vec::new();
    for seed in seeds {
        println!("seed {seed}");
        match told(seed) {
            None => failed.push(seed),
            Some(trace) => assert!(story(seed) == trace, "seed {seed} tells two stories"),
        }
    }
    assert!(
        failed.is_empty(),
        "seeds that failed: {failed:?}; one alone: KASSETTE_SEEDS==17"
    );
}
