//! Lengths of the texts and containers of receipts.
//!
//! Owns: the column "Len" of `fn-ffd-ofd` C.4 for the tags that a receipt or correction carries.
//! Must never: cut a text.

use kassette_wire::ffd::{Kind, Tag};

/// Name of an item, tag 1030.
pub(super) const NAME_MAX: usize = 128;
/// One item, tag 1059, in bytes of its content (`fn-ffd-ofd` C.2).
pub const ITEM_MAX: usize = 1024;
/// What register and FN take of one document, in bytes: 30 KiB (`fn-ffd-ofd` C.2).
pub const RECEIPT_MAX: usize = 30 * 1024;
/// Content of tags 1260 and 1261. CONFLICT in `fn-ffd-ofd` C.3: 302 or 317; the smaller fits both.
pub const INDUSTRY_MAX: usize = 302;
/// Tags 1237 and 1238: no source gives a length (`fn-ffd-ofd`, open points); the largest that any text tag has.
const UNKNOWN_MAX: usize = 256;

/// How long a text may be, in characters (CP866 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) min: usize,
    pub(super) max: usize,
}

const fn up_to(max: usize) -> Length {
    Length { min: 1, max }
}

const fn exactly(length: usize) -> Length {
    Length {
        min: length,
        max: length,
    }
}

/// The length of a text tag; `None` for tags that are no text.
///
/// Fixed texts must have exactly their length, but 1245, whose value is a short code that the register pads with
/// spaces (CONFLICT in `fn-ffd-ofd` C.3: 32 or 2). Tag 1308 is in CONFLICT too, 33 or 23; the table's value stands.
pub(super) fn of_tag(tag: u16) -> Option<Length> {
    if matches!(tag, 1237 | 1238) {
        return Some(up_to(UNKNOWN_MAX));
    }
    let info = Tag(tag).info()?;
    let max = usize::from(info.max_len?);
    match info.kind {
        Kind::FixedStr if tag != 1245 => Some(exactly(max)),
        Kind::FixedStr | Kind::Str => Some(up_to(max)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_table_gives_the_lengths_that_receipts_rely_on() {
        for (tag, min, max) in [
            (1030, 1, NAME_MAX),
            (1008, 1, 64),
            (1084 + 1, 1, 64),
            (1086, 1, 256),
            (1191, 1, 64),
            (1192, 1, 16),
            (1230, 3, 3),
            (1237, 1, UNKNOWN_MAX),
            (1243, 10, 10),
            (1245, 1, 32),
            (1302, 13, 13),
            (1308, 33, 33),
        ] {
            assert_eq!(of_tag(tag), Some(Length { min, max }), "{tag}");
        }
        assert_eq!(of_tag(1020), None);
    }
}
