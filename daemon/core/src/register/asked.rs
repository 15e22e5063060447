//! What was asked of a document that is read back.
//!
//! Owns: the reads of the journal that tell it, and the buyer that stands for itself or by digests.
//! Must never: take a journal that cannot tell for one that says nothing.

use super::session::Session;
use crate::domain::audit::Entry;
use crate::domain::compare::Dropped;
use crate::domain::error::Reason;
use crate::domain::job::Job;
use crate::journal::{CareFound, CareWork, Query, Rows};
use kassette_receipts::hash::HashKey;
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;

/// What the journal says of a document.
pub(super) struct Asked {
    /// What it was to be, and what was told of it.
    pub(super) entry: Entry,
    /// The job, with its buyer unless that was dropped.
    pub(super) job: Option<Job>,
    /// What stays of a buyer that was dropped.
    pub(super) dropped: Option<Dropped>,
}

impl Session<'_> {
    /// What the journal says of a document, and the job it was made for.
    pub(super) async fn asked_for(&mut self, fd: FdNumber) -> Result<Asked, Reason> {
        let fn_number = self.adoption.fn_number.clone();
        let entry = self.shared.read(Query::Entry { fn_number, fd }).await;
        let Rows::Entry(entry) = entry.map_err(|error| error.reason)? else {
            return Err(Reason::new(
                Code::InternalFault,
                "the journal answered another question",
            ));
        };
        let Some(id) = entry.job else {
            return Ok(Asked {
                entry: *entry,
                job: None,
                dropped: None,
            });
        };
        let stored = match self.shared.read(Query::JobById(id)).await {
            Ok(Rows::Job(Some(stored))) => stored,
            Ok(_) => return Err(Reason::new(Code::JobNotFound, format!("job row {id}"))),
            Err(error) => return Err(error.reason),
        };
        let kept = stored.buyer.is_some();
        let job = self.shared.unseal(*stored).await.map_err(|error| error.reason)?;
        let dropped = if kept { None } else { self.dropped(id, &job).await? };
        Ok(Asked {
            entry: *entry,
            job: Some(job),
            dropped,
        })
    }

    /// What stays of the buyer of a job, if it had one that was dropped.
    async fn dropped(&mut self, id: i64, job: &Job) -> Result<Option<Dropped>, Reason> {
        let found = self.shared.read(Query::Care(CareWork::Digests(id))).await;
        let digests = match found.map_err(|error| error.reason)? {
            Rows::Care(CareFound::Digests(digests)) => digests,
            _ => {
                return Err(Reason::new(
                    Code::InternalFault,
                    "the journal answered another question",
                ));
            }
        };
        if digests.is_empty() {
            return Ok(None);
        }
        let keys = self.shared.keys(&job.tenant).await.map_err(|error| error.reason)?;
        Ok(Some(Dropped {
            key: HashKey::new(keys.content),
            job: job.key,
            digests,
        }))
    }
}
