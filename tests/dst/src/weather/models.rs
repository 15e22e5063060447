//! What model a register is: readings of the reference in which registers differ.
//!
//! Owns: the switches of the simulator that a driver may meet.
//! Must never: draw a reading that the driver refuses to work with by name.

use crate::draw::Draw;

/// Switches a register may have, as lines of a rack file; each is drawn by itself.
pub const SWITCHES: &[&str] = &[
    "nak_after_byte_timeout = true",
    "frame_drops_kept_answer = true",
    "confirm_timeout_ms = 1000",
    "service_echo = \"one_byte\"",
    "service_echo = \"two_bytes\"",
    "sum_mismatch_is_5e = true",
    "vat_rounded_over_total = true",
    "exchange_state_in_mode_4_only = true",
    "reading_keeps_mode = true",
    "expiry_counts = true",
    "document_kind_marks = true",
    "marking_fill = true",
    "char_values_unpadded = true",
    "char_limits_in_2e = true",
    "print_result = true",
    "long_full_state = true",
    "receipt_opens_shift = true",
    "open_may_lag_close = true",
    "cash_core = true",
    "printing = { polls = 3 }",
    "printing = { millis = 700 }",
];

/// Draws the switches of a rack: most have some.
#[must_use]
pub fn switches(draw: &mut Draw) -> Vec<&'static str> {
    let mut drawn: Vec<&'static str> = Vec::new();
    for line in SWITCHES {
        let name = line.split(' ').next();
        let twice = drawn.iter().any(|other| other.split(' ').next() == name);
        if draw.chance(12) && !twice {
            drawn.push(line);
        }
    }
    drawn
}
