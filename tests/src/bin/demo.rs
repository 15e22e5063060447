//! `cargo demo`: a simulated rack of eight registers of two tenants, the real daemon, the real receipts of 2020, and the
//! check against the FNs' own ledgers.
//!
//! Owns: what is shown on the way, and the last line.
//! Must never: count anything but what ledgers and API say.

use anyhow::{Context, ensure};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use futures_util::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use kassette_api::codes::Code;
use kassette_api::v1::{JobState, ReceiptJob, SubmitReceiptRequest};
use kassette_tests::api::{Api, LONGEST_WAIT, details, duration};
use kassette_tests::bench_rack::{BenchRegister, rack_file};
use kassette_tests::daemon::DaemonSetup;
use kassette_tests::ledger::{Document, RECEIPT};
use kassette_tests::mapping::{RECEIPTS_2020, receipt_of_2020};
use kassette_tests::programs::{Programs, workspace};
use kassette_tests::reckoning::reckon;
use kassette_tests::requests::{description, submission};
use kassette_tests::simulator::Simulator;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The two tenants: INN, name, site.
const TENANTS: [(&str, &str, &str); 2] = [
    ("9901000010", "ООО Ромашка", "https://romashka.example.org"),
    ("9902000020", "АО Василёк", "https://vasilek.example.org"),
];
/// Registers of each tenant.
const REGISTERS_EACH: u32 = 4;
/// 22 % as the vendor's driver expects it; and a register that is busy for half a second after a receipt. The captured
/// ones print for two, which would make the demo three times as long.
const SWITCHES: &str = "{ vat_22 = \"rows_11_and_12\", printing = { millis = 500 } }";
/// Submissions that wait for their end at the same time.
const IN_FLIGHT: usize = 64;
/// Documents of each FN that the table shows.
const SHOWN_EACH: usize = 2;

#[derive(Parser)]
#[command(about = "A simulated rack, the real daemon, real receipts, and the check against the FNs' ledgers")]
struct Arguments {
    /// End after the check, with code 0 when nothing was lost or doubled; the last line is JSON
    #[arg(long)]
    once: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    println!("building what the demo starts …");
    Programs::built()?;
    let folder = tempfile::Builder::new().prefix("kassette-demo-").tempdir()?;
    let registers = registers();
    let simulator = Simulator::start(folder.path(), &rack_file(2026, &registers))?;
    let setup = DaemonSetup {
        timing_percent: 100,
        ..DaemonSetup::within(&folder.path().join("daemon"))
    };
    let daemon = setup.start()?;
    let inns = registers.iter().map(|one| one.inn.clone());
    let stands: Vec<_> = simulator.registers.iter().cloned().zip(inns).collect();
    daemon.api.apply(description(&stands)?)?;
    wait_until_ready(&daemon.api, stands.len())?;

    let refusals = submit_all(&daemon.api)?;
    let jobs = daemon.api.jobs()?;
    let ledger = simulator.ledger()?;
    show_documents(&jobs, &ledger);
    show_refusals(&refusals);
    let reckoning = reckon(&jobs, refusals.values().sum(), &ledger);
    println!(
        "\naccepted {}, refused {}; in the ledgers {} documents of accepted receipts; lost {}, doubled {}",
        reckoning.accepted, reckoning.refused, reckoning.documents, reckoning.lost, reckoning.doubled
    );
    if !arguments.once {
        stay(&setup, &simulator, &jobs)?;
    }
    ensure!(
        daemon.stop()?.success(),
        "the daemon did not stop in order; its log is gone with {}",
        folder.path().display()
    );
    println!("{}", serde_json::to_string(&reckoning)?);
    ensure!(
        reckoning.lost == 0 && reckoning.doubled == 0,
        "jobs and ledgers do not agree"
    );
    Ok(())
}

fn registers() -> Vec<BenchRegister> {
    let mut all = Vec::new();
    for (inn, name, site) in TENANTS {
        for _ in 0..REGISTERS_EACH {
            let n = u32::try_from(all.len()).unwrap_or(0) + 1;
            all.push(BenchRegister {
                fn_number: format!("9999078900{n:06}"),
                timing: "\"realistic\"".to_owned(),
                switches: SWITCHES.to_owned(),
                registration: format!(
                    "{{ tax_systems = 55, work_mode = 36, user_name = \"{name}\", place = \"{site}\" }}"
                ),
                ..BenchRegister::new(n, inn)
            });
        }
    }
    all
}

fn bar(length: usize, what: &'static str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:>28} [{bar:36}] {pos}/{len}  {elapsed}")?;
    let length = u64::try_from(length)?;
    Ok(ProgressBar::new(length)
        .with_style(style.progress_chars("=> "))
        .with_message(what))
}

/// The rack is up when every register could take a receipt; a person would look at `kassettectl status` as long.
fn wait_until_ready(api: &Api, count: usize) -> anyhow::Result<()> {
    let bar = bar(count, "registers identified")?;
    let until = Instant::now() + LONGEST_WAIT;
    loop {
        let registers = api.registers()?;
        let ready = registers.iter().filter(|one| one.ready).count();
        bar.set_position(u64::try_from(ready)?);
        if ready >= count {
            bar.finish();
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "only {ready} of {count} registers are ready: {registers:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Submits every receipt of 2020 and waits for the end of each; the refused ones counted by their first reason.
fn submit_all(api: &Api) -> anyhow::Result<BTreeMap<String, usize>> {
    let requests = requests()?;
    let bar = bar(requests.len(), "receipts of 2020")?;
    let client = api.receipts();
    let answers = stream::iter(requests).map(|request| {
        let (mut client, bar) = (client.clone(), bar.clone());
        async move {
            let answer = client.submit_receipt(request).await;
            bar.inc(1);
            answer
        }
    });
    let answers: Vec<_> = api.wait(answers.buffer_unordered(IN_FLIGHT).collect());
    bar.finish();
    let mut refusals = BTreeMap::new();
    for status in answers.into_iter().filter_map(Result::err) {
        let told = details(&status).with_context(|| format!("a refusal without details: {status:?}"))?;
        let first = told.violations.first();
        let reason = match (told.code, first) {
            // Lawful, and not made by this version: the text names what is missing.
            (Code::ReceiptNotServedYet, _) => not_yet(&told.message),
            (_, Some(violation)) => format!("rule {}", violation.rule),
            (code, None) => code.as_str().to_owned(),
        };
        *refusals.entry(reason).or_insert(0) += 1;
    }
    Ok(refusals)
}

/// `not yet: tag 1057`, whether or not the text says so itself.
fn not_yet(message: &str) -> String {
    format!("not yet: {}", message.trim_start_matches("not yet: "))
}

/// The receipts by the written mapping, given to the tenants in turn.
fn requests() -> anyhow::Result<Vec<SubmitReceiptRequest>> {
    let request = |(at, line): (usize, &str)| {
        let receipt = receipt_of_2020(line).with_context(|| format!("receipt {}", at + 1))?;
        let (inn, ..) = TENANTS[at % TENANTS.len()];
        Ok(SubmitReceiptRequest {
            wait: Some(duration(LONGEST_WAIT)),
            ..submission(inn, &format!("receipt-2020-{:03}", at + 1), receipt)
        })
    };
    RECEIPTS_2020.lines().enumerate().map(request).collect()
}

fn rubles(kopecks: i64) -> String {
    format!("{}.{:02}", kopecks / 100, kopecks % 100)
}

fn table(header: &[&str], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn show_documents(jobs: &[ReceiptJob], ledger: &[Document]) {
    let mut made: Vec<_> = jobs
        .iter()
        .filter_map(|job| Some((job, job.result.as_ref()?)))
        .collect();
    made.sort_by_key(|(_, result)| (result.r#fn.clone(), result.fd));
    let mut documents = table(&["receipt", "tenant", "FN", "FD", "FP", "shift", "rubles"], 3);
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for (job, result) in &made {
        let of_this_fn = shown.entry(&result.r#fn).or_insert(0);
        *of_this_fn += 1;
        if *of_this_fn > SHOWN_EACH {
            continue;
        }
        documents.add_row([
            job.external_id.clone(),
            result.inn.clone(),
            result.r#fn.clone(),
            result.fd.to_string(),
            result.fp.to_string(),
            result.shift.to_string(),
            rubles(result.total_kopecks),
        ]);
    }
    println!("\n{documents}");
    let rows = documents.row_iter().count();
    println!("… and {} more", made.len().saturating_sub(rows));
    let mut registers = table(
        &[
            "FN",
            "receipts in its ledger",
            "receipts by the API",
            "rubles by the API",
        ],
        1,
    );
    let numbers: std::collections::BTreeSet<&str> = ledger.iter().map(|one| one.fn_number.as_str()).collect();
    for number in numbers {
        let there = ledger
            .iter()
            .filter(|one| one.fn_number == number && one.kind == RECEIPT)
            .count();
        let told: Vec<_> = made.iter().filter(|(_, result)| result.r#fn == number).collect();
        let sum = told.iter().map(|(_, result)| result.total_kopecks).sum();
        registers.add_row([
            number.to_owned(),
            there.to_string(),
            told.len().to_string(),
            rubles(sum),
        ]);
    }
    println!("\n{registers}");
    let open = jobs.iter().filter(|job| job.state() != JobState::Completed).count();
    if open > 0 {
        println!("{open} accepted receipts have no document");
    }
}

fn show_refusals(refusals: &BTreeMap<String, usize>) {
    let mut counted = table(&["refused because of", "receipts"], 1);
    for (reason, count) in refusals {
        counted.add_row([reason.clone(), count.to_string()]);
    }
    println!("\n{counted}");
    println!("the rules: kassettectl codes; the mapping: tests/data/MAPPING.md");
}

/// Stays up until Ctrl-C.
fn stay(setup: &DaemonSetup, simulator: &Simulator, jobs: &[ReceiptJob]) -> anyhow::Result<()> {
    let programs = Programs::built()?;
    let show = |path: &Path| path.strip_prefix(workspace()).unwrap_or(path).display().to_string();
    let ctl = format!("{} --socket {}", show(programs.ctl()?), setup.socket().display());
    let name = jobs.first().map_or("NAME", |job| job.name.as_str());
    println!("\nThe rack stays up until Ctrl-C. To try:");
    println!("  {ctl} status");
    println!("  {ctl} receipt get {name}");
    println!(
        "  {} ledger --state {}",
        show(programs.simulator()?),
        simulator.state.display()
    );
    tokio::runtime::Runtime::new()?.block_on(tokio::signal::ctrl_c())?;
    println!();
    Ok(())
}
