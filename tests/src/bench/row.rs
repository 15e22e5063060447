//! A row of the report.
//!
//! Owns: the names of the figures, their targets, and how a row is written.
//! Must never: call a target met that was not.

use anyhow::{anyhow, ensure};
use serde_json::{Map, Value, json};
use std::str::FromStr;

/// A figure of design section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Receipts a second.
    B1,
    /// Time in the daemon.
    B2,
    /// Submissions a second.
    B3,
    /// CPU for a receipt.
    B4,
    /// Commands and bytes of a receipt.
    B5,
    /// Start on a large journal.
    B7,
    /// A receipt on a large journal.
    B8,
    /// Idle registers.
    B9,
}

impl Figure {
    /// Every figure that this program measures, in the order in which it does.
    pub const ALL: [Self; 8] = [
        Self::B5,
        Self::B1,
        Self::B2,
        Self::B3,
        Self::B4,
        Self::B7,
        Self::B8,
        Self::B9,
    ];

    /// Its name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::B1 => "B1",
            Self::B2 => "B2",
            Self::B3 => "B3",
            Self::B4 => "B4",
            Self::B5 => "B5",
            Self::B7 => "B7",
            Self::B8 => "B8",
            Self::B9 => "B9",
        }
    }
}

impl Figure {
    /// What it is, in a few words.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::B1 => "receipts a second",
            Self::B2 => "time in the daemon",
            Self::B3 => "durable submissions a second",
            Self::B4 => "CPU for a receipt",
            Self::B5 => "bytes of a receipt",
            Self::B7 => "start on a large journal",
            Self::B8 => "a receipt on a large journal",
            Self::B9 => "idle registers",
        }
    }
}

impl FromStr for Figure {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.id().eq_ignore_ascii_case(text));
        found.ok_or_else(|| anyhow!("figure \"{text}\" is not measured here; cargo bench-rack --help"))
    }
}

/// What a ratio must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Value divided by limit, at least.
    AtLeast(f64),
    /// Value divided by limit, at most.
    AtMost(f64),
    /// The value itself, at most; there is no limit beside it.
    ValueAtMost(f64),
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The figure.
    pub figure: Figure,
    /// What of it, when it has more than one line.
    pub part: Option<&'static str>,
    /// Unit of value and limit.
    pub unit: &'static str,
    /// What was measured.
    pub value: f64,
    /// The limit program's figure.
    pub limit: f64,
    /// What the ratio must be.
    pub target: Target,
    /// Something that also must hold.
    pub holds: bool,
    /// Further facts.
    pub notes: Map<String, Value>,
}

impl Row {
    /// A row.
    ///
    /// # Errors
    /// When one of the figures is no number to compare: the measurement failed.
    pub fn new(figure: Figure, unit: &'static str, value: f64, limit: f64, target: Target) -> anyhow::Result<Self> {
        let sound = value.is_finite() && value > 0.0 && limit.is_finite() && limit > 0.0;
        ensure!(
            sound,
            "{}: value {value} and limit {limit} cannot be compared",
            figure.id()
        );
        Ok(Self {
            figure,
            part: None,
            unit,
            value,
            limit,
            target,
            holds: true,
            notes: Map::new(),
        })
    }

    /// The same with a name of its own.
    #[must_use]
    pub const fn part(mut self, part: &'static str) -> Self {
        self.part = Some(part);
        self
    }

    /// The same with another fact.
    #[must_use]
    pub fn note(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.notes.insert(name.to_owned(), value.into());
        self
    }

    /// The same; it is met only if this holds too.
    #[must_use]
    pub const fn only_if(mut self, holds: bool) -> Self {
        self.holds = self.holds && holds;
        self
    }

    /// Value divided by limit.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.value / self.limit
    }

    /// Whether the target is met.
    #[must_use]
    pub fn met(&self) -> bool {
        self.holds
            && match self.target {
                Target::AtLeast(least) => self.ratio() >= least,
                Target::AtMost(most) => self.ratio() <= most,
                Target::ValueAtMost(most) => self.value <= most,
            }
    }

    /// The target as people read it.
    #[must_use]
    pub fn target_text(&self) -> String {
        match self.target {
            Target::AtLeast(least) => format!(">= {least}"),
            Target::AtMost(most) => format!("<= {most}"),
            Target::ValueAtMost(most) => format!("<= {most} {}", self.unit),
        }
    }

    /// As JSON: `{"id":"B1","value":…,"limit":…,"ratio":…,"target":…,"met":true}` and the further facts.
    #[must_use]
    pub fn json(&self) -> Value {
        let target = match self.target {
            Target::AtLeast(figure) | Target::AtMost(figure) | Target::ValueAtMost(figure) => figure,
        };
        let mut row = json!({
            "id": self.figure.id(),
            "unit": self.unit,
            "value": rounded(self.value),
            "limit": rounded(self.limit),
            "ratio": rounded(self.ratio()),
            "target": target,
            "met": self.met(),
        });
        if let Value::Object(row) = &mut row {
            row.extend(self.part.map(|part| ("part".to_owned(), part.into())));
            row.extend(self.notes.clone());
        }
        row
    }
}

/// Four digits are more than a run repeats.
fn rounded(figure: f64) -> f64 {
    (figure * 10_000.0).round() / 10_000.0
}

/// The middle of several readings; `NaN` of none, which no row takes.
#[must_use]
pub fn median(readings: &[f64]) -> f64 {
    percentile(readings, 0.5)
}

/// The reading below which such a share of them lies.
#[must_use]
pub fn percentile(readings: &[f64], share: f64) -> f64 {
    let mut sorted = readings.to_vec();
    sorted.sort_by(f64::total_cmp);
    // A share of a length: never above it, never negative.
    let at = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_on_its_own_side_alone() {
        let row = |value, target| Row::new(Figure::B1, "1/s", value, 100.0, target).unwrap();
        assert!(row(97.0, Target::AtLeast(0.97)).met());
        assert!(!row(96.9, Target::AtLeast(0.97)).met());
        assert!(row(300.0, Target::AtMost(3.0)).met());
        assert!(!row(301.0, Target::AtMost(3.0)).met());
        assert!(!row(97.0, Target::AtLeast(0.97)).only_if(false).met());
    }

    #[test]
    fn a_measurement_without_figures_makes_no_row() {
        for (value, limit) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (median(&[]), 1.0)] {
            assert!(Row::new(Figure::B1, "1/s", value, limit, Target::AtLeast(0.5)).is_err());
        }
    }

    #[test]
    fn percentiles_are_readings_that_were_taken() {
        let readings = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&readings), 3.0);
        assert_eq!(percentile(&readings, 0.99), 5.0);
    }
}
