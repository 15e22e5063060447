//! What faults make of an answer that is ready.
//!
//! Owns: the answer that leaves, the one that is kept, and old answers for stale replies.
//! Must never: change what the command did.

use super::armed::command_code;
use super::link::Framing;
use crate::chance::Chance;
use crate::faults::FaultKind;
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
