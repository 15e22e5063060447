//! A port of either kind, as its owner sees it.
//!
//! Owns: the choice between pseudo-terminal, listener and no port at all.
//! Must never: know the device.

use super::pty::{Pty, PtyError};
use super::tcp::{TcpEvent, TcpPort};
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// Why a port could not be opened.
#[derive(Debug, Error)]
pub enum PortError {
    /// A serial port.
    #[error(transparent)]
    Pty(#[from] PtyError),
    /// A TCP name that is not an address.
    #[error("\"{0}\" is not a TCP address: write it as 127.0.0.1:7778 or as the port number alone")]
    Address(String),
    /// A listener.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The address that a TCP register's port name means: `host:port`, or a port of the loopback interface.
///
/// # Errors
/// [`PortError::Address`].
pub fn tcp_address(name: &str) -> Result<SocketAddr, PortError> {
    let loopback = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    name.parse()
        .or_else(|_| name.parse().map(loopback))
        .map_err(|_| PortError::Address(name.to_owned()))
}

/// The port of a register.
pub enum Line {
    /// No port.
    Away,
    /// A serial port.
    Pty(Pty),
    /// A listener.
    Tcp(TcpPort),
}

/// What a port saw.
pub enum Received {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// A peer connected (TCP only).
    PeerUp,
    /// The peer went away (TCP only).
    PeerDown,
    /// The port is of no more use.
    Failed(io::Error),
}

impl Line {
    /// Waits for the next event; for ever without a port. Nothing is lost when the future is dropped.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> Received {
        match self {
            Self::Away => std::future::pending().await,
            Self::Pty(port) => port
                .receive(buffer)
                .await
                .map_or_else(Received::Failed, Received::Bytes),
            Self::Tcp(port) => match port.receive(buffer).await {
                Ok(TcpEvent::Bytes(length)) => Received::Bytes(length),
                Ok(TcpEvent::PeerUp) => Received::PeerUp,
                Ok(TcpEvent::PeerDown) => Received::PeerDown,
                Err(e) => Received::Failed(e),
            },
        }
    }

    /// Sends bytes; what the peer leaves no room for is lost.
    pub fn send(&self, bytes: &[u8]) {
        match self {
            Self::Away => {}
            Self::Pty(port) => port.send(bytes),
            Self::Tcp(port) => port.send(bytes),
        }
    }

    /// Address as peers use it: a path, or `tcp:host:port`; `None` without a port.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        match self {
            Self::Away => None,
            Self::Pty(port) => Some(port.path().to_string_lossy().into_owned()),
            Self::Tcp(port) => Some(format!("tcp:{}", port.address())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tcp_name_is_an_address_or_a_port_number() {
        assert_eq!(tcp_address("7778").unwrap().to_string(), "127.0.0.1:7778");
        assert_eq!(tcp_address("192.168.137.111:7778").unwrap().port(), 7778);
        for wrong in ["", "70000", "localhost", "tcp:1"] {
            assert!(tcp_address(wrong).is_err(), "{wrong}");
        }
    }
}
