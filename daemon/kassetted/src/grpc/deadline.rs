//! How long an answer may wait: the caller's `wait`, and the deadline of the call.
//!
//! Owns: reading both, and the margin that lets an answer arrive before the deadline.
//! Must never: hold a job: a wait holds only an answer.

use super::convert::findings::At;
use super::convert::time::duration_millis;
use super::status::invalid_field;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use prost_types::Duration as ProtoDuration;
use std::time::Duration;
use tonic::metadata::MetadataMap;

/// Longest `wait` (design 4.1).
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest `ttl` that fits any tenant: the plan's own limit.
pub const TTL_MAX: Duration = Duration::from_secs(86_400);
/// An answer leaves this much before the call's deadline, or a tenth of it when that is less.
const MARGIN_MAX: Duration = Duration::from_millis(200);

/// The `wait` of a request; absent is zero.
///
/// # Errors
/// `WAIT_INVALID` when negative, malformed or above [`WAIT_MAX`].
pub fn wait(given: Option<&ProtoDuration>) -> Result<Duration, ErrorDetails> {
    let Some(given) = given else { return Ok(Duration::ZERO) };
    let read = duration_millis(given)
        .map(Duration::from_millis)
        .filter(|wait| *wait <= WAIT_MAX);
    read.ok_or_else(|| invalid_field(Code::WaitInvalid, &At::top("wait"), "must be 0 to 60 s"))
}

/// The `ttl` of a request in milliseconds; absent: the tenant's.
///
/// # Errors
/// `WAIT_INVALID` when not positive or above [`TTL_MAX`].
pub fn ttl_millis(given: Option<&ProtoDuration>) -> Result<Option<u64>, ErrorDetails> {
    let Some(given) = given else { return Ok(None) };
    let read = duration_millis(given).filter(|ttl| *ttl > 0 && Duration::from_millis(*ttl) <= TTL_MAX);
    let text = format!("must be above 0 and at most {} s", TTL_MAX.as_secs());
    read.map(Some)
        .ok_or_else(|| invalid_field(Code::WaitInvalid, &At::top("ttl"), text))
}

/// How long the answer may wait within the call's own deadline, so that the caller gets the job as it stands instead
/// of a deadline error.
#[must_use]
pub fn within_call(wait: Duration, metadata: &MetadataMap) -> Duration {
    let deadline = metadata
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(grpc_timeout);
    match deadline {
        Some(deadline) => wait.min(deadline.saturating_sub(MARGIN_MAX.min(deadline / 10))),
        None => wait,
    }
}

/// `grpc-timeout` of the public gRPC over HTTP/2 protocol: at most eight digits and a unit.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(timeout: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        metadata
    }

    #[test]
    fn an_answer_leaves_before_the_deadline_of_its_call() {
        let wait = Duration::from_secs(30);
        assert_eq!(within_call(wait, &call("10S")), Duration::from_millis(9_800));
        assert_eq!(within_call(wait, &call("100m")), Duration::from_millis(90));
        assert_eq!(within_call(wait, &call("1H")), wait);
        assert_eq!(within_call(wait, &MetadataMap::new()), wait);
        for nonsense in ["", "S", "10", "-1S", "123456789S", "1Ж", "99999999999999999999S"] {
            let metadata = nonsense.parse().map(|value| {
                let mut metadata = MetadataMap::new();
                metadata.insert("grpc-timeout", value);
                metadata
            });
            assert_eq!(within_call(wait, &metadata.unwrap_or_default()), wait, "{nonsense}");
        }
    }

    #[test]
    fn wait_and_ttl_outside_their_ranges_are_refused() {
        let seconds = |seconds| ProtoDuration { seconds, nanos: 0 };
        assert_eq!(wait(None).unwrap(), Duration::ZERO);
        assert_eq!(wait(Some(&seconds(60))).unwrap(), WAIT_MAX);
        for bad in [-1, 61, i64::MAX, i64::MIN] {
            assert_eq!(wait(Some(&seconds(bad))).unwrap_err().code, Code::WaitInvalid, "{bad}");
        }
        assert_eq!(ttl_millis(Some(&seconds(300))).unwrap(), Some(300_000));
        for bad in [0, -1, 86_401, i64::MAX] {
            assert_eq!(
                ttl_millis(Some(&seconds(bad))).unwrap_err().code,
                Code::WaitInvalid,
                "{bad}"
            );
        }
    }
}
