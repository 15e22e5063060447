//! Filters of lists and watches: contract to domain.
//!
//! Owns: which part of a filter the journal answers, and the rest, which is asked of each row.
//! Must never: ignore a field of a filter.

use super::document;
use super::findings::{At, Findings};
use super::job::{read_priority, read_state};
use super::receipt::unknown_value;
use super::time::instant;
use crate::grpc::names;
use kassette_api::codes::Code;
use kassette_api::v1;
use kassette_core::domain::job::{DocumentFilter, DocumentRow, Job, JobFilter, Priority};
use kassette_core::parts::UnixMillis;
use kassette_receipts::job::JobState;
use kassette_wire::value::{FdNumber, FnNumber, Inn, RegisterId, ShiftNumber};
use std::collections::BTreeMap;

const FILTER: At<'static> = At::top("filter");

/// Which jobs are meant; every part that is set must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobMatch {
    states: Vec<JobState>,
    needs_person: Option<bool>,
    accepted: (Option<UnixMillis>, Option<UnixMillis>),
    ended: (Option<UnixMillis>, Option<UnixMillis>),
    labels: BTreeMap<String, String>,
    register: Option<RegisterId>,
    fn_number: Option<FnNumber>,
    client: Option<String>,
    sign: Option<u32>,
    correction: Option<bool>,
    priority: Option<Priority>,
    reason_code: Option<Code>,
}

/// Reads a filter of jobs.
///
/// # Errors
/// Every field that is wrong.
pub fn jobs(given: Option<v1::ReceiptFilter>) -> Result<JobMatch, Findings> {
    let mut findings = Findings::default();
    let given = given.unwrap_or_default();
    let at = FILTER;
    let mut moment = |name, value: &Option<_>| instant(&mut findings, &at.field(name), value.as_ref());
    let accepted = (
        moment("accepted_from", &given.accepted_from),
        moment("accepted_until", &given.accepted_until),
    );
    let ended = (
        moment("ended_from", &given.ended_from),
        moment("ended_until", &given.ended_until),
    );
    let read = JobMatch {
        states: states(&mut findings, &given.states),
        needs_person: given.needs_person,
        accepted,
        ended,
        labels: given.labels,
        register: register(&mut findings, given.register.as_deref()),
        fn_number: fn_number(&mut findings, given.r#fn.as_deref()),
        client: given.client,
        sign: given.settlement_sign,
        correction: given.correction,
        priority: priority(&mut findings, given.priority),
        reason_code: reason_code(&mut findings, given.reason_code.as_deref()),
    };
    if findings.is_empty() { Ok(read) } else { Err(findings) }
}

fn states(findings: &mut Findings, given: &[i32]) -> Vec<JobState> {
    let mut read = Vec::new();
    for (index, value) in given.iter().enumerate() {
        match v1::JobState::try_from(*value).ok().and_then(read_state) {
            Some(state) if !read.contains(&state) => read.push(state),
            Some(_) => {}
            None => unknown_value(findings, &FILTER.element("states", index), *value),
        }
    }
    read
}

fn priority(findings: &mut Findings, given: i32) -> Option<Priority> {
    let read = v1::Priority::try_from(given);
    if read.is_err() {
        unknown_value(findings, &FILTER.field("priority"), given);
    }
    read.ok().and_then(read_priority)
}

fn register(findings: &mut Findings, given: Option<&str>) -> Option<RegisterId> {
    let at = FILTER.field("register");
    let read = names::read_register(&at, given?);
    if read.is_err() {
        findings.form(
            &at,
            None,
            "is not a name like registers/shtrih-m-0000000001",
            "неверное имя",
        );
    }
    read.ok()
}

fn fn_number(findings: &mut Findings, given: Option<&str>) -> Option<FnNumber> {
    let at = FILTER.field("fn");
    let read = names::read_fiscal_storage(&at, given?);
    if read.is_err() {
        findings.form(&at, None, "is not a name like fns/9999078900000001", "неверное имя");
    }
    read.ok()
}

fn reason_code(findings: &mut Findings, given: Option<&str>) -> Option<Code> {
    let read = given?.parse();
    if read.is_err() {
        findings.form(
            &FILTER.field("reason_code"),
            None,
            "is none of our codes (see ListCodes)",
            "нет такого кода",
        );
    }
    read.ok()
}

fn within(at: UnixMillis, (from, until): (Option<UnixMillis>, Option<UnixMillis>)) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

impl JobMatch {
    /// The part that the journal answers by itself.
    #[must_use]
    pub fn stored(&self, tenant: Option<Inn>) -> JobFilter {
        JobFilter {
            tenant,
            states: self.states.clone(),
            accepted_from: self.accepted.0,
            accepted_until: self.accepted.1,
            labels: self.labels.clone(),
            needs_person: self.needs_person,
            external_id: None,
        }
    }

    /// Whether a job fits, as it stands.
    #[must_use]
    pub fn fits(&self, job: &Job) -> bool {
        let last = job.attempts.last();
        let of_register = |id: &RegisterId| {
            job.evidence.as_ref().is_some_and(|found| found.register == *id)
                || last.is_some_and(|one| one.register == *id)
        };
        let of_fn = |number: &FnNumber| {
            job.evidence.as_ref().is_some_and(|found| found.fn_number == *number)
                || last.is_some_and(|one| one.fn_number == *number)
        };
        let of_code = |code: &Code| job.reason.iter().chain(&job.needs_person).any(|why| why.code == *code);
        let no_end_asked = self.ended == (None, None);
        (self.states.is_empty() || self.states.contains(&job.state))
            && self
                .needs_person
                .is_none_or(|wanted| wanted == job.needs_person.is_some())
            && within(job.accepted_at, self.accepted)
            && (no_end_asked || job.state.is_final() && within(job.updated_at, self.ended))
            && self
                .labels
                .iter()
                .all(|(name, value)| job.labels.get(name) == Some(value))
            && self.register.as_ref().is_none_or(of_register)
            && self.fn_number.as_ref().is_none_or(of_fn)
            && self.client.as_ref().is_none_or(|client| *client == job.client)
            && self.sign.is_none_or(|sign| sign == job.receipt.sign)
            && self
                .correction
                .is_none_or(|wanted| wanted == job.receipt.correction.is_some())
            && self.priority.is_none_or(|priority| priority == job.priority)
            && self.reason_code.as_ref().is_none_or(of_code)
    }
}

/// Which documents are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentMatch {
    codes: Vec<u32>,
    fn_number: Option<FnNumber>,
    fds: (Option<FdNumber>, Option<FdNumber>),
    register: Option<RegisterId>,
    made: (Option<UnixMillis>, Option<UnixMillis>),
    shift: Option<ShiftNumber>,
    foreign: Option<bool>,
}

/// Reads a filter of documents.
///
/// # Errors
/// Every field that is wrong.
pub fn documents(given: Option<v1::DocumentFilter>) -> Result<DocumentMatch, Findings> {
    let mut findings = Findings::default();
    let given = given.unwrap_or_default();
    for (index, code) in given.document_codes.iter().enumerate() {
        if !document::CODES.contains(code) {
            let at = FILTER.element("document_codes", index);
            findings.form(
                &at,
                None,
                format!("{code} is no document code"),
                "нет такого кода документа",
            );
        }
    }
    let needs_fn = [
        ("fd_from", given.fd_from),
        ("fd_to", given.fd_to),
        ("shift", given.shift),
    ];
    for (name, value) in needs_fn {
        if value.is_some() && given.r#fn.is_none() {
            findings.form(&FILTER.field(name), None, "needs the FN", "нужен номер ФН");
        }
    }
    let mut moment = |name, value: &Option<_>| instant(&mut findings, &FILTER.field(name), value.as_ref());
    let made = (
        moment("time_from", &given.time_from),
        moment("time_until", &given.time_until),
    );
    let read = DocumentMatch {
        codes: given.document_codes,
        fn_number: fn_number(&mut findings, given.r#fn.as_deref()),
        fds: (given.fd_from.map(FdNumber), given.fd_to.map(FdNumber)),
        register: register(&mut findings, given.register.as_deref()),
        made,
        shift: given.shift.map(ShiftNumber),
        foreign: given.foreign,
    };
    if findings.is_empty() { Ok(read) } else { Err(findings) }
}

impl DocumentMatch {
    /// The part that the journal answers by itself.
    #[must_use]
    pub fn stored(&self, tenant: Option<Inn>, with_tlv: bool) -> DocumentFilter {
        DocumentFilter {
            tenant,
            fn_number: self.fn_number.clone(),
            kinds: self.codes.iter().filter_map(|code| document::kind(*code)).collect(),
            fd_from: self.fds.0,
            with_tlv,
        }
    }

    /// Nothing in the journal can fit: it holds neither foreign documents nor those of codes we do not make.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let made_here = |code: &u32| document::kind(*code).is_some();
        self.foreign == Some(true) || (!self.codes.is_empty() && !self.codes.iter().any(made_here))
    }

    /// Whether a document fits.
    #[must_use]
    pub fn fits(&self, row: &DocumentRow) -> bool {
        let made = UnixMillis(row.time.to_unix_in_zone(row.zone_minutes).saturating_mul(1000));
        (self.codes.is_empty() || self.codes.contains(&document::code(row.kind)))
            && self.fn_number.as_ref().is_none_or(|number| *number == row.fn_number)
            && self.fds.0.is_none_or(|from| from <= row.fd)
            && self.fds.1.is_none_or(|to| row.fd <= to)
            && self.register.as_ref().is_none_or(|id| *id == row.register)
            && within(made, self.made)
            && self.shift.is_none_or(|shift| shift == row.shift)
    }
}
