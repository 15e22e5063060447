//! One device and the stop in front of it.
//!
//! Owns: the order bytes → device → outputs, whether the port should be there and under which name, the event log,
//! and hold and step.
//! Must never: wait, do I/O, or let a byte overtake another.

use super::event_log::{EventLog, Happening};
use crate::faults::{FaultError, FaultSpec};
use crate::machine::{Machine, Output, Snapshot};
use crate::moment::Moment;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that may wait in front of a held device; what comes on top is lost as on a full serial line.
pub const HELD_BYTES: usize = 1 << 16;

/// What the port must do after a turn of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send these bytes to the peer.
    Send(Vec<u8>),
    /// Look at [`Station::wants_port`]: the port must go, come, or come under another name. A port that is there now
    /// must be closed first even if one is wanted.
    Reopen,
}

/// Whether commands reach the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// All of them.
    Open,
    /// The next `left` of them; with 0 everything after the running exchange waits.
    Held {
        /// Exchanges that may still pass.
        left: u64,
    },
}

/// How a register stands on its bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// The device.
    #[serde(flatten)]
    pub device: Snapshot,
    /// Whether the cable is in.
    pub plugged: bool,
    /// Name of the port.
    pub name: String,
    /// Whether commands reach the device.
    pub gate: Gate,
    /// Bytes that wait in front of the gate.
    pub held_bytes: usize,
    /// Number of the newest event.
    pub last_event: u64,
}

/// A device on its bench: cable, gate and log around a [`Machine`].
pub struct Station {
    machine: Box<dyn Machine>,
    gate: Gate,
    waiting: VecDeque<u8>,
    plugged: bool,
    name: String,
    log: EventLog,
}

impl Station {
    /// A plugged, powered device under a port name, its gate open.
    #[must_use]
    pub fn new(machine: Box<dyn Machine>, name: String) -> Self {
        Self {
            machine,
            gate: Gate::Open,
            waiting: VecDeque::new(),
            plugged: true,
            name,
            log: EventLog::default(),
        }
    }

    /// Bytes from the peer. Returns what the port must do, in order.
    pub fn input(&mut self, now: Moment, bytes: &[u8]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let room = HELD_BYTES.saturating_sub(self.waiting.len());
        self.waiting.extend(bytes.iter().take(room));
        self.advance(now, &mut effects);
        effects
    }

    /// Time has come to [`Station::next_wake`], or something changed.
    pub fn wake(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.turn(now, &mut effects);
        self.advance(now, &mut effects);
        effects
    }

    /// When to call [`Station::wake`], as time since the start.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        self.machine.next_wake()
    }

    /// Arms or performs a fault; unplugging is one.
    ///
    /// # Errors
    /// [`FaultError`]: nothing changed.
    pub fn fault(&mut self, now: Moment, spec: FaultSpec) -> Result<Vec<Effect>, FaultError> {
        self.machine.fault(now, spec)?;
        Ok(self.wake(now))
    }

    /// Stops the world in front of the device: the running exchange ends, the next command waits.
    pub const fn hold(&mut self) {
        self.gate = Gate::Held { left: 0 };
    }

    /// Lets that many more exchanges through a held gate; an open gate closes after them.
    pub fn step(&mut self, now: Moment, count: u64) -> Vec<Effect> {
        let left = match self.gate {
            Gate::Open => count,
            Gate::Held { left } => left.saturating_add(count),
        };
        self.gate = Gate::Held { left };
        self.wake(now)
    }

    /// Opens the gate.
    pub fn release(&mut self, now: Moment) -> Vec<Effect> {
        self.gate = Gate::Open;
        self.wake(now)
    }

    /// The name under which the port should be there now; `None` while the cable is out or the power is off.
    #[must_use]
    pub fn wants_port(&self) -> Option<&str> {
        (self.plugged && self.machine.powered()).then_some(self.name.as_str())
    }

    /// Name of the port, also while it is away.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the port the name it really got.
    pub fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// The port opened or went, or a peer came or left. Bytes under way are lost with the link.
    pub fn linked(&mut self, now: Moment, up: bool) -> Vec<Effect> {
        self.waiting.clear();
        self.machine.linked(now, up);
        self.wake(now)
    }

    /// Adds to the event log what the port saw.
    pub fn note(&mut self, now: Moment, what: Happening) {
        self.log.push(now.unix_ms, what);
    }

    /// The events so far.
    #[must_use]
    pub const fn log(&self) -> &EventLog {
        &self.log
    }

    /// How everything stands.
    #[must_use]
    pub fn observe(&self) -> Observation {
        Observation {
            device: self.machine.snapshot(),
            plugged: self.plugged,
            name: self.name.clone(),
            gate: self.gate,
            held_bytes: self.waiting.len(),
            last_event: self.log.last(),
        }
    }

    /// Gives waiting bytes to the device, as far as the gate lets them.
    fn advance(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.gate == Gate::Open {
            let bytes: Vec<u8> = self.waiting.drain(..).collect();
            if !bytes.is_empty() {
                self.machine.input(now, &bytes);
            }
            return self.turn(now, effects);
        }
        // Behind a gate each byte may be the one that ends an exchange, so they go in one by one.
        while self.may_pass() {
            let Some(byte) = self.waiting.pop_front() else { break };
            self.machine.input(now, &[byte]);
            self.turn(now, effects);
        }
    }

    fn may_pass(&self) -> bool {
        match self.gate {
            Gate::Open | Gate::Held { left: 1.. } => true,
            // The rest of the exchange that is running: without its last ACK the device would keep the answer.
            Gate::Held { left: 0 } => !self.machine.between_exchanges(),
        }
    }

    /// Takes everything that the device has to say now.
    fn turn(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        loop {
            let output = self.machine.poll(now);
            self.record(now);
            match output {
                Output::Bytes(bytes) => effects.push(Effect::Send(bytes)),
                Output::Close => self.cut(effects),
                Output::Unplug => {
                    self.plugged = false;
                    self.cut(effects);
                }
                Output::Replug { name } => {
                    self.plugged = true;
                    self.name = name.unwrap_or_else(|| self.name.clone());
                    self.cut(effects);
                }
                Output::Nothing => return,
            }
        }
    }

    fn cut(&mut self, effects: &mut Vec<Effect>) {
        self.waiting.clear();
        effects.push(Effect::Reopen);
    }

    fn record(&mut self, now: Moment) {
        for exchange in self.machine.take_exchanges() {
            if let Gate::Held { left } = &mut self.gate {
                *left = left.saturating_sub(1);
            }
            self.log.push(now.unix_ms, Happening::Exchange(exchange));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_device::{TestDevice, replug, unplug};
    use super::*;

    const NOW: Moment = Moment {
        elapsed: Duration::ZERO,
        unix_ms: 0,
    };

    fn station() -> Station {
        Station::new(Box::new(TestDevice::default()), "one".to_owned())
    }

    fn sent(effects: Vec<Effect>) -> String {
        let text = |e| match e {
            Effect::Send(bytes) => String::from_utf8(bytes).unwrap(),
            Effect::Reopen => "reopen ".to_owned(),
        };
        effects.into_iter().map(text).collect()
    }

    #[test]
    fn a_step_lets_one_exchange_through_and_the_ack_that_ends_it() {
        let mut station = station();
        station.hold();
        assert_eq!(sent(station.input(NOW, b"one\n")), "");
        assert_eq!(sent(station.step(NOW, 1)), "ok 1\n");
        // ACK and the next command come in one piece; only the ACK belongs to the exchange that was let through.
        assert_eq!(sent(station.input(NOW, b"\x06two\n")), "");
        assert_eq!(station.observe().held_bytes, 4);
        assert!(station.machine.between_exchanges());
        assert_eq!(sent(station.step(NOW, 1)), "ok 2\n");
        assert_eq!(sent(station.input(NOW, b"\x06three\n\x06four\n")), "");
        assert_eq!(sent(station.release(NOW)), "ok 3\nok 4\n");
        assert_eq!(station.log().last(), 4);
    }

    #[test]
    fn a_hold_lets_the_running_exchange_end() {
        let mut station = station();
        assert_eq!(sent(station.input(NOW, b"one\n")), "ok 1\n");
        station.hold();
        assert_eq!(sent(station.input(NOW, b"\x06two\n")), "");
        assert_eq!(station.observe().held_bytes, 4);
    }

    #[test]
    fn steps_given_before_the_commands_count_them_down() {
        let mut station = station();
        let _ = station.step(NOW, 2);
        assert_eq!(sent(station.input(NOW, b"one\n\x06two\n\x06three\n")), "ok 1\nok 2\n");
        assert_eq!(station.observe().gate, Gate::Held { left: 0 });
        assert_eq!(station.observe().held_bytes, 6);
    }

    #[test]
    fn the_port_is_wanted_under_the_name_of_the_last_replug() {
        let mut station = station();
        assert_eq!(station.wants_port(), Some("one"));
        assert_eq!(sent(station.fault(NOW, unplug()).unwrap()), "reopen ");
        assert_eq!(station.wants_port(), None);
        station.fault(NOW, replug(Some("two"))).unwrap();
        assert_eq!(station.wants_port(), Some("two"));
        station.fault(NOW, unplug()).unwrap();
        station.fault(NOW, replug(None)).unwrap();
        assert_eq!(station.wants_port(), Some("two"));
    }

    #[test]
    fn bytes_on_a_cable_that_is_pulled_are_lost() {
        let mut station = station();
        station.hold();
        let _ = station.input(NOW, b"one\n");
        station.fault(NOW, unplug()).unwrap();
        station.fault(NOW, replug(None)).unwrap();
        assert_eq!(sent(station.release(NOW)), "");
    }

    #[test]
    fn more_bytes_than_the_gate_holds_are_lost_and_not_kept_in_memory() {
        let mut station = station();
        station.hold();
        let _ = station.input(NOW, &vec![b'x'; HELD_BYTES + 5]);
        assert_eq!(station.observe().held_bytes, HELD_BYTES);
    }
}
