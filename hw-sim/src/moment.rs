//! What time it is, as the host of a machine says it.
//!
//! Owns: the pair of clocks that is passed into every call.
//! Must never: read a clock.

use std::time::Duration;

/// One instant: a clock for waiting and the true calendar time. Both are given from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic time since the start of the process or of the simulation.
    pub elapsed: Duration,
    /// True time in milliseconds since 1970 UTC. A register's own clock is derived from it and its settings.
    pub unix_ms: i64,
}

impl Moment {
    /// True time in whole seconds since 1970 UTC.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.unix_ms.div_euclid(1000)
    }
}
