//! Journals that know less than the FNs: copies put in place, a lost end, an empty folder, FNs that are not there.
//!
//! Owns: the proof that a client who repeats its keys to such a journal gets its documents and never a second one.
//! Must never: wait for real time.

use kassette_core::domain::job::{Job, SubmitOrder};
use kassette_core::domain::unit::UnitState;
use kassette_core::parts::{Point, UnixMillis, WallClock};
use kassette_dst::play::{Play, Setting, order, simulate};
use kassette_hw_sim::faults::{FaultKind, Trigger, When};
use kassette_hw_sim::fiscal_storage::ledger::Record;
use kassette_receipts::job::JobState;
use kassette_wire::codes::Code;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, advance, timeout};

/// Document codes of receipts and corrections (`fn-ffd-ofd` C.2).
const SETTLEMENTS: [u8; 2] = [3, 31];

type Proof = (String, u32, u32);

fn proof(job: &Job) -> Proof {
    let evidence = job.evidence.as_ref().unwrap_or_else(|| panic!("{job:?}"));
    (evidence.fn_number.to_string(), evidence.fd.0, evidence.fp.0)
}

fn receipts(play: &Play) -> Vec<(String, Record)> {
    let ledgers = play.world.ledgers().into_iter();
    let records = ledgers.flat_map(|(number, records)| records.into_iter().map(move |record| (number.clone(), record)));
    records
        .filter(|(_, record)| SETTLEMENTS.contains(&record.kind))
        .collect()
}

/// Submits orders again as a client does that got no answer, and waits until each job is at rest.
async fn repeat(play: &mut Play, orders: Vec<SubmitOrder>) -> Vec<Job> {
    loop {
        play.start().await;
        let handle = play.handle();
        let orders = orders.clone();
        let work = async move {
            let mut keys = Vec::new();
            for order in orders {
                let tenant = order.tenant.clone();
                keys.push((tenant, handle.submit(order).await.expect("the order is taken").job.key));
            }
            let mut jobs = Vec::new();
            for (tenant, key) in keys {
                let until = Instant::now() + Duration::from_secs(600);
                loop {
                    let step = (Instant::now() + Duration::from_secs(5)).min(until);
                    let job = handle.wait_final(&tenant, &key, step).await.expect("the job is there");
                    if job.state.is_final() || job.needs_person.is_some() || Instant::now() >= until {
                        jobs.push(job);
                        break;
                    }
                }
            }
            jobs
        };
        if let Some(jobs) = play.live(work).await {
            return jobs;
        }
    }
}

/// Pulls the cable of a register.
fn pull(play: &Play, at: usize) {
    play.fault(at, FaultKind::Unplug { when: When::Before }, Trigger::Now);
}

/// Puts it back.
fn plug(play: &Play, at: usize) {
    let name = Some(play.serial(at).to_owned());
    play.fault(at, FaultKind::Replug { name }, Trigger::Now);
}

fn orders(numbers: impl IntoIterator<Item = u32>) -> Vec<SubmitOrder> {
    numbers.into_iter().map(order).collect()
}

/// Every job has a document of its own, and there are no others.
fn one_each(play: &Play, jobs: &[Job]) {
    let proofs: BTreeSet<Proof> = jobs.iter().map(proof).collect();
    assert_eq!(
        proofs.len(),
        jobs.len(),
        "a document belongs to one job\n{}",
        play.tail()
    );
    let made: BTreeSet<Proof> = receipts(play)
        .into_iter()
        .map(|(number, record)| (number, record.fd, record.fp))
        .collect();
    assert_eq!(made, proofs, "every receipt is a job's, once\n{}", play.tail());
}

#[test]
fn keys_repeated_to_a_restored_copy_get_their_documents_and_no_second_ones() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 2).instant()).await;
        let mut before = play.day(1..=3).await;
        let copy = play.world.back_up();
        before.extend(play.day(4..=20).await);
        let generation = play.snapshot().generation;
        play.crash().await;
        play.world.put_back(&copy);
        let after = repeat(&mut play, orders(1..=20)).await;
        let proofs = |jobs: &[Job]| jobs.iter().map(proof).collect::<Vec<_>>();
        assert_eq!(proofs(&before), proofs(&after));
        one_each(&play, &after);
        assert_ne!(play.snapshot().generation, generation, "a copy draws a new generation");
        // New keys are work as ever.
        let mut all = after;
        all.extend(repeat(&mut play, orders(21..=25)).await);
        one_each(&play, &all);
    });
}

#[test]
fn a_shift_whose_receipts_the_copy_forgot_in_part_is_closed_and_stops_nothing() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(7, 1).instant()).await;
        play.day(1..=3).await;
        let copy = play.world.back_up();
        play.day(4..=6).await;
        play.crash().await;
        play.world.put_back(&copy);
        // Nobody asks for the forgotten ones again; the shift's report counts them.
        repeat(&mut play, orders(7..=7)).await;
        advance(Duration::from_secs(24 * 3600)).await;
        let job = repeat(&mut play, orders(8..=8)).await.remove(0);
        assert_eq!(job.state, JobState::Completed, "{}", play.tail());
        play.calm().await;
        let unit = play.snapshot().units["S0"].clone();
        assert_eq!(unit.state, UnitState::Active, "{}", unit.reason);
    });
}

#[test]
fn an_empty_folder_under_used_fns_makes_no_second_documents() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(8, 2).instant()).await;
        let before = play.day(1..=10).await;
        play.crash().await;
        play.world.lose_journal();
        let mut after = repeat(&mut play, orders(1..=10)).await;
        assert_eq!(
            before.iter().map(proof).collect::<Vec<_>>(),
            after.iter().map(proof).collect::<Vec<_>>()
        );
        after.extend(repeat(&mut play, orders(11..=12)).await);
        one_each(&play, &after);
    });
}

#[test]
fn a_lost_end_of_the_journal_is_read_back_from_the_fn() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(9, 1).instant()).await;
        let mut before = play.day(1..=3).await;
        let disk = play.world.keep_disk();
        before.extend(play.day(4..=9).await);
        play.crash().await;
        play.world.put_back(&disk);
        play.start().await;
        play.until_unit("S0", "at work", |unit| unit.state == UnitState::Active)
            .await;
        let after = repeat(&mut play, orders(1..=9)).await;
        assert_eq!(
            before.iter().map(proof).collect::<Vec<_>>(),
            after.iter().map(proof).collect::<Vec<_>>()
        );
        one_each(&play, &after);
    });
}

#[test]
fn what_a_copy_holds_as_waiting_was_done_since_and_is_not_done_again() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(10, 2).instant()).await;
        let mut before = play.day(1..=2).await;
        // Both registers are away: jobs wait, and the copy holds them so.
        for at in 0..2 {
            pull(&play, at);
        }
        let handle = play.handle();
        let mut waiting = Vec::new();
        for number in 3..=6 {
            waiting.push(handle.submit(order(number)).await.expect("taken").job.key);
        }
        let copy = play.world.back_up();
        for at in 0..2 {
            plug(&play, at);
        }
        before.extend(play.day(3..=6).await);
        play.crash().await;
        play.world.put_back(&copy);
        let after = repeat(&mut play, orders(1..=6)).await;
        assert_eq!(
            before.iter().map(proof).collect::<Vec<_>>(),
            after.iter().map(proof).collect::<Vec<_>>()
        );
        one_each(&play, &after);
    });
}

#[test]
fn an_fn_that_is_away_keeps_old_keys_waiting_and_new_ones_not() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(11, 2).instant()).await;
        let before = play.day(1..=12).await;
        let away = before
            .iter()
            .map(proof)
            .find(|(number, ..)| number == play.fn_number(1))
            .map(|_| 1)
            .expect("both registers worked");
        play.crash().await;
        play.world.lose_journal();
        pull(&play, away);
        play.start().await;
        let handle = play.handle();
        let mut held = Vec::new();
        for number in 1..=12 {
            held.push(handle.submit(order(number)).await.expect("taken").job);
        }
        play.pass(Duration::from_secs(60)).await;
        assert_eq!(receipts(&play).len(), 12, "nothing is made while an FN was not read");
        let made = UnixMillis(WallClock::now(&play.world).0);
        let fresh = SubmitOrder {
            key_time: Some(made),
            ..order(13)
        };
        let fresh = repeat(&mut play, vec![fresh]).await;
        assert_eq!(fresh[0].state, JobState::Completed, "a key of today stands in no FN");
        plug(&play, away);
        let mut after = repeat(&mut play, orders(1..=12)).await;
        assert_eq!(
            before.iter().map(proof).collect::<Vec<_>>(),
            after.iter().map(proof).collect::<Vec<_>>()
        );
        after.extend(fresh);
        one_each(&play, &after);
    });
}

#[test]
fn a_death_at_every_step_of_recovery_loses_nothing_and_doubles_nothing() {
    let points = [
        Point::ReadingAtRest,
        Point::ReadingNoted,
        Point::ReadingDone,
        Point::HeldDecided,
        Point::HeldSettled,
    ];
    let mut died = BTreeMap::new();
    for point in points {
        for nth in 1..=3 {
            simulate(async {
                let mut play = Play::begin(&Setting::new(12, 2).instant()).await;
                let mut before = play.day(1..=2).await;
                let copy = play.world.back_up();
                before.extend(play.day(3..=6).await);
                play.crash().await;
                play.world.put_back(&copy);
                play.world.kill_at(point, nth);
                let after = repeat(&mut play, orders(1..=6)).await;
                assert_eq!(
                    before.iter().map(proof).collect::<Vec<_>>(),
                    after.iter().map(proof).collect::<Vec<_>>(),
                    "{point:?} {nth}"
                );
                one_each(&play, &after);
                *died.entry(point).or_insert(0) += 1 - play.world.kills_left();
            });
        }
    }
    for point in points {
        assert!(died[&point] > 0, "{point:?} is never passed");
    }
}

#[test]
fn other_content_under_a_key_that_an_fn_holds_is_for_a_person() {
    simulate(async {
        let mut play = Play::begin(&Setting::new(13, 1).instant()).await;
        play.day(1..=2).await;
        play.crash().await;
        play.world.lose_journal();
        let other = SubmitOrder {
            external_id: order(1).external_id,
            ..order(7)
        };
        let jobs = repeat(&mut play, vec![other]).await;
        assert_eq!(jobs[0].state, JobState::InDoubt);
        assert_eq!(
            jobs[0].needs_person.as_ref().map(|reason| reason.code),
            Some(Code::DoubtOrphan)
        );
        assert_eq!(receipts(&play).len(), 2);
        // Nobody else waits for it.
        let mut fine = repeat(&mut play, orders(2..=3)).await;
        assert!(fine.iter().all(|job| job.state == JobState::Completed), "{fine:?}");
        fine.retain(|job| job.evidence.is_some());
        assert_eq!((fine.len(), receipts(&play).len()), (2, 3));
        let calm = timeout(Duration::from_secs(1), async { play.calm().await }).await;
        drop(calm);
    });
}
