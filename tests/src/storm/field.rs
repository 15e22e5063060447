//! A rack with clients' tenants, faults' threads and a watch over it: what a storm and a torture stand on.
//!
//! Owns: bringing it up, the calm after the faults, and the comparison of all books.
//! Must never: decide which faults come, or end a comparison at the first difference.

use super::cables::Cables;
use super::clients::Counters;
use super::dice::Dice;
use super::gale::{Gale, Happened};
use super::sale::Sale;
use super::tally::{Books, Tally, tally};
use super::technician::{Sky, Technician};
use super::watcher::Watcher;
use super::weather::{Deck, Kind};
use crate::api::Api;
use crate::bench_rack::{BenchRegister, VAT_22, inn};
use crate::daemon::DaemonSetup;
use crate::programs::Programs;
use crate::test_rack::TestRack;
use anyhow::{Context, anyhow, ensure};
use kassette_api::v1::{FiscalDocument, ListDocumentsRequest};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Waits for devices in percent of the documented ones: a hang of 30 s is known after 1.2 s.
const TIMING_PERCENT: u32 = 4;
/// How many taxpayers share the rack.
const TENANTS: usize = 3;
/// Every so many registers one stands on the network.
const NETWORK_EVERY: usize = 4;
/// Every so many registers, from the first, one makes documents of FFD 1.05.
const OLD_FORMAT_EVERY: usize = 4;
/// Without any job's end for so long in the calm, a technician goes from register to register.
const CALM_PATIENCE: Duration = Duration::from_secs(15);
/// How often.
const CALM_VISITS: u32 = 4;
/// Longest wait for the rack to come up.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(60);
/// A rack under faults.
pub(crate) struct Field {
    pub rack: TestRack,
    pub sky: Arc<Sky>,
    pub watcher: Arc<Watcher>,
    pub counters: Arc<Counters>,
    pub tenants: Arc<Vec<String>>,
    seed: u64,
}

/// What all books together say.
pub(crate) struct Books3 {
    /// Clients, API and ledgers.
    pub tally: Tally,
    /// What `kassetted journal verify` counted of journal and ledgers.
    pub verified: Verified,
    /// Everything that differs.
    pub differences: Vec<String>,
}

/// The last line of `kassetted journal verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
pub(crate) struct Verified {
    pub jobs: usize,
    pub documents: usize,
    pub lost: usize,
    pub doubled: usize,
}

impl Field {
    /// A rack in a folder below `within` (the system's temporary one if absent), with its daemon adopted. `setup` may
    /// change how the daemon is started, and make ready what it is started on.
    pub fn set_up(
        within: Option<&Path>,
        (seed, registers): (u64, Vec<BenchRegister>),
        counters: Counters,
        setup: impl FnOnce(&mut DaemonSetup) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut rack = TestRack::bench_in(within, seed, registers)?;
        rack.setup.timing_percent = TIMING_PERCENT;
        setup(&mut rack.setup)?;
        rack.start_daemon()?;
        rack.apply()?;
        let mut tenants: Vec<String> = (0..rack.count()).map(|n| rack.register(n).inn.clone()).collect();
        tenants.sort();
        tenants.dedup();
        let sky = Sky {
            api: rack.api().clone(),
            control: rack.control().clone(),
            cables: Mutex::new(cables(&rack)),
            calm: AtomicBool::new(false),
            simulator_lives: AtomicU64::new(0),
        };
        Ok(Self {
            rack,
            sky: Arc::new(sky),
            watcher: Arc::default(),
            counters: Arc::new(counters),
            tenants: Arc::new(tenants),
            seed,
        })
    }

    /// A new watch over all jobs on a thread of its own.
    pub fn follow(&self) -> JoinHandle<()> {
        let (watcher, api) = (Arc::clone(&self.watcher), self.sky.api.clone());
        thread::spawn(move || watcher.follow(&api))
    }

    /// Faults on register `n`, with up to so many receipts in peace between two.
    pub fn start_gale(&self, n: usize, peace: u64) -> JoinHandle<anyhow::Result<Happened>> {
        let register = self.rack.register(n);
        let deck = Deck::new(self.seed, n, register.link == "pty", peace);
        let dice = Dice::of(self.seed, &format!("cables {n}"));
        let gale = Gale::new(self.technician(n), deck, dice);
        thread::spawn(move || gale.blow())
    }

    /// The simulator dies as by kill -9 and comes back on the same folder and addresses; cables end where they did at
    /// its first start.
    pub fn restart_simulator(&mut self) -> anyhow::Result<()> {
        // Odd: it is away. Threads that meet it so forgive what fails.
        self.sky.simulator_lives.fetch_add(1, Ordering::SeqCst);
        let mut standing = self.sky.cables();
        let restarted = self.rack.restart_simulator();
        *standing = cables(&self.rack);
        drop(standing);
        self.sky.simulator_lives.fetch_add(1, Ordering::SeqCst);
        restarted
    }

    pub fn technician(&self, n: usize) -> Technician {
        let register = self.rack.register(n);
        let whose = (register.serial.clone(), register.fn_number.clone());
        Technician::new(Arc::clone(&self.sky), whose)
    }

    pub fn accepted(&self) -> usize {
        self.counters.accepted.load(Ordering::Relaxed)
    }

    pub fn calm(
        &self,
        gales: Vec<JoinHandle<anyhow::Result<Happened>>>,
    ) -> anyhow::Result<BTreeMap<&'static str, u64>> {
        self.sky.calm.store(true, Ordering::Relaxed);
        let mut faults: BTreeMap<&'static str, u64> = Kind::ALL.iter().map(|kind| (kind.as_str(), 0)).collect();
        for gale in gales {
            let happened = gale.join().map_err(|_| anyhow!("a gale panicked"))??;
            for (kind, count) in happened {
                *faults.entry(kind.as_str()).or_default() += count;
            }
        }
        Ok(faults)
    }

    /// Waits for the end of every job; where none comes, a technician goes from register to register (L1).
    pub fn until_all_ended(&self) -> anyhow::Result<Vec<String>> {
        for _ in 0..CALM_VISITS {
            if self.watcher.wait_ended(self.accepted(), CALM_PATIENCE) {
                return Ok(Vec::new());
            }
            for n in 0..self.rack.count() {
                self.technician(n).visit(true)?;
            }
        }
        let left = self.accepted().saturating_sub(self.watcher.ended());
        let mut wrong = vec![format!("{left} jobs never ended in the calm")];
        wrong.extend(self.standing()?);
        Ok(wrong)
    }

    /// Every register that takes no jobs, as the daemon and as the simulator see it.
    pub fn standing(&self) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for one in self.sky.api.registers()?.iter().filter(|one| !one.ready) {
            let reasons: Vec<&str> = one.reasons.iter().map(|reason| reason.text.as_str()).collect();
            let bench = self.sky.control.observe(&one.serial)?;
            lines.push(format!(
                "register {} is {:?}: {reasons:?}; {bench:?}",
                one.name,
                one.state()
            ));
        }
        Ok(lines)
    }

    /// Compares everything. The daemon is stopped for it.
    pub fn reckon(&mut self, sales: &[Sale]) -> anyhow::Result<Books3> {
        let api = &self.sky.api;
        let (jobs, documents) = (api.jobs()?, documents(api)?);
        let ledger = self.rack.simulator.ledger()?;
        let (told, mut wrong) = self.watcher.result();
        let tally = tally(&Books {
            sales,
            jobs: &jobs,
            documents: &documents,
            ledger: &ledger,
            told: &told,
        });
        wrong.extend(self.counters.all_wrong());
        let ended = self.rack.take_daemon()?.stop()?;
        if !ended.success() {
            wrong.push(format!("the daemon did not stop in order: {ended}"));
        }
        let (verified, findings) = self.verify()?;
        wrong.extend(findings);
        wrong.extend(tally.differences.iter().cloned());
        Ok(Books3 {
            tally,
            verified,
            differences: wrong,
        })
    }

    /// `kassetted journal verify` against the ledgers: its counts, and what it found.
    fn verify(&self) -> anyhow::Result<(Verified, Vec<String>)> {
        let copy = self.rack.setup.folder.join("fns.jsonl");
        self.rack.simulator.write_ledger(&copy)?;
        let mut command = Command::new(Programs::built()?.daemon()?);
        command
            .args(["journal", "verify", "--json", "--config"])
            .arg(self.rack.setup.config_file())
            .arg("--ledger")
            .arg(&copy);
        let output = command.output().context("kassetted journal verify")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("journal verify: {text}"))?;
        let counts = serde_json::from_value(told["compared"].clone());
        let counts = counts.with_context(|| format!("journal verify: {text}"))?;
        let mut wrong = Vec::new();
        if !output.status.success() {
            wrong.push(format!("journal verify ended with {}", output.status));
        }
        for list in [
            &told["checked"]["findings"],
            &told["compared"]["differences"],
            &told["compared"]["not_compared"],
        ] {
            wrong.extend(
                list.as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| format!("journal verify: {one}")),
            );
        }
        Ok((counts, wrong))
    }
}

/// Where every register's cable ends at the start, and the other names that the plan knows.
fn cables(rack: &TestRack) -> Cables {
    let named = (0..rack.count())
        .map(|n| rack.register(n))
        .filter(|one| one.link == "pty");
    let serials: Vec<String> = named.map(|one| one.serial.clone()).collect();
    let spare = serials.iter().map(|serial| TestRack::spare_name(serial));
    let names = serials.iter().cloned().chain(spare).collect();
    Cables::new(&serials, names)
}

/// Registers of several taxpayers: most on serial ports, some on the network; of both links, and of both formats.
pub(crate) fn registers(count: usize) -> Vec<BenchRegister> {
    let tenants = TENANTS.min(count.div_ceil(2)).max(1);
    let register = |n: usize| {
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let network = n % NETWORK_EVERY == NETWORK_EVERY - 1;
        let switches = match n % 2 {
            0 => VAT_22.to_owned(),
            _ => VAT_22.replace('}', ", link_v2 = true }"),
        };
        BenchRegister {
            link: if network { "tcp" } else { "pty" }.to_owned(),
            ffd: if n.is_multiple_of(OLD_FORMAT_EVERY) {
                "1.05"
            } else {
                "1.2"
            }
            .to_owned(),
            switches,
            ..BenchRegister::new(number(n), &inn(number(n % tenants)))
        }
    };
    (0..count).map(register).collect()
}

pub(crate) fn wait_until_ready(api: &Api, count: usize) -> anyhow::Result<()> {
    let until = Instant::now() + READY_WITHIN;
    loop {
        let registers = api.registers()?;
        if registers.iter().filter(|one| one.ready).count() >= count {
            return Ok(());
        }
        ensure!(Instant::now() < until, "not all registers are ready: {registers:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Every document of every tenant.
pub(crate) fn documents(api: &Api) -> anyhow::Result<Vec<FiscalDocument>> {
    let (mut all, mut page_token) = (Vec::new(), None);
    loop {
        let request = ListDocumentsRequest {
            parent: "tenants/-".to_owned(),
            page_size: Some(1000),
            page_token,
            ..ListDocumentsRequest::default()
        };
        let page = api.wait(api.receipts().list_documents(request))?.into_inner();
        all.extend(page.documents);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = Some(page.next_page_token);
    }
}
