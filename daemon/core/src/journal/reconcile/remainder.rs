//! What the copies did not show.
//!
//! Owns: documents that are missing, numbers between two documents that are missing, and what no copy was given of.
//! Must never: call a document missing that is younger than the copy.

use super::super::open::Fault;
use super::facts::{FnFacts, Named};
use super::findings::Finding;
use super::{Lane, Reconciler};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::FnNumber;
use std::collections::BTreeSet;

impl Reconciler {
    pub(super) fn remainder(&mut self) -> Result<(), Fault> {
        self.without_document()?;
        self.without_copy()?;
        for (number, lane) in &std::mem::take(&mut self.lanes) {
            if let Some(known) = &lane.facts {
                let absent = self.missing(number, lane, known)?;
                self.gaps(number, lane, &absent);
                self.summaries(number, lane);
            }
        }
        self.unresolved()
    }

    /// Receipts of which no copy shows the tags.
    fn summaries(&mut self, number: &FnNumber, lane: &Lane) {
        let count = lane
            .seen
            .values()
            .filter(|seen| seen.is_receipt && seen.digest.is_none())
            .count();
        if count > 0 {
            let text =
                format!("{count} receipts are compared by fiscal sign, total and time alone: no copy tells their tags");
            let finding = Finding::new(Code::LedgerNotCompared, text);
            self.found.unsure(finding.on(number));
        }
    }

    fn without_document(&mut self) -> Result<(), Fault> {
        for text in self.books.without_document()? {
            self.found.lost += 1;
            let mut finding = Finding::new(
                Code::DocumentMissing,
                "it is COMPLETED and names no document".to_owned(),
            );
            finding.job = JobKey::parse(&text).ok();
            self.found.differs(finding);
        }
        Ok(())
    }

    /// FNs of which no copy was given.
    fn without_copy(&mut self) -> Result<(), Fault> {
        for (text, documents) in self.books.all_fns()? {
            let Ok(number) = text.parse::<FnNumber>() else { continue };
            if !self.lanes.contains_key(&number) && documents > 0 {
                let text = format!("no copy of this FN was given; {documents} documents are not compared");
                let finding = Finding::new(Code::LedgerNotCompared, text);
                self.found.unsure(finding.on(&number));
            }
        }
        Ok(())
    }

    /// An FN numbers its documents without gaps. A number that the journal names is told as missing already.
    fn gaps(&mut self, number: &FnNumber, lane: &Lane, absent: &BTreeSet<u32>) {
        let mut expected = 1;
        for fd in lane.seen.keys().copied() {
            let named = absent.range(expected..fd).count();
            if usize::try_from(fd - expected).is_ok_and(|gap| gap > named) {
                let upto = fd - 1;
                let text = format!("documents {expected} to {upto} are not in the copy");
                if expected == 1 {
                    // A copy may begin later: the FN keeps full documents only for a time.
                    let finding = Finding::new(Code::LedgerNotCompared, text);
                    self.found.unsure(finding.at(number, expected));
                } else {
                    let finding = Finding::new(Code::DocumentMissing, text);
                    self.found.differs(finding.at(number, expected));
                }
            }
            expected = fd.saturating_add(1);
        }
    }

    /// Documents that the journal names and no copy of their FN shows; gives their numbers.
    fn missing(&mut self, number: &FnNumber, lane: &Lane, known: &FnFacts) -> Result<BTreeSet<u32>, Fault> {
        let absent = self.books.named(number, |fd| lane.seen.contains_key(&fd))?;
        let last = lane.seen.keys().last().copied();
        if let (true, Some(last)) = (absent.is_empty(), last.filter(|last| *last < known.last_fd)) {
            let text = format!("the journal knows documents up to {}", known.last_fd);
            let finding = Finding::new(Code::LedgerBehindJournal, text);
            self.found.differs(finding.at(number, last));
        }
        let copies = lane.seen.values().map(|seen| seen.source);
        let newest = copies.filter_map(|at| self.sources.get(at)?.taken_at).max();
        for named in absent.values() {
            self.absent(number, lane, named, newest);
        }
        Ok(absent.into_keys().collect())
    }

    fn absent(&mut self, number: &FnNumber, lane: &Lane, named: &Named, newest: Option<UnixMillis>) {
        let (first, last) = (lane.seen.keys().next(), lane.seen.keys().last());
        let is_younger = last.is_none_or(|last| named.fd > *last) && newest.is_some_and(|taken| named.at > taken);
        let is_older = first.is_some_and(|first| named.fd < *first);
        let mut finding = match (is_younger, is_older) {
            (true, _) => Finding::new(Code::LedgerNotCompared, "it is younger than the copy".to_owned()),
            (_, true) => Finding::new(Code::LedgerNotCompared, "the copy begins behind it".to_owned()),
            (false, false) => {
                let text = "the journal names it, and it is not in the copy".to_owned();
                Finding::new(Code::DocumentMissing, text)
            }
        }
        .at(number, named.fd);
        finding.job = named.job;
        if is_younger || is_older {
            self.found.unsure(finding);
        } else {
            self.found.lost += u64::from(named.job.is_some());
            self.found.differs(finding);
        }
    }

    /// What is in doubt cannot be judged before its FN was read by the daemon.
    fn unresolved(&mut self) -> Result<(), Fault> {
        for (number, job) in self.books.unresolved()? {
            let text = "an attempt on this FN is not resolved; its document is not judged".to_owned();
            let mut finding = Finding::new(Code::LedgerNotCompared, text);
            finding.job = job.and_then(|text| JobKey::parse(&text).ok());
            finding.fn_number = number.parse().ok();
            self.found.unsure(finding);
        }
        Ok(())
    }
}
