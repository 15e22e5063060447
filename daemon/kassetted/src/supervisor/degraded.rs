//! The interface of a daemon whose journal must not be worked with: up, answering, doing nothing.
//!
//! Owns: one answer for every call, with the reason.
//! Must never: start a lane, or write.

use crate::identity::ApiLimits;
use crate::listener::{Incoming, server};
use kassette_api::status::ErrorDetails;
use kassette_core::domain::error::Reason;
use std::future::Future;
use tonic::body::Body;
use tonic::service::Routes;

/// Answers every call with the reason until `shutdown`. Health says that calls are answered, which is true, and that
/// no service of ours serves.
///
/// # Errors
/// The server's.
pub async fn serve(
    reason: &Reason,
    limits: &ApiLimits,
    incoming: Incoming,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let status = ErrorDetails::new(reason.code)
        .with_message(reason.detail.clone())
        .to_status();
    let (reporter, health) = tonic_health::server::health_reporter();
    for service in [
        "kassette.v1.ReceiptService",
        "kassette.v1.RackService",
        "kassette.v1.InventoryService",
    ] {
        reporter
            .set_service_status(service, tonic_health::ServingStatus::NotServing)
            .await;
    }
    let routes = Routes::new(health).into_axum_router().fallback(move || {
        let status = status.clone();
        async move { status.into_http::<Body>() }
    });
    server(limits)
        .add_routes(Routes::from(routes))
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await
}
