//! A port that plays a script, for the tests of the exchange and of drivers.
//!
//! Owns: the script language: plain text, one step a line.
//! Must never: answer what the script does not say.
//!
//! `> HEX` the host sends exactly this; `< HEX` the device sends this; `ask HEX` the host sends a frame with this payload
//! and gets ACK; `say HEX` the device sends a frame with this payload and gets ACK; `enq` the host sends ENQ and gets
//! NAK; `ask2 NUMBER HEX` and `say2 NUMBER HEX` are a frame of link v2 with that number (hexadecimal), one way each; `wait MS` the device does nothing for that long; `eof` the stream ends; `flood HEX` the device sends this without
//! end and takes anything; `drip MS` the device sends a byte 02 each time, without end, and takes anything; `silent` the
//! device takes anything and says nothing. `#` begins a comment.

use crate::parts::Port;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Host(Vec<u8>),
    Device(Vec<u8>),
    Wait(u64),
    Until(Instant),
    Eof,
    Flood(Vec<u8>),
    Drip(u64),
    Silent,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    /// The first thing the host did against the script.
    wrong: Option<String>,
    sent: Vec<u8>,
}

/// The port; see the module.
pub(crate) struct ScriptPort(Arc<Mutex<State>>);

/// What the host did, for the test to look at.
#[derive(Clone)]
pub(crate) struct Played(Arc<Mutex<State>>);

impl Played {
    /// Fails unless the host sent what the script says, all of it, and nothing else.
    pub(crate) fn finish(&self) {
        let state = self.0.lock().unwrap();
        assert_eq!(state.wrong, None);
        let endless = |step: &Step| matches!(step, Step::Silent | Step::Flood(_) | Step::Drip(_) | Step::Eof);
        assert!(state.steps.iter().all(endless), "not played: {:02X?}", state.steps);
    }

    /// Every byte the host sent.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.0.lock().unwrap().sent.clone()
    }
}

/// A frame around a payload, computed here and not by the codec under test.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let lrc = payload.iter().fold(length, |sum, byte| sum ^ byte);
    [&[0x02, length], payload, &[lrc]].concat()
}

/// A v2 frame around a number and a payload, computed here and not by the codec under test.
pub(crate) fn frame2(number: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap();
    let mut plain = [&length.to_le_bytes(), &number.to_le_bytes(), payload].concat();
    let crc = plain.iter().fold(0xFFFF_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    plain.extend(crc.to_le_bytes());
    let stuffed = plain.into_iter().flat_map(|byte| match byte {
        0x8F => vec![0x9F, 0x81],
        0x9F => vec![0x9F, 0x83],
        byte => vec![byte],
    });
    [0x8F].into_iter().chain(stuffed).collect()
}

fn numbered(rest: &str) -> Vec<u8> {
    let (number, payload) = rest.split_once(' ').unwrap();
    frame2(u16::from_str_radix(number, 16).unwrap(), &hex(payload))
}

/// Bytes of a text of hexadecimal digits; spaces count for nothing.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits: {text}");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect(text);
    digits.chunks(2).map(byte).collect()
}

/// A port that plays `script`, and what will have been played.
pub(crate) fn script(script: &str) -> (Box<dyn Port>, Played) {
    let steps = script
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .flat_map(steps_of);
    let state = Arc::new(Mutex::new(State {
        steps: steps.collect(),
        ..State::default()
    }));
    (Box::new(ScriptPort(Arc::clone(&state))), Played(state))
}

fn steps_of(line: &str) -> Vec<Step> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "" => vec![],
        ">" => vec![Step::Host(hex(rest))],
        "<" => vec![Step::Device(hex(rest))],
        "ask" => vec![Step::Host(frame(&hex(rest))), Step::Device(vec![0x06])],
        "say" => vec![Step::Device(frame(&hex(rest))), Step::Host(vec![0x06])],
        "ask2" => vec![Step::Host(numbered(rest))],
        "say2" => vec![Step::Device(numbered(rest))],
        "enq" => vec![Step::Host(vec![0x05]), Step::Device(vec![0x15])],
        "wait" => vec![Step::Wait(rest.parse().unwrap())],
        "eof" => vec![Step::Eof],
        "flood" => vec![Step::Flood(hex(rest))],
        "drip" => vec![Step::Drip(rest.parse().unwrap())],
        "silent" => vec![Step::Silent],
        other => panic!("no such step: {other}"),
    }
}

impl State {
    fn take(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        for byte in bytes {
            match self.steps.front_mut() {
                Some(Step::Silent | Step::Flood(_) | Step::Drip(_) | Step::Eof) => return,
                Some(Step::Host(expected)) if expected.first() == Some(byte) => {
                    expected.remove(0);
                    if expected.is_empty() {
                        self.steps.pop_front();
                    }
                }
                other => {
                    let text = format!("the host sent {bytes:02X?} (at {byte:02X}) where the script has {other:02X?}");
                    self.wrong.get_or_insert(text);
                    return;
                }
            }
        }
    }

    fn give(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self.steps.front_mut() {
            Some(Step::Device(bytes)) => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    self.steps.pop_front();
                }
                Some(count)
            }
            Some(Step::Flood(pattern)) => {
                buffer
                    .iter_mut()
                    .zip(pattern.iter().cycle())
                    .for_each(|(place, byte)| *place = *byte);
                Some(buffer.len())
            }
            Some(Step::Eof) => Some(0),
            _ => None,
        }
    }
}

#[async_trait]
impl Port for ScriptPort {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let step = {
                let mut state = self.0.lock().unwrap();
                if let Some(count) = state.give(buffer) {
                    return Ok(count);
                }
                if let Some(front @ Step::Wait(_)) = state.steps.front_mut() {
                    let Step::Wait(millis) = *front else { unreachable!() };
                    *front = Step::Until(Instant::now() + Duration::from_millis(millis));
                }
                state.steps.front().cloned()
            };
            match step {
                Some(Step::Until(at)) => {
                    sleep_until(at).await;
                    self.0.lock().unwrap().steps.pop_front();
                }
                Some(Step::Drip(millis)) => {
                    sleep(Duration::from_millis(millis)).await;
                    buffer[0] = 0x02;
                    return Ok(1);
                }
                _ => std::future::pending().await,
            }
        }
    }

    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap().take(bytes);
        Ok(())
    }

    async fn discard(&mut self) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let arrived = |step: &Step| match step {
            Step::Device(_) => true,
            Step::Until(at) => *at <= Instant::now(),
            _ => false,
        };
        while state.steps.front().is_some_and(arrived) {
            state.steps.pop_front();
        }
        Ok(())
    }

    async fn set_baud(&mut self, _baud: u32) -> std::io::Result<()> {
        Ok(())
    }

    fn shared_medium(&self) -> bool {
        false
    }
}
