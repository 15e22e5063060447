//! What a comparison found.
//!
//! Owns: the form of a finding, and the counts.
//! Must never: drop a finding without counting it.

use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FnNumber};
use std::fmt;

/// Most findings that are kept in words: a wrong copy has one for each of its documents.
const KEPT_MAX: usize = 100_000;

/// One thing that differs, or could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The reason.
    #[serde(serialize_with = "name")]
    pub code: Code,
    /// The job it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobKey>,
    /// The FN.
    #[serde(rename = "fn", skip_serializing_if = "Option::is_none")]
    pub fn_number: Option<FnNumber>,
    /// The document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<FdNumber>,
    /// What was found, in words; without personal data.
    pub text: String,
}

fn name<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl Finding {
    pub(super) const fn new(code: Code, text: String) -> Self {
        Self {
            code,
            job: None,
            fn_number: None,
            fd: None,
            text,
        }
    }

    pub(super) const fn of(mut self, job: JobKey) -> Self {
        self.job = Some(job);
        self
    }

    pub(super) fn at(mut self, fn_number: &FnNumber, fd: u32) -> Self {
        self.fn_number = Some(fn_number.clone());
        self.fd = Some(FdNumber(fd));
        self
    }

    pub(super) fn on(mut self, fn_number: &FnNumber) -> Self {
        self.fn_number = Some(fn_number.clone());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(job) = &self.job {
            write!(f, " job {job}")?;
        }
        if let Some(number) = &self.fn_number {
            write!(f, " FN {number}")?;
        }
        if let Some(fd) = self.fd {
            write!(f, " FD {fd}")?;
        }
        write!(f, ": {}", self.text)
    }
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Reconciliation {
    /// Jobs of the journal.
    pub jobs: u64,
    /// Receipts and corrections in the copies, made since the journal knows their FNs.
    pub documents: u64,
    /// Completed jobs whose document is not where it should be.
    pub lost: u64,
    /// Documents beyond the one that a job names.
    pub doubled: u64,
    /// Documents of FNs that this journal never knew, and of the time before it.
    pub passed_over: u64,
    /// What differs.
    pub differences: Vec<Finding>,
    /// What could not be compared.
    pub not_compared: Vec<Finding>,
    /// Findings of both kinds that are only counted.
    pub more: u64,
}

impl Reconciliation {
    pub(super) fn differs(&mut self, finding: Finding) {
        if self.differences.len() < KEPT_MAX {
            self.differences.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn unsure(&mut self, finding: Finding) {
        if self.not_compared.len() < KEPT_MAX {
            self.not_compared.push(finding);
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            jobs,
            documents,
            lost,
            doubled,
            ..
        } = self;
        write!(f, "{jobs} jobs, {documents} documents, {lost} lost, {doubled} doubled")
    }
}
