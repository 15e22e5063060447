//! Locks that keep two programs of one host from the same register, FN, state folder or socket.
//!
//! Owns: the lock files and the name of the holder in them.
//! Must never: leave a lock behind a killed holder: the kernel holds them, not the files.
//!
//! A lock is `flock` on an open file, so the kernel drops it with the last descriptor. The file stays: removing it
//! would let a third program lock a new file of the same name while the second still waits on the old one.

use kassette_core::parts::{LockGuard, LockHeld, LockKind, Locks};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Most of a holder's words read: they are another program's text.
const HOLDER_MAX: u64 = 512;

/// Why a lock was not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("held by {0}")]
    Held(String),
    /// The file cannot be made, opened or locked.
    #[error("{path} cannot be locked: {source}")]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
}

/// A held lock file; dropping it releases the lock.
#[derive(Debug)]
pub struct LockFile(#[allow(dead_code, reason = "held for its drop")] Flock<File>);

/// Locks a file at once or says who holds it; `holder` is written into it for others to read.
///
/// # Errors
/// [`LockError`].
pub fn lock_file(path: &Path, holder: &str) -> Result<LockFile, LockError> {
    let unusable = |source| LockError::Unusable {
        path: path.to_owned(),
        source,
    };
    let (file, writable) = open(path).map_err(unusable)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            if writable {
                sign(&mut lock, holder).map_err(unusable)?;
            }
            Ok(LockFile(lock))
        }
        Err((mut file, Errno::EWOULDBLOCK)) => Err(LockError::Held(signature(&mut file))),
        Err((_, error)) => Err(unusable(error.into())),
    }
}

/// Opens the lock file, or makes it. First without making it: in a folder that all may write the kernel refuses
/// `O_CREAT` on another user's file. A file that may only be read can still be locked.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let options = |write: bool, new: bool| {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(write)
            .create_new(new)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .mode(0o660);
        options
    };
    for _ in 0..8 {
        match options(true, false).open(path) {
            Ok(file) => return Ok((file, true)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return options(false, false).open(path).map(|file| (file, false));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        match options(true, true).open(path) {
            Ok(file) => {
                share_as_its_folder(path, &file)?;
                return Ok((file, true));
            }
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
    }
    Err(io::Error::new(ErrorKind::Interrupted, "the file appears and vanishes"))
}

/// Where all users may make lock files, all may write the holder's name into them.
fn share_as_its_folder(path: &Path, file: &File) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let open_to_all = std::fs::metadata(folder)?.permissions().mode() & 0o002 != 0;
    if open_to_all {
        file.set_permissions(Permissions::from_mode(0o666))
    } else {
        Ok(())
    }
}

fn sign(file: &mut File, holder: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(holder.as_bytes())
}

fn signature(file: &mut File) -> String {
    let mut text = Vec::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(HOLDER_MAX).read_to_end(&mut text));
    let text: String = String::from_utf8_lossy(&text)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    if read.is_err() || text.is_empty() {
        "a program that did not give its name".to_owned()
    } else {
        text
    }
}

/// Who holds locks of this process, in words.
#[must_use]
pub fn holder_name(state_dir: &Path) -> String {
    let since = time::OffsetDateTime::now_utc();
    let since = since
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default();
    let (pid, uid) = (std::process::id(), nix::unistd::geteuid());
    format!(
        "kassetted pid {pid} uid {uid} state {} since {since}",
        state_dir.display()
    )
}

/// Makes the folder of host-wide locks, open to every user of the host like the folder it stands in.
///
/// # Errors
/// The operating system's.
pub fn prepare_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => std::fs::set_permissions(folder, Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(parent) = folder.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::create_dir(folder)?;
            std::fs::set_permissions(folder, Permissions::from_mode(0o1777))
        }
        Err(error) => Err(error),
    }
}

/// The host-wide locks of the product.
#[derive(Debug, Clone)]
pub struct HostLocks {
    folder: PathBuf,
    holder: String,
}

impl HostLocks {
    /// Locks in this folder, under this holder's name.
    #[must_use]
    pub const fn new(folder: PathBuf, holder: String) -> Self {
        Self { folder, holder }
    }

    /// Locks a port, by whatever names the device behind it.
    ///
    /// The kernel's exclusive use already keeps a second program out; this lock tells it the name of the first, and
    /// keeps a second daemon from disturbing a network register that takes one connection at a time.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take_port(&self, device: &str) -> Result<LockFile, LockError> {
        lock_file(&self.path("port", device), &self.holder)
    }

    /// One file for each identity. Serials and FN numbers are letters, digits and dashes; any other byte is written as
    /// hex so that no identity can name a file elsewhere.
    fn path(&self, kind: &str, id: &str) -> PathBuf {
        let mut name = format!("{kind}-");
        for byte in id.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' {
                name.push(char::from(byte));
            } else {
                name.push_str(&format!("_{byte:02x}"));
            }
        }
        self.folder.join(name)
    }
}

impl Locks for HostLocks {
    fn take(&self, kind: LockKind, id: &str) -> Result<LockGuard, LockHeld> {
        lock_file(&self.path(kind.as_str(), id), &self.holder)
            .map(LockGuard::new)
            .map_err(|error| LockHeld {
                kind,
                id: id.to_owned(),
                holder: match error {
                    LockError::Held(holder) => holder,
                    LockError::Unusable { .. } => format!("nobody that can be known: {error}"),
                },
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_name_of_the_first_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let locks = |holder: &str| HostLocks::new(folder.path().to_owned(), holder.to_owned());
        let first = locks("kassetted pid 1 of the first rack")
            .take(LockKind::Register, "shtrih-m-1")
            .unwrap();
        let refused = locks("second").take(LockKind::Register, "shtrih-m-1").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "register shtrih-m-1 is held by kassetted pid 1 of the first rack"
        );
        locks("second")
            .take(LockKind::Fn, "shtrih-m-1")
            .expect("an FN of the same name is another lock");
        drop(first);
        let _second = locks("second").take(LockKind::Register, "shtrih-m-1").unwrap();
        assert_eq!(
            locks("x").take(LockKind::Register, "shtrih-m-1").unwrap_err().holder,
            "second"
        );
    }

    #[test]
    fn an_identity_cannot_name_a_file_outside_the_folder() {
        let locks = HostLocks::new("/locks".into(), String::new());
        assert_eq!(locks.path("fn", "../a b"), Path::new("/locks/fn-_2e_2e_2fa_20b"));
    }

    #[test]
    fn a_link_in_the_place_of_a_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("fn-1")).unwrap();
        let locks = HostLocks::new(folder.path().to_owned(), "me".into());
        assert!(locks.take(LockKind::Fn, "1").is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }
}
