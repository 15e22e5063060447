//! What passes between a device and its port, and what is told of it.
//!
//! Owns: those tests.
//! Must never: know a protocol; the device here is one of its own.

use super::super::test_device::{TestDevice, replug, unplug};
use super::*;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_secs(20);

async fn start(name: &str, socket: Socket) -> Handle {
    let station = Station::new(Box::new(TestDevice::default()), name.to_owned());
    let (carrier, handle) = Carrier::start(station, socket, TrueTime::from_host()).await.unwrap();
    tokio::spawn(carrier.run());
    handle
}

fn folder() -> (tempfile::TempDir, Arc<PtyFolder>) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Arc::new(PtyFolder::open(dir.path()).unwrap());
    (dir, folder)
}

fn open(path: &str) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// Blocking reads stand on a thread of their own; one that never ends fails the test.
async fn read(mut file: File) -> (File, Vec<u8>) {
    let reading = tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 64];
        // A hang-up shows as the end or as an error, whichever the kernel meets first.
        let length = file.read(&mut buffer).unwrap_or(0);
        (file, buffer[..length].to_vec())
    });
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .unwrap()
        .unwrap()
}

async fn ask(mut file: File, command: &[u8]) -> (File, Vec<u8>) {
    file.write_all(command).unwrap();
    read(file).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_pass_a_pty_unchanged_in_both_directions() {
    let (_dir, folder) = folder();
    let handle = start("one", Socket::Pty(folder)).await;
    let port = open(&handle.address().unwrap());
    // Every byte that a terminal in cooked mode would eat or change stands in front of the line's end.
    let strange: Vec<u8> = (0..=255)
        .filter(|b| !matches!(b, 0x06 | b'\n'))
        .chain([b'\n'])
        .collect();
    let (_port, answer) = ask(port, &strange).await;
    assert_eq!(answer, b"ok 1\n");
    assert_eq!(handle.observe().await.unwrap().device.exchanges, 1);
}

/// A carrier that is slow to answer, as on a loaded machine: the clock stands, so that a wait of 0 ends before it does.
#[tokio::test(start_paused = true)]
async fn events_that_are_there_are_told_however_little_time_is_given() {
    let (orders, mut inbox) = mpsc::channel(1);
    let (_address, address) = watch::channel(None);
    let (_newest, newest) = watch::channel(1);
    let there = Event {
        seq: 1,
        unix_ms: 0,
        what: Happening::PortDown,
    };
    let told = there.clone();
    tokio::spawn(async move {
        while let Some(order) = inbox.recv().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let Order::Events(after, reply) = order {
                let newer = [told.clone()].into_iter().filter(|one| one.seq > after);
                reply.send(newer.collect()).unwrap();
            }
        }
    });
    let handle = Handle {
        orders,
        address,
        newest,
    };
    assert_eq!(handle.events(0, Duration::ZERO).await.unwrap(), [there]);
    assert_eq!(handle.events(1, Duration::ZERO).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unplugged_pty_hangs_up_and_loses_its_name_until_it_comes_back_under_another() {
    let (dir, folder) = folder();
    let handle = start("one", Socket::Pty(folder)).await;
    let port = open(&handle.address().unwrap());
    handle.fault(unplug()).await.unwrap().unwrap();
    assert_eq!(read(port).await.1, b"", "the peer sees the end");
    assert_eq!(handle.address(), None);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "no name is left");

    handle.fault(replug(Some("two"))).await.unwrap().unwrap();
    let path = handle.address().unwrap();
    assert_eq!(Path::new(&path), dir.path().join("two"));
    assert_eq!(ask(open(&path), b"x\n").await.1, b"ok 1\n");
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_name_in_use_is_not_given_twice_and_the_event_log_says_so() {
    let (_dir, folder) = folder();
    let one = start("one", Socket::Pty(Arc::clone(&folder))).await;
    let two = start("two", Socket::Pty(folder)).await;
    two.fault(replug(Some("one"))).await.unwrap().unwrap();
    assert_eq!(two.address(), None);
    assert!(one.address().is_some());
    let events = two.events(2, LONG).await.unwrap();
    assert!(
        matches!(&events[0].what, Happening::PortFailed { text } if text.contains("one")),
        "{events:?}"
    );
    two.fault(replug(Some("three"))).await.unwrap().unwrap();
    assert!(two.address().unwrap().ends_with("/three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_left_by_a_killed_simulator_are_removed_at_the_start() {
    let (dir, folder) = folder();
    drop(folder);
    std::os::unix::fs::symlink("/dev/pts/0", dir.path().join("stale")).unwrap();
    let _folder = PtyFolder::open(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_closes_the_port() {
    let (dir, folder) = folder();
    let handle = start("one", Socket::Pty(folder)).await;
    let port = open(&handle.address().unwrap());
    drop(handle);
    assert_eq!(read(port).await.1, b"");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_port_serves_one_peer_and_turns_a_second_away() {
    let handle = start("127.0.0.1:0", Socket::Tcp).await;
    let address = handle.address().unwrap();
    let address = address.strip_prefix("tcp:").unwrap();
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"x\n").await.unwrap();
    let mut answer = [0; 5];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ok 1\n");

    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(
        second.read(&mut [0; 8]).await.unwrap_or(0),
        0,
        "the second peer is turned away"
    );
    first.write_all(b"\x06y\n").await.unwrap();
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ok 2\n", "the first one is not disturbed");

    drop(first);
    let gone = |events: &[Event]| events.iter().any(|e| e.what == Happening::PeerDown);
    let mut after = 0;
    loop {
        let events = handle.events(after, LONG).await.unwrap();
        if gone(&events) {
            break;
        }
        after = events.last().unwrap().seq;
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(b"z\n").await.unwrap();
    third.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ok 3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_cable_that_comes_back_leads_to_the_same_address() {
    let handle = start("127.0.0.1:0", Socket::Tcp).await;
    let before = handle.address().unwrap();
    let address = before.strip_prefix("tcp:").unwrap();
    let mut peer = TcpStream::connect(address).await.unwrap();
    handle.fault(unplug()).await.unwrap().unwrap();
    assert_eq!(peer.read(&mut [0; 8]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    handle.fault(replug(None)).await.unwrap().unwrap();
    assert_eq!(handle.address(), Some(before.clone()));
    TcpStream::connect(address).await.unwrap();
}
