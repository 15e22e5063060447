//! A simulated rack as its own process.
//!
//! Owns: its start from the text of a rack file, its ready line, and its state folder.
//! Must never: reach into the simulator but over its ports.

use crate::control::Control;
use crate::ledger::{self, Document};
use crate::process::Process;
use crate::programs::Programs;
use anyhow::{Context, bail};
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One register of the ready line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadyRegister {
    /// Factory serial number.
    pub serial: String,
    /// Model.
    pub model: String,
    /// FN number.
    #[serde(rename = "fn")]
    pub fn_number: String,
    /// Path of the serial port, or `tcp:host:port`.
    pub port: String,
}

#[derive(Deserialize)]
struct ReadyLine {
    registers: Vec<ReadyRegister>,
    control: String,
}

/// A running simulator.
#[derive(Debug)]
pub struct Simulator {
    /// The registers in the order of the rack file.
    pub registers: Vec<ReadyRegister>,
    /// Its control port.
    pub control: Control,
    /// Where that listens.
    pub control_address: String,
    /// Its state folder: `ports/`, `fn/`.
    pub state: PathBuf,
    programs: &'static Programs,
    process: Process,
}

impl Simulator {
    /// Writes the rack file into `folder`, starts the simulator there and waits for its ready line.
    ///
    /// # Errors
    /// When the programs cannot be built or the rack is refused, with the simulator's words.
    pub fn start(folder: &Path, rack: &str) -> anyhow::Result<Self> {
        Self::start_at(folder, rack, "127.0.0.1:0")
    }

    /// The same with the control port at an address.
    ///
    /// # Errors
    /// As [`Simulator::start`].
    pub fn start_at(folder: &Path, rack: &str, control: &str) -> anyhow::Result<Self> {
        let programs = Programs::built()?;
        let (file, state) = (folder.join("rack.toml"), folder.join("sim"));
        std::fs::write(&file, rack).context("rack file")?;
        let mut command = Command::new(programs.simulator()?);
        command.arg("run").arg("--rack").arg(&file).arg("--state").arg(&state);
        command.args(["--control", control]).stdout(Stdio::piped());
        let mut process = Process::spawn("kassette-hw-sim", &mut command, &folder.join("sim.log"))?;
        let output = process
            .child()
            .stdout
            .take()
            .context("standard output of the simulator")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.is_empty() {
            bail!("the simulator did not start:\n{}", process.log_tail());
        }
        let ready: ReadyLine = serde_json::from_str(&line).with_context(|| format!("ready line {line}"))?;
        Ok(Self {
            registers: ready.registers,
            control: Control::new(&ready.control),
            control_address: ready.control,
            state,
            programs,
            process,
        })
    }

    /// Ends it at once, as kill -9 does.
    ///
    /// # Errors
    /// The operating system's.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Every document in every FN.
    ///
    /// # Errors
    /// When the ledgers cannot be read.
    pub fn ledger(&self) -> anyhow::Result<Vec<Document>> {
        ledger::read(self.programs, &self.state)
    }

    /// Writes the lines of the simulator's own reader into a file.
    ///
    /// # Errors
    /// When the ledgers cannot be read.
    pub fn write_ledger(&self, file: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(file, ledger::lines(self.programs, &self.state)?)?)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}
