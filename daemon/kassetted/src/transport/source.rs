//! The ports of this host as the core sees them.
//!
//! Owns: the list of allowed ports, their presence and their generations.
//! Must never: open what is not allowed, or what came back under another generation than asked.

use super::presence::{Identity, present_now, usb_port_path};
use super::{serial, tcp};
use crate::locks::{HostLocks, LockError, LockFile};
use async_trait::async_trait;
use kassette_core::parts::{Port, PortAddress, PortError, PortMap, PortPresence, PortSource};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

/// How often the paths are looked at. Hotplug events will only wake this look earlier.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is remembered of an allowed port.
#[derive(Debug, Clone, Default)]
struct Known {
    generation: u64,
    identity: Option<Identity>,
    physical_path: Option<String>,
    /// An open port of ours saw the end of its stream: what is there now is new, even under the same identity.
    hung_up: bool,
}

/// Shared by the source, its look-out and every open port.
#[derive(Debug)]
pub(super) struct Shared {
    known: Mutex<BTreeMap<PortAddress, Known>>,
    /// One counter for all ports, so that no generation comes twice even when a plan drops a port and names it again.
    generations: AtomicU64,
    ports: watch::Sender<PortMap>,
    look: Notify,
}

/// The ports of this host. Dropping it ends its look-out.
#[derive(Debug)]
pub struct HostPorts {
    shared: Arc<Shared>,
    locks: Arc<HostLocks>,
    lookout: AbortHandle,
}

impl HostPorts {
    /// A source with no port allowed; its look-out runs in the present runtime. Ports are locked host-wide while open.
    #[must_use]
    pub fn start(locks: Arc<HostLocks>) -> Self {
        let (ports, _) = watch::channel(PortMap::default());
        let shared = Arc::new(Shared {
            known: Mutex::default(),
            generations: AtomicU64::new(0),
            ports,
            look: Notify::new(),
        });
        let lookout = tokio::spawn(look_out(Arc::clone(&shared))).abort_handle();
        Self { shared, locks, lookout }
    }
}

impl Drop for HostPorts {
    fn drop(&mut self) {
        self.lookout.abort();
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, BTreeMap<PortAddress, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open port saw its end; the address gets a new generation before anybody can open it again.
    pub(super) fn hung_up(&self, address: &PortAddress, generation: u64) {
        if let Some(known) = self
            .known()
            .get_mut(address)
            .filter(|known| known.generation == generation)
        {
            known.hung_up = true;
        }
        self.look.notify_one();
    }

    /// Looks once, outside the lock: a stat may wait for a slow file system.
    fn look_once(&self) {
        let addresses: Vec<PortAddress> = self.known().keys().cloned().collect();
        let seen: Vec<_> = addresses
            .into_iter()
            .map(|address| (present_now(&address), address))
            .collect();
        for (identity, address) in seen {
            self.note(&address, identity);
        }
        self.publish();
    }

    fn note(&self, address: &PortAddress, identity: Option<Identity>) {
        let unchanged = |known: &Known| known.identity == identity && !known.hung_up;
        if self.known().get(address).is_none_or(unchanged) {
            return;
        }
        let physical_path = identity.and_then(|_| usb_port_path(address));
        if let Some(known) = self.known().get_mut(address) {
            if identity.is_some() {
                known.generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
            }
            known.hung_up = false;
            known.identity = identity;
            known.physical_path = physical_path;
        }
    }

    fn publish(&self) {
        let present: BTreeMap<_, _> = self
            .known()
            .iter()
            .filter(|(_, known)| known.identity.is_some())
            .map(|(address, known)| {
                let presence = PortPresence {
                    physical_path: known.physical_path.clone(),
                    generation: known.generation,
                };
                (address.clone(), presence)
            })
            .collect();
        self.ports.send_if_modified(|ports| {
            let changed = **ports != present;
            if changed {
                *ports = Arc::new(present);
            }
            changed
        });
    }

    /// Whether this generation of the port may be opened now.
    fn check(&self, address: &PortAddress, generation: u64) -> Result<Identity, PortError> {
        let gone = || PortError::Gone(address.clone());
        let expected = match self.known().get(address) {
            None => {
                let reason = "it is not named by any slot of this rack".to_owned();
                return Err(PortError::Refused {
                    address: address.clone(),
                    reason,
                });
            }
            Some(known) if known.generation != generation || known.hung_up => return Err(gone()),
            Some(known) => known.identity.ok_or_else(gone)?,
        };
        if present_now(address) == Some(expected) {
            return Ok(expected);
        }
        self.look.notify_one();
        Err(gone())
    }
}

async fn look_out(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shared.look.notified() => {}
            _ = tick.tick() => {}
        }
        let looking = Arc::clone(&shared);
        if tokio::task::spawn_blocking(move || looking.look_once()).await.is_err() {
            tracing::error!("the look-out for ports failed; it goes on with the next look");
        }
    }
}

#[async_trait]
impl PortSource for HostPorts {
    fn allow(&self, addresses: Vec<PortAddress>) {
        let mut known = self.shared.known();
        known.retain(|address, _| addresses.contains(address));
        for address in addresses {
            known.entry(address).or_default();
        }
        drop(known);
        self.shared.look.notify_one();
    }

    fn watch(&self) -> watch::Receiver<PortMap> {
        self.shared.ports.subscribe()
    }

    async fn open(&self, address: &PortAddress, generation: u64) -> Result<Box<dyn Port>, PortError> {
        let before = self.shared.check(address, generation)?;
        let lock = self.locks.take_port(&device_name(address, before)).map_err(|error| {
            let reason = match error {
                LockError::Held(holder) => format!("it is held by {holder}"),
                LockError::Unusable { .. } => error.to_string(),
            };
            PortError::Refused {
                address: address.clone(),
                reason,
            }
        })?;
        let shared = Arc::clone(&self.shared);
        let lease = Lease {
            shared,
            address: address.clone(),
            generation,
            _lock: lock,
        };
        let port: Box<dyn Port> = match address {
            PortAddress::Serial(path) => Box::new(serial::open(path.clone(), lease).await?),
            PortAddress::Tcp(target) => Box::new(tcp::open(target, lease).await?),
        };
        // The path may have come to lead elsewhere while it was opened: then this is not the port that was asked for.
        if self.shared.check(address, generation)? == before {
            Ok(port)
        } else {
            Err(PortError::Gone(address.clone()))
        }
    }
}

/// What names the device behind an address for every program of this host, whichever path it was reached by.
fn device_name(address: &PortAddress, identity: Identity) -> String {
    match identity {
        Identity::Device { fs, device, .. } => format!("{fs:x}-{device:x}"),
        Identity::Network => address.to_string(),
    }
}

/// Ties an open port to the generation it was opened under, and holds its lock.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    pub(super) address: PortAddress,
    generation: u64,
    _lock: LockFile,
}

impl Lease {
    /// The stream has ended: the port is gone.
    pub(super) fn ended(&self) {
        self.shared.hung_up(&self.address, self.generation);
    }
}

#[cfg(test)]
mod tests;
