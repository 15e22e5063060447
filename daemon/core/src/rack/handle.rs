//! The handle: the one way into a running rack, in domain types.
//!
//! Owns: nothing; it asks.
//! Must never: hand out anything that could write past the journal.

use super::doubts::{self, ReadingOrder, VerdictOrder};
use super::intake::{self, Request};
use super::orders::{AppliedPlan, ApplyOrder, TenantOrder};
use super::shared::{Shared, Standing};
use crate::domain::doubt::{DoubtFilter, ShownDoubt};
use crate::domain::error::RackError;
use crate::domain::finding::{ClearOrder, Finding};
use crate::domain::job::{
    CancelOrder, DocumentFilter, DocumentRow, Job, JobEvent, JobFilter, JobSelect, Page, SubmitOrder, Submitted,
};
use crate::domain::plan::RackPlan;
use crate::domain::snapshot::RackSnapshot;
use crate::domain::verdict::Judgement;
use crate::journal::{CareFound, CareOrder, CareWork, Command, Query, Rows, StoredJob, UpgradeFacts};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::Receipt;
use kassette_receipts::rules::Violation;
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A handle on a rack; cheap to clone.
#[derive(Clone)]
pub struct RackHandle {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

fn stopping() -> RackError {
    RackError::new(Code::DaemonStopping, "the rack takes no requests any more").retry_after(5_000)
}

fn other_question() -> RackError {
    RackError::new(Code::InternalFault, "the journal answered another question")
}

fn cursor_stale(after: u64, floor: u64) -> RackError {
    let text = format!("cursor {after} lies outside the events kept, which begin at {floor}");
    RackError::new(Code::CursorStale, text)
}

impl RackHandle {
    pub(super) fn new(shared: Arc<Shared>, requests: mpsc::Sender<Request>) -> Self {
        Self { shared, requests }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, RackError>>) -> Request,
    ) -> Result<T, RackError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// Submits a job. When this returns `Ok` the job is durable. Dropping the future does not take the job back.
    ///
    /// # Errors
    /// [`RackError`] with every violation, or the reason why nothing was stored.
    pub async fn submit(&self, order: SubmitOrder) -> Result<Submitted, RackError> {
        self.ask(|answer| Request::Submit(Box::new(order), answer)).await
    }

    /// Every rule the receipt breaks at a moment, or now; nothing is stored.
    ///
    /// # Errors
    /// [`RackError`] when this release cannot make it, or no registration of the tenant covers it.
    pub async fn validate(
        &self,
        tenant: &Inn,
        receipt: &Receipt,
        at: Option<UnixMillis>,
    ) -> Result<Vec<Violation>, RackError> {
        if !self.shared.plan.borrow().checked.tenants.contains_key(tenant) {
            return Err(RackError::new(Code::TenantUnknown, tenant).fact("tenant", tenant));
        }
        let at = at.unwrap_or_else(|| self.shared.now());
        let violations = intake::violations(&self.shared, tenant, receipt, at);
        if violations.is_empty() {
            intake::not_yet(receipt)?;
            intake::coverage(&self.shared, tenant, receipt, at)?;
        }
        Ok(violations)
    }

    /// One job, with its buyer while that is kept.
    ///
    /// # Errors
    /// [`RackError`] when the journal cannot be read.
    pub async fn job(&self, select: JobSelect) -> Result<Option<Job>, RackError> {
        match self.shared.read(Query::Job(select)).await? {
            Rows::Job(Some(stored)) => Ok(Some(self.shared.unseal(*stored).await?)),
            _ => Ok(None),
        }
    }

    /// Notes that a job was shown to its client as it stands; its end is noted durably some time later.
    pub fn shown(&self, job: &Job) {
        self.shared.was_shown(job);
    }

    /// What a change of the program depends on.
    ///
    /// # Errors
    /// [`RackError`] when the journal cannot be read.
    pub async fn upgrade_facts(&self) -> Result<UpgradeFacts, RackError> {
        match self.shared.read(Query::Care(CareWork::Upgrade)).await? {
            Rows::Care(CareFound::Upgrade(facts)) => Ok(*facts),
            _ => Err(RackError::new(
                Code::InternalFault,
                "the journal answered another question",
            )),
        }
    }

    /// Notes that a whole backup, begun at this moment, was handed out.
    ///
    /// # Errors
    /// [`RackError`] when the journal did not take it.
    pub async fn backed_up(&self, at: UnixMillis) -> Result<(), RackError> {
        let noted = self.shared.commit(Command::Care(CareOrder::BackedUp { at })).await;
        noted.map(drop).map_err(super::shared::NotWritten::into_error)
    }

    /// A page of jobs, newest first.
    ///
    /// # Errors
    /// [`RackError`] when the journal cannot be read.
    pub async fn jobs(&self, filter: JobFilter, after: Option<i64>, limit: u32) -> Result<Page<Job>, RackError> {
        let Rows::Jobs(page) = self.shared.read(Query::Jobs { filter, after, limit }).await? else {
            return Err(RackError::new(
                Code::InternalFault,
                "the journal answered another question",
            ));
        };
        let rows = self.unseal_all(page.rows).await?;
        Ok(Page {
            rows,
            next: page.next,
            looked: page.looked,
            sequence: page.sequence,
        })
    }

    async fn unseal_all(&self, stored: Vec<StoredJob>) -> Result<Vec<Job>, RackError> {
        let mut jobs = Vec::with_capacity(stored.len());
        for row in stored {
            jobs.push(self.shared.unseal(row).await?);
        }
        Ok(jobs)
    }

    /// A page of documents, in the order they were learned.
    ///
    /// # Errors
    /// [`RackError`] when the journal cannot be read.
    pub async fn documents(
        &self,
        filter: DocumentFilter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<DocumentRow>, RackError> {
        match self.shared.read(Query::Documents { filter, after, limit }).await? {
            Rows::Documents(page) => Ok(page),
            _ => Err(RackError::new(
                Code::InternalFault,
                "the journal answered another question",
            )),
        }
    }

    /// Jobs that changed after a sequence, in order, and the sequence to continue from.
    ///
    /// # Errors
    /// [`RackError`] with `CURSOR_STALE` when events after that sequence are not kept any more.
    pub async fn job_events(
        &self,
        tenant: Option<Inn>,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<JobEvent>, u64), RackError> {
        match self.shared.read(Query::JobEvents { tenant, after, limit }).await? {
            Rows::JobEvents { rows, upto } => {
                let mut events = Vec::with_capacity(rows.len());
                for (sequence, stored) in rows {
                    events.push(JobEvent {
                        sequence,
                        job: self.shared.unseal(stored).await?,
                    });
                }
                Ok((events, upto))
            }
            Rows::CursorStale(floor) => Err(cursor_stale(after, floor)),
            _ => Err(RackError::new(
                Code::InternalFault,
                "the journal answered another question",
            )),
        }
    }

    /// The latest commit sequence, and each change of it.
    #[must_use]
    pub fn sequence(&self) -> watch::Receiver<u64> {
        self.shared.sequence.subscribe()
    }

    /// The oldest sequence a watch can begin at.
    ///
    /// # Errors
    /// [`RackError`] when the journal cannot be read.
    pub async fn oldest_event(&self) -> Result<u64, RackError> {
        match self.shared.read(Query::EventsFloor).await? {
            Rows::CursorStale(floor) => Ok(floor.saturating_sub(1)),
            _ => Err(RackError::new(
                Code::InternalFault,
                "the journal answered another question",
            )),
        }
    }

    /// The job as it stands when it is final, or at `until`.
    ///
    /// # Errors
    /// [`RackError`] with `JOB_NOT_FOUND`, or when the journal cannot be read.
    pub async fn wait_final(&self, tenant: &Inn, key: &JobKey, until: Instant) -> Result<Job, RackError> {
        let ending = self.shared.endings.of(key);
        loop {
            let called = ending.called();
            tokio::pin!(called);
            called.as_mut().enable();
            let select = JobSelect::Name {
                tenant: tenant.clone(),
                key: *key,
            };
            let found = self.job(select).await?;
            let job = found.ok_or_else(|| RackError::new(Code::JobNotFound, key))?;
            if job.state.is_final() || Instant::now() >= until {
                return Ok(job);
            }
            tokio::select! {
                biased;
                () = called => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Takes a job back while it never had an attempt. Taking back one that was taken back changes nothing.
    ///
    /// # Errors
    /// [`RackError`] with `JOB_HAD_ATTEMPT`, `JOB_FINAL`, `JOB_NOT_FOUND` or `REQUEST_ID_CONFLICT`.
    pub async fn cancel(&self, order: CancelOrder) -> Result<Job, RackError> {
        self.ask(|answer| Request::Cancel(Box::new(order), answer)).await
    }

    /// Clears the findings on a document, so that they stop its register no longer; those that are left on its FN.
    ///
    /// # Errors
    /// [`RackError`] with `FINDING_NOT_FOUND`, or `REQUEST_INVALID` without a reason.
    pub async fn clear_finding(&self, order: ClearOrder) -> Result<Vec<Finding>, RackError> {
        self.ask(|answer| Request::ClearFinding(Box::new(order), answer)).await
    }

    /// Every finding that nobody cleared, by FN and document.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.shared.all_findings()
    }

    /// The one snapshot, and each change of it.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Arc<RackSnapshot>> {
        self.shared.snapshot.subscribe()
    }

    /// The plan that stands, and its version.
    ///
    /// # Errors
    /// None today; reading it may become a read of the journal.
    pub async fn plan(&self) -> Result<(RackPlan, u64), RackError> {
        let standing = self.shared.plan.borrow().clone();
        let mut plan = standing.plan.clone();
        plan.rack_id.clone_from(&self.shared.snapshot.borrow().rack_id);
        Ok((plan, standing.version))
    }

    /// What stands now, as checked, with the revisions of tenants.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.shared.plan.borrow().clone()
    }

    /// Changes tenants, or says what would stand.
    ///
    /// # Errors
    /// [`RackError`] with `TENANT_UNKNOWN`, `ETAG_MISMATCH`, `REQUEST_ID_CONFLICT`, or every error of the plan.
    pub async fn change_tenants(&self, order: TenantOrder) -> Result<Arc<Standing>, RackError> {
        self.ask(|answer| Request::ChangeTenants(Box::new(order), answer)).await
    }

    /// Tenants that changed after a sequence, in order, and the sequence to continue from.
    ///
    /// # Errors
    /// [`RackError`] with `CURSOR_STALE` when events after that sequence are not kept any more.
    pub async fn tenant_events(&self, after: u64, limit: u32) -> Result<(Vec<(u64, Inn)>, u64), RackError> {
        match self.shared.read(Query::TenantEvents { after, limit }).await? {
            Rows::TenantEvents { rows, upto } => Ok((rows, upto)),
            Rows::CursorStale(floor) => Err(cursor_stale(after, floor)),
            _ => Err(RackError::new(
                Code::InternalFault,
                "the journal answered another question",
            )),
        }
    }

    /// One doubt with everything seen and said of it.
    ///
    /// # Errors
    /// [`RackError`] with `DOUBT_NOT_FOUND`, or when the journal cannot be read.
    pub async fn doubt(&self, id: i64) -> Result<ShownDoubt, RackError> {
        let doubt = doubts::load(&self.shared, id).await?;
        Ok(doubts::shown(&self.shared, doubt))
    }

    /// A page of doubts, newest first; those that are settled too unless the filter wants the open ones alone.
    ///
    /// # Errors
    /// [`RackError`] when the journal cannot be read.
    pub async fn doubts(
        &self,
        filter: DoubtFilter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<ShownDoubt>, RackError> {
        match self.shared.read(Query::Doubts { filter, after, limit }).await? {
            Rows::Doubts(page) => Ok(Page {
                rows: page
                    .rows
                    .into_iter()
                    .map(|one| doubts::shown(&self.shared, one))
                    .collect(),
                next: page.next,
                looked: page.looked,
                sequence: page.sequence,
            }),
            _ => Err(other_question()),
        }
    }

    /// Doubts that changed after a sequence, in order, and the sequence to continue from.
    ///
    /// # Errors
    /// [`RackError`] with `CURSOR_STALE` when events after that sequence are not kept any more.
    pub async fn doubt_events(&self, after: u64, limit: u32) -> Result<(Vec<(u64, ShownDoubt)>, u64), RackError> {
        match self.shared.read(Query::DoubtEvents { after, limit }).await? {
            Rows::DoubtEvents { rows, upto } => {
                let shown = |(sequence, doubt)| (sequence, doubts::shown(&self.shared, doubt));
                Ok((rows.into_iter().map(shown).collect(), upto))
            }
            Rows::CursorStale(floor) => Err(cursor_stale(after, floor)),
            _ => Err(other_question()),
        }
    }

    /// Gives a verdict on a doubt; the doubt after it. It counts when another client repeats it.
    ///
    /// # Errors
    /// [`RackError`] with what the verdict lacks or contradicts; then nothing was stored.
    pub async fn give_verdict(&self, order: VerdictOrder) -> Result<(ShownDoubt, Judgement), RackError> {
        self.ask(|answer| Request::GiveVerdict(Box::new(order), answer)).await
    }

    /// Lets the FN of a doubt be read again; the doubt after the order, not after the reading.
    ///
    /// # Errors
    /// [`RackError`] with `REGISTER_ABSENT` when the FN stands in no register, `DOUBT_SETTLED`, `DOUBT_NOT_FOUND`.
    pub async fn read_again(&self, order: ReadingOrder) -> Result<ShownDoubt, RackError> {
        self.ask(|answer| Request::ReadAgain(Box::new(order), answer)).await
    }

    /// Changes what stands in the rack, or says what that would change.
    ///
    /// # Errors
    /// [`RackError`] with every error of the plan, or why it cannot be applied now.
    pub async fn apply(&self, order: ApplyOrder) -> Result<AppliedPlan, RackError> {
        self.ask(|answer| Request::Apply(Box::new(order), answer)).await
    }

    /// Stops: no new attempt begins; one whose first byte was sent runs to its outcome, a closing command is waited out.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        self.shared
            .snapshot
            .send_modify(|snapshot| Arc::make_mut(snapshot).stopping = true);
        let mut ended = self.shared.ended.subscribe();
        tokio::select! {
            biased;
            () = self.requests.closed() => {}
            () = ended.wait_for(Option::is_some) => {}
        }
    }
}
