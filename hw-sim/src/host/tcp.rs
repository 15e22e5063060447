//! Network ports: a listener that serves one connection at a time, as a register does.
//!
//! Owns: the listener and the one connection.
//! Must never: let a second peer in, or block on a peer that does not read.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// What a network port saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpEvent {
    /// A peer connected.
    PeerUp,
    /// Bytes came; so many are in the buffer.
    Bytes(usize),
    /// The peer went away.
    PeerDown,
}

/// A listener and its one connection. Dropping it closes both.
pub struct TcpPort {
    listener: TcpListener,
    address: SocketAddr,
    peer: Option<TcpStream>,
}

impl TcpPort {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// What the system said.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            peer: None,
        })
    }

    /// Where peers connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next event; a second peer is turned away meanwhile. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The listener failed; the port is of no more use then.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<TcpEvent> {
        loop {
            let Some(peer) = &self.peer else {
                let peer = self.accept().await?;
                // Without it the answer byte waits for the peer's delayed ACK; a register sends at once.
                let _ = peer.set_nodelay(true);
                self.peer = Some(peer);
                return Ok(TcpEvent::PeerUp);
            };
            tokio::select! {
                biased;
                ready = peer.readable() => {
                    let read = ready.and_then(|()| peer.try_read(buffer));
                    match read {
                        Ok(length) if length > 0 => return Ok(TcpEvent::Bytes(length)),
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                        Ok(_) | Err(_) => {
                            self.peer = None;
                            return Ok(TcpEvent::PeerDown);
                        }
                    }
                }
                second = self.accept() => drop(second?),
            }
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        loop {
            match self.listener.accept().await {
                Ok((peer, _)) => return Ok(peer),
                // The peer gave up before it was let in.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Sends bytes to the peer, if there is one. What it leaves no room for is lost.
    pub fn send(&self, mut bytes: &[u8]) {
        let Some(peer) = &self.peer else { return };
        while !bytes.is_empty() {
            match peer.try_write(bytes) {
                Ok(written) if written > 0 => bytes = &bytes[written..],
                Ok(_) | Err(_) => return,
            }
        }
    }
}
