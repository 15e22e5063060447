//! A started program that ends with its owner.
//!
//! Owns: spawning with a log file, signals, and waiting for the end.
//! Must never: leave a process behind, or hide what it said when it failed.

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How many of the last lines of a log an error shows.
const SHOWN_LINES: usize = 40;

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. Its standard error is appended to `log`; standard output goes there too unless the command
    /// says otherwise.
    ///
    /// # Errors
    /// The operating system's.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        Self::spawn_with(name, command, log, Stdio::null())
    }

    /// The same for a program whose standard input the caller writes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn spawn_fed(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        Self::spawn_with(name, command, log, Stdio::piped())
    }

    fn spawn_with(name: &str, command: &mut Command, log: &Path, input: Stdio) -> anyhow::Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let file = open().with_context(|| format!("log file {}", log.display()))?;
        command.stdin(input).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// The child itself, to take its standard output.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).context("process number")?;
        kill(Pid::from_raw(id), signal).with_context(|| format!("{signal} to {}", self.name))
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// The operating system's.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it still runs after `within`; with the end of its log.
    pub fn wait(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= until {
                bail!(
                    "{} still runs after {within:?}; its log:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            // There is no event for the end of a child but this call.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once, as a crash would, and waits for that.
    ///
    /// # Errors
    /// The operating system's.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
