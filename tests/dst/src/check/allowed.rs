//! Which promises hold under which trouble: the one place that says so.
//!
//! Owns: what a story may leave behind, by what troubled it.
//! Must never: excuse a second document, a lost result, or a unit that does not say why.

/// What a story is allowed to leave behind. Everything that is not named here holds whatever happens.
///
/// | trouble | what may stay | what holds all the same |
/// | --- | --- | --- |
/// | anything that ends: lost and false answers, power, cables, deaths, a full disk, clocks, an FN that fails for a while or is away for a while | nothing | every job ends, every unit comes back (L1) |
/// | an FN that is full or has expired | its unit is out of service and says why; jobs that only it could take wait or run out of time | its doubts are settled: it can be read |
/// | an FN that never comes back | that, and its doubt waits for a person | nobody resends what is in doubt there |
/// | an older journal: a backup, an empty folder | jobs that were accepted since are unknown until their keys come again, and their documents are nobody's till then; a key that an FN which is away may hold waits for a person | a key that comes again gets the document that was shown for it, and never a second one |
/// | documents of another program | that, and its documents are explained by nobody | ours are made once; theirs are never taken for ours |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Doubts that only a person can settle; their unit must be quarantined.
    pub manual: bool,
    /// Jobs that wait because no unit is left.
    pub waiting: bool,
    /// Documents that another program made.
    pub foreign: bool,
    /// Jobs and documents from before an older journal was put in place.
    pub forgotten: bool,
    /// Registers that need not come back, by their place: bit 0 is the first.
    pub away: u32,
    /// Those of them whose FN never comes back.
    pub gone: u32,
}

impl Allowed {
    /// Nothing but what always is.
    pub const NOTHING: Self = Self {
        manual: false,
        waiting: false,
        foreign: false,
        forgotten: false,
        away: 0,
        gone: 0,
    };
    /// The journal knows less than it did.
    pub const FORGOTTEN: Self = Self {
        manual: true,
        forgotten: true,
        ..Self::NOTHING
    };

    /// The FN of this register takes no more documents.
    #[must_use]
    pub const fn worn_out(at: usize) -> Self {
        Self {
            waiting: true,
            away: 1 << at,
            ..Self::NOTHING
        }
    }

    /// The FN of this register is gone for good.
    #[must_use]
    pub const fn taken_away(at: usize) -> Self {
        Self {
            manual: true,
            gone: 1 << at,
            ..Self::worn_out(at)
        }
    }

    /// Another program works with this register.
    #[must_use]
    pub const fn shared(at: usize) -> Self {
        Self {
            foreign: true,
            manual: true,
            ..Self::worn_out(at)
        }
    }

    /// What either allows.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            manual: self.manual || other.manual,
            waiting: self.waiting || other.waiting,
            foreign: self.foreign || other.foreign,
            forgotten: self.forgotten || other.forgotten,
            away: self.away | other.away,
            gone: self.gone | other.gone,
        }
    }

    /// Whether the FN of a register is gone for good.
    #[must_use]
    pub const fn has_lost_fn(self, at: usize) -> bool {
        self.gone >> at & 1 == 1
    }

    /// Whether a register must be at work when the story has come to rest.
    #[must_use]
    pub const fn needs(self, at: usize) -> bool {
        self.away >> at & 1 == 0
    }
}
