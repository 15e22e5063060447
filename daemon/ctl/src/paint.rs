//! Values and tables as people read them.
//!
//! Owns: how times, sums, states and reasons look.
//! Must never: shorten a code, a number of an FN, or a name.

use comfy_table::{ContentArrangement, Table, presets};
use kassette_api::v1;
use prost_types::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Shown where there is nothing.
pub const NONE: &str = "-";

/// A table without frames: one line a row, cells aligned, so that it can be searched and cut.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    table
}

/// A table ready to print, without blanks at line ends.
pub fn lines(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Kopecks as roubles.
pub fn money(kopecks: i64) -> String {
    let sign = if kopecks < 0 { "-" } else { "" };
    let kopecks = kopecks.unsigned_abs();
    format!("{sign}{}.{:02}", kopecks / 100, kopecks % 100)
}

/// An instant, UTC, to the second.
pub fn instant(at: Option<&Timestamp>) -> String {
    at.map_or_else(|| NONE.to_owned(), |at| Timestamp { nanos: 0, ..*at }.to_string())
}

/// A document's local time with its offset.
pub fn local(at: Option<&Timestamp>, offset_minutes: i32) -> String {
    let Some(at) = at else { return NONE.to_owned() };
    let moved = Timestamp {
        seconds: at.seconds.saturating_add(i64::from(offset_minutes) * 60),
        nanos: 0,
    };
    let (sign, minutes) = (
        if offset_minutes < 0 { '-' } else { '+' },
        offset_minutes.unsigned_abs(),
    );
    let text = moved.to_string();
    format!(
        "{}{sign}{:02}:{:02}",
        text.trim_end_matches('Z'),
        minutes / 60,
        minutes % 60
    )
}

/// How long ago, in the largest unit that says enough.
pub fn ago(at: Option<&Timestamp>) -> String {
    let Some(at) = at else { return NONE.to_owned() };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    span(i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(at.seconds).max(0))
}

/// A span of seconds in the largest unit that says enough.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The last part of a resource name: what a person calls the thing.
pub fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The last part of a name that may be absent.
pub fn short_or_none(name: Option<&String>) -> &str {
    name.map_or(NONE, |name| short(name))
}

/// The name of an enum's value without its prefix.
pub fn word<'a>(value: &'a str, prefix: &str) -> &'a str {
    value.strip_prefix(prefix).unwrap_or(value)
}

/// A job's state.
pub fn job_state(job: &v1::ReceiptJob) -> &'static str {
    word(job.state().as_str_name(), "JOB_STATE_")
}

/// A reason: code and what happened.
pub fn reason(why: &v1::Reason) -> String {
    format!("{}: {}", why.code, why.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documents_time_is_shown_as_on_the_receipt() {
        let at = Timestamp {
            seconds: 1_795_348_800,
            nanos: 5,
        };
        assert_eq!(local(Some(&at), 180), "2026-11-22T15:00:00+03:00");
        assert_eq!(local(Some(&at), -570), "2026-11-22T02:30:00-09:30");
        assert_eq!(instant(Some(&at)), "2026-11-22T12:00:00Z");
        assert_eq!(instant(None), NONE);
    }

    #[test]
    fn sums_are_roubles_and_kopecks() {
        assert_eq!(
            (money(12_205), money(5), money(-150)),
            ("122.05".into(), "0.05".into(), "-1.50".into())
        );
    }

    #[test]
    fn a_span_is_told_in_one_unit() {
        let told = [0, 119, 120, 7_199, 7_200, 172_800].map(span);
        assert_eq!(told, ["0 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
    }
}
