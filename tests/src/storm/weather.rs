//! Which faults come, in which order: drawn from the seed alone.
//!
//! Owns: the list of fault kinds (design 4.2 and `hw-sim/README.md`), the deck they are drawn from, and their numbers.
//! Must never: choose a fault by what the daemon does well, or know what happened to one before.

use super::dice::Dice;
use serde_json::{Value, json};
use std::time::Duration;

/// Every error code of the vendor's list (`shtrih-m` section 4).
const CODES: [u8; 124] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x20, 0x23, 0x24,
    0x2F, 0x30, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x58,
    0x59, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x62, 0x63, 0x65, 0x66, 0x68, 0x69, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F,
    0x71, 0x72, 0x73, 0x74, 0x75, 0x77, 0x78, 0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x84, 0x85, 0x86, 0x87, 0x88,
    0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x90, 0x91, 0x92, 0x93, 0x94, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xC0, 0xC2,
    0xC4, 0xC7, 0xC8, 0xA6, 0xA7, 0xAA, 0xAC, 0xB0, 0xD0, 0xFE,
];
/// What a broken FN answers (`shtrih-m` section 4, codes of the FN); 08 is "no data", which proves nothing.
const FN_CODES: [u8; 6] = [0x02, 0x03, 0x04, 0x08, 0x10, 0x20];
/// Phases in which a foreign FN may be put in.
const FOREIGN_PHASES: [&str; 3] = ["fiscal", "ready", "archive"];
/// How far a clock may be set forward: documents of that time hold the register up until true time has come there.
const AHEAD_MAX_S: u64 = 15;
/// How far back: six minutes are more than the law allows (tag 1012).
const BEHIND_MAX_S: u64 = 360;

/// How much further on each register begins in the common order of the first cards: so far that five cards on each of
/// eight registers are of every kind, also of those that the network registers among them leave out.
const FIRST_STEP: usize = 7;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Cable out and in again at the same port.
    Unplug,
    /// Cable out and in again at another port of the plan.
    ReplugElsewhere,
    /// Two registers change ports.
    Swap,
    /// Silence for a while.
    Hang,
    /// The answer is lost, nothing was done.
    DropReplyBefore,
    /// The answer is lost after everything was done.
    DropReplyAfter,
    /// A damaged answer.
    Garble,
    /// An error code, nothing was done.
    ErrorBefore,
    /// An error code after everything was done.
    ErrorAfter,
    /// Power goes and comes back.
    PowerCut,
    /// The FN answers nothing but an error code for a while.
    FnFault,
    /// Paper out and in again.
    Paper,
    /// The register's clock jumps and is put right.
    ClockSkew,
    /// Every answer comes late for a while.
    Slow,
    /// One answer comes late.
    LateReply,
    /// An earlier answer comes in place of the right one.
    StaleReply,
    /// The FN is full; the same FN is put in anew.
    FnFill,
    /// The FN's keys are past their term; the same FN is put in anew.
    FnExpire,
    /// A foreign FN is put in, then the own one again.
    FnReplace,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Unplug,
        Self::ReplugElsewhere,
        Self::Swap,
        Self::Hang,
        Self::DropReplyBefore,
        Self::DropReplyAfter,
        Self::Garble,
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::PowerCut,
        Self::FnFault,
        Self::Paper,
        Self::ClockSkew,
        Self::Slow,
        Self::LateReply,
        Self::StaleReply,
        Self::FnFill,
        Self::FnExpire,
        Self::FnReplace,
    ];

    /// Its name in the report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unplug => "unplug",
            Self::ReplugElsewhere => "replug_elsewhere",
            Self::Swap => "swap",
            Self::Hang => "hang",
            Self::DropReplyBefore => "drop_reply_before",
            Self::DropReplyAfter => "drop_reply_after",
            Self::Garble => "garble",
            Self::ErrorBefore => "error_before",
            Self::ErrorAfter => "error_after",
            Self::PowerCut => "power_cut",
            Self::FnFault => "fn_fault",
            Self::Paper => "paper",
            Self::ClockSkew => "clock_skew",
            Self::Slow => "slow",
            Self::LateReply => "late_reply",
            Self::StaleReply => "stale_reply",
            Self::FnFill => "fn_fill",
            Self::FnExpire => "fn_expire",
            Self::FnReplace => "fn_replace",
        }
    }

    /// Whether it lasts until it is put right.
    #[must_use]
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::Unplug
                | Self::ReplugElsewhere
                | Self::FnFault
                | Self::Paper
                | Self::Slow
                | Self::ClockSkew
                | Self::FnFill
                | Self::FnExpire
                | Self::FnReplace
        )
    }

    /// Whether it needs a name of a port, which a network register does not have.
    const fn needs_port_name(self) -> bool {
        matches!(self, Self::ReplugElsewhere | Self::Swap)
    }
}

/// One fault with everything that was drawn for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Squall {
    /// What kind.
    pub kind: Kind,
    /// What the control port is given; `None` for a swap, which concerns two registers.
    pub fault: Option<Value>,
    /// How long what lasts is left so before it is put right.
    pub lasts: Duration,
    /// A second fault, armed as soon as the first has happened: it falls into what the daemon does about the first.
    pub second: Option<(Kind, Value)>,
    /// Receipts that are made in peace afterwards.
    pub peace: u64,
}

/// The faults of one register, one after the other.
#[derive(Debug)]
pub struct Deck {
    dice: Dice,
    cards: Vec<Kind>,
    kinds: Vec<Kind>,
    peace_max: u64,
    foreign: String,
    drawn: u64,
}

impl Deck {
    /// The deck of register number `n`, whose port has a name or not; up to `peace_max` receipts between two faults.
    #[must_use]
    pub fn new(seed: u64, n: usize, named_port: bool, peace_max: u64) -> Self {
        let fits = |kind: &Kind| named_port || !kind.needs_port_name();
        // The first cards of all registers come from one order, each register beginning further on: a storm that is too
        // short for a whole deck on any register still sees every kind.
        let mut first = Kind::ALL.to_vec();
        Dice::of(seed, "first cards").shuffle(&mut first);
        first.rotate_left(n * FIRST_STEP % Kind::ALL.len());
        first.reverse();
        first.retain(fits);
        Self {
            dice: Dice::of(seed, &format!("register {n}")),
            cards: first,
            kinds: Kind::ALL.into_iter().filter(fits).collect(),
            peace_max,
            foreign: format!("99998{n:03}"),
            drawn: 0,
        }
    }

    /// The next fault. Every kind comes once before any comes again.
    pub fn draw(&mut self) -> Squall {
        let kind = match self.cards.pop() {
            Some(kind) => kind,
            None => self.deal(),
        };
        self.drawn += 1;
        let fault = self.fault(kind);
        let second = self.dice.percent(25).then(|| self.second());
        Squall {
            kind,
            fault,
            lasts: Duration::from_millis(self.dice.between(20, 700)),
            second,
            peace: self.dice.between(0, self.peace_max),
        }
    }

    fn deal(&mut self) -> Kind {
        self.cards.clone_from(&self.kinds);
        self.dice.shuffle(&mut self.cards);
        // There is a kind for every register.
        self.cards.pop().unwrap_or(Kind::Garble)
    }

    /// The moments in which most can go wrong come most often: the command that makes the document, and what the daemon
    /// does about an earlier fault.
    fn trigger(&mut self) -> Value {
        match self.dice.between(0, 9) {
            0..=3 => json!({ "command": { "code": "FF45" } }),
            4 => json!({ "command": { "code": "FF46" } }),
            5 => json!({ "command": { "code": "8D" } }),
            6..=8 => json!({ "nth_exchange": self.dice.between(1, 40) }),
            _ => json!("now"),
        }
    }

    fn fault(&mut self, kind: Kind) -> Option<Value> {
        if kind == Kind::Swap {
            return None;
        }
        // A lasting change is put right after a time, so it begins at once and not at a command that may never come.
        let trigger = match kind {
            Kind::Paper | Kind::ClockSkew | Kind::Slow | Kind::FnFill | Kind::FnExpire | Kind::FnReplace => {
                json!({ "nth_exchange": self.dice.between(1, 12) })
            }
            _ => self.trigger(),
        };
        Some(json!({ "kind": self.numbers(kind), "trigger": trigger }))
    }

    fn when(&mut self) -> &'static str {
        if self.dice.percent(50) { "before" } else { "after" }
    }

    fn numbers(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Unplug | Kind::ReplugElsewhere | Kind::Swap => json!({ "unplug": { "when": self.when() } }),
            Kind::Hang => json!({ "hang": { "for_ms": self.dice.between(100, 2500), "when": self.when() } }),
            Kind::DropReplyBefore => json!({ "drop_reply": { "when": "before" } }),
            Kind::DropReplyAfter => json!({ "drop_reply": { "when": "after" } }),
            Kind::Garble => json!("garble"),
            Kind::ErrorBefore => json!({ "error": { "code": self.dice.pick(&CODES), "when": "before" } }),
            Kind::ErrorAfter => json!({ "error": { "code": self.dice.pick(&CODES), "when": "after" } }),
            Kind::PowerCut => {
                json!({ "power_cut": { "when": self.when(), "down_ms": self.dice.between(0, 800) } })
            }
            Kind::FnFault => json!({ "fn_fault": { "code": self.dice.pick(&FN_CODES) } }),
            Kind::Paper => json!({ "paper": { "present": false } }),
            Kind::ClockSkew => json!({ "clock_skew": { "seconds": self.skew() } }),
            Kind::Slow => json!({ "slow": { "add_ms": self.dice.between(5, 150) } }),
            Kind::LateReply => json!({ "late_reply": { "by_ms": self.dice.between(50, 3000) } }),
            Kind::StaleReply => self.stale(),
            Kind::FnFill => json!("fn_fill"),
            Kind::FnExpire => json!("fn_expire"),
            Kind::FnReplace => self.foreign_fn(),
        }
    }

    fn skew(&mut self) -> i64 {
        let (size, ahead) = if self.dice.percent(40) {
            (AHEAD_MAX_S, true)
        } else {
            (BEHIND_MAX_S, false)
        };
        let seconds = i64::try_from(self.dice.between(1, size)).unwrap_or(1);
        if ahead { seconds } else { -seconds }
    }

    fn stale(&mut self) -> Value {
        match self.dice.between(0, 2) {
            0 => json!({ "stale_reply": {} }),
            1 => json!({ "stale_reply": { "of": "FF45" } }),
            _ => json!({ "stale_reply": { "of": self.dice.pick(&["FF01", "11", "FF46", "8D"]) } }),
        }
    }

    fn foreign_fn(&mut self) -> Value {
        let number = format!("{}{:08}", self.foreign, self.drawn);
        let phase = self.dice.pick(&FOREIGN_PHASES);
        json!({ "fn_replace": { "number": number, "phase": phase, "documents_left": 1000, "expiry": "2028-11-22" } })
    }

    /// What may fall into the daemon's work after a fault: everything that is over by itself.
    fn second(&mut self) -> (Kind, Value) {
        const QUICK: [Kind; 9] = [
            Kind::Hang,
            Kind::DropReplyBefore,
            Kind::DropReplyAfter,
            Kind::Garble,
            Kind::ErrorBefore,
            Kind::ErrorAfter,
            Kind::PowerCut,
            Kind::LateReply,
            Kind::StaleReply,
        ];
        let kind = self.dice.pick(&QUICK);
        let trigger = json!({ "nth_exchange": self.dice.between(1, 16) });
        (kind, json!({ "kind": self.numbers(kind), "trigger": trigger }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_draws_the_same_faults_in_the_same_order() {
        let draw = |seed| {
            let mut deck = Deck::new(seed, 3, true, 20);
            (0..100).map(|_| deck.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(9), draw(9));
        assert_ne!(draw(9), draw(10));
    }

    #[test]
    fn every_kind_comes_before_any_comes_again() {
        let mut deck = Deck::new(1, 0, true, 20);
        for _ in 0..3 {
            let round: BTreeSet<Kind> = (0..Kind::ALL.len()).map(|_| deck.draw().kind).collect();
            assert_eq!(round, BTreeSet::from(Kind::ALL));
        }
    }

    #[test]
    fn five_faults_on_each_of_eight_registers_are_of_every_kind() {
        for seed in 0..50 {
            let drawn = (0..8).flat_map(|n| {
                let mut deck = Deck::new(seed, n, n % 4 != 3, 20);
                (0..5).map(move |_| deck.draw().kind).collect::<Vec<_>>()
            });
            assert_eq!(drawn.collect::<BTreeSet<_>>(), BTreeSet::from(Kind::ALL), "seed {seed}");
        }
    }

    #[test]
    fn a_network_register_is_never_plugged_in_elsewhere() {
        let mut deck = Deck::new(1, 0, false, 20);
        assert!((0..200).all(|_| !deck.draw().kind.needs_port_name()));
    }

    #[test]
    fn no_foreign_fn_comes_twice_and_all_are_test_ones() {
        let mut deck = Deck::new(1, 7, true, 20);
        let numbers: Vec<String> = (0..500)
            .filter_map(|_| deck.draw().fault)
            .filter_map(|fault| fault["kind"]["fn_replace"]["number"].as_str().map(str::to_owned))
            .collect();
        assert!(numbers.iter().all(|one| one.starts_with("9999") && one.len() == 16));
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len());
        assert!(numbers.len() > 20);
    }
}
