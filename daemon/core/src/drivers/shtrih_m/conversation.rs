//! Typed commands over the exchange: encode, send, match, decode.
//!
//! Owns: the link and the operator's password.
//! Must never: repeat a command, or judge what a refusal means.

use super::refusals;
use super::times::answer_wait;
use crate::drivers::DriverError;
use crate::exchange::{Care, ExchangeFailure, Link};
use crate::mutants::Mutant;
use crate::parts::FaultPoints;
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{Answer, AnswerFrame, CommandCode, ErrorCode, Password, ReadTable, Request, TableCell};

/// Why a command has no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) command: CommandCode,
    pub(super) why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The exchange failed.
    Link(ExchangeFailure),
    /// An error code.
    Refused(ErrorCode),
    /// A success whose data cannot be what the command returns.
    Nonsense(String),
    /// The command has no bytes; nothing was sent.
    NoBytes(String),
}

impl Failed {
    const fn new(command: CommandCode, why: Why) -> Self {
        Self { command, why }
    }

    pub(super) fn nonsense(command: CommandCode, text: impl Into<String>) -> Self {
        Self::new(command, Why::Nonsense(text.into()))
    }

    /// The error code, if that is what came.
    pub(super) const fn error_code(&self) -> Option<ErrorCode> {
        match self.why {
            Why::Refused(code) => Some(code),
            _ => None,
        }
    }
}

impl Failed {
    /// Whether the register answered NAK to the frame.
    pub(super) const fn is_nak(&self) -> bool {
        matches!(self.why, Why::Link(ExchangeFailure::RefusedFrame { .. }))
    }
}

impl From<Failed> for DriverError {
    fn from(failed: Failed) -> Self {
        let command = failed.command.to_string();
        match failed.why {
            Why::Link(failure) => Self::Link {
                command,
                code: failure.code(),
                text: link_text(&failure),
                port_gone: failure.port_gone(),
            },
            Why::Refused(code) => Self::Refused {
                command,
                device_code: code.0,
                code: refusals::code_of(code),
                text: refusals::words(code),
            },
            Why::Nonsense(text) => Self::Nonsense { command, text },
            Why::NoBytes(text) => Self::Undecided(format!("{command} cannot be written: {text}")),
        }
    }
}

/// What happened on the link and what to do.
pub(super) fn link_text(failure: &ExchangeFailure) -> String {
    let next = match failure.code() {
        Code::RegisterAbsent => "plug the register in or give it power",
        Code::RegisterSilent => "check power, cable and speed; it is asked again",
        Code::RegisterBusy => "wait until it finishes its command; it is asked again",
        Code::RegisterGarbled => "check cable, ground and speed, and that no other program uses the port",
        _ => "report this with the log lines of its time",
    };
    format!("{failure}; {next}")
}

/// A register one can ask.
pub(super) struct Conversation {
    pub(super) link: Link,
    pub(super) points: FaultPoints,
    /// Commands sent so far.
    pub(super) commands: u64,
}

impl Conversation {
    /// The password of all commands: with 30 everything works (`shtrih-m` section 2).
    pub(super) const PASSWORD: Password = Password::SYSADMIN;

    /// Sends a command once and returns its answer's data as it came.
    async fn frame(&mut self, request: &Request, care: Care) -> Result<AnswerFrame, Failed> {
        let command = request.command();
        let payload = request
            .encode()
            .map_err(|e| Failed::new(command, Why::NoBytes(e.to_string())))?;
        self.commands += 1;
        let answer = self.link.exchange(&payload, answer_wait(command), care).await;
        let answer = answer.map_err(|failure| Failed::new(command, Why::Link(failure)))?;
        let frame = AnswerFrame::decode(&answer).map_err(|e| Failed::nonsense(command, e.to_string()))?;
        if !frame.error.is_ok() {
            return Err(Failed::new(command, Why::Refused(frame.error)));
        }
        // Naive: what the link took for ours is ours.
        if frame.command != command && !self.points.mutant(Mutant::StaleRightNumber) {
            // A bare prefix with success: no model was seen to answer so.
            return Err(Failed::nonsense(command, format!("answered as {}", frame.command)));
        }
        Ok(frame)
    }

    /// A command whose good answer needs no data: the operator byte may be any or missing (captures).
    pub(super) async fn order(&mut self, request: &Request, care: Care) -> Result<(), Failed> {
        self.frame(request, care).await.map(|_| ())
    }

    /// A command whose answer is picked out of the decoded data.
    pub(super) async fn ask<T>(
        &mut self,
        request: &Request,
        care: Care,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, Failed> {
        let command = request.command();
        let frame = self.frame(request, care).await?;
        let answer = Answer::decode(command, &frame.data).map_err(|e| Failed::nonsense(command, e.to_string()))?;
        pick(answer).ok_or_else(|| Failed::nonsense(command, "the answer is of another kind"))
    }

    /// Reads a table field; `None` when the register says that it has no such field or value.
    pub(super) async fn table(&mut self, cell: TableCell) -> Result<Option<Vec<u8>>, Failed> {
        let request = Request::ReadTable(ReadTable {
            password: Self::PASSWORD,
            cell,
        });
        match self.ask(&request, Care::Read, |answer| pick!(answer, TableValue)).await {
            Ok(value) => Ok(Some(value)),
            Err(failed) => match failed.error_code() {
                Some(code) if refusals::means_absent(code) => Ok(None),
                _ => Err(failed),
            },
        }
    }

    /// A table field of one byte; `None` when there is none or it is wider.
    pub(super) async fn table_byte(&mut self, cell: TableCell) -> Result<Option<u8>, Failed> {
        Ok(match self.table(cell).await?.as_deref() {
            Some(&[byte]) => Some(byte),
            _ => None,
        })
    }
}

/// The payload of one variant of [`Answer`].
macro_rules! pick {
    ($answer:expr, $variant:ident) => {
        match $answer {
            kassette_wire::shtrih::Answer::$variant(value) => Some(value),
            _ => None,
        }
    };
}
pub(super) use pick;
