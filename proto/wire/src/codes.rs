//! The one list of reasons, compiled from `proto/codes.toml`, with its texts and its gRPC class.
//!
//! Owns: the enum [`Code`] and its way from and to text.
//! Must never: hold a text that is not in that file, or know how a code travels.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

include!(concat!(env!("OUT_DIR"), "/codes.rs"));

struct Entry {
    id: &'static str,
    class: StatusClass,
    en: &'static str,
    ru: &'static str,
    next_en: &'static str,
    next_ru: &'static str,
}

/// The gRPC status a code travels under; names and numbers are those of the public gRPC status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StatusClass {
    /// The caller ended the call.
    Cancelled = 1,
    /// Nothing is known about the error.
    Unknown = 2,
    /// The request itself is wrong, whatever the state of the system.
    InvalidArgument = 3,
    /// Time ran out.
    DeadlineExceeded = 4,
    /// The named object does not exist, or not for this client.
    NotFound = 5,
    /// The object exists already.
    AlreadyExists = 6,
    /// The client is known and may not do this.
    PermissionDenied = 7,
    /// A limit, a queue or the disk is full.
    ResourceExhausted = 8,
    /// The state of the system forbids it; repeating alone does not help.
    FailedPrecondition = 9,
    /// The act lost against another; read again and repeat.
    Aborted = 10,
    /// A position lies outside what is kept.
    OutOfRange = 11,
    /// Not served by this version.
    Unimplemented = 12,
    /// A fault of ours.
    Internal = 13,
    /// Not now; repeating may help.
    Unavailable = 14,
    /// Data is lost or contradicts itself.
    DataLoss = 15,
    /// The client is not known.
    Unauthenticated = 16,
}

impl StatusClass {
    /// The gRPC status number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The gRPC status name: `FAILED_PRECONDITION`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// A text is not the id of any code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no code '{0}' in proto/codes.toml")]
pub struct UnknownCode(pub String);

impl Code {
    /// The id as everybody writes it: `KEY_CONFLICT`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.entry().id
    }

    /// The gRPC status it travels under.
    #[must_use]
    pub const fn class(self) -> StatusClass {
        self.entry().class
    }

    /// What happened, in English.
    #[must_use]
    pub const fn text_en(self) -> &'static str {
        self.entry().en
    }

    /// What happened, in Russian.
    #[must_use]
    pub const fn text_ru(self) -> &'static str {
        self.entry().ru
    }

    /// What to do next, in English.
    #[must_use]
    pub const fn next_step_en(self) -> &'static str {
        self.entry().next_en
    }

    /// What to do next, in Russian.
    #[must_use]
    pub const fn next_step_ru(self) -> &'static str {
        self.entry().next_ru
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_from_the_text_that_travels() {
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
        assert_eq!(
            "key_conflict".parse::<Code>(),
            Err(UnknownCode("key_conflict".to_owned()))
        );
    }

    #[test]
    fn russian_texts_are_russian_and_english_ones_are_not() {
        let cyrillic = |text: &str| text.chars().any(|c| ('а'..='я').contains(&c));
        for code in Code::ALL {
            assert!(cyrillic(code.text_ru()) && cyrillic(code.next_step_ru()), "{code}");
            assert!(!cyrillic(code.text_en()) && !cyrillic(code.next_step_en()), "{code}");
        }
    }

    #[test]
    fn classes_promised_by_the_contract_stay() {
        let promised = [
            (Code::ReceiptInvalid, StatusClass::InvalidArgument),
            (Code::KeyConflict, StatusClass::AlreadyExists),
            (Code::NoRegistrationCovers, StatusClass::FailedPrecondition),
            (Code::NoUnitReady, StatusClass::Unavailable),
            (Code::LimitExceeded, StatusClass::ResourceExhausted),
            (Code::QueueFull, StatusClass::ResourceExhausted),
            (Code::TenantUnknown, StatusClass::NotFound),
            (Code::CursorStale, StatusClass::OutOfRange),
            (Code::NotServedYet, StatusClass::Unimplemented),
        ];
        for (code, class) in promised {
            assert_eq!(code.class(), class, "{code}");
        }
        assert_eq!(StatusClass::OutOfRange.number(), 11);
    }
}
