use super::*;
use nix::pty::{OpenptyResult, openpty};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Ports with locks in a folder of their own.
fn ports_of(holder: &str) -> (HostPorts, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (ports_in(folder.path(), holder), folder)
}

fn ports_in(folder: &Path, holder: &str) -> HostPorts {
    HostPorts::start(Arc::new(HostLocks::new(folder.to_owned(), holder.to_owned())))
}

struct Pty {
    master: std::fs::File,
    slave: OwnedFd,
}

impl Pty {
    fn new() -> Self {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        Self {
            master: master.into(),
            slave,
        }
    }

    fn path(&self) -> PathBuf {
        nix::unistd::ttyname(self.slave.as_fd()).unwrap()
    }
}

fn address(path: &Path) -> PortAddress {
    PortAddress::Serial(path.display().to_string())
}

/// Waits until the published ports satisfy `wanted`; the event is the change, the time is only a bound.
async fn until(ports: &mut watch::Receiver<PortMap>, wanted: impl FnMut(&PortMap) -> bool) -> PortMap {
    let waiting = ports.wait_for(wanted);
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("the change is seen")
        .unwrap()
        .clone()
}

fn generation(ports: &PortMap, address: &PortAddress) -> Option<u64> {
    ports.get(address).map(|presence| presence.generation)
}

#[tokio::test]
async fn a_link_that_leads_to_another_device_is_another_generation_and_the_older_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Pty::new(), Pty::new());
    let link = folder.path().join("reg1");
    symlink(first.path(), &link).unwrap();
    let (source, _locks) = ports_of("this test");
    let mut ports = source.watch();
    let address = address(&link);
    source.allow(vec![address.clone()]);
    let old = generation(&until(&mut ports, |p| p.contains_key(&address)).await, &address).unwrap();
    let fresh = folder.path().join("fresh");
    symlink(second.path(), &fresh).unwrap();
    std::fs::rename(&fresh, &link).unwrap();
    let late = source.open(&address, old).await.map(|_| ()).unwrap_err();
    assert_eq!(
        late,
        PortError::Gone(address.clone()),
        "even before the change was seen"
    );
    let new = generation(
        &until(&mut ports, |p| generation(p, &address) > Some(old)).await,
        &address,
    )
    .unwrap();
    source.open(&address, new).await.unwrap();
    assert_eq!(
        source.open(&address, old).await.map(|_| ()).unwrap_err(),
        PortError::Gone(address)
    );
}

#[tokio::test]
async fn bytes_pass_both_ways_and_a_closed_other_end_is_the_end_of_the_stream() {
    let mut pty = Pty::new();
    let path = pty.path();
    let (source, _locks) = ports_of("this test");
    let mut ports = source.watch();
    let address = address(&path);
    source.allow(vec![address.clone()]);
    let first = generation(&until(&mut ports, |p| p.contains_key(&address)).await, &address).unwrap();
    let mut port = source.open(&address, first).await.unwrap();
    drop(pty.slave);
    port.set_baud(9_600).await.unwrap();
    port.write_all(&[0x05, 0x0A, 0x0D, 0x00]).await.unwrap();
    let mut sent = [0; 4];
    pty.master.read_exact(&mut sent).unwrap();
    assert_eq!(sent, [0x05, 0x0A, 0x0D, 0x00], "raw: no byte is translated");
    pty.master.write_all(&[0x15, 0x03]).unwrap();
    let mut got = [0; 8];
    assert_eq!(port.read(&mut got).await.unwrap(), 2);
    drop(pty.master);
    assert_eq!(port.read(&mut got).await.unwrap(), 0);
    until(&mut ports, |p| !p.contains_key(&address)).await;
}

#[tokio::test]
async fn what_was_received_and_not_read_is_dropped_by_discard() {
    let mut pty = Pty::new();
    let (source, _locks) = ports_of("this test");
    let mut ports = source.watch();
    let address = address(&pty.path());
    source.allow(vec![address.clone()]);
    let first = generation(&until(&mut ports, |p| p.contains_key(&address)).await, &address).unwrap();
    let mut port = source.open(&address, first).await.unwrap();
    pty.master.write_all(b"stale").unwrap();
    nix::poll::poll(
        &mut [nix::poll::PollFd::new(pty.slave.as_fd(), nix::poll::PollFlags::POLLIN)],
        nix::poll::PollTimeout::from(2_000u16),
    )
    .unwrap();
    port.discard().await.unwrap();
    pty.master.write_all(b"new").unwrap();
    let mut got = [0; 8];
    let read = port.read(&mut got).await.unwrap();
    assert_eq!(&got[..read], b"new");
}

async fn opened(source: &HostPorts, address: &PortAddress) -> Result<Box<dyn Port>, PortError> {
    let mut ports = source.watch();
    source.allow(vec![address.clone()]);
    let generation = generation(&until(&mut ports, |p| p.contains_key(address)).await, address).unwrap();
    source.open(address, generation).await
}

#[tokio::test]
async fn a_port_that_another_daemon_drives_is_refused_with_its_name_by_whatever_path() {
    let (pty, locks) = (Pty::new(), tempfile::tempdir().unwrap());
    let by_id = locks.path().join("by-id");
    symlink(pty.path(), &by_id).unwrap();
    let (first, second) = (
        ports_in(locks.path(), "kassetted pid 7"),
        ports_in(locks.path(), "another"),
    );
    let held = opened(&first, &address(&pty.path())).await.unwrap();
    let refused = opened(&second, &address(&by_id)).await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("held by kassetted pid 7"), "{refused}");
    drop(held);
    opened(&second, &address(&by_id)).await.unwrap();
}

#[tokio::test]
async fn a_port_that_a_program_without_locks_has_open_is_busy() {
    let pty = Pty::new();
    let (other, _other_locks) = ports_of("one");
    let _held = opened(&other, &address(&pty.path())).await.unwrap();
    let (source, _locks) = ports_of("locks elsewhere");
    let busy = opened(&source, &address(&pty.path())).await.map(|_| ()).unwrap_err();
    assert_eq!(busy, PortError::Busy(address(&pty.path())));
}

#[tokio::test]
async fn a_port_that_no_slot_names_is_never_opened() {
    let pty = Pty::new();
    let (source, _locks) = ports_of("this test");
    let address = address(&pty.path());
    for generation in 0..3 {
        let refused = source.open(&address, generation).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, PortError::Refused { .. }), "{refused}");
    }
    let mut ports = source.watch();
    source.allow(vec![address.clone()]);
    until(&mut ports, |p| p.contains_key(&address)).await;
    source.allow(Vec::new());
    assert!(matches!(
        source.open(&address, 1).await.map(|_| ()),
        Err(PortError::Refused { .. })
    ));
    until(&mut ports, |p| p.is_empty()).await;
}

#[tokio::test]
async fn a_register_on_the_network_is_always_present_and_gets_a_new_generation_after_its_end() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = PortAddress::Tcp(listener.local_addr().unwrap().to_string());
    let (source, _locks) = ports_of("this test");
    let mut ports = source.watch();
    source.allow(vec![address.clone()]);
    let first = generation(&until(&mut ports, |p| p.contains_key(&address)).await, &address).unwrap();
    let mut port = source.open(&address, first).await.unwrap();
    assert!(port.shared_medium());
    drop(listener.accept().await.unwrap());
    assert_eq!(port.read(&mut [0; 8]).await.unwrap(), 0);
    until(&mut ports, |p| generation(p, &address) > Some(first)).await;
}

#[tokio::test]
async fn on_the_network_every_byte_passes_as_it_is_and_a_late_ff_too() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = PortAddress::Tcp(listener.local_addr().unwrap().to_string());
    let (source, _locks) = ports_of("this test");
    let mut port = opened(&source, &address).await.unwrap();
    let (mut register, _) = listener.accept().await.unwrap();
    let all: Vec<u8> = (0..=255).collect();
    port.write_all(&all).await.unwrap();
    let mut sent = vec![0; all.len()];
    register.read_exact(&mut sent).await.unwrap();
    assert_eq!(sent, all);
    // The FF that a register sends after an ACK, later than anybody waits for it.
    register.write_all(&[0xFF]).await.unwrap();
    let mut got = [0; 8];
    assert_eq!((port.read(&mut got).await.unwrap(), got[0]), (1, 0xFF));
    // A speed means nothing here and is no error.
    port.set_baud(115_200).await.unwrap();
}
