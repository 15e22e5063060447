//! The measuring of B7 and B8 in small: that a filled journal is whole and a daemon works on it.
//!
//! Owns: a run of each with few jobs; the figures are taken by `cargo bench-rack` alone.
//! Must never: judge a figure of a debug build.

use kassette_tests::bench::{growth, start_up};

#[test]
fn a_daemon_starts_on_a_filled_journal_settles_what_was_left_and_makes_receipts() {
    let started = start_up::measure(1_000, 1).unwrap();
    assert_eq!(started.len(), 2);
    let grown = growth::measure(2_000, 1_000, 10).unwrap();
    assert_eq!(grown.len(), 2);
}
