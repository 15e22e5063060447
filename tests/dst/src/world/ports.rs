//! The ports of the world: which are there, and what goes over them.
//!
//! Owns: addresses, their generations, and the open ends.
//! Must never: change a byte.

use super::{FrameSide, World, lock};
use async_trait::async_trait;
use kassette_core::parts::{Port, PortAddress, PortError, PortMap, PortPresence, PortSource};
use kassette_hw_sim::host::memory::{MemoryError, MemoryPort};
use kassette_wire::link::{shtrih_v1, shtrih_v2};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

impl World {
    pub(super) fn show_ports(&self) {
        let there = self.0.bench.ports();
        let allowed = lock(&self.0.allowed).clone();
        let mut ports = lock(&self.0.ports);
        let map: BTreeMap<PortAddress, PortPresence> = allowed
            .into_iter()
            .filter_map(|address| {
                let now = there.get(name_of(&address)).copied();
                let before = ports.0.get(&address).map(|presence| presence.generation);
                let generation = match address {
                    PortAddress::Serial(_) => now?,
                    // Only a connection can tell whether somebody is at a network address.
                    PortAddress::Tcp(_) => now.or(before).unwrap_or(0),
                };
                Some((
                    address,
                    PortPresence {
                        physical_path: None,
                        generation,
                    },
                ))
            })
            .collect();
        if *ports.0 != map {
            ports.0 = Arc::new(map);
            let (known, watchers) = &*ports;
            for watcher in watchers {
                watcher.send_replace(Arc::clone(known));
            }
        }
    }
}

/// The simulator's name of a port: the path below `/sim/`, or the host of a network address.
fn name_of(address: &PortAddress) -> &str {
    match address {
        PortAddress::Serial(path) => path.strip_prefix("/sim/").unwrap_or_default(),
        PortAddress::Tcp(target) => target.split(':').next().unwrap_or_default(),
    }
}

#[async_trait]
impl PortSource for World {
    fn allow(&self, addresses: Vec<PortAddress>) {
        *lock(&self.0.allowed) = addresses;
        self.show_ports();
    }

    fn watch(&self) -> watch::Receiver<PortMap> {
        let mut ports = lock(&self.0.ports);
        let (sender, receiver) = watch::channel(Arc::clone(&ports.0));
        ports.1.retain(|watcher| !watcher.is_closed());
        ports.1.push(sender);
        receiver
    }

    async fn open(&self, address: &PortAddress, generation: u64) -> Result<Box<dyn Port>, PortError> {
        let network = matches!(address, PortAddress::Tcp(_));
        let name = name_of(address);
        let generation = match network {
            true => self.0.bench.ports().get(name).copied().unwrap_or(generation),
            false => generation,
        };
        let port = self.0.bench.open(name, generation).map_err(|error| match error {
            MemoryError::Busy(_) => PortError::Busy(address.clone()),
            _ if network => PortError::Refused {
                address: address.clone(),
                reason: "no connection".to_owned(),
            },
            _ => PortError::Gone(address.clone()),
        })?;
        Ok(Box::new(SimulatedPort {
            world: self.clone(),
            port,
            network,
        }))
    }
}

/// Code of a short status request: what a driver looks with while it waits. It is no step of a story.
const SHORT_STATUS: u8 = 0x10;

/// Code of the command in a frame that the host sends; `None` for anything else it sends.
fn command_of(bytes: &[u8]) -> Option<u8> {
    match *bytes.first()? {
        shtrih_v1::STX => bytes.get(2).copied(),
        // Length and number stand before it, each byte of them stuffed or not.
        shtrih_v2::STX => {
            let mut rest = bytes[1..].iter();
            let mut place = 0;
            while let Some(byte) = rest.next() {
                let byte = match *byte {
                    shtrih_v2::ESCAPE if rest.next() == Some(&shtrih_v2::ESCAPED_STX) => shtrih_v2::STX,
                    byte => byte,
                };
                if place == 4 {
                    return Some(byte);
                }
                place += 1;
            }
            None
        }
        _ => None,
    }
}

impl World {
    /// A command is about to leave for a register: counted, while a document is asked for there; on which side of it the
    /// process dies.
    fn command_leaves(&self, serial: &str, bytes: &[u8]) -> Option<FrameSide> {
        let code = command_of(bytes)?;
        if code != SHORT_STATUS && lock(&self.0.witness).is_asked(serial) {
            lock(&self.0.counts).exchanges += 1;
            self.let_happen();
        }
        let mut fatal = lock(&self.0.fatal_exchange);
        match fatal.as_mut() {
            Some((1, side)) => {
                let side = *side;
                *fatal = None;
                Some(side)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    /// Lets happen what is due at this exchange.
    fn let_happen(&self) {
        let due: Vec<_> = {
            let mut later = lock(&self.0.later);
            for (left, _) in later.iter_mut() {
                *left -= 1;
            }
            later.extract_if(.., |(left, _)| *left == 0).collect()
        };
        for (_, what) in due {
            what(self);
        }
    }

    fn went_over(&self, bytes: &[u8]) {
        lock(&self.0.trace).bytes(self.micros(), bytes);
    }

    /// The process dies: whoever asks never goes on.
    async fn die(&self) {
        self.took_effect("death-at-exchange");
        self.kill();
        std::future::pending::<()>().await;
    }
}

struct SimulatedPort {
    world: World,
    port: MemoryPort,
    network: bool,
}

#[async_trait]
impl Port for SimulatedPort {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.port.read(buffer).await;
        self.world.went_over(&buffer[..count.min(buffer.len())]);
        Ok(count)
    }

    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let dies = self.world.command_leaves(self.port.serial(), bytes);
        if dies == Some(FrameSide::Before) {
            self.world.die().await;
        }
        self.world.went_over(bytes);
        self.port.write(bytes).await.map_err(gone)?;
        self.world.look();
        if dies.is_some() {
            self.world.die().await;
        }
        Ok(())
    }

    async fn discard(&mut self) -> std::io::Result<()> {
        self.port.discard();
        Ok(())
    }

    async fn set_baud(&mut self, _baud: u32) -> std::io::Result<()> {
        Ok(())
    }

    fn shared_medium(&self) -> bool {
        self.network
    }
}
