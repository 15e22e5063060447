//! The load: submissions as bytes, the same for the daemon and for the bare service.
//!
//! Owns: the connections, the calls in flight, the keys, and the time of each call.
//! Must never: decode an answer while it measures, or send a key twice.

use super::rack::tenant;
use crate::api::{channel, duration};
use crate::requests::{plain_item, plain_receipt, submission};
use anyhow::{Context, anyhow};
use kassette_api::v1::{Item, Payments, Receipt, SubmitReceiptRequest};
use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// The method that is called; the bare service answers under the same name.
const METHOD: &str = "/kassette.v1.ReceiptService/SubmitReceipt";
/// Size of a submission in B3.
const KIBIBYTE: usize = 1024;

/// Messages stay bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// The receipt of B1, B2, B4 and B5: the vendor's worked example, under FFD 1.2 with its measure.
#[must_use]
pub fn small_receipt() -> Receipt {
    let mut receipt = plain_receipt(10_000);
    if let Some(item) = receipt.items.first_mut() {
        item.name = Some("Товар".to_owned());
    }
    receipt
}

/// A receipt whose submission is 1 KiB.
#[must_use]
pub fn kibibyte_receipt() -> Receipt {
    let size = |receipt: &Receipt| request("0123456789abcdef", receipt, None).encoded_len();
    let mut receipt = Receipt {
        items: Vec::new(),
        ..small_receipt()
    };
    while size(&receipt) < KIBIBYTE {
        let name = "Чай чёрный байховый листовой, первый сорт, 100 г";
        receipt.items.push(plain_item(name, 10_000));
        let total = 10_000 * i64::try_from(receipt.items.len()).unwrap_or(0);
        receipt.total_kopecks = Some(total);
        receipt.payments = Some(Payments {
            noncash_kopecks: Some(total),
            ..Payments::default()
        });
    }
    // The longest name gives way until the size is right.
    let length = |item: &&mut Item| item.name.as_ref().map(String::len);
    while size(&receipt) > KIBIBYTE
        && let Some(name) = receipt.items.iter_mut().max_by_key(length)
        && let Some(name) = name.name.as_mut()
    {
        name.pop();
    }
    receipt
}

fn request(key: &str, receipt: &Receipt, wait: Option<Duration>) -> SubmitReceiptRequest {
    SubmitReceiptRequest {
        wait: wait.map(duration),
        ..submission(&tenant(), key, receipt.clone())
    }
}

/// Connections to one service, and what is sent over them.
#[derive(Debug)]
pub struct Load {
    runtime: tokio::runtime::Runtime,
    channels: Vec<Channel>,
    receipt: Arc<Receipt>,
    wait: Option<Duration>,
    next_key: Arc<AtomicU64>,
}

impl Load {
    /// Connects so many times to a unix socket. `wait`: how long each answer waits for the document.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(
        socket: &Path,
        connections: usize,
        receipt: Receipt,
        wait: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        let dial = || runtime.block_on(channel(socket.to_owned()));
        let channels = (0..connections).map(|_| dial()).collect::<Result<_, _>>()?;
        Ok(Self {
            runtime,
            channels,
            receipt: Arc::new(receipt),
            wait,
            next_key: Arc::default(),
        })
    }

    /// Bytes of one submission.
    #[must_use]
    pub fn bytes(&self) -> usize {
        request("0123456789abcdef", &self.receipt, self.wait).encoded_len()
    }

    fn call(&self, at: usize) -> impl Future<Output = Result<(), Status>> + Send + use<> {
        let channel = self.channels[at % self.channels.len()].clone();
        let (receipt, wait) = (Arc::clone(&self.receipt), self.wait);
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        async move {
            let body = request(&format!("{key:016x}"), &receipt, wait).encode_to_vec();
            let mut client = tonic::client::Grpc::new(channel);
            client
                .ready()
                .await
                .map_err(|error| Status::unavailable(error.to_string()))?;
            let request = Request::new(Bytes::from(body));
            client.unary(request, PathAndQuery::from_static(METHOD), Raw).await?;
            Ok(())
        }
    }

    /// Keeps `in_flight` calls going until `go_on` says no; how many were answered, and the time from the first call to
    /// the last answer.
    fn keep_going(&self, in_flight: usize, go_on: impl Fn(u64) -> bool) -> anyhow::Result<(u64, Duration)> {
        self.runtime.block_on(async {
            let (begin, mut sent, mut answered) = (Instant::now(), 0, 0);
            let mut calls = JoinSet::new();
            loop {
                while calls.len() < in_flight && go_on(sent) {
                    calls.spawn(self.call(usize::try_from(sent)?));
                    sent += 1;
                }
                let Some(answer) = calls.join_next().await else { break };
                answer?.map_err(refused)?;
                answered += 1;
            }
            Ok((answered, begin.elapsed()))
        })
    }

    /// So many submissions; the time from the first call to the last answer.
    ///
    /// # Errors
    /// When one of them was refused.
    pub fn submit(&self, count: u64, in_flight: usize) -> anyhow::Result<Duration> {
        Ok(self.keep_going(in_flight, |sent| sent < count)?.1)
    }

    /// Submissions for so long; how many a second were answered.
    ///
    /// # Errors
    /// When one of them was refused.
    pub fn rate(&self, seconds: Duration, in_flight: usize) -> anyhow::Result<f64> {
        let until = Instant::now() + seconds;
        let (answered, took) = self.keep_going(in_flight, |_| Instant::now() < until)?;
        Ok(answered as f64 / took.as_secs_f64())
    }

    /// Submissions at a rate, whether or not the ones before were answered; the time of each from its call to its answer.
    ///
    /// # Errors
    /// When one of them was refused.
    pub fn paced(&self, rate: f64, seconds: Duration) -> anyhow::Result<Vec<Duration>> {
        self.runtime.block_on(async {
            let begin = tokio::time::Instant::now();
            let mut calls = JoinSet::new();
            for n in 0_u32.. {
                let due = Duration::from_secs_f64(f64::from(n) / rate);
                if due >= seconds {
                    break;
                }
                tokio::time::sleep_until(begin + due).await;
                let call = self.call(usize::try_from(n)?);
                calls.spawn(async move {
                    let begin = Instant::now();
                    call.await.map(|()| begin.elapsed())
                });
            }
            let mut times = Vec::new();
            while let Some(ended) = calls.join_next().await {
                times.push(ended.context("a call failed")?.map_err(refused)?);
            }
            Ok(times)
        })
    }
}

/// Answers are not decoded, so a status is shown with what it says in words.
fn refused(status: Status) -> anyhow::Error {
    anyhow!("a submission was refused: {}: {}", status.code(), status.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_submission_of_b3_is_one_kibibyte() {
        let length = request("0123456789abcdef", &kibibyte_receipt(), None).encoded_len();
        assert!((KIBIBYTE - 2..=KIBIBYTE).contains(&length), "{length}");
    }
}
