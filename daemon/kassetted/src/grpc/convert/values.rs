//! Scalars of a request as value types, each problem noted under its field.
//!
//! Owns: how an absent, zero, negative or oversized number and a wrong INN are told apart.
//! Must never: round, clamp or fill in.

use super::findings::{At, Findings, quote};
use kassette_wire::value::{Inn, Kopecks, Quantity};

/// A sum that may be absent.
pub fn sum(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<i64>) -> Option<Kopecks> {
    match Kopecks::from_signed(given?) {
        Ok(sum) => Some(sum),
        Err(error) => {
            findings.form(at, Some(tag), error, "сумма отрицательна или слишком велика");
            None
        }
    }
}

/// A sum that must be given; what is wrong is noted and zero stands in for it until the request is refused.
pub fn required_sum(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<i64>) -> Kopecks {
    if given.is_none() {
        findings.missing(at, Some(tag));
    }
    sum(findings, at, tag, given).unwrap_or_default()
}

/// A quantity that must be given; what is wrong is noted and one piece stands in for it.
pub fn required_quantity(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<i64>) -> Quantity {
    match given.map(Quantity::from_signed) {
        Some(Ok(quantity)) => quantity,
        Some(Err(error)) => {
            findings.form(at, Some(tag), error, "количество отрицательно или слишком велико");
            Quantity::ONE
        }
        None => {
            findings.missing(at, Some(tag));
            Quantity::ONE
        }
    }
}

/// A value that must be given; its default stands in for it until the request is refused.
pub fn required<T: Default>(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<T>) -> T {
    if given.is_none() {
        findings.missing(at, Some(tag));
    }
    given.unwrap_or_default()
}

/// An INN that may be absent, with its check digits.
pub fn inn(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<&str>) -> Option<Inn> {
    let given = given?;
    let read = given.parse().ok();
    if read.is_none() {
        let text = format!(
            "{} is not an INN of 10 or 12 digits with right check digits",
            quote(given)
        );
        findings.form(
            at,
            Some(tag),
            text,
            "не ИНН из 10 или 12 цифр с верными контрольными цифрами",
        );
    }
    read
}
