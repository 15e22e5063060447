//! Numbers of variable length: VLN and FVLN (`fn-ffd-ofd` C.1).
//!
//! Owns: their bytes.
//! Must never: use floats, or drop a decimal.

use crate::value::Quantity;

/// Longest value a reader accepts.
const MAX_READ: usize = 8;
/// Mantissa bytes of an FVLN of at most 8 bytes.
const MAX_MANTISSA: u64 = (1 << 56) - 1;
/// Decimals of [`Quantity`].
const DECIMALS: u8 = 6;

/// The shortest form of a number, at least one byte.
#[must_use]
pub fn encode_vln(value: u64) -> Vec<u8> {
    let bytes = value.to_le_bytes();
    let used = bytes.len() - usize::try_from(value.leading_zeros() / 8).unwrap_or(0);
    bytes[..used.max(1)].to_vec()
}

/// The number of 0 to 8 bytes (empty is zero: some registers write that); none for longer values.
#[must_use]
pub fn decode_vln(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > MAX_READ {
        return None;
    }
    Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// A decimal number: `mantissa` divided by ten to the power of `decimals`. Keeps the form it was read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fvln {
    /// Number of decimal places.
    pub decimals: u8,
    /// The digits.
    pub mantissa: u64,
}

impl Fvln {
    /// The form with the fewest decimals: 1 is `00 01`.
    #[must_use]
    pub const fn shortest(quantity: Quantity) -> Self {
        let mut mantissa = quantity.millionths();
        let mut decimals = DECIMALS;
        while decimals > 0 && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            decimals -= 1;
        }
        Self { decimals, mantissa }
    }

    /// The form with six decimals, as registers seen in captures write it: 1 is `06 40 42 0F`.
    #[must_use]
    pub const fn six_decimals(quantity: Quantity) -> Self {
        Self {
            decimals: DECIMALS,
            mantissa: quantity.millionths(),
        }
    }

    /// The quantity; none when it has digits below a millionth or is too large.
    #[must_use]
    pub fn quantity(self) -> Option<Quantity> {
        let millionths = if self.decimals <= DECIMALS {
            self.mantissa
                .checked_mul(10u64.pow(u32::from(DECIMALS - self.decimals)))?
        } else {
            let divisor = 10u64.checked_pow(u32::from(self.decimals - DECIMALS))?;
            if !self.mantissa.is_multiple_of(divisor) {
                return None;
            }
            self.mantissa / divisor
        };
        Quantity::from_millionths(millionths).ok()
    }

    /// The bytes, at most 8; none when the mantissa needs more than 7.
    #[must_use]
    pub fn encode(self) -> Option<Vec<u8>> {
        if self.mantissa > MAX_MANTISSA {
            return None;
        }
        let mut bytes = vec![self.decimals];
        bytes.extend(encode_vln(self.mantissa));
        Some(bytes)
    }

    /// Reads 0 to 8 bytes; an empty value is zero. None for longer values.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_READ {
            return None;
        }
        let (decimals, mantissa) = bytes.split_first().unwrap_or((&0, &[]));
        Some(Self {
            decimals: *decimals,
            mantissa: decode_vln(mantissa)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_its_shortest_form() {
        assert_eq!(encode_vln(0), [0]);
        assert_eq!(encode_vln(100_000), [0xA0, 0x86, 0x01]);
        assert_eq!(encode_vln(u64::MAX), [0xFF; 8]);
        assert_eq!(decode_vln(&[]), Some(0));
        assert_eq!(decode_vln(&[0xA0, 0x86, 1, 0, 0, 0, 0, 0]), Some(100_000));
        assert_eq!(decode_vln(&[0; 9]), None);
    }

    #[test]
    fn a_quantity_survives_every_number_of_decimals() {
        let quantity: Quantity = "1.5".parse().unwrap();
        let written = Fvln {
            decimals: 3,
            mantissa: 1500,
        };
        assert_eq!(written.encode().unwrap(), [3, 0xDC, 0x05]);
        assert_eq!(written.quantity(), Some(quantity));
        assert_eq!(Fvln::shortest(quantity).encode().unwrap(), [1, 15]);
        assert_eq!(Fvln::six_decimals(quantity).quantity(), Some(quantity));
        assert_eq!(Fvln::shortest(Quantity::ONE).encode().unwrap(), [0, 1]);
    }

    #[test]
    fn digits_below_a_millionth_are_not_dropped() {
        let fine = |decimals, mantissa| Fvln { decimals, mantissa }.quantity();
        assert_eq!(fine(7, 15), None);
        assert_eq!(fine(7, 10), Quantity::from_millionths(1).ok());
        assert_eq!(fine(255, 0), None);
    }
}
