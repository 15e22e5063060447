//! What an error code says: whether the FN was asked to sign, whom it is about, our code, and what to do.
//!
//! Owns: per command the table of codes raised before the FN is asked to sign; the only such table of this driver.
//! Must never: list a code without a source; what is not listed for a command that makes a document is doubt.

use crate::domain::attempt::{About, Refusal};
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{CommandCode, ErrorCode};

/// Codes that one command raises before the FN is asked to sign.
struct Row {
    codes: &'static [u8],
    /// Why, with its place in the reference; read by people and by the test that no row lacks one.
    #[allow(dead_code, reason = "the reason is data for readers of the table")]
    source: &'static str,
}

const fn row(codes: &'static [u8], source: &'static str) -> Row {
    Row { codes, source }
}

/// FF45. Left out on purpose: every code of the FN (below 30, 2F, 30, A0 to A5), as it may come from the signing
/// itself; 55 (the receipt may be closed because it was made); paper, printer, hardware, memory and accumulator codes
/// (they may follow the document); B9 and C4.
const CLOSE_RECEIPT: &[Row] = &[
    row(
        &[0x33, 0x35, 0x36, 0x37, 0x7E],
        "shtrih-m 4: parameters, model and length are checked on the frame",
    ),
    row(
        &[0x4F, 0x59],
        "shtrih-m 4 and 2: password and operator are checked before the command",
    ),
    row(
        &[0x3C, 0x3D, 0x4E, 0x72, 0x73, 0xC0],
        "shtrih-m 2: out of mode, submode or shift state; 4E = 24 h",
    ),
    row(
        &[0x50],
        "shtrih-m 4: printing the previous command, \"it was not executed\"",
    ),
    row(
        &[0x45, 0x46, 0x4D, 0x5E, 0x5F, 0x8E, 0x49],
        "shtrih-m 4 and 5.4: the money check of closing, receipt stays open",
    ),
    row(
        &[
            0x40, 0x41, 0x42, 0x43, 0x44, 0x48, 0x5B, 0x60, 0x61, 0x62, 0x63, 0x7F, 0x8A, 0x8B, 0x8C, 0x8D,
        ],
        "shtrih-m 4: range overflow in receipt or discount, receipt stays open (88)",
    ),
    row(&[0x4B, 0x94], "shtrih-m 4: receipt buffer full, too many operations"),
];

/// FF0B and E0.
const OPEN_SHIFT: &[Row] = &[
    row(
        &[0x33, 0x35, 0x36, 0x37, 0x7E],
        "shtrih-m 4: parameters, model and length are checked on the frame",
    ),
    row(&[0x4F], "shtrih-m 4: password is checked before the command"),
    row(
        &[0x3C, 0x3D, 0x4A, 0x4E, 0x72, 0x73, 0xC0],
        "shtrih-m 2: allowed in mode 4 alone",
    ),
    row(
        &[0x50],
        "shtrih-m 4: printing the previous command, \"it was not executed\"",
    ),
];

/// FF43 and 41.
const CLOSE_SHIFT: &[Row] = &[
    row(
        &[0x33, 0x35, 0x36, 0x37, 0x7E],
        "shtrih-m 4: parameters, model and length are checked on the frame",
    ),
    row(&[0x4F], "shtrih-m 4: password is checked before the command"),
    row(
        &[0x3C, 0x3D, 0x4A, 0x72, 0x73, 0xC0],
        "shtrih-m 2: allowed in modes 2 and 3 alone",
    ),
    row(
        &[0x50],
        "shtrih-m 4: printing the previous command, \"it was not executed\"",
    ),
];

/// The table of a command that makes a document; `None` for one that makes none: no code of it can follow a signature.
const fn table(command: CommandCode) -> Option<&'static [Row]> {
    match command {
        CommandCode::CLOSE_RECEIPT => Some(CLOSE_RECEIPT),
        CommandCode::FN_OPEN_SHIFT | CommandCode::OPEN_SHIFT => Some(OPEN_SHIFT),
        CommandCode::FN_CLOSE_SHIFT | CommandCode::Z_REPORT => Some(CLOSE_SHIFT),
        _ => None,
    }
}

/// Whether this code of this command is raised before the FN is asked to sign.
pub(super) fn before_signing(command: CommandCode, code: ErrorCode) -> bool {
    table(command).is_none_or(|rows| rows.iter().any(|row| row.codes.contains(&code.0)))
}

/// Whether a read answered with this code means "no such table, field, data or command".
pub(super) const fn means_absent(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::BAD_PARAMETERS
            | ErrorCode::NO_DATA
            | ErrorCode::ILLEGAL_WITH_SETTINGS
            | ErrorCode::ILLEGAL_FOR_MODEL
            | ErrorCode::UNSUPPORTED
            | ErrorCode::NO_TABLE
            | ErrorCode::FN_UNKNOWN_COMMAND
            | ErrorCode::FN_NO_DATA
    )
}

/// Whether a command answered with this code does not exist in this model. 01 is no such answer: it comes from the FN.
pub(super) const fn means_unsupported(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::UNSUPPORTED)
}

/// Whom a refusal is about. The document only where the reference says that the request itself has to change
/// (reaction F); all else is the device's, and the poison rule sees a job that fails everywhere.
const fn about(code: ErrorCode) -> About {
    match code.0 {
        // 0B to 0E: a tag of another block, twice, missing, or too many items (`fn-ffd-ofd` A.7: fix the document model).
        0x09 | 0x0B..=0x0E | 0x10 | 0x33 | 0xA3 | 0xA4 | 0xA5 => About::Document,
        0x40..=0x45 | 0x48 | 0x49 | 0x4B | 0x4D | 0x5B | 0x5E | 0x5F | 0x60..=0x63 | 0x7F => About::Document,
        0x8A..=0x8E | 0x94 => About::Document,
        _ => About::Device,
    }
}

/// Our code for a code of the vendor (`shtrih-m` section 4).
pub(super) const fn code_of(code: ErrorCode) -> Code {
    match code.0 {
        0x05 => Code::FnExpired,
        0x06 | 0x12 => Code::FnFull,
        0x14 | 0x15 => Code::FnUnsentTooOld,
        0x03 | 0x04 | 0x2F | 0x30 => Code::FnFault,
        0x07 | 0x17 | 0x7C | 0x7D => Code::ClockOff,
        0x4E | 0x16 => Code::ShiftTooOld,
        0x01 | 0x02 | 0x08..=0x11 | 0x20 | 0x23 | 0x24 | 0xA0..=0xA5 => Code::FnRefused,
        0x3C => Code::ShiftOpen,
        0x3D => Code::ShiftClosed,
        0x35 | 0x46 | 0x4A | 0x55 | 0x59 | 0x72 | 0x73 | 0x7A | 0xC0 | 0xC4 | 0xC7 => Code::RegisterWrongMode,
        0x4F => Code::PasswordRefused,
        0x50 => Code::RegisterBusy,
        0x58 | 0x6B | 0x6C => Code::PaperOut,
        0x3A | 0x3E | 0x3F | 0x47 | 0x4C | 0x51..=0x54 | 0x65..=0x6A | 0x6D..=0x6F | 0x84..=0x89 => Code::RegisterFault,
        0x38 | 0x39 | 0x5C | 0x71 | 0x74 | 0x75 | 0x77..=0x79 | 0x7B | 0x93 | 0xC2 | 0xC8 => Code::RegisterFault,
        0x36 | 0x37 | 0x5D => Code::ModelUnknown,
        _ => Code::RegisterUnknownError,
    }
}

/// What to do about our code at the register.
const fn next_step(code: Code) -> &'static str {
    match code {
        Code::JobRefusedByRegister => "correct the receipt and submit it under a new key",
        Code::FnExpired | Code::FnFull => "make no more receipts with this FN: close the shift and change the FN",
        Code::FnUnsentTooOld => "restore the exchange with the OFD",
        Code::FnFault => "switch the register off and on; if it stays, the FN has to be replaced",
        Code::ClockOff => "set the register's clock with the shift closed",
        Code::ShiftTooOld => "close the shift and open the next one",
        Code::ShiftOpen | Code::ShiftClosed => "the shift is brought to the state this needs",
        Code::RegisterWrongMode => "its state is read and it is brought to the mode this needs",
        Code::PasswordRefused => {
            "set the system administrator's password (table 2, row 30) back to 30; none is guessed"
        }
        Code::RegisterBusy => "wait until it has finished printing",
        Code::PaperOut => "load paper and close the cover",
        Code::RegisterFault => "switch the register off and on; if it stays, it needs service",
        Code::ModelUnknown => "this model lacks what was asked; see the driver's list of models",
        Code::FnRefused => "its state is read again",
        _ => "look the code up in the vendor's manual and report it",
    }
}

/// What happened and what to do, in words.
pub(super) fn words(code: ErrorCode) -> String {
    format!("{}; {}", code.text(), next_step(code_of(code)))
}

/// Our code for the refusal of a command on the way to a document.
const fn code_on_the_way(code: ErrorCode) -> Code {
    match about(code) {
        About::Document => Code::JobRefusedByRegister,
        About::Device => code_of(code),
    }
}

/// The refusal of a command on the way to a document. `document_open`: the register may hold an open document after it.
pub(super) fn refusal(command: CommandCode, code: ErrorCode, document_open: bool) -> Refusal {
    let holds = if document_open {
        "; an open document may stand in the register and has to be cancelled"
    } else {
        ""
    };
    let our = code_on_the_way(code);
    let (name, text, next) = (command.name(), code.text(), next_step(our));
    Refusal {
        command: command.to_string(),
        device_code: code.0,
        before_signing: before_signing(command, code),
        about: about(code),
        code: our,
        text: format!(
            "{command} ({name}) was refused with code {:02X} ({text}); {next}{holds}",
            code.0
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand from section 4, apart from the table above.
    const FF45_BEFORE_SIGNING: &[u8] = &[
        0x33, 0x35, 0x36, 0x37, 0x3C, 0x3D, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x48, 0x49, 0x4B, 0x4D, 0x4E,
        0x4F, 0x50, 0x59, 0x5B, 0x5E, 0x5F, 0x60, 0x61, 0x62, 0x63, 0x72, 0x73, 0x7E, 0x7F, 0x8A, 0x8B, 0x8C, 0x8D,
        0x8E, 0x94, 0xC0,
    ];

    #[test]
    fn a_closing_command_refused_with_a_code_outside_its_table_is_never_called_unsigned() {
        for code in 1..=u8::MAX {
            let listed = FF45_BEFORE_SIGNING.contains(&code);
            assert_eq!(
                before_signing(CommandCode::CLOSE_RECEIPT, ErrorCode(code)),
                listed,
                "code {code:02X}"
            );
        }
    }

    #[test]
    fn no_code_that_the_fn_itself_raises_stands_in_a_table() {
        for command in [
            CommandCode::CLOSE_RECEIPT,
            CommandCode::FN_OPEN_SHIFT,
            CommandCode::OPEN_SHIFT,
            CommandCode::FN_CLOSE_SHIFT,
            CommandCode::Z_REPORT,
        ] {
            for code in (0x01..0x31).chain(0xA0..=0xA5) {
                assert!(!before_signing(command, ErrorCode(code)), "{command} {code:02X}");
            }
        }
    }

    #[test]
    fn every_row_names_its_source() {
        for rows in [CLOSE_RECEIPT, OPEN_SHIFT, CLOSE_SHIFT] {
            assert!(rows.iter().all(|row| row.source.starts_with("shtrih-m")));
        }
    }

    #[test]
    fn every_listed_code_has_words_and_only_unlisted_ones_are_unknown() {
        for (code, text) in ErrorCode::KNOWN.iter().filter(|(code, _)| *code != 0) {
            assert!(words(ErrorCode(*code)).starts_with(text));
        }
        assert_eq!(code_of(ErrorCode(0xEE)), Code::RegisterUnknownError);
        assert_eq!(code_of(ErrorCode(0x16)), Code::ShiftTooOld);
        assert_eq!(code_of(ErrorCode(0x4F)), Code::PasswordRefused);
    }
}
