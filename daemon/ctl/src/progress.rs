//! Progress of what takes longer than a moment.
//!
//! Owns: one line on standard error, a bar where the length is known.
//! Must never: write to standard output.

use indicatif::{ProgressBar, ProgressStyle};
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// What is quicker than this shows nothing.
const QUIET: Duration = Duration::from_secs(2);

/// A log file gets a line as often as this.
const LOG_STEP: Duration = Duration::from_secs(10);

/// How much of a known number is done; shown after two seconds.
#[derive(Debug)]
pub struct Counter {
    what: &'static str,
    total: u64,
    done: u64,
    begun: Instant,
    /// On a terminal, once shown.
    bar: Option<ProgressBar>,
    /// When a log file had its last line.
    logged: Instant,
}

impl Counter {
    /// Nothing of so many done.
    pub fn new(what: &'static str, total: u64) -> Self {
        let now = Instant::now();
        Self {
            what,
            total,
            done: 0,
            begun: now,
            bar: None,
            logged: now,
        }
    }

    /// So many are done.
    pub fn set(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// Shows how it stands, when it takes long enough for that.
    pub fn tick(&mut self) {
        if self.begun.elapsed() < QUIET {
            return;
        }
        if std::io::stderr().is_terminal() {
            self.bar
                .get_or_insert_with(|| bar(self.what, self.total))
                .set_position(self.done);
        } else if self.logged.elapsed() >= LOG_STEP || self.logged == self.begun {
            eprintln!("{} of {} {}", self.done, self.total, self.what);
            self.logged = Instant::now();
        }
    }

    /// Writes to standard output without tearing the bar.
    pub fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    match ProgressStyle::with_template("{msg} [{bar:36}] {pos}/{len}  {elapsed}, {eta} left") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Runs a future; after two seconds says what it waits for, and counts.
pub async fn shown<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    let begun = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    // A log file gets one line every ten seconds, a terminal one line that counts.
    let step = if terminal { Duration::from_secs(1) } else { LOG_STEP };
    let mut ticks = tokio::time::interval_at(begun + QUIET, step);
    let mut shown = false;
    loop {
        tokio::select! {
            biased;
            done = &mut future => {
                if shown && terminal {
                    eprint!("\r\x1b[K");
                }
                return done;
            }
            _ = ticks.tick() => {
                let line = format!("waiting for {what}: {} s", begun.elapsed().as_secs());
                if terminal { eprint!("\r{line}\x1b[K") } else { eprintln!("{line}") }
                std::io::stderr().flush().ok();
                shown = true;
            }
        }
    }
}
