//! `documents export`: fiscal documents for other programs.
//!
//! Owns: the columns of the table, and the paging.
//! Must never: hold more than one page, or write anything but documents to standard output.

use super::{Daemon, tenant_name, value};
use crate::cli::{Export, Format};
use crate::failure::{DONE, Failure};
use crate::progress;
use kassette_api::v1;
use std::io::Write as _;

/// Rows of one page: the most that the contract gives.
const PAGE: i32 = 1000;

/// The columns, by the names of `kassette.v1.FiscalDocument`.
const COLUMNS: [&str; 18] = [
    "fn",
    "fd",
    "fp",
    "document_code",
    "document_time",
    "document_offset_minutes",
    "shift",
    "number_in_shift",
    "settlement_sign",
    "total_kopecks",
    "inn",
    "rnm",
    "register_serial",
    "register",
    "receipt_job",
    "foreign",
    "ffd_version",
    "qr_text",
];

/// Writes every document.
pub async fn export(mut daemon: Daemon, given: Export) -> Result<u8, Failure> {
    progress::shown("the documents", Box::pin(pages(&mut daemon, &given))).await?;
    Ok(DONE)
}

async fn pages(daemon: &mut Daemon, given: &Export) -> Result<(), Failure> {
    let mut request = v1::ListDocumentsRequest {
        parent: tenant_name(&given.tenant),
        page_size: Some(PAGE),
        ..Default::default()
    };
    if given.format == Format::Csv {
        print(&line(COLUMNS.map(str::to_owned)))?;
    }
    loop {
        let page = daemon.receipts.list_documents(request.clone()).await?.into_inner();
        let mut text = String::new();
        for document in &page.documents {
            match given.format {
                Format::Csv => text.push_str(&line(row(document))),
                Format::Jsonl => text.push_str(&format!("{}\n", value("FiscalDocument", document)?)),
            }
        }
        print(&text)?;
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = Some(page.next_page_token);
    }
}

/// A reader that is gone is an error: the export is not whole.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::host("the documents cannot be written", &error))
}

/// Absent fields are empty.
fn row(document: &v1::FiscalDocument) -> [String; COLUMNS.len()] {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        document.r#fn.clone(),
        document.fd.to_string(),
        document.fp.to_string(),
        document.document_code.to_string(),
        document.document_time.map(|at| at.to_string()).unwrap_or_default(),
        document.document_offset_minutes.to_string(),
        number(document.shift),
        number(document.number_in_shift),
        number(document.settlement_sign),
        document.total_kopecks.map(|sum| sum.to_string()).unwrap_or_default(),
        document.inn.clone(),
        document.rnm.clone(),
        document.register_serial.clone(),
        document.register.clone(),
        document.receipt_job.clone().unwrap_or_default(),
        document.foreign.to_string(),
        number(document.ffd_version),
        document.qr_text.clone().unwrap_or_default(),
    ]
}

/// One record of RFC 4180.
fn line(fields: [String; COLUMNS.len()]) -> String {
    let quoted = fields.map(|field| {
        if field.contains(['"', ',', '\r', '\n']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    });
    format!("{}\r\n", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_one_record_whose_absent_fields_are_empty_and_whose_text_cannot_break_it() {
        let document = v1::FiscalDocument {
            r#fn: "9999078900000001".into(),
            fd: 7,
            fp: 12,
            document_code: 3,
            total_kopecks: Some(-5),
            register_serial: "a\"b,c\n".into(),
            ..Default::default()
        };
        let expected = "9999078900000001,7,12,3,,0,,,,-5,,,\"a\"\"b,c\n\",,,false,,\r\n";
        assert_eq!(line(row(&document)), expected);
    }
}
