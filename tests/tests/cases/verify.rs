//! Show 4 of issue 4: `kassetted journal verify` against copies of FNs that were altered after a real run.
//!
//! Owns: each kind of difference, made by hand in a copy, and the line that must name it.
//! Must never: alter the journal; it is always the one that a real daemon wrote.

use kassette_api::v1::{Buyer, CancelReceiptRequest, JobState, Receipt, UserAttribute};
use kassette_receipts::job_key::{Generation, JobKey, Parts};
use kassette_tests::api::LONGEST_WAIT;
use kassette_tests::bench_rack::{BenchRegister, inn};
use kassette_tests::ledger::RECEIPT;
use kassette_tests::programs::Programs;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::TestRack;
use kassette_wire::ffd::{Document, ExportContainer, FnExportHeader, Tag, Tlv};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// One line of a copy.
#[derive(Clone)]
struct Line {
    fn_number: String,
    fd: u32,
    document: Document,
}

impl Line {
    fn read(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap();
        let hex = value["tlv"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        Self {
            fn_number: value["fn"].as_str().unwrap().to_owned(),
            fd: u32::try_from(value["fd"].as_u64().unwrap()).unwrap(),
            document: Document::decode_stlv(&bytes).unwrap(),
        }
    }

    fn text(&self) -> String {
        let hex: String = self
            .document
            .encode_stlv()
            .unwrap()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let fp = self.document.tags.fiscal_sign().unwrap().unwrap().0;
        json!({ "fn": self.fn_number, "fd": self.fd, "kind": self.document.code, "fp": fp, "tlv": hex }).to_string()
    }

    fn is_receipt(&self) -> bool {
        self.document.code == u16::from(RECEIPT)
    }

    fn set(&mut self, tlv: Tlv) {
        let place = self.document.tags.items.iter_mut().find(|one| one.tag == tlv.tag);
        *place.unwrap() = tlv;
    }

    /// The same document under another number.
    fn numbered(mut self, fd: u32) -> Self {
        self.fd = fd;
        self.set(Tlv::u32(Tag::FD_NUMBER, fd));
        self
    }

    fn keyed(mut self, key: &str) -> Self {
        self.set(Tlv::text(Tag::RECEIPT_ATTRIBUTE, key).unwrap());
        self
    }

    fn key(&self) -> Option<String> {
        self.document.tags.text(Tag::RECEIPT_ATTRIBUTE)
    }
}

/// A rack after a small run: its daemon stands still, and its FNs are copied.
struct Bench {
    rack: TestRack,
    lines: Vec<Line>,
    text: String,
    /// Key of a job that was cancelled.
    cancelled: String,
    folder: tempfile::TempDir,
}

/// What `kassetted journal verify` said.
struct Told {
    code: i32,
    text: String,
}

impl Told {
    fn last(&self) -> &str {
        self.text.lines().last().unwrap_or_default()
    }

    /// The one line that names a difference by its code, and nothing else may differ.
    fn only_difference(&self, code: &str) -> &str {
        let differences: Vec<&str> = self.text.lines().filter(|line| line.starts_with("differs: ")).collect();
        assert_eq!(differences.len(), 1, "{}", self.text);
        assert!(
            differences[0].starts_with(&format!("differs: {code} ")),
            "{}",
            self.text
        );
        assert_eq!(self.code, 1, "{}", self.text);
        differences[0]
    }
}

impl Bench {
    fn run() -> Self {
        let registers = vec![BenchRegister::new(1, &inn(1)), BenchRegister::new(2, &inn(2))];
        let rack = TestRack::start(61, registers).unwrap();
        for (n, tenant) in [(0, inn(1)), (1, inn(2))] {
            for (at, receipt) in receipts(n).into_iter().enumerate() {
                let key = format!("sale-{at}");
                rack.api().submit(submission(&tenant, &key, receipt)).unwrap();
                let job = rack.api().job(&tenant, &key, LONGEST_WAIT).unwrap();
                assert_eq!(job.state(), JobState::Completed, "{job:?}");
            }
        }
        let cancelled = cancel_one(&rack);
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self {
            rack,
            lines: Vec::new(),
            text: String::new(),
            cancelled,
            folder,
        };
        bench.copy();
        let beside = bench.verify_text(&bench.text);
        assert_eq!(beside.code, 0, "beside a running daemon: {}", beside.text);
        let exported = bench.exported();
        bench.rack.take_daemon().unwrap().stop().unwrap();
        bench.check_export(&exported);
        bench
    }

    fn copy(&mut self) {
        let file = self.folder.path().join("fns.jsonl");
        self.rack.simulator.write_ledger(&file).unwrap();
        self.text = std::fs::read_to_string(&file).unwrap();
        self.lines = self.text.lines().map(Line::read).collect();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(Programs::built().unwrap().daemon().unwrap());
        command
            .args(["journal", "verify", "--config"])
            .arg(self.rack.setup.config_file());
        command
    }

    fn told(mut command: Command) -> Told {
        let output = command.output().unwrap();
        Told {
            code: output.status.code().unwrap(),
            text: String::from_utf8(output.stdout).unwrap(),
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    }

    fn verify_text(&self, text: &str) -> Told {
        let file = self.file("altered.jsonl", text.as_bytes());
        let mut command = self.command();
        command.arg("--ledger").arg(file);
        Self::told(command)
    }

    fn verify(&self, lines: &[Line]) -> Told {
        let text: Vec<String> = lines.iter().map(Line::text).collect();
        self.verify_text(&text.join("\n"))
    }

    /// Lines of register `n`, and how many lines stand before them.
    fn receipt_of(&self, n: usize) -> (usize, Line) {
        let fn_number = &self.rack.register(n).fn_number;
        let fits = |line: &Line| line.fn_number == *fn_number && line.is_receipt() && line.key().is_some();
        let at = self.lines.iter().position(fits).unwrap();
        (at, self.lines[at].clone())
    }

    fn last_fd(&self, fn_number: &str) -> u32 {
        self.lines
            .iter()
            .filter(|line| line.fn_number == fn_number)
            .map(|line| line.fd)
            .max()
            .unwrap()
    }

    fn with(&self, line: Line) -> Vec<Line> {
        let mut lines = self.lines.clone();
        lines.push(line);
        lines
    }

    fn exported(&self) -> Vec<u8> {
        let mut command = Command::new(Programs::built().unwrap().ctl().unwrap());
        command.arg("--socket").arg(self.rack.setup.socket());
        let output = command
            .args(["documents", "export", "--format", "jsonl"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The daemon's own export agrees with its journal, and says what it does not tell.
    fn check_export(&self, exported: &[u8]) {
        let file = self.file("documents.jsonl", exported);
        let mut command = self.command();
        command.arg("--export").arg(&file);
        let told = Self::told(command);
        assert_eq!(told.code, 2, "{}", told.text);
        assert!(!told.text.contains("differs: "), "{}", told.text);
        assert!(told.text.contains("no copy tells their tags"), "{}", told.text);
        let altered = String::from_utf8(exported.to_vec())
            .unwrap()
            .replace("\"total_kopecks\":12300", "\"total_kopecks\":12301");
        let file = self.file("documents.jsonl", altered.as_bytes());
        let mut command = self.command();
        command.arg("--export").arg(file);
        let line = Self::told(command).only_difference("CONTENT_MISMATCH").to_owned();
        assert!(
            line.contains("its total is 123.01 in the copy, 123.00 in the journal"),
            "{line}"
        );
    }
}

/// Receipts whose keys stand in each place, with a buyer and without.
fn receipts(n: i64) -> Vec<Receipt> {
    let own = |mut receipt: Receipt, both: bool| {
        receipt.additional_attribute = Some("order 77".to_owned());
        receipt.user_attribute = both.then(|| UserAttribute {
            name: Some("table".to_owned()),
            value: Some("5".to_owned()),
        });
        receipt
    };
    let mut with_buyer = plain_receipt(12_300 + n);
    with_buyer.buyer = Some(Buyer {
        contact: Some("buyer@example.org".to_owned()),
        ..Buyer::default()
    });
    vec![
        with_buyer,
        plain_receipt(500),
        own(plain_receipt(700 + n), false),
        own(plain_receipt(900 + n), true),
        plain_receipt(1100),
    ]
}

/// A job that was cancelled while the only register of its taxpayer was held up by an earlier one.
fn cancel_one(rack: &TestRack) -> String {
    let (tenant, serial) = (inn(1), &rack.register(0).serial);
    rack.control().hold(serial).unwrap();
    rack.api()
        .submit(submission(&tenant, "in-front", plain_receipt(100)))
        .unwrap();
    let second = rack
        .api()
        .submit(submission(&tenant, "taken-back", plain_receipt(100)))
        .unwrap();
    let job = second.receipt_job.unwrap();
    let request = CancelReceiptRequest {
        name: job.name,
        ..CancelReceiptRequest::default()
    };
    rack.api().wait(rack.api().receipts().cancel_receipt(request)).unwrap();
    rack.control().release(serial).unwrap();
    let first = rack.api().job(&tenant, "in-front", LONGEST_WAIT).unwrap();
    assert_eq!(first.state(), JobState::Completed, "{first:?}");
    job.job_key
}

#[test]
fn every_kind_of_difference_between_a_journal_and_copies_of_its_fns_is_found_and_named() {
    let bench = Bench::run();
    let clean = bench.verify_text(&bench.text);
    assert_eq!(clean.code, 0, "{}", clean.text);
    assert_eq!(
        clean.last(),
        "12 jobs, 11 documents, 0 lost, 0 doubled",
        "{}",
        clean.text
    );
    assert_eq!(bench.verify(&bench.lines).text.lines().last(), Some(clean.last()));
    a_doubled_document(&bench);
    a_missing_document(&bench);
    a_changed_document(&bench);
    a_foreign_document(&bench);
    a_document_of_a_cancelled_job(&bench);
    what_cannot_be_compared(&bench);
    the_file_of_a_field_program(&bench);
}

/// On the same FN, and on the other one.
fn a_doubled_document(bench: &Bench) {
    for n in 0..2 {
        let (_, line) = bench.receipt_of(0);
        let key = line.key().unwrap();
        let place = format!("FN {} FD {}", line.fn_number, line.fd);
        let onto = bench.rack.register(n).fn_number.clone();
        let next = bench.last_fd(&onto) + 1;
        let mut second = line.numbered(next);
        second.set(Tlv::text(Tag::FN_NUMBER, &onto).unwrap());
        second.fn_number.clone_from(&onto);
        let told = bench.verify(&bench.with(second));
        let found = told.only_difference("DOCUMENT_DOUBLED");
        assert!(found.contains(&format!("job {key} FN {onto} FD {next}")), "{found}");
        assert!(found.contains(&place), "{found}");
        assert_eq!(told.last(), "12 jobs, 12 documents, 0 lost, 1 doubled");
    }
}

/// In the middle of an FN, and its last one.
fn a_missing_document(bench: &Bench) {
    let (middle, _) = bench.receipt_of(0);
    for at in [middle, bench.lines.len() - 1] {
        let mut lines = bench.lines.clone();
        let gone = lines.remove(at);
        let told = bench.verify(&lines);
        let found = told.only_difference("DOCUMENT_MISSING");
        let place = format!("job {} FN {} FD {}", gone.key().unwrap(), gone.fn_number, gone.fd);
        assert!(found.contains(&place), "{found}");
        assert_eq!(told.last(), "12 jobs, 10 documents, 1 lost, 0 doubled");
    }
}

/// A sum in its bytes, a text in its bytes, and a sum that stands only in the fields beside them.
fn a_changed_document(bench: &Bench) {
    let (at, line) = bench.receipt_of(0);
    let place = format!("job {} FN {} FD {}", line.key().unwrap(), line.fn_number, line.fd);
    let changes = [
        (Tlv::vln(Tag::RECEIPT_TOTAL, 99), "tag 1020"),
        (Tlv::text(Tag::BUYER_CONTACT, "other@example.org").unwrap(), "tag 1008"),
    ];
    for (change, tag) in changes {
        let mut lines = bench.lines.clone();
        lines[at].set(change);
        let told = bench.verify(&lines);
        let differences = told.text.lines().filter(|line| line.starts_with("differs: "));
        let all: Vec<&str> = differences.collect();
        assert!(!all.is_empty() && told.code == 1, "{}", told.text);
        for found in all {
            assert!(
                found.starts_with(&format!("differs: CONTENT_MISMATCH {place}: ")) && found.contains(tag),
                "{found}"
            );
        }
    }
    let total = "\"1020\":12300";
    assert!(bench.text.contains(total), "{}", bench.text);
    let told = bench.verify_text(&bench.text.replacen(total, "\"1020\":12301", 1));
    let found = told
        .text
        .lines()
        .find(|line| line.starts_with("differs: LEDGER_COPY_UNREADABLE: "));
    assert!(
        found
            .unwrap()
            .ends_with("contradicts itself: tag 1020 is another value in its bytes"),
        "{}",
        told.text
    );
}

/// Without a key of ours, with a key that another generation gave, and with one of this generation that no job has.
fn a_foreign_document(bench: &Bench) {
    let (_, line) = bench.receipt_of(0);
    let next = bench.last_fd(&line.fn_number) + 1;
    let place = format!("FN {} FD {next}", line.fn_number);
    let parts = JobKey::parse(&line.key().unwrap()).unwrap().parts();
    let other = Generation::new((parts.generation.get() + 1) % Generation::COUNT).unwrap();
    let orphan = JobKey::new(Parts {
        generation: other,
        ..parts
    });
    let unknown = JobKey::new(Parts {
        sequence: kassette_receipts::job_key::Sequence::MAX,
        ..parts
    });
    for (key, code) in [
        ("somebody's", "FOREIGN_DOCUMENTS"),
        (orphan.as_str(), "DOCUMENT_ORPHAN"),
        (unknown.as_str(), "FOREIGN_DOCUMENTS"),
    ] {
        let told = bench.verify(&bench.with(line.clone().numbered(next).keyed(key)));
        let found = told.only_difference(code);
        assert!(found.contains(&place), "{found}");
        assert_eq!(told.last(), "12 jobs, 12 documents, 0 lost, 0 doubled");
    }
}

fn a_document_of_a_cancelled_job(bench: &Bench) {
    let (_, line) = bench.receipt_of(0);
    let next = bench.last_fd(&line.fn_number) + 1;
    let told = bench.verify(&bench.with(line.numbered(next).keyed(&bench.cancelled)));
    let found = told.only_difference("DOCUMENT_OF_UNCOMPLETED_JOB");
    assert!(
        found.contains(&format!("job {} ", bench.cancelled)) && found.contains("CANCELLED"),
        "{found}"
    );
}

/// An FN without a copy, no copy at all, a simulator's state folder, and a line that is none.
fn what_cannot_be_compared(bench: &Bench) {
    let second = &bench.rack.register(1).fn_number;
    let first: Vec<Line> = bench
        .lines
        .iter()
        .filter(|line| line.fn_number != *second)
        .cloned()
        .collect();
    let told = bench.verify(&first);
    assert_eq!(told.code, 2, "{}", told.text);
    let named = format!("not compared: LEDGER_NOT_COMPARED FN {second}: no copy of this FN was given");
    assert!(told.text.contains(&named), "{}", told.text);
    let alone = Bench::told(bench.command());
    assert!(
        alone.code == 0 && alone.text.contains("no copy of an FN was given"),
        "{}",
        alone.text
    );
    let mut command = bench.command();
    command.arg("--ledger").arg(&bench.rack.simulator.state);
    let told = Bench::told(command);
    assert!(
        told.code == 2 && told.text.contains("kassette-hw-sim ledger --state"),
        "{}",
        told.text
    );
    let told = bench.verify_text(&format!("{}\n{{\"fn\": 7}}\n", bench.text.trim_end()));
    told.only_difference("LEDGER_COPY_UNREADABLE:");
}

/// The same documents as a field program keeps them (`fn-ffd-ofd` D.7), whole and with a sum changed.
fn the_file_of_a_field_program(bench: &Bench) {
    let mut command = bench.command();
    for n in 0..2 {
        let file = bench.file(&format!("{n}.fnc"), &bench.fnc(n, false));
        command.arg("--export").arg(file);
    }
    let told = Bench::told(command);
    assert_eq!(told.code, 0, "{}", told.text);
    assert_eq!(told.last(), "12 jobs, 11 documents, 0 lost, 0 doubled");
    // A folder of files, one of them altered.
    bench.file("0.fnc", &bench.fnc(0, true));
    std::fs::remove_file(bench.folder.path().join("altered.jsonl")).unwrap();
    std::fs::remove_file(bench.folder.path().join("documents.jsonl")).unwrap();
    std::fs::remove_file(bench.folder.path().join("fns.jsonl")).unwrap();
    let mut command = bench.command();
    command.arg("--ledger").arg(bench.folder.path());
    let told = Bench::told(command);
    assert_eq!(told.code, 1, "{}", told.text);
    assert!(told.text.contains("differs: CONTENT_MISMATCH job "), "{}", told.text);
}

impl Bench {
    fn fnc(&self, n: usize, altered: bool) -> Vec<u8> {
        let fn_number = &self.rack.register(n).fn_number;
        let header = FnExportHeader {
            report_name: [b' '; 21],
            software: [0; 256],
            rnm: [b' '; 20],
            fn_number: fn_number.as_bytes().try_into().unwrap(),
            version: 4,
            numbers: [1, self.last_fd(fn_number)],
            sum: 0,
        };
        let mut bytes = header.sealed().encode();
        let (at, _) = self.receipt_of(n);
        for (number, line) in self
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.fn_number == *fn_number)
        {
            let mut line = line.clone();
            if altered && number == at {
                line.set(Tlv::vln(Tag::RECEIPT_TOTAL, 1));
            }
            bytes.extend(ExportContainer::of(65021, &line.document).unwrap().encode().unwrap());
        }
        bytes
    }
}
