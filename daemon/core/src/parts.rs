//! The seams: everything the rack needs from outside, so that it can run whole under a virtual clock.
//!
//! Owns: the traits behind which clocks, entropy, ports, locks, secrets, faults and events stand.
//! Must never: hold an implementation that touches the operating system.

mod fault_points;

pub use fault_points::FaultPoints;

use async_trait::async_trait;
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::watch;

/// An instant of calendar time, milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Whole seconds since 1970 UTC.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by milliseconds, kept within the range of the type.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// The only source of calendar time. Nothing waits by it: waiting is `tokio::time`.
pub trait WallClock: Send + Sync {
    /// What the host clock shows now.
    fn now(&self) -> UnixMillis;
    /// Whether the kernel says that the host clock is synchronised.
    fn synchronised(&self) -> bool;
}

/// The only source of randomness.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// What a host-wide lock protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockKind {
    /// A register, by vendor and factory serial.
    Register,
    /// A fiscal storage unit, by its number.
    Fn,
}

impl LockKind {
    /// The name used in lock files and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Fn => "fn",
        }
    }
}

/// A held lock; dropping it releases it.
pub struct LockGuard(#[allow(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl LockGuard {
    /// A guard around whatever holds the lock.
    pub fn new(holder: impl Any + Send + Sync) -> Self {
        Self(Box::new(holder))
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard")
    }
}

/// Who holds a lock that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} {id} is held by {holder}", kind = kind.as_str())]
pub struct LockHeld {
    /// What kind of thing is locked.
    pub kind: LockKind,
    /// Its identity.
    pub id: String,
    /// The holder in words: program, process number, since when.
    pub holder: String,
}

/// Host-wide locks, held by the kernel in the product, so that a killed holder releases them.
pub trait Locks: Send + Sync {
    /// Takes a lock at once or says who holds it.
    ///
    /// # Errors
    /// [`LockHeld`] when another holder has it or it cannot be taken.
    fn take(&self, kind: LockKind, id: &str) -> Result<LockGuard, LockHeld>;
}

/// Where a register is reached: a device path or a TCP address. A name only: it proves nothing about who answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PortAddress {
    /// An absolute device path.
    Serial(String),
    /// `host:port`.
    Tcp(String),
}

/// Why a text is not the address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is neither an absolute device path nor tcp:HOST:PORT")]
pub struct PortAddressError(pub String);

impl std::str::FromStr for PortAddress {
    type Err = PortAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || PortAddressError(text.to_owned());
        if let Some(target) = text.strip_prefix("tcp:") {
            let (host, port) = target.rsplit_once(':').ok_or_else(bad)?;
            if host.is_empty() || port.parse::<u16>().map_err(|_| bad())? == 0 {
                return Err(bad());
            }
            return Ok(Self::Tcp(target.to_owned()));
        }
        if text.starts_with('/') && text.len() > 1 && !text.contains('\0') {
            return Ok(Self::Serial(text.to_owned()));
        }
        Err(bad())
    }
}

impl TryFrom<String> for PortAddress {
    type Error = PortAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PortAddress> for String {
    fn from(address: PortAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for PortAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(path) => f.write_str(path),
            Self::Tcp(target) => write!(f, "tcp:{target}"),
        }
    }
}

/// What is known of a port that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPresence {
    /// Position in the host's topology, where known: a USB port path.
    pub physical_path: Option<String>,
    /// Grows each time the port goes and comes; an open with an older one is refused.
    pub generation: u64,
}

/// The ports that are there now, by address.
pub type PortMap = Arc<BTreeMap<PortAddress, PortPresence>>;

/// Why a port could not be opened or used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortError {
    /// Not there any more, or there again under another generation.
    #[error("port {0} is gone")]
    Gone(PortAddress),
    /// Another program has it open.
    #[error("port {0} is held by another program")]
    Busy(PortAddress),
    /// The operating system refused.
    #[error("port {address} cannot be opened: {reason}")]
    Refused {
        /// The port.
        address: PortAddress,
        /// The operating system's words.
        reason: String,
    },
}

/// Where ports come from.
#[async_trait]
pub trait PortSource: Send + Sync {
    /// Names the ports the rack may touch; no other is ever opened (promise K9).
    fn allow(&self, addresses: Vec<PortAddress>);
    /// The allowed ports that are there now, and each change.
    fn watch(&self) -> watch::Receiver<PortMap>;
    /// Opens a port exclusively.
    ///
    /// # Errors
    /// [`PortError`] when it is gone, newer than `generation`, held by another program or refused.
    async fn open(&self, address: &PortAddress, generation: u64) -> Result<Box<dyn Port>, PortError>;
}

/// An open port. End of stream (a read of zero bytes) means gone.
#[async_trait]
pub trait Port: Send {
    /// Reads what is there, at least one byte; 0 = gone. Dropping the future loses no byte.
    ///
    /// # Errors
    /// The operating system's error; the port is then unusable.
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize>;
    /// Writes all bytes.
    ///
    /// # Errors
    /// The operating system's error; how many bytes left is then unknown.
    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    /// Drops bytes received and not read, and bytes written and not sent.
    ///
    /// # Errors
    /// The operating system's error.
    async fn discard(&mut self) -> std::io::Result<()>;
    /// Sets the speed of a true serial line; no effect where there is none.
    ///
    /// # Errors
    /// The operating system's error.
    async fn set_baud(&mut self, baud: u32) -> std::io::Result<()>;
    /// Whether other hosts may reach the same register beside us (TCP): the FN's number is then always read fresh.
    fn shared_medium(&self) -> bool;
}

/// Keys of one tenant. They are kept with the secrets and in every backup, never in the journal.
#[derive(Clone)]
pub struct TenantKeys {
    /// Key of content hashes.
    pub content: [u8; 32],
    /// Key that encrypts buyer contacts.
    pub contacts: [u8; 32],
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKeys(…)")
    }
}

/// Why a tenant's keys could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the keys of tenant {tenant} cannot be read or made: {reason}")]
pub struct SecretsError {
    /// The tenant.
    pub tenant: Inn,
    /// What went wrong.
    pub reason: String,
}

/// Where secrets come from.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The keys of a tenant; durable before this returns. They are made at first need, and only while the journal has no
    /// job of the tenant: with new keys every known key of a client would seem to have other content.
    ///
    /// # Errors
    /// [`SecretsError`] when they can neither be read nor kept, or are lost.
    async fn tenant_keys(&self, tenant: &Inn, has_jobs: bool) -> Result<TenantKeys, SecretsError>;
}

/// Whether to go on after a named point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Go on.
    Go,
    /// Never go on: the simulated process ends here.
    Halt,
}

macro_rules! points {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The named points between any two effects. Closed: a test that kills at every point iterates [`Point::ALL`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[$doc])* $name,)*
        }

        impl Point {
            /// Every point.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in command lines and traces.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

points! {
    /// A submission was checked, nothing is stored yet.
    AcceptBefore = "accept-before",
    /// The job is durable, the caller was not told.
    AcceptDurable = "accept-durable",
    /// A unit took the job from the queue, no intent yet.
    JobTaken = "job-taken",
    /// The intent is durable, no byte was sent.
    IntentDurable = "intent-durable",
    /// The command that opens the document is about to go out.
    DocumentOpening = "document-opening",
    /// The document is open.
    DocumentOpened = "document-opened",
    /// An item line was taken by the register.
    ItemTaken = "item-taken",
    /// Tags were taken by the register.
    TagsTaken = "tags-taken",
    /// The command that makes the document is about to go out.
    ClosingBefore = "closing-before",
    /// A good answer to that command is in memory.
    ClosingAnswered = "closing-answered",
    /// The outcome is about to be committed.
    OutcomeBefore = "outcome-before",
    /// The outcome is durable.
    OutcomeDurable = "outcome-durable",
    /// The intent of a shift opening or closing is durable.
    ShiftIntentDurable = "shift-intent-durable",
    /// A good answer to a shift command is in memory.
    ShiftAnswered = "shift-answered",
    /// A resolution begins: the link is emptied and the register identified again.
    ResolveIdentified = "resolve-identified",
    /// The register was seen idle twice.
    ResolveIdle = "resolve-idle",
    /// An open document was cancelled.
    ResolveCancelled = "resolve-cancelled",
    /// Every document above the baseline was read.
    ResolveScanned = "resolve-scanned",
    /// The resolution is durable.
    ResolveDurable = "resolve-durable",
    /// A document was read back for the audit, nothing of it is noted.
    AuditRead = "audit-read",
    /// What was read back is noted, with what was found.
    AuditNoted = "audit-noted",
    /// An FN that is read before its lane opens was seen at rest.
    ReadingAtRest = "reading-at-rest",
    /// Documents that were read are durable.
    ReadingNoted = "reading-noted",
    /// Every document of an FN was read.
    ReadingDone = "reading-done",
    /// It is decided how a held job goes on.
    HeldDecided = "held-decided",
    /// A held job went on.
    HeldSettled = "held-settled",
    /// The register's clock was set.
    ClockSet = "clock-set",
    /// A setting of the register was written.
    SettingWritten = "setting-written",
}

/// Named points between any two effects; the product passes [`NoFaults`].
pub trait Faults: Send + Sync {
    /// Called at each point.
    fn reach(&self, point: Point) -> Reach;

    /// The mutant that is alive in this world; none in any but a simulation that asks for one.
    #[cfg(feature = "mutants")]
    fn mutant(&self) -> Option<crate::mutants::Mutant> {
        None
    }
}

/// The faults of the product: none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn reach(&self, _point: Point) -> Reach {
        Reach::Go
    }
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For developers.
    Debug,
    /// A step of normal work.
    Info,
    /// Somebody should look at it.
    Warn,
    /// Somebody must act.
    Error,
}

/// Something that happened; logs and metrics are made from it outside the core. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How much it matters.
    pub severity: Severity,
    /// One fixed message per event, in English.
    pub what: &'static str,
    /// The register concerned.
    pub register: Option<String>,
    /// The FN concerned.
    pub fn_number: Option<String>,
    /// The job concerned.
    pub job: Option<String>,
    /// The tenant concerned.
    pub tenant: Option<String>,
    /// The code of the reason.
    pub code: Option<Code>,
    /// More words.
    pub detail: Option<String>,
}

impl Event {
    /// An event with nothing but its message.
    #[must_use]
    pub const fn new(severity: Severity, what: &'static str) -> Self {
        Self {
            severity,
            what,
            register: None,
            fn_number: None,
            job: None,
            tenant: None,
            code: None,
            detail: None,
        }
    }

    /// Names the register.
    #[must_use]
    pub fn register(mut self, register: impl fmt::Display) -> Self {
        self.register = Some(register.to_string());
        self
    }

    /// Names the FN.
    #[must_use]
    pub fn fn_number(mut self, number: impl fmt::Display) -> Self {
        self.fn_number = Some(number.to_string());
        self
    }

    /// Names the job.
    #[must_use]
    pub fn job(mut self, job: impl fmt::Display) -> Self {
        self.job = Some(job.to_string());
        self
    }

    /// Names the tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl fmt::Display) -> Self {
        self.tenant = Some(tenant.to_string());
        self
    }

    /// Gives the code of the reason.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds words.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }
}

/// Where events go.
pub trait EventSink: Send + Sync {
    /// Takes an event; never blocks.
    fn event(&self, event: Event);
}
