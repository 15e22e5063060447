//! Registers that speak the Shtrih-M protocol over link v1 or v2. See README.md beside this file.
//!
//! Owns: everything that is Shtrih-M's alone: commands, states, codes, quirks.
//! Must never: know the journal or a job's history; repeat anything inside a document.

mod clock;
mod conversation;
mod identity;
mod packing;
mod quirks;
mod read_back;
mod receipt;
mod refusals;
mod settings;
mod shift;
mod statements;
mod status;
mod tags;
#[cfg(test)]
mod tests;
mod times;

use super::{DocumentRead, Driver, DriverError};
use crate::domain::attempt::{Made, ReceiptOrder};
use crate::domain::device::{FnResource, Identity, Registration, Status};
use crate::domain::plan::LinkChoice;
use crate::exchange::{Care, DriverTiming, Link};
use crate::mutants::Mutant;
use crate::parts::{FaultPoints, Port};
use async_trait::async_trait;
use conversation::Conversation;
use identity::Facts;
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{ErrorCode, FnDocumentKind, Mode, Request, Submode};
use kassette_wire::value::{FdNumber, FnNumber, Inn, LocalTime, Rnm};
use receipt::Registered;
use statements::Stated;
use std::time::Duration;
use tags::Rates;

/// A register on an open port.
pub struct ShtrihM {
    talk: Conversation,
    timing: DriverTiming,
    faults: FaultPoints,
    /// What FC and F7 said on this connection.
    facts: Option<Facts>,
    /// What table 6 says.
    rates: Option<Rates>,
    /// What the registration, as it was read last, decides about documents.
    registered: Option<Registered>,
    /// What FF09 said last, to be held against the register's other statements.
    stated: Option<Stated>,
    /// Number of the FN as FF02 gave it last.
    fn_number_said: Option<FnNumber>,
}

impl ShtrihM {
    /// A driver on an open port. Nothing is sent before it is asked something.
    #[must_use]
    pub fn new(port: Box<dyn Port>, faults: FaultPoints, timing: DriverTiming, link: LinkChoice) -> Self {
        Self {
            talk: Conversation {
                link: Link::new(port, faults.clone(), timing, link),
                points: faults.clone(),
                commands: 0,
            },
            timing,
            faults,
            facts: None,
            rates: None,
            registered: None,
            stated: None,
            fn_number_said: None,
        }
    }

    /// Empties the link; the failure as that of the status request which follows.
    async fn empty_link(&mut self) -> Result<(), DriverError> {
        let emptied = self.talk.link.resync().await;
        emptied.map_err(|failure| DriverError::Link {
            command: "the call before a command".to_owned(),
            code: failure.code(),
            text: conversation::link_text(&failure),
            port_gone: failure.port_gone(),
        })
    }

    /// 88 where the register shows an open document, FF08 where only the FN does.
    async fn cancel_open(&mut self) -> Result<(), DriverError> {
        let state = self.talk.short_state().await?;
        if state.mode.is_document_open() && state.submode != Submode::PRINTING {
            let cancelled = self
                .talk
                .order(&Request::CancelReceipt(Conversation::PASSWORD), Care::Once)
                .await;
            match cancelled {
                Err(failed) if failed.error_code().is_some_and(closed_meanwhile) => {}
                other => return other.map_err(DriverError::from),
            }
        }
        if self.talk.fn_status().await?.document != FnDocumentKind::NONE {
            self.talk
                .order(&Request::FnCancelDocument(Conversation::PASSWORD), Care::Once)
                .await?;
        }
        Ok(())
    }
}

/// 88 says that no receipt is open in the register: the FN may still hold one.
const fn closed_meanwhile(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::RECEIPT_CLOSED | ErrorCode::WRONG_MODE)
}

#[async_trait]
impl Driver for ShtrihM {
    async fn barrier(&mut self) -> Result<(), DriverError> {
        self.empty_link().await?;
        self.talk.short_state().await?;
        Ok(())
    }

    async fn identify(&mut self) -> Result<Identity, DriverError> {
        let identity = self.read_identity().await?;
        // Naive: the cable was not touched, so the register is the one that stood here.
        if self.faults.mutant(Mutant::NamedByPort) {
            return Ok(self.faults.known_by_port(identity));
        }
        Ok(identity)
    }

    async fn registration(&mut self) -> Result<Registration, DriverError> {
        self.read_registration().await
    }

    async fn owner(&mut self) -> Result<(Inn, Rnm), DriverError> {
        self.read_owner().await
    }

    async fn status(&mut self) -> Result<Status, DriverError> {
        let status = self.read_status().await?;
        if self.faults.mutant(Mutant::NamedByPort) {
            return Ok(self.faults.state_by_port(status));
        }
        Ok(status)
    }

    async fn resource(&mut self) -> Result<FnResource, DriverError> {
        self.read_resource().await
    }

    async fn prepare(&mut self) -> Result<Vec<String>, DriverError> {
        self.check_statements().await?;
        self.bring_settings().await
    }

    async fn make_receipt(&mut self, order: &ReceiptOrder) -> Made {
        self.walk_receipt(order).await
    }

    fn cannot_make(&self, order: &ReceiptOrder, registration: &Registration) -> Option<(Code, String)> {
        let facts = self.plan_facts(Some(registration));
        facts.and_then(|facts| receipt::ReceiptPlan::new(order, facts)).err()
    }

    async fn open_shift(&mut self) -> Made {
        self.turn_shift_open().await
    }

    async fn close_shift(&mut self) -> Made {
        self.turn_shift_closed().await
    }

    async fn cancel_document(&mut self) -> Result<(), DriverError> {
        self.cancel_open().await
    }

    async fn finish_interrupted(&mut self) -> Result<(), DriverError> {
        let state = self.talk.short_state().await?;
        if state.submode == Submode::WAITING_CONTINUE {
            self.talk
                .order(&Request::ContinuePrint(Conversation::PASSWORD), Care::Once)
                .await?;
        } else if state.mode.mode() == Mode::DATA_OUTPUT {
            self.talk.read_out().await?;
        }
        Ok(())
    }

    async fn read_document(&mut self, fd: FdNumber) -> Result<DocumentRead, DriverError> {
        self.read_whole(fd).await
    }

    async fn set_clock(&mut self, time: LocalTime) -> Result<(), DriverError> {
        self.put_clock(time).await
    }

    fn longest_command(&self) -> Duration {
        self.timing.wait(times::OPEN_SHIFT)
    }

    fn commands(&self) -> u64 {
        self.talk.commands
    }

    fn shared_medium(&self) -> bool {
        self.talk.link.shared_medium()
    }
}
