//! A register brought to where a conversation begins, and the host's side of it played again.
//!
//! Owns: the link to the simulated register in the framing of the capture, and the state before the first row.
//! Must never: send anything of its own once the first row was sent, but what the log leaves out.

use super::captured::{Conversation, Exchange, Link, Step};
use crate::bench::{Bench, close_with, config, error_of, hex, payload_of};
use kassette_hw_sim::machine::Machine;
use kassette_hw_sim::models::shtrih_m::{Config, Ffd, LinkKind};
use kassette_hw_sim::switches::Printing;
use std::ops::ControlFlow;

const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const FILL: u8 = 0xFF;
/// Administrator, for what brings the register to its state.
const PASSWORD: [u8; 4] = [30, 0, 0, 0];

/// The state in which a conversation begins, as far as its answers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Shift,
    Late,
    Receipt(u8),
    Printing,
}

/// What our register said in one step.
pub struct Heard {
    pub control: Vec<u8>,
    pub answer: Option<Vec<u8>>,
    pub number: u16,
}

pub struct Stage {
    bench: Bench,
    link: Link,
    /// Number of the last frame on v2.
    number: u16,
    /// Bytes that came after our ACK: the host of a TCP link meets them with the next answer.
    late: Vec<u8>,
    /// The receipt that FF3B reads.
    read: Option<u32>,
    /// Fields that the conversation wrote, by table, row and field.
    written: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Stage {
    pub fn before(conversation: &Conversation) -> Self {
        let mut stage = Self {
            bench: Bench::new(config_for(conversation)),
            link: conversation.link,
            number: 1,
            late: Vec::new(),
            read: None,
            written: Vec::new(),
        };
        if stage.link == Link::V2 {
            assert_eq!(stage.sync(), 1);
        }
        // A receipt belongs to the operator who goes on with it.
        let password = conversation.exchanges().find_map(|one| match one.request.as_slice() {
            [0x85 | 0x88 | 0x89, password @ ..] | [0xFF, 0x46, password @ ..] => password.get(..4),
            _ => None,
        });
        stage.bring_to(state_at_start(conversation), password.unwrap_or(&PASSWORD));
        let asked: Vec<u8> = [&[0x10][..], &PASSWORD].concat();
        match conversation.steps.first() {
            // The answer before the first row was not taken.
            Some(Step::Enquiry { reply }) if reply.contains(&ACK) => drop(stage.bench.wire(&asked)),
            // It was, and the byte that TCP shows after it is still under way.
            Some(Step::Enquiry { reply: control } | Step::Exchange(Exchange { control, .. }))
                if control.contains(&FILL) =>
            {
                drop(stage.ask(&asked));
            }
            _ => {}
        }
        stage
    }

    /// What the conversation wrote into the field that a request reads.
    pub fn written(&self, request: &[u8]) -> Option<&[u8]> {
        let place = request.get(5..9)?;
        let found = self.written.iter().rev().find(|(at, _)| at == place)?;
        Some(&found.1)
    }

    /// ENQ; a kept answer is taken, so that the next command finds the register ready.
    pub fn enquire(&mut self) -> Vec<u8> {
        let mut control = std::mem::take(&mut self.late);
        let out = self.bench.raw(&[ENQ]);
        control.extend(out.first());
        if out.len() > 1 {
            self.late = self.bench.raw(&[ACK]);
        }
        control
    }

    /// An empty frame on a new connection; the number of the answer.
    pub fn sync(&mut self) -> u16 {
        self.bench.register.linked(self.bench.now, false);
        self.bench.register.linked(self.bench.now, true);
        let (number, data) = unnumbered(&self.bench.raw(&numbered(None, &[])));
        assert!(data.is_empty(), "a new connection has an answer: {}", hex(&data));
        self.number = number;
        number
    }

    /// Sends a recorded request in the framing of its link.
    pub fn play(&mut self, exchange: &Exchange) -> Heard {
        if exchange.request[0] == 0x1E && exchange.request.len() > 9 {
            let (place, value) = exchange.request[5..].split_at(4);
            self.written.push((place.to_vec(), value.to_vec()));
        }
        match self.link {
            Link::V1 => self.play_v1(exchange),
            Link::V2 => self.play_v2(exchange),
        }
    }

    fn play_v1(&mut self, exchange: &Exchange) -> Heard {
        let mut out = std::mem::take(&mut self.late);
        out.extend(self.bench.wire(&exchange.request));
        let begin = out.iter().position(|byte| !matches!(*byte, ACK | NAK | FILL));
        let answer = begin.map(|at| payload_of(&out[at..]));
        if exchange.taken && answer.is_some() {
            self.late = self.bench.raw(&[ACK]);
        }
        out.truncate(begin.unwrap_or(out.len()));
        Heard {
            control: out,
            answer,
            number: 0,
        }
    }

    fn play_v2(&mut self, exchange: &Exchange) -> Heard {
        if exchange.request.starts_with(&[0xFF, 0x3B]) && exchange.number != self.number.wrapping_add(1) {
            self.read_up_to(exchange);
        }
        self.count_up_to(exchange.number);
        let (number, data) = self.send_v2(exchange.number, &exchange.request);
        Heard {
            control: Vec::new(),
            answer: Some(data),
            number,
        }
    }

    /// Frames that the capture leaves out, until the next one has this number.
    fn count_up_to(&mut self, next: u16) {
        if next <= self.number {
            self.sync();
        }
        while self.number.wrapping_add(1) < next {
            self.ask(&[0xFC]);
        }
    }

    /// Begins to read a receipt and stops in front of the tag that the captured answer holds.
    fn read_up_to(&mut self, exchange: &Exchange) {
        let Some(tag) = exchange.answer.as_ref().and_then(|answer| answer.get(3..5)) else {
            return;
        };
        let fd = self.read.unwrap_or_else(|| self.receipt());
        self.read = Some(fd);
        let begin = [&[0xFF, 0x3A][..], &PASSWORD, &fd.to_le_bytes()].concat();
        let next = [&[0xFF, 0x3B][..], &PASSWORD].concat();
        self.count_up_to(2);
        self.ask(&begin);
        let before = std::iter::from_fn(|| Some(self.ask(&next)))
            .take_while(|answer| answer[2] == 0)
            .try_fold(0, |n, answer| {
                if &answer[3..5] == tag {
                    ControlFlow::Break(n)
                } else {
                    ControlFlow::Continue(n + 1)
                }
            });
        let ControlFlow::Break(before) = before else {
            panic!("our receipt has no tag {}", hex(tag));
        };
        self.ask(&begin);
        (0..before).for_each(|_| drop(self.ask(&next)));
    }

    /// A whole receipt of the recorded item; its number. Opens a shift if there is none.
    fn receipt(&mut self) -> u32 {
        // An open receipt ends, a closed shift opens; a refusal of either is as good.
        self.ask(&[&[0x88][..], &PASSWORD].concat());
        self.idle();
        self.ask(&[&[0xE0][..], &PASSWORD].concat());
        self.open_receipt(0, &PASSWORD);
        let mut item = crate::bench::item("Икра", 1_000_000, 1000, Some(1000), 2);
        // Payment of it for what tag 1212 calls 10, as the only recorded item whose document was read back.
        item[31] = 0x0A;
        assert_eq!(error_of(&self.ask(&item)), 0);
        let answer = self.ask(&close_with(&[(0, 1000)], 0, 1));
        assert_eq!(error_of(&answer), 0, "FF45: {}", hex(&answer));
        u32::from_le_bytes([answer[8], answer[9], answer[10], answer[11]])
    }

    /// Waits until nothing is printed.
    fn idle(&mut self) {
        let state = [&[0x10][..], &PASSWORD].concat();
        while self.ask(&state)[6] == 5 {}
    }

    fn open_receipt(&mut self, status: u8, password: &[u8]) {
        self.idle();
        let answer = self.ask(&[&[0x8D][..], password, &[status]].concat());
        assert_eq!(error_of(&answer), 0, "8D: {}", hex(&answer));
    }

    fn item(&mut self, status: u8, password: &[u8]) {
        let mut item = crate::bench::item("Товар", 1_000_000, 100, None, 8);
        item[2..6].copy_from_slice(password);
        // 8D counts sale, buy, sale return, buy return; FF46 sale, sale return, buy, buy return.
        item[6] = [1, 3, 2, 4][usize::from(status)];
        let answer = self.ask(&item);
        assert_eq!(error_of(&answer), 0, "FF46: {}", hex(&answer));
    }

    fn bring_to(&mut self, state: State, password: &[u8]) {
        if state == State::Closed {
            return;
        }
        self.ask(&[&[0xE0][..], &PASSWORD].concat());
        // Cash for receipts that give money back.
        self.idle();
        self.ask(&[&[0x50][..], &PASSWORD, &[0xFF, 0xFF, 0xFF, 0, 0]].concat());
        self.idle();
        match state {
            State::Closed | State::Shift => {}
            State::Late => self.bench.pass_hours(25),
            State::Receipt(status) => {
                self.open_receipt(status, password);
                self.item(status, password);
            }
            State::Printing => drop(self.receipt()),
        }
    }

    /// One exchange beside the capture.
    fn ask(&mut self, payload: &[u8]) -> Vec<u8> {
        match self.link {
            Link::V1 => {
                let out = self.bench.wire(payload);
                assert_eq!(out.first(), Some(&ACK), "{} → {}", hex(payload), hex(&out));
                self.late = self.bench.raw(&[ACK]);
                payload_of(&out[1..])
            }
            Link::V2 => self.send_v2(self.number + 1, payload).1,
        }
    }

    fn send_v2(&mut self, number: u16, payload: &[u8]) -> (u16, Vec<u8>) {
        let mut out = self.bench.raw(&numbered(Some(number), payload));
        out.extend(self.bench.wait());
        self.number = number;
        unnumbered(&out)
    }
}

/// What the conversation's first telling answer says about the state before it.
fn state_at_start(conversation: &Conversation) -> State {
    let told = conversation.exchanges().find_map(|exchange| {
        let answer = exchange.answer.as_ref()?;
        if let ([0xFF, 0x01, ..], [0xFF, 0x01, 0, _, document, _, shift, ..]) =
            (exchange.request.as_slice(), answer.as_slice())
        {
            return Some(match (document, shift) {
                (0x04, _) => State::Receipt(0),
                (_, 1) => State::Shift,
                _ => State::Closed,
            });
        }
        let two_bytes = answer[0] == 0xFF && answer.len() > 2;
        match (exchange.request.as_slice(), answer[1 + usize::from(two_bytes)]) {
            ([0x10, ..], 0) => of_mode(conversation.link, *answer.get(5)?, *answer.get(6)?),
            ([0x11, ..], 0) => of_mode(conversation.link, *answer.get(15)?, *answer.get(16)?),
            ([0x88 | 0x85 | 0x89, ..] | [0xFF, 0x08 | 0x45 | 0x46 | 0x4D | 0x0C, ..], 0) => Some(State::Receipt(0)),
            ([0x8D | 0x80..=0x83 | 0x40 | 0x50, ..] | [0xFF, 0x35, ..], 0) => Some(State::Shift),
            ([0x40 | 0x25, ..], 0x50) => Some(State::Printing),
            ([0x88, ..], 0x73) => Some(State::Shift),
            ([0xFF, 0x45, ..], 0xB9) | ([0xFF, 0x0C, ..], 0x33) => Some(State::Receipt(0)),
            ([0xE0, ..], 0) | ([0x41, ..], 0x73) => Some(State::Closed),
            _ => None,
        }
    });
    told.unwrap_or(State::Closed)
}

fn of_mode(link: Link, mode: u8, submode: u8) -> Option<State> {
    match (mode & 0x0F, submode) {
        (2, _) => Some(State::Shift),
        (3, _) => Some(State::Late),
        (4, _) => Some(State::Closed),
        // A desktop model prints the lines of an open receipt; a terminal prints when it is closed.
        (8, 5) if link == Link::V2 => Some(State::Printing),
        (8, _) => Some(State::Receipt(mode >> 4)),
        _ => None,
    }
}

/// So many looks at the state as the recorded register still printed.
fn printing(conversation: &Conversation) -> Option<Printing> {
    let all: Vec<&Exchange> = conversation.exchanges().collect();
    let answers = |one: &Exchange, what: fn(&[u8]) -> bool| one.answer.as_deref().is_some_and(what);
    let printing = |answer: &[u8]| answer.len() == 2 && answer[1] == 0x50;
    if all.len() < 3 && all.iter().any(|one| answers(one, printing)) {
        return Some(Printing::Polls(u32::MAX));
    }
    // The recorded desktop models print single lines, which takes no time here.
    if conversation.link == Link::V1 {
        return None;
    }
    let last = all
        .iter()
        .rposition(|one| answers(one, |answer| answer[0] == 0x10 && answer.get(6) == Some(&5)))?;
    let looks = all[..=last]
        .iter()
        .filter(|one| matches!(one.request[0], 0x10 | 0x11))
        .count();
    Some(Printing::Polls(looks as u32))
}

/// The model that spoke, with the readings of the reference that its own answers show.
fn config_for(conversation: &Conversation) -> Config {
    let mut config = config();
    let cash_core = conversation.link == Link::V2 || conversation.device == "ШТРИХ-СМАРТПОС-Ф";
    if !conversation.device.is_empty() {
        config.model = conversation.device.split(',').next().unwrap_or_default().to_owned();
    }
    if conversation.device == "ШТРИХ-М-ФР-К" {
        config.model_code = 0xFA;
    }
    if conversation.is_tcp() || conversation.link == Link::V2 {
        config.link = LinkKind::Tcp;
    }
    config.switches.link_v2 = conversation.link == Link::V2;
    config.switches.char_limits_in_2e = !cash_core;
    if cash_core {
        config.model_code = 0x2D;
        config.switches.cash_core = true;
        config.switches.print_result = true;
        config.switches.char_values_unpadded = true;
        config.switches.long_full_state = true;
    }
    if conversation
        .exchanges()
        .any(|one| one.request.starts_with(&[0xFF, 0x35]))
    {
        config.ffd = Ffd::V105;
    }
    // Tag 1162 of an item, and an item without 2108 that was read back: before FFD 1.2.
    let before_12 =
        |one: &Exchange| one.request.get(6..8) == Some(&[0x8A, 0x04]) || one.request.starts_with(&[0xFF, 0x3B]);
    if conversation.exchanges().any(before_12) {
        config.ffd = Ffd::V105;
    }
    config.switches.printing = printing(conversation);
    config
}

/// CRC of the reference: FFFF, 1021, not reflected.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
        })
    })
}

fn numbered(number: Option<u16>, data: &[u8]) -> Vec<u8> {
    let body: Vec<u8> = number
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .chain(data.iter().copied())
        .collect();
    let mut plain = (body.len() as u16).to_le_bytes().to_vec();
    plain.extend(body);
    plain.extend_from_slice(&crc(&plain).to_le_bytes());
    let stuffed = plain.iter().flat_map(|byte| match byte {
        0x8F => vec![0x9F, 0x81],
        0x9F => vec![0x9F, 0x83],
        byte => vec![*byte],
    });
    [0x8F].into_iter().chain(stuffed).collect()
}

/// Number and data of one whole frame with a right CRC.
fn unnumbered(bytes: &[u8]) -> (u16, Vec<u8>) {
    let (number, data) = super::captured::numbered(bytes).expect("a frame with a number");
    assert_eq!(numbered(Some(number), &data), bytes, "damaged frame");
    (number, data)
}
