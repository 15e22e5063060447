//! A peer on one port that speaks v1 or v2 and knows how to ask again.
//!
//! Owns: the number of the last frame on v2, and what v1 leaves on the line over TCP.
//! Must never: hide a byte that should not have come.

use crate::simulator::{ACK, ENQ, Line, NAK, frame, numbered};
use std::time::Duration;

/// How long a retry waits for its answer.
const RETRY: Duration = Duration::from_millis(100);
const RETRIES: usize = 200;

pub struct Peer {
    line: Line,
    v2: bool,
    tcp: bool,
    number: u16,
    /// The last frame that was sent on v2.
    sent: Vec<u8>,
}

impl Peer {
    pub fn new(line: Line, v2: bool, tcp: bool) -> Self {
        let mut peer = Self {
            line,
            v2,
            tcp,
            number: 0,
            sent: Vec::new(),
        };
        if v2 {
            // An empty frame: the answer tells the last number.
            peer.line.send(&[0x8F, 0x00, 0x00, 0x0F, 0x1D]);
            peer.number = peer.line.numbered_answer().0;
        }
        peer
    }

    pub const fn is_v2(&self) -> bool {
        self.v2
    }

    /// One clean exchange.
    pub fn ask(&mut self, command: &[u8]) -> Vec<u8> {
        self.send(command);
        self.answer()
    }

    pub fn send(&mut self, command: &[u8]) {
        if self.v2 {
            self.number += 1;
            self.sent = numbered(self.number, command);
        } else {
            self.sent = [&[ENQ], &frame(command)[..]].concat();
        }
        self.line.send(&self.sent);
    }

    /// What v1 says before the answer: ready, and the frame is whole.
    pub fn expect_accepted(&mut self) {
        if !self.v2 {
            self.line.expect(&[NAK, ACK]);
        }
    }

    /// The answer to what was sent, with its number on v2.
    pub fn answer(&mut self) -> Vec<u8> {
        self.expect_accepted();
        self.take()
    }

    fn take(&mut self) -> Vec<u8> {
        if self.v2 {
            let (number, data) = self.line.numbered_answer();
            assert_eq!(number, self.number);
            return data;
        }
        let data = self.line.answer();
        self.line.send(&[ACK]);
        if self.tcp {
            self.line.expect(&[0xFF]);
        }
        data
    }

    /// The answer that the register kept for whoever comes next, on v1.
    pub fn kept(&mut self) -> Option<Vec<u8>> {
        if self.v2 { None } else { self.recover() }
    }

    /// Asks for the answer of a command that was accepted; `None` when the register has none.
    pub fn recover(&mut self) -> Option<Vec<u8>> {
        if self.v2 {
            self.line.send(&self.sent);
            return Some(self.take());
        }
        self.line.send(&[ENQ]);
        match self.line.byte() {
            NAK => None,
            ACK => Some(self.take()),
            other => panic!("{other:02X} came to ENQ"),
        }
    }

    /// As [`Peer::recover`], again and again while the register is silent.
    pub fn recover_in_time(&mut self) -> Vec<u8> {
        self.expect_accepted();
        for _ in 0..RETRIES {
            let ask = if self.v2 { &self.sent[..] } else { &[ENQ] };
            self.line.send(ask);
            if !self.line.has_byte_within(RETRY) {
                continue;
            }
            if !self.v2 {
                self.line.expect(&[ACK]);
            }
            return self.take();
        }
        panic!("the register stayed silent");
    }

    /// Passes over a damaged answer and asks for the whole one.
    pub fn recover_damaged(&mut self) -> Vec<u8> {
        if self.v2 {
            self.line.send(&self.sent);
            // Between the damaged frame and the next one nothing is lost: a frame begins at its first byte.
            let (before, number, data) = self.line.numbered_behind_damage();
            assert!(before > 0, "the first answer was whole");
            assert_eq!(number, self.number);
            return data;
        }
        // Marker, length, three bytes, checksum: damage changes bytes, not their number.
        let damaged: Vec<u8> = (0..6).map(|_| self.line.byte()).collect();
        assert_ne!(damaged, frame(&[0xE0, 0x00, 30]), "the first answer was whole");
        self.line.send(&[NAK, ENQ]);
        self.line.expect(&[ACK]);
        self.take()
    }

    pub fn expect_end(&mut self) {
        self.line.expect_end_after_anything();
    }
}
