//! The simulator as a process: ports, control port, ledger, signals.
//!
//! Owns: what a test or a person relies on who starts the binary.
//! Must never: wait for time where there is an event, or touch a process it did not start.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod over_control;
mod scale;
mod simulator;

use serde_json::{Value, json};
use simulator::{ACK, ENQ, Line, NAK, Simulator, close_shift, frame, open_shift, rack_of, refused, sale_free_command};
use std::io::Write;
use std::path::Path;
use std::process::Command;

#[test]
fn every_port_of_the_ready_line_answers_a_raw_client() {
    let simulator = Simulator::start(&rack_of(3, "pty"));
    assert_eq!(simulator.ready["ofd"], Value::Null);
    let registers = simulator.ready["registers"].as_array().unwrap();
    assert_eq!(registers.len(), 3);
    for (n, register) in registers.iter().enumerate() {
        assert_eq!(register["serial"], format!("{:012}", n + 1));
        assert_eq!(register["fn"], format!("9999{:012}", n + 1));
        let mut line = simulator.open(register["port"].as_str().unwrap());
        let answer = line.exchange(&sale_free_command());
        assert_eq!(&answer[..2], &[0xFC, 0x00], "{answer:02X?}");
    }
}

#[test]
fn a_network_register_answers_and_shows_the_byte_ff_after_the_ack() {
    let simulator = Simulator::start(&rack_of(1, "tcp"));
    let mut line = simulator.open(simulator.port(0));
    assert_eq!(line.exchange(&sale_free_command())[..2], [0xFC, 0x00]);
    line.expect(&[0xFF]);
}

#[test]
fn an_unplugged_register_hangs_up_and_is_found_under_its_new_name_only() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let old = simulator.port(0).to_owned();
    let mut line = simulator.open(&old);
    let view = simulator.post("/registers/000000000001/unplug", &json!({}));
    assert_eq!((&view["plugged"], &view["port"]), (&json!(false), &Value::Null));
    line.expect_end();
    assert!(!Path::new(&old).exists());

    let view = simulator.post("/registers/000000000001/replug", &json!({ "name": "shelf-2" }));
    let new = view["port"].as_str().unwrap();
    assert!(new.ends_with("/ports/shelf-2"), "{new}");
    assert!(!Path::new(&old).exists());
    assert_eq!(simulator.open(new).exchange(&sale_free_command())[..2], [0xFC, 0x00]);
}

#[test]
fn two_registers_change_places() {
    let simulator = Simulator::start(&rack_of(2, "pty"));
    let (one, two) = (simulator.port(0).to_owned(), simulator.port(1).to_owned());
    simulator.post("/swap", &json!({ "registers": ["000000000001", "000000000002"] }));
    let port = |serial: &str| simulator.get(&format!("/registers/{serial}"))["port"].clone();
    assert_eq!((port("000000000001"), port("000000000002")), (json!(two), json!(one)));
    simulator.open(&one).exchange(&sale_free_command());
    let exchanges = |serial: &str| simulator.get(&format!("/registers/{serial}"))["exchanges"].clone();
    assert_eq!(
        (exchanges("000000000001"), exchanges("000000000002")),
        (json!(0), json!(1))
    );
}

#[test]
fn a_held_register_is_silent_until_it_may_take_one_exchange() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let mut line = simulator.open(simulator.port(0));
    let register = "/registers/000000000001";
    simulator.post(&format!("{register}/hold"), &json!({}));
    line.send(&[ENQ]);
    line.send(&frame(&sale_free_command()));
    let after = simulator.get(register)["last_event"].as_u64().unwrap();
    let events = simulator.get(&format!("{register}/events?after={after}&wait_ms=200"));
    assert_eq!(events["events"], json!([]), "a held register took a command");

    simulator.post(&format!("{register}/step"), &json!({}));
    line.expect(&[NAK, ACK]);
    assert_eq!(line.answer()[..2], [0xFC, 0x00]);
    line.send(&[ACK, ENQ]);
    let events = simulator.get(&format!("{register}/events?after={after}&wait_ms=20000"));
    assert_eq!(events["events"][0]["event"], "exchange");
    assert_eq!(events["events"][0]["command"], "FC");
    assert_eq!(events["events"][0]["error"], 0);

    simulator.post(&format!("{register}/release"), &json!({}));
    line.expect(&[NAK]);
}

#[test]
fn the_ledger_is_read_while_the_simulator_runs_and_after_it_was_killed() {
    let mut simulator = Simulator::start(&rack_of(2, "pty"));
    let running = simulator.ledger(&[]);
    let kinds: Vec<_> = running
        .iter()
        .map(|d| (d["fn"].clone(), d["fd"].clone(), d["kind"].clone()))
        .collect();
    let registration = |fn_number: &str| (json!(fn_number), json!(1), json!(1));
    assert_eq!(
        kinds,
        [registration("9999000000000001"), registration("9999000000000002")]
    );
    assert_eq!(running[0]["tags"]["1013"], "000000000001");
    simulator.kill();
    assert_eq!(simulator.ledger(&[]), running);
    assert_eq!(simulator.ledger(&["--fn", "9999000000000002"]), running[1..]);

    // A record that was cut by a kill is passed over; the documents before it are all there.
    let file = simulator.state().join("fn/9999000000000002.ledger");
    std::fs::File::options()
        .append(true)
        .open(&file)
        .unwrap()
        .write_all(&[0x30, 0, 0, 0, 1, 2, 3])
        .unwrap();
    assert_eq!(simulator.ledger(&[]), running);

    simulator.start_again();
    assert_eq!(simulator.ledger(&[]), running, "a start makes no second registration");
    assert_eq!(
        simulator.open(simulator.port(0)).exchange(&sale_free_command())[..2],
        [0xFC, 0x00]
    );
}

#[test]
fn a_document_that_was_answered_survives_kill_9_at_any_moment() {
    let mut simulator = Simulator::start(&rack_of(1, "pty"));
    let mut known = 1;
    for round in 0..8 {
        let killer = simulator.kill_after("000000000001", 2 + 3 * round);
        let mut line = simulator.open(simulator.port(0));
        // E0 opens a shift, 41 closes it; each makes a document, or is refused where the shift stands otherwise.
        let commands = [open_shift(), close_shift()];
        let mut answers = commands.iter().cycle().map_while(|command| line.try_exchange(command));
        let answered = answers.by_ref().filter(|answer| answer[1] == 0).count();
        killer.join().unwrap();
        simulator.kill();

        let documents = simulator.ledger(&[]);
        let numbers: Vec<usize> = documents
            .iter()
            .map(|d| usize::try_from(d["fd"].as_u64().unwrap()).unwrap())
            .collect();
        assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
        // The last command may have made its document before the kill took its answer.
        let expected = known + answered..=known + answered + 1;
        assert!(
            expected.contains(&numbers.len()),
            "{} documents, {expected:?} expected",
            numbers.len()
        );
        known = numbers.len();
        simulator.start_again();
        assert_eq!(simulator.ledger(&[]), documents);
    }
    assert!(known > 8, "only {known} documents were made");
}

#[test]
fn sigterm_ends_cleanly_and_leaves_no_port_name() {
    let mut simulator = Simulator::start(&rack_of(2, "pty"));
    let mut line = simulator.open(simulator.port(0));
    assert!(simulator.terminate().success());
    line.expect_end();
    assert_eq!(std::fs::read_dir(simulator.state().join("ports")).unwrap().count(), 0);
}

#[test]
fn a_second_simulator_on_the_same_state_is_refused() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let text = refused(&rack_of(1, "pty"), simulator.state());
    assert!(text.contains("another simulator uses the state folder"), "{text}");
}

#[test]
fn a_wrong_rack_file_is_refused_with_every_mistake() {
    let state = tempfile::tempdir().unwrap();
    let text = refused("sed = 1\n[[register]]\nvendor = \"x\"\nserial = \"1\"\n", state.path());
    for part in [
        "sed",
        "register[0].vendor",
        "register[0].model",
        "register[0].inn",
        "register[0].fn",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn the_shipped_scenario_starts_eight_registers_of_two_tenants() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/demo.toml");
    let simulator = Simulator::start(&std::fs::read_to_string(demo).unwrap());
    assert_eq!(simulator.ready["registers"].as_array().unwrap().len(), 8);
    let owners: std::collections::BTreeSet<String> = simulator
        .ledger(&[])
        .iter()
        .map(|d| d["tags"]["1018"].to_string())
        .collect();
    assert_eq!(owners.len(), 2, "{owners:?}");
}

fn another_registers_fn() -> Value {
    json!({ "number": "9999000000000002", "phase": "fiscal", "documents_left": 10, "expiry": "2028-11-22" })
}

/// Path, body, status, part of the text.
fn senseless_requests() -> Vec<(&'static str, Value, u16, &'static str)> {
    const FIRST: &str = "/registers/000000000001/faults";
    const REPLUG: &str = "/registers/000000000001/replug";
    vec![
        (FIRST, json!({ "kind": "melt" }), 400, "melt"),
        (
            FIRST,
            json!({ "kind": { "error": { "code": 300, "when": "before" } } }),
            400,
            "300",
        ),
        (FIRST, json!([{ "kind": "garble" }, { "kind": "melt" }]), 400, "melt"),
        (
            FIRST,
            json!({ "kind": { "fn_replace": another_registers_fn() } }),
            409,
            "stands in register 000000000002",
        ),
        ("/registers/77/hold", json!({}), 404, "there is no register 77"),
        (
            "/registers/000000000001/step",
            json!({ "count": 0 }),
            400,
            "accepted: 1 to",
        ),
        (REPLUG, json!({ "name": "../x" }), 400, "cannot name a port"),
        (REPLUG, json!({ "name": "000000000002" }), 409, "in use"),
        (
            "/swap",
            json!({ "registers": ["000000000001", "000000000001"] }),
            400,
            "two registers",
        ),
        ("/clock", json!({ "shift": 1 }), 400, "shift_ms"),
        ("/melt", json!({}), 404, "no such route"),
    ]
}

#[test]
fn requests_that_make_no_sense_are_refused_with_a_reason_and_change_nothing() {
    let simulator = Simulator::start(&rack_of(2, "pty"));
    for (path, body, status, part) in senseless_requests() {
        let (found, answer) = simulator.try_post(path, &body);
        assert_eq!(found, status, "{path} {body}: {answer}");
        assert!(
            answer["error"].as_str().unwrap().contains(part),
            "{path} {body}: {answer}"
        );
    }
    let view = simulator.get("/registers/000000000001");
    assert_eq!((&view["armed_faults"], &view["plugged"]), (&json!(0), &json!(true)));
}

#[test]
fn true_time_moves_only_when_it_is_told_to() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let before = simulator.get("/clock")["unix_ms"].as_i64().unwrap();
    let hour = 3_600_000;
    let after = simulator.post("/clock", &json!({ "shift_ms": hour }));
    assert_eq!(after["shifted_ms"], hour);
    let moved = after["unix_ms"].as_i64().unwrap() - before;
    assert!((hour..hour + 60_000).contains(&moved), "{moved}");
}

#[test]
fn an_ordinary_user_can_open_a_port_again_after_a_peer_with_exclusive_use_was_killed() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let port = simulator.port(0);
    let holder = "import fcntl,os,sys,termios,time\n\
                  fd=os.open(sys.argv[1],os.O_RDWR|os.O_NOCTTY)\nfcntl.ioctl(fd,termios.TIOCEXCL)\n\
                  print('held',flush=True)\ntime.sleep(600)\n";
    let mut killed = simulator::python(holder, port);
    killed.kill().unwrap();
    killed.wait().unwrap();
    // Root may open an exclusive port anyway, so the question is asked without that right when the test has it.
    let opener = "import os,sys,time\ndevice=os.path.realpath(sys.argv[1])\n\
                  if os.getuid()==0:\n  os.chmod(device,0o666); os.setuid(65534)\n\
                  end=time.time()+20\nwhile True:\n  try:\n    os.open(device,os.O_RDWR|os.O_NOCTTY); break\n\
                  \x20 except OSError:\n    if time.time()>end: raise\n    time.sleep(0.01)\n";
    let opened = Command::new("python3").args(["-c", opener, port]).status().unwrap();
    assert!(opened.success(), "the port stayed exclusive");
}

#[test]
fn a_line_is_one_conversation_also_when_bytes_come_one_by_one() {
    let simulator = Simulator::start(&rack_of(1, "pty"));
    let mut line: Line = simulator.open(simulator.port(0));
    line.send(&[ENQ]);
    line.expect(&[NAK]);
    for byte in frame(&sale_free_command()) {
        line.send(&[byte]);
    }
    line.expect(&[ACK]);
    assert_eq!(line.answer()[..2], [0xFC, 0x00]);
}
