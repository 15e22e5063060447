//! What a document read back from the FN is, beside what the journal says of it. Pure.
//!
//! Owns: the verdict on one document, and the words of what does not match.
//! Must never: pass a document that nothing here explains, or show a value of a buyer.

use super::attempt::{DocumentKind, Evidence, KEY_ATTRIBUTE_NAME, KeyPlace, Learned};
use super::compare::{Asked, Dropped, OF_BUYER, differences};
use super::device::Registration;
use super::explain::{Witness, code_of, evidence};
use super::job::Job;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::rules::Ffd;
use kassette_wire::codes::Code;
use kassette_wire::ffd::{Document, DocumentCode, Tag, Tlv, TlvList};
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Inn, Kopecks, LocalTime};

/// What the journal says of one document of an FN.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// What was told of it, and what it was to be.
    pub told: Option<(DocumentKind, Evidence)>,
    /// Row number of the job it was made for.
    pub job: Option<i64>,
    /// Where the job key stands in it.
    pub key_place: Option<KeyPlace>,
    /// The resolution of a doubt explained it so.
    pub resolved_as: Option<String>,
    /// It was noted as foreign before.
    pub foreign: bool,
    /// For the closing of a shift whose opening is ours: receipts that the journal has in it.
    pub receipts_in_shift: Option<u32>,
}

/// A job as a document of it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct OfJob<'a> {
    /// The job, with its buyer unless that was dropped.
    pub job: &'a Job,
    /// What stands for a buyer that was dropped.
    pub dropped: Option<&'a Dropped>,
}

/// What does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Why.
    pub code: Code,
    /// Words for people, without a buyer's values.
    pub detail: String,
}

impl Mismatch {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// What a resolution calls a shift report that the register made by itself within an attempt.
pub const SHIFT_REPORT: &str = "shift report";

/// What a document says of itself, for those that nothing explains. No value of a buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its code (`fn-ffd-ofd` C.2).
    pub code: u16,
    /// Its sign, tag 1077.
    pub fp: Option<FiscalSign>,
    /// Settlement sign, tag 1054.
    pub sign: Option<u8>,
    /// Total, tag 1020.
    pub total: Option<Kopecks>,
    /// Local time, tag 1012.
    pub time: Option<LocalTime>,
    /// A job key of any rack, where one stands: in 1192, or in 1084 under our name.
    pub key: Option<JobKey>,
}

impl Found {
    /// Reads it.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let tags = &document.tags;
        Self {
            code: document.code,
            fp: tags.fiscal_sign().ok().flatten(),
            sign: tags.byte(Tag::SETTLEMENT_SIGN).ok().flatten(),
            total: tags.money(Tag::RECEIPT_TOTAL).ok().flatten(),
            time: tags.time(Tag::DOCUMENT_TIME).ok().flatten(),
            key: key_in(tags),
        }
    }

    /// Whether it is a receipt or a correction.
    #[must_use]
    pub fn is_settlement(&self) -> bool {
        DocumentCode::from_code(self.code).is_some_and(DocumentCode::is_settlement)
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match DocumentCode::from_code(self.code) {
            Some(code) => write!(f, "{code}")?,
            None => write!(f, "document of code {}", self.code)?,
        }
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        if let Some(time) = self.time {
            write!(f, ", {time}")?;
        }
        match &self.key {
            Some(key) => write!(f, ", with key {}", key.as_str()),
            None => Ok(()),
        }
    }
}

fn key_in(tags: &TlvList) -> Option<JobKey> {
    let parse = |text: String| JobKey::parse(text.trim_end()).ok();
    let attribute = tags.text(Tag::RECEIPT_ATTRIBUTE).and_then(parse);
    attribute.or_else(|| {
        let list = tags.list(Tag::USER_ATTRIBUTE).ok().flatten()?;
        let ours = list.text(Tag::USER_ATTRIBUTE_NAME)? == KEY_ATTRIBUTE_NAME;
        ours.then(|| list.text(Tag::USER_ATTRIBUTE_VALUE))
            .flatten()
            .and_then(parse)
    })
}

/// The tags of a document without those that tell who buys, in their order.
#[must_use]
pub fn without_buyer(tags: &TlvList) -> TlvList {
    let kept = |tlv: &&Tlv| !OF_BUYER.contains(&tlv.tag);
    TlvList {
        items: tags.items.iter().filter(kept).cloned().collect(),
    }
}

/// Where the document was read.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Number under which it was read.
    pub fd: FdNumber,
    /// The register, the FN and what it is registered for.
    pub witness: &'a Witness,
    /// What the FN was activated with, as the device states it.
    pub registration: &'a Registration,
}

/// Everything that does not match between a document, what the journal says of it, and what was asked for.
#[must_use]
pub fn judge(document: &Document, place: &Place<'_>, entry: &Entry, of: Option<OfJob<'_>>) -> Vec<Mismatch> {
    if entry.foreign {
        return Vec::new();
    }
    let Some((kind, told)) = &entry.told else {
        return unexplained(document, place, entry).into_iter().collect();
    };
    let mut found = Vec::new();
    if document.kind() != Some(code_of(*kind)) {
        let made = DocumentCode::from_code(document.code);
        found.push(format!(
            "it is a {}, asked was a {}",
            made.map_or_else(
                || format!("document of code {}", document.code),
                |made| made.to_string()
            ),
            code_of(*kind)
        ));
    }
    found.extend(numbers(document, place, told, of.and_then(|of| of.job.ffd)));
    if let Some(of) = of {
        found.extend(content(document, entry, &of));
    }
    let mut mismatches = Vec::new();
    if !found.is_empty() {
        mismatches.push(Mismatch::new(Code::ContentMismatch, found.join("; ")));
    }
    mismatches.extend(counters(document, entry));
    mismatches
}

fn content(document: &Document, entry: &Entry, of: &OfJob<'_>) -> Vec<String> {
    let receipt = &of.job.receipt;
    let place = entry.key_place.unwrap_or_else(|| KeyPlace::of(receipt));
    let asked = Asked {
        receipt,
        place,
        dropped: of.dropped,
    };
    let mut found = differences(&document.tags, &asked);
    if place != KeyPlace::ByContent && key_in(&document.tags) != Some(of.job.key) {
        found.push(format!("it does not carry the key {}", of.job.key));
    }
    found
}

/// What the document says of its place, number and time, against what was told of it.
fn numbers(document: &Document, place: &Place<'_>, told: &Evidence, ffd: Option<Ffd>) -> Vec<String> {
    // The register and the registration may have changed since: what was told then counts.
    let witness = Witness {
        rnm: told.rnm.clone(),
        zone_minutes: told.zone_minutes,
        register: told.register.clone(),
        ..place.witness.clone()
    };
    let read = match evidence(document, place.fd, &witness, Learned::Scan) {
        Ok(read) => read,
        Err(error) => return vec![error.to_string()],
    };
    let mut found = Vec::new();
    let mut differ = |what: &str, made: String, told: String| {
        if made != told {
            found.push(format!("{what}: {made}, told was {told}"));
        }
    };
    differ("tag 1077", read.fp.to_string(), told.fp.to_string());
    // What persons did not tell of a document stands as 0.
    let all_told = told.learned != Learned::Operator;
    if all_told || told.shift.0 != 0 {
        differ("tag 1038", read.shift.to_string(), told.shift.to_string());
    }
    if all_told || told.number_in_shift != 0 {
        let (made, told) = (read.number_in_shift.to_string(), told.number_in_shift.to_string());
        differ("tag 1042", made, told);
    }
    let minute = |time: LocalTime| time.whole_minute().to_string();
    differ("tag 1012", minute(read.time), minute(told.time));
    let tags = &document.tags;
    let text = |tag| tags.text(tag).map(|text| text.trim_end().to_owned());
    differ("tag 1037", text(Tag::RNM).unwrap_or_default(), told.rnm.to_string());
    if let Some(inn) = text(Tag::USER_INN) {
        differ("tag 1018", inn, place.registration.inn.to_string());
    }
    if let Some(ffd) = ffd {
        let stated = tags.byte(Tag::FFD_VERSION).ok().flatten().unwrap_or(0);
        differ("tag 1209", stated.to_string(), ffd.code().to_string());
    }
    found
}

/// The shift's receipts as its closing counts them, tag 1118, against those of the journal.
fn counters(document: &Document, entry: &Entry) -> Option<Mismatch> {
    let ours = entry.receipts_in_shift?;
    let counted = document.tags.u32(Tag::SHIFT_RECEIPTS).ok().flatten()?;
    (counted != ours).then(|| {
        let text = format!("tag 1118 counts {counted} receipts in the shift, the journal has {ours}");
        Mismatch::new(Code::CountersDiffer, text)
    })
}

/// A document without a row of its own: a report that a resolution explained, a registration that is the one in force, or
/// nobody's.
fn unexplained(document: &Document, place: &Place<'_>, entry: &Entry) -> Option<Mismatch> {
    let found = Found::of(document);
    let words = |what: &str| Some(Mismatch::new(Code::ForeignDocuments, format!("{what}: {found}")));
    match document.kind() {
        Some(DocumentCode::ShiftOpen | DocumentCode::ShiftClose)
            if entry.resolved_as.as_deref() == Some(SHIFT_REPORT) =>
        {
            None
        }
        Some(DocumentCode::Registration | DocumentCode::Reregistration) => {
            let differences = registration_differences(&document.tags, place.registration, &place.witness.fn_number);
            if differences.is_empty() {
                return None;
            }
            words(&format!(
                "a registration that is not in force ({})",
                differences.join("; ")
            ))
        }
        _ => words("nothing here asked for it"),
    }
}

/// What a registration report says, against what the FN was activated with as the device states it.
#[must_use]
pub fn registration_differences(tags: &TlvList, registration: &Registration, fn_number: &FnNumber) -> Vec<String> {
    let text = |tag| {
        tags.text(tag)
            .map(|text| text.trim_end().to_owned())
            .unwrap_or_default()
    };
    let byte = |tag| tags.byte(tag).ok().flatten().map(u32::from);
    let inn: &Inn = &registration.inn;
    let mut found = Vec::new();
    let mut differ = |tag: Tag, made: String, stated: String| {
        if made != stated {
            found.push(format!("tag {tag}: {made}, the register says {stated}"));
        }
    };
    differ(Tag::FN_NUMBER, text(Tag::FN_NUMBER), fn_number.to_string());
    differ(Tag::USER_INN, text(Tag::USER_INN), inn.to_string());
    differ(Tag::RNM, text(Tag::RNM), registration.rnm.to_string());
    // 1062 may be left out (`fn-ffd-ofd` C.4, Rg:O).
    if let Some(systems) = byte(Tag::TAX_SYSTEMS) {
        differ(
            Tag::TAX_SYSTEMS,
            systems.to_string(),
            registration.tax_systems.to_string(),
        );
    }
    let ffd = byte(Tag::FFD_VERSION).unwrap_or(0);
    differ(Tag::FFD_VERSION, ffd.to_string(), registration.ffd.code().to_string());
    found
}
