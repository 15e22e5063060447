//! The unit machine: a register with its FN as it stands in a slot now (design, section 5).
//!
//! Owns: the states of a unit and which moves are legal.
//! Must never: hold a state without a reason.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// State of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// A port is there; nothing was asked yet.
    Arrived,
    /// Being identified.
    Identifying,
    /// Not one that was adopted: never touched beyond identification.
    Foreign,
    /// Its FN is not registered.
    Blank,
    /// Registered and ready, kept in reserve.
    Standby,
    /// Takes jobs.
    Active,
    /// Takes no new jobs; finishes what it has.
    Draining,
    /// Out of use for good.
    Retired,
    /// Taken out by a person.
    Held,
    /// Isolated because of a fault or a contradiction; a person must look.
    Quarantined,
    /// Silent or gone.
    Lost,
}

impl UnitState {
    /// Every state.
    pub const ALL: &'static [Self] = &[
        Self::Arrived,
        Self::Identifying,
        Self::Foreign,
        Self::Blank,
        Self::Standby,
        Self::Active,
        Self::Draining,
        Self::Retired,
        Self::Held,
        Self::Quarantined,
        Self::Lost,
    ];

    /// The name in journal, API and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Identifying => "identifying",
            Self::Foreign => "foreign",
            Self::Blank => "blank",
            Self::Standby => "standby",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Retired => "retired",
            Self::Held => "held",
            Self::Quarantined => "quarantined",
            Self::Lost => "lost",
        }
    }

    /// Where the unit may go from here.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            // Held, Quarantined and Lost are reachable from each other state.
            (Self::Retired, _) => false,
            (_, Self::Held | Self::Quarantined | Self::Lost) => true,
            (Self::Arrived, Self::Identifying) => true,
            (Self::Identifying, Self::Foreign | Self::Blank | Self::Standby | Self::Active) => true,
            (Self::Foreign | Self::Blank, Self::Identifying) => true,
            (Self::Standby, Self::Active | Self::Draining | Self::Identifying) => true,
            (Self::Active, Self::Standby | Self::Draining | Self::Identifying) => true,
            (Self::Draining, Self::Retired | Self::Standby | Self::Active | Self::Identifying) => true,
            (Self::Held | Self::Lost, Self::Arrived | Self::Identifying | Self::Draining | Self::Retired) => true,
            // Only an order of a person lets a quarantined unit be identified again.
            (Self::Quarantined, Self::Identifying | Self::Draining | Self::Retired) => true,
            (
                Self::Arrived
                | Self::Identifying
                | Self::Foreign
                | Self::Blank
                | Self::Standby
                | Self::Active
                | Self::Draining
                | Self::Held
                | Self::Quarantined
                | Self::Lost,
                Self::Arrived
                | Self::Identifying
                | Self::Foreign
                | Self::Blank
                | Self::Standby
                | Self::Active
                | Self::Draining
                | Self::Retired,
            ) => false,
        }
    }

    /// The move from here to `next`.
    ///
    /// # Errors
    /// [`IllegalMove`] naming both states.
    pub const fn become_state(self, next: Self) -> Result<Self, IllegalMove> {
        if self.may_become(next) {
            Ok(next)
        } else {
            Err(IllegalMove { from: self, to: next })
        }
    }
}

/// A unit cannot go from one of these states to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a unit cannot go from {from} to {to}", from = from.as_str(), to = to.as_str())]
pub struct IllegalMove {
    /// The state it is in.
    pub from: UnitState,
    /// The state that was asked for.
    pub to: UnitState,
}

#[cfg(test)]
mod tests {
    use super::UnitState::{Active, Arrived, Foreign, Held, Identifying, Lost, Quarantined, Retired};
    use super::*;

    #[test]
    fn held_quarantined_and_lost_are_reachable_from_every_state_but_retired() {
        for from in UnitState::ALL {
            for to in [Held, Quarantined, Lost] {
                assert_eq!(from.may_become(to), *from != Retired, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn no_unit_takes_work_without_being_identified_first() {
        for from in UnitState::ALL {
            let legal = matches!(from, Identifying | UnitState::Standby | UnitState::Draining);
            assert_eq!(from.may_become(Active), legal, "{from:?}");
        }
        assert!(!Foreign.may_become(Active));
        assert!(!Arrived.may_become(Active));
        assert!(!Quarantined.may_become(Active));
    }

    #[test]
    fn an_illegal_move_names_both_states() {
        let text = Foreign.become_state(Active).unwrap_err().to_string();
        assert_eq!(text, "a unit cannot go from foreign to active");
    }
}
