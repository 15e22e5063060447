//! A serial line, true or pseudo.
//!
//! Owns: exclusive open, raw mode, speed, and what counts as the end of the line.
//! Must never: set modem lines: pseudo terminals have none, and on some registers DTR resets the link.

use super::source::Lease;
use async_trait::async_trait;
use kassette_core::parts::{Port, PortError};
use nix::errno::Errno;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::{ClearBuffer, ErrorKind, SerialPort as _, SerialStream};

/// Speed before the core sets another; the factory setting of the USB side of the registers we drive.
const DEFAULT_BAUD: u32 = 115_200;

/// An open serial line.
pub(super) struct SerialLine {
    stream: SerialStream,
    lease: Lease,
}

/// Opens a line exclusively, in raw mode, 8N1. In a thread of its own: a dying USB converter can hold an open for
/// seconds.
pub(super) async fn open(path: String, lease: Lease) -> Result<SerialLine, PortError> {
    let address = lease.address.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let builder = tokio_serial::new(&path, DEFAULT_BAUD);
        SerialStream::open(&builder).map_err(|error| (error, readable_and_writable(&path)))
    })
    .await;
    match opened {
        Ok(Ok(stream)) => Ok(SerialLine { stream, lease }),
        Ok(Err((error, access))) => Err(why_not(address, &error, access)),
        Err(failed) => Err(PortError::Refused {
            address,
            reason: failed.to_string(),
        }),
    }
}

fn readable_and_writable(path: &str) -> Result<(), Errno> {
    nix::unistd::access(path, nix::unistd::AccessFlags::R_OK | nix::unistd::AccessFlags::W_OK)
}

/// The serial library folds absence, rights and exclusive use into one kind; what the path itself says tells them apart.
fn why_not(
    address: kassette_core::parts::PortAddress,
    error: &tokio_serial::Error,
    access: Result<(), Errno>,
) -> PortError {
    match (error.kind(), access) {
        (_, Err(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV | Errno::ENOTDIR)) => PortError::Gone(address),
        (ErrorKind::NoDevice, Ok(())) => PortError::Busy(address),
        // A pseudo terminal whose other end was closed answers EIO.
        (ErrorKind::Unknown, Ok(())) if error.to_string().contains("Input/output error") => PortError::Gone(address),
        _ => PortError::Refused {
            address,
            reason: error.to_string(),
        },
    }
}

/// Errors by which the kernel says that the device behind an open line is gone.
fn means_gone(error: &io::Error) -> bool {
    let codes = [Errno::EIO, Errno::ENXIO, Errno::ENODEV, Errno::EPIPE, Errno::EBADF];
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&Errno::from_raw(code)))
}

impl SerialLine {
    fn seen<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.lease.ended();
        }
        result
    }
}

#[async_trait]
impl Port for SerialLine {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer).await {
            Ok(0) if !buffer.is_empty() => {
                self.lease.ended();
                Ok(0)
            }
            Err(error) if means_gone(&error) => {
                self.lease.ended();
                Ok(0)
            }
            other => self.seen(other),
        }
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.stream.write_all(bytes).await;
        self.seen(written)
    }

    async fn discard(&mut self) -> io::Result<()> {
        let cleared = self.stream.clear(ClearBuffer::All).map_err(io::Error::from);
        self.seen(cleared)
    }

    async fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        self.stream.set_baud_rate(baud).map_err(io::Error::from)
    }

    fn shared_medium(&self) -> bool {
        false
    }
}
