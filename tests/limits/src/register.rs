//! A register on a serial port, spoken to with canned bytes.
//!
//! Owns: the payloads of the vendor's worked example (`shtrih-m` 5.2, password 30) and the bare exchange.
//! Must never: check more than that the register said yes.

use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tokio::io::unix::AsyncFd;

/// FF0B, opens the shift.
pub const OPEN_SHIFT: &[u8] = b"\xFF\x0B\x1E\0\0\0";
/// 8D, FF46, FF4D with the measure (2108), FF0C with the job key (1192): all before the closing command.
pub const FILL: [&[u8]; 4] = [
    b"\x8D\x1E\0\0\0\0",
    b"\xFF\x46\x1E\0\0\0\x01\x40\x42\x0F\0\0\0\x10\x27\0\0\0\x10\x27\0\0\0\xFF\xFF\xFF\xFF\xFF\x01\x01\x04\x01\xD2\xEE\xE2\xE0\xF0",
    b"\xFF\x4D\x1E\0\0\0\x3C\x08\x01\0\0",
    b"\xFF\x0C\x1E\0\0\0\xA8\x04\x10\0T1AAAAAAAAAAAAAA",
];

/// FF45: 100.00 paid by card, main tax system.
#[must_use]
pub fn close() -> Vec<u8> {
    let mut payload = b"\xFF\x45\x1E\0\0\0\0\0\0\0\0\x10\x27\0\0\0".to_vec();
    payload.resize(117, 0);
    payload.push(1);
    payload
}

/// A register's serial port.
pub struct Register(AsyncFd<File>);

impl Register {
    /// Opens a port; it is in raw mode already.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits())
            .open(path)?;
        // Its successor is unsafe because a type may change its descriptor; a File never does.
        #[expect(deprecated)]
        AsyncFd::new(file).map(Self)
    }

    /// One command: frame, ACK, answer, ACK.
    ///
    /// # Errors
    /// The operating system's; or the register did not say yes.
    pub async fn exchange(&self, payload: &[u8]) -> io::Result<()> {
        let length = u8::try_from(payload.len()).map_err(io::Error::other)?;
        let mut frame = vec![2, length];
        frame.extend(payload);
        frame.push(frame.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
        self.0.get_ref().write_all(&frame)?;
        let (mut got, mut buffer) = (Vec::new(), [0; 512]);
        // ACK, STX, length, payload, checksum.
        while got.len() < 3 || got.len() < 4 + usize::from(got[2]) {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|port| port.get_ref().read(&mut buffer)) {
                Ok(read) => got.extend(&buffer[..read?]),
                Err(_not_yet) => {}
            }
        }
        self.0.get_ref().write_all(&[6])?;
        let code = if payload.first() == Some(&0xFF) { 2 } else { 1 };
        match got.get(3 + code) {
            Some(0) => Ok(()),
            _ => Err(io::Error::other(format!("{payload:02X?} was answered with {got:02X?}"))),
        }
    }
}
