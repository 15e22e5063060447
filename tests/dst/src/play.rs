//! A story: a rack, its registers and its clients, over as many lives of the process as it takes.
//!
//! Owns: what the clients want, which lives there were, and everything that was ever shown to a caller.
//! Must never: judge; that is `check`'s.

use crate::check::Shown;
use crate::world::World;
use kassette_core::domain::job::{Job, Priority, SubmitOrder};
use kassette_core::domain::plan::{Admission, RackPlan, RegisterPlan, SlotPlan, TenantPlan};
use kassette_core::domain::snapshot::{RackSnapshot, UnitSnapshot};
use kassette_core::domain::unit::UnitState;
use kassette_core::rack::{ApplyOrder, Ended, Rack, RackHandle};
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger};
use kassette_hw_sim::rack_file::{Generated, RackFile, generate};
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::{Item, Payments, Receipt};
use kassette_wire::codes::Code;
use kassette_wire::link::shtrih_v1::{ACK, ENQ, encode_frame};
use kassette_wire::shtrih::Request;
use kassette_wire::value::{Inn, Kopecks, Quantity};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// The only tenant of a story.
pub const TENANT: &str = "7704358518";
/// Virtual time in which everything must come to rest once faults have ended. The longest way there: a register that is
/// busy for 70 s in several looks, or a job that pauses between tries.
pub const CALM: Duration = Duration::from_secs(900);
/// Most lives of one story; more means that the process ends again and again by itself.
const LIVES_MAX: u32 = 12;

/// What a story begins with.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Seed of registers and of the core's entropy.
    pub seed: u64,
    /// How many registers.
    pub registers: u32,
    /// Value of `timing` in the rack file.
    pub timing: &'static str,
    /// `pty` or `tcp`.
    pub link: &'static str,
    /// Registers that have numbered frames.
    pub v2: bool,
    /// More lines for every register of the rack file.
    pub extra: String,
    /// First letters of FN numbers.
    pub fn_prefix: &'static str,
    /// Life of a job in the queue.
    pub ttl_s: u64,
    /// How many of the registers, from the first on, make documents of FFD 1.05.
    pub of_1_05: usize,
}

impl Setting {
    /// A rack of so many registers that work in realistic time.
    #[must_use]
    pub fn new(seed: u64, registers: u32) -> Self {
        Self {
            seed,
            registers,
            timing: "\"realistic\"",
            link: "pty",
            v2: false,
            extra: String::new(),
            fn_prefix: "9999",
            ttl_s: 86_400,
            of_1_05: 0,
        }
    }

    /// Registers that take no time: for stories in which many things happen.
    #[must_use]
    pub fn instant(mut self) -> Self {
        self.timing = "\"instant\"";
        self
    }

    /// Registers on the network, or not; with numbered frames, or without.
    #[must_use]
    pub fn linked(mut self, link: &'static str, v2: bool) -> Self {
        (self.link, self.v2) = (link, v2);
        self
    }

    fn file(&self) -> RackFile {
        let switches = if self.v2 { "\nswitches = { link_v2 = true }" } else { "" };
        let wish = Generated {
            registers: self.registers,
            tenants: vec![TENANT.to_owned()],
            timing: self.timing.to_owned(),
            seed: self.seed,
            link: self.link.to_owned(),
            extra: format!("{}{switches}", self.extra),
            fn_prefix: self.fn_prefix.to_owned(),
            ..Generated::default()
        };
        let mut file: RackFile = generate(&wish).parse().expect("a generated rack file is good");
        for entry in &mut file.registers {
            entry.port.clone_from(&entry.config.serial);
        }
        for entry in file.registers.iter_mut().take(self.of_1_05) {
            entry.config.ffd = kassette_hw_sim::models::shtrih_m::Ffd::V105;
        }
        file
    }
}

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

/// A receipt of so many roubles and a kopeck, to a buyer of its own.
///
/// # Panics
/// Never: the sums fit.
#[must_use]
pub fn receipt(number: u32) -> Receipt {
    let sum = Kopecks::new(u64::from(number) * 100 + 1).expect("a small sum");
    let text = serde_json::json!({
        "sign": 1, "tax_system": 1, "items": [], "total": sum.get(),
        "payments": Payments { electronic: sum, ..Payments::default() },
        "buyer": {"contact": format!("buyer{number}@example.com")},
    });
    let mut receipt: Receipt = serde_json::from_value(text).expect("a receipt of the model");
    let item = serde_json::json!({
        "name": format!("Товар {number}"), "price": sum.get(), "quantity": Quantity::ONE.millionths(),
        "amount": sum.get(), "vat_rate": 6, "method": 4, "subject": 1, "measure": 0,
    });
    receipt
        .items
        .push(serde_json::from_value::<Item>(item).expect("an item of the model"));
    receipt
}

/// The order of client `shop` for receipt `number`.
///
/// # Panics
/// Never: the tenant is a good one.
#[must_use]
pub fn order(number: u32) -> SubmitOrder {
    SubmitOrder {
        tenant: tenant(),
        client: "shop".into(),
        external_id: format!("order-{number}"),
        key_time: None,
        receipt: receipt(number),
        ttl_ms: None,
        priority: Priority::Interactive,
        labels: BTreeMap::new(),
        replaces: None,
    }
}

/// The tenant.
///
/// # Panics
/// Never: its check digits are right.
#[must_use]
pub fn tenant() -> Inn {
    TENANT.parse().expect("the check digits are right")
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
    /// Lives of the process so far.
    pub lives: u32,
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

fn plan_of(setting: &Setting, file: &RackFile) -> RackPlan {
    let address = |name: &str| match setting.link {
        "tcp" => format!("tcp:{name}:7778"),
        _ => format!("/sim/{name}"),
    };
    let spare = (0..file.registers.len()).map(|at| (format!("Z{at}"), address(&Play::spare(at))));
    let own = file.registers.iter().enumerate();
    let own = own.map(|(at, entry)| (format!("S{at}"), address(&entry.config.serial)));
    let slots = own.chain(spare).map(|(label, port)| SlotPlan {
        label,
        port,
        baud: None,
        link: None,
    });
    let registers = file.registers.iter().map(|entry| RegisterPlan {
        vendor: "shtrih-m".into(),
        serial: entry.config.serial.clone(),
        fn_number: entry.config.fn_unit.number.clone(),
        tenant: TENANT.into(),
        zone: "+03:00".into(),
    });
    RackPlan {
        rack_id: None,
        tenants: vec![TenantPlan {
            inn: TENANT.into(),
            name: "Test".into(),
            ttl_s: setting.ttl_s,
            contact_retention_s: None,
            queue_max: 1000,
            submissions_per_second: 0,
            admission: Admission::Open,
            clients: vec!["*".into()],
        }],
        slots: slots.collect(),
        registers: registers.collect(),
    }
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
            lives: 0,
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
        self.world.note(format!("fault {at} {kind:?} {trigger:?}"));
        let spec = FaultSpec { kind, trigger };
        self.world
            .bench()
            .fault(self.serial(at), spec)
            .expect("the fault fits the register");
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
    pub async fn live<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let rack = self.rack.as_mut().expect("the rack runs");
        let end = tokio::select! {
            biased;
            () = self.world.killed() => "killed".to_owned(),
            ended = rack.ended() => match ended {
                Ended::Stopped => "stopped".to_owned(),
                Ended::Reopen(reason) => reason.to_string(),
            },
            done = work => return Some(done),
        };
        self.world.note(format!("the process ended: {end}"));
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
                let end = end.unwrap_or_else(|_| panic!("a stop ends in bounded time:\n{}", tail(&self.world)));
                self.world.note(format!("the process stopped: {end:?}"));
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
                    jobs.push((number, at_rest(&handle, &key, until).await));
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
    /// person must settle it. At most [`CALM`]: what has not come to rest by then is for a check to find.
    pub async fn calm(&mut self) {
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
        self.live(async { timeout(CALM, quiet).await.is_ok() }).await;
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
        let name = self.serial(at);
        let mut port = bench.open(name, bench.ports()[name]).expect("the port is free");
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
        tail(&self.world)
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
        UnitState::Active | UnitState::Standby => unit.job.is_none() && unit.in_doubt.is_none(),
        UnitState::Quarantined
        | UnitState::Foreign
        | UnitState::Blank
        | UnitState::Held
        | UnitState::Draining
        | UnitState::Retired => true,
    }
}

fn tail(world: &World) -> String {
    let trace = world.trace();
    trace[trace.len().saturating_sub(60)..].join("\n")
}

async fn stand(handle: &RackHandle, plan: RackPlan) {
    loop {
        let order = ApplyOrder {
            plan: plan.clone(),
            expected_version: None,
            validate_only: false,
            reason: None,
            request_id: Some("first".into()),
            client: "admin".into(),
        };
        match handle.apply(order).await {
            Ok(_) => return,
            Err(error) => assert!(passes(error.reason.code), "the plan is applied: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Whether a good client tries again.
const fn passes(code: Code) -> bool {
    matches!(code, Code::JournalFull | Code::JournalStopped | Code::DaemonStopping)
}

async fn submit(handle: &RackHandle, number: u32) -> JobKey {
    loop {
        match handle.submit(order(number)).await {
            Ok(submitted) => return submitted.job.key,
            Err(error) => assert!(passes(error.reason.code), "order {number} is taken: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn at_rest(handle: &RackHandle, key: &JobKey, until: Instant) -> Job {
    let inn = tenant();
    loop {
        let step = (Instant::now() + Duration::from_secs(5)).min(until);
        let job = handle.wait_final(&inn, key, step).await.expect("the job is there (I4)");
        if job.state.is_final() || job.needs_person.is_some() || Instant::now() >= until {
            return job;
        }
    }
}

/// Reads every event of jobs as a watching client does, over all lives from its cursor.
async fn watch(handle: RackHandle, shown: Arc<Shown>) {
    let mut sequence = handle.sequence();
    loop {
        sequence.mark_unchanged();
        let (events, upto) = handle
            .job_events(None, shown.cursor(), 1000)
            .await
            .expect("a cursor survives restarts");
        shown.take(events, upto);
        if sequence.changed().await.is_err() {
            return;
        }
    }
}
