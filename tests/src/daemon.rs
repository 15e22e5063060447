//! The daemon as its own process, with a test configuration.
//!
//! Owns: the configuration file of a test daemon, its start, ready line, stop and crash.
//! Must never: be pointed at a register that no simulator of the same test made.

use crate::api::Api;
use crate::process::Process;
use crate::programs::Programs;
use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// The environment variable that names the fault point at which `kassetted-faulty` ends.
pub const ABORT_AT: &str = "KASSETTE_ABORT_AT";
/// Longest time that a stop may take: a closing command is waited out.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Where a daemon keeps its things, and how it waits for devices.
#[derive(Debug, Clone)]
pub struct DaemonSetup {
    /// Folder of configuration, state, socket and log.
    pub folder: PathBuf,
    /// Folder of the host-wide locks; two daemons that must see each other share it.
    pub locks: PathBuf,
    /// Waits for devices in percent of the documented ones.
    pub timing_percent: u32,
    /// What is logged.
    pub log_level: String,
    /// Whether it listens on plain loopback too: everybody there is one client, another than the user of the socket.
    pub plain_tcp: bool,
    /// Another build of the daemon to start instead of the one that cargo calls up to date.
    pub program: Option<PathBuf>,
}

#[derive(Deserialize)]
struct ReadyLine {
    socket: PathBuf,
    plain_tcp: Option<String>,
}

impl DaemonSetup {
    /// A daemon in a folder of its own; hangs resolve in a twentieth of the documented time.
    #[must_use]
    pub fn within(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            locks: folder.join("locks"),
            timing_percent: 5,
            log_level: "info,kassette_core=debug".to_owned(),
            plain_tcp: false,
            program: None,
        }
    }

    /// The file whose seconds are added to the host's clock.
    #[must_use]
    pub fn clock_offset_file(&self) -> PathBuf {
        self.folder.join("clock-offset")
    }

    /// Its configuration file, for people and for this harness.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("kassetted.toml")
    }

    /// Its unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("api.sock")
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let show = |path: &Path| format!("{:?}", path.display().to_string());
        let text = format!(
            "[rack]\nkind = \"test\"\nid = \"T1\"\nassume_clock_synchronised = true\n\n[state]\ndir = {state}\n\n\
             [journal]\nreserve = \"1MiB\"\nfree_percent = 0\n\n[api]\nsocket = {socket}\n{plain}\n[driver]\ntiming_percent = {timing}\n\n\
             [locks]\ndir = {locks}\n\n[log]\nlevel = \"{level}\"\n\n\
             [test]\nclock_offset_file = {offset}\n",
            state = show(&self.folder.join("state")),
            socket = show(&self.socket()),
            plain = if self.plain_tcp {
                "plain_tcp = \"127.0.0.1:0\"\n"
            } else {
                ""
            },
            timing = self.timing_percent,
            level = self.log_level,
            locks = show(&self.locks),
            offset = show(&self.clock_offset_file()),
        );
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.config_file(), text).context("configuration of the daemon")
    }

    /// Starts the shipped daemon and waits for its ready line.
    ///
    /// # Errors
    /// When it does not start, with the end of its log.
    pub fn start(&self) -> anyhow::Result<Daemon> {
        let program = self
            .program
            .as_deref()
            .map_or_else(|| Programs::built()?.daemon(), Ok)?;
        self.ready(program, None)
    }

    /// Starts the daemon that ends at a named fault point, and waits for its ready line.
    ///
    /// # Errors
    /// When it ends before it is ready, which some points mean.
    pub fn start_faulty(&self, point: &str) -> anyhow::Result<Daemon> {
        self.ready(Programs::built()?.faulty_daemon()?, Some(point))
    }

    fn ready(&self, program: &Path, point: Option<&str>) -> anyhow::Result<Daemon> {
        self.write_config()?;
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg("--config")
            .arg(self.config_file())
            .stdout(Stdio::piped());
        command.env_remove(ABORT_AT);
        if let Some(point) = point {
            command.env(ABORT_AT, point);
        }
        let mut process = Process::spawn("kassetted", &mut command, &self.folder.join("kassetted.log"))?;
        let output = process.child().stdout.take().context("standard output of the daemon")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.is_empty() {
            let ended = process.wait(STOPS_WITHIN)?;
            bail!("the daemon did not start ({ended}):\n{}", process.log_tail());
        }
        let ready: ReadyLine = serde_json::from_str(&line).with_context(|| format!("ready line {line}"))?;
        let api = Api::connect(&ready.socket)?;
        Ok(Daemon {
            api,
            process,
            plain_tcp: ready.plain_tcp,
        })
    }
}

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    /// A client on its unix socket.
    pub api: Api,
    process: Process,
    plain_tcp: Option<String>,
}

impl Daemon {
    /// Asks it to stop, and does not wait.
    ///
    /// # Errors
    /// When it is gone.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGTERM)
    }

    /// Asks it to stop and waits for the end.
    ///
    /// # Errors
    /// When it goes on too long.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.terminate()?;
        self.process.wait(STOPS_WITHIN)
    }

    /// The same, for who keeps the value until the next start.
    ///
    /// # Errors
    /// When it goes on too long, or fails.
    pub fn stop_in_place(&mut self) -> anyhow::Result<()> {
        self.terminate()?;
        let ended = self.process.wait(STOPS_WITHIN)?;
        anyhow::ensure!(ended.success(), "the daemon did not stop in order: {ended}");
        Ok(())
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// When it still runs after that time.
    pub fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.process.wait(within)
    }

    /// Ends it at once, as kill -9 does.
    ///
    /// # Errors
    /// The operating system's.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.signal(signal)
    }

    /// How it has ended by itself, if it has.
    ///
    /// # Errors
    /// The operating system's.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.process.ended()
    }

    /// Address of its plain listener, as a client takes it.
    ///
    /// # Errors
    /// When it has none.
    pub fn plain_address(&self) -> anyhow::Result<String> {
        let address = self.plain_tcp.as_ref().context("no plain listener")?;
        Ok(format!("http://{address}"))
    }

    /// Process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}
