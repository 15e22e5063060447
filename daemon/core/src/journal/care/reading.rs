//! Reads that go on in the archives: one job, and pages of jobs and documents.
//!
//! Owns: which files a read must look into, and how their rows and those of the journal become one page.
//! Must never: leave out rows of an archive without saying so: a file that is not there ends the read with its name.

use super::super::query::{PAGE_MAX, ReadError, StoredJob};
use super::super::rows;
use super::files::{self, ArchiveRow};
use super::keys::{self, KeyRecord, KeySelect};
use crate::domain::job::{DocumentRow, JobFilter, Page};
use rusqlite::Connection;

/// Most archive files that one read opens; what lies behind them comes with the next page.
const FILES_MAX: usize = 4;

/// The job of an archive: as it stands there, with what only the journal knows of it now.
fn load(conn: &Connection, record: &KeyRecord) -> Result<StoredJob, ReadError> {
    let row = files::archive(conn, record.archive)?;
    let file = files::open(conn, &row)?;
    let found = files::told_of(&row, rows::jobs(&file, "j.id = ?1", [record.id]))?;
    let stored = found.into_iter().next();
    let mut stored = stored.ok_or_else(|| rows::damaged("archived job", record.id, "its archive does not hold it"))?;
    now(conn, &mut stored, Some(record))?;
    Ok(stored)
}

/// Brings a job of an archive up to date: who stands in for whom, and its buyer while that is kept.
fn now(conn: &Connection, stored: &mut StoredJob, record: Option<&KeyRecord>) -> Result<(), ReadError> {
    let found;
    let record = match record {
        Some(record) => Some(record),
        None => {
            found = keys::find(conn, &KeySelect::Id(stored.id))?;
            found.as_ref()
        }
    };
    if let Some(record) = record {
        (stored.job.replaces, stored.job.replaced_by) = (record.replaces, record.replaced_by);
    }
    stored.buyer = rows::sealed(conn, "archived_contacts", stored.id)?;
    Ok(())
}

/// A job that is not in the journal any more.
pub(in super::super) fn find(conn: &Connection, select: &KeySelect) -> Result<Option<StoredJob>, ReadError> {
    let record = keys::find(conn, select)?;
    record.map(|record| load(conn, &record)).transpose()
}

/// Rows of one source in the order of the page, and the number up to which it was looked through; absent: to its end.
struct Part<T> {
    rows: Vec<(i64, T)>,
    next: Option<i64>,
}

/// A page of jobs, newest first: `hot` is the journal's own page for the same question, `ask` that of an archive.
pub(in super::super) fn jobs(
    conn: &Connection,
    filter: &JobFilter,
    after: Option<i64>,
    limit: u32,
    hot: Page<StoredJob>,
    ask: impl Fn(&Connection) -> Result<Page<StoredJob>, ReadError>,
) -> Result<Page<StoredJob>, ReadError> {
    let unfinished = !filter.states.is_empty() && filter.states.iter().all(|state| !state.is_final());
    if unfinished || filter.needs_person == Some(true) {
        return Ok(hot);
    }
    let mut files = files::archives(conn)?;
    files.retain(|row| may_hold(row, filter) && row.jobs.is_some_and(|(first, _)| first < after.unwrap_or(i64::MAX)));
    if files.is_empty() {
        return Ok(hot);
    }
    files.sort_by_key(|row| std::cmp::Reverse(row.jobs.map(|range| range.1)));
    let (sequence, mut looked) = (hot.sequence, hot.looked);
    let part = |page: Page<StoredJob>| Part {
        rows: page.rows.into_iter().map(|stored| (stored.id, stored)).collect(),
        next: page.next,
    };
    let mut all = part(hot);
    for (opened, row) in files.iter().enumerate() {
        let last = row.jobs.map_or(0, |range| range.1);
        if all.next.is_some_and(|next| last < next) {
            break;
        }
        if opened == FILES_MAX {
            all.next = Some(all.next.map_or(last + 1, |next| next.max(last + 1)));
            break;
        }
        let page = files::told_of(row, ask(&files::open(conn, row)?))?;
        looked = looked.saturating_add(page.looked);
        let more = part(page);
        // A row that is still on its way out stands in both; the journal's is the one that counts.
        for (id, stored) in more.rows {
            if !rows::is_here(conn, "jobs", id)? {
                all.rows.push((id, stored));
            }
        }
        all.next = all.next.max(more.next);
    }
    all.rows.retain(|(id, _)| all.next.is_none_or(|next| *id >= next));
    all.rows.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    let limit = limit.clamp(1, PAGE_MAX) as usize;
    if all.rows.len() > limit {
        all.rows.truncate(limit);
        all.next = all.rows.last().map(|(id, _)| *id);
    }
    let mut found: Vec<StoredJob> = all.rows.into_iter().map(|(_, stored)| stored).collect();
    for stored in &mut found {
        if !rows::is_here(conn, "jobs", stored.id)? {
            now(conn, stored, None)?;
        }
    }
    Ok(Page {
        rows: found,
        next: all.next,
        looked,
        sequence,
    })
}

fn may_hold(row: &ArchiveRow, filter: &JobFilter) -> bool {
    let Some((from, until)) = row.accepted else {
        return false;
    };
    filter.accepted_from.is_none_or(|at| until >= at.0) && filter.accepted_until.is_none_or(|at| from < at.0)
}

/// A page of documents, oldest first, each with its row number; the sources as for jobs.
pub(in super::super) fn documents(
    conn: &Connection,
    after: Option<i64>,
    limit: u32,
    hot: Vec<(i64, DocumentRow)>,
    ask: impl Fn(&Connection) -> Result<Vec<(i64, DocumentRow)>, ReadError>,
) -> Result<Vec<(i64, DocumentRow)>, ReadError> {
    // Each source gives one row more than the page, so that a full one tells how far it reaches.
    let full = limit as usize + 1;
    let mut files = files::archives(conn)?;
    files.retain(|row| row.documents.is_some_and(|(_, last)| last > after.unwrap_or(0)));
    files.sort_by_key(|row| row.documents.map(|range| range.0));
    let mut all = hot;
    for row in &files {
        let first = row.documents.map_or(0, |range| range.0);
        if all.len() >= full && all.get(full - 1).is_some_and(|(id, _)| *id < first) {
            break;
        }
        let more = files::told_of(row, ask(&files::open(conn, row)?))?;
        for (id, document) in more {
            if !rows::is_here(conn, "documents", id)? {
                all.push((id, document));
            }
        }
        all.sort_by_key(|(id, _)| *id);
        all.truncate(full);
    }
    Ok(all)
}
