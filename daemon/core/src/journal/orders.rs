//! Writes that concern what stands in the rack: plans, sightings, moves of units.
//!
//! Owns: histories: what stood where when, who ordered it.
//! Must never: lower the mark of an FN, or take a mark from an FN it already knows.

use super::checks::RowSum;
use super::command::{ApplyPlan, FnMark, ReplyBody, Seen, UnitMove};
use super::intents::fn_id;
use super::jobs::id_of;
use super::query::ReadError;
use super::readings;
use super::rows::{damaged, sum_of};
use super::store::{JournalFacts, WriteError, Written};
use crate::parts::UnixMillis;
use kassette_receipts::job_key::RackId;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, Inn};
use rusqlite::{OptionalExtension as _, Transaction, params};
use std::collections::BTreeMap;

pub(super) fn meta(tx: &rusqlite::Connection, name: &str) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

pub(super) fn set_meta(tx: &rusqlite::Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute([name, value])?;
    Ok(())
}

pub(super) fn apply(tx: &Transaction<'_>, facts: &mut JournalFacts, order: &ApplyPlan) -> Written {
    let version: u64 = tx.query_row("SELECT COALESCE(MAX(version), 0) FROM orders", [], |row| row.get(0))?;
    if let Some(repeated) = repeated(tx, order)? {
        return Ok(ReplyBody::Applied(repeated, None));
    }
    if let Some(expected) = order.expected.filter(|expected| *expected != version) {
        let text = format!("the plan was made from version {expected}, the rack has version {version}");
        return Err(WriteError::Refused(Code::EtagMismatch, text));
    }
    if let Some(id) = order.rack_id {
        name_rack(tx, facts, id)?;
    }
    let next = version + 1;
    let number = i64::try_from(next).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
    tx.prepare_cached(
        "INSERT INTO orders (version, at, client, reason, request_id, plan, request, sum) VALUES \
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, x'')",
    )?
    .execute(params![
        number,
        order.at.0,
        order.client,
        order.reason,
        order.request_id,
        order.plan,
        order.request,
    ])?;
    let sum = order_sum(tx, number)?;
    tx.prepare_cached("UPDATE orders SET sum = ?2 WHERE version = ?1")?
        .execute(params![number, sum])?;
    let mut revisions = BTreeMap::new();
    for (tenant, row) in &order.tenants {
        revisions.insert(tenant.clone(), revise(tx, tenant, row, number, order.at)?);
    }
    readings::adopt(tx, facts, &order.fns, order.at)?;
    for slot in &order.slots {
        id_of(tx, "slots", "label", slot, order.at)?;
    }
    Ok(ReplyBody::Applied(next, Some(revisions)))
}

/// The revision of a tenant under a new plan: one more when its own row differs, and then an event of its own.
fn revise(tx: &Transaction<'_>, tenant: &Inn, row: &str, version: i64, at: UnixMillis) -> rusqlite::Result<u64> {
    let id = id_of(tx, "tenants", "inn", tenant.as_str(), at)?;
    let known: Option<(u64, String)> = tx
        .prepare_cached("SELECT revision, row FROM tenant_revisions WHERE tenant = ?1")?
        .query_row([id], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    let revision = match known {
        Some((revision, standing)) if standing == row => return Ok(revision),
        Some((revision, _)) => revision.saturating_add(1),
        None => 1,
    };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO tenant_revisions (tenant, revision, version, row) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![id, i64::try_from(revision).unwrap_or(i64::MAX), version, row])?;
    tx.prepare_cached("INSERT INTO events (at, tenant, kind) VALUES (?1, ?2, 'tenant')")?
        .execute(params![at.0, id])?;
    Ok(revision)
}

pub(super) fn order_sum(tx: &rusqlite::Connection, version: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT version, at, client, reason, request_id, plan FROM orders WHERE version = ?1")?
        .query_row([version], |row| sum_of(RowSum::new("orders"), row, 6))
}

/// The facts that make a journal this journal; a changed letter in one of them would go into every job key.
const SEALED_FACTS: [&str; 4] = ["journal_id", "kind", "generation", "rack_id"];

fn facts_sum(tx: &rusqlite::Connection) -> rusqlite::Result<String> {
    let mut sum = RowSum::new("meta");
    for name in SEALED_FACTS {
        sum = sum.text(name).text(&meta(tx, name)?.unwrap_or_default());
    }
    Ok(sum.finish().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes the checksum of the facts; to be called after each change of them.
pub(super) fn seal_facts(tx: &rusqlite::Connection) -> rusqlite::Result<()> {
    let sum = facts_sum(tx)?;
    set_meta(tx, "facts_sum", &sum)
}

/// Whether the facts are those that were sealed.
pub(super) fn facts_match(tx: &rusqlite::Connection) -> rusqlite::Result<bool> {
    Ok(meta(tx, "facts_sum")? == Some(facts_sum(tx)?))
}

/// The version an equal order made before; another order under the same request id is refused.
fn repeated(tx: &Transaction<'_>, order: &ApplyPlan) -> Result<Option<u64>, WriteError> {
    let Some(request) = &order.request_id else {
        return Ok(None);
    };
    let found = asked(tx, request)?;
    match found {
        Some((version, plan, asked)) if same_request(order, &plan, asked.as_deref()) => Ok(Some(version)),
        Some(_) => {
            let text = format!("request id {request} was used for another order");
            Err(WriteError::Refused(Code::RequestIdConflict, text))
        }
        None => Ok(None),
    }
}

/// What was asked for under a request id: the version it made, its plan, and the request where the plan is not it.
fn asked(conn: &rusqlite::Connection, request: &str) -> rusqlite::Result<Option<(u64, String, Option<String>)>> {
    conn.prepare_cached("SELECT version, plan, request FROM orders WHERE request_id = ?1")?
        .query_row([request], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

fn same_request(order: &ApplyPlan, plan: &str, asked: Option<&str>) -> bool {
    match &order.request {
        Some(request) => asked == Some(request.as_str()),
        None => asked.is_none() && plan == order.plan,
    }
}

/// The request that was made under an id, if one was: `None` within for a whole plan.
pub(super) fn request(conn: &rusqlite::Connection, id: &str) -> rusqlite::Result<Option<Option<String>>> {
    Ok(asked(conn, id)?.map(|(_, _, request)| request))
}

/// How often each tenant's row has changed.
pub(super) fn tenant_revisions(conn: &rusqlite::Connection) -> Result<BTreeMap<Inn, u64>, ReadError> {
    let mut statement = conn
        .prepare_cached("SELECT t.id, t.inn, v.revision FROM tenant_revisions v JOIN tenants t ON t.id = v.tenant")?;
    let mut rows = statement.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let inn: String = row.get(1)?;
        let inn = inn
            .parse()
            .map_err(|error| damaged("tenant", row.get(0).unwrap_or(0), error))?;
        found.insert(inn, row.get(2)?);
    }
    Ok(found)
}

/// The rack's letters: named once, before the first job, for good.
fn name_rack(tx: &Transaction<'_>, facts: &mut JournalFacts, id: RackId) -> Result<(), WriteError> {
    match facts.rack_id {
        Some(known) if known == id => Ok(()),
        Some(known) => {
            let text = format!("this journal belongs to rack {known}; it cannot become {id}");
            Err(WriteError::Refused(Code::RackIdFixed, text))
        }
        None if id == RackId::UNNAMED => {
            let text = format!("{id} stands for a rack without letters; give it others");
            Err(WriteError::Refused(Code::RackInvalid, text))
        }
        None => {
            set_meta(tx, "rack_id", &id.to_string())?;
            seal_facts(tx)?;
            facts.rack_id = Some(id);
            Ok(())
        }
    }
}

pub(super) fn seen(tx: &Transaction<'_>, facts: &mut JournalFacts, seen: &Seen) -> Written {
    let slot = id_of(tx, "slots", "label", &seen.slot, seen.at)?;
    let register = id_of(tx, "registers", "name", &seen.register.to_string(), seen.at)?;
    tx.prepare_cached("UPDATE registers SET model = ?2, firmware = ?3 WHERE id = ?1")?
        .execute(params![register, seen.model, seen.firmware])?;
    let fn_row = match &seen.fn_number {
        None => None,
        Some(number) => Some(match seen.last_fd {
            Some(last) => fn_id(tx, number.as_str(), last, seen.at)?,
            None => {
                let inn = seen.registration.as_ref().map(|registration| &registration.inn);
                readings::first_sight(tx, facts, number.as_str(), inn, seen.at)?
            }
        }),
    };
    place(tx, slot, register, fn_row, seen.at)?;
    if let (Some(fn_row), Some(registration)) = (fn_row, &seen.registration) {
        id_of(tx, "tenants", "inn", registration.inn.as_str(), seen.at)?;
        let facts =
            serde_json::to_string(registration).map_err(|e| WriteError::Refused(Code::InternalFault, e.to_string()))?;
        tx.prepare_cached(
            "INSERT INTO registrations (fn, register, facts, seen_at) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS \
             (SELECT 1 FROM (SELECT register, facts FROM registrations WHERE fn = ?1 ORDER BY id DESC LIMIT 1) \
             WHERE register = ?2 AND facts = ?3)",
        )?
        .execute(params![fn_row, register, facts, seen.at.0])?;
    }
    fn_row.map(|id| mark(tx, id)).transpose().map(ReplyBody::Mark)
}

pub(super) fn mark(tx: &Transaction<'_>, fn_row: i64) -> Result<FnMark, WriteError> {
    let (last, audited, time, number): (u32, u32, Option<String>, String) = tx
        .prepare_cached("SELECT last_fd, audited_fd, last_time, number FROM fns WHERE id = ?1")?
        .query_row([fn_row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let last_time = time
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| WriteError::Refused(Code::JournalDamaged, format!("FN row {fn_row} has no calendar time")))?;
    Ok(FnMark {
        last_fd: FdNumber(last),
        audited_fd: FdNumber(audited),
        last_time,
        reading: readings::open_reading(tx, &number)?,
    })
}

/// Ends what stood there before and begins a new stay, unless nothing changed.
fn place(tx: &Transaction<'_>, slot: i64, register: i64, fn_row: Option<i64>, at: UnixMillis) -> rusqlite::Result<()> {
    let same: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM placements WHERE slot = ?1 AND register = ?2 AND fn IS ?3 AND until_at IS NULL)",
        )?
        .query_row(params![slot, register, fn_row], |row| row.get(0))?;
    if same {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE placements SET until_at = ?4 WHERE until_at IS NULL AND (slot = ?1 OR register = ?2 OR fn = ?3)",
    )?
    .execute(params![slot, register, fn_row, at.0])?;
    tx.prepare_cached("INSERT INTO placements (slot, register, fn, from_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![slot, register, fn_row, at.0])?;
    Ok(())
}

pub(super) fn unit_move(tx: &Transaction<'_>, unit: &UnitMove) -> Written {
    tx.prepare_cached(
        "INSERT INTO unit_moves (at, slot, register, fn, state, code, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        unit.at.0,
        unit.slot,
        unit.register.as_ref().map(ToString::to_string),
        unit.fn_number.as_ref().map(ToString::to_string),
        unit.state.as_str(),
        unit.reason.code.as_str(),
        unit.reason.detail,
    ])?;
    Ok(ReplyBody::Done)
}

/// Most rows dropped in one step, so that no commit is held up (`exactly-once` section 10, Growth).
const PRUNE_ROWS: i64 = 500;

/// Drops the oldest events from the front, so that what is left has no gap even if the host's clock once jumped.
pub(super) fn prune_events(tx: &Transaction<'_>, before: UnixMillis) -> Written {
    let oldest: Vec<(i64, i64)> = tx
        .prepare_cached("SELECT sequence, at FROM events ORDER BY sequence LIMIT ?1")?
        .query_map([PRUNE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if let Some((last, _)) = oldest.into_iter().take_while(|(_, at)| *at < before.0).last() {
        tx.prepare_cached("DELETE FROM events WHERE sequence <= ?1")?
            .execute([last])?;
        set_meta(tx, "events_floor", &last.saturating_add(1).to_string())?;
        return Ok(ReplyBody::Pruned);
    }
    Ok(ReplyBody::Done)
}
