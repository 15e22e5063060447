//! Rows of the files in `golden/`.
//!
//! Owns: their form.
//! Must never: skip a row it cannot read.

use kassette_wire::link::shtrih_v1::{Event, FrameScanner, encode_frame};
use kassette_wire::link::shtrih_v2;
use kassette_wire::shtrih::{Answer, AnswerFrame, Request};
use serde::Deserialize;
use std::path::PathBuf;

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    ToRegister,
    ToHost,
}

impl Direction {
    pub fn of(mark: &str) -> Self {
        match mark {
            ">" => Self::ToRegister,
            "<" => Self::ToHost,
            other => panic!("direction {other:?}"),
        }
    }
}

/// A row of a capture file.
#[derive(Debug, Deserialize)]
pub struct Captured {
    pub origin: String,
    #[serde(default)]
    pub link: String,
    pub dir: String,
    pub hex: String,
    #[serde(default)]
    pub cmd: String,
}

impl Captured {
    pub fn bytes(&self) -> Vec<u8> {
        unhex(&self.hex)
    }

    pub fn direction(&self) -> Direction {
        Direction::of(&self.dir)
    }
}

pub fn golden(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn captured(name: &str) -> Vec<Captured> {
    let text = golden(&format!("captures/{name}"));
    let rows: Vec<Captured> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty(), "{name} is empty");
    rows
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("{c:?} in {text}")))
        .collect();
    assert!(digits.len().is_multiple_of(2), "{text}");
    let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The payload of bytes that are exactly one good v1 frame; checks that it frames back to the same bytes.
pub fn v1_payload(frame: &[u8]) -> Vec<u8> {
    let events = FrameScanner::new().push_all(frame);
    let [Event::Frame(payload)] = events.as_slice() else {
        panic!("{frame:02X?} is not one frame: {events:?}");
    };
    assert_eq!(encode_frame(payload).unwrap(), frame);
    payload.clone()
}

/// Bytes that are exactly one good v2 frame; checks that it encodes back to the same bytes.
pub fn v2_frame(bytes: &[u8]) -> shtrih_v2::Frame {
    let events = shtrih_v2::FrameScanner::new().push_all(bytes);
    let [shtrih_v2::Event::Frame(frame)] = events.as_slice() else {
        panic!("{bytes:02X?} is not one v2 frame: {events:?}");
    };
    assert_eq!(frame.encode().unwrap(), bytes);
    frame.clone()
}

/// Whether a payload was carried as a typed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// As a value of its command.
    Typed,
    /// As a refusal: command and error.
    Refusal,
    /// As raw bytes: a command without a name.
    Raw,
}

/// Decodes a payload of either direction and proves that it encodes back to the same bytes.
pub fn both_ways(direction: Direction, payload: &[u8]) -> Result<Carried, String> {
    let fail = |what: &dyn std::fmt::Display| format!("{payload:02X?}: {what}");
    let (carried, again) = match direction {
        Direction::ToRegister => {
            let request = Request::decode(payload).map_err(|e| fail(&e))?;
            let raw = matches!(request, Request::Other { .. });
            let carried = if raw { Carried::Raw } else { Carried::Typed };
            (carried, request.encode().map_err(|e| fail(&e))?)
        }
        Direction::ToHost => {
            let frame = AnswerFrame::decode(payload).map_err(|e| fail(&e))?;
            if frame.error.is_ok() {
                let answer = Answer::decode(frame.command, &frame.data).map_err(|e| fail(&e))?;
                let raw = matches!(answer, Answer::Raw(_));
                let carried = if raw { Carried::Raw } else { Carried::Typed };
                let again = answer.into_frame(frame.command).map_err(|e| fail(&e))?;
                (carried, again.encode())
            } else {
                assert!(frame.data.is_empty(), "an error with data: {payload:02X?}");
                (Carried::Refusal, frame.encode())
            }
        }
    };
    if again != payload {
        return Err(fail(&format!("encodes back to {again:02X?}")));
    }
    Ok(carried)
}
