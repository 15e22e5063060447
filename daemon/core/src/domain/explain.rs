//! What a document of the FN is, seen from one attempt.
//!
//! Owns: the match of job key, kind, sign, total and content, and the evidence taken from a document.
//! Must never: explain a document by a guess; what is not ours stays nobody's.

use super::attempt::{DocumentKind, Evidence, KEY_ATTRIBUTE_NAME, KeyPlace, Learned};
use super::compare::{Asked, differences};
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::Receipt;
use kassette_wire::ffd::{Document, DocumentCode, Tag, TlvError, TlvList};
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, RegisterId, Rnm, ShiftNumber};

/// What an attempt looks for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What was to be made.
    pub kind: DocumentKind,
    /// What was asked, for receipts and corrections.
    pub receipt: Option<&'a Receipt>,
    /// The key that would stand in it, and where.
    pub key: Option<(&'a JobKey, KeyPlace)>,
}

/// What a document is to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explained {
    /// The document the attempt was to make.
    Ours(Learned),
    /// It carries the attempt's key but not what was asked.
    OtherContent(Vec<String>),
    /// A shift report that the register made by itself within the attempt.
    ShiftReport,
    /// Nobody's.
    Nobodys(String),
}

/// The code that the FN gives a document of this kind.
#[must_use]
pub const fn code_of(kind: DocumentKind) -> DocumentCode {
    match kind {
        DocumentKind::Receipt => DocumentCode::Receipt,
        DocumentKind::Correction => DocumentCode::Correction,
        DocumentKind::ShiftOpen => DocumentCode::ShiftOpen,
        DocumentKind::ShiftClose => DocumentCode::ShiftClose,
    }
}

/// Explains one document.
#[must_use]
pub fn explain(document: &Document, wanted: &Wanted<'_>) -> Explained {
    let kind = document.kind();
    if kind == Some(code_of(wanted.kind)) {
        return match wanted.receipt {
            None => Explained::Ours(Learned::Scan),
            Some(receipt) => explain_receipt(document, wanted, receipt),
        };
    }
    match kind {
        Some(DocumentCode::ShiftOpen | DocumentCode::ShiftClose) => Explained::ShiftReport,
        Some(other) => Explained::Nobodys(format!("{other:?}")),
        None => Explained::Nobodys(format!("document code {}", document.code)),
    }
}

fn explain_receipt(document: &Document, wanted: &Wanted<'_>, receipt: &Receipt) -> Explained {
    let tags = &document.tags;
    let place = wanted.key.map_or(KeyPlace::ByContent, |(_, place)| place);
    let differences = differences(
        tags,
        &Asked {
            receipt,
            place,
            dropped: None,
        },
    );
    match wanted.key {
        Some((key, place @ (KeyPlace::AdditionalAttribute | KeyPlace::UserAttribute))) => match key_at(tags, place) {
            Some(text) if text == key.as_str() && differences.is_empty() => Explained::Ours(Learned::Scan),
            Some(text) if text == key.as_str() => Explained::OtherContent(differences),
            Some(text) => Explained::Nobodys(format!("receipt with key {text}")),
            None => Explained::Nobodys("receipt without a key".into()),
        },
        Some((_, KeyPlace::ByContent)) | None if differences.is_empty() => Explained::Ours(Learned::Content),
        Some((_, KeyPlace::ByContent)) | None => Explained::Nobodys(differences.join(", ")),
    }
}

/// The job key of a document, where the attempt put it: elsewhere the same form is the customer's own text.
fn key_at(tags: &TlvList, place: KeyPlace) -> Option<String> {
    let text = match place {
        KeyPlace::AdditionalAttribute => tags.text(Tag::RECEIPT_ATTRIBUTE),
        KeyPlace::UserAttribute => {
            let list = tags.list(Tag::USER_ATTRIBUTE).ok().flatten()?;
            let ours = list.text(Tag::USER_ATTRIBUTE_NAME)? == KEY_ATTRIBUTE_NAME;
            ours.then(|| list.text(Tag::USER_ATTRIBUTE_VALUE)).flatten()
        }
        KeyPlace::ByContent => None,
    }?;
    Some(text.trim_end().to_owned()).filter(|text| JobKey::parse(text).is_ok())
}

/// Where a key of our form stands in a document.
#[must_use]
pub fn key_place(tags: &TlvList) -> Option<KeyPlace> {
    [KeyPlace::AdditionalAttribute, KeyPlace::UserAttribute]
        .into_iter()
        .find(|place| key_at(tags, *place).is_some())
}

/// The job key of a document, of whatever rack.
#[must_use]
pub fn key_of(tags: &TlvList) -> Option<JobKey> {
    key_place(tags)
        .and_then(|place| key_at(tags, place))
        .and_then(|text| JobKey::parse(&text).ok())
}

/// Where the evidence of a document is taken.
#[derive(Debug, Clone)]
pub struct Witness {
    /// The register that was read.
    pub register: RegisterId,
    /// Its FN.
    pub fn_number: FnNumber,
    /// Its registration number.
    pub rnm: Rnm,
    /// Zone of the registration, minutes east of UTC.
    pub zone_minutes: i16,
}

/// Why a document proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// A tag that every document has is not there.
    #[error("the document has no tag {0}")]
    Missing(u16),
    /// A tag makes no sense.
    #[error("a tag of the document makes no sense")]
    Tlv(#[from] TlvError),
    /// The document is of another FN or has another number.
    #[error("the document states {0}")]
    Other(String),
}

/// The evidence in a document that was read whole.
///
/// # Errors
/// [`EvidenceError`] when the document lacks what every fiscal document carries, or states another FN or number.
pub fn evidence(
    document: &Document,
    fd: FdNumber,
    witness: &Witness,
    learned: Learned,
) -> Result<Evidence, EvidenceError> {
    let tags = &document.tags;
    let missing = |tag: Tag| EvidenceError::Missing(tag.0);
    let stated = FdNumber(tags.u32(Tag::FD_NUMBER)?.ok_or_else(|| missing(Tag::FD_NUMBER))?);
    let storage = tags.text(Tag::FN_NUMBER).ok_or_else(|| missing(Tag::FN_NUMBER))?;
    if stated != fd || storage.trim_end() != witness.fn_number.as_str() {
        return Err(EvidenceError::Other(format!(
            "FN {} document {stated}",
            storage.trim_end()
        )));
    }
    let fp: FiscalSign = tags.fiscal_sign()?.ok_or_else(|| missing(Tag::FISCAL_SIGN))?;
    Ok(Evidence {
        fn_number: witness.fn_number.clone(),
        fd,
        fp,
        shift: ShiftNumber(tags.u32(Tag::SHIFT_NUMBER)?.ok_or_else(|| missing(Tag::SHIFT_NUMBER))?),
        number_in_shift: tags.u32(Tag::RECEIPT_NUMBER)?.unwrap_or(0),
        time: tags
            .time(Tag::DOCUMENT_TIME)?
            .ok_or_else(|| missing(Tag::DOCUMENT_TIME))?,
        zone_minutes: witness.zone_minutes,
        register: witness.register.clone(),
        rnm: witness.rnm.clone(),
        total: tags.money(Tag::RECEIPT_TOTAL)?.unwrap_or_default(),
        learned,
    })
}
