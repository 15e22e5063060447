//! What a document of the FN is, seen from one attempt.
//!
//! Owns: the match of job key, kind, sign, total and content, and the evidence taken from a document.
//! Must never: explain a document by a guess; what is not ours stays nobody's.

use super::attempt::{DocumentKind, Evidence, KEY_ATTRIBUTE_NAME, KeyPlace, Learned};
use super::content::{self, CLIENTS_OF_DOCUMENT, CLIENTS_OF_ITEM, ContentError};
use super::device::Ffd;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::{Item, Receipt};
use kassette_wire::ffd::{Document, DocumentCode, Kind, Tag, Tlv, TlvError, TlvList};
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Kopecks, RegisterId, Rnm, ShiftNumber};
use std::collections::BTreeSet;

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
    let differences = differences(tags, receipt, place);
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

/// Every tag of the document that differs from what was asked, in words, by the format that the document says it is of.
/// `place` is where the job key stands: a tag of ours, which the client did not ask for.
#[must_use]
pub fn differences(tags: &TlvList, receipt: &Receipt, place: KeyPlace) -> Vec<String> {
    let mut compare = Compare::new(tags, String::new());
    let Some(ffd) = compare.format() else {
        return compare.found;
    };
    compare.byte(Tag::SETTLEMENT_SIGN, Some(receipt.sign));
    compare.byte(Tag::TAX_SYSTEM, receipt.tax_system);
    compare.money(Tag::RECEIPT_TOTAL, receipt.total);
    compare.money(Tag::CASH, receipt.payments.cash);
    compare.money(Tag::ELECTRONIC, receipt.payments.electronic);
    compare.money(Tag::PREPAYMENT, receipt.payments.prepaid);
    compare.money(Tag::CREDIT, receipt.payments.credit);
    compare.money(Tag::COUNTER_PROVISION, receipt.payments.counter);
    let ours = match place {
        KeyPlace::AdditionalAttribute => Some(Tag::RECEIPT_ATTRIBUTE),
        KeyPlace::UserAttribute => Some(Tag::USER_ATTRIBUTE),
        KeyPlace::ByContent => None,
    };
    let clients = CLIENTS_OF_DOCUMENT.iter().filter(|tag| Some(**tag) != ours);
    compare.content(content::document_tags(receipt, ffd), clients);
    let mut found = compare.found;
    match tags.lists(Tag::ITEM) {
        Err(error) => found.push(format!("items: {error}")),
        Ok(items) if items.len() != receipt.items.len() => {
            found.push(format!("{} items, asked {}", items.len(), receipt.items.len()));
        }
        Ok(items) => {
            for (at, (made, asked)) in items.iter().zip(&receipt.items).enumerate() {
                found.extend(item_differences(at, made, asked, ffd));
            }
        }
    }
    found
}

fn item_differences(at: usize, made: &TlvList, asked: &Item, ffd: Ffd) -> Vec<String> {
    let mut compare = Compare::new(made, format!("item {at} "));
    compare.text(Tag::ITEM_NAME, Some(&asked.name));
    compare.money(Tag::ITEM_PRICE, asked.price);
    compare.money(Tag::ITEM_AMOUNT, asked.amount);
    if made.quantity(Tag::QUANTITY).ok().flatten() != Some(asked.quantity) {
        compare
            .found
            .push(format!("item {at} tag 1023: asked {}", asked.quantity));
    }
    compare.byte(Tag::VAT_RATE, asked.vat_rate);
    compare.byte(Tag::PAYMENT_METHOD, asked.method);
    compare.byte(Tag::ITEM_KIND, asked.subject);
    compare.content(content::item_tags(asked, ffd), CLIENTS_OF_ITEM.iter());
    compare.found
}

/// Whether two TLV of the same tag say the same: texts without the spaces at their end, numbers by their value, lists by
/// what stands in them, all else byte by byte.
fn same(made: &Tlv, asked: &Tlv) -> bool {
    match made.tag.info().map(|info| info.kind) {
        Some(Kind::Str | Kind::FixedStr) => made.to_text().trim_end() == asked.to_text().trim_end(),
        Some(Kind::Vln) => matches!((made.to_vln(), asked.to_vln()), (Ok(made), Ok(asked)) if made == asked),
        Some(Kind::Stlv) => {
            let lists = made.to_list().ok().zip(asked.to_list().ok());
            lists.is_some_and(|(made, asked)| same_list(&made, &asked))
        }
        _ => made.value == asked.value,
    }
}

/// Whether two lists hold the same tags; those of one tag in the same order.
fn same_list(made: &TlvList, asked: &TlvList) -> bool {
    made.items.len() == asked.items.len() && asked.items.iter().all(|one| same_tag(made, asked, one.tag))
}

fn same_tag(made: &TlvList, asked: &TlvList, tag: Tag) -> bool {
    let (made, asked): (Vec<&Tlv>, Vec<&Tlv>) = (made.all(tag).collect(), asked.all(tag).collect());
    made.len() == asked.len() && made.iter().zip(asked).all(|(made, asked)| same(made, asked))
}

struct Compare<'a> {
    tags: &'a TlvList,
    path: String,
    found: Vec<String>,
}

impl<'a> Compare<'a> {
    const fn new(tags: &'a TlvList, path: String) -> Self {
        Self {
            tags,
            path,
            found: Vec::new(),
        }
    }

    fn differ(&mut self, tag: Tag, made: impl std::fmt::Debug, asked: impl std::fmt::Debug) {
        self.found
            .push(format!("{}tag {}: {made:?}, asked {asked:?}", self.path, tag.0));
    }

    /// The format that the document itself states.
    fn format(&mut self) -> Option<Ffd> {
        let stated = self.tags.byte(Tag::FFD_VERSION);
        let ffd = stated.clone().ok().flatten().and_then(Ffd::of_code);
        if ffd.is_none() {
            self.differ(Tag::FFD_VERSION, stated, "a format we know");
        }
        ffd
    }

    fn money(&mut self, tag: Tag, asked: Kopecks) {
        // A register may leave a zero sum out or write it empty (captures).
        let made = self.tags.money(tag).map(Option::unwrap_or_default);
        if made != Ok(asked) {
            self.differ(tag, made, asked);
        }
    }

    fn byte(&mut self, tag: Tag, asked: Option<u32>) {
        let Some(asked) = asked else { return };
        let made = self.tags.byte(tag);
        if made.clone().ok().flatten().map(u32::from) != Some(asked) {
            self.differ(tag, made, asked);
        }
    }

    /// Personal values are compared, never shown.
    fn text(&mut self, tag: Tag, asked: Option<&str>) {
        let Some(asked) = asked else { return };
        let made = self.tags.text(tag);
        if made.as_deref().map(str::trim_end) != Some(asked.trim_end()) {
            self.found.push(format!("{}tag {}: another text", self.path, tag.0));
        }
    }

    /// The tags that the content makes, and no other of those that only a client brings. Values are never shown.
    fn content<'t>(&mut self, asked: Result<Vec<Tlv>, ContentError>, clients: impl Iterator<Item = &'t Tag>) {
        let asked = match asked {
            Ok(items) => TlvList { items },
            Err(error) => return self.found.push(format!("{}{error}", self.path)),
        };
        let mut seen = BTreeSet::new();
        for tag in asked.items.iter().map(|one| one.tag).filter(|tag| seen.insert(*tag)) {
            if self.tags.find(tag).is_none() {
                self.found.push(format!("{}tag {tag} is absent", self.path));
            } else if !same_tag(self.tags, &asked, tag) {
                self.found.push(format!("{}tag {tag}: another value", self.path));
            }
        }
        for tag in clients.filter(|tag| !seen.contains(*tag)) {
            if self.tags.find(*tag).is_some() {
                self.found.push(format!("{}tag {tag} was not asked for", self.path));
            }
        }
    }
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
