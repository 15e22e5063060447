//! Doubts: settled from the FN before anything else is done with a unit.
//!
//! Owns: what a resolution means for the job, and what only a person can settle.
//! Must never: let a lane go on past a doubt, or move a job on without a resolution.

use super::attempt::wanted;
use super::recovery::{self, Doubtful, NotYet, Verdict as Found};
use super::session::{Session, SessionEnd};
use crate::domain::attempt::DeviceFault;
use crate::domain::error::Reason;
use crate::domain::explain::Wanted;
use crate::domain::job::Job;
use crate::journal::{Command, EndIntent, JobEnd, Query, Rows, Scan, Verdict};
use crate::parts::{Point, Severity};
use crate::rack::shared::{NotWritten, Unresolved};
use kassette_wire::codes::Code;

impl Session<'_> {
    /// Settles the doubt on this FN, if there is one, before anything else is done with it.
    pub(super) async fn settle(&mut self) -> Result<(), SessionEnd> {
        let Some(unresolved) = self.shared.doubt_on(&self.adoption.fn_number) else {
            return Ok(());
        };
        if let Some(reason) = unresolved.manual.clone() {
            return Err(self.isolate_for_person(reason).await);
        }
        if unresolved.intent.register != self.adoption.register {
            let text = format!(
                "the attempt was on {}, its FN now stands in {}",
                unresolved.intent.register, self.adoption.register
            );
            return Err(self
                .manual(unresolved, Reason::new(Code::RegisterWrongSerial, text), None)
                .await);
        }
        let job = match unresolved.intent.job {
            None => None,
            Some(id) => Some(self.load_doubtful(id).await?),
        };
        let (kind, place) = (unresolved.intent.kind, unresolved.intent.key_place);
        let wanted = match &job {
            Some(job) => wanted(job, place),
            None => Wanted {
                kind,
                receipt: None,
                key: None,
            },
        };
        let doubtful = Doubtful {
            baseline: unresolved.intent.baseline,
            wanted,
            witness: self.witness(),
        };
        if let Some(resolution) = self.resolve_noted(&unresolved, &doubtful).await? {
            return self.resolved(unresolved, resolution).await;
        }
        let points = self.shared.points.clone();
        // The doubt is durable: at a stop nobody waits for a register that prints or an echo on the network.
        let resolution = tokio::select! {
            biased;
            () = self.actor.until_over() => return Err(SessionEnd::Over),
            resolution = recovery::resolve(self.driver.as_mut(), &doubtful, &points) => resolution,
        };
        match resolution {
            Ok(resolution) => self.resolved(unresolved, resolution).await,
            Err(not_yet) => {
                self.note_look(unresolved.intent.intent, &not_yet).await;
                Err(self.unresolved(not_yet))
            }
        }
    }

    /// A look that settled nothing is news once; that a register does not answer is not a look.
    async fn note_look(&mut self, intent: i64, not_yet: &NotYet) {
        let (NotYet::NotIdle(reason) | NotYet::Moving(reason)) = not_yet else {
            return;
        };
        let told = self.shared.snapshot.borrow().units.get(&self.actor.label).cloned();
        if told.and_then(|unit| unit.in_doubt).map(|told| told.code) == Some(reason.code) {
            return;
        }
        let command = Command::Looked {
            intent,
            reason: reason.clone(),
            at: self.shared.now(),
        };
        // Without room for it the doubt stands as it stood.
        self.shared.commit(command).await.ok();
    }

    pub(super) fn unresolved(&mut self, not_yet: NotYet) -> SessionEnd {
        let end = match not_yet {
            NotYet::Device(error) => SessionEnd::from(error),
            NotYet::NotIdle(reason) | NotYet::Moving(reason) => SessionEnd::Failed(reason),
        };
        if let SessionEnd::Failed(reason) = &end {
            let reason = reason.clone();
            self.shared
                .publish(&self.actor.label, |unit| unit.in_doubt = Some(reason));
        }
        end
    }

    async fn load_doubtful(&mut self, id: i64) -> Result<Job, SessionEnd> {
        match self.shared.read(Query::JobById(id)).await {
            Ok(Rows::Job(Some(stored))) => self
                .shared
                .unseal(*stored)
                .await
                .map_err(|error| SessionEnd::Failed(error.reason)),
            Ok(_) => Err(SessionEnd::Failed(Reason::new(
                Code::JobNotFound,
                format!("job row {id}"),
            ))),
            Err(error) => Err(SessionEnd::Failed(error.reason)),
        }
    }

    async fn resolved(&mut self, unresolved: Unresolved, resolution: recovery::Resolution) -> Result<(), SessionEnd> {
        let scan = resolution.scan;
        let last = scan.last_after;
        let unmade_shift = unresolved.intent.job.is_none() && matches!(resolution.verdict, Found::NotMade);
        let mut pause = None;
        match resolution.verdict {
            Found::Manual(reason) => return Err(self.manual(unresolved, reason, Some(scan)).await),
            Found::Made(evidence) => {
                let text = format!("document {} was found in the FN", evidence.fd);
                let end = EndIntent {
                    intent: unresolved.intent.intent,
                    verdict: Verdict::Made(evidence),
                    job_end: JobEnd::Completed,
                    reason: None,
                    device: None,
                    scan: Some(scan),
                    last_fd: last,
                    needs_person: None,
                    at: self.shared.now(),
                };
                let ended = self.shared.commit_until_done(Command::End(Box::new(end), None)).await;
                if let Err(NotWritten::Refused(code, text)) = ended {
                    // The journal has another document in its place: nothing here can say which is right.
                    return Err(self.manual(unresolved, Reason::new(code, text), None).await);
                }
                ended?;
                self.shared.points.reach(Point::ResolveDurable).await;
                self.tell(Severity::Info, "a doubt was resolved: the document exists", None, &text);
            }
            Found::NotMade => {
                self.status.fn_state.last_fd = last;
                let reason = self.not_made_after_all(&unresolved, scan).await?;
                self.shared.points.reach(Point::ResolveDurable).await;
                // One broken attempt happens; a unit that breaks each would spend an attempt of every job that waits.
                if !unmade_shift && self.actor.refused() > 1 {
                    pause = Some(reason);
                }
            }
        }
        self.shared.resolved(&self.adoption.fn_number);
        self.shared.publish(&self.actor.label, |unit| {
            unit.in_doubt = None;
            unit.job = None;
        });
        if unmade_shift {
            return Err(self.shift_not_made(unresolved.why).await);
        }
        match pause {
            Some(reason) => Err(SessionEnd::Failed(reason)),
            None => self.refresh().await,
        }
    }

    /// A shift document was not made. Nothing slows a shift down as a queue does a job: pause before the next try, under
    /// the reason that the register gave.
    async fn shift_not_made(&mut self, why: Option<(Reason, Option<DeviceFault>)>) -> SessionEnd {
        let text = "a shift document was not made; it is tried again after a pause";
        let (reason, device) = why.unwrap_or_else(|| (Reason::new(Code::AttemptNotSent, text), None));
        let refused = device.is_some_and(|device| device.device_code.is_some());
        let judged = match refused {
            true => self.examine(reason.clone()).await,
            false => None,
        };
        judged.unwrap_or(SessionEnd::Failed(reason))
    }

    async fn not_made_after_all(&mut self, unresolved: &Unresolved, scan: Scan) -> Result<Reason, SessionEnd> {
        let intent = unresolved.intent.intent;
        let text = format!("no document above {}", unresolved.intent.baseline);
        let (reason, device) = self.last_words(unresolved).await?;
        self.tell(
            Severity::Info,
            "a doubt was resolved: nothing was made",
            Some(reason.code),
            &text,
        );
        match unresolved.taken.clone() {
            Some(taken) => {
                self.end_not_made(intent, taken, reason.clone(), device, JobEnd::Again, Some(scan))
                    .await?;
            }
            None => {
                let end = EndIntent {
                    intent,
                    verdict: Verdict::NotMade,
                    job_end: JobEnd::Again,
                    reason: Some(reason.clone()),
                    device,
                    last_fd: scan.last_after,
                    scan: Some(scan),
                    needs_person: None,
                    at: self.shared.now(),
                };
                self.shared.commit_until_done(Command::End(Box::new(end), None)).await?;
            }
        }
        Ok(reason)
    }

    /// Why the attempt fell into doubt, as its row says: the reason stays that of the attempt, also after a restart.
    async fn last_words(&mut self, unresolved: &Unresolved) -> Result<(Reason, Option<DeviceFault>), SessionEnd> {
        let unknown = || {
            (
                Reason::new(Code::AttemptNotSent, "the FN shows that nothing was made"),
                None,
            )
        };
        let Some(id) = unresolved.intent.job else {
            return Ok(unresolved.why.clone().unwrap_or_else(unknown));
        };
        let job = self.load_doubtful(id).await?;
        let row = job
            .attempts
            .into_iter()
            .find(|attempt| attempt.intent == unresolved.intent.intent);
        Ok(row
            .and_then(|row| row.reason.map(|reason| (reason, row.device)))
            .unwrap_or_else(unknown))
    }

    /// Only a person can settle this doubt; the unit is isolated, the job stays with it.
    async fn manual(&mut self, mut unresolved: Unresolved, reason: Reason, scan: Option<Scan>) -> SessionEnd {
        let end = EndIntent {
            intent: unresolved.intent.intent,
            verdict: Verdict::InDoubt,
            job_end: JobEnd::InDoubt,
            reason: Some(reason.clone()),
            device: None,
            // What is above is not explained, so the mark stays below it (I11).
            last_fd: unresolved.intent.baseline,
            scan,
            needs_person: Some(reason.clone()),
            at: self.shared.now(),
        };
        if let Err(error) = self.shared.commit_until_done(Command::End(Box::new(end), None)).await {
            return error.into();
        }
        unresolved.manual = Some(reason.clone());
        self.shared.doubt(unresolved);
        self.shared
            .publish(&self.actor.label, |unit| unit.in_doubt = Some(reason.clone()));
        self.isolate_for_person(reason).await
    }
}
