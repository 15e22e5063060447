//! The life of the daemon: what is started in which order, and stopped in reverse.
//!
//! Owns: the order, the signals, and what an end of the core means for the process.
//! Must never: decide anything about a document: the core ends attempts, this waits for it.

mod degraded;
mod reopens;

use crate::backup::Files;
use crate::clock::{ClockSetup, HostClock};
use crate::config::Config;
use crate::entropy::HostEntropy;
use crate::exit::{Exit, chain};
use crate::grpc;
use crate::journal_parts::{self, Journal, JournalError};
use crate::listener::{Incoming, ListenError, Listeners};
use crate::locks::{HostLocks, LockError, LockFile, holder_name, lock_file, prepare_folder};
use crate::secrets::{KeyFileError, KeyFolder};
use crate::telemetry::EventLog;
use crate::transport::HostPorts;
use kassette_core::domain::error::{RackError, Reason};
use kassette_core::exchange::DriverTiming;
use kassette_core::journal::{OpenError, Recovered};
use kassette_core::parts::{Entropy, Faults, WallClock};
use kassette_core::rack::{Ended, Parts, Policy, Rack};
use kassette_wire::codes::Code;
use reopens::Reopens;
use rusqlite::ErrorCode;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// How long calls that are still open may go on after the rack has stopped: watches do not end by themselves.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Why the daemon did not start, or had to end.
#[derive(Debug, Error)]
pub enum RunError {
    /// Another daemon works on this state folder.
    #[error("state folder {folder} is in use by {holder}")]
    StateInUse {
        /// The folder.
        folder: PathBuf,
        /// Who works on it.
        holder: String,
    },
    /// The state folder is another user's: files made in it by this one would lock its owner out.
    #[error("state folder {folder} belongs to user id {owner}, this daemon runs as {user}: run it as its owner")]
    StateOfAnother {
        /// The folder.
        folder: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// A folder cannot be used.
    #[error("{path}: {source}")]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// Keys are exposed or unreadable.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The interface cannot be offered.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The journal cannot be worked with.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The rack did not start.
    #[error("the rack does not start: {0}")]
    Rack(RackError),
    /// The server of the interface ended.
    #[error("the interface failed")]
    Serve(#[from] tonic::transport::Error),
    /// Signals, threads.
    #[error("the operating system refused {what}: {source}")]
    Host {
        /// What was asked.
        what: &'static str,
        /// Its words.
        source: io::Error,
    },
}

impl RunError {
    /// The code of the reason.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::StateInUse { .. } => Code::DaemonAlreadyRunning,
            Self::Folder { .. } | Self::StateOfAnother { .. } => Code::ConfigBadPath,
            Self::Keys(KeyFileError::Exposed { .. }) => Code::ConfigSecretExposed,
            Self::Keys(_) => Code::KeysMissing,
            Self::Listen(error) => error.code(),
            Self::Journal(JournalError::Open(error)) => error.code(),
            Self::Journal(_) => Code::JournalStopped,
            Self::Rack(error) => error.reason.code,
            Self::Serve(_) | Self::Host { .. } => Code::InternalFault,
        }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        match self {
            Self::Folder { source, .. } | Self::Host { source, .. } if denied(source) => Exit::NoRight,
            Self::Listen(ListenError::Io { source, .. }) if denied(source) => Exit::NoRight,
            Self::StateOfAnother { .. } => Exit::NoRight,
            Self::Keys(_) => Exit::Usage,
            Self::Journal(JournalError::Open(OpenError::Sql { .. }) | JournalError::Read(_)) => Exit::TryLater,
            Self::Serve(_) => Exit::TryLater,
            _ => Exit::Refused,
        }
    }
}

/// Runs until a signal or the end of the core.
///
/// # Errors
/// [`RunError`] when it cannot start or must end.
pub async fn run(config: Config, faults: Arc<dyn Faults>) -> Result<Exit, RunError> {
    // What is made from here on is for the daemon's user alone; what others need is opened to them by name.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let mut signals = Signals::listen().map_err(|source| RunError::Host {
        what: "signals",
        source,
    })?;
    let _state = lock_state(&config)?;
    let host = Host::prepare(config)?;
    let config = &host.config;
    let listeners = Listeners::bind(&config.api, config.rack.kind, &config.state_dir).await?;
    if let Some(address) = listeners.plain_address() {
        tracing::warn!(%address, "plain loopback is open: everybody on this host may use the test rack");
    }
    let plain = listeners.plain_address();
    let incoming = listeners.accept();
    let reopens = Reopens::beside(&config.api.socket);
    if reopens.exhausted(host.clock.now().seconds()) {
        let why = format!(
            "the journal failed {} times within {} minutes; no lane starts. After the disk is good again: \
             'kassetted journal verify', remove {}.reopens, restart",
            reopens::REOPENS_MAX,
            reopens::WINDOW_S / 60,
            config.api.socket.display()
        );
        return read_only(&host, Reason::new(Code::JournalReadOnly, why), incoming, &mut signals).await;
    }
    let journal = match open_journal(&host).await {
        Ok(journal) => journal,
        Err(JournalError::Open(error)) if is_damage(&error) => {
            let reason = Reason::new(Code::JournalDamaged, chain(&error));
            return read_only(&host, reason, incoming, &mut signals).await;
        }
        Err(error) => {
            if matches!(error, JournalError::Open(OpenError::Sql { .. })) {
                note_reopen(&reopens, &host);
            }
            return Err(error.into());
        }
    };
    let ended = serve(&host, journal, incoming, plain, faults, &mut signals).await?;
    match ended {
        Ended::Stopped => {
            tracing::info!("stopped");
            Ok(Exit::Done)
        }
        Ended::Reopen(reason) => {
            tracing::error!(code = %reason.code, detail = %reason.detail, "the journal must be opened again");
            note_reopen(&reopens, &host);
            Ok(Exit::TryLater)
        }
    }
}

/// Damage that SQLite meets before the journal's own checks begin is damage all the same.
fn is_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Damaged { .. } => true,
        OpenError::Sql { source, .. } => {
            matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            )
        }
        OpenError::TooNew { .. } | OpenError::OtherKind { .. } | OpenError::OtherRack { .. } => false,
    }
}

fn note_reopen(reopens: &Reopens, host: &Host) {
    if let Err(error) = reopens.note(host.clock.now().seconds()) {
        tracing::error!(%error, "the reopening cannot be counted");
    }
}

/// What stands for the whole life of the process.
struct Host {
    config: Config,
    clock: Arc<HostClock>,
    entropy: Arc<HostEntropy>,
    keys: Arc<KeyFolder>,
    locks: Arc<HostLocks>,
}

impl Host {
    fn prepare(config: Config) -> Result<Self, RunError> {
        prepare_folder(&config.locks_dir).map_err(|source| RunError::Folder {
            path: config.locks_dir.clone(),
            source,
        })?;
        let setup = ClockSetup {
            assume_synchronised: config.rack.assume_clock_synchronised,
            offset_file: config.clock_offset_file.clone(),
        };
        let clock = HostClock::start(setup).map_err(|source| RunError::Host {
            what: "a thread",
            source,
        })?;
        let entropy = Arc::new(HostEntropy);
        let keys = KeyFolder::new(config.keys_dir.clone(), Arc::clone(&entropy) as Arc<dyn Entropy>);
        keys.check()?;
        let locks = HostLocks::new(config.locks_dir.clone(), holder_name(&config.state_dir));
        Ok(Self {
            config,
            clock: Arc::new(clock),
            entropy,
            keys: Arc::new(keys),
            locks: Arc::new(locks),
        })
    }

    fn parts(&self, journal: &Journal, faults: Arc<dyn Faults>) -> Parts {
        let policy = Policy {
            driver_timing: DriverTiming::scaled(self.config.timing_percent),
            queue_max: self.config.queue_max_total,
            archive_after_days: self.config.archive_after_days,
        };
        Parts {
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::clone(&self.entropy) as _,
            locks: Arc::clone(&self.locks) as _,
            ports: Arc::new(HostPorts::start(Arc::clone(&self.locks))),
            committer: Arc::clone(&journal.committer) as _,
            reader: Arc::clone(&journal.reader) as _,
            secrets: Arc::clone(&self.keys) as _,
            faults,
            events: Arc::new(EventLog::default()),
            policy,
        }
    }
}

/// The state folder, private to the daemon's user, and the lock that makes it ours alone.
pub(crate) fn lock_state(config: &Config) -> Result<LockFile, RunError> {
    let folder = &config.state_dir;
    let unusable = |source| RunError::Folder {
        path: folder.clone(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unusable)?;
    let (owner, user) = (
        std::fs::metadata(folder).map_err(unusable)?.uid(),
        nix::unistd::geteuid().as_raw(),
    );
    if owner != user {
        let folder = folder.clone();
        return Err(RunError::StateOfAnother { folder, owner, user });
    }
    lock_file(&folder.join("lock"), &holder_name(folder)).map_err(|error| match error {
        LockError::Held(holder) => RunError::StateInUse {
            folder: folder.clone(),
            holder,
        },
        LockError::Unusable { source, path } => RunError::Folder { path, source },
    })
}

async fn open_journal(host: &Host) -> Result<Journal, JournalError> {
    let (config, entropy, clock) = (host.config.clone(), Arc::clone(&host.entropy), Arc::clone(&host.clock));
    let opened = tokio::task::spawn_blocking(move || journal_parts::open(&config, &*entropy, &*clock)).await;
    opened.map_err(|failed| JournalError::Thread(io::Error::other(failed)))?
}

async fn read_only(host: &Host, reason: Reason, incoming: Incoming, signals: &mut Signals) -> Result<Exit, RunError> {
    tracing::error!(code = %reason.code, detail = %reason.detail, next = reason.code.next_step_en(), "up, read-only: no lane starts");
    tell_ready(host, None, Some(reason.code));
    let (shut, shutdown) = oneshot::channel::<()>();
    let limits = host.config.api.limits;
    let serving = degraded::serve(&reason, &limits, incoming, async move {
        shutdown.await.ok();
    });
    tokio::pin!(serving);
    tokio::select! {
        biased;
        () = signals.stop() => {}
        result = &mut serving => return result.map(|()| Exit::TryLater).map_err(RunError::from),
    }
    drop(shut);
    // A client that does not read its goodbye must not hold the end of the process.
    if let Ok(result) = tokio::time::timeout(LAST_CALLS, serving).await {
        result?;
    }
    Ok(Exit::Done)
}

/// Runs rack and interface until one of them ends or a signal comes, and stops them in order.
async fn serve(
    host: &Host,
    journal: Journal,
    incoming: Incoming,
    plain: Option<SocketAddr>,
    faults: Arc<dyn Faults>,
    signals: &mut Signals,
) -> Result<Ended, RunError> {
    let parts = host.parts(&journal, faults);
    let Journal { recovered, writer, .. } = journal;
    tell_found(&recovered);
    let mut rack = Rack::start(parts, recovered).await.map_err(RunError::Rack)?;
    let handle = rack.handle();
    let (shut, shutdown) = oneshot::channel::<()>();
    let limits = host.config.api.limits;
    let mut server = tokio::spawn(grpc::serve(
        handle.clone(),
        Arc::clone(&host.clock) as Arc<dyn WallClock>,
        limits,
        Files {
            journal: host.config.journal_path(),
            keys: host.config.keys_dir.clone(),
        },
        incoming,
        async move {
            shutdown.await.ok();
        },
    ));
    tell_ready(host, plain, None);
    let mut early = None;
    let mut served = None;
    tokio::select! {
        biased;
        () = signals.stop() => tracing::info!("stopping: no new attempt begins, what was sent is waited out"),
        ended = rack.ended() => early = Some(ended),
        result = &mut server => served = Some(result),
    }
    // No new connection; calls that wait for a job still get its end, because the rack stops only now.
    drop(shut);
    let ended = match early {
        Some(ended) => ended,
        None => {
            handle.stop().await;
            rack.ended().await
        }
    };
    if served.is_none() {
        served = tokio::time::timeout(LAST_CALLS, &mut server).await.ok();
        server.abort();
    }
    // The rack holds the committer; without it the thread can close the journal.
    drop((rack, handle));
    let closed = tokio::task::spawn_blocking(move || writer.close()).await;
    match closed {
        Ok(None) => {}
        Ok(Some(reason)) => tracing::error!(%reason, "the journal had stopped"),
        Err(error) => tracing::error!(%error, "the journal's thread failed"),
    }
    match served {
        Some(Ok(Err(error))) if matches!(ended, Ended::Stopped) => Err(error.into()),
        _ => Ok(ended),
    }
}

fn tell_found(recovered: &Recovered) {
    tracing::info!(
        kind = recovered.kind.as_str(),
        rack_id = recovered.rack_id.map(|id| id.to_string()),
        start = recovered.start,
        waiting = recovered.waiting.len(),
        doubts = recovered.doubts.len(),
        "journal opened"
    );
    for fault in &recovered.archive_faults {
        let (code, detail) = (fault.reason.code, &fault.reason.detail);
        tracing::error!(%code, %detail, next = code.next_step_en(), "an archive file of the journal is not what was written");
    }
    if recovered.plan.1 == 0 {
        tracing::info!(
            "nothing is adopted yet. Next: write what stands in the rack into a file (tenants, slots, registers), look at \
             'kassettectl rack apply FILE', then repeat it with --yes"
        );
    }
}

/// Readiness for whoever started us: one line on standard output, everything else goes to standard error. Ready means
/// that calls are answered; `read_only` names the reason why no more than that happens.
fn tell_ready(host: &Host, plain: Option<SocketAddr>, read_only: Option<Code>) {
    let socket = host.config.api.socket.display().to_string();
    tracing::info!(%socket, "ready");
    let (plain, read_only) = (plain.map(|address| address.to_string()), read_only.map(Code::as_str));
    let line = serde_json::json!({ "ready": true, "socket": socket, "plain_tcp": plain, "read_only": read_only });
    let mut out = io::stdout().lock();
    // Nobody may be reading; that is no reason to end.
    drop(io::Write::write_all(&mut out, format!("{line}\n").as_bytes()).and_then(|()| io::Write::flush(&mut out)));
}

struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            biased;
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
