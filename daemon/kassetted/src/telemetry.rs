//! Logs: set up once, made from the core's events.
//!
//! Owns: the form of a log line and the limit on repeats.
//! Must never: write personal data; the core's events hold none.

use crate::config::{LogConfig, LogFormat};
use kassette_core::parts::{Event, EventSink, Severity};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. A second call in one process (tests) changes nothing.
pub fn start(log: &LogConfig) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Standard error of a service is a journal, not a terminal.
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    drop(match log.format {
        LogFormat::Text => builder.with_ansi(colours).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    });
}

/// Same events told in one window; further ones are counted and told with the next window.
const TOLD_PER_WINDOW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);
/// Different events remembered at most; when there are more the memory starts anew.
const REMEMBERED_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    seen: u32,
}

type Repeat = (&'static str, Option<String>, Option<&'static str>);

/// Turns the core's events into log lines.
#[derive(Debug, Default)]
pub struct EventLog {
    windows: Mutex<BTreeMap<Repeat, Window>>,
}

impl EventLog {
    /// How many earlier ones were held back when this one is told; `None` when it is held back itself.
    fn told(&self, event: &Event, now: Instant) -> Option<u32> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let subject = event.job.clone().or_else(|| event.register.clone());
        let repeat = (event.what, subject, event.code.map(kassette_wire::codes::Code::as_str));
        if windows.len() >= REMEMBERED_MAX && !windows.contains_key(&repeat) {
            windows.clear();
        }
        let window = windows.entry(repeat).or_insert(Window { since: now, seen: 0 });
        if now.duration_since(window.since) >= WINDOW {
            let held_back = window.seen.saturating_sub(TOLD_PER_WINDOW);
            *window = Window { since: now, seen: 1 };
            return Some(held_back);
        }
        window.seen = window.seen.saturating_add(1);
        (window.seen <= TOLD_PER_WINDOW).then_some(0)
    }
}

macro_rules! tell {
    ($level:ident, $event:expr, $repeated:expr) => {
        tracing::$level!(
            target: "kassette_core",
            register = $event.register.as_deref(),
            "fn" = $event.fn_number.as_deref(),
            job = $event.job.as_deref(),
            tenant = $event.tenant.as_deref(),
            code = $event.code.map(kassette_wire::codes::Code::as_str),
            detail = $event.detail.as_deref(),
            repeated = $repeated,
            "{}",
            $event.what
        )
    };
}

impl EventSink for EventLog {
    fn event(&self, event: Event) {
        let Some(held_back) = self.told(&event, Instant::now()) else {
            return;
        };
        let repeated = (held_back > 0).then_some(held_back);
        match event.severity {
            Severity::Debug => tell!(debug, event, repeated),
            Severity::Info => tell!(info, event, repeated),
            Severity::Warn => tell!(warn, event, repeated),
            Severity::Error => tell!(error, event, repeated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_and_other_registers_are_not_held_back_with_them() {
        let log = EventLog::default();
        let start = Instant::now();
        let silent = |register: &str| Event::new(Severity::Warn, "register is silent").register(register);
        for _ in 0..TOLD_PER_WINDOW {
            assert_eq!(log.told(&silent("a"), start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(log.told(&silent("a"), start), None);
        }
        assert_eq!(log.told(&silent("b"), start), Some(0));
        assert_eq!(log.told(&silent("a"), start + WINDOW), Some(7));
    }
}
