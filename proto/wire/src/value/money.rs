//! Integer kopecks.
//!
//! Owns: the only money type of the project.
//! Must never: be built from or turned into a float.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// A sum in kopecks, never negative. The widest field of a register (6 bytes little-endian, FFD VLN) is the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Kopecks(u64);

/// Why a number is not a sum of money.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Below zero: FFD sums have no sign, the direction is tag 1054.
    #[error("a sum of {0} kopecks is negative; sums have no sign")]
    Negative(i64),
    /// Above six bytes.
    #[error("a sum of {0} kopecks does not fit six bytes (at most {max})", max = Kopecks::MAX.get())]
    TooLarge(u128),
}

impl Kopecks {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest sum an FFD tag of type VLN with six bytes can hold (`fn-ffd-ofd` C.1).
    pub const MAX: Self = Self((1 << 48) - 1);

    /// A sum from an unsigned number of kopecks.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] above [`Kopecks::MAX`].
    pub const fn new(kopecks: u64) -> Result<Self, MoneyError> {
        if kopecks > Self::MAX.0 {
            return Err(MoneyError::TooLarge(kopecks as u128));
        }
        Ok(Self(kopecks))
    }

    /// A sum from the signed number of an API field.
    ///
    /// # Errors
    /// [`MoneyError`] when negative or above [`Kopecks::MAX`].
    pub fn from_signed(kopecks: i64) -> Result<Self, MoneyError> {
        u64::try_from(kopecks)
            .map_err(|_| MoneyError::Negative(kopecks))
            .and_then(Self::new)
    }

    /// The number of kopecks.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of kopecks as the signed field of an API message.
    #[must_use]
    pub fn signed(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The sum of two amounts, or `None` above [`Kopecks::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|v| Self::new(v).ok())
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The distance between two sums.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }
}

impl TryFrom<u64> for Kopecks {
    type Error = MoneyError;

    fn try_from(kopecks: u64) -> Result<Self, Self::Error> {
        Self::new(kopecks)
    }
}

impl From<Kopecks> for u64 {
    fn from(sum: Kopecks) -> Self {
        sum.0
    }
}

impl fmt::Display for Kopecks {
    /// Roubles with two decimals, as on a receipt: `122.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kopecks_are_shown_as_roubles_with_two_decimals() {
        assert_eq!(Kopecks::new(12_200).unwrap().to_string(), "122.00");
        assert_eq!(Kopecks::new(5).unwrap().to_string(), "0.05");
    }

    #[test]
    fn a_negative_or_oversized_sum_is_refused() {
        assert_eq!(Kopecks::from_signed(-1), Err(MoneyError::Negative(-1)));
        assert!(Kopecks::new(1 << 48).is_err());
        assert_eq!(Kopecks::MAX.checked_add(Kopecks(1)), None);
    }
}
