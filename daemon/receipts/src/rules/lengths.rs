//! Lengths of the texts and containers of receipts.
//!
//! Owns: the column "Len" of `fn-ffd-ofd` C.4 for the tags that a receipt or correction carries.
//! Must never: cut a text.

/// Name of an item, tag 1030.
pub(super) const NAME_MAX: usize = 128;
/// One item, tag 1059, in bytes of its content (`fn-ffd-ofd` C.2).
pub const ITEM_MAX: usize = 1024;
/// What register and FN take of one document, in bytes: 30 KiB (`fn-ffd-ofd` C.2).
pub const RECEIPT_MAX: usize = 30 * 1024;
/// Content of tags 1260 and 1261. CONFLICT in `fn-ffd-ofd` C.3: 302 or 317; the smaller fits both.
pub const INDUSTRY_MAX: usize = 302;
/// Tag 1308. CONFLICT in `fn-ffd-ofd` C.3: exactly 33 or 23 characters; the table's value stands.
const EGAIS_2: usize = 33;
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

/// The length of a text tag; `None` for tags that are no text of a receipt. Fixed tags that the register pads with
/// spaces (INN, 1245) count as "up to".
pub(super) const fn of_tag(tag: u16) -> Option<Length> {
    Some(match tag {
        1192 => up_to(16),
        1197 => up_to(16),
        1073 | 1074 | 1075 | 1171 => up_to(19),
        1036 => up_to(20),
        1044 => up_to(24),
        1179 | 1231 | 1245 | 1264 => up_to(32),
        1008 | 1021 | 1026 | 1085 | 1117 | 1191 | 1246 | 1272 => up_to(64),
        1030 => up_to(NAME_MAX),
        1005 | 1009 | 1060 | 1086 | 1187 | 1225 | 1227 | 1254 | 1265 => up_to(256),
        1237 | 1238 => up_to(UNKNOWN_MAX),
        1230 | 1244 => exactly(3),
        1262 => up_to(3),
        1243 | 1263 => exactly(10),
        1301 => exactly(8),
        1302 => exactly(13),
        1303 | 1309 => exactly(14),
        1307 => exactly(20),
        1308 => exactly(EGAIS_2),
        1300 | 1320..=1325 => up_to(32),
        1304..=1306 => up_to(38),
        _ => return None,
    })
}
