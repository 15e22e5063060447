//! Tags that a host may give, and what a VAT byte becomes (`fn-ffd-ofd` C.4, C.5; `shtrih-m.md` 3.5).
//!
//! Owns: the register's own reading of the format; written from the reference, shared with nobody.
//! Must never: follow a driver.

use super::config::Ffd;
use super::tables::{Tables, cell};
use crate::fiscal_storage::document::walk;
use crate::fiscal_storage::{Generation, code};
use crate::switches::{Switches, Vat22, Vat7107};

/// Where a tag comes to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Receipt,
    Correction,
    Item,
    ShiftOpen,
    ShiftClose,
    CalculationState,
    Closing,
    Registration,
}

/// Lengths of a value.
#[derive(Debug, Clone, Copy)]
enum Size {
    Is(usize),
    UpTo(usize),
}

const RECEIPT: u8 = 1;
const CORRECTION: u8 = 2;
const ITEM: u8 = 4;
const OPEN: u8 = 8;
const CLOSE: u8 = 16;
const STATE: u8 = 32;
const FN_CLOSE: u8 = 64;
const REGISTER: u8 = 128;
const BOTH: u8 = RECEIPT | CORRECTION;

impl Place {
    const fn bit(self) -> u8 {
        match self {
            Self::Receipt => RECEIPT,
            Self::Correction => CORRECTION,
            Self::Item => ITEM,
            Self::ShiftOpen => OPEN,
            Self::ShiftClose => CLOSE,
            Self::CalculationState => STATE,
            Self::Closing => FN_CLOSE,
            Self::Registration => REGISTER,
        }
    }
}

/// Formats in which a tag exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    All,
    Only105,
    Only12,
}

impl In {
    const fn has(self, ffd: Ffd) -> bool {
        !matches!((self, ffd), (Self::Only105, Ffd::V12) | (Self::Only12, Ffd::V105))
    }
}

/// (tag, places, size, format). 1227 and 1228 stand here for both formats: the vendor text lists them for documents of
/// any format (`shtrih-m` 3.5), while under 1.2 they belong into 1256.
const HOST_TAGS: &[(u16, u8, Size, In)] = &[
    (1005, BOTH, Size::UpTo(256), In::Only105),
    (1008, BOTH, Size::UpTo(64), In::All),
    (1009, BOTH | FN_CLOSE | REGISTER, Size::UpTo(256), In::All),
    (1016, BOTH, Size::Is(12), In::Only105),
    (1021, BOTH | OPEN | CLOSE | FN_CLOSE | REGISTER, Size::UpTo(64), In::All),
    (1026, BOTH, Size::UpTo(64), In::Only105),
    (1036, BOTH | REGISTER, Size::UpTo(20), In::All),
    (1044, BOTH, Size::UpTo(24), In::Only105),
    (1057, BOTH, Size::Is(1), In::Only105),
    (1060, BOTH | REGISTER, Size::UpTo(256), In::All),
    (1073, BOTH, Size::UpTo(19), In::Only105),
    (1074, BOTH, Size::UpTo(19), In::Only105),
    (1075, BOTH, Size::UpTo(19), In::Only105),
    (1084, BOTH, Size::UpTo(320), In::All),
    (1108, BOTH, Size::Is(1), In::All),
    (1117, BOTH | REGISTER, Size::UpTo(64), In::All),
    (1125, BOTH, Size::Is(1), In::Only12),
    (1162, ITEM, Size::UpTo(32), In::Only105),
    (1163, ITEM, Size::UpTo(256), In::Only12),
    (1171, BOTH, Size::UpTo(19), In::Only105),
    (1173, CORRECTION, Size::Is(1), In::All),
    (1174, CORRECTION, Size::UpTo(292), In::All),
    (1187, BOTH | FN_CLOSE | REGISTER, Size::UpTo(256), In::All),
    (1191, ITEM, Size::UpTo(64), In::All),
    (1192, BOTH, Size::UpTo(16), In::All),
    (1197, ITEM, Size::UpTo(16), In::Only105),
    (1198, ITEM, Size::UpTo(6), In::All),
    (1203, BOTH | OPEN | CLOSE | FN_CLOSE | REGISTER, Size::Is(12), In::All),
    (1222, ITEM, Size::Is(1), In::All),
    (1223, ITEM, Size::UpTo(512), In::All),
    (1224, ITEM, Size::UpTo(512), In::All),
    (1226, ITEM, Size::Is(12), In::All),
    (1227, BOTH, Size::UpTo(256), In::All),
    (1228, BOTH, Size::Is(12), In::All),
    (1229, ITEM, Size::UpTo(6), In::All),
    (1230, ITEM, Size::Is(3), In::All),
    (1231, ITEM, Size::UpTo(32), In::All),
    (1234, BOTH, Size::UpTo(1024), In::Only12),
    (1256, BOTH, Size::UpTo(1024), In::Only12),
    (1260, ITEM, Size::UpTo(317), In::Only12),
    (1261, BOTH, Size::UpTo(317), In::Only12),
    (1270, BOTH, Size::UpTo(144), In::Only12),
    (1274, REGISTER, Size::UpTo(32), In::Only12),
    (1275, REGISTER, Size::UpTo(32), In::Only12),
    (1276, OPEN, Size::UpTo(32), In::Only12),
    (1277, OPEN, Size::UpTo(32), In::Only12),
    (1278, CLOSE, Size::UpTo(32), In::Only12),
    (1279, CLOSE, Size::UpTo(32), In::Only12),
    (1280, STATE, Size::UpTo(32), In::Only12),
    (1281, STATE, Size::UpTo(32), In::Only12),
    (1282, FN_CLOSE, Size::UpTo(32), In::Only12),
    (1283, FN_CLOSE, Size::UpTo(32), In::Only12),
    (1291, ITEM, Size::UpTo(52), In::Only12),
    (2108, ITEM, Size::Is(1), In::Only12),
];

/// (tag, size, format) inside a list.
type InnerTag = (u16, Size, In);

/// Tags that may stand several times (`fn-ffd-ofd` E.1, 37): phones of agents and suppliers, industry attributes of an
/// item. What repeats within lists is the business of the lists.
const REPEATABLE: [u16; 5] = [1073, 1074, 1075, 1171, 1260];

/// Inner tags of the lists whose content the register knows.
const INNER: &[(u16, &[InnerTag])] = &[
    (
        1084,
        &[(1085, Size::UpTo(64), In::All), (1086, Size::UpTo(256), In::All)],
    ),
    // 1177 stands in no table of tags; the command set names it for FFD 1.05 (`shtrih-m` 3.6).
    (
        1174,
        &[
            (1177, Size::UpTo(256), In::Only105),
            (1178, Size::Is(4), In::All),
            (1179, Size::UpTo(32), In::All),
        ],
    ),
    (
        1291,
        &[
            (1292, Size::UpTo(24), In::All),
            (1293, Size::UpTo(8), In::All),
            (1294, Size::UpTo(8), In::All),
        ],
    ),
];

/// Error 33: bad command parameters.
pub(super) const BAD: u8 = 0x33;

/// Checks the TLV of FF0C or FF4D against what stands there already.
///
/// The error is 33 for broken TLV, a wrong size, or a tag that the register makes itself; for a tag of another place
/// 0B, and 0C for a second one, from an FN that checks tags.
pub(super) fn check(tlv: &[u8], before: &[u8], place: Place, ffd: Ffd, fn_: Generation) -> Result<(), u8> {
    let tags = walk(tlv).filter(|tags| !tags.is_empty()).ok_or(BAD)?;
    let mut seen: Vec<u16> = walk(before).unwrap_or_default().iter().map(|(tag, _)| *tag).collect();
    let checks_tags = fn_ == Generation::Fn12;
    for (tag, value) in tags {
        let known = HOST_TAGS.iter().find(|(known, ..)| *known == tag).ok_or(BAD)?;
        if known.1 & place.bit() == 0 || !known.3.has(ffd) {
            return Err(if checks_tags { code::TAG_NOT_ALLOWED } else { BAD });
        }
        if !fits(known.2, value) || !inner_fits(tag, value, ffd) || !content_fits(tag, value) {
            return Err(BAD);
        }
        if seen.contains(&tag) && checks_tags && !REPEATABLE.contains(&tag) {
            return Err(code::TAG_TWICE);
        }
        seen.push(tag);
    }
    Ok(())
}

const fn fits(size: Size, value: &[u8]) -> bool {
    match size {
        Size::Is(length) => value.len() == length,
        Size::UpTo(length) => value.len() <= length,
    }
}

fn inner_fits(tag: u16, value: &[u8], ffd: Ffd) -> bool {
    let Some((_, known)) = INNER.iter().find(|(outer, _)| *outer == tag) else {
        return true;
    };
    walk(value).is_some_and(|inner| {
        inner.iter().all(|(tag, value)| {
            known
                .iter()
                .any(|(t, size, format)| t == tag && fits(*size, value) && format.has(ffd))
        })
    })
}

/// A cashier's INN is a person's: 12 digits. A 10-digit number padded with spaces got error 33 (captures).
fn content_fits(tag: u16, value: &[u8]) -> bool {
    tag != 1203 || value.iter().all(u8::is_ascii_digit)
}

/// A VAT rate as the format names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vat {
    /// Tag 1199.
    pub rate: u8,
    /// Percent; 0 for 0 % and for "without VAT".
    percent: u64,
    /// Tag of the receipt's total, or none for the rates that go into 1115.
    total: Option<u16>,
}

const fn vat(rate: u8, percent: u64, total: Option<u16>) -> Vat {
    Vat { rate, percent, total }
}

/// Values of 1199 with their percent and total (`fn-ffd-ofd` C.5).
const RATES: [Vat; 12] = [
    vat(1, 20, Some(1102)),
    vat(2, 10, Some(1103)),
    vat(3, 20, Some(1106)),
    vat(4, 10, Some(1107)),
    vat(5, 0, Some(1104)),
    vat(6, 0, Some(1105)),
    vat(7, 5, None),
    vat(8, 7, None),
    vat(9, 5, None),
    vat(10, 7, None),
    vat(11, 22, None),
    vat(12, 22, None),
];

impl Vat {
    /// Rate by its value of 1199.
    pub fn by_rate(rate: u8) -> Option<Self> {
        RATES.into_iter().find(|v| v.rate == rate)
    }

    /// Tax inside a sum, half a kopeck up; `None` for rates that have none.
    pub fn tax(self, sum: u64) -> Option<u64> {
        if self.percent == 0 {
            return None;
        }
        let (sum, percent) = (u128::from(sum), u128::from(self.percent));
        let base = 100 + percent;
        u64::try_from((sum * percent * 2 + base) / (base * 2)).ok()
    }

    /// Tag of the total; `None` for a rate that goes into 1115.
    pub const fn total(self) -> Option<u16> {
        self.total
    }
}

/// The rate behind the VAT byte of FF46.
pub(super) fn vat_of_byte(byte: u8, tables: &Tables, switches: &Switches) -> Option<Vat> {
    let rate = match byte {
        0x01 => main_rate(tables, switches)?,
        0x10 => main_rate(tables, switches)? + if main_is_22(tables) { 1 } else { 2 },
        0x02 => 2,
        0x04 => 5,
        0x08 => 6,
        0x20 => 4,
        0x81 => 7,
        0x82 => 8,
        0x84 => 9,
        0x88 if switches.vat_7_107 == Some(Vat7107::Byte88) => 10,
        0x90 if switches.vat_22 == Some(Vat22::Nano) => 11,
        0x90 if switches.vat_7_107 == Some(Vat7107::Byte90) => 10,
        0xA0 if switches.vat_22 == Some(Vat22::Nano) => 12,
        0xCB if switches.vat_22 == Some(Vat22::Rows11And12) => 11,
        0xCC if switches.vat_22 == Some(Vat22::Rows11And12) => 12,
        _ => return None,
    };
    Vat::by_rate(rate)
}

/// The rate behind a tax group of commands 80 to 83: a row of table 6, 0 for none.
pub(super) fn vat_of_row(row: u8, tables: &Tables, switches: &Switches) -> Option<Vat> {
    let byte = match row {
        0 | 4 => 0x08,
        1 => 0x01,
        2 => 0x02,
        3 => 0x04,
        5 => 0x10,
        6 => 0x20,
        _ => return None,
    };
    vat_of_byte(byte, tables, switches)
}

fn main_is_22(tables: &Tables) -> bool {
    tables.number(cell(6, 1, 1)) == 2200
}

/// The main rate is what row 1 of table 6 holds.
fn main_rate(tables: &Tables, switches: &Switches) -> Option<u8> {
    match tables.number(cell(6, 1, 1)) {
        2000 => Some(1),
        2200 if switches.vat_22 == Some(Vat22::MainRow) => Some(11),
        _ => None,
    }
}
