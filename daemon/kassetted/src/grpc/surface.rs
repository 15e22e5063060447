//! What every service of the surface shares: the rack's handle, the clock, limits and the grants in force.
//!
//! Owns: the cache of grants, one for each version of the plan.
//! Must never: keep a second truth of units or jobs.

use super::access::Grants;
use super::convert::job::job as shown_job;
use super::status::refusal;
use crate::backup::Files;
use crate::identity::ApiLimits;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::job::Job;
use kassette_core::domain::snapshot::RackSnapshot;
use kassette_core::parts::WallClock;
use kassette_core::rack::RackHandle;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// Most watches of all clients together; each holds a small bounded buffer.
pub const WATCHES_MAX: usize = 1024;

/// Most streams of submissions of all clients together; each holds up to 256 items and their answers.
pub const SUBMISSION_STREAMS_MAX: usize = 64;

/// What the host gives the surface.
pub struct SurfaceParts {
    /// The rack.
    pub rack: RackHandle,
    /// The host clock.
    pub clock: Arc<dyn WallClock>,
    /// Limits of every caller.
    pub limits: ApiLimits,
    /// What a backup holds.
    pub files: Files,
    /// Becomes true when the daemon stops: waits answer soon and watches end.
    pub stopping: watch::Receiver<bool>,
}

/// Shared by all services; cheap to clone.
#[derive(Clone)]
pub struct Surface {
    inner: Arc<Inner>,
}

struct Inner {
    parts: SurfaceParts,
    grants: Mutex<Option<Arc<Grants>>>,
    watches: Arc<Semaphore>,
    submission_streams: Arc<Semaphore>,
}

impl Surface {
    /// A surface of a started rack.
    #[must_use]
    pub fn new(parts: SurfaceParts) -> Self {
        let inner = Inner {
            parts,
            grants: Mutex::new(None),
            watches: Arc::new(Semaphore::new(WATCHES_MAX)),
            submission_streams: Arc::new(Semaphore::new(SUBMISSION_STREAMS_MAX)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The rack.
    #[must_use]
    pub fn rack(&self) -> &RackHandle {
        &self.inner.parts.rack
    }

    /// The host clock.
    #[must_use]
    pub fn clock(&self) -> &dyn WallClock {
        &*self.inner.parts.clock
    }

    /// Limits of every caller.
    #[must_use]
    pub fn limits(&self) -> &ApiLimits {
        &self.inner.parts.limits
    }

    /// What a backup holds.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.inner.parts.files
    }

    /// Places for watches.
    #[must_use]
    pub fn watches(&self) -> &Arc<Semaphore> {
        &self.inner.watches
    }

    /// Places for streams of submissions.
    #[must_use]
    pub fn submission_streams(&self) -> &Arc<Semaphore> {
        &self.inner.submission_streams
    }

    /// Tells when the daemon stops.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.parts.stopping.clone()
    }

    /// The latest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<RackSnapshot> {
        Arc::clone(&self.rack().snapshot().borrow())
    }

    /// The grants in force: those of the plan's version in the latest snapshot, or newer.
    ///
    /// # Errors
    /// When the plan cannot be read.
    pub async fn grants(&self) -> Result<Arc<Grants>, ErrorDetails> {
        let version = self.snapshot().plan_version;
        let kept = self.inner.grants.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| kept.version >= version) {
            return Ok(kept);
        }
        let (plan, version) = self.rack().plan().await.map_err(refusal)?;
        let fresh = Arc::new(Grants::of(&plan, version));
        *self.inner.grants.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// A job as the contract shows it.
    #[must_use]
    pub fn show(&self, grants: &Grants, job: Job) -> v1::ReceiptJob {
        let zone_minutes = grants.zone_minutes(&job.tenant);
        shown_job(job, zone_minutes)
    }
}
