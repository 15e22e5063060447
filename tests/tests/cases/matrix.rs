//! Many registers, one fault each: every job of a register is compared with the register's FN.
//!
//! Owns: running cells side by side in one rack, so that their waits overlap.
//! Must never: let one cell's register serve another cell.

use kassette_api::v1::{JobState, ReceiptJob};
use kassette_tests::api::duration;
use kassette_tests::bench_rack::{BenchRegister, one_tenant_each};
use kassette_tests::ledger::Document;
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, check_only_job, final_job};
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// How long a job of a cell may wait for its register before it ends without a document.
pub const TTL: Duration = Duration::from_secs(40);

/// One fault on one register.
pub struct Cell {
    pub name: String,
    pub fault: Value,
    pub must: Must,
}

/// What must become of the job; that its FN holds exactly what the API says is asked of every cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Must {
    /// The document exists or is made in a later attempt.
    Complete,
    /// Any end.
    End,
}

impl Cell {
    pub fn new(name: impl Into<String>, fault: Value, must: Must) -> Self {
        let name = name.into();
        Self { name, fault, must }
    }
}

/// The key of the only job of a register.
pub const KEY: &str = "only";

/// Submits the only job of register `n` and gives its end.
pub fn submit_only(rack: &TestRack, n: usize) -> Result<ReceiptJob, String> {
    let inn = &rack.register(n).inn;
    let mut request = submission(inn, KEY, plain_receipt(10_000 + i64::try_from(n).unwrap()));
    request.ttl = Some(duration(TTL));
    rack.api()
        .submit(request)
        .map_err(|status| format!("submit: {status}"))?;
    final_job(rack.api(), inn, KEY).map_err(|e| format!("{e:#}"))
}

/// Runs every cell on a register of its own and reports all that are wrong at once.
pub fn run(seed: u64, cells: &[Cell]) {
    run_on(seed, one_tenant_each(u32::try_from(cells.len()).unwrap()), cells);
}

/// The same on given registers, one for each cell, each of a taxpayer of its own.
pub fn run_on(seed: u64, registers: Vec<BenchRegister>, cells: &[Cell]) {
    let mut rack = TestRack::bench(seed, registers).unwrap();
    for (n, cell) in cells.iter().enumerate() {
        rack.control().fault(&rack.register(n).serial, &cell.fault).unwrap();
    }
    rack.start_daemon().unwrap();
    rack.apply().unwrap();
    let shared = &rack;
    let jobs: Vec<Result<ReceiptJob, String>> = thread::scope(|scope| {
        let running: Vec<_> = (0..cells.len())
            .map(|n| scope.spawn(move || submit_only(shared, n)))
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let ledger = rack.simulator.ledger().unwrap();
    let judged: Vec<Result<(), String>> = cells
        .iter()
        .zip(&jobs)
        .enumerate()
        .map(|(n, (cell, job))| judge(&rack, n, cell, job, &ledger))
        .collect();
    report(&mut rack, cells, &jobs, &judged);
}

fn judge(
    rack: &TestRack,
    n: usize,
    cell: &Cell,
    job: &Result<ReceiptJob, String>,
    ledger: &[Document],
) -> Result<(), String> {
    let job = job.as_ref().map_err(Clone::clone)?;
    check_only_job(job, ledger, &rack.register(n).fn_number).map_err(|e| format!("{e:#}"))?;
    if cell.must == Must::Complete && job.state() != JobState::Completed {
        let attempts: Vec<_> = job
            .attempts
            .iter()
            .map(|one| one.reason.as_ref().map(|r| &r.text))
            .collect();
        return Err(format!(
            "{:?} instead of COMPLETED; {:?}; attempts {attempts:?}",
            job.state(),
            job.reason
        ));
    }
    let observed = rack
        .control()
        .observe(&rack.register(n).serial)
        .map_err(|e| format!("{e:#}"))?;
    if observed.armed_faults > 0 {
        return Err("its fault never happened: the cell showed nothing".to_owned());
    }
    Ok(())
}

fn report(rack: &mut TestRack, cells: &[Cell], jobs: &[Result<ReceiptJob, String>], judged: &[Result<(), String>]) {
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for job in jobs.iter().flatten() {
        *states.entry(format!("{:?}", job.state())).or_default() += 1;
    }
    println!("{} cells: {states:?}", cells.len());
    let wrong =
        |(cell, judged): (&Cell, &Result<(), String>)| judged.as_ref().err().map(|why| format!("{}: {why}", cell.name));
    let wrong: Vec<String> = cells.iter().zip(judged).filter_map(wrong).collect();
    if !wrong.is_empty() {
        rack.keep();
        panic!(
            "{} of {} cells are wrong:\n{}\n{}",
            wrong.len(),
            cells.len(),
            wrong.join("\n"),
            rack.logs()
        );
    }
}
