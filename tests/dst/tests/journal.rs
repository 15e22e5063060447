//! Every commit of a story fails once, in each way in which a commit can fail.
//!
//! Owns: the proof that a lost, kept or refused commit loses nothing and doubles nothing.
//! Must never: damage a file; that is the store's own tests' affair.

use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_dst::world::JournalFault;
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_receipts::job::JobState;

const JOBS: u32 = 3;

/// A day with a shift, a doubt and receipts; the n-th commit meets a fault. How many commits it took, and the trace.
fn story(fault: Option<(u64, JournalFault)>) -> (u64, Vec<String>) {
    simulate(async {
        let mut play = Play::new(&Setting::new(5, 1).instant());
        if let Some((nth, fault)) = fault {
            play.world.fail_commit(nth, fault);
        }
        // One attempt ends without a document, one in doubt with one.
        play.fault(
            0,
            FaultKind::Error {
                code: 0x71,
                when: When::Before,
            },
            at("FF46"),
        );
        play.fault(0, FaultKind::DropReply { when: When::After }, at("FF45"));
        let jobs = play.day(1..=JOBS).await;
        assert!(
            jobs.iter().all(|job| job.state == JobState::Completed),
            "{fault:?}: {jobs:?}\n{}",
            play.tail()
        );
        check::all(&mut play, Allowed::default()).await;
        (play.world.commits(), play.world.trace())
    })
}

fn at(code: &str) -> Trigger {
    Trigger::Command {
        code: code.into(),
        nth: 1,
    }
}

fn each_commit_meets(fault: JournalFault) {
    let (commits, _) = story(None);
    assert!(commits > 10, "a story of {commits} commits");
    for nth in 1..=commits {
        println!("commit {nth} of {commits} meets {fault:?}");
        let (_, trace) = story(Some((nth, fault)));
        assert!(
            trace.iter().any(|line| line.contains("commit meets")),
            "commit {nth} met {fault:?}"
        );
    }
}

#[test]
fn a_full_disk_at_any_commit_changes_nothing_and_work_goes_on_when_there_is_room() {
    each_commit_meets(JournalFault::Full);
}

#[test]
fn a_lost_commit_answer_whose_rows_are_there_loses_and_doubles_nothing() {
    each_commit_meets(JournalFault::StoppedKept);
}

#[test]
fn a_lost_commit_answer_whose_rows_are_gone_loses_and_doubles_nothing() {
    each_commit_meets(JournalFault::StoppedLost);
}

#[test]
fn the_same_journal_fault_tells_the_same_story() {
    for fault in [JournalFault::Full, JournalFault::StoppedKept, JournalFault::StoppedLost] {
        assert_eq!(story(Some((12, fault))).1, story(Some((12, fault))).1);
    }
}
