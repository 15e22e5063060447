//! What the FNs hold against what the API says of its jobs.
//!
//! Owns: the five numbers of the demo, counted from ledgers and jobs.
//! Must never: count a document that no ledger shows.

use crate::ledger::{Document, RECEIPT};
use kassette_api::v1::{JobState, ReceiptJob};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The last line of `cargo demo --once`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reckoning {
    /// Jobs that the API has.
    pub accepted: usize,
    /// Submissions that were refused.
    pub refused: usize,
    /// Receipts in the ledgers that carry the key of an accepted job.
    pub documents: usize,
    /// Accepted jobs without their document: not in any ledger, or not the one that the job names.
    pub lost: usize,
    /// Documents beyond the first with the same key, and receipts that no job asked for.
    pub doubled: usize,
}

/// Compares jobs and ledgers.
#[must_use]
pub fn reckon(jobs: &[ReceiptJob], refused: usize, ledger: &[Document]) -> Reckoning {
    let keys: BTreeSet<&str> = jobs.iter().map(|job| job.job_key.as_str()).collect();
    let mut by_key: BTreeMap<&str, Vec<&Document>> = BTreeMap::new();
    let mut foreign = 0;
    for document in ledger.iter().filter(|one| one.kind == RECEIPT) {
        match document.job_keys().into_iter().find(|key| keys.contains(key)) {
            Some(key) => by_key.entry(key).or_default().push(document),
            None => foreign += 1,
        }
    }
    let lost = jobs.iter().filter(|job| !has_its_document(job, &by_key)).count();
    let documents: usize = by_key.values().map(Vec::len).sum();
    Reckoning {
        accepted: jobs.len(),
        refused,
        documents,
        lost,
        doubled: documents - by_key.len() + foreign,
    }
}

/// Whether the job is completed by a document that is in the ledger as the job names it, with its total.
fn has_its_document(job: &ReceiptJob, by_key: &BTreeMap<&str, Vec<&Document>>) -> bool {
    let Some(result) = job.result.as_ref().filter(|_| job.state() == JobState::Completed) else {
        return false;
    };
    let named = |one: &&&Document| (&one.fn_number, one.fd, one.fp) == (&result.r#fn, result.fd, result.fp);
    let own = by_key.get(job.job_key.as_str()).and_then(|all| all.iter().find(named));
    own.is_some_and(|document| document.tag(1020).and_then(serde_json::Value::as_i64) == Some(result.total_kopecks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::v1::FiscalResult;
    use serde_json::json;

    fn document(fd: u32, key: &str) -> Document {
        let line = json!({
            "fn": "9999000000000001", "fd": fd, "kind": 3, "fp": fd * 7, "time": null, "made_unix_ms": 0, "tlv": "",
            "tags": { "1192": key, "1020": 100 },
        });
        serde_json::from_value(line).unwrap()
    }

    fn job(fd: u32, key: &str) -> ReceiptJob {
        ReceiptJob {
            state: JobState::Completed.into(),
            job_key: key.to_owned(),
            result: Some(FiscalResult {
                r#fn: "9999000000000001".to_owned(),
                fd,
                fp: fd * 7,
                total_kopecks: 100,
                ..FiscalResult::default()
            }),
            ..ReceiptJob::default()
        }
    }

    #[test]
    fn a_missing_document_a_second_one_and_a_strange_one_are_each_counted() {
        let jobs = [job(3, "A"), job(4, "B"), job(9, "C")];
        let ledger = [document(3, "A"), document(4, "B"), document(5, "B"), document(6, "X")];
        let counted = reckon(&jobs, 2, &ledger);
        let expected = Reckoning {
            accepted: 3,
            refused: 2,
            documents: 3,
            lost: 1,
            doubled: 2,
        };
        assert_eq!(counted, expected);
    }

    #[test]
    fn a_job_that_names_another_document_or_is_not_completed_has_lost_its_own() {
        let mut waiting = job(3, "A");
        waiting.state = JobState::Accepted.into();
        let ledger = [document(3, "A"), document(4, "B")];
        assert_eq!(reckon(&[waiting, job(5, "B")], 0, &ledger).lost, 2);
    }
}
