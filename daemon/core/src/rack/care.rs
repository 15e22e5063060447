//! Care of the journal while the rack works: ends that were shown, buyers nobody needs, archives, free pages, old rows.
//!
//! Each step is one short read or commit, and other work comes between two of them. A crash anywhere is made good by the
//! next round: what each step leaves behind stands at the top of `journal/care`.
//!
//! Owns: when care is taken, and what is told when an archive file is not what it was.
//! Must never: hold up a receipt, or end the rack: care can wait.

use super::shared::{NotWritten, Shared};
use crate::domain::error::{RackError, Reason};
use crate::domain::job::Job;
use crate::journal::unseal_buyer;
use crate::journal::{
    ArchiveCursor, ArchivePlan, CareDone, CareFound, CareOrder, CareWork, Command, DroppedBuyer, EndedBuyer, Query,
    ReplyBody, Rows, SealArchive,
};
use crate::parts::{Event, Severity, UnixMillis};
use kassette_receipts::digest::buyer_digests;
use kassette_receipts::hash::HashKey;
use kassette_wire::codes::Code;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at what was shown.
const LOOK: Duration = Duration::from_secs(60);
/// Looks between two rounds of everything else: an hour.
const LOOKS_A_ROUND: u32 = 60;
/// Rounds between two tries to archive: a day.
const ROUNDS_A_DAY: u32 = 24;
/// Between two steps of one round: other writes come first.
const STEP: Duration = Duration::from_millis(20);
/// Ends that wait to be noted as shown; more are noted when they are shown again.
const SHOWN_MAX: usize = 65_536;
/// Ends noted in one commit, and buyers looked at in one step.
const STEP_ROWS: u32 = 256;
/// What nobody was shown is archived after so many times the days of what was.
const UNSEEN_TIMES: i64 = 3;
const DAY_MS: i64 = 86_400_000;

/// Why a round ended early.
enum Ended {
    /// The rack stops.
    Stopping,
    /// The journal did not take it, or could not be read; the next round tries again.
    Later(String),
    /// An archive is not what it was.
    Fault(Reason),
}

impl From<RackError> for Ended {
    fn from(error: RackError) -> Self {
        match error.reason.code {
            Code::ArchiveMissing | Code::ArchiveDamaged => Self::Fault(error.reason),
            _ => Self::Later(error.reason.to_string()),
        }
    }
}

/// Runs until the rack stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let (mut looks, mut rounds) = (0_u32, 0_u32);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        note_shown(&shared).await;
        if looks.is_multiple_of(LOOKS_A_ROUND) {
            let ended = round(&shared, rounds.is_multiple_of(ROUNDS_A_DAY)).await;
            rounds = rounds.wrapping_add(1);
            if let Err(ended) = ended {
                tell(&shared, ended);
            }
        }
        looks = looks.wrapping_add(1);
    }
    note_shown(&shared).await;
}

fn tell(shared: &Shared, ended: Ended) {
    let (code, why) = match ended {
        Ended::Stopping => return,
        Ended::Later(why) => (Code::JournalStopped, why),
        Ended::Fault(reason) => (reason.code, reason.detail),
    };
    let event = Event::new(Severity::Warn, "care of the journal was put off to the next round");
    shared.tell(event.code(code).detail(why));
}

impl Shared {
    /// Notes that the end of a job was shown to its client.
    pub(super) fn was_shown(&self, job: &Job) {
        let Ok(row) = i64::try_from(job.key.parts().sequence.get()) else {
            return;
        };
        let mut shown = self.shown();
        if job.state.is_final() && shown.len() < SHOWN_MAX {
            shown.insert(row);
        }
    }
}

/// Ends that were shown become durable now and then: one that a crash forgets is noted when it is shown again.
async fn note_shown(shared: &Shared) {
    loop {
        let jobs: Vec<i64> = {
            let mut shown = shared.shown();
            (0..STEP_ROWS).map_while(|_| shown.pop_first()).collect()
        };
        if jobs.is_empty() {
            return;
        }
        let at = shared.now();
        if shared
            .commit(Command::Care(CareOrder::Shown { jobs, at }))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn pause(shared: &Shared) -> Result<(), Ended> {
    tokio::time::sleep(STEP).await;
    if shared.stopping() {
        Err(Ended::Stopping)
    } else {
        Ok(())
    }
}

async fn ask(shared: &Shared, work: CareWork) -> Result<CareFound, Ended> {
    pause(shared).await?;
    match shared.read(Query::Care(work)).await? {
        Rows::Care(CareFound::Fault(fault)) => Err(Ended::Fault(fault.reason)),
        Rows::Care(found) => Ok(found),
        _ => Err(Ended::Later("the journal answered another question".into())),
    }
}

async fn order(shared: &Shared, order: CareOrder) -> Result<CareDone, Ended> {
    pause(shared).await?;
    match shared.commit(Command::Care(order)).await {
        Ok(ReplyBody::Care(done)) => Ok(done),
        Ok(_) => Err(Ended::Later("the journal answered another order".into())),
        Err(NotWritten::Refused(code, text)) => Err(Ended::Later(Reason::new(code, text).to_string())),
        Err(error) => Err(error.into_error().into()),
    }
}

async fn round(shared: &Shared, archive: bool) -> Result<(), Ended> {
    drop_buyers(shared).await?;
    if archive {
        look_at_archives(shared).await?;
        archive_more(shared).await?;
    }
    let before = shared.now().plus_millis(-super::intake::KEY_HORIZON_MS);
    while order(shared, CareOrder::PruneOld { before }).await? == CareDone::More {}
    while order(shared, CareOrder::Shrink).await? == CareDone::More {}
    Ok(())
}

async fn drop_buyers(shared: &Shared) -> Result<(), Ended> {
    let mut after = 0;
    loop {
        let limit = STEP_ROWS;
        let CareFound::EndedBuyers(found, next) = ask(shared, CareWork::EndedBuyers { after, limit }).await? else {
            return Ok(());
        };
        let now = shared.now();
        let mut buyers = Vec::new();
        for buyer in found {
            let retention = {
                let standing = shared.plan.borrow();
                let tenant = standing.checked.tenants.get(&buyer.tenant);
                tenant.and_then(|tenant| tenant.contact_retention_s)
            };
            if buyer.may_be_dropped(retention, now) {
                buyers.extend(digested(shared, buyer).await);
            }
        }
        if !buyers.is_empty() {
            order(shared, CareOrder::DropBuyers { buyers, at: now }).await?;
        }
        match next {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

/// What stays of a buyer. One that cannot be read with the keys at hand stays whole: its digests could not be made.
async fn digested(shared: &Shared, buyer: EndedBuyer) -> Option<DroppedBuyer> {
    let EndedBuyer {
        job,
        key,
        tenant,
        sealed,
        ..
    } = buyer;
    let read = async {
        let keys = shared.keys(&tenant).await?;
        let found = unseal_buyer(&keys, &tenant, &sealed)
            .ok_or_else(|| RackError::new(Code::KeysMissing, "it cannot be decrypted with the keys at hand"))?;
        Ok::<_, RackError>(buyer_digests(&HashKey::new(keys.content), &key, &found))
    };
    match read.await {
        Ok(digests) => Some(DroppedBuyer { job, digests }),
        Err(error) => {
            let event = Event::new(Severity::Warn, "a buyer that nobody needs could not be dropped");
            shared.tell(event.job(key).code(error.reason.code).detail(error));
            None
        }
    }
}

/// Compares every archive with its hash, and takes out of the journal what a cut left there. What is wrong is shown until
/// a later look finds it right.
async fn look_at_archives(shared: &Shared) -> Result<(), Ended> {
    let CareFound::Archives(archives) = ask(shared, CareWork::List).await? else {
        return Ok(());
    };
    let mut faults = Vec::new();
    for (archive, unmoved) in archives {
        match ask(shared, CareWork::Place { archive }).await {
            Ok(_) if unmoved => move_out(shared, archive).await?,
            Ok(_) => {}
            Err(Ended::Fault(reason)) => faults.push(reason),
            Err(other) => return Err(other),
        }
    }
    for reason in &faults {
        let event = Event::new(
            Severity::Error,
            "an archive file of the journal is not what was written",
        );
        shared.tell(event.code(reason.code).detail(&reason.detail));
    }
    shared.archives_are(faults);
    Ok(())
}

async fn archive_more(shared: &Shared) -> Result<(), Ended> {
    let days = i64::from(shared.parts.policy.archive_after_days);
    if days == 0 {
        return Ok(());
    }
    let begin = CareWork::Begin {
        before: month_of(shared.now().plus_millis(-days * DAY_MS)),
        unseen_before: shared.now().plus_millis(-UNSEEN_TIMES * days * DAY_MS),
    };
    let CareFound::Begun(plan) = ask(shared, begin).await? else {
        return Ok(());
    };
    let Some(mut sealed) = copied(shared, plan).await? else {
        return Ok(());
    };
    sealed.at = shared.now();
    let (name, jobs) = (sealed.name.clone(), sealed.counts[0]);
    let CareDone::Sealed(archive) = order(shared, CareOrder::Seal(sealed)).await? else {
        return Ok(());
    };
    ask(shared, CareWork::Place { archive }).await?;
    move_out(shared, archive).await?;
    let event = Event::new(Severity::Info, "jobs that ended long ago were archived");
    shared.tell(event.detail(format!("{jobs} jobs are in {name} beside the journal")));
    Ok(())
}

async fn copied(shared: &Shared, plan: ArchivePlan) -> Result<Option<Box<SealArchive>>, Ended> {
    let mut next = Some(ArchiveCursor::START);
    while let Some(after) = next {
        let plan = plan.clone();
        next = match ask(shared, CareWork::Copy { plan, after }).await? {
            CareFound::Copied(next) => next,
            _ => return Ok(None),
        };
    }
    match ask(shared, CareWork::Finish { plan }).await? {
        CareFound::Finished(sealed) => Ok(Some(sealed)),
        _ => Ok(None),
    }
}

async fn move_out(shared: &Shared, archive: i64) -> Result<(), Ended> {
    let mut after = ArchiveCursor::START;
    loop {
        let at = shared.now();
        match order(shared, CareOrder::MoveOut { archive, after, at }).await? {
            CareDone::Moved(next) => after = next,
            _ => return Ok(()),
        }
    }
}

/// The first instant of a month, UTC: a file holds what ended up to the end of the month that it is named by.
fn month_of(at: UnixMillis) -> UnixMillis {
    let date = time::OffsetDateTime::from_unix_timestamp(at.seconds());
    let first = date.and_then(|date| date.replace_time(time::Time::MIDNIGHT).replace_day(1));
    first.map_or(UnixMillis(0), |first| {
        UnixMillis(first.unix_timestamp().saturating_mul(1000))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_its_first_instant() {
        let ms = |text: &str| {
            let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
            UnixMillis(at.unwrap().unix_timestamp() * 1000)
        };
        assert_eq!(month_of(ms("2026-11-22T23:15:00Z")), ms("2026-11-01T00:00:00Z"));
        assert_eq!(month_of(ms("2026-03-01T00:00:00Z")), ms("2026-03-01T00:00:00Z"));
        assert_eq!(month_of(ms("2024-02-29T23:59:59Z")), ms("2024-02-01T00:00:00Z"));
    }
}
