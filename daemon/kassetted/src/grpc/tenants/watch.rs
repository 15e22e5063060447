//! `WatchTenants`: each change of a tenant's settings at least once, in order per tenant.
//!
//! Owns: which tenants a watch shows.
//! Must never: show a tenant that its reader may not see now.

use super::Tenants;
use crate::grpc::convert::time::timestamp;
use crate::grpc::status::refusal;
use crate::grpc::watching::{Batch, Watched};
use crate::identity::ClientIdentity;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::watch_tenants_response::Event;

pub(super) struct TenantWatch {
    pub service: Tenants,
    pub caller: ClientIdentity,
}

impl Watched for TenantWatch {
    type Event = Event;
    type Answer = v1::WatchTenantsResponse;

    async fn events(&mut self, after: u64, limit: u32) -> Result<Batch<Event>, ErrorDetails> {
        let read = self.service.surface.rack().tenant_events(after, limit).await;
        let (events, upto) = read.map_err(refusal)?;
        if events.is_empty() {
            return Ok(Batch { rows: Vec::new(), upto });
        }
        let look = self.service.look(&self.caller).await?;
        let scene = look.scene(&self.caller);
        let shown = events.into_iter().map(|(sequence, inn)| {
            let tenant = look.visible(&self.caller, &inn).then(|| scene.tenant(&inn)).flatten();
            (sequence, tenant.map(Event::Tenant))
        });
        Ok(Batch {
            rows: shown.collect(),
            upto,
        })
    }

    fn heartbeat(&self) -> Event {
        Event::Heartbeat(v1::Heartbeat {
            time: Some(timestamp(self.service.surface.clock().now())),
        })
    }

    fn answer(cursor: String, event: Event) -> Self::Answer {
        v1::WatchTenantsResponse {
            cursor,
            event: Some(event),
        }
    }
}
