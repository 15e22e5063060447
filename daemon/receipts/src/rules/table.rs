//! The table of rules.
//!
//! Owns: id, title, dates of force, tags and suggestion of each rule, and where it is answered.
//! Must never: hold the check itself (see `formats`, `header`, `items`, `money`, `texts`, `size`).

use super::context::RuleContext;
use super::findings::Findings;
use super::{formats, header, items, money, size, texts};
use crate::model::Receipt;
use time::Date;

/// Where a rule is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// From the receipt and the day alone.
    Receipt,
    /// From the receipt and the registration. Without registration facts the part that needs them is reported as
    /// unanswered and is answered again at dispatch, when a unit with its registration is there: a unit takes a job
    /// only if these rules hold on its registration.
    Registration,
    /// Not from a receipt at all; the text says by whom.
    Elsewhere(&'static str),
}

pub(super) type Check = fn(&Receipt, &RuleContext, &mut Findings);

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `R` and the number in `fn-ffd-ofd` E.1, or `C` and the section of part C that the rule comes from.
    pub id: &'static str,
    /// English title.
    pub title_en: &'static str,
    /// Russian title.
    pub title_ru: &'static str,
    /// First civil day of force; `None`: as long as the formats of part C. Codes have dates of their own in `law`.
    pub from: Option<Date>,
    /// Last civil day of force; `None`: no end is known.
    pub until: Option<Date>,
    /// Tags the rule speaks about; empty when it speaks about all.
    pub tags: &'static [u16],
    /// Where it is answered.
    pub place: Where,
    /// What to do about a violation.
    pub suggestion: &'static str,
    pub(super) check: Option<Check>,
}

impl Rule {
    /// Whether the rule holds on a day.
    #[must_use]
    pub fn in_force(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// The rule of an id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

const fn row(
    id: &'static str,
    (title_en, title_ru): (&'static str, &'static str),
    tags: &'static [u16],
    place: Where,
    suggestion: &'static str,
    check: Option<Check>,
) -> Rule {
    Rule {
        id,
        title_en,
        title_ru,
        from: None,
        until: None,
        tags,
        place,
        suggestion,
        check,
    }
}

/// Every rule, in the order in which violations are listed.
pub static RULES: [Rule; 24] = [
    row(
        "R6",
        ("one key, one content", "один ключ, одно содержание"),
        &[],
        Where::Elsewhere("at submission, by the key index of the journal: the same key with other content is refused"),
        "use a new key for a new receipt",
        None,
    ),
    row(
        "R7",
        (
            "the taxpayer is the one of the registration",
            "ИНН пользователя равен ИНН регистрации",
        ),
        &[1018],
        Where::Registration,
        "submit the receipt under the tenant whose registers these are",
        Some(header::tenant_inn),
    ),
    row(
        "R8",
        (
            "settlement sign 1 to 4, allowed by the format",
            "признак расчета 1–4, допустимый в формате",
        ),
        &[1054],
        Where::Registration,
        "give 1 income, 2 income return, 3 outcome or 4 outcome return",
        Some(header::sign),
    ),
    row(
        "R9",
        (
            "one tax system, in force on the day and registered",
            "одна система налогообложения, действующая и указанная при регистрации",
        ),
        &[1055],
        Where::Registration,
        "give exactly one tax system that the registration has (ListCodes of 1055)",
        Some(header::tax_system),
    ),
    row(
        "R10",
        (
            "at least one item, not too many",
            "не менее одного предмета расчета и не больше предела",
        ),
        &[1059],
        Where::Registration,
        "give the items; split a long receipt",
        Some(header::item_count),
    ),
    row(
        "R11",
        ("an item has a name", "у предмета расчета есть наименование"),
        &[1030],
        Where::Receipt,
        "give a name of 1 to 128 characters without control characters",
        Some(items::name),
    ),
    row(
        "R12",
        ("texts exist in CP866", "тексты записываются в CP866"),
        &[],
        Where::Receipt,
        "replace or drop the character",
        Some(texts::encodable),
    ),
    row(
        "R13",
        (
            "amount is price times quantity within a kopeck",
            "стоимость равна цене на количество с точностью до копейки",
        ),
        &[1079, 1043],
        Where::Receipt,
        "give price and amount with discounts; round half up",
        Some(items::amount),
    ),
    row(
        "R14",
        ("quantity above zero", "количество больше нуля"),
        &[1023],
        Where::Receipt,
        "give a quantity of at least 0.000001",
        Some(items::quantity),
    ),
    row(
        "R15",
        (
            "the total is the sum of the items",
            "итог равен сумме предметов расчета",
        ),
        &[1020],
        Where::Receipt,
        "make the total the sum of the item amounts",
        Some(money::total),
    ),
    row(
        "R16",
        ("the payments make the total", "оплаты в сумме дают итог"),
        &[1031, 1081, 1215, 1216, 1217],
        Where::Receipt,
        "make the five payments add up to the total, change already taken from the cash",
        Some(money::payments),
    ),
    row(
        "R17",
        (
            "no cash where there is no cash unit",
            "нет наличных там, где нет приема наличных",
        ),
        &[1031],
        Where::Registration,
        "a register in a datacenter takes no cash: use a register at the till",
        Some(money::cash),
    ),
    row(
        "R18",
        ("a VAT rate in force on the day", "ставка НДС, действующая на дату"),
        &[1199],
        Where::Receipt,
        "give a rate of ListCodes for this day; map by name, never by the number of another API",
        Some(items::vat_rate),
    ),
    row(
        "R20",
        (
            "the form of the rate fits the method",
            "вид ставки соответствует признаку способа расчета",
        ),
        &[1199, 1214],
        Where::Receipt,
        "prepayments and advances take the calculated form, deliveries the plain one",
        Some(items::rate_and_method),
    ),
    row(
        "R21",
        (
            "the subject fits the method",
            "признак предмета соответствует признаку способа",
        ),
        &[1212, 1214],
        Where::Receipt,
        "methods 3 and 7 take subject 10, methods 4, 5 and 6 take the subject of the item",
        Some(items::subject_and_method),
    ),
    row(
        "R28",
        ("a cashier's INN is a person's", "ИНН кассира — физического лица"),
        &[1203],
        Where::Receipt,
        "give the 12 digits of the cashier's own INN, or leave it out",
        Some(header::cashier_inn),
    ),
    row(
        "R36",
        ("the document fits the FN", "документ помещается в ФН"),
        &[1059],
        Where::Receipt,
        "shorten texts or split the receipt",
        Some(size::fits),
    ),
    row(
        "R37",
        ("no tag twice", "реквизиты не повторяются"),
        &[],
        Where::Receipt,
        "give the value once",
        Some(size::duplicates),
    ),
    row(
        "R38",
        ("texts have their length", "длины текстов соответствуют формату"),
        &[1084, 1085, 1086, 1191, 1192],
        Where::Receipt,
        "shorten the text; leave an empty field out",
        Some(texts::lengths),
    ),
    row(
        "C4",
        (
            "the fields have a place in the registration's format",
            "реквизиты есть в формате регистрации",
        ),
        &[
            1057, 1162, 1163, 1197, 1234, 1243, 1244, 1245, 1246, 1254, 1260, 1261, 1270, 2000,
        ],
        Where::Registration,
        "leave the field out, or use a register of the other format",
        Some(formats::places),
    ),
    row(
        "C4-1234",
        (
            "details of non-cash payments stand beside their sum",
            "сведения о безналичных оплатах есть только при безналичной сумме",
        ),
        &[1234],
        Where::Receipt,
        "leave the details out, or give the non-cash sum",
        Some(formats::details_of_non_cash),
    ),
    row(
        "C5",
        ("codes are of the service's lists", "коды из перечней ФНС"),
        &[1057, 1173, 1212, 1214, 1222, 2108],
        Where::Registration,
        "give a code of ListCodes for this day",
        Some(items::codes),
    ),
    row(
        "C7-1200",
        (
            "given VAT of an item agrees with its rate",
            "указанная сумма НДС соответствует ставке",
        ),
        &[1198, 1200],
        Where::Receipt,
        "leave the VAT out: the register computes it",
        Some(items::given_vat),
    ),
    row(
        "C7-1102",
        (
            "given VAT totals agree with the items",
            "указанные итоги НДС соответствуют предметам расчета",
        ),
        &[1102, 1103, 1104, 1105, 1106, 1107, 1119],
        Where::Receipt,
        "leave the VAT totals out: the register computes them",
        Some(money::vat_totals),
    ),
];
