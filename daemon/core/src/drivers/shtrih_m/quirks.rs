//! What differs by model and cannot be read from the device: `quirks.toml`, typed.
//!
//! Owns: the file and its merge with what is common.
//! Must never: hold a guess; a disputed value is absent.

use serde::Deserialize;

const FILE: &str = include_str!("quirks.toml");

/// By which command a shift is opened or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ShiftBy {
    /// FF0B, FF43.
    Fn,
    /// E0, 41.
    Report,
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quirk {
    pub(super) shift_open: ShiftBy,
    pub(super) shift_close: ShiftBy,
    /// Whether tags of the registration report are read (FF60) and held against FF09 and the format field.
    pub(super) registration_tags: bool,
    /// VAT byte of FF46 for 7/107.
    pub(super) vat_7_107: Option<u8>,
    /// VAT bytes of FF46 for 22 % and 22/122, where table 6 does not decide.
    pub(super) vat_22: Option<(u8, u8)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Default {
    shift_open: ShiftBy,
    shift_close: ShiftBy,
    registration_tags: bool,
    vat_7_107: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    shift_open: Option<ShiftBy>,
    shift_close: Option<ShiftBy>,
    registration_tags: Option<bool>,
    vat_7_107: Option<u8>,
    vat_22: Option<u8>,
    vat_22_calc: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Default,
    #[serde(default)]
    model: Vec<Model>,
}

impl Quirk {
    /// What is known of the model with this name.
    ///
    /// # Errors
    /// The reason when the built-in file is damaged.
    pub(super) fn of(name: &str) -> Result<Self, String> {
        let file: File = toml::from_str(FILE).map_err(|e| format!("the driver's quirks.toml is damaged: {e}"))?;
        let model = file.model.iter().find(|model| model.name == name);
        let common = &file.default;
        Ok(Self {
            shift_open: model.and_then(|m| m.shift_open).unwrap_or(common.shift_open),
            shift_close: model.and_then(|m| m.shift_close).unwrap_or(common.shift_close),
            registration_tags: model
                .and_then(|m| m.registration_tags)
                .unwrap_or(common.registration_tags),
            vat_7_107: model.and_then(|m| m.vat_7_107).or(common.vat_7_107),
            vat_22: model.and_then(|m| m.vat_22.zip(m.vat_22_calc)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disputed_value_has_no_default_and_a_known_one_belongs_to_its_model() {
        let common = Quirk::of("РИТЕЙЛ-01Ф").unwrap();
        assert_eq!((common.vat_7_107, common.vat_22), (None, None));
        assert_eq!(Quirk::of("ШТРИХ-НАНО-Ф").unwrap().vat_22, Some((0x90, 0xA0)));
    }
}
