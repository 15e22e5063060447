//! Fiscal documents of the journal: domain to contract.
//!
//! Owns: how a document is shown, and the codes of the documents the journal knows.
//! Must never: say more of a document than the journal holds.

use super::job::{CODE_CORRECTION, CODE_RECEIPT, evidence};
use super::time::{document_timestamp, timestamp};
use super::unit::ffd_code;
use crate::grpc::names;
use kassette_api::v1;
use kassette_core::domain::attempt::DocumentKind;
use kassette_core::domain::job::DocumentRow;
use kassette_wire::ffd::{Kind, Tag, Tlv, TlvList};
use kassette_wire::fiscal::QrText;

/// Lists in a document are at most this deep (`fn-ffd-ofd` C.4: an item, its agent or code, and what stands there).
const MAX_DEPTH: usize = 4;
/// Document code of a shift opening.
pub const CODE_SHIFT_OPEN: u32 = 2;
/// Document code of a shift closing.
pub const CODE_SHIFT_CLOSE: u32 = 5;
/// Every code of the format (registration, re-registration, calculation state, BSO and FN closing included).
pub const CODES: [u32; 10] = [1, 2, 3, 4, 5, 6, 11, 21, 31, 41];

/// The code of a kind.
#[must_use]
pub const fn code(kind: DocumentKind) -> u32 {
    match kind {
        DocumentKind::Receipt => CODE_RECEIPT,
        DocumentKind::Correction => CODE_CORRECTION,
        DocumentKind::ShiftOpen => CODE_SHIFT_OPEN,
        DocumentKind::ShiftClose => CODE_SHIFT_CLOSE,
    }
}

/// The kind of a code, where we make such documents.
#[must_use]
pub const fn kind(code: u32) -> Option<DocumentKind> {
    match code {
        CODE_RECEIPT => Some(DocumentKind::Receipt),
        CODE_CORRECTION => Some(DocumentKind::Correction),
        CODE_SHIFT_OPEN => Some(DocumentKind::ShiftOpen),
        CODE_SHIFT_CLOSE => Some(DocumentKind::ShiftClose),
        _ => None,
    }
}

/// What is shown of what was read back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read {
    /// Each tag.
    pub tags: bool,
    /// The bytes.
    pub tlv: bool,
}

/// A document.
#[must_use]
pub fn document(stored: &DocumentRow, read: Read) -> v1::FiscalDocument {
    let of_sale = matches!(stored.kind, DocumentKind::Receipt | DocumentKind::Correction);
    v1::FiscalDocument {
        r#fn: stored.fn_number.to_string(),
        fd: stored.fd.0,
        fp: stored.fp.0,
        document_code: code(stored.kind),
        document_time: Some(document_timestamp(stored.time, stored.zone_minutes)),
        document_offset_minutes: i32::from(stored.zone_minutes),
        shift: Some(stored.shift.0),
        number_in_shift: of_sale.then_some(stored.number_in_shift),
        total_kopecks: of_sale.then(|| stored.total.signed()),
        inn: stored.tenant.to_string(),
        rnm: stored.rnm.to_string(),
        register_serial: stored.register.serial.to_string(),
        register: names::register(&stored.register),
        ffd_version: stored.ffd.map(ffd_code),
        receipt_job: stored.job.as_ref().map(|key| names::receipt(&stored.tenant, key)),
        settlement_sign: stored.sign,
        evidence: evidence(stored.learned).into(),
        audited_at: stored.audited_at.map(timestamp),
        tags: stored
            .tlv
            .as_deref()
            .filter(|_| read.tags)
            .map(tags)
            .unwrap_or_default(),
        tlv: stored.tlv.clone().filter(|_| read.tlv),
        qr_text: stored.sign.and_then(|sign| qr_text(stored, sign)),
        ..v1::FiscalDocument::default()
    }
}

/// Tags as they were read; bytes that make no list were never stored.
fn tags(tlv: &[u8]) -> Vec<v1::DocumentTag> {
    let list = TlvList::decode(tlv).unwrap_or_default();
    list.items.iter().map(|one| tag(one, MAX_DEPTH)).collect()
}

fn tag(one: &Tlv, depth: usize) -> v1::DocumentTag {
    let inner = one.to_list().ok().filter(|_| one.tag.is_list() && depth > 0);
    let inside = inner.map(|list| list.items.iter().map(|one| tag(one, depth - 1)).collect());
    v1::DocumentTag {
        tag: u32::from(one.tag.0),
        name: one.tag.name().to_owned(),
        value: if inside.is_some() { String::new() } else { value(one) },
        raw: one.value.clone(),
        tags: inside.unwrap_or_default(),
    }
}

/// A value as text; what does not read as its kind is shown as bytes.
fn value(one: &Tlv) -> String {
    let hex = || one.value.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    match one.tag.info().map(|info| info.kind) {
        Some(Kind::Str | Kind::FixedStr) => one.to_text().trim_end().to_owned(),
        Some(Kind::Vln) => one.to_vln().map_or_else(|_| hex(), |number| number.to_string()),
        Some(Kind::Byte | Kind::Bits8) => one.to_byte().map_or_else(|_| hex(), |number| number.to_string()),
        Some(Kind::U16) => one.to_u16().map_or_else(|_| hex(), |number| number.to_string()),
        Some(Kind::U32 | Kind::Bits32) => one.to_u32().map_or_else(|_| hex(), |number| number.to_string()),
        Some(Kind::Unixtime) => one.to_time().map_or_else(|_| hex(), |time| time.to_string()),
        Some(Kind::Fvln) => one
            .to_quantity()
            .map_or_else(|_| hex(), |quantity| quantity.to_string()),
        _ if one.tag == Tag::FISCAL_SIGN => one.to_fiscal_sign().map_or_else(|_| hex(), |sign| sign.to_string()),
        _ => hex(),
    }
}

fn qr_text(stored: &DocumentRow, sign: u32) -> Option<String> {
    let text = QrText {
        time: stored.time,
        total: stored.total,
        fn_number: stored.fn_number.clone(),
        fd: stored.fd,
        fp: stored.fp,
        sign: u8::try_from(sign).ok()?,
    };
    Some(text.to_string())
}
