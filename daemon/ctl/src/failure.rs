//! What went wrong, for a person and for a script.
//!
//! Owns: exit codes, and the form of an error: what happened, to whom, what to do next, under which code.
//! Must never: hide a code or a detail that the daemon gave.

use crate::say::say;
use kassette_api::codes::Code;
use kassette_api::status::{ErrorDetails, StatusExt};
use std::fmt::{Display, Write};
use std::process::ExitCode;

/// Yes, or done.
pub const DONE: u8 = 0;
/// No, or refused.
pub const REFUSED: u8 = 1;
/// It cannot be told, or no daemon answers.
pub const CANNOT_TELL: u8 = 2;
/// The command line was wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// Not now; repeating may help (`EX_TEMPFAIL`).
pub const TRY_LATER: u8 = 75;
/// The caller has no right to it (`EX_NOPERM`).
pub const NO_RIGHT: u8 = 77;

const REPEAT: &str = "Repeat the command as it was: a receipt under the same key is never made twice.";

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    exit: u8,
    what: String,
    facts: Vec<(String, String)>,
    violations: Vec<String>,
    next: String,
    code: Option<Code>,
}

impl Failure {
    /// The caller gave something that cannot be used: a file, a number.
    pub fn usage(what: impl Display, next: &str) -> Self {
        Self::plain(USAGE, what, next)
    }

    /// This host failed the program.
    pub fn host(what: &str, error: &dyn Display) -> Self {
        Self::plain(
            CANNOT_TELL,
            format!("{what}: {error}"),
            "Correct the cause and repeat the command.",
        )
    }

    /// No daemon answers.
    pub fn no_daemon(place: &str, why: &str) -> Self {
        let next = "Start it ('systemctl start kassetted', or 'kassetted run'), or name its socket with --socket or \
                    KASSETTE_SOCKET.";
        Self::plain(CANNOT_TELL, format!("no daemon answers at {place}: {why}"), next)
    }

    /// The person at the keyboard ended it.
    pub fn interrupted() -> Self {
        Self::plain(TRY_LATER, "interrupted", REPEAT)
    }

    /// The daemon had no place for a receipt for so long.
    pub fn no_place(patience: std::time::Duration) -> Self {
        let what = format!(
            "for {} s the daemon had no place for another receipt",
            patience.as_secs()
        );
        Self::plain(TRY_LATER, what, REPEAT)
    }

    /// With the lines of a file that it is about.
    pub fn with_lines(mut self, lines: Vec<String>) -> Self {
        self.violations = lines;
        self
    }

    fn plain(exit: u8, what: impl Display, next: &str) -> Self {
        let (what, next) = (what.to_string(), next.to_owned());
        Self {
            exit,
            what,
            facts: Vec::new(),
            violations: Vec::new(),
            next,
            code: None,
        }
    }

    fn coded(details: ErrorDetails) -> Self {
        let ErrorDetails {
            code,
            message,
            metadata,
            violations,
            retry_after,
        } = details;
        let mut facts: Vec<(String, String)> = metadata.into_iter().collect();
        if let Some(delay) = retry_after {
            facts.push(("retry after".to_owned(), format!("{} s", delay.as_secs_f32())));
        }
        Self {
            exit: exit_of(code),
            what: message,
            facts,
            violations: violations.iter().map(violation_line).collect(),
            next: code.next_step_en().to_owned(),
            code: Some(code),
        }
    }

    /// Prints the failure and gives its exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if json {
            say!("{}", self.json());
        } else {
            eprint!("{}", self.text());
        }
        ExitCode::from(self.exit)
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.what);
        for (name, value) in &self.facts {
            let _ = writeln!(text, "  {name}: {value}");
        }
        for violation in &self.violations {
            let _ = writeln!(text, "  - {violation}");
        }
        let _ = writeln!(text, "next: {}", self.next);
        if let Some(code) = self.code {
            let _ = writeln!(text, "code: {code}");
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        let facts: serde_json::Map<_, _> = self.facts.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        serde_json::json!({ "error": {
            "what": self.what, "code": self.code.map(Code::as_str), "next": self.next, "facts": facts,
            "violations": self.violations, "exit": self.exit,
        }})
    }

    /// The exit code.
    #[cfg(test)]
    pub const fn exit(&self) -> u8 {
        self.exit
    }
}

/// One line for a broken rule: where, which rule and tag, what, and what would be right.
pub fn violation_line(violation: &kassette_api::v1::Violation) -> String {
    let tag = violation.tag.map_or_else(String::new, |tag| format!(", tag {tag}"));
    let better = violation
        .suggestion
        .as_ref()
        .map_or_else(String::new, |better| format!(" ({better})"));
    format!(
        "{} [{}{tag}]: {}{better}",
        violation.field, violation.rule, violation.text
    )
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        if let Some(details) = status.error_details() {
            return Self::coded(details);
        }
        // Without details it is not the daemon that speaks, but the connection to it.
        let what = match status.code() {
            tonic::Code::Cancelled | tonic::Code::DeadlineExceeded => "the daemon did not answer in time".to_owned(),
            _ => format!("the connection to the daemon broke: {}", broken(&status)),
        };
        let next = "See whether it runs ('systemctl status kassetted', 'kassettectl status'), then repeat the command as \
                    it was: a receipt under the same key is never made twice.";
        Self::plain(CANNOT_TELL, what, next)
    }
}

/// The innermost cause of a broken connection.
fn broken(status: &tonic::Status) -> String {
    let mut cause: &dyn std::error::Error = status;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The exit code of a code of ours.
pub fn exit_of(code: Code) -> u8 {
    match tonic::Code::from_i32(i32::from(code.class().number())) {
        tonic::Code::Ok => DONE,
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => NO_RIGHT,
        tonic::Code::ResourceExhausted | tonic::Code::Aborted | tonic::Code::Unavailable => TRY_LATER,
        tonic::Code::InvalidArgument
        | tonic::Code::NotFound
        | tonic::Code::AlreadyExists
        | tonic::Code::FailedPrecondition
        | tonic::Code::OutOfRange
        | tonic::Code::Unimplemented => REFUSED,
        tonic::Code::Cancelled
        | tonic::Code::Unknown
        | tonic::Code::DeadlineExceeded
        | tonic::Code::Internal
        | tonic::Code::DataLoss => CANNOT_TELL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_to_whom_what_next_and_its_code() {
        let violation = kassette_api::v1::Violation {
            field: "receipt.items[0].vat_rate".into(),
            rule: "R18".into(),
            tag: Some(1199),
            text: "rate 1 is not in force".into(),
            suggestion: Some("11".into()),
            text_ru: None,
        };
        let details = ErrorDetails::new(Code::ReceiptInvalid)
            .with_message("the receipt breaks 1 rule")
            .with("job", "tenants/1/receipts/2")
            .with_violations([violation]);
        let text = Failure::from(details.to_status()).text();
        for part in [
            "error: the receipt breaks 1 rule",
            "job: tenants/1/receipts/2",
            "receipt.items[0].vat_rate [R18, tag 1199]: rate 1 is not in force (11)",
            Code::ReceiptInvalid.next_step_en(),
            "code: RECEIPT_INVALID",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }

    #[test]
    fn exit_codes_tell_a_script_what_to_do() {
        let of = |code: Code| Failure::from(ErrorDetails::new(code).to_status()).exit();
        assert_eq!(of(Code::ReceiptInvalid), REFUSED);
        assert_eq!(of(Code::NoUnitReady), TRY_LATER);
        assert_eq!(of(Code::QueueFull), TRY_LATER);
        assert_eq!(of(Code::RoleMissing), NO_RIGHT);
        assert_eq!(of(Code::ClientUnknown), NO_RIGHT);
        assert_eq!(of(Code::NotServedYet), REFUSED);
        assert_eq!(of(Code::InternalFault), CANNOT_TELL);
        assert_eq!(Failure::from(tonic::Status::unavailable("refused")).exit(), CANNOT_TELL);
    }
}
