//! The n-th effect fails: the first, then the second, … until a scenario passes without meeting the fault.
//!
//! Owns: one scenario for each kind of document, every kind of fault at every one of its effects, and the table of them.
//! Must never: leave an effect out, or name how many there are.

use crate::check::{self, Allowed};
use crate::play::{Play, RETURNS, Setting, simulate};
use crate::world::JournalFault;
use kassette_core::domain::job::Job;
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger, When};
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::advance;

/// What makes the document. Corrections have none: the driver refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// A receipt of a sale in an open shift.
    Sale,
    /// A receipt of a return.
    Return,
    /// A shift that grows old is closed, the next one opened, and a receipt made in it.
    ShiftTurn,
    /// The process starts on a register that it knows.
    Restart,
    /// A register is met for the first time: its settings, its first shift, a receipt.
    FirstDay,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 5] = [Self::Sale, Self::Return, Self::ShiftTurn, Self::Restart, Self::FirstDay];
}

/// What fails.
#[derive(Debug, Clone)]
pub enum Fault {
    /// At the n-th command.
    Register(FaultKind),
    /// At the n-th fault point.
    Crash,
    /// The n-th commit.
    Commit(JournalFault),
}

const fn error(code: u8) -> Fault {
    let when = When::Before;
    Fault::Register(FaultKind::Error { code, when })
}

/// A refusal of the receipt itself: the only fault that may end its job otherwise than with a document.
const BAD_PARAMETERS: u8 = 0x33;

/// Every fault and its name in the table.
#[must_use]
pub fn faults() -> Vec<(&'static str, Fault)> {
    let mut all = vec![
        ("device error before the effect", error(0x71)),
        ("receipt refused", error(BAD_PARAMETERS)),
        ("unknown error before the effect", error(0xEE)),
        ("damaged request", Fault::Register(FaultKind::GarbleRequest)),
        ("garbled answer", Fault::Register(FaultKind::Garble)),
        ("cut answer", Fault::Register(FaultKind::CutReply { keep: 5 })),
        ("late answer", Fault::Register(FaultKind::LateReply { by_ms: 40_000 })),
        ("stale answer", Fault::Register(FaultKind::StaleReply { of: None })),
        ("process crash", Fault::Crash),
        ("commit full", Fault::Commit(JournalFault::Full)),
        ("commit stopped, kept", Fault::Commit(JournalFault::StoppedKept)),
        ("commit stopped, lost", Fault::Commit(JournalFault::StoppedLost)),
    ];
    for (name, after_ms) in [("duplicated answer", 0), ("duplicated answer, later", 150)] {
        all.push((name, Fault::Register(FaultKind::DuplicateReply { after_ms })));
    }
    let sides = [
        (
            When::Before,
            [
                "lost request",
                "request taken, not done",
                "power cut before",
                "unplug before",
                "hang before",
            ],
        ),
        (
            When::After,
            [
                "lost answer",
                "answer never sent",
                "power cut after",
                "unplug after",
                "hang after",
            ],
        ),
    ];
    for (when, names) in sides {
        let kinds = [
            FaultKind::Lost { when },
            FaultKind::DropReply { when },
            FaultKind::PowerCut { when, down_ms: 5_000 },
            FaultKind::Unplug { when },
            FaultKind::Hang {
                for_ms: Some(20_000),
                when,
            },
        ];
        all.extend(names.into_iter().zip(kinds.map(Fault::Register)));
    }
    all
}

impl Fault {
    fn arm(&self, play: &Play, nth: u64) {
        match self {
            Self::Register(kind) => play.fault(0, kind.clone(), Trigger::NthExchange(nth)),
            Self::Crash => play.world.kill_at_any(u32::try_from(nth).unwrap_or(u32::MAX)),
            Self::Commit(fault) => play.world.fail_commit(nth, *fault),
        }
    }

    fn was_met(&self, play: &Play) -> bool {
        let seen = play.world.bench().observe(play.serial(0));
        match self {
            Self::Register(_) => seen.is_some_and(|seen| seen.device.armed_faults == 0),
            Self::Crash => play.world.kills_left() == 0,
            Self::Commit(_) => !play.world.commit_fault_left(),
        }
    }

    /// Whether a job may end like this under the fault.
    fn excuses(&self, job: &Job) -> bool {
        let refusal = matches!(
            self,
            Self::Register(FaultKind::Error {
                code: BAD_PARAMETERS,
                ..
            })
        );
        let by_register = job
            .reason
            .as_ref()
            .is_some_and(|reason| reason.code == Code::JobRefusedByRegister);
        refusal && by_register && job.state == JobState::Refused
    }
}

/// Somebody who looks every minute and puts a cable in again that is out. Never ends.
fn cable_comes_back(play: &Play) -> tokio::task::JoinHandle<()> {
    let (world, serial) = (play.world.clone(), play.serial(0).to_owned());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let (kind, trigger) = (FaultKind::Replug { name: None }, Trigger::Now);
            if world.bench().observe(&serial).is_some_and(|seen| !seen.plugged) {
                let spec = FaultSpec { kind, trigger };
                world.bench().fault(&serial, spec).expect("a cable fits");
            }
        }
    })
}

/// One job; where its unit was isolated, a person looks and starts the rack again.
async fn one_job(play: &mut Play, number: u32) -> Job {
    let mut job = play.day_within([number], Duration::from_secs(180)).await.remove(0);
    for _ in 0..2 {
        if !job.state.is_final() {
            play.crash().await;
            play.lives = 0;
            job = play.day_within([number], Duration::from_secs(180)).await.remove(0);
        }
    }
    job
}

fn documents(play: &Play) -> usize {
    play.world.ledgers().values().map(Vec::len).sum()
}

/// One scenario whose n-th effect fails. Whether the fault was met.
async fn tried(play: &mut Play, scenario: Scenario, fault: &Fault, nth: u64) -> bool {
    play.lives = 0;
    let number = u32::try_from(nth).expect("few effects") + 1;
    let number = if scenario == Scenario::Return {
        number + RETURNS
    } else {
        number
    };
    if scenario == Scenario::Restart {
        play.crash().await;
    }
    play.world.note(format!("{scenario:?}: {fault:?} at effect {nth}"));
    fault.arm(play, nth);
    let back = cable_comes_back(play);
    if scenario == Scenario::ShiftTurn {
        advance(Duration::from_secs(23 * 3600 + 35 * 60)).await;
        let turned = documents(play) + 2;
        for _ in 0..20 {
            if documents(play) < turned {
                play.start().await;
                play.pass(Duration::from_secs(1)).await;
            }
        }
    }
    let job = one_job(play, number).await;
    // What is polled while nothing is to be done is no effect of the scenario.
    let met = fault.was_met(play);
    assert!(
        job.state == JobState::Completed || fault.excuses(&job),
        "{scenario:?}: {fault:?} at effect {nth}: {job:?}\n{}",
        play.tail()
    );
    check::all(play, Allowed::default()).await;
    back.abort();
    met
}

/// Fails effect after effect of a scenario, on link v1 or v2. How many there were.
///
/// # Panics
/// When a promise breaks.
#[must_use]
pub fn exhausted(scenario: Scenario, v2: bool, fault: &Fault) -> u64 {
    let setting = || Setting::new(11, 1).instant().linked(if v2 { "tcp" } else { "pty" }, v2);
    let fresh = |nth| {
        simulate(async move {
            let mut play = Play::new(&setting());
            tried(&mut play, scenario, fault, nth).await
        })
    };
    if scenario == Scenario::FirstDay {
        return (1..).take_while(|nth| fresh(*nth)).count() as u64;
    }
    simulate(async {
        let mut play = Play::begin(&setting()).await;
        one_job(&mut play, 1).await;
        let mut nth = 1;
        while tried(&mut play, scenario, fault, nth).await {
            nth += 1;
        }
        nth - 1
    })
}

/// A line of the table: which scenario, over v2, what failed, and how many effects; `None` where a promise broke.
pub type Row = (Scenario, bool, &'static str, Option<u64>);

/// Fails every effect of every scenario in every way, on so many threads; calls `row` for each line. Whether all held.
pub fn all(threads: usize, mut row: impl FnMut(Row)) -> bool {
    let links = [false, true];
    let tasks: Vec<(Scenario, bool, (&'static str, Fault))> = Scenario::ALL
        .into_iter()
        .flat_map(|scenario| links.map(|v2| (scenario, v2)))
        .flat_map(|(scenario, v2)| faults().into_iter().map(move |fault| (scenario, v2, fault)))
        .collect();
    let (next, (sender, rows)) = (AtomicUsize::new(0), mpsc::channel());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (sender, tasks, next) = (sender.clone(), &tasks, &next);
            scope.spawn(move || {
                while let Some((scenario, v2, (name, fault))) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let effects = catch_unwind(AssertUnwindSafe(|| exhausted(*scenario, *v2, fault))).ok();
                    // Nobody listens any more: the program ends.
                    let _ = sender.send((*scenario, *v2, *name, effects));
                }
            });
        }
        drop(sender);
        rows.into_iter().fold(true, |held, line: Row| {
            let good = line.3.is_some_and(|effects| effects > 0);
            row(line);
            held && good
        })
    })
}
