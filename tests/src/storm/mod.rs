//! The storm: many clients, every kind of fault, and the reckoning afterwards.
//!
//! Owns: what happens when: a rack, clients and faults side by side, calm, then the comparison.
//! Must never: let the seed decide less than the order of faults and requests.

pub mod cables;
pub mod clients;
pub mod dice;
pub mod gale;
pub mod goods;
pub mod sale;
pub mod tally;
pub mod technician;
pub mod watcher;
pub mod weather;

use crate::api::Api;
use crate::bench_rack::{BenchRegister, VAT_22, inn};
use crate::daemon::DaemonSetup;
use crate::programs::Programs;
use crate::test_rack::TestRack;
use anyhow::{Context, anyhow, ensure};
use cables::Cables;
use clients::{Client, Counters};
use comfy_table::{CellAlignment, Table, presets};
use dice::Dice;
use gale::{Gale, Happened};
use kassette_api::v1::{FiscalDocument, JobState, ListDocumentsRequest};
use sale::Sale;
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tally::{Books, Tally, tally};
use technician::{Sky, Technician};
use watcher::Watcher;
use weather::{Deck, Kind};

/// Waits for devices in percent of the documented ones: a hang of 30 s is known after 1.2 s.
const TIMING_PERCENT: u32 = 4;
/// How many taxpayers share the rack.
const TENANTS: usize = 3;
/// Every so many registers one stands on the network.
const NETWORK_EVERY: usize = 4;
/// Every so many registers, from the first, one makes documents of FFD 1.05.
const OLD_FORMAT_EVERY: usize = 4;
/// How many faults each register should see over the whole storm, by which the peace between them is measured: one for
/// every so many of its receipts, within bounds.
const RECEIPTS_FOR_A_FAULT: usize = 10;
const FAULTS_EACH_MIN: usize = 5;
const FAULTS_EACH_MAX: usize = 100;
/// Without any job's end for so long in the calm, a technician goes from register to register.
const CALM_PATIENCE: Duration = Duration::from_secs(15);
/// How often.
const CALM_VISITS: u32 = 4;
/// From so many receipts on a storm must have had every kind of fault.
const LONG: usize = 5_000;
/// Longest wait for the rack to come up.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Differences that are shown; more tell nothing new.
const SHOWN_MAX: usize = 50;

/// What is asked of a storm.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Receipts over all clients.
    pub receipts: usize,
    /// Clients at the same time.
    pub clients: usize,
    /// Registers.
    pub registers: usize,
    /// What decides the order of faults and requests.
    pub seed: u64,
    /// How often the daemon is killed meanwhile.
    pub kills: usize,
}

/// The last line of `cargo storm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Sales whose job was promised.
    pub accepted: usize,
    /// Jobs with their document.
    pub completed: usize,
    /// Jobs that ended refused.
    pub refused: usize,
    /// Jobs that clients cancelled.
    pub cancelled: usize,
    /// Jobs whose ttl ran out.
    pub expired: usize,
    /// Jobs that wait for a person.
    pub needs_person: usize,
    /// Requests that were refused as they should be.
    pub turned_away: usize,
    /// Calls that clients repeated.
    pub repeats: usize,
    /// Receipts in the ledgers.
    pub documents: usize,
    /// Promised jobs that are gone, and completed ones without their document.
    pub lost: usize,
    /// Receipts that no completed job names.
    pub doubled: usize,
    /// Jobs in doubt at the end.
    pub in_doubt: usize,
    /// Attempts of all jobs.
    pub attempts: usize,
    /// Jobs whose document was found by reading the FN after a doubt.
    pub read_back: usize,
    /// Times the daemon was killed.
    pub kills: usize,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Seconds from the first request to the last end.
    pub seconds: u64,
    /// Everything that differs; empty when all agree.
    #[serde(skip)]
    pub differences: Vec<String>,
}

/// A running storm.
struct Storm {
    wish: Wish,
    rack: TestRack,
    sky: Arc<Sky>,
    watcher: Arc<Watcher>,
    counters: Arc<Counters>,
    tenants: Arc<Vec<String>>,
}

/// Runs a storm from its beginning to its reckoning.
///
/// # Errors
/// When programs cannot be built, started or asked; what the daemon did wrong stands in the report instead.
pub fn run(wish: Wish) -> anyhow::Result<Report> {
    ensure!(
        wish.registers > 0 && wish.clients > 0,
        "a storm needs registers and clients"
    );
    let mut storm = Storm::prepare(wish)?;
    let result = storm.through();
    let trouble = result.as_ref().map_or(true, |report| !report.differences.is_empty());
    if trouble {
        storm.rack.keep();
    }
    result
}

impl Storm {
    fn prepare(wish: Wish) -> anyhow::Result<Self> {
        let mut rack = TestRack::bench(wish.seed, registers(wish.registers))?;
        rack.setup = DaemonSetup {
            timing_percent: TIMING_PERCENT,
            ..rack.setup
        };
        rack.start_daemon()?;
        rack.apply()?;
        let named = (0..rack.count())
            .map(|n| rack.register(n))
            .filter(|one| one.link == "pty");
        let serials: Vec<String> = named.map(|one| one.serial.clone()).collect();
        let spare = serials.iter().map(|serial| TestRack::spare_name(serial));
        let names = serials.iter().cloned().chain(spare).collect();
        let mut tenants: Vec<String> = (0..rack.count()).map(|n| rack.register(n).inn.clone()).collect();
        tenants.sort();
        tenants.dedup();
        let sky = Sky {
            api: rack.api().clone(),
            control: rack.control().clone(),
            cables: Mutex::new(Cables::new(&serials, names)),
            calm: AtomicBool::new(false),
        };
        Ok(Self {
            wish,
            rack,
            sky: Arc::new(sky),
            watcher: Arc::default(),
            counters: Arc::default(),
            tenants: Arc::new(tenants),
        })
    }

    fn through(&mut self) -> anyhow::Result<Report> {
        wait_until_ready(&self.sky.api, self.rack.count())?;
        let begin = Instant::now();
        let (watcher, api) = (Arc::clone(&self.watcher), self.sky.api.clone());
        let following = thread::spawn(move || watcher.follow(&api));
        let clients = self.start_clients()?;
        let gales: Vec<_> = (0..self.rack.count()).map(|n| self.start_gale(n)).collect();
        let kills = self.kill_now_and_then()?;
        let mut sales = Vec::new();
        for client in clients {
            sales.extend(self.sky.api.wait(client).context("a client")?);
        }
        self.until_nearly_all_ended();
        let faults = self.calm(gales)?;
        let seconds = begin.elapsed().as_secs();
        let unended = self.until_all_ended()?;
        self.watcher.stop();
        following.join().map_err(|_| anyhow!("the watch panicked"))?;
        let (tally, more) = self.reckon(&sales)?;
        let differences = [unended, more, tally.differences.clone(), self.missing(&faults)].concat();
        Ok(self.report(&tally, differences, faults, kills, seconds))
    }

    fn start_clients(&self) -> anyhow::Result<Vec<tokio::task::JoinHandle<Vec<Sale>>>> {
        let api = &self.sky.api;
        let mut clients = Vec::new();
        for n in 0..self.wish.clients {
            // The first clients take what does not divide.
            let share =
                self.wish.receipts / self.wish.clients + usize::from(n < self.wish.receipts % self.wish.clients);
            let client = Client::connect(
                (self.wish.seed, n, share),
                self.rack.setup.socket(),
                Arc::clone(&self.tenants),
                Arc::clone(&self.counters),
            );
            clients.push(api.wait(client)?);
        }
        Ok(clients.into_iter().map(|client| api.spawn(client.run())).collect())
    }

    fn start_gale(&self, n: usize) -> JoinHandle<anyhow::Result<Happened>> {
        let (register, seed) = (self.rack.register(n), self.wish.seed);
        let receipts_each = self.wish.receipts / self.wish.registers;
        let faults_each = (receipts_each / RECEIPTS_FOR_A_FAULT).clamp(FAULTS_EACH_MIN, FAULTS_EACH_MAX);
        let peace = u64::try_from(2 * receipts_each / faults_each).unwrap_or(0);
        let deck = Deck::new(seed, n, register.link == "pty", peace);
        let dice = Dice::of(seed, &format!("cables {n}"));
        let gale = Gale::new(self.technician(n), deck, dice);
        thread::spawn(move || gale.blow())
    }

    fn technician(&self, n: usize) -> Technician {
        let register = self.rack.register(n);
        let whose = (register.serial.clone(), register.fn_number.clone());
        Technician::new(Arc::clone(&self.sky), whose)
    }

    /// Kills the daemon when drawn shares of the receipts have ended, and starts it again.
    fn kill_now_and_then(&mut self) -> anyhow::Result<usize> {
        let mut dice = Dice::of(self.wish.seed, "kills");
        let most = u64::try_from(self.wish.receipts * 9 / 10)?;
        let mut marks: Vec<u64> = (0..self.wish.kills).map(|_| dice.between(1, most)).collect();
        marks.sort_unstable();
        let mut kills = 0;
        for mark in marks {
            if !self.watcher.wait_ended(usize::try_from(mark)?, READY_WITHIN) {
                break;
            }
            self.rack.take_daemon()?.kill()?;
            self.rack.start_daemon()?;
            kills += 1;
        }
        Ok(kills)
    }

    fn accepted(&self) -> usize {
        self.counters.accepted.load(Ordering::Relaxed)
    }

    /// The faults go on while nearly all jobs end: a queue that runs dry would leave armed faults waiting.
    fn until_nearly_all_ended(&self) {
        let few = self.wish.registers * 2;
        let reached = self
            .watcher
            .wait_ended(self.accepted().saturating_sub(few), READY_WITHIN);
        if !reached {
            println!("no job has ended for {READY_WITHIN:?}; the faults end now");
        }
    }

    fn calm(&self, gales: Vec<JoinHandle<anyhow::Result<Happened>>>) -> anyhow::Result<BTreeMap<&'static str, u64>> {
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
    fn until_all_ended(&self) -> anyhow::Result<Vec<String>> {
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

    /// A long storm without some kind of fault shows less than it says.
    fn missing(&self, faults: &BTreeMap<&'static str, u64>) -> Vec<String> {
        let never = faults.iter().filter(|(_, count)| **count == 0);
        let long = self.wish.receipts >= LONG;
        never
            .filter(|_| long)
            .map(|(kind, _)| format!("no fault of kind {kind} happened"))
            .collect()
    }

    /// Every register that takes no jobs, as the daemon and as the simulator see it.
    fn standing(&self) -> anyhow::Result<Vec<String>> {
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

    fn reckon(&mut self, sales: &[Sale]) -> anyhow::Result<(Tally, Vec<String>)> {
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
        wrong.extend(self.journal_findings()?);
        Ok((tally, wrong))
    }

    /// What `kassetted journal verify` finds.
    fn journal_findings(&self) -> anyhow::Result<Option<String>> {
        let mut command = Command::new(Programs::built()?.daemon()?);
        command
            .args(["journal", "verify", "--config"])
            .arg(self.rack.setup.config_file());
        let output = command.output().context("kassetted journal verify")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((!output.status.success()).then_some(text))
    }

    fn report(
        &self,
        tally: &Tally,
        differences: Vec<String>,
        faults: BTreeMap<&'static str, u64>,
        kills: usize,
        seconds: u64,
    ) -> Report {
        for difference in differences.iter().take(SHOWN_MAX) {
            println!("differs: {difference}");
        }
        Report {
            seed: self.wish.seed,
            accepted: self.accepted(),
            completed: tally.count(JobState::Completed),
            refused: tally.count(JobState::Refused),
            cancelled: tally.count(JobState::Cancelled),
            expired: tally.count(JobState::Expired),
            needs_person: tally.needs_person,
            turned_away: self.counters.turned_away.load(Ordering::Relaxed),
            repeats: self.counters.repeats.load(Ordering::Relaxed),
            documents: tally.documents,
            lost: tally.lost,
            doubled: tally.doubled,
            in_doubt: tally.count(JobState::InDoubt),
            attempts: tally.attempts,
            read_back: tally.read_back,
            kills,
            faults,
            seconds,
            differences,
        }
    }
}

/// Registers of several taxpayers: most on serial ports, some on the network; of both links, and of both formats.
fn registers(count: usize) -> Vec<BenchRegister> {
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

fn wait_until_ready(api: &Api, count: usize) -> anyhow::Result<()> {
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
fn documents(api: &Api) -> anyhow::Result<Vec<FiscalDocument>> {
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

/// What a person reads before the last line.
#[must_use]
pub fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(["fault", "times"]);
    for (kind, count) in &report.faults {
        table.add_row([(*kind).to_owned(), count.to_string()]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
