//! Bytes of one open port, with a deadline on each wait.
//!
//! Owns: the port, and the bytes that were read and not yet looked at.
//! Must never: know a frame, or wait without end.

use super::ExchangeFailure;
use crate::parts::{FaultPoints, Port};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Silence that shows that a noisy line has calmed down (`shtrih-m` 1.2: "drain input, pause 50–100 ms").
const QUIET: Duration = Duration::from_millis(100);
/// Wait for bytes to be taken by the port: a frame of 258 bytes takes 1.1 s at 2400 baud, the slowest speed of the
/// protocols.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Bytes taken from the port at a time: a v1 frame, give or take.
const READ_AT_ONCE: usize = 256;
/// Bytes dropped in one wait for silence.
const MAX_DROPPED: usize = 512;

/// An open port.
pub(super) struct Line {
    port: Box<dyn Port>,
    unread: [u8; READ_AT_ONCE],
    from: usize,
    upto: usize,
    pub(super) points: FaultPoints,
}

impl Line {
    pub(super) const fn new(port: Box<dyn Port>, points: FaultPoints) -> Self {
        Self {
            points,
            port,
            unread: [0; READ_AT_ONCE],
            from: 0,
            upto: 0,
        }
    }

    pub(super) fn shared_medium(&self) -> bool {
        self.port.shared_medium()
    }

    /// The next byte that was read.
    pub(super) fn pop(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.from += 1;
        Some(byte)
    }

    /// The byte that [`Line::pop`] would take.
    pub(super) fn peek(&self) -> Option<u8> {
        self.unread.get(self.from..self.upto)?.first().copied()
    }

    /// Forgets what was read and not looked at.
    pub(super) const fn forget(&mut self) {
        self.from = 0;
        self.upto = 0;
    }

    /// Reads more, where nothing is left to look at; `false` when nothing came by `until`. `sent`: a part of the command
    /// may have left.
    pub(super) async fn fill(&mut self, until: Instant, sent: bool) -> Result<bool, ExchangeFailure> {
        self.forget();
        match timeout_at(until, self.port.read(&mut self.unread)).await {
            Err(_) => Ok(false),
            Ok(Ok(0)) => Err(end_of_stream(sent)),
            Ok(Ok(count)) => {
                self.upto = count.min(READ_AT_ONCE);
                Ok(true)
            }
            Ok(Err(error)) => Err(gone(&error, sent)),
        }
    }

    /// Reads and drops until the line is quiet, no longer than `at_most` and no more than [`MAX_DROPPED`] bytes.
    pub(super) async fn calm(&mut self, at_most: Duration) -> Result<(), ExchangeFailure> {
        self.forget();
        let mut dropped = 0;
        let end = Instant::now() + at_most;
        while dropped < MAX_DROPPED && Instant::now() < end && self.fill(Instant::now() + QUIET, false).await? {
            dropped += self.upto;
        }
        self.forget();
        Ok(())
    }

    /// Drops what the kernel holds in both directions, and what was read.
    pub(super) async fn discard(&mut self) -> Result<(), ExchangeFailure> {
        self.forget();
        match timeout_at(Instant::now() + WRITE_WAIT, self.port.discard()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(gone(&error, false)),
            Err(_) => Err(stuck(false)),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8], sent: bool) -> Result<(), ExchangeFailure> {
        match timeout_at(Instant::now() + WRITE_WAIT, self.port.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(gone(&error, sent)),
            Err(_) => Err(stuck(sent)),
        }
    }
}

const fn stuck(sent: bool) -> ExchangeFailure {
    ExchangeFailure::Stuck {
        sent,
        waited: WRITE_WAIT,
    }
}

fn gone(error: &std::io::Error, sent: bool) -> ExchangeFailure {
    ExchangeFailure::PortGone {
        sent,
        reason: error.to_string(),
    }
}

fn end_of_stream(sent: bool) -> ExchangeFailure {
    ExchangeFailure::PortGone {
        sent,
        reason: "end of stream".to_owned(),
    }
}
