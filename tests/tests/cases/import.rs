//! Show 1: the 400 real receipts of 2020 go in through `kassettectl receipt import`, and each is one document or refused
//! by a rule that it breaks.
//!
//! Owns: what an import says, what is left of it when it or the daemon dies, and the oracle over all its documents.
//! Must never: judge a refusal or a document itself: the oracle does, which shares nothing with the crates.

use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::programs::{Programs, workspace};
use kassette_tests::python;
use kassette_tests::reckoning::reckon;
use kassette_tests::test_rack::TestRack;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The formats whose documents are shown, each with a taxpayer of its own.
const FORMATS: [&str; 2] = ["1.2", "1.05"];
/// Of the 400, those that break no rule by the oracle's own count.
const LAWFUL: u64 = 158;
/// Lines that are read of a report before somebody dies.
const HALF_WAY: usize = 60;

fn receipts() -> PathBuf {
    workspace().join("tests/data/receipts.jsonl")
}

/// Three registers of a taxpayer for each format; one of them on TCP, where the FN is read before each receipt.
fn rack() -> TestRack {
    let mut registers = Vec::new();
    for (tenant, ffd) in (1..).zip(FORMATS) {
        for n in 1..=3 {
            registers.push(BenchRegister {
                ffd: ffd.to_owned(),
                link: if n == 1 { "tcp" } else { "pty" }.to_owned(),
                ..BenchRegister::new(10 * tenant + n, &inn(tenant))
            });
        }
    }
    TestRack::start(400, registers).unwrap()
}

/// What a registration does not cover is refused at once only when registrations are known.
fn wait_until_ready(rack: &TestRack) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let registers = rack.api().registers().unwrap();
        if registers.iter().filter(|one| one.ready).count() == rack.count() {
            return;
        }
        assert!(Instant::now() < until, "{registers:#?}\n{}", rack.logs());
        // The inventory has no watch yet.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn import(rack: &TestRack, tenant: &str, more: &[&str]) -> Command {
    let mut command = Command::new(Programs::built().unwrap().ctl().unwrap());
    command.args(["receipt", "import", "--map", "2020", "--tenant", tenant]);
    command
        .args(more)
        .arg("--socket")
        .arg(rack.setup.socket())
        .arg(receipts());
    command
}

/// The counts of a report: its last line.
fn counts(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}: {output:?}"))
}

/// Begins an import and reads so many lines of its report.
fn half_way(mut command: Command) -> (Child, BufReader<ChildStdout>, Vec<String>) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut report = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while lines.len() < HALF_WAY {
        let mut line = String::new();
        assert_ne!(report.read_line(&mut line).unwrap(), 0, "the report ended: {lines:?}");
        lines.push(line);
    }
    (child, report, lines)
}

#[test]
fn the_real_receipts_become_one_document_each_or_are_refused_by_a_rule_they_break() {
    let mut rack = rack();
    wait_until_ready(&rack);
    dry_run_stores_nothing(&rack);
    command_line_dies(&rack);
    daemon_dies(&mut rack);
    let folder = tempfile::tempdir().unwrap();
    for (tenant, ffd) in (1..).zip(FORMATS) {
        let said = completed(&rack, &inn(tenant), folder.path());
        assert_eq!(
            (&said["ffd"], &said["compared"]),
            (&json!(ffd), &json!(LAWFUL)),
            "{said}"
        );
    }
    let ledger = rack.simulator.ledger().unwrap();
    let reckoned = reckon(&rack.api().jobs().unwrap(), 0, &ledger);
    let jobs = FORMATS.len() * usize::try_from(LAWFUL).unwrap();
    assert_eq!((reckoned.documents, reckoned.lost, reckoned.doubled), (jobs, 0, 0));
}

fn dry_run_stores_nothing(rack: &TestRack) {
    let output = import(rack, &inn(1), &["--dry-run", "--json"]).output().unwrap();
    let told = counts(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(
        (&told["accepted"], &told["lines"]),
        (&json!(LAWFUL), &json!(400)),
        "{told}"
    );
    let refused_by = json!({
        "R9": 106, "R15": 1, "R16": 2, "R17": 88, "R18": 7, "R20": 1, "C7-1200": 3,
        // The advance for a service: the map never replaces what was said to be sold.
        "R21": 34,
    });
    assert_eq!(told["refused_by"], refused_by);
    assert_eq!(rack.api().jobs().unwrap(), []);
}

fn command_line_dies(rack: &TestRack) {
    let (mut child, _, _) = half_way(import(rack, &inn(1), &["--json"]));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn daemon_dies(rack: &mut TestRack) {
    let (child, mut report, _) = half_way(import(rack, &inn(2), &["--json", "--wait"]));
    rack.take_daemon().unwrap().kill().unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut report, &mut rest).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let lines: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., told, error] = lines.as_slice() else {
        panic!("{rest}")
    };
    assert_eq!(told["complete"], false, "{told}");
    assert!(
        error["error"]["next"].as_str().unwrap().contains("epeat the command"),
        "{error}"
    );
    rack.start_daemon().unwrap();
    wait_until_ready(rack);
}

/// The same command once more: it goes on, and the oracle finds every line true. The command after it finds nothing new.
fn completed(rack: &TestRack, tenant: &str, folder: &Path) -> Value {
    let output = import(rack, tenant, &["--json", "--wait"]).output().unwrap();
    let told = counts(&output);
    assert_eq!(output.status.code(), Some(1), "{told}\n{}", rack.logs());
    assert_eq!(
        (&told["accepted"], &told["complete"]),
        (&json!(LAWFUL), &json!(true)),
        "{told}"
    );
    assert!(
        told["existing"].as_u64().unwrap() > 0,
        "nothing was there of the run that died: {told}"
    );
    let said = oracle(rack, tenant, &output.stdout, folder);
    println!("{said}");

    let again = import(rack, tenant, &["--json"]).output().unwrap();
    assert_eq!(counts(&again)["existing"], LAWFUL, "{}", counts(&again));
    said
}

fn oracle(rack: &TestRack, tenant: &str, report: &[u8], folder: &Path) -> Value {
    let (report_file, ledger) = (folder.join("report.jsonl"), folder.join("ledger.jsonl"));
    std::fs::write(&report_file, report).unwrap();
    rack.simulator.write_ledger(&ledger).unwrap();
    let (of, receipts) = (|name: &'static str| Path::new(name), receipts());
    let arguments = [
        of("--receipts"),
        &receipts,
        of("--report"),
        &report_file,
        of("--ledger"),
        &ledger,
        of("--inn"),
        Path::new(tenant),
    ];
    let said = python::run("oracle/import_2020.py", &arguments).unwrap();
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

#[test]
fn a_file_with_a_bad_line_is_refused_whole_with_the_number_of_the_line() {
    let rack = TestRack::start(401, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let real = std::fs::read_to_string(receipts()).unwrap();
    let mut text = String::new();
    for (at, line) in real.lines().enumerate() {
        writeln!(text, "{}", if at == 8 { &line[..30] } else { line }).unwrap();
    }
    let file = folder.path().join("cut.jsonl");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(Programs::built().unwrap().ctl().unwrap())
        .args(["receipt", "import", "--map", "2020", "--tenant", &inn(1), "--socket"])
        .arg(rack.setup.socket())
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("line 9: ") && said.contains("next: "), "{said}");
    assert_eq!(rack.api().jobs().unwrap(), []);
}

/// A pipe whose reader has gone before the first line.
fn nobody_reads() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_command_whose_reader_has_gone_ends_without_a_panic() {
    let rack = TestRack::start(401, vec![BenchRegister::new(1, &inn(1))]).unwrap();
    for verb in [
        &["codes"][..],
        &["registers"],
        &["tenants"],
        &["--json", "tenants"],
        &["status"],
    ] {
        let mut command = Command::new(Programs::built().unwrap().ctl().unwrap());
        command.args(verb).arg("--socket").arg(rack.setup.socket());
        let output = command.stdout(nobody_reads()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{verb:?}");
    }
}
