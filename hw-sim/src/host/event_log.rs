//! What happened at a register, for tests that wait for events instead of time.
//!
//! Owns: a bounded, numbered list of exchanges and port changes.
//! Must never: grow without bound, or hold the content of a command.

use crate::machine::Exchange;
use serde::Serialize;
use std::collections::VecDeque;

/// Events kept per register; older ones are forgotten, their numbers are not reused.
pub const KEPT_EVENTS: usize = 1024;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// A command was answered, or its answer was lost on purpose.
    Exchange(Exchange),
    /// The port can be opened.
    PortUp {
        /// Address of the port as the ready line gives it.
        port: String,
    },
    /// The port is gone.
    PortDown,
    /// The port could not be opened; the register stays unreachable until it is plugged in again.
    PortFailed {
        /// What the system said.
        text: String,
    },
    /// The peer connected (TCP only: a serial line does not notice).
    PeerUp,
    /// The peer went away (TCP only).
    PeerDown,
}

/// A numbered event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Number, from 1 since the start of the simulator, without gaps.
    pub seq: u64,
    /// True time, milliseconds since 1970 UTC.
    pub unix_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// The last [`KEPT_EVENTS`] events of one register.
#[derive(Debug, Default)]
pub struct EventLog {
    kept: VecDeque<Event>,
    last: u64,
}

impl EventLog {
    /// Adds an event.
    pub fn push(&mut self, unix_ms: i64, what: Happening) {
        self.last += 1;
        if self.kept.len() == KEPT_EVENTS {
            self.kept.pop_front();
        }
        let seq = self.last;
        self.kept.push_back(Event { seq, unix_ms, what });
    }

    /// Number of the newest event; 0 before the first.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Events with a number above `after`, oldest first.
    #[must_use]
    pub fn after(&self, after: u64) -> Vec<Event> {
        self.kept.iter().filter(|e| e.seq > after).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_gapless_when_old_events_are_forgotten() {
        let mut log = EventLog::default();
        for _ in 0..KEPT_EVENTS + 10 {
            log.push(0, Happening::PortDown);
        }
        let kept = log.after(0);
        assert_eq!(kept.len(), KEPT_EVENTS);
        assert_eq!(kept.first().map(|e| e.seq), Some(11));
        assert_eq!(log.last(), KEPT_EVENTS as u64 + 10);
        assert_eq!(log.after(log.last() - 1).len(), 1);
    }
}
