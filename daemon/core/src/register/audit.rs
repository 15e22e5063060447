//! The audit: every document of the FN is read back and compared, tag by tag, with what was asked for.
//!
//! When: after a doubt at once; else once the unit had no job for a second, one document per step, so that a job waits
//! for one document at most; while jobs never end, one document after each receipt from 32 unread ones or eight minutes
//! on (the bounds are 100 and ten); all of it before a shift is closed. The FN keeps a document whole for some 30 days
//! after its ticket (`fn-ffd-ofd` B.1), so that all of this comes long before.
//!
//! If a reply never comes or the power goes: reading changes nothing, what was not noted is read again. If the device
//! returns elsewhere: the mark is the FN's, not the port's.
//!
//! What cannot be read: "no data" for a document older than 29 days is noted as no longer kept, and told. A younger one,
//! or a cut read, is tried again after 1, 2, 4, 8 and then 15 minutes, and told each time; after the eighth try in one
//! session it is a finding. A finding stops the register until a person clears it. A journal that cannot tell what was
//! asked is asked again after a minute: that is no fault of the register.
//!
//! Owns: what is read when, the rule of what cannot be read, and the stop of a register whose FN does not match.
//! Must never: take a cut read or "no data" for a match, or hold up a shift that has to be closed.

use super::asked::Asked;
use super::session::{Session, SessionEnd};
use crate::domain::audit::{Entry, Found, Mismatch, OfJob, Place, judge, without_buyer};
use crate::domain::error::Reason;
use crate::domain::finding::{Finding, Owner};
use crate::domain::snapshot::AuditSnapshot;
use crate::drivers::DocumentRead;
use crate::journal::{Audited, Command, NewFinding, Query, ReadBack, ReplyBody, Rows};
use crate::parts::{Event, Point, Severity};
use crate::rack::shared::NotWritten;
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Document, DocumentCode};
use kassette_wire::value::FdNumber;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How long a unit has no job before its FN is read back.
const QUIET: Duration = Duration::from_secs(1);
/// From so many unread documents on one is read after each receipt; 100 is the bound (design 7).
const PRESSING_FROM: u32 = 32;
/// The bound; beyond it several are read after each receipt.
const UNREAD_MAX: u32 = 100;
/// Documents read after a receipt when there are more than that.
const CATCHING_UP: u32 = 4;
/// From this age of the oldest unread document on one is read after each receipt; ten minutes is the bound (design 7).
const OLDEST: Duration = Duration::from_secs(8 * 60);
/// Most documents noted in one commit.
const BATCH: usize = 32;
/// "No data" of an older document is what is to be expected; the FN keeps it 30 days after its ticket.
const KEPT_S: i64 = 29 * 86_400;
/// Tries at a document that cannot be read, in one session, until it stops the register.
const TRIES_MAX: u32 = 8;
/// First and longest pause between them.
const TRY_AGAIN: Duration = Duration::from_secs(60);
const TRY_AGAIN_MAX: Duration = Duration::from_secs(15 * 60);
/// Foreign documents named in one finding; the others are counted.
const NAMED_MAX: usize = 8;

/// How far the FN of a session was read back.
#[derive(Debug)]
pub(super) struct Audit {
    /// The first document that was not read.
    pub(super) next: FdNumber,
    /// Read and not yet noted.
    read: Vec<ReadBack>,
    findings: Vec<NewFinding>,
    /// Unread documents up to a number, and since when they are there.
    ages: VecDeque<(FdNumber, Instant)>,
    tries: u32,
    not_before: Option<Instant>,
    /// The FN is ahead of the mark: everything is read and told before the register stops.
    pub(super) ahead: bool,
    documents: u64,
    commands: u64,
}

impl Audit {
    /// From the mark up to which the FN was read.
    pub(super) fn from(audited: FdNumber) -> Self {
        Self {
            next: FdNumber(audited.0.saturating_add(1)),
            read: Vec::new(),
            findings: Vec::new(),
            ages: VecDeque::new(),
            tries: 0,
            not_before: None,
            ahead: false,
            documents: 0,
            commands: 0,
        }
    }

    fn unread(&self, last: FdNumber) -> u32 {
        last.0.saturating_sub(self.next.0.saturating_sub(1))
    }

    /// Notes since when the newest documents are unread.
    fn grown(&mut self, last: FdNumber) {
        while self.ages.front().is_some_and(|(upto, _)| *upto < self.next) {
            self.ages.pop_front();
        }
        let known = self
            .ages
            .back()
            .map_or(self.next.0.saturating_sub(1), |(upto, _)| upto.0);
        if last.0 > known {
            self.ages.push_back((last, Instant::now()));
        }
    }

    /// Documents that have to be read before the next job.
    fn pressing(&mut self, last: FdNumber) -> u32 {
        self.grown(last);
        let aged = self.ages.front().is_some_and(|(_, since)| since.elapsed() >= OLDEST);
        match self.unread(last) {
            0 => 0,
            unread if unread > UNREAD_MAX => CATCHING_UP,
            PRESSING_FROM.. => 1,
            _ => u32::from(aged),
        }
    }

    fn paused(&self) -> bool {
        self.not_before.is_some_and(|at| at > Instant::now())
    }

    fn passed(&mut self) {
        self.next = FdNumber(self.next.0.saturating_add(1));
        (self.tries, self.not_before) = (0, None);
    }
}

/// What a document of nobody here is.
struct Nobodys {
    mismatch: Mismatch,
    job: Option<i64>,
}

impl Session<'_> {
    /// Documents of the FN that were not read back.
    pub(super) fn unread(&self) -> u32 {
        self.audit.unread(self.status.fn_state.last_fd)
    }

    /// When the next document should be read while there is no job; `None` while everything is read.
    pub(super) fn audit_due(&mut self) -> Option<Instant> {
        self.audit.grown(self.status.fn_state.last_fd);
        if self.unread() == 0 {
            return None;
        }
        let quiet = Instant::now() + QUIET.saturating_sub(self.actor.since_document());
        Some(self.audit.not_before.map_or(quiet, |at| at.max(quiet)))
    }

    /// Between two jobs: reads as much as the bounds ask for, and nothing else.
    pub(super) async fn audit_pressing(&mut self) -> Result<(), SessionEnd> {
        let steps = self.audit.pressing(self.status.fn_state.last_fd);
        for _ in 0..steps {
            self.audit_one().await?;
        }
        Ok(())
    }

    /// Reads everything that is left, unless something cannot be read now.
    pub(super) async fn audit_all(&mut self) -> Result<(), SessionEnd> {
        while self.unread() > 0 && !self.audit.paused() {
            if self.actor.over() {
                return Err(SessionEnd::Over);
            }
            self.audit_one().await?;
        }
        self.note().await?;
        self.stop_on_findings().await
    }

    /// Reads one document, unless the one before could not be read just now.
    pub(super) async fn audit_one(&mut self) -> Result<(), SessionEnd> {
        if self.unread() == 0 || self.audit.paused() {
            return Ok(());
        }
        let fd = self.audit.next;
        let known = match self.asked_for(fd).await {
            Ok(known) => known,
            Err(reason) => {
                self.audit_pause(TRY_AGAIN);
                let text = format!("document {fd}: {}", reason.detail);
                self.tell(
                    Severity::Warn,
                    "a document cannot be compared yet",
                    Some(reason.code),
                    &text,
                );
                return Ok(());
            }
        };
        let before = self.driver.commands();
        let read = self.driver.read_document(fd).await;
        self.audit.commands += self.driver.commands().saturating_sub(before);
        match read? {
            DocumentRead::Whole(document) => {
                self.audit.documents += 1;
                self.compare(fd, &document, &known).await?;
            }
            DocumentRead::NoData => self.unreadable(fd, &known.entry, "the FN says it has no data of it", true),
            DocumentRead::Cut(why) => self.unreadable(fd, &known.entry, &format!("it was cut: {why}"), false),
        }
        self.shared.points.reach(Point::AuditRead).await;
        let found = !self.audit.findings.is_empty() && !self.audit.ahead;
        if found || self.audit.read.len() >= BATCH || self.unread() == 0 {
            self.note().await?;
        }
        self.publish_audit();
        if found { self.stop_on_findings().await } else { Ok(()) }
    }

    fn audit_pause(&mut self, pause: Duration) {
        let pause = self.shared.parts.policy.driver_timing.wait(pause);
        self.audit.not_before = Some(Instant::now() + pause);
    }

    async fn compare(&mut self, fd: FdNumber, document: &Document, known: &Asked) -> Result<(), SessionEnd> {
        let entry = &known.entry;
        let witness = self.witness();
        let place = Place {
            fd,
            witness: &witness,
            registration: &self.registration,
        };
        let of = known.job.as_ref().map(|job| OfJob {
            job,
            dropped: known.dropped.as_ref(),
        });
        let mismatches = judge(document, &place, entry, of);
        let foreign = (entry.told.is_none() && !mismatches.is_empty()).then(|| Found::of(document));
        for mismatch in mismatches {
            let found = match &foreign {
                Some(found) => self.nobodys(fd, mismatch, found).await?,
                None => Nobodys {
                    mismatch,
                    job: entry.job,
                },
            };
            self.found(fd, found);
        }
        let registration = matches!(
            document.kind(),
            Some(DocumentCode::Registration | DocumentCode::Reregistration)
        );
        let tlv = without_buyer(&document.tags).encode();
        self.audit.read.push(ReadBack {
            fd,
            code: document.code,
            // What was decoded has bytes again.
            tlv: tlv.ok(),
            registration: registration && foreign.is_none(),
            foreign,
        });
        self.audit.passed();
        Ok(())
    }

    /// Adds a finding. Foreign documents of one batch are one: a person judges them together.
    fn found(&mut self, fd: FdNumber, found: Nobodys) {
        let Nobodys { mismatch, job } = found;
        let text = format!("document {fd}: {}", mismatch.detail);
        let together = |known: &&mut NewFinding| known.reason.code == mismatch.code && job.is_none();
        let foreign = self.audit.read.iter().filter(|read| read.foreign.is_some()).count();
        match self.audit.findings.iter_mut().find(together) {
            Some(known) if foreign < NAMED_MAX => known.reason.detail = format!("{}; {text}", known.reason.detail),
            Some(_) => {}
            None => self.audit.findings.push(NewFinding {
                fd,
                reason: Reason::new(mismatch.code, text),
                job,
            }),
        }
    }

    /// A document that nobody here asked for may still carry the key of a job: then that job is what matters.
    async fn nobodys(&mut self, fd: FdNumber, mismatch: Mismatch, found: &Found) -> Result<Nobodys, SessionEnd> {
        let Some(key) = found.key else {
            return Ok(Nobodys { mismatch, job: None });
        };
        let owner = match self.shared.read(Query::Owner(key)).await {
            Ok(Rows::Owner(owner)) => owner,
            Ok(_) => None,
            Err(error) => return Err(SessionEnd::Failed(error.reason)),
        };
        let of_job = |code, detail: String, owner: &Owner| Nobodys {
            mismatch: Mismatch { code, detail },
            job: Some(owner.job),
        };
        match owner {
            None => {
                let letters = self.shared.snapshot.borrow().rack_id.clone();
                let ours = letters.is_some_and(|letters| key.as_str().starts_with(&letters));
                let whose = if ours { "of this rack" } else { "of another rack" };
                let detail = format!("{}; the key is {whose}, and no job here has it", mismatch.detail);
                let mismatch = Mismatch { detail, ..mismatch };
                Ok(Nobodys { mismatch, job: None })
            }
            Some(owner) => match &owner.document {
                Some((fn_number, number)) => {
                    let text = format!("{found}; that job has document {number} of FN {fn_number}");
                    Ok(of_job(Code::DocumentDoubled, text, &owner))
                }
                None => {
                    let text = format!("{found}; that job is {} and was proven to have none here", owner.state);
                    self.keep_from_running(fd, &owner, &text).await?;
                    Ok(of_job(Code::DocumentUnexpected, text, &owner))
                }
            },
        }
    }

    /// A job that waits must not be made once more while a document with its key stands in an FN.
    async fn keep_from_running(&mut self, fd: FdNumber, owner: &Owner, text: &str) -> Result<(), SessionEnd> {
        if owner.state != JobState::Accepted {
            return Ok(());
        }
        let Some(taken) = self.shared.dispatch.remove(owner.job) else {
            return Ok(());
        };
        let fn_number = &self.adoption.fn_number;
        let detail = format!("document {fd} of FN {fn_number}: {text}");
        let command = Command::SetAside {
            job: owner.job,
            reason: Reason::new(Code::DocumentUnexpected, detail),
            at: self.shared.now(),
        };
        let written = self.shared.commit_until_done(command).await;
        // Whatever the journal said, no unit takes it any more.
        self.shared.dispatch.put(taken, None, true);
        written.map(|_| ()).map_err(SessionEnd::from)
    }

    /// A document that could not be read; see the rule at the top.
    fn unreadable(&mut self, fd: FdNumber, entry: &Entry, why: &str, no_data: bool) {
        let now = self.host_time().ok();
        let age = entry
            .told
            .as_ref()
            .zip(now)
            .map(|((_, told), now)| now.seconds_since(told.time));
        let gone = no_data && age.is_some_and(|age| age > KEPT_S);
        let unread = ReadBack {
            fd,
            code: 0,
            tlv: None,
            registration: false,
            foreign: None,
        };
        let text = format!("document {fd}: {why}");
        self.audit.tries += 1;
        if gone {
            self.tell(Severity::Warn, "a document is too old to be read back", None, &text);
            self.audit.read.push(unread);
            return self.audit.passed();
        }
        let code = Code::FnDocumentUnreadable;
        let tries = self.audit.tries;
        self.tell(Severity::Warn, "a document could not be read back", Some(code), &text);
        if tries < TRIES_MAX {
            let pause = TRY_AGAIN.saturating_mul(1 << (tries - 1).min(4));
            return self.audit_pause(pause.min(TRY_AGAIN_MAX));
        }
        // Above the mark nothing but a whole read moves on.
        if entry.told.is_none() {
            return self.audit_pause(TRY_AGAIN_MAX);
        }
        self.audit.findings.push(NewFinding {
            fd,
            reason: Reason::new(code, format!("{text}; {tries} tries")),
            job: entry.job,
        });
        self.audit.read.push(unread);
        self.audit.passed();
    }

    /// Notes what was read and found, durably.
    async fn note(&mut self) -> Result<(), SessionEnd> {
        if self.audit.read.is_empty() && self.audit.findings.is_empty() {
            return Ok(());
        }
        let order = Audited {
            fn_number: self.adoption.fn_number.clone(),
            documents: std::mem::take(&mut self.audit.read),
            findings: std::mem::take(&mut self.audit.findings),
            at: self.shared.now(),
        };
        let noted = self.shared.commit_until_done(Command::Audited(Box::new(order))).await;
        let findings = match noted {
            Ok(ReplyBody::Audited { findings, .. }) => findings,
            Ok(_) => Vec::new(),
            Err(NotWritten::Refused(code, text)) => return Err(SessionEnd::Failed(Reason::new(code, text))),
            Err(error) => return Err(error.into()),
        };
        self.shared.points.reach(Point::AuditNoted).await;
        self.shared.found(&self.adoption.fn_number, findings);
        Ok(())
    }

    /// Isolates the unit while a finding on its FN is not cleared.
    pub(super) async fn stop_on_findings(&mut self) -> Result<(), SessionEnd> {
        let findings = self.shared.findings_on(&self.adoption.fn_number);
        let Some(first) = findings.first() else {
            return Ok(());
        };
        let reason = stop_reason(first, findings.len());
        let event = Event::new(Severity::Error, "an FN does not match the journal; its register stops");
        let told = self.actor.state() == crate::domain::unit::UnitState::Quarantined;
        if !told {
            let event = event
                .register(&self.adoption.register)
                .fn_number(&self.adoption.fn_number);
            self.shared.tell(event.code(reason.code).detail(&reason.detail));
        }
        self.publish_audit();
        Err(self.isolate(reason).await)
    }

    pub(super) fn publish_audit(&self) {
        let audit = self.audit_now();
        self.shared.publish(&self.actor.label, |unit| unit.audit = Some(audit));
    }

    /// How far it is, for the snapshot.
    pub(super) fn audit_now(&self) -> AuditSnapshot {
        AuditSnapshot {
            audited_fd: FdNumber(
                self.audit
                    .next
                    .0
                    .saturating_sub(1 + u32::try_from(self.audit.read.len()).unwrap_or(0)),
            ),
            unread: self.unread(),
            documents: self.audit.documents,
            commands: self.audit.commands,
            session_commands: self.driver.commands(),
            findings: self.shared.findings_on(&self.adoption.fn_number).len(),
        }
    }
}

fn stop_reason(first: &Finding, count: usize) -> Reason {
    let more = match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more findings)", count - 1),
    };
    Reason::new(first.reason.code, format!("{}{more}", first.reason.detail))
}

#[cfg(test)]
mod tests;
