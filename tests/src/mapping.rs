//! The real receipts of 2020 (`tests/data/receipts.jsonl`) as requests of today.
//!
//! Owns: the file, the day for which its receipts are mapped, and the count of what becomes of them.
//! Must never: have a mapping of its own: it is `kassettectl receipt import --map 2020`'s.

use kassette_api::v1::Receipt;
use kassette_ctl::map_2020::{self, MapError};
use time::OffsetDateTime;

/// The 400 receipts, one JSON object a line.
pub const RECEIPTS_2020: &str = include_str!("../data/receipts.jsonl");

/// The request of today for a line of the file. It may break a rule: the daemon judges it.
///
/// # Errors
/// [`MapError`] when the line is not of the file's form.
pub fn receipt_of_2020(line: &str) -> Result<Receipt, MapError> {
    map_2020::receipt(line, OffsetDateTime::now_utc().date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_daemon::grpc::convert::receipt::{Scene, receipt};
    use kassette_receipts::capability::unsupported;
    use kassette_receipts::rules::{Ffd, RegistrationFacts, RuleContext, Violation, check};
    use kassette_wire::value::Inn;
    use std::collections::{BTreeMap, BTreeSet};
    use time::macros::date;

    /// A register of a datacenter: internet and automatic, no cash unit, every tax system that exists today.
    fn context(inn: Inn, ffd: Ffd) -> RuleContext {
        RuleContext {
            registration: Some(RegistrationFacts {
                inn,
                tax_systems: 1 | 2 | 4 | 16 | 32,
                ffd,
                internet: true,
                automatic: true,
                cash_unit: false,
            }),
            ..RuleContext::on(date!(2026 - 11 - 22))
        }
    }

    /// The broken rules of a line, and its first reason when it would be refused.
    fn judge(line: &str, ffd: Ffd) -> (Vec<Violation>, Option<String>) {
        let inn: Inn = "7704358518".parse().unwrap();
        let scene = Scene {
            tenant: &inn,
            zone_minutes: Some(180),
        };
        let request = map_2020::receipt(line, date!(2026 - 11 - 22)).unwrap();
        let read = receipt(Some(request), &scene).unwrap().receipt;
        let violations = check(&read, &context(inn.clone(), ffd));
        let rule = violations.first().map(|one| one.rule.to_owned());
        let reason = rule.or_else(|| Some(format!("not yet: {}", unsupported(&read).first()?.reason)));
        (violations, reason)
    }

    fn by_first_reason(ffd: Ffd) -> BTreeMap<String, i32> {
        let mut counts = BTreeMap::new();
        for line in RECEIPTS_2020.lines() {
            let reason = judge(line, ffd).1.unwrap_or_else(|| "accepted".into());
            *counts.entry(reason).or_insert(0) += 1;
        }
        println!("FFD {} by first reason: {counts:#?}", ffd.as_str());
        counts
    }

    #[test]
    fn each_of_the_400_receipts_is_accepted_or_refused_for_the_counted_reason() {
        let expected = [
            ("accepted", 158),
            ("R9", 106),
            ("R15", 1),
            ("R16", 2),
            ("R17", 93),
            ("R18", 5),
            ("R20", 1),
            ("R21", 34),
        ];
        let expected: BTreeMap<String, i32> = expected.map(|(reason, count)| (reason.to_owned(), count)).into();
        for ffd in [Ffd::V1_2, Ffd::V1_05] {
            let counts = by_first_reason(ffd);
            assert_eq!(counts, expected);
            assert_eq!(counts.values().sum::<i32>(), 400);
        }
    }

    #[test]
    fn every_rule_is_broken_by_the_counted_number_of_receipts() {
        let mut counts = BTreeMap::new();
        for line in RECEIPTS_2020.lines() {
            let rules: BTreeSet<_> = judge(line, Ffd::V1_2).0.iter().map(|one| one.rule).collect();
            for rule in rules {
                *counts.entry(rule).or_insert(0) += 1;
            }
        }
        println!("by every rule broken: {counts:#?}");
        let expected = [
            ("R9", 106),
            ("R11", 1),
            ("R15", 1),
            ("R16", 2),
            ("R17", 148),
            ("R18", 10),
            ("R20", 4),
            ("R21", 34),
            ("C7-1200", 3),
        ];
        assert_eq!(counts, expected.into());
    }
}
