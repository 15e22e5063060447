//! VAT rates: the codes of tag 1199 with their fractions and dates of force.
//!
//! Owns: how much VAT stands inside an amount at a rate.
//! Must never: decide which rate a receipt should carry.

use super::Entry;
use time::macros::date;

/// Whether 20 % and 20/120 are accepted after 2025 on new sales as "transitional cases". The law text behind it was
/// not read (`fn-ffd-ofd` C.5, marked unverified), so it is off; returns and corrections do not need it.
pub const TRANSITIONAL_20_PERCENT: bool = false;

/// The highest value of tag 1199 that a rate has.
pub const HIGHEST_RATE: usize = 12;

/// How a rate turns an amount into VAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateForm {
    /// Percent added to the price; inside the amount it is r/(100+r).
    Plain {
        /// The percent.
        percent: u32,
    },
    /// The calculated form r/(100+r), for money taken before delivery.
    Calculated {
        /// The percent r of the fraction.
        percent: u32,
    },
    /// 0 %: totals hold the turnover.
    Zero,
    /// Without VAT: totals hold the turnover.
    Exempt,
}

/// A rate of tag 1199.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The value of tag 1199.
    pub code: u32,
    /// Its form.
    pub form: RateForm,
    /// The code of the other form of the same percent; itself for rates that have one form.
    pub counterpart: u32,
    /// The tag of the receipt's total at this rate: 1102 to 1107, or 1119 inside 1115.
    pub total_tag: u16,
}

/// The rates of `fn-ffd-ofd` C.5. Cloud APIs number rates otherwise: map by name, never by number.
const RATES: [Rate; HIGHEST_RATE] = [
    plain(1, 20, 3, 1102),
    plain(2, 10, 4, 1103),
    calculated(3, 20, 1, 1106),
    calculated(4, 10, 2, 1107),
    Rate {
        code: 5,
        form: RateForm::Zero,
        counterpart: 5,
        total_tag: 1104,
    },
    Rate {
        code: 6,
        form: RateForm::Exempt,
        counterpart: 6,
        total_tag: 1105,
    },
    plain(7, 5, 9, 1119),
    plain(8, 7, 10, 1119),
    calculated(9, 5, 7, 1119),
    calculated(10, 7, 8, 1119),
    plain(11, 22, 12, 1119),
    calculated(12, 22, 11, 1119),
];

const fn plain(code: u32, percent: u32, counterpart: u32, total_tag: u16) -> Rate {
    Rate {
        code,
        form: RateForm::Plain { percent },
        counterpart,
        total_tag,
    }
}

const fn calculated(code: u32, percent: u32, counterpart: u32, total_tag: u16) -> Rate {
    Rate {
        code,
        form: RateForm::Calculated { percent },
        counterpart,
        total_tag,
    }
}

/// The rate of a value of tag 1199, whatever the day.
#[must_use]
pub fn rate(code: u32) -> Option<&'static Rate> {
    RATES.iter().find(|rate| rate.code == code)
}

impl Rate {
    /// The VAT inside a gross amount in kopecks, rounded half up: `G·r/(100+r)` for both forms (`fn-ffd-ofd` C.5);
    /// zero for 0 % and for "without VAT".
    #[must_use]
    pub fn vat_inside(&self, gross_kopecks: u64) -> u64 {
        let (RateForm::Plain { percent } | RateForm::Calculated { percent }) = self.form else {
            return 0;
        };
        let (percent, gross) = (u128::from(percent), u128::from(gross_kopecks));
        let vat = (gross * percent * 2 + 100 + percent) / ((100 + percent) * 2);
        u64::try_from(vat).unwrap_or(u64::MAX)
    }

    /// Whether the receipt's total at this rate holds the turnover and not the tax (tags 1104 and 1105).
    #[must_use]
    pub const fn totals_turnover(&self) -> bool {
        matches!(self.form, RateForm::Zero | RateForm::Exempt)
    }
}

const FFD: &str = "FFD, tag 1199; public code tables";
const Y2025: &str = "public code tables and driver lists; 5 % and 7 % for the simplified system since 2025";
const Y2026: &str = "order ED-7-20/1050@ of 08.12.2025 (in force 05.01.2026) on the 22 % rate of 2026";
const OLD_20: &str = "after 2025-12-31 only in returns (1054 = 2 or 4) and corrections of earlier sales";

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

const fn until_2025(mut entry: Entry) -> Entry {
    entry.until = Some(date!(2025 - 12 - 31));
    entry.note = OLD_20;
    entry
}

const fn since_2025(mut entry: Entry) -> Entry {
    entry.from = Some(date!(2025 - 01 - 01));
    entry
}

const fn since_2026(mut entry: Entry) -> Entry {
    entry.from = Some(date!(2026 - 01 - 01));
    entry
}

pub(super) const RATE_ENTRIES: [Entry; HIGHEST_RATE] = [
    until_2025(entry(1, "20 %", "НДС 20 %", FFD)),
    entry(2, "10 %", "НДС 10 %", FFD),
    until_2025(entry(3, "20/120", "НДС расч. 20/120", FFD)),
    entry(4, "10/110", "НДС расч. 10/110", FFD),
    entry(5, "0 %", "НДС 0 %", FFD),
    entry(6, "without VAT", "НДС не облагается", FFD),
    since_2025(entry(7, "5 %", "НДС 5 %", Y2025)),
    since_2025(entry(8, "7 %", "НДС 7 %", Y2025)),
    since_2025(entry(9, "5/105", "НДС расч. 5/105", Y2025)),
    since_2025(entry(10, "7/107", "НДС расч. 7/107", Y2025)),
    since_2026(entry(11, "22 %", "НДС 22 %", Y2026)),
    since_2026(entry(12, "22/122", "НДС расч. 22/122", Y2026)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vat_inside_an_amount_is_rounded_half_up() {
        // 122.00 at 22 % holds 22.00; a real receipt of 2020: 5091.00 at 20 % held 848.50.
        assert_eq!(rate(11).unwrap().vat_inside(12_200), 2_200);
        assert_eq!(rate(12).unwrap().vat_inside(12_200), 2_200);
        assert_eq!(rate(1).unwrap().vat_inside(509_100), 84_850);
        assert_eq!(rate(1).unwrap().vat_inside(3), 1, "0.5 kopeck goes up");
        assert_eq!(rate(6).unwrap().vat_inside(509_100), 0);
        assert!(rate(11).unwrap().vat_inside(u64::MAX) < u64::MAX);
    }

    #[test]
    fn plain_and_calculated_forms_point_at_each_other_with_the_same_percent() {
        for one in &RATES {
            let other = rate(one.counterpart).unwrap();
            assert_eq!(other.counterpart, one.code);
            assert_eq!(one.vat_inside(1_000_000), other.vat_inside(1_000_000));
        }
    }
}
