//! Reasons and errors as every surface shows them.
//!
//! Owns: the one shape of "what happened, to whom, what next".
//! Must never: hold personal data.

use kassette_receipts::rules::Violation;
use kassette_wire::codes::Code;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Why something is as it is: a code, and the particulars in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The code; its texts and next step stand in `codes.toml`.
    #[serde(with = "code_text")]
    pub code: Code,
    /// The particulars: which register, FN or job, what was seen.
    pub detail: String,
}

impl Reason {
    /// A reason with its particulars.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self {
            code,
            detail: detail.to_string(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// Codes as text in stored rows.
pub mod code_text {
    use kassette_wire::codes::Code;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the id.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(code.as_str())
    }

    /// Reads the id.
    ///
    /// # Errors
    /// When there is no such code.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Why the rack did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct RackError {
    /// What happened.
    pub reason: Reason,
    /// Every rule the receipt breaks, when that is the reason.
    pub violations: Vec<Violation>,
    /// More facts by name, shown as error metadata: `job`, `stored_hash`, `given_hash`, `register` …
    pub facts: Vec<(&'static str, String)>,
    /// When to try again, milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl RackError {
    /// An error with its particulars.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self {
            reason: Reason::new(code, detail),
            violations: Vec::new(),
            facts: Vec::new(),
            retry_after_ms: None,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.facts.push((name, value.to_string()));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub const fn retry_after(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }
}
