//! A sale: what a client asked under one key, and what it was told of it.
//!
//! Owns: the client's own record, against which API and ledgers are held.
//! Must never: be changed by what the daemon says later; a second word is compared with the first.

use crate::api::is_final;
use kassette_api::v1::{JobState, Receipt, ReceiptJob};

/// How a job was when a client saw it at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its state.
    pub state: JobState,
    /// FN, number and fiscal sign of its document.
    pub document: Option<(String, u32, u32)>,
}

impl End {
    /// The end of a job, if it has one.
    #[must_use]
    pub fn of(job: &ReceiptJob) -> Option<Self> {
        let document = |result: &kassette_api::v1::FiscalResult| (result.r#fn.clone(), result.fd, result.fp);
        is_final(job.state()).then(|| Self {
            state: job.state(),
            document: job.result.as_ref().map(document),
        })
    }
}

/// One receipt under one key.
#[derive(Debug, Clone)]
pub struct Sale {
    /// The tenant.
    pub inn: String,
    /// The client's key.
    pub key: String,
    /// What was asked.
    pub receipt: Receipt,
    /// The job's name, from the first answer; before it nothing was promised.
    pub name: Option<String>,
    /// The end that was seen first.
    pub end: Option<End>,
}

impl Sale {
    /// Takes an answer; what contradicts an earlier one is told (I4, I5).
    pub fn hear(&mut self, job: &ReceiptJob) -> Option<String> {
        let (name, end) = (Some(&job.name), End::of(job));
        let renamed = self.name.is_some() && self.name.as_ref() != name;
        let changed = self.end.is_some() && end != self.end;
        let wrong = (renamed || changed).then(|| {
            let key = &self.key;
            format!(
                "sale {key} was {:?} {:?} and became {name:?} {end:?}",
                self.name, self.end
            )
        });
        self.name.get_or_insert_with(|| job.name.clone());
        self.end = self.end.take().or(end);
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::v1::FiscalResult;

    fn job(name: &str, fd: Option<u32>) -> ReceiptJob {
        let result = |fd| FiscalResult {
            fd,
            ..FiscalResult::default()
        };
        ReceiptJob {
            name: name.to_owned(),
            state: fd.map_or(JobState::Running, |_| JobState::Completed).into(),
            result: fd.map(result),
            ..ReceiptJob::default()
        }
    }

    #[test]
    fn an_end_that_changes_and_a_key_that_becomes_another_job_are_told() {
        let mut sale = Sale {
            inn: "1".to_owned(),
            key: "k".to_owned(),
            receipt: Receipt::default(),
            name: None,
            end: None,
        };
        assert_eq!(sale.hear(&job("a", None)), None);
        assert_eq!(sale.hear(&job("a", Some(4))), None);
        assert_eq!(sale.hear(&job("a", Some(4))), None);
        assert!(sale.hear(&job("a", None)).is_some(), "a final state was taken back");
        assert!(sale.hear(&job("a", Some(5))).is_some(), "the document changed");
        assert!(sale.hear(&job("b", Some(4))).is_some(), "the job changed");
    }
}
