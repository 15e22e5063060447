//! What every order says beside what it changes: why, and under which id it may be repeated.
//!
//! Owns: the form of both.
//! Must never: decide whether a repeat is one: the journal does.

use super::convert::findings::At;
use super::status::invalid_field;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;

/// Longest reason that is recorded.
const REASON_CHARS_MAX: usize = 500;
/// Longest request id.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// That a reason and a request id can be recorded.
///
/// # Errors
/// `REQUEST_INVALID` with the field.
pub fn words(reason: Option<&str>, request_id: Option<&str>) -> Result<(), ErrorDetails> {
    let long = |text: &str, most: usize| text.chars().nth(most).is_some();
    if reason.is_some_and(|text| long(text, REASON_CHARS_MAX) || text.contains('\0')) {
        let text = format!("at most {REASON_CHARS_MAX} characters");
        return Err(invalid_field(Code::RequestInvalid, &At::top("reason"), text));
    }
    let bad_id = |text: &str| text.is_empty() || long(text, REQUEST_ID_CHARS_MAX) || text.chars().any(char::is_control);
    if request_id.is_some_and(bad_id) {
        let text = format!("1 to {REQUEST_ID_CHARS_MAX} printable characters, or leave it out");
        return Err(invalid_field(Code::RequestInvalid, &At::top("request_id"), text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_or_an_id_that_cannot_be_recorded_is_refused_with_its_field() {
        let field = |reason: Option<&str>, id: Option<&str>| {
            let refused = words(reason, id).err()?;
            assert_eq!(refused.code, Code::RequestInvalid);
            Some(refused.violations[0].field.clone())
        };
        let long = "я".repeat(501);
        assert_eq!(field(Some(&long[..1000]), Some("id")), None);
        assert_eq!(field(Some(&long), None).as_deref(), Some("reason"));
        assert_eq!(field(Some("a\0b"), None).as_deref(), Some("reason"));
        for id in ["", "a\nb", &"i".repeat(129)] {
            assert_eq!(field(None, Some(id)).as_deref(), Some("request_id"), "{id:?}");
        }
    }
}
