//! The lists that are plain names of codes.
//!
//! Owns: codes, names, dates and sources of tags 1054, 1055, 1173, 1212, 1214, 1222 and 2108.
//! Must never: hold a rate (see `rates`) or a rule between two tags (see `rules`).

use super::Entry;
use time::macros::date;

const FFD: &str = "FFD, as listed in the public format tables";
const FFD_12: &str = "FFD 1.2 tables of 2023 and driver constants";
const ENVD: &str = "FFD; the unified tax on imputed income ended with 2020";
/// What [`Entry::note`] of a subject says when only FFD 1.2 has it.
pub(super) const ONLY_12: &str = "only in FFD 1.2";

const fn entry(code: u32, en: &'static str, ru: &'static str, source: &'static str) -> Entry {
    Entry {
        code,
        en,
        ru,
        from: None,
        until: None,
        note: "",
        source,
    }
}

const fn until_2020(mut entry: Entry) -> Entry {
    entry.until = Some(date!(2020 - 12 - 31));
    entry
}

const fn only_12(mut entry: Entry) -> Entry {
    entry.note = ONLY_12;
    entry
}

pub(super) const SIGNS: [Entry; 4] = [
    entry(1, "income", "приход", FFD),
    entry(2, "income return", "возврат прихода", FFD),
    entry(3, "outcome", "расход", FFD),
    entry(4, "outcome return", "возврат расхода", FFD),
];

pub(super) const TAX_SYSTEMS: [Entry; 6] = [
    entry(1, "general", "ОСН", FFD),
    entry(2, "simplified, income", "УСН доход", FFD),
    entry(4, "simplified, income less expenses", "УСН доход минус расход", FFD),
    until_2020(entry(8, "unified tax on imputed income", "ЕНВД", ENVD)),
    entry(16, "agricultural", "ЕСХН", FFD),
    entry(32, "patent", "патент", FFD),
];

pub(super) const CORRECTION_TYPES: [Entry; 2] = [
    entry(0, "on own initiative", "самостоятельно", FFD),
    entry(1, "by order of the tax service", "по предписанию", FFD),
];

pub(super) const SUBJECTS: [Entry; 31] = [
    entry(1, "goods", "товар", FFD),
    entry(2, "excise goods", "подакцизный товар", FFD),
    entry(3, "work", "работа", FFD),
    entry(4, "service", "услуга", FFD),
    entry(5, "gambling stake", "ставка азартной игры", FFD),
    entry(6, "gambling winnings", "выигрыш азартной игры", FFD),
    entry(7, "lottery ticket", "лотерейный билет", FFD),
    entry(8, "lottery winnings", "выигрыш лотереи", FFD),
    entry(9, "intellectual property rights", "предоставление РИД", FFD),
    entry(10, "payment: advance, deposit, prepayment, credit", "платеж", FFD),
    entry(11, "agent's fee", "агентское вознаграждение", FFD),
    entry(12, "payout, penalty or bonus", "выплата", FFD),
    entry(13, "other", "иной предмет расчета", FFD),
    entry(14, "property right", "имущественное право", FFD),
    entry(15, "non-operating income", "внереализационный доход", FFD),
    entry(
        16,
        "insurance contributions or expense reducing the tax",
        "иные платежи и взносы",
        FFD,
    ),
    entry(17, "trade fee", "торговый сбор", FFD),
    entry(18, "resort (tourist) fee", "курортный (туристический) сбор", FFD),
    entry(19, "pledge", "залог", FFD),
    entry(20, "expense", "расход", FFD_12),
    entry(21, "pension contributions, self", "взносы на ОПС ИП", FFD_12),
    entry(22, "pension contributions, hired", "взносы на ОПС", FFD_12),
    entry(23, "medical contributions, self", "взносы на ОМС ИП", FFD_12),
    entry(24, "medical contributions, hired", "взносы на ОМС", FFD_12),
    entry(25, "social contributions", "взносы на ОСС", FFD_12),
    entry(26, "casino payment", "платеж казино", FFD_12),
    entry(27, "cash payout by a bank agent", "выдача денежных средств", FFD_12),
    only_12(entry(
        30,
        "excise goods to be marked, no code",
        "АТНМ: подакцизный товар без кода маркировки",
        FFD_12,
    )),
    only_12(entry(
        31,
        "excise goods with code",
        "АТМ: подакцизный товар с кодом маркировки",
        FFD_12,
    )),
    only_12(entry(
        32,
        "marked goods, no code",
        "ТНМ: товар без кода маркировки",
        FFD_12,
    )),
    only_12(entry(
        33,
        "marked goods with code",
        "ТМ: товар с кодом маркировки",
        FFD_12,
    )),
];

pub(super) const METHODS: [Entry; 7] = [
    entry(1, "prepayment 100 %", "предоплата 100 %", FFD),
    entry(2, "partial prepayment", "предоплата", FFD),
    entry(3, "advance", "аванс", FFD),
    entry(4, "full settlement", "полный расчет", FFD),
    entry(5, "partial settlement and credit", "частичный расчет и кредит", FFD),
    entry(6, "transfer on credit", "передача в кредит", FFD),
    entry(7, "credit payment", "оплата кредита", FFD),
];

pub(super) const AGENTS: [Entry; 7] = [
    entry(1, "bank payment agent", "банковский платежный агент", FFD),
    entry(2, "bank payment subagent", "банковский платежный субагент", FFD),
    entry(4, "payment agent", "платежный агент", FFD),
    entry(8, "payment subagent", "платежный субагент", FFD),
    entry(16, "attorney", "поверенный", FFD),
    entry(32, "commissioner", "комиссионер", FFD),
    entry(64, "other agent", "иной агент", FFD),
];

pub(super) const MEASURES: [Entry; 24] = [
    entry(0, "piece", "шт. или ед.", FFD_12),
    entry(10, "gram", "г", FFD_12),
    entry(11, "kilogram", "кг", FFD_12),
    entry(12, "tonne", "т", FFD_12),
    entry(20, "centimetre", "см", FFD_12),
    entry(21, "decimetre", "дм", FFD_12),
    entry(22, "metre", "м", FFD_12),
    entry(30, "square centimetre", "кв. см", FFD_12),
    entry(31, "square decimetre", "кв. дм", FFD_12),
    entry(32, "square metre", "кв. м", FFD_12),
    entry(40, "millilitre", "мл", FFD_12),
    entry(41, "litre", "л", FFD_12),
    entry(42, "cubic metre", "куб. м", FFD_12),
    entry(50, "kilowatt hour", "кВт∙ч", FFD_12),
    entry(51, "gigacalorie", "Гкал", FFD_12),
    entry(70, "day", "сутки (день)", FFD_12),
    entry(71, "hour", "час", FFD_12),
    entry(72, "minute", "мин", FFD_12),
    entry(73, "second", "с", FFD_12),
    entry(80, "kilobyte", "Кбайт", FFD_12),
    entry(81, "megabyte", "Мбайт", FFD_12),
    entry(82, "gigabyte", "Гбайт", FFD_12),
    entry(83, "terabyte", "Тбайт", FFD_12),
    entry(255, "other", "иная мера", FFD_12),
];
