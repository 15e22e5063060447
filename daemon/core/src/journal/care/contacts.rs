//! Buyers: personal data that is dropped as soon as nobody needs it.
//!
//! Owns: when a buyer may be dropped, and what stays of it.
//! Must never: drop content of a job that may still run, or before what stays of it is stored.

use super::super::checks::RowSum;
use super::super::command::Sealed;
use super::super::query::ReadError;
use super::super::rows::{damaged, parsed, sum_of};
use super::super::store::WriteError;
use super::{CareDone, CareFound};
use crate::parts::UnixMillis;
use kassette_receipts::digest::DIGEST_LEN;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// The buyer of a job that has ended.
#[derive(Debug, Clone)]
pub struct EndedBuyer {
    /// Row number of the job.
    pub job: i64,
    /// Its key.
    pub key: JobKey,
    /// The taxpayer.
    pub tenant: Inn,
    /// How it ended.
    pub state: JobState,
    /// When.
    pub ended_at: UnixMillis,
    /// Its document was read back and matched.
    pub audited: bool,
    /// Its client was shown the end.
    pub shown: bool,
    /// The buyer.
    pub sealed: Sealed,
}

impl EndedBuyer {
    /// Whether nobody needs the buyer any more (design, section 8): the job is completed, read back and its client was
    /// shown so; or the tenant's retention is over.
    #[must_use]
    pub fn may_be_dropped(&self, retention_s: Option<u64>, now: UnixMillis) -> bool {
        let over = retention_s.is_some_and(|kept| {
            let kept = i64::try_from(kept.saturating_mul(1000)).unwrap_or(i64::MAX);
            self.ended_at.plus_millis(kept) <= now
        });
        self.state.is_final() && (over || (self.state == JobState::Completed && self.audited && self.shown))
    }
}

/// A buyer to be dropped, with what stays of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedBuyer {
    /// Row number of the job.
    pub job: i64,
    /// The digest of each tag.
    pub digests: Vec<(u16, [u8; DIGEST_LEN])>,
}

const ENDED: &str = "SELECT b.job, COALESCE(j.key, k.key), t.inn, COALESCE(j.state, k.state), \
    COALESCE(j.updated_at, k.updated_at), j.id IS NULL OR NOT EXISTS (SELECT 1 FROM documents d JOIN fns f ON f.id = d.fn \
    WHERE d.job = j.id AND d.fd > f.audited_fd), EXISTS (SELECT 1 FROM outbox o WHERE o.job = b.job AND \
    o.reported_at IS NOT NULL), b.nonce, b.sealed FROM (SELECT job, nonce, sealed FROM contacts WHERE job > ?1 UNION ALL \
    SELECT job, nonce, sealed FROM archived_contacts WHERE job > ?1 ORDER BY job LIMIT ?2) b \
    LEFT JOIN jobs j ON j.id = b.job LEFT JOIN keys k ON k.job = b.job \
    JOIN tenants t ON t.id = COALESCE(j.tenant, k.tenant)";

fn ended_buyer(row: &Row<'_>) -> Result<EndedBuyer, ReadError> {
    let job: i64 = row.get(0)?;
    let key: String = row.get(1)?;
    let nonce: Vec<u8> = row.get(7)?;
    Ok(EndedBuyer {
        job,
        key: JobKey::try_from(key).map_err(|e| damaged("contact", job, e))?,
        tenant: parsed("contact", job, &row.get::<_, String>(2)?)?,
        state: parsed("contact", job, &row.get::<_, String>(3)?)?,
        ended_at: UnixMillis(row.get(4)?),
        audited: row.get(5)?,
        shown: row.get(6)?,
        sealed: Sealed {
            nonce: nonce
                .try_into()
                .map_err(|_| damaged("contact", job, "its nonce has another length"))?,
            sealed: row.get(8)?,
        },
    })
}

/// Buyers of jobs that have ended, among the next so many.
pub(super) fn ended(conn: &Connection, after: i64, limit: u32) -> Result<CareFound, ReadError> {
    let mut statement = conn.prepare_cached(ENDED)?;
    let mut rows = statement.query(params![after, limit])?;
    let (mut found, mut looked, mut last) = (Vec::new(), 0, after);
    while let Some(row) = rows.next()? {
        let buyer = ended_buyer(row)?;
        looked += 1;
        last = last.max(buyer.job);
        if buyer.state.is_final() {
            found.push(buyer);
        }
    }
    Ok(CareFound::EndedBuyers(found, (looked == limit).then_some(last)))
}

/// Notes that clients were shown how these jobs ended.
pub(super) fn shown(tx: &Transaction<'_>, jobs: &[i64], at: UnixMillis) -> rusqlite::Result<CareDone> {
    let mut statement =
        tx.prepare_cached("UPDATE outbox SET reported_at = ?2 WHERE job = ?1 AND reported_at IS NULL")?;
    for job in jobs {
        statement.execute([*job, at.0])?;
    }
    Ok(CareDone::Nothing)
}

/// Drops buyers; what stays of each is stored in the same commit.
pub(super) fn drop_buyers(
    tx: &Transaction<'_>,
    buyers: &[DroppedBuyer],
    at: UnixMillis,
) -> Result<CareDone, WriteError> {
    for buyer in buyers {
        drop_buyer(tx, buyer, at)?;
    }
    Ok(CareDone::Nothing)
}

fn drop_buyer(tx: &Transaction<'_>, buyer: &DroppedBuyer, at: UnixMillis) -> Result<(), WriteError> {
    let state: Option<String> = tx
        .prepare_cached(
            "SELECT COALESCE((SELECT state FROM jobs WHERE id = ?1), (SELECT state FROM keys WHERE job = ?1))",
        )?
        .query_row([buyer.job], |row| row.get(0))?;
    let ended = state.is_some_and(|state| state.parse::<JobState>().is_ok_and(JobState::is_final));
    if !ended {
        let text = format!("job row {} has not ended; its buyer stays", buyer.job);
        return Err(WriteError::Refused(Code::InternalFault, text));
    }
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digests: Vec<(u16, String)> = buyer.digests.iter().map(|(tag, digest)| (*tag, hex(digest))).collect();
    let text = serde_json::to_string(&digests).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    tx.prepare_cached(
        "INSERT OR IGNORE INTO contact_digests (job, dropped_at, digests, sum) VALUES (?1, ?2, ?3, x'')",
    )?
    .execute(params![buyer.job, at.0, text])?;
    let sum = digest_sum(tx, buyer.job)?;
    tx.prepare_cached("UPDATE contact_digests SET sum = ?2 WHERE job = ?1")?
        .execute(params![buyer.job, sum])?;
    for table in ["contacts", "archived_contacts"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE job = ?1"))?
            .execute([buyer.job])?;
    }
    Ok(())
}

pub(super) fn digest_sum(conn: &Connection, job: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached("SELECT job, dropped_at, digests FROM contact_digests WHERE job = ?1")?
        .query_row([job], |row| sum_of(RowSum::new("contact_digests"), row, 3))
}

/// What stays of the buyer of a job; nothing when it had none, or still has it.
pub(super) fn digests(conn: &Connection, job: i64) -> Result<Vec<(u16, String)>, ReadError> {
    let text: Option<String> = conn
        .prepare_cached("SELECT digests FROM contact_digests WHERE job = ?1")?
        .query_row([job], |row| row.get(0))
        .optional()?;
    text.map_or(Ok(Vec::new()), |text| {
        serde_json::from_str(&text).map_err(|e| damaged("digest", job, e))
    })
}
