//! The subcommand `ledger`: what stands in the FNs, as JSON lines.
//!
//! Owns: the form of a line.
//! Must never: change a file, need a running simulator, or leave out a document it cannot read in full.

use crate::fiscal_storage::ledger::{FileShelf, LedgerError, Record, read_file};
use crate::rack::FN_FOLDER;
use kassette_wire::ffd::{DocumentCode, Kind, MAX_DEPTH, Tlv, TlvList};
use kassette_wire::value::LocalTime;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why ledgers cannot be shown.
#[derive(Debug, Error)]
pub enum ShowError {
    /// A ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The folder is not the state of a rack.
    #[error("{0} is not the state folder of a simulated rack")]
    NotAState(PathBuf),
    /// No such FN.
    #[error("there is no FN {0} in this state folder")]
    NoFn(String),
    /// The output ended.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes one line for each document of each FN, FNs in the order of their numbers.
///
/// # Errors
/// [`ShowError`].
pub fn write(state: &Path, only: Option<&str>, out: &mut impl Write) -> Result<(), ShowError> {
    let folder = state.join(FN_FOLDER);
    if !folder.is_dir() {
        return Err(ShowError::NotAState(state.to_owned()));
    }
    let mut found = FileShelf::new(&folder, false).ledgers()?;
    if let Some(number) = only {
        found.retain(|(fn_number, _)| fn_number == number);
        if found.is_empty() {
            return Err(ShowError::NoFn(number.to_owned()));
        }
    }
    for (fn_number, path) in found {
        for record in read_file(&path)? {
            writeln!(out, "{}", line(&fn_number, &record))?;
        }
    }
    Ok(())
}

/// One document. `tlv` is the whole document as one STLV: code of the document, length, its tags.
#[must_use]
pub fn line(fn_number: &str, record: &Record) -> Value {
    let name = DocumentCode::from_code(u16::from(record.kind)).map(DocumentCode::name);
    let time = LocalTime::from_unix_as_local(record.time).map(|t| t.to_string());
    let mut whole = u16::from(record.kind).to_le_bytes().to_vec();
    // An FN holds no document of 64 KiB; its length always fits.
    whole.extend(u16::try_from(record.tlv.len()).unwrap_or(u16::MAX).to_le_bytes());
    whole.extend_from_slice(&record.tlv);
    json!({
        "fn": fn_number,
        "fd": record.fd,
        "kind": record.kind,
        "name": name,
        "fp": record.fp,
        "time": time.ok(),
        "made_unix_ms": record.made_unix_ms,
        "tags": tags(&record.tlv, 0),
        "tlv": hex(&whole),
    })
}

/// A list of tags by number. A tag that is itself a list is always an array of objects; any other is a value, or an
/// array of values when it stands more than once. Sums are kopecks, quantities decimal texts, times local without zone,
/// opaque bytes hex. What cannot be read is `{"bytes": hex}`.
fn tags(tlv: &[u8], depth: usize) -> Value {
    let unreadable = || json!({ "bytes": hex(tlv) });
    if depth >= MAX_DEPTH {
        return unreadable();
    }
    let Ok(list) = TlvList::decode(tlv) else {
        return unreadable();
    };
    let mut found: Map<String, Value> = Map::new();
    for tlv in &list.items {
        let key = tlv.tag.to_string();
        let read = value(tlv, depth);
        match found.get_mut(&key) {
            Some(Value::Array(many)) => many.push(read),
            Some(one) => *one = Value::Array(vec![one.take(), read]),
            None if tlv.tag.is_list() => {
                found.insert(key, Value::Array(vec![read]));
            }
            None => {
                found.insert(key, read);
            }
        }
    }
    Value::Object(found)
}

fn value(tlv: &Tlv, depth: usize) -> Value {
    let kind = tlv.tag.info().map_or(Kind::Bytes, |info| info.kind);
    let read = match kind {
        Kind::Byte | Kind::Bits8 => tlv.to_byte().map(Value::from).ok(),
        Kind::U16 => tlv.to_u16().map(Value::from).ok(),
        Kind::U32 | Kind::Bits32 => tlv.to_u32().map(Value::from).ok(),
        Kind::Vln => tlv.to_vln().map(Value::from).ok(),
        Kind::Fvln => tlv.to_quantity().map(|q| Value::from(q.to_string())).ok(),
        Kind::Unixtime => tlv.to_time().map(|t| Value::from(t.to_string())).ok(),
        Kind::Str | Kind::FixedStr => Some(Value::from(tlv.to_text())),
        Kind::Stlv => Some(tags(&tlv.value, depth + 1)),
        Kind::Bytes | Kind::PrintedOnly => Some(Value::from(hex(&tlv.value))),
    };
    read.unwrap_or_else(|| json!({ "bytes": hex(&tlv.value) }))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 0x0F)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of `fn-ffd-ofd` C.1: 1059 {1214=3, 1212=10, 1030="Аванс", 1079=1000.00, 1023=1, 1199=3,
    /// 1043=1000.00}.
    const ITEM: [u8; 48] = [
        0x23, 0x04, 0x2C, 0x00, 0xBE, 0x04, 0x01, 0x00, 0x03, 0xBC, 0x04, 0x01, 0x00, 0x0A, 0x06, 0x04, 0x05, 0x00,
        0x80, 0xA2, 0xA0, 0xAD, 0xE1, 0x37, 0x04, 0x03, 0x00, 0xA0, 0x86, 0x01, 0xFF, 0x03, 0x02, 0x00, 0x00, 0x01,
        0xAF, 0x04, 0x01, 0x00, 0x03, 0x13, 0x04, 0x03, 0x00, 0xA0, 0x86, 0x01,
    ];

    fn record(tlv: Vec<u8>) -> Record {
        Record {
            fd: 7,
            kind: 3,
            fp: 1_234_567,
            time: 1_795_359_600,
            made_unix_ms: 1_795_348_800_000,
            tlv,
        }
    }

    #[test]
    fn a_line_shows_every_tag_by_number_and_the_raw_document() {
        let line = line("9999000000000001", &record([ITEM, ITEM].concat()));
        assert_eq!(line["kind"], 3);
        assert_eq!(line["time"], "2026-11-22T15:00:00");
        let item = json!({
            "1214": 3, "1212": 10, "1030": "Аванс", "1079": 100_000, "1023": "1", "1199": 3, "1043": 100_000
        });
        assert_eq!(line["tags"], json!({ "1059": [item.clone(), item] }));
        let tlv = line["tlv"].as_str().unwrap();
        assert!(tlv.starts_with("0300600023042c00be0401"), "{tlv}");
        assert_eq!(tlv.len(), 2 * (4 + 2 * ITEM.len()));
    }

    #[test]
    fn a_list_is_an_array_also_when_it_stands_once_and_a_value_only_when_it_repeats() {
        let byte = |tag: u16, v: u8| [&tag.to_le_bytes()[..], &[1, 0, v]].concat();
        let tlv = [ITEM.to_vec(), byte(1054, 1), byte(1055, 1), byte(1055, 2)].concat();
        let line = line("9999000000000001", &record(tlv));
        assert!(line["tags"]["1059"].is_array());
        assert_eq!(line["tags"]["1054"], 1);
        assert_eq!(line["tags"]["1055"], json!([1, 2]));
    }

    #[test]
    fn tags_that_cannot_be_read_are_shown_as_bytes_and_not_left_out() {
        let broken_inner = [&1059_u16.to_le_bytes()[..], &[3, 0, 1, 2, 3]].concat();
        let wrong_length = [&1054_u16.to_le_bytes()[..], &[2, 0, 1, 1]].concat();
        let line = line("9999000000000001", &record([broken_inner, wrong_length].concat()));
        assert_eq!(line["tags"]["1059"], json!([{ "bytes": "010203" }]));
        assert_eq!(line["tags"]["1054"], json!({ "bytes": "0101" }));
    }
}
