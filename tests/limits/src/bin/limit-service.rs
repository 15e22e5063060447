//! The bare service: `limit-service SOCKET DATABASE`. Stores what it is sent in two rows and echoes it.
//!
//! Owns: the limit of B3, and a part of that of B4.
//! Must never: use code of this workspace beyond the other limit code, or decode a message.

use kassette_limits::commits::Commits;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use std::convert::Infallible;
use std::path::Path;
use std::task::{Context, Poll};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Body, BoxFuture, Service, StdError, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

/// Messages stay bytes.
#[derive(Default)]
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

#[derive(Clone)]
struct Bare(Commits);

impl UnaryService<Bytes> for Bare {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;
    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (this, message) = (self.clone(), request.into_inner());
        Box::pin(async move {
            // The bytes once, and a row that an index or a queue would need.
            let stored = this.0.commit(vec![message.to_vec(), b"accepted".to_vec()]).await;
            stored.map_err(|error| Status::internal(error.to_string()))?;
            Ok(Response::new(message))
        })
    }
}

impl NamedService for Bare {
    // The load is the same for daemon and limit, so it calls the same path.
    const NAME: &'static str = "kassette.v1.ReceiptService";
}

impl<B> Service<http::Request<B>> for Bare
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(this, request).await) })
    }
}

#[tokio::main]
async fn main() -> Result<(), StdError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, database] = arguments.as_slice() else {
        return Err("limit-service SOCKET DATABASE".into());
    };
    let commits = Commits::start(Path::new(database))?;
    let listener = UnixListenerStream::new(UnixListener::bind(socket)?);
    println!("{{\"ready\":true}}");
    let server = tonic::transport::Server::builder().add_service(Bare(commits));
    server.serve_with_incoming(listener).await?;
    Ok(())
}
