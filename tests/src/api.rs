//! A gRPC client of the daemon that waits for answers, so that a case reads from top to bottom.
//!
//! Owns: the connection, the runtime under it, and the calls that cases share.
//! Must never: repeat a call by itself.

use anyhow::Context;
use hyper_util::rt::TokioIo;
use kassette_api::status::{ErrorDetails, StatusExt as _};
use kassette_api::v1::get_receipt_request::By;
use kassette_api::v1::inventory_service_client::InventoryServiceClient;
use kassette_api::v1::rack_service_client::RackServiceClient;
use kassette_api::v1::receipt_service_client::ReceiptServiceClient;
use kassette_api::v1::tenant_service_client::TenantServiceClient;
use kassette_api::v1::watch_receipts_response::Event;
use kassette_api::v1::watch_start::Start;
use kassette_api::v1::{
    ApplyRackRequest, ApplyRackResponse, GetReceiptRequest, GetTenantStatusRequest, JobState, KeyLookup,
    ListReceiptsRequest, ListRegistersRequest, ListSlotsRequest, RackDescription, ReceiptJob, Register, Slot,
    SubmitReceiptRequest, SubmitReceiptResponse, WatchReceiptsRequest, WatchReceiptsResponse, WatchStart,
    apply_rack_request,
};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status, Streaming};
use tower::service_fn;

/// Longest wait that the contract takes in one call.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    runtime: Arc<Runtime>,
    channel: Channel,
}

fn runtime() -> anyhow::Result<Arc<Runtime>> {
    static SHARED: OnceLock<Result<Arc<Runtime>, String>> = OnceLock::new();
    let made = SHARED.get_or_init(|| Runtime::new().map(Arc::new).map_err(|e| e.to_string()));
    made.clone().map_err(anyhow::Error::msg)
}

/// A channel to a unix socket.
///
/// # Errors
/// When nobody listens there.
pub async fn channel(socket: PathBuf) -> anyhow::Result<Channel> {
    let dial = service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    // The name is never resolved: the connector above dials the socket.
    Ok(Endpoint::from_static("http://kassette.local")
        .connect_with_connector(dial)
        .await?)
}

impl Api {
    /// A client of a unix socket.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(socket: &Path) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let channel = runtime
            .block_on(channel(socket.to_owned()))
            .with_context(|| format!("socket {}", socket.display()))?;
        Ok(Self { runtime, channel })
    }

    /// Waits for a future on the client's runtime.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs a future beside the case.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.runtime.spawn(future)
    }

    /// The service of providers.
    #[must_use]
    pub fn receipts(&self) -> ReceiptServiceClient<Channel> {
        ReceiptServiceClient::new(self.channel.clone())
    }

    /// The service of admins.
    #[must_use]
    pub fn racks(&self) -> RackServiceClient<Channel> {
        RackServiceClient::new(self.channel.clone())
    }

    /// The service of tenants.
    #[must_use]
    pub fn tenants(&self) -> TenantServiceClient<Channel> {
        TenantServiceClient::new(self.channel.clone())
    }

    /// Applies a description of the rack.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn apply(&self, rack: RackDescription) -> Result<ApplyRackResponse, Status> {
        let request = ApplyRackRequest {
            source: Some(apply_rack_request::Source::Rack(rack)),
            reason: Some("test".to_owned()),
            ..ApplyRackRequest::default()
        };
        self.wait(self.racks().apply_rack(request))
            .map(tonic::Response::into_inner)
    }

    /// Submits a receipt.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn submit(&self, request: SubmitReceiptRequest) -> Result<SubmitReceiptResponse, Status> {
        self.wait(self.receipts().submit_receipt(request))
            .map(tonic::Response::into_inner)
    }

    /// The job of a key, as soon as it is final or after `wait`.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn job(&self, inn: &str, key: &str, wait: Duration) -> Result<ReceiptJob, Status> {
        let request = GetReceiptRequest {
            by: Some(By::Key(KeyLookup {
                parent: format!("tenants/{inn}"),
                external_id: key.to_owned(),
                client: None,
            })),
            wait: Some(duration(wait.min(LONGEST_WAIT))),
        };
        let answer = self.wait(self.receipts().get_receipt(request))?;
        let job = answer.into_inner().receipt_job;
        job.ok_or_else(|| Status::internal("an answer without a job"))
    }

    /// How many jobs of a tenant wait for a register.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn waiting(&self, inn: &str) -> Result<u64, Status> {
        let request = GetTenantStatusRequest {
            name: format!("tenants/{inn}"),
        };
        let answer = self.wait(self.receipts().get_tenant_status(request))?;
        let status = answer.into_inner().tenant_status;
        status
            .map(|status| status.queue_depth)
            .ok_or_else(|| Status::internal("an answer without a status"))
    }

    /// Every job of every tenant.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn jobs(&self) -> Result<Vec<ReceiptJob>, Status> {
        let (mut all, mut page_token) = (Vec::new(), None);
        loop {
            let request = ListReceiptsRequest {
                parent: "tenants/-".to_owned(),
                page_size: Some(1000),
                page_token,
                filter: None,
            };
            let page = self.wait(self.receipts().list_receipts(request))?.into_inner();
            all.extend(page.receipt_jobs);
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            page_token = Some(page.next_page_token);
        }
    }

    /// Every register, as the inventory shows it.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn registers(&self) -> Result<Vec<Register>, Status> {
        let mut client = InventoryServiceClient::new(self.channel.clone());
        let request = ListRegistersRequest {
            page_size: Some(1000),
            ..ListRegistersRequest::default()
        };
        Ok(self.wait(client.list_registers(request))?.into_inner().registers)
    }

    /// Every slot, as the inventory shows it.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn slots(&self) -> Result<Vec<Slot>, Status> {
        let mut client = InventoryServiceClient::new(self.channel.clone());
        let request = ListSlotsRequest {
            page_size: Some(1000),
            ..ListSlotsRequest::default()
        };
        Ok(self.wait(client.list_slots(request))?.into_inner().slots)
    }

    /// A watch over the jobs of all tenants.
    ///
    /// # Errors
    /// The daemon's status.
    pub fn watch(&self, start: Start) -> Result<Watch, Status> {
        let request = WatchReceiptsRequest {
            parent: "tenants/-".to_owned(),
            start: Some(WatchStart { start: Some(start) }),
            filter: None,
        };
        let stream = self.wait(self.receipts().watch_receipts(request))?.into_inner();
        let api = self.clone();
        Ok(Watch { api, stream })
    }
}

/// An open watch.
#[derive(Debug)]
pub struct Watch {
    api: Api,
    stream: Streaming<WatchReceiptsResponse>,
}

impl Watch {
    /// The next change of a job with its cursor; heartbeats are passed over.
    ///
    /// # Errors
    /// The daemon's status, or `DEADLINE_EXCEEDED` when none comes within that time.
    pub fn next_job(&mut self, within: Duration) -> Result<(ReceiptJob, String), Status> {
        let stream = &mut self.stream;
        let read = async {
            loop {
                let answer = stream.message().await?;
                let answer = answer.ok_or_else(|| Status::new(Code::Aborted, "the watch ended"))?;
                if let Some(Event::ReceiptJob(job)) = answer.event {
                    return Ok((job, answer.cursor));
                }
            }
        };
        let read = async { tokio::time::timeout(within, read).await };
        let late = |_| Status::deadline_exceeded(format!("no event within {within:?}"));
        self.api.runtime.block_on(read).map_err(late)?
    }

    /// Reads changes until one fits.
    ///
    /// # Errors
    /// As [`Watch::next_job`]; the time is for each change.
    pub fn until(&mut self, within: Duration, fits: impl Fn(&ReceiptJob) -> bool) -> Result<ReceiptJob, Status> {
        loop {
            let (job, _) = self.next_job(within)?;
            if fits(&job) {
                return Ok(job);
            }
        }
    }
}

/// A duration as the contract writes it.
#[must_use]
pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Below a thousand million by its type.
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Whether a state is final.
#[must_use]
pub fn is_final(state: JobState) -> bool {
    !matches!(
        state,
        JobState::Unspecified | JobState::Accepted | JobState::Running | JobState::InDoubt
    )
}

/// What a status of the daemon says, when it says it in our form.
#[must_use]
pub fn details(status: &Status) -> Option<ErrorDetails> {
    status.error_details()
}
