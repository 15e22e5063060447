//! Damage: found at a start where it decides what is sent next, and by a verification wherever it is.
//!
//! Owns: C17, and the flipped bit that SQLite's own check does not see.
//! Must never: call a journal good that lost a row or a letter.

use crate::rig::NOW;
use crate::rig::{FN, OTHER_FN, Rig, in_doubt, lane_intent, made, receipt_intent, scan};
use kassette_core::journal::{ApplyPlan, Command, EndIntent, OpenError, verify};

/// Two jobs done, one in doubt, one that waits, a plan.
fn worked() -> Rig {
    let mut rig = Rig::new();
    rig.apply(Command::Apply(Box::new(ApplyPlan {
        plan: "# plan".into(),
        rack_id: None,
        expected: None,
        client: "admin".into(),
        reason: None,
        request_id: None,
        request: None,
        tenants: Default::default(),
        slots: vec![],
        fns: std::collections::BTreeMap::new(),
        at: NOW,
    })));
    rig.complete("order-1", FN, 10);
    let (id, job) = rig.accept("order-2");
    let intent = rig.begin(receipt_intent(id, &job, FN, 11));
    rig.apply(Command::End(Box::new(in_doubt(intent, 11)), None));
    let found = EndIntent {
        scan: Some(scan(FN, 11, 12)),
        ..made(intent, FN, 12)
    };
    rig.apply(Command::End(Box::new(found), None));
    let (id, job) = rig.accept("order-3");
    let intent = rig.begin(receipt_intent(id, &job, FN, 12));
    rig.apply(Command::End(Box::new(in_doubt(intent, 12)), None));
    rig.accept("order-4");
    rig.close();
    rig
}

fn found_at_start(rig: &mut Rig, change: &str) {
    rig.sql().execute_batch(change).unwrap();
    match rig.try_reopen() {
        Err(OpenError::Damaged { .. }) => {}
        other => panic!("not found at a start: {change}: {other:?}"),
    }
}

fn found_by_verify(rig: &Rig, change: &str) {
    rig.sql().execute_batch(change).unwrap();
    let report = verify(rig.path()).unwrap();
    assert!(!report.is_good(), "not found by a verification: {change}");
}

#[test]
fn a_journal_that_was_only_worked_with_is_good() {
    let mut rig = worked();
    let report = verify(rig.path()).unwrap();
    assert!(report.is_good(), "{report:?}");
    let rows = [
        ("FN", 1),
        ("archive", 0),
        ("attempt", 3),
        ("digest", 0),
        ("document", 2),
        ("document as read", 0),
        ("doubt", 2),
        ("finding", 0),
        ("foreign document", 0),
        ("gap", 0),
        ("generation", 1),
        ("job", 4),
        ("key", 0),
        ("order", 1),
        ("orphan", 0),
        ("reading", 0),
        ("resolution", 1),
        ("review", 0),
        ("sighting", 1),
        ("verdict", 0),
    ];
    assert_eq!(report.rows, rows.into());
    rig.reopen();
    rig.begin(lane_intent(OTHER_FN, 3));
    rig.close();
    assert!(verify(rig.path()).unwrap().is_good());
}

#[test]
fn a_changed_row_that_decides_what_is_sent_next_is_found_at_a_start() {
    let changes = [
        "UPDATE jobs SET body = replace(body, '12200', '12300') WHERE id = 4",
        "UPDATE jobs SET external_id = 'order-5' WHERE id = 4",
        "UPDATE jobs SET state = 'RUNNING' WHERE id = 4",
        "UPDATE jobs SET attempts = 1 WHERE id = 4",
        "UPDATE jobs SET state = 'ACCEPTED' WHERE id = 3",
        "PRAGMA ignore_check_constraints = 1; UPDATE jobs SET state = 'ACCEPTEE' WHERE id = 4",
        "PRAGMA ignore_check_constraints = 1; UPDATE intents SET state = 'in_doubu' WHERE id = 3",
        "UPDATE intents SET baseline = 13 WHERE id = 3",
        "UPDATE intents SET state = 'made' WHERE id = 3",
        "UPDATE intents SET job_key = NULL WHERE id = 3",
        "UPDATE fns SET last_fd = 11",
        "UPDATE fns SET chain = x'00'",
        "UPDATE orders SET plan = '# plam'",
        "UPDATE meta SET value = 'K8' WHERE name = 'rack_id'",
        "UPDATE meta SET value = '8' WHERE name = 'generation'",
        "DELETE FROM meta WHERE name = 'journal_id'",
        "PRAGMA foreign_keys = 0; DELETE FROM intents WHERE id = 3",
    ];
    for change in changes {
        found_at_start(&mut worked(), change);
    }
}

#[test]
fn a_changed_row_of_history_is_found_by_a_verification() {
    let changes = [
        "UPDATE jobs SET body = replace(body, '12200', '12300') WHERE id = 1",
        "UPDATE jobs SET state = 'REFUSED' WHERE id = 1",
        "UPDATE intents SET baseline = 9 WHERE id = 1",
        "UPDATE intents SET device = 'x' WHERE id = 2",
        "UPDATE documents SET fp = fp + 1 WHERE fd = 11",
        "UPDATE documents SET sum = x'' WHERE fd = 11",
        "UPDATE resolutions SET scan = scan || ' '",
        "UPDATE orders SET client = 'other'",
        "DELETE FROM documents WHERE fd = 11",
        "PRAGMA foreign_keys = 0; DELETE FROM intents WHERE id = 2",
        "PRAGMA foreign_keys = 0; DELETE FROM jobs WHERE id = 1",
        "PRAGMA foreign_keys = 0; UPDATE documents SET job = NULL WHERE fd = 12",
    ];
    for change in changes {
        found_by_verify(&worked(), change);
    }
}

#[test]
fn a_flipped_bit_in_the_file_is_found() {
    let rig = worked();
    let good = std::fs::read(rig.path()).unwrap();
    // In the body of each stored receipt; the text is long enough to be no index key.
    let needle = b"\"electronic\":12200";
    let places: Vec<usize> = good
        .windows(needle.len())
        .enumerate()
        .filter(|(_, part)| part == needle)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 4);
    for at in places {
        let mut bad = good.clone();
        bad[at + needle.len() - 1] ^= 1;
        std::fs::write(rig.path(), bad).unwrap();
        assert!(!verify(rig.path()).unwrap().is_good(), "at {at}");
    }
}

#[test]
fn a_truncated_or_overwritten_file_is_damaged_and_not_a_new_journal() {
    let mut rig = worked();
    let good = std::fs::read(rig.path()).unwrap();
    let mut zeros = good.clone();
    zeros[4096 * 3..4096 * 4].fill(0);
    let mut head = good.clone();
    head[..16].fill(b'x');
    for bad in [good[..good.len() - 4096].to_vec(), good[..5000].to_vec(), zeros, head] {
        std::fs::write(rig.path(), &bad).unwrap();
        assert!(
            matches!(rig.try_reopen(), Err(OpenError::Damaged { .. })),
            "{} bytes",
            bad.len()
        );
        // A file that cannot be read at all is an error; one that can be read is reported as bad.
        assert!(verify(rig.path()).is_ok_and(|report| !report.is_good()) || verify(rig.path()).is_err());
    }
}

#[test]
fn a_verification_changes_nothing() {
    let rig = worked();
    let before = std::fs::read(rig.path()).unwrap();
    verify(rig.path()).unwrap();
    assert_eq!(std::fs::read(rig.path()).unwrap(), before);
    let missing = rig.folder.path().join("none.db");
    assert!(verify(&missing).is_err());
    assert!(!missing.exists());
}
