//! The n-th effect of a receipt fails, for every n; `cargo dst --nth` does the same with shifts and starts.
//!
//! Owns: the scenarios that are quick enough for a plain `cargo test`.
//! Must never: leave an effect out.

use kassette_dst::nth::{Scenario, exhausted, faults};

fn every_effect_fails_once(scenario: Scenario, v2: bool) {
    for (name, fault) in faults() {
        let effects = exhausted(scenario, v2, &fault);
        println!("{scenario:?} | v2: {v2} | {name} | {effects}");
        assert!(effects >= 3, "{scenario:?} has effects that can meet {name}");
    }
}

#[test]
fn a_sale_whose_nth_effect_fails_makes_one_document() {
    every_effect_fails_once(Scenario::Sale, false);
    every_effect_fails_once(Scenario::Sale, true);
}

#[test]
fn a_return_whose_nth_effect_fails_makes_one_document() {
    every_effect_fails_once(Scenario::Return, false);
    every_effect_fails_once(Scenario::Return, true);
}
