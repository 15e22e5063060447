//! What of an answer is determined by the exchange itself, and where two answers differ in it.
//!
//! Owns: the fields of answers whose value a replay can know.
//! Must never: compare what depends on the day, the shop or the number of documents of the recorded register.

use crate::bench::{error_of, hex};
use std::ops::Range;

/// Where our answer differs from the captured one, in words that name no value of a certain day; `written` is what the
/// conversation itself wrote into the field that 1F reads.
pub fn differences(request: &[u8], seen: &[u8], ours: &[u8], written: Option<&[u8]>) -> Vec<String> {
    if seen.len() == 2 && seen[0] == 0xFF {
        return vec![format!(
            "one-byte echo FF and error {:02X} → error {:02X}",
            seen[1],
            error_of(ours)
        )];
    }
    let head = if request[0] == 0xFF { 2 } else { 1 };
    if seen[..head] != ours[..head] {
        return vec![format!("answer to {} → to {}", hex(&seen[..head]), hex(&ours[..head]))];
    }
    if seen[head] != ours[head] {
        return vec![format!("error {:02X} → {:02X}", seen[head], ours[head])];
    }
    if seen.len() != ours.len() {
        return vec![format!("length {} → {}", seen.len(), ours.len())];
    }
    if seen[head] != 0 {
        return Vec::new();
    }
    let (seen, ours) = (&seen[head + 1..], &ours[head + 1..]);
    let mut fields = determined(request, seen);
    if request[0] == 0x1F && written.is_some() {
        fields.push(("value written before", 0..seen.len()));
    }
    fields
        .into_iter()
        .filter(|(_, range)| seen[range.clone()] != ours[range.clone()])
        .map(|(name, range)| match range.len() {
            0..=2 => format!("{name} {} → {}", hex(&seen[range.clone()]), hex(&ours[range])),
            _ => format!("other {name}"),
        })
        .collect()
}

/// Fields of a good answer, from behind the error byte, by their names in the reference.
fn determined(request: &[u8], data: &[u8]) -> Vec<(&'static str, Range<usize>)> {
    let all = 0..data.len();
    match request {
        [0x10, ..] => vec![("operator", 0..1), ("mode", 3..4), ("submode", 4..5)],
        [0x11, ..] => vec![("operator", 0..1), ("mode", 13..14), ("submode", 14..15)],
        [0xFC, ..] => vec![
            ("type", 0..2),
            ("protocol", 2..4),
            ("model code", 4..5),
            ("name", 6..data.len()),
        ],
        [0xF7, ..] => vec![("capability bits", 0..8), ("parameters", 8..data.len())],
        [0x2D, ..] => vec![("table name", 0..40), ("rows", 40..42), ("fields", 42..43)],
        [0x2E, ..] => vec![
            ("field name", 0..40),
            ("type", 40..41),
            ("size", 41..42),
            ("limits", 42..data.len()),
        ],
        [0x26, ..] => vec![("font metrics", all)],
        [0x6B, ..] => vec![("text", all)],
        [0x85, ..] => vec![("operator", 0..1), ("change", 1..6)],
        [0x1A | 0x1B | 0x50 | 0x51 | 0x8E, ..] => vec![("operator", 0..1)],
        // Phase, open document and its data, shift, warnings; behind them the date, the FN and its last number.
        [0xFF, 0x01, ..] => vec![
            ("phase", 0..1),
            ("open document", 1..3),
            ("shift", 3..4),
            ("warnings", 4..5),
        ],
        // 1059: the one recorded item that was read back.
        [0xFF, 0x3B, ..] if data.starts_with(&[0x23, 0x04]) => vec![("item", all)],
        [0xFF, 0x3B, ..] => vec![("tag", 0..2), ("length of the tag", 2..4)],
        [0xFF, 0x45, ..] => vec![("change", 0..5)],
        [0xFF, 0x61, ..] => vec![("verdict", all)],
        [0xFF, ..] | [0x1F | 0x15, ..] => Vec::new(),
        _ if data.len() == 1 => vec![("operator", 0..1)],
        _ => Vec::new(),
    }
}
