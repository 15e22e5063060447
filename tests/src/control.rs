//! The control port of the simulator, as its README describes it.
//!
//! Owns: the requests that cases need, and waiting for events of a register.
//! Must never: know anything of the daemon.

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use ureq::Agent;

/// Longest single wait that the control port takes.
const MAX_WAIT: Duration = Duration::from_secs(100);

/// One thing that happened at a register.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Number, from 1.
    pub seq: u64,
    /// True time, milliseconds since 1970 UTC.
    pub unix_ms: i64,
    /// `exchange`, `port_up`, …
    pub event: String,
    /// Command code of an exchange, hex.
    pub command: Option<String>,
    /// Error code of an exchange.
    pub error: Option<u8>,
    /// Document made by an exchange.
    pub fd: Option<u32>,
}

/// A register as the bench sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct Observed {
    /// Factory serial number.
    pub serial: String,
    /// Number of the FN in it.
    pub fn_number: String,
    /// Whether a shift is open.
    pub shift_open: bool,
    /// Number of the last fiscal document.
    pub last_fd: u32,
    /// Commands received since the start.
    pub exchanges: u64,
    /// Bytes that came in since the start.
    pub bytes_in: u64,
    /// Bytes that went out since the start.
    pub bytes_out: u64,
    /// Code of the last command.
    pub last_command: Option<String>,
    /// Difference of its clock to true time, seconds.
    pub clock_skew_seconds: i64,
    /// Faults that have not happened yet.
    pub armed_faults: usize,
    /// Number of the newest event.
    pub last_event: u64,
    /// Address of its port, when there is one.
    pub port: Option<String>,
}

/// A client of the control port.
#[derive(Debug, Clone)]
pub struct Control {
    base: String,
    agent: Agent,
}

impl Control {
    /// A client for `host:port`.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(MAX_WAIT + Duration::from_secs(20)))
            .http_status_as_error(false)
            .build()
            .into();
        let base = format!("http://{address}");
        Self { base, agent }
    }

    fn read(&self, what: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
        let mut answer = answer.with_context(|| format!("control port, {what}"))?;
        let status = answer.status();
        let value: Value = answer
            .body_mut()
            .read_json()
            .with_context(|| format!("control port, {what}"))?;
        if !status.is_success() {
            bail!("control port, {what}: {status}: {}", value["error"]);
        }
        Ok(value)
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.read(path, self.agent.get(format!("{}{path}", self.base)).call())
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.read(path, self.agent.post(format!("{}{path}", self.base)).send_json(body))
    }

    /// How a register stands.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn observe(&self, serial: &str) -> anyhow::Result<Observed> {
        Ok(serde_json::from_value(self.get(&format!("/registers/{serial}"))?)?)
    }

    /// Arms one fault or a list of them.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn fault(&self, serial: &str, fault: &Value) -> anyhow::Result<()> {
        self.post(&format!("/registers/{serial}/faults"), fault).map(drop)
    }

    /// Pulls the cable.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn unplug(&self, serial: &str) -> anyhow::Result<()> {
        self.post(&format!("/registers/{serial}/unplug"), &json!({})).map(drop)
    }

    /// Plugs the cable in, under another port name if one is given.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn replug(&self, serial: &str, name: Option<&str>) -> anyhow::Result<()> {
        let body = name.map_or_else(|| json!({}), |name| json!({ "name": name }));
        self.post(&format!("/registers/{serial}/replug"), &body).map(drop)
    }

    /// Two registers change ports.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn swap(&self, one: &str, other: &str) -> anyhow::Result<()> {
        self.post("/swap", &json!({ "registers": [one, other] })).map(drop)
    }

    /// Makes the next command wait.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn hold(&self, serial: &str) -> anyhow::Result<()> {
        self.post(&format!("/registers/{serial}/hold"), &json!({})).map(drop)
    }

    /// Lets that many exchanges through a hold.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn step(&self, serial: &str, count: u64) -> anyhow::Result<()> {
        self.post(&format!("/registers/{serial}/step"), &json!({ "count": count }))
            .map(drop)
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn release(&self, serial: &str) -> anyhow::Result<()> {
        self.post(&format!("/registers/{serial}/release"), &json!({})).map(drop)
    }

    /// Moves the rack's true time.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn shift_time(&self, by_ms: i64) -> anyhow::Result<()> {
        self.post("/clock", &json!({ "shift_ms": by_ms })).map(drop)
    }

    /// Events with a number above `after`; waits for the first.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn events(&self, serial: &str, after: u64, wait: Duration) -> anyhow::Result<Vec<Event>> {
        let wait = wait.min(MAX_WAIT).as_millis();
        let answer = self.get(&format!("/registers/{serial}/events?after={after}&wait_ms={wait}"))?;
        Ok(serde_json::from_value(answer["events"].clone())?)
    }

    /// Waits for an event after number `after` that fits and gives it.
    ///
    /// # Errors
    /// When none came within the time, with what came instead.
    pub fn wait_event(
        &self,
        serial: &str,
        after: u64,
        within: Duration,
        fits: impl Fn(&Event) -> bool,
    ) -> anyhow::Result<Event> {
        let until = Instant::now() + within;
        let (mut last, mut seen) = (after, Vec::new());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            for event in self.events(serial, last, left)? {
                last = event.seq;
                if fits(&event) {
                    return Ok(event);
                }
                seen.push(event.command.unwrap_or(event.event));
            }
            if left.is_zero() {
                bail!("register {serial}: the awaited event did not come within {within:?}; there were {seen:?}");
            }
        }
    }

    /// Waits until so many exchanges have passed since event number `after`; fewer at the end of the time is an answer
    /// too.
    ///
    /// # Errors
    /// When the control port refuses.
    pub fn wait_exchanges(&self, serial: &str, after: u64, count: u64, within: Duration) -> anyhow::Result<u64> {
        let until = Instant::now() + within;
        let (mut last, mut passed) = (after, 0);
        while passed < count {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            for event in self.events(serial, last, left)? {
                last = event.seq;
                passed += u64::from(event.event == "exchange");
            }
        }
        Ok(passed)
    }
}
