//! The captures as conversations: what a host sent and what a real register answered, in order.
//!
//! Owns: where a conversation begins and ends, and which rows belong to one exchange.
//! Must never: drop a request, or take a row that has none for an answer.

use crate::bench::{payload_of, unhex};
use serde::Deserialize;
use std::iter::Peekable;
use std::slice::Iter;

const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;

/// Which link layer carried a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    V1,
    V2,
}

#[derive(Debug, Deserialize)]
struct Row {
    origin: String,
    device: String,
    dir: String,
    hex: String,
    note: String,
}

impl Row {
    fn is_request(&self) -> bool {
        self.dir == ">"
    }

    fn bytes(&self) -> Vec<u8> {
        unhex(&self.hex)
    }

    /// Rows before this one are not in the capture, or belong to another connection.
    fn begins(&self) -> bool {
        [
            "rows left out",
            "gap in the",
            "next session",
            "other session",
            "next connection",
        ]
        .iter()
        .any(|words| self.note.contains(words))
    }

    fn has_no_request(&self) -> bool {
        ["request not in the capture", "request left out"]
            .iter()
            .any(|words| self.note.contains(words))
    }
}

/// One turn of the host and what it heard. What the capture does not hold is `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// ENQ on v1, and the control bytes that came.
    Enquiry { reply: Vec<u8> },
    /// An empty frame on v2; the number of the answer.
    Sync { number: u16 },
    /// A command.
    Exchange(Exchange),
}

/// A command and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub request: Vec<u8>,
    /// Number of the frame on v2.
    pub number: u16,
    /// Control bytes of v1 before the answer; empty when the log does not show them.
    pub control: Vec<u8>,
    pub answer: Option<Vec<u8>>,
    /// The host took the answer with ACK.
    pub taken: bool,
}

/// Exchanges of one host with one register without a gap between them.
#[derive(Debug)]
pub struct Conversation {
    pub origin: String,
    pub device: String,
    pub link: Link,
    pub steps: Vec<Step>,
    /// Answers whose request the capture does not hold.
    pub without_request: usize,
}

impl Conversation {
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.steps.iter().filter_map(|step| match step {
            Step::Exchange(exchange) => Some(exchange),
            Step::Enquiry { .. } | Step::Sync { .. } => None,
        })
    }

    /// The byte FF after ACK is seen on TCP alone.
    pub fn is_tcp(&self) -> bool {
        let fill = |bytes: &Vec<u8>| bytes.contains(&0xFF);
        self.steps.iter().any(|step| match step {
            Step::Enquiry { reply } => fill(reply),
            Step::Exchange(exchange) => fill(&exchange.control),
            Step::Sync { .. } => false,
        })
    }
}

/// All conversations of a capture file.
pub fn conversations(link: Link) -> Vec<Conversation> {
    let name = match link {
        Link::V1 => "shtrih-v1.jsonl",
        Link::V2 => "shtrih-v2.jsonl",
    };
    let path = format!("{}/../proto/wire/golden/captures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let same = |a: &Row, b: &Row| a.origin == b.origin && a.device == b.device && !b.begins();
    rows.chunk_by(|a, b| same(a, b) && (link == Link::V1 || follows(a, b)))
        .map(|rows| {
            let (steps, without_request) = match link {
                Link::V1 => steps_v1(rows),
                Link::V2 => steps_v2(rows),
            };
            Conversation {
                origin: rows[0].origin.clone(),
                device: rows[0].device.clone(),
                link,
                steps,
                without_request,
            }
        })
        .collect()
}

/// On v2 a jump of the frame numbers shows that rows are left out.
fn follows(a: &Row, b: &Row) -> bool {
    let number = |row: &Row| numbered(&row.bytes()).map_or(0, |(number, _)| number);
    [number(a), number(a).wrapping_add(1)].contains(&number(b)) || number(a) <= 1
}

fn steps_v1(rows: &[Row]) -> (Vec<Step>, usize) {
    let mut rows = rows.iter().peekable();
    let (_, cut) = heard(&mut rows);
    let (mut steps, mut without_request, mut logged_acks) = (Vec::new(), cut.len(), false);
    while let Some(row) = rows.next() {
        let sent = row.bytes();
        if sent == [ACK] {
            // The answer that it takes was not logged.
            logged_acks = true;
            continue;
        }
        let (control, answers) = heard(&mut rows);
        if sent == [ENQ] {
            without_request += answers.len();
            steps.push(Step::Enquiry { reply: control });
            continue;
        }
        // A second answer to one command is a late one of a command that was not logged.
        without_request += answers.len().saturating_sub(1);
        let taken = rows.next_if(|row| row.is_request() && row.bytes() == [ACK]).is_some();
        logged_acks |= taken;
        steps.push(Step::Exchange(Exchange {
            request: payload_of(&sent),
            number: 0,
            control,
            answer: answers.into_iter().next(),
            taken,
        }));
    }
    if !logged_acks {
        fill_in_acks(&mut steps);
    }
    (steps, without_request)
}

/// Control bytes and answers up to the next row of the host.
fn heard(rows: &mut Peekable<Iter<'_, Row>>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut control, mut answers) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next_if(|row| !row.is_request()) {
        match row.bytes().as_slice() {
            [byte] => control.push(*byte),
            frame => answers.push(payload_of(frame)),
        }
    }
    (control, answers)
}

/// Some logs hold no ACK of the host. There an answer was taken unless the next ENQ is answered by ACK.
fn fill_in_acks(steps: &mut [Step]) {
    for at in 0..steps.len() {
        let kept = matches!(steps.get(at + 1), Some(Step::Enquiry { reply }) if reply.contains(&ACK));
        if let Step::Exchange(exchange) = &mut steps[at] {
            exchange.taken = !kept;
        }
    }
}

/// Number and data of a frame of v2; `None` for the empty one.
pub fn numbered(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut plain = Vec::new();
    let mut rest = bytes[1..].iter();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            0x9F if rest.next() == Some(&0x81) => 0x8F,
            byte => *byte,
        });
    }
    let length = usize::from(u16::from_le_bytes([plain[0], plain[1]]));
    assert_eq!(plain.len(), length + 4, "{}", crate::bench::hex(bytes));
    (length > 0).then(|| {
        let number = u16::from_le_bytes([plain[2], plain[3]]);
        (number, plain[4..length + 2].to_vec())
    })
}

fn steps_v2(rows: &[Row]) -> (Vec<Step>, usize) {
    let (mut steps, mut without_request) = (Vec::new(), 0);
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        if !row.is_request() {
            without_request += 1;
            continue;
        }
        let answer = rows
            .next_if(|row| !row.is_request() && !row.has_no_request())
            .and_then(|row| numbered(&row.bytes()));
        match numbered(&row.bytes()) {
            None => steps.push(Step::Sync {
                number: answer.map_or(0, |(number, _)| number),
            }),
            Some((number, request)) => steps.push(Step::Exchange(Exchange {
                request,
                number,
                control: Vec::new(),
                answer: answer.map(|(_, data)| data),
                taken: true,
            })),
        }
    }
    (steps, without_request)
}
