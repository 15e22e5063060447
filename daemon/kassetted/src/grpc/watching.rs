//! How every watch runs: its bounded buffer, its heartbeats, and how it ends with its last cursor.
//!
//! Owns: the pace of a watch, its place among all watches, and when a reader counts as slow.
//! Must never: buffer without a bound, or hold the rack up for a slow reader.

use super::convert::findings::{At, Findings};
use super::convert::receipt::unknown_value;
use super::status::{invalid, refusal};
use super::surface::Surface;
use super::tokens;
use kassette_api::codes::Code;
use kassette_api::status::{CURSOR, ErrorDetails};
use kassette_api::v1;
use kassette_api::v1::watch_start::Start;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::Status;

/// Events that wait for one reader; each is a whole object.
const BUFFER: usize = 32;
/// Events of one read.
const BATCH: u32 = 64;
/// A heartbeat after this long without an event (design 4.1).
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long is ended.
const SLOW: Duration = Duration::from_secs(30);
/// When a client whose watch found no place may try again.
const RETRY: Duration = Duration::from_secs(5);

/// Events of one read.
pub struct Batch<E> {
    /// Every event with its sequence; nothing where the reader does not want it.
    pub rows: Vec<(u64, Option<E>)>,
    /// Everything up to here was seen.
    pub upto: u64,
}

/// Something that can be watched.
pub trait Watched: Send + Sync + 'static {
    /// What happened.
    type Event: Send;
    /// An event on its way, with its cursor.
    type Answer: Send + Unpin + 'static;

    /// Events after a sequence, in order.
    fn events(
        &mut self,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Batch<Self::Event>, ErrorDetails>> + Send;

    /// Says that the watch lives.
    fn heartbeat(&self) -> Self::Event;

    /// An event with the cursor that covers it.
    fn answer(cursor: String, event: Self::Event) -> Self::Answer;
}

/// How a watch ended, set by its producer. It overtakes what is still buffered: the reader continues from the cursor
/// of the last event it was given.
type End = Arc<Mutex<Option<ErrorDetails>>>;

/// The stream of one watch.
pub struct WatchStream<A> {
    events: mpsc::Receiver<(String, A)>,
    end: End,
    last_cursor: String,
    ended: bool,
}

impl<A: Unpin> Stream for WatchStream<A> {
    type Item = Result<A, Status>;

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
            Poll::Ready(Some((cursor, event))) => {
                self.last_cursor = cursor;
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

impl<A> WatchStream<A> {
    fn finish(&mut self, end: ErrorDetails) -> Status {
        self.ended = true;
        self.events.close();
        end.with(CURSOR, self.last_cursor.clone()).to_status()
    }
}

/// Begins a watch at the place that its reader names; a cursor whose events are not kept is the answer of the call and
/// not of its stream.
///
/// # Errors
/// `CURSOR_STALE`, `TOO_MANY_STREAMS`, or what is wrong with the start.
pub async fn begin<W: Watched>(
    surface: &Surface,
    start: Option<v1::WatchStart>,
    mut watched: W,
) -> Result<WatchStream<W::Answer>, ErrorDetails> {
    let generation = surface.snapshot().generation;
    let position = position(surface, generation, start).await?;
    watched.events(position, 1).await?;
    let place = Arc::clone(surface.watches()).try_acquire_owned();
    let place = place.map_err(|_| ErrorDetails::new(Code::TooManyStreams).with_retry_after(RETRY))?;
    let (sender, events) = mpsc::channel(BUFFER);
    let end = End::default();
    let producer = Producer {
        watched,
        generation,
        position,
        sender,
        _place: Some(place),
    };
    let (commits, stopping, told) = (surface.rack().sequence(), surface.stopping(), Arc::clone(&end));
    tokio::spawn(async move {
        let why = producer.run(commits, stopping).await;
        *told.lock().unwrap_or_else(PoisonError::into_inner) = why;
    });
    Ok(WatchStream {
        events,
        end,
        last_cursor: tokens::cursor(generation, position),
        ended: false,
    })
}

async fn position(surface: &Surface, generation: u16, start: Option<v1::WatchStart>) -> Result<u64, ErrorDetails> {
    let now = || *surface.rack().sequence().borrow();
    match start.and_then(|start| start.start) {
        None => Ok(now()),
        Some(Start::Cursor(cursor)) => tokens::read_cursor(generation, &cursor),
        Some(Start::Origin(value)) => match v1::WatchOrigin::try_from(value) {
            Ok(v1::WatchOrigin::Unspecified | v1::WatchOrigin::Now) => Ok(now()),
            Ok(v1::WatchOrigin::Oldest) => surface.rack().oldest_event().await.map_err(refusal),
            Err(_) => {
                let mut findings = Findings::default();
                unknown_value(&mut findings, &At::top("start").field("origin"), value);
                Err(invalid(Code::RequestInvalid, findings))
            }
        },
    }
}

struct Producer<W: Watched> {
    watched: W,
    generation: u16,
    position: u64,
    sender: mpsc::Sender<(String, W::Answer)>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<W: Watched> Producer<W> {
    /// Runs until the reader goes (`None`) or the watch has to end.
    async fn run(
        mut self,
        mut commits: watch::Receiver<u64>,
        mut stopping: watch::Receiver<bool>,
    ) -> Option<ErrorDetails> {
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
                let beat = self.watched.heartbeat();
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
        let Batch { rows, upto } = self.watched.events(self.position, BATCH).await.map_err(Some)?;
        let more = rows.len() >= BATCH as usize;
        for (sequence, event) in rows {
            if let Some(event) = event {
                self.send(sequence, event).await?;
                *heartbeat = Instant::now() + HEARTBEAT;
            }
            self.position = self.position.max(sequence);
        }
        self.position = self.position.max(upto);
        Ok(more)
    }

    async fn send(&self, sequence: u64, event: W::Event) -> Result<(), Option<ErrorDetails>> {
        let cursor = tokens::cursor(self.generation, sequence);
        match tokio::time::timeout(SLOW, self.sender.reserve()).await {
            Ok(Ok(place)) => {
                place.send((cursor.clone(), W::answer(cursor, event)));
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

    /// Counts: each number is an event, the third of each three is not wanted.
    struct Numbers(u64);

    impl Watched for Numbers {
        type Event = Option<u64>;
        type Answer = (String, Option<u64>);

        async fn events(&mut self, after: u64, limit: u32) -> Result<Batch<Self::Event>, ErrorDetails> {
            let last = self.0.min(after + u64::from(limit));
            let wanted = |number: u64| (!number.is_multiple_of(3)).then_some(Some(number));
            let rows = (after + 1..=last).map(|number| (number, wanted(number))).collect();
            Ok(Batch { rows, upto: last })
        }

        fn heartbeat(&self) -> Self::Event {
            None
        }

        fn answer(cursor: String, event: Self::Event) -> Self::Answer {
            (cursor, event)
        }
    }

    struct Bench {
        stream: WatchStream<(String, Option<u64>)>,
        commits: watch::Sender<u64>,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<()>,
    }

    fn bench(numbers: u64) -> Bench {
        let (sender, events) = mpsc::channel(BUFFER);
        let (commits, committed) = watch::channel(0);
        let (stop, stopping) = watch::channel(false);
        let end = End::default();
        let producer = Producer {
            watched: Numbers(numbers),
            generation: 1,
            position: 0,
            sender,
            _place: None,
        };
        let told = Arc::clone(&end);
        let task = tokio::spawn(async move {
            let why = producer.run(committed, stopping).await;
            *told.lock().unwrap() = why;
        });
        let stream = WatchStream {
            events,
            end,
            last_cursor: "none".into(),
            ended: false,
        };
        Bench {
            stream,
            commits,
            stop,
            task,
        }
    }

    fn ended(status: &Status) -> (Code, String) {
        let details = status.error_details().unwrap();
        (details.code, details.metadata[CURSOR].clone())
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_for_30_s_is_ended_with_the_cursor_of_the_last_event_it_got() {
        let mut bench = bench(1_000);
        let (cursor, first) = bench.stream.next().await.unwrap().unwrap();
        assert_eq!((cursor.as_str(), first), (tokens::cursor(1, 1).as_str(), Some(1)));
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert!(!bench.task.is_finished());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(
            bench.task.is_finished(),
            "its place is free before the reader does anything"
        );
        let status = bench.stream.next().await.unwrap().unwrap_err();
        assert_eq!(ended(&status), (Code::WatchTooSlow, cursor));
        assert!(bench.stream.next().await.is_none(), "nothing follows the end");
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_carry_the_cursor_past_events_that_the_reader_does_not_want() {
        let mut bench = bench(3);
        for wanted in [Some(1), Some(2), None, None] {
            let (cursor, event) = bench.stream.next().await.unwrap().unwrap();
            assert_eq!(event, wanted);
            assert_eq!(cursor, tokens::cursor(1, wanted.unwrap_or(3)));
        }
        bench.commits.send_replace(4);
        bench.stop.send_replace(true);
        let status = bench.stream.next().await.unwrap().unwrap_err();
        assert_eq!(ended(&status), (Code::DaemonStopping, tokens::cursor(1, 3)));
    }

    #[tokio::test]
    async fn a_producer_that_died_ends_its_watch_with_an_error() {
        let (sender, events) = mpsc::channel::<(String, u64)>(BUFFER);
        let mut stream = WatchStream {
            events,
            end: End::default(),
            last_cursor: "c0".into(),
            ended: false,
        };
        drop(sender);
        let status = stream.next().await.unwrap().unwrap_err();
        assert_eq!(ended(&status), (Code::InternalFault, "c0".into()));
    }
}
