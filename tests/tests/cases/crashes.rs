//! Show 4: the daemon dies or is stopped, anywhere; and what holds after its next start.
//!
//! Owns: kill -9 at every named fault point, kill -9 and SIGTERM between any two exchanges.
//! Must never: leave out a point because it is hard to reach.

use super::matrix::{KEY, TTL};
use kassette_api::v1::{JobState, ReceiptJob, SubmitReceiptRequest};
use kassette_core::parts::Point;
use kassette_tests::api::{LONGEST_WAIT, duration};
use kassette_tests::bench_rack::{BenchRegister, inn, one_tenant_each};
use kassette_tests::requests::{plain_receipt, submission};
use kassette_tests::test_rack::{TestRack, check_only_job, final_job};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Racks that work side by side: more would wait for processors, fewer for devices.
const SIDE_BY_SIDE: usize = 4;

/// Points of recovery mode: a rack passes them only over FNs that its journal does not know. The simulation dies at each
/// of them (`tests/dst/tests/recovery.rs`).
const OF_RECOVERY: [Point; 5] = [
    Point::ReadingAtRest,
    Point::ReadingNoted,
    Point::ReadingDone,
    Point::HeldDecided,
    Point::HeldSettled,
];

fn request(inn: &str) -> SubmitReceiptRequest {
    let mut request = submission(inn, KEY, plain_receipt(12_345));
    request.ttl = Some(duration(TTL));
    request
}

/// What the register does so that the daemon comes to a point.
fn provoke(rack: &TestRack, point: Point) {
    let serial = &rack.register(0).serial;
    let fault = match point {
        // The document is made and its answer lost: the point lies on the way of a resolution.
        Point::ResolveIdentified | Point::ResolveIdle | Point::ResolveScanned | Point::ResolveDurable => {
            json!({ "kind": { "drop_reply": { "when": "after" } }, "trigger": { "command": { "code": "FF45" } } })
        }
        // The receipt is left open: the resolution cancels it.
        Point::ResolveCancelled => {
            json!({ "kind": { "drop_reply": { "when": "after" } }, "trigger": { "command": { "code": "FF46" } } })
        }
        // A clock two minutes ahead is set before the shift is opened; one behind would lie before the last document.
        Point::ClockSet => json!({ "kind": { "clock_skew": { "seconds": 120 } } }),
        _ => return,
    };
    rack.control().fault(serial, &fault).unwrap();
}

/// The daemon dies at the point, starts again, and everything holds.
fn die_at(point: Point) -> Result<String, String> {
    let name = point.as_str();
    let text = |e: anyhow::Error| format!("{name}: {e:#}");
    let mut rack = TestRack::bench(50, vec![BenchRegister::new(1, &inn(1))]).map_err(text)?;
    let register = rack.register(0).clone();
    provoke(&rack, point);
    // The plan is made by a daemon without faults: a point of adoption would else end it before there is a rack.
    rack.start_faulty(name).map_err(text)?;
    let accepted = apply_and_submit(&rack, &register.inn);
    let died = rack.daemon().map_err(text)?.ended(LONGEST_WAIT);
    if let Err(e) = died {
        let logs = rack.logs();
        return Err(format!("{name} was never reached: {e:#}\n{logs}"));
    }
    drop(rack.take_daemon().map_err(text)?);
    rack.start_daemon().map_err(text)?;
    rack.apply().map_err(text)?;
    let job = after_restart(&rack, &register.inn, accepted).map_err(|e| format!("{name}: {e}\n{}", rack.logs()))?;
    let ledger = rack.simulator.ledger().map_err(text)?;
    check_only_job(&job, &ledger, &register.fn_number).map_err(|e| format!("{name}: {e:#}\n{}", rack.logs()))?;
    if job.state() != JobState::Completed {
        return Err(format!(
            "{name}: {:?} instead of COMPLETED: {job:?}\n{}",
            job.state(),
            rack.logs()
        ));
    }
    Ok(format!(
        "{name}: {} attempt(s), accepted before: {accepted}",
        job.attempts.len()
    ))
}

/// Whether the submission was answered as durable; the daemon may die before.
fn apply_and_submit(rack: &TestRack, inn: &str) -> bool {
    rack.apply().is_ok() && rack.api().submit(request(inn)).is_ok()
}

/// What was answered as durable is there; what was not may be, and is repeated under its key as a client would.
fn after_restart(rack: &TestRack, inn: &str, accepted: bool) -> Result<ReceiptJob, String> {
    let again = rack
        .api()
        .submit(request(inn))
        .map_err(|status| format!("repeat: {status}"))?;
    if accepted && !again.existing {
        return Err("a job that was answered as durable is gone".to_owned());
    }
    final_job(rack.api(), inn, KEY).map_err(|e| format!("{e:#}"))
}

#[test]
fn kill_9_at_every_fault_point_leaves_one_document_and_no_doubt() {
    let points: Vec<Point> = Point::ALL
        .iter()
        .copied()
        .filter(|point| !OF_RECOVERY.contains(point))
        .collect();
    let waiting: Mutex<VecDeque<Point>> = Mutex::new(points.iter().copied().collect());
    let results: Mutex<Vec<Result<String, String>>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(point) = { waiting.lock().unwrap().pop_front() } {
                    let result = die_at(point);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    assert_eq!(results.len(), points.len());
    let wrong: Vec<&String> = results.iter().filter_map(|one| one.as_ref().err()).collect();
    results.iter().flatten().for_each(|line| println!("{line}"));
    assert!(
        wrong.is_empty(),
        "{} points are wrong:\n{}",
        wrong.len(),
        wrong.iter().map(|w| format!("* {w}\n")).collect::<String>()
    );
}

/// How the daemon ends between two exchanges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Kill,
    Terminate,
}

/// Exchanges from the start of an attempt to its end, with some to spare; more only end later registers' waits.
const EXCHANGES: u32 = 24;

/// Each register is stopped one exchange further than the one before it, with its job under way; then the daemon ends.
fn end_between_exchanges(seed: u64, ending: Ending) {
    let mut rack = TestRack::start(seed, one_tenant_each(EXCHANGES)).unwrap();
    warm(&rack);
    let marks: Vec<u64> = (0..rack.count())
        .map(|n| rack.control().observe(&rack.register(n).serial).unwrap().last_event)
        .collect();
    for n in 0..rack.count() {
        let serial = &rack.register(n).serial;
        rack.control().hold(serial).unwrap();
        if n > 0 {
            rack.control().step(serial, n as u64).unwrap();
        }
        rack.api().submit(request(&rack.register(n).inn)).unwrap();
    }
    let mut stopped = Vec::new();
    for (n, mark) in marks.iter().enumerate() {
        let serial = &rack.register(n).serial;
        // A register with fewer exchanges to make has simply finished.
        stopped.push(
            rack.control()
                .wait_exchanges(serial, *mark, n as u64, Duration::from_millis(300))
                .unwrap(),
        );
    }
    println!("stopped after {stopped:?} exchanges");
    end(&mut rack, ending);
    rack.start_daemon().unwrap();
    let mut wrong = Vec::new();
    let jobs: Vec<ReceiptJob> = (0..rack.count())
        .map(|n| after_restart(&rack, &rack.register(n).inn, true).unwrap())
        .collect();
    let ledger = rack.simulator.ledger().unwrap();
    for (n, job) in jobs.iter().enumerate() {
        let documents: Vec<_> = ledger
            .iter()
            .filter(|one| !one.tags.contains_key("1008"))
            .cloned()
            .collect();
        if let Err(e) = check_only_job(job, &documents, &rack.register(n).fn_number) {
            wrong.push(format!("stopped after {n} exchanges: {e:#}"));
        } else if job.state() != JobState::Completed {
            wrong.push(format!(
                "stopped after {n} exchanges: {:?}, {:?}",
                job.state(),
                job.reason
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), rack.logs());
}

/// Opens the shift of every register with a receipt that is told apart by its buyer.
fn warm(rack: &TestRack) {
    for n in 0..rack.count() {
        let mut receipt = plain_receipt(5_000);
        receipt.buyer.get_or_insert_default().contact = Some("warm@example.org".into());
        rack.api()
            .submit(submission(&rack.register(n).inn, "warm", receipt))
            .unwrap();
    }
    for n in 0..rack.count() {
        let job = final_job(rack.api(), &rack.register(n).inn, "warm").unwrap();
        assert_eq!(job.state(), JobState::Completed, "{job:?}");
    }
}

fn end(rack: &mut TestRack, ending: Ending) {
    let mut daemon = rack.take_daemon().unwrap();
    match ending {
        Ending::Kill => daemon.kill().unwrap(),
        Ending::Terminate => {
            daemon.terminate().unwrap();
            // The stop waits for what was sent; only a register that answers again lets it end.
            for n in 0..rack.count() {
                rack.control().release(&rack.register(n).serial).unwrap();
            }
            let status = daemon.ended(LONGEST_WAIT).unwrap();
            assert!(
                status.success(),
                "SIGTERM ended the daemon with {status}:\n{}",
                daemon.log_tail()
            );
            return;
        }
    }
    for n in 0..rack.count() {
        rack.control().release(&rack.register(n).serial).unwrap();
    }
}

#[test]
fn kill_9_between_any_two_exchanges_leaves_one_document_and_no_doubt() {
    end_between_exchanges(51, Ending::Kill);
}

#[test]
fn sigterm_between_any_two_exchanges_leaves_one_document_and_no_doubt() {
    end_between_exchanges(52, Ending::Terminate);
}
