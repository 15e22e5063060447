//! The way to the daemon: its unix socket, or the plain loopback port of a test rack.
//!
//! Owns: where the daemon is looked for, and how long an answer may take.
//! Must never: reach another host without TLS.

use crate::cli::Options;
use crate::failure::Failure;
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

/// Where a daemon of the system listens.
const SYSTEM_SOCKET: &str = "/run/kassette/api.sock";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest an answer may take: the longest wait that a call can ask for, and a margin.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);
/// Largest answer that is read; pages of the daemon stay far below.
pub const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// A connection to the daemon.
pub async fn connect(options: &Options) -> Result<Channel, Failure> {
    match &options.address {
        Some(address) => by_address(address).await,
        None => by_socket(options.socket.clone().unwrap_or_else(default_socket)).await,
    }
}

async fn by_address(address: &str) -> Result<Channel, Failure> {
    let wrong = || {
        Failure::usage(
            format!("{address} is not like http://127.0.0.1:7070"),
            "Give a loopback address.",
        )
    };
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default();
    let loopback = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    if uri.scheme_str() != Some("http") || uri.port().is_none() || !loopback {
        return Err(wrong());
    }
    let endpoint = Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT);
    endpoint
        .connect()
        .await
        .map_err(|error| Failure::no_daemon(address, &cause(&error)))
}

async fn by_socket(path: PathBuf) -> Result<Channel, Failure> {
    let place = path.display().to_string();
    // The address is never used: the connector below goes to the socket.
    let endpoint = Endpoint::from_static("http://kassetted")
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT);
    let connector = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| Failure::no_daemon(&place, &cause(&error)))
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The socket of the user's own daemon if there is one, else that of the system.
fn default_socket() -> PathBuf {
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    first_there(&[folder("XDG_RUNTIME_DIR"), state])
}

fn first_there(folders: &[Option<PathBuf>]) -> PathBuf {
    let sockets = folders.iter().flatten().map(|folder| folder.join("kassette/api.sock"));
    sockets
        .into_iter()
        .find(|socket| socket.exists())
        .unwrap_or_else(|| Path::new(SYSTEM_SOCKET).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{CANNOT_TELL, USAGE};

    fn run(future: impl Future<Output = Result<Channel, Failure>>) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(future).map(|_| ()).unwrap_err().exit()
    }

    #[test]
    fn without_a_daemon_the_exit_code_is_2() {
        assert_eq!(run(by_socket(PathBuf::from("/nonexistent/kassette.sock"))), CANNOT_TELL);
    }

    #[test]
    fn no_other_host_is_reached_in_plain() {
        for address in [
            "http://10.0.0.5:7070",
            "http://127.0.0.1",
            "https://127.0.0.1:1",
            "127.0.0.1:7070",
            "x y",
        ] {
            assert_eq!(run(by_address(address)), USAGE, "{address}");
        }
    }

    #[test]
    fn the_systems_socket_is_used_when_the_user_has_none() {
        assert_eq!(
            first_there(&[None, Some(PathBuf::from("/nonexistent"))]),
            Path::new(SYSTEM_SOCKET)
        );
    }
}
