//! The task that carries bytes between one device and its port.
//!
//! Owns: one station, its port, and the orders that tests give it.
//! Must never: wait for anything but its port, its orders and the device's next wake.

use super::event_log::{Event, Happening};
use super::line::{Line, PortError, Received, tcp_address};
use super::pty::PtyFolder;
use super::station::{Effect, Observation, Station};
use super::tcp::TcpPort;
use crate::faults::{FaultError, FaultSpec};
use crate::true_time::TrueTime;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Orders that may wait for one register.
const QUEUED_ORDERS: usize = 64;

/// What a register hangs on.
#[derive(Clone)]
pub enum Socket {
    /// A serial port in this folder.
    Pty(Arc<PtyFolder>),
    /// A listener; the register's port name is the address.
    Tcp,
}

/// The register's task ended; only the end of the simulator does that.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the simulator is stopping")]
pub struct Stopping;

enum Order {
    Fault(FaultSpec, oneshot::Sender<Result<(), FaultError>>),
    Hold(oneshot::Sender<()>),
    Step(u64, oneshot::Sender<()>),
    Release(oneshot::Sender<()>),
    Observe(oneshot::Sender<Observation>),
    Events(u64, oneshot::Sender<Vec<Event>>),
}

/// Gives orders to one register. Dropping all handles stops its task and closes its port.
#[derive(Clone)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    address: watch::Receiver<Option<String>>,
    newest: watch::Receiver<u64>,
}

impl Handle {
    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Stopping> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.map_err(|_| Stopping)?;
        answer.await.map_err(|_| Stopping)
    }

    /// Arms or performs a fault; unplugging is one.
    ///
    /// # Errors
    /// [`Stopping`], or inside it why the fault does not fit.
    pub async fn fault(&self, spec: FaultSpec) -> Result<Result<(), FaultError>, Stopping> {
        self.ask(|reply| Order::Fault(spec, reply)).await
    }

    /// Lets no further command reach the device.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn hold(&self) -> Result<(), Stopping> {
        self.ask(Order::Hold).await
    }

    /// Lets `count` more exchanges through, then holds.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn step(&self, count: u64) -> Result<(), Stopping> {
        self.ask(|reply| Order::Step(count, reply)).await
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn release(&self) -> Result<(), Stopping> {
        self.ask(Order::Release).await
    }

    /// How the register stands.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn observe(&self) -> Result<Observation, Stopping> {
        self.ask(Order::Observe).await
    }

    /// Events with a number above `after`; waits at most `wait` until there is one. Running out of time is an answer, not
    /// an error: there was no event.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn events(&self, after: u64, wait: Duration) -> Result<Vec<Event>, Stopping> {
        let mut newest = self.newest.clone();
        // Only the wait is cut short: what is there is told however little time was given.
        if let Ok(Err(_)) = tokio::time::timeout(wait, newest.wait_for(|n| *n > after)).await {
            return Err(Stopping);
        }
        self.ask(|reply| Order::Events(after, reply)).await
    }

    /// Address of the port as peers use it; `None` while it is away.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.address.borrow().clone()
    }
}

/// A register at work: the owner of its station and port.
pub struct Carrier {
    station: Station,
    socket: Socket,
    line: Line,
    /// The port failed; it is tried again when the cable or the power moves.
    given_up: bool,
    clock: TrueTime,
    orders: mpsc::Receiver<Order>,
    address: watch::Sender<Option<String>>,
    newest: watch::Sender<u64>,
}

impl Carrier {
    /// Opens the port of a station. The register works while [`Carrier::run`] is polled.
    ///
    /// # Errors
    /// [`PortError`]: the port that the rack file names cannot be had.
    pub async fn start(station: Station, socket: Socket, clock: TrueTime) -> Result<(Self, Handle), PortError> {
        let (sender, orders) = mpsc::channel(QUEUED_ORDERS);
        let (address, seen_address) = watch::channel(None);
        let (newest, seen_newest) = watch::channel(0);
        let mut carrier = Self {
            station,
            socket,
            line: Line::Away,
            given_up: false,
            clock,
            orders,
            address,
            newest,
        };
        let effects = carrier.open().await?;
        carrier.act(effects).await;
        let handle = Handle {
            orders: sender,
            address: seen_address,
            newest: seen_newest,
        };
        Ok((carrier, handle))
    }

    /// Works until all handles are dropped; then closes the port.
    pub async fn run(mut self) {
        let mut buffer = [0; 2048];
        loop {
            let wake = self.station.next_wake();
            let turn = tokio::select! {
                biased;
                order = self.orders.recv() => Turn::Order(order),
                received = self.line.receive(&mut buffer) => Turn::Received(received),
                () = self.clock.until(wake) => Turn::Wake,
            };
            match turn {
                Turn::Order(Some(order)) => self.obey(order).await,
                Turn::Order(None) => return,
                Turn::Received(received) => {
                    let effects = self.take(received, &buffer);
                    self.act(effects).await;
                }
                Turn::Wake => {
                    let effects = self.station.wake(self.clock.now());
                    self.act(effects).await;
                }
            }
        }
    }

    /// Carries out an order to the end before it answers, so that the caller sees its effect at once.
    async fn obey(&mut self, order: Order) {
        let now = self.clock.now();
        // A reply that nobody waits for any more is no error.
        match order {
            Order::Fault(spec, reply) => {
                let answer = match self.station.fault(now, spec) {
                    Ok(effects) => {
                        self.act(effects).await;
                        Ok(())
                    }
                    Err(e) => Err(e),
                };
                let _ = reply.send(answer);
            }
            Order::Hold(reply) => {
                self.station.hold();
                let _ = reply.send(());
            }
            Order::Step(count, reply) => {
                let effects = self.station.step(now, count);
                self.act(effects).await;
                let _ = reply.send(());
            }
            Order::Release(reply) => {
                let effects = self.station.release(now);
                self.act(effects).await;
                let _ = reply.send(());
            }
            Order::Observe(reply) => {
                let _ = reply.send(self.station.observe());
            }
            Order::Events(after, reply) => {
                let _ = reply.send(self.station.log().after(after));
            }
        }
    }

    fn take(&mut self, received: Received, buffer: &[u8]) -> Vec<Effect> {
        let now = self.clock.now();
        match received {
            Received::Bytes(length) => self.station.input(now, &buffer[..length]),
            Received::PeerUp => {
                self.station.note(now, Happening::PeerUp);
                self.station.linked(now, true)
            }
            Received::PeerDown => {
                self.station.note(now, Happening::PeerDown);
                self.station.linked(now, false)
            }
            Received::Failed(e) => {
                self.given_up = true;
                let text = e.to_string();
                self.station.note(now, Happening::PortFailed { text });
                self.close()
            }
        }
    }

    /// Carries out what the device wants of its port, and what follows from that.
    async fn act(&mut self, effects: Vec<Effect>) {
        let mut todo = VecDeque::from(effects);
        loop {
            match todo.pop_front() {
                Some(Effect::Send(bytes)) => self.line.send(&bytes),
                Some(Effect::Reopen) => {
                    self.given_up = false;
                    todo.extend(self.close());
                }
                // Asked last: after a power cut the device says nothing but that it has power again.
                None if self.must_open() => match self.open().await {
                    Ok(more) => todo.extend(more),
                    Err(e) => {
                        self.given_up = true;
                        let text = e.to_string();
                        self.station.note(self.clock.now(), Happening::PortFailed { text });
                    }
                },
                None => break,
            }
        }
        let newest = self.station.log().last();
        self.newest
            .send_if_modified(|seen| std::mem::replace(seen, newest) != newest);
    }

    fn must_open(&self) -> bool {
        matches!(self.line, Line::Away) && !self.given_up && self.station.wants_port().is_some()
    }

    fn close(&mut self) -> Vec<Effect> {
        if matches!(self.line, Line::Away) {
            return Vec::new();
        }
        let now = self.clock.now();
        self.line = Line::Away;
        self.address.send_replace(None);
        self.station.note(now, Happening::PortDown);
        self.station.linked(now, false)
    }

    async fn open(&mut self) -> Result<Vec<Effect>, PortError> {
        let Some(name) = self.station.wants_port().map(str::to_owned) else {
            return Ok(Vec::new());
        };
        let serial = match &self.socket {
            Socket::Pty(folder) => {
                self.line = Line::Pty(folder.plug(&name)?);
                true
            }
            Socket::Tcp => {
                let address = tcp_address(&name)?;
                let port = TcpPort::bind(address)
                    .await
                    .map_err(|source| PortError::Listen { address, source })?;
                // The port number that was found is kept, so that a cable that comes back leads to the same place.
                self.station.rename(port.address().to_string());
                self.line = Line::Tcp(port);
                false
            }
        };
        let now = self.clock.now();
        if let Some(port) = self.line.address() {
            self.address.send_replace(Some(port.clone()));
            self.station.note(now, Happening::PortUp { port });
        }
        // A serial line is connected as soon as the cable is in; on TCP a peer must come first.
        Ok(if serial {
            self.station.linked(now, true)
        } else {
            Vec::new()
        })
    }
}

enum Turn {
    Order(Option<Order>),
    Received(Received),
    Wake,
}

#[cfg(test)]
mod tests;
