//! How long the rack waits for a device.
//!
//! Owns: the one scale between documented times and the times waited.
//! Must never: make a wait endless.

use std::time::Duration;

/// Scale of every documented time, from configuration: 100 % by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverTiming {
    percent: u32,
}

impl Default for DriverTiming {
    fn default() -> Self {
        Self::DOCUMENTED
    }
}

impl DriverTiming {
    /// The times as the vendor documents them.
    pub const DOCUMENTED: Self = Self { percent: 100 };
    /// The smallest scale.
    pub const MIN_PERCENT: u32 = 1;
    /// The largest scale: a bound stays a bound.
    pub const MAX_PERCENT: u32 = 1000;
    /// A single turn of the line is never given less, whatever the scale: the shortest wait for ACK that a driver uses
    /// (`shtrih-m` 1.2, "host wait for ACK/NAK 100–1000 ms").
    const SHORTEST_TURN: Duration = Duration::from_millis(100);

    /// Times as a percentage of the documented ones, kept within 1 and 1000.
    #[must_use]
    pub const fn scaled(percent: u32) -> Self {
        let percent = if percent < Self::MIN_PERCENT {
            Self::MIN_PERCENT
        } else if percent > Self::MAX_PERCENT {
            Self::MAX_PERCENT
        } else {
            percent
        };
        Self { percent }
    }

    /// A documented time of execution on this scale.
    #[must_use]
    pub fn wait(self, documented: Duration) -> Duration {
        documented.saturating_mul(self.percent) / 100
    }

    /// A documented time of one turn of the line on this scale.
    #[must_use]
    pub fn turn(self, documented: Duration) -> Duration {
        self.wait(documented).max(Self::SHORTEST_TURN.min(documented))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_shortens_and_lengthens_but_never_removes_a_bound() {
        let second = Duration::from_secs(1);
        assert_eq!(DriverTiming::default().wait(second), second);
        assert_eq!(DriverTiming::scaled(5).wait(second), Duration::from_millis(50));
        assert_eq!(DriverTiming::scaled(5).turn(second), Duration::from_millis(100));
        assert_eq!(DriverTiming::scaled(0), DriverTiming::scaled(1));
        assert_eq!(DriverTiming::scaled(u32::MAX).wait(second), Duration::from_secs(10));
    }
}
