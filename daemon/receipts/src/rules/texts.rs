//! Rules 12 and 38: what texts may hold, and how long they may be.
//!
//! Owns: the checks that every text of a receipt passes.
//! Must never: replace or cut a character; a text is refused with the character and its position.

use super::context::RuleContext;
use super::findings::Findings;
use super::lengths::{self, Length};
use super::place::Place;
use super::size;
use super::visit;
use crate::model::Receipt;
use kassette_wire::text::encode_cp866;

/// Characters of a text that are looked at for R12; the longest tag holds 256, and what is longer is refused by its
/// length anyway. It bounds the work on megabytes.
const SCANNED: usize = 1024;

/// R12: the first character of each text that CP866 lacks, or that is a control character.
pub(super) fn encodable(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    visit::texts(receipt, &mut |place, tag, text| {
        let bad = first_bad(tag, text);
        if let Some((at, c)) = bad {
            character(place, tag, at, c, findings);
        }
        !findings.full()
    });
}

fn first_bad(tag: u16, text: &str) -> Option<(usize, char)> {
    let end = text.char_indices().nth(SCANNED).map_or(text.len(), |(at, _)| at);
    let scanned = &text[..end];
    let control = scanned.chars().enumerate().find(|&(_, c)| forbidden(tag, c));
    let lacking = encode_cp866(scanned).err().map(|error| (error.index, error.char));
    control.into_iter().chain(lacking).min_by_key(|&(at, _)| at)
}

/// Control characters have no place in a text; in a name they are R11. A goods code may hold GS (1D), its separator.
fn forbidden(tag: u16, c: char) -> bool {
    c.is_ascii_control() && tag != 1030 && !((1300..=1325).contains(&tag) && c == '\u{1d}')
}

fn character(place: &Place<'_>, tag: u16, at: usize, c: char, findings: &mut Findings) {
    let shown = c.escape_debug();
    let code = u32::from(c);
    let suggestion = match replacement(c) {
        Some(instead) => format!("write {instead} for it"),
        None => "drop the character or write it in letters of CP866".to_owned(),
    };
    findings.add_with(
        Some(place),
        tag,
        format!("character '{shown}' (U+{code:04X}) at position {at} does not exist in CP866 texts"),
        format!("символа '{shown}' (U+{code:04X}), позиция {at}, нет в CP866"),
        suggestion,
    );
}

/// What people write for the characters that shops use and CP866 lacks. Only a hint; nothing is replaced.
fn replacement(c: char) -> Option<&'static str> {
    match c {
        '«' | '»' | '“' | '”' | '„' => Some("\""),
        '‘' | '’' | '`' | '´' => Some("'"),
        '–' | '—' | '−' | '‑' => Some("-"),
        '…' => Some("..."),
        '×' => Some("x"),
        '\t' | '\n' | '\r' | '\u{2009}' | '\u{202f}' => Some("a space"),
        _ => None,
    }
}

/// R38. The name of an item is R11.
pub(super) fn lengths(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    visit::texts(receipt, &mut |place, tag, text| {
        if let Some(length) = lengths::of_tag(tag).filter(|_| tag != 1030) {
            length_of(place, tag, text, length, findings);
        }
        !findings.full()
    });
    goods_codes(receipt, findings);
    size::containers(receipt, findings);
}

fn length_of(place: &Place<'_>, tag: u16, text: &str, Length { min, max }: Length, findings: &mut Findings) {
    if text.is_empty() {
        return findings.add(
            Some(place),
            tag,
            "the text is given but empty".to_owned(),
            "текст указан, но пуст".to_owned(),
        );
    }
    let characters = text.chars().take(max + 1).count();
    if (min..=max).contains(&characters) {
        return;
    }
    let (bound, mark) = if min == max {
        ("exactly", "ровно")
    } else {
        ("at most", "не более")
    };
    findings.add(
        Some(place),
        tag,
        format!("tag {tag} holds {bound} {max} characters"),
        format!("реквизит {tag} вмещает {mark} {max} знаков"),
    );
}

/// Goods codes: the inner tag of 1163 must exist, 1162 holds at most 32 bytes, a marking code 256.
fn goods_codes(receipt: &Receipt, findings: &mut Findings) {
    for (at, item) in receipt.items.iter().enumerate() {
        if findings.full() {
            return;
        }
        let place = Place::item(at);
        let unknown = item
            .goods_code
            .as_ref()
            .filter(|code| !matches!(code.tag, 1300..=1309 | 1320..=1325));
        if let Some(code) = unknown {
            findings.add_with(
                Some(&place.child("goods_code").child("tag")),
                1163,
                format!("{} is not a tag of a goods code", code.tag),
                format!("{} — не реквизит кода товара", code.tag),
                "give one of 1300 to 1309 or 1320 to 1325".to_owned(),
            );
        }
        bytes(
            &place.child("goods_code_bytes"),
            1162,
            32,
            item.goods_code_bytes.as_deref(),
            findings,
        );
        let marking = item.marking.as_ref().map(|marking| marking.code.as_slice());
        bytes(&place.child("marking").child("code"), 2000, 256, marking, findings);
    }
}

fn bytes(place: &Place<'_>, tag: u16, max: usize, value: Option<&[u8]>, findings: &mut Findings) {
    if value.is_some_and(|value| value.is_empty() || value.len() > max) {
        findings.add(
            Some(place),
            tag,
            format!("tag {tag} holds 1 to {max} bytes"),
            format!("реквизит {tag} вмещает от 1 до {max} байт"),
        );
    }
}
