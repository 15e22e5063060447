//! A thousand registers in one process, and what they cost.
//!
//! Owns: the figures that `cargo test -p kassette-hw-sim --test running scale:: -- --nocapture` prints.
//! Must never: hold the machine's load against the simulator: limits are far above what an idle machine shows.

use crate::simulator::{self, Simulator, frame, rack_of, sale_free_command};
use std::process::Command;
use std::time::{Duration, Instant};

const REGISTERS: u32 = 1000;
/// Receipts that one register makes in a row, to see what one costs.
const RECEIPTS: u64 = 500;

#[test]
fn a_thousand_registers_in_one_process_are_ready_within_seconds_and_each_answers() {
    let begin = Instant::now();
    let simulator = Simulator::start(&rack_of(REGISTERS, "pty"));
    let ready = begin.elapsed();
    let started = simulator.cpu_ticks();
    assert_eq!(simulator.ready["registers"].as_array().unwrap().len(), 1000);
    // What is measured is the work done in this second.
    std::thread::sleep(Duration::from_secs(1));
    let idle = simulator.cpu_ticks() - started;
    let mut types = Vec::new();
    for register in simulator.ready["registers"].as_array().unwrap() {
        types.push(
            simulator
                .open(register["port"].as_str().unwrap())
                .exchange(&sale_free_command()),
        );
    }
    assert_eq!(types.len(), 1000);
    assert!(types.iter().all(|one| one[..2] == [0xFC, 0x00]));
    let asked = simulator.cpu_ticks() - started - idle;
    let resident = simulator.resident_kib();
    println!(
        "1000 registers: ready in {ready:.1?} ({started}0 ms of CPU), 1000 answers {asked}0 ms of CPU, \
         idle {idle}0 ms of CPU a second, {} KiB resident each",
        resident / 1000
    );
    assert!(ready < Duration::from_secs(10), "ready after {ready:?}");
    assert!(idle <= 10, "{idle} hundredths of a second of CPU in one idle second");
    assert!(resident <= 200 * 1000, "{resident} KiB");
}

#[test]
fn four_hundred_receipts_a_second_take_less_than_a_core() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let mut line = simulator.open(simulator.port(0));
    assert_eq!(line.exchange(&simulator::open_shift())[1], 0);
    let before = simulator.cpu_ticks();
    let receipt = [open_receipt(), item(), close_receipt()];
    for _ in 0..RECEIPTS {
        for command in &receipt {
            line.send(&frame(command));
            line.expect(&[simulator::ACK]);
            let answer = line.answer();
            let error = answer[if command[0] == 0xFF { 2 } else { 1 }];
            assert_eq!(error, 0, "{command:02X?} answered {answer:02X?}");
            line.send(&[simulator::ACK]);
        }
    }
    let ticks = simulator.cpu_ticks() - before;
    // Ticks are hundredths of a second, so this is the share of a core at 400 receipts a second, in percent.
    let share = ticks * 400 / RECEIPTS;
    println!("{RECEIPTS} receipts of three commands: {ticks}0 ms of CPU; 400 a second take {share} % of a core");
    assert!(share < 100, "400 receipts a second take {share} % of a core");
}

#[test]
fn a_limit_of_open_files_that_is_too_low_is_named_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (rack, state) = (folder.path().join("rack.toml"), folder.path().join("state"));
    std::fs::write(&rack, rack_of(REGISTERS, "pty")).unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 1024 && exec \"$0\" run --rack \"$1\" --state \"$2\""])
        .arg(env!("CARGO_BIN_EXE_kassette-hw-sim"))
        .args([&rack, &state])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("1000 registers need 3064 open files, 1024 are allowed"),
        "{said}"
    );
    assert!(said.contains("ulimit -Hn 3064"), "{said}");
    assert!(!state.exists(), "a refused start made {}", state.display());
}

/// 8D, a sale (`shtrih-m.md` 3.5), under password 30.
fn open_receipt() -> Vec<u8> {
    vec![0x8D, 30, 0, 0, 0, 0]
}

/// FF46 of `shtrih-m.md` 5.2: one piece at 100.00, the register computes sum and tax.
fn item() -> Vec<u8> {
    let mut command = vec![
        0xFF, 0x46, 30, 0, 0, 0, 1, 0x40, 0x42, 0x0F, 0, 0, 0, 0x10, 0x27, 0, 0, 0,
    ];
    command.extend([0xFF; 10]);
    command.extend([0x01, 0x01, 0x04, 0x01]);
    command.extend([0xD2, 0xEE, 0xE2, 0xE0, 0xF0]);
    command
}

/// FF45 of `shtrih-m.md` 5.2: 100.00 by card, the common tax system.
fn close_receipt() -> Vec<u8> {
    let mut command = vec![0xFF, 0x45, 30, 0, 0, 0];
    command.extend([0; 5]);
    command.extend([0x10, 0x27, 0, 0, 0]);
    command.extend([0; 70 + 1 + 30]);
    command.push(0x01);
    command
}
