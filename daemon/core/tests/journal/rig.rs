//! A journal in a folder of its own, and orders with as little in them as the law of the journal allows.
//!
//! Owns: the values that the tests share.
//! Must never: hide what a test is about.

use kassette_core::domain::attempt::{DocumentKind, Evidence, KeyPlace, Learned};
use kassette_core::domain::device::{Ffd, Registration};
use kassette_core::domain::error::Reason;
use kassette_core::domain::job::{Job, JobSelect, Priority};
use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{
    AcceptJob, Applied, BeginIntent, Command, EndIntent, JobEnd, OpenError, Query, Recovered, ReplyBody, Rows, Scan,
    Seen, Store, StoreConfig, StoredJob, Verdict,
};
use kassette_core::parts::{Entropy, UnixMillis};
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job_key::{JobKey, SubmissionHash};
use kassette_receipts::model::Receipt;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Inn, LocalTime, RegisterId, ShiftNumber, Vendor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub const INN: &str = "7704358518";
pub const OTHER_INN: &str = "500100732259";
pub const FN: &str = "9999078902001234";
pub const OTHER_FN: &str = "9999078902005678";
pub const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

/// Not random at all: the generation of every journal made here is the same.
pub struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

pub struct Rig {
    pub folder: TempDir,
    pub config: StoreConfig,
    store: Option<Store>,
}

impl Rig {
    /// A journal of rack `K7` without a reserve.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut StoreConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = StoreConfig {
            path: folder.path().join("journal.db"),
            kind: RackKind::Test,
            rack_id: Some("K7".parse().unwrap()),
            reserve_bytes: 0,
            free_mark: None,
        };
        change(&mut config);
        let (store, _) = Store::open(&config, &Fixed, NOW).unwrap();
        Self {
            folder,
            config,
            store: Some(store),
        }
    }

    pub fn path(&self) -> &Path {
        &self.config.path
    }

    pub fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    pub fn close(&mut self) {
        self.store = None;
    }

    pub fn reopen(&mut self) -> Recovered {
        self.try_reopen().unwrap()
    }

    pub fn try_reopen(&mut self) -> Result<Recovered, OpenError> {
        self.store = None;
        let (store, recovered) = Store::open(&self.config, &Fixed, NOW)?;
        self.store = Some(store);
        Ok(recovered)
    }

    /// A second connection, to look at the file or to damage it.
    pub fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    /// A copy of the files as a power cut would leave them now.
    pub fn power_cut(&self) -> (TempDir, StoreConfig) {
        let folder = TempDir::new().unwrap();
        for name in ["journal.db", "journal.db-wal"] {
            let from: PathBuf = self.folder.path().join(name);
            if from.exists() {
                std::fs::copy(&from, folder.path().join(name)).unwrap();
            }
        }
        let config = StoreConfig {
            path: folder.path().join("journal.db"),
            ..self.config.clone()
        };
        (folder, config)
    }

    pub fn apply(&mut self, command: Command) -> ReplyBody {
        match self.store().apply(vec![command]) {
            Applied::Done(mut replies) => replies.pop().unwrap().body,
            other => panic!("not applied: {other:?}"),
        }
    }

    pub fn accept(&mut self, external_id: &str) -> (i64, Job) {
        match self.apply(order(external_id)) {
            ReplyBody::Accepted { id, job } => (id, *job),
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub fn begin(&mut self, intent: BeginIntent) -> i64 {
        if intent.job.is_none() {
            self.apply(seen(intent.fn_number.as_str(), intent.baseline.0));
        }
        match self.apply(Command::Begin(Box::new(intent))) {
            ReplyBody::Begun { intent, .. } => intent,
            other => panic!("not begun: {other:?}"),
        }
    }

    /// Accepts a job and makes document `baseline + 1` of it.
    pub fn complete(&mut self, external_id: &str, fn_number: &str, baseline: u32) -> i64 {
        let (id, job) = self.accept(external_id);
        let intent = self.begin(receipt_intent(id, &job, fn_number, baseline));
        let ended = self.apply(Command::End(Box::new(made(intent, fn_number, baseline + 1)), None));
        assert!(matches!(ended, ReplyBody::Ended { .. }), "{ended:?}");
        id
    }

    pub fn job(&mut self, id: i64) -> StoredJob {
        match self.store().read(&Query::JobById(id)).unwrap() {
            Rows::Job(Some(found)) => *found,
            other => panic!("no job {id}: {other:?}"),
        }
    }

    pub fn find(&mut self, select: JobSelect) -> Option<StoredJob> {
        match self.store().read(&Query::Job(select)).unwrap() {
            Rows::Job(found) => found.map(|found| *found),
            other => panic!("{other:?}"),
        }
    }

    pub fn events(&mut self, tenant: Option<&str>, after: u64, limit: u32) -> Rows {
        let tenant = tenant.map(inn);
        self.store().read(&Query::JobEvents { tenant, after, limit }).unwrap()
    }
}

pub fn refusal(body: ReplyBody) -> Code {
    match body {
        ReplyBody::Refused(code, _) => code,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn inn(text: &str) -> Inn {
    text.parse().unwrap()
}

pub fn receipt(name: &str) -> Receipt {
    serde_json::from_value(serde_json::json!({
        "sign": 1, "tax_system": 1, "total": 12_200, "payments": {"cash": 0, "electronic": 12_200, "prepaid": 0, "credit": 0, "counter": 0},
        "items": [{"name": name, "price": 12_200, "quantity": 1_000_000, "amount": 12_200, "vat_rate": 11,
                   "method": 4, "subject": 1, "measure": 0}],
    }))
    .unwrap()
}

pub fn accept_job(external_id: &str) -> AcceptJob {
    AcceptJob {
        tenant: inn(INN),
        client: "shop".into(),
        external_id: external_id.into(),
        key_time: None,
        receipt: receipt("Чай"),
        buyer: None,
        hash: ContentHash {
            version: 1,
            digest: [3; 32],
        },
        submission: SubmissionHash::of("shop", INN, external_id),
        priority: Priority::Interactive,
        labels: BTreeMap::new(),
        replaces: None,
        at: NOW,
        expires_at: NOW.plus_millis(300_000),
    }
}

pub fn order(external_id: &str) -> Command {
    Command::Accept(Box::new(accept_job(external_id)))
}

pub fn register_of(fn_number: &str) -> RegisterId {
    RegisterId {
        vendor: Vendor::ShtrihM,
        serial: format!("00{}", &fn_number[2..]).parse().unwrap(),
    }
}

pub fn receipt_intent(job: i64, stored: &Job, fn_number: &str, baseline: u32) -> BeginIntent {
    BeginIntent {
        job: Some(job),
        kind: DocumentKind::Receipt,
        job_key: Some(stored.key),
        key_place: Some(KeyPlace::AdditionalAttribute),
        content: Some(stored.content_hash),
        ..lane_intent(fn_number, baseline)
    }
}

/// An intent on a lane without a job.
pub fn lane_intent(fn_number: &str, baseline: u32) -> BeginIntent {
    BeginIntent {
        job: None,
        kind: DocumentKind::ShiftOpen,
        register: register_of(fn_number),
        rnm: "0000000001054321".parse().unwrap(),
        fn_number: fn_number.parse::<FnNumber>().unwrap(),
        baseline: FdNumber(baseline),
        job_key: None,
        key_place: None,
        content: None,
        at: NOW,
    }
}

pub fn evidence(fn_number: &str, fd: u32) -> Evidence {
    Evidence {
        fn_number: fn_number.parse().unwrap(),
        fd: FdNumber(fd),
        fp: FiscalSign(3_000_000_000),
        shift: ShiftNumber(2),
        number_in_shift: 5,
        time: LocalTime::new(2026, 11, 22, 12, 0, 0).unwrap(),
        zone_minutes: 180,
        register: register_of(fn_number),
        rnm: "0000000001054321".parse().unwrap(),
        total: kassette_wire::value::Kopecks::new(12_200).unwrap(),
        learned: Learned::Answer,
    }
}

pub fn made(intent: i64, fn_number: &str, fd: u32) -> EndIntent {
    EndIntent {
        intent,
        verdict: Verdict::Made(Box::new(evidence(fn_number, fd))),
        job_end: JobEnd::Completed,
        reason: None,
        device: None,
        scan: None,
        last_fd: FdNumber(fd),
        needs_person: None,
        at: NOW,
    }
}

pub fn not_made(intent: i64, job_end: JobEnd, last_fd: u32) -> EndIntent {
    EndIntent {
        verdict: Verdict::NotMade,
        job_end,
        reason: Some(Reason::new(Code::RegisterBusy, "test")),
        ..made(intent, FN, last_fd)
    }
}

pub fn in_doubt(intent: i64, last_fd: u32) -> EndIntent {
    EndIntent {
        verdict: Verdict::InDoubt,
        ..not_made(intent, JobEnd::InDoubt, last_fd)
    }
}

/// A look at the FN at rest that read every document of `(baseline, last]`.
pub fn scan(fn_number: &str, baseline: u32, last: u32) -> Scan {
    Scan {
        register: register_of(fn_number),
        fn_number: fn_number.parse().unwrap(),
        idle_seen: 2,
        cancelled: false,
        last_before: FdNumber(last),
        last_after: FdNumber(last),
        documents: (baseline + 1..=last)
            .map(|fd| (fd, "shift report".to_owned()))
            .collect(),
    }
}

pub fn key_of(rig: &mut Rig, id: i64) -> JobKey {
    rig.job(id).job.key
}

pub fn seen(fn_number: &str, last_fd: u32) -> Command {
    Command::Seen(Box::new(Seen {
        slot: "R1-S01".into(),
        register: register_of(fn_number),
        model: "ШТРИХ".into(),
        firmware: "1".into(),
        fn_number: Some(fn_number.parse().unwrap()),
        registration: Some(Registration {
            inn: inn(INN),
            rnm: "0000000001054321".parse().unwrap(),
            tax_systems: 1,
            work_mode: 32,
            ffd: Ffd::V1_2,
            address: None,
            place: None,
        }),
        last_fd: Some(FdNumber(last_fd)),
        at: NOW,
    }))
}
