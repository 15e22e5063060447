//! Shifts: opened before need, closed before 24 hours, each under an intent like any other document.
//!
//! If the reply never comes, the power goes or the device returns elsewhere: the intent is durable, the next session
//! finds it in doubt and reads the FN; a shift command is never sent again for the same intent.
//!
//! Owns: the two shift documents, and when a shift is closed.
//! Must never: close a shift with a document open, or open one that is not needed.

use super::recovery::read_evidence;
use super::session::{Session, SessionEnd};
use crate::dispatch::policy::UnitFacts;
use crate::domain::attempt::{DeviceFault, DocumentKind, Evidence, Learned, Made, MadeDocument};
use crate::domain::device::Activity;
use crate::domain::error::Reason;
use crate::domain::explain::Wanted;
use crate::domain::job::DocumentFilter;
use crate::journal::{BeginIntent, Command, EndIntent, JobEnd, OpenIntent, Query, ReplyBody, Rows, Verdict};
use crate::mutants::Mutant;
use crate::parts::{Point, Severity};
use crate::rack::shared::{NotWritten, Unresolved};
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, Kopecks};

/// A shift opening lies at most so many documents below the receipts of its shift.
const OPENING_NEAR: u32 = 16;

impl Session<'_> {
    pub(super) async fn open_shift(&mut self) -> Result<(), SessionEnd> {
        self.shift_document(DocumentKind::ShiftOpen).await
    }

    pub(super) async fn close_shift(&mut self) -> Result<(), SessionEnd> {
        self.shift_document(DocumentKind::ShiftClose).await
    }

    /// Near the end of a shift: jobs first, but when none waits the shift is closed.
    pub(super) async fn quiet_close(&mut self, facts: &UnitFacts) -> Result<(), SessionEnd> {
        match self.shared.dispatch.try_take(facts) {
            Some(taken) => self.work(taken).await,
            None => self.close_shift().await,
        }
    }

    /// Sets the clock to true time; the shift is closed and nothing contradicts it (`readiness`). A correction that more
    /// than two units need at once is held: then the host is more likely wrong than they are.
    pub(super) async fn set_clock(&mut self) -> Result<(), SessionEnd> {
        const UNITS_MAX: usize = 2;
        let wanting = self.shared.clock_wants(&self.actor.label, true);
        if wanting > UNITS_MAX {
            let text = format!("{wanting} units need their clocks set at once; a person must look at the host's clock");
            self.tell(
                Severity::Warn,
                "a correction of clocks is held",
                Some(Code::ClockChangeHeld),
                &text,
            );
            // Within the tolerance the unit works on with its own clock.
            return self.open_shift().await;
        }
        let time = self.host_time()?;
        self.driver.set_clock(time).await?;
        self.shared.clock_wants(&self.actor.label, false);
        self.tell(
            Severity::Info,
            "a register's clock was set",
            None,
            &format!("{} to {time}", self.status.clock),
        );
        self.look().await
    }

    /// When the shift that is open now was opened, if the journal knows it.
    pub(super) async fn find_shift(&mut self) -> Result<(), SessionEnd> {
        self.shift_opened = None;
        let shift = self.status.shift;
        if !shift.open {
            return Ok(());
        }
        let last = self.status.fn_state.last_fd.0;
        let filter = DocumentFilter {
            tenant: None,
            fn_number: Some(self.adoption.fn_number.clone()),
            kinds: vec![DocumentKind::ShiftOpen],
            fd_from: Some(FdNumber(
                last.saturating_sub(shift.receipts.saturating_add(OPENING_NEAR)),
            )),
            with_tlv: false,
        };
        let rows = self
            .shared
            .read(Query::Documents {
                filter,
                after: None,
                limit: 100,
            })
            .await;
        let rows = rows.map_err(|error| SessionEnd::Failed(error.reason))?;
        if let Rows::Documents(page) = rows {
            let opening = page.rows.iter().rev().find(|row| row.shift == shift.number);
            self.shift_opened = opening.map(|row| row.time);
        }
        Ok(())
    }

    async fn shift_document(&mut self, kind: DocumentKind) -> Result<(), SessionEnd> {
        self.look().await?;
        if self.actor.over() {
            return Err(SessionEnd::Over);
        }
        if self.status.activity != Activity::Idle {
            // It finishes the document before; readiness says so and looks again.
            return Ok(());
        }
        if kind == DocumentKind::ShiftClose {
            self.audit_all().await?;
        }
        let baseline = self.status.fn_state.last_fd;
        let intent = self.begin_shift(kind, baseline).await?;
        self.shared.points.reach(Point::ShiftIntentDurable).await;
        let made = match kind {
            DocumentKind::ShiftOpen => self.driver.open_shift().await,
            DocumentKind::ShiftClose | DocumentKind::Receipt | DocumentKind::Correction => {
                self.driver.close_shift().await
            }
        };
        self.shared.points.reach(Point::ShiftAnswered).await;
        let mut device = None;
        let reason = match made {
            Made::Good(document) if Some(document.fd) == baseline.next() => {
                match self.shift_evidence(kind, &document).await {
                    Ok(evidence) => return self.shift_done(&intent, evidence).await,
                    Err(reason) => reason,
                }
            }
            Made::Good(document) => {
                let text = format!("the answer names document {}, the last one was {baseline}", document.fd);
                Reason::new(Code::DoubtOpen, text)
            }
            Made::Refused(refusal) => {
                device = Some(DeviceFault {
                    command: refusal.command.clone(),
                    device_code: Some(refusal.device_code),
                });
                Reason::new(refusal.code, format!("{}: {}", refusal.command, refusal.text))
            }
            Made::Broken(broken) => Reason::new(broken.code, format!("{}: {}", broken.command, broken.text)),
        };
        Err(self.fall_into_doubt(intent, None, reason, device).await)
    }

    async fn begin_shift(&mut self, kind: DocumentKind, baseline: FdNumber) -> Result<OpenIntent, SessionEnd> {
        let order = BeginIntent {
            job: None,
            kind,
            register: self.adoption.register.clone(),
            rnm: self.registration.rnm.clone(),
            fn_number: self.adoption.fn_number.clone(),
            baseline,
            job_key: None,
            key_place: None,
            content: None,
            at: self.shared.now(),
        };
        let ReplyBody::Begun { intent, .. } = self.shared.commit(Command::Begin(Box::new(order))).await? else {
            return Err(NotWritten::Refused(Code::InternalFault, "the journal began no attempt".into()).into());
        };
        Ok(OpenIntent {
            intent,
            kind,
            register: self.adoption.register.clone(),
            fn_number: self.adoption.fn_number.clone(),
            baseline,
            job: None,
            tenant: None,
            job_key: None,
            key_place: None,
        })
    }

    /// Where the answer tells no time or shift the document is read back.
    async fn shift_evidence(&mut self, kind: DocumentKind, made: &MadeDocument) -> Result<Evidence, Reason> {
        let witness = self.witness();
        let (Some(time), Some(shift)) = (made.time, made.shift) else {
            let wanted = Wanted {
                kind,
                receipt: None,
                key: None,
            };
            return read_evidence(self.driver.as_mut(), made.fd, &wanted, &witness).await;
        };
        Ok(Evidence {
            fn_number: witness.fn_number,
            fd: made.fd,
            fp: made.fp,
            shift,
            number_in_shift: 0,
            time,
            zone_minutes: witness.zone_minutes,
            register: witness.register,
            rnm: witness.rnm,
            total: Kopecks::ZERO,
            learned: Learned::Answer,
        })
    }

    async fn shift_done(&mut self, intent: &OpenIntent, evidence: Evidence) -> Result<(), SessionEnd> {
        let (fd, text) = (
            evidence.fd,
            format!("document {} of shift {}", evidence.fd, evidence.shift),
        );
        let end = EndIntent {
            intent: intent.intent,
            verdict: Verdict::Made(Box::new(evidence)),
            job_end: JobEnd::Completed,
            reason: None,
            device: None,
            scan: None,
            last_fd: fd,
            needs_person: None,
            at: self.shared.now(),
        };
        self.shared.commit_until_done(Command::End(Box::new(end), None)).await?;
        self.tell(Severity::Info, shift_event(intent.kind), None, &text);
        self.refresh().await?;
        self.find_shift().await
    }

    /// Makes the doubt durable and ends the session: the port is closed, and the next session reads the FN.
    pub(super) async fn fall_into_doubt(
        &mut self,
        intent: OpenIntent,
        taken: Option<crate::dispatch::Taken>,
        reason: Reason,
        device: Option<DeviceFault>,
    ) -> SessionEnd {
        self.tell(
            Severity::Warn,
            "an attempt is in doubt",
            Some(reason.code),
            &reason.detail,
        );
        self.shared
            .publish(&self.actor.label, |unit| unit.in_doubt = Some(reason.clone()));
        // Naive: this register is stuck and the client waits; another one shall make it.
        if self.shared.points.mutant(Mutant::MoveInDoubt)
            && let Some(taken) = taken
        {
            let again = self.end_not_made(intent.intent, taken, reason.clone(), device, JobEnd::Again, None);
            return again.await.err().unwrap_or(SessionEnd::Failed(reason));
        }
        let why = (reason.clone(), device.clone());
        let end = EndIntent {
            intent: intent.intent,
            verdict: Verdict::InDoubt,
            job_end: JobEnd::InDoubt,
            reason: Some(reason),
            device,
            scan: None,
            last_fd: intent.baseline,
            needs_person: None,
            at: self.shared.now(),
        };
        // Known here before it is durable: whatever the journal says, this lane must not go on.
        self.shared.doubt(Unresolved {
            intent,
            taken,
            manual: None,
            why: Some(why),
        });
        match self.shared.commit_until_done(Command::End(Box::new(end), None)).await {
            Ok(_) => SessionEnd::Again,
            Err(error) => error.into(),
        }
    }
}

fn shift_event(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::ShiftOpen => "a shift was opened",
        DocumentKind::ShiftClose | DocumentKind::Receipt | DocumentKind::Correction => "a shift was closed",
    }
}
