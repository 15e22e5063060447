//! Generations of this journal: drawn, recorded, and drawn again.
//!
//! Owns: which generation new job keys carry, and what a start on a copy does before anything runs.
//! Must never: give out a generation twice, or change the key of a job that has one.

use super::checks::RowSum;
use super::held::{self, Hold};
use super::jobs::id_of;
use super::orders::{meta, seal_facts, set_meta};
use super::readings;
use super::rows::sum_of;
use super::store::{JournalFacts, WriteError};
use crate::domain::error::Reason;
use crate::parts::{Entropy, UnixMillis};
use kassette_receipts::job_key::{Generation, JobKey, Parts, RackId, Sequence, SubmissionHash};
use kassette_wire::codes::Code;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// Name of the fact that a copy carries until the first start on it.
pub(super) const PENDING_RESTORE: &str = "pending_restore";

/// Random numbers to choose a generation from; the first that was never used is taken.
pub type Draws = [u16; 8];

/// Draws from the rack's randomness.
pub fn draws(entropy: &dyn Entropy) -> Draws {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    std::array::from_fn(|at| u16::from_le_bytes([bytes[at * 2], bytes[at * 2 + 1]]) % Generation::COUNT)
}

/// The two letters that keys of a generation carry after those of the rack.
fn letters(rack: RackId, generation: Generation) -> Option<String> {
    let parts = Parts {
        rack,
        generation,
        sequence: Sequence::new(0).ok()?,
        hash: SubmissionHash::of("", "", ""),
    };
    JobKey::new(parts).as_str().get(..4).map(str::to_owned)
}

/// Whether a generation was ever this journal's, or stands in a key of our rack that was read from an FN.
fn is_used(tx: &Connection, rack: Option<RackId>, generation: Generation) -> rusqlite::Result<bool> {
    let ours: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM generations WHERE generation = ?1)")?
        .query_row([generation.get()], |row| row.get(0))?;
    let Some(letters) = rack.and_then(|rack| letters(rack, generation)) else {
        return Ok(ours);
    };
    let read: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM orphans WHERE substr(key, 1, 4) = ?1)")?
        .query_row([letters], |row| row.get(0))?;
    Ok(ours || read)
}

fn number(value: u16) -> Result<Generation, WriteError> {
    Generation::new(value).map_err(|error| WriteError::Refused(Code::InternalFault, error.to_string()))
}

/// Gives the journal a generation that nobody has used, and notes since when and why.
pub(super) fn renew(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    draws: Draws,
    why: &str,
    at: UnixMillis,
) -> Result<(), WriteError> {
    for value in draws.into_iter().chain(0..Generation::COUNT) {
        let generation = number(value)?;
        if is_used(tx, facts.rack_id, generation)? {
            continue;
        }
        set_meta(tx, "generation", &generation.get().to_string())?;
        seal_facts(tx)?;
        facts.generation = generation;
        note(tx, generation, why, at)?;
        return Ok(());
    }
    let text = format!(
        "all {} generations of job keys are used; the rack needs another id",
        Generation::COUNT
    );
    Err(WriteError::Refused(Code::JournalReadOnly, text))
}

fn note(tx: &Transaction<'_>, generation: Generation, why: &str, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO generations (generation, at, why, sum) VALUES (?1, ?2, ?3, x'')")?
        .execute(params![generation.get(), at.0, why])?;
    let id = tx.last_insert_rowid();
    let sum = generation_sum(tx, id)?;
    tx.prepare_cached("UPDATE generations SET sum = ?2 WHERE id = ?1")?
        .execute(params![id, sum])?;
    Ok(())
}

pub(super) fn generation_sum(tx: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    tx.prepare_cached("SELECT id, generation, at, why FROM generations WHERE id = ?1")?
        .query_row([id], |row| sum_of(RowSum::new("generations"), row, 4))
}

/// Notes the generation that the journal was created with, unless that is noted.
fn note_first(tx: &Transaction<'_>, facts: &JournalFacts, now: UnixMillis) -> rusqlite::Result<()> {
    if tx.query_row("SELECT EXISTS (SELECT 1 FROM generations)", [], |row| row.get(0))? {
        return Ok(());
    }
    let begun: Option<i64> = tx.query_row("SELECT MIN(at) FROM starts", [], |row| row.get(0))?;
    note(tx, facts.generation, "first", begun.map_or(now, UnixMillis))
}

/// What a start does about generations before anything runs. On a copy: a new generation; every FN that the copy knows
/// is read from its mark; every job that the copy holds as waiting may have run since, and is held until then.
pub(super) fn at_start(
    tx: &Transaction<'_>,
    facts: &mut JournalFacts,
    draws: Draws,
    now: UnixMillis,
) -> Result<(), WriteError> {
    note_first(tx, facts, now)?;
    if meta(tx, PENDING_RESTORE)?.is_some() {
        renew(tx, facts, draws, "restore", now)?;
        let jobs_upto: i64 = tx
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'", [], |row| {
                row.get(0)
            })
            .optional()?
            .unwrap_or(0);
        read_every_fn(tx, jobs_upto, now)?;
        hold_what_waits(tx, facts, now)?;
        tx.execute("DELETE FROM meta WHERE name = ?1", [PENDING_RESTORE])?;
        set_meta(tx, "min_reader", &super::schema::MIN_READER.to_string())?;
    }
    facts.recovering = readings::recovering(tx)?;
    Ok(())
}

/// FNs of lanes of their own are no FNs, see `held`.
fn read_every_fn(tx: &Transaction<'_>, jobs_upto: i64, now: UnixMillis) -> Result<(), WriteError> {
    let known: Vec<(String, u32, Option<String>)> = tx
        .prepare(
            "SELECT f.number, f.last_fd, (SELECT json_extract(g.facts, '$.inn') FROM registrations g WHERE g.fn = f.id \
             ORDER BY g.id DESC LIMIT 1) FROM fns f WHERE f.number NOT GLOB 'HELD*'",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    // An FN that the copy was about to read has no taxpayer yet, and stands in the readings already.
    for (number, last, tenant) in known {
        if let Some(inn) = tenant {
            let tenant = id_of(tx, "tenants", "inn", &inn, now)?;
            readings::begin_restore(tx, &number, tenant, last, jobs_upto, now)?;
        }
    }
    tx.execute(
        "UPDATE readings SET jobs_upto = ?1, began_at = ?2, why = CASE WHEN mark IS NULL THEN why ELSE 'restore' END, \
         read_fd = CASE WHEN mark IS NULL THEN NULL ELSE read_fd END, done_at = NULL",
        params![jobs_upto, now.0],
    )?;
    readings::seal_all(tx)?;
    Ok(())
}

fn hold_what_waits(tx: &Transaction<'_>, facts: &JournalFacts, now: UnixMillis) -> Result<(), WriteError> {
    let waiting: Vec<i64> = tx
        .prepare("SELECT id FROM jobs WHERE state IN ('ACCEPTED', 'RUNNING', 'IN_DOUBT') AND state = 'ACCEPTED'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let reason = Reason::new(
        Code::JournalRecovering,
        "this journal is a copy: the job may have been done after it was taken; the FNs are read first",
    );
    for job in waiting {
        held::begin(tx, facts, &Hold::of(tx, job, &reason, now)?)?;
    }
    Ok(())
}
