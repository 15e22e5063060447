//! One request in flight over a port: framing, acknowledgement, resync, deadlines.
//!
//! Owns: the port of one register between open and close.
//! Must never: know what a command means, or send a command again on its own.

mod line;
mod link;
#[cfg(test)]
mod link_tests;
mod link_v1;
#[cfg(test)]
mod link_v1_tests;
mod link_v2;
#[cfg(test)]
mod link_v2_tests;
#[cfg(test)]
pub(crate) mod script;
mod timing;

pub use link::Link;
pub use timing::DriverTiming;

use kassette_wire::codes::Code;
use std::time::Duration;
use thiserror::Error;

/// What the exchange may do for a command, beyond sending it once. The driver chooses, as only it knows the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// A harmless read: the link may be emptied before it, and a frame that the device answered with NAK ("damaged,
    /// not carried out") may go out again.
    Read,
    /// Sent once. The link may be emptied before it: what stands before a document, and single commands.
    Once,
    /// Only if the exchange before it ended cleanly: inside a document (design section 5). Sent once; on a link whose
    /// register counts commands, a frame that it says it did not take may go out again under its number.
    Inside,
    /// As [`Care::Inside`], and sent once on every link: what makes the document (`exactly-once` C7).
    Closing,
}

impl Care {
    /// Whether the exchange stands inside a document.
    const fn is_inside(self) -> bool {
        matches!(self, Self::Inside | Self::Closing)
    }
}

/// Why an exchange gave no answer. Whether the command may have been carried out is [`ExchangeFailure::may_have_run`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeFailure {
    /// End of stream, or an error of the operating system.
    #[error("the port is gone: {reason}")]
    PortGone {
        /// At least a part of the command may have left.
        sent: bool,
        /// The operating system's words.
        reason: String,
    },
    /// The port did not take our bytes in time.
    #[error("the port took no bytes for {waited:?}")]
    Stuck {
        /// At least a part of the command may have left.
        sent: bool,
        /// How long we waited.
        waited: Duration,
    },
    /// Nothing came back to any call; the command was not sent.
    #[error("no reply to {asked} calls")]
    NoLink {
        /// How many were sent.
        asked: u32,
    },
    /// Every ENQ is answered by "busy", or the kept answers do not end; the command was not sent.
    #[error("the register was still busy after {waited:?}")]
    StillBusy {
        /// How long we waited.
        waited: Duration,
    },
    /// The exchange before did not end cleanly and this one stands inside a document; the command was not sent.
    #[error("the exchange before it did not end cleanly; not sent")]
    Unclean,
    /// The frame was sent, no acknowledgement came.
    #[error("the frame was not acknowledged within {waited:?}")]
    NotAcked {
        /// How long we waited.
        waited: Duration,
    },
    /// The frame was sent, and acknowledged where the link does that; no answer came in time.
    #[error("no answer within {waited:?}")]
    NoAnswer {
        /// How long we waited.
        waited: Duration,
    },
    /// What came is not the protocol: damaged again and again, or noise without end.
    #[error("what came back is not the protocol ({what})")]
    Garbled {
        /// The command had been sent.
        sent: bool,
        /// What was seen.
        what: &'static str,
    },
    /// The device answered NAK to the frame: damaged on the way.
    #[error("the frame was answered with NAK ({times} times)")]
    RefusedFrame {
        /// How many frames were sent.
        times: u32,
    },
    /// Only answers of other commands came.
    #[error("only answers of other commands came ({count})")]
    StaleOnly {
        /// How many.
        count: u32,
    },
    /// The register counts its commands otherwise than we do: it was restarted, or another program speaks to it.
    #[error(
        "the register counts {theirs} commands where this is the {ours}th: it was restarted or spoken to by others"
    )]
    OutOfStep {
        /// Number of our command.
        ours: u16,
        /// Number of the register's last answer.
        theirs: u16,
    },
    /// The payload has no frame (empty or too long); the command was not sent.
    #[error("the command has no frame: {0}")]
    NoFrame(String),
}

impl ExchangeFailure {
    /// Whether the command may have been carried out. True also for NAK: one NAK more or less on the line is no proof
    /// (`exactly-once` section 3: NAK on the last command is doubt).
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::PortGone { sent, .. } | Self::Stuck { sent, .. } | Self::Garbled { sent, .. } => *sent,
            Self::NoLink { .. } | Self::StillBusy { .. } | Self::Unclean | Self::NoFrame(_) => false,
            Self::NotAcked { .. }
            | Self::NoAnswer { .. }
            | Self::RefusedFrame { .. }
            | Self::StaleOnly { .. }
            | Self::OutOfStep { .. } => true,
        }
    }

    /// Whether the port has to be opened again.
    #[must_use]
    pub const fn port_gone(&self) -> bool {
        matches!(self, Self::PortGone { .. })
    }

    /// The code of the reason.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::PortGone { .. } => Code::RegisterAbsent,
            Self::Stuck { .. } | Self::NoLink { .. } | Self::NotAcked { .. } | Self::NoAnswer { .. } => {
                Code::RegisterSilent
            }
            Self::StillBusy { .. } => Code::RegisterBusy,
            Self::Unclean
            | Self::Garbled { .. }
            | Self::RefusedFrame { .. }
            | Self::StaleOnly { .. }
            | Self::OutOfStep { .. } => Code::RegisterGarbled,
            Self::NoFrame(_) => Code::InternalFault,
        }
    }
}

/// What came back after the command was sent is not the protocol.
const fn garbled(what: &'static str) -> ExchangeFailure {
    ExchangeFailure::Garbled { sent: true, what }
}

/// Whether a payload can be the answer to `sent`: the same code, or the one-byte echo of a model that has no two-byte
/// commands (captures: `FF 37`, two bytes where a two-byte code would need three).
fn answers(sent: &[u8], payload: &[u8]) -> bool {
    match sent {
        [prefix @ (0xFF | 0xFE), second, ..] => match payload {
            [first, _] => first == prefix,
            [first, echo, _, ..] => first == prefix && echo == second,
            _ => false,
        },
        [code, ..] => payload.len() >= 2 && payload.first() == Some(code),
        [] => false,
    }
}
