//! A verdict as a request gives it.
//!
//! Owns: the form of a claim and of its repetition.
//! Must never: judge it: what it lacks in substance is told by the rules of the core.

use crate::grpc::convert::findings::{At, Findings};
use crate::grpc::convert::time::instant;
use crate::grpc::status::{invalid, invalid_field};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::verdict::{Absence, Claim, Claimed, Existing, Source};
use kassette_wire::value::{FdNumber, FiscalSign, ShiftNumber};

/// Longest id or digits of a repetition that are looked at.
const REPEAT_CHARS_MAX: usize = 32;

/// The claim of a request.
pub fn read(given: &v1::SettleDoubtRequest) -> Result<Claim, ErrorDetails> {
    let source = match v1::EvidenceSource::try_from(given.source) {
        Ok(v1::EvidenceSource::FnReader) => Source::FnReader,
        Ok(v1::EvidenceSource::OfdCopy) => Source::OfdCopy,
        Ok(v1::EvidenceSource::Paper) => Source::Paper,
        Ok(v1::EvidenceSource::Unspecified) | Err(_) => {
            return Err(missing("source", "where the evidence comes from must be given"));
        }
    };
    let verdict = match v1::DoubtVerdict::try_from(given.verdict) {
        Ok(v1::DoubtVerdict::DocumentExists) => Claimed::Made(existing(given)?),
        Ok(v1::DoubtVerdict::NoDocument) => Claimed::NotMade(Absence {
            first_fd: given.first_fd.map(FdNumber),
            last_fd: given.last_fd.map(FdNumber),
            fn_last_fd: given.fn_last_fd.map(FdNumber),
            last_code: given.last_document_code,
        }),
        Ok(v1::DoubtVerdict::Unspecified) | Err(_) => {
            return Err(missing(
                "verdict",
                "it must say that the document exists or that there is none",
            ));
        }
    };
    Ok(Claim {
        verdict,
        source,
        words: given.evidence.clone(),
    })
}

fn existing(given: &v1::SettleDoubtRequest) -> Result<Existing, ErrorDetails> {
    let mut findings = Findings::default();
    let time = instant(&mut findings, &At::top("document_time"), given.document_time.as_ref());
    if !findings.is_empty() {
        return Err(invalid(Code::RequestInvalid, findings));
    }
    let (Some(fd), Some(fp)) = (given.fd, given.fp) else {
        let field = if given.fd.is_none() { "fd" } else { "fp" };
        return Err(missing(field, "number and fiscal sign of the document must be given"));
    };
    Ok(Existing {
        fd: FdNumber(fd),
        fp: FiscalSign(fp),
        time,
        shift: given.shift.map(ShiftNumber),
        number_in_shift: given.number_in_shift,
    })
}

/// What only a second person gives; both or neither.
pub fn repeats(given: &v1::SettleDoubtRequest) -> Result<Option<(String, String)>, ErrorDetails> {
    match (&given.confirmation_id, &given.fn_digits) {
        (None, None) => Ok(None),
        (Some(id), Some(digits)) if id.len() <= REPEAT_CHARS_MAX && digits.len() <= REPEAT_CHARS_MAX => {
            // People read it to each other: case is no difference.
            Ok(Some((id.trim().to_uppercase(), digits.trim().to_owned())))
        }
        (Some(_), Some(_)) => Err(missing("confirmation_id", "is none that was shown")),
        (None, Some(_)) => Err(missing("confirmation_id", "the shown id must be given too")),
        (Some(_), None) => Err(missing("fn_digits", "the last digits of the FN must be given too")),
    }
}

fn missing(field: &'static str, text: &str) -> ErrorDetails {
    invalid_field(Code::VerdictEvidenceMissing, &At::top(field), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(given: &v1::SettleDoubtRequest) -> Option<String> {
        let refused = read(given).map(drop).and_then(|()| repeats(given).map(drop)).err()?;
        assert_eq!(refused.code, Code::VerdictEvidenceMissing);
        Some(refused.violations[0].field.clone())
    }

    #[test]
    fn what_a_verdict_lacks_in_form_is_told_with_its_field() {
        let mut given = v1::SettleDoubtRequest {
            name: "doubts/1".into(),
            ..Default::default()
        };
        assert_eq!(field(&given).as_deref(), Some("source"));
        given.source = v1::EvidenceSource::Paper.into();
        assert_eq!(field(&given).as_deref(), Some("verdict"));
        given.verdict = v1::DoubtVerdict::DocumentExists.into();
        assert_eq!(field(&given).as_deref(), Some("fd"));
        given.fd = Some(7);
        assert_eq!(field(&given).as_deref(), Some("fp"));
        given.fp = Some(8);
        assert_eq!(field(&given), None);
        given.confirmation_id = Some("ab12".into());
        assert_eq!(field(&given).as_deref(), Some("fn_digits"));
        given.fn_digits = Some("1234".into());
        assert_eq!(repeats(&given).unwrap(), Some(("AB12".into(), "1234".into())));
        given.confirmation_id = Some("x".repeat(33));
        assert_eq!(field(&given).as_deref(), Some("confirmation_id"));
    }
}
