//! `cargo dst`: seeded stories of a rack under every kind of fault, and what must hold in each.
//!
//! Owns: the command line, and how failures and figures are told.
//! Must never: end with zero when a promise was broken.

use clap::Parser;
use kassette_core::mutants::{MUTANTS, Mutant};
use kassette_dst::figures::Figures;
use kassette_dst::mutants;
use kassette_dst::nth;
use kassette_dst::run::{Run, Until, tell_all};
use kassette_dst::story::{Failure, Options};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Seeds of a run that names no number.
const SEEDS: u64 = 100;

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
  cargo dst --nth                 every effect of each kind of document fails once, in every way
  cargo dst --mutants             whether every naive variant of the core is told from the real one

The last line is JSON. Exit codes: 0 no failure, 1 a promise was broken or a mutant survived, 64 usage."
)]
struct Arguments {
    /// How many seeds: 100 when absent, 200 for each mutant.
    #[arg(long, conflicts_with = "minutes")]
    seeds: Option<u64>,
    /// Go on for so many minutes instead.
    #[arg(long)]
    minutes: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    // A story that breaks is told by its result.
    std::panic::set_hook(Box::new(|_| {}));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.jobs.unwrap_or(cores);
    if arguments.nth {
        return nth_failure(threads);
    }
    if arguments.mutants {
        return hunt_all(&arguments, threads);
    }
    let run = Run {
        first: arguments.seed,
        until: arguments
            .minutes
            .map_or(Until::Seeds(arguments.seeds.unwrap_or(SEEDS)), |minutes| {
                Until::Instant(Instant::now() + Duration::from_secs(60 * minutes))
            }),
        threads,
        twice_every: 16,
        options: Options::default(),
    };
    let failures = tell(&run);
    ExitCode::from(u8::from(failures > 0))
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

/// Tells a run, and how it goes; how many seeds failed.
fn tell(run: &Run) -> u64 {
    let begin = Instant::now();
    let (mut sum, mut failures, mut spoken) = (Figures::default(), 0, Instant::now());
    tell_all(run, |seed, told| {
        match told {
            Ok(figures) => sum.add(seed, &figures),
            Err(failure) => {
                failures += 1;
                show(&failure);
            }
        }
        if spoken.elapsed() > Duration::from_secs(5) {
            spoken = Instant::now();
            eprintln!("{} seeds, {} steps, {failures} failures", sum.seeds, sum.steps);
        }
        failures < 20
    });
    let seconds = begin.elapsed().as_secs_f64().max(0.001);
    if !sum.short.is_empty() {
        println!(
            "{} seeds did not get far enough to count: {:?}",
            sum.short.len(),
            sum.short
        );
    }
    println!(
        "{:.1} s, {:.1} seeds/s, {:.0} steps/s",
        seconds,
        sum.seeds as f64 / seconds,
        sum.steps as f64 / seconds
    );
    println!("{}", sum.last_line(failures));
    failures
}

fn show(failure: &Failure) {
    println!("seed {} FAILED: {}", failure.seed, failure.broken);
}
