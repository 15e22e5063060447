//! What the journal knows, and its archives, read for a comparison.
//!
//! Owns: the statements over FNs, attempts, documents and jobs that a comparison needs.
//! Must never: judge, or look into the journal alone for what may have left it for an archive.

use super::super::care::{self, KeySelect};
use super::super::open::Fault;
use super::super::orders::meta;
use super::super::query::{ReadError, StoredJob};
use super::super::rows::{self, damaged};
use crate::domain::attempt::{Evidence, KeyPlace};
use crate::domain::job::DocumentRow;
use crate::parts::UnixMillis;
use kassette_receipts::job_key::{Generation, JobKey, RackId};
use kassette_wire::value::FnNumber;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;

/// The journal and its archives.
pub(super) struct Books {
    /// The journal, inside one read transaction.
    pub journal: Connection,
    /// The archives, newest first.
    archives: Vec<Connection>,
    pub rack: Option<RackId>,
    pub generation: Option<Generation>,
}

/// One FN.
pub(super) struct FnFacts {
    /// Documents up to here were in the FN before the journal made its first.
    pub mark: u32,
    /// Last number that the journal knows.
    pub last_fd: u32,
    /// Baseline of the attempt that is not resolved, if there is one.
    pub unresolved: Option<u32>,
}

/// A document of the journal.
pub(super) struct Known {
    pub row: DocumentRow,
    pub evidence: Evidence,
    /// Where its key stands; none for documents that are no job's.
    pub place: Option<KeyPlace>,
    pub job: Option<i64>,
}

/// A document that the journal names on an FN.
pub(super) struct Named {
    pub fd: u32,
    pub job: Option<JobKey>,
    pub at: UnixMillis,
}

impl Books {
    /// Opens the archives of a journal; tells those that cannot be opened.
    pub fn open(journal: Connection) -> Result<(Self, Vec<ReadError>), Fault> {
        let rack = meta(&journal, "rack_id")?.and_then(|text| text.parse().ok());
        let generation = meta(&journal, "generation")?.and_then(|text| Generation::new(text.parse().ok()?).ok());
        let (mut archives, mut missing) = (Vec::new(), Vec::new());
        for archive in care::open_all(&journal)? {
            match archive {
                Ok(conn) => archives.push(conn),
                Err(error) => missing.push(error),
            }
        }
        let books = Self {
            journal,
            archives,
            rack,
            generation,
        };
        Ok((books, missing))
    }

    /// The journal, then its archives.
    fn all(&self) -> impl Iterator<Item = &Connection> {
        std::iter::once(&self.journal).chain(&self.archives)
    }

    /// Jobs of the journal and of its archives, each once.
    pub fn jobs(&self) -> Result<u64, Fault> {
        let mut count: u64 = self
            .journal
            .query_row("SELECT COUNT(*) FROM jobs", [], |row| row.get(0))?;
        for archive in &self.archives {
            let mut statement = archive.prepare("SELECT id FROM jobs")?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                // A row that is still on its way out stands in both.
                count += u64::from(!rows::is_here(&self.journal, "jobs", row.get(0)?)?);
            }
        }
        Ok(count)
    }

    /// What is known of an FN; none if the journal never knew it.
    pub fn fn_facts(&self, number: &FnNumber) -> Result<Option<FnFacts>, Fault> {
        let found = self
            .journal
            .prepare_cached("SELECT id, last_fd FROM fns WHERE number = ?1")?
            .query_row([number.as_str()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?))
            })
            .optional()?;
        let Some((row, last_fd)) = found else { return Ok(None) };
        let mut mark: Option<u32> = None;
        for conn in self.all() {
            let first: Option<u32> = conn
                .prepare_cached("SELECT MIN(i.baseline) FROM intents i JOIN fns f ON f.id = i.fn WHERE f.number = ?1")?
                .query_row([number.as_str()], |row| row.get(0))?;
            mark = [mark, first].into_iter().flatten().min();
        }
        let unresolved = self
            .journal
            .prepare_cached("SELECT baseline FROM intents WHERE fn = ?1 AND state IN ('open', 'in_doubt')")?
            .query_row([row], |row| row.get(0))
            .optional()?;
        Ok(Some(FnFacts {
            mark: mark.unwrap_or(last_fd),
            last_fd,
            unresolved,
        }))
    }

    /// What is known of a document.
    pub fn known(&self, number: &FnNumber, fd: u32) -> Result<Option<Known>, Fault> {
        for conn in self.all() {
            let condition = "f.number = ?1 AND d.fd = ?2";
            let found = rows::documents(conn, rows::WITHOUT_SIGN, condition, params![number.as_str(), fd])?.pop();
            let Some(found) = found else { continue };
            let (job, intent, place): (Option<i64>, i64, Option<String>) = conn
                .prepare_cached(
                    "SELECT d.job, i.id, i.key_place FROM documents d JOIN intents i ON i.id = d.intent WHERE d.id = ?1",
                )?
                .query_row([found.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let place = place.map(|text| rows::key_place(intent, &text)).transpose()?;
            return Ok(Some(Known {
                row: found.row,
                evidence: found.evidence,
                place,
                job,
            }));
        }
        Ok(None)
    }

    /// A job by its row number.
    pub fn job(&self, id: i64) -> Result<Option<StoredJob>, Fault> {
        match rows::jobs(&self.journal, "j.id = ?1", [id])?.pop() {
            Some(found) => Ok(Some(found)),
            None => Ok(care::find(&self.journal, &KeySelect::Id(id))?),
        }
    }

    /// A job by its key. The index may have dropped the key of one that its archive still holds.
    pub fn job_with(&self, key: &JobKey) -> Result<Option<StoredJob>, Fault> {
        for conn in self.all() {
            if let Some(found) = rows::jobs(conn, "j.key = ?1", [key.as_str()])?.pop() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Digests of a buyer that was dropped: tag and hexadecimal digest of each; none when nothing was dropped.
    pub fn digests(&self, job: i64) -> Result<Vec<(u16, String)>, Fault> {
        for conn in self.all() {
            let found: Option<String> = conn
                .prepare_cached("SELECT digests FROM contact_digests WHERE job = ?1")?
                .query_row([job], |row| row.get(0))
                .optional()?;
            if let Some(text) = found {
                return Ok(serde_json::from_str(&text).map_err(|error| damaged("digest", job, error))?);
            }
        }
        Ok(Vec::new())
    }

    /// Whether a shift report stands inside an attempt that made a document above it, or was seen as one by a resolution.
    pub fn within_an_attempt(&self, number: &FnNumber, fd: u32) -> Result<bool, Fault> {
        for conn in self.all() {
            let found: bool = conn
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM intents i JOIN fns f ON f.id = i.fn \
                     LEFT JOIN documents d ON d.intent = i.id LEFT JOIN resolutions r ON r.intent = i.id \
                     WHERE f.number = ?1 AND i.baseline < ?2 AND (d.fd > ?2 OR EXISTS (SELECT 1 FROM \
                     json_each(r.scan, '$.documents') e WHERE json_extract(e.value, '$[0]') = ?2)))",
                )?
                .query_row(params![number.as_str(), fd], |row| row.get(0))?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Documents that the journal names on an FN and `skip` does not know.
    pub fn named(&self, number: &FnNumber, skip: impl Fn(u32) -> bool) -> Result<BTreeMap<u32, Named>, Fault> {
        let mut named = BTreeMap::new();
        for conn in self.all() {
            let mut statement = conn.prepare_cached(
                "SELECT d.fd, j.key, d.at, d.id FROM documents d JOIN fns f ON f.id = d.fn \
                 LEFT JOIN jobs j ON j.id = d.job WHERE f.number = ?1",
            )?;
            let mut found = statement.query([number.as_str()])?;
            while let Some(row) = found.next()? {
                let fd = row.get(0)?;
                if skip(fd) {
                    continue;
                }
                let (key, id): (Option<String>, i64) = (row.get(1)?, row.get(3)?);
                let job = key.map(JobKey::try_from).transpose();
                let job = job.map_err(|error| damaged("document", id, error))?;
                let at = UnixMillis(row.get(2)?);
                named.insert(fd, Named { fd, job, at });
            }
        }
        Ok(named)
    }

    /// Every FN of the journal and how many documents are named there.
    pub fn all_fns(&self) -> Result<BTreeMap<String, u64>, Fault> {
        let mut all = BTreeMap::new();
        for conn in self.all() {
            let mut statement = conn.prepare_cached(
                "SELECT f.number, COUNT(d.id) FROM fns f LEFT JOIN documents d ON d.fn = f.id GROUP BY f.number",
            )?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                *all.entry(row.get(0)?).or_default() += row.get::<_, u64>(1)?;
            }
        }
        Ok(all)
    }

    /// Attempts that are not resolved: their FN and job.
    pub fn unresolved(&self) -> Result<Vec<(String, Option<String>)>, Fault> {
        let found = self
            .journal
            .prepare_cached(
                "SELECT f.number, j.key FROM intents i JOIN fns f ON f.id = i.fn LEFT JOIN jobs j ON j.id = i.job \
                 WHERE i.state IN ('open', 'in_doubt') ORDER BY i.id",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(found)
    }

    /// Keys of completed jobs that name no document.
    pub fn without_document(&self) -> Result<Vec<String>, Fault> {
        let found = self
            .journal
            .prepare_cached(
                "SELECT j.key FROM jobs j WHERE j.state = 'COMPLETED' \
                 AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.job = j.id)",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(found)
    }
}
