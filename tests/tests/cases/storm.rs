//! Show 3 in small: many clients and every kind of fault at once; `cargo storm` is the whole of it.
//!
//! Owns: the short run that every change must pass.
//! Must never: judge by itself; the reckoning is the storm's.

use kassette_tests::storm::{Wish, run};

#[test]
fn after_a_short_storm_of_faults_clients_api_journal_and_ledgers_agree() {
    let report = run(Wish {
        receipts: 400,
        clients: 64,
        registers: 8,
        seed: 20_260,
        kills: 1,
    })
    .unwrap();
    println!("{}", serde_json::to_string(&report).unwrap());
    assert!(report.differences.is_empty(), "{}", report.differences.join("\n"));
    assert_eq!((report.accepted, report.kills), (400, 1));
    let faults: u64 = report.faults.values().sum();
    assert!(faults >= 16, "a storm of {faults} faults shows nothing");
    assert!(report.completed > 300, "too few receipts were made to show anything");
}
