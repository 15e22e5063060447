//! Shtrih-M alternative low level, "protocol v2" (`shtrih-m` 1.4): 8F, length, number, data, CRC, all but 8F stuffed.
//!
//! Owns: the frame form, stuffing, and the split of a byte stream into frames.
//! Must never: decide about time or which number comes next in a conversation; a damaged frame is answered by silence,
//! and the silence is the caller's.
//!
//! There is no ENQ, ACK or NAK. A repeated number is answered again without a second execution, but only within one
//! connection: numbers restart with each TCP connection on cash-core models, and an answer of an earlier command with
//! the same number has been seen (captures). A host compares the command code too, and after a reconnect it asks the
//! state as on v1.

use crate::crc::crc16;
use thiserror::Error;

/// First byte of a frame; nowhere else on the wire, so it always begins a frame anew.
pub const STX: u8 = 0x8F;
/// First byte of a stuffed pair.
pub const ESCAPE: u8 = 0x9F;
/// Second byte of the pair for 8F.
pub const ESCAPED_STX: u8 = 0x81;
/// Second byte of the pair for 9F.
pub const ESCAPED_ESCAPE: u8 = 0x83;
/// Most data bytes a frame can carry; a model may take fewer, see
/// [`ModelParameters::max_command_length`](crate::shtrih::ModelParameters::max_command_length).
pub const MAX_DATA: usize = 65_533;
/// Number of the first command of a conversation.
pub const FIRST_NUMBER: u16 = 1;

const LENGTH_BYTES: usize = 2;
const NUMBER_BYTES: usize = 2;
const CRC_BYTES: usize = 2;

/// The number after `number`: modulo 65536.
#[must_use]
pub const fn next_number(number: u16) -> u16 {
    number.wrapping_add(1)
}

/// Why data cannot be framed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// More than [`MAX_DATA`].
    #[error("{0} data bytes do not fit a v2 frame (at most {MAX_DATA})")]
    TooLong(usize),
}

/// A frame, either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Type I, no number and no data: the host asks for the last answer and its number.
    Sync,
    /// Type II.
    Numbered {
        /// The host's count of commands; the register answers with the same.
        number: u16,
        /// The bytes of a v1 payload. Empty from a register that has executed nothing yet.
        data: Vec<u8>,
    },
}

impl Frame {
    /// A frame with a command or an answer.
    #[must_use]
    pub const fn numbered(number: u16, data: Vec<u8>) -> Self {
        Self::Numbered { number, data }
    }

    /// The bytes on the wire.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut plain = vec![0; LENGTH_BYTES];
        if let Self::Numbered { number, data } = self {
            if data.len() > MAX_DATA {
                return Err(FrameError::TooLong(data.len()));
            }
            plain.extend_from_slice(&number.to_le_bytes());
            plain.extend_from_slice(data);
        }
        let body = plain.len() - LENGTH_BYTES;
        let length = u16::try_from(body).map_err(|_| FrameError::TooLong(body))?;
        plain[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        let crc = crc16(&plain);
        plain.extend_from_slice(&crc.to_le_bytes());
        Ok(stuff(&plain))
    }

    /// The frame of unstuffed bytes whose length and CRC are right.
    fn of_checked(plain: &[u8]) -> Self {
        match plain.get(LENGTH_BYTES..plain.len() - CRC_BYTES) {
            Some([low, high, data @ ..]) => Self::numbered(u16::from_le_bytes([*low, *high]), data.to_vec()),
            _ => Self::Sync,
        }
    }
}

fn stuff(plain: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(plain.len() + 1 + plain.len() / 16);
    wire.push(STX);
    for byte in plain {
        match *byte {
            STX => wire.extend_from_slice(&[ESCAPE, ESCAPED_STX]),
            ESCAPE => wire.extend_from_slice(&[ESCAPE, ESCAPED_ESCAPE]),
            byte => wire.push(byte),
        }
    }
    wire
}

/// Why a frame is damaged. The peer says nothing; the host repeats the frame after its timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    /// The check sum is another.
    #[error("the CRC of the frame is wrong")]
    Crc,
    /// An escape byte before something it cannot stand before.
    #[error("9F is followed by {0:02X}, which stands for nothing")]
    Escape(u8),
    /// A length of 1: neither no number nor a whole one.
    #[error("a v2 frame cannot have length 1")]
    Length,
    /// More data than the scanner was told to take.
    #[error("the frame announces {0} data bytes, more than can be taken")]
    TooLong(usize),
    /// A new frame began before this one ended.
    #[error("the frame was cut off by the next one")]
    Cut,
}

/// What a byte stream turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole frame with a right CRC.
    Frame(Frame),
    /// A damaged frame. What follows it up to the next 8F is passed over in silence.
    Damaged(Damage),
    /// A byte between frames: line noise, or the first byte of a peer that speaks v1.
    Stray(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between frames.
    Idle,
    /// Behind a damaged frame, until 8F.
    Skipping,
    /// In a frame.
    Body,
    /// In a frame, behind 9F.
    Escape,
}

/// Splits bytes of one direction into [`Event`]s. For host and device alike. Holds at most one frame of the data size it
/// was made for, whatever length a frame announces.
#[derive(Debug, Clone)]
pub struct FrameScanner {
    state: State,
    plain: Vec<u8>,
    max_data: usize,
}

impl Default for FrameScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameScanner {
    /// A scanner outside any frame that takes every length the protocol allows.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_max_data(MAX_DATA)
    }

    /// A scanner outside any frame that takes at most so many data bytes ("maximum command length" of F7).
    #[must_use]
    pub const fn with_max_data(max_data: usize) -> Self {
        Self {
            state: State::Idle,
            plain: Vec::new(),
            max_data,
        }
    }

    /// Takes one byte; gives at most one event.
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        if byte == STX {
            let cut = self.in_frame();
            self.plain.clear();
            self.state = State::Body;
            return cut.then_some(Event::Damaged(Damage::Cut));
        }
        match (self.state, byte) {
            (State::Idle, byte) => Some(Event::Stray(byte)),
            (State::Skipping, _) => None,
            (State::Body, ESCAPE) => {
                self.state = State::Escape;
                None
            }
            (State::Body, byte) => self.take(byte),
            (State::Escape, ESCAPED_STX) => self.take(STX),
            (State::Escape, ESCAPED_ESCAPE) => self.take(ESCAPE),
            (State::Escape, byte) => self.damaged(Damage::Escape(byte)),
        }
    }

    /// Takes bytes; gives their events in order.
    pub fn push_all(&mut self, bytes: &[u8]) -> Vec<Event> {
        bytes.iter().filter_map(|&byte| self.push(byte)).collect()
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn in_frame(&self) -> bool {
        matches!(self.state, State::Body | State::Escape)
    }

    /// Forgets a begun frame (byte timeout, purge, new connection).
    pub fn reset(&mut self) {
        self.state = State::Idle;
        self.plain.clear();
    }

    fn take(&mut self, byte: u8) -> Option<Event> {
        self.state = State::Body;
        self.plain.push(byte);
        let [low, high, rest @ ..] = self.plain.as_slice() else {
            return None;
        };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        if rest.is_empty() {
            return self.refuse_length(length);
        }
        (rest.len() == length + CRC_BYTES).then(|| self.finish())
    }

    fn refuse_length(&mut self, length: usize) -> Option<Event> {
        let data = length.saturating_sub(NUMBER_BYTES);
        match length {
            1 => self.damaged(Damage::Length),
            _ if data > self.max_data => self.damaged(Damage::TooLong(data)),
            _ => None,
        }
    }

    fn finish(&mut self) -> Event {
        self.state = State::Idle;
        let plain = std::mem::take(&mut self.plain);
        // Sent with the low byte first, the sum over everything before it.
        let (checked, crc) = plain.split_at(plain.len() - CRC_BYTES);
        if crc16(checked).to_le_bytes() == crc {
            Event::Frame(Frame::of_checked(&plain))
        } else {
            Event::Damaged(Damage::Crc)
        }
    }

    fn damaged(&mut self, damage: Damage) -> Option<Event> {
        self.state = State::Skipping;
        self.plain.clear();
        Some(Event::Damaged(damage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u16, data: &[u8]) -> Vec<u8> {
        Frame::numbered(number, data.to_vec()).encode().unwrap()
    }

    #[test]
    fn a_bare_stx_begins_a_frame_anew_and_the_cut_one_is_reported() {
        let mut scanner = FrameScanner::new();
        let bytes = [&frame(1, &[0xFC])[..4], &frame(2, &[0xFC])].concat();
        assert_eq!(
            scanner.push_all(&bytes),
            [
                Event::Damaged(Damage::Cut),
                Event::Frame(Frame::numbered(2, vec![0xFC]))
            ]
        );
        assert!(!scanner.in_frame());
    }

    #[test]
    fn each_damage_is_named_once_and_the_next_frame_is_read() {
        let mut flipped = frame(1, &[0x10, 0x1E]);
        *flipped.last_mut().unwrap() ^= 0x40;
        let cases = [
            (flipped, Damage::Crc),
            (vec![STX, ESCAPE, 0x82, 7, 7], Damage::Escape(0x82)),
            (vec![STX, 1, 0, 7, 7, 7], Damage::Length),
            (vec![STX, 0x0C, 0, 7, 7, 7], Damage::TooLong(10)),
        ];
        for (bytes, damage) in cases {
            let mut scanner = FrameScanner::with_max_data(9);
            assert_eq!(scanner.push_all(&bytes), [Event::Damaged(damage)]);
            assert!(!scanner.in_frame());
            let next = Event::Frame(Frame::Sync);
            assert_eq!(scanner.push_all(&Frame::Sync.encode().unwrap()), [next]);
        }
    }

    #[test]
    fn a_frame_of_any_announced_length_holds_no_more_than_its_limit() {
        let mut scanner = FrameScanner::with_max_data(100);
        scanner.push_all(&[STX, 0xFE, 0xFF]);
        scanner.push_all(&[0; 10_000]);
        assert_eq!(scanner.plain.len(), 0);
        scanner.push_all(&[STX, 102, 0]);
        scanner.push_all(&[0; 103]);
        assert!(scanner.in_frame() && scanner.plain.len() == 105);
    }

    #[test]
    fn bytes_between_frames_are_stray_and_reset_forgets_a_begun_one() {
        let mut scanner = FrameScanner::new();
        assert_eq!(scanner.push(0x05), Some(Event::Stray(0x05)));
        assert!(scanner.push_all(&[STX, 3, 0, ESCAPE]).is_empty());
        scanner.reset();
        assert_eq!(scanner.push(ESCAPED_STX), Some(Event::Stray(ESCAPED_STX)));
    }

    #[test]
    fn the_longest_data_is_framed_and_one_byte_more_refused() {
        let data = vec![STX; MAX_DATA];
        let events = FrameScanner::new().push_all(&frame(0xFFFF, &data));
        assert_eq!(events, [Event::Frame(Frame::numbered(0xFFFF, data))]);
        let longer = Frame::numbered(1, vec![0; MAX_DATA + 1]);
        assert_eq!(longer.encode(), Err(FrameError::TooLong(MAX_DATA + 1)));
        assert_eq!(next_number(0xFFFF), 0);
    }
}
