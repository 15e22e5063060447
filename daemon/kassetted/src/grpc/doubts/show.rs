//! Doubts as the contract shows them.
//!
//! Owns: how what was seen and what was said become one line of evidence, and the etag.
//! Must never: word a reason anew.

use crate::grpc::convert::job::evidence as known_by;
use crate::grpc::convert::reason::{lasting, reason};
use crate::grpc::convert::time::timestamp;
use crate::grpc::names;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::attempt::DocumentKind;
use kassette_core::domain::doubt::{Doubt, DoubtState, Given, ShownDoubt, Sighting};
use kassette_core::domain::job::AttemptState;
use kassette_core::domain::verdict::{Claimed, Source};
use kassette_core::parts::UnixMillis;

/// A doubt. `settles`: the reader may give verdicts, and so is shown what a second person repeats.
pub fn doubt(shown: &ShownDoubt, settles: bool) -> v1::Doubt {
    let one = &shown.doubt;
    let confirmed = one.verdicts.iter().rev().find(|given| given.confirms.is_some());
    let first = confirmed.and_then(|second| one.verdicts.iter().find(|given| Some(given.id) == second.confirms));
    let waiting = one.waiting.as_ref().filter(|_| shown.state == DoubtState::Unconfirmed);
    let contradicting = one
        .review
        .as_ref()
        .filter(|review| review.is_incident())
        .and_then(|review| review.found);
    v1::Doubt {
        name: names::doubt(one.id),
        subject: subject(one.kind).into(),
        receipt_job: one.job.as_ref().map(|key| names::receipt(&one.tenant, key)),
        procedure: None,
        tenant: names::tenant(&one.tenant),
        register: names::register(&one.register),
        r#fn: names::fiscal_storage(&one.fn_number),
        attempt: one.attempt,
        baseline_fd: one.baseline.0,
        state: state(shown.state).into(),
        cause: Some(lasting(&one.cause, one.opened_at)),
        waits_for: shown.waits_for.as_ref().map(reason),
        evidence: evidence(one),
        verdict: verdict(one).into(),
        known_by: one
            .document
            .map_or(v1::Evidence::Unspecified, |(_, _, learned)| known_by(learned))
            .into(),
        fd: one.document.map(|(fd, _, _)| fd.0),
        verdict_by: first
            .map(|given| given.client.clone())
            .or_else(|| waiting.map(|waiting| waiting.client.clone())),
        confirmed_by: confirmed.map(|given| given.client.clone()),
        opened_at: Some(timestamp(one.opened_at)),
        resolved_at: one.resolved_at.map(timestamp),
        confirmation_id: waiting.filter(|_| settles).map(|waiting| waiting.confirmation.clone()),
        revision: one.revision,
        etag: etag(one.revision),
        contradicting_fd: contradicting.map(|(fd, _)| fd.0),
        contradicting_fp: contradicting.map(|(_, fp)| fp.0),
    }
}

/// Where a doubt stands, in the contract's word.
pub const fn state(state: DoubtState) -> v1::DoubtState {
    match state {
        DoubtState::WaitsForRegister => v1::DoubtState::WaitingForRegister,
        DoubtState::Reading => v1::DoubtState::Reading,
        DoubtState::NeedsPerson => v1::DoubtState::NeedsPerson,
        DoubtState::Unconfirmed => v1::DoubtState::VerdictUnconfirmed,
        DoubtState::Settled => v1::DoubtState::Resolved,
    }
}

const fn subject(kind: DocumentKind) -> v1::DoubtSubject {
    match kind {
        DocumentKind::Receipt | DocumentKind::Correction => v1::DoubtSubject::Receipt,
        DocumentKind::ShiftOpen => v1::DoubtSubject::ShiftOpen,
        DocumentKind::ShiftClose => v1::DoubtSubject::ShiftClose,
    }
}

const fn verdict(one: &Doubt) -> v1::DoubtVerdict {
    match one.state {
        AttemptState::Made => v1::DoubtVerdict::DocumentExists,
        AttemptState::NotMade => v1::DoubtVerdict::NoDocument,
        AttemptState::Open | AttemptState::InDoubt => v1::DoubtVerdict::Unspecified,
    }
}

/// What was seen and what was said, in its order.
fn evidence(one: &Doubt) -> Vec<v1::DoubtEvidence> {
    let seen = one.sightings.iter().map(|seen| (seen.at, sighting(seen)));
    let said = one.verdicts.iter().map(|given| (given.at, said(given)));
    let mut all: Vec<(UnixMillis, v1::DoubtEvidence)> = seen.chain(said).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, one)| one).collect()
}

fn sighting(seen: &Sighting) -> v1::DoubtEvidence {
    let unread = |what: &str| what == "no data";
    let (unread_fds, read_fds): (Vec<_>, Vec<_>) = seen.documents.iter().partition(|(_, what)| unread(what));
    let numbers = |rows: Vec<&(u32, String)>| rows.into_iter().map(|(fd, _)| *fd).collect();
    v1::DoubtEvidence {
        time: Some(timestamp(seen.at)),
        text: seen.text.clone(),
        last_fd: seen.last_fd.map(|fd| fd.0),
        idle_twice: seen.idle_twice,
        read_fds: numbers(read_fds),
        unread_fds: numbers(unread_fds),
        candidates: Vec::new(),
        person: seen.client.clone(),
        source: v1::EvidenceSource::Unspecified.into(),
    }
}

fn said(given: &Given) -> v1::DoubtEvidence {
    let what = match &given.claim.verdict {
        Claimed::Made(existing) => format!("document {} with sign {} exists", existing.fd, existing.fp.0),
        Claimed::NotMade(seen) => match (seen.first_fd, seen.last_fd, seen.fn_last_fd) {
            (Some(first), Some(last), _) => format!("there is no document; {first} to {last} are others"),
            (_, _, Some(end)) => format!("there is no document; the FN ends at {end}"),
            _ => "there is no document".to_owned(),
        },
    };
    let again = if given.confirms.is_some() { "repeated: " } else { "" };
    let why = given.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    v1::DoubtEvidence {
        time: Some(timestamp(given.at)),
        text: format!("{again}{what}: {}{why}", given.claim.words),
        person: Some(given.client.clone()),
        source: source(given.claim.source).into(),
        ..v1::DoubtEvidence::default()
    }
}

const fn source(source: Source) -> v1::EvidenceSource {
    match source {
        Source::FnReader => v1::EvidenceSource::FnReader,
        Source::OfdCopy => v1::EvidenceSource::OfdCopy,
        Source::Paper => v1::EvidenceSource::Paper,
    }
}

fn etag(revision: u64) -> String {
    format!("doubt-{revision}")
}

/// The revision of an etag.
///
/// # Errors
/// `ETAG_MISMATCH` when we did not give it.
pub fn read_etag(given: &str) -> Result<u64, ErrorDetails> {
    let revision = given.strip_prefix("doubt-").and_then(|revision| revision.parse().ok());
    revision.filter(|revision| etag(*revision) == given).ok_or_else(|| {
        ErrorDetails::new(Code::EtagMismatch).with_message("the etag was not given by GetDoubt or ListDoubts")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_that_we_did_not_give_never_match() {
        assert_eq!(read_etag(&etag(17)).unwrap(), 17);
        for bad in ["", "17", "doubt-", "doubt-+17", "doubt-017", "tenant-17"] {
            assert_eq!(read_etag(bad).unwrap_err().code, Code::EtagMismatch, "{bad}");
        }
    }
}
