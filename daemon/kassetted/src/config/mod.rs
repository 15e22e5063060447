//! What the host is: paths, listeners, limits, read from one TOML file and its drop-in folder.
//!
//! Owns: the typed configuration and the report of everything that is wrong with it, at once.
//! Must never: hold what stands in the rack (that is in the journal), or a secret.
//!
//! Values are read key by key against the list in `keys`, not by a derived parser: that one would stop at the first
//! error, and would not know which file a merged value came from.

mod environment;
mod error;
mod keys;
mod read;
mod sources;
mod units;

pub use environment::HostEnvironment;
pub use error::{ConfigError, ConfigErrors};
pub use keys::{KEYS, KeySpec};
pub use units::{DurationText, SizeText};

use crate::identity::ApiLimits;
use kassette_core::domain::snapshot::RackKind;
use kassette_receipts::job_key::RackId;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Everything the host is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Kind and letters of a new journal.
    pub rack: RackConfig,
    /// Folder of the journal.
    pub state_dir: PathBuf,
    /// Size of the file held in reserve against a full disk, bytes.
    pub journal_reserve_bytes: u64,
    /// New jobs are refused while less than this percentage of the journal's disk is free; 0 = never.
    pub journal_free_percent: u8,
    /// Days after which a job that has ended may leave the journal for an archive file; 0 = never.
    pub archive_after_days: u16,
    /// Most commits that wait.
    pub commit_queue: usize,
    /// Read-only connections to the journal.
    pub readers: usize,
    /// Listeners.
    pub api: ApiConfig,
    /// Most jobs that may wait over all tenants.
    pub queue_max_total: usize,
    /// Device waits, percent of the normal ones; other than 100 only in a test rack.
    pub timing_percent: u32,
    /// Logging.
    pub log: LogConfig,
    /// Folder of the tenants' keys.
    pub keys_dir: PathBuf,
    /// Folder of the host-wide locks.
    pub locks_dir: PathBuf,
    /// A file that holds seconds added to the host clock; test racks only.
    pub clock_offset_file: Option<PathBuf>,
    /// The files read, in order.
    pub sources: Vec<PathBuf>,
}

/// Kind and letters of the rack. Both go into the journal when it is made and stay so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RackConfig {
    /// Live or test.
    pub kind: RackKind,
    /// Two letters; without them the rack accepts no receipt until `rack apply` names them.
    pub id: Option<RackId>,
    /// Takes the host clock as synchronised without asking; test racks only.
    pub assume_clock_synchronised: bool,
}

/// Listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Path of the unix socket.
    pub socket: PathBuf,
    /// Its mode.
    pub socket_mode: u32,
    /// A plain listener on loopback; test racks only.
    pub plain_tcp: Option<SocketAddr>,
    /// Limits of every caller.
    pub limits: ApiLimits,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or filters as `tracing` reads them.
    pub level: String,
    /// Form of a line.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads the configuration as `run`, `check-config` and `probe` do.
    ///
    /// Without `file` the file of this user is read if there is one (`/etc/kassette/kassetted.toml` for root,
    /// `kassette/kassetted.toml` in the XDG configuration folder otherwise); without any the defaults hold.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(file: Option<&Path>, host: &HostEnvironment) -> Result<Self, ConfigErrors> {
        let found = sources::collect(file, host)?;
        read::config(found, host)
    }

    /// The journal's file.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.state_dir.join("journal.sqlite")
    }
}

#[cfg(test)]
mod tests;
