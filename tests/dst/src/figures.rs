//! What stories and runs count, and how it is told.
//!
//! Owns: the figures of one story, their sum, and the last line of a run.
//! Must never: count a story that did not get far enough.

use kassette_core::parts::Point;
use std::collections::{BTreeMap, BTreeSet};

/// What one story came to, or many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Stories that counted.
    pub seeds: u64,
    /// Command exchanges, commits and troubles.
    pub steps: u64,
    /// Jobs accepted.
    pub jobs: u64,
    /// Intents.
    pub attempts: u64,
    /// Doubts whose FN gave an answer.
    pub doubts_resolved: u64,
    /// Attempts that fell into doubt.
    pub doubts: u64,
    /// Documents of all FNs, registrations left out.
    pub documents: u64,
    /// Ends of the process that nobody asked for.
    pub crashes: u64,
    /// Registers.
    pub devices: u64,
    /// How often each point of the core was reached.
    pub points: BTreeMap<Point, u64>,
    /// How often each kind of trouble struck.
    pub troubles: BTreeMap<&'static str, u64>,
    /// Digest of the trace.
    pub trace: u64,
    /// Stories that did not get far enough to count.
    pub short: BTreeSet<u64>,
}

/// Least steps of a story that counts.
pub const STEPS: u64 = 2_000;
/// Least jobs of a story that counts.
pub const JOBS: u64 = 50;
/// Least deaths of the process in a story that counts.
pub const CRASHES: u64 = 3;

impl Figures {
    /// Whether a story got far enough: else it does not count.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.steps >= STEPS && self.jobs >= JOBS && self.crashes >= CRASHES && self.devices >= 2 && self.doubts >= 1
    }

    /// Adds a story to the sum of a run.
    pub fn add(&mut self, seed: u64, story: &Self) {
        if !story.counts() {
            self.short.insert(seed);
            return;
        }
        self.seeds += 1;
        self.steps += story.steps;
        self.jobs += story.jobs;
        self.attempts += story.attempts;
        self.doubts_resolved += story.doubts_resolved;
        self.doubts += story.doubts;
        self.documents += story.documents;
        self.crashes += story.crashes;
        self.devices += story.devices;
        for (point, times) in &story.points {
            *self.points.entry(*point).or_default() += times;
        }
        for (name, times) in &story.troubles {
            *self.troubles.entry(name).or_default() += times;
        }
        // The order of seeds is the order of adding, so the sum is one number for one list of seeds.
        self.trace = self.trace.rotate_left(1) ^ story.trace;
    }

    /// The last line of a run.
    #[must_use]
    pub fn last_line(&self, failures: u64) -> String {
        format!(
            "{{\"seeds\":{},\"steps\":{},\"jobs\":{},\"attempts\":{},\"doubts_resolved\":{},\"documents\":{},\"failures\":{failures}}}",
            self.seeds, self.steps, self.jobs, self.attempts, self.doubts_resolved, self.documents
        )
    }
}
