//! Statuses that the gRPC library itself makes, given a code of ours.
//!
//! Owns: the promise that every error of the contract carries `google.rpc.ErrorInfo`, even when no method was reached.
//! Must never: touch a status that has details already, or one of another service (health, reflection).

use kassette_api::FILE_DESCRIPTOR_SET;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use prost::Message;
use prost_types::FileDescriptorSet;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

const STATUS: &str = "grpc-status";
const DETAILS: &str = "grpc-status-details-bin";
const OUR_PACKAGE: &str = "/kassette.";

/// Adds the layer.
#[derive(Debug, Clone)]
pub struct CodesLayer {
    methods: Arc<BTreeSet<String>>,
}

impl Default for CodesLayer {
    fn default() -> Self {
        Self {
            methods: Arc::new(methods_of_contract()),
        }
    }
}

/// The paths of all methods of the contract, served or not.
fn methods_of_contract() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let mut methods = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            let paths = service
                .method
                .iter()
                .map(|one| format!("/{}.{}/{}", file.package(), service.name(), one.name()));
            methods.extend(paths);
        }
    }
    methods
}

impl<S> Layer<S> for CodesLayer {
    type Service = WithCodes<S>;

    fn layer(&self, inner: S) -> WithCodes<S> {
        WithCodes {
            inner,
            methods: Arc::clone(&self.methods),
        }
    }
}

/// A service whose errors all carry a code of ours.
#[derive(Debug, Clone)]
pub struct WithCodes<S> {
    inner: S,
    methods: Arc<BTreeSet<String>>,
}

impl<S, A, B> Service<Request<A>> for WithCodes<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let methods = Arc::clone(&self.methods);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            complete(response.headers_mut(), &path, &methods);
            Ok(response)
        })
    }
}

/// Gives an error without details its code.
fn complete(headers: &mut HeaderMap, path: &str, methods: &BTreeSet<String>) {
    let bare = headers.get(STATUS).is_some_and(|status| status != "0") && !headers.contains_key(DETAILS);
    let Some(status) = Status::from_header_map(headers).filter(|_| bare) else {
        return;
    };
    if status.code() != tonic::Code::Unimplemented && !path.starts_with(OUR_PACKAGE) {
        return;
    }
    let complete = coded(&status, path, methods).to_status();
    // A header that cannot be written leaves the library's own status in place.
    complete.add_header(headers).ok();
}

/// What a status that the library made within a stream says, as ours: the layer sees only the headers of an answer.
pub(super) fn of_library(status: &Status, path: &str) -> ErrorDetails {
    coded(status, path, &BTreeSet::from([path.to_owned()]))
}

fn coded(status: &Status, path: &str, methods: &BTreeSet<String>) -> ErrorDetails {
    let text = status.message();
    let code = match status.code() {
        tonic::Code::Unimplemented if !methods.contains(path) => Code::MethodUnknown,
        tonic::Code::Unimplemented if text.is_empty() => Code::NotServedYet,
        // A compression that we do not read.
        tonic::Code::Unimplemented => Code::RequestInvalid,
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => Code::MessageTooLarge,
        tonic::Code::Cancelled => Code::CallCancelled,
        tonic::Code::DeadlineExceeded => Code::CallDeadline,
        // The library calls a request that it cannot decode an internal error; encoding an answer is ours.
        tonic::Code::Internal if !text.starts_with("Error ") => Code::RequestInvalid,
        _ => Code::InternalFault,
    };
    let particulars = if text.is_empty() { path } else { text };
    ErrorDetails::new(code)
        .with_message(format!("{} ({particulars})", code.text_en()))
        .with("method", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::status::StatusExt;

    fn completed(status: Status, path: &str) -> Status {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        complete(&mut headers, path, &methods_of_contract());
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn every_error_of_the_library_gets_a_code_of_ours() {
        let submit = "/kassette.v1.ReceiptService/SubmitReceipt";
        let cases = [
            (
                Status::unimplemented(""),
                "/kassette.v1.ShiftService/OpenShift",
                Code::NotServedYet,
            ),
            (
                Status::unimplemented(""),
                "/kassette.v1.ShiftService/Nonsense",
                Code::MethodUnknown,
            ),
            (Status::unimplemented(""), "/nobody/knows", Code::MethodUnknown),
            (
                Status::unimplemented("Content is compressed with `x`"),
                submit,
                Code::RequestInvalid,
            ),
            (
                Status::out_of_range("decoded message length too large"),
                submit,
                Code::MessageTooLarge,
            ),
            (
                Status::internal("failed to decode Protobuf message"),
                submit,
                Code::RequestInvalid,
            ),
            (Status::internal("Error encoding: x"), submit, Code::InternalFault),
            (Status::unknown("h2 protocol error"), submit, Code::InternalFault),
        ];
        for (status, path, code) in cases {
            let completed = completed(status, path);
            assert_eq!(completed.error_details().unwrap().code, code, "{path}");
            assert_eq!(completed.code() as i32, i32::from(code.class().number()));
        }
    }

    #[test]
    fn details_that_are_there_and_other_services_are_left_alone() {
        let ours = ErrorDetails::new(Code::KeyConflict).to_status();
        let kept = completed(ours, "/kassette.v1.ReceiptService/SubmitReceipt");
        assert_eq!(kept.error_details().unwrap().code, Code::KeyConflict);
        let health = completed(Status::not_found("no such service"), "/grpc.health.v1.Health/Check");
        assert_eq!((health.code(), health.details().len()), (tonic::Code::NotFound, 0));
        let mut good = HeaderMap::new();
        complete(&mut good, "/kassette.v1.ReceiptService/SubmitReceipt", &BTreeSet::new());
        assert!(good.is_empty());
    }
}
