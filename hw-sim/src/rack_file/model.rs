//! Models of the rack file.
//!
//! Owns: names and codes of the reference.
//! Must never: choose between sources that disagree.

use super::section::Section;

/// Names and codes of `shtrih-m.md` 7 that stand in exactly one reading.
const MODELS: &[(&str, u8)] = &[
    ("ШТРИХ-МПЕЙ-Ф", 16),
    ("NCR-001Ф", 17),
    ("ШТРИХ-МОБАЙЛ-Ф", 19),
    ("ЯРУС М2100Ф", 20),
    ("ЯРУС-ТФ", 21),
    ("РИТЕЙЛ-01Ф", 22),
    ("РР-02Ф", 23),
    ("РР-01Ф", 24),
    ("ШТРИХ-ON-LINE", 25),
    ("РР-04Ф", 25),
    ("РР-03Ф", 26),
    ("ЭЛВЕС-ФР-Ф", 43),
    ("ШТРИХ-ФР-02Ф", 44),
    ("ШТРИХ-МИНИ-01Ф", 50),
    ("ШТРИХ-МИНИ-02Ф", 51),
    ("PAY VKP-80K-ФА", 93),
    ("ШТРИХ-НАНО-Ф", 152),
    ("ЭЛВЕС-МИНИ-Ф", 200),
    ("ШТРИХ-ФР-01Ф", 249),
    ("ШТРИХ-М-01Ф", 250),
    ("ШТРИХ-М-02Ф", 250),
    ("ШТРИХ-ЛАЙТ-01Ф", 252),
    ("ШТРИХ-ЛАЙТ-02Ф", 252),
    ("PAYONLINE-01-ФА", 255),
];

/// Two sources give ЭЛВЕС-МФ the codes 150 and 153 (`shtrih-m.md` 7, CONFLICT), so the file must name one.
const MODEL_IN_CONFLICT: &str = "ЭЛВЕС-МФ";

/// The model's name and code.
pub fn read_model(s: &mut Section<'_>) -> Option<(String, u8)> {
    let names: Vec<&str> = MODELS.iter().map(|(name, _)| *name).collect();
    let code = s.read::<u8>("model_code", "a code of command FC, 0 to 255");
    let model: String = s.need("model", &names.join(", "))?;
    if let Some(code) = code {
        return Some((model, code));
    }
    if model == MODEL_IN_CONFLICT {
        s.wrong("model_code", "the sources disagree for ЭЛВЕС-МФ: write 150 or 153");
        return None;
    }
    match MODELS.iter().find(|(name, _)| *name == model) {
        Some((_, code)) => Some((model, *code)),
        None => {
            let known = names.join(", ");
            s.wrong(
                "model",
                format!("\"{model}\" is not known; accepted: {known}, or any name with a model_code"),
            );
            None
        }
    }
}
