//! A failing story made short: parts are left out as long as it still breaks the same promise.
//!
//! Owns: what is left out in which order, and how often a story is told again for it.
//! Must never: go on without end, or take another failure for the one it looks for.

use crate::story::{Failure, Options, Part, run_story};
use std::collections::BTreeSet;

/// Most times a story is told again.
const RUNS: u32 = 120;

/// The shortest story found that breaks the same promise, with its whole trace.
#[must_use]
pub fn shortest(failure: &Failure, options: &Options) -> (Failure, Options) {
    let mut search = Search {
        seed: failure.seed,
        promise: promise(&failure.broken).to_owned(),
        best: (failure.clone(), options.clone()),
        runs: 0,
    };
    search.fewer_rounds();
    search.fewer(|part| matches!(part, Part::Trouble(..)));
    search.fewer(|part| matches!(part, Part::Job(_)));
    let (failure, mut options) = search.best;
    options.keep_trace = true;
    // Told once more for its trace; it cannot but fail again, or the story does not repeat and that is told instead.
    let last = run_story(failure.seed, &options).err().unwrap_or_else(|| Failure {
        broken: format!(
            "told again it holds (the story does not repeat); before: {}",
            failure.broken
        ),
        ..failure
    });
    (last, options)
}

/// What was broken, without the names that differ from story to story.
fn promise(broken: &str) -> &str {
    let upto = broken.find(|letter: char| letter == ':' || letter.is_whitespace());
    &broken[..upto.unwrap_or(broken.len())]
}

struct Search {
    seed: u64,
    promise: String,
    best: (Failure, Options),
    runs: u32,
}

impl Search {
    /// Leaves these out as well, and keeps it so if the story still breaks its promise.
    fn without(&mut self, parts: &BTreeSet<Part>) -> bool {
        if self.runs >= RUNS {
            return false;
        }
        self.runs += 1;
        let mut options = self.best.1.clone();
        options.without.extend(parts);
        match run_story(self.seed, &options) {
            Err(failure) if promise(&failure.broken) == self.promise => {
                self.best = (failure, options);
                true
            }
            _ => false,
        }
    }

    /// Cuts the last rounds off: those after the failure at once, then half of what is left as often as it helps.
    fn fewer_rounds(&mut self) {
        let rounds = |part: &Part| match part {
            Part::RoundsFrom(round) => Some(*round),
            Part::Trouble(..) | Part::Job(_) => None,
        };
        let told = self
            .best
            .0
            .parts
            .iter()
            .filter_map(rounds)
            .max()
            .map_or(0, |last| last + 1);
        let (mut least, mut most) = (0, told);
        while least < most {
            let middle = least.midpoint(most);
            if self.without(&[Part::RoundsFrom(middle)].into()) {
                most = middle;
            } else {
                least = middle + 1;
            }
        }
    }

    /// Leaves out all parts of a kind, then ever smaller groups of them.
    fn fewer(&mut self, of_kind: impl Fn(&Part) -> bool) {
        let parts = &self.best.0.parts;
        let mut left: Vec<Part> = parts.iter().filter(|part| of_kind(part)).copied().collect();
        let mut size = left.len();
        while size > 0 {
            let mut kept = Vec::new();
            for group in left.chunks(size) {
                if !self.without(&group.iter().copied().collect()) {
                    kept.extend_from_slice(group);
                }
            }
            left = kept;
            size /= 2;
        }
    }
}
