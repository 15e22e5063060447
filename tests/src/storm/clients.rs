//! The clients of a storm: what each asks, how, and what it does when a call breaks.
//!
//! Owns: the manners of a good client (the same key again until it was answered) and of a careless one.
//! Must never: use a key for two sales but to see that refused, or give up a sale that was promised.

use super::dice::Dice;
use super::goods;
use super::sale::Sale;
use crate::api::{channel, details, duration};
use crate::requests::submission;
use futures_util::stream;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1::receipt_service_client::ReceiptServiceClient;
use kassette_api::v1::submit_receipts_response::Outcome;
use kassette_api::v1::{
    CancelReceiptRequest, Receipt, SubmitReceiptRequest, SubmitReceiptResponse, SubmitReceiptsRequest,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tonic::Status;
use tonic::transport::Channel;

/// How long a sale may wait for a register: longer than any storm, so that only faults end it without a document.
const TTL: Duration = Duration::from_secs(6 * 3600);
/// How long a client waits for a document before it goes on to its next sale.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause before a broken call is repeated.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Repeats of one call before the client says that the daemon is gone: two minutes.
const REPEATS_MAX: usize = 1200;
/// Most items of one stream.
const STREAM_MAX: u64 = 40;

/// What all clients share.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sales whose job was promised.
    pub accepted: AtomicUsize,
    /// Requests that were refused as they should be: other content under a used key, unlawful receipts.
    pub turned_away: AtomicUsize,
    /// Calls that were repeated.
    pub repeats: AtomicUsize,
    /// Longest time between two sales of a client.
    pub pace: Duration,
    /// No further sale begins.
    pub enough: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Counters {
    /// Of clients whose buyers come so far apart at most.
    #[must_use]
    pub fn paced(pace: Duration) -> Self {
        Self {
            pace,
            ..Self::default()
        }
    }

    /// Notes what must not be.
    pub fn wrong(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Everything that was noted.
    #[must_use]
    pub fn all_wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One client with a connection of its own.
pub struct Client {
    number: usize,
    dice: Dice,
    service: ReceiptServiceClient<Channel>,
    tenants: Arc<Vec<String>>,
    counters: Arc<Counters>,
    sales: Vec<Sale>,
    share: usize,
}

impl Client {
    /// Client `number` of a storm, who makes `share` sales.
    ///
    /// # Errors
    /// When nobody listens at the socket.
    pub async fn connect(
        (seed, number, share): (u64, usize, usize),
        socket: PathBuf,
        tenants: Arc<Vec<String>>,
        counters: Arc<Counters>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            number,
            dice: Dice::of(seed, &format!("client {number}")),
            service: ReceiptServiceClient::new(channel(socket).await?),
            tenants,
            counters,
            sales: Vec::new(),
            share,
        })
    }

    /// Makes all sales and gives the record of them.
    pub async fn run(mut self) -> Vec<Sale> {
        while self.sales.len() < self.share && !self.counters.enough.load(Ordering::Relaxed) {
            self.idle().await;
            match self.dice.between(0, 99) {
                0..=54 => Box::pin(self.wait_for_one()).await,
                55..=64 => Box::pin(self.leave_one()).await,
                65..=72 => Box::pin(self.stream_some()).await,
                73..=82 => Box::pin(self.break_off()).await,
                83..=88 => Box::pin(self.ask_twice()).await,
                89..=92 => Box::pin(self.change_content()).await,
                93..=94 => Box::pin(self.short_lived()).await,
                95..=96 => Box::pin(self.cancel()).await,
                _ => Box::pin(self.send_unlawful()).await,
            }
        }
        self.sales
    }

    /// The time until a buyer comes; none where nothing is said of it.
    async fn idle(&mut self) {
        let most = u64::try_from(self.counters.pace.as_millis()).unwrap_or(u64::MAX);
        if most > 0 {
            tokio::time::sleep(Duration::from_millis(self.dice.between(0, most))).await;
        }
    }

    fn wrong(&self, what: String) {
        self.counters.wrong(format!("client {}: {what}", self.number));
    }

    fn receipt(&mut self) -> (String, String, Receipt) {
        let key = format!("c{:02}-{:05}", self.number, self.sales.len());
        let inn = self.tenants[self.dice.below(self.tenants.len())].clone();
        let receipt = goods::draw(&mut self.dice, &key);
        (inn, key, receipt)
    }

    /// A new sale, not sent yet: its number in the record, and the request.
    fn sale(&mut self) -> (usize, SubmitReceiptRequest) {
        let (inn, key, receipt) = self.receipt();
        let mut request = submission(&inn, &key, receipt.clone());
        request.ttl = Some(duration(TTL));
        self.sales.push(Sale {
            inn,
            key,
            receipt,
            name: None,
            end: None,
        });
        (self.sales.len() - 1, request)
    }

    fn hear(&mut self, at: usize, answer: &SubmitReceiptResponse) {
        let Some(job) = &answer.receipt_job else {
            self.wrong(format!("sale {}: an answer without a job", self.sales[at].key));
            return;
        };
        let sale = &mut self.sales[at];
        if sale.name.is_none() {
            self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        } else if !answer.existing {
            let told = format!("sale {} was accepted a second time", sale.key);
            self.counters.wrong(told);
        }
        if let Some(wrong) = sale.hear(job) {
            self.wrong(wrong);
        }
    }

    /// Sends a request under its key until it is answered.
    async fn insist(&mut self, at: usize, request: &SubmitReceiptRequest) {
        for _ in 0..REPEATS_MAX {
            match self.service.submit_receipt(request.clone()).await {
                Ok(answer) => return self.hear(at, &answer.into_inner()),
                Err(status) if passes(&status) => self.pause().await,
                Err(status) => {
                    let key = &self.sales[at].key;
                    return self.wrong(format!("sale {key} was refused: {}", words(&status)));
                }
            }
        }
        let key = &self.sales[at].key;
        self.wrong(format!("sale {key}: no answer after {REPEATS_MAX} repeats"));
    }

    async fn pause(&self) {
        self.counters.repeats.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(AGAIN_AFTER).await;
    }

    async fn wait_for_one(&mut self) {
        let (at, mut request) = self.sale();
        request.wait = Some(duration(PATIENCE));
        self.insist(at, &request).await;
    }

    async fn leave_one(&mut self) {
        let (at, request) = self.sale();
        self.insist(at, &request).await;
    }

    /// Hangs up before the answer can have come, then asks again under the same key.
    async fn break_off(&mut self) {
        let (at, mut request) = self.sale();
        let short = Duration::from_micros(self.dice.between(0, 8000));
        let answer = tokio::time::timeout(short, self.service.submit_receipt(request.clone())).await;
        if let Ok(Ok(answer)) = answer {
            self.hear(at, &answer.into_inner());
        }
        self.counters.repeats.fetch_add(1, Ordering::Relaxed);
        request.wait = Some(duration(PATIENCE));
        self.insist(at, &request).await;
    }

    /// Two calls at the same time under one key: one job.
    async fn ask_twice(&mut self) {
        let (at, request) = self.sale();
        let (mut one, mut other) = (self.service.clone(), self.service.clone());
        let both = tokio::join!(
            one.submit_receipt(request.clone()),
            other.submit_receipt(request.clone())
        );
        let answers: Vec<_> = [both.0, both.1]
            .into_iter()
            .flatten()
            .map(tonic::Response::into_inner)
            .collect();
        if answers.iter().filter(|answer| !answer.existing).count() > 1 {
            let key = &self.sales[at].key;
            self.wrong(format!("sale {key}: two calls at once were both new"));
        }
        // The answer that says "new" is the first, whichever came first.
        for answer in answers
            .iter()
            .filter(|one| !one.existing)
            .chain(answers.iter().filter(|one| one.existing))
        {
            self.hear(at, answer);
        }
        self.insist(at, &request).await;
    }

    /// Another content under a used key is refused and changes nothing.
    async fn change_content(&mut self) {
        let (at, request) = self.sale();
        self.insist(at, &request).await;
        let other = SubmitReceiptRequest {
            receipt: request.receipt.as_ref().map(goods::altered),
            ..request.clone()
        };
        self.must_be_refused(at, other, Code::KeyConflict).await;
        self.insist(at, &request).await;
    }

    async fn send_unlawful(&mut self) {
        let (inn, key, receipt) = self.receipt();
        let request = submission(&inn, &format!("{key}-unlawful"), goods::unlawful(&receipt));
        self.must_be_refused(usize::MAX, request, Code::ReceiptInvalid).await;
    }

    async fn must_be_refused(&mut self, at: usize, request: SubmitReceiptRequest, wanted: Code) {
        for _ in 0..REPEATS_MAX {
            match self.service.submit_receipt(request.clone()).await {
                Err(status) if details(&status).is_some_and(|told| told.code == wanted) => {
                    self.counters.turned_away.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(status) if passes(&status) => self.pause().await,
                Err(status) => return self.wrong(format!("{wanted} was awaited, came {}", words(&status))),
                Ok(_) => {
                    let key = self.sales.get(at).map_or(&request.external_id, |sale| &sale.key);
                    return self.wrong(format!("sale {key}: {wanted} was awaited, it was accepted"));
                }
            }
        }
        self.wrong(format!("{wanted} was awaited, there was no answer"));
    }

    /// A sale that may end without a document because no register was free in time.
    async fn short_lived(&mut self) {
        let (at, mut request) = self.sale();
        request.ttl = Some(duration(Duration::from_millis(self.dice.between(100, 3000))));
        self.insist(at, &request).await;
    }

    /// Cancelled unless a register was faster.
    async fn cancel(&mut self) {
        let (at, request) = self.sale();
        self.insist(at, &request).await;
        let Some(name) = self.sales[at].name.clone() else {
            return;
        };
        let request = CancelReceiptRequest {
            name,
            ..CancelReceiptRequest::default()
        };
        for _ in 0..REPEATS_MAX {
            match self.service.cancel_receipt(request.clone()).await {
                Ok(answer) => {
                    let job = answer.into_inner().receipt_job;
                    if let Some(wrong) = job.and_then(|job| self.sales[at].hear(&job)) {
                        self.wrong(wrong);
                    }
                    return;
                }
                Err(status) if passes(&status) => self.pause().await,
                // A register was faster: the sale goes its way.
                Err(_) => return,
            }
        }
    }

    /// Many sales over one stream, which may break half way and is repeated until every item was answered.
    async fn stream_some(&mut self) {
        let left = u64::try_from(self.share - self.sales.len()).unwrap_or(u64::MAX);
        let count = self.dice.between(2, STREAM_MAX).min(left);
        let mut open: BTreeMap<usize, SubmitReceiptRequest> = (0..count).map(|_| self.sale()).collect();
        let mut stop_after = self.dice.percent(40).then(|| self.dice.below(open.len()));
        for _ in 0..REPEATS_MAX {
            if open.is_empty() {
                return;
            }
            let broken = self.stream_once(&mut open, stop_after.take()).await;
            if let Err(status) = broken {
                if !passes(&status) {
                    return self.wrong(format!("a stream was refused: {}", words(&status)));
                }
                self.pause().await;
            }
        }
        self.wrong(format!("a stream of {count}: {} items were never answered", open.len()));
    }

    /// Sends what is open and takes answers, at most so many; what is answered is no longer open.
    async fn stream_once(
        &mut self,
        open: &mut BTreeMap<usize, SubmitReceiptRequest>,
        stop_after: Option<usize>,
    ) -> Result<(), Status> {
        let item = |(at, request): (&usize, &SubmitReceiptRequest)| SubmitReceiptsRequest {
            item_id: at.to_string(),
            submit: Some(request.clone()),
        };
        let items: Vec<_> = open.iter().map(item).collect();
        let mut answers = self.service.submit_receipts(stream::iter(items)).await?.into_inner();
        let mut taken = 0;
        while stop_after.is_none_or(|most| taken < most) {
            let Some(answer) = answers.message().await? else { break };
            taken += 1;
            let at: usize = answer.item_id.parse().unwrap_or(usize::MAX);
            if !open.contains_key(&at) {
                self.wrong(format!("an answer to item {:?}, which was not sent", answer.item_id));
                continue;
            }
            match answer.outcome {
                Some(Outcome::Submitted(stored)) => {
                    self.hear(at, &stored);
                    open.remove(&at);
                }
                Some(Outcome::Error(status)) => self.stream_error(at, &status, open),
                None => self.wrong(format!("item {at} has an empty answer")),
            }
        }
        Ok(())
    }

    fn stream_error(
        &self,
        at: usize,
        status: &kassette_api::google::rpc::Status,
        open: &mut BTreeMap<usize, SubmitReceiptRequest>,
    ) {
        let told = ErrorDetails::from_rpc_status(status);
        if told.as_ref().is_some_and(|told| told.retry_after.is_some()) {
            // It stays open and is sent again.
            return;
        }
        open.remove(&at);
        let key = &self.sales[at].key;
        self.wrong(format!("sale {key} was refused over a stream: {told:?}"));
    }
}

/// Whether the same call may succeed later: the daemon is away, stops, or has too much to do.
fn passes(status: &Status) -> bool {
    use tonic::Code::{Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable, Unknown};
    matches!(
        status.code(),
        Unavailable | ResourceExhausted | DeadlineExceeded | Cancelled | Unknown
    )
}

fn words(status: &Status) -> String {
    let code = details(status).map(|told| told.code.as_str());
    format!("{:?} {code:?} {}", status.code(), status.message())
}
