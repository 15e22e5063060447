//! Page tokens and watch cursors: opaque, checked, bound to what gave them.
//!
//! Owns: their form: hex of a version, what they belong to, a position and a checksum.
//! Must never: carry a secret or stand for a right: access is checked on every call.

use super::convert::findings::At;
use super::status::invalid_field;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use prost::Message;
use sha2::{Digest, Sha256};

/// Rows of a page when the client does not say.
pub const PAGE_DEFAULT: u32 = 100;
/// Most rows of a page (design 4.1).
pub const PAGE_MAX: u32 = 1000;
/// Longest token that is looked at; ours are far shorter.
const TOKEN_MAX: usize = 512;
const PAGE_VERSION: u8 = 1;
const CURSOR_VERSION: u8 = 2;
const CHECK_BYTES: usize = 4;
const LIST_BYTES: usize = 8;

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

fn seal(version: u8, body: &[u8]) -> String {
    let check = digest(&[&[version], body]);
    let bytes = std::iter::once(&version).chain(body).chain(&check[..CHECK_BYTES]);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn open(version: u8, token: &str) -> Option<Vec<u8>> {
    if token.len() > TOKEN_MAX || !token.len().is_multiple_of(2) || !token.is_ascii() {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(token.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..token.len()).step_by(2).map(pair).collect::<Option<_>>()?;
    let body = bytes.get(1..bytes.len().checked_sub(CHECK_BYTES)?)?;
    // Sealing again settles version, checksum and the case of the digits in one comparison.
    (seal(version, body) == token).then(|| body.to_vec())
}

/// One list with one filter: a token of it is no token of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListId([u8; LIST_BYTES]);

impl ListId {
    /// The list of a method under a filter; `filter` is the request without its page fields.
    #[must_use]
    pub fn new(method: &str, filter: &impl Message) -> Self {
        let digest = digest(&[method.as_bytes(), &filter.encode_to_vec()]);
        let mut id = [0; LIST_BYTES];
        id.copy_from_slice(&digest[..LIST_BYTES]);
        Self(id)
    }

    /// The token of the page that begins after a position.
    #[must_use]
    pub fn token(self, position: &str) -> String {
        seal(PAGE_VERSION, &[self.0.as_slice(), position.as_bytes()].concat())
    }

    /// The position in a token; `None` without one.
    ///
    /// # Errors
    /// `PAGE_INVALID` when the token is not of this list.
    pub fn position(self, token: Option<&str>) -> Result<Option<String>, ErrorDetails> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let body = open(PAGE_VERSION, token);
        let position = body.as_deref().and_then(|body| body.strip_prefix(self.0.as_slice()));
        match position.and_then(|position| std::str::from_utf8(position).ok()) {
            Some(position) => Ok(Some(position.to_owned())),
            None => Err(wrong_token()),
        }
    }

    /// The position in a token, where positions are numbers.
    ///
    /// # Errors
    /// As [`ListId::position`].
    pub fn number(self, token: Option<&str>) -> Result<Option<i64>, ErrorDetails> {
        let position = self.position(token)?;
        position.map(|text| text.parse().map_err(|_| wrong_token())).transpose()
    }
}

fn wrong_token() -> ErrorDetails {
    invalid_field(
        Code::PageInvalid,
        &At::top("page_token"),
        "was not given by this list with this filter",
    )
}

/// How many rows a page holds.
///
/// # Errors
/// `PAGE_INVALID` below 0 or above [`PAGE_MAX`].
pub fn page_size(given: Option<i32>) -> Result<u32, ErrorDetails> {
    let given = given.unwrap_or(0);
    match u32::try_from(given) {
        Ok(0) => Ok(PAGE_DEFAULT),
        Ok(size) if size <= PAGE_MAX => Ok(size),
        Ok(_) | Err(_) => Err(invalid_field(
            Code::PageInvalid,
            &At::top("page_size"),
            format!("{given} is not 0 to {PAGE_MAX}"),
        )),
    }
}

/// A place in the one commit sequence of one journal generation.
#[must_use]
pub fn cursor(generation: u16, sequence: u64) -> String {
    let mut body = generation.to_be_bytes().to_vec();
    body.extend(sequence.to_be_bytes());
    seal(CURSOR_VERSION, &body)
}

/// The sequence of a cursor.
///
/// # Errors
/// `CURSOR_STALE` when it is none of ours or belongs to another journal generation.
pub fn read_cursor(generation: u16, token: &str) -> Result<u64, ErrorDetails> {
    let stale = |text: &str| ErrorDetails::new(Code::CursorStale).with_message(text);
    let body = open(CURSOR_VERSION, token).ok_or_else(|| stale("the cursor was not given by this program"))?;
    let (Some(given), Some(sequence)) = (body.first_chunk::<2>(), body.last_chunk::<8>()) else {
        return Err(stale("the cursor was not given by this program"));
    };
    if body.len() != 10 || u16::from_be_bytes(*given) != generation {
        return Err(stale("the cursor belongs to another generation of the journal"));
    }
    Ok(u64::from_be_bytes(*sequence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::v1::ListReceiptsRequest;

    fn list(parent: &str) -> ListId {
        ListId::new(
            "ListReceipts",
            &ListReceiptsRequest {
                parent: parent.into(),
                ..Default::default()
            },
        )
    }

    #[test]
    fn a_token_is_good_only_for_the_list_and_filter_that_gave_it() {
        let token = list("tenants/1").token("17");
        assert_eq!(list("tenants/1").number(Some(&token)).unwrap(), Some(17));
        assert_eq!(
            list("tenants/2").number(Some(&token)).unwrap_err().code,
            Code::PageInvalid
        );
        assert_eq!(list("tenants/1").number(None).unwrap(), None);
        assert_eq!(list("tenants/1").number(Some("")).unwrap(), None);
    }

    #[test]
    fn hostile_tokens_and_cursors_are_refused_and_never_panic() {
        let token = list("tenants/1").token("17");
        let flipped = token.replacen(&token[4..5], if &token[4..5] == "0" { "1" } else { "0" }, 1);
        let huge = "0".repeat(100_000);
        for bad in [
            "0",
            "zz",
            "00",
            "0000000000",
            "Ж",
            "жж",
            "+1+1+1+1+1+1",
            &flipped,
            &token.to_uppercase(),
            &huge,
        ] {
            if bad == token {
                continue;
            }
            assert_eq!(
                list("tenants/1").position(Some(bad)).unwrap_err().code,
                Code::PageInvalid,
                "{bad:.40}"
            );
            assert_eq!(read_cursor(1, bad).unwrap_err().code, Code::CursorStale, "{bad:.40}");
        }
        assert_eq!(
            read_cursor(1, &token).unwrap_err().code,
            Code::CursorStale,
            "a page token is no cursor"
        );
    }

    #[test]
    fn a_cursor_holds_within_its_journal_generation_alone() {
        let given = cursor(513, u64::MAX);
        assert_eq!(read_cursor(513, &given).unwrap(), u64::MAX);
        assert_eq!(read_cursor(514, &given).unwrap_err().code, Code::CursorStale);
    }

    #[test]
    fn page_sizes_are_bounded() {
        assert_eq!(page_size(None).unwrap(), PAGE_DEFAULT);
        assert_eq!(page_size(Some(0)).unwrap(), PAGE_DEFAULT);
        assert_eq!(page_size(Some(1000)).unwrap(), 1000);
        for bad in [-1, 1001, i32::MAX, i32::MIN] {
            assert_eq!(page_size(Some(bad)).unwrap_err().code, Code::PageInvalid, "{bad}");
        }
    }
}
