//! Serial ports: real pseudo-terminals behind stable names.
//!
//! Owns: the pseudo-terminals, the folder of names that point at them, and who has which name.
//! Must never: leave a name behind whose terminal is gone, or block on a peer that does not read.

use rustix::fs::inotify;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{self, OptionalActions};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

/// Why a port could not be made.
#[derive(Debug, Error)]
pub enum PtyError {
    /// The system refused.
    #[error("pseudo-terminal {name}: cannot {doing}: {source}")]
    System {
        /// Name of the port.
        name: String,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another port has the name.
    #[error("the port name {0} is in use; unplug the other register first or take another name")]
    NameTaken(String),
    /// Not a file name.
    #[error("\"{0}\" cannot name a port: 1 to 64 letters, digits, dots, dashes or underscores, not a dot first")]
    Name(String),
}

/// Whether a text can name a port.
///
/// # Errors
/// [`PtyError::Name`].
pub fn check_name(name: &str) -> Result<(), PtyError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(PtyError::Name(name.to_owned()));
    }
    Ok(())
}

#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    /// Slave ends by inotify watch.
    watched: BTreeMap<i32, Arc<OwnedFd>>,
}

struct Shared {
    folder: PathBuf,
    closings: AsyncFd<OwnedFd>,
    taken: Mutex<Taken>,
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Every change under the lock is one insert or remove, so a panic elsewhere leaves it whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of serial ports of one rack.
pub struct PtyFolder {
    shared: Arc<Shared>,
    watcher: JoinHandle<()>,
}

impl PtyFolder {
    /// Makes the folder if needed, and removes names that a killed simulator left. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_symlink() {
                std::fs::remove_file(entry.path())?;
            }
        }
        let closings = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            folder: std::path::absolute(folder)?,
            closings: waitable(closings)?,
            taken: Mutex::new(Taken::default()),
        });
        let watcher = tokio::spawn(free_exclusive_ports(Arc::clone(&shared)));
        Ok(Self { shared, watcher })
    }

    /// Whether a port of this name is there now.
    #[must_use]
    pub fn is_taken(&self, name: &str) -> bool {
        self.shared.taken().names.contains(name)
    }

    /// The path under which a port of this name is found.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.shared.folder.join(name)
    }

    /// A new pseudo-terminal under `name`.
    ///
    /// # Errors
    /// [`PtyError`].
    pub fn plug(&self, name: &str) -> Result<Pty, PtyError> {
        check_name(name)?;
        if !self.shared.taken().names.insert(name.to_owned()) {
            return Err(PtyError::NameTaken(name.to_owned()));
        }
        let claim = Claim {
            shared: Arc::clone(&self.shared),
            name: name.to_owned(),
            watch: None,
        };
        Pty::make(claim)
    }
}

impl Drop for PtyFolder {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// A name in the folder, given back when dropped.
struct Claim {
    shared: Arc<Shared>,
    name: String,
    watch: Option<i32>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The symbolic link first: while the name is claimed nobody else can have put one there.
        let _ = std::fs::remove_file(self.shared.folder.join(&self.name));
        let mut taken = self.shared.taken();
        if let Some(watch) = self.watch {
            let _ = inotify::remove_watch(self.shared.closings.get_ref(), watch);
            taken.watched.remove(&watch);
        }
        taken.names.remove(&self.name);
    }
}

/// One serial port: the device's end of a pseudo-terminal. Dropping it hangs up.
pub struct Pty {
    // Fields drop in this order: the name goes before the terminal, so nobody finds a dead port under it.
    claim: Claim,
    master: AsyncFd<OwnedFd>,
    /// Held open: without it the master reads an error as soon as no peer has the port open.
    _slave: Arc<OwnedFd>,
}

impl Pty {
    fn make(mut claim: Claim) -> Result<Self, PtyError> {
        let name = claim.name.clone();
        let failed = |doing| {
            let name = name.clone();
            move |source: rustix::io::Errno| PtyError::System {
                name,
                doing,
                source: source.into(),
            }
        };
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).map_err(failed("open a terminal (see kernel.pty.max)"))?;
        rustix::pty::grantpt(&master).map_err(failed("grant it"))?;
        rustix::pty::unlockpt(&master).map_err(failed("unlock it"))?;
        rustix::io::ioctl_fionbio(&master, true).map_err(failed("set it non-blocking"))?;
        let device = rustix::pty::ptsname(&master, Vec::new()).map_err(failed("find its device"))?;
        let device = PathBuf::from(OsString::from_vec(device.into_bytes()));
        let open = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&device, open, Mode::empty()).map_err(failed("open its device"))?;
        set_raw(&slave).map_err(failed("set it raw"))?;
        let slave = Arc::new(slave);
        claim.watch(&device, &slave).map_err(failed("watch its device"))?;
        claim.link(&device).map_err(|source| PtyError::System {
            name: name.clone(),
            doing: "link its name",
            source,
        })?;
        let master = waitable(master).map_err(|source| PtyError::System {
            name: name.clone(),
            doing: "wait on it",
            source,
        })?;
        Ok(Self {
            claim,
            master,
            _slave: slave,
        })
    }

    /// The path that peers open.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.claim.shared.folder.join(&self.claim.name)
    }

    /// Waits for bytes from the peer. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What the system said; the port is of no more use then.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.master.readable().await?;
            let read = ready.try_io(|master| rustix::io::read(master, &mut *buffer).map_err(io::Error::from));
            match read {
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result,
                Err(_not_ready) => {}
            }
        }
    }

    /// Sends bytes. What a peer that does not read leaves no room for is lost, as on a serial line.
    pub fn send(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match rustix::io::write(self.master.get_ref(), bytes) {
                Ok(written) if written > 0 => bytes = &bytes[written..],
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl Claim {
    fn watch(&mut self, device: &Path, slave: &Arc<OwnedFd>) -> rustix::io::Result<()> {
        let flags = inotify::WatchFlags::CLOSE_WRITE | inotify::WatchFlags::CLOSE_NOWRITE;
        let mut taken = self.shared.taken();
        let watch = inotify::add_watch(self.shared.closings.get_ref(), device, flags)?;
        taken.watched.insert(watch, Arc::clone(slave));
        self.watch = Some(watch);
        Ok(())
    }

    /// Points the name at the device in one step: a peer finds the whole link or none.
    fn link(&self, device: &Path) -> io::Result<()> {
        let new = self.shared.folder.join(format!(".{}.new", self.name));
        match std::fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        std::os::unix::fs::symlink(device, &new)?;
        std::fs::rename(&new, self.shared.folder.join(&self.name))
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe because a type may change its descriptor; an OwnedFd never does"
)]
fn waitable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

fn set_raw(slave: &OwnedFd) -> rustix::io::Result<()> {
    let mut settings = termios::tcgetattr(slave)?;
    settings.make_raw();
    termios::tcsetattr(slave, OptionalActions::Now, &settings)
}

/// Takes back the exclusive use of a port when a peer closes it. A real port forgets it at the last close; a
/// pseudo-terminal keeps it while the simulator holds its end, and an ordinary user could never open the port again
/// after a peer was killed. A peer that still has the port open loses its exclusive use too when another one, which
/// only root can be, closes it: peers lock ports by other means as well.
async fn free_exclusive_ports(shared: Arc<Shared>) {
    loop {
        let Ok(mut ready) = shared.closings.readable().await else {
            return;
        };
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(shared.closings.get_ref(), &mut space);
        while let Ok(event) = events.next() {
            let slave = shared.taken().watched.get(&event.wd()).cloned();
            if let Some(slave) = slave {
                // An error means that the port is going away.
                let _ = termios::ioctl_tiocnxcl(&slave);
            }
        }
        ready.clear_ready();
    }
}
