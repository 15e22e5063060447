//! Instants, durations and days between contract and domain.
//!
//! Owns: the ranges that an instant or a duration of a request may have.
//! Must never: read a clock.

use super::findings::{At, Findings, quote};
use kassette_core::parts::UnixMillis;
use kassette_wire::value::LocalTime;
use prost_types::{Duration, Timestamp};

/// 9999-12-31T23:59:59Z, the last second a `Timestamp` may name (its own definition).
const TIMESTAMP_MAX_S: i64 = 253_402_300_799;
/// 0001-01-01T00:00:00Z, the first one.
const TIMESTAMP_MIN_S: i64 = -62_135_596_800;
const NANOS_PER_MILLI: i32 = 1_000_000;

/// An instant as the contract writes it.
#[must_use]
pub fn timestamp(at: UnixMillis) -> Timestamp {
    let millis = at.0.rem_euclid(1000);
    Timestamp {
        seconds: at.seconds(),
        nanos: i32::try_from(millis).unwrap_or(0) * NANOS_PER_MILLI,
    }
}

/// The instant of a document's local time in its zone.
#[must_use]
pub fn document_timestamp(local: LocalTime, zone_minutes: i16) -> Timestamp {
    Timestamp {
        seconds: local.to_unix_in_zone(zone_minutes),
        nanos: 0,
    }
}

/// An instant of a request, to the millisecond; what is outside the calendar is a finding.
pub fn instant(findings: &mut Findings, at: &At<'_>, given: Option<&Timestamp>) -> Option<UnixMillis> {
    let given = given?;
    let nanos_fit = (0..1_000_000_000).contains(&given.nanos);
    if !(TIMESTAMP_MIN_S..=TIMESTAMP_MAX_S).contains(&given.seconds) || !nanos_fit {
        findings.form(
            at,
            None,
            "is not an instant between years 1 and 9999",
            "не является моментом времени",
        );
        return None;
    }
    Some(UnixMillis(
        given.seconds * 1000 + i64::from(given.nanos / NANOS_PER_MILLI),
    ))
}

/// A duration of a request in milliseconds; negative or malformed ones are `None`.
#[must_use]
pub fn duration_millis(given: &Duration) -> Option<u64> {
    if !(0..1_000_000_000).contains(&given.nanos) {
        return None;
    }
    let seconds = u64::try_from(given.seconds).ok()?;
    let millis = u64::try_from(given.nanos / NANOS_PER_MILLI).ok()?;
    seconds.checked_mul(1000)?.checked_add(millis)
}

/// A duration as the contract writes it.
#[must_use]
pub fn duration(millis: u64) -> Duration {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    Duration {
        seconds,
        nanos: i32::try_from(millis % 1000).unwrap_or(0) * NANOS_PER_MILLI,
    }
}

/// The midnight of a day written `YYYY-MM-DD`.
pub fn day(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<&str>) -> Option<LocalTime> {
    let given = given?;
    let read = (given.len() == 10)
        .then(|| format!("{given}T00:00:00").parse().ok())
        .flatten();
    if read.is_none() {
        findings.form(
            at,
            Some(tag),
            format!("{} is not a day YYYY-MM-DD", quote(given)),
            "не дата вида ГГГГ-ММ-ДД",
        );
    }
    read
}

/// A day as the tax service's text tags write it, `DD.MM.YYYY` (`fn-ffd-ofd` C.1), from `YYYY-MM-DD`.
pub fn dotted_day(findings: &mut Findings, at: &At<'_>, tag: u32, given: Option<&str>) -> Option<String> {
    let day = day(findings, at, tag, given)?;
    let text = day.to_string();
    Some(format!("{}.{}.{}", &text[8..10], &text[5..7], &text[..4]))
}

/// `YYYY-MM-DD` of a dotted day; a text of another form is shown as it is.
#[must_use]
pub fn dashed_day(dotted: &str) -> String {
    let parts: Vec<&str> = dotted.split('.').collect();
    match parts.as_slice() {
        [day, month, year] => format!("{year}-{month}-{day}"),
        _ => dotted.to_owned(),
    }
}

/// `YYYY-MM-DD` of a local time.
#[must_use]
pub fn day_text(time: LocalTime) -> String {
    time.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At<'static> = At::top("time");

    #[test]
    fn an_instant_keeps_its_milliseconds_before_and_after_1970() {
        for millis in [0, 1, 999, 1_795_348_800_123, -1, -1001] {
            let mut findings = Findings::default();
            let read = instant(&mut findings, &AT, Some(&timestamp(UnixMillis(millis))));
            assert_eq!(read, Some(UnixMillis(millis)));
        }
    }

    #[test]
    fn instants_and_durations_outside_their_definition_are_refused() {
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, 1_000_000_000), (0, i32::MIN)] {
            let mut findings = Findings::default();
            assert_eq!(instant(&mut findings, &AT, Some(&Timestamp { seconds, nanos })), None);
            assert!(!findings.is_empty());
        }
        for (seconds, nanos) in [(-1, 0), (i64::MAX, 0), (0, -1), (0, i32::MAX)] {
            assert_eq!(duration_millis(&Duration { seconds, nanos }), None, "{seconds} {nanos}");
        }
        assert_eq!(
            duration_millis(&Duration {
                seconds: 60,
                nanos: 500_000_000
            }),
            Some(60_500)
        );
    }

    #[test]
    fn days_are_read_strictly_and_written_back() {
        let mut findings = Findings::default();
        assert_eq!(
            dotted_day(&mut findings, &AT, 1263, Some("2026-11-22")).as_deref(),
            Some("22.11.2026")
        );
        assert_eq!(dashed_day("22.11.2026"), "2026-11-22");
        for bad in [
            "",
            "2026-02-30",
            "22.11.2026",
            "2026-11-2",
            "2026-11-22T00:00:00",
            "+026-11-22",
            "２０２６-11-22",
        ] {
            let mut findings = Findings::default();
            assert_eq!(day(&mut findings, &AT, 1178, Some(bad)), None, "{bad}");
            assert!(!findings.is_empty(), "{bad}");
        }
    }
}
