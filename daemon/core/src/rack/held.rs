//! Jobs that are held because their document may stand in an FN: decided as soon as every FN was read.
//!
//! | the document that may be the job's | its content | the job |
//! | --- | --- | --- |
//! | carries the job's own key | equal, the buyer too | is `COMPLETED` with it |
//! | carries the job's own key | other | a person: one key, two contents |
//! | carries a key of our rack for the same client's key (20 bits) | equal | is `COMPLETED` with it |
//! | carries a key of our rack for the same client's key (20 bits) | other | a person: either the client changed what it asks under one key, or two keys share 20 bits, and nothing in the document tells which; only a `key_time` after the document's time proves that it is another's (then it is no candidate) |
//! | carries no key of ours; kind, sign and total equal | equal, and the job's document carries no key either | is `COMPLETED` with it, if it is the only such document; else a person |
//! | carries no key of ours; kind, sign and total equal | equal, but the job's document would carry a key | a person: somebody else made just this receipt |
//! | carries no key of ours; kind, sign and total equal | other | it is another's: the job goes on |
//! | none, and the key is older than what the FNs still keep | | a person |
//! | none, every FN of the tenant read | | waits for a unit |
//!
//! Owns: that table.
//! Must never: let a job go on by anything but what was read, or decide while an FN of its tenant was not read.

use super::shared::{NotWritten, Shared};
use crate::domain::attempt::KeyPlace;
use crate::domain::compare::{Asked, differences};
use crate::domain::error::{RackError, Reason};
use crate::domain::explain::key_place;
use crate::domain::job::Job;
use crate::domain::orphan::Orphan;
use crate::journal::{Command, HeldStanding, HeldVerdict, Query, ReplyBody, Rows, SettleHeld, StoredJob};
use crate::parts::{Event, Point, Severity};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::ffd::Document;
use std::sync::Arc;
use std::time::Duration;

/// Held jobs that are looked at in one read.
const PAGE: u32 = 200;
/// Most documents that are compared with one job.
const CANDIDATES_MAX: usize = 64;
/// Pause before a look that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Decides on held jobs whenever something was read, submitted, or said by a person.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    loop {
        let looked = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            looked = look(&shared) => looked,
        };
        let failed = looked.is_err();
        if let Err(error) = looked {
            let event = Event::new(Severity::Warn, "held jobs could not be looked at").code(error.reason.code);
            shared.tell(event.detail(&error.reason.detail));
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = shared.held.notified() => {}
            () = tokio::time::sleep(AGAIN), if failed => {}
        }
    }
}

async fn look(shared: &Shared) -> Result<(), RackError> {
    let mut after = 0;
    loop {
        let Rows::Held(page) = shared.read(Query::Held { after, limit: PAGE }).await? else {
            return Ok(());
        };
        let Some(last) = page.last().map(|stored| stored.id) else {
            return Ok(());
        };
        after = last;
        for stored in page {
            decide(shared, stored).await?;
        }
    }
}

async fn decide(shared: &Shared, stored: StoredJob) -> Result<(), RackError> {
    let id = stored.id;
    let Rows::HeldStanding(standing) = shared.read(Query::HeldStanding(id)).await? else {
        return Ok(());
    };
    if standing.waits.is_some() {
        return Ok(());
    }
    let told = stored.job.needs_person.clone();
    let job = shared.unseal(stored).await?;
    let verdict = judge(shared, &job, standing).await?;
    if let HeldVerdict::Person(reason) = &verdict
        && told.as_ref() == Some(reason)
    {
        return Ok(());
    }
    let (severity, what) = match &verdict {
        HeldVerdict::Claim(_) => (Severity::Info, "the document of a held job stands in an FN"),
        HeldVerdict::Release => (Severity::Info, "a held job goes on: no FN holds its document"),
        HeldVerdict::Person(_) => (Severity::Error, "a held job needs a person"),
    };
    let order = SettleHeld {
        job: id,
        verdict,
        client: None,
        at: shared.now(),
    };
    shared.points.reach(Point::HeldDecided).await;
    let reply = shared.commit(Command::SettleHeld(Box::new(order))).await;
    match reply {
        Ok(ReplyBody::JobState(state)) => {
            shared.tell(Event::new(severity, what).job(job.key).detail(state));
            if state == JobState::Accepted {
                requeue(shared, id).await?;
            }
            shared.points.reach(Point::HeldSettled).await;
            Ok(())
        }
        // A person was faster.
        Ok(_) | Err(NotWritten::Refused(Code::DoubtNotFound, _)) => Ok(()),
        Err(error) => Err(error.into_error()),
    }
}

async fn requeue(shared: &Shared, id: i64) -> Result<(), RackError> {
    if let Rows::Job(Some(stored)) = shared.read(Query::JobById(id)).await? {
        shared.dispatch.put(shared.taken_of(&stored), None, false);
    }
    Ok(())
}

/// What the documents say of a job.
async fn judge(shared: &Shared, job: &Job, standing: HeldStanding) -> Result<HeldVerdict, RackError> {
    if standing.candidates.len() > CANDIDATES_MAX {
        let text = format!("more than {CANDIDATES_MAX} documents may be its");
        return Ok(HeldVerdict::Person(Reason::new(Code::DoubtOrphan, text)));
    }
    let place = KeyPlace::of(&job.receipt);
    let (mut keyed, mut keyless, mut doubtful) = (Vec::new(), Vec::new(), None);
    for orphan in &standing.candidates {
        let differ = compare(shared, job, orphan).await?;
        let at = format!("document {} of FN {}", orphan.document.fd, orphan.fn_number);
        match (orphan.document.key, differ) {
            (Some(_), None) => keyed.push(orphan),
            (Some(key), Some(why)) if key == job.key => {
                let text = format!("{at} carries its key but {why}");
                return Ok(HeldVerdict::Person(Reason::new(Code::ContentMismatch, text)));
            }
            (Some(key), Some(_)) => {
                let text = format!("{at} was made for the same client's key, as {key} says, with other content");
                doubtful.get_or_insert(Reason::new(Code::DoubtOrphan, text));
            }
            (None, None) => keyless.push((orphan, at)),
            (None, Some(_)) => {}
        }
    }
    Ok(match (keyed.as_slice(), keyless.as_slice()) {
        ([only], _) => HeldVerdict::Claim(only.id),
        ([first, second, ..], _) => HeldVerdict::Person(Reason::new(
            Code::DocumentDoubled,
            format!(
                "documents {} of FN {} and {} of FN {} both are its",
                first.document.fd, first.fn_number, second.document.fd, second.fn_number
            ),
        )),
        ([], [(only, _)]) if place == KeyPlace::ByContent => HeldVerdict::Claim(only.id),
        ([], [(_, at), ..]) => {
            let text = format!("{at} says the same and carries no key of this rack");
            HeldVerdict::Person(Reason::new(Code::DoubtOrphan, text))
        }
        ([], []) => doubtful
            .or(standing.person)
            .map_or(HeldVerdict::Release, HeldVerdict::Person),
    })
}

/// How a document differs from a job; `None` when it is equal tag by tag.
async fn compare(shared: &Shared, job: &Job, orphan: &Orphan) -> Result<Option<String>, RackError> {
    let Some(sealed) = &orphan.document.sealed else {
        return Ok(Some("its content is not kept".into()));
    };
    let keys = shared.keys(&job.tenant).await?;
    let bytes = shared.unseal_bytes(&job.tenant, &keys, sealed)?;
    let document = Document::decode_stlv(&bytes).map_err(|error| RackError::new(Code::JournalDamaged, error))?;
    let correction = document.kind() == Some(kassette_wire::ffd::DocumentCode::Correction);
    if correction != job.receipt.correction.is_some() {
        return Ok(Some("it is of another kind".into()));
    }
    // Where a key of ours stands, it is ours; elsewhere the same tag would be the customer's own.
    let place = key_place(&document.tags).unwrap_or(KeyPlace::ByContent);
    let asked = Asked {
        receipt: &job.receipt,
        place,
        dropped: None,
    };
    let found = differences(&document.tags, &asked);
    Ok((!found.is_empty()).then(|| found.join("; ")))
}
