//! The world around a rack: everything behind its seams, simulated and repeatable.
//!
//! Owns: virtual clock, seeded entropy, in-memory ports and locks, a real journal file, and the trace.
//! Must never: read a std clock, start a thread, or draw from anything but its seed.

mod copies;
mod disk;
mod ports;
mod seams;
mod trace;

pub use copies::Kept;
pub use disk::JournalFault;

use crate::check::{Tally, Witness};
use disk::TroubledCommitter;
use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{Applied, Command, InlineCommitter, Store, StoreConfig};
use kassette_core::mutants::Mutant;
use kassette_core::parts::{LockKind, Point, PortAddress, PortMap, WallClock};
use kassette_core::rack::{Parts, Policy, Rack};
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger};
use kassette_hw_sim::fiscal_storage::ledger::{MemoryShelf, Record};
use kassette_hw_sim::host::memory::MemoryBench;
use kassette_hw_sim::moment::Moment;
use kassette_hw_sim::rack::seat_in_memory;
use kassette_hw_sim::rack_file::RackFile;
use seams::lock_name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use trace::Trace;

/// Where virtual time begins: 2026-11-22T12:00:00Z.
pub const BEGIN_UNIX_MS: i64 = 1_795_348_800_000;
/// Virtual time of one commit.
const COMMIT_DELAY: Duration = Duration::from_millis(1);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On which side of a command's bytes the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameSide {
    /// Nothing of the command left.
    Before,
    /// The register has the whole command.
    After,
}

/// What a world counts. Polls, timers and waits count as nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands sent to a register, answered or not, while an intent on it is unresolved: those of documents and of
    /// resolutions. Looks that wait for something (short status), looks of idle units and identification are not counted.
    pub exchanges: u64,
    /// Commits asked for.
    pub commits: u64,
    /// Troubles that struck.
    pub strikes: u64,
    /// Deaths of the process at a point or an exchange.
    pub kills: u64,
}

impl Counts {
    /// Steps of a story: one exchange, one commit, or one trouble each.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.exchanges + self.commits + self.strikes
    }
}

/// Something that happens later.
type Later = Box<dyn FnOnce(&World) + Send>;

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
    trace: Mutex<Trace>,
    counts: Mutex<Counts>,
    troubles: Mutex<BTreeMap<&'static str, u64>>,
    /// The process dies at this exchange from now, before or after its bytes left.
    fatal_exchange: Mutex<Option<(u64, FrameSide)>>,
    /// What else happens at an exchange, and how many exchanges from now.
    later: Mutex<Vec<(u64, Later)>>,
    /// The point, or any, and which reach of it.
    kills: Mutex<VecDeque<(Option<Point>, u32)>>,
    journal_fault: Mutex<Option<(u64, JournalFault)>>,
    reached: Mutex<BTreeMap<Point, u32>>,
    killed: Notify,
    broken: Notify,
    witness: Arc<Mutex<Witness>>,
    mutant: Mutex<Option<Mutant>>,
    /// The next death of the process is a loss of the host's power.
    host_power: Mutex<bool>,
    /// Each commit of the store that was opened last waits for the disk.
    synced: Mutex<bool>,
    /// Where the process died last.
    died_at: Mutex<Option<Point>>,
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
            counts: Mutex::default(),
            troubles: Mutex::default(),
            fatal_exchange: Mutex::default(),
            later: Mutex::default(),
            kills: Mutex::default(),
            journal_fault: Mutex::new(None),
            reached: Mutex::default(),
            killed: Notify::new(),
            broken: Notify::new(),
            witness: Arc::default(),
            mutant: Mutex::default(),
            host_power: Mutex::default(),
            synced: Mutex::new(true),
            died_at: Mutex::default(),
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
            // Another one each time: two journals of one generation would give out the same keys.
            ..Inner::around(inner.begin, bench, shelf, name, folder, 99 + self.counts().strikes)
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
        lock(&self.0.kills).push_back((Some(point), nth));
    }

    /// Kills the process at the n-th point it reaches, whichever it is.
    pub fn kill_at_any(&self, nth: u32) {
        lock(&self.0.kills).push_back((None, nth));
    }

    /// Lets something happen when the n-th command from now is about to leave, counted from 1.
    pub fn at_exchange(&self, nth: u64, what: impl FnOnce(&Self) + Send + 'static) {
        lock(&self.0.later).push((nth.max(1), Box::new(what)));
    }

    /// Takes back what was to happen at an exchange and did not.
    pub fn nothing_later(&self) {
        lock(&self.0.later).clear();
    }

    /// Arms a fault of a register, or lets it happen.
    ///
    /// # Panics
    /// When the simulator does not take it: a mistake of the test.
    pub fn fault(&self, serial: &str, kind: FaultKind, trigger: Trigger) {
        self.note(format_args!("fault {serial} {kind:?} {trigger:?}"));
        let taken = self.0.bench.fault(serial, FaultSpec { kind, trigger });
        taken.expect("the fault fits the register");
    }

    /// Another program may make documents on this FN from now on.
    pub fn expects_foreign(&self, fn_number: &str) {
        lock(&self.0.witness).expects_foreign(fn_number);
    }

    /// From now on the test breaks promises on purpose, and judges by itself.
    pub fn witness_looks_away(&self) {
        lock(&self.0.witness).looks_away();
    }

    /// Kills that were asked for at points and did not happen.
    #[must_use]
    pub fn kills_left(&self) -> usize {
        lock(&self.0.kills).len()
    }

    /// Takes back every kill and every journal fault that did not happen.
    pub fn spare_the_process(&self) {
        lock(&self.0.kills).clear();
        *lock(&self.0.fatal_exchange) = None;
        *lock(&self.0.host_power) = false;
        *lock(&self.0.journal_fault) = None;
    }

    /// Lets the n-th commit from now fail, counted from 1.
    pub fn fail_commit(&self, nth: u64, fault: JournalFault) {
        let at = self.commits() + nth;
        *lock(&self.0.journal_fault) = Some((at, fault));
    }

    /// Whether a journal fault that was asked for has not happened.
    #[must_use]
    pub fn commit_fault_left(&self) -> bool {
        lock(&self.0.journal_fault).is_some()
    }

    /// FNs on which another program may have made documents.
    #[must_use]
    pub fn shared_fns(&self) -> BTreeSet<String> {
        lock(&self.0.witness).shared_fns()
    }

    /// An older journal stands in place of this one, or none. The process must be dead.
    pub(crate) fn goes_back(&self, kept: Option<&Kept>) {
        match kept {
            Some(kept) => self.put_back(kept),
            None => self.lose_journal(),
        }
    }

    /// The last document of each FN when the journal last went back.
    #[must_use]
    pub fn forgotten(&self) -> BTreeMap<String, u32> {
        lock(&self.0.witness).forgotten()
    }

    /// Commits asked for since the world began.
    #[must_use]
    pub fn commits(&self) -> u64 {
        lock(&self.0.counts).commits
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
        let commits = {
            let mut counts = lock(&self.0.counts);
            counts.commits += 1;
            counts.commits
        };
        let mut fault = lock(&self.0.journal_fault);
        let met = fault.filter(|(at, _)| *at == commits).map(|(_, fault)| fault);
        if let Some(met) = met {
            *fault = None;
            self.took_effect(met.name());
        }
        met
    }

    /// Resolves when the process was killed.
    pub async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// Resolves when a step broke a promise: what it broke.
    pub async fn broken(&self) -> Vec<String> {
        loop {
            let wrong = lock(&self.0.witness).wrong().to_vec();
            if !wrong.is_empty() {
                return wrong;
            }
            self.0.broken.notified().await;
        }
    }

    /// Looks at what a step did to the ledgers.
    fn look(&self) {
        let mut witness = lock(&self.0.witness);
        witness.look(&self.0.shelf);
        self.tell_if_broken(&witness);
    }

    fn tell_if_broken(&self, witness: &Witness) {
        if !witness.wrong().is_empty() {
            self.0.broken.notify_one();
        }
    }

    /// How often each point was reached.
    #[must_use]
    pub fn reached(&self) -> BTreeMap<Point, u32> {
        lock(&self.0.reached).clone()
    }

    /// Moves the host's clock; the registers and true time do not move.
    pub fn move_host_clock(&self, millis: i64) {
        let mut offset = lock(&self.0.host_offset_ms);
        *offset += millis;
        lock(&self.0.witness).host_is_off(*offset);
    }

    /// What happened, with virtual times: everything since the beginning.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        lock(&self.0.trace).lines()
    }

    /// The last lines of what happened.
    #[must_use]
    pub fn tail(&self) -> String {
        lock(&self.0.trace).tail()
    }

    /// A digest of everything that happened: the lines of the trace and every byte over every port, with their times.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        lock(&self.0.trace).digest()
    }

    /// What was seen of the journal since the world began.
    #[must_use]
    pub fn witnessed(&self) -> Tally {
        lock(&self.0.witness).tally()
    }

    /// Furthest that the host's clock ever was from true time, milliseconds.
    #[must_use]
    pub fn host_off_ms(&self) -> i64 {
        lock(&self.0.witness).host_off_ms()
    }

    /// From now on nothing is kept of the trace but its digest.
    pub fn be_brief(&self) {
        lock(&self.0.trace).be_brief();
    }

    /// Adds a line to the trace.
    pub fn note(&self, text: impl std::fmt::Display) {
        lock(&self.0.trace).note(self.micros(), text);
    }

    /// Virtual time since the world began, microseconds.
    fn micros(&self) -> u128 {
        self.0.begin.elapsed().as_micros()
    }

    /// What was counted since the world began.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *lock(&self.0.counts)
    }

    /// A trouble of this kind struck.
    pub fn struck(&self, kind: &'static str, what: &dyn std::fmt::Debug) {
        self.note(format_args!("strikes: {kind} {what:?}"));
        lock(&self.0.counts).strikes += 1;
    }

    /// A trouble of this kind had its effect.
    pub fn took_effect(&self, kind: &'static str) {
        *lock(&self.0.troubles).entry(kind).or_default() += 1;
    }

    /// How often each kind of trouble had its effect: what was armed and never met its moment is not counted.
    #[must_use]
    pub fn troubles(&self) -> BTreeMap<&'static str, u64> {
        let mut all = lock(&self.0.troubles).clone();
        let seen = self.0.bench.serials();
        for seen in seen.iter().filter_map(|serial| self.0.bench.observe(serial)) {
            for (kind, times) in seen.device.happened {
                *all.entry(kind).or_default() += times;
            }
        }
        all
    }

    /// Kills the process at the n-th command from now, counted from 1: before the register has it, or after.
    pub fn kill_at_exchange(&self, nth: u64, side: FrameSide) {
        *lock(&self.0.fatal_exchange) = Some((nth.max(1), side));
    }

    /// The process dies where it stands.
    fn kill(&self) {
        self.note("killed");
        lock(&self.0.counts).kills += 1;
        if std::mem::take(&mut *lock(&self.0.host_power)) {
            self.took_effect("host-power-cut");
            self.lose_what_was_not_synced();
        }
        self.0.killed.notify_one();
    }

    /// The host loses its power at the n-th command from now.
    pub fn host_power_at_exchange(&self, nth: u64, side: FrameSide) {
        *lock(&self.0.host_power) = true;
        self.kill_at_exchange(nth, side);
    }

    /// The first thing that a step broke.
    #[must_use]
    pub fn first_wrong(&self) -> Option<String> {
        lock(&self.0.witness).wrong().first().cloned()
    }

    /// Whether an attempt on this register has no outcome yet.
    #[must_use]
    pub fn is_asked(&self, serial: &str) -> bool {
        lock(&self.0.witness).is_asked(serial)
    }

    /// The point at which the process died last, if it did at one.
    #[must_use]
    pub fn died_at(&self) -> Option<Point> {
        *lock(&self.0.died_at)
    }

    /// Lets the core of this world carry a mutant from its next start on.
    pub fn carry(&self, mutant: Option<Mutant>) {
        *lock(&self.0.mutant) = mutant;
    }

    /// The mutant that the core carries.
    #[must_use]
    pub fn mutant(&self) -> Option<Mutant> {
        *lock(&self.0.mutant)
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
            #[cfg(feature = "mutants")]
            mutant: self.mutant(),
        };
        self.restore_after_power();
        *lock(&self.0.died_at) = None;
        // Guards of a killed process are released by the kernel.
        lock(&self.0.held).retain(|_, holder| *holder != self.0.name);
        let (store, recovered) =
            Store::open(&config, self, WallClock::now(self)).expect("the journal opens after every cut");
        *lock(&self.0.synced) = store.syncs_each_commit().expect("a setting can be read");
        lock(&self.0.witness).starts(&recovered);
        let world = self.clone();
        let witness = move |command: &Command, applied: Option<&Applied>| {
            let mut witness = lock(&world.0.witness);
            witness.look(&world.0.shelf);
            if let Some(applied) = applied {
                witness.applied(command, applied);
            }
            world.tell_if_broken(&witness);
        };
        let committer = InlineCommitter::witnessed(store, COMMIT_DELAY, Arc::new(witness));
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
        self.note(format_args!("start {} of {}", recovered.start, self.0.name));
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
}
