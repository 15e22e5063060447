//! Doubts on an FN that was read in recovery mode: what was noted of it settles them.
//!
//! Owns: what each document that was read is to an attempt.
//! Must never: take a document that nobody explains for proof of anything.

use super::recovery::{self, Doubtful, Verdict as Found};
use super::session::{Session, SessionEnd};
use crate::domain::error::Reason;
use crate::domain::explain::{Explained, code_of, explain};
use crate::domain::orphan::{Orphan, ReadWhy};
use crate::journal::{Query, Rows, Scan};
use crate::parts::TenantKeys;
use crate::rack::shared::Unresolved;
use kassette_wire::codes::Code;
use kassette_wire::ffd::Document;
use kassette_wire::value::FdNumber;

/// Most documents of one read of the journal.
const NOTES_PAGE: u32 = 1000;

/// What a document that was read in recovery mode is to an attempt.
enum Noted {
    Ours,
    Others(&'static str),
    Unknown(Reason),
}

impl Noted {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Others(what) => what,
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Session<'_> {
    /// The resolution of a doubt on an FN that was read whole above the baseline in recovery mode: what was read tells what
    /// each document is, however many there are. `None` when it was not read so.
    pub(super) async fn resolve_noted(
        &mut self,
        unresolved: &Unresolved,
        doubtful: &Doubtful<'_>,
    ) -> Result<Option<recovery::Resolution>, SessionEnd> {
        let notes = self.notes_above(doubtful.baseline).await?;
        if notes.is_empty() {
            return Ok(None);
        }
        let status = self.at_rest(ReadWhy::Restore).await?;
        let numbers = notes.iter().map(|note| note.document.fd.0);
        if !numbers.eq(doubtful.baseline.0 + 1..=status.fn_state.last_fd.0) {
            return Ok(None);
        }
        let mut scan = Scan {
            register: doubtful.witness.register.clone(),
            fn_number: status.fn_state.number.clone(),
            idle_seen: 2,
            cancelled: false,
            last_before: status.fn_state.last_fd,
            last_after: status.fn_state.last_fd,
            documents: Vec::with_capacity(notes.len()),
        };
        let keys = self.shared.keys(&self.adoption.tenant).await;
        let keys = keys.map_err(|error| SessionEnd::Failed(error.reason))?;
        let mut verdict = Found::NotMade;
        for note in &notes {
            let what = self.explain_note(note, unresolved, doubtful, &keys)?;
            scan.documents.push((note.document.fd.0, what.as_str().to_owned()));
            verdict = match (what, verdict) {
                (Noted::Others(_), before) | (_, before @ Found::Manual(_)) => before,
                (Noted::Ours, Found::Made(_)) => Found::Manual(Reason::new(
                    Code::DocumentDoubled,
                    format!("document {} is the second one of this attempt", note.document.fd),
                )),
                (Noted::Ours, _) => match note.evidence() {
                    Some(proof) => Found::Made(Box::new(proof)),
                    None => Found::Manual(Reason::new(
                        Code::DoubtLedgerUnreadable,
                        format!("document {} lacks what every document has", note.document.fd),
                    )),
                },
                (Noted::Unknown(reason), _) => Found::Manual(reason),
            };
        }
        Ok(Some(recovery::Resolution { verdict, scan }))
    }

    async fn notes_above(&mut self, baseline: FdNumber) -> Result<Vec<Orphan>, SessionEnd> {
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let query = Query::Orphans {
                fn_number: Some(self.adoption.fn_number.clone()),
                state: None,
                after,
                limit: NOTES_PAGE,
            };
            let read = self.shared.read(query).await;
            let Rows::Orphans(page) = read.map_err(|error| SessionEnd::Failed(error.reason))? else {
                return Ok(found);
            };
            let Some(last) = page.last().map(|note| note.id) else {
                found.sort_by_key(|note: &Orphan| note.document.fd);
                return Ok(found);
            };
            after = last;
            found.extend(page.into_iter().filter(|note| note.document.fd > baseline));
        }
    }

    /// What a document that was read is to an attempt.
    fn explain_note(
        &self,
        note: &Orphan,
        unresolved: &Unresolved,
        doubtful: &Doubtful<'_>,
        keys: &TenantKeys,
    ) -> Result<Noted, SessionEnd> {
        let document = &note.document;
        let unknown = |code, text: String| Ok(Noted::Unknown(Reason::new(code, text)));
        if document.code == 0 {
            let text = format!("the FN has document {} but not its content", document.fd);
            return unknown(Code::DoubtLedgerUnreadable, text);
        }
        if unresolved.intent.job.is_none() {
            // A shift document is the next one of its lane or none.
            let next = Some(document.fd) == doubtful.baseline.next();
            let same = code_of(doubtful.wanted.kind).code() == document.code;
            return Ok(if next && same {
                Noted::Ours
            } else {
                Noted::Others("another's")
            });
        }
        if !document.is_settlement() {
            return Ok(Noted::Others("shift report"));
        }
        let Some(sealed) = document.sealed.as_ref() else {
            // What a job or a person explains is kept no longer.
            return Ok(Noted::Others("explained"));
        };
        if document.key.is_some() && document.key != unresolved.intent.job_key {
            return Ok(Noted::Others("of another job of this rack"));
        }
        let failed = |error: crate::domain::error::RackError| SessionEnd::Failed(error.reason);
        let bytes = self
            .shared
            .unseal_bytes(&self.adoption.tenant, keys, sealed)
            .map_err(failed)?;
        let whole = Document::decode_stlv(&bytes)
            .map_err(|error| SessionEnd::Failed(Reason::new(Code::JournalDamaged, error)))?;
        match explain(&whole, &doubtful.wanted) {
            Explained::Ours(_) => Ok(Noted::Ours),
            Explained::ShiftReport => Ok(Noted::Others("shift report")),
            Explained::OtherContent(differences) => unknown(
                Code::ContentMismatch,
                format!("document {} has the key but {}", document.fd, differences.join("; ")),
            ),
            Explained::Nobodys(what) => unknown(
                Code::ForeignDocuments,
                format!("document {} is nobody's: {what}", document.fd),
            ),
        }
    }
}
