//! What is read between jobs that never end.
//!
//! Owns: the tests of the bounds.
//! Must never: need a register.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_document_follows_each_receipt_from_32_unread_ones_and_four_beyond_a_hundred() {
    let mut audit = Audit::from(FdNumber(10));
    for (last, steps) in [(10, 0), (11, 0), (41, 0), (42, 1), (110, 1), (111, 4)] {
        assert_eq!(audit.pressing(FdNumber(last)), steps, "last {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_waits_for_eight_minutes_is_read_though_there_are_few_and_younger_ones_are_not() {
    let mut audit = Audit::from(FdNumber(10));
    assert_eq!(audit.pressing(FdNumber(11)), 0);
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(audit.pressing(FdNumber(12)), 0);
    tokio::time::advance(Duration::from_secs(180)).await;
    assert_eq!(audit.pressing(FdNumber(12)), 1, "document 11 is eight minutes old");
    audit.passed();
    assert_eq!(audit.pressing(FdNumber(12)), 0, "document 12 is three minutes old");
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(audit.pressing(FdNumber(12)), 1);
}
