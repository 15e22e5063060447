//! Journals with a history: many jobs with their documents, made by the journal's own commands.
//!
//! Owns: filling a journal fast, and attempts that a start finds unresolved.
//! Must never: write a row past the journal's own code: its checksums, chains and events are what a start must check.

use super::rack::tenant;
use crate::daemon::DaemonSetup;
use anyhow::{Context, anyhow, bail, ensure};
use kassette_core::domain::attempt::{DocumentKind, Evidence, KeyPlace, Learned};
use kassette_core::domain::job::{Job, Priority};
use kassette_core::domain::snapshot::RackKind;
use kassette_core::journal::{
    AcceptJob, Applied, BeginIntent, Command, EndIntent, JobEnd, ReplyBody, Store, StoreConfig, Verdict,
};
use kassette_core::parts::UnixMillis;
use kassette_daemon::entropy::HostEntropy;
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job_key::SubmissionHash;
use kassette_receipts::model::Receipt;
use kassette_wire::value::{FdNumber, FiscalSign, Inn, Kopecks, LocalTime, RegisterId, Rnm, ShiftNumber, Vendor};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// FNs of the history: none of them stands in the rack any more. As many jobs go into one commit.
const LANES: u32 = 512;
/// Lifetime of jobs that are still to be made.
const TTL_MS: i64 = 86_400_000;
/// Total of every receipt, kopecks.
const TOTAL: u64 = 10_000;
/// A word of progress after so long.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A register with its FN as it stands in the rack.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Factory serial number.
    pub serial: String,
    /// FN number.
    pub fn_number: String,
    /// Registration number.
    pub rnm: String,
    /// Last document of the FN.
    pub last_fd: u32,
}

/// An open journal that is being filled.
pub struct History {
    store: Store,
    tenant: Inn,
    receipt: Receipt,
    now: UnixMillis,
    made: u64,
}

fn register(serial: &str) -> anyhow::Result<RegisterId> {
    Ok(RegisterId {
        vendor: Vendor::ShtrihM,
        serial: serial.parse().map_err(|e| anyhow!("serial {serial}: {e}"))?,
    })
}

impl History {
    /// Opens the journal of a daemon that does not run; it was made by that daemon.
    ///
    /// # Errors
    /// The journal's.
    pub fn open(setup: &DaemonSetup) -> anyhow::Result<Self> {
        let config = StoreConfig {
            path: setup.folder.join("state").join("journal.sqlite"),
            kind: RackKind::Test,
            rack_id: Some("T1".parse()?),
            reserve_bytes: 0,
            free_mark: None,
        };
        ensure!(config.path.exists(), "{} is not there", config.path.display());
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let now = UnixMillis(i64::try_from(since.as_millis())?);
        let (store, _) = Store::open(&config, &HostEntropy, now)?;
        let receipt = serde_json::json!({
            "sign": 1, "tax_system": 1, "total": TOTAL,
            "payments": { "cash": 0, "electronic": TOTAL, "prepaid": 0, "credit": 0, "counter": 0 },
            "items": [{ "name": "Товар", "price": TOTAL, "quantity": 1_000_000, "amount": TOTAL, "vat_rate": 11,
                        "method": 4, "subject": 1, "measure": 0 }],
        });
        Ok(Self {
            store,
            tenant: tenant().parse()?,
            receipt: serde_json::from_value(receipt)?,
            now,
            made: 0,
        })
    }

    fn apply(&mut self, commands: Vec<Command>) -> anyhow::Result<Vec<ReplyBody>> {
        match self.store.apply(commands) {
            Applied::Done(replies) => Ok(replies.into_iter().map(|reply| reply.body).collect()),
            other => bail!("the journal took no more: {other:?}"),
        }
    }

    fn accept(&mut self, count: u32) -> anyhow::Result<Vec<(i64, Box<Job>)>> {
        let order = |at: u64| {
            // A journal is filled in several goes, each with keys of its own.
            let external_id = format!("history-{}-{at:09}", self.now.0);
            Command::Accept(Box::new(AcceptJob {
                tenant: self.tenant.clone(),
                client: "shop".to_owned(),
                submission: SubmissionHash::of("shop", self.tenant.as_str(), &external_id),
                external_id,
                key_time: None,
                receipt: self.receipt.clone(),
                buyer: None,
                hash: ContentHash {
                    version: 1,
                    digest: [7; 32],
                },
                priority: Priority::Interactive,
                labels: BTreeMap::new(),
                replaces: None,
                at: self.now,
                expires_at: self.now.plus_millis(TTL_MS),
            }))
        };
        let orders = (self.made..self.made + u64::from(count)).map(order).collect();
        self.made += u64::from(count);
        let accepted = |body| match body {
            ReplyBody::Accepted { id, job } => Ok((id, job)),
            other => Err(anyhow!("not accepted: {other:?}")),
        };
        self.apply(orders)?.into_iter().map(accepted).collect()
    }

    fn begin(&mut self, jobs: &[(i64, Box<Job>)], lanes: &[Lane]) -> anyhow::Result<Vec<i64>> {
        let begin = |((id, job), lane): (&(i64, Box<Job>), &Lane)| {
            Ok(Command::Begin(Box::new(BeginIntent {
                job: Some(*id),
                kind: DocumentKind::Receipt,
                register: register(&lane.serial)?,
                rnm: lane.rnm.parse::<Rnm>()?,
                fn_number: lane.fn_number.parse()?,
                baseline: FdNumber(lane.last_fd),
                job_key: Some(job.key),
                key_place: Some(KeyPlace::AdditionalAttribute),
                content: Some(job.content_hash),
                at: self.now,
            })))
        };
        let orders = jobs.iter().zip(lanes).map(begin).collect::<anyhow::Result<_>>()?;
        let begun = |body| match body {
            ReplyBody::Begun { intent, .. } => Ok(intent),
            other => Err(anyhow!("not begun: {other:?}")),
        };
        self.apply(orders)?.into_iter().map(begun).collect()
    }

    fn end(&mut self, intents: &[i64], lanes: &mut [Lane]) -> anyhow::Result<()> {
        let mut orders = Vec::new();
        for (intent, lane) in intents.iter().zip(lanes) {
            lane.last_fd += 1;
            let fd = FdNumber(lane.last_fd);
            let proof = Evidence {
                fn_number: lane.fn_number.parse()?,
                fd,
                fp: FiscalSign(lane.last_fd.wrapping_mul(2_654_435_761)),
                shift: ShiftNumber(1),
                number_in_shift: lane.last_fd,
                time: LocalTime::new(2026, 11, 1, 12, 0, 0).map_err(|e| anyhow!("{e}"))?,
                zone_minutes: 180,
                register: register(&lane.serial)?,
                rnm: lane.rnm.parse()?,
                total: Kopecks::new(TOTAL).map_err(|e| anyhow!("{e}"))?,
                learned: Learned::Answer,
            };
            let end = EndIntent {
                intent: *intent,
                verdict: Verdict::Made(Box::new(proof)),
                job_end: JobEnd::Completed,
                reason: None,
                device: None,
                scan: None,
                last_fd: fd,
                needs_person: None,
                at: self.now,
            };
            orders.push(Command::End(Box::new(end), None));
        }
        for body in self.apply(orders)? {
            ensure!(matches!(body, ReplyBody::Ended { .. }), "not ended: {body:?}");
        }
        Ok(())
    }

    /// So many jobs with their documents, on FNs that stand in no rack any more.
    ///
    /// # Errors
    /// The journal's.
    pub fn fill(&mut self, jobs: u64) -> anyhow::Result<()> {
        let lane = |n: u32| Lane {
            serial: format!("5{n:011}"),
            fn_number: format!("99995{n:011}"),
            rnm: "0000000001054321".to_owned(),
            last_fd: 1,
        };
        let mut lanes: Vec<Lane> = (0..LANES).map(lane).collect();
        let (begin, mut told, goal) = (Instant::now(), TOLD_EVERY, self.made + jobs);
        while self.made < goal {
            let count = u32::try_from(goal - self.made).unwrap_or(LANES).min(LANES);
            let jobs = self.accept(count)?;
            let intents = self.begin(&jobs, &lanes)?;
            self.end(&intents, &mut lanes)?;
            if begin.elapsed() >= told {
                told += TOLD_EVERY;
                eprintln!("{} of {goal} jobs of the journal are made", self.made);
            }
        }
        self.store.idle();
        Ok(())
    }

    /// A job on each register whose attempt nobody has seen the end of; its FN did not make it.
    ///
    /// # Errors
    /// The journal's.
    pub fn leave_in_doubt(&mut self, lanes: &[Lane]) -> anyhow::Result<()> {
        for some in lanes.chunks(usize::try_from(LANES)?) {
            let jobs = self.accept(u32::try_from(some.len())?)?;
            self.begin(&jobs, some).context("attempts to be left in doubt")?;
        }
        self.store.idle();
        Ok(())
    }
}
