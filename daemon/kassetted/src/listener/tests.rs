use super::*;
use std::os::unix::fs::MetadataExt as _;
use tokio::io::AsyncReadExt as _;
use tokio_stream::StreamExt as _;
use tonic::transport::server::Connected as _;

fn api(folder: &Path, plain_tcp: Option<SocketAddr>) -> ApiConfig {
    ApiConfig {
        socket: folder.join("run/api.sock"),
        socket_mode: 0o660,
        plain_tcp,
        limits: ApiLimits::default(),
    }
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_served_one_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), None);
    std::fs::create_dir(folder.path().join("run")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&api.socket).unwrap());
    assert!(api.socket.exists(), "a dead socket stays behind a killed daemon");
    let first = Listeners::bind(&api, RackKind::Live, Path::new("/state-of-the-first"))
        .await
        .unwrap();
    assert_eq!(std::fs::metadata(&api.socket).unwrap().mode() & 0o777, 0o660);
    let second = Listeners::bind(&api, RackKind::Live, Path::new("/other"))
        .await
        .unwrap_err();
    assert_eq!(second.code(), Code::DaemonAlreadyRunning);
    assert!(second.to_string().contains("/state-of-the-first"), "{second}");
    drop(first.accept());
    assert!(!api.socket.exists(), "an ordered end takes the socket away");
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), None);
    std::fs::create_dir(folder.path().join("run")).unwrap();
    std::fs::write(&api.socket, "precious").unwrap();
    let refused = Listeners::bind(&api, RackKind::Live, folder.path()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ConfigBadPath);
    assert_eq!(std::fs::read_to_string(&api.socket).unwrap(), "precious");
}

#[tokio::test]
async fn a_connection_carries_the_user_that_the_kernel_names() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), Some("127.0.0.1:0".parse().unwrap()));
    let listeners = Listeners::bind(&api, RackKind::Test, folder.path()).await.unwrap();
    let plain = listeners.plain_address().unwrap();
    let mut incoming = listeners.accept();
    let _client = tokio::net::UnixStream::connect(&api.socket).await.unwrap();
    let unix = incoming.next().await.unwrap().unwrap().connect_info();
    assert_eq!(unix.name(), format!("uid:{}", nix::unistd::geteuid()));
    assert!(unix.has(Role::Admin) && unix.has(Role::Provider));
    let _client = tokio::net::TcpStream::connect(plain).await.unwrap();
    assert_eq!(
        incoming.next().await.unwrap().unwrap().connect_info().name(),
        "loopback"
    );
}

#[tokio::test]
async fn a_live_rack_has_no_plain_listener_whatever_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), Some("127.0.0.1:0".parse().unwrap()));
    let listeners = Listeners::bind(&api, RackKind::Live, folder.path()).await.unwrap();
    assert_eq!(listeners.plain_address(), None);
}

#[tokio::test]
async fn a_client_that_never_speaks_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), None);
    let mut incoming = Listeners::bind(&api, RackKind::Test, folder.path())
        .await
        .unwrap()
        .accept();
    let _client = tokio::net::UnixStream::connect(&api.socket).await.unwrap();
    let mut connection = incoming.next().await.unwrap().unwrap();
    tokio::time::pause();
    let ended = connection.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::TimedOut);
}
