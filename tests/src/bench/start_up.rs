//! B7: the start on a journal of a million jobs of which each register has one in doubt.
//!
//! Owns: the journal, the moment of exec, and the first receipt's command and readiness as simulator and daemon show them.
//! Must never: count a register as ready that was not seen so.

use super::history::{History, Lane};
use super::limits::Limit;
use super::rack::{Rack, plan, tenant};
use super::row::{Figure, Row, Target, median};
use crate::api::{Api, LONGEST_WAIT};
use crate::requests::{plain_receipt, submission};
use crate::storm::field::documents;
use anyhow::{Context, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Registers of B7, each with a job in doubt.
const REGISTERS: u32 = 200;
/// The first command of a receipt (8D) and what the driver may begin with instead.
const FIRST_OF_RECEIPT: [&str; 2] = ["8D", "FF46"];
/// Identification by hand: FC, F7 (parameters of the model), the full state (11), the FN's number (FF02), each with
/// password 30 where it has one (`shtrih-m` 3.1 to 3.5). One cell of the FN table (1F 18/1/1) is the text serial.
const IDENTIFICATION: [&str; 5] = ["FC", "F701", "111E000000", "1F1E00000012010001", "FF021E000000"];
/// How often readiness is looked at; the inventory's answer costs what it measures.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One start, in seconds from exec.
#[derive(Debug, Clone, Copy)]
struct Start {
    ready_line: f64,
    first_receipt: f64,
    all_ready: f64,
}

fn lanes(api: &Api, rack: &Rack) -> anyhow::Result<Vec<Lane>> {
    let mut rnms = BTreeMap::new();
    for document in documents(api)? {
        rnms.insert(document.r#fn.clone(), document.rnm.clone());
    }
    let lane = |register: &crate::simulator::ReadyRegister| {
        Ok(Lane {
            serial: register.serial.clone(),
            fn_number: register.fn_number.clone(),
            rnm: rnms
                .get(&register.fn_number)
                .context("a register without a document")?
                .clone(),
            last_fd: rack.simulator.control.observe(&register.serial)?.last_fd,
        })
    };
    rack.simulator.registers.iter().map(lane).collect()
}

/// Starts the daemon and waits for all of it.
fn start(rack: &mut Rack, serials: &BTreeMap<String, u64>) -> anyhow::Result<Start> {
    let (begin, exec) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
    rack.daemon = rack.setup.start()?;
    let ready_line = begin.elapsed().as_secs_f64();
    let until = begin + LONGEST_WAIT;
    let (mut ready, mut all_ready) = (BTreeSet::new(), None);
    while all_ready.is_none() {
        ensure!(Instant::now() < until, "only {} registers became ready", ready.len());
        let registers = rack.daemon.api.registers()?;
        ready.extend(registers.into_iter().filter(|one| one.ready).map(|one| one.serial));
        if ready.len() >= serials.len() {
            all_ready = Some(begin.elapsed().as_secs_f64());
        } else {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    let mut first = None;
    for (serial, after) in serials {
        let events = rack.simulator.control.events(serial, *after, Duration::ZERO)?;
        let receipt = events.iter().find(|event| {
            let code = event.command.as_deref().unwrap_or_default();
            FIRST_OF_RECEIPT.contains(&code)
        });
        let at = receipt.map(|event| event.unix_ms);
        first = [first, at].into_iter().flatten().min();
    }
    let exec_ms = i64::try_from(exec.as_millis())?;
    let first = first.context("no register was sent a receipt's command")? - exec_ms;
    Ok(Start {
        ready_line,
        first_receipt: first as f64 / 1000.0,
        all_ready: all_ready.unwrap_or(f64::NAN),
    })
}

fn bare(rack: &Rack) -> anyhow::Result<(f64, f64)> {
    let journal = rack.setup.folder.join("state").join("journal.sqlite");
    let mut arguments = vec![journal.display().to_string()];
    arguments.extend(IDENTIFICATION.map(str::to_owned));
    let mut limit = Limit::start("limit-start", rack.folder.path(), &arguments, Some(&rack.simulator))?;
    let told = limit.line()?;
    limit.ended()?;
    let figure = |name: &str| told[name].as_f64().with_context(|| told.to_string());
    Ok((figure("quick_check_s")?, figure("identify_s")?))
}

/// Measures B7 on a journal of so many jobs, in so many starts.
///
/// # Errors
/// When the journal cannot be made, or a start does not come to its end.
pub fn measure(jobs: u64, starts: usize) -> anyhow::Result<Vec<Row>> {
    let mut rack = Rack::start(REGISTERS, "\"instant\"")?;
    // The tenant's keys are made with its first receipt.
    let first = submission(&tenant(), "first", plain_receipt(10_000));
    rack.daemon.api.submit(first)?;
    rack.daemon.api.job(&tenant(), "first", LONGEST_WAIT)?;
    rack.daemon.api.apply(plan(&rack.simulator.registers)?)?;
    rack.daemon.stop_in_place()?;
    History::open(&rack.setup)?.fill(jobs)?;
    let (mut seen, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        rack.daemon = rack.setup.start()?;
        rack.wait_ready(usize::try_from(REGISTERS)?)?;
        let lanes = lanes(&rack.daemon.api, &rack)?;
        rack.daemon.stop_in_place()?;
        History::open(&rack.setup)?.leave_in_doubt(&lanes)?;
        limits.push(bare(&rack)?);
        let mut serials = BTreeMap::new();
        for lane in &lanes {
            let last = rack.simulator.control.observe(&lane.serial)?.last_event;
            serials.insert(lane.serial.clone(), last);
        }
        seen.push(start(&mut rack, &serials)?);
        rack.daemon.stop_in_place()?;
    }
    rows(jobs, &seen, &limits)
}

fn rows(jobs: u64, seen: &[Start], limits: &[(f64, f64)]) -> anyhow::Result<Vec<Row>> {
    let middle = |pick: fn(&Start) -> f64| median(&seen.iter().map(pick).collect::<Vec<_>>());
    let check = median(&limits.iter().map(|(check, _)| *check).collect::<Vec<_>>());
    let identify = median(&limits.iter().map(|(_, identify)| *identify).collect::<Vec<_>>());
    let limit = check + identify;
    let row = |value, target| Row::new(Figure::B7, "s", value, limit, target);
    let told = |row: Row| {
        row.note("jobs", jobs)
            .note("in_doubt", REGISTERS)
            .note("quick_check_s", (check * 1000.0).round() / 1000.0)
            .note("identify_s", (identify * 1000.0).round() / 1000.0)
    };
    let ready_line = (middle(|one| one.ready_line) * 1000.0).round() / 1000.0;
    Ok(vec![
        told(row(middle(|one| one.all_ready), Target::AtMost(1.3))?)
            .part("exec to 200 ready units")
            .note("ready_line_s", ready_line),
        told(row(middle(|one| one.first_receipt), Target::ValueAtMost(3.0))?)
            .part("exec to the first receipt's command"),
    ])
}
