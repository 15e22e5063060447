//! Commands that only move the printer, and the settings of the port (`shtrih-m.md` 3.1 and captures).
//!
//! Owns: 17, 25, 28, 29, 2F, C0 to C5, DD, DE; 14, 15. Outside drivers send them around a receipt.
//! Must never: print; there is no paper in a simulator, only the time and the states of printing.

use super::device::{Device, Outcome};
use crate::moment::Moment;
use kassette_wire::shtrih::{Answer, CommandCode, ErrorCode};
use std::time::Duration;

/// Printing commands with their operator byte in the answer, and the least data behind the password.
const PRINTER: [(u8, usize); 12] = [
    // A line.
    (0x17, 1),
    // Cut.
    (0x25, 1),
    // Drawer.
    (0x28, 1),
    // Feed.
    (0x29, 2),
    // A line in a font.
    (0x2F, 2),
    // Graphics: load, print, print scaled, load extended, print a line.
    (0xC0, 1),
    (0xC1, 2),
    (0xC3, 4),
    (0xC4, 2),
    (0xC5, 2),
    // Barcode block.
    (0xDD, 3),
    // Two-dimensional barcode of such blocks.
    (0xDE, 10),
];
/// DE: print a two-dimensional barcode.
const PRINT_BARCODE_2D: CommandCode = CommandCode::PRINT_BARCODE_2D;
/// Kinds of DE: PDF 417, Data Matrix, Aztec, QR, and QR with its size in the answer, which this model does not give.
const BARCODES: [u8; 4] = [0, 1, 2, QR];
const QR: u8 = 3;
/// Most bytes of a two-dimensional barcode.
const MOST_BARCODE: u16 = 7089;

const PRINT_GRAPHICS_LINE: CommandCode = CommandCode::one(0xC5);
/// 14: settings of the exchange.
pub(super) const SET_PORT: CommandCode = CommandCode::one(0x14);
/// 15: reading them.
pub(super) const READ_PORT: CommandCode = CommandCode::one(0x15);

/// Whether a command belongs to the printer alone.
pub(super) fn is_printer(command: CommandCode) -> bool {
    PRINTER.iter().any(|(code, _)| CommandCode::one(*code) == command)
}

/// Whether [`Device::other`] carries a command out.
pub(super) fn takes(command: CommandCode) -> bool {
    is_printer(command) || command == SET_PORT || command == READ_PORT
}

/// Byte timeout behind its code: 0 to 150 ms, then steps of 150 ms, then of 15 s.
pub(super) const fn byte_timeout(code: u8) -> Duration {
    let ms = match code {
        0..=150 => code as u64,
        151..=249 => (code as u64 - 149) * 150,
        250..=255 => (code as u64 - 248) * 15_000,
    };
    Duration::from_millis(ms)
}

/// Kind, length, first block, five parameters, alignment. Of a QR code: version up to 40, mask up to 8, dots of 3 to 8,
/// four levels of correction; a recorded register refused dots of 2 with 33.
fn barcode_is_possible(rest: &[u8]) -> bool {
    let [kind, low, high, block, version, mask, dot, _, level, alignment] = rest else {
        return false;
    };
    let length = u16::from_le_bytes([*low, *high]);
    let qr = *version <= 40 && *mask <= 8 && (3..=8).contains(dot) && *level <= 3;
    let placed = *block <= 127 && *alignment <= 2 && (1..=MOST_BARCODE).contains(&length);
    BARCODES.contains(kind) && placed && (*kind != QR || qr)
}

impl Device {
    /// `data` begins with the password, which was checked.
    pub(super) fn other(&mut self, command: CommandCode, data: &[u8], operator: u8, now: Moment) -> Outcome {
        let rest = data.get(4..).ok_or(ErrorCode::BAD_LENGTH)?;
        if let Some((_, least)) = PRINTER.iter().find(|(code, _)| CommandCode::one(*code) == command) {
            if rest.len() < *least {
                return Err(ErrorCode::BAD_LENGTH);
            }
            if command == PRINT_BARCODE_2D && !barcode_is_possible(rest) {
                return Err(ErrorCode::BAD_PARAMETERS);
            }
            if !matches!(command.to_bytes()[..], [0x28 | 0xC0 | 0xC4]) {
                self.print(None, now);
            }
            // Two recorded registers answer C5 without saying who.
            return Ok(Answer::Raw(vec![if command == PRINT_GRAPHICS_LINE {
                0
            } else {
                operator
            }]));
        }
        match (command, rest) {
            // One port for all numbers; 10 speeds. The port of a simulator has no speed, the timeout counts.
            (SET_PORT, [_, speed @ 0..=9, timeout]) => {
                self.memory.port_speed = *speed;
                self.memory.byte_timeout = *timeout;
                self.memory_changed = true;
                Ok(Answer::Raw(Vec::new()))
            }
            (SET_PORT, [_, _, _]) => Err(ErrorCode::BAD_PARAMETERS),
            (READ_PORT, [_]) => Ok(Answer::Raw(vec![self.memory.port_speed, self.memory.byte_timeout])),
            (SET_PORT | READ_PORT, _) => Err(ErrorCode::BAD_LENGTH),
            _ => Err(ErrorCode::UNSUPPORTED),
        }
    }
}
