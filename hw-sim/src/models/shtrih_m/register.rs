//! The register as one machine: link, work, faults, power.
//!
//! Owns: the link's states (`shtrih-m.md` 1.2, 1.4), kept answers, and when work is done.
//! Must never: answer before the document of a command stands in the FN.

use super::answering::{Answering, Past, refusal};
use super::armed::{Faults, side};
use super::config::{Config, LinkKind};
use super::device::Device;
use super::link::{Asked, Heard, Link};
use super::start::{self, StartError};
use super::timing;
use crate::chance::Chance;
use crate::faults::{FaultError, FaultKind, FaultSpec, When};
use crate::fiscal_storage::ledger::Shelf;
use crate::machine::{Exchange, Machine, Output, Snapshot};
use crate::moment::Moment;
use kassette_wire::link::shtrih_v1::{ACK, Event, NAK, TCP_STRAY};
use kassette_wire::link::shtrih_v2::Frame;
use kassette_wire::shtrih::CommandCode;
use std::collections::VecDeque;
use std::time::Duration;

/// Exchanges that a host may leave unread.
const MOST_EXCHANGES: usize = 10_000;

/// Where an exchange stands.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Nothing to do.
    Idle,
    /// A command is being carried out until then.
    Working {
        payload: Vec<u8>,
        done_at: Duration,
        after: Vec<FaultKind>,
    },
    /// It is carried out, the answer goes at that time.
    Holding { answer: Vec<u8>, send_at: Duration },
    /// v1: the answer went; it is kept until an ACK, which counts while `since` is recent enough.
    Kept { answer: Vec<u8>, since: Option<Duration> },
}

/// What a fault puts in the place of the work.
#[derive(Debug, Clone)]
enum Instead {
    Nothing,
    Silence,
    Refusal(u8),
    /// It is taken for a repeated one: this leaves.
    Old(Vec<u8>),
    /// The command did not arrive whole: v1 says NAK, v2 nothing.
    Garbled,
}

/// How long the device does not react.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hang {
    No,
    Until(Duration),
    Forever,
}

/// A simulated Shtrih-M register with its FN.
pub struct Register {
    pub(super) device: Device,
    pub(super) shelf: Box<dyn Shelf>,
    pub(super) link: Link,
    pub(super) last_byte: Duration,
    pub(super) stage: Stage,
    pub(super) outbox: VecDeque<(Duration, Output)>,
    /// Answers that the line will repeat, and when; they hold up nothing behind them.
    pub(super) echoes: Vec<(Duration, Vec<u8>)>,
    pub(super) faults: Faults,
    pub(super) add_ms: u64,
    pub(super) hang: Hang,
    /// While without power: when it comes back.
    pub(super) power_at: Option<Duration>,
    pub(super) linked: bool,
    /// The last moment that a host named.
    pub(super) seen: Moment,
    pub(super) counts: Counts,
    pub(super) past: Past,
    pub(super) log: VecDeque<Exchange>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    exchanges: u64,
    bytes_in: u64,
    bytes_out: u64,
    last_command: Option<String>,
}

impl Register {
    /// A register that is switched on at `now`. What its FN and its memory hold is taken from the shelf; a fresh FN in
    /// fiscal mode gets its registration report.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(config: Config, mut shelf: Box<dyn Shelf>, chance: Chance, now: Moment) -> Result<Self, StartError> {
        let device = start::device(config, shelf.as_mut(), chance, now)?;
        let mut register = Self {
            link: Link::new(device.config.switches.link_v2),
            device,
            shelf,
            last_byte: Duration::ZERO,
            stage: Stage::Idle,
            outbox: VecDeque::new(),
            echoes: Vec::new(),
            faults: Faults::default(),
            add_ms: 0,
            hang: Hang::No,
            power_at: None,
            linked: true,
            seen: now,
            counts: Counts::default(),
            past: Past::default(),
            log: VecDeque::new(),
        };
        register.remember()?;
        Ok(register)
    }

    pub(super) fn remember(&mut self) -> Result<(), StartError> {
        if self.device.memory_changed {
            start::store(&self.device, self.shelf.as_mut())?;
            self.device.memory_changed = false;
        }
        Ok(())
    }

    pub(super) fn send(&mut self, at: Duration, bytes: Vec<u8>) {
        // Nothing overtakes what is under way.
        let at = self.outbox.back().map_or(at, |(last, _)| at.max(*last));
        self.outbox.push_back((at, Output::Bytes(bytes)));
    }

    pub(super) fn send_now(&mut self, now: Moment, byte: u8) {
        self.send(now.elapsed, vec![byte]);
    }

    /// Lets pass what time brings: power, the end of a hang, the end of work.
    fn settle(&mut self, now: Moment) {
        self.seen = now;
        if self.power_at.is_some_and(|at| at <= now.elapsed) {
            self.power_at = None;
        }
        if matches!(self.hang, Hang::Until(at) if at <= now.elapsed) {
            self.hang = Hang::No;
        }
        if self.power_at.is_some() || self.hang != Hang::No {
            return;
        }
        self.give_up_frame(now);
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Working {
                payload,
                done_at,
                after,
            } if done_at <= now.elapsed => self.work(&payload, after, now),
            Stage::Holding { answer, send_at } if send_at <= now.elapsed => {
                self.send(now.elapsed, answer.clone());
                self.keep(answer, Some(now.elapsed));
            }
            stage => self.stage = stage,
        }
        if matches!(self.stage, Stage::Holding { send_at, .. } if send_at <= now.elapsed) {
            self.settle(now);
        }
    }

    fn on_event(&mut self, event: Event, now: Moment) {
        let working = matches!(self.stage, Stage::Working { .. } | Stage::Holding { .. });
        match event {
            Event::Enq if working => self.send_now(now, ACK),
            Event::Enq => self.on_enq(now),
            Event::Ack => self.on_ack(now),
            Event::Nak => {
                if let Stage::Kept { since, .. } = &mut self.stage {
                    *since = None;
                }
            }
            // One command at a time: what comes meanwhile is not looked at.
            Event::BadLrc | Event::Frame(_) if working => {}
            Event::BadLrc => self.send_now(now, NAK),
            Event::Frame(payload) => {
                let kept = matches!(self.stage, Stage::Kept { .. });
                if !kept || self.device.config.switches.frame_drops_kept_answer {
                    self.on_command(payload, now);
                }
            }
            Event::Stray(_) => {}
        }
    }

    /// v2: one command at a time here too; the host repeats its frame when nothing comes (1.4).
    fn on_numbered(&mut self, frame: Frame, now: Moment) {
        if matches!(self.stage, Stage::Working { .. } | Stage::Holding { .. }) {
            return;
        }
        match self.link.asked(frame) {
            Asked::Command(payload) => self.on_command(payload, now),
            Asked::LastAnswer => self.send(now.elapsed, self.link.last_answer()),
        }
    }

    /// The exchange is over for the register, except that its answer is kept.
    pub(super) fn keep(&mut self, answer: Vec<u8>, since: Option<Duration>) {
        if self.link.is_v2() {
            self.link.keep(answer);
            self.stage = Stage::Idle;
        } else {
            self.stage = Stage::Kept { answer, since };
        }
    }

    fn on_enq(&mut self, now: Moment) {
        if let Stage::Kept { answer, since } = &mut self.stage {
            *since = Some(now.elapsed);
            let answer = answer.clone();
            self.send_now(now, ACK);
            self.send(now.elapsed, answer);
        } else {
            self.send_now(now, NAK);
        }
    }

    fn on_ack(&mut self, now: Moment) {
        let timeout = self.device.config.switches.confirm_timeout_ms;
        if let Stage::Kept { since: Some(since), .. } = &self.stage {
            let late = timeout > 0 && now.elapsed > *since + Duration::from_millis(timeout);
            if !late {
                self.stage = Stage::Idle;
                if self.device.config.link == LinkKind::Tcp {
                    self.send_now(now, TCP_STRAY);
                }
            }
        }
    }

    /// A whole command: count it, let faults before the work happen, acknowledge, begin.
    fn on_command(&mut self, payload: Vec<u8>, now: Moment) {
        self.stage = Stage::Idle;
        let Some((command, _)) = CommandCode::split_request(&payload) else {
            return;
        };
        self.counts.exchanges += 1;
        self.counts.last_command = Some(command.to_string());
        let due = self.faults.due(command).into_iter();
        let (before, after): (Vec<_>, Vec<_>) = due.partition(|kind| side(kind) == When::Before);
        let Some(instead) = self.before_work(command, before, now) else {
            return;
        };
        let config = &self.device.config;
        let chance = &mut self.device.chance;
        let v2 = self.link.is_v2();
        let acknowledged = if v2 {
            now.elapsed
        } else {
            now.elapsed + timing::acknowledge(&config.timing, chance)
        };
        let takes = timing::execution(&config.timing, command, chance) + Duration::from_millis(self.add_ms);
        let unheard = after.iter().any(|kind| matches!(kind, FaultKind::Lost { .. }));
        let refused = matches!(instead, Instead::Garbled) || after.contains(&FaultKind::FalseNak);
        if !v2 && !unheard {
            self.send(acknowledged, vec![if refused { NAK } else { ACK }]);
        }
        let done_at = acknowledged + takes;
        self.stage = match instead {
            Instead::Old(payload) => Stage::Holding {
                answer: self.link.framing().wrap(&payload).unwrap_or_default(),
                send_at: done_at,
            },
            Instead::Nothing => Stage::Working {
                payload,
                done_at,
                after,
            },
            Instead::Silence | Instead::Garbled => Stage::Idle,
            Instead::Refusal(code) => Stage::Holding {
                answer: self.link.framing().frame_of(&refusal(command, code)),
                send_at: done_at,
            },
        };
        self.settle(now);
    }

    /// Faults before the work. `None`: the device is gone or hangs, and what it received is forgotten.
    fn before_work(&mut self, command: CommandCode, faults: Vec<FaultKind>, now: Moment) -> Option<Instead> {
        let mut instead = Instead::Nothing;
        for kind in faults {
            match kind {
                FaultKind::Error { code, .. } => instead = Instead::Refusal(code),
                FaultKind::DropReply { .. } => instead = Instead::Silence,
                FaultKind::GarbleRequest => instead = Instead::Garbled,
                FaultKind::TakenForRepeat => {
                    let old = self.past.of_another(command).filter(|_| self.link.is_v2());
                    instead = old.map_or(Instead::Nothing, Instead::Old);
                }
                FaultKind::Lost { .. } => {
                    self.note(command, 0, None);
                    return None;
                }
                other => {
                    let ends = matches!(other, FaultKind::Unplug { .. });
                    // Whether it could be done was checked when it was armed; there is nobody here to tell.
                    let _ = self.perform(other, now);
                    if ends || self.power_at.is_some() || self.hang != Hang::No {
                        self.note(command, 0, None);
                        return None;
                    }
                }
            }
        }
        match &instead {
            Instead::Nothing => {}
            Instead::Silence | Instead::Garbled | Instead::Old(_) => self.note(command, 0, None),
            Instead::Refusal(code) => self.note(command, *code, None),
        }
        Some(instead)
    }

    /// Carries a command out; faults after the work decide what becomes of its answer.
    fn work(&mut self, payload: &[u8], after: Vec<FaultKind>, now: Moment) {
        let answer = self.device.execute(payload, now);
        if self.remember().is_err() {
            // Settings that cannot be kept are as good as a broken memory: the device says so from now on.
            self.device.storage.troubles.code = Some(crate::fiscal_storage::code::FAILURE);
        }
        let command = CommandCode::split_request(payload).map_or(answer.command, |(command, _)| command);
        self.note(command, answer.error.0, self.device.made);
        let framing = self.link.framing();
        let decided = Answering::decide(&answer, framing, after, &self.past, &mut self.device.chance);
        self.past.keep(command, answer.encode());
        let ends = self.answer(decided, now);
        for kind in ends {
            let _ = self.perform(kind, now);
        }
        // A late answer must still leave in the framing of its command.
        let late = matches!(self.stage, Stage::Holding { .. });
        if command == CommandCode::SET_PORT && answer.error.is_ok() && !late {
            self.link.detect_again();
        }
        if std::mem::take(&mut self.device.reboot) {
            self.device.lose_power();
            self.link.restart_numbers();
            self.link.detect_again();
        }
    }

    fn note(&mut self, command: CommandCode, error: u8, fd: Option<u32>) {
        if self.log.len() == MOST_EXCHANGES {
            self.log.pop_front();
        }
        self.log.push_back(Exchange {
            command: command.to_string(),
            error,
            fd,
        });
    }

    fn wakes(&self) -> [Option<Duration>; 6] {
        let stage = match &self.stage {
            Stage::Working { done_at, .. } => Some(*done_at),
            Stage::Holding { send_at, .. } => Some(*send_at),
            Stage::Idle | Stage::Kept { .. } => None,
        };
        let hang = match self.hang {
            Hang::Until(at) => Some(at),
            Hang::No | Hang::Forever => None,
        };
        let answers = self.hang == Hang::No && self.power_at.is_none();
        let frame = self.link.in_frame() && self.device.config.switches.nak_after_byte_timeout;
        [
            self.outbox.front().map(|(at, _)| *at),
            self.echoes.iter().map(|(at, _)| *at).min(),
            stage.filter(|_| answers),
            hang,
            self.power_at,
            frame.then_some(self.last_byte + self.byte_timeout()),
        ]
    }
}

impl Machine for Register {
    fn input(&mut self, now: Moment, bytes: &[u8]) {
        self.counts.bytes_in += bytes.len() as u64;
        self.settle(now);
        for byte in bytes {
            if self.power_at.is_some() || self.hang != Hang::No {
                self.link.reset();
                return;
            }
            self.last_byte = now.elapsed;
            match self.link.push(*byte) {
                Some(Heard::V1(event)) => self.on_event(event, now),
                Some(Heard::V2(frame)) => self.on_numbered(frame, now),
                None => {}
            }
        }
    }

    fn poll(&mut self, now: Moment) -> Output {
        self.settle(now);
        let mut bytes = Vec::new();
        while let Some((at, output)) = self.outbox.front() {
            if *at > now.elapsed || (!matches!(output, Output::Bytes(_)) && !bytes.is_empty()) {
                break;
            }
            match self.outbox.pop_front() {
                // Without a peer the bytes go nowhere; the answer is kept all the same.
                Some((_, Output::Bytes(more))) if self.linked => bytes.extend(more),
                Some((_, Output::Bytes(_))) | None => {}
                Some((_, other)) => return other,
            }
        }
        if self.outbox.front().is_none_or(|(at, _)| *at > now.elapsed) {
            for (_, echo) in self.echoes.extract_if(.., |(at, _)| *at <= now.elapsed) {
                bytes.extend(echo);
            }
        }
        if bytes.is_empty() {
            return Output::Nothing;
        }
        self.counts.bytes_out += bytes.len() as u64;
        Output::Bytes(bytes)
    }

    fn next_wake(&self) -> Option<Duration> {
        self.wakes().into_iter().flatten().min()
    }

    fn fault(&mut self, now: Moment, spec: FaultSpec) -> Result<(), FaultError> {
        self.settle(now);
        if let FaultKind::FnReplace { number, .. } = &spec.kind {
            self.shelf.ledger(number).map_err(|e| FaultError::Fn(e.to_string()))?;
        }
        match self.faults.arm(spec)? {
            Some(kind) => self.perform(kind, now),
            None => Ok(()),
        }
    }

    fn linked(&mut self, now: Moment, up: bool) {
        self.settle(now);
        self.linked = up;
        self.link.reset();
        if up && self.device.config.link == LinkKind::Tcp {
            self.link.restart_numbers();
        }
        if !up {
            self.outbox.retain(|(_, output)| !matches!(output, Output::Bytes(_)));
            self.echoes.clear();
        }
    }

    fn powered(&self) -> bool {
        self.power_at.is_none()
    }

    fn snapshot(&self) -> Snapshot {
        let device = &self.device;
        let shift = device.storage.shift();
        Snapshot {
            serial: device.config.serial.clone(),
            model: device.config.model.clone(),
            fn_number: device.storage.number().to_owned(),
            mode: device.mode(self.seen),
            submode: device.submode(self.seen),
            phase: device.storage.status_phase(),
            shift_open: shift.open,
            shift: shift.number,
            last_fd: device.storage.last_fd(),
            exchanges: self.counts.exchanges,
            bytes_in: self.counts.bytes_in,
            bytes_out: self.counts.bytes_out,
            last_command: self.counts.last_command.clone(),
            clock_skew_seconds: device.clock.skew_ms() / 1000,
            powered: self.powered(),
            hangs: self.hang != Hang::No,
            armed_faults: self.faults.len(),
            happened: self.faults.happened(),
        }
    }

    fn between_exchanges(&self) -> bool {
        matches!(self.stage, Stage::Idle) && !self.link.in_frame() && self.outbox.is_empty()
    }

    fn take_exchanges(&mut self) -> Vec<Exchange> {
        self.log.drain(..).collect()
    }
}
