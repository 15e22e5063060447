//! `WatchDoubts`: each change of a doubt at least once, in order per doubt.
//!
//! Owns: which doubts a watch shows.
//! Must never: show a doubt whose tenant its reader may not see now.

use super::Look;
use crate::grpc::convert::time::timestamp;
use crate::grpc::status::refusal;
use crate::grpc::surface::Surface;
use crate::grpc::watching::{Batch, Watched};
use crate::identity::ClientIdentity;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::watch_doubts_response::Event;
use kassette_wire::value::Inn;

pub(super) struct DoubtWatch {
    pub surface: Surface,
    pub caller: ClientIdentity,
    pub tenant: Option<Inn>,
}

impl Watched for DoubtWatch {
    type Event = Event;
    type Answer = v1::WatchDoubtsResponse;

    async fn events(&mut self, after: u64, limit: u32) -> Result<Batch<Event>, ErrorDetails> {
        let read = self.surface.rack().doubt_events(after, limit).await;
        let (events, upto) = read.map_err(refusal)?;
        let look = Look {
            caller: self.caller.clone(),
            grants: self.surface.grants().await?,
        };
        let shown = events.into_iter().map(|(sequence, doubt)| {
            let tenant = &doubt.doubt.tenant;
            let wanted = look.sees(tenant) && self.tenant.as_ref().is_none_or(|wanted| wanted == tenant);
            (sequence, wanted.then(|| Event::Doubt(look.show(&doubt))))
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
        v1::WatchDoubtsResponse {
            cursor,
            event: Some(event),
        }
    }
}
