//! A story: a rack, its registers and its clients, over as many lives of the process as it takes.
//!
//! Owns: what the clients want, which lives there were, and everything that was ever shown to a caller.
//! Must never: judge; that is `check`'s.

mod clients;
mod setting;

pub use clients::{RETURNS, order, order_of, receipt, tenant};
pub(crate) use clients::{at_rest, passes};
pub use setting::{Setting, TENANTS};

use crate::check::{Allowed, Shown};
use crate::weather::visits::{self, Visit};
use crate::world::{Kept, World};
use clients::{stand, submit, watch};
use kassette_core::domain::job::Job;
use kassette_core::domain::plan::RackPlan;
use kassette_core::domain::snapshot::{RackSnapshot, UnitSnapshot};
use kassette_core::domain::unit::UnitState;
use kassette_core::rack::{Ended, Rack, RackHandle};
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger};
use kassette_hw_sim::rack_file::RackFile;
use kassette_receipts::job_key::JobKey;
use kassette_wire::link::shtrih_v1::{ACK, ENQ, encode_frame};
use kassette_wire::shtrih::Request;
use setting::plan_of;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Virtual time in which everything must come to rest once faults have ended. The longest way there: a register that is
/// busy for 70 s in several looks, or a job that pauses between tries.
pub const CALM: Duration = Duration::from_secs(900);
/// Most lives of one story; more means that the process ends again and again by itself.
const LIVES_MAX: u32 = 12;

/// Runs a story alone on one thread under a paused clock.
///
/// # Panics
/// When there is no runtime to be had.
pub fn simulate<T>(story: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built")
        .block_on(story)
}

/// A story under way.
pub struct Play {
    /// Everything around the rack.
    pub world: World,
    /// The registers.
    pub file: RackFile,
    /// What the rack is told to be.
    pub plan: RackPlan,
    /// Everything that callers were shown.
    pub shown: Arc<Shown>,
    /// What the story may leave behind, by what has troubled it so far.
    pub allowed: Allowed,
    /// What stands in the journal's place when the process next starts, and the trouble that put it there.
    pub(crate) older_journal: Option<(&'static str, Option<Kept>)>,
    /// What befalls registers in doubt at the next death that is meant for it.
    pub visit: Option<Visit>,
    /// Lives of the process so far.
    pub lives: u32,
    /// Ends of the process that nobody asked for.
    pub crashes: u64,
    rack: Option<Rack>,
    watcher: Option<JoinHandle<()>>,
    carrier: JoinHandle<()>,
    keys: BTreeMap<u32, JobKey>,
    _folder: TempDir,
}

/// A folder in memory where the host has one: the stories test the journal's logic, not its disk.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder")
}

impl Play {
    /// The registers stand on their bench; the process was not started yet.
    pub fn new(setting: &Setting) -> Self {
        let folder = folder();
        let file = setting.file();
        let world = World::new(&file, folder.path());
        let carried = world.clone();
        Self {
            plan: plan_of(setting, &file),
            carrier: tokio::spawn(async move { carried.run().await }),
            shown: Arc::default(),
            allowed: Allowed::NOTHING,
            older_journal: None,
            visit: None,
            lives: 0,
            crashes: 0,
            rack: None,
            watcher: None,
            keys: BTreeMap::new(),
            world,
            file,
            _folder: folder,
        }
    }

    /// A story whose rack runs and has its plan.
    pub async fn begin(setting: &Setting) -> Self {
        let mut play = Self::new(setting);
        play.start().await;
        play
    }

    /// Serial of a register, from 0.
    #[must_use]
    pub fn serial(&self, at: usize) -> &str {
        &self.file.registers[at].config.serial
    }

    /// The FN that stood in a register at the beginning.
    #[must_use]
    pub fn fn_number(&self, at: usize) -> &str {
        &self.file.registers[at].config.fn_unit.number
    }

    /// Arms a fault.
    ///
    /// # Panics
    /// When the simulator does not take it: a mistake of the test.
    pub fn fault(&self, at: usize, kind: FaultKind, trigger: Trigger) {
        self.world.note(format_args!("fault {at} {kind:?} {trigger:?}"));
        let spec = FaultSpec { kind, trigger };
        self.world
            .bench()
            .fault(self.serial(at), spec)
            .expect("the fault fits the register");
    }

    /// An older journal stands in place: nothing of what callers were shown is expected of it but the documents.
    pub fn forgets(&mut self) {
        self.shown.goes_back();
        self.keys.clear();
    }

    /// Starts the process, unless it runs. One that is killed while it starts is started again.
    pub async fn start(&mut self) {
        while self.rack.is_none() {
            self.lives += 1;
            assert!(
                self.lives <= LIVES_MAX,
                "the process ends again and again:\n{}",
                self.tail()
            );
            if let Some((trouble, kept)) = self.older_journal.take() {
                self.world.goes_back(kept.as_ref());
                self.forgets();
                self.world.took_effect(trouble);
            }
            Box::pin(visits::come(self)).await;
            let rack = self.world.start().await;
            let handle = rack.handle();
            self.watcher = Some(tokio::spawn(watch(handle.clone(), Arc::clone(&self.shown))));
            self.rack = Some(rack);
            let plan = self.plan.clone();
            self.live(async move { stand(&handle, plan).await }).await;
        }
    }

    /// The handle of the running rack.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn handle(&self) -> RackHandle {
        self.rack.as_ref().expect("the rack runs").handle()
    }

    /// Lets `work` run while the process lives. `None` when the process ended before; it is then gone.
    ///
    /// # Panics
    /// When a step broke a promise.
    pub async fn live<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let rack = self.rack.as_mut().expect("the rack runs");
        let end = tokio::select! {
            biased;
            wrong = self.world.broken() => panic!("{}\n{}", wrong.join("\n"), self.world.tail()),
            () = self.world.killed() => "killed".to_owned(),
            ended = rack.ended() => match ended {
                Ended::Stopped => "stopped".to_owned(),
                Ended::Reopen(reason) => reason.to_string(),
            },
            done = work => return Some(done),
        };
        self.world.note(format_args!("the process ended: {end}"));
        self.crashes += 1;
        self.crash().await;
        None
    }

    /// The process dies here.
    pub async fn crash(&mut self) {
        drop(self.rack.take());
        if let Some(watcher) = self.watcher.take() {
            watcher.abort();
        }
        // Tasks of the dead process are dropped when the runtime next looks at them.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }

    /// Stops the process as asked for, and waits for its end.
    pub async fn stop(&mut self) {
        let handle = self.handle();
        let asked = tokio::spawn(async move { handle.stop().await });
        if let Some(rack) = self.rack.as_mut() {
            let end = tokio::select! {
                biased;
                () = self.world.killed() => None,
                end = timeout(CALM, rack.ended()) => Some(end),
            };
            if let Some(end) = end {
                let end = end.unwrap_or_else(|_| panic!("a stop ends in bounded time:\n{}", self.world.tail()));
                self.world.note(format_args!("the process stopped: {end:?}"));
            }
        }
        asked.abort();
        self.crash().await;
    }

    /// Good clients: each repeats its order under the same key until it has an answer, and all wait until their jobs are
    /// at rest (final, or waiting for a person), at most [`CALM`]. The process is started again as often as it ends.
    /// The jobs as they stand then.
    pub async fn day(&mut self, numbers: impl IntoIterator<Item = u32> + Clone) -> Vec<Job> {
        self.day_within(numbers, CALM).await
    }

    /// As [`Play::day`], with another bound.
    pub async fn day_within(&mut self, numbers: impl IntoIterator<Item = u32> + Clone, calm: Duration) -> Vec<Job> {
        let until = Instant::now() + calm;
        loop {
            self.start().await;
            let handle = self.handle();
            let wanted: Vec<u32> = numbers.clone().into_iter().collect();
            let work = async move {
                let mut keys = Vec::new();
                for number in wanted {
                    keys.push((number, submit(&handle, number).await));
                }
                let mut jobs = Vec::new();
                for (number, key) in keys {
                    let job = at_rest(&handle, &tenant(), &key, until).await;
                    jobs.push((number, job.expect("the job is there (I4)")));
                }
                jobs
            };
            if let Some(jobs) = self.live(work).await {
                for (number, job) in &jobs {
                    let known = self.keys.insert(*number, job.key);
                    assert!(known.is_none_or(|key| key == job.key), "one key, one job (I4, I5)");
                }
                return jobs.into_iter().map(|(_, job)| job).collect();
            }
        }
    }

    /// Waits until no unit is on its way to somewhere: identified or not, without a job in hand, without a doubt unless a
    /// person must settle it, its FN read back. At most [`CALM`]: what has not come to rest by then is for a check to
    /// find. A process that ends meanwhile is started again.
    pub async fn calm(&mut self) {
        loop {
            self.start().await;
            if self.come_to_rest().await {
                return;
            }
        }
    }

    /// Whether the process lived until everything was at rest, or as long as is waited for that.
    async fn come_to_rest(&mut self) -> bool {
        let mut snapshots = self.handle().snapshot();
        let world = self.world.clone();
        let written = move || -> Vec<usize> { world.ledgers().values().map(Vec::len).collect() };
        let quiet = async {
            loop {
                while !snapshots.borrow_and_update().units.values().all(at_peace) {
                    if snapshots.changed().await.is_err() {
                        return;
                    }
                }
                // A shift that is being turned shows nowhere but in the FN.
                let before = written();
                tokio::time::sleep(Duration::from_secs(10)).await;
                if written() == before && snapshots.borrow().units.values().all(at_peace) {
                    return;
                }
            }
        };
        // A bound that runs out is no verdict.
        self.live(async { timeout(CALM, quiet).await.is_ok() }).await.is_some()
    }

    /// Lets virtual time pass while the process lives.
    pub async fn pass(&mut self, time: Duration) {
        self.live(tokio::time::sleep(time)).await;
    }

    /// The one snapshot, now.
    #[must_use]
    pub fn snapshot(&self) -> RackSnapshot {
        (**self.handle().snapshot().borrow()).clone()
    }

    /// A unit of the snapshot.
    #[must_use]
    pub fn unit(&self, slot: &str) -> UnitSnapshot {
        self.snapshot().units[slot].clone()
    }

    /// Waits until a unit looks as wanted; says so when it never does.
    ///
    /// # Panics
    /// When it never does.
    pub async fn until_unit(&mut self, slot: &str, what: &str, wanted: impl Fn(&UnitSnapshot) -> bool) -> UnitSnapshot {
        let mut snapshots = self.handle().snapshot();
        let found = async {
            loop {
                let unit = snapshots.borrow_and_update().units.get(slot).cloned();
                if let Some(unit) = unit.filter(|unit| wanted(unit)) {
                    return unit;
                }
                if snapshots.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let found = self.live(timeout(CALM, found)).await;
        match found {
            Some(Ok(unit)) => unit,
            _ => panic!("slot {slot} never was {what}:\n{}", self.tail()),
        }
    }

    /// Another program sends a command to a register while nobody else has its port open, and acknowledges the answer.
    ///
    /// # Panics
    /// When the port is not free: a mistake of the test.
    pub async fn stranger(&self, at: usize, request: &Request) {
        let bench = self.world.bench();
        let name = bench.observe(self.serial(at)).expect("the register is there").name;
        let mut port = bench.open(&name, bench.ports()[&name]).expect("the port is free");
        let payload = request.encode().expect("the request has bytes");
        // ENQ first, and an ACK for the answer that is then there: a register that keeps one would not listen.
        for bytes in [
            vec![ENQ],
            vec![ACK],
            encode_frame(&payload).expect("one frame"),
            vec![ACK],
        ] {
            port.write(&bytes).await.expect("the register takes bytes");
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    /// The last lines of the trace, for a failure.
    #[must_use]
    pub fn tail(&self) -> String {
        self.world.tail()
    }

    /// Name of a port that the plan has a slot for and nothing stands at in the beginning.
    #[must_use]
    pub fn spare(at: usize) -> String {
        format!("spare{at}")
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        self.carrier.abort();
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

fn at_peace(unit: &UnitSnapshot) -> bool {
    match unit.state {
        UnitState::Arrived | UnitState::Identifying => false,
        UnitState::Lost => !unit.port_present,
        UnitState::Active | UnitState::Standby => {
            let unread = unit.audit.is_some_and(|audit| audit.unread > 0) && unit.not_ready.is_none();
            unit.job.is_none() && unit.in_doubt.is_none() && !unread
        }
        UnitState::Quarantined
        | UnitState::Foreign
        | UnitState::Blank
        | UnitState::Held
        | UnitState::Draining
        | UnitState::Retired => true,
    }
}
