//! Two persons in a hurry: the OFD shows nothing of what is in doubt, so they say that nothing was made.
//!
//! Owns: the verdict that must never count (`exactly-once` C13, C14).
//! Must never: know more than persons do: whether the document stands in the FN.

use crate::play::Play;
use kassette_core::domain::doubt::{DoubtFilter, ShownDoubt};
use kassette_core::domain::verdict::{Absence, Claim, Claimed, DIGITS_MIN, Source};
use kassette_core::rack::{RackHandle, VerdictOrder};
use std::sync::Arc;

/// Doubts they look at.
const PAGE: u32 = 20;

/// They settle every doubt whose FN does not answer, if they are let.
pub(super) async fn hurry(play: &mut Play) {
    play.start().await;
    let (handle, shown) = (play.handle(), Arc::clone(&play.shown));
    let work = async move {
        let open = DoubtFilter {
            open: true,
            ..DoubtFilter::default()
        };
        let Ok(page) = handle.doubts(open, None, PAGE).await else {
            return;
        };
        for doubt in &page.rows {
            if settle(&handle, doubt).await.is_some() {
                let text = format!("I8: doubt {} is settled by what the OFD has not got", doubt.doubt.id);
                shown.is_wrong(text);
            }
        }
    };
    play.live(work).await;
}

/// Both say the same; `None` when they were refused.
async fn settle(handle: &RackHandle, doubt: &ShownDoubt) -> Option<()> {
    let order = |client: &str, repeats| VerdictOrder {
        doubt: doubt.doubt.id,
        claim: Claim {
            verdict: Claimed::NotMade(Absence::default()),
            source: Source::OfdCopy,
            words: "the cabinet of the OFD shows no receipt of this order".into(),
        },
        repeats,
        expected_revision: None,
        validate_only: false,
        reason: None,
        request_id: None,
        client: client.into(),
    };
    let (first, _) = handle.give_verdict(order("anna", None)).await.ok()?;
    let waiting = first.doubt.waiting?;
    let number = doubt.doubt.fn_number.as_str();
    let digits = number[number.len() - DIGITS_MIN..].to_owned();
    let second = order("boris", Some((waiting.confirmation, digits)));
    handle.give_verdict(second).await.ok().map(|_| ())
}
