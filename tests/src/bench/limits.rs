//! Runs of the limit programs.
//!
//! Owns: their start beside a simulator, and what they print.
//! Must never: compute a limit itself.

use crate::process::Process;
use crate::programs::Programs;
use crate::simulator::Simulator;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long a limit program may go on after its time.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A running limit program.
#[derive(Debug)]
pub struct Limit {
    process: Process,
    output: BufReader<ChildStdout>,
}

impl Limit {
    /// Starts a program and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start, with its words.
    pub fn start(name: &str, folder: &Path, arguments: &[String], rack: Option<&Simulator>) -> anyhow::Result<Self> {
        let mut command = Command::new(Programs::built()?.named(name)?);
        command.args(arguments).stdout(Stdio::piped());
        let ports: Vec<&str> = rack.map_or_else(Vec::new, |rack| {
            rack.registers.iter().map(|register| register.port.as_str()).collect()
        });
        let mut process = Process::spawn_fed(name, &mut command, &folder.join("limit.log"))?;
        let mut input = process.child().stdin.take().context("its standard input")?;
        input.write_all(ports.join("\n").as_bytes())?;
        drop(input);
        let output = process.child().stdout.take().context("its standard output")?;
        let mut limit = Self {
            process,
            output: BufReader::new(output),
        };
        limit.line().with_context(|| format!("{name} did not start"))?;
        Ok(limit)
    }

    /// Its next line.
    ///
    /// # Errors
    /// When it has ended, with its words.
    pub fn line(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            bail!("it ended: {}", self.process.log_tail());
        }
        serde_json::from_str(&line).with_context(|| line.clone())
    }

    /// Process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it failed or goes on too long, with its words.
    pub fn ended(mut self) -> anyhow::Result<()> {
        let status = self.process.wait(ENDS_WITHIN)?;
        if !status.success() {
            bail!("a limit program failed ({status}): {}", self.process.log_tail());
        }
        Ok(())
    }
}
