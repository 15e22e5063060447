//! Reasons as the contract shows them.
//!
//! Owns: how a code and its particulars become one text for people.
//! Must never: word a code anew.

use super::time::timestamp;
use kassette_api::v1;
use kassette_core::domain::error::Reason;
use kassette_core::parts::UnixMillis;

/// A reason with its particulars.
#[must_use]
pub fn reason(why: &Reason) -> v1::Reason {
    let mut shown = v1::Reason::from(why.code);
    if !why.detail.is_empty() {
        shown.text = format!("{} {}", shown.text, why.detail);
    }
    shown
}

/// A reason that holds since a moment.
#[must_use]
pub fn lasting(why: &Reason, since: UnixMillis) -> v1::Reason {
    v1::Reason {
        since: Some(timestamp(since)),
        ..reason(why)
    }
}
