//! What faults make of an answer that is ready.
//!
//! Owns: the answer that leaves, the one that is kept, and old answers for stale replies.
//! Must never: change what the command did.

use super::armed::command_code;
use super::link::Framing;
use super::register::{Register, Stage};
use crate::chance::Chance;
use crate::faults::FaultKind;
use crate::moment::Moment;
use kassette_wire::shtrih::{AnswerFrame, CommandCode, ErrorCode};
use std::collections::BTreeMap;
use std::time::Duration;

/// Payloads of the good answers so far: the last of all, and the last of each command.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    last: Option<Vec<u8>>,
    by_command: BTreeMap<CommandCode, Vec<u8>>,
}

impl Past {
    pub fn keep(&mut self, command: CommandCode, payload: Vec<u8>) {
        self.by_command.insert(command, payload.clone());
        self.last = Some(payload);
    }

    /// The last answer, where it is of another command.
    pub fn of_another(&self, command: CommandCode) -> Option<Vec<u8>> {
        let own = command.to_bytes();
        self.last.clone().filter(|payload| !payload.starts_with(&own))
    }

    /// A stale answer: the last to the named command, else the last of all.
    fn stale(&self, of: Option<&str>) -> Option<Vec<u8>> {
        let named = of
            .and_then(|code| command_code(code).ok())
            .and_then(|code| self.by_command.get(&code));
        named.or(self.last.as_ref()).cloned()
    }
}

/// What happens to one answer.
#[derive(Debug, Clone)]
pub(super) struct Answering {
    /// Frame that leaves.
    pub sent: Vec<u8>,
    /// Frame that is kept: on v1 until ACK, on v2 until the next command.
    pub kept: Vec<u8>,
    /// How much later it leaves.
    pub late: Duration,
    /// It does not leave, and v1 does not keep it.
    pub dropped: bool,
    /// The line loses it: it does not leave, and is kept all the same.
    pub lost: bool,
    /// How much later it leaves once more.
    pub again: Option<Duration>,
    /// Faults of the device that fall between the work and the answer; with any, nothing leaves.
    pub ends: Vec<FaultKind>,
}

impl Answering {
    pub fn decide(
        answer: &AnswerFrame,
        framing: Framing,
        after: Vec<FaultKind>,
        past: &Past,
        chance: &mut Chance,
    ) -> Self {
        let right = framing.frame_of(answer);
        let mut decided = Self {
            sent: right.clone(),
            kept: right,
            late: Duration::ZERO,
            dropped: false,
            lost: false,
            again: None,
            ends: Vec::new(),
        };
        for kind in after {
            match kind {
                FaultKind::Error { code, .. } => decided.replace(framing.frame_of(&refusal(answer.command, code))),
                FaultKind::StaleReply { of } => {
                    if let Some(old) = past.stale(of.as_deref()).and_then(|payload| framing.wrap(&payload)) {
                        decided.replace(old);
                    }
                }
                FaultKind::Garble => damage(&mut decided.sent, chance),
                FaultKind::CutReply { keep } => decided.sent.truncate(keep.min(decided.sent.len().saturating_sub(1))),
                FaultKind::Lost { .. } => decided.lost = true,
                FaultKind::FalseNak => {}
                FaultKind::DuplicateReply { after_ms } => decided.again = Some(Duration::from_millis(after_ms)),
                FaultKind::LateReply { by_ms } => decided.late += Duration::from_millis(by_ms),
                FaultKind::DropReply { .. } => decided.dropped = true,
                other => decided.ends.push(other),
            }
        }
        decided
    }

    fn replace(&mut self, frame: Vec<u8>) {
        self.sent.clone_from(&frame);
        self.kept = frame;
    }
}

impl Register {
    /// Sends the answer or keeps it; gives the faults that fall behind it.
    pub(super) fn answer(&mut self, decided: Answering, now: Moment) -> Vec<FaultKind> {
        let Answering {
            sent,
            kept: answer,
            late,
            dropped,
            lost,
            again,
            ends,
        } = decided;
        let send_at = now.elapsed + late;
        if let Some(again) = again {
            self.echoes.push((send_at + again, answer.clone()));
        }
        if dropped {
            // v2 keeps its last answer whatever becomes of the bytes: a repeated number gets it.
            if self.link.is_v2() {
                self.link.keep(answer);
            }
            self.stage = Stage::Idle;
        } else if lost || !ends.is_empty() {
            self.keep(answer, None);
        } else if send_at > now.elapsed {
            self.stage = Stage::Holding { answer, send_at };
        } else {
            self.send(now.elapsed, sent);
            self.keep(answer, Some(now.elapsed));
        }
        ends
    }
}

/// A refusal with any code.
pub(super) const fn refusal(command: CommandCode, code: u8) -> AnswerFrame {
    AnswerFrame::refusal(command, ErrorCode(code))
}

/// Changes one bit inside the frame, so that its check sum is wrong.
fn damage(frame: &mut [u8], chance: &mut Chance) {
    let last = frame.len().saturating_sub(2) as u64;
    let at = chance.between(2.min(last), last) as usize;
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= 1 << chance.between(0, 7);
    }
}
