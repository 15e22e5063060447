//! A running rack: the registers of a rack file at work on their ports.
//!
//! Owns: the state folder, the clock, and the tasks of all registers.
//! Must never: start on a state folder that another simulator uses, or start only some of the registers.

use crate::chance::Chance;
use crate::faults::FaultError;
use crate::fiscal_storage::ledger::{FileShelf, MemoryShelf};
use crate::host::carrier::{Carrier, Handle, Socket};
use crate::host::line::PortError;
use crate::host::memory::{MemoryBench, MemoryError, MemoryLink};
use crate::host::pty::PtyFolder;
use crate::host::station::Station;
use crate::models::shtrih_m::{LinkKind, Register, StartError};
use crate::rack_file::{Entry, RackFile};
use crate::true_time::TrueTime;
use rustix::fs::FlockOperation;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::task::JoinSet;

/// Folder of FN ledgers and register memories below the state folder.
pub const FN_FOLDER: &str = "fn";
/// Folder of port names below the state folder.
pub const PORT_FOLDER: &str = "ports";
/// File whose kernel lock says that a simulator runs on the state folder.
const LOCK_FILE: &str = "lock";

/// Why a rack cannot start.
#[derive(Debug, Error)]
pub enum RackError {
    /// The state folder cannot be used.
    #[error("state folder {path}: {source}")]
    State {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another simulator works there.
    #[error("another simulator uses the state folder {0}; stop it or name another folder")]
    InUse(PathBuf),
    /// A register cannot be switched on.
    #[error(transparent)]
    Register(#[from] StartError),
    /// A fault of the rack file does not fit its register.
    #[error("register {serial}: fault {index} of the rack file: {source}")]
    Fault {
        /// Which register.
        serial: String,
        /// Which fault, from 0.
        index: usize,
        /// Why.
        source: FaultError,
    },
    /// A port cannot be had.
    #[error("register {serial}: {source}")]
    Port {
        /// Which register.
        serial: String,
        /// Why.
        source: PortError,
    },
    /// A bench in memory does not take the register or its fault.
    #[error("register {serial}: {source}")]
    Bench {
        /// Which register.
        serial: String,
        /// Why.
        source: MemoryError,
    },
}

/// One register as the ready line shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadyRegister {
    /// Factory serial number.
    pub serial: String,
    /// Model name.
    pub model: String,
    /// Number of the FN that stood in it at the start.
    #[serde(rename = "fn")]
    pub fn_number: String,
    /// Path of a serial port, or `tcp:host:port`.
    pub port: String,
}

/// One register of a running rack.
pub struct Seat {
    /// Model name.
    pub model: String,
    /// Number of the FN that stood in it at the start.
    pub fn_number: String,
    /// What it hangs on.
    pub link: LinkKind,
    /// Its orders.
    pub handle: Handle,
}

/// A running rack.
pub struct Rack {
    seats: BTreeMap<String, Seat>,
    /// Serials in the order of the rack file.
    order: Vec<String>,
    folder: Arc<PtyFolder>,
    clock: TrueTime,
    _lock: File,
}

impl Rack {
    /// Switches on every register of a rack file, and gives the tasks in which they work: aborting them stops the
    /// registers where they stand and closes their ports. No document is half made then, since a device's turn is one
    /// uninterrupted step. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`RackError`]; nothing runs then.
    pub async fn start(file: &RackFile, state: &Path) -> Result<(Self, JoinSet<()>), RackError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RackError::State { path, source }
        };
        let fns = state.join(FN_FOLDER);
        std::fs::create_dir_all(&fns).map_err(failed(&fns))?;
        let lock = lock(state)?;
        let ports = state.join(PORT_FOLDER);
        let folder = Arc::new(PtyFolder::open(&ports).map_err(failed(&ports))?);
        let mut rack = Self {
            seats: BTreeMap::new(),
            order: Vec::new(),
            folder,
            clock: TrueTime::from_host(),
            _lock: lock,
        };
        let mut tasks = JoinSet::new();
        for entry in &file.registers {
            let shelf = FileShelf::new(&fns, file.sync);
            let carrier = rack.seat(entry, shelf, file.seed).await?;
            tasks.spawn(carrier.run());
        }
        Ok((rack, tasks))
    }

    async fn seat(&mut self, entry: &Entry, shelf: FileShelf, seed: u64) -> Result<Carrier, RackError> {
        let config = &entry.config;
        let serial = config.serial.clone();
        let now = self.clock.now();
        let machine = Register::new(config.clone(), Box::new(shelf), own_chance(seed, &serial), now)?;
        let mut station = Station::new(Box::new(machine), entry.port.clone());
        for (index, fault) in entry.faults.iter().enumerate() {
            // What a fault does to the port at once shows when the port is opened below.
            station.fault(now, fault.clone()).map_err(|source| RackError::Fault {
                serial: serial.clone(),
                index,
                source,
            })?;
        }
        let socket = match config.link {
            LinkKind::Pty => Socket::Pty(Arc::clone(&self.folder)),
            LinkKind::Tcp => Socket::Tcp,
        };
        let started = Carrier::start(station, socket, self.clock.clone()).await;
        let (carrier, handle) = started.map_err(|source| RackError::Port {
            serial: serial.clone(),
            source,
        })?;
        let seat = Seat {
            model: config.model.clone(),
            fn_number: config.fn_unit.number.clone(),
            link: config.link,
            handle,
        };
        self.order.push(serial.clone());
        self.seats.insert(serial, seat);
        Ok(carrier)
    }

    /// The registers for the ready line, in the order of the rack file. One that starts unplugged has an empty port.
    #[must_use]
    pub fn ready(&self) -> Vec<ReadyRegister> {
        let seats = self
            .order
            .iter()
            .filter_map(|serial| Some((serial, self.seats.get(serial)?)));
        seats
            .map(|(serial, seat)| ReadyRegister {
                serial: serial.clone(),
                model: seat.model.clone(),
                fn_number: seat.fn_number.clone(),
                port: seat.handle.address().unwrap_or_default(),
            })
            .collect()
    }

    /// One register by its serial.
    #[must_use]
    pub fn seat_of(&self, serial: &str) -> Option<&Seat> {
        self.seats.get(serial)
    }

    /// All registers by serial.
    pub fn seats(&self) -> impl Iterator<Item = (&str, &Seat)> {
        self.seats.iter().map(|(serial, seat)| (serial.as_str(), seat))
    }

    /// Whether a serial port of this name is there now.
    #[must_use]
    pub fn port_is_taken(&self, name: &str) -> bool {
        self.folder.is_taken(name)
    }

    /// The rack's true time.
    #[must_use]
    pub const fn clock(&self) -> &TrueTime {
        &self.clock
    }
}

/// Switches on every register of a rack file on a bench in memory, their FNs on `shelf`. Called again with the same
/// shelf on a new bench, the registers go on where they were, as after a power cut.
///
/// # Errors
/// [`RackError`]; the registers before the failed one are on the bench.
pub fn seat_in_memory(bench: &MemoryBench, file: &RackFile, shelf: &MemoryShelf) -> Result<(), RackError> {
    for entry in &file.registers {
        let config = entry.config.clone();
        let serial = config.serial.clone();
        let link = match config.link {
            LinkKind::Pty => MemoryLink::Serial,
            LinkKind::Tcp => MemoryLink::Network,
        };
        let chance = own_chance(file.seed, &serial);
        let machine = Register::new(config, Box::new(shelf.clone()), chance, bench.now())?;
        let on_bench = |source| RackError::Bench {
            serial: serial.clone(),
            source,
        };
        bench
            .seat(&serial, &entry.port, link, Box::new(machine))
            .map_err(on_bench)?;
        for fault in &entry.faults {
            bench.fault(&serial, fault.clone()).map_err(on_bench)?;
        }
    }
    Ok(())
}

/// Takes the kernel's lock on the state folder; it goes with the process, however that ends.
fn lock(state: &Path) -> Result<File, RackError> {
    let path = state.join(LOCK_FILE);
    let failed = |source| RackError::State {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RackError::InUse(state.to_owned())),
        Err(e) => Err(failed(e.into())),
    }
}

/// Chance of one register: it depends on the rack's seed and the serial, not on the place in the file.
#[must_use]
pub fn own_chance(seed: u64, serial: &str) -> Chance {
    let digest = Sha256::digest(serial.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Chance::from_seed(seed ^ u64::from_le_bytes(first))
}
