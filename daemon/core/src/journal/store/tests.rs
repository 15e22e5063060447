//! What only the write connection itself can tell: its settings, its statements, and a file that cannot grow.
//!
//! Owns: those tests; everything else is tested from outside, in `tests/journal`.
//! Must never: reach into the store for anything that its commands can show.

use crate::domain::attempt::{DocumentKind, Evidence, Learned};
use crate::domain::job::{JobFilter, JobSelect, Priority};
use crate::domain::snapshot::RackKind;
use crate::journal::{
    AcceptJob, Applied, BeginIntent, CancelJob, Command, EndIntent, FreeMark, JobEnd, Query, ReplyBody, Rows, Store,
    StoreConfig, Verdict,
};
use crate::parts::{Entropy, UnixMillis};
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::SubmissionHash;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FiscalSign, Inn, Kopecks, LocalTime, RegisterId, ShiftNumber, Vendor};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

const FN: &str = "9999078902001234";
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn inn() -> Inn {
    "7704358518".parse().unwrap()
}

fn store(reserve_bytes: u64) -> (tempfile::TempDir, Store) {
    let folder = tempfile::TempDir::new().unwrap();
    let config = StoreConfig {
        path: folder.path().join("journal.db"),
        kind: RackKind::Test,
        rack_id: Some("K7".parse().unwrap()),
        reserve_bytes,
        free_mark: None,
    };
    let (store, _) = Store::open(&config, &Fixed, NOW).unwrap();
    (folder, store)
}

fn accept(external_id: &str, item: &str) -> Command {
    let receipt = serde_json::json!({
        "sign": 1, "total": 100, "items": [{"name": item, "price": 100, "quantity": 1_000_000, "amount": 100}],
        "payments": {"cash": 0, "electronic": 100, "prepaid": 0, "credit": 0, "counter": 0},
    });
    Command::Accept(Box::new(AcceptJob {
        tenant: inn(),
        client: "shop".into(),
        external_id: external_id.into(),
        key_time: None,
        receipt: serde_json::from_value(receipt).unwrap(),
        buyer: None,
        hash: ContentHash {
            version: 1,
            digest: [3; 32],
        },
        submission: SubmissionHash::of("shop", "7704358518", external_id),
        priority: Priority::Interactive,
        labels: BTreeMap::new(),
        replaces: None,
        at: NOW,
        expires_at: NOW,
    }))
}

fn register() -> RegisterId {
    RegisterId {
        vendor: Vendor::ShtrihM,
        serial: "0012345678901234".parse().unwrap(),
    }
}

fn begin(job: i64, baseline: u32) -> BeginIntent {
    BeginIntent {
        job: Some(job),
        kind: DocumentKind::Receipt,
        register: register(),
        rnm: "0000000001054321".parse().unwrap(),
        fn_number: FN.parse().unwrap(),
        baseline: FdNumber(baseline),
        job_key: None,
        key_place: None,
        content: None,
        at: NOW,
    }
}

fn made(intent: i64, fd: u32) -> Box<EndIntent> {
    let evidence = Evidence {
        fn_number: FN.parse().unwrap(),
        fd: FdNumber(fd),
        fp: FiscalSign(1),
        shift: ShiftNumber(1),
        number_in_shift: 1,
        time: LocalTime::new(2026, 11, 22, 12, 0, 0).unwrap(),
        zone_minutes: 180,
        register: register(),
        rnm: "0000000001054321".parse().unwrap(),
        total: Kopecks::new(100).unwrap(),
        learned: Learned::Answer,
    };
    Box::new(EndIntent {
        intent,
        verdict: Verdict::Made(Box::new(evidence)),
        job_end: JobEnd::Completed,
        reason: None,
        device: None,
        scan: None,
        last_fd: FdNumber(fd),
        needs_person: None,
        at: NOW,
    })
}

fn one(store: &mut Store, command: Command) -> ReplyBody {
    match store.apply(vec![command]) {
        Applied::Done(mut replies) => replies.pop().unwrap().body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_settings_that_durability_rests_on_are_in_force() {
    let (_folder, store) = store(0);
    let setting = |name: &str| -> String {
        let value: rusqlite::types::Value = store
            .connection()
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
            .unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    let wanted = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("cell_size_check", "1"),
        ("trusted_schema", "0"),
        ("mmap_size", "0"),
        ("auto_vacuum", "2"),
        ("wal_autocheckpoint", "0"),
        ("busy_timeout", "5000"),
    ];
    for (name, value) in wanted {
        assert_eq!(setting(name), value, "{name}");
    }
    // Older ones have the WAL-reset corruption bug (`exactly-once` section 10).
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn the_log_stays_bounded_while_commits_never_stop() {
    let (folder, mut store) = store(0);
    for n in 0..600 {
        one(&mut store, accept(&format!("order-{n}"), &"x".repeat(4000)));
    }
    let log = folder.path().join("journal.db-wal").metadata().unwrap().len();
    assert!(log < 3 * 1000 * 4096, "{log} bytes");
    store.idle();
    assert_eq!(folder.path().join("journal.db-wal").metadata().unwrap().len(), 0);
}

thread_local! {
    static SEEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

fn note(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(_, text) = event
        && !text.starts_with("--")
    {
        SEEN.with_borrow_mut(|seen| seen.insert(text.to_owned()));
    }
}

/// Every statement of the hot path, as SQLite was given it.
fn hot_statements(store: &mut Store) -> BTreeSet<String> {
    traced(store, hot_path)
}

/// Every statement of some work, as SQLite was given it.
fn traced(store: &mut Store, work: impl FnOnce(&mut Store)) -> BTreeSet<String> {
    store
        .conn
        .trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note))
        .unwrap();
    work(store);
    store
        .conn
        .trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>)
        .unwrap();
    SEEN.take()
}

fn hot_path(store: &mut Store) {
    let ReplyBody::Accepted { id, job } = one(store, accept("order-1", "tea")) else {
        panic!()
    };
    one(store, accept("order-1", "tea"));
    one(store, accept("order-2", "tea"));
    let ReplyBody::Begun { intent, .. } = one(store, Command::Begin(Box::new(begin(id, 10)))) else {
        panic!()
    };
    let both = Command::End(made(intent, 11), Some(Box::new(begin(2, 11))));
    assert!(matches!(one(store, both), ReplyBody::Ended { next: Some(_), .. }));
    one(store, Command::Reported { job: id, at: NOW });
    let external = JobSelect::External {
        tenant: inn(),
        client: "shop".into(),
        external_id: "order-1".into(),
    };
    let name = JobSelect::Name {
        tenant: inn(),
        key: job.key,
    };
    let document = JobSelect::Document {
        tenant: inn(),
        fn_number: FN.parse().unwrap(),
        fd: FdNumber(11),
    };
    for select in [external, name, document] {
        assert!(matches!(store.read(&Query::Job(select)).unwrap(), Rows::Job(Some(_))));
    }
    let ReplyBody::Accepted { id: waiting, .. } = one(store, accept("order-3", "tea")) else {
        panic!()
    };
    let cancel = CancelJob {
        job: waiting,
        client: "shop".into(),
        reason: None,
        request_id: Some("c1".into()),
        at: NOW,
    };
    one(store, Command::Cancel(Box::new(cancel)));
    store.read(&Query::TenantEvents { after: 0, limit: 10 }).unwrap();
    for tenant in [None, Some(inn())] {
        store
            .read(&Query::JobEvents {
                tenant,
                after: 0,
                limit: 10,
            })
            .unwrap();
    }
}

/// How SQLite would carry a statement out.
fn plan_of(store: &Store, text: &str) -> Vec<String> {
    let mut plan = store
        .connection()
        .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
        .unwrap();
    for at in 1..=plan.parameter_count() {
        plan.raw_bind_parameter(at, 1).unwrap();
    }
    let mut rows = plan.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get(3).unwrap());
    }
    steps
}

#[test]
fn no_statement_of_the_hot_path_reads_a_table_from_end_to_end() {
    let (_folder, mut store) = store(0);
    let statements = hot_statements(&mut store);
    assert!(statements.len() > 30, "{} statements were seen", statements.len());
    for text in &statements {
        let word = text.split_whitespace().next().unwrap_or_default();
        if !matches!(word, "SELECT" | "INSERT" | "UPDATE" | "DELETE") {
            continue;
        }
        for step in plan_of(&store, text) {
            // The table of the highest numbers given has one row for each of two tables.
            assert!(
                !step.starts_with("SCAN") || step == "SCAN sqlite_sequence" || step == "SCAN CONSTANT ROW",
                "{step}: {text}"
            );
        }
    }
}

/// What `GetTenantStatus` asks each time: a tenant has millions of jobs, few of them open.
#[test]
fn the_few_jobs_of_a_tenant_that_are_open_or_need_a_person_are_found_without_its_others() {
    let (_folder, mut store) = store(0);
    for (needs_person, states, index) in [
        (Some(true), vec![], "jobs_for_a_person"),
        (None, vec![JobState::Accepted, JobState::InDoubt], "jobs_unfinished"),
    ] {
        let filter = JobFilter {
            tenant: Some(inn()),
            states,
            needs_person,
            ..JobFilter::default()
        };
        let query = Query::Jobs {
            filter,
            after: None,
            limit: 10,
        };
        let statements = traced(&mut store, |store| {
            store.read(&query).unwrap();
        });
        let text = statements.iter().find(|text| text.contains("FROM jobs")).unwrap();
        let steps = plan_of(&store, text);
        assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
    }
}

#[test]
fn a_full_disk_refuses_new_jobs_records_outcomes_begins_nothing_and_passes() {
    let (folder, mut store) = store(1 << 16);
    let ReplyBody::Accepted { id, .. } = one(&mut store, accept("order-0", "tea")) else {
        panic!()
    };
    let ReplyBody::Begun { intent, .. } = one(&mut store, Command::Begin(Box::new(begin(id, 10)))) else {
        panic!()
    };
    let limit = |store: &Store, more: i64| {
        let pages: i64 = store
            .connection()
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let set = format!("PRAGMA max_page_count = {}", pages + more);
        store.connection().query_row(&set, [], |_| Ok(())).unwrap();
    };
    limit(&store, 40);
    let body = "x".repeat(20_000);
    let mut accepted = vec![];
    let refused = loop {
        match one(&mut store, accept(&format!("order-{}", accepted.len() + 1), &body)) {
            ReplyBody::Accepted { id, .. } => accepted.push(id),
            ReplyBody::Refused(code, _) => break code,
            other => panic!("{other:?}"),
        }
        assert!(accepted.len() < 40);
    };
    assert_eq!(refused, Code::JournalFull);
    assert!(!accepted.is_empty());
    assert!(
        !folder.path().join("journal.reserve").exists(),
        "the reserve was given up"
    );
    assert!(
        matches!(one(&mut store, accept("order-1", "")), ReplyBody::KeyKnown { .. }),
        "reads go on"
    );
    let begun = one(&mut store, Command::Begin(Box::new(begin(accepted[0], 10))));
    assert!(
        matches!(begun, ReplyBody::Refused(Code::JournalFull, _)),
        "no send without room: {begun:?}"
    );
    let both = Command::End(made(intent, 11), Some(Box::new(begin(accepted[0], 11))));
    let ended = one(&mut store, both);
    assert!(
        matches!(ended, ReplyBody::Ended { next: None, .. }),
        "the outcome is recorded alone: {ended:?}"
    );
    limit(&store, 1_000_000);
    assert!(matches!(
        one(&mut store, accept("late", "")),
        ReplyBody::Refused(Code::JournalFull, _)
    ));
    store.idle();
    assert!(folder.path().join("journal.reserve").exists());
    assert!(matches!(
        one(&mut store, accept("late", "")),
        ReplyBody::Accepted { .. }
    ));
    for id in accepted {
        assert!(matches!(store.read(&Query::JobById(id)).unwrap(), Rows::Job(Some(_))));
    }
}

#[test]
fn a_batch_that_finds_no_room_changes_nothing_when_there_is_no_reserve() {
    let (_folder, mut store) = store(0);
    let pages: i64 = store
        .connection()
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    store
        .connection()
        .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
        .unwrap();
    let batch = vec![accept("small", "tea"), accept("large", &"x".repeat(100_000))];
    assert!(matches!(store.apply(batch), Applied::Full));
    let count: i64 = store
        .connection()
        .query_row("SELECT COUNT(*) FROM jobs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 0);
    assert!(matches!(
        one(&mut store, accept("small", "tea")),
        ReplyBody::Accepted { .. }
    ));
}

#[test]
fn a_spent_reserve_comes_back_among_callers_that_never_pause() {
    let (_folder, mut store) = store(1 << 20);
    std::fs::remove_file(store.config.reserve_path()).unwrap();
    store.reserve_spent = true;
    let tries = (0..).take_while(|n| {
        !matches!(
            one(&mut store, accept(&format!("{n}"), "tea")),
            ReplyBody::Accepted { .. }
        )
    });
    assert!(
        tries.take(1000).count() < 1000,
        "there is room, and nobody could see it"
    );
    assert!(store.config.reserve_path().exists());
}

#[test]
fn a_store_that_stopped_stays_stopped() {
    let (_folder, mut store) = store(0);
    store
        .connection()
        .execute_batch("DROP TABLE outbox; DROP TABLE events")
        .unwrap();
    assert!(matches!(
        store.apply(vec![accept("order-1", "tea")]),
        Applied::Stopped(_)
    ));
    assert!(matches!(store.apply(vec![]), Applied::Stopped(_)));
    store.idle();
    assert!(matches!(store.apply(vec![]), Applied::Stopped(_)));
}

#[test]
fn below_the_mark_new_jobs_are_refused_while_accepted_ones_go_on() {
    let (_folder, mut store) = store(0);
    let ReplyBody::Accepted { id, .. } = one(&mut store, accept("first", "Tea")) else {
        panic!("there is room for the first")
    };
    let mark = |free: fn(&std::path::Path) -> Option<u8>| Some(FreeMark { percent: 10, free });
    store.config.free_mark = mark(|_| Some(9));
    store.idle();
    let refused = one(&mut store, accept("second", "Tea"));
    assert!(
        matches!(refused, ReplyBody::Refused(Code::JournalFull, _)),
        "{refused:?}"
    );
    let known = one(&mut store, accept("first", "Tea"));
    assert!(matches!(known, ReplyBody::KeyKnown { .. }), "{known:?}");
    let begun = one(&mut store, Command::Begin(Box::new(begin(id, 1))));
    assert!(matches!(begun, ReplyBody::Begun { .. }), "{begun:?}");
    store.config.free_mark = mark(|_| Some(10));
    store.idle();
    let taken = one(&mut store, accept("second", "Tea"));
    assert!(matches!(taken, ReplyBody::Accepted { .. }), "{taken:?}");
}
