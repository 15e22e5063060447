//! Identities of taxpayers, registers and fiscal storage units, and document numbers.
//!
//! Owns: their text forms and check digits.
//! Must never: hold a value whose check digits do not match.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A taxpayer's number: 10 digits (organisation) or 12 (person), check digits verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Inn(String);

/// Why a text is not an INN.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InnError {
    /// Not 10 or 12 digits.
    #[error("\"{0}\" is not 10 or 12 digits")]
    Form(String),
    /// The check digits do not match the others.
    #[error("the check digits of INN {0} are wrong")]
    CheckDigits(String),
}

const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];

/// The check digit over `digits`, with the weights that end at the position before it (public INN algorithm).
fn inn_check(digits: &[u32]) -> u32 {
    let weights = &WEIGHTS[WEIGHTS.len() - digits.len()..];
    digits.iter().zip(weights).map(|(d, w)| d * w).sum::<u32>() % 11 % 10
}

impl FromStr for Inn {
    type Err = InnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !matches!(text.len(), 10 | 12) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InnError::Form(text.to_owned()));
        }
        let digits: Vec<u32> = text.bytes().map(|b| u32::from(b - b'0')).collect();
        let checked = if digits.len() == 10 { 9..10 } else { 10..12 };
        for at in checked {
            if inn_check(&digits[..at]) != digits[at] {
                return Err(InnError::CheckDigits(text.to_owned()));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl Inn {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not an identity of the named kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{text}\" is not {expected}")]
pub struct TextIdError {
    /// What was given.
    pub text: String,
    /// What it should look like.
    pub expected: &'static str,
}

macro_rules! string_form {
    ($name:ident, $error:ty) => {
        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(TextIdError { text: text.to_owned(), expected: $expected })
                }
            }
        }

        string_form!($name, TextIdError);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_form!(Inn, InnError);

text_id! {
    /// The number of a fiscal storage unit: up to 16 ASCII characters, without padding. Production units have 16
    /// digits; debug units may have fewer (captures).
    FnNumber, "1 to 16 ASCII letters or digits",
    |t| !t.is_empty() && t.len() <= 16 && t.bytes().all(|b| b.is_ascii_alphanumeric())
}

text_id! {
    /// A registration number given by the tax service: 16 digits.
    Rnm, "16 digits", |t| t.len() == 16 && t.bytes().all(|b| b.is_ascii_digit())
}

text_id! {
    /// The factory serial number of a register as the device states it, without padding.
    RegisterSerial, "1 to 20 ASCII letters, digits or dashes",
    |t| !t.is_empty() && t.len() <= 20 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl FnNumber {
    /// Test units have a number that begins 9999 (design, section 4.4); only they may stand in a test rack.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.0.starts_with("9999")
    }
}

impl fmt::Display for Inn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who built a register; chooses the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Vendor {
    /// Shtrih-M and the families that speak its protocol.
    #[serde(rename = "shtrih-m")]
    ShtrihM,
}

impl Vendor {
    /// The name in object names, configuration and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShtrihM => "shtrih-m",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Vendor {
    type Err = TextIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "shtrih-m" => Ok(Self::ShtrihM),
            _ => Err(TextIdError {
                text: text.to_owned(),
                expected: "a vendor we drive (shtrih-m)",
            }),
        }
    }
}

/// Identity of a register: vendor and factory serial, read from the device. Shown as `shtrih-m-0012345678901234`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RegisterId {
    /// Who built it.
    pub vendor: Vendor,
    /// Its factory serial.
    pub serial: RegisterSerial,
}

impl fmt::Display for RegisterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.vendor, self.serial)
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// Number of a fiscal document within its FN (tag 1040), gapless, from 1.
    FdNumber
}
number_id! {
    /// Fiscal sign of a document (tag 1077, low four bytes), shown as a decimal number.
    FiscalSign
}
number_id! {
    /// Number of a shift within its FN (tag 1038), from 1.
    ShiftNumber
}

impl FdNumber {
    /// The number after this one; `None` at the end of the range.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inn_check_digits_are_verified() {
        for good in ["7704358518", "7707083893", "500100732259", "0274124752"] {
            assert!(good.parse::<Inn>().is_ok(), "{good}");
        }
        for bad in [
            "7704358519",
            "500100732258",
            "77043585",
            "77043585180",
            "abcdefghij",
            "",
        ] {
            assert!(bad.parse::<Inn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_fn_numbers_that_begin_9999_are_test_units() {
        assert!("9999078900012345".parse::<FnNumber>().unwrap().is_test());
        assert!(!"9287440301120991".parse::<FnNumber>().unwrap().is_test());
    }
}
