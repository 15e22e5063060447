//! The way of lines to the daemon and back.
//!
//! Owns: how many lines are under way, and what is repeated.
//! Must never: have more under way than its window, repeat for ever, or take a missing answer for one.

use super::lines::{BadLine, Line, Source};
use super::report::{Outcome, Refusal, Report};
use crate::cli::Import;
use crate::failure::{Failure, TRY_LATER, exit_of};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::JobState;
use kassette_api::v1::get_receipt_request::By;
use kassette_api::v1::receipt_service_client::ReceiptServiceClient;
use kassette_api::v1::submit_receipts_response::Outcome as Answer;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval};
use tonic::Status;
use tonic::transport::Channel;

/// Submitted lines without an answer; the daemon stops reading at 256.
const WINDOW: usize = 128;
/// Calls under way at once: judgements of a dry run, or waits for the end of jobs.
const CALLS: usize = 64;
/// Longest that one call waits for the end of a job; the contract takes 60 s.
const WAIT_OF_A_CALL: Duration = Duration::from_secs(30);
/// Shortest and longest pause before a line is repeated that the daemon had no place for.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// How long lines are repeated while none finds a place.
const PATIENCE: Duration = Duration::from_secs(600);

type Lines = mpsc::Receiver<Result<Line, BadLine>>;

/// Why an import ended before its last line.
#[derive(Debug)]
pub enum Stop {
    /// The file is no longer what it was when it was checked.
    BadLine(BadLine),
    /// Anything else.
    Failure(Failure),
}

impl Stop {
    /// For a person and for a script.
    pub fn failure(self, source: &Source) -> Failure {
        match self {
            Self::BadLine(line) => source.refused(vec![line.into()]),
            Self::Failure(failure) => failure,
        }
    }
}

impl From<BadLine> for Stop {
    fn from(line: BadLine) -> Self {
        Self::BadLine(line)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Failure(status.into())
    }
}

/// What is asked for with every line.
#[derive(Debug, Clone)]
pub struct Order {
    client: ReceiptServiceClient<Channel>,
    parent: String,
    ttl: u32,
    wait: Option<u32>,
    labels: BTreeMap<String, String>,
}

impl Order {
    /// The order of a command line.
    pub fn new(client: ReceiptServiceClient<Channel>, parent: String, given: &Import) -> Self {
        Self {
            client,
            parent,
            ttl: given.ttl,
            wait: given.wait,
            labels: given.label.iter().cloned().collect(),
        }
    }

    fn item(&self, line: &Line) -> v1::SubmitReceiptsRequest {
        let submit = v1::SubmitReceiptRequest {
            parent: self.parent.clone(),
            external_id: line.key.clone(),
            receipt: Some(line.receipt.clone()),
            ttl: Some(seconds(u64::from(self.ttl))),
            // A file can wait; a buyer at a till cannot.
            priority: v1::Priority::Bulk.into(),
            labels: self.labels.clone(),
            ..Default::default()
        };
        v1::SubmitReceiptsRequest {
            item_id: line.number.to_string(),
            submit: Some(submit),
        }
    }
}

fn seconds(seconds: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}

fn ticks() -> Interval {
    tokio::time::interval(Duration::from_secs(1))
}

/// Judges every line; nothing is stored.
pub async fn check(order: Order, mut lines: Lines, report: &mut Report) -> Result<(), Stop> {
    let mut calls = FuturesUnordered::new();
    let (mut reading, mut ticks) = (true, ticks());
    while reading || !calls.is_empty() {
        tokio::select! {
            biased;
            Some(judged) = calls.next() => {
                let (line, outcome): (Line, Result<Outcome, Status>) = judged;
                report.take(&line, outcome?)?;
            }
            line = lines.recv(), if reading && calls.len() < CALLS => match line {
                Some(line) => calls.push(judge(order.clone(), line?)),
                None => reading = false,
            },
            _ = ticks.tick() => report.tick(),
        }
    }
    Ok(())
}

async fn judge(mut order: Order, line: Line) -> (Line, Result<Outcome, Status>) {
    let request = v1::ValidateReceiptRequest {
        parent: order.parent,
        receipt: Some(line.receipt.clone()),
        at: None,
    };
    let answer = Box::pin(order.client.validate_receipt(request)).await;
    let outcome = answer.map(|answer| match Refusal::of_check(answer.into_inner()) {
        Some(refusal) => Outcome::Refused(refusal),
        None => Outcome::Lawful,
    });
    (line, outcome)
}

/// Submits every line over one stream, and where asked waits for the end of each.
pub async fn submit(mut order: Order, mut lines: Lines, report: &mut Report) -> Result<(), Stop> {
    // It has a place for every line under way, so that sending never waits.
    let (sender, receiver) = mpsc::channel(WINDOW);
    let items = stream::unfold(receiver, |mut receiver| async {
        let item = receiver.recv().await?;
        Some((item, receiver))
    });
    let mut answers = Box::pin(order.client.submit_receipts(items)).await?.into_inner();
    let mut under_way = UnderWay::new(order, sender);
    let (mut reading, mut ticks) = (true, ticks());
    while reading || !under_way.is_empty() {
        tokio::select! {
            biased;
            answer = answers.message() => {
                let answer = answer?.ok_or_else(|| Status::aborted("the stream ended before its last answer"))?;
                under_way.answered(answer, report)?;
            }
            Some((line, waited)) = under_way.waits.next() => {
                let (job, existing) = waited?;
                report.take(&line, Outcome::Job { job, existing })?;
            }
            () = tokio::time::sleep_until(under_way.again_at), if under_way.repeats() => under_way.repeat()?,
            line = lines.recv(), if reading && under_way.has_place() => match line {
                Some(line) => under_way.send(line?),
                None => reading = false,
            },
            _ = ticks.tick() => report.tick(),
        }
    }
    Ok(())
}

/// The line whose job is waited for, and the job with whether it was there before.
type Waited = (Line, Result<(Box<v1::ReceiptJob>, bool), Status>);

/// Lines whose fate is open.
struct UnderWay {
    order: Order,
    sender: mpsc::Sender<v1::SubmitReceiptsRequest>,
    /// Submitted, without an answer; by number.
    sent: BTreeMap<u64, Line>,
    /// The daemon had no place for them.
    again: VecDeque<Line>,
    again_at: Instant,
    /// When a line last found its place.
    last_taken: Instant,
    waits: FuturesUnordered<BoxFuture<'static, Waited>>,
}

impl UnderWay {
    fn new(order: Order, sender: mpsc::Sender<v1::SubmitReceiptsRequest>) -> Self {
        Self {
            order,
            sender,
            sent: BTreeMap::new(),
            again: VecDeque::new(),
            again_at: Instant::now(),
            last_taken: Instant::now(),
            waits: FuturesUnordered::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.again.is_empty() && self.waits.is_empty()
    }

    /// Whether one more line may be read. While lines are to be repeated none is: they come first.
    fn has_place(&self) -> bool {
        let window = if self.order.wait.is_some() { CALLS } else { WINDOW };
        self.again.is_empty() && self.sent.len() + self.waits.len() < window
    }

    fn send(&mut self, line: Line) {
        // Once the stream is broken nothing can be sent; its end arrives where answers are read.
        self.sender.try_send(self.order.item(&line)).ok();
        self.sent.insert(line.number, line);
    }

    fn repeats(&self) -> bool {
        !self.again.is_empty() && self.sent.is_empty()
    }

    fn repeat(&mut self) -> Result<(), Failure> {
        if self.last_taken.elapsed() > PATIENCE {
            return Err(Failure::no_place(PATIENCE));
        }
        for line in std::mem::take(&mut self.again) {
            self.send(line);
        }
        Ok(())
    }

    fn answered(&mut self, answer: v1::SubmitReceiptsResponse, report: &mut Report) -> Result<(), Stop> {
        let number = answer.item_id.parse().ok();
        let line = number.and_then(|number: u64| self.sent.remove(&number));
        let line = line.ok_or_else(|| Status::aborted("the daemon answered an item that was not sent"))?;
        match answer.outcome {
            Some(Answer::Submitted(stored)) => {
                self.last_taken = Instant::now();
                let job = Box::new(stored.receipt_job.unwrap_or_default());
                match self.order.wait {
                    Some(wait) => self.wait(line, job, stored.existing, wait),
                    None => report.take(
                        &line,
                        Outcome::Job {
                            job,
                            existing: stored.existing,
                        },
                    )?,
                }
            }
            Some(Answer::Error(status)) => {
                let details = ErrorDetails::from_rpc_status(&status);
                let details = details.ok_or_else(|| Status::aborted("an answer without our code"))?;
                self.refused(line, details, report)?;
            }
            None => return Err(Status::aborted("an answer that says nothing").into()),
        }
        Ok(())
    }

    fn refused(&mut self, line: Line, details: ErrorDetails, report: &mut Report) -> Result<(), Stop> {
        if is_about_the_receipt(details.code) {
            self.last_taken = Instant::now();
            report.take(&line, Outcome::Refused(Refusal::of_error(details)))?;
        } else if exit_of(details.code) == TRY_LATER {
            let pause = details.retry_after.unwrap_or(PAUSE.0).clamp(PAUSE.0, PAUSE.1);
            self.again_at = Instant::now() + pause;
            self.again.push_back(line);
        } else {
            // Every other line would be answered the same.
            return Err(details.to_status().into());
        }
        Ok(())
    }

    fn wait(&self, line: Line, job: Box<v1::ReceiptJob>, existing: bool, wait: u32) {
        let until = Instant::now() + Duration::from_secs(u64::from(wait));
        let client = self.order.client.clone();
        self.waits.push(Box::pin(async move {
            let ended = until_ended(client, job, until).await;
            (line, ended.map(|job| (job, existing)))
        }));
    }
}

/// Whether an error is the verdict on one receipt, and the next line may have another.
const fn is_about_the_receipt(code: Code) -> bool {
    matches!(
        code,
        Code::ReceiptInvalid
            | Code::ReceiptTooLarge
            | Code::ReceiptNotServedYet
            | Code::NoRegistrationCovers
            | Code::FfdUnsupported
            | Code::KeyConflict
    )
}

/// The job at its end, or as it stands at the moment given.
async fn until_ended(
    mut client: ReceiptServiceClient<Channel>,
    mut job: Box<v1::ReceiptJob>,
    until: Instant,
) -> Result<Box<v1::ReceiptJob>, Status> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || has_ended(job.state()) {
            return Ok(job);
        }
        let request = v1::GetReceiptRequest {
            by: Some(By::Name(job.name.clone())),
            wait: Some(seconds(left.min(WAIT_OF_A_CALL).as_secs().max(1))),
        };
        let answer = client.get_receipt(request).await?.into_inner();
        job = Box::new(answer.receipt_job.unwrap_or_default());
    }
}

const fn has_ended(state: JobState) -> bool {
    matches!(
        state,
        JobState::Completed | JobState::Refused | JobState::Cancelled | JobState::Expired
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verdict_on_the_receipt_lets_an_import_go_on() {
        for code in [
            Code::ReceiptInvalid,
            Code::ReceiptNotServedYet,
            Code::NoRegistrationCovers,
            Code::KeyConflict,
        ] {
            assert!(is_about_the_receipt(code), "{code}");
        }
        for code in [
            Code::TenantUnknown,
            Code::RoleMissing,
            Code::LabelsInvalid,
            Code::QueueFull,
            Code::InternalFault,
        ] {
            assert!(!is_about_the_receipt(code), "{code}");
        }
    }
}
