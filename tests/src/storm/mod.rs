//! The storm: many clients, every kind of fault, and the reckoning afterwards.
//!
//! Owns: what happens when: a rack, clients and faults side by side, calm, then the comparison.
//! Must never: let the seed decide less than the order of faults and requests.

pub mod cables;
pub mod clients;
pub mod dice;
pub(crate) mod field;
pub mod gale;
pub mod goods;
pub mod sale;
pub mod tally;
pub mod technician;
pub mod watcher;
pub mod weather;

use anyhow::{Context, anyhow, ensure};
use clients::{Client, Counters};
use comfy_table::{CellAlignment, Table, presets};
use dice::Dice;
use field::{Field, READY_WITHIN, registers, wait_until_ready};
use kassette_api::v1::JobState;
use sale::Sale;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tally::Tally;

/// How many faults each register should see over the whole storm, by which the peace between them is measured: one for
/// every so many of its receipts, within bounds.
const RECEIPTS_FOR_A_FAULT: usize = 10;
const FAULTS_EACH_MIN: usize = 5;
const FAULTS_EACH_MAX: usize = 100;
/// From so many receipts on a storm must have had every kind of fault.
const LONG: usize = 5_000;
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
    field: Field,
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
    let rack = (wish.seed, registers(wish.registers));
    let field = Field::set_up(None, rack, Counters::default(), |_| Ok(()))?;
    let mut storm = Storm { wish, field };
    let result = storm.through();
    let trouble = result.as_ref().map_or(true, |report| !report.differences.is_empty());
    if trouble {
        storm.field.rack.keep();
    }
    result
}

impl Storm {
    fn through(&mut self) -> anyhow::Result<Report> {
        wait_until_ready(&self.field.sky.api, self.field.rack.count())?;
        let begin = Instant::now();
        let following = self.field.follow();
        let clients = self.start_clients()?;
        let peace = self.peace();
        let gales: Vec<_> = (0..self.field.rack.count())
            .map(|n| self.field.start_gale(n, peace))
            .collect();
        let kills = self.kill_now_and_then()?;
        let mut sales = Vec::new();
        for client in clients {
            sales.extend(self.field.sky.api.wait(client).context("a client")?);
        }
        self.until_nearly_all_ended();
        let faults = self.field.calm(gales)?;
        let seconds = begin.elapsed().as_secs();
        let unended = self.field.until_all_ended()?;
        self.field.watcher.stop();
        following.join().map_err(|_| anyhow!("the watch panicked"))?;
        let books = self.field.reckon(&sales)?;
        let differences = [unended, books.differences, self.missing(&faults)].concat();
        Ok(self.report(&books.tally, differences, faults, kills, seconds))
    }

    /// Receipts in peace between two faults, so that each register sees its share of faults over the whole storm.
    fn peace(&self) -> u64 {
        let receipts_each = self.wish.receipts / self.wish.registers;
        let faults_each = (receipts_each / RECEIPTS_FOR_A_FAULT).clamp(FAULTS_EACH_MIN, FAULTS_EACH_MAX);
        u64::try_from(2 * receipts_each / faults_each).unwrap_or(0)
    }

    fn start_clients(&self) -> anyhow::Result<Vec<tokio::task::JoinHandle<Vec<Sale>>>> {
        let api = &self.field.sky.api;
        let mut clients = Vec::new();
        for n in 0..self.wish.clients {
            // The first clients take what does not divide.
            let share =
                self.wish.receipts / self.wish.clients + usize::from(n < self.wish.receipts % self.wish.clients);
            let client = Client::connect(
                (self.wish.seed, n, share),
                self.field.rack.setup.socket(),
                Arc::clone(&self.field.tenants),
                Arc::clone(&self.field.counters),
            );
            clients.push(api.wait(client)?);
        }
        Ok(clients.into_iter().map(|client| api.spawn(client.run())).collect())
    }

    /// Kills the daemon when drawn shares of the receipts have ended, and starts it again.
    fn kill_now_and_then(&mut self) -> anyhow::Result<usize> {
        let mut dice = Dice::of(self.wish.seed, "kills");
        let most = u64::try_from(self.wish.receipts * 9 / 10)?;
        let mut marks: Vec<u64> = (0..self.wish.kills).map(|_| dice.between(1, most)).collect();
        marks.sort_unstable();
        let mut kills = 0;
        for mark in marks {
            if !self.field.watcher.wait_ended(usize::try_from(mark)?, READY_WITHIN) {
                break;
            }
            self.field.rack.take_daemon()?.kill()?;
            self.field.rack.start_daemon()?;
            kills += 1;
        }
        Ok(kills)
    }

    /// The faults go on while nearly all jobs end: a queue that runs dry would leave armed faults waiting.
    fn until_nearly_all_ended(&self) {
        let few = self.wish.registers * 2;
        let reached = self
            .field
            .watcher
            .wait_ended(self.field.accepted().saturating_sub(few), READY_WITHIN);
        if !reached {
            println!("no job has ended for {READY_WITHIN:?}; the faults end now");
        }
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
            accepted: self.field.accepted(),
            completed: tally.count(JobState::Completed),
            refused: tally.count(JobState::Refused),
            cancelled: tally.count(JobState::Cancelled),
            expired: tally.count(JobState::Expired),
            needs_person: tally.needs_person,
            turned_away: self.field.counters.turned_away.load(Ordering::Relaxed),
            repeats: self.field.counters.repeats.load(Ordering::Relaxed),
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
