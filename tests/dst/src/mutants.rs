//! The hunt: each mutant of the core is told stories until one breaks a promise that the honest core keeps.
//!
//! Owns: what counts as caught, and the table.
//! Must never: count a story that breaks without the mutant too, or make a mutant easier to catch.

use crate::run::{Run, Seeds, tell_all};
use crate::story::{Options, run_story};
use kassette_core::mutants::Mutant;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Seeds within which a mutant must be caught (`exactly-once` section 7).
pub const SEEDS: u64 = 200;
/// Longest words of a broken promise in the table.
const WORDS: usize = 96;

/// What became of one mutant.
#[derive(Debug, Clone)]
pub struct Hunted {
    /// Which.
    pub mutant: Mutant,
    /// The first seed that told it, and what broke there.
    pub caught: Option<(u64, String)>,
    /// Seeds that break without it: they tell nothing.
    pub broken_anyway: Vec<u64>,
    /// Time it took.
    pub took: Duration,
}

/// Tells seeds from 1 on with this mutant alive, until one tells it.
#[must_use]
pub fn hunt(mutant: Mutant, seeds: u64, threads: usize) -> Hunted {
    let begin = Instant::now();
    let run = Run {
        seeds: Seeds::Count(1, seeds),
        threads,
        twice_every: 0,
        options: Options {
            mutant: Some(mutant),
            ..Options::default()
        },
    };
    let (mut caught, mut broken_anyway) = (None, Vec::new());
    tell_all(&run, |seed, told| {
        let Err(failure) = told else { return true };
        if run_story(seed, &Options::default()).is_err() {
            broken_anyway.push(seed);
            return true;
        }
        caught = Some((seed, first_words(&failure.broken)));
        false
    });
    Hunted {
        mutant,
        caught,
        broken_anyway,
        took: begin.elapsed(),
    }
}

/// What broke first, on one line.
fn first_words(broken: &str) -> String {
    let line = broken.lines().next().unwrap_or_default();
    match line.char_indices().nth(WORDS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// One line of the table.
#[must_use]
pub fn line(hunted: &Hunted) -> String {
    let seconds = hunted.took.as_secs_f64();
    let (seed, why) = match &hunted.caught {
        Some((seed, why)) => (seed.to_string(), why.as_str()),
        None => ("-".to_owned(), "SURVIVED"),
    };
    let mut line = format!("{:<26} {seed:>4} {seconds:>7.1} s  {why}", hunted.mutant.as_str());
    if !hunted.broken_anyway.is_empty() {
        // Nobody is there to read a line that cannot be written into memory.
        let _ = write!(line, "  (seeds that break without it: {:?})", hunted.broken_anyway);
    }
    line
}

/// The head of the table.
#[must_use]
pub fn head() -> String {
    format!("{:<26} {:>4} {:>9}  what told it", "mutant", "seed", "time")
}

/// The last line of a hunt.
#[must_use]
pub fn last_line(all: &[Hunted]) -> String {
    let survived: Vec<&str> = all
        .iter()
        .filter(|hunted| hunted.caught.is_none())
        .map(|hunted| hunted.mutant.as_str())
        .collect();
    serde_json::json!({"mutants": all.len(), "caught": all.len() - survived.len(), "survived": survived}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunted(mutant: Mutant, caught: Option<(u64, String)>) -> Hunted {
        Hunted {
            mutant,
            caught,
            broken_anyway: Vec::new(),
            took: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_last_line_names_whoever_survived() {
        let all = [
            hunted(Mutant::ResendOnTimeout, Some((1, "I1: twice".into()))),
            hunted(Mutant::NamedByPort, None),
        ];
        let said: serde_json::Value = serde_json::from_str(&last_line(&all)).unwrap();
        assert_eq!(said["mutants"], 2);
        assert_eq!(said["caught"], 1);
        assert_eq!(said["survived"], serde_json::json!(["named-by-port"]));
    }

    #[test]
    fn the_table_shows_the_first_thing_that_broke_on_one_line() {
        let long = "ж".repeat(500);
        assert_eq!(first_words(&format!("{long}\nmore")).chars().count(), WORDS + 1);
        assert_eq!(first_words("I1: twice\n--- trace:\n..."), "I1: twice");
    }
}
