//! Exact quantities in millionths.
//!
//! Owns: the only quantity type of the project.
//! Must never: lose a decimal.

use super::Kopecks;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A quantity in millionths: 1 piece is 1 000 000. FFD tag 1023 and command FF46 carry at most six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Quantity(u64);

/// Why a text or number is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Below zero.
    #[error("a quantity of {0} millionths is negative")]
    Negative(i64),
    /// Above 48 bits, the width of the quantity in command FF46.
    #[error("a quantity of {0} millionths does not fit six bytes")]
    TooLarge(u64),
    /// Not a decimal number with at most six decimals.
    #[error("\"{0}\" is not a decimal number with at most six decimals")]
    Text(String),
}

impl Quantity {
    /// One piece.
    pub const ONE: Self = Self(1_000_000);
    /// Largest quantity of FF46 (6 bytes).
    pub const MAX: Self = Self((1 << 48) - 1);

    /// A quantity from millionths.
    ///
    /// # Errors
    /// [`QuantityError::TooLarge`] above [`Quantity::MAX`].
    pub const fn from_millionths(millionths: u64) -> Result<Self, QuantityError> {
        if millionths > Self::MAX.0 {
            return Err(QuantityError::TooLarge(millionths));
        }
        Ok(Self(millionths))
    }

    /// A quantity from the signed number of an API field.
    ///
    /// # Errors
    /// [`QuantityError`] when negative or too large.
    pub fn from_signed(millionths: i64) -> Result<Self, QuantityError> {
        u64::try_from(millionths)
            .map_err(|_| QuantityError::Negative(millionths))
            .and_then(Self::from_millionths)
    }

    /// The number of millionths.
    #[must_use]
    pub const fn millionths(self) -> u64 {
        self.0
    }

    /// Price times quantity, rounded half up to the kopeck (`fn-ffd-ofd` C.7); `None` when the sum does not fit.
    #[must_use]
    pub fn cost(self, price: Kopecks) -> Option<Kopecks> {
        let product = u128::from(self.0) * u128::from(price.get());
        let rounded = (product * 2 + 1_000_000) / 2_000_000;
        u64::try_from(rounded).ok().and_then(|v| Kopecks::new(v).ok())
    }
}

impl TryFrom<u64> for Quantity {
    type Error = QuantityError;

    fn try_from(millionths: u64) -> Result<Self, Self::Error> {
        Self::from_millionths(millionths)
    }
}

impl From<Quantity> for u64 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let text = format!("{part:06}");
        write!(f, "{whole}.{}", text.trim_end_matches('0'))
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || QuantityError::Text(text.to_owned());
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) || text.ends_with('.') {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| bad())?;
        let all = whole
            .checked_mul(1_000_000)
            .and_then(|v| v.checked_add(part))
            .ok_or_else(bad)?;
        Self::from_millionths(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_keeps_every_decimal_of_its_text() {
        for text in ["1", "2.675", "0.000001", "8.867", "12"] {
            assert_eq!(text.parse::<Quantity>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn text_that_is_not_a_decimal_is_refused() {
        for text in ["", ".", "1.", "-1", "1e3", "0.0000001", "1,5"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn cost_rounds_half_up_to_the_kopeck() {
        let price = Kopecks::new(6_396).unwrap();
        assert_eq!(
            "2.675".parse::<Quantity>().unwrap().cost(price),
            Kopecks::new(17_109).ok()
        );
        let half: Quantity = "0.5".parse().unwrap();
        assert_eq!(half.cost(Kopecks::new(1).unwrap()), Kopecks::new(1).ok());
    }
}
