//! The threads between the asynchronous core and the synchronous journal: one writer with group commit, few readers.
//!
//! Owns: the threads, their bounded queues, and the rule that nothing is answered before it is durable.
//! Must never: look into a command or a row, or go on after a commit whose end is unknown.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Most commands in one transaction (`exactly-once` section 10: 256 to 512).
const BATCH_MAX: usize = 256;
/// Silence after which the write-ahead log is folded into the file.
const QUIET: Duration = Duration::from_secs(1);

/// What the writer thread drives.
pub trait BatchStore: Send + 'static {
    /// One change.
    type Command: Send + 'static;
    /// Its answer.
    type Reply: Send + 'static;
    /// Makes all changes in one transaction.
    fn apply(&mut self, batch: Vec<Self::Command>) -> Batch<Self>;
    /// Called after a quiet second, and before the store is closed.
    fn idle(&mut self);
}

/// How a transaction ended.
pub enum Batch<S: BatchStore + ?Sized> {
    /// Durable; one answer for each change, in order.
    Done(Vec<S::Reply>),
    /// Rolled back, confirmed: nothing changed.
    Full,
    /// Unknown: the journal must be opened again.
    Stopped(String),
}

/// The answer to one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed<R> {
    /// Durable.
    Done(R),
    /// The disk is full; nothing changed.
    Full,
    /// It is not known whether it changed, and nothing will be committed any more.
    Stopped,
}

struct Waiting<S: BatchStore> {
    command: S::Command,
    answer: oneshot::Sender<Committed<S::Reply>>,
    _place: OwnedSemaphorePermit,
}

enum Message<S: BatchStore> {
    Commit(Waiting<S>),
    Close,
}

/// The way to the writer thread.
pub struct GroupCommitter<S: BatchStore> {
    places: Arc<Semaphore>,
    queue: Sender<Message<S>>,
    stopped: Arc<AtomicBool>,
}

/// The writer thread itself.
pub struct WriterThread {
    close: Box<dyn FnOnce() + Send>,
    thread: JoinHandle<Option<String>>,
}

impl<S: BatchStore> GroupCommitter<S> {
    /// Starts the writer; at most `queue_max` changes wait.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(store: S, queue_max: usize) -> std::io::Result<(Self, WriterThread)> {
        let (queue, waiting) = channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let thread = Builder::new()
            .name("journal".into())
            .spawn(move || write(store, &waiting, &seen))?;
        let closing = queue.clone();
        let close = Box::new(move || drop(closing.send(Message::Close)));
        let places = Arc::new(Semaphore::new(queue_max));
        Ok((Self { places, queue, stopped }, WriterThread { close, thread }))
    }

    /// Makes one change durable. Waits for a place in the queue first; dropping this while it waits for its answer
    /// does not take the change back.
    pub async fn commit(&self, command: S::Command) -> Committed<S::Reply> {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return Committed::Stopped;
        };
        if self.stopped.load(Ordering::Acquire) {
            return Committed::Stopped;
        }
        let (answer, answered) = oneshot::channel();
        let message = Message::Commit(Waiting {
            command,
            answer,
            _place: place,
        });
        if self.queue.send(message).is_err() {
            return Committed::Stopped;
        }
        answered.await.unwrap_or(Committed::Stopped)
    }
}

impl WriterThread {
    /// Ends the writer after what waits, closes the store, and tells why it had stopped before, if it had. Blocks.
    #[must_use]
    pub fn close(self) -> Option<String> {
        (self.close)();
        self.thread
            .join()
            .unwrap_or_else(|_| Some("the journal thread panicked".into()))
    }

    /// Whether the writer has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

/// The writer's life; returns why it stopped, or nothing after an ordered end.
fn write<S: BatchStore>(mut store: S, queue: &Receiver<Message<S>>, stopped: &AtomicBool) -> Option<String> {
    let mut quiet_done = false;
    loop {
        let first = match queue.recv_timeout(QUIET) {
            Ok(Message::Commit(waiting)) => waiting,
            Err(RecvTimeoutError::Timeout) => {
                if !quiet_done {
                    store.idle();
                    quiet_done = true;
                }
                continue;
            }
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => {
                stopped.store(true, Ordering::Release);
                store.idle();
                return None;
            }
        };
        quiet_done = false;
        let (batch, closing) = gather(first, queue);
        if let Err(reason) = commit_batch(&mut store, batch, stopped) {
            return Some(reason);
        }
        if closing {
            stopped.store(true, Ordering::Release);
            store.idle();
            return None;
        }
    }
}

/// What waits now, up to a batch; and whether the order to close stood behind it.
fn gather<S: BatchStore>(first: Waiting<S>, queue: &Receiver<Message<S>>) -> (Vec<Waiting<S>>, bool) {
    let mut batch = vec![first];
    while batch.len() < BATCH_MAX {
        match queue.try_recv() {
            Ok(Message::Commit(waiting)) => batch.push(waiting),
            Ok(Message::Close) => return (batch, true),
            Err(_) => break,
        }
    }
    (batch, false)
}

fn commit_batch<S: BatchStore>(store: &mut S, batch: Vec<Waiting<S>>, stopped: &AtomicBool) -> Result<(), String> {
    let mut answers = Vec::with_capacity(batch.len());
    let mut commands = Vec::with_capacity(batch.len());
    let mut places = Vec::with_capacity(batch.len());
    for Waiting {
        command,
        answer,
        _place,
    } in batch
    {
        commands.push(command);
        answers.push(answer);
        places.push(_place);
    }
    let result = match store.apply(commands) {
        Batch::Done(replies) if replies.len() == answers.len() => {
            for (answer, reply) in answers.into_iter().zip(replies) {
                // A caller that is gone learns the outcome from the journal.
                drop(answer.send(Committed::Done(reply)));
            }
            return Ok(());
        }
        Batch::Done(replies) => Err(format!("{} answers to {} changes", replies.len(), answers.len())),
        Batch::Stopped(reason) => Err(reason),
        Batch::Full => Ok(()),
    };
    if result.is_err() {
        // Before any answer: whoever asks again after this one must not find the door open.
        stopped.store(true, Ordering::Release);
    }
    for answer in answers {
        drop(answer.send(if result.is_ok() {
            Committed::Full
        } else {
            Committed::Stopped
        }));
    }
    drop(places);
    result
}

/// What a reader thread drives.
pub trait QueryReader: Send + 'static {
    /// A question.
    type Query: Send + 'static;
    /// Its answer, errors included.
    type Answer: Send + 'static;
    /// Reads at one commit sequence.
    fn read(&self, query: &Self::Query) -> Self::Answer;
}

struct Asked<R: QueryReader> {
    query: R::Query,
    answer: oneshot::Sender<R::Answer>,
    _place: OwnedSemaphorePermit,
}

/// Few read-only connections, each on a thread of its own.
pub struct ReaderPool<R: QueryReader> {
    places: Arc<Semaphore>,
    queue: Sender<Asked<R>>,
}

impl<R: QueryReader> ReaderPool<R> {
    /// Starts one thread for each reader; at most `queue_max` questions wait.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(readers: Vec<R>, queue_max: usize) -> std::io::Result<Self> {
        let (queue, asked) = channel();
        let asked = Arc::new(Mutex::new(asked));
        for (index, reader) in readers.into_iter().enumerate() {
            let asked = Arc::clone(&asked);
            Builder::new()
                .name(format!("journal-read-{index}"))
                .spawn(move || answer_all(&reader, &asked))?;
        }
        Ok(Self {
            places: Arc::new(Semaphore::new(queue_max)),
            queue,
        })
    }

    /// Reads; `None` when no reader is left.
    pub async fn read(&self, query: R::Query) -> Option<R::Answer> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(Asked {
                query,
                answer,
                _place: place,
            })
            .ok()?;
        answered.await.ok()
    }
}

fn answer_all<R: QueryReader>(reader: &R, queue: &Mutex<Receiver<Asked<R>>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Asked { query, answer, _place }) = next else {
            return;
        };
        // Nobody waits any more: a long list is not read for the wall.
        if !answer.is_closed() {
            drop(answer.send(reader.read(&query)));
        }
    }
}

#[cfg(test)]
mod tests;
