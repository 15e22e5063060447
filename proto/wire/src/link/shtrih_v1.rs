//! Shtrih-M standard low level, "protocol v1" (`shtrih-m` 1.2): STX, length, payload, LRC.
//!
//! Owns: the frame form and the split of a byte stream into frames and control bytes.
//! Must never: decide about time; the inter-byte timeout is the caller's, who then calls `reset`.

use thiserror::Error;

/// First byte of a frame.
pub const STX: u8 = 0x02;
/// Host asks: idle, or an answer waiting?
pub const ENQ: u8 = 0x05;
/// Frame accepted; as reply to ENQ: working, or an answer is kept.
pub const ACK: u8 = 0x06;
/// Frame damaged; as reply to ENQ: idle, send a command.
pub const NAK: u8 = 0x15;
/// The extra byte some TCP devices send after the host's ACK, at once or late (`shtrih-m` 1.2, captures): before the NAK
/// to the next ENQ, or before the ACK to the next frame. The scanner gives it as [`Event::Stray`]; a host skips it there
/// and reads on. Inside a frame the same byte is data.
pub const TCP_STRAY: u8 = 0xFF;
/// Most payload bytes a v1 frame can carry, both ways.
pub const MAX_PAYLOAD: usize = 255;

/// Why a payload cannot be framed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The frame needs at least a command code.
    #[error("an empty payload has no v1 frame")]
    Empty,
    /// The length field has one byte.
    #[error("a payload of {0} bytes does not fit a v1 frame (at most {MAX_PAYLOAD})")]
    TooLong(usize),
}

/// LRC over the length byte and the payload: XOR of all.
#[must_use]
pub fn lrc(length: u8, payload: &[u8]) -> u8 {
    payload.iter().fold(length, |sum, byte| sum ^ byte)
}

/// A whole frame for a payload of 1 to 255 bytes.
///
/// # Errors
/// [`FrameError`] when the payload is empty or too long.
pub fn encode_frame(payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let length = u8::try_from(payload.len()).map_err(|_| FrameError::TooLong(payload.len()))?;
    if length == 0 {
        return Err(FrameError::Empty);
    }
    let mut frame = Vec::with_capacity(payload.len() + 3);
    frame.push(STX);
    frame.push(length);
    frame.extend_from_slice(payload);
    frame.push(lrc(length, payload));
    Ok(frame)
}

/// What a byte stream turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// ENQ outside a frame.
    Enq,
    /// ACK outside a frame.
    Ack,
    /// NAK outside a frame.
    Nak,
    /// A whole frame with a right LRC: its payload, 1 to 255 bytes.
    Frame(Vec<u8>),
    /// A frame that ended with a wrong LRC, or whose length byte is 0. To be answered with NAK.
    BadLrc,
    /// Any other byte outside a frame: line noise, or [`TCP_STRAY`].
    Stray(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Idle,
    Length,
    Payload { length: u8 },
    Lrc { length: u8 },
}

/// Splits bytes of one direction into [`Event`]s. For host and device alike. Holds at most one payload.
///
/// Inside a frame the bytes 05, 06 and 15 are data. A frame that never ends holds the scanner [`in_frame`] until the
/// caller, who owns the inter-byte timeout, calls [`reset`].
///
/// [`in_frame`]: FrameScanner::in_frame
/// [`reset`]: FrameScanner::reset
#[derive(Debug, Clone)]
pub struct FrameScanner {
    state: State,
    payload: Vec<u8>,
}

impl Default for FrameScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameScanner {
    /// A scanner outside any frame.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Idle,
            payload: Vec::new(),
        }
    }

    /// Takes one byte; gives at most one event.
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        match self.state {
            State::Idle => self.outside(byte),
            State::Length if byte == 0 => {
                self.reset();
                Some(Event::BadLrc)
            }
            State::Length => {
                self.payload.clear();
                self.state = State::Payload { length: byte };
                None
            }
            State::Payload { length } => {
                self.payload.push(byte);
                if self.payload.len() == usize::from(length) {
                    self.state = State::Lrc { length };
                }
                None
            }
            State::Lrc { length } => {
                self.state = State::Idle;
                let payload = std::mem::take(&mut self.payload);
                let good = lrc(length, &payload) == byte;
                Some(if good { Event::Frame(payload) } else { Event::BadLrc })
            }
        }
    }

    /// Takes bytes; gives their events in order.
    pub fn push_all(&mut self, bytes: &[u8]) -> Vec<Event> {
        bytes.iter().filter_map(|&byte| self.push(byte)).collect()
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn in_frame(&self) -> bool {
        self.state != State::Idle
    }

    /// Forgets a begun frame (inter-byte timeout, purge, new connection).
    pub fn reset(&mut self) {
        self.state = State::Idle;
        self.payload.clear();
    }

    fn outside(&mut self, byte: u8) -> Option<Event> {
        match byte {
            STX => {
                self.state = State::Length;
                None
            }
            ENQ => Some(Event::Enq),
            ACK => Some(Event::Ack),
            NAK => Some(Event::Nak),
            other => Some(Event::Stray(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_inside_a_frame_are_data() {
        let frame = encode_frame(&[ENQ, ACK, NAK, STX]).unwrap();
        let mut scanner = FrameScanner::new();
        let events = scanner.push_all(&[&[NAK][..], &frame, &[ACK]].concat());
        assert_eq!(events, [Event::Nak, Event::Frame(vec![ENQ, ACK, NAK, STX]), Event::Ack]);
        assert!(!scanner.in_frame());
    }

    #[test]
    fn a_damaged_frame_is_reported_and_the_next_one_is_read() {
        let mut scanner = FrameScanner::new();
        let mut bytes = encode_frame(&[0xFC]).unwrap();
        bytes[3] ^= 1;
        bytes.extend([STX, 0, 0xFF]);
        bytes.extend(encode_frame(&[0xFC]).unwrap());
        assert_eq!(
            scanner.push_all(&bytes),
            [
                Event::BadLrc,
                Event::BadLrc,
                Event::Stray(0xFF),
                Event::Frame(vec![0xFC])
            ]
        );
    }

    #[test]
    fn reset_forgets_a_begun_frame() {
        let mut scanner = FrameScanner::new();
        assert!(scanner.push_all(&[STX, 5, 1, 2]).is_empty());
        assert!(scanner.in_frame());
        scanner.reset();
        assert_eq!(scanner.push(ENQ), Some(Event::Enq));
    }

    #[test]
    fn a_payload_of_no_or_too_many_bytes_is_refused() {
        assert_eq!(encode_frame(&[]), Err(FrameError::Empty));
        assert_eq!(encode_frame(&[0; 256]), Err(FrameError::TooLong(256)));
        assert_eq!(encode_frame(&[0; 255]).unwrap().len(), 258);
    }
}
