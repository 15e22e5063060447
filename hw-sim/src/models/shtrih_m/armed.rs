//! Faults that wait for their command.
//!
//! Owns: the counting of triggers, and what faults make of one command.
//! Must never: carry a fault out.

use crate::faults::{FaultError, FaultKind, FaultSpec, Trigger, When};
use kassette_wire::shtrih::CommandCode;
use std::collections::BTreeMap;

/// A fault with what is left of its trigger.
#[derive(Debug, Clone)]
struct Armed {
    kind: FaultKind,
    /// Only commands with this code count.
    command: Option<CommandCode>,
    left: u64,
}

/// All faults that have not happened yet, and the count of those that have.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    happened: BTreeMap<&'static str, u64>,
}

/// Most faults armed at once; a script that arms more has lost its way.
const MOST: usize = 10_000;

impl Faults {
    /// Arms a fault, or gives it back when it is to happen at once and needs no command for it.
    pub fn arm(&mut self, spec: FaultSpec) -> Result<Option<FaultKind>, FaultError> {
        if let FaultKind::StaleReply { of: Some(code) } = &spec.kind {
            command_code(code)?;
        }
        if let FaultKind::TableValue { value: Some(text), .. }
        | FaultKind::MiswriteTag { value: Some(text), .. }
        | FaultKind::Setting { value: text, .. } = &spec.kind
        {
            super::defects::unhex(text).ok_or_else(|| FaultError::Value(text.clone()))?;
        }
        let (command, left) = match &spec.trigger {
            Trigger::Now if at_once(&spec.kind) => {
                self.count(&spec.kind);
                return Ok(Some(spec.kind));
            }
            Trigger::Now => (None, 1),
            Trigger::NthExchange(n) => (None, *n),
            Trigger::Command { code, nth } => (Some(command_code(code)?), *nth),
        };
        if left == 0 {
            return Err(FaultError::Zero);
        }
        if self.armed.len() >= MOST {
            return Err(FaultError::TooMany);
        }
        self.armed.push(Armed {
            kind: spec.kind,
            command,
            left,
        });
        Ok(None)
    }

    /// The faults whose moment this command is, in the order in which they were armed.
    pub fn due(&mut self, command: CommandCode) -> Vec<FaultKind> {
        let mut due = Vec::new();
        self.armed.retain_mut(|armed| {
            if armed.command.is_none_or(|c| c == command) {
                armed.left -= 1;
            }
            if armed.left == 0 {
                due.push(armed.kind.clone());
            }
            armed.left > 0
        });
        for kind in &due {
            self.count(kind);
        }
        due
    }

    fn count(&mut self, kind: &FaultKind) {
        *self.happened.entry(kind.name()).or_default() += 1;
    }

    /// How often each kind has happened.
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.happened.clone()
    }

    pub fn len(&self) -> usize {
        self.armed.len()
    }
}

/// Faults of the device or its cable; the others are faults of an answer and wait for one.
const fn at_once(kind: &FaultKind) -> bool {
    !matches!(
        kind,
        FaultKind::DropReply { .. }
            | FaultKind::Garble
            | FaultKind::GarbleRequest
            | FaultKind::FalseNak
            | FaultKind::TakenForRepeat
            | FaultKind::Lost { .. }
            | FaultKind::CutReply { .. }
            | FaultKind::DuplicateReply { .. }
            | FaultKind::Error { .. }
            | FaultKind::StaleReply { .. }
            | FaultKind::LateReply { .. }
    )
}

/// A code as the reference writes it.
pub(super) fn command_code(text: &str) -> Result<CommandCode, FaultError> {
    let bad = || FaultError::Code(text.to_owned());
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u16::from_str_radix(text, 16).map_err(|_| bad())?;
    match (text.len(), number.to_be_bytes()) {
        (2, [_, byte]) if hex => Ok(CommandCode::one(byte)),
        (4, [prefix @ (0xFE | 0xFF), byte]) if hex => Ok(CommandCode::two(prefix, byte)),
        _ => Err(bad()),
    }
}

/// On which side of the work a fault of one command falls.
pub(super) fn side(kind: &FaultKind) -> When {
    match kind {
        FaultKind::Unplug { when }
        | FaultKind::Hang { when, .. }
        | FaultKind::DropReply { when }
        | FaultKind::Lost { when }
        | FaultKind::Error { when, .. }
        | FaultKind::PowerCut { when, .. } => *when,
        FaultKind::Garble
        | FaultKind::StaleReply { .. }
        | FaultKind::LateReply { .. }
        | FaultKind::CutReply { .. }
        | FaultKind::FalseNak
        | FaultKind::DuplicateReply { .. } => When::After,
        _ => When::Before,
    }
}
