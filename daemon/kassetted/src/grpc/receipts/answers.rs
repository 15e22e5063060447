//! The answers of one stream of submissions on their way to a client that may take its time.
//!
//! Owns: the bounded buffer of answers, how a stream ends after them, and when a client counts as one that takes none.
//! Must never: hold an answer or a place for a client that takes nothing.

use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_stream::Stream;
use tonic::Status;

/// How often it is looked whether the client takes answers.
const LOOK: Duration = Duration::from_secs(5);
/// A stream whose client took none of its waiting answers at so many looks is ended: after 30 s, as a watch is.
const LOOKS_MAX: u32 = 6;

/// One answer of a stream, or its end.
pub type Answered = Result<v1::SubmitReceiptsResponse, Status>;

#[derive(Debug)]
struct Shared {
    /// Gone once the stream was given up: what it held is let go at once, also when nobody polls it any more.
    waiting: Mutex<Option<mpsc::Receiver<Answered>>>,
    taken: AtomicU64,
    /// What follows the last answer; nothing when the client itself ended the stream.
    end: Mutex<Option<ErrorDetails>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both sides of one stream's answers, at most `room` of them waiting.
pub(super) fn answers(room: usize) -> (Desk, Answers) {
    let (sender, waiting) = mpsc::channel(room);
    let (here, left) = oneshot::channel();
    let shared = Arc::new(Shared {
        waiting: Mutex::new(Some(waiting)),
        taken: AtomicU64::new(0),
        end: Mutex::default(),
    });
    let desk = Desk {
        sender,
        left,
        shared: Arc::clone(&shared),
    };
    let answers = Answers {
        shared,
        ended: false,
        _here: here,
    };
    (desk, answers)
}

/// The side that answers.
#[derive(Debug)]
pub(super) struct Desk {
    sender: mpsc::Sender<Answered>,
    left: oneshot::Receiver<Infallible>,
    shared: Arc<Shared>,
}

impl Desk {
    /// Where answers go.
    pub(super) fn sender(&self) -> mpsc::Sender<Answered> {
        self.sender.clone()
    }

    /// Waits for the work that answers, then until the client has taken what it answered. A client that takes nothing
    /// for 30 s, or is gone, ends both.
    pub(super) async fn attend(mut self, work: impl Future<Output = Option<ErrorDetails>>) {
        let mut patience = Patience::new(&self.shared);
        let end = tokio::select! {
            biased;
            // Whether it was dropped or sent: the client is gone, and needs no reason.
            _ = &mut self.left => return,
            () = patience.ends() => return self.shared.give_up(),
            end = work => end,
        };
        *lock(&self.shared.end) = end;
        drop(self.sender);
        tokio::select! {
            biased;
            _ = &mut self.left => {}
            () = patience.ends() => self.shared.give_up(),
        }
    }
}

impl Shared {
    /// How many answers the client has taken, and whether others wait for it.
    fn progress(&self) -> (u64, bool) {
        let waits = lock(&self.waiting).as_ref().is_some_and(|waiting| !waiting.is_empty());
        (self.taken.load(Ordering::Relaxed), waits)
    }

    /// Ends the stream: its client repeats what was not answered, under its keys.
    fn give_up(&self) {
        *lock(&self.end) = Some(ErrorDetails::new(Code::AnswersNotTaken));
        lock(&self.waiting).take();
    }
}

/// Looks now and then whether the client takes its answers.
struct Patience<'a> {
    shared: &'a Shared,
    looks: tokio::time::Interval,
    taken: u64,
    in_vain: u32,
}

impl<'a> Patience<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            shared,
            looks,
            taken: 0,
            in_vain: 0,
        }
    }

    /// Returns when answers have waited all the time and the client took none. A slow commit is not its fault.
    async fn ends(&mut self) {
        while self.in_vain < LOOKS_MAX {
            self.looks.tick().await;
            let (taken, waits) = self.shared.progress();
            if waits && taken == self.taken {
                self.in_vain += 1;
            } else {
                (self.taken, self.in_vain) = (taken, 0);
            }
        }
    }
}

/// The side of the client.
#[derive(Debug)]
pub struct Answers {
    shared: Arc<Shared>,
    ended: bool,
    /// Its drop tells the desk that the client is gone.
    _here: oneshot::Sender<Infallible>,
}

impl Stream for Answers {
    type Item = Answered;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = match &mut *lock(&self.shared.waiting) {
            Some(waiting) => waiting.poll_recv(cx),
            None => Poll::Ready(None),
        };
        match next {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(answer)) => {
                self.shared.taken.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Some(answer))
            }
            Poll::Ready(None) => {
                self.ended = true;
                let end = lock(&self.shared.end).take();
                Poll::Ready(end.map(|end| Err(end.to_status())))
            }
        }
    }
}
