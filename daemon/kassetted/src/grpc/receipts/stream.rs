//! `SubmitReceipts`: many submissions over one call, each answered as its commit happens.
//!
//! Owns: how much of a stream is in flight, and how a stream of submissions ends.
//! Must never: read an item that has no place for its answer, or let one item's error end the others.

use super::answers::{Answered, Answers, answers};
use super::submit;
use crate::grpc::access;
use crate::grpc::codes_layer::of_library;
use crate::grpc::convert::findings::{At, quote};
use crate::grpc::status::invalid_field;
use crate::grpc::surface::Surface;
use crate::identity::{ClientIdentity, Role};
use futures_util::stream::FuturesUnordered;
use kassette_api::codes::Code;
use kassette_api::status::{ErrorDetails, StatusExt};
use kassette_api::v1;
use kassette_api::v1::submit_receipts_response::Outcome;
use prost::Message as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::watch;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Status, Streaming};

/// Items that were read and whose answers the client has not taken; at this many the stream is not read (design 4.1).
const IN_FLIGHT: usize = 256;
/// Bytes of items that wait for their commit; above it the stream is not read either. One item may exceed it.
const BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;
/// Longest `item_id`: as long as a key of a client.
const ITEM_ID_CHARS_MAX: usize = 128;
/// When a client whose stream found no place may try again.
const RETRY: Duration = Duration::from_secs(5);
/// The path of the method, for errors of the library.
const METHOD: &str = "/kassette.v1.ReceiptService/SubmitReceipts";

/// Begins a stream of submissions.
pub(super) fn submit_all(
    surface: &Surface,
    request: Request<Streaming<v1::SubmitReceiptsRequest>>,
) -> Result<Answers, ErrorDetails> {
    let caller = access::caller_with(&request, Role::Provider)?;
    let place = Arc::clone(surface.submission_streams()).try_acquire_owned();
    let place = place.map_err(|_| ErrorDetails::new(Code::TooManyStreams).with_retry_after(RETRY))?;
    let (desk, answers) = answers(IN_FLIGHT);
    let stopping = surface.stopping();
    let surface = surface.clone();
    let answer = move |item| answer(surface.clone(), caller.clone(), item);
    let work = run(request.into_inner(), answer, desk.sender(), stopping);
    tokio::spawn(async move {
        // The place is held as long as answers may be kept, not only as long as items are read.
        let _held = place;
        desk.attend(work).await;
    });
    Ok(answers)
}

/// What became of one item. The grants are asked for each: one that was taken back ends with the next item.
async fn answer(
    surface: Surface,
    caller: ClientIdentity,
    item: v1::SubmitReceiptsRequest,
) -> v1::SubmitReceiptsResponse {
    let outcome = match named(&item) {
        Ok(()) => stored(&surface, &caller, item.submit).await,
        Err(error) => Err(error),
    };
    v1::SubmitReceiptsResponse {
        item_id: item.item_id.chars().take(ITEM_ID_CHARS_MAX).collect(),
        outcome: Some(match outcome {
            Ok(submitted) => Outcome::Submitted(submitted),
            Err(error) => Outcome::Error(error.to_rpc_status()),
        }),
    }
}

/// That the answer can be told from others.
fn named(item: &v1::SubmitReceiptsRequest) -> Result<(), ErrorDetails> {
    if submit::printable(&item.item_id, ITEM_ID_CHARS_MAX) {
        return Ok(());
    }
    let id = quote(&item.item_id);
    let text = format!("{id} is not 1 to {ITEM_ID_CHARS_MAX} printable characters");
    Err(invalid_field(Code::RequestInvalid, &At::top("item_id"), text))
}

async fn stored(
    surface: &Surface,
    caller: &ClientIdentity,
    given: Option<v1::SubmitReceiptRequest>,
) -> Result<v1::SubmitReceiptResponse, ErrorDetails> {
    let given = given.ok_or_else(|| invalid_field(Code::RequestInvalid, &At::top("submit"), "is missing"))?;
    let stored = submit::store(surface, caller, given).await?;
    Ok(stored.shown(surface))
}

/// Reads items and answers them until the client has sent all, breaks off, or the daemon stops. What was read is
/// answered before the stream ends, with the error that follows if the client did not end it; a client that broke off
/// repeats under its keys.
async fn run<S, F, A>(
    mut items: S,
    answer: F,
    sender: mpsc::Sender<Answered>,
    mut stopping: watch::Receiver<bool>,
) -> Option<ErrorDetails>
where
    S: Stream<Item = Result<v1::SubmitReceiptsRequest, Status>> + Unpin,
    F: Fn(v1::SubmitReceiptsRequest) -> A,
    A: Future<Output = v1::SubmitReceiptsResponse>,
{
    let mut in_flight = FuturesUnordered::new();
    let mut bytes = 0_usize;
    let (mut reading, mut end) = (true, None);
    while reading || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(done) = in_flight.next() => bytes = bytes.saturating_sub(done),
            // A dropped sender means that the daemon is going down as well.
            _ = stopping.wait_for(|stopping| *stopping), if reading => {
                reading = false;
                end = Some(ErrorDetails::new(Code::DaemonStopping));
            }
            read = next(&sender, &mut items), if reading && bytes < BYTES_IN_FLIGHT => match read {
                Next::Item(place, item) => {
                    let size = item.encoded_len();
                    bytes += size;
                    let answered = answer(*item);
                    in_flight.push(Box::pin(async move {
                        place.send(Ok(answered.await));
                        size
                    }));
                }
                Next::End(why) => (reading, end) = (false, why),
            },
        }
    }
    end
}

enum Next {
    /// An item, and the place of its answer.
    Item(OwnedPermit<Answered>, Box<v1::SubmitReceiptsRequest>),
    /// No item follows, and why when the client did not end it.
    End(Option<ErrorDetails>),
}

/// The next item once there is a place for its answer. Dropping it loses nothing: the place goes back, and an item is
/// taken from the stream only when it is returned.
async fn next<S>(sender: &mpsc::Sender<Answered>, items: &mut S) -> Next
where
    S: Stream<Item = Result<v1::SubmitReceiptsRequest, Status>> + Unpin,
{
    let Ok(place) = sender.clone().reserve_owned().await else {
        return Next::End(None);
    };
    match items.next().await {
        Some(Ok(item)) => Next::Item(place, Box::new(item)),
        Some(Err(status)) => Next::End(Some(
            status.error_details().unwrap_or_else(|| of_library(&status, METHOD)),
        )),
        None => Next::End(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    type Items = mpsc::UnboundedSender<Result<v1::SubmitReceiptsRequest, Status>>;

    /// A stream whose commits happen when the test lets them.
    struct Bench {
        items: Option<Items>,
        commits: Arc<Semaphore>,
        read: Arc<AtomicUsize>,
        answers: Answers,
        stop: watch::Sender<bool>,
        served: tokio::task::JoinHandle<()>,
    }

    impl Bench {
        fn new() -> Self {
            let (items, given) = mpsc::unbounded_channel();
            let (desk, answers) = answers(IN_FLIGHT);
            let (stop, stopping) = watch::channel(false);
            let (commits, read) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
            let (allowed, counted) = (Arc::clone(&commits), Arc::clone(&read));
            let answer = move |item: v1::SubmitReceiptsRequest| {
                counted.fetch_add(1, Ordering::SeqCst);
                let allowed = Arc::clone(&allowed);
                async move {
                    allowed.acquire().await.unwrap().forget();
                    v1::SubmitReceiptsResponse {
                        item_id: item.item_id,
                        outcome: None,
                    }
                }
            };
            let work = run(UnboundedReceiverStream::new(given), answer, desk.sender(), stopping);
            let served = tokio::spawn(desk.attend(work));
            Self {
                items: Some(items),
                commits,
                read,
                answers,
                stop,
                served,
            }
        }

        fn give(&self, range: std::ops::Range<usize>, bytes: usize) {
            for at in range {
                let submit = v1::SubmitReceiptRequest {
                    external_id: "k".repeat(bytes),
                    ..Default::default()
                };
                let item = v1::SubmitReceiptsRequest {
                    item_id: at.to_string(),
                    submit: Some(submit),
                };
                self.items.as_ref().unwrap().send(Ok(item)).unwrap();
            }
        }

        /// How many were read once nothing moves any more: the test runs on one thread.
        async fn read(&self) -> usize {
            for _ in 0..10_000 {
                tokio::task::yield_now().await;
            }
            self.read.load(Ordering::SeqCst)
        }

        async fn take(&mut self, count: usize) -> BTreeSet<usize> {
            let mut taken = BTreeSet::new();
            for _ in 0..count {
                taken.insert(self.answers.next().await.unwrap().unwrap().item_id.parse().unwrap());
            }
            taken
        }
    }

    #[tokio::test]
    async fn with_256_in_flight_nothing_is_read_until_the_client_takes_an_answer() {
        let mut bench = Bench::new();
        bench.give(0..600, 1);
        assert_eq!(bench.read().await, IN_FLIGHT);
        bench.commits.add_permits(600);
        assert_eq!(bench.read().await, IN_FLIGHT, "answers that nobody took are in flight");
        assert_eq!(bench.take(1).await.len(), 1);
        assert_eq!(bench.read().await, IN_FLIGHT + 1);
        bench.items = None;
        assert_eq!(bench.take(599).await.len(), 599, "each item is answered once");
        assert!(bench.answers.next().await.is_none(), "the stream ends without an error");
    }

    #[tokio::test]
    async fn large_items_stop_the_reading_before_their_number_does() {
        let mut bench = Bench::new();
        bench.give(0..10, BYTES_IN_FLIGHT / 4);
        assert_eq!(bench.read().await, 4);
        bench.commits.add_permits(10);
        assert_eq!(bench.take(10).await.len(), 10);
    }

    #[tokio::test]
    async fn when_the_daemon_stops_what_was_read_is_answered_and_nothing_more_is_read() {
        let mut bench = Bench::new();
        bench.give(0..5, 1);
        assert_eq!(bench.read().await, 5);
        bench.stop.send_replace(true);
        assert_eq!(bench.read().await, 5);
        bench.give(5..9, 1);
        bench.commits.add_permits(9);
        assert_eq!(bench.take(5).await, BTreeSet::from([0, 1, 2, 3, 4]));
        let end = bench.answers.next().await.unwrap().unwrap_err();
        assert_eq!(end.error_details().unwrap().code, Code::DaemonStopping);
        assert!(bench.answers.next().await.is_none());
    }

    #[tokio::test]
    async fn an_item_that_cannot_be_read_ends_the_stream_with_a_code_after_the_answers_of_those_before() {
        let mut bench = Bench::new();
        bench.give(0..3, 1);
        let broken = Status::internal("failed to decode Protobuf message");
        bench.items.as_ref().unwrap().send(Err(broken)).unwrap();
        bench.commits.add_permits(3);
        assert_eq!(bench.take(3).await.len(), 3);
        let end = bench.answers.next().await.unwrap().unwrap_err();
        assert_eq!(end.error_details().unwrap().code, Code::RequestInvalid);
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_answer_for_30_s_is_ended_and_its_place_is_free() {
        for ended_its_side in [false, true] {
            let mut bench = Bench::new();
            bench.give(0..3, 1);
            bench.commits.add_permits(3);
            if ended_its_side {
                bench.items = None;
            }
            after(29).await;
            assert!(!bench.served.is_finished());
            after(7).await;
            assert!(
                bench.served.is_finished(),
                "the place is free before the client does anything"
            );
            let end = bench.answers.next().await.unwrap().unwrap_err();
            assert_eq!(end.error_details().unwrap().code, Code::AnswersNotTaken);
            assert!(bench.answers.next().await.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_an_answer_now_and_then_is_never_ended() {
        let mut bench = Bench::new();
        bench.give(0..IN_FLIGHT + 20, 1);
        bench.commits.add_permits(IN_FLIGHT + 20);
        for _ in 0..20 {
            after(24).await;
            bench.take(1).await;
        }
        assert!(!bench.served.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn commits_that_take_long_are_not_the_fault_of_the_client() {
        let mut bench = Bench::new();
        bench.give(0..IN_FLIGHT, 1);
        after(600).await;
        bench.commits.add_permits(IN_FLIGHT);
        assert_eq!(bench.take(IN_FLIGHT).await.len(), IN_FLIGHT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_of_the_daemon_does_not_wait_for_a_client_that_takes_nothing() {
        let bench = Bench::new();
        bench.give(0..IN_FLIGHT + 1, 1);
        bench.commits.add_permits(IN_FLIGHT);
        after(1).await;
        bench.stop.send_replace(true);
        after(35).await;
        assert!(bench.served.is_finished());
    }

    #[test]
    fn an_item_without_a_usable_name_is_refused() {
        let item = |item_id: &str| v1::SubmitReceiptsRequest {
            item_id: item_id.into(),
            submit: None,
        };
        assert!(named(&item("1")).is_ok());
        for bad in [String::new(), "x".repeat(ITEM_ID_CHARS_MAX + 1), "a\nb".into()] {
            assert_eq!(named(&item(&bad)).unwrap_err().code, Code::RequestInvalid, "{bad:?}");
        }
    }
}
