//! One job on this unit: intent, document, outcome, and the next job in the same commit.
//!
//! | what ends it | what may be true | what follows |
//! | --- | --- | --- |
//! | no reply to the intent's commit | on disk or not | nothing is sent; the rack ends and opens the journal again |
//! | no reply to a command before the closing one | an open document | doubt: the next session cancels it and proves |
//! | no reply to the closing command, or a cut one | made, not made, or made in seconds | doubt; never sent again |
//! | an error code of the table, and the last number unchanged | nothing was made | the job ends or waits again |
//! | any other error code | as with no reply | doubt |
//! | a good answer with another number than expected | a stale answer, or a foreign document | doubt |
//! | power of the host | the intent is durable | the next start finds it in doubt |
//! | the device returns under another name | as with no reply | identity is read before the doubt is settled |
//!
//! Owns: the way of a job from the queue to an outcome.
//! Must never: begin a document before its intent is durable, or begin a second one before the first has an outcome.

use super::readiness::Ready;
use super::recovery::read_evidence;
use super::session::{Session, SessionEnd};
use crate::dispatch::Taken;
use crate::dispatch::coverage::covered;
use crate::domain::attempt::{
    DeviceFault, DocumentKind, Evidence, KeyPlace, Learned, Made, MadeDocument, ReceiptOrder,
};
use crate::domain::device::Activity;
use crate::domain::error::Reason;
use crate::domain::explain::Wanted;
use crate::domain::job::Job;
use crate::journal::{BeginIntent, Command, EndIntent, JobEnd, OpenIntent, Query, ReplyBody, Rows, Verdict};
use crate::mutants::Mutant;
use crate::parts::{Event, Point, Severity};
use crate::rack::shared::NotWritten;
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use std::time::Duration;
use tokio::time::Instant;

/// After a wait longer than this the FN's last number is read again before a baseline is taken from it.
const GAP: Duration = Duration::from_millis(200);

/// Pause before a job that could not be read from the journal is tried again.
const LOAD_AGAIN: Duration = Duration::from_secs(5);

/// A job ready to be made here.
pub(super) struct Loaded {
    pub(super) taken: Taken,
    job: Job,
    order: ReceiptOrder,
}

/// A job whose intent is durable. The intent is kept as it was begun: its baseline is the FN's last number before the
/// first byte, whatever is read of the FN afterwards.
pub(super) struct Begun {
    pub(super) loaded: Loaded,
    pub(super) intent: OpenIntent,
}

impl Session<'_> {
    /// Makes a job, and then the next for as long as jobs wait.
    pub(super) async fn work(&mut self, taken: Taken) -> Result<(), SessionEnd> {
        self.shared.points.reach(Point::JobTaken).await;
        let Some(loaded) = self.load(taken).await? else {
            return Ok(());
        };
        if !self.baseline_is_fresh(&loaded.taken).await? {
            return Ok(());
        }
        if self.actor.over() {
            self.put_back(loaded.taken, None);
            return Err(SessionEnd::Over);
        }
        let order = self.begin_order(&loaded);
        let mut sent = None;
        // Naive: the attempt is worth a row when something came of it.
        if self.shared.points.mutant(Mutant::IntentAfterSending) {
            sent = Some(self.driver.make_receipt(&loaded.order).await);
        }
        let begun = match self.shared.commit(Command::Begin(Box::new(order.clone()))).await {
            Ok(ReplyBody::Begun { intent, .. }) => Ok(intent),
            Ok(_) => Err(NotWritten::Refused(Code::InternalFault, "no attempt began".into())),
            Err(error) => Err(error),
        };
        let intent = match begun {
            Ok(intent) => open_intent(order, &loaded, intent),
            Err(error) => return Err(self.not_begun(loaded.taken, error).await),
        };
        let mut current = Some(Begun { loaded, intent });
        while let Some(begun) = current {
            // Its intent is durable, nothing of it was sent.
            if let Err(end) = Box::pin(self.audit_pressing()).await {
                return Err(self.not_sent(begun, end).await);
            }
            current = Box::pin(self.attempt(begun, sent.take())).await?;
        }
        self.shared.publish(&self.actor.label, |unit| unit.job = None);
        Ok(())
    }

    /// The session ends before the first byte: the next one reads the FN, which proves that nothing was made.
    async fn not_sent(&mut self, begun: Begun, end: SessionEnd) -> SessionEnd {
        let text = match end {
            SessionEnd::Failed(reason) => reason.detail,
            _ => "the register was stopped before anything was sent".to_owned(),
        };
        self.doubt_job(begun, Reason::new(Code::AttemptNotSent, text), None)
            .await
    }

    /// The intent is not on the disk: the job waits again, unless nobody knows.
    async fn not_begun(&mut self, taken: Taken, error: NotWritten) -> SessionEnd {
        match error {
            NotWritten::Stopped => SessionEnd::Over,
            NotWritten::Full => {
                self.put_back(taken, Some(Duration::from_secs(1)));
                SessionEnd::Failed(Reason::new(Code::JournalFull, "no room for an attempt"))
            }
            // Its document was found in an FN since it was taken: it waits no more.
            NotWritten::Refused(Code::JobInDoubt, _) => {
                self.shared.held.notify_one();
                SessionEnd::Again
            }
            NotWritten::Refused(code, text) => {
                self.put_back(taken, Some(Duration::from_secs(1)));
                self.isolate(Reason::new(code, text)).await
            }
        }
    }

    fn put_back(&self, taken: Taken, pause: Option<Duration>) {
        self.shared
            .dispatch
            .put(taken, pause.map(|pause| Instant::now() + pause), false);
    }

    /// Loads a job whole; `None` when it went back to the queue or cannot be made at all.
    async fn load(&mut self, taken: Taken) -> Result<Option<Loaded>, SessionEnd> {
        let loaded = match self.shared.read(Query::JobById(taken.job.id)).await {
            Ok(Rows::Job(Some(stored))) => self.shared.unseal(*stored).await,
            Ok(_) => Err(crate::domain::error::RackError::new(Code::JobNotFound, taken.job.key)),
            Err(error) => Err(error),
        };
        let job = match loaded {
            Ok(job) => job,
            // The job's trouble, not the unit's: it goes on with others.
            Err(error) => {
                let event =
                    Event::new(Severity::Error, "a job cannot be read; it is tried again").code(error.reason.code);
                self.shared.tell(event.job(taken.job.key).detail(&error.reason.detail));
                self.put_back(taken, Some(LOAD_AGAIN));
                return Ok(None);
            }
        };
        if job.state != JobState::Accepted {
            let event = Event::new(Severity::Error, "a queued job is not waiting").code(Code::InternalFault);
            self.shared.tell(event.job(job.key).detail(job.state));
            return Ok(None);
        }
        let order = ReceiptOrder {
            receipt: job.receipt.clone(),
            key: job.key,
            key_place: KeyPlace::of(&job.receipt),
        };
        let today = match self.host_time() {
            Ok(time) => time.calendar().date(),
            Err(end) => {
                self.put_back(taken, None);
                return Err(end);
            }
        };
        if let Err((reason, _)) = covered(&self.registration, &job.tenant, &job.receipt, today) {
            self.not_here(taken, reason).await?;
            return Ok(None);
        }
        if let Some((code, text)) = self.driver.cannot_make(&order, &self.registration) {
            let text = format!("{} cannot make job {}: {text}", self.adoption.register, job.key);
            self.tell(Severity::Warn, "a unit cannot make a job", Some(code), &text);
            self.not_here(taken, Reason::new(code, text)).await?;
            return Ok(None);
        }
        Ok(Some(Loaded { taken, job, order }))
    }

    /// This unit cannot make the job; when no adopted unit of the tenant can, a person is told.
    async fn not_here(&mut self, mut taken: Taken, reason: Reason) -> Result<(), SessionEnd> {
        taken.job.not_on.insert(self.adoption.register.clone());
        let standing = self.shared.plan.borrow().clone();
        let mut units = standing
            .checked
            .registers
            .values()
            .filter(|unit| unit.tenant == taken.job.tenant);
        if units.any(|unit| !taken.job.not_on.contains(&unit.register)) {
            self.put_back(taken, None);
            return Ok(());
        }
        let command = Command::SetAside {
            job: taken.job.id,
            reason,
            at: self.shared.now(),
        };
        let written = self.shared.commit_until_done(command).await;
        // Whatever the journal said, the job stays in the queue: its ttl ends it.
        self.shared.dispatch.put(taken, None, written.is_ok());
        written.map(|_| ()).map_err(SessionEnd::from)
    }

    /// After any gap, and always on a shared medium, the FN is read before a baseline is taken from it.
    async fn baseline_is_fresh(&mut self, taken: &Taken) -> Result<bool, SessionEnd> {
        if self.read_at.elapsed() <= GAP && !self.driver.shared_medium() {
            return Ok(true);
        }
        if let Err(end) = self.look().await {
            self.put_back(taken.clone(), None);
            return Err(end);
        }
        if !matches!(self.ready(), Ready::Yes | Ready::CloseWhenQuiet) {
            self.put_back(taken.clone(), None);
            return Ok(false);
        }
        Ok(true)
    }

    fn begin_order(&self, loaded: &Loaded) -> BeginIntent {
        BeginIntent {
            job: Some(loaded.taken.job.id),
            kind: if loaded.job.receipt.correction.is_some() {
                DocumentKind::Correction
            } else {
                DocumentKind::Receipt
            },
            register: self.adoption.register.clone(),
            rnm: self.registration.rnm.clone(),
            fn_number: self.adoption.fn_number.clone(),
            baseline: self.status.fn_state.last_fd,
            job_key: Some(loaded.order.key),
            key_place: Some(loaded.order.key_place),
            content: Some(loaded.job.content_hash),
            at: self.shared.now(),
        }
    }

    /// One document. The intent is durable; `sent` is what came of one that went before it, which no honest host does.
    async fn attempt(&mut self, begun: Begun, sent: Option<Made>) -> Result<Option<Begun>, SessionEnd> {
        self.shared.points.reach(Point::IntentDurable).await;
        let key = begun.loaded.job.key;
        self.shared.publish(&self.actor.label, |unit| unit.job = Some(key));
        let mut made = match sent {
            Some(made) => made,
            None => self.driver.make_receipt(&begun.loaded.order).await,
        };
        // Naive: no answer came, so it was not done.
        if self.shared.points.mutant(Mutant::ResendOnTimeout) && timed_out(&made) {
            made = self.driver.make_receipt(&begun.loaded.order).await;
        }
        self.read_at = Instant::now();
        match made {
            Made::Good(document) => Box::pin(self.good(begun, document)).await,
            Made::Refused(refusal) => self.refused(begun, refusal).await,
            Made::Broken(broken) => {
                let device = DeviceFault {
                    command: broken.command.clone(),
                    device_code: None,
                };
                let reason = Reason::new(broken.code, format!("{}: {}", broken.command, broken.text));
                Err(self.doubt_job(begun, reason, Some(device)).await)
            }
        }
    }

    pub(super) async fn doubt_job(&mut self, begun: Begun, reason: Reason, device: Option<DeviceFault>) -> SessionEnd {
        self.fall_into_doubt(begun.intent, Some(begun.loaded.taken), reason, device)
            .await
    }

    /// A good answer counts only if its number is the one the attempt explains.
    async fn good(&mut self, begun: Begun, mut made: MadeDocument) -> Result<Option<Begun>, SessionEnd> {
        let baseline = begun.intent.baseline;
        // Naive: a good answer to our command is ours; we know the number it makes.
        if self.shared.points.mutant(Mutant::StaleSameCommand) {
            made.fd = baseline.next().unwrap_or(made.fd);
        }
        if Some(made.fd) != baseline.next() {
            let text = format!("the answer names document {}, the last one was {baseline}", made.fd);
            return Err(self.doubt_job(begun, Reason::new(Code::DoubtOpen, text), None).await);
        }
        let evidence = match self.answer_evidence(&begun.loaded, &made).await {
            Ok(evidence) => evidence,
            Err(reason) => return Err(self.doubt_job(begun, reason, None).await),
        };
        self.shared.points.reach(Point::OutcomeBefore).await;
        self.status.fn_state.last_fd = made.fd;
        self.status.fn_state.last_time = Some(evidence.time);
        self.clock_showed(evidence.time);
        self.status.shift.receipts = evidence.number_in_shift;
        if self.actor.prints() {
            self.status.activity = Activity::Busy;
            "after a receipt".clone_into(&mut self.status.mode_text);
        }
        self.actor.calm();
        Box::pin(self.completed(begun, evidence)).await
    }

    async fn answer_evidence(&mut self, loaded: &Loaded, made: &MadeDocument) -> Result<Evidence, Reason> {
        let witness = self.witness();
        let Some(time) = made.time else {
            let wanted = wanted(&loaded.job, Some(loaded.order.key_place));
            return read_evidence(self.driver.as_mut(), made.fd, &wanted, &witness).await;
        };
        Ok(Evidence {
            fn_number: witness.fn_number,
            fd: made.fd,
            fp: made.fp,
            shift: made.shift.unwrap_or(self.status.shift.number),
            number_in_shift: self.status.shift.receipts.saturating_add(1),
            time,
            zone_minutes: witness.zone_minutes,
            register: witness.register,
            rnm: witness.rnm,
            total: loaded.job.receipt.total,
            learned: Learned::Answer,
        })
    }

    /// Commits the outcome; together with the next intent if a job waits at this moment.
    async fn completed(&mut self, begun: Begun, evidence: Evidence) -> Result<Option<Begun>, SessionEnd> {
        self.shared.dispatch.made(&self.adoption.register);
        let text = format!("document {} of FN {}", evidence.fd, evidence.fn_number);
        let end = EndIntent {
            intent: begun.intent.intent,
            last_fd: evidence.fd,
            verdict: Verdict::Made(Box::new(evidence)),
            job_end: JobEnd::Completed,
            reason: None,
            device: None,
            scan: None,
            needs_person: None,
            at: self.shared.now(),
        };
        let next = self.next_job().await;
        let order = next.as_ref().map(|next| self.begin_order(next));
        let command = Command::End(Box::new(end), order.clone().map(Box::new));
        let reply = match self.shared.commit_until_done(command).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.not_ended(begun, next, error).await),
        };
        self.shared.points.reach(Point::OutcomeDurable).await;
        let event = Event::new(Severity::Info, "a receipt was made").register(&self.adoption.register);
        self.shared.tell(
            event
                .fn_number(&self.adoption.fn_number)
                .job(begun.loaded.job.key)
                .detail(text),
        );
        self.publish_device();
        let Some((next, order)) = next.zip(order) else {
            return Ok(None);
        };
        match reply {
            ReplyBody::Ended {
                next: Some((intent, _)),
                ..
            } => Ok(Some(Begun {
                intent: open_intent(order, &next, intent),
                loaded: next,
            })),
            _ => {
                self.put_back(next.taken, None);
                Ok(None)
            }
        }
    }

    /// The outcome is not on the disk. If the journal refused it, the lane must not go on: it is a doubt, and the FN
    /// explains the document again.
    async fn not_ended(&mut self, begun: Begun, next: Option<Loaded>, error: NotWritten) -> SessionEnd {
        if let Some(next) = next {
            self.put_back(next.taken, None);
        }
        match error {
            NotWritten::Refused(code, text) => self.doubt_job(begun, Reason::new(code, text), None).await,
            NotWritten::Full | NotWritten::Stopped => error.into(),
        }
    }

    /// The next job, if one waits now and this unit may go on without a look at it first.
    async fn next_job(&mut self) -> Option<Loaded> {
        // A new plan is looked at before the next job, also when the queue is never empty.
        let unchanged = self.shared.plan.borrow().version == self.plan_version;
        if self.actor.over() || !unchanged || self.driver.shared_medium() || self.ready() != Ready::Yes {
            return None;
        }
        let taken = self.shared.dispatch.try_take(&self.facts())?;
        self.shared.points.reach(Point::JobTaken).await;
        self.load(taken).await.ok().flatten()
    }
}

/// Whether nothing came back.
fn timed_out(made: &Made) -> bool {
    matches!(made, Made::Broken(broken) if broken.code == Code::RegisterSilent)
}

fn open_intent(order: BeginIntent, loaded: &Loaded, intent: i64) -> OpenIntent {
    OpenIntent {
        intent,
        kind: order.kind,
        register: order.register,
        fn_number: order.fn_number,
        baseline: order.baseline,
        job: order.job,
        tenant: Some(loaded.job.tenant.clone()),
        job_key: order.job_key,
        key_place: order.key_place,
    }
}

/// What an attempt of this job looks for in the FN.
pub(super) fn wanted(job: &Job, place: Option<KeyPlace>) -> Wanted<'_> {
    let place = place.unwrap_or_else(|| KeyPlace::of(&job.receipt));
    let kind = if job.receipt.correction.is_some() {
        DocumentKind::Correction
    } else {
        DocumentKind::Receipt
    };
    Wanted {
        kind,
        receipt: Some(&job.receipt),
        key: Some((&job.key, place)),
    }
}
