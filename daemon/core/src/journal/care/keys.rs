//! The key index: what stays known of a job whose row was archived, for as long as its client may repeat its key.
//!
//! Owns: its rows, and every look-up in it.
//! Must never: let a key that it holds, or once held, be taken as new.

use super::super::checks::RowSum;
use super::super::orders::meta;
use super::super::query::ReadError;
use super::super::rows::{damaged, learned, parsed, register, sum_of};
use crate::domain::attempt::Evidence;
use crate::domain::error::Reason;
use crate::domain::job::{Job, JobSelect, Priority};
use crate::parts::UnixMillis;
use kassette_receipts::hash::ContentHash;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::Receipt;
use kassette_wire::value::{FdNumber, FiscalSign, Inn, Kopecks, ShiftNumber};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// The fact that says since when keys must tell their time.
pub(super) const FLOOR: &str = "keys_floor";

/// What the index knows of an archived job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Row number of the job.
    pub id: i64,
    /// Its key.
    pub key: JobKey,
    /// The taxpayer.
    pub tenant: Inn,
    /// Who asked.
    pub client: String,
    /// The client's key.
    pub external_id: String,
    /// When the client made its key.
    pub key_time: Option<UnixMillis>,
    /// Hash of the content.
    pub content_hash: ContentHash,
    /// When it became durable.
    pub accepted_at: UnixMillis,
    /// When it would have ended in the queue.
    pub expires_at: UnixMillis,
    /// The job it stood in for.
    pub replaces: Option<JobKey>,
    /// The job that stands in for it.
    pub replaced_by: Option<JobKey>,
    /// How it ended.
    pub state: JobState,
    /// Why.
    pub reason: Option<Reason>,
    /// Its document.
    pub evidence: Option<Evidence>,
    /// Its last revision.
    pub revision: u64,
    /// When it ended.
    pub updated_at: UnixMillis,
    /// Number of the archive that holds the rest.
    pub archive: i64,
}

impl KeyRecord {
    /// The job without what only its archive knows: labels, attempts, urgency. The receipt is the one at hand, whose
    /// content the caller has compared.
    #[must_use]
    pub fn into_job(self, receipt: Receipt) -> Job {
        Job {
            key: self.key,
            tenant: self.tenant,
            client: self.client,
            external_id: self.external_id,
            key_time: self.key_time,
            receipt,
            content_hash: self.content_hash,
            priority: Priority::default(),
            labels: std::collections::BTreeMap::new(),
            accepted_at: self.accepted_at,
            expires_at: self.expires_at,
            replaces: self.replaces,
            replaced_by: self.replaced_by,
            state: self.state,
            reason: self.reason,
            needs_person: None,
            evidence: self.evidence,
            ffd: None,
            attempts: Vec::new(),
            revision: self.revision,
            updated_at: self.updated_at,
        }
    }
}

/// Which key is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySelect {
    /// Of the job with this row number.
    Id(i64),
    /// As the client or the document names it.
    Job(JobSelect),
}

const COLUMNS: &str = "k.job, k.key, t.inn, c.name, k.external_id, k.hash_version, k.hash, k.key_time, k.accepted_at, \
    k.expires_at, COALESCE((SELECT x.key FROM jobs x WHERE x.id = k.replaces), \
    (SELECT x.key FROM keys x WHERE x.job = k.replaces)), COALESCE((SELECT x.key FROM jobs x WHERE x.replaces = k.job), \
    (SELECT x.key FROM keys x WHERE x.replaces = k.job)), k.state, k.code, k.detail, k.revision, k.updated_at, k.archive, \
    f.number, k.fd, k.fp, k.time, k.zone_minutes, k.shift, k.number_in_shift, k.total, r.name, k.rnm, k.learned";
const TABLES: &str = "keys k JOIN tenants t ON t.id = k.tenant JOIN clients c ON c.id = k.client \
    LEFT JOIN fns f ON f.id = k.fn LEFT JOIN registers r ON r.id = k.register";

fn record(row: &Row<'_>) -> Result<KeyRecord, ReadError> {
    let id: i64 = row.get(0)?;
    let text = |at: usize| -> rusqlite::Result<String> { row.get(at) };
    let key = |at: usize| -> Result<Option<JobKey>, ReadError> {
        let key: Option<String> = row.get(at)?;
        key.map(JobKey::try_from).transpose().map_err(|e| damaged("key", id, e))
    };
    let digest: Vec<u8> = row.get(6)?;
    let code: Option<String> = row.get(13)?;
    let evidence = match row.get::<_, Option<i64>>(19)? {
        None => None,
        Some(_) => Some(evidence(row, id)?),
    };
    Ok(KeyRecord {
        id,
        key: key(1)?.ok_or_else(|| damaged("key", id, "it has no key"))?,
        tenant: parsed("key", id, &text(2)?)?,
        client: text(3)?,
        external_id: text(4)?,
        key_time: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
        content_hash: ContentHash {
            version: row.get::<_, i64>(5)?.try_into().map_err(|e| damaged("key", id, e))?,
            digest: digest
                .try_into()
                .map_err(|_| damaged("key", id, "its hash has another length"))?,
        },
        accepted_at: UnixMillis(row.get(8)?),
        expires_at: UnixMillis(row.get(9)?),
        replaces: key(10)?,
        replaced_by: key(11)?,
        state: parsed("key", id, &text(12)?)?,
        reason: match code {
            None => None,
            Some(code) => Some(Reason {
                code: parsed("key", id, &code)?,
                detail: row.get::<_, Option<String>>(14)?.unwrap_or_default(),
            }),
        },
        revision: row.get::<_, i64>(15)?.try_into().map_err(|e| damaged("key", id, e))?,
        updated_at: UnixMillis(row.get(16)?),
        archive: row.get(17)?,
        evidence,
    })
}

fn evidence(row: &Row<'_>, id: i64) -> Result<Evidence, ReadError> {
    let text = |at: usize| -> rusqlite::Result<String> { row.get(at) };
    let total = u64::try_from(row.get::<_, i64>(25)?).map_err(|e| damaged("key", id, e))?;
    Ok(Evidence {
        fn_number: parsed("key", id, &text(18)?)?,
        fd: FdNumber(row.get(19)?),
        fp: FiscalSign(row.get(20)?),
        time: parsed("key", id, &text(21)?)?,
        zone_minutes: row.get(22)?,
        shift: ShiftNumber(row.get(23)?),
        number_in_shift: row.get(24)?,
        total: Kopecks::new(total).map_err(|e| damaged("key", id, e))?,
        register: register("key", id, &text(26)?)?,
        rnm: parsed("key", id, &text(27)?)?,
        learned: learned(id, &text(28)?)?,
    })
}

fn one(conn: &Connection, condition: &str, params: impl rusqlite::Params) -> Result<Option<KeyRecord>, ReadError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE {condition}"))?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(record).transpose()
}

/// A key of the index.
pub(in super::super) fn find(conn: &Connection, select: &KeySelect) -> Result<Option<KeyRecord>, ReadError> {
    match select {
        KeySelect::Id(id) => one(conn, "k.job = ?1", [id]),
        KeySelect::Job(JobSelect::Name { tenant, key }) => {
            one(conn, "k.key = ?1 AND t.inn = ?2", [key.as_str(), tenant.as_str()])
        }
        KeySelect::Job(JobSelect::External {
            tenant,
            client,
            external_id,
        }) => one(
            conn,
            "k.tenant = (SELECT id FROM tenants WHERE inn = ?1) AND k.client = (SELECT id FROM clients WHERE name = ?2) \
             AND k.external_id = ?3",
            [tenant.as_str(), client, external_id],
        ),
        KeySelect::Job(JobSelect::Document { tenant, fn_number, fd }) => one(
            conn,
            "k.fn = (SELECT id FROM fns WHERE number = ?1) AND k.fd = ?2 AND t.inn = ?3",
            params![fn_number.as_str(), fd.0, tenant.as_str()],
        ),
    }
}

/// The row number of the archived job under a client's key.
pub(in super::super) fn known_key(
    tx: &Transaction<'_>,
    tenant: i64,
    client: i64,
    external_id: &str,
) -> Result<Option<KeyRecord>, ReadError> {
    let known: Option<i64> = tx
        .prepare_cached("SELECT job FROM keys WHERE tenant = ?1 AND client = ?2 AND external_id = ?3")?
        .query_row(params![tenant, client, external_id], |row| row.get(0))
        .optional()?;
    known.map_or(Ok(None), |id| find(tx, &KeySelect::Id(id)))
}

/// Keys made before this moment may have been dropped from the index.
pub(in super::super) fn pruned_floor(tx: &Transaction<'_>) -> rusqlite::Result<Option<i64>> {
    Ok(meta(tx, FLOOR)?.and_then(|text| text.parse().ok()))
}

/// The archived job that stands in for another.
pub(in super::super) fn is_replaced(tx: &Transaction<'_>, job: i64) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached("SELECT key FROM keys WHERE replaces = ?1")?
        .query_row([job], |row| row.get(0))
        .optional()
}

/// How an archived job ended.
pub(in super::super) fn state_of_archived(tx: &Transaction<'_>, job: i64) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached("SELECT state FROM keys WHERE job = ?1")?
        .query_row([job], |row| row.get(0))
        .optional()
}

pub(super) fn has_jobs(conn: &Connection, tenant: &Inn) -> Result<bool, ReadError> {
    let found = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE tenant = (SELECT id FROM tenants WHERE inn = ?1)) \
             OR EXISTS (SELECT 1 FROM keys WHERE tenant = (SELECT id FROM tenants WHERE inn = ?1))",
        )?
        .query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(found)
}

/// Writes what stays of a job that is about to leave.
pub(super) fn insert(tx: &Transaction<'_>, job: i64, archive: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO keys (job, key, tenant, client, external_id, hash_version, hash, key_time, accepted_at, expires_at, \
         replaces, state, code, detail, revision, updated_at, fn, fd, fp, time, zone_minutes, shift, number_in_shift, \
         total, register, rnm, learned, archive, sum) SELECT j.id, j.key, j.tenant, j.client, j.external_id, \
         j.hash_version, j.hash, j.key_time, j.accepted_at, j.expires_at, j.replaces, j.state, j.code, j.detail, \
         j.revision, j.updated_at, d.fn, d.fd, d.fp, d.time, d.zone_minutes, d.shift, d.number_in_shift, d.total, \
         d.register, d.rnm, d.learned, ?2, x'' FROM jobs j LEFT JOIN documents d ON d.job = j.id WHERE j.id = ?1",
    )?
    .execute([job, archive])?;
    let sum = key_sum(tx, job)?;
    tx.prepare_cached("UPDATE keys SET sum = ?2 WHERE job = ?1")?
        .execute(params![job, sum])?;
    Ok(())
}

pub(super) fn key_sum(conn: &Connection, job: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached(
        "SELECT job, key, tenant, client, external_id, hash_version, hash, key_time, accepted_at, expires_at, replaces, \
         state, code, detail, revision, updated_at, fn, fd, fp, time, zone_minutes, shift, number_in_shift, total, \
         register, rnm, learned, archive FROM keys WHERE job = ?1",
    )?
    .query_row([job], |row| sum_of(RowSum::new("keys"), row, 28))
}
