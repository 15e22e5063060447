//! Reading a document back from the FN: FF3A, then FF3B to its end.
//!
//! Owns: when a document counts as read whole.
//! Must never: call a cut or doubtful read whole, or "no data" an absence.

use super::ShtrihM;
use super::conversation::{Conversation, Failed, pick};
use crate::drivers::{DocumentRead, DriverError};
use crate::exchange::Care;
use kassette_wire::ffd::{Document, Tag};
use kassette_wire::shtrih::{DocumentByNumber, DocumentHeader, ErrorCode, Request};
use kassette_wire::value::FdNumber;

/// Parts of one document: the largest is 32 KiB (`fn-ffd-ofd` C.2) and a part holds at least one TLV.
const PARTS_MAX: usize = 8192;

impl ShtrihM {
    pub(super) async fn read_whole(&mut self, fd: FdNumber) -> Result<DocumentRead, DriverError> {
        let request = Request::OpenDocument(DocumentByNumber {
            password: Conversation::PASSWORD,
            fd,
        });
        let header = match self
            .talk
            .ask(&request, Care::Once, |answer| pick!(answer, DocumentHeader))
            .await
        {
            Ok(header) => header,
            Err(failed) => return said(failed),
        };
        match self.talk.read_out().await {
            Ok(joined) => Ok(judge(fd, &header, &joined)),
            Err(failed) => said(failed),
        }
    }
}

/// What the register itself said is a read that tells nothing; a broken link is the caller's to know.
fn said(failed: Failed) -> Result<DocumentRead, DriverError> {
    match failed.error_code() {
        Some(ErrorCode::FN_NO_DATA) => Ok(DocumentRead::NoData),
        Some(code) => Ok(DocumentRead::Cut(format!(
            "{} was refused with code {code}",
            failed.command
        ))),
        None => match DriverError::from(failed) {
            DriverError::Nonsense { command, text } => Ok(DocumentRead::Cut(format!("{command}: {text}"))),
            other => Err(other),
        },
    }
}

/// Whole only if the length is the announced one, every list in it is sound, and it states its own number.
fn judge(fd: FdNumber, header: &DocumentHeader, joined: &[u8]) -> DocumentRead {
    if joined.len() != usize::from(header.length) {
        return DocumentRead::Cut(format!(
            "FF3A announced {} bytes, FF3B gave {}",
            header.length,
            joined.len()
        ));
    }
    let document = match Document::from_parts(header.document, joined) {
        Ok(document) => document,
        Err(error) => return DocumentRead::Cut(error.to_string()),
    };
    if let Err(error) = document.tags.check_tree() {
        return DocumentRead::Cut(error.to_string());
    }
    match document.tags.u32(Tag::FD_NUMBER) {
        Ok(Some(own)) if own == fd.0 => DocumentRead::Whole(document),
        other => DocumentRead::Cut(format!("the document read as {fd} states its number as {other:?}")),
    }
}

impl Conversation {
    /// FF3B until code 08. On desktop models the register stays in mode 1 until then, so a read always goes to the end.
    pub(super) async fn read_out(&mut self) -> Result<Vec<u8>, Failed> {
        let request = Request::ReadDocument(Self::PASSWORD);
        let mut joined = Vec::new();
        for _ in 0..PARTS_MAX {
            // Each FF3B moves on: sent once, as a repeated one would lose a part unseen.
            match self
                .ask(&request, Care::Inside, |answer| pick!(answer, DocumentPart))
                .await
            {
                Ok(part) => joined.extend(part),
                Err(failed) if failed.error_code() == Some(ErrorCode::FN_NO_DATA) => return Ok(joined),
                Err(failed) => return Err(failed),
            }
            if joined.len() > usize::from(u16::MAX) {
                break;
            }
        }
        Err(Failed::nonsense(request.command(), "the document does not end"))
    }
}
