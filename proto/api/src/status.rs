//! Errors on their way: from a code of ours to a gRPC status with details, and back.
//!
//! Owns: the form of a status (design 4.1 "Errors") and how much of it fits into the trailers.
//! Must never: choose a code, or put personal data into a status.

use crate::codes::Code;
use crate::google::rpc::{BadRequest, ErrorInfo, RetryInfo, Status as RpcStatus, bad_request::FieldViolation};
use crate::v1;
use prost::Message;
use prost_types::Any;
use std::collections::BTreeMap;
use std::time::Duration;

/// The domain of every `google.rpc.ErrorInfo` of ours.
pub const DOMAIN: &str = "kassette";

/// Metadata key of the next step in English, added to each status; clients without our code list read it there.
pub const NEXT_STEP: &str = "next_step";

/// Metadata key of the number of all violations, added when not all fit into the trailers.
/// `ValidateReceipt` answers in a message and always gives all.
pub const VIOLATIONS_TOTAL: &str = "violations_total";

/// Metadata key of the name of a job, for example of the first job under a key.
pub const JOB: &str = "job";

/// Metadata key of the content hash of the request, beside [`FIRST_CONTENT_HASH`] in a `KEY_CONFLICT`.
pub const CONTENT_HASH: &str = "content_hash";

/// Metadata key of the content hash of the first job under the key.
pub const FIRST_CONTENT_HASH: &str = "first_content_hash";

/// Metadata key of the last cursor of a watch that was ended.
pub const CURSOR: &str = "cursor";

/// Metadata key of who holds a register, an FN, a socket or a state folder.
pub const HOLDER: &str = "holder";

// Details travel base64 in a trailer, and common clients read at most 8 KiB of all trailers (gRPC over HTTP/2:
// the soft limit of the C core). 5 KiB grow to 6.7, which leaves room for the message and the rest.
const DETAILS_LIMIT: usize = 5 * 1024;
const MESSAGE_LIMIT: usize = 512;
const METADATA_LIMIT: usize = 1536;

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const VIOLATION: &str = "type.googleapis.com/kassette.v1.Violation";

/// Everything a status of ours says.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorDetails {
    /// Why, as everybody names it.
    pub code: Code,
    /// What happened, in English, with the particulars of the case.
    pub message: String,
    /// Particulars for programs: names, numbers, hashes. No personal data.
    pub metadata: BTreeMap<String, String>,
    /// Broken rules of the request.
    pub violations: Vec<v1::Violation>,
    /// After this time a repeat under the same key may succeed.
    pub retry_after: Option<Duration>,
}

impl ErrorDetails {
    /// An error with the code's own text and nothing else.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            message: code.text_en().to_owned(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after: None,
        }
    }

    /// Replaces the text by one with the particulars of the case.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds a particular for programs.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Adds broken rules.
    #[must_use]
    pub fn with_violations(mut self, violations: impl IntoIterator<Item = v1::Violation>) -> Self {
        self.violations.extend(violations);
        self
    }

    /// Says after which time a repeat may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The status of a call. Violations that do not fit into the trailers are counted, not sent; see
    /// [`VIOLATIONS_TOTAL`].
    #[must_use]
    pub fn to_status(&self) -> tonic::Status {
        let rpc = self.to_rpc_status();
        let code = tonic::Code::from_i32(rpc.code);
        tonic::Status::with_details(code, rpc.message.clone(), rpc.encode_to_vec().into())
    }

    /// The same as a message: the error of one item in a stream.
    #[must_use]
    pub fn to_rpc_status(&self) -> RpcStatus {
        let sent = self.fitting_violations();
        let mut details = vec![any(ERROR_INFO, &self.error_info(sent.len()))];
        if let Some(delay) = self
            .retry_after
            .and_then(|delay| prost_types::Duration::try_from(delay).ok())
        {
            details.push(any(
                RETRY_INFO,
                &RetryInfo {
                    retry_delay: Some(delay),
                },
            ));
        }
        if !sent.is_empty() {
            details.push(any(
                BAD_REQUEST,
                &BadRequest {
                    field_violations: sent.iter().map(field_violation).collect(),
                },
            ));
        }
        details.extend(sent.iter().map(|violation| any(VIOLATION, violation)));
        RpcStatus {
            code: i32::from(self.code.class().number()),
            message: cut(&self.message, MESSAGE_LIMIT).to_owned(),
            details,
        }
    }

    /// Reads a status message of ours; `None` when it is not one or its code is not in this version's list.
    #[must_use]
    pub fn from_rpc_status(status: &RpcStatus) -> Option<Self> {
        let info: ErrorInfo = first(status, ERROR_INFO)?;
        if info.domain != DOMAIN {
            return None;
        }
        let mut metadata = info.metadata;
        metadata.remove(NEXT_STEP);
        Some(Self {
            code: info.reason.parse().ok()?,
            message: status.message.clone(),
            metadata,
            violations: all(status, VIOLATION).collect(),
            retry_after: first::<RetryInfo>(status, RETRY_INFO)
                .and_then(|retry| retry.retry_delay)
                .and_then(|delay| Duration::try_from(delay).ok()),
        })
    }

    fn error_info(&self, sent: usize) -> ErrorInfo {
        let mut metadata = BTreeMap::new();
        let mut room = METADATA_LIMIT;
        for (key, value) in &self.metadata {
            let size = key.len() + value.len();
            if size <= room {
                room -= size;
                metadata.insert(key.clone(), value.clone());
            }
        }
        metadata.insert(NEXT_STEP.to_owned(), self.code.next_step_en().to_owned());
        if sent < self.violations.len() {
            metadata.insert(VIOLATIONS_TOTAL.to_owned(), self.violations.len().to_string());
        }
        ErrorInfo {
            reason: self.code.as_str().to_owned(),
            domain: DOMAIN.to_owned(),
            metadata,
        }
    }

    /// The leading violations that fit beside the other details; each travels twice, as ours and in `BadRequest`.
    fn fitting_violations(&self) -> &[v1::Violation] {
        const FRAMING: usize = 64;
        let mut room = DETAILS_LIMIT.saturating_sub(self.error_info(0).encoded_len());
        let mut fitting = 0;
        for violation in &self.violations {
            let size = violation.encoded_len() + field_violation(violation).encoded_len() + FRAMING;
            if size > room {
                break;
            }
            room -= size;
            fitting += 1;
        }
        &self.violations[..fitting]
    }
}

impl From<Code> for ErrorDetails {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<ErrorDetails> for tonic::Status {
    fn from(details: ErrorDetails) -> Self {
        details.to_status()
    }
}

/// Reads our details from a status.
pub trait StatusExt {
    /// Everything the status says; `None` when it is not ours, is damaged, or its code is not in this version's list.
    fn error_details(&self) -> Option<ErrorDetails>;
}

impl StatusExt for tonic::Status {
    fn error_details(&self) -> Option<ErrorDetails> {
        ErrorDetails::from_rpc_status(&RpcStatus::decode(self.details()).ok()?)
    }
}

impl From<Code> for v1::Reason {
    /// The code's own texts, without particulars.
    fn from(code: Code) -> Self {
        Self {
            code: code.as_str().to_owned(),
            text: code.text_en().to_owned(),
            text_ru: code.text_ru().to_owned(),
            next_step: code.next_step_en().to_owned(),
            next_step_ru: code.next_step_ru().to_owned(),
            details: BTreeMap::new(),
            since: None,
        }
    }
}

impl From<Code> for v1::ReasonCode {
    fn from(code: Code) -> Self {
        Self {
            code: code.as_str().to_owned(),
            status: code.class().as_str().to_owned(),
            text: code.text_en().to_owned(),
            text_ru: code.text_ru().to_owned(),
            next_step: code.next_step_en().to_owned(),
            next_step_ru: code.next_step_ru().to_owned(),
        }
    }
}

fn field_violation(violation: &v1::Violation) -> FieldViolation {
    FieldViolation {
        field: violation.field.clone(),
        description: violation.text.clone(),
        reason: violation.rule.clone(),
        localized_message: None,
    }
}

fn any(type_url: &str, message: &impl Message) -> Any {
    Any {
        type_url: type_url.to_owned(),
        value: message.encode_to_vec(),
    }
}

fn all<'a, M: Message + Default>(status: &'a RpcStatus, type_url: &'a str) -> impl Iterator<Item = M> + 'a {
    status
        .details
        .iter()
        .filter(move |detail| detail.type_url == type_url)
        .filter_map(|detail| M::decode(detail.value.as_slice()).ok())
}

fn first<M: Message + Default>(status: &RpcStatus, type_url: &str) -> Option<M> {
    all(status, type_url).next()
}

/// The longest beginning of at most `limit` bytes that ends between characters.
fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(text: &str) -> v1::Violation {
        v1::Violation {
            field: "receipt.items[2].vat_rate".into(),
            rule: "R18".into(),
            tag: Some(1199),
            text: text.into(),
            suggestion: Some("11".into()),
            text_ru: Some("ставка не действует".into()),
        }
    }

    #[test]
    fn every_code_survives_the_way_through_a_status() {
        for code in Code::ALL {
            let status = ErrorDetails::new(*code).to_status();
            assert_eq!(status.code() as i32, i32::from(code.class().number()), "{code}");
            assert_ne!(status.code(), tonic::Code::Unknown, "{code}");
            assert_eq!(status.error_details(), Some(ErrorDetails::new(*code)));
        }
    }

    #[test]
    fn violations_particulars_and_delay_come_back_as_they_were_sent() {
        let sent = ErrorDetails::new(Code::ReceiptInvalid)
            .with_message("receipt 17 of tenant 7707083893 breaks 2 rules")
            .with("tenant", "7707083893")
            .with_violations([violation("rate 1 is not in force"), violation("rate 13 does not exist")])
            .with_retry_after(Duration::from_millis(1500));
        assert_eq!(sent.to_status().error_details(), Some(sent));
    }

    #[test]
    fn clients_that_know_only_google_rpc_see_field_reason_and_next_step() {
        let status = ErrorDetails::new(Code::ReceiptInvalid)
            .with_violations([violation("no")])
            .to_rpc_status();
        let bad: BadRequest = first(&status, BAD_REQUEST).unwrap();
        assert_eq!(bad.field_violations[0].field, "receipt.items[2].vat_rate");
        assert_eq!(bad.field_violations[0].reason, "R18");
        let info: ErrorInfo = first(&status, ERROR_INFO).unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("RECEIPT_INVALID", "kassette")
        );
        assert_eq!(info.metadata[NEXT_STEP], Code::ReceiptInvalid.next_step_en());
    }

    #[test]
    fn a_receipt_with_a_thousand_violations_still_fits_the_trailers_of_common_clients() {
        let details = ErrorDetails::new(Code::ReceiptInvalid)
            .with_message("п".repeat(4000))
            .with("huge", "x".repeat(100_000))
            .with_violations((0..1000).map(|i| violation(&format!("rule {i} is broken"))));
        let status = details.to_status();
        assert!(
            status.details().len() <= 6 * 1024,
            "{} bytes of details",
            status.details().len()
        );
        let back = status.error_details().unwrap();
        assert_eq!(back.metadata[VIOLATIONS_TOTAL], "1000");
        assert!(
            back.violations.len() >= 10,
            "only {} violations travelled",
            back.violations.len()
        );
        assert_eq!(back.violations[..], details.violations[..back.violations.len()]);
    }

    #[test]
    fn a_status_that_is_not_ours_is_not_taken_for_one() {
        let foreign = ErrorInfo {
            reason: "KEY_CONFLICT".into(),
            domain: "other".into(),
            metadata: BTreeMap::new(),
        };
        let rpc = RpcStatus {
            code: 6,
            message: String::new(),
            details: vec![any(ERROR_INFO, &foreign)],
        };
        assert_eq!(ErrorDetails::from_rpc_status(&rpc), None);
        let damaged = tonic::Status::with_details(tonic::Code::Internal, "", vec![0xff, 0xff, 0xff].into());
        assert_eq!(damaged.error_details(), None);
        assert_eq!(tonic::Status::not_found("nothing").error_details(), None);
    }
}
