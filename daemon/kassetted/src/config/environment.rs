//! Who runs the daemon and where such a user keeps things: the only place that reads the environment.
//!
//! Owns: the default folders of root and of an ordinary user.
//! Must never: be read twice during one run.

use std::env;
use std::path::{Path, PathBuf};

/// The user and folders of this process, read once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostEnvironment {
    /// Effective user number.
    pub uid: u32,
    /// Home folder.
    pub home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime: Option<PathBuf>,
}

impl HostEnvironment {
    /// Reads the environment of this process. An XDG variable that is not an absolute path is ignored, as its
    /// specification asks.
    #[must_use]
    pub fn of_this_process() -> Self {
        let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            uid: nix::unistd::geteuid().as_raw(),
            home: folder("HOME"),
            xdg_state: folder("XDG_STATE_HOME"),
            xdg_config: folder("XDG_CONFIG_HOME"),
            xdg_runtime: folder("XDG_RUNTIME_DIR"),
        }
    }

    const fn is_root(&self) -> bool {
        self.uid == 0
    }

    fn in_home(&self, below: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(below))
    }

    /// The configuration that is read when none is named; it need not exist.
    #[must_use]
    pub fn config_file(&self) -> Option<PathBuf> {
        if self.is_root() {
            return Some(PathBuf::from("/etc/kassette/kassetted.toml"));
        }
        let folder = self.xdg_config.clone().or_else(|| self.in_home(".config"))?;
        Some(folder.join("kassette/kassetted.toml"))
    }

    /// The state folder; `None` for an ordinary user without a home.
    #[must_use]
    pub fn state_dir(&self) -> Option<PathBuf> {
        if self.is_root() {
            return Some(PathBuf::from("/var/lib/kassette"));
        }
        let folder = self.xdg_state.clone().or_else(|| self.in_home(".local/state"))?;
        Some(folder.join("kassette"))
    }

    /// The unix socket: in the runtime folder, or in the state folder where a user has none.
    #[must_use]
    pub fn socket(&self, state_dir: &Path) -> PathBuf {
        if self.is_root() {
            return PathBuf::from("/run/kassette/api.sock");
        }
        match &self.xdg_runtime {
            Some(folder) => folder.join("kassette/api.sock"),
            None => state_dir.join("api.sock"),
        }
    }

    /// The folder of host-wide locks, the same for every user of the host.
    #[must_use]
    pub fn locks_dir(&self) -> PathBuf {
        if Path::new("/run/lock").is_dir() {
            PathBuf::from("/run/lock/kassette")
        } else {
            PathBuf::from("/tmp/kassette-locks")
        }
    }
}
