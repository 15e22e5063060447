//! The face of a simulated device towards the program that carries its bytes.
//!
//! Owns: the calls a host makes and what a device may ask of it.
//! Must never: wait, do I/O, or know what kind of port it hangs on.

use crate::faults::{FaultError, FaultSpec};
use crate::moment::Moment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a device wants done. A host calls [`Machine::poll`] until it gets [`Output::Nothing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// These bytes leave the device now.
    Bytes(Vec<u8>),
    /// The device lost power: the peer sees its connection end. The port opens again when [`Machine::powered`].
    Close,
    /// The cable is pulled: the port disappears until [`Output::Replug`]. The device keeps its power.
    Unplug,
    /// The cable is back, under another port name when one is given.
    Replug {
        /// The new name; `None` for the one before.
        name: Option<String>,
    },
    /// Nothing until the next input or [`Machine::next_wake`].
    Nothing,
}

/// A simulated device: synchronous, and a pure function of what it is given.
pub trait Machine: Send {
    /// Bytes that arrived from the peer, in any pieces.
    fn input(&mut self, now: Moment, bytes: &[u8]);

    /// The next thing to do. Call after every input, fault and wake, until it says nothing.
    fn poll(&mut self, now: Moment) -> Output;

    /// When to call [`Machine::poll`] again without any input, as time since the start; `None` if only input matters.
    fn next_wake(&self) -> Option<Duration>;

    /// Arms or performs a fault.
    ///
    /// # Errors
    /// [`FaultError`] when the fault does not fit this device; nothing is armed then.
    fn fault(&mut self, now: Moment, spec: FaultSpec) -> Result<(), FaultError>;

    /// The peer opened (`true`) or closed its end: a TCP connection, a pty. Bytes under way to a closed end are lost.
    fn linked(&mut self, now: Moment, up: bool);

    /// Whether the device has power. While it has none its port is gone.
    fn powered(&self) -> bool;

    /// How the device stands, for `observe` and for benchmarks.
    fn snapshot(&self) -> Snapshot;

    /// Whether the next byte begins a new exchange: no command is being received or carried out, and no answer is
    /// under way or waits for its ACK. A host that stops the world between two exchanges stops here.
    fn between_exchanges(&self) -> bool;

    /// The commands that were carried out or refused since the last call, oldest first. One is listed as soon as its
    /// answer is decided, also when that answer is then lost on purpose.
    fn take_exchanges(&mut self) -> Vec<Exchange>;
}

/// One command and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Command code in hex: `FF45`.
    pub command: String,
    /// Error code of the answer; 0 is good. What was decided, not what a fault made of it on the way.
    pub error: u8,
    /// Number of the fiscal document that it made; `None` when it made none.
    pub fd: Option<u32>,
}

/// How a device stands, seen from the bench beside it and not over its link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Snapshot {
    /// Factory serial number.
    pub serial: String,
    /// Model name.
    pub model: String,
    /// Number of the FN that is plugged in.
    pub fn_number: String,
    /// Mode byte of command 10, status in the high nibble.
    pub mode: u8,
    /// Submode byte of command 10.
    pub submode: u8,
    /// FN phase bits.
    pub phase: u8,
    /// Whether a shift is open in the FN.
    pub shift_open: bool,
    /// Number of the current or last shift.
    pub shift: u16,
    /// Number of the last fiscal document.
    pub last_fd: u32,
    /// Commands received whole and with a right checksum, since the start.
    pub exchanges: u64,
    /// Bytes that came in, since the start.
    pub bytes_in: u64,
    /// Bytes that went out, since the start.
    pub bytes_out: u64,
    /// Code of the last command in hex (`FF45`), if there was one.
    pub last_command: Option<String>,
    /// Difference of the device's clock to true time in seconds.
    pub clock_skew_seconds: i64,
    /// Whether the device has power.
    pub powered: bool,
    /// Whether it reads its input and does not react.
    pub hangs: bool,
    /// Faults that are armed and have not happened yet.
    pub armed_faults: usize,
    /// Faults that happened since the start, by [`FaultKind::name`](crate::faults::FaultKind::name).
    pub happened: BTreeMap<&'static str, u64>,
}
