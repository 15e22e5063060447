//! Show 7: drivers that others wrote work with a simulated register.
//!
//! Owns: one shift by each of them. Those that are on no package registry are had by `tests/outside-drivers`.
//! Must never: bend the driver or the simulator to each other.

use kassette_tests::bench_rack::{BenchRegister, VAT_22, inn, rack_file};
use kassette_tests::ledger::Document;
use kassette_tests::ledger::{RECEIPT, SHIFT_CLOSE, SHIFT_OPEN};
use kassette_tests::programs::workspace;
use kassette_tests::python;
use kassette_tests::simulator::Simulator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// With the times of a real register: the driver must wait for what it prints.
const TIMING: &str = "\"realistic\"";

#[test]
fn pyshtrih_identifies_a_register_opens_a_shift_sells_and_takes_the_z_report() {
    let folder = tempfile::tempdir().unwrap();
    // Command 85 names no tax system: the register must have one only.
    let register = register(1, "pty", VAT_22);
    let simulator = Simulator::start(folder.path(), &rack_file(7, std::slice::from_ref(&register))).unwrap();
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
    sent_what_is_listed("pyshtrih", &simulator, &register);
}

/// The commands that a register was sent are those listed for the driver, from which README.md of the simulator is made.
pub fn sent_what_is_listed(driver: &str, simulator: &Simulator, register: &BenchRegister) {
    let events = simulator.control.events(&register.serial, 0, Duration::ZERO).unwrap();
    let sent: BTreeSet<String> = events.into_iter().filter_map(|event| event.command).collect();
    let list = std::fs::read_to_string(workspace().join("tests/outside/commands.txt")).unwrap();
    let listed = list
        .lines()
        .find_map(|line| line.strip_prefix(driver)?.strip_prefix(": "));
    assert_eq!(Vec::from_iter(sent).join(" "), listed.unwrap(), "{driver}");
}

/// A register of one tax system at its own speed, as the drivers expect.
fn register(n: u32, link: &str, switches: &str) -> BenchRegister {
    BenchRegister {
        link: link.into(),
        timing: TIMING.into(),
        switches: switches.into(),
        registration: "{ tax_systems = 1, work_mode = 32 }".into(),
        ..BenchRegister::new(n, &inn(n))
    }
}

fn kinds(ledger: &[Document], register: &BenchRegister) -> Vec<u8> {
    let own = ledger.iter().filter(|one| one.fn_number == register.fn_number);
    own.map(|document| document.kind).collect()
}

#[test]
#[ignore = "needs a driver from GitHub: .ci/long outside"]
fn shtrih_drv_identifies_a_register_opens_a_shift_sells_and_takes_the_z_report_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let register = register(1, "tcp", "{}");
    let simulator = Simulator::start(folder.path(), &rack_file(7, std::slice::from_ref(&register))).unwrap();
    let checkout = workspace().join("tests/.outside/shtrih-drv");
    let port = Path::new(&simulator.registers[0].port);
    let said = python::run("outside/shtrih_drv_day.py", &[&checkout, port]).unwrap();
    let seen: Value = serde_json::from_str(said.trim()).unwrap();
    let open = "Открытая смена, 24 часа не кончились.";
    assert_eq!(
        seen,
        json!({ "serial": 1, "modes": ["Закрытая смена.", open, "Закрытая смена."] })
    );
    let ledger = simulator.ledger().unwrap();
    assert_eq!(kinds(&ledger, &register), [1, SHIFT_OPEN, RECEIPT, SHIFT_CLOSE]);
    let receipt = &ledger[2];
    assert_eq!(receipt.tag(1020), Some(&json!(2050)));
    assert_eq!(receipt.tag(1059).unwrap()[0]["1030"], "Товар");
    sent_what_is_listed("shtrih_drv", &simulator, &register);
}

#[test]
#[ignore = "needs a driver from GitHub: .ci/long outside"]
fn kkt_shtrih_sells_with_the_commands_of_the_fn_and_finds_its_receipt_on_tcp_and_on_a_serial_line() {
    let folder = tempfile::tempdir().unwrap();
    // It opens no receipt by 8D.
    let switches = "{ item_opens_receipt = true }";
    let registers = [register(1, "tcp", switches), register(2, "pty", switches)];
    let simulator = Simulator::start(folder.path(), &rack_file(7, &registers)).unwrap();
    for (n, register) in registers.iter().enumerate() {
        let seen = kkt_shtrih(&simulator.registers[n].port);
        let ledger = simulator.ledger().unwrap();
        assert_eq!(kinds(&ledger, register), [1, SHIFT_OPEN, RECEIPT, SHIFT_CLOSE]);
        let own = |one: &&Document| one.fn_number == register.fn_number && one.kind == RECEIPT;
        let receipt = ledger.iter().find(own).unwrap();
        assert_eq!(
            seen,
            json!({
                "serial": register.serial, "fn": register.fn_number, "ready": true, "paperless": 2, "phase": 3,
                "ready after the opening": true, "change": 3.5, "receipt": [3, 3, receipt.fp, 1, 26.5],
                "ready after the receipt": true, "shift after the report": 0
            })
        );
        assert_eq!(receipt.tag(1020), Some(&json!(2650)));
        assert_eq!(receipt.tag(1008), Some(&json!("a@example.org")));
        let items = receipt.tag(1059).unwrap();
        assert_eq!((&items[0]["1030"], &items[1]["1030"]), (&json!("Чай"), &json!("Сахар")));
        sent_what_is_listed("kkt-shtrih", &simulator, register);
    }
}

fn kkt_shtrih(port: &str) -> Value {
    let tests = workspace().join("tests");
    let output = Command::new("php")
        .arg(tests.join("outside/kkt_shtrih_day.php"))
        .arg(tests.join(".outside/kkt-shtrih"))
        .arg(port.replace("tcp:", "tcp://"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&said).unwrap()
}
