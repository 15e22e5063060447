//! Opening and closing a shift, once, with the number and sign of the report.
//!
//! Owns: the choice between the FN commands (FF0B, FF43) and the reports (E0, 41), and reading back what the latter made.
//! Must never: send a second opening or closing unless the first was refused as unknown to the model.

use super::ShtrihM;
use super::conversation::{Conversation, Failed, pick};
use super::quirks::ShiftBy;
use super::receipt::not_made;
use super::refusals::means_unsupported;
use crate::domain::attempt::{Broken, Made, MadeDocument};
use crate::exchange::Care;
use kassette_wire::codes::Code;
use kassette_wire::ffd::DocumentCode;
use kassette_wire::shtrih::{CommandCode, DocumentByNumber, FnDocument, FnDocumentDetail, Request};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Open,
    Close,
}

impl Turn {
    const fn report(self) -> Request {
        match self {
            Self::Open => Request::OpenShift(Conversation::PASSWORD),
            Self::Close => Request::ZReport(Conversation::PASSWORD),
        }
    }

    const fn document(self) -> DocumentCode {
        match self {
            Self::Open => DocumentCode::ShiftOpen,
            Self::Close => DocumentCode::ShiftClose,
        }
    }
}

impl ShtrihM {
    pub(super) async fn turn_shift_open(&mut self) -> Made {
        let by = self.facts.as_ref().map_or(ShiftBy::Fn, |facts| facts.quirk.shift_open);
        self.turn_shift(Turn::Open, by).await
    }

    pub(super) async fn turn_shift_closed(&mut self) -> Made {
        let by = self.facts.as_ref().map_or(ShiftBy::Fn, |facts| facts.quirk.shift_close);
        self.turn_shift(Turn::Close, by).await
    }

    /// By the FN command; by the report where the model is known to need it or refuses the other as unknown to it. A
    /// refusal as unknown is no half-done work: the command was not carried out.
    async fn turn_shift(&mut self, turn: Turn, by: ShiftBy) -> Made {
        if by == ShiftBy::Fn {
            match self.fn_turn(turn).await {
                Ok(made) => return Made::Good(made),
                Err(failed) if failed.error_code().is_some_and(means_unsupported) => {}
                Err(failed) => return not_made(failed, true, false),
            }
        }
        let report = turn.report();
        match self.talk.order(&report, Care::Once).await {
            Ok(()) => self.read_report(turn, report.command()).await,
            Err(failed) => not_made(failed, true, false),
        }
    }

    async fn fn_turn(&mut self, turn: Turn) -> Result<MadeDocument, Failed> {
        let password = Conversation::PASSWORD;
        match turn {
            Turn::Open => {
                let request = Request::FnOpenShift(password);
                let done = self
                    .talk
                    .ask(&request, Care::Once, |answer| pick!(answer, ShiftOpened))
                    .await?;
                Ok(MadeDocument {
                    fd: done.fd,
                    fp: done.fp,
                    time: None,
                    shift: Some(done.shift),
                })
            }
            Turn::Close => {
                let request = Request::FnCloseShift(password);
                let done = self
                    .talk
                    .ask(&request, Care::Once, |answer| pick!(answer, ShiftClosed))
                    .await?;
                Ok(MadeDocument {
                    fd: done.fd,
                    fp: done.fp,
                    time: done.time,
                    shift: Some(done.shift),
                })
            }
        }
    }

    /// E0 and 41 tell no number: the FN's last document must be the report. If it cannot be read, nothing is claimed.
    async fn read_report(&mut self, turn: Turn, command: CommandCode) -> Made {
        match self.last_report(turn).await {
            Ok(made) => Made::Good(made),
            Err(failed) => Made::Broken(Broken {
                command: command.to_string(),
                closing_sent: true,
                code: Code::FnDocumentUnreadable,
                text: format!(
                    "{command} was answered well, but its document could not be read: {failed}; the FN is read again"
                ),
            }),
        }
    }

    async fn last_report(&mut self, turn: Turn) -> Result<MadeDocument, crate::drivers::DriverError> {
        let last = self.talk.fn_status().await?.last_fd;
        let request = Request::FnDocument(DocumentByNumber {
            password: Conversation::PASSWORD,
            fd: last,
        });
        let document = self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, FnDocument))
            .await?;
        Ok(report_of(turn, &document).ok_or_else(|| {
            let text = format!(
                "the last document {last} is of kind {}, not a {}",
                document.kind,
                turn.document()
            );
            Failed::nonsense(CommandCode::FN_DOCUMENT, text)
        })?)
    }
}

fn report_of(turn: Turn, document: &FnDocument) -> Option<MadeDocument> {
    if u16::from(document.kind) != turn.document().code() {
        return None;
    }
    let shift = match document.detail() {
        Ok(FnDocumentDetail::Shift(shift)) => Some(shift),
        _ => None,
    };
    Some(MadeDocument {
        fd: document.fd,
        fp: document.fp,
        time: document.time,
        shift,
    })
}
