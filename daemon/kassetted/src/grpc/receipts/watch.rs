//! `WatchReceipts`: each change of a job at least once, in order per job.
//!
//! Owns: which jobs a watch shows, and that it follows the grants.
//! Must never: show a job of a tenant whose grant was taken back.

use crate::grpc::access::{self, Grants, Scope};
use crate::grpc::convert::filter::{self, JobMatch};
use crate::grpc::convert::findings::At;
use crate::grpc::convert::time::timestamp;
use crate::grpc::status::{invalid, refusal};
use crate::grpc::surface::Surface;
use crate::grpc::watching::{self, Batch, WatchStream, Watched};
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::watch_receipts_response::Event;
use tonic::Request;

const PARENT: At<'static> = At::top("parent");

/// Begins a watch.
pub(super) async fn watch(
    surface: &Surface,
    request: Request<v1::WatchReceiptsRequest>,
) -> Result<WatchStream<v1::WatchReceiptsResponse>, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let given = request.into_inner();
    let scope = grants.scope(&caller, &PARENT, &given.parent)?;
    let wanted = filter::jobs(given.filter).map_err(|findings| invalid(Code::RequestInvalid, findings))?;
    let watched = Jobs {
        surface: surface.clone(),
        caller,
        parent: given.parent,
        scope,
        scope_version: grants.version,
        wanted,
    };
    watching::begin(surface, given.start, watched).await
}

struct Jobs {
    surface: Surface,
    caller: ClientIdentity,
    parent: String,
    scope: Scope,
    scope_version: u64,
    wanted: JobMatch,
}

impl Jobs {
    /// Follows the plan: new grants widen the watch, and one that was taken back ends it.
    fn follow(&mut self, grants: &Grants) -> Result<(), ErrorDetails> {
        if grants.version != self.scope_version {
            self.scope = grants.scope(&self.caller, &PARENT, &self.parent)?;
            self.scope_version = grants.version;
        }
        Ok(())
    }
}

impl Watched for Jobs {
    type Event = Event;
    type Answer = v1::WatchReceiptsResponse;

    async fn events(&mut self, after: u64, limit: u32) -> Result<Batch<Event>, ErrorDetails> {
        let grants = self.surface.grants().await?;
        self.follow(&grants)?;
        let read = self.surface.rack().job_events(self.scope.only.clone(), after, limit);
        let (events, upto) = read.await.map_err(refusal)?;
        let shown = events.into_iter().map(|event| {
            let wanted = self.scope.tenants.contains(&event.job.tenant) && self.wanted.fits(&event.job);
            if wanted && event.job.client == self.caller.name() {
                self.surface.rack().shown(&event.job);
            }
            let job = wanted.then(|| Event::ReceiptJob(self.surface.show(&grants, event.job)));
            (event.sequence, job)
        });
        Ok(Batch {
            rows: shown.collect(),
            upto,
        })
    }

    fn heartbeat(&self) -> Event {
        Event::Heartbeat(v1::Heartbeat {
            time: Some(timestamp(self.surface.clock().now())),
        })
    }

    fn answer(cursor: String, event: Event) -> Self::Answer {
        v1::WatchReceiptsResponse {
            cursor,
            event: Some(event),
        }
    }
}
