//! A register on the network.
//!
//! Owns: the connection, its waits, and dropping what was received and not read.
//! Must never: take a connection for an identity: other hosts may reach the same register.

use super::source::Lease;
use async_trait::async_trait;
use kassette_core::parts::{Port, PortError};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A register in the same rack answers in milliseconds; longer means it is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Most bytes dropped at once; a register that pours more is broken and is left to the reader's own limits.
const DISCARD_MAX: usize = 1 << 20;

/// An open connection.
pub(super) struct TcpPort {
    stream: TcpStream,
    lease: Lease,
}

/// Connects to `host:port`.
pub(super) async fn open(target: &str, lease: Lease) -> Result<TcpPort, PortError> {
    let refused = |reason: String| PortError::Refused {
        address: lease.address.clone(),
        reason,
    };
    let stream = match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(target)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(refused(error.to_string())),
        Err(_) => return Err(refused(format!("no connection within {} s", CONNECT_WITHIN.as_secs()))),
    };
    // A frame of a few bytes must not wait for the next one. Keepalive is not asked for: exchanges have deadlines.
    stream.set_nodelay(true).map_err(|error| refused(error.to_string()))?;
    Ok(TcpPort { stream, lease })
}

#[async_trait]
impl Port for TcpPort {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer).await {
            Ok(read) if read > 0 || buffer.is_empty() => Ok(read),
            // A reset says the same as an orderly end: the other side is gone.
            _ => {
                self.lease.ended();
                Ok(0)
            }
        }
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.stream.write_all(bytes).await;
        if written.is_err() {
            self.lease.ended();
        }
        written
    }

    async fn discard(&mut self) -> io::Result<()> {
        let mut dropped = 0;
        let mut buffer = [0; 4096];
        while dropped < DISCARD_MAX {
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => dropped += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    self.lease.ended();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn set_baud(&mut self, _baud: u32) -> io::Result<()> {
        Ok(())
    }

    fn shared_medium(&self) -> bool {
        true
    }
}
