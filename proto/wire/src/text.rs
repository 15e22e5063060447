//! Text as devices and fiscal documents carry it: windows-1251 in Shtrih-M fields, CP866 in FFD tags.
//!
//! Owns: the two strict one-byte encodings.
//! Must never: replace a character silently when encoding.

use encoding_rs::{Encoding, IBM866, WINDOWS_1251};
use thiserror::Error;

/// A character has no byte in the encoding of the field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("character {char:?} at position {index} cannot be written in {encoding}")]
pub struct TextError {
    /// The character.
    pub char: char,
    /// Its position in the text, counted in characters from 0.
    pub index: usize,
    /// Name of the encoding: `cp866` or `windows-1251`.
    pub encoding: &'static str,
}

/// Text of an FFD tag (`fn-ffd-ofd` C.1: strings are CP866).
///
/// # Errors
/// [`TextError`] at the first character that CP866 lacks.
pub fn encode_cp866(text: &str) -> Result<Vec<u8>, TextError> {
    encode(text, IBM866, "cp866")
}

/// The text of an FFD tag; every byte of CP866 is a character.
#[must_use]
pub fn decode_cp866(bytes: &[u8]) -> String {
    IBM866.decode_without_bom_handling(bytes).0.into_owned()
}

/// Text of a Shtrih-M field: names, tables, item names (`shtrih-m` section 0).
///
/// # Errors
/// [`TextError`] at the first character that windows-1251 lacks.
pub fn encode_cp1251(text: &str) -> Result<Vec<u8>, TextError> {
    encode(text, WINDOWS_1251, "windows-1251")
}

/// The text of a Shtrih-M field. The one unassigned byte (98) reads as U+0098. Terminating zeros are not cut: see
/// [`until_nul`].
#[must_use]
pub fn decode_cp1251(bytes: &[u8]) -> String {
    WINDOWS_1251.decode_without_bom_handling(bytes).0.into_owned()
}

/// The bytes before the first 00, which ends a string in a Shtrih-M field (`shtrih-m` section 0).
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

fn encode(text: &str, encoding: &'static Encoding, name: &'static str) -> Result<Vec<u8>, TextError> {
    let (encoded, _, lacks) = encoding.encode(text);
    if !lacks {
        return Ok(encoded.into_owned());
    }
    // The call for the whole text hides the position and writes "&#1234;" for a character it lacks.
    let mut buffer = [0u8; 4];
    let lacking = |char: char| encoding.encode(char.encode_utf8(&mut buffer)).2;
    let mut chars = text.chars().map(lacking);
    let index = chars.position(|lacks| lacks).unwrap_or_default();
    Err(TextError {
        char: text.chars().nth(index).unwrap_or_default(),
        index,
        encoding: name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cyrillic_survives_both_encodings_with_the_published_bytes() {
        assert_eq!(encode_cp866("Аванс").unwrap(), [0x80, 0xA2, 0xA0, 0xAD, 0xE1]);
        assert_eq!(encode_cp1251("Товар").unwrap(), [0xD2, 0xEE, 0xE2, 0xE0, 0xF0]);
        for text in ["Товар №1", "Ёж «ъ»", "a b"] {
            assert_eq!(decode_cp1251(&encode_cp1251(text).unwrap()), text);
        }
        assert_eq!(decode_cp866(&encode_cp866("Ёлка №5 ё").unwrap()), "Ёлка №5 ё");
    }

    #[test]
    fn a_character_that_the_encoding_lacks_is_named_with_its_position() {
        let error = encode_cp866("Чай «Я»").unwrap_err();
        assert_eq!((error.char, error.index), ('«', 4));
        let error = encode_cp1251("1 € 👍").unwrap_err();
        assert_eq!((error.char, error.index), ('👍', 4));
    }

    #[test]
    fn every_cp866_byte_reads_and_writes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(encode_cp866(&decode_cp866(&all)).unwrap(), all);
        assert_eq!(encode_cp1251(&decode_cp1251(&all)).unwrap(), all);
    }
}
