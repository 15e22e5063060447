//! Verification of a whole journal, for people: every row, and every row against the others.
//!
//! Owns: the report.
//! Must never: write, or stop at the first thing it finds.

use super::audit::{ALL_CONTRADICTIONS, ALL_SUMS, ids, sums};
use super::care;
use super::open::{Fault, OpenError, read_facts, version};
use super::store::connect_to_read;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// Most findings that are told in words; the others are counted.
const FINDINGS_TOLD: usize = 100;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Verification {
    /// Rows looked at, by what they are.
    pub rows: BTreeMap<&'static str, u64>,
    /// What is wrong, in words; at most a hundred.
    pub findings: Vec<String>,
    /// Further findings that are only counted.
    pub more: u64,
}

impl Verification {
    /// Whether nothing was found.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    fn problem(&mut self, text: String) {
        if self.findings.len() < FINDINGS_TOLD {
            self.findings.push(text);
        } else {
            self.more += 1;
        }
    }
}

/// Reads a whole journal and compares every row with its checksum and with the other rows. The daemon may run
/// meanwhile; what is read is the journal at one instant.
///
/// # Errors
/// [`OpenError`] when there is no journal that this program can read. Damage is no error: it stands in the report.
pub fn verify(path: &Path) -> Result<Verification, OpenError> {
    let mut report = Verification::default();
    match verify_into(path, &mut report) {
        Ok(()) => Ok(report),
        Err(Fault::Damaged(why)) => {
            report.problem(why);
            Ok(report)
        }
        Err(fault) => Err(fault.at(path.display().to_string())),
    }
}

fn verify_into(path: &Path, report: &mut Verification) -> Result<(), Fault> {
    let conn = connect_to_read(path)?;
    // One read transaction, so that the rows belong together.
    conn.execute_batch("BEGIN")?;
    let words: Vec<String> = conn
        .prepare("PRAGMA integrity_check(100)")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for word in words.into_iter().filter(|word| word != "ok") {
        report.problem(word);
    }
    match version(&conn)? {
        0 => return Err(Fault::Damaged("it is empty".into())),
        // A journal that was not migrated yet has none of these rows.
        1 | 2 => conn.execute_batch(
            "CREATE TEMP TABLE generations (id, generation, at, why, sum); \
             CREATE TEMP TABLE readings (id, number, tenant, why, began_at, adopted, jobs_upto, mark, read_fd, span_from, \
             done_at, sum); CREATE TEMP TABLE orphans (id, number, fd, state, stops, job, sum)",
        )?,
        _ => {}
    }
    if let Err(fault) = read_facts(&conn) {
        match fault {
            Fault::Damaged(why) => report.problem(why),
            other => return Err(other),
        }
    }
    check_sums(&conn, report)?;
    for (statement, what) in ALL_CONTRADICTIONS {
        for id in ids(&conn, statement)? {
            report.problem(format!("{what} (row {id})"));
        }
    }
    for fault in care::verify_archives(&conn)? {
        report.problem(fault.to_string());
    }
    let dangling = "SELECT COALESCE(rowid, 0) FROM pragma_foreign_key_check";
    for id in ids(&conn, dangling)? {
        report.problem(format!("a row names another that is not there (row {id})"));
    }
    Ok(())
}

fn check_sums(conn: &Connection, report: &mut Verification) -> Result<(), Fault> {
    for (what, statement, sum) in ALL_SUMS.into_iter().chain(care::SUMS) {
        let found = sums(conn, what, statement, sum)?;
        // Some tables have two sums for each row.
        let counted = report.rows.entry(what).or_default();
        *counted = found.rows.max(*counted);
        for bad in found.bad {
            report.problem(bad);
        }
    }
    Ok(())
}
