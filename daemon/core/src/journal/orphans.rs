//! Reads of what recovery mode found: documents that were read, and jobs that are held.
//!
//! Owns: how the row of such a document becomes a value.
//! Must never: return more rows than asked, or write.

use super::Sealed;
use super::query::{PAGE_MAX, ReadError, Rows};
use super::rows::{self, damaged};
use crate::domain::orphan::{NotedDocument, Orphan, OrphanState};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, Kopecks, ShiftNumber};
use rusqlite::Connection;

/// Whether recovery mode read a document and nothing about it is left to find: then the audit has nothing to say of it.
pub(super) fn is_explained(conn: &Connection, number: &FnNumber, fd: FdNumber) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM orphans WHERE number = ?1 AND fd = ?2 AND stops = 0)")?
        .query_row(rusqlite::params![number.as_str(), fd.0], |row| row.get(0))
}

/// Columns of a document that was read.
pub(super) const ORPHAN: &str = "SELECT o.id, o.number, o.fd, t.inn, o.code, o.key, o.sign, o.total, o.fp, o.time, \
    o.zone_minutes, o.shift, o.number_in_shift, o.register, o.rnm, o.nonce, o.sealed, o.state, o.stops, j.key, o.at \
    FROM orphans o JOIN tenants t ON t.id = o.tenant LEFT JOIN jobs j ON j.id = o.job";

pub(super) fn orphan(row: &rusqlite::Row<'_>) -> Result<Orphan, ReadError> {
    let id: i64 = row.get(0)?;
    let wrong = |why: &dyn std::fmt::Display| damaged("orphan", id, why);
    let key = |text: Option<String>| text.map(JobKey::try_from).transpose();
    let nonce: Option<Vec<u8>> = row.get(15)?;
    let sealed: Option<Vec<u8>> = row.get(16)?;
    let sealed = match nonce.zip(sealed) {
        None => None,
        Some((nonce, sealed)) => Some(Sealed {
            nonce: nonce.try_into().map_err(|_| wrong(&"its nonce has another length"))?,
            sealed,
        }),
    };
    let total: Option<i64> = row.get(7)?;
    let total = total.map(|sum| {
        u64::try_from(sum)
            .map_err(|e| wrong(&e))
            .and_then(|sum| Kopecks::new(sum).map_err(|e| wrong(&e)))
    });
    let time: Option<String> = row.get(9)?;
    let state: String = row.get(17)?;
    Ok(Orphan {
        id,
        fn_number: row.get::<_, String>(1)?.parse().map_err(|e| wrong(&e))?,
        tenant: row.get::<_, String>(3)?.parse().map_err(|e| wrong(&e))?,
        register: rows::register("orphan", id, &row.get::<_, String>(13)?)?,
        rnm: row.get::<_, String>(14)?.parse().map_err(|e| wrong(&e))?,
        zone_minutes: row.get(10)?,
        document: NotedDocument {
            fd: FdNumber(row.get(2)?),
            code: row.get(4)?,
            key: key(row.get(5)?).map_err(|e| wrong(&e))?,
            sign: row.get(6)?,
            total: total.transpose()?,
            fp: row.get::<_, Option<u32>>(8)?.map(FiscalSign),
            time: time
                .map(|text| text.parse())
                .transpose()
                .map_err(|_| wrong(&"it has no calendar time"))?,
            shift: row.get::<_, Option<u32>>(11)?.map(ShiftNumber),
            number_in_shift: row.get(12)?,
            sealed,
        },
        state: OrphanState::of(&state).ok_or_else(|| wrong(&state))?,
        stops: row.get(18)?,
        job: key(row.get(19)?).map_err(|e| wrong(&e))?,
        at: UnixMillis(row.get(20)?),
    })
}

/// Jobs that are held, oldest first.
pub(super) fn held_jobs(conn: &Connection, after: i64, limit: u32) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let condition = format!(
        "j.id IN (SELECT i.job FROM intents i JOIN fns f ON f.id = i.fn WHERE i.state IN ('open', 'in_doubt') \
         AND i.job > ?1 AND f.number GLOB 'HELD*' ORDER BY i.job LIMIT {limit}) ORDER BY j.id"
    );
    Ok(Rows::Held(rows::jobs(conn, &condition, [after])?))
}

/// Documents that were read in recovery mode, oldest first.
pub(super) fn orphans(
    conn: &Connection,
    number: Option<&FnNumber>,
    state: Option<OrphanState>,
    after: i64,
    limit: u32,
) -> Result<Rows, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut statement = conn.prepare_cached(&format!(
        "{} WHERE o.id > ?1 AND (?2 IS NULL OR o.number = ?2) AND (?3 IS NULL OR o.state = ?3) ORDER BY o.id LIMIT {limit}",
        ORPHAN
    ))?;
    let mut listed = statement.query(rusqlite::params![
        after,
        number.map(FnNumber::as_str),
        state.map(OrphanState::as_str)
    ])?;
    let mut found = Vec::new();
    while let Some(row) = listed.next()? {
        found.push(orphan(row)?);
    }
    Ok(Rows::Orphans(found))
}
