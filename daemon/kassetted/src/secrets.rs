//! The keys of tenants: one file each, readable by the daemon's user alone.
//!
//! Owns: making, keeping and checking those files.
//! Must never: overwrite a key, log one, or use a file that others could read or change.

use async_trait::async_trait;
use kassette_core::parts::{Entropy, Secrets, SecretsError, TenantKeys};
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

const FILE_MAX: u64 = 4096;
const VERSION: u32 = 1;

/// Why keys cannot be had.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// Others may read or change the file or its folder.
    #[error("{code}: {path} has mode {mode:04o} and owner uid {uid}; only the daemon's user may have access (chmod {wanted})", code = Code::ConfigSecretExposed)]
    Exposed {
        /// File or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// The mode it should have.
        wanted: &'static str,
    },
    /// The file is not what was written here.
    #[error("{code}: {path} is not a key file: {reason}; restore it from the backup that belongs to this journal", code = Code::KeysMissing)]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without its content.
        reason: &'static str,
    },
    /// The journal has jobs of the tenant, and the keys they were hashed with are gone.
    #[error("{code}: {path} is gone although the journal has jobs of this tenant; restore it from the backup that belongs to this journal", code = Code::KeysMissing)]
    Lost {
        /// Where the file should be.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    tenant: String,
    content: String,
    contacts: String,
}

/// Keys in files of one folder.
pub struct KeyFolder {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    entropy: Arc<dyn Entropy>,
    known: Mutex<BTreeMap<Inn, TenantKeys>>,
}

impl KeyFolder {
    /// Keys in this folder; it is made at first need.
    #[must_use]
    pub fn new(folder: PathBuf, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            inner: Arc::new(Inner {
                folder,
                entropy,
                known: Mutex::default(),
            }),
        }
    }

    /// The keys of a tenant that has jobs; none are made.
    ///
    /// # Errors
    /// [`KeyFileError`] when they are lost, exposed or cannot be read.
    pub fn kept(&self, tenant: &Inn) -> Result<TenantKeys, KeyFileError> {
        self.inner.keys(tenant, true)
    }

    /// Checks folder and files without making any: what a start refuses over.
    ///
    /// # Errors
    /// [`KeyFileError`] of the first that is exposed or cannot be read.
    pub fn check(&self) -> Result<(), KeyFileError> {
        let folder = &self.inner.folder;
        let at = |source| KeyFileError::Io {
            path: folder.clone(),
            source,
        };
        let meta = match std::fs::symlink_metadata(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.map_err(at)?,
        };
        private(folder, &meta, "0700")?;
        for entry in std::fs::read_dir(folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            let meta = std::fs::symlink_metadata(&path).map_err(|source| KeyFileError::Io {
                path: path.clone(),
                source,
            })?;
            private(&path, &meta, "0600")?;
        }
        Ok(())
    }
}

#[async_trait]
impl Secrets for KeyFolder {
    async fn tenant_keys(&self, tenant: &Inn, has_jobs: bool) -> Result<TenantKeys, SecretsError> {
        let (inner, inn) = (Arc::clone(&self.inner), tenant.clone());
        let keys = tokio::task::spawn_blocking(move || inner.keys(&inn, has_jobs)).await;
        let failed = |reason| SecretsError {
            tenant: tenant.clone(),
            reason,
        };
        keys.map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

impl Inner {
    /// Under the lock from end to end: two first needs of one tenant make one key.
    fn keys(&self, tenant: &Inn, has_jobs: bool) -> Result<TenantKeys, KeyFileError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = known.get(tenant) {
            return Ok(keys.clone());
        }
        let path = self.folder.join(tenant.as_str());
        let keys = match self.read(&path, tenant) {
            Err(KeyFileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                if has_jobs {
                    return Err(KeyFileError::Lost { path });
                }
                self.make(&path, tenant)?;
                self.read(&path, tenant)?
            }
            other => other?,
        };
        known.insert(tenant.clone(), keys.clone());
        Ok(keys)
    }

    fn read(&self, path: &Path, tenant: &Inn) -> Result<TenantKeys, KeyFileError> {
        let at = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        let folder = std::fs::symlink_metadata(&self.folder).map_err(at)?;
        private(&self.folder, &folder, "0700")?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
            .map_err(at)?;
        private(path, &file.metadata().map_err(at)?, "0600")?;
        let mut text = String::new();
        file.take(FILE_MAX).read_to_string(&mut text).map_err(at)?;
        parse(&text, tenant).map_err(|reason| KeyFileError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    /// Writes a new file beside its place and links it there: it appears whole, and never over another.
    fn make(&self, path: &Path, tenant: &Inn) -> Result<(), KeyFileError> {
        let at = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(at)?;
        let fresh = self.folder.join(format!(".{}.{}", tenant.as_str(), std::process::id()));
        let kept = self
            .write(&fresh, tenant)
            .and_then(|()| match std::fs::hard_link(&fresh, path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                other => other,
            });
        let removed = std::fs::remove_file(&fresh);
        kept.and(removed).and_then(|()| sync_folder(&self.folder)).map_err(at)?;
        // The folder itself may be new; its entry must survive as well.
        self.folder.parent().map_or(Ok(()), sync_folder).map_err(at)
    }

    fn write(&self, path: &Path, tenant: &Inn) -> io::Result<()> {
        let mut keys = [[0; 32]; 2];
        for key in &mut keys {
            self.entropy.fill(key);
        }
        let file = KeyFile {
            version: VERSION,
            tenant: tenant.as_str().to_owned(),
            content: to_hex(&keys[0]),
            contacts: to_hex(&keys[1]),
        };
        let text = toml::to_string(&file).map_err(io::Error::other)?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn private(path: &Path, meta: &Metadata, wanted: &'static str) -> Result<(), KeyFileError> {
    let (mode, uid) = (meta.mode() & 0o7777, meta.uid());
    let mine = uid == nix::unistd::geteuid().as_raw() || uid == 0;
    if mode & 0o077 == 0 && mine {
        return Ok(());
    }
    Err(KeyFileError::Exposed {
        path: path.to_owned(),
        mode,
        uid,
        wanted,
    })
}

fn parse(text: &str, tenant: &Inn) -> Result<TenantKeys, &'static str> {
    // The parser's own words could quote a key.
    let file: KeyFile = toml::from_str(text).map_err(|_| "it cannot be read")?;
    if file.version != VERSION {
        return Err("its version is not known here");
    }
    if file.tenant != tenant.as_str() {
        return Err("it belongs to another tenant");
    }
    let key = |hex: &str| from_hex(hex).ok_or("a key is not 64 hex digits");
    Ok(TenantKeys {
        content: key(&file.content)?,
        contacts: key(&file.contacts)?,
    })
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::HostEntropy;
    use std::os::unix::fs::PermissionsExt as _;

    fn tenant() -> Inn {
        "7704358518".parse().unwrap()
    }

    fn folder_in(dir: &tempfile::TempDir) -> KeyFolder {
        KeyFolder::new(dir.path().join("keys"), Arc::new(HostEntropy))
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn keys_are_made_once_and_are_the_same_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let first = folder_in(&dir).tenant_keys(&tenant(), false).await.unwrap();
        let again = folder_in(&dir).tenant_keys(&tenant(), false).await.unwrap();
        assert_eq!((first.content, first.contacts), (again.content, again.contacts));
        assert_ne!(first.content, first.contacts);
        let other = folder_in(&dir)
            .tenant_keys(&"7707083893".parse().unwrap(), false)
            .await
            .unwrap();
        assert_ne!(first.content, other.content);
        let names: Vec<_> = std::fs::read_dir(dir.path().join("keys"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "nothing is left beside them: {names:?}");
    }

    #[tokio::test]
    async fn files_and_folder_are_private_and_refused_when_they_are_not() {
        let dir = tempfile::tempdir().unwrap();
        folder_in(&dir).tenant_keys(&tenant(), false).await.unwrap();
        let (folder, file) = (dir.path().join("keys"), dir.path().join("keys/7704358518"));
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        mode(&file, 0o640);
        let refused = folder_in(&dir).tenant_keys(&tenant(), false).await.unwrap_err();
        assert!(refused.reason.contains("CONFIG_SECRET_EXPOSED"), "{}", refused.reason);
        assert!(matches!(folder_in(&dir).check(), Err(KeyFileError::Exposed { .. })));
        mode(&file, 0o600);
        mode(&folder, 0o750);
        assert!(folder_in(&dir).tenant_keys(&tenant(), false).await.is_err());
        assert!(matches!(folder_in(&dir).check(), Err(KeyFileError::Exposed { .. })));
        mode(&folder, 0o700);
        folder_in(&dir).check().unwrap();
    }

    #[tokio::test]
    async fn lost_keys_of_a_tenant_with_jobs_are_an_error_and_no_new_ones_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let refused = folder_in(&dir).tenant_keys(&tenant(), true).await.unwrap_err();
        assert!(refused.reason.contains(Code::KeysMissing.as_str()), "{refused}");
        assert!(folder_in(&dir).tenant_keys(&tenant(), true).await.is_err());
    }

    #[tokio::test]
    async fn a_damaged_key_is_never_replaced_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        folder_in(&dir).tenant_keys(&tenant(), false).await.unwrap();
        let file = dir.path().join("keys/7704358518");
        let good = std::fs::read_to_string(&file).unwrap();
        for bad in [
            "",
            "version = 1",
            &good.replace("7704358518", "7707083893"),
            &good[..good.len() - 9],
        ] {
            std::fs::write(&file, bad).unwrap();
            let refused = folder_in(&dir).tenant_keys(&tenant(), false).await.unwrap_err();
            assert!(refused.reason.contains("KEYS_MISSING"), "{}", refused.reason);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), *bad);
        }
    }
}
