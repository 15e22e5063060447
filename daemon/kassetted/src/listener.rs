//! Where clients come in: the unix socket, and plain loopback in test racks.
//!
//! Owns: the sockets, who stands behind a connection, and the limits that hold before a request is read.
//! Must never: let a connection in whose peer is unknown, or take a socket away from a daemon that listens on it.

mod connection;
mod peers;

pub use connection::Connection;

use crate::config::ApiConfig;
use crate::identity::{ApiLimits, ClientIdentity, Role};
use crate::locks::{LockError, LockFile, holder_name, lock_file};
use futures_util::Stream;
use kassette_core::domain::snapshot::RackKind;
use kassette_wire::codes::Code;
use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

/// Connections that were accepted and not yet taken by the server.
const HANDOVER: usize = 64;
/// Wait after a failed accept, so that a process out of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the interface cannot be offered.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another daemon listens there.
    #[error("socket {path} is already served by {holder}")]
    AlreadyServed {
        /// The socket.
        path: PathBuf,
        /// Who serves it.
        holder: String,
    },
    /// Something that is no socket stands in its place.
    #[error("{path} exists and is not a socket; it is left alone")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{what} cannot be used: {source}")]
    Io {
        /// Socket or address.
        what: String,
        /// Its words.
        source: io::Error,
    },
}

impl ListenError {
    /// The code of the reason.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::AlreadyServed { .. } => Code::DaemonAlreadyRunning,
            Self::NotASocket { .. } => Code::ConfigBadPath,
            Self::Io { .. } => Code::ConfigBadAddress,
        }
    }
}

/// The bound sockets.
#[derive(Debug)]
pub struct Listeners {
    unix: UnixListener,
    socket: PathBuf,
    tcp: Option<TcpListener>,
    limits: ApiLimits,
    kind: RackKind,
    _lock: LockFile,
}

/// What the server takes connections from. Dropping it ends the listeners and removes the socket.
pub struct Incoming {
    /// Accepted connections, each with who stands behind it.
    pub connections: ReceiverStream<io::Result<Connection>>,
    _tasks: JoinSet<()>,
    _socket: SocketFile,
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.connections).poll_next(cx)
    }
}

#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    _lock: LockFile,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Under the lock still, so that it is ours; a socket left behind is found dead by the next start.
        std::fs::remove_file(&self.path).ok();
    }
}

impl Listeners {
    /// Binds what the configuration names. A dead socket is replaced; one that is listened on is not touched.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn bind(api: &ApiConfig, kind: RackKind, state_dir: &Path) -> Result<Self, ListenError> {
        let lock = lock_socket(&api.socket, state_dir)?;
        let unix = bind_unix(&api.socket, api.socket_mode).await?;
        let tcp = match api.plain_tcp {
            Some(address) if kind == RackKind::Test => Some(bind_tcp(address).await?),
            _ => None,
        };
        Ok(Self {
            unix,
            socket: api.socket.clone(),
            tcp,
            limits: api.limits,
            kind,
            _lock: lock,
        })
    }

    /// The address of the plain listener.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Begins to accept, in tasks that end with what is returned.
    #[must_use]
    pub fn accept(self) -> Incoming {
        let (handover, accepted) = mpsc::channel(HANDOVER);
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept_unix(self.unix, self.kind, Arc::clone(&places), handover.clone()));
        if let Some(tcp) = self.tcp {
            tasks.spawn(accept_tcp(tcp, places, handover));
        }
        Incoming {
            connections: ReceiverStream::new(accepted),
            _tasks: tasks,
            _socket: SocketFile {
                path: self.socket,
                _lock: self._lock,
            },
        }
    }
}

/// A tonic server under the limits of every caller: a connection that went silent is asked whether it lives and ended
/// when it does not answer, so that half-open streams do not pile up.
#[must_use]
pub fn server(limits: &ApiLimits) -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(limits.keepalive_every))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .max_concurrent_streams(Some(limits.streams_per_connection))
        .http2_max_header_list_size(Some(16 * 1024))
        .http2_max_pending_accept_reset_streams(Some(32))
}

/// Two daemons with different state folders could still name one socket; the lock settles who may replace it.
fn lock_socket(socket: &Path, state_dir: &Path) -> Result<LockFile, ListenError> {
    let what = |source| ListenError::Io {
        what: socket.display().to_string(),
        source,
    };
    let folder = socket.parent().unwrap_or(Path::new("/"));
    if !folder.exists() {
        DirBuilder::new().recursive(true).create(folder).map_err(what)?;
        // Clients of other users must get through to the socket, whatever the umask says.
        std::fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(what)?;
    }
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    lock_file(Path::new(&path), &holder_name(state_dir)).map_err(|error| match error {
        LockError::Held(holder) => ListenError::AlreadyServed {
            path: socket.to_owned(),
            holder,
        },
        LockError::Unusable { source, .. } => what(source),
    })
}

async fn bind_unix(socket: &Path, mode: u32) -> Result<UnixListener, ListenError> {
    let io = |source| ListenError::Io {
        what: socket.display().to_string(),
        source,
    };
    match std::fs::symlink_metadata(socket) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(ListenError::NotASocket {
                path: socket.to_owned(),
            });
        }
        Ok(_) if tokio::net::UnixStream::connect(socket).await.is_ok() => {
            let holder = "another program that listens on it".to_owned();
            return Err(ListenError::AlreadyServed {
                path: socket.to_owned(),
                holder,
            });
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    // Bound beside its place and moved there when its mode is right: it is never open wider than asked, not for a
    // moment, and a dead one is replaced in one step.
    let fresh = socket.with_file_name(format!(".api-{}", std::process::id()));
    std::fs::remove_file(&fresh)
        .or_else(|error| {
            if error.kind() == ErrorKind::NotFound {
                Ok(())
            } else {
                Err(error)
            }
        })
        .map_err(io)?;
    let listener = UnixListener::bind(&fresh).map_err(io)?;
    let placed = std::fs::set_permissions(&fresh, Permissions::from_mode(mode))
        .and_then(|()| peers::give_to_group(&fresh))
        .and_then(|()| std::fs::rename(&fresh, socket));
    if let Err(error) = placed {
        std::fs::remove_file(&fresh).ok();
        return Err(io(error));
    }
    Ok(listener)
}

async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError::Io {
        what: address.to_string(),
        source,
    })
}

async fn accept_unix(
    listener: UnixListener,
    kind: RackKind,
    places: Arc<Semaphore>,
    handover: mpsc::Sender<io::Result<Connection>>,
) {
    let mut asking = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        while asking.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let handover = handover.clone();
        // Names of users and groups may come over a network; one slow answer must not hold the others.
        asking.spawn(async move {
            let Ok(peer) = stream.peer_cred() else { return };
            let (uid, gid) = (peer.uid(), peer.gid());
            let asked = tokio::task::spawn_blocking(move || peers::identity(uid, gid, kind)).await;
            if let Ok(identity) = asked {
                handover.send(Ok(Connection::unix(stream, identity, place))).await.ok();
            }
        });
    }
}

async fn accept_tcp(listener: TcpListener, places: Arc<Semaphore>, handover: mpsc::Sender<io::Result<Connection>>) {
    // Only a test rack has this listener; whoever reaches loopback there may do everything.
    let identity = ClientIdentity::new("loopback", Role::ALL);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                stream.set_nodelay(true).ok();
                if handover
                    .send(Ok(Connection::tcp(stream, identity.clone(), place)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;
