//! The FN's last number against the journal's mark.
//!
//! Owns: what an FN that is ahead or behind means, and the look at a register between documents.
//! Must never: let a lane go on past a document that was not read and explained.

use super::session::{Session, SessionEnd};
use crate::domain::error::Reason;
use crate::journal::{Command, FnMark, ReplyBody, Seen};
use crate::parts::Severity;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;

impl Session<'_> {
    /// The FN's last number must be what the journal knows: ahead means documents that nobody here asked for.
    pub(super) async fn check_mark(&mut self, mark: FnMark) -> Result<(), SessionEnd> {
        let last = self.status.fn_state.last_fd;
        // A doubt that was just settled has moved the mark with it.
        let known = self.shared_mark(mark).await?;
        if last > known.last_fd {
            return Box::pin(self.read_ahead(known.last_fd)).await;
        }
        if last == known.last_fd {
            return Ok(());
        }
        let text = format!("the FN's last document is {last}, the journal knows {}", known.last_fd);
        Err(self.isolate(Reason::new(Code::LedgerBehindJournal, text)).await)
    }

    pub(super) async fn shared_mark(&mut self, seen: FnMark) -> Result<FnMark, SessionEnd> {
        let order = self.seen_order();
        match self.shared.commit(Command::Seen(Box::new(order))).await? {
            ReplyBody::Mark(Some(mark)) => Ok(mark),
            _ => Ok(seen),
        }
    }

    fn seen_order(&self) -> Seen {
        let unit = self.shared.snapshot.borrow().units.get(&self.actor.label).cloned();
        Seen {
            slot: self.actor.label.clone(),
            register: self.adoption.register.clone(),
            model: unit.as_ref().and_then(|unit| unit.model.clone()).unwrap_or_default(),
            firmware: unit.and_then(|unit| unit.firmware).unwrap_or_default(),
            fn_number: Some(self.adoption.fn_number.clone()),
            registration: Some(self.registration.clone()),
            last_fd: None,
            at: self.shared.now(),
        }
    }

    /// Reads the register between documents: the FN's last number must be the one we left.
    pub(super) async fn look(&mut self) -> Result<(), SessionEnd> {
        let known = self.status.fn_state.last_fd;
        self.refresh().await?;
        let last = self.status.fn_state.last_fd;
        if last == known {
            return Ok(());
        }
        if last > known {
            return Box::pin(self.read_ahead(known)).await;
        }
        let text = format!("the FN's last document is {last}, ours was {known}");
        Err(self.isolate(Reason::new(Code::LedgerBehindJournal, text)).await)
    }

    /// The FN is ahead of what we know: everything is read. What carries a key of ours shows that the end of our journal
    /// was lost, and the lane goes on; anything else that nothing explains is for the audit to tell a person.
    async fn read_ahead(&mut self, known: FdNumber) -> Result<(), SessionEnd> {
        let order = Command::ReadAhead {
            fn_number: self.adoption.fn_number.clone(),
            at: self.shared.now(),
        };
        if let ReplyBody::Mark(Some(mark)) = self.shared.commit(order).await? {
            self.read_ledger(mark).await?;
        }
        let last = self.status.fn_state.last_fd;
        self.audit.ahead = true;
        let read = self.audit_all().await;
        self.audit.ahead = false;
        read?;
        if self.unread() == 0 {
            let text = format!("documents {known} to {last} were made elsewhere and are explained");
            self.tell(Severity::Warn, "the FN has grown without us", None, &text);
            return Ok(());
        }
        let text = format!(
            "the FN's last document is {last}, the journal knows {known} and no more; document {} could not be read",
            self.audit.next
        );
        Err(self.isolate(Reason::new(Code::ForeignDocuments, text)).await)
    }
}
