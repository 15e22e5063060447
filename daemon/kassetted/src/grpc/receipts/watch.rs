//! `WatchReceipts`: each change of a job at least once, in order per job.
//!
//! Owns: where a watch begins, its bounded buffer, heartbeats, and how a watch ends with its last cursor.
//! Must never: buffer without a bound, or hold the rack up for a slow reader.

use crate::grpc::access::{self, Grants, Scope};
use crate::grpc::convert::filter::{self, JobMatch};
use crate::grpc::convert::findings::At;
use crate::grpc::convert::receipt::unknown_value;
use crate::grpc::convert::time::timestamp;
use crate::grpc::status::{invalid, refusal};
use crate::grpc::surface::Surface;
use crate::grpc::tokens;
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::{CURSOR, ErrorDetails};
use kassette_api::v1;
use kassette_api::v1::watch_receipts_response::Event;
use kassette_api::v1::watch_start::Start;
use kassette_core::domain::job::JobEvent;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::{Request, Status};

const PARENT: At<'static> = At::top("parent");
/// Events that wait for one reader; each is a whole job.
const BUFFER: usize = 32;
/// Events of one read.
const BATCH: u32 = 64;
/// A heartbeat after this long without an event (design 4.1).
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long is ended.
const SLOW: Duration = Duration::from_secs(30);
/// When a client whose watch found no place may try again.
const RETRY: Duration = Duration::from_secs(5);

/// How a watch ended, set by its producer. It overtakes what is still buffered: the reader continues from the cursor
/// of the last event it was given.
type End = Arc<Mutex<Option<ErrorDetails>>>;

/// The stream of one watch.
pub struct WatchStream {
    events: mpsc::Receiver<v1::WatchReceiptsResponse>,
    end: End,
    last_cursor: String,
    ended: bool,
}

impl Stream for WatchStream {
    type Item = Result<v1::WatchReceiptsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(end) = end {
            return Poll::Ready(Some(Err(self.finish(end))));
        }
        match self.events.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(event)) => {
                self.last_cursor.clone_from(&event.cursor);
                Poll::Ready(Some(Ok(event)))
            }
            // The producer is gone: it has said why, between the look above and now, or it died.
            Poll::Ready(None) => {
                let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
                let end = end.unwrap_or_else(|| ErrorDetails::new(Code::InternalFault));
                Poll::Ready(Some(Err(self.finish(end))))
            }
        }
    }
}

impl WatchStream {
    fn finish(&mut self, end: ErrorDetails) -> Status {
        self.ended = true;
        self.events.close();
        end.with(CURSOR, self.last_cursor.clone()).to_status()
    }
}

/// Begins a watch.
pub(super) async fn watch(
    surface: &Surface,
    request: Request<v1::WatchReceiptsRequest>,
) -> Result<WatchStream, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let grants = surface.grants().await?;
    let given = request.into_inner();
    let scope = grants.scope(&caller, &PARENT, &given.parent)?;
    let wanted = filter::jobs(given.filter).map_err(|findings| invalid(Code::RequestInvalid, findings))?;
    let generation = surface.snapshot().generation;
    let position = begin(surface, &scope, generation, given.start).await?;
    let place = Arc::clone(surface.watches()).try_acquire_owned();
    let place = place.map_err(|_| ErrorDetails::new(Code::TooManyStreams).with_retry_after(RETRY))?;
    let (sender, events) = mpsc::channel(BUFFER);
    let end = End::default();
    let producer = Producer {
        surface: surface.clone(),
        caller,
        parent: given.parent,
        scope,
        scope_version: grants.version,
        wanted,
        generation,
        position,
        sender,
        _place: place,
    };
    let told = Arc::clone(&end);
    tokio::spawn(async move {
        let why = producer.run().await;
        *told.lock().unwrap_or_else(PoisonError::into_inner) = why;
    });
    Ok(WatchStream {
        events,
        end,
        last_cursor: tokens::cursor(generation, position),
        ended: false,
    })
}

async fn begin(
    surface: &Surface,
    scope: &Scope,
    generation: u16,
    start: Option<v1::WatchStart>,
) -> Result<u64, ErrorDetails> {
    let now = || *surface.rack().sequence().borrow();
    match start.and_then(|start| start.start) {
        None => Ok(now()),
        Some(Start::Cursor(cursor)) => {
            let position = tokens::read_cursor(generation, &cursor)?;
            // Asked once here, so that a stale cursor is the answer of the call and not of its stream.
            surface
                .rack()
                .job_events(scope.only.clone(), position, 1)
                .await
                .map_err(refusal)?;
            Ok(position)
        }
        Some(Start::Origin(value)) => match v1::WatchOrigin::try_from(value) {
            Ok(v1::WatchOrigin::Unspecified | v1::WatchOrigin::Now) => Ok(now()),
            Ok(v1::WatchOrigin::Oldest) => surface.rack().oldest_event().await.map_err(refusal),
            Err(_) => {
                let mut findings = Default::default();
                unknown_value(&mut findings, &At::top("start").field("origin"), value);
                Err(invalid(Code::RequestInvalid, findings))
            }
        },
    }
}

struct Producer {
    surface: Surface,
    caller: ClientIdentity,
    parent: String,
    scope: Scope,
    scope_version: u64,
    wanted: JobMatch,
    generation: u16,
    position: u64,
    sender: mpsc::Sender<v1::WatchReceiptsResponse>,
    _place: OwnedSemaphorePermit,
}

impl Producer {
    /// Runs until the reader goes (`None`) or the watch has to end.
    async fn run(mut self) -> Option<ErrorDetails> {
        let mut commits = self.surface.rack().sequence();
        let mut stopping = self.surface.stopping();
        // The first heartbeat comes at once: from then on the reader holds a cursor.
        let mut heartbeat = Instant::now();
        loop {
            commits.mark_unchanged();
            match self.pass(&mut heartbeat).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(end) => return end,
            }
            if Instant::now() >= heartbeat {
                let beat = Event::Heartbeat(v1::Heartbeat {
                    time: Some(timestamp(self.surface.clock().now())),
                });
                if let Err(end) = self.send(self.position, beat).await {
                    return end;
                }
                heartbeat = Instant::now() + HEARTBEAT;
            }
            if let Err(end) = self.wait(&mut commits, &mut stopping, heartbeat).await {
                return end;
            }
        }
    }

    /// Waits for a commit or the next heartbeat.
    async fn wait(
        &self,
        commits: &mut watch::Receiver<u64>,
        stopping: &mut watch::Receiver<bool>,
        heartbeat: Instant,
    ) -> Result<(), Option<ErrorDetails>> {
        tokio::select! {
            biased;
            () = self.sender.closed() => Err(None),
            _ = stopping.wait_for(|stopping| *stopping) => Err(Some(ErrorDetails::new(Code::DaemonStopping))),
            changed = commits.changed() => changed.map_err(|_| Some(ErrorDetails::new(Code::DaemonStopping))),
            () = tokio::time::sleep_until(heartbeat) => Ok(()),
        }
    }

    /// Sends one batch of events; whether there may be more at once.
    async fn pass(&mut self, heartbeat: &mut Instant) -> Result<bool, Option<ErrorDetails>> {
        let grants = self.surface.grants().await.map_err(Some)?;
        self.follow(&grants).map_err(Some)?;
        let read = self
            .surface
            .rack()
            .job_events(self.scope.only.clone(), self.position, BATCH)
            .await;
        let (events, read_to) = read.map_err(|error| Some(refusal(error)))?;
        let more = events.len() >= BATCH as usize;
        for JobEvent { sequence, job } in events {
            if self.scope.tenants.contains(&job.tenant) && self.wanted.fits(&job) {
                let shown = self.surface.show(&grants, job);
                self.send(sequence, Event::ReceiptJob(shown)).await?;
                *heartbeat = Instant::now() + HEARTBEAT;
            }
            self.position = self.position.max(sequence);
        }
        self.position = self.position.max(read_to);
        Ok(more)
    }

    /// Follows the plan: new grants widen the watch, and one that was taken back ends it.
    fn follow(&mut self, grants: &Grants) -> Result<(), ErrorDetails> {
        if grants.version != self.scope_version {
            self.scope = grants.scope(&self.caller, &PARENT, &self.parent)?;
            self.scope_version = grants.version;
        }
        Ok(())
    }

    async fn send(&self, sequence: u64, event: Event) -> Result<(), Option<ErrorDetails>> {
        let cursor = tokens::cursor(self.generation, sequence);
        match tokio::time::timeout(SLOW, self.sender.reserve()).await {
            Ok(Ok(place)) => {
                place.send(v1::WatchReceiptsResponse {
                    cursor,
                    event: Some(event),
                });
                Ok(())
            }
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(ErrorDetails::new(Code::WatchTooSlow))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::status::StatusExt;
    use tokio_stream::StreamExt;

    fn event(cursor: &str) -> v1::WatchReceiptsResponse {
        v1::WatchReceiptsResponse {
            cursor: cursor.into(),
            event: None,
        }
    }

    #[tokio::test]
    async fn a_watch_that_is_ended_names_the_cursor_of_the_last_event_its_reader_got() {
        let (sender, events) = mpsc::channel(BUFFER);
        let end = End::default();
        let mut stream = WatchStream {
            events,
            end: Arc::clone(&end),
            last_cursor: "c0".into(),
            ended: false,
        };
        for cursor in ["c1", "c2", "c3"] {
            sender.send(event(cursor)).await.unwrap();
        }
        assert_eq!(stream.next().await.unwrap().unwrap().cursor, "c1");
        *end.lock().unwrap() = Some(ErrorDetails::new(Code::WatchTooSlow));
        let status = stream.next().await.unwrap().unwrap_err();
        let details = status.error_details().unwrap();
        assert_eq!(
            (details.code, details.metadata[CURSOR].as_str()),
            (Code::WatchTooSlow, "c1")
        );
        assert!(stream.next().await.is_none(), "nothing follows the end");
        assert!(sender.is_closed(), "the buffer is let go at once");
    }

    #[tokio::test]
    async fn a_producer_that_died_ends_its_watch_with_an_error() {
        let (sender, events) = mpsc::channel(BUFFER);
        let mut stream = WatchStream {
            events,
            end: End::default(),
            last_cursor: "c0".into(),
            ended: false,
        };
        drop(sender);
        let details = stream.next().await.unwrap().unwrap_err().error_details().unwrap();
        assert_eq!(
            (details.code, details.metadata[CURSOR].as_str()),
            (Code::InternalFault, "c0")
        );
    }
}
