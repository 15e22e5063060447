//! What is wrong with a configuration, in a form a person can act on.
//!
//! Owns: the text of one error and of all of them.
//! Must never: stop at the first.

use kassette_wire::codes::Code;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// One thing wrong: where, what was given, what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConfigError {
    /// The code; its texts and next step stand in `codes.toml`.
    #[serde(serialize_with = "code_text")]
    pub code: Code,
    /// The file it stands in; `None` for a default that cannot be used.
    pub file: Option<PathBuf>,
    /// The key, dotted; empty when the file as a whole is wrong.
    pub key: String,
    /// What was given, as written.
    pub value: Option<String>,
    /// What is wrong, and what is accepted.
    pub text: String,
}

fn code_text<S: serde::Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(code.as_str())
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}: ", file.display())?,
            None => f.write_str("(default): ")?,
        }
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{} [{}]", self.text, self.code)
    }
}

/// Everything wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(errors) = self;
        write!(f, "the configuration has {} error(s):", errors.len())?;
        for error in errors {
            write!(f, "\n  {error}\n    next: {}", error.code.next_step_en())?;
        }
        Ok(())
    }
}
