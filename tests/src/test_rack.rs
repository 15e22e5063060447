//! A whole rack under test: simulator, daemon, and the plan between them.
//!
//! Owns: bringing them up together, and the comparison of a job with its FN.
//! Must never: call a job right that the FN's ledger does not show.

use crate::api::{Api, LONGEST_WAIT, is_final};
use crate::bench_rack::{BenchRegister, rack_file};
use crate::control::Control;
use crate::daemon::{Daemon, DaemonSetup};
use crate::ledger::{self, Document};
use crate::requests::{description, slot};
use crate::simulator::{ReadyRegister, Simulator};
use crate::storm::field::wait_until_ready;
use anyhow::{Context, bail, ensure};
use kassette_api::v1::{JobState, RackDescription, ReceiptJob};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A rack under test. Everything ends with it.
#[derive(Debug)]
pub struct TestRack {
    /// How the daemon is started; change it before a start.
    pub setup: DaemonSetup,
    /// The simulator.
    pub simulator: Simulator,
    registers: Vec<BenchRegister>,
    daemon: Option<Daemon>,
    folder: TempDir,
    seed: u64,
}

impl TestRack {
    /// A simulator with these registers, and no daemon yet.
    ///
    /// # Errors
    /// When it does not start.
    pub fn bench(seed: u64, registers: Vec<BenchRegister>) -> anyhow::Result<Self> {
        Self::bench_in(None, seed, registers)
    }

    /// The same in a folder below `within`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn bench_in(within: Option<&Path>, seed: u64, registers: Vec<BenchRegister>) -> anyhow::Result<Self> {
        println!("rack seed {seed}");
        let mut builder = tempfile::Builder::new();
        builder.prefix("kassette-");
        let folder = within.map_or_else(|| builder.tempdir(), |within| builder.tempdir_in(within))?;
        let simulator = Simulator::start(folder.path(), &rack_file(seed, &registers))?;
        let setup = DaemonSetup::within(&folder.path().join("daemon"));
        Ok(Self {
            setup,
            simulator,
            registers,
            daemon: None,
            folder,
            seed,
        })
    }

    /// Kills the simulator and starts it again on the same folder and the same addresses.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart_simulator(&mut self) -> anyhow::Result<()> {
        for (register, ready) in self.registers.iter_mut().zip(&self.simulator.registers) {
            if let Some(address) = ready.port.strip_prefix("tcp:") {
                address.clone_into(&mut register.port);
            }
        }
        self.simulator.kill()?;
        let rack = rack_file(self.seed, &self.registers);
        let control = self.simulator.control_address.clone();
        self.simulator = Simulator::start_at(self.folder.path(), &rack, &control)?;
        Ok(())
    }

    /// A simulator with these registers and the shipped daemon that drives them.
    ///
    /// # Errors
    /// When one of them does not start, or the daemon refuses the plan.
    pub fn start(seed: u64, registers: Vec<BenchRegister>) -> anyhow::Result<Self> {
        let mut rack = Self::bench(seed, registers)?;
        rack.start_daemon()?;
        rack.apply()?;
        Ok(rack)
    }

    /// Starts the shipped daemon on the same state folder.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_daemon(&mut self) -> anyhow::Result<()> {
        self.daemon = Some(self.setup.start()?);
        Ok(())
    }

    /// Starts the daemon that ends at a fault point.
    ///
    /// # Errors
    /// When it ends before it is ready.
    pub fn start_faulty(&mut self, point: &str) -> anyhow::Result<()> {
        self.daemon = Some(self.setup.start_faulty(point)?);
        Ok(())
    }

    /// What stands in the rack: every register, and for each a spare slot that nothing is plugged into.
    ///
    /// # Errors
    /// When the own user cannot be told.
    pub fn description(&self) -> anyhow::Result<RackDescription> {
        let inn_of = |at: usize| self.registers.get(at).map(|one| one.inn.clone()).unwrap_or_default();
        let pairs: Vec<(ReadyRegister, String)> = self
            .simulator
            .registers
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, one)| (one, inn_of(at)))
            .collect();
        let mut rack = description(&pairs)?;
        let spare = |(at, register): (usize, &ReadyRegister)| {
            let mut spare = slot(at, &self.spare_port(&register.serial));
            spare.label = format!("SPARE-{:03}", at + 1);
            spare
        };
        rack.slots
            .extend(self.simulator.registers.iter().enumerate().map(spare));
        Ok(rack)
    }

    /// Path of the port under which a register may come back; its name is [`TestRack::spare_name`].
    #[must_use]
    pub fn spare_port(&self, serial: &str) -> String {
        let name = Self::spare_name(serial);
        self.simulator.state.join("ports").join(name).display().to_string()
    }

    /// Name of the port under which a register may come back.
    #[must_use]
    pub fn spare_name(serial: &str) -> String {
        format!("spare-{serial}")
    }

    /// Adopts every register.
    ///
    /// # Errors
    /// When the daemon refuses the plan.
    pub fn apply(&self) -> anyhow::Result<()> {
        let rack = self.description()?;
        self.api().apply(rack).context("apply the rack")?;
        Ok(())
    }

    /// Waits until every register could take a receipt: each FN was read, so that no submission is held for what may
    /// stand in one.
    ///
    /// # Errors
    /// When one does not become ready.
    pub fn wait_ready(&self) -> anyhow::Result<()> {
        wait_until_ready(self.api(), self.count())
    }

    /// Pulls the cable of register number `n` and waits until it is missed: no job goes there any more.
    ///
    /// # Errors
    /// When it is not missed.
    pub fn carry_away(&self, n: usize) -> anyhow::Result<()> {
        let serial = &self.register(n).serial;
        self.control().unplug(serial)?;
        let until = Instant::now() + LONGEST_WAIT;
        // A register has no watch in this version: it is asked until it was missed.
        loop {
            let registers = self.api().registers()?;
            if !registers.iter().any(|one| one.ready && one.serial == *serial) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "register {serial} is not missed: {registers:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The client of the running daemon.
    ///
    /// # Panics
    /// When no daemon runs: a case that asks then is wrong.
    #[must_use]
    pub fn api(&self) -> &Api {
        match &self.daemon {
            Some(daemon) => &daemon.api,
            None => panic!("no daemon runs"),
        }
    }

    /// The running daemon, taken out to be stopped or killed.
    ///
    /// # Errors
    /// When none runs.
    pub fn take_daemon(&mut self) -> anyhow::Result<Daemon> {
        self.daemon.take().context("no daemon runs")
    }

    /// The running daemon.
    ///
    /// # Errors
    /// When none runs.
    pub fn daemon(&mut self) -> anyhow::Result<&mut Daemon> {
        self.daemon.as_mut().context("no daemon runs")
    }

    /// The control port.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.simulator.control
    }

    /// Register number `n` from 0, as it was described.
    ///
    /// # Panics
    /// When there are fewer: a case that asks then is wrong.
    #[must_use]
    pub fn register(&self, n: usize) -> &BenchRegister {
        &self.registers[n]
    }

    /// How many registers there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.registers.len()
    }

    /// Everything that helps to understand a failure.
    #[must_use]
    pub fn logs(&self) -> String {
        let daemon = self.daemon.as_ref().map(Daemon::log_tail).unwrap_or_default();
        format!("-- daemon\n{daemon}\n-- simulator\n{}", self.simulator.log_tail())
    }

    /// Where everything of this rack stands.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folders for a look after a failure.
    pub fn keep(&mut self) {
        self.folder.disable_cleanup(true);
        eprintln!("kept: {}", self.folder.path().display());
    }
}

/// Compares a job with the receipts of its register's FN, which made no other: a completed one has exactly its
/// document, a job that ended otherwise has none, and no job is left open.
///
/// # Errors
/// What differs.
pub fn check_only_job(job: &ReceiptJob, documents: &[Document], fn_number: &str) -> anyhow::Result<()> {
    let receipts = ledger::receipts_of(documents, fn_number);
    let reason = job
        .reason
        .as_ref()
        .map(|reason| format!("{}: {}", reason.code, reason.text));
    ensure!(is_final(job.state()), "the job is left {:?}, {reason:?}", job.state());
    if job.state() != JobState::Completed {
        ensure!(
            receipts.is_empty(),
            "the job is {:?} ({reason:?}) and has {receipts:?}",
            job.state()
        );
        ensure!(
            job.result.is_none(),
            "the job is {:?} and names a document",
            job.state()
        );
        return Ok(());
    }
    let [document] = receipts.as_slice() else {
        bail!(
            "the job is COMPLETED and its FN holds {} receipts: {receipts:?}",
            receipts.len()
        );
    };
    let result = job.result.as_ref().context("a completed job without a document")?;
    let (told, there) = (
        (&result.r#fn, result.fd, result.fp),
        (&document.fn_number, document.fd, document.fp),
    );
    ensure!(told == there, "the job names {told:?}, the FN holds {there:?}");
    ensure!(
        document.job_keys().contains(&job.job_key.as_str()),
        "the document has the keys {:?}, the job {}",
        document.job_keys(),
        job.job_key
    );
    Ok(())
}

/// Waits for the end of a job.
///
/// # Errors
/// The daemon's status.
pub fn final_job(api: &Api, inn: &str, key: &str) -> anyhow::Result<ReceiptJob> {
    api.job(inn, key, LONGEST_WAIT).with_context(|| format!("job {key}"))
}
