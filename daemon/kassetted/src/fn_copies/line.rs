//! One line of a copy: of `kassette-hw-sim ledger`, or of `kassettectl documents export --format jsonl`.
//!
//! Owns: the two forms, and whether a line says the same in its fields as in its bytes.
//! Must never: take a field's word where the bytes say otherwise.

use kassette_core::journal::{CopiedContent, CopiedDocument};
use kassette_wire::ffd::{Document, Kind, MAX_DEPTH, Tag, Tlv, TlvList};
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Kopecks, LocalTime};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A line of `kassette-hw-sim ledger` (design 4.2).
#[derive(Deserialize)]
struct LedgerLine {
    #[serde(rename = "fn")]
    fn_number: String,
    fd: u32,
    kind: u16,
    fp: u32,
    time: Option<String>,
    tags: Option<Map<String, Value>>,
    tlv: String,
}

/// A line of `kassettectl documents export`: fields of `kassette.v1.FiscalDocument`.
#[derive(Deserialize)]
struct ExportLine {
    #[serde(rename = "fn")]
    fn_number: String,
    fd: u32,
    fp: u32,
    document_code: u16,
    document_time: Option<String>,
    #[serde(default)]
    document_offset_minutes: i64,
    total_kopecks: Option<u64>,
}

/// A document, and what its line says twice and differently.
type Read = (CopiedDocument, Vec<String>);

/// Reads a line of either form.
///
/// # Errors
/// Why it is no such line, in words.
pub(super) fn read(line: &[u8]) -> Result<Read, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))?;
    let form = |error: serde_json::Error| format!("neither a ledger line nor an exported document: {error}");
    if value.get("tlv").is_some() {
        ledger(serde_json::from_value(value).map_err(form)?)
    } else {
        let summary = summary(&serde_json::from_value(value).map_err(form)?)?;
        Ok((summary, Vec::new()))
    }
}

fn ledger(line: LedgerLine) -> Result<Read, String> {
    let bytes = from_hex(&line.tlv).ok_or("tlv is not hex")?;
    let whole = Document::decode_stlv(&bytes).map_err(|error| format!("tlv: {error}"))?;
    let mut wrong = Vec::new();
    let mut same = |name: &str, field: Option<String>, stated: Option<String>| {
        if field.is_some() && field != stated {
            wrong.push(format!("{name} is {field:?} beside {stated:?} in its bytes"));
        }
    };
    let tags = &whole.tags;
    same("kind", Some(line.kind.to_string()), Some(whole.code.to_string()));
    same(
        "fn",
        Some(line.fn_number.clone()),
        tags.text(Tag::FN_NUMBER).map(|text| text.trim_end().to_owned()),
    );
    same("fd", Some(line.fd.to_string()), number(tags.u32(Tag::FD_NUMBER)));
    same(
        "fp",
        Some(line.fp.to_string()),
        number(tags.fiscal_sign().map(|sign| sign.map(|sign| sign.0))),
    );
    same(
        "time",
        line.time.clone(),
        tags.time(Tag::DOCUMENT_TIME)
            .ok()
            .flatten()
            .map(|time| time.to_string()),
    );
    if let Some(fields) = &line.tags {
        wrong.extend(disagreeing(fields, tags, 0));
    }
    let document = CopiedDocument {
        fn_number: fn_number(&line.fn_number)?,
        fd: FdNumber(line.fd),
        fp: FiscalSign(line.fp),
        content: CopiedContent::Whole(whole),
    };
    Ok((document, wrong))
}

fn number<E>(read: Result<Option<u32>, E>) -> Option<String> {
    read.ok().flatten().map(|number| number.to_string())
}

fn summary(line: &ExportLine) -> Result<CopiedDocument, String> {
    let total = Kopecks::new(line.total_kopecks.unwrap_or_default()).map_err(|error| error.to_string())?;
    let time = line
        .document_time
        .as_deref()
        .map(|text| local(text, line.document_offset_minutes));
    Ok(CopiedDocument {
        fn_number: fn_number(&line.fn_number)?,
        fd: FdNumber(line.fd),
        fp: FiscalSign(line.fp),
        content: CopiedContent::Summary {
            code: line.document_code,
            total,
            time: time.transpose()?,
        },
    })
}

fn fn_number(text: &str) -> Result<FnNumber, String> {
    text.parse().map_err(|error| format!("fn \"{text}\": {error}"))
}

/// Local time of a document from its instant and its offset.
fn local(text: &str, offset_minutes: i64) -> Result<LocalTime, String> {
    use time::format_description::well_known::Rfc3339;
    let wrong = |error: &dyn std::fmt::Display| format!("document_time \"{text}\": {error}");
    let instant = time::OffsetDateTime::parse(text, &Rfc3339).map_err(|error| wrong(&error))?;
    let seconds = instant
        .unix_timestamp()
        .saturating_add(offset_minutes.saturating_mul(60));
    let seconds = u32::try_from(seconds).map_err(|error| wrong(&error))?;
    LocalTime::from_unix_as_local(seconds).map_err(|error| wrong(&error))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Tags whose field says another value than the bytes. Every field must stand in the bytes, and every tag in the fields.
fn disagreeing(fields: &Map<String, Value>, tags: &TlvList, depth: usize) -> Vec<String> {
    if depth >= MAX_DEPTH {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (name, field) in fields {
        let stated: Vec<&Tlv> = match name.parse() {
            Ok(tag) => tags.all(Tag(tag)).collect(),
            Err(_) => Vec::new(),
        };
        let shown: Vec<&Value> = field
            .as_array()
            .map_or_else(|| vec![field], |many| many.iter().collect());
        let agree = shown.len() == stated.len() && shown.iter().zip(&stated).all(|(one, tlv)| agrees(one, tlv, depth));
        if !agree {
            wrong.push(format!("tag {name} is another value in its bytes"));
        }
    }
    let absent = tags
        .items
        .iter()
        .filter(|tlv| !fields.contains_key(&tlv.tag.to_string()));
    wrong.extend(absent.map(|tlv| format!("tag {} is in its bytes alone", tlv.tag)));
    wrong
}

fn agrees(field: &Value, tlv: &Tlv, depth: usize) -> bool {
    if let Some(bytes) = field.get("bytes").and_then(Value::as_str) {
        return from_hex(bytes).as_deref() == Some(&tlv.value);
    }
    let kind = tlv.tag.info().map_or(Kind::Bytes, |info| info.kind);
    match (kind, field) {
        (Kind::Stlv, Value::Object(inner)) => tlv
            .to_list()
            .is_ok_and(|list| disagreeing(inner, &list, depth + 1).is_empty()),
        (_, Value::Number(number)) => number.as_u64() == as_number(tlv, kind),
        (Kind::Fvln, Value::String(text)) => tlv.to_quantity().is_ok_and(|value| value.to_string() == *text),
        (Kind::Unixtime, Value::String(text)) => tlv.to_time().is_ok_and(|value| value.to_string() == *text),
        (Kind::Str | Kind::FixedStr, Value::String(text)) => tlv.to_text() == *text,
        (_, Value::String(text)) => from_hex(text).as_deref() == Some(&tlv.value),
        _ => false,
    }
}

fn as_number(tlv: &Tlv, kind: Kind) -> Option<u64> {
    match kind {
        Kind::Byte | Kind::Bits8 => tlv.to_byte().ok().map(u64::from),
        Kind::U16 => tlv.to_u16().ok().map(u64::from),
        Kind::U32 | Kind::Bits32 => tlv.to_u32().ok().map(u64::from),
        Kind::Vln => tlv.to_vln().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document {
            code: 3,
            tags: TlvList::new()
                .with(Tlv::u32(Tag::FD_NUMBER, 7))
                .with(Tlv::fiscal_sign([0, 0], FiscalSign(9)))
                .with(Tlv::text(Tag::FN_NUMBER, "9999000000000001").unwrap())
                .with(Tlv::vln(Tag::RECEIPT_TOTAL, 12_345)),
        }
    }

    fn line(fd: u32, total: u64) -> Vec<u8> {
        let hex: String = document()
            .encode_stlv()
            .unwrap()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let value = serde_json::json!({
            "fn": "9999000000000001", "fd": fd, "kind": 3, "fp": 9, "time": null, "tlv": hex,
            "tags": { "1040": 7, "1077": "000000000009", "1041": "9999000000000001", "1020": total },
        });
        value.to_string().into_bytes()
    }

    #[test]
    fn a_ledger_line_gives_the_document_that_its_bytes_hold() {
        let (read, wrong) = read(&line(7, 12_345)).unwrap();
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!((read.fd, read.fp), (FdNumber(7), FiscalSign(9)));
        assert_eq!(read.content, CopiedContent::Whole(document()));
    }

    #[test]
    fn a_line_whose_fields_and_bytes_differ_is_told() {
        let (_, wrong) = read(&line(8, 12_345)).unwrap();
        assert!(wrong.iter().any(|text| text.starts_with("fd ")), "{wrong:?}");
        let (_, wrong) = read(&line(7, 12_346)).unwrap();
        assert_eq!(wrong, ["tag 1020 is another value in its bytes"]);
    }

    #[test]
    fn an_exported_document_tells_its_local_time_and_total() {
        let line = br#"{"fn":"9999000000000001","fd":7,"fp":9,"document_code":3,"document_time":"2026-11-22T12:00:00Z",
            "document_offset_minutes":180,"total_kopecks":500,"receipt_job":"tenants/1/receipts/K"}"#;
        let (read, _) = read(line).unwrap();
        let CopiedContent::Summary { code, total, time } = read.content else {
            panic!("{read:?}");
        };
        assert_eq!((code, total), (3, Kopecks::new(500).unwrap()));
        assert_eq!(time.unwrap().to_string(), "2026-11-22T15:00:00");
    }

    #[test]
    fn what_is_no_line_is_refused_with_a_reason() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"tlv\":\"0\"}",
            "{\"tlv\":\"zz\",\"fn\":\"1\",\"fd\":1,\"kind\":3,\"fp\":1}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
