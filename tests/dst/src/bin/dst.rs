//! `cargo dst`: seeded stories of a rack under every kind of fault, and what must hold in each.
//!
//! Owns: the command line, and how failures and figures are told.
//! Must never: end with zero when a promise was broken.

use clap::Parser;
use kassette_core::mutants::{MUTANTS, Mutant};
use kassette_dst::figures::Figures;
use kassette_dst::run::{Run, Seeds, tell_all};
use kassette_dst::shrink::shortest;
use kassette_dst::story::{Failure, Options, VERSION};
use kassette_dst::{fixed, mutants, nth};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Seeds of a run that names no number.
const SEEDS: u64 = 100;
/// Failures after which a run ends: more say nothing new.
const FAILURES_MAX: u64 = 10;
/// Failures that are made short; each takes its time.
const SHORTENED: u64 = 3;
/// Lines of the trace that are told of a failure.
const TRACE_LINES: usize = 60;

/// Tells stories of a rack drawn from seeds and checks every promise of exactly-once after each step.
///
/// A story is a rack of simulated registers and its clients in virtual time, with lost and false answers, power cuts,
/// cables, deaths of the process and a failing disk. One seed always tells the same story.
#[derive(Debug, Parser)]
#[command(
    name = "dst",
    after_help = "Examples:
  cargo dst                       a hundred seeds
  cargo dst --seeds 20000         as many as a release is held to
  cargo dst --minutes 5 --seed 1  five minutes, from seed 1 on
  cargo dst --seed 17 --seeds 1   one seed again
  cargo dst --fixed               seeds that failed once and 256 others, each twice, and what they must have reached
  cargo dst --fresh 60            a minute of seeds that the commit names
  cargo dst --nth                 every effect of each kind of document fails once, in every way
  cargo dst --mutants             whether every naive variant of the core is told from the real one

The last line is JSON. Exit codes: 0 no failure, 1 a promise was broken or a mutant survived, 64 usage."
)]
struct Arguments {
    /// How many seeds: 100 when absent, 200 for each mutant.
    #[arg(long, conflicts_with_all = ["minutes", "fixed", "fresh"])]
    seeds: Option<u64>,
    /// Go on for so many minutes instead.
    #[arg(long, conflicts_with_all = ["fixed", "fresh"])]
    minutes: Option<u64>,
    /// The first seed.
    #[arg(long, conflicts_with_all = ["fixed", "fresh"], default_value_t = 1)]
    seed: u64,
    /// The fixed set, with its coverage.
    #[arg(long, conflicts_with = "fresh")]
    fixed: bool,
    /// Seeds drawn from the commit, for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    fresh: Option<u64>,
    /// Fails the first effect of each scenario, then the second, and so on, instead of telling seeds.
    #[arg(long, conflicts_with_all = ["seeds", "minutes", "seed"])]
    nth: bool,
    /// Worker threads; as many as there are cores when absent.
    #[arg(long)]
    jobs: Option<usize>,
    /// Lets each mutant of the core live in turn, from seed 1 on until a story tells it.
    #[arg(long, conflicts_with_all = ["minutes", "seed"])]
    mutants: bool,
    /// This mutant alone.
    #[arg(long, value_name = "NAME", requires = "mutants", value_parser = mutant_named)]
    only: Option<Mutant>,
}

fn mutant_named(name: &str) -> Result<Mutant, String> {
    let names = || {
        Mutant::ALL
            .iter()
            .map(|mutant| mutant.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Mutant::named(name).ok_or_else(|| format!("the mutants are {}", names()))
}

impl Arguments {
    fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or(cores)
    }

    fn run(&self, commit: &str) -> Result<Run, String> {
        let in_time = |first, seconds| Seeds::Until(first, Instant::now() + Duration::from_secs(seconds));
        let seeds = match (self.fixed, self.fresh, self.minutes) {
            (true, ..) => Seeds::List(fixed::seeds()?),
            (_, Some(seconds), _) => in_time(first_of(commit), seconds),
            (_, _, Some(minutes)) => in_time(self.seed, 60 * minutes),
            _ => Seeds::Count(self.seed, self.seeds.unwrap_or(SEEDS)),
        };
        Ok(Run {
            seeds,
            threads: self.threads(),
            twice_every: if self.fixed { 1 } else { 16 },
            options: Options::default(),
        })
    }
}

/// The commit that was built, as far as git knows.
fn commit() -> String {
    let asked = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short=16", "HEAD"])
        .output();
    let told = asked.ok().filter(|output| output.status.success());
    let text = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The first of a commit's own seeds; of an unknown one, any.
fn first_of(commit: &str) -> u64 {
    let digits = commit.get(..15).unwrap_or(commit);
    u64::from_str_radix(digits, 16).unwrap_or(2_000_000_001)
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    // A story that breaks is told by its result.
    std::panic::set_hook(Box::new(|_| {}));
    if arguments.nth {
        return nth_failure(arguments.threads());
    }
    if arguments.mutants {
        return hunt_all(&arguments, arguments.threads());
    }
    let commit = commit();
    let run = match arguments.run(&commit) {
        Ok(run) => run,
        Err(text) => {
            eprintln!("dst: {text}");
            return ExitCode::from(64);
        }
    };
    let (sum, failures, seconds) = tell(&run, &commit);
    let missed = if arguments.fixed {
        fixed::missed(&sum)
    } else {
        Vec::new()
    };
    if !missed.is_empty() {
        println!("the fixed seeds reached none of: {}", missed.join(", "));
    }
    if !sum.short.is_empty() {
        println!(
            "{} seeds did not get far enough and do not count: {:?}",
            sum.short.len(),
            sum.short
        );
    }
    println!(
        "commit {commit}, stories of version {VERSION}, trace {:016x}: {seconds:.1} s, {:.1} seeds/s, {:.0} steps/s, {} doubts, {} crashes",
        sum.trace,
        sum.seeds as f64 / seconds,
        sum.steps as f64 / seconds,
        sum.doubts,
        sum.crashes
    );
    println!("{}", sum.last_line(failures));
    ExitCode::from(u8::from(failures > 0 || !missed.is_empty()))
}

/// Tells the table of the n-th failure.
fn nth_failure(threads: usize) -> ExitCode {
    let (mut effects, mut failures) = (0, 0);
    let _ = std::panic::take_hook();
    let held = nth::all(threads, |(scenario, v2, name, tried)| {
        let link = if v2 { "v2" } else { "v1" };
        effects += tried.unwrap_or(0);
        failures += u64::from(tried.is_none());
        let tried = tried.map_or_else(|| "FAILED".to_owned(), |tried| tried.to_string());
        println!("{:<10} {link}  {name:<34} {tried:>6}", format!("{scenario:?}"));
    });
    println!("{{\"effects\":{effects},\"failures\":{failures}}}");
    ExitCode::from(u8::from(!held))
}

/// Hunts every mutant, or the one asked for, and prints the table.
fn hunt_all(arguments: &Arguments, threads: usize) -> ExitCode {
    if !MUTANTS {
        eprintln!("this build carries no mutants: cargo dst --mutants");
        return ExitCode::from(64);
    }
    let wanted = Mutant::ALL
        .iter()
        .filter(|mutant| arguments.only.is_none_or(|only| only == **mutant));
    println!("{}", mutants::head());
    let mut all = Vec::new();
    for mutant in wanted {
        let hunted = mutants::hunt(*mutant, arguments.seeds.unwrap_or(mutants::SEEDS), threads);
        println!("{}", mutants::line(&hunted));
        all.push(hunted);
    }
    println!("{}", mutants::last_line(&all));
    ExitCode::from(u8::from(all.iter().any(|hunted| hunted.caught.is_none())))
}

/// Tells a run, and how it goes; its sum, how many seeds failed, and how long it took.
fn tell(run: &Run, commit: &str) -> (Figures, u64, f64) {
    let begin = Instant::now();
    let (mut sum, mut failures, mut spoken) = (Figures::default(), 0, Instant::now());
    tell_all(run, |seed, told| {
        match told {
            Ok(figures) => sum.add(seed, &figures),
            Err(failure) => {
                failures += 1;
                show(&failure, &run.options, commit, failures <= SHORTENED);
            }
        }
        if spoken.elapsed() > Duration::from_secs(10) {
            spoken = Instant::now();
            eprintln!("{} seeds, {} steps, {failures} failures", sum.seeds, sum.steps);
        }
        failures < FAILURES_MAX
    });
    (sum, failures, begin.elapsed().as_secs_f64().max(0.001))
}

/// Tells a failure: its seed, its commit, what broke, and the shortest trace found.
fn show(failure: &Failure, options: &Options, commit: &str, shorten: bool) {
    println!(
        "seed {} FAILED at commit {commit}, {options:?}: {}",
        failure.seed, failure.broken
    );
    if !shorten {
        return;
    }
    let (short, options) = shortest(failure, options);
    println!(
        "shortest story found, of version {VERSION}, without {:?}: {}",
        options.without, short.broken
    );
    let from = short.trace.len().saturating_sub(TRACE_LINES);
    for line in short.trace.get(from..).unwrap_or_default() {
        println!("  {line}");
    }
    println!("again: cargo dst --seed {} --seeds 1", failure.seed);
}
