//! The world around a rack: everything behind its seams, simulated and repeatable.
//!
//! Owns: virtual clock, seeded entropy, in-memory ports and locks, a real journal file, and the trace.
//! Must never: read a std clock, start a thread, or draw from anything but its seed.

use async_trait::async_trait;
use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{Command, Commit, Committer, InlineCommitter, Store, StoreConfig};
use kassette_core::parts::{
    Entropy, Event, EventSink, Faults, LockGuard, LockHeld, LockKind, Locks, Point, Port, PortAddress, PortError,
    PortMap, PortPresence, PortSource, Reach, Secrets, SecretsError, TenantKeys, UnixMillis, WallClock,
};
use kassette_core::rack::{Parts, Policy, Rack};
use kassette_hw_sim::fiscal_storage::ledger::{MemoryShelf, Record};
use kassette_hw_sim::host::memory::{MemoryBench, MemoryError, MemoryPort};
use kassette_hw_sim::moment::Moment;
use kassette_hw_sim::rack::seat_in_memory;
use kassette_hw_sim::rack_file::RackFile;
use kassette_wire::value::Inn;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where virtual time begins: 2026-11-22T12:00:00Z.
pub const BEGIN_UNIX_MS: i64 = 1_795_348_800_000;
/// Virtual time of one commit.
const COMMIT_DELAY: Duration = Duration::from_millis(1);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happens to one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalFault {
    /// The disk is full: rolled back, nothing changed.
    Full,
    /// The answer is lost, the rows are on the disk.
    StoppedKept,
    /// The answer is lost, and the rows with it.
    StoppedLost,
}

/// The world; cheap to clone.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    begin: Instant,
    bench: MemoryBench,
    shelf: MemoryShelf,
    /// Who this host's daemon is, for the locks.
    name: String,
    journal: PathBuf,
    entropy: Mutex<u64>,
    host_offset_ms: Mutex<i64>,
    allowed: Mutex<Vec<PortAddress>>,
    /// What each watcher was told. A channel each: one channel wakes its receivers in an order drawn by the runtime.
    ports: Mutex<(PortMap, Vec<watch::Sender<PortMap>>)>,
    held: Arc<Mutex<BTreeMap<String, String>>>,
    trace: Mutex<Vec<String>>,
    kills: Mutex<VecDeque<(Point, u32)>>,
    commits: Mutex<u64>,
    journal_fault: Mutex<Option<(u64, JournalFault)>>,
    reached: Mutex<BTreeMap<Point, u32>>,
    killed: Notify,
}

impl Inner {
    fn around(begin: Instant, bench: MemoryBench, shelf: MemoryShelf, name: &str, folder: &Path, seed: u64) -> Self {
        Self {
            begin,
            bench,
            shelf,
            name: name.to_owned(),
            journal: folder.join("journal.db"),
            entropy: Mutex::new(seed),
            host_offset_ms: Mutex::new(0),
            allowed: Mutex::default(),
            ports: Mutex::default(),
            held: Arc::default(),
            trace: Mutex::default(),
            kills: Mutex::default(),
            commits: Mutex::new(0),
            journal_fault: Mutex::new(None),
            reached: Mutex::default(),
            killed: Notify::new(),
        }
    }
}

impl World {
    /// A world of the registers of a rack file, with its journal in `folder`.
    ///
    /// # Panics
    /// When the rack file cannot be seated: a mistake of the test.
    #[must_use]
    pub fn new(file: &RackFile, folder: &Path) -> Self {
        let begin = Instant::now();
        let bench = MemoryBench::new(Arc::new(move || Moment {
            elapsed: begin.elapsed(),
            unix_ms: BEGIN_UNIX_MS + i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX),
        }));
        let shelf = MemoryShelf::new();
        seat_in_memory(&bench, file, &shelf).expect("the rack file of a test is good");
        Self(Arc::new(Inner::around(
            begin,
            bench,
            shelf,
            "this rack",
            folder,
            file.seed,
        )))
    }

    /// Another daemon on the same host: the same registers and locks, its own journal in `folder`.
    #[must_use]
    pub fn neighbour(&self, name: &str, folder: &Path) -> Self {
        let inner = &self.0;
        let (bench, shelf) = (inner.bench.clone(), inner.shelf.clone());
        let held = Arc::clone(&inner.held);
        Self(Arc::new(Inner {
            held,
            ..Inner::around(inner.begin, bench, shelf, name, folder, 99)
        }))
    }

    /// The simulated registers.
    #[must_use]
    pub fn bench(&self) -> &MemoryBench {
        &self.0.bench
    }

    /// Every document of every FN, by FN number.
    #[must_use]
    pub fn ledgers(&self) -> BTreeMap<String, Vec<Record>> {
        self.0
            .shelf
            .fns()
            .into_iter()
            .map(|number| (number.clone(), self.0.shelf.records(&number)))
            .collect()
    }

    /// Kills the process at the n-th reach of a point, counted from now or from the kill asked for before.
    pub fn kill_at(&self, point: Point, nth: u32) {
        lock(&self.0.kills).push_back((point, nth));
    }

    /// Kills that were asked for and did not happen.
    #[must_use]
    pub fn kills_left(&self) -> usize {
        lock(&self.0.kills).len()
    }

    /// Takes back every kill and every journal fault that did not happen.
    pub fn spare_the_process(&self) {
        lock(&self.0.kills).clear();
        *lock(&self.0.journal_fault) = None;
    }

    /// Lets the n-th commit from now fail, counted from 1.
    pub fn fail_commit(&self, nth: u64, fault: JournalFault) {
        let at = *lock(&self.0.commits) + nth;
        *lock(&self.0.journal_fault) = Some((at, fault));
    }

    /// Commits asked for since the world began.
    #[must_use]
    pub fn commits(&self) -> u64 {
        *lock(&self.0.commits)
    }

    /// Another program takes a lock of this host.
    pub fn lock_by_other(&self, kind: LockKind, id: &str, holder: &str) {
        lock(&self.0.held).insert(lock_name(kind, id), holder.to_owned());
    }

    /// That program ends.
    pub fn unlock_by_other(&self, kind: LockKind, id: &str) {
        lock(&self.0.held).remove(&lock_name(kind, id));
    }

    /// Which fault this commit meets.
    fn fault_of_commit(&self) -> Option<JournalFault> {
        let mut commits = lock(&self.0.commits);
        *commits += 1;
        let mut fault = lock(&self.0.journal_fault);
        let met = fault.filter(|(at, _)| at == &*commits).map(|(_, fault)| fault);
        if met.is_some() {
            *fault = None;
        }
        met
    }

    /// Resolves when the process was killed.
    pub async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// How often each point was reached.
    #[must_use]
    pub fn reached(&self) -> BTreeMap<Point, u32> {
        lock(&self.0.reached).clone()
    }

    /// Moves the host's clock; the registers and true time do not move.
    pub fn move_host_clock(&self, millis: i64) {
        *lock(&self.0.host_offset_ms) += millis;
    }

    /// What happened, with virtual times.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        lock(&self.0.trace).clone()
    }

    /// A digest of the trace.
    #[must_use]
    pub fn trace_hash(&self) -> String {
        let mut digest = Sha256::new();
        for line in lock(&self.0.trace).iter() {
            digest.update(line.as_bytes());
            digest.update(b"\n");
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Adds a line to the trace.
    pub fn note(&self, text: impl std::fmt::Display) {
        let at = self.0.begin.elapsed().as_micros();
        lock(&self.0.trace).push(format!("{at} {text}"));
    }

    /// Starts a rack on the journal as it stands on the disk.
    ///
    /// # Panics
    /// When the journal cannot be opened: a finding.
    pub async fn start(&self) -> Rack {
        let config = StoreConfig {
            path: self.0.journal.clone(),
            kind: RackKind::Test,
            rack_id: Some("K1".parse().expect("K1 are letters of a rack")),
            reserve_bytes: 0,
            free_mark: None,
        };
        // Guards of a killed process are released by the kernel.
        lock(&self.0.held).retain(|_, holder| *holder != self.0.name);
        let (store, recovered) =
            Store::open(&config, self, WallClock::now(self)).expect("the journal opens after every cut");
        let committer = InlineCommitter::new(store, COMMIT_DELAY);
        let parts = Parts {
            clock: Arc::new(self.clone()),
            entropy: Arc::new(self.clone()),
            locks: Arc::new(self.clone()),
            ports: Arc::new(self.clone()),
            reader: Arc::new(committer.reader()),
            committer: Arc::new(TroubledCommitter {
                world: self.clone(),
                inner: committer,
            }),
            secrets: Arc::new(self.clone()),
            faults: Arc::new(self.clone()),
            events: Arc::new(self.clone()),
            policy: Policy::default(),
        };
        self.note(format!("start {} of {}", recovered.start, self.0.name));
        Rack::start(parts, recovered)
            .await
            .expect("the rack starts on what it stored")
    }

    /// Carries the registers and tells the rack which ports are there. Never ends.
    pub async fn run(&self) {
        let watch_ports = async {
            let mut changes = self.0.bench.changes();
            loop {
                self.show_ports();
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            biased;
            () = self.0.bench.run() => {}
            () = watch_ports => {}
        }
    }

    fn show_ports(&self) {
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

/// The committer of the simulation with the disk's troubles in front of it.
struct TroubledCommitter {
    world: World,
    inner: InlineCommitter,
}

#[async_trait]
impl Committer for TroubledCommitter {
    async fn commit(&self, command: Command) -> Commit {
        let fault = self.world.fault_of_commit();
        if let Some(fault) = fault {
            self.world.note(format!("commit meets {fault:?}"));
        }
        match fault {
            None => self.inner.commit(command).await,
            Some(JournalFault::Full) => Commit::Full,
            Some(JournalFault::StoppedLost) => Commit::Stopped,
            Some(JournalFault::StoppedKept) => {
                self.inner.commit(command).await;
                Commit::Stopped
            }
        }
    }
}

impl WallClock for World {
    fn now(&self) -> UnixMillis {
        let elapsed = i64::try_from(self.0.begin.elapsed().as_millis()).unwrap_or(i64::MAX);
        UnixMillis(BEGIN_UNIX_MS + elapsed + *lock(&self.0.host_offset_ms))
    }

    fn synchronised(&self) -> bool {
        true
    }
}

impl Entropy for World {
    fn fill(&self, buffer: &mut [u8]) {
        // SplitMix64, the usual small generator for seeds.
        let mut state = lock(&self.0.entropy);
        for byte in buffer {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = mixed.to_le_bytes()[3];
        }
    }
}

struct Held {
    all: Arc<Mutex<BTreeMap<String, String>>>,
    id: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.id);
    }
}

fn lock_name(kind: LockKind, id: &str) -> String {
    format!("{}-{id}", kind.as_str())
}

impl Locks for World {
    fn take(&self, kind: LockKind, id: &str) -> Result<LockGuard, LockHeld> {
        let name = lock_name(kind, id);
        let mut all = lock(&self.0.held);
        if let Some(holder) = all.get(&name) {
            return Err(LockHeld {
                kind,
                id: id.to_owned(),
                holder: holder.clone(),
            });
        }
        all.insert(name.clone(), self.0.name.clone());
        Ok(LockGuard::new(Held {
            all: Arc::clone(&self.0.held),
            id: name,
        }))
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
        Ok(Box::new(SimulatedPort { port, network }))
    }
}

struct SimulatedPort {
    port: MemoryPort,
    network: bool,
}

#[async_trait]
impl Port for SimulatedPort {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.port.read(buffer).await)
    }

    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        self.port.write(bytes).await.map_err(gone)
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

#[async_trait]
impl Secrets for World {
    async fn tenant_keys(&self, tenant: &Inn, _has_jobs: bool) -> Result<TenantKeys, SecretsError> {
        let key = |what: &str| -> [u8; 32] { Sha256::digest(format!("{what} {tenant}")).into() };
        Ok(TenantKeys {
            content: key("content"),
            contacts: key("contacts"),
        })
    }
}

impl Faults for World {
    fn reach(&self, point: Point) -> Reach {
        self.note(format!("point {}", point.as_str()));
        *lock(&self.0.reached).entry(point).or_default() += 1;
        let mut kills = lock(&self.0.kills);
        match kills.front_mut() {
            Some((at, 1)) if *at == point => {
                kills.pop_front();
                self.note("killed");
                self.0.killed.notify_one();
                Reach::Halt
            }
            Some((at, nth)) if *at == point => {
                *nth -= 1;
                Reach::Go
            }
            Some(_) | None => Reach::Go,
        }
    }
}

impl EventSink for World {
    fn event(&self, event: Event) {
        let parts = [
            event.register,
            event.fn_number,
            event.job,
            event.code.map(|code| code.to_string()),
            event.detail,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        self.note(format!("{:?} {} [{}]", event.severity, event.what, parts.join(" | ")));
    }
}
