//! An attempt that made nothing: what the register's refusal means for the job, and for the unit.
//!
//! Owns: the negative proof after a refusal, and where a job goes that was not made.
//! Must never: take an error code alone for proof.

use super::attempt::Begun;
use super::recovery::{IDLE_WAIT, LOOK_PAUSE};
use super::session::{FAULTS_MAX, Session, SessionEnd, manual_again};
use crate::dispatch::Taken;
use crate::dispatch::policy::{counts_as_poison, poisoned, retry_after};
use crate::domain::attempt::{About, DeviceFault, Refusal};
use crate::domain::device::Activity;
use crate::domain::error::Reason;
use crate::domain::unit::UnitState;
use crate::journal::{Command, EndIntent, JobEnd, ReplyBody, Scan, Verdict};
use crate::mutants::Mutant;
use crate::parts::{Event, Point, Severity};
use crate::rack::shared::NotWritten;
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use tokio::time::Instant;

impl Session<'_> {
    /// A refusal ends the attempt only if the table says that the FN was not asked to sign, and the FN's last number,
    /// read after that answer, still equals the baseline.
    pub(super) async fn refused(&mut self, begun: Begun, refusal: Refusal) -> Result<Option<Begun>, SessionEnd> {
        let baseline = begun.intent.baseline;
        let device = DeviceFault {
            command: refusal.command.clone(),
            device_code: Some(refusal.device_code),
        };
        let text = format!(
            "{} was refused with code {:02X}: {}",
            refusal.command, refusal.device_code, refusal.text
        );
        let reason = Reason::new(refusal.code, text);
        // Naive: an error code says that it was not done.
        let believed = self.shared.points.mutant(Mutant::RetryOnAnyCode);
        if !believed && (!refusal.before_signing || !self.unchanged_since(baseline).await) {
            return Err(self.doubt_job(begun, reason, Some(device)).await);
        }
        let job_end = if refusal.about == About::Document {
            JobEnd::Refused
        } else {
            JobEnd::Again
        };
        let Begun { loaded, intent } = begun;
        self.end_not_made(intent.intent, loaded.taken, reason.clone(), Some(device), job_end, None)
            .await?;
        self.shared.publish(&self.actor.label, |unit| unit.job = None);
        if job_end == JobEnd::Refused {
            return Ok(None);
        }
        match self.examine(reason).await {
            Some(end) => Err(end),
            None => Ok(None),
        }
    }

    /// Cancels what is open and reads the FN: whether nothing was made.
    async fn unchanged_since(&mut self, baseline: FdNumber) -> bool {
        let until = Instant::now() + IDLE_WAIT;
        loop {
            if self.refresh().await.is_err() {
                return false;
            }
            if self.status.activity != Activity::Busy || Instant::now() >= until || self.actor.over() {
                break;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        let open = self.status.activity == Activity::DocumentOpen || self.status.fn_state.document_open;
        if open && self.status.fn_state.last_fd == baseline {
            let cancelled = self.driver.cancel_document().await;
            if cancelled.is_err() || self.refresh().await.is_err() {
                return false;
            }
            self.shared.points.reach(Point::ResolveCancelled).await;
        }
        let idle = self.status.activity == Activity::Idle && !self.status.fn_state.document_open;
        idle && self.status.fn_state.last_fd == baseline
    }

    /// After a refusal about the device: what it means for the unit.
    pub(super) async fn examine(&mut self, reason: Reason) -> Option<SessionEnd> {
        match reason.code {
            Code::FnFull | Code::FnExpired | Code::FnUnsentTooOld => {
                self.not_ready(Some(reason.clone())).await;
                self.actor.enter(UnitState::Draining, reason).await;
                // Some of it passes by itself: the OFD takes what was unsent.
                Some(SessionEnd::Isolated {
                    retry: Some(manual_again(&self.shared)),
                })
            }
            Code::FnFault | Code::FnPhase => Some(self.isolate(reason).await),
            // It was still busy with the document before, and is idle now: from here on it is looked at in between.
            Code::RegisterBusy => {
                self.actor.learn_prints();
                None
            }
            _ if self.actor.refused() >= FAULTS_MAX => {
                let text = format!("{FAULTS_MAX} refusals in a row, the last: {}", reason.detail);
                Some(self.isolate_for_person(Reason::new(Code::RegisterFault, text)).await)
            }
            // Begin anew from identity, after a pause.
            _ => Some(SessionEnd::Failed(reason)),
        }
    }

    /// Commits that nothing was made, and lets the job wait again, end, or stand aside as poison.
    pub(super) async fn end_not_made(
        &mut self,
        intent: i64,
        mut taken: Taken,
        reason: Reason,
        device: Option<DeviceFault>,
        job_end: JobEnd,
        scan: Option<Scan>,
    ) -> Result<(), SessionEnd> {
        let end = EndIntent {
            intent,
            verdict: Verdict::NotMade,
            job_end,
            reason: Some(reason.clone()),
            device: device.clone(),
            scan,
            last_fd: self.status.fn_state.last_fd,
            needs_person: None,
            at: self.shared.now(),
        };
        let reply = self.shared.commit_until_done(Command::End(Box::new(end), None)).await?;
        self.shared.points.reach(Point::OutcomeDurable).await;
        let event = Event::new(Severity::Warn, "an attempt made no document").register(&self.adoption.register);
        self.shared.tell(
            event
                .fn_number(&self.adoption.fn_number)
                .job(taken.job.key)
                .code(reason.code)
                .detail(&reason.detail),
        );
        if job_end == JobEnd::Refused {
            return Ok(());
        }
        if let ReplyBody::Ended {
            job: Some((_, JobState::InDoubt)),
            ..
        } = reply
        {
            // Its document may stand in another FN: it does not wait for a unit yet.
            self.shared.held.notify_one();
            return Ok(());
        }
        taken.job.attempts = taken.job.attempts.saturating_add(1);
        if let Some(fault) = device.filter(|fault| counts_as_poison(reason.code, fault)) {
            taken.job.faults.push((self.adoption.register.clone(), fault));
        }
        self.requeue(taken).await
    }

    /// Puts a job back with a pause; a poisonous one waits for a person.
    async fn requeue(&mut self, taken: Taken) -> Result<(), SessionEnd> {
        let poison = poisoned(&taken.job.faults).map(|(first, second, fault)| {
            let code = fault
                .device_code
                .map_or("no answer".to_owned(), |code| format!("code {code:02X}"));
            Reason::new(
                Code::JobPoison,
                format!("{first} and {second} both gave {code} at {}", fault.command),
            )
        });
        let pause = Some(Instant::now() + retry_after(taken.job.attempts));
        let Some(reason) = poison else {
            self.shared.dispatch.put(taken, pause, false);
            return Ok(());
        };
        let command = Command::SetAside {
            job: taken.job.id,
            reason: reason.clone(),
            at: self.shared.now(),
        };
        let noted = self.shared.commit_until_done(command).await;
        let event = Event::new(Severity::Error, "a job was set aside as poison").code(reason.code);
        self.shared.tell(event.job(taken.job.key).detail(&reason.detail));
        // Also when the journal would not note it: the next start finds the same faults.
        self.shared.dispatch.put(taken, None, true);
        match noted {
            Err(NotWritten::Stopped) => Err(SessionEnd::Over),
            Ok(_) | Err(NotWritten::Full | NotWritten::Refused(..)) => Ok(()),
        }
    }
}
