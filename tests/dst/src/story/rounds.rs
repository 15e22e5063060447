//! The rounds of a story: troubles strike, clients ask, time passes, some of it is mended; again and again.
//!
//! Owns: how much of each there is, and when a story has gone far enough.
//! Must never: let one part's draws depend on whether another was left out.

use super::clients::{self, Wish};
use super::persons;
use super::stage::Stage;
use super::{Mode, Options, Part, Told};
use crate::draw::Draw;
use crate::figures::{CRASHES, JOBS, STEPS};
use crate::play::Play;
use crate::weather::{self, Trouble};
use std::time::Duration;
use tokio::time::Instant;

/// Most rounds of a story.
pub(super) const ROUNDS_MAX: u32 = 60;
/// Rounds after which persons look at doubts, of a hundred.
const HURRIES: u64 = 40;
/// Jobs of a round, at most.
const JOBS_A_ROUND: u64 = 16;

/// Whether the story got as far as one must that counts.
fn far_enough(play: &Play) -> bool {
    let (counts, seen) = (play.world.counts(), play.world.witnessed());
    counts.steps() >= STEPS && seen.jobs >= JOBS && seen.doubts >= 1 && play.crashes >= CRASHES
}

/// Tells rounds until the story got far enough; the number after the last job's.
pub(super) async fn tell(seed: u64, options: &Options, stage: &Stage, play: &mut Play, told: &Told) -> u32 {
    let mut number = 1;
    for round in 0..options.rounds() {
        told.has(Part::RoundsFrom(round));
        let mut draw = Draw::of(seed, "round", u64::from(round));
        play.world.note(format_args!("round {round}"));
        play.lives = 0;
        let troubles = troubles(seed, round, options, stage, told);
        for trouble in &troubles {
            trouble.strike(play).await;
        }
        let jobs = u32::try_from(draw.between(4, JOBS_A_ROUND)).unwrap_or(4);
        let wishes: Vec<Wish> = (number..number + jobs)
            .map(|number| Wish::draw(seed, number, stage))
            .inspect(|wish| told.has(Part::Job(wish.number)))
            .filter(|wish| options.has(Part::Job(wish.number)))
            .collect();
        number += jobs;
        let until = Instant::now() + Duration::from_secs(draw.between(5, 120));
        clients::day(play, &wishes, until).await;
        if Draw::of(seed, "persons", u64::from(round)).chance(HURRIES) {
            persons::hurry(play).await;
        }
        let wrong = play.shown.wrong();
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), play.tail());
        for trouble in &troubles {
            trouble.lift(&mut draw, play).await;
        }
        if stage.mode == Mode::Liveness || draw.chance(60) {
            weather::lift_all(&mut draw, play).await;
        }
        if draw.chance(8) {
            play.start().await;
            play.stop().await;
        }
        if draw.chance(12) {
            // In one jump: what idle units would look at meanwhile is not the story's.
            tokio::time::advance(Duration::from_secs(3600 * draw.between(1, 30))).await;
        }
        if far_enough(play) {
            break;
        }
    }
    number
}

/// The troubles of a round; each has its own stream, so that one can be left out.
fn troubles(seed: u64, round: u32, options: &Options, stage: &Stage, told: &Told) -> Vec<Trouble> {
    let registers = stage.setting.registers as usize;
    let count = Draw::of(seed, "troubles", u64::from(round)).between(1, 5);
    let drawn = (0..u32::try_from(count).unwrap_or(1)).map(|place| {
        let mut draw = Draw::of(seed, "trouble", u64::from(round) << 16 | u64::from(place));
        // The first of every third round is a death, so that a story has its share of them.
        let trouble = if place == 0 && round.is_multiple_of(3) {
            Trouble::death(&mut draw)
        } else {
            Trouble::draw(&mut draw, registers)
        };
        (Part::Trouble(round, place), trouble)
    });
    let mut troubles = Vec::new();
    for (part, trouble) in drawn {
        told.has(part);
        if options.has(part) {
            troubles.push(trouble);
        }
    }
    troubles
}
