//! The torture: a real daemon on a real disk, killed again and again under clients and every kind of fault.
//!
//! Owns: what runs beside what, the calm after it, and the judgement from three sides.
//! Must never: end without a calm phase, or drop the evidence of a difference.

pub mod disk;
pub mod hand;

use crate::bench::rack::in_memory;
use crate::storm::clients::{Client, Counters};
use crate::storm::field::{Field, registers, wait_until_ready};
use crate::storm::sale::Sale;
use anyhow::{Context, anyhow, ensure};
use disk::OwnDisk;
use hand::{Done, Hand};
use kassette_api::v1::JobState;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Longest time between two sales of one client: with two clients for a register some 1.3 receipts a second on each.
const PACE: Duration = Duration::from_secs(3);
/// Clients for each register.
const CLIENTS_EACH: usize = 2;
/// Receipts in peace between two faults of one register.
const PEACE_MAX: u64 = 20;
/// Differences that are shown; more tell nothing new.
const SHOWN_MAX: usize = 50;

/// What is asked of a torture.
#[derive(Debug, Clone)]
pub struct Wish {
    /// How long faults go on.
    pub minutes: u64,
    /// What decides faults, requests and kills.
    pub seed: u64,
    /// How often the daemon is killed.
    pub kills: usize,
    /// Registers.
    pub registers: usize,
    /// Where everything is written; the system's temporary folder if absent.
    pub folder: Option<PathBuf>,
}

/// The last line of `cargo torture`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Sales whose job was promised.
    pub accepted: usize,
    /// Receipts in the ledgers.
    pub documents: usize,
    /// Promised jobs that are gone and completed ones without their document, by the side that counts most.
    pub lost: usize,
    /// Receipts beyond the one of each job, by the side that counts most.
    pub doubled: usize,
    /// Jobs in doubt after the calm phase.
    pub in_doubt: usize,
    /// Times the daemon was killed.
    pub kills: usize,
    /// The seed.
    pub seed: u64,
    /// Jobs with their document.
    pub completed: usize,
    /// Jobs that ended refused, cancelled or expired.
    pub ended_without: usize,
    /// Jobs that wait for a person.
    pub needs_person: usize,
    /// Attempts of all jobs.
    pub attempts: usize,
    /// Jobs whose document was found by reading the FN after a doubt.
    pub read_back: usize,
    /// Calls that clients repeated.
    pub repeats: usize,
    /// What was done to the programs.
    pub programs: Done,
    /// What the disk of the journal was.
    pub disk: &'static str,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Seconds from the first request to the last end.
    pub seconds: u64,
    /// Seconds of the calm phase until every job had ended.
    pub calm_seconds: u64,
    /// How many differences there are.
    pub differences: usize,
}

/// Tortures, calms, compares.
///
/// # Errors
/// When programs cannot be built, started or asked; what the daemon did wrong stands in the report instead.
pub fn run(wish: &Wish) -> anyhow::Result<Report> {
    ensure!(
        wish.minutes > 0 && wish.registers > 0,
        "a torture needs time and registers"
    );
    let counters = Counters::paced(PACE);
    let mut own_disk = None;
    let rack = (wish.seed, registers(wish.registers));
    let mut field = Field::set_up(wish.folder.as_deref(), rack, counters, |setup| {
        std::fs::create_dir_all(&setup.folder)?;
        ensure!(
            !in_memory(&setup.folder)?,
            "{} is in memory, where kills and full disks prove little; name a folder on a disk with --dir",
            setup.folder.display()
        );
        match OwnDisk::mount(&setup.folder.join("state")) {
            Ok(disk) => own_disk = Some(disk),
            Err(why) => println!("no full disk is played, because no file system of its own could be mounted: {why:#}"),
        }
        // Half an hour of every exchange would be gigabytes.
        setup.log_level = "info".to_owned();
        Ok(())
    })?;
    let hand = Hand::new(wish.seed, own_disk);
    let result = through(wish, &mut field, hand);
    let trouble = result.as_ref().map_or(true, |(report, _)| report.differences > 0);
    if trouble {
        field.rack.keep();
        keep_state(&field);
    }
    result.map(|(report, _disk)| report)
}

/// The journal stands on a disk that goes away: what a look afterwards needs is copied beside it.
fn keep_state(field: &Field) {
    let (from, to) = (
        field.rack.setup.folder.join("state"),
        field.rack.folder().join("state-kept"),
    );
    let copied = std::process::Command::new("cp").arg("-a").arg(&from).arg(&to).status();
    match copied {
        Ok(status) if status.success() => eprintln!("state kept: {}", to.display()),
        other => eprintln!("the state in {} could not be copied: {other:?}", from.display()),
    }
}

fn through(wish: &Wish, field: &mut Field, mut hand: Hand) -> anyhow::Result<(Report, Option<OwnDisk>)> {
    wait_until_ready(&field.sky.api, field.rack.count())?;
    let begin = Instant::now();
    let following = field.follow();
    let clients = start_clients(wish, field)?;
    let gales: Vec<_> = (0..field.rack.count())
        .map(|n| field.start_gale(n, PEACE_MAX))
        .collect();
    let worked = hand.work(field, begin + Duration::from_secs(wish.minutes * 60), wish.kills);
    let (done, disk) = hand.done();
    if let Err(error) = worked {
        keep_state(field);
        field.rack.keep();
        return Err(error.context(field.rack.logs()));
    }
    field.counters.enough.store(true, Ordering::Relaxed);
    let faults = field.calm(gales)?;
    let calm = Instant::now();
    let mut sales = Vec::new();
    for client in clients {
        sales.extend(field.sky.api.wait(client).context("a client")?);
    }
    let unended = field.until_all_ended()?;
    let calm_seconds = calm.elapsed().as_secs();
    field.watcher.stop();
    following.join().map_err(|_| anyhow!("the watch panicked"))?;
    let report = judge(wish, field, &sales, unended, done)?;
    let report = Report {
        disk: if disk.is_some() {
            "ext4 of its own over a loop device, filled to the last byte"
        } else {
            "the folder's, never full"
        },
        faults,
        seconds: begin.elapsed().as_secs(),
        calm_seconds,
        ..report
    };
    Ok((report, disk))
}

fn start_clients(wish: &Wish, field: &Field) -> anyhow::Result<Vec<tokio::task::JoinHandle<Vec<Sale>>>> {
    let mut clients = Vec::new();
    for n in 0..wish.registers * CLIENTS_EACH {
        let client = Client::connect(
            (wish.seed, n, usize::MAX),
            field.rack.setup.socket(),
            Arc::clone(&field.tenants),
            Arc::clone(&field.counters),
        );
        clients.push(field.sky.api.wait(client)?);
    }
    let spawn = |client: Client| field.sky.api.spawn(client.run());
    Ok(clients.into_iter().map(spawn).collect())
}

/// Clients' records, journal and ledgers: a loss or a double that one side sees is one.
fn judge(wish: &Wish, field: &mut Field, sales: &[Sale], unended: Vec<String>, done: Done) -> anyhow::Result<Report> {
    let accepted = field.accepted();
    let repeats = field.counters.repeats.load(Ordering::Relaxed);
    let books = field.reckon(sales)?;
    let (tally, verified) = (&books.tally, books.verified);
    let mut differences = [unended, books.differences].concat();
    if verified.documents != tally.documents {
        let (journal, ledgers) = (verified.documents, tally.documents);
        differences.push(format!(
            "journal verify counts {journal} documents, the ledgers hold {ledgers}"
        ));
    }
    if done.kills < wish.kills {
        differences.push(format!("{} kills of {}", done.kills, wish.kills));
    }
    for difference in differences.iter().take(SHOWN_MAX) {
        println!("differs: {difference}");
    }
    let count = |state| tally.count(state);
    Ok(Report {
        accepted,
        documents: tally.documents,
        lost: tally.lost.max(verified.lost),
        doubled: tally.doubled.max(verified.doubled),
        in_doubt: count(JobState::InDoubt),
        kills: done.kills,
        seed: wish.seed,
        completed: count(JobState::Completed),
        ended_without: count(JobState::Refused) + count(JobState::Cancelled) + count(JobState::Expired),
        needs_person: tally.needs_person,
        attempts: tally.attempts,
        read_back: tally.read_back,
        repeats,
        programs: done,
        disk: "",
        faults: BTreeMap::new(),
        seconds: 0,
        calm_seconds: 0,
        differences: differences.len(),
    })
}
