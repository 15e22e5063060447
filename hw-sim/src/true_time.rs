//! The simulator's true time.
//!
//! Owns: the one clock that a running rack shares, and its shift by a test.
//! Must never: follow the host's clock after the start; a test moves that one to fool the daemon.

use crate::moment::Moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// True time: the host's clock at the start, carried on by a clock that cannot jump. Clones share the shift.
#[derive(Debug, Clone)]
pub struct TrueTime {
    start: Instant,
    start_unix_ms: i64,
    shift_ms: Arc<AtomicI64>,
}

impl TrueTime {
    /// Starts at the host's calendar time.
    #[must_use]
    pub fn from_host() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::starting_at(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// Starts at a given true time, milliseconds since 1970 UTC.
    #[must_use]
    pub fn starting_at(unix_ms: i64) -> Self {
        Self {
            start: Instant::now(),
            start_unix_ms: unix_ms,
            shift_ms: Arc::new(AtomicI64::new(0)),
        }
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Moment {
        let elapsed = self.start.elapsed();
        let passed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let unix_ms = self
            .start_unix_ms
            .saturating_add(passed)
            .saturating_add(self.shift_ms.load(Ordering::Relaxed));
        Moment { elapsed, unix_ms }
    }

    /// Moves true time for the whole rack, as if hours had passed or the world had been wrong before.
    pub fn shift(&self, by_ms: i64) {
        // One number, read by value: no other memory hangs on it.
        let _ = self
            .shift_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |s| Some(s.saturating_add(by_ms)));
    }

    /// By how much true time was moved so far, milliseconds.
    #[must_use]
    pub fn shifted_ms(&self) -> i64 {
        self.shift_ms.load(Ordering::Relaxed)
    }

    /// Waits until so much time has passed since the start; for ever if `None`.
    pub async fn until(&self, elapsed: Option<Duration>) {
        match elapsed.and_then(|e| self.start.checked_add(e)) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
