//! Frames recorded from real registers decode to typed values and encode back to the same bytes.
//!
//! Owns: the count of frames per command; a lost row fails.
//! Must never: tolerate a mismatch that `golden/DIFFERENCES.md` does not explain.

use super::rows::{Carried, Direction, both_ways, captured, unhex, v1_payload, v2_frame};
use kassette_wire::ffd::TlvList;
use kassette_wire::link::shtrih_v1::{ACK, ENQ, Event, FrameScanner, NAK};
use kassette_wire::link::shtrih_v2::Frame;
use kassette_wire::shtrih::{Answer, AnswerFrame, CommandCode, Echo, FnDocumentDetail, OperationKind};
use kassette_wire::value::Kopecks;
use std::collections::BTreeMap;

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    typed: usize,
    refused: usize,
    raw: usize,
}

impl Count {
    fn add(&mut self, carried: Carried) {
        match carried {
            Carried::Typed => self.typed += 1,
            Carried::Refusal => self.refused += 1,
            Carried::Raw => self.raw += 1,
        }
    }
}

type Counts = BTreeMap<(String, Direction), Count>;

fn count(rows: impl Iterator<Item = (String, Direction, Vec<u8>)>) -> Counts {
    let mut counts = Counts::new();
    let mut wrong = Vec::new();
    for (command, direction, payload) in rows {
        match both_ways(direction, &payload) {
            Ok(carried) => counts.entry((command, direction)).or_default().add(carried),
            Err(what) => wrong.push(format!("{command} {direction:?}: {what}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} frames do not fit:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    counts
}

/// What the test run shows with `--nocapture`, and when it fails.
fn print(counts: &Counts) {
    for ((command, direction), Count { typed, refused, raw }) in counts {
        let (done, all) = (typed + refused, typed + refused + raw);
        println!("{command:>5} {direction:?}: {done} of {all}, of them {refused} refusals");
    }
}

fn totals(counts: &Counts) -> (usize, usize, usize) {
    counts.values().fold((0, 0, 0), |(typed, refused, raw), count| {
        (typed + count.typed, refused + count.refused, raw + count.raw)
    })
}

#[test]
fn every_captured_v1_frame_is_typed_and_encodes_back_to_the_same_bytes() {
    let rows = captured("shtrih-v1.jsonl");
    let frames = rows.iter().filter(|row| row.bytes().len() > 1);
    let counts = count(frames.map(|row| (row.cmd.clone(), row.direction(), v1_payload(&row.bytes()))));
    print(&counts);
    // Counted by a script of its own from the file: a row that is dropped or changes sides fails here.
    assert_eq!(totals(&counts), (910, 35, 0));
}

#[test]
fn captured_answers_echo_the_command_they_belong_to() {
    for row in captured("shtrih-v1.jsonl") {
        if row.direction() != Direction::ToHost || row.bytes().len() == 1 {
            continue;
        }
        let code = unhex(&row.cmd);
        let (sent, _) = CommandCode::split_request(&code).unwrap();
        let frame = AnswerFrame::decode(&v1_payload(&row.bytes())).unwrap();
        let old_model = frame.command == CommandCode::PREFIX_FF;
        let expected = if old_model { Echo::Prefix } else { Echo::Same };
        assert_eq!(frame.echo(sent), expected, "{row:?}");
        assert_eq!(frame.echo(CommandCode::DEVICE_TYPE) == Echo::Same, row.cmd == "FC");
    }
}

#[test]
fn the_captured_byte_stream_splits_into_its_rows() {
    for direction in [Direction::ToRegister, Direction::ToHost] {
        let rows = captured("shtrih-v1.jsonl");
        let rows: Vec<_> = rows.iter().filter(|row| row.direction() == direction).collect();
        let stream: Vec<u8> = rows.iter().flat_map(|row| row.bytes()).collect();
        let expected: Vec<Event> = rows
            .iter()
            .map(|row| match row.bytes().as_slice() {
                [ENQ] => Event::Enq,
                [ACK] => Event::Ack,
                [NAK] => Event::Nak,
                [other] => Event::Stray(*other),
                frame => Event::Frame(v1_payload(frame)),
            })
            .collect();
        assert_eq!(FrameScanner::new().push_all(&stream), expected);
    }
}

#[test]
fn every_captured_v2_payload_is_typed_and_encodes_back_to_the_same_bytes() {
    let rows = captured("shtrih-v2.jsonl");
    let payloads = rows.iter().filter_map(|row| match v2_frame(&row.bytes()) {
        Frame::Numbered { data, .. } if !data.is_empty() => Some((row.cmd.clone(), row.direction(), data)),
        _ => None,
    });
    let counts = count(payloads);
    print(&counts);
    assert_eq!(totals(&counts), (135, 2, 0));
}

#[test]
fn captured_tlv_lists_decode_and_encode_back_to_the_same_bytes() {
    let rows = captured("ofd-fn.ndjson");
    let lists: Vec<_> = rows.iter().filter(|row| row.link == "tlv").collect();
    assert_eq!(lists.len(), 14);
    for row in lists {
        let list = TlvList::decode(&row.bytes()).unwrap_or_else(|error| panic!("{}: {error}", row.origin));
        list.check_tree().unwrap();
        assert_eq!(list.encode().unwrap(), row.bytes(), "{}", row.origin);
        for tlv in &list.items {
            let known = tlv.tag.info().is_some() || tlv.tag.is_list();
            assert!(known, "tag {} of {}", tlv.tag, row.origin);
        }
    }
}

fn fn_document(body: &[u8]) -> FnDocumentDetail {
    let answer = Answer::decode(CommandCode::FN_DOCUMENT, body).unwrap();
    assert_eq!(answer.encode().unwrap(), body);
    let Answer::FnDocument(document) = answer else {
        panic!("{answer:?}");
    };
    let detail = document.detail().unwrap();
    assert_eq!(detail.encode().unwrap(), document.body);
    detail
}

#[test]
fn captured_fn_bodies_fit_the_commands_that_pass_them_on() {
    let mut seen = BTreeMap::new();
    for row in captured("ofd-fn.ndjson").iter().filter(|row| row.link == "fn-body") {
        let command = match row.cmd.as_str() {
            "12" => CommandCode::FN_OPEN_SHIFT,
            "19" => CommandCode::CALCULATION_REPORT,
            "30" => CommandCode::FN_STATUS,
            "40" => CommandCode::FN_DOCUMENT,
            _ => continue,
        };
        *seen.entry(command).or_insert(0) += 1;
        let answer = Answer::decode(command, &row.bytes()).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        assert_eq!(answer.encode().unwrap(), row.bytes(), "{row:?}");
        if command == CommandCode::FN_DOCUMENT {
            fn_document(&row.bytes());
        }
    }
    assert_eq!(seen.values().copied().collect::<Vec<i32>>(), [3, 5, 1, 1]);
}

#[test]
fn a_captured_receipt_of_ff0a_reads_as_sale_of_200_roubles() {
    let receipt = unhex("03 00 11 03 18 14 35 A3 00 00 00 EB EA 4B 2E 01 20 4E 00 00 00");
    let settlement = FnDocumentDetail::Settlement {
        operation: OperationKind::Sale,
        total: Kopecks::new(20_000).unwrap(),
    };
    assert_eq!(fn_document(&receipt), settlement);
}
