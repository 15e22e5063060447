//! Many stories over threads.
//!
//! Owns: one thread per worker, each story in a runtime of its own; results in the order of seeds.
//! Must never: let one story see another.

use crate::figures::Figures;
use crate::story::{Failure, Options, run_story};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// Which seeds, and for how long.
#[derive(Debug, Clone)]
pub enum Seeds {
    /// So many from the first on.
    Count(u64, u64),
    /// From the first on until this instant; those that were begun are told to their end.
    Until(u64, Instant),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// The seed at a place; none when the run is over.
    fn at(&self, place: u64) -> Option<u64> {
        match self {
            Self::Count(first, count) => (place < *count).then(|| first.wrapping_add(place)),
            Self::Until(first, end) => (Instant::now() < *end).then(|| first.wrapping_add(place)),
            Self::List(list) => list.get(usize::try_from(place).ok()?).copied(),
        }
    }
}

/// What a run is.
#[derive(Debug, Clone)]
pub struct Run {
    /// Which.
    pub seeds: Seeds,
    /// Workers.
    pub threads: usize,
    /// One of so many seeds is told twice, and both must be the same; 0: none.
    pub twice_every: u64,
    /// How each is told.
    pub options: Options,
}

/// What became of one seed.
pub type Told = Result<Figures, Failure>;

/// Tells a seed, and where it is asked for tells it again.
fn tell(seed: u64, run: &Run) -> Told {
    let figures = run_story(seed, &run.options)?;
    if run.twice_every > 0 && seed.is_multiple_of(run.twice_every) {
        let again = run_story(seed, &run.options)?;
        if again.trace != figures.trace {
            return Err(Failure {
                seed,
                broken: format!(
                    "the same seed tells two stories: {:016x} and {:016x}",
                    figures.trace, again.trace
                ),
                parts: std::collections::BTreeSet::new(),
                trace: Vec::new(),
            });
        }
    }
    Ok(figures)
}

/// Tells every seed of a run; `each` sees the results in the order of seeds as they come, and says whether to go on.
pub fn tell_all(run: &Run, mut each: impl FnMut(u64, Told) -> bool) {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (results, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..run.threads.max(1) {
            let (results, next, stop) = (results.clone(), &next, &stop);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let seed = run.seeds.at(place).filter(|_| !stop.load(Ordering::Relaxed));
                    let Some(seed) = seed else { return };
                    if results.send((place, seed, tell(seed, run))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let (mut waiting, mut due) = (BTreeMap::new(), 0);
        for (place, seed, result) in told {
            waiting.insert(place, (seed, result));
            while let Some((seed, result)) = waiting.remove(&due) {
                if !stop.load(Ordering::Relaxed) && !each(seed, result) {
                    stop.store(true, Ordering::Relaxed);
                }
                due += 1;
            }
        }
    });
}
