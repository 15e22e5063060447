//! A device of a few lines for the tests of hosts.
//!
//! Owns: a protocol of text lines: a command ends with `\n`, `ok N\n` answers it, the byte 06 confirms.
//! Must never: leave the tests.

use crate::faults::{FaultError, FaultKind, FaultSpec};
use crate::machine::{Exchange, Machine, Output, Snapshot};
use crate::moment::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the command `slow` takes.
pub const SLOW: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct TestDevice {
    line: Vec<u8>,
    commands: u64,
    answer_at: Option<Duration>,
    unconfirmed: bool,
    out: VecDeque<Output>,
    done: Vec<Exchange>,
    power_at: Option<Duration>,
    /// What [`Machine::linked`] said, in order.
    links: Vec<bool>,
}

impl TestDevice {
    fn answer(&mut self) {
        self.commands += 1;
        self.unconfirmed = true;
        self.out
            .push_back(Output::Bytes(format!("ok {}\n", self.commands).into_bytes()));
        self.done.push(Exchange {
            command: "00".to_owned(),
            error: 0,
            fd: None,
        });
    }
}

impl Machine for TestDevice {
    fn input(&mut self, now: Moment, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                0x06 => self.unconfirmed = false,
                b'\n' if self.line == b"slow" => {
                    self.line.clear();
                    self.answer_at = Some(now.elapsed + SLOW);
                }
                b'\n' => {
                    self.line.clear();
                    self.answer();
                }
                _ => self.line.push(*byte),
            }
        }
    }

    fn poll(&mut self, now: Moment) -> Output {
        if self.answer_at.is_some_and(|at| at <= now.elapsed) {
            self.answer_at = None;
            self.answer();
        }
        if self.power_at.is_some_and(|at| at <= now.elapsed) {
            self.power_at = None;
        }
        self.out.pop_front().unwrap_or(Output::Nothing)
    }

    fn next_wake(&self) -> Option<Duration> {
        [self.answer_at, self.power_at].into_iter().flatten().min()
    }

    fn fault(&mut self, now: Moment, spec: FaultSpec) -> Result<(), FaultError> {
        match spec.kind {
            FaultKind::Unplug { .. } => self.out.push_back(Output::Unplug),
            FaultKind::Replug { name } => self.out.push_back(Output::Replug { name }),
            FaultKind::PowerCut { down_ms, .. } => {
                self.power_at = Some(now.elapsed + Duration::from_millis(down_ms));
                self.out.push_back(Output::Close);
            }
            _ => return Err(FaultError::Zero),
        }
        Ok(())
    }

    fn linked(&mut self, _now: Moment, up: bool) {
        self.links.push(up);
        self.line.clear();
        self.unconfirmed = false;
    }

    fn powered(&self) -> bool {
        self.power_at.is_none()
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            exchanges: self.commands,
            last_command: Some(format!("{:?}", self.links)),
            ..Snapshot::default()
        }
    }

    fn between_exchanges(&self) -> bool {
        self.line.is_empty() && !self.unconfirmed && self.answer_at.is_none()
    }

    fn take_exchanges(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.done)
    }
}

/// A fault that happens at once.
pub fn now(kind: FaultKind) -> FaultSpec {
    FaultSpec {
        kind,
        trigger: crate::faults::Trigger::Now,
    }
}

/// The cable is pulled.
pub fn unplug() -> FaultSpec {
    now(FaultKind::Unplug {
        when: crate::faults::When::After,
    })
}

/// The cable comes back.
pub fn replug(name: Option<&str>) -> FaultSpec {
    let name = name.map(str::to_owned);
    now(FaultKind::Replug { name })
}
