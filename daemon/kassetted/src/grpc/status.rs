//! Errors of the rack and of requests, as the details every status carries.
//!
//! Owns: the one way from a [`RackError`] to a status, and the errors that the surface itself finds.
//! Must never: invent a code, or put personal data into a status.

use super::convert::findings::{At, Findings, RULE_NOT_YET};
use super::convert::paths::contract_path;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::error::RackError;
use kassette_receipts::rules::Violation;
use std::fmt;
use std::time::Duration;

/// What the rack answered, as a status says it.
#[must_use]
pub fn refusal(error: RackError) -> ErrorDetails {
    let RackError {
        reason,
        violations,
        facts,
        retry_after_ms,
    } = error;
    let message = if reason.detail.is_empty() {
        reason.code.text_en().to_owned()
    } else {
        reason.detail
    };
    let mut details = ErrorDetails::new(reason.code)
        .with_message(message)
        .with_violations(violations.iter().map(violation));
    for (name, value) in facts {
        match (name, value.split_once(": ")) {
            // What is not served yet is told like a violation: field by field.
            (NOT_YET, Some((field, what))) => details.violations.push(not_yet(field, what)),
            _ => details = details.with(name, value),
        }
    }
    match retry_after_ms {
        Some(millis) => details.with_retry_after(Duration::from_millis(millis)),
        None => details,
    }
}

/// The fact of a [`RackError`] that names one field that cannot be issued yet, as `field: what`.
const NOT_YET: &str = "not_yet";

fn not_yet(field: &str, what: &str) -> v1::Violation {
    v1::Violation {
        field: contract_path(field),
        rule: RULE_NOT_YET.to_owned(),
        tag: None,
        text: format!("not yet: {what}"),
        suggestion: Some("leave the field out".to_owned()),
        text_ru: None,
    }
}

/// A broken rule, with its field as the client wrote it.
#[must_use]
pub fn violation(broken: &Violation) -> v1::Violation {
    v1::Violation {
        field: contract_path(&broken.field),
        rule: broken.rule.to_owned(),
        tag: broken.tag.map(u32::from),
        text: broken.text_en.clone(),
        suggestion: (!broken.suggestion.is_empty()).then(|| broken.suggestion.clone()),
        text_ru: Some(broken.text_ru.clone()),
    }
}

/// A request whose form is wrong: every field at once.
#[must_use]
pub fn invalid(code: Code, findings: Findings) -> ErrorDetails {
    ErrorDetails::new(code).with_violations(findings.into_list())
}

/// A receipt whose form is wrong: `RECEIPT_NOT_SERVED_YET` when it only asks for what this version cannot do.
#[must_use]
pub fn invalid_receipt(findings: Findings) -> ErrorDetails {
    let code = if findings.only_not_yet() {
        Code::ReceiptNotServedYet
    } else {
        Code::ReceiptInvalid
    };
    invalid(code, findings)
}

/// A request with one wrong field.
#[must_use]
pub fn invalid_field(code: Code, at: &At<'_>, text: impl fmt::Display) -> ErrorDetails {
    let mut findings = Findings::default();
    findings.form(at, None, &text, code.text_ru());
    invalid(code, findings).with_message(format!("{at}: {text}"))
}

/// A method, or a wish within one, that the contract has and this version does not serve.
#[must_use]
pub fn not_served(what: &str) -> ErrorDetails {
    ErrorDetails::new(Code::NotServedYet)
        .with_message(format!(
            "{what} is part of the contract but is not served by this version"
        ))
        .with("method", what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::status::StatusExt;

    #[test]
    fn an_error_of_the_rack_travels_whole() {
        let mut error = RackError::new(Code::KeyConflict, "key order-1 belongs to a job with other content")
            .fact("stored_hash", "v1:aa")
            .retry_after(1500);
        error.violations.push(Violation {
            field: "items[1].price".into(),
            rule: "R13",
            tag: Some(1079),
            text_en: "no".into(),
            text_ru: "нет".into(),
            suggestion: String::new(),
        });
        let status = refusal(error).to_status();
        assert_eq!(status.code(), tonic::Code::AlreadyExists);
        let details = status.error_details().unwrap();
        assert_eq!(details.code, Code::KeyConflict);
        assert_eq!(details.metadata["stored_hash"], "v1:aa");
        assert_eq!(details.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(details.violations[0].field, "receipt.items[1].price_kopecks");
        assert_eq!(details.violations[0].suggestion, None);
    }

    #[test]
    fn every_field_that_cannot_be_issued_yet_is_named() {
        let error = RackError::new(Code::ReceiptNotServedYet, "not yet: tag 1057, tag 1222")
            .fact(NOT_YET, "agent: tag 1057")
            .fact(NOT_YET, "items[2].agent: tag 1222");
        let details = refusal(error);
        let fields: Vec<_> = details
            .violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(fields, ["receipt.agent", "receipt.items[2].agent"]);
    }

    #[test]
    fn a_receipt_that_is_only_not_served_yet_is_not_called_invalid() {
        let at = At::top("receipt");
        let mut findings = Findings::default();
        findings.not_yet(&at.field("form"), None, "strict reporting forms");
        assert_eq!(invalid_receipt(findings.clone()).code, Code::ReceiptNotServedYet);
        findings.missing(&at.field("payments"), None);
        assert_eq!(invalid_receipt(findings).code, Code::ReceiptInvalid);
    }
}
