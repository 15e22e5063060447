//! Show 7: a driver that others wrote works with a simulated register.
//!
//! Owns: one shift by pyshtrih.
//! Must never: bend the driver or the simulator to each other.

use kassette_tests::bench_rack::{BenchRegister, inn, rack_file};
use kassette_tests::ledger::{RECEIPT, SHIFT_CLOSE, SHIFT_OPEN};
use kassette_tests::python;
use kassette_tests::simulator::Simulator;
use serde_json::{Value, json};
use std::path::Path;

/// With the times of a real register: the driver must wait for what it prints.
const TIMING: &str = "\"realistic\"";

#[test]
fn pyshtrih_identifies_a_register_opens_a_shift_sells_and_takes_the_z_report() {
    let folder = tempfile::tempdir().unwrap();
    let register = BenchRegister {
        timing: TIMING.into(),
        // Command 85 names no tax system: the register must have one only.
        registration: "{ tax_systems = 1, work_mode = 32 }".into(),
        ..BenchRegister::new(1, &inn(1))
    };
    let simulator = Simulator::start(folder.path(), &rack_file(7, &[register])).unwrap();
    let port = simulator.registers[0].port.clone();
    let said = python::run("outside/pyshtrih_shift.py", &[Path::new(&port)]).unwrap();
    let seen: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(
        seen,
        json!({
            "model": "РИТЕЙЛ-01Ф", "serial": 1, "fn": "9999000000000001", "modes": [4, 2, 4], "change": 2900
        })
    );
    let ledger = simulator.ledger().unwrap();
    let kinds: Vec<u8> = ledger.iter().map(|document| document.kind).collect();
    assert_eq!(kinds, [1, SHIFT_OPEN, RECEIPT, SHIFT_CLOSE]);
    let receipt = &ledger[2];
    assert_eq!(receipt.tag(1020), Some(&json!(37_100)));
    assert_eq!(receipt.tag(1031), Some(&json!(37_100)));
    let items = receipt.tag(1059).unwrap();
    assert_eq!(items[0]["1030"], "Чай чёрный");
    assert_eq!((&items[0]["1023"], &items[0]["1043"]), (&json!("2"), &json!(25_100)));
    assert_eq!((&items[1]["1023"], &items[1]["1043"]), (&json!("1.5"), &json!(12_000)));
    assert_eq!(ledger[3].tag(1118), Some(&json!(1)), "one receipt in the shift");
}
