//! The rack under test: the shipped daemon and the shipped simulator, their state on a real disk.
//!
//! Owns: the folder and what may hold it, the rack file, the plan, and the wait until every register is ready.
//! Must never: measure on a file system in memory, or beside a program of another build profile.

use crate::api::{LONGEST_WAIT, duration};
use crate::bench_rack::{BenchRegister, inn, rack_file};
use crate::daemon::{Daemon, DaemonSetup};
use crate::programs::{Programs, workspace};
use crate::requests::description;
use crate::simulator::{ReadyRegister, Simulator};
use anyhow::{Context, bail, ensure};
use kassette_api::v1::RackDescription;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The taxpayer of every register.
#[must_use]
pub fn tenant() -> String {
    inn(1)
}

/// The kernel's mark of ramfs (`linux/magic.h`), which the library does not name.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Open files that 1,000 ports need in simulator and daemon, with room.
const FILES: u64 = 8192;

/// Builds what is measured and looks at what it is measured on.
///
/// # Errors
/// When this is a debug build, a program is missing, or the system allows too few open files.
pub fn prepare() -> anyhow::Result<()> {
    ensure!(
        !cfg!(debug_assertions),
        "figures of a debug build say nothing; run: cargo bench-rack (or cargo run --release --bin bench-rack)"
    );
    let programs = Programs::built().context("build them with: cargo build --locked --release --bins")?;
    programs.daemon()?;
    programs.simulator()?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(
        hard >= FILES,
        "this needs {FILES} open files, the system allows {hard} (ulimit -Hn)"
    );
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(FILES), hard)?;
    Ok(())
}

/// A new folder beside the binaries, on a disk.
///
/// # Errors
/// When the file system lives in memory: its fsync is free.
pub fn folder() -> anyhow::Result<TempDir> {
    let beside = std::env::var_os("KASSETTE_BENCH_DIR").map_or_else(|| workspace().join("target"), Into::into);
    std::fs::create_dir_all(&beside)?;
    let made = tempfile::Builder::new().prefix("bench-").tempdir_in(&beside)?;
    if in_memory(made.path())? {
        bail!(
            "{} is in memory; name a folder on a disk in KASSETTE_BENCH_DIR",
            beside.display()
        );
    }
    Ok(made)
}

/// Whether a path lies on a file system in memory.
///
/// # Errors
/// The operating system's.
pub fn in_memory(path: &Path) -> anyhow::Result<bool> {
    Ok([TMPFS_MAGIC, RAMFS_MAGIC].contains(&disk(path)?))
}

/// The kind of file system under a path.
///
/// # Errors
/// The operating system's.
pub fn disk(path: &Path) -> anyhow::Result<FsType> {
    Ok(statfs(path)
        .with_context(|| path.display().to_string())?
        .filesystem_type())
}

/// A simulator with so many registers of one tenant.
///
/// # Errors
/// When it does not start.
pub fn simulator(folder: &Path, count: u32, timing: &str) -> anyhow::Result<Simulator> {
    let register = |n| BenchRegister {
        timing: timing.to_owned(),
        ..BenchRegister::new(n, &tenant())
    };
    let registers: Vec<_> = (1..=count).map(register).collect();
    Simulator::start(folder, &rack_file(7, &registers))
}

/// Simulator and daemon, every register ready.
#[derive(Debug)]
pub struct Rack {
    /// The daemon.
    pub daemon: Daemon,
    /// How it was started.
    pub setup: DaemonSetup,
    /// The simulator.
    pub simulator: Simulator,
    /// Where both keep their things; goes last.
    pub folder: TempDir,
}

impl Rack {
    /// Starts both and waits until every register could take a receipt.
    ///
    /// # Errors
    /// When one of them does not start, or a register does not become ready.
    pub fn start(count: u32, timing: &str) -> anyhow::Result<Self> {
        let folder = folder()?;
        let simulator = simulator(folder.path(), count, timing)?;
        let setup = setup(folder.path());
        let daemon = setup.start()?;
        daemon
            .api
            .apply(plan(&simulator.registers)?)
            .context("apply the rack")?;
        let rack = Self {
            daemon,
            setup,
            simulator,
            folder,
        };
        rack.wait_ready(usize::try_from(count)?)?;
        Ok(rack)
    }

    /// Takes every register away once it was read: jobs of their tenant are taken and wait, and none is held for what may
    /// stand in an FN.
    ///
    /// # Errors
    /// When a register is not missed.
    pub fn carry_away(&mut self) -> anyhow::Result<()> {
        self.simulator.kill()?;
        let until = Instant::now() + LONGEST_WAIT;
        while self.daemon.api.registers()?.iter().any(|one| one.ready) {
            ensure!(
                Instant::now() < until,
                "a register is not missed\n{}",
                self.daemon.log_tail()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Waits until so many registers could take a receipt.
    ///
    /// # Errors
    /// When they do not become ready.
    pub fn wait_ready(&self, count: usize) -> anyhow::Result<()> {
        let until = Instant::now() + LONGEST_WAIT;
        loop {
            let registers = self.daemon.api.registers()?;
            let ready = registers.iter().filter(|one| one.ready).count();
            if ready >= count {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "only {ready} of {count} registers are ready\n{}",
                self.daemon.log_tail()
            );
            // The inventory is asked seldom: its answer costs what it measures.
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// The daemon as shipped, with the log as shipped and no scaled waits; or another build of it, named by
/// `KASSETTE_BENCH_DAEMON`, to compare two.
#[must_use]
pub fn setup(folder: &Path) -> DaemonSetup {
    DaemonSetup {
        timing_percent: 100,
        log_level: "info".to_owned(),
        program: std::env::var_os("KASSETTE_BENCH_DAEMON").map(Into::into),
        ..DaemonSetup::within(&folder.join("daemon"))
    }
}

/// The plan: these registers, and limits that do not stand in the way of the load.
///
/// # Errors
/// When the own user cannot be told.
pub fn plan(registers: &[ReadyRegister]) -> anyhow::Result<RackDescription> {
    let owned: Vec<_> = registers.iter().map(|one| (one.clone(), tenant())).collect();
    let mut plan = description(&owned)?;
    for tenant in &mut plan.tenants {
        tenant.queue_limit = Some(5_000_000);
        tenant.default_ttl = Some(duration(Duration::from_secs(86_400)));
    }
    Ok(plan)
}
