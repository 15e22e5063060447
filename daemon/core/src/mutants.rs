//! Mutants: the naive variants that the simulation must tell from the real thing, each alive only where it is asked for.
//!
//! Owns: their names, the reasoning each stands for, and the one question whether one is alive.
//! Must never: be anything but "no" without the feature `mutants`, which `tests/dst` alone enables.

use crate::domain::device::{Identity, Status};
use crate::parts::FaultPoints;

/// Whether this build can carry a mutant. No shipped binary may say so.
pub const MUTANTS: bool = cfg!(feature = "mutants");

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A deliberate fault: what a naive host would do at one place. Closed: the table of `cargo dst --mutants` is
        /// [`Mutant::ALL`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $($(#[$doc])* $name,)*
        }

        impl Mutant {
            /// Every mutant.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in command lines and tables.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The mutant of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mutant| mutant.as_str() == name)
            }
        }
    };
}

mutants! {
    /// "No answer came, so it was not done: once more."
    ResendOnTimeout = "resend-on-timeout",
    /// "This register is stuck; the client waits: let another one make it."
    MoveInDoubt = "move-in-doubt",
    /// "A disk that flushes at each commit is too slow."
    CommitsLost = "commits-lost",
    /// "One look at the register's state tells what it did."
    ScanWithoutIdle = "scan-without-idle",
    /// "The attempt is worth a row when something came of it."
    IntentAfterSending = "intent-after-sending",
    /// "If we made one, it is the last one."
    LastDocumentOnly = "last-document-only",
    /// "The cable was not touched: the port is the register."
    NamedByPort = "named-by-port",
    /// "An error code says that it was not done."
    RetryOnAnyCode = "retry-on-any-code",
    /// "No document with our key: none was made."
    NoKeyIsProof = "no-key-is-proof",
    /// "The FN has no data for that number: there is no such document."
    NoDataIsProof = "no-data-is-proof",
    /// "A good answer to our command is the answer to our command."
    StaleSameCommand = "stale-same-command",
    /// "NAK says that the line was not taken: once more."
    ItemAgainAfterNak = "item-again-after-nak",
    /// "Writing takes time that the client should not wait for."
    AnswerBeforeCommit = "answer-before-commit",
    /// "The OFD has no such document: there is none."
    OfdAbsenceIsProof = "ofd-absence-is-proof",
    /// "The register counts its commands: we know how far it is."
    NumberAcrossReconnect = "number-across-reconnect",
    /// "The number is ours, so the answer is."
    StaleRightNumber = "stale-right-number",
    /// "Mode 8: the receipt is open still, so it was not closed."
    PrintingTakenForOpen = "printing-taken-for-open",
}

#[cfg(not(feature = "mutants"))]
#[allow(clippy::unused_self, reason = "the same calls with and without the feature")]
impl FaultPoints {
    /// Whether that mutant is alive: in this build none can be.
    #[must_use]
    pub const fn mutant(&self, _mutant: Mutant) -> bool {
        false
    }

    pub(crate) const fn for_slot(self) -> Self {
        self
    }

    pub(crate) const fn counted(&self, _number: u16) {}

    pub(crate) const fn count_known(&self) -> Option<u16> {
        None
    }

    pub(crate) const fn known_by_port(&self, identity: Identity) -> Identity {
        identity
    }

    pub(crate) const fn state_by_port(&self, status: Status) -> Status {
        status
    }
}

#[cfg(feature = "mutants")]
pub(crate) mod alive {
    //! What naive hosts remember of a port.

    use super::{FaultPoints, Identity, Mutant, Status};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    /// What a host knows of the port of one slot, over all its connections in one life of the process.
    #[derive(Debug, Default)]
    pub struct Known {
        /// Number of the last answer.
        number: Option<u16>,
        /// Who answered first.
        identity: Option<Identity>,
    }

    /// Shared by the connections of a slot.
    pub type Memory = Arc<Mutex<Known>>;

    impl FaultPoints {
        /// Whether that mutant is alive.
        #[must_use]
        pub fn mutant(&self, mutant: Mutant) -> bool {
            self.faults.mutant() == Some(mutant)
        }

        fn known(&self) -> MutexGuard<'_, Known> {
            self.known.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// The points with a memory of their own.
        pub(crate) fn for_slot(self) -> Self {
            let known = Memory::default();
            Self { known, ..self }
        }

        /// Notes the number of an answer.
        pub(crate) fn counted(&self, number: u16) {
            self.known().number = Some(number);
        }

        /// The number of the last answer on any connection of this slot.
        pub(crate) fn count_known(&self) -> Option<u16> {
            self.known().number
        }

        /// Who answered first at this slot.
        pub(crate) fn known_by_port(&self, identity: Identity) -> Identity {
            self.known().identity.get_or_insert(identity).clone()
        }

        /// A state as that of the register that answered first.
        pub(crate) fn state_by_port(&self, mut status: Status) -> Status {
            let first = self.known().identity.as_ref().and_then(|who| who.fn_number.clone());
            if let Some(number) = first {
                status.fn_state.number = number;
            }
            status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_mutant_is_found_by_its_name_and_no_two_share_one() {
        for mutant in Mutant::ALL {
            assert_eq!(Mutant::named(mutant.as_str()), Some(*mutant));
        }
        let names: BTreeSet<&str> = Mutant::ALL.iter().map(|mutant| mutant.as_str()).collect();
        assert_eq!(names.len(), Mutant::ALL.len());
    }

    #[cfg(not(feature = "mutants"))]
    #[test]
    fn without_the_feature_no_mutant_is_alive() {
        const POINTS: bool = MUTANTS;
        let points = FaultPoints::default();
        assert!(!POINTS && Mutant::ALL.iter().all(|mutant| !points.mutant(*mutant)));
    }
}
