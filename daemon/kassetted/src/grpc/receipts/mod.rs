//! `ReceiptService`: what providers call.
//!
//! Owns: the methods and who may call them.
//! Must never: decide anything about a receipt that the rack decides.

mod answers;
mod codes;
mod list;
mod lookup;
mod stream;
mod submit;
pub(in crate::grpc) mod tenant_status;
mod watch;

use super::surface::Surface;
use super::watching::WatchStream;
use kassette_api::v1::receipt_service_server::ReceiptService;
use kassette_api::v1::{
    CancelReceiptRequest, CancelReceiptResponse, GetReceiptRequest, GetReceiptResponse, GetTenantStatusRequest,
    GetTenantStatusResponse, ListCodesRequest, ListCodesResponse, ListDocumentsRequest, ListDocumentsResponse,
    ListReceiptsRequest, ListReceiptsResponse, SubmitReceiptRequest, SubmitReceiptResponse, SubmitReceiptsRequest,
    ValidateReceiptRequest, ValidateReceiptResponse, WatchReceiptsRequest, WatchReceiptsResponse,
};
use tonic::{Request, Response, Status, Streaming};

/// The service.
#[derive(Clone)]
pub struct Receipts {
    surface: Surface,
}

impl Receipts {
    /// The service of a surface.
    #[must_use]
    pub const fn new(surface: Surface) -> Self {
        Self { surface }
    }
}

#[tonic::async_trait]
impl ReceiptService for Receipts {
    type SubmitReceiptsStream = answers::Answers;
    type WatchReceiptsStream = WatchStream<WatchReceiptsResponse>;

    async fn submit_receipt(
        &self,
        request: Request<SubmitReceiptRequest>,
    ) -> Result<Response<SubmitReceiptResponse>, Status> {
        Ok(Response::new(submit::submit(&self.surface, request).await?))
    }

    async fn submit_receipts(
        &self,
        request: Request<Streaming<SubmitReceiptsRequest>>,
    ) -> Result<Response<Self::SubmitReceiptsStream>, Status> {
        Ok(Response::new(stream::submit_all(&self.surface, request)?))
    }

    async fn validate_receipt(
        &self,
        request: Request<ValidateReceiptRequest>,
    ) -> Result<Response<ValidateReceiptResponse>, Status> {
        Ok(Response::new(submit::validate(&self.surface, request).await?))
    }

    async fn get_receipt(&self, request: Request<GetReceiptRequest>) -> Result<Response<GetReceiptResponse>, Status> {
        Ok(Response::new(lookup::get(&self.surface, request).await?))
    }

    async fn list_receipts(
        &self,
        request: Request<ListReceiptsRequest>,
    ) -> Result<Response<ListReceiptsResponse>, Status> {
        Ok(Response::new(list::receipts(&self.surface, request).await?))
    }

    async fn list_documents(
        &self,
        request: Request<ListDocumentsRequest>,
    ) -> Result<Response<ListDocumentsResponse>, Status> {
        Ok(Response::new(list::documents(&self.surface, request).await?))
    }

    async fn watch_receipts(
        &self,
        request: Request<WatchReceiptsRequest>,
    ) -> Result<Response<Self::WatchReceiptsStream>, Status> {
        Ok(Response::new(watch::watch(&self.surface, request).await?))
    }

    async fn cancel_receipt(
        &self,
        request: Request<CancelReceiptRequest>,
    ) -> Result<Response<CancelReceiptResponse>, Status> {
        Ok(Response::new(lookup::cancel(&self.surface, request).await?))
    }

    async fn get_tenant_status(
        &self,
        request: Request<GetTenantStatusRequest>,
    ) -> Result<Response<GetTenantStatusResponse>, Status> {
        Ok(Response::new(tenant_status::get(&self.surface, request).await?))
    }

    async fn list_codes(&self, request: Request<ListCodesRequest>) -> Result<Response<ListCodesResponse>, Status> {
        Ok(Response::new(codes::list(&request)?))
    }
}
