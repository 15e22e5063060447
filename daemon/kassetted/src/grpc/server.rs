//! The services put together: contract, health and reflection behind one layer that completes errors.
//!
//! Owns: which services are served, message limits, and the end of serving.
//! Must never: bind a socket or name a caller: listeners do.

use super::codes_layer::CodesLayer;
use super::inventory::Inventory;
use super::rack::RackApi;
use super::receipts::Receipts;
use super::surface::Surface;
use kassette_api::FILE_DESCRIPTOR_SET;
use kassette_api::v1::inventory_service_server::InventoryServiceServer;
use kassette_api::v1::rack_service_server::RackServiceServer;
use kassette_api::v1::receipt_service_server::ReceiptServiceServer;
use std::io;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_stream::Stream;
use tonic::service::Routes;
use tonic::transport::server::{Connected, Server};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

/// Why the surface ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The compiled descriptor cannot be read back: the program was built wrongly.
    #[error("the contract's descriptor cannot be served by reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the gRPC server ended")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until the daemon stops: calls in flight are answered, waits end with the job as it stands, watches end with
/// their last cursor. `server` carries the limits of its listeners.
///
/// # Errors
/// [`ServeError`].
pub async fn serve<S, C>(server: Server, surface: Surface, incoming: S) -> Result<(), ServeError>
where
    S: Stream<Item = io::Result<C>>,
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    C::ConnectInfo: Clone + Send + Sync + 'static,
{
    let (routes, health) = routes(&surface).await?;
    let mut stopping = surface.stopping();
    let stopped = async move {
        // A dropped sender means that the daemon is going down as well.
        stopping.wait_for(|stopping| *stopping).await.ok();
        health.set_service_status("", ServingStatus::NotServing).await;
    };
    let mut server = server.layer(CodesLayer::default());
    server
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopped)
        .await?;
    Ok(())
}

/// All services. Health says that calls are answered; it knows nothing of hardware.
async fn routes(surface: &Surface) -> Result<(Routes, HealthReporter), ServeError> {
    let (health, health_service) = health_reporter();
    health.set_serving::<ReceiptServiceServer<Receipts>>().await;
    health.set_serving::<RackServiceServer<RackApi>>().await;
    health.set_serving::<InventoryServiceServer<Inventory>>().await;
    let limit = surface.limits().message_bytes;
    let receipts = ReceiptServiceServer::new(Receipts::new(surface.clone())).max_decoding_message_size(limit);
    let rack = RackServiceServer::new(RackApi::new(surface.clone())).max_decoding_message_size(limit);
    let inventory = InventoryServiceServer::new(Inventory::new(surface.clone())).max_decoding_message_size(limit);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(receipts)
        .add_service(rack)
        .add_service(inventory)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((routes.prepare(), health))
}
