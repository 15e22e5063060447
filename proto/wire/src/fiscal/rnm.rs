//! Check digits of a registration number (`fn-ffd-ofd` B.6).
//!
//! Owns: computing and verifying them.
//! Must never: guess a serial or an INN.

use crate::crc::crc16;
use crate::value::{Inn, Rnm};
use std::str::FromStr;
use thiserror::Error;

/// Why an RNM cannot be computed or does not belong to the register.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RnmError {
    /// The sequence number is not at most ten digits.
    #[error("a registration sequence number has at most 10 digits, not {0}")]
    Number(u64),
    /// The serial is not 1 to 20 ASCII characters.
    #[error("serial \"{0}\" is not 1 to 20 ASCII characters")]
    Serial(String),
    /// The check digits are those of another register or taxpayer.
    #[error("RNM {rnm} was not given to INN {inn} for register {serial}: its check digits should be {expected:06}")]
    Mismatch {
        /// The RNM.
        rnm: Rnm,
        /// The taxpayer.
        inn: Inn,
        /// The register's serial.
        serial: String,
        /// The right check digits.
        expected: u16,
    },
}

const LARGEST_NUMBER: u64 = 9_999_999_999;

/// The RNM of a sequence number, the user's INN and the register's serial (left-padded with zeros to 10, 12 and 20).
///
/// # Errors
/// [`RnmError::Number`], [`RnmError::Serial`].
pub fn compute_rnm(number: u64, inn: &Inn, serial: &str) -> Result<Rnm, RnmError> {
    if number > LARGEST_NUMBER {
        return Err(RnmError::Number(number));
    }
    let check = check_digits(&format!("{number:010}"), inn, serial)?;
    Rnm::from_str(&format!("{number:010}{check:06}")).map_err(|_| RnmError::Number(number))
}

/// Whether an RNM belongs to the INN and the serial.
///
/// # Errors
/// [`RnmError::Mismatch`] when it does not, [`RnmError::Serial`].
pub fn verify_rnm(rnm: &Rnm, inn: &Inn, serial: &str) -> Result<(), RnmError> {
    let (number, given) = rnm.as_str().split_at(10);
    let expected = check_digits(number, inn, serial)?;
    if format!("{expected:06}") == given {
        return Ok(());
    }
    Err(RnmError::Mismatch {
        rnm: rnm.clone(),
        inn: inn.clone(),
        serial: serial.to_owned(),
        expected,
    })
}

fn check_digits(number: &str, inn: &Inn, serial: &str) -> Result<u16, RnmError> {
    if serial.is_empty() || serial.len() > 20 || !serial.is_ascii() {
        return Err(RnmError::Serial(serial.to_owned()));
    }
    let text = format!("{number}{:0>12}{serial:0>20}", inn.as_str());
    Ok(crc16(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inn(text: &str) -> Inn {
        text.parse().unwrap()
    }

    #[test]
    fn the_rnm_of_a_real_card_is_computed_and_verified() {
        // A card found in a recorded registration (B.6).
        let rnm = compute_rnm(1, &inn("0274124752"), "550101008911").unwrap();
        assert_eq!(rnm.as_str(), "0000000001061875");
        assert_eq!(verify_rnm(&rnm, &inn("0274124752"), "550101008911"), Ok(()));
    }

    #[test]
    fn an_rnm_of_another_register_or_taxpayer_is_refused() {
        let rnm: Rnm = "0000000001061875".parse().unwrap();
        assert!(verify_rnm(&rnm, &inn("0274124752"), "550101008912").is_err());
        assert!(verify_rnm(&rnm, &inn("7707083893"), "550101008911").is_err());
        assert!(compute_rnm(LARGEST_NUMBER + 1, &inn("7707083893"), "1").is_err());
        assert!(verify_rnm(&rnm, &inn("7707083893"), "").is_err());
    }
}
