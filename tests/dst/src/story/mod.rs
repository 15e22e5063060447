//! A story drawn from a seed: what rack it is, what its clients want, what goes wrong and when, and how it ends.
//!
//! Owns: the one entry for a seed; the same seed and options always tell the same story.
//! Must never: panic outward, or draw from anything but its seed.

mod calm;
mod clients;
mod persons;
mod rounds;
mod stage;

use crate::check;
use crate::figures::Figures;
use crate::play::{Play, simulate};
use kassette_core::mutants::Mutant;
use stage::Stage;
use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Version of what stories draw: a seed tells the same story only under one version. To be raised with every change of
/// what is drawn, or of its order.
pub const VERSION: u32 = 3;

/// How faults and the story's end relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Faults to the end: what must never happen is looked for.
    Safety,
    /// Faults stop, everything comes back, and everything must come to its end.
    Liveness,
}

/// A part of a story that may be left out; the others stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Every round from this one on, from 0.
    RoundsFrom(u32),
    /// A trouble: its round and its place there.
    Trouble(u32, u32),
    /// A job, by its number.
    Job(u32),
}

/// How a seed is told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The mode; drawn by the seed when absent.
    pub mode: Option<Mode>,
    /// What is left out: how a failure is made short.
    pub without: BTreeSet<Part>,
    /// The mutant that is alive; none is in a build without them.
    pub mutant: Option<Mutant>,
    /// Every line of the trace is kept; else the last few of a failure.
    pub keep_trace: bool,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }

    /// Rounds that may be told.
    fn rounds(&self) -> u32 {
        let cut = self.without.iter().filter_map(|part| match part {
            Part::RoundsFrom(round) => Some(*round),
            Part::Trouble(..) | Part::Job(_) => None,
        });
        cut.min().unwrap_or(rounds::ROUNDS_MAX)
    }
}

/// A story that broke a promise.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What broke, in words.
    pub broken: String,
    /// What a story told of it held: the parts that may be left out.
    pub parts: BTreeSet<Part>,
    /// The trace as far as it was kept.
    pub trace: Vec<String>,
}

/// Tells the story of a seed on this thread, in virtual time.
///
/// # Errors
/// [`Failure`] with what broke.
///
/// # Panics
/// Never outward.
pub fn run_story(seed: u64, options: &Options) -> Result<Figures, Failure> {
    let told = Told::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| simulate(tell(seed, options, &told))));
    outcome.map_err(|panic| {
        let told = told.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Failure {
            seed,
            broken: told.first_wrong().unwrap_or_else(|| words(&*panic)),
            parts: told.parts.clone(),
            trace: told.world.as_ref().map(crate::world::World::trace).unwrap_or_default(),
        }
    })
}

/// What is known of a story that breaks in the middle.
#[derive(Default)]
struct Told(std::sync::Mutex<ToldInner>);

#[derive(Default)]
struct ToldInner {
    parts: BTreeSet<Part>,
    world: Option<crate::world::World>,
}

impl Told {
    fn has(&self, part: Part) {
        let mut told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.parts.insert(part);
    }

    fn begins(&self, world: &crate::world::World) {
        let mut told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.world = Some(world.clone());
    }
}

impl ToldInner {
    /// What a step broke before anything else was noticed.
    fn first_wrong(&self) -> Option<String> {
        self.world.as_ref().and_then(crate::world::World::first_wrong)
    }
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

async fn tell(seed: u64, options: &Options, told: &Told) -> Figures {
    let stage = Stage::draw(seed, options.mode);
    let mut play = Play::new(&stage.setting);
    if !options.keep_trace {
        play.world.be_brief();
    }
    play.world.carry(options.mutant);
    told.begins(&play.world);
    play.world.note(format_args!("seed {seed}: {stage:?}"));
    play.start().await;
    let last_job = rounds::tell(seed, options, &stage, &mut play, told).await;
    match stage.mode {
        Mode::Safety => check::safety(&mut play).await,
        Mode::Liveness => {
            calm::come(seed, &stage, &mut play, last_job).await;
            let allowed = play.allowed;
            check::all(&mut play, allowed).await;
        }
    }
    figures(&play)
}

fn figures(play: &Play) -> Figures {
    let counts = play.world.counts();
    let seen = play.world.witnessed();
    let documents = play
        .world
        .ledgers()
        .values()
        .map(|all| all.len().saturating_sub(1))
        .sum::<usize>();
    Figures {
        seeds: 1,
        steps: counts.steps(),
        jobs: seen.jobs,
        attempts: seen.attempts,
        doubts: seen.doubts,
        doubts_resolved: seen.doubts_resolved,
        documents: documents as u64,
        crashes: play.crashes,
        devices: play.file.registers.len() as u64,
        points: play
            .world
            .reached()
            .into_iter()
            .map(|(point, times)| (point, u64::from(times)))
            .collect(),
        troubles: play.world.troubles(),
        trace: play.world.trace_hash(),
        short: BTreeSet::new(),
    }
}
