//! One connection with who stands behind it.
//!
//! Owns: the place it takes among all connections, and the time in which it must begin to speak.
//! Must never: look into the bytes.

use crate::identity::ClientIdentity;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

/// Bytes of the HTTP/2 preface and an empty first frame. Who sends less is not a client; who sent them is asked for
/// life by HTTP/2 itself.
const OPENING_BYTES: usize = 24 + 9;
/// How long a client may take to send them.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection; tonic puts its [`ClientIdentity`] into the extensions of each request.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    identity: ClientIdentity,
    opening: Option<(Pin<Box<Sleep>>, usize)>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: Stream, identity: ClientIdentity, place: OwnedSemaphorePermit) -> Self {
        let opening = Some((Box::pin(sleep(OPEN_WITHIN)), 0));
        Self {
            stream,
            identity,
            opening,
            _place: place,
        }
    }

    pub(super) fn unix(stream: UnixStream, identity: ClientIdentity, place: OwnedSemaphorePermit) -> Self {
        Self::new(Stream::Unix(stream), identity, place)
    }

    pub(super) fn tcp(stream: TcpStream, identity: ClientIdentity, place: OwnedSemaphorePermit) -> Self {
        Self::new(Stream::Tcp(stream), identity, place)
    }

    /// Ends a connection that does not begin to speak.
    fn check_opening(&mut self, cx: &mut Context<'_>, read: usize) -> io::Result<()> {
        let Some((deadline, seen)) = &mut self.opening else {
            return Ok(());
        };
        *seen += read;
        if *seen >= OPENING_BYTES {
            self.opening = None;
            return Ok(());
        }
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client did not begin to speak",
            )),
            Poll::Pending => Ok(()),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ClientIdentity;

    fn connect_info(&self) -> ClientIdentity {
        self.identity.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.stream {
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let new = buf.filled().len() - before;
        match self.check_opening(cx, new) {
            Ok(()) => read,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
