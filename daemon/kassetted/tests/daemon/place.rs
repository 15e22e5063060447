//! A folder, a configuration and a running daemon.
//!
//! Owns: starting, stopping and calling the shipped binary.
//! Must never: hide what a test is about.

use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// A bound for waits on events; reached only when the event never comes.
const BOUND: Duration = Duration::from_secs(20);

/// A folder with a configuration of a test rack.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A configuration over this folder; `state` and `run` name the parts that two daemons may or may not share.
    pub fn config(&self, name: &str, state: &str, run: &str) -> PathBuf {
        let file = self.path(name);
        let at = |part: &str| self.path(part).display().to_string();
        let text = format!(
            "[rack]\nkind = \"test\"\nid = \"K1\"\nassume_clock_synchronised = true\n[state]\ndir = \"{}\"\n\
             [journal]\nreserve = \"0B\"\nfree_percent = 0\n[api]\nsocket = \"{}/api.sock\"\n[locks]\ndir = \"{}\"\n",
            at(state),
            at(run),
            at("locks"),
        );
        fs::write(&file, text).unwrap();
        file
    }

    pub fn socket(&self, run: &str) -> PathBuf {
        self.path(run).join("api.sock")
    }
}

/// A running daemon; killed when a test fails.
pub struct Daemon {
    pub child: Child,
}

pub fn kassetted(args: &[&str], config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kassetted"));
    command
        .args(args)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Daemon {
    pub fn spawn(config: &Path) -> Self {
        Self {
            child: kassetted(&["run"], config).spawn().unwrap(),
        }
    }

    /// Starts and waits for the line that says ready.
    pub fn ready(config: &Path) -> Self {
        let mut daemon = Self::spawn(config);
        let out = daemon.child.stdout.take().unwrap();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).ok();
            tell.send(line).ok();
        });
        let line = told.recv_timeout(BOUND).unwrap();
        assert!(line.contains("\"ready\":true"), "{line:?} {}", daemon.words());
        daemon
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the end and gives it with everything said on standard error.
    pub fn end(mut self) -> (ExitStatus, String) {
        let words = self.words();
        (self.child.wait().unwrap(), words)
    }

    /// What it says on standard error until it ends.
    pub fn words(&mut self) -> String {
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut words).ok();
        }
        words
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub async fn channel(socket: PathBuf) -> Channel {
    let connect = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://kassette")
        .connect_with_connector(connect)
        .await
        .unwrap()
}
