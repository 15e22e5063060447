//! What a rule may know besides the receipt.
//!
//! Owns: the facts of a day, a tenant and a registration that rules ask about.
//! Must never: be guessed; an absent fact leaves its rule unanswered.

use kassette_wire::value::Inn;
use serde::{Deserialize, Serialize};
use time::Date;

/// Version of the document format, tag 1209.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ffd {
    /// 1.05, value 2.
    #[serde(rename = "1.05")]
    V1_05,
    /// 1.1, value 3.
    #[serde(rename = "1.1")]
    V1_1,
    /// 1.2, value 4.
    #[serde(rename = "1.2")]
    V1_2,
}

impl Ffd {
    /// The value of tag 1209.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::V1_05 => 2,
            Self::V1_1 => 3,
            Self::V1_2 => 4,
        }
    }

    /// The version of a value of tag 1209; `None` for 1.0 and unknown values.
    #[must_use]
    pub const fn of_code(code: u8) -> Option<Self> {
        match code {
            2 => Some(Self::V1_05),
            3 => Some(Self::V1_1),
            4 => Some(Self::V1_2),
            _ => None,
        }
    }

    /// The number people say.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_05 => "1.05",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }
}

/// What a unit was registered with, as far as rules ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationFacts {
    /// The taxpayer, tag 1018.
    pub inn: Inn,
    /// Tax systems, the bits of tag 1062.
    pub tax_systems: u32,
    /// Document format, tag 1209.
    pub ffd: Ffd,
    /// For settlements in the internet only, tag 1108.
    pub internet: bool,
    /// Automatic mode, tag 1001.
    pub automatic: bool,
    /// Whether the machine has a cash unit. A register in a rack has none.
    pub cash_unit: bool,
}

impl RegistrationFacts {
    /// The tax system, when the registration has exactly one: what stands on the document when the receipt names none.
    #[must_use]
    pub const fn only_tax_system(&self) -> Option<u32> {
        if self.tax_systems.is_power_of_two() {
            Some(self.tax_systems)
        } else {
            None
        }
    }
}

/// Limits of this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most items of one receipt; about 170 minimal items fit (`fn-ffd-ofd` C.2).
    pub items: usize,
    /// Whether a total may be lower than the sum of its items by less than a rouble, in favour of the buyer
    /// (`fn-ffd-ofd` C.7).
    pub round_total_down: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            items: 170,
            round_total_down: false,
        }
    }
}

/// The day and the facts against which a receipt is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleContext {
    /// Civil day in the zone of the registration: the day that the document will carry.
    pub today: Date,
    /// The taxpayer whose receipt this is; `None` when the caller asks without a tenant.
    pub tenant_inn: Option<Inn>,
    /// The registration of the unit or cassette; `None` before one is known.
    pub registration: Option<RegistrationFacts>,
    /// This installation's limits.
    pub limits: Limits,
}

impl RuleContext {
    /// A context with a day alone.
    #[must_use]
    pub fn on(today: Date) -> Self {
        Self {
            today,
            tenant_inn: None,
            registration: None,
            limits: Limits::default(),
        }
    }

    /// The format that the document will have: the registration's, else 1.2, the only one that new registrations get
    /// and the strictest.
    #[must_use]
    pub fn ffd(&self) -> Ffd {
        self.registration.as_ref().map_or(Ffd::V1_2, |facts| facts.ffd)
    }
}
