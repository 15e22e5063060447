//! The link of a register: which of the two low levels it speaks, and what is kept for v2 (`shtrih-m.md` 1.4).
//!
//! Owns: the choice by the first byte, scanners, the end of a frame that stops, number and last answer of v2, framing.
//! Must never: carry out a command, or decide when an answer leaves.

use super::answering::refusal;
use super::printer;
use super::register::Register;
use crate::moment::Moment;
use kassette_wire::link::{shtrih_v1, shtrih_v2};
use kassette_wire::shtrih::AnswerFrame;
use std::time::Duration;

/// Most bytes of one command, as F7 says.
const MAX_COMMAND: usize = 255;
/// Number of the empty answer before any command: the first command is 2 (1.4 and captures).
const NOTHING_YET: u16 = shtrih_v2::FIRST_NUMBER;

/// What a byte completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    V1(shtrih_v1::Event),
    V2(shtrih_v2::Frame),
}

/// How an answer is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    V1,
    /// With the number of the command.
    V2(u16),
}

impl Framing {
    /// The frame of an answer. Every answer fits: texts have at most 250 bytes, parts of documents 252.
    pub fn frame_of(self, answer: &AnswerFrame) -> Vec<u8> {
        self.wrap(&answer.encode())
            .or_else(|| self.wrap(&refusal(answer.command, 0x39).encode()))
            .unwrap_or_default()
    }

    /// The frame of a payload; `None` when it is too long.
    pub fn wrap(self, payload: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::V1 => shtrih_v1::encode_frame(payload).ok(),
            Self::V2(number) => shtrih_v2::Frame::numbered(number, payload.to_vec()).encode().ok(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    V1,
    V2,
}

/// What a v2 frame asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The last answer again: sync, a repeated number, or any number that is not the next.
    LastAnswer,
    /// The next command.
    Command(Vec<u8>),
}

/// The link as it stands.
#[derive(Debug, Clone)]
pub(super) struct Link {
    offers_v2: bool,
    /// Chosen by the first byte; it stays until the power goes or command 14 (1.4).
    speaks: Option<Protocol>,
    v1: shtrih_v1::FrameScanner,
    v2: shtrih_v2::FrameScanner,
    /// Number of the last answer on v2.
    number: u16,
    /// That answer as a frame.
    last: Option<Vec<u8>>,
}

impl Link {
    pub fn new(offers_v2: bool) -> Self {
        Self {
            offers_v2,
            speaks: None,
            v1: shtrih_v1::FrameScanner::new(),
            v2: shtrih_v2::FrameScanner::with_max_data(MAX_COMMAND),
            number: NOTHING_YET,
            last: None,
        }
    }

    /// Takes one byte. Damaged frames and stray bytes of v2 are nothing: they are answered by silence.
    pub fn push(&mut self, byte: u8) -> Option<Heard> {
        if self.offers_v2 && self.speaks.is_none() {
            self.speaks = match byte {
                shtrih_v1::ENQ | shtrih_v1::STX => Some(Protocol::V1),
                shtrih_v2::STX => Some(Protocol::V2),
                _ => None,
            };
        }
        if !self.is_v2() {
            return self.v1.push(byte).map(Heard::V1);
        }
        match self.v2.push(byte) {
            Some(shtrih_v2::Event::Frame(frame)) => Some(Heard::V2(frame)),
            Some(shtrih_v2::Event::Damaged(_) | shtrih_v2::Event::Stray(_)) | None => None,
        }
    }

    pub fn is_v2(&self) -> bool {
        self.speaks == Some(Protocol::V2)
    }

    pub fn in_frame(&self) -> bool {
        self.v1.in_frame() || self.v2.in_frame()
    }

    /// Forgets a begun frame.
    pub fn reset(&mut self) {
        self.v1.reset();
        self.v2.reset();
    }

    /// The next first byte chooses the protocol again.
    pub const fn detect_again(&mut self) {
        self.speaks = None;
    }

    /// Numbers and the kept answer begin anew: a new TCP connection (captures), or the power was off.
    pub fn restart_numbers(&mut self) {
        self.number = NOTHING_YET;
        self.last = None;
    }

    /// Without power nothing of the link stays.
    pub fn lose_power(&mut self) {
        self.reset();
        self.detect_again();
        self.restart_numbers();
    }

    /// Framing of the answer to the command that is being taken.
    pub fn framing(&self) -> Framing {
        if self.is_v2() {
            Framing::V2(shtrih_v2::next_number(self.number))
        } else {
            Framing::V1
        }
    }

    pub fn asked(&self, frame: shtrih_v2::Frame) -> Asked {
        match frame {
            shtrih_v2::Frame::Numbered { number, data } if number == shtrih_v2::next_number(self.number) => {
                Asked::Command(data)
            }
            shtrih_v2::Frame::Numbered { .. } | shtrih_v2::Frame::Sync => Asked::LastAnswer,
        }
    }

    /// Keeps the answer of the command under its number, framed as [`Link::framing`] said.
    pub fn keep(&mut self, answer: Vec<u8>) {
        self.number = shtrih_v2::next_number(self.number);
        self.last = Some(answer);
    }

    /// The last answer, or the empty frame of a register that has executed nothing.
    pub fn last_answer(&self) -> Vec<u8> {
        let empty = || Framing::V2(self.number).wrap(&[]).unwrap_or_default();
        self.last.clone().unwrap_or_else(empty)
    }
}

impl Register {
    /// A frame whose bytes stop for this long is given up.
    pub(super) fn byte_timeout(&self) -> Duration {
        printer::byte_timeout(self.device.memory.byte_timeout)
    }

    /// A byte timeout inside a frame (1.2; what the register then says is unverified).
    pub(super) fn give_up_frame(&mut self, now: Moment) {
        if self.link.in_frame() && now.elapsed >= self.last_byte + self.byte_timeout() {
            self.link.reset();
            if self.device.config.switches.nak_after_byte_timeout && !self.link.is_v2() {
                self.send_now(now, shtrih_v1::NAK);
            }
        }
    }
}
