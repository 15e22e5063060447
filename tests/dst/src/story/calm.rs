//! The calm phase: faults have stopped, and everything must come to its end in bounded virtual time.
//!
//! Owns: L1 and L2, and the person who looks at what was isolated.
//! Must never: let a fault strike on purpose; those armed for a command may still meet it.

use super::clients::{self, Wish};
use super::stage::Stage;
use crate::draw::Draw;
use crate::play::Play;
use crate::weather;
use kassette_core::domain::snapshot::UnitSnapshot;
use kassette_core::domain::unit::UnitState;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use std::time::Duration;
use tokio::time::Instant;

/// Tries of a person to bring everything back.
const TRIES: u32 = 10;

/// Brings everything back, until the registers are there and every job of the story has come to rest.
///
/// # Panics
/// When a job never does.
pub(super) async fn come(seed: u64, stage: &Stage, play: &mut Play, last_job: u32) {
    let mut draw = Draw::of(seed, "calm", 0);
    if draw.chance(30) {
        others_go_on(&mut draw, stage, play, last_job).await;
    }
    let all: Vec<Wish> = (1..last_job).map(|number| Wish::draw(seed, number, stage)).collect();
    let mut left = Vec::new();
    for _ in 0..TRIES {
        play.lives = 0;
        weather::lift_all(&mut draw, play).await;
        // A person looks at units that were isolated.
        play.crash().await;
        let until = Instant::now() + Duration::from_secs(300);
        left = clients::wait(play, &all, until).await;
        // Power that was cut comes back.
        play.pass(Duration::from_secs(30)).await;
        play.calm().await;
        if left.is_empty() && there(play) {
            return;
        }
    }
    assert!(left.is_empty(), "L1: left without an end: {left:?}\n{}", play.tail());
    assert!(
        there(play),
        "L1: a register never came back: {:?}\n{}",
        play.snapshot().units,
        play.tail()
    );
}

/// L2: a register that is stuck for ever keeps no other of its tenant from work.
async fn others_go_on(draw: &mut Draw, stage: &Stage, play: &mut Play, last_job: u32) {
    let (registers, tenants) = (play.file.registers.len(), stage.setting.tenants);
    let stuck = draw.index(registers);
    let of_it = |at: &usize| at % tenants == stuck % tenants;
    if (0..registers).filter(of_it).count() < 2 {
        return;
    }
    let wishes: Vec<Wish> = (last_job..last_job + 3)
        .map(|number| Wish::plain(number, stuck % tenants))
        .collect();
    let mut left = Vec::new();
    for _ in 0..TRIES {
        play.lives = 0;
        weather::lift_all(draw, play).await;
        play.fault(stuck, FaultKind::Unplug { when: When::Before }, Trigger::Now);
        // A person looks at units that were isolated.
        play.crash().await;
        let until = Instant::now() + Duration::from_secs(300);
        clients::day(play, &wishes, until).await;
        left = clients::wait(play, &wishes, until).await;
        if left.is_empty() {
            return;
        }
    }
    panic!(
        "L2: register {stuck} is stuck, and others do not go on: {left:?}\n{}",
        play.tail()
    );
}

/// Whether every register has its cable and its power, and answers where it stands.
fn there(play: &Play) -> bool {
    let count = play.file.registers.len();
    let seen = (0..count).filter_map(|at| play.world.bench().observe(play.serial(at)));
    let all = seen.filter(|seen| seen.plugged && seen.device.powered).count() == count;
    let units = play.snapshot().units;
    let works = |at: usize| {
        let of_it = |unit: &&UnitSnapshot| {
            unit.register
                .as_ref()
                .is_some_and(|id| id.serial.as_str() == play.serial(at))
        };
        units
            .values()
            .find(of_it)
            .is_some_and(|unit| unit.state == UnitState::Active)
    };
    all && (0..count).filter(|at| play.allowed.needs(*at)).all(works)
}
