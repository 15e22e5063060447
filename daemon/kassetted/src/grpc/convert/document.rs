//! Fiscal documents of the journal: domain to contract.
//!
//! Owns: how a document is shown, and the codes of the documents the journal knows.
//! Must never: say more of a document than the journal holds.

use super::job::{CODE_CORRECTION, CODE_RECEIPT, evidence};
use super::time::document_timestamp;
use super::unit::ffd_code;
use crate::grpc::names;
use kassette_api::v1;
use kassette_core::domain::attempt::DocumentKind;
use kassette_core::domain::job::DocumentRow;
use kassette_wire::fiscal::QrText;

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

/// A document.
#[must_use]
pub fn document(stored: &DocumentRow) -> v1::FiscalDocument {
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
        qr_text: stored.sign.and_then(|sign| qr_text(stored, sign)),
        ..v1::FiscalDocument::default()
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
