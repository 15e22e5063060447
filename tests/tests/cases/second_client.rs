//! A second client, written from the protocol reference alone, works one day with a simulated register on each link.
//!
//! Owns: what the client read held against what stands in the FN.
//! Must never: bend the client or the simulator to each other: the reference and the captures decide.

use super::outside_driver::sent_what_is_listed;
use kassette_tests::bench_rack::{BenchRegister, inn, rack_file};
use kassette_tests::ledger::{Document, RECEIPT, SHIFT_CLOSE, SHIFT_OPEN};
use kassette_tests::python;
use kassette_tests::simulator::Simulator;
use serde_json::{Value, json};
use std::path::Path;

/// Link layer and transport of each register; the last prints as long as a real one.
const LINKS: [(&str, &str, &str); 5] = [
    ("v1", "pty", "\"instant\""),
    ("v2", "pty", "\"instant\""),
    ("v1", "tcp", "\"instant\""),
    ("v2", "tcp", "\"instant\""),
    ("v1", "pty", "\"realistic\""),
];

/// Sale of 100.00 at 20 % and of 2.5 × 9.99 at 10 %, with the VAT in them (`fn-ffd-ofd` C.7).
const TOTAL: u64 = 12_498;
const VAT_20: u64 = 1667;
const VAT_10: u64 = 227;

#[test]
fn a_client_written_from_the_reference_alone_reads_back_what_it_made_on_v1_v2_and_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let registers: Vec<BenchRegister> = (1..).zip(LINKS).map(register).collect();
    let simulator = Simulator::start(folder.path(), &rack_file(11, &registers)).unwrap();
    let days: Vec<Vec<Value>> = std::thread::scope(|scope| {
        let running: Vec<_> = std::iter::zip(&simulator.registers, LINKS)
            .map(|(register, (link, ..))| scope.spawn(move || one_day(link, &register.port)))
            .collect();
        running.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let ledger = simulator.ledger().unwrap();
    for (register, day) in registers.iter().zip(&days) {
        let documents: Vec<&Document> = ledger
            .iter()
            .filter(|one| one.fn_number == register.fn_number)
            .collect();
        let kinds: Vec<u8> = documents.iter().map(|document| document.kind).collect();
        assert_eq!(
            kinds,
            [1, SHIFT_OPEN, RECEIPT, RECEIPT, SHIFT_CLOSE],
            "{}",
            register.serial
        );
        sent_what_is_listed("second client", &simulator, register);
        assert_eq!(day[0]["serial"], *register.serial);
        assert_eq!(
            (&day[0]["fn"], &day[0]["fn_by_ff02"]),
            (&json!(register.fn_number), &json!(register.fn_number))
        );
        assert_eq!(
            (&day[0]["inn"], &day[0]["expiry"]),
            (&json!(register.inn), &json!("1c0b16"))
        );
        assert_eq!(day[1]["fp"], documents[1].fp);
        for (said, document) in day[2..4].iter().zip(&documents[2..4]) {
            holds(said, document);
        }
        assert_eq!((&day[4]["mode"], &day[4]["shift_open"]), (&json!(4), &json!(0)));
        assert_eq!(read_back(&day[4]), documents[4].tlv);
    }
}

fn register((n, (link, transport, timing)): (u32, (&str, &str, &str))) -> BenchRegister {
    BenchRegister {
        link: transport.to_owned(),
        timing: timing.to_owned(),
        switches: if link == "v2" { "{ link_v2 = true }" } else { "{}" }.to_owned(),
        ..BenchRegister::new(n, &inn(n))
    }
}

/// What the client said, a line per operation: identify, open_shift, two receipts, close_shift.
fn one_day(link: &str, port: &str) -> Vec<Value> {
    let arguments = [link, port, "--receipts", "2"].map(Path::new);
    let said = python::run("second_client/second_client.py", &arguments).unwrap();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn holds(said: &Value, document: &Document) {
    assert_eq!(said["fd"], document.fd);
    assert_eq!(said["fp"], document.fp);
    assert_eq!(
        (&said["total"], &said["change"]),
        (&json!(TOTAL), &json!(15_000 - TOTAL))
    );
    // FF0A: kind, number, sign, sale, sum.
    assert_eq!(said["short"], json!([RECEIPT, document.fd, document.fp, 1, TOTAL]));
    for (tag, value) in [
        (1020, TOTAL),
        (1031, TOTAL - 5000),
        (1081, 5000),
        (1102, VAT_20),
        (1103, VAT_10),
    ] {
        assert_eq!(document.tag(tag), Some(&json!(value)), "tag {tag}");
    }
    assert_eq!(document.tag(1008), Some(&json!("a@example.org")));
    assert_eq!(document.tag(1059).unwrap()[1]["1030"], "Яблоки, кг");
    assert_eq!(read_back(said), document.tlv);
}

/// The document that the client read from the FN, put together again as the ledger prints it.
fn read_back(said: &Value) -> String {
    element(&json!([said["kind"], said["tags"]]))
}

fn element(pair: &Value) -> String {
    let tag = u16::try_from(pair[0].as_u64().unwrap()).unwrap();
    let value = match &pair[1] {
        Value::Array(inner) => inner.iter().map(element).collect(),
        text => text.as_str().unwrap().to_owned(),
    };
    let little = |number: u16| number.to_le_bytes().map(|byte| format!("{byte:02x}")).concat();
    let length = u16::try_from(value.len() / 2).unwrap();
    format!("{}{}{value}", little(tag), little(length))
}
