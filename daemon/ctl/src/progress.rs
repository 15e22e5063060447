//! Progress of what takes longer than a moment.
//!
//! Owns: one line on standard error.
//! Must never: write to standard output.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// What is quicker than this shows nothing.
const QUIET: Duration = Duration::from_secs(2);

/// Runs a future; after two seconds says what it waits for, and counts.
pub async fn shown<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    let begun = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    // A log file gets one line every ten seconds, a terminal one line that counts.
    let step = Duration::from_secs(if terminal { 1 } else { 10 });
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
