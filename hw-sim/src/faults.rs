//! What can go wrong with a register on purpose, and when.
//!
//! Owns: the one form of a fault that the rack file, the control port and tests share.
//! Must never: say how a device carries it out.

use crate::fiscal_storage::{CalendarDay, Phase};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A fault and its moment, as JSON: `{"kind":{"drop_reply":{"when":"after"}},"trigger":{"command":{"code":"FF45"}}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What happens.
    pub kind: FaultKind,
    /// When it happens; at once if absent.
    #[serde(default)]
    pub trigger: Trigger,
}

/// The moment of a fault. Every fault happens once, then it is forgotten, unless its kind says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// At once; for a fault of an answer: at the next command.
    #[default]
    Now,
    /// At the n-th command from now, counted from 1.
    NthExchange(u64),
    /// At a command with this code.
    Command {
        /// Code in hex as the reference writes it: `FF45`, `8D`.
        code: String,
        /// Which of them, counted from 1 from now.
        #[serde(default = "first")]
        nth: u64,
    },
}

const fn first() -> u64 {
    1
}

/// On which side of the work of the command the fault falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The command is not carried out: no document is made.
    Before,
    /// The command is carried out, a document it makes stands in the FN, then the fault happens.
    After,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The cable is pulled.
    Unplug {
        /// Before or after the command was carried out.
        #[serde(default = "after")]
        when: When,
    },
    /// The cable comes back.
    Replug {
        /// Port name; the old one when absent.
        #[serde(default)]
        name: Option<String>,
    },
    /// Input is read and nothing is answered.
    Hang {
        /// How long, then the device lives again; for ever (until a power cut) when absent.
        #[serde(default)]
        for_ms: Option<u64>,
        /// Before or after the command was carried out.
        #[serde(default = "before")]
        when: When,
    },
    /// The answer never leaves and is not kept; the acknowledgement byte does.
    DropReply {
        /// Before or after the command was carried out.
        when: When,
    },
    /// Nothing of an exchange reaches the other side, the acknowledgement byte neither.
    Lost {
        /// Before: the command is lost on the line. After: it was carried out, and its answer is kept.
        when: When,
    },
    /// The command arrives with damaged bytes: NAK on v1, silence on v2; it is not carried out.
    GarbleRequest,
    /// The acknowledgement arrives as NAK; the command is carried out all the same. Nothing on v2, which has none.
    FalseNak,
    /// v2: the register takes the frame for a repeated one. The command is not carried out; the last answer, of another
    /// command, leaves under its number (captures). Nothing on v1, and nothing where the last answer is of this command.
    TakenForRepeat,
    /// The answer frame arrives up to so many bytes and no further. It is kept and comes whole when it is asked for.
    CutReply {
        /// Bytes that still come; of a shorter frame all but the last.
        keep: usize,
    },
    /// The answer comes, and once more later as a converter that repeats what it sent, whatever is said meanwhile.
    DuplicateReply {
        /// How much later, milliseconds.
        after_ms: u64,
    },
    /// The answer frame arrives with damaged bytes (wrong LRC). It is kept and comes whole after NAK and ENQ.
    Garble,
    /// The command answers this error code.
    Error {
        /// Code of the vendor's list.
        code: u8,
        /// Before or after the command was carried out.
        when: When,
    },
    /// Power goes: an open document and a kept answer are lost, what the FN holds stays.
    PowerCut {
        /// Before or after the command was carried out.
        when: When,
        /// How long the power stays away, milliseconds.
        down_ms: u64,
    },
    /// Every FN operation answers this code until `fn_fault` with code 0.
    FnFault {
        /// FN answer code; 0 ends the fault.
        code: u8,
    },
    /// The FN has no room for another document.
    FnFill,
    /// The term of the FN's keys has passed.
    FnExpire,
    /// Another FN is put in (the register is switched off for it): power cut and a new number.
    FnReplace {
        /// Its number.
        number: String,
        /// Its phase.
        phase: Phase,
        /// Documents it can still make.
        documents_left: u32,
        /// Last day of its keys.
        expiry: CalendarDay,
    },
    /// The device's clock jumps.
    ClockSkew {
        /// Seconds added to the device's clock; negative for back.
        seconds: i64,
    },
    /// Every answer comes later, until `slow` with 0.
    Slow {
        /// Milliseconds added to each command.
        add_ms: u64,
    },
    /// The good answer of an earlier command is sent instead of the right one; the right one is lost.
    StaleReply {
        /// Take the last answer to this command (hex code); the answer before this one when absent.
        #[serde(default)]
        of: Option<String>,
    },
    /// The answer comes this much later than usual.
    LateReply {
        /// Milliseconds added.
        by_ms: u64,
    },
    /// The paper is out (`false`) or in again (`true`).
    Paper {
        /// Whether there is paper.
        present: bool,
    },
    /// A field of the settings tables reads as something else, until `table_value` without a value.
    TableValue {
        /// Number of the table, as the host asks for it.
        table: u8,
        /// Row.
        row: u16,
        /// Field.
        field: u8,
        /// What 1F then gives, hex without spaces.
        #[serde(default)]
        value: Option<String>,
    },
    /// Somebody changes a setting at the register itself, as command 1E would.
    Setting {
        /// Number of the table, as the host asks for it.
        table: u8,
        /// Row.
        row: u16,
        /// Field.
        field: u8,
        /// The new value, hex without spaces; what the table does not take changes nothing.
        value: String,
    },
    /// TLV with this tag is refused with this code, until `refuse_tag` with code 0.
    RefuseTag {
        /// The tag.
        tag: u16,
        /// Error code; 0 ends the fault.
        code: u8,
    },
    /// The register writes another value of this tag into the documents that it makes, and answers as ever: also inside
    /// items, and only where the tag stands anyway; until `miswrite_tag` without a value.
    MiswriteTag {
        /// The tag.
        tag: u16,
        /// What it writes, hex without spaces.
        #[serde(default)]
        value: Option<String>,
    },
    /// Documents that are read end after so many bytes, in the middle of a tag or not, until `cut_tlv` without a number.
    CutTlv {
        /// Bytes that still come.
        #[serde(default)]
        keep: Option<usize>,
    },
    /// The register cannot reach its OFD (`true`) or can again.
    OfdDown {
        /// Whether the OFD is out of reach.
        down: bool,
    },
}

impl FaultKind {
    /// Its name as JSON has it, with the side of the work on which it falls where it has one: what is counted.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        use When::{After, Before};
        match self {
            Self::Unplug { when: Before } => "unplug_before",
            Self::Unplug { when: After } => "unplug_after",
            Self::Replug { .. } => "replug",
            Self::Hang { when: Before, .. } => "hang_before",
            Self::Hang { when: After, .. } => "hang_after",
            Self::DropReply { when: Before } => "drop_reply_before",
            Self::DropReply { when: After } => "drop_reply_after",
            Self::Lost { when: Before } => "lost_before",
            Self::Lost { when: After } => "lost_after",
            Self::GarbleRequest => "garble_request",
            Self::FalseNak => "false_nak",
            Self::TakenForRepeat => "taken_for_repeat",
            Self::CutReply { .. } => "cut_reply",
            Self::DuplicateReply { .. } => "duplicate_reply",
            Self::Garble => "garble",
            Self::Error { when: Before, .. } => "error_before",
            Self::Error { when: After, .. } => "error_after",
            Self::PowerCut { when: Before, .. } => "power_cut_before",
            Self::PowerCut { when: After, .. } => "power_cut_after",
            Self::FnFault { .. } => "fn_fault",
            Self::FnFill => "fn_fill",
            Self::FnExpire => "fn_expire",
            Self::FnReplace { .. } => "fn_replace",
            Self::ClockSkew { .. } => "clock_skew",
            Self::Slow { .. } => "slow",
            Self::StaleReply { .. } => "stale_reply",
            Self::LateReply { .. } => "late_reply",
            Self::Paper { .. } => "paper",
            Self::TableValue { .. } => "table_value",
            Self::Setting { .. } => "setting",
            Self::RefuseTag { .. } => "refuse_tag",
            Self::MiswriteTag { .. } => "miswrite_tag",
            Self::CutTlv { .. } => "cut_tlv",
            Self::OfdDown { .. } => "ofd_down",
        }
    }
}

const fn before() -> When {
    When::Before
}

const fn after() -> When {
    When::After
}

/// Why a fault cannot be armed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultError {
    /// Not a command code in hex.
    #[error("\"{0}\" is not a command code: write two or four hex digits as in FF45")]
    Code(String),
    /// Not bytes in hex.
    #[error("\"{0}\" is not a value: write pairs of hex digits as in 3132")]
    Value(String),
    /// A count of zero.
    #[error("a trigger counts from 1, not from 0")]
    Zero,
    /// More faults than any script needs.
    #[error("10000 faults are armed already; let some happen first")]
    TooMany,
    /// The FN that should be put in cannot be opened.
    #[error("the FN cannot be put in: {0}")]
    Fn(String),
}
