//! The one CRC-16 of the protocols here: link v2 (`shtrih-m` 1.4) and the check digits of an RNM (`fn-ffd-ofd` B.6).
//!
//! Owns: the polynomial.
//! Must never: know what it protects.

/// CRC-16, polynomial 1021h, start FFFFh, not reflected, no final XOR.
pub(crate) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_has_the_published_check_value() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }
}
