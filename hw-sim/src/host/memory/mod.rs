//! Ports in memory, under whatever time the caller keeps.
//!
//! Owns: the pipes between devices and a program in the same process, and the list of ports.
//! Must never: start a thread, read a clock of its own, or depend on anything but its calls and their order.

use crate::faults::{FaultError, FaultSpec};
use crate::host::event_log::{Event, Happening};
use crate::host::station::{Effect, Observation, Station};
use crate::machine::Machine;
use crate::moment::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, watch};

/// Bytes that may wait for a reader; what comes on top is lost as on a serial line.
const UNREAD_BYTES: usize = 1 << 16;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// What a memory port behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLink {
    /// A serial line: the device does not notice who has the port open, and what nobody reads is lost.
    Serial,
    /// A network connection: the device notices a peer that comes or goes.
    Network,
}

/// Why something cannot be done on a memory bench.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MemoryError {
    /// No such register.
    #[error("there is no register {0} on the bench")]
    NoRegister(String),
    /// The serial stands on the bench already.
    #[error("register {0} stands on the bench already")]
    Doubled(String),
    /// The port is gone, or another device came under its name since.
    #[error("port {0} is gone")]
    Gone(String),
    /// Somebody has the port open.
    #[error("port {0} is open already")]
    Busy(String),
    /// The fault does not fit.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

struct MemorySeat {
    station: Station,
    link: MemoryLink,
    /// Generation of the port while it is there.
    up: Option<u64>,
    /// The open end, while there is one.
    peer: Option<Peer>,
    /// The name was taken when the port should have come; it waits for the next move of cable or power.
    given_up: bool,
}

struct Peer {
    unread: VecDeque<u8>,
    news: Arc<Notify>,
}

#[derive(Default)]
struct Bench {
    seats: BTreeMap<String, MemorySeat>,
    /// Serial by port name, for the ports that are there.
    names: BTreeMap<String, String>,
    generations: u64,
}

struct Shared {
    clock: Clock,
    bench: Mutex<Bench>,
    /// The next wake may have changed.
    rescheduled: Notify,
    changes: watch::Sender<u64>,
}

/// Devices and their ports. Clones are handles to the same bench.
#[derive(Clone)]
pub struct MemoryBench(Arc<Shared>);

impl MemoryBench {
    /// An empty bench that lives by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            clock,
            bench: Mutex::new(Bench::default()),
            rescheduled: Notify::new(),
            changes: watch::Sender::new(0),
        }))
    }

    /// What time it is on the bench.
    #[must_use]
    pub fn now(&self) -> Moment {
        (self.0.clock)()
    }

    fn bench(&self) -> MutexGuard<'_, Bench> {
        // A panic under the lock fails the whole simulation anyway.
        self.0.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches on a device and plugs it in under a port name.
    ///
    /// # Errors
    /// [`MemoryError::Doubled`].
    pub fn seat(
        &self,
        serial: &str,
        port: &str,
        link: MemoryLink,
        machine: Box<dyn Machine>,
    ) -> Result<(), MemoryError> {
        let mut bench = self.bench();
        if bench.seats.contains_key(serial) {
            return Err(MemoryError::Doubled(serial.to_owned()));
        }
        let seat = MemorySeat {
            station: Station::new(machine, port.to_owned()),
            link,
            up: None,
            peer: None,
            given_up: false,
        };
        bench.seats.insert(serial.to_owned(), seat);
        let now = self.now();
        self.settle(&mut bench, serial, |seat| seat.station.wake(now))
    }

    /// Takes a device off the bench; what its FN keeps is its shelf's business.
    pub fn remove(&self, serial: &str) {
        let mut bench = self.bench();
        if let Some(mut seat) = bench.seats.remove(serial) {
            bench.names.retain(|_, owner| owner != serial);
            seat.hang_up();
            self.0.changes.send_modify(|n| *n += 1);
        }
    }

    /// The serials of all devices.
    #[must_use]
    pub fn serials(&self) -> Vec<String> {
        self.bench().seats.keys().cloned().collect()
    }

    /// The ports that are there: generation by name. A port that goes and comes back has a new generation.
    #[must_use]
    pub fn ports(&self) -> BTreeMap<String, u64> {
        let bench = self.bench();
        let generation = |serial: &String| bench.seats.get(serial).and_then(|seat| seat.up);
        let present = bench
            .names
            .iter()
            .filter_map(|(name, s)| Some((name.clone(), generation(s)?)));
        present.collect()
    }

    /// Changes whenever [`MemoryBench::ports`] does.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Opens a port for its only user.
    ///
    /// # Errors
    /// [`MemoryError::Gone`], [`MemoryError::Busy`].
    pub fn open(&self, name: &str, generation: u64) -> Result<MemoryPort, MemoryError> {
        let gone = || MemoryError::Gone(name.to_owned());
        let mut bench = self.bench();
        let serial = bench.names.get(name).cloned().ok_or_else(gone)?;
        let seat = bench
            .seats
            .get_mut(&serial)
            .filter(|s| s.up == Some(generation))
            .ok_or_else(gone)?;
        if seat.peer.is_some() {
            return Err(MemoryError::Busy(name.to_owned()));
        }
        let news = Arc::new(Notify::new());
        seat.peer = Some(Peer {
            unread: VecDeque::new(),
            news: Arc::clone(&news),
        });
        if seat.link == MemoryLink::Network {
            let now = self.now();
            self.settle(&mut bench, &serial, |seat| seat.station.linked(now, true))?;
        }
        Ok(MemoryPort {
            bench: self.clone(),
            serial,
            name: name.to_owned(),
            generation,
            news,
        })
    }

    /// Arms or performs a fault; unplugging is one.
    ///
    /// # Errors
    /// [`MemoryError::NoRegister`], [`MemoryError::Fault`].
    pub fn fault(&self, serial: &str, spec: FaultSpec) -> Result<(), MemoryError> {
        let now = self.now();
        let mut verdict = Ok(());
        let mut bench = self.bench();
        self.settle(&mut bench, serial, |seat| match seat.station.fault(now, spec) {
            Ok(effects) => effects,
            Err(e) => {
                verdict = Err(MemoryError::Fault(e));
                Vec::new()
            }
        })?;
        verdict
    }

    /// Lets no further command reach the device.
    ///
    /// # Errors
    /// [`MemoryError::NoRegister`].
    pub fn hold(&self, serial: &str) -> Result<(), MemoryError> {
        let mut bench = self.bench();
        self.settle(&mut bench, serial, |seat| {
            seat.station.hold();
            Vec::new()
        })
    }

    /// Lets `count` more exchanges through, then holds.
    ///
    /// # Errors
    /// [`MemoryError::NoRegister`].
    pub fn step(&self, serial: &str, count: u64) -> Result<(), MemoryError> {
        let now = self.now();
        let mut bench = self.bench();
        self.settle(&mut bench, serial, |seat| seat.station.step(now, count))
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// [`MemoryError::NoRegister`].
    pub fn release(&self, serial: &str) -> Result<(), MemoryError> {
        let now = self.now();
        let mut bench = self.bench();
        self.settle(&mut bench, serial, |seat| seat.station.release(now))
    }

    /// How a register stands; `None` when it is not on the bench.
    #[must_use]
    pub fn observe(&self, serial: &str) -> Option<Observation> {
        self.bench().seats.get(serial).map(|seat| seat.station.observe())
    }

    /// A register's events with a number above `after`.
    #[must_use]
    pub fn events(&self, serial: &str, after: u64) -> Vec<Event> {
        let bench = self.bench();
        bench
            .seats
            .get(serial)
            .map_or_else(Vec::new, |seat| seat.station.log().after(after))
    }

    /// Wakes devices when their time comes. Never ends; poll it beside the program under test.
    pub async fn run(&self) {
        loop {
            let pause = self.wake_due();
            tokio::select! {
                biased;
                () = self.0.rescheduled.notified() => {}
                () = pause_for(pause) => {}
            }
        }
    }

    /// Wakes every device whose time has come, in the order of serials; returns how long nothing is due.
    fn wake_due(&self) -> Option<Duration> {
        let now = self.now();
        let mut bench = self.bench();
        let due = |seat: &MemorySeat| seat.station.next_wake().is_some_and(|at| at <= now.elapsed);
        let serials: Vec<String> = bench
            .seats
            .iter()
            .filter(|(_, s)| due(s))
            .map(|(n, _)| n.clone())
            .collect();
        for serial in serials {
            // The serial was taken from the bench under the same lock.
            let _ = self.settle(&mut bench, &serial, |seat| seat.station.wake(now));
        }
        let next = bench.seats.values().filter_map(|seat| seat.station.next_wake()).min();
        next.map(|at| at.saturating_sub(now.elapsed))
    }

    /// One turn of a device, and everything that follows from it for its port.
    fn settle(
        &self,
        bench: &mut Bench,
        serial: &str,
        turn: impl FnOnce(&mut MemorySeat) -> Vec<Effect>,
    ) -> Result<(), MemoryError> {
        let now = self.now();
        let missing = || MemoryError::NoRegister(serial.to_owned());
        let seat = bench.seats.get_mut(serial).ok_or_else(missing)?;
        let mut todo = VecDeque::from(turn(seat));
        loop {
            match todo.pop_front() {
                Some(Effect::Send(bytes)) => seat.deliver(&bytes),
                Some(Effect::Reopen) => {
                    seat.given_up = false;
                    if seat.up.take().is_some() {
                        bench.names.retain(|_, owner| owner != serial);
                        seat.hang_up();
                        seat.station.note(now, Happening::PortDown);
                        todo.extend(seat.station.linked(now, false));
                        self.0.changes.send_modify(|n| *n += 1);
                    }
                }
                None => {
                    let Some(name) = seat.due_port() else { break };
                    if bench.names.contains_key(&name) {
                        seat.given_up = true;
                        let text = format!("the port name {name} is in use");
                        seat.station.note(now, Happening::PortFailed { text });
                        continue;
                    }
                    bench.generations += 1;
                    seat.up = Some(bench.generations);
                    bench.names.insert(name.clone(), serial.to_owned());
                    seat.station.note(now, Happening::PortUp { port: name });
                    if seat.link == MemoryLink::Serial {
                        todo.extend(seat.station.linked(now, true));
                    }
                    self.0.changes.send_modify(|n| *n += 1);
                }
            }
        }
        self.0.rescheduled.notify_one();
        Ok(())
    }
}

async fn pause_for(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

impl MemorySeat {
    /// The name under which the port should come now.
    fn due_port(&self) -> Option<String> {
        if self.up.is_some() || self.given_up {
            return None;
        }
        self.station.wants_port().map(str::to_owned)
    }

    fn deliver(&mut self, bytes: &[u8]) {
        if let Some(peer) = &mut self.peer {
            let room = UNREAD_BYTES.saturating_sub(peer.unread.len());
            peer.unread.extend(bytes.iter().take(room));
            peer.news.notify_one();
        }
    }

    fn hang_up(&mut self) {
        if let Some(peer) = self.peer.take() {
            peer.news.notify_one();
        }
    }
}

/// The open end of a port. Dropping it closes the port.
pub struct MemoryPort {
    bench: MemoryBench,
    serial: String,
    name: String,
    generation: u64,
    news: Arc<Notify>,
}

impl MemoryPort {
    /// The device at its other end.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Waits for bytes; 0 means that the port is gone. Nothing is lost when the future is dropped.
    pub async fn read(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            match self.with_peer(|peer| take(&mut peer.unread, buffer)) {
                None => return 0,
                Some(length) if length > 0 => return length,
                Some(_) => self.news.notified().await,
            }
        }
    }

    /// Sends bytes. The device has them when this returns.
    ///
    /// # Errors
    /// [`MemoryError::Gone`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        let now = self.bench.now();
        let mut bench = self.bench.bench();
        let mine = bench
            .seats
            .get(&self.serial)
            .is_some_and(|s| s.up == Some(self.generation));
        if !mine {
            return Err(MemoryError::Gone(self.name.clone()));
        }
        self.bench
            .settle(&mut bench, &self.serial, |seat| seat.station.input(now, bytes))
    }

    /// Forgets what came and was not read. Nothing unsent can be left: a write reaches the device at once.
    pub fn discard(&mut self) {
        let _ = self.with_peer(|peer| peer.unread.clear());
    }

    fn with_peer<T>(&self, act: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        let mut bench = self.bench.bench();
        let seat = bench
            .seats
            .get_mut(&self.serial)
            .filter(|s| s.up == Some(self.generation))?;
        seat.peer.as_mut().map(act)
    }
}

fn take(unread: &mut VecDeque<u8>, buffer: &mut [u8]) -> usize {
    let length = unread.len().min(buffer.len());
    for (place, byte) in buffer.iter_mut().zip(unread.drain(..length)) {
        *place = byte;
    }
    length
}

impl Drop for MemoryPort {
    fn drop(&mut self) {
        let now = self.bench.now();
        let mut bench = self.bench.bench();
        let Some(seat) = bench
            .seats
            .get_mut(&self.serial)
            .filter(|s| s.up == Some(self.generation))
        else {
            return;
        };
        seat.peer = None;
        if seat.link == MemoryLink::Network {
            // The seat was found above under the same lock.
            let _ = self
                .bench
                .settle(&mut bench, &self.serial, |seat| seat.station.linked(now, false));
        }
    }
}

#[cfg(test)]
mod tests;
