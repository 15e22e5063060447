use super::*;
use std::sync::mpsc;

/// A store whose transactions wait for the test, so that what piles up behind one is known.
struct Held {
    begun: mpsc::Sender<usize>,
    ends: mpsc::Receiver<Batch<Held>>,
    idles: mpsc::Sender<()>,
}

impl BatchStore for Held {
    type Command = u32;
    type Reply = u32;

    fn apply(&mut self, batch: Vec<u32>) -> Batch<Self> {
        self.begun.send(batch.len()).unwrap();
        match self.ends.recv().unwrap() {
            Batch::Done(_) => Batch::Done(batch),
            other => other,
        }
    }

    fn idle(&mut self) {
        let _ = self.idles.send(());
    }
}

struct Bench {
    committer: Arc<GroupCommitter<Held>>,
    thread: WriterThread,
    begun: mpsc::Receiver<usize>,
    ends: mpsc::Sender<Batch<Held>>,
    idles: mpsc::Receiver<()>,
}

const BOUND: Duration = Duration::from_secs(10);

fn bench(queue_max: usize) -> Bench {
    let (begun_tx, begun) = mpsc::channel();
    let (ends, ends_rx) = mpsc::channel();
    let (idles_tx, idles) = mpsc::channel();
    let store = Held {
        begun: begun_tx,
        ends: ends_rx,
        idles: idles_tx,
    };
    let (committer, thread) = GroupCommitter::start(store, queue_max).unwrap();
    Bench {
        committer: Arc::new(committer),
        thread,
        begun,
        ends,
        idles,
    }
}

impl Bench {
    fn commit(&self, value: u32) -> tokio::task::JoinHandle<Committed<u32>> {
        let committer = Arc::clone(&self.committer);
        tokio::spawn(async move { committer.commit(value).await })
    }

    /// Waits until so many changes stand in the queue or in the transaction.
    async fn until_taken(&self, places: usize, taken: usize) {
        while self.committer.places.available_permits() != places - taken {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_piles_up_behind_a_transaction_goes_into_the_next_one_and_nothing_is_answered_before() {
    let bench = bench(1024);
    let first = bench.commit(0);
    assert_eq!(bench.begun.recv_timeout(BOUND), Ok(1));
    let waiting: Vec<_> = (1..=300).map(|value| bench.commit(value)).collect();
    bench.until_taken(1024, 301).await;
    assert!(!first.is_finished() && waiting.iter().all(|task| !task.is_finished()));
    bench.ends.send(Batch::Done(Vec::new())).unwrap();
    assert_eq!(first.await.unwrap(), Committed::Done(0));
    assert_eq!(bench.begun.recv_timeout(BOUND), Ok(256));
    bench.ends.send(Batch::Done(Vec::new())).unwrap();
    assert_eq!(bench.begun.recv_timeout(BOUND), Ok(44));
    bench.ends.send(Batch::Done(Vec::new())).unwrap();
    for (value, task) in (1..=300).zip(waiting) {
        assert_eq!(task.await.unwrap(), Committed::Done(value), "each gets its own answer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_commit_of_unknown_end_everything_is_stopped() {
    let bench = bench(64);
    let first = bench.commit(1);
    assert_eq!(bench.begun.recv_timeout(BOUND), Ok(1));
    let behind = bench.commit(2);
    bench.until_taken(64, 2).await;
    bench.ends.send(Batch::Stopped("fsync: EIO".into())).unwrap();
    assert_eq!(first.await.unwrap(), Committed::Stopped);
    assert_eq!(behind.await.unwrap(), Committed::Stopped);
    assert_eq!(bench.commit(3).await.unwrap(), Committed::Stopped);
    assert_eq!(bench.thread.close().as_deref(), Some("fsync: EIO"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_later_commits_are_tried_again() {
    let bench = bench(64);
    bench.ends.send(Batch::Full).unwrap();
    assert_eq!(bench.commit(1).await.unwrap(), Committed::Full);
    bench.ends.send(Batch::Done(Vec::new())).unwrap();
    assert_eq!(bench.commit(2).await.unwrap(), Committed::Done(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits_and_refuses_what_comes_later() {
    let bench = bench(64);
    let first = bench.commit(1);
    assert_eq!(bench.begun.recv_timeout(BOUND), Ok(1));
    let second = bench.commit(2);
    bench.until_taken(64, 2).await;
    let Bench {
        committer,
        thread,
        ends,
        idles,
        begun: _begun,
    } = bench;
    let closing = tokio::task::spawn_blocking(move || thread.close());
    ends.send(Batch::Done(Vec::new())).unwrap();
    ends.send(Batch::Done(Vec::new())).unwrap();
    assert_eq!(first.await.unwrap(), Committed::Done(1));
    assert_eq!(second.await.unwrap(), Committed::Done(2));
    assert_eq!(closing.await.unwrap(), None);
    assert!(idles.try_iter().count() >= 1, "the store is folded before it is closed");
    assert_eq!(committer.commit(3).await, Committed::Stopped);
}

#[tokio::test]
async fn a_quiet_store_is_folded_once_and_not_every_second() {
    let bench = bench(4);
    bench.idles.recv_timeout(BOUND).unwrap();
    assert!(bench.idles.recv_timeout(QUIET * 3).is_err());
}

struct Echo;

impl QueryReader for Echo {
    type Query = u32;
    type Answer = (u32, String);

    fn read(&self, query: &u32) -> (u32, String) {
        (*query, std::thread::current().name().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn readers_answer_on_their_own_threads_and_end_with_the_pool() {
    let pool = ReaderPool::start(vec![Echo, Echo], 8).unwrap();
    for query in 0..20 {
        let (answer, thread) = pool.read(query).await.unwrap();
        assert_eq!(answer, query);
        assert!(thread.starts_with("journal-read-"), "{thread}");
    }
    assert!(
        ReaderPool::<Echo>::start(Vec::new(), 8)
            .unwrap()
            .read(1)
            .await
            .is_none()
    );
}
