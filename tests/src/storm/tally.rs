//! The reckoning: clients' records, API and the FNs' own ledgers against each other.
//!
//! Owns: every promise that can be read from them (K1 to K5, K7, I1 to I5, I11).
//! Must never: forgive, or take the API's word for a document.

use super::goods;
use super::sale::{End, Sale};
use super::watcher::Told;
use crate::ledger::{Document, RECEIPT, SHIFT_CLOSE, SHIFT_OPEN};
use kassette_api::v1::{Evidence, FiscalDocument, FiscalResult, JobState, ReceiptJob};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A document is at most five minutes from true time; its own time has no seconds (K7, tag 1012).
const TIME_OFF_MS: i64 = 5 * 60_000 + 60_000;
/// Zone of every register of a storm.
const ZONE_MS: i64 = 180 * 60_000;

/// Everything that is compared.
pub struct Books<'a> {
    /// The clients' records.
    pub sales: &'a [Sale],
    /// Every job of the API.
    pub jobs: &'a [ReceiptJob],
    /// Every document of the API.
    pub documents: &'a [FiscalDocument],
    /// Every document of every FN.
    pub ledger: &'a [Document],
    /// What a watch told, by the job's name.
    pub told: &'a BTreeMap<String, Told>,
}

/// What came out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Jobs by their state.
    pub states: BTreeMap<JobState, usize>,
    /// Jobs that wait for a person.
    pub needs_person: usize,
    /// Receipts in the ledgers.
    pub documents: usize,
    /// Promised jobs that are gone, and completed ones without their document.
    pub lost: usize,
    /// Receipts that no completed job names.
    pub doubled: usize,
    /// Attempts of all jobs.
    pub attempts: usize,
    /// Jobs whose document was found by reading the FN after a doubt.
    pub read_back: usize,
    /// Every difference in words.
    pub differences: Vec<String>,
}

/// FN and number of a document.
type Place = (String, u32);

/// Compares everything.
#[must_use]
pub fn tally(books: &Books<'_>) -> Tally {
    let mut tally = Tally::default();
    let ledger: BTreeMap<Place, &Document> = books
        .ledger
        .iter()
        .map(|one| ((one.fn_number.clone(), one.fd), one))
        .collect();
    let sales: BTreeMap<(&str, &str), &Sale> = books
        .sales
        .iter()
        .map(|sale| ((sale.inn.as_str(), sale.key.as_str()), sale))
        .collect();
    let mut claimed: BTreeMap<Place, &str> = BTreeMap::new();
    for job in books.jobs {
        *tally.states.entry(job.state()).or_default() += 1;
        tally.needs_person += usize::from(job.needs_person.is_some());
        tally.attempts += job.attempts.len();
        let evidence = job.result.as_ref().map(FiscalResult::evidence);
        tally.read_back += usize::from(matches!(evidence, Some(Evidence::ReadBack | Evidence::Content)));
        check_state(job, &mut tally);
        check_told(job, books.told, &mut tally);
        let inn = job.name.split('/').nth(1).unwrap_or_default();
        match sales.get(&(inn, job.external_id.as_str())) {
            Some(sale) => check_sale(sale, job, &ledger, &mut claimed, &mut tally),
            None => tally.differ(format!("job {} has no sale", job.name)),
        }
    }
    check_promises(books, &mut tally);
    check_ledger(books, &claimed, &mut tally);
    check_listed(books, &ledger, &mut tally);
    check_times(books.ledger, &mut tally);
    tally
}

impl Tally {
    fn differ(&mut self, what: String) {
        self.differences.push(what);
    }

    /// Jobs in a state.
    #[must_use]
    pub fn count(&self, state: JobState) -> usize {
        self.states.get(&state).copied().unwrap_or(0)
    }
}

/// Nothing is left open when everything was healed: neither a doubt nor a job that could run.
fn check_state(job: &ReceiptJob, tally: &mut Tally) {
    let waits = job.state() == JobState::Accepted && job.needs_person.is_some();
    if End::of(job).is_none() && !waits {
        let why = job
            .reason
            .as_ref()
            .or(job.needs_person.as_ref())
            .map(|reason| &reason.code);
        tally.differ(format!("job {} is left {:?} ({why:?})", job.name, job.state()));
    }
    if (job.state() == JobState::Completed) != job.result.is_some() {
        tally.differ(format!(
            "job {} is {:?}, document {:?}",
            job.name,
            job.state(),
            job.result
        ));
    }
}

fn check_told(job: &ReceiptJob, told: &BTreeMap<String, Told>, tally: &mut Tally) {
    let last = told.get(&job.name);
    if last.and_then(|told| told.end.clone()) != End::of(job) {
        tally.differ(format!(
            "job {}: a watch told {last:?}, it is {:?}",
            job.name,
            End::of(job)
        ));
    }
}

fn check_sale<'b>(
    sale: &Sale,
    job: &'b ReceiptJob,
    ledger: &BTreeMap<Place, &Document>,
    claimed: &mut BTreeMap<Place, &'b str>,
    tally: &mut Tally,
) {
    let mut again = sale.clone();
    if let Some(wrong) = again.hear(job) {
        tally.differ(wrong);
    }
    let Some(result) = job.result.as_ref().filter(|_| job.state() == JobState::Completed) else {
        return;
    };
    let place = (result.r#fn.clone(), result.fd);
    let Some(document) = ledger.get(&place) else {
        tally.lost += 1;
        tally.differ(format!("job {} names {place:?}, which is in no FN", job.name));
        return;
    };
    if let Some(other) = claimed.insert(place.clone(), &job.name) {
        tally.lost += 1;
        tally.differ(format!("{place:?} is named by {other} and by {}", job.name));
    }
    let mut found = goods::differences(&sale.receipt, document);
    found.extend(result_differences(job, result, document));
    tally.differences.extend(
        found
            .into_iter()
            .map(|what| format!("job {}, {place:?}: {what}", job.name)),
    );
}

/// What the API says of the document against the document.
fn result_differences(job: &ReceiptJob, result: &FiscalResult, document: &Document) -> Vec<String> {
    let text = |tag| document.tag(tag).and_then(Value::as_str).unwrap_or_default().trim();
    let number = |tag| document.tag(tag).and_then(Value::as_i64);
    let mut found = Vec::new();
    let mut same = |what: &str, equal: bool| {
        if !equal {
            found.push(format!("{what} is not the document's"));
        }
    };
    same(
        "the kind",
        document.kind == RECEIPT && result.document_code == u32::from(RECEIPT),
    );
    same("the fiscal sign", result.fp == document.fp);
    same("the total", number(1020) == Some(result.total_kopecks));
    same(
        "the settlement sign",
        number(1054) == Some(i64::from(result.settlement_sign)),
    );
    same("the shift", number(1038) == Some(i64::from(result.shift)));
    same(
        "the number in the shift",
        number(1042) == Some(i64::from(result.number_in_shift)),
    );
    same("the format", number(1209) == Some(i64::from(result.ffd_version)));
    same("the INN", text(1018) == result.inn);
    same("the RNM", text(1037) == result.rnm.trim());
    let told = result.document_time.as_ref().map(|time| time.seconds * 1000);
    same("the time", document.time.as_deref().and_then(unix_ms) == told);
    if !job.job_key.is_empty() {
        same("the job key", document.job_keys().contains(&job.job_key.as_str()));
    }
    found
}

/// A promised job exists (I4).
fn check_promises(books: &Books<'_>, tally: &mut Tally) {
    let there: BTreeSet<&str> = books.jobs.iter().map(|job| job.name.as_str()).collect();
    for sale in books.sales {
        match &sale.name {
            Some(name) if there.contains(name.as_str()) => {}
            Some(name) => {
                tally.lost += 1;
                tally.differ(format!("sale {}: its job {name} is gone", sale.key));
            }
            None => tally.differ(format!("sale {} was never promised", sale.key)),
        }
    }
}

/// Every receipt in an FN is named by one completed job, and no key stands in two documents (I1, I3, K2, K3).
fn check_ledger(books: &Books<'_>, claimed: &BTreeMap<Place, &str>, tally: &mut Tally) {
    let keys: BTreeMap<&str, &ReceiptJob> = books
        .jobs
        .iter()
        .filter(|job| !job.job_key.is_empty())
        .map(|job| (job.job_key.as_str(), job))
        .collect();
    for document in books.ledger.iter().filter(|one| one.kind == RECEIPT) {
        tally.documents += 1;
        let place = (document.fn_number.clone(), document.fd);
        let owner = claimed.get(&place);
        let keyed = document.job_keys().into_iter().find_map(|key| keys.get(key));
        if owner.is_none() {
            tally.doubled += 1;
            let of = keyed.map(|job| format!("{} ({:?})", job.name, job.state()));
            tally.differ(format!("{place:?} is named by no job; its key is of {of:?}"));
        } else if let Some(job) = keyed.filter(|job| owner != Some(&job.name.as_str())) {
            tally.differ(format!(
                "{place:?} is named by {owner:?} and carries the key of {}",
                job.name
            ));
        }
    }
}

/// The API lists the documents of the FNs: all of ours, and none that is not there (I11).
fn check_listed(books: &Books<'_>, ledger: &BTreeMap<Place, &Document>, tally: &mut Tally) {
    let ours = [SHIFT_OPEN, RECEIPT, SHIFT_CLOSE];
    let form = |code: u32, fp: u32| (code, fp);
    let listed: BTreeMap<Place, (u32, u32)> = books
        .documents
        .iter()
        .map(|one| ((one.r#fn.clone(), one.fd), form(one.document_code, one.fp)))
        .collect();
    if listed.len() != books.documents.len() {
        tally.differ("ListDocuments names a document twice".to_owned());
    }
    for (place, document) in ledger.iter().filter(|(_, one)| ours.contains(&one.kind)) {
        let there = form(document.kind.into(), document.fp);
        if listed.get(place) != Some(&there) {
            tally.differ(format!(
                "{place:?} is {there:?}, ListDocuments says {:?}",
                listed.get(place)
            ));
        }
    }
    for place in listed.keys().filter(|place| !ledger.contains_key(*place)) {
        tally.differ(format!("ListDocuments names {place:?}, which is in no FN"));
    }
}

/// No document earlier than the one before it, none far from true time (K7). Registration reports are the simulator's.
fn check_times(ledger: &[Document], tally: &mut Tally) {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for document in ledger
        .iter()
        .filter(|one| [SHIFT_OPEN, RECEIPT, SHIFT_CLOSE].contains(&one.kind))
    {
        let place = (&document.fn_number, document.fd);
        let Some(time) = document.time.as_deref().and_then(unix_ms) else {
            tally.differ(format!("{place:?} has no time"));
            continue;
        };
        if last
            .insert(&document.fn_number, time)
            .is_some_and(|before| before > time)
        {
            tally.differ(format!("{place:?} is earlier than the document before it"));
        }
        if (time - document.made_unix_ms).abs() > TIME_OFF_MS {
            tally.differ(format!("{place:?} says {:?}, far from true time", document.time));
        }
    }
}

/// Local time of a document, `2026-11-22T12:30:00`, as milliseconds since 1970 UTC.
fn unix_ms(text: &str) -> Option<i64> {
    let form = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let local = time::PrimitiveDateTime::parse(text, &form).ok()?;
    Some(local.assume_utc().unix_timestamp() * 1000 - ZONE_MS)
}
