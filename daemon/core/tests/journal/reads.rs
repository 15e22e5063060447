//! Pages and watches: nothing twice, nothing missing.
//!
//! Owns: the cursor semantics of lists and watches.
//! Must never: depend on how many rows a page holds.

use crate::rig::{FN, INN, NOW, OTHER_FN, OTHER_INN, Rig, accept_job, inn, made, order, receipt_intent, seen};
use kassette_core::domain::error::Reason;
use kassette_core::domain::job::{DocumentFilter, JobFilter, JobSelect};
use kassette_core::journal::{Applied, BeginIntent, Command, EVENTS_KEPT_MS, Query, ReplyBody, Rows, StoreReader};
use kassette_core::parts::UnixMillis;
use kassette_receipts::job::JobState;
use kassette_receipts::rules::Ffd;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;

/// Newest first, as the contract lists them.
fn all_jobs(rig: &mut Rig, filter: &JobFilter, limit: u32) -> Vec<i64> {
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let query = Query::Jobs {
            filter: filter.clone(),
            after,
            limit,
        };
        let Rows::Jobs(page) = rig.store().read(&query).unwrap() else {
            panic!()
        };
        assert!(page.rows.len() <= limit as usize);
        found.extend(page.rows.iter().map(|row| row.id));
        match page.next {
            Some(next) => after = Some(next),
            None => {
                found.reverse();
                return found;
            }
        }
    }
}

/// All events of a watch from the start, read in steps of `limit`.
fn all_events(rig: &mut Rig, tenant: Option<&str>, limit: u32) -> Vec<u64> {
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let Rows::JobEvents { rows, upto } = rig.events(tenant, after, limit) else {
            panic!()
        };
        found.extend(rows.iter().map(|(sequence, _)| *sequence));
        if rows.is_empty() {
            return found;
        }
        assert!(upto > after);
        after = upto;
    }
}

#[test]
fn pages_of_jobs_have_neither_duplicates_nor_gaps() {
    let mut rig = Rig::new();
    let ids: Vec<i64> = (0..23).map(|n| rig.accept(&format!("order-{n}")).0).collect();
    for limit in [1, 2, 7, 22, 23, 24, 1000] {
        assert_eq!(
            all_jobs(&mut rig, &JobFilter::default(), limit),
            ids,
            "pages of {limit}"
        );
    }
}

/// More than one read looks at.
const MANY: usize = 2_500;

#[test]
fn a_filter_that_fits_little_is_read_in_bounded_steps_and_misses_nothing() {
    let mut rig = Rig::new();
    let mut rare = accept_job("rare");
    rare.labels = [("shop".to_owned(), "7".to_owned())].into();
    let (mut batch, filter) = (
        vec![Command::Accept(Box::new(rare.clone()))],
        JobFilter {
            labels: rare.labels,
            ..JobFilter::default()
        },
    );
    batch.extend((0..MANY).map(|n| order(&format!("order-{n}"))));
    assert!(matches!(rig.store().apply(batch), Applied::Done(_)));
    let query = Query::Jobs {
        filter: filter.clone(),
        after: None,
        limit: 10,
    };
    let Rows::Jobs(first) = rig.store().read(&query).unwrap() else {
        panic!()
    };
    assert!(first.rows.is_empty() && first.next.is_some(), "{first:?}");
    assert!((1..MANY).contains(&(first.looked as usize)), "{} rows", first.looked);
    assert_eq!(all_jobs(&mut rig, &filter, 10), [1]);
}

#[test]
fn an_attempt_names_the_slot_in_which_its_register_stood_then() {
    let mut rig = Rig::new();
    let moved = |slot: &str, at: i64| match seen(FN, 10) {
        Command::Seen(mut seen) => {
            (seen.slot, seen.at) = (slot.into(), NOW.plus_millis(at));
            Command::Seen(seen)
        }
        other => other,
    };
    let (unseen, job) = rig.accept("order-1");
    let begun = |at: i64, intent| BeginIntent {
        at: NOW.plus_millis(at),
        ..intent
    };
    let intent = rig.begin(begun(0, receipt_intent(unseen, &job, FN, 10)));
    rig.apply(Command::End(Box::new(made(intent, FN, 11)), None));
    rig.apply(moved("R1-S01", 1));
    let (first, job) = rig.accept("order-2");
    let intent = rig.begin(begun(2, receipt_intent(first, &job, FN, 11)));
    rig.apply(Command::End(Box::new(made(intent, FN, 12)), None));
    rig.apply(moved("R1-S02", 3));
    let (second, job) = rig.accept("order-3");
    rig.begin(begun(4, receipt_intent(second, &job, FN, 12)));
    let slots = [unseen, first, second].map(|id| rig.job(id).job.attempts.remove(0).slot);
    assert_eq!(slots, [None, Some("R1-S01".into()), Some("R1-S02".into())]);
}

#[test]
fn a_filter_of_jobs_keeps_exactly_what_it_names() {
    let mut rig = Rig::new();
    let mut labelled = accept_job("order-1");
    labelled.labels = [("shop".into(), "7".into()), ("till".into(), "a".into())].into();
    let mut other = accept_job("order-2");
    other.labels = [("shop".into(), "8".into()), ("a".into(), "till".into())].into();
    other.at = NOW.plus_millis(1000);
    let mut foreign = accept_job("order-3");
    foreign.tenant = inn(OTHER_INN);
    for job in [labelled, other, foreign] {
        rig.apply(Command::Accept(Box::new(job)));
    }
    rig.apply(Command::SetAside {
        job: 2,
        reason: Reason::new(Code::JobPoison, "test"),
        at: NOW,
    });
    rig.apply(Command::Expire { job: 3, at: NOW });
    let labels = |pairs: &[(&str, &str)]| JobFilter {
        labels: pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        ..JobFilter::default()
    };
    let cases = [
        (labels(&[("shop", "7")]), vec![1]),
        (labels(&[("shop", "7"), ("till", "a")]), vec![1]),
        (labels(&[("shop", "7"), ("till", "b")]), vec![]),
        (labels(&[("7", "shop")]), vec![]),
        (
            JobFilter {
                needs_person: Some(true),
                ..JobFilter::default()
            },
            vec![2],
        ),
        (
            JobFilter {
                needs_person: Some(false),
                ..JobFilter::default()
            },
            vec![1, 3],
        ),
        (
            JobFilter {
                tenant: Some(inn(INN)),
                ..JobFilter::default()
            },
            vec![1, 2],
        ),
        (
            JobFilter {
                states: vec![JobState::Expired],
                ..JobFilter::default()
            },
            vec![3],
        ),
        (
            JobFilter {
                states: vec![JobState::Accepted, JobState::Running],
                ..JobFilter::default()
            },
            vec![1, 2],
        ),
        (
            JobFilter {
                states: vec![JobState::Accepted, JobState::Expired],
                ..JobFilter::default()
            },
            vec![1, 2, 3],
        ),
        (
            JobFilter {
                accepted_from: Some(NOW.plus_millis(1)),
                ..JobFilter::default()
            },
            vec![2],
        ),
        (
            JobFilter {
                accepted_until: Some(NOW.plus_millis(1000)),
                ..JobFilter::default()
            },
            vec![1, 3],
        ),
        (
            JobFilter {
                external_id: Some("order-2".into()),
                ..JobFilter::default()
            },
            vec![2],
        ),
    ];
    for (filter, wanted) in cases {
        assert_eq!(all_jobs(&mut rig, &filter, 1), wanted, "{filter:?}");
    }
}

#[test]
fn a_document_learned_late_is_not_missed_by_a_list_that_went_past() {
    let mut rig = Rig::new();
    let (first, job) = rig.accept("order-1");
    let late = rig.begin(receipt_intent(first, &job, FN, 10));
    rig.complete("order-2", OTHER_FN, 20);
    let page = |rig: &mut Rig, after| {
        let query = Query::Documents {
            filter: DocumentFilter::default(),
            after,
            limit: 1,
        };
        let Rows::Documents(page) = rig.store().read(&query).unwrap() else {
            panic!()
        };
        (page.rows.iter().map(|row| row.fd.0).collect::<Vec<_>>(), page.next)
    };
    rig.complete("order-3", OTHER_FN, 21);
    let (seen, next) = page(&mut rig, None);
    assert_eq!(seen, [21]);
    rig.apply(Command::End(Box::new(made(late, FN, 11)), None));
    let (seen, next) = page(&mut rig, next);
    assert_eq!(seen, [22]);
    assert_eq!(page(&mut rig, next), (vec![11], None));
}

#[test]
fn a_filter_of_documents_keeps_exactly_what_it_names() {
    let mut rig = Rig::new();
    rig.complete("order-1", FN, 10);
    rig.complete("order-2", FN, 11);
    rig.complete("order-3", OTHER_FN, 11);
    let count = |rig: &mut Rig, filter: DocumentFilter| {
        let Rows::Documents(page) = rig
            .store()
            .read(&Query::Documents {
                filter,
                after: None,
                limit: 9,
            })
            .unwrap()
        else {
            panic!()
        };
        page.rows.len()
    };
    let all = DocumentFilter::default();
    let of_fn = DocumentFilter {
        fn_number: Some(FN.parse().unwrap()),
        ..all.clone()
    };
    assert_eq!(count(&mut rig, all.clone()), 3);
    assert_eq!(count(&mut rig, of_fn.clone()), 2);
    assert_eq!(
        count(
            &mut rig,
            DocumentFilter {
                fd_from: Some(FdNumber(12)),
                ..of_fn
            }
        ),
        1
    );
    assert_eq!(
        count(
            &mut rig,
            DocumentFilter {
                tenant: Some(inn(OTHER_INN)),
                ..all.clone()
            }
        ),
        0
    );
    let kinds = vec![kassette_core::domain::attempt::DocumentKind::ShiftOpen];
    assert_eq!(count(&mut rig, DocumentFilter { kinds, ..all }), 0);
}

/// A result once shown never changes (I5): what the FN states later is no matter.
#[test]
fn the_format_of_a_document_is_that_of_the_registration_under_which_it_was_made() {
    let mut rig = Rig::new();
    rig.apply(seen(FN, 7));
    let id = rig.complete("order", FN, 7);
    assert_eq!(rig.job(id).job.ffd, Some(Ffd::V1_2));
    let Command::Seen(mut later) = seen(FN, 8) else {
        panic!()
    };
    later.at = UnixMillis(NOW.0 + 1000);
    later.registration.as_mut().unwrap().ffd = Ffd::V1_05;
    rig.apply(Command::Seen(later));
    assert_eq!(rig.job(id).job.ffd, Some(Ffd::V1_2));
}

#[test]
fn a_job_is_found_by_name_by_key_and_by_document_and_by_no_other_tenant() {
    let mut rig = Rig::new();
    let id = rig.complete("order-1", FN, 10);
    let key = rig.job(id).job.key;
    for (tenant, found) in [(INN, true), (OTHER_INN, false)] {
        let tenant = inn(tenant);
        let external = JobSelect::External {
            tenant: tenant.clone(),
            client: "shop".into(),
            external_id: "order-1".into(),
        };
        let document = JobSelect::Document {
            tenant: tenant.clone(),
            fn_number: FN.parse().unwrap(),
            fd: FdNumber(11),
        };
        for select in [JobSelect::Name { tenant, key }, external, document] {
            assert_eq!(
                rig.find(select.clone()).map(|job| job.id),
                found.then_some(id),
                "{select:?}"
            );
        }
    }
}

#[test]
fn a_watch_sees_every_change_once_in_order_whatever_its_steps() {
    let mut rig = Rig::new();
    for n in 0..5 {
        rig.complete(&format!("order-{n}"), FN, 10 + n);
    }
    let sequence = rig.reopen().sequence;
    let all: Vec<u64> = (1..=sequence).collect();
    assert_eq!(all.len(), 15, "accepted, taken, completed");
    for limit in [1, 4, 15, 1000] {
        assert_eq!(all_events(&mut rig, None, limit), all, "steps of {limit}");
    }
}

#[test]
fn a_watch_of_a_tenant_sees_its_own_events_and_moves_past_the_others() {
    let mut rig = Rig::new();
    let mut foreign = accept_job("order-1");
    foreign.tenant = inn(OTHER_INN);
    rig.apply(Command::Accept(Box::new(foreign)));
    for n in 0..5 {
        rig.accept(&format!("order-{n}"));
    }
    assert_eq!(all_events(&mut rig, Some(OTHER_INN), 2), [1]);
    assert_eq!(all_events(&mut rig, Some(INN), 2), [2, 3, 4, 5, 6]);
    let Rows::JobEvents { rows, upto } = rig.events(Some(OTHER_INN), 1, 10) else {
        panic!()
    };
    assert_eq!((rows.len(), upto), (0, 6));
}

#[test]
fn a_cursor_from_nowhere_is_stale() {
    let mut rig = Rig::new();
    rig.accept("order-1");
    assert!(matches!(rig.events(None, 1, 10), Rows::JobEvents { upto: 1, .. }));
    assert!(matches!(rig.events(None, 2, 10), Rows::CursorStale(_)));
    assert!(matches!(rig.events(None, u64::MAX, 10), Rows::CursorStale(_)));
}

fn accept_at(rig: &mut Rig, key: &str, at: UnixMillis) {
    let mut job = accept_job(key);
    job.at = at;
    assert!(matches!(
        rig.apply(Command::Accept(Box::new(job))),
        ReplyBody::Accepted { .. }
    ));
}

#[test]
fn a_cursor_older_than_what_was_dropped_is_stale_and_no_later_one_is() {
    let mut rig = Rig::new();
    assert_eq!(EVENTS_KEPT_MS, 604_800_000, "seven days are promised");
    for day in 0..4 {
        accept_at(&mut rig, &format!("order-{day}"), NOW.plus_millis(day * 86_400_000));
    }
    rig.apply(Command::PruneEvents {
        before: NOW.plus_millis(2 * 86_400_000),
    });
    assert!(matches!(rig.events(None, 0, 10), Rows::CursorStale(3)));
    assert!(matches!(rig.events(None, 1, 10), Rows::CursorStale(3)));
    let Rows::JobEvents { rows, .. } = rig.events(None, 2, 10) else {
        panic!()
    };
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn cursors_stay_right_when_every_event_was_dropped() {
    let mut rig = Rig::new();
    rig.accept("order-1");
    rig.accept("order-2");
    rig.apply(Command::PruneEvents {
        before: UnixMillis(i64::MAX),
    });
    assert!(matches!(rig.events(None, 0, 10), Rows::CursorStale(3)));
    assert!(matches!(rig.events(None, 2, 10), Rows::JobEvents { upto: 2, .. }));
    assert_eq!(rig.reopen().sequence, 2);
    rig.accept("order-3");
    let Rows::JobEvents { rows, upto: 3 } = rig.events(None, 2, 10) else {
        panic!()
    };
    assert_eq!(rows[0].0, 3);
}

#[test]
fn a_clock_that_jumped_back_makes_no_gap_in_what_is_kept() {
    let mut rig = Rig::new();
    accept_at(&mut rig, "order-1", NOW);
    accept_at(&mut rig, "order-2", NOW.plus_millis(-1_000_000));
    accept_at(&mut rig, "order-3", NOW);
    rig.apply(Command::PruneEvents {
        before: NOW.plus_millis(-1),
    });
    assert_eq!(all_events(&mut rig, None, 10), [1, 2, 3]);
}

#[test]
fn events_are_dropped_in_small_steps() {
    let mut rig = Rig::new();
    rig.store().apply((0..600).map(|n| order(&format!("{n}"))).collect());
    rig.apply(Command::PruneEvents {
        before: UnixMillis(i64::MAX),
    });
    assert!(matches!(rig.events(None, 0, 10), Rows::CursorStale(501)));
    rig.apply(Command::PruneEvents {
        before: UnixMillis(i64::MAX),
    });
    assert!(matches!(rig.events(None, 0, 10), Rows::CursorStale(601)));
}

#[test]
fn a_reader_sees_what_was_answered_and_cannot_write() {
    let mut rig = Rig::new();
    let reader = StoreReader::open(rig.path()).unwrap();
    let (id, job) = rig.accept("order-1");
    let Rows::Job(Some(found)) = reader.read(&Query::JobById(id)).unwrap() else {
        panic!()
    };
    assert_eq!(found.job, job);
    assert!(StoreReader::open(&rig.folder.path().join("none.db")).is_err());
}
