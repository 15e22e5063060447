//! Recovery mode of a lane: every document that this journal cannot explain is read before the lane opens.
//!
//! | what happens | what is true then | what follows |
//! | --- | --- | --- |
//! | a reply never comes, a read is cut | what was noted is durable | the session ends; the next goes on from there |
//! | the power goes between two commits | some documents are read again | a document is noted once, by FN and number |
//! | the register returns under another name | as with no reply | identity first; the reading belongs to the FN |
//! | the FN grows while it is read | a document of the time before came late | it is read too, until the FN rests |
//!
//! Owns: where a reading begins, that it sees the FN at rest at both ends, and what is kept of each document.
//! Must never: make a document, or open a lane before its last document was read.

use super::audit::Audit;
use super::recovery::{IDLE_WAIT, LOOK_PAUSE};
use super::session::{Session, SessionEnd};
use crate::domain::device::{Activity, Status};
use crate::domain::error::Reason;
use crate::domain::explain::key_of;
use crate::domain::orphan::{NotedDocument, ReadWhy, Reading};
use crate::drivers::DocumentRead;
use crate::journal::{Command, FnMark, NoteDocuments, ReplyBody, draws};
use crate::parts::{Point, Severity, TenantKeys, UnixMillis};
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Document, Tag};
use kassette_wire::value::FdNumber;
use std::time::Duration;
use tokio::time::Instant;

/// How long an FN promises to give back whole documents ("at least 30 days after the ticket", `fn-ffd-ofd` A, archive
/// storage; `shtrih-m` FF3A: "30-day archive").
const SPAN_MS: i64 = 30 * 86_400_000;
/// Documents of one commit.
const BATCH: usize = 200;
/// How often the progress of a long reading is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Where a reading begins, and the instant before which nothing is read.
type Mark = (FdNumber, Option<UnixMillis>);

impl Session<'_> {
    /// Reads what must be read of this FN; the journal's mark of it afterwards.
    pub(super) async fn read_ledger(&mut self, mark: FnMark) -> Result<FnMark, SessionEnd> {
        let Some(reading) = mark.reading else {
            return Ok(mark);
        };
        let text = format!(
            "{}: last document {}",
            reading.why.as_str(),
            self.status.fn_state.last_fd
        );
        self.tell(Severity::Info, "an FN is read before its lane opens", None, &text);
        let keys = self.shared.keys(&self.adoption.tenant).await;
        let keys = keys.map_err(|error| SessionEnd::Failed(error.reason))?;
        let mut last = self.at_rest(reading.why).await?.fn_state.last_fd;
        let mut read = self.begin_reading(reading, last).await?;
        loop {
            read = self.read_up_to(read, last, &keys).await?;
            // The longest command was waited out on this very connection: nothing sent before it is still on its way.
            let again = self.seen_at_rest(reading.why).await?.fn_state.last_fd;
            if again == last {
                break;
            }
            last = again;
        }
        self.note_read(Vec::new(), None, read, true).await?;
        self.shared.points.reach(Point::ReadingDone).await;
        let text = format!("up to document {read}");
        self.tell(Severity::Info, "an FN was read", None, &text);
        self.shared.held.notify_one();
        self.refresh().await?;
        let mark = self.shared_mark(mark).await?;
        self.audit = Audit::from(mark.audited_fd);
        Ok(mark)
    }

    /// Waits until no document can be on its way any more: the link is emptied, on a shared medium the longest command is
    /// waited out, and the register is seen twice with nothing to do and the same last number. A document that a lost
    /// attempt left open was never made and is cancelled.
    pub(super) async fn at_rest(&mut self, why: ReadWhy) -> Result<Status, SessionEnd> {
        self.driver.barrier().await?;
        if self.driver.shared_medium() {
            tokio::time::sleep(self.driver.longest_command()).await;
            self.driver.barrier().await?;
        }
        self.seen_at_rest(why).await
    }

    /// The register, seen twice with nothing to do and the same last number.
    async fn seen_at_rest(&mut self, why: ReadWhy) -> Result<Status, SessionEnd> {
        let until = Instant::now() + IDLE_WAIT;
        let mut seen = None;
        loop {
            let status = self.driver.status().await?;
            let open = status.activity == Activity::DocumentOpen || status.fn_state.document_open;
            let others = open && why == ReadWhy::Ahead && self.driver.shared_medium();
            match status.activity {
                Activity::Idle | Activity::DocumentOpen if !open || others => {
                    if seen == Some(status.fn_state.last_fd) {
                        self.shared.points.reach(Point::ReadingAtRest).await;
                        return Ok(status);
                    }
                    seen = Some(status.fn_state.last_fd);
                }
                Activity::Idle | Activity::DocumentOpen if seen == Some(status.fn_state.last_fd) => {
                    self.driver.cancel_document().await?;
                    seen = None;
                }
                Activity::Idle | Activity::DocumentOpen => seen = Some(status.fn_state.last_fd),
                Activity::WaitsContinue => self.driver.finish_interrupted().await?,
                Activity::Busy | Activity::PaperOut | Activity::Blocked => seen = None,
            }
            if self.actor.over() {
                return Err(SessionEnd::Over);
            }
            if Instant::now() >= until {
                let code = if status.activity == Activity::PaperOut {
                    Code::PaperOut
                } else {
                    Code::RegisterBusy
                };
                return Err(SessionEnd::Failed(Reason::new(
                    code,
                    format!("not idle: {}", status.mode_text),
                )));
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Where to go on; for an FN that this journal never knew, the beginning of what it still keeps whole.
    async fn begin_reading(&mut self, reading: Reading, last: FdNumber) -> Result<FdNumber, SessionEnd> {
        if reading.mark.is_some() {
            return Ok(reading.read);
        }
        let mark = self.find_mark(last).await?;
        self.note_read(Vec::new(), Some(mark), mark.0, false).await?;
        Ok(mark.0)
    }

    /// The last document that is older than the span in which an FN keeps them whole. Times within an FN never go back, so
    /// that the border is found by halves; what the FN has no content of any more counts as older.
    async fn find_mark(&mut self, last: FdNumber) -> Result<Mark, SessionEnd> {
        let horizon = self.shared.now().plus_millis(-SPAN_MS);
        let (mut older, mut younger) = (0, last.0.saturating_add(1));
        let (mut border_unread, mut first_young) = (false, None);
        // The first look goes to the first document: most FNs are younger than the span.
        let mut look = 1;
        while younger - older > 1 {
            if self.actor.over() {
                return Err(SessionEnd::Over);
            }
            match self.time_of(FdNumber(look)).await? {
                Some(time) if time >= horizon => (younger, first_young) = (look, Some(time)),
                read => (older, border_unread) = (look, read.is_none()),
            }
            look = older + (younger - older) / 2;
        }
        if older == 0 {
            return Ok((FdNumber(0), None));
        }
        let from = first_young.filter(|_| border_unread).unwrap_or(horizon);
        Ok((FdNumber(older), Some(from)))
    }

    async fn time_of(&mut self, fd: FdNumber) -> Result<Option<UnixMillis>, SessionEnd> {
        match self.driver.read_document(fd).await? {
            DocumentRead::Whole(document) => Ok(document
                .tags
                .time(Tag::DOCUMENT_TIME)
                .ok()
                .flatten()
                .map(|time| UnixMillis(time.to_unix_in_zone(self.adoption.zone_minutes).saturating_mul(1000)))),
            DocumentRead::NoData => Ok(None),
            DocumentRead::Cut(why) => Err(cut(fd, &why)),
        }
    }

    /// Reads and notes every document above `read` up to `last`.
    async fn read_up_to(
        &mut self,
        mut read: FdNumber,
        last: FdNumber,
        keys: &TenantKeys,
    ) -> Result<FdNumber, SessionEnd> {
        let mut noted = Vec::new();
        let mut told = Instant::now();
        while read < last {
            if self.actor.over() {
                return Err(SessionEnd::Over);
            }
            let Some(fd) = read.next() else { break };
            let document = match self.driver.read_document(fd).await? {
                DocumentRead::Whole(document) => self.noted(fd, &document, keys)?,
                DocumentRead::NoData => unread(fd),
                DocumentRead::Cut(why) => return Err(cut(fd, &why)),
            };
            noted.push(document);
            read = fd;
            if noted.len() >= BATCH || read == last {
                self.note_read(std::mem::take(&mut noted), None, read, false).await?;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let text = format!("document {read} of {last}");
                self.tell(Severity::Info, "an FN is being read", None, &text);
            }
            let reason = Reason::new(Code::JournalRecovering, format!("document {read} of {last} was read"));
            self.shared
                .publish(&self.actor.label, |unit| unit.not_ready = Some(reason));
        }
        Ok(read)
    }

    async fn note_read(
        &mut self,
        documents: Vec<NotedDocument>,
        mark: Option<Mark>,
        upto: FdNumber,
        done: bool,
    ) -> Result<(), SessionEnd> {
        let order = NoteDocuments {
            fn_number: self.adoption.fn_number.clone(),
            tenant: self.adoption.tenant.clone(),
            register: self.adoption.register.clone(),
            rnm: self.registration.rnm.clone(),
            zone_minutes: self.adoption.zone_minutes,
            mark,
            upto,
            documents,
            done,
            draws: draws(self.shared.parts.entropy.as_ref()),
            at: self.shared.now(),
        };
        let reply = self.shared.commit_until_done(Command::Note(Box::new(order))).await?;
        self.shared.points.reach(Point::ReadingNoted).await;
        let ReplyBody::Noted { held, generation } = reply else {
            return Ok(());
        };
        for job in held {
            // A unit that has it in hand is refused its attempt by the journal.
            drop(self.shared.dispatch.remove(job));
        }
        self.shared.generation_is(generation);
        Ok(())
    }

    /// What is kept of a document. Receipts are kept whole under the tenant's key: whether one is a job's is told by all
    /// of its tags, the buyer's too.
    fn noted(&self, fd: FdNumber, document: &Document, keys: &TenantKeys) -> Result<NotedDocument, SessionEnd> {
        let tags = &document.tags;
        let rack = self.shared.snapshot.borrow().rack_id.clone();
        let key = key_of(tags).filter(|key| Some(key.parts().rack.to_string()) == rack);
        let settlement = document
            .kind()
            .is_some_and(kassette_wire::ffd::DocumentCode::is_settlement);
        let sealed = match settlement {
            false => None,
            true => {
                let bytes = document.encode_stlv().map_err(|error| cut(fd, &error.to_string()))?;
                let sealed = self.shared.seal_bytes(&self.adoption.tenant, keys, &bytes);
                Some(sealed.map_err(|error| SessionEnd::Failed(error.reason))?)
            }
        };
        Ok(NotedDocument {
            fd,
            code: document.code,
            key: key.filter(|_| settlement),
            sign: tags.byte(Tag::SETTLEMENT_SIGN).ok().flatten().map(u32::from),
            total: tags.money(Tag::RECEIPT_TOTAL).ok().flatten(),
            fp: tags.fiscal_sign().ok().flatten(),
            time: tags.time(Tag::DOCUMENT_TIME).ok().flatten(),
            shift: tags
                .u32(Tag::SHIFT_NUMBER)
                .ok()
                .flatten()
                .map(kassette_wire::value::ShiftNumber),
            number_in_shift: tags.u32(Tag::RECEIPT_NUMBER).ok().flatten(),
            sealed,
        })
    }
}

/// The FN has the number and not the content: nobody can tell whose it is.
const fn unread(fd: FdNumber) -> NotedDocument {
    NotedDocument {
        fd,
        code: 0,
        key: None,
        sign: None,
        total: None,
        fp: None,
        time: None,
        shift: None,
        number_in_shift: None,
        sealed: None,
    }
}

fn cut(fd: FdNumber, why: &str) -> SessionEnd {
    SessionEnd::Failed(Reason::new(
        Code::FnDocumentUnreadable,
        format!("document {fd} was cut: {why}"),
    ))
}
