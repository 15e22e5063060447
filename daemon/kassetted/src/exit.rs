//! How the program ends, in the numbers that every program of ours uses (design 4.2).
//!
//! Owns: the exit codes, and an error with its causes in one line.
//! Must never: end the process.

use std::process::ExitCode;

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Yes, or done.
    Done,
    /// No, or refused.
    Refused,
    /// Cannot tell.
    CannotTell,
    /// The command line or the configuration is wrong.
    Usage,
    /// Not now: start again.
    TryLater,
    /// This user may not.
    NoRight,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::CannotTell => 2,
            Self::Usage => 64,
            Self::TryLater => 75,
            Self::NoRight => 77,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// An error with its causes, each once.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
