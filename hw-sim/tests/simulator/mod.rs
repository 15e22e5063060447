//! The binary under test and a raw client for its ports.
//!
//! Owns: the child process, its state folder, and bytes of the Shtrih-M link written out by hand.
//! Must never: use the crate's own codecs, or leave a child behind.

use kassette_hw_sim::rack_file::{Generated, generate};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

pub const ENQ: u8 = 0x05;
pub const ACK: u8 = 0x06;
pub const NAK: u8 = 0x15;
const STX: u8 = 0x02;

/// An event that does not come within this time never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A rack file of instant registers.
pub fn rack_of(registers: u32, link: &str) -> String {
    generate(&Generated {
        registers,
        link: link.to_owned(),
        ..Generated::default()
    })
}

/// FC, "device type": needs no password and changes nothing (`shtrih-m.md` 3.1).
pub fn sale_free_command() -> Vec<u8> {
    vec![0xFC]
}

/// E0 under the administrator's password 30 (`shtrih-m.md` 3.4).
pub fn open_shift() -> Vec<u8> {
    vec![0xE0, 30, 0, 0, 0]
}

/// 41, the report that closes the shift, under password 30 (`shtrih-m.md` 3.4).
pub fn close_shift() -> Vec<u8> {
    vec![0x41, 30, 0, 0, 0]
}

/// STX, length, command, checksum over all but STX (`shtrih-m.md` 1.2).
pub fn frame(command: &[u8]) -> Vec<u8> {
    let mut frame = vec![STX, u8::try_from(command.len()).unwrap()];
    frame.extend_from_slice(command);
    frame.push(frame[1..].iter().fold(0, |sum, byte| sum ^ byte));
    frame
}

/// CRC of v2: begins with FFFF, polynomial 1021, not reflected (`shtrih-m.md` 1.4).
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
        })
    })
}

/// A frame of v2: marker, then length, number, command and checksum with 8F and 9F stuffed (`shtrih-m.md` 1.4).
pub fn numbered(number: u16, command: &[u8]) -> Vec<u8> {
    let mut plain = u16::try_from(command.len() + 2).unwrap().to_le_bytes().to_vec();
    plain.extend_from_slice(&number.to_le_bytes());
    plain.extend_from_slice(command);
    plain.extend_from_slice(&crc(&plain).to_le_bytes());
    let stuffed = plain.iter().flat_map(|byte| match byte {
        0x8F => vec![0x9F, 0x81],
        0x9F => vec![0x9F, 0x83],
        byte => vec![*byte],
    });
    [0x8F].into_iter().chain(stuffed).collect()
}

/// Number and data of a whole frame of v2, if the bytes behind its marker are one.
fn read_numbered(stuffed: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut plain = Vec::new();
    let mut rest = stuffed.iter();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            0x9F => match rest.next()? {
                0x81 => 0x8F,
                0x83 => 0x9F,
                _ => return None,
            },
            byte => *byte,
        });
    }
    let (body, sum) = plain.split_at_checked(plain.len().checked_sub(2)?)?;
    let (length, body_after) = body.split_at_checked(2)?;
    let whole = usize::from(u16::from_le_bytes(length.try_into().ok()?)) == body_after.len();
    let (number, data) = body_after.split_at_checked(2)?;
    let right = whole && crc(body).to_le_bytes() == sum;
    right.then(|| (u16::from_le_bytes([number[0], number[1]]), data.to_vec()))
}

/// A running simulator. Dropping it kills the process.
pub struct Simulator {
    child: Child,
    folder: TempDir,
    state: PathBuf,
    pub ready: Value,
}

fn command(rack: &Path, state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kassette-hw-sim"));
    command.arg("run").arg("--rack").arg(rack).arg("--state").arg(state);
    command
}

/// Starts a simulator that must refuse to start; returns what it said.
pub fn refused(rack: &str, state: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rack.toml");
    std::fs::write(&file, rack).unwrap();
    let output = command(&file, state).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "a refused start says it is ready");
    String::from_utf8(output.stderr).unwrap()
}

/// A python program that has printed its first line.
pub fn python(program: &str, argument: &str) -> Child {
    let mut child = Command::new("python3")
        .args(["-c", program, argument])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(!line.is_empty(), "the python program failed");
    child
}

fn spawn(folder: &Path) -> (Child, Value) {
    let mut child = command(&folder.join("rack.toml"), &folder.join("state"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
    assert!(read.unwrap() > 0, "the simulator ended: {:?}", child.wait());
    (child, serde_json::from_str(&line).unwrap())
}

impl Simulator {
    pub fn start(rack: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rack.toml"), rack).unwrap();
        let (child, ready) = spawn(folder.path());
        assert_eq!(ready["ready"], true);
        let state = folder.path().join("state");
        Self {
            child,
            folder,
            state,
            ready,
        }
    }

    pub fn start_again(&mut self) {
        let (child, ready) = spawn(self.folder.path());
        self.child = child;
        self.ready = ready;
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn port(&self, at: usize) -> &str {
        self.ready["registers"][at]["port"].as_str().unwrap()
    }

    pub fn open(&self, port: &str) -> Line {
        Line::open(port)
    }

    /// Calls kill -9 as soon as a register has more than `events` events.
    pub fn kill_after(&self, serial: &str, events: u64) -> JoinHandle<()> {
        let url = self.url(&format!("/registers/{serial}/events?after={events}&wait_ms=20000"));
        let pid = self.child.id().to_string();
        std::thread::spawn(move || {
            agent().get(url).call().unwrap();
            assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        })
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready["control"].as_str().unwrap())
    }

    pub fn get(&self, path: &str) -> Value {
        let mut answer = agent().get(self.url(path)).call().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.body_mut().read_json().unwrap()
    }

    pub fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut answer = agent().post(self.url(path)).send_json(body).unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().unwrap())
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_post(path, body);
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    pub fn ledger(&self, more: &[&str]) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_kassette-hw-sim"))
            .arg("ledger")
            .arg("--state")
            .arg(self.state())
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// CPU time of the process so far, in clock ticks (hundredths of a second).
    pub fn cpu_ticks(&self) -> u64 {
        let stat = self.proc("stat");
        let after_name = stat.rsplit_once(')').unwrap().1;
        let fields: Vec<u64> = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|f| f.parse().unwrap())
            .collect();
        fields.iter().sum()
    }

    /// Resident memory of the process, KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    config.http_status_as_error(false).build().into()
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An open port. A thread reads it, so that nothing here waits longer than [`PATIENCE`].
pub struct Line {
    write: Box<dyn Write>,
    read: Receiver<u8>,
    /// A byte that was waited for and not yet read.
    first: Option<u8>,
}

impl Line {
    fn open(port: &str) -> Self {
        match port.strip_prefix("tcp:") {
            Some(address) => {
                let stream = TcpStream::connect(address).unwrap();
                Self::over(stream.try_clone().unwrap(), stream)
            }
            None => {
                let path = PathBuf::from(port);
                let file = File::options().read(true).write(true).open(path).unwrap();
                Self::over(file.try_clone().unwrap(), file)
            }
        }
    }

    fn over(mut from: impl Read + Send + 'static, to: impl Write + 'static) -> Self {
        let (sender, read) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 256];
            // The end and an error both end the line: a hang-up shows as either.
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                for byte in &buffer[..length] {
                    if sender.send(*byte).is_err() {
                        return;
                    }
                }
            }
        });
        let write = Box::new(to);
        Self {
            write,
            read,
            first: None,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).unwrap();
        self.write.flush().unwrap();
    }

    pub fn byte(&mut self) -> u8 {
        let first = self.first.take();
        first.unwrap_or_else(|| self.read.recv_timeout(PATIENCE).expect("a byte from the register"))
    }

    pub fn expect(&mut self, bytes: &[u8]) {
        for expected in bytes {
            let found = self.byte();
            assert_eq!(found, *expected, "{found:02X} came, not {expected:02X} of {bytes:02X?}");
        }
    }

    /// Whether a byte comes in this time; it stays to be read.
    pub fn has_byte_within(&mut self, time: Duration) -> bool {
        if self.first.is_none() {
            self.first = self.read.recv_timeout(time).ok();
        }
        self.first.is_some()
    }

    /// Number and data of the next answer on v2, which comes at once and whole.
    pub fn numbered_answer(&mut self) -> (u16, Vec<u8>) {
        let (before, number, data) = self.numbered_behind_damage();
        assert_eq!(before, 0, "bytes in front of an answer");
        (number, data)
    }

    /// As [`Line::numbered_answer`], with the number of bytes in front of the frame's marker.
    pub fn numbered_behind_damage(&mut self) -> (usize, u16, Vec<u8>) {
        let mut heard = Vec::new();
        loop {
            heard.push(self.byte());
            let begin = heard.iter().rposition(|byte| *byte == 0x8F);
            if let Some((at, (number, data))) = begin.and_then(|at| Some((at, read_numbered(&heard[at + 1..])?))) {
                return (at, number, data);
            }
        }
    }

    /// The end, whatever was still on the line before it.
    pub fn expect_end_after_anything(&mut self) {
        while let Ok(_rest) = self.read.recv_timeout(PATIENCE) {}
        self.expect_end();
    }

    pub fn expect_end(&mut self) {
        let end = self.read.recv_timeout(PATIENCE);
        assert_eq!(end, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }

    /// The data of an answer frame whose checksum is right.
    pub fn answer(&mut self) -> Vec<u8> {
        self.expect(&[STX]);
        let length = self.byte();
        let data: Vec<u8> = (0..length).map(|_| self.byte()).collect();
        let sum = self.byte();
        assert_eq!(
            data.iter().fold(length, |sum, byte| sum ^ byte),
            sum,
            "checksum of {data:02X?}"
        );
        data
    }

    /// As [`Line::exchange`]; `None` when the simulator dies meanwhile.
    pub fn try_exchange(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let mut sent = vec![ENQ];
        sent.extend(frame(command));
        self.write.write_all(&sent).ok()?;
        let next = || self.read.recv_timeout(PATIENCE).ok();
        let heard = [next()?, next()?, next()?];
        assert_eq!(heard, [NAK, ACK, STX]);
        let length = next()?;
        // The last byte is the checksum.
        let mut data = (0..=length).map(|_| next()).collect::<Option<Vec<u8>>>()?;
        data.pop();
        self.write.write_all(&[ACK]).ok()?;
        Some(data)
    }

    /// ENQ, command, answer, ACK.
    pub fn exchange(&mut self, command: &[u8]) -> Vec<u8> {
        self.send(&[ENQ]);
        self.expect(&[NAK]);
        self.send(&frame(command));
        self.expect(&[ACK]);
        let answer = self.answer();
        self.send(&[ACK]);
        answer
    }
}
