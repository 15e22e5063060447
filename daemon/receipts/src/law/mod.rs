//! The lists and rates that the tax service owns, each with the dates between which it holds.
//!
//! Owns: what a code of tags 1054, 1055, 1173, 1199, 1212, 1214, 1222 and 2108 means, and when it may be used.
//! Must never: know today's date, a receipt or a registration; a caller names the day it asks about.

mod catalogues;
mod rates;

use time::Date;

pub use rates::{HIGHEST_RATE, Rate, RateForm, TRANSITIONAL_20_PERCENT, rate};

/// One code of a list of the tax service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The value the tag carries.
    pub code: u32,
    /// English name.
    pub en: &'static str,
    /// Russian name, as the formats of fiscal documents write it.
    pub ru: &'static str,
    /// First civil day (of the document) on which the code may be used; `None`: since before FFD 1.05.
    pub from: Option<Date>,
    /// Last civil day; `None`: no end is known.
    pub until: Option<Date>,
    /// What remains allowed outside these days, or what else narrows the use; empty when nothing does.
    pub note: &'static str,
    /// Where the entry comes from.
    pub source: &'static str,
}

impl Entry {
    /// Whether the code may be used on this day, exceptions of `note` left aside.
    #[must_use]
    pub fn in_force(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// A list of the tax service, named by the tag that carries its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Catalogue {
    /// Settlement sign, tag 1054.
    Sign,
    /// Tax system, tag 1055 (codes are bits of tag 1062).
    TaxSystem,
    /// Correction type, tag 1173.
    CorrectionType,
    /// VAT rate of an item, tag 1199.
    VatRate,
    /// Subject of settlement, tag 1212.
    Subject,
    /// Method of settlement, tag 1214.
    Method,
    /// Agent sign, tags 1222 and 1057 (codes are bits).
    Agent,
    /// Measure of the quantity, tag 2108.
    Measure,
}

impl Catalogue {
    /// Every list, in the order of the tags.
    pub const ALL: [Self; 8] = [
        Self::Sign,
        Self::TaxSystem,
        Self::CorrectionType,
        Self::VatRate,
        Self::Subject,
        Self::Method,
        Self::Agent,
        Self::Measure,
    ];

    /// The tag whose values the list gives.
    #[must_use]
    pub const fn tag(self) -> u16 {
        match self {
            Self::Sign => 1054,
            Self::TaxSystem => 1055,
            Self::CorrectionType => 1173,
            Self::VatRate => 1199,
            Self::Subject => 1212,
            Self::Method => 1214,
            Self::Agent => 1222,
            Self::Measure => 2108,
        }
    }

    /// The list of a tag; `None` when the tax service gives no list for it or we do not hold it.
    #[must_use]
    pub fn of_tag(tag: u32) -> Option<Self> {
        if tag == 1057 {
            return Some(Self::Agent);
        }
        Self::ALL.into_iter().find(|list| u32::from(list.tag()) == tag)
    }

    /// English name of the list.
    #[must_use]
    pub const fn en(self) -> &'static str {
        match self {
            Self::Sign => "settlement sign",
            Self::TaxSystem => "tax system",
            Self::CorrectionType => "correction type",
            Self::VatRate => "VAT rate",
            Self::Subject => "subject of settlement",
            Self::Method => "method of settlement",
            Self::Agent => "agent sign",
            Self::Measure => "measure of the quantity",
        }
    }

    /// Russian name of the list.
    #[must_use]
    pub const fn ru(self) -> &'static str {
        match self {
            Self::Sign => "признак расчета",
            Self::TaxSystem => "применяемая система налогообложения",
            Self::CorrectionType => "тип коррекции",
            Self::VatRate => "ставка НДС",
            Self::Subject => "признак предмета расчета",
            Self::Method => "признак способа расчета",
            Self::Agent => "признак агента",
            Self::Measure => "мера количества предмета расчета",
        }
    }

    /// All codes that were, are or will be valid, ascending.
    #[must_use]
    pub const fn entries(self) -> &'static [Entry] {
        match self {
            Self::Sign => &catalogues::SIGNS,
            Self::TaxSystem => &catalogues::TAX_SYSTEMS,
            Self::CorrectionType => &catalogues::CORRECTION_TYPES,
            Self::VatRate => &rates::RATE_ENTRIES,
            Self::Subject => &catalogues::SUBJECTS,
            Self::Method => &catalogues::METHODS,
            Self::Agent => &catalogues::AGENTS,
            Self::Measure => &catalogues::MEASURES,
        }
    }

    /// The entry of a code on any day.
    #[must_use]
    pub fn entry(self, code: u32) -> Option<&'static Entry> {
        self.entries().iter().find(|entry| entry.code == code)
    }

    /// The codes in force on a day.
    pub fn on(self, day: Date) -> impl Iterator<Item = &'static Entry> {
        self.entries().iter().filter(move |entry| entry.in_force(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn every_list_is_ascending_named_in_two_languages_and_sourced() {
        for list in Catalogue::ALL {
            let entries = list.entries();
            assert!(entries.windows(2).all(|pair| pair[0].code < pair[1].code), "{list:?}");
            for entry in entries {
                assert!(
                    !entry.en.is_empty() && !entry.source.is_empty(),
                    "{list:?} {}",
                    entry.code
                );
                assert!(!entry.ru.is_ascii(), "{list:?} {}", entry.code);
                assert!(
                    entry.from <= entry.until || entry.until.is_none(),
                    "{list:?} {}",
                    entry.code
                );
            }
            assert_eq!(Catalogue::of_tag(u32::from(list.tag())), Some(list));
        }
    }

    #[test]
    fn the_rates_of_a_day_are_those_the_law_had_on_it() {
        let codes = |day| Catalogue::VatRate.on(day).map(|entry| entry.code).collect::<Vec<_>>();
        assert_eq!(codes(date!(2024 - 12 - 31)), [1, 2, 3, 4, 5, 6]);
        assert_eq!(codes(date!(2025 - 01 - 01)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(codes(date!(2025 - 12 - 31)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(codes(date!(2026 - 01 - 01)), [2, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn the_unified_tax_ended_with_2020() {
        let unified = Catalogue::TaxSystem.entry(8).unwrap();
        assert!(unified.in_force(date!(2020 - 12 - 31)));
        assert!(!unified.in_force(date!(2021 - 01 - 01)));
    }
}
