//! The services put together: contract, health and reflection behind one layer that completes errors.
//!
//! Owns: which services are served, message limits, and the end of serving.
//! Must never: bind a socket or name a caller: listeners do.

use super::codes_layer::CodesLayer;
use super::doubts::Doubts;
use super::inventory::Inventory;
use super::rack::RackApi;
use super::receipts::Receipts;
use super::surface::{Surface, SurfaceParts};
use super::tenants::Tenants;
use crate::backup::Files;
use crate::identity::ApiLimits;
use crate::listener;
use kassette_api::FILE_DESCRIPTOR_SET;
use kassette_api::v1::doubt_service_server::DoubtServiceServer;
use kassette_api::v1::inventory_service_server::InventoryServiceServer;
use kassette_api::v1::rack_service_server::RackServiceServer;
use kassette_api::v1::receipt_service_server::ReceiptServiceServer;
use kassette_api::v1::tenant_service_server::TenantServiceServer;
use kassette_core::parts::WallClock;
use kassette_core::rack::RackHandle;
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::service::Routes;
use tonic::transport::server::Connected;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_reflection::server::Builder;

/// Serves until `shutdown`: then no connection is taken, calls in flight are answered, waits end with the job as it
/// stands, and watches end with their last cursor.
///
/// # Errors
/// When the transport fails.
pub async fn serve<S, C>(
    rack: RackHandle,
    clock: Arc<dyn WallClock>,
    limits: ApiLimits,
    files: Files,
    incoming: S,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error>
where
    S: Stream<Item = io::Result<C>>,
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    C::ConnectInfo: Clone + Send + Sync + 'static,
{
    let (stop, stopping) = watch::channel(false);
    let surface = Surface::new(SurfaceParts {
        rack,
        clock,
        limits,
        files,
        stopping,
    });
    let (routes, health) = routes(&surface).await;
    let stopped = async move {
        shutdown.await;
        stop.send_replace(true);
        health.set_service_status("", ServingStatus::NotServing).await;
    };
    let mut server = listener::server(&limits).layer(CodesLayer::default());
    server
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopped)
        .await
}

/// All services. Health says that calls are answered; it knows nothing of hardware.
async fn routes(surface: &Surface) -> (Routes, HealthReporter) {
    let (health, health_service) = health_reporter();
    health.set_serving::<ReceiptServiceServer<Receipts>>().await;
    health.set_serving::<RackServiceServer<RackApi>>().await;
    health.set_serving::<InventoryServiceServer<Inventory>>().await;
    health.set_serving::<TenantServiceServer<Tenants>>().await;
    health.set_serving::<DoubtServiceServer<Doubts>>().await;
    let limit = surface.limits().message_bytes;
    let receipts = ReceiptServiceServer::new(Receipts::new(surface.clone())).max_decoding_message_size(limit);
    let rack = RackServiceServer::new(RackApi::new(surface.clone())).max_decoding_message_size(limit);
    let inventory = InventoryServiceServer::new(Inventory::new(surface.clone())).max_decoding_message_size(limit);
    let tenants = TenantServiceServer::new(Tenants::new(surface.clone())).max_decoding_message_size(limit);
    let doubts = DoubtServiceServer::new(Doubts::new(surface.clone())).max_decoding_message_size(limit);
    let routes = Routes::new(receipts)
        .add_service(doubts)
        .add_service(tenants)
        .add_service(rack)
        .add_service(inventory)
        .add_service(health_service);
    (with_reflection(routes).prepare(), health)
}

fn reflection() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Reflection only describes: a descriptor that cannot be read back must not keep receipts from being issued.
fn with_reflection(mut routes: Routes) -> Routes {
    match reflection().build_v1() {
        Ok(service) => routes = routes.add_service(service),
        Err(error) => tracing::error!(%error, "reflection is not served"),
    }
    match reflection().build_v1alpha() {
        Ok(service) => routes = routes.add_service(service),
        Err(error) => tracing::error!(%error, "reflection of the older version is not served"),
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_can_be_served_by_reflection_in_both_versions() {
        assert!(reflection().build_v1().is_ok() && reflection().build_v1alpha().is_ok());
    }
}
