//! One document of a copy against the journal.
//!
//! Owns: what a document is to the journal: a job's, a shift order's, of the time before, in doubt, or nobody's.
//! Must never: call a document explained by its kind alone when it is a receipt.

use super::super::buyer::unseal_buyer;
use super::super::open::Fault;
use super::super::query::StoredJob;
use super::facts::{FnFacts, Known};
use super::findings::Finding;
use super::{CopiedContent, CopiedDocument, Lane, Reconciler, Seen, Unreadable};
use crate::domain::attempt::{KEY_ATTRIBUTE_NAME, KeyPlace};
use crate::domain::compare::{Asked, Dropped, differences};
use crate::domain::explain::{Witness, code_of, evidence};
use kassette_receipts::hash::HashKey;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::{Buyer, Receipt};
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Document, DocumentCode, Tag};
use kassette_wire::value::FnNumber;
use sha2::{Digest as _, Sha256};

/// A buyer in clear, or digests of one that was dropped; neither for a job without one.
type BuyerKept = (Option<Buyer>, Option<Dropped>);

impl CopiedDocument {
    fn code(&self) -> u16 {
        match &self.content {
            CopiedContent::Whole(document) => document.code,
            CopiedContent::Summary { code, .. } => *code,
        }
    }

    fn kind(&self) -> Option<DocumentCode> {
        DocumentCode::from_code(self.code())
    }

    fn is_receipt(&self) -> bool {
        self.kind().is_some_and(DocumentCode::is_settlement)
    }

    /// Start of the digest of its bytes.
    fn digest(&self) -> Option<[u8; 8]> {
        let CopiedContent::Whole(document) = &self.content else {
            return None;
        };
        let bytes = document.encode_stlv().unwrap_or_default();
        Sha256::digest(bytes).first_chunk().copied()
    }

    /// Keys of this form in it, wherever one of ours may stand.
    fn keys(&self) -> impl Iterator<Item = JobKey> {
        let CopiedContent::Whole(document) = &self.content else {
            return [None, None].into_iter().flatten();
        };
        let parsed = |text: Option<String>| JobKey::parse(text?.trim_end()).ok();
        let attribute = document.tags.list(Tag::USER_ATTRIBUTE).ok().flatten().and_then(|list| {
            let ours = list.text(Tag::USER_ATTRIBUTE_NAME)? == KEY_ATTRIBUTE_NAME;
            ours.then(|| list.text(Tag::USER_ATTRIBUTE_VALUE)).flatten()
        });
        let direct = parsed(document.tags.text(Tag::RECEIPT_ATTRIBUTE));
        [direct, parsed(attribute)].into_iter().flatten()
    }
}

impl Reconciler {
    pub(super) fn judge(&mut self, document: &CopiedDocument) -> Result<(), Fault> {
        let (number, fd) = (&document.fn_number, document.fd.0);
        self.lane(number)?;
        if !self.is_new(document) {
            return Ok(());
        }
        let facts = self.lanes.get(number).and_then(|lane| lane.facts.as_ref());
        let before = facts.is_none_or(|facts| fd <= facts.mark);
        let in_doubt = facts.is_some_and(|facts| may_be_in_doubt(facts, fd));
        self.found.documents += u64::from(document.is_receipt() && !before);
        let known = self.books.known(number, fd)?;
        let claimed = match &known {
            Some(known) => self.compare(document, known)?,
            None => None,
        };
        let keyed = self.judge_keys(document, claimed.as_ref(), in_doubt)?;
        if known.is_some() || keyed || in_doubt {
            return Ok(());
        }
        if before {
            self.found.passed_over += 1;
            return Ok(());
        }
        self.judge_nobodys(document)
    }

    /// Reads what the journal knows of an FN, once.
    fn lane(&mut self, number: &FnNumber) -> Result<(), Fault> {
        if !self.lanes.contains_key(number) {
            let facts = self.books.fn_facts(number)?;
            let seen = std::collections::BTreeMap::new();
            self.lanes.insert(number.clone(), Lane { facts, seen });
        }
        Ok(())
    }

    /// Whether this document was not seen before. Two copies of one FN may show it twice, but not differently; one copy
    /// shows it once.
    fn is_new(&mut self, document: &CopiedDocument) -> bool {
        let (number, fd) = (&document.fn_number, document.fd.0);
        let source = self.sources.len().saturating_sub(1);
        let new = Seen {
            fp: document.fp.0,
            digest: document.digest(),
            is_receipt: document.is_receipt(),
            source,
        };
        let Some(lane) = self.lanes.get_mut(number) else {
            return false;
        };
        let Some(before) = lane.seen.get_mut(&fd) else {
            lane.seen.insert(fd, new);
            return true;
        };
        let other = before.digest.zip(new.digest).is_some_and(|(one, two)| one != two);
        let wrong = if before.source == source {
            Some("it stands twice in one copy")
        } else if before.fp != new.fp || other {
            Some("another copy shows it differently")
        } else {
            None
        };
        // A copy with all tags tells more than an export without: it is judged as if it were the first.
        let tells_more = before.digest.is_none() && new.digest.is_some() && wrong.is_none();
        before.digest = before.digest.or(new.digest);
        if tells_more {
            self.found.documents -= u64::from(document.is_receipt() && self.is_after_mark(number, fd));
        }
        if let Some(text) = wrong {
            let text = format!("{}: {text}", self.source_name());
            let finding = Finding::new(Code::LedgerCopyUnreadable, text);
            self.found.differs(finding.at(number, fd));
        }
        tells_more
    }

    fn is_after_mark(&self, number: &FnNumber, fd: u32) -> bool {
        let facts = self.lanes.get(number).and_then(|lane| lane.facts.as_ref());
        facts.is_some_and(|facts| fd > facts.mark)
    }

    /// A document that the journal names, with everything that both tell; gives the key of its job.
    fn compare(&mut self, document: &CopiedDocument, known: &Known) -> Result<Option<JobKey>, Fault> {
        let mut found = row_differences(document, known);
        let stored = known.job.map(|id| self.books.job(id)).transpose()?.flatten();
        if let (CopiedContent::Whole(whole), Some(stored)) = (&document.content, &stored) {
            found.extend(self.content_differences(document, whole, known, stored)?);
        }
        let key = stored.map(|stored| stored.job.key);
        for text in found {
            let mut finding = Finding::new(Code::ContentMismatch, text).at(&document.fn_number, document.fd.0);
            finding.job = key;
            self.found.differs(finding);
        }
        Ok(key)
    }

    fn content_differences(
        &mut self,
        document: &CopiedDocument,
        whole: &Document,
        known: &Known,
        stored: &StoredJob,
    ) -> Result<Vec<String>, Fault> {
        let place = known.place.unwrap_or(KeyPlace::ByContent);
        let key = stored.job.key;
        let mut found = Vec::new();
        if place != KeyPlace::ByContent && !document.keys().any(|one| one == key) {
            found.push("it does not carry the key of its job".to_owned());
        }
        match self.buyer(stored)? {
            Ok((buyer, dropped)) => {
                let receipt = Receipt {
                    buyer,
                    ..stored.job.receipt.clone()
                };
                let dropped = dropped.as_ref();
                let receipt = &receipt;
                found.extend(differences(
                    &whole.tags,
                    &Asked {
                        receipt,
                        place,
                        dropped,
                    },
                ));
            }
            Err(Unreadable) => {
                let text = "its tags: the buyer cannot be opened with the keys at hand".to_owned();
                let finding = Finding::new(Code::LedgerNotCompared, text).of(key);
                self.found.unsure(finding.at(&document.fn_number, document.fd.0));
            }
        }
        Ok(found)
    }

    /// The buyer of a job, or the digests that stand for one that was dropped.
    fn buyer(&self, stored: &StoredJob) -> Result<Result<BuyerKept, Unreadable>, Fault> {
        let tenant = &stored.job.tenant;
        if let Some(sealed) = &stored.buyer {
            let opened = (self.keys)(tenant).and_then(|keys| unseal_buyer(&keys, tenant, sealed).ok_or(Unreadable));
            return Ok(opened.map(|buyer| (Some(buyer), None)));
        }
        let digests = self.books.digests(stored.id)?;
        if digests.is_empty() {
            return Ok(Ok((None, None)));
        }
        let dropped = (self.keys)(tenant).map(|keys| Dropped {
            key: HashKey::new(keys.content),
            job: stored.job.key,
            digests,
        });
        Ok(dropped.map(|dropped| (None, Some(dropped))))
    }

    /// Every key of this rack in a document must be that of the job that the document is named by; whether there is one.
    fn judge_keys(
        &mut self,
        document: &CopiedDocument,
        claimed: Option<&JobKey>,
        in_doubt: bool,
    ) -> Result<bool, Fault> {
        let own = self.books.rack;
        let mut any = false;
        for key in document.keys().filter(|key| Some(key.parts().rack) == own) {
            any = true;
            if claimed == Some(&key) {
                continue;
            }
            match self.books.job_with(&key)? {
                Some(stored) => self.judge_stray(document, &stored, in_doubt),
                None => self.judge_orphan(document, key),
            }
        }
        Ok(any)
    }

    /// A document with the key of a job that does not name it.
    fn judge_stray(&mut self, document: &CopiedDocument, stored: &StoredJob, in_doubt: bool) {
        let job = &stored.job;
        let finding = match (&job.evidence, job.state) {
            (Some(proof), _) => {
                self.found.doubled += 1;
                let text = format!(
                    "it carries the key of a job whose document is FN {} FD {}",
                    proof.fn_number, proof.fd
                );
                Finding::new(Code::DocumentDoubled, text)
            }
            // Its FN is still to be read; `remainder` says so.
            (None, JobState::Running | JobState::InDoubt) if in_doubt => return,
            (None, state) => {
                self.found.doubled += 1;
                let text = format!("it carries the key of a job that is {}", state.as_str());
                Finding::new(Code::DocumentOfUncompletedJob, text)
            }
        };
        self.found
            .differs(finding.of(job.key).at(&document.fn_number, document.fd.0));
    }

    /// A document with a key of this rack that no job here has.
    fn judge_orphan(&mut self, document: &CopiedDocument, key: JobKey) {
        let (number, fd) = (&document.fn_number, document.fd.0);
        let generation = key.parts().generation;
        if let Some((other, at)) = self.orphans.get(&key) {
            let text = format!("it carries the same key as FN {other} FD {at}");
            self.found.doubled += 1;
            let finding = Finding::new(Code::DocumentDoubled, text).of(key);
            return self.found.differs(finding.at(number, fd));
        }
        self.orphans.insert(key, (number.clone(), fd));
        let finding = if self.books.generation == Some(generation) {
            let text = "it carries a key of this journal's generation, and no job has that key".to_owned();
            Finding::new(Code::ForeignDocuments, text)
        } else {
            let text = format!("it carries a key of generation {generation}, and no job of this journal has it");
            Finding::new(Code::DocumentOrphan, text)
        };
        self.found.differs(finding.of(key).at(number, fd));
    }

    /// A document of the journal's time without a row: explained as a registration or as a report of the register itself.
    fn judge_nobodys(&mut self, document: &CopiedDocument) -> Result<(), Fault> {
        let fd = document.fd.0;
        let explained = match document.kind() {
            Some(DocumentCode::Registration | DocumentCode::Reregistration) => true,
            Some(DocumentCode::ShiftOpen | DocumentCode::ShiftClose) => {
                self.books.within_an_attempt(&document.fn_number, fd)?
            }
            _ => false,
        };
        if !explained {
            let name = document
                .kind()
                .map_or_else(|| format!("document code {}", document.code()), |k| k.to_string());
            let text = format!("no job, shift or registration of this journal explains this {name}");
            let finding = Finding::new(Code::ForeignDocuments, text);
            self.found.differs(finding.at(&document.fn_number, fd));
        }
        Ok(())
    }
}

/// Whether the document stands where one of an unresolved attempt may be.
fn may_be_in_doubt(facts: &FnFacts, fd: u32) -> bool {
    facts.unresolved.is_some_and(|baseline| fd > baseline)
}

/// What a document says of itself against its row.
fn row_differences(document: &CopiedDocument, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    let row = &known.row;
    let mut same = |what: &str, copied: String, journal: String| {
        if copied != journal {
            found.push(format!("{what} is {copied} in the copy, {journal} in the journal"));
        }
    };
    same(
        "its code",
        document.code().to_string(),
        code_of(row.kind).code().to_string(),
    );
    same("its fiscal sign", document.fp.to_string(), row.fp.to_string());
    match &document.content {
        CopiedContent::Summary { total, time, .. } => {
            same("its total", total.to_string(), row.total.to_string());
            if let Some(time) = time {
                same("its time", time.to_string(), row.time.to_string());
            }
        }
        CopiedContent::Whole(whole) => {
            let witness = Witness {
                register: row.register.clone(),
                fn_number: row.fn_number.clone(),
                rnm: row.rnm.clone(),
                zone_minutes: row.zone_minutes,
            };
            match evidence(whole, row.fd, &witness, row.learned) {
                Err(error) => found.push(error.to_string()),
                Ok(copied) => {
                    let journal = &known.evidence;
                    same("tag 1077", copied.fp.to_string(), journal.fp.to_string());
                    same("tag 1038", copied.shift.to_string(), journal.shift.to_string());
                    same("tag 1012", copied.time.to_string(), journal.time.to_string());
                    same("tag 1020", copied.total.to_string(), journal.total.to_string());
                    let rnm = whole.tags.text(Tag::RNM).unwrap_or_default();
                    same("tag 1037", rnm.trim_end().to_owned(), row.rnm.to_string());
                    if known.job.is_some() {
                        let numbers = (copied.number_in_shift, journal.number_in_shift);
                        same("tag 1042", numbers.0.to_string(), numbers.1.to_string());
                    }
                }
            }
        }
    }
    found
}
