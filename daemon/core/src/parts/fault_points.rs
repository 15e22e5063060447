//! The handle on faults that the core carries with it.
//!
//! Owns: the wait at a point where the simulated process ends, and what a mutant remembers.
//! Must never: do anything by itself.

use super::{Faults, NoFaults, Point, Reach};
use std::fmt;
use std::sync::Arc;

/// A handle on the faults that the core awaits at each point.
#[derive(Clone)]
pub struct FaultPoints {
    pub(crate) faults: Arc<dyn Faults>,
    #[cfg(feature = "mutants")]
    pub(crate) known: crate::mutants::alive::Memory,
}

impl Default for FaultPoints {
    fn default() -> Self {
        Self::new(Arc::new(NoFaults))
    }
}

impl FaultPoints {
    /// A handle on `faults`.
    #[must_use]
    pub fn new(faults: Arc<dyn Faults>) -> Self {
        Self {
            faults,
            #[cfg(feature = "mutants")]
            known: Default::default(),
        }
    }

    /// Reaches a point; never returns when the simulated process ends there.
    pub async fn reach(&self, point: Point) {
        if self.faults.reach(point) == Reach::Halt {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for FaultPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultPoints")
    }
}
