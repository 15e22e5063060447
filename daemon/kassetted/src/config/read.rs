//! From merged values to the typed configuration.
//!
//! Owns: the meaning, range and default of each key.
//! Must never: touch a device, create a file, or stop at the first error.

use super::environment::HostEnvironment;
use super::error::{ConfigError, ConfigErrors};
use super::keys::{nearest, spec};
use super::sources::{Collected, Found};
use super::units::{DurationText, SizeText};
use super::{ApiConfig, Config, LogConfig, LogFormat, RackConfig};
use crate::identity::ApiLimits;
use kassette_core::domain::snapshot::RackKind;
use kassette_receipts::job_key::RackId;
use kassette_wire::codes::Code;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Longest path of a unix socket: the kernel takes 107 bytes, and the socket is first bound beside its place.
const SOCKET_PATH_MAX: usize = 90;
const MIB: u64 = 1 << 20;

struct Reader {
    found: Collected,
}

/// The configuration, or everything wrong with it.
pub(super) fn config(found: Collected, host: &HostEnvironment) -> Result<Config, ConfigErrors> {
    let mut reader = Reader { found };
    let config = reader.read(host);
    reader.unknown_keys();
    let errors = reader.found.errors;
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => Err(ConfigErrors(errors)),
    }
}

/// A value as the file has it, short enough for a message.
fn shown(value: &toml::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 {
        text
    } else {
        text.chars().take(77).chain("...".chars()).collect()
    }
}

impl Reader {
    fn take(&mut self, key: &str) -> Option<Found> {
        self.found.values.remove(key)
    }

    fn fail(&mut self, code: Code, key: &str, found: Option<&Found>, why: &str) {
        let accepted = spec(key).map_or("", |spec| spec.accepted);
        let text = if why.is_empty() {
            format!("accepted: {accepted}")
        } else {
            format!("{why}; accepted: {accepted}")
        };
        self.found.errors.push(ConfigError {
            code,
            file: found.map(|found| found.file.clone()),
            key: key.to_owned(),
            value: found.map(|found| shown(&found.value)),
            text,
        });
    }

    fn unknown_keys(&mut self) {
        for (key, found) in std::mem::take(&mut self.found.values) {
            let text = match nearest(&key) {
                Some(near) => format!("there is no such key; did you mean {near}?"),
                None => "there is no such key".to_owned(),
            };
            let (file, value) = (Some(found.file), Some(shown(&found.value)));
            self.found.errors.push(ConfigError {
                code: Code::ConfigUnknownKey,
                file,
                key,
                value,
                text,
            });
        }
    }

    fn text<T>(&mut self, key: &str, code: Code, default: T, parse: impl FnOnce(&str) -> Option<T>) -> T {
        let Some(found) = self.take(key) else { return default };
        match found.value.as_str().and_then(parse) {
            Some(value) => value,
            None => {
                self.fail(code, key, Some(&found), "");
                default
            }
        }
    }

    fn number(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(found) = self.take(key) else { return default };
        match found
            .value
            .as_integer()
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| range.contains(n))
        {
            Some(value) => value,
            None => {
                self.fail(Code::ConfigBadValue, key, Some(&found), "");
                default
            }
        }
    }

    fn flag(&mut self, key: &str) -> bool {
        let Some(found) = self.take(key) else { return false };
        found.value.as_bool().unwrap_or_else(|| {
            self.fail(Code::ConfigBadValue, key, Some(&found), "");
            false
        })
    }

    fn size(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.text(key, Code::ConfigBadSize, default, |text| {
            SizeText::from_str(text)
                .ok()
                .map(|size| size.0)
                .filter(|size| range.contains(size))
        })
    }

    fn duration(&mut self, key: &str, default: Duration, seconds: RangeInclusive<u64>) -> Duration {
        let range = Duration::from_secs(*seconds.start())..=Duration::from_secs(*seconds.end());
        self.text(key, Code::ConfigBadDuration, default, |text| {
            DurationText::from_str(text)
                .ok()
                .map(|duration| duration.0)
                .filter(|value| range.contains(value))
        })
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        let found = self.take(key)?;
        let path = found
            .value
            .as_str()
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        if path.is_none() {
            self.fail(Code::ConfigBadPath, key, Some(&found), "");
        }
        path
    }

    /// Notes a value that only a test rack may have.
    fn test_only(&mut self, code: Code, key: &str, file: Option<PathBuf>, kind: RackKind) {
        if kind == RackKind::Live {
            let text = "allowed only in a test rack (rack.kind = \"test\")".to_owned();
            self.found.errors.push(ConfigError {
                code,
                file,
                key: key.to_owned(),
                value: None,
                text,
            });
        }
    }

    fn file_of(&self, key: &str) -> Option<PathBuf> {
        self.found.values.get(key).map(|found| found.file.clone())
    }

    fn read(&mut self, host: &HostEnvironment) -> Option<Config> {
        let rack = self.rack();
        let kind = rack.kind;
        let clock_file = self.file_of("test.clock_offset_file");
        let clock_offset_file = self.path("test.clock_offset_file");
        if clock_offset_file.is_some() {
            self.test_only(Code::ConfigBadValue, "test.clock_offset_file", clock_file, kind);
        }
        let timing_percent = self.timing(kind);
        let log = self.log();
        let journal_reserve_bytes = self.size("journal.reserve", 64 * MIB, 0..=1024 * MIB);
        let journal_free_percent = u8::try_from(self.number("journal.free_percent", 10, 0..=90)).ok()?;
        let archive_after_days = u16::try_from(self.number("journal.archive_after_days", 35, 0..=3660)).ok()?;
        let commit_queue = usize::try_from(self.number("journal.commit_queue", 4096, 16..=65_536)).ok()?;
        let readers = usize::try_from(self.number("journal.readers", 3, 1..=16)).ok()?;
        let queue_max_total = usize::try_from(self.number("limits.queue_max_total", 1_000_000, 1..=10_000_000)).ok()?;
        let locks_dir = self.path("locks.dir").unwrap_or_else(|| host.locks_dir());
        let state_dir = self.state_dir(host);
        let keys_dir = self
            .path("secrets.keys_dir")
            .or_else(|| state_dir.as_ref().map(|dir| dir.join("keys")));
        let api = self.api(host, state_dir.as_ref(), kind);
        Some(Config {
            rack,
            state_dir: state_dir?,
            journal_reserve_bytes,
            journal_free_percent,
            archive_after_days,
            commit_queue,
            readers,
            api: api?,
            queue_max_total,
            timing_percent,
            log,
            keys_dir: keys_dir?,
            locks_dir,
            clock_offset_file,
            sources: self.found.files.clone(),
        })
    }

    fn rack(&mut self) -> RackConfig {
        let kind = self.text("rack.kind", Code::ConfigBadValue, RackKind::Live, |text| match text {
            "live" => Some(RackKind::Live),
            "test" => Some(RackKind::Test),
            _ => None,
        });
        let id = self.text("rack.id", Code::ConfigBadValue, None, |text| {
            text.parse::<RackId>()
                .ok()
                .filter(|id| *id != RackId::UNNAMED)
                .map(Some)
        });
        let file = self.file_of("rack.assume_clock_synchronised");
        let assume_clock_synchronised = self.flag("rack.assume_clock_synchronised");
        if assume_clock_synchronised {
            self.test_only(Code::ConfigBadValue, "rack.assume_clock_synchronised", file, kind);
        }
        RackConfig {
            kind,
            id,
            assume_clock_synchronised,
        }
    }

    fn timing(&mut self, kind: RackKind) -> u32 {
        let file = self.file_of("driver.timing_percent");
        let percent = self.number("driver.timing_percent", 100, 1..=1000);
        if percent != 100 {
            self.test_only(Code::ConfigBadValue, "driver.timing_percent", file, kind);
        }
        u32::try_from(percent).unwrap_or(100)
    }

    fn log(&mut self) -> LogConfig {
        let level = self.text("log.level", Code::ConfigBadValue, "info".to_owned(), |text| {
            EnvFilter::try_new(text)
                .ok()
                .filter(|_| !text.trim().is_empty())
                .map(|_| text.to_owned())
        });
        let format = self.text("log.format", Code::ConfigBadValue, LogFormat::Text, |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        LogConfig { level, format }
    }

    fn state_dir(&mut self, host: &HostEnvironment) -> Option<PathBuf> {
        if self.found.values.contains_key("state.dir") {
            return self.path("state.dir");
        }
        let default = host.state_dir();
        if default.is_none() {
            let why = "neither HOME nor XDG_STATE_HOME is set, so there is no default folder";
            self.fail(Code::ConfigBadPath, "state.dir", None, why);
        }
        default
    }

    fn socket(&mut self, host: &HostEnvironment, state_dir: Option<&PathBuf>) -> Option<PathBuf> {
        let given = self.found.values.contains_key("api.socket");
        let file = self.file_of("api.socket");
        let path = if given {
            self.path("api.socket")?
        } else {
            host.socket(state_dir?)
        };
        if path.as_os_str().len() > SOCKET_PATH_MAX || path.file_name().is_none() {
            let found = file.map(|file| Found {
                value: path.display().to_string().into(),
                file,
            });
            let why = format!("{} has {} bytes", path.display(), path.as_os_str().len());
            self.fail(Code::ConfigBadPath, "api.socket", found.as_ref(), &why);
            return None;
        }
        Some(path)
    }

    fn api(&mut self, host: &HostEnvironment, state_dir: Option<&PathBuf>, kind: RackKind) -> Option<ApiConfig> {
        let socket = self.socket(host, state_dir);
        let socket_mode = self.text("api.socket_mode", Code::ConfigBadValue, 0o660, |text| match text {
            "0600" => Some(0o600),
            "0660" => Some(0o660),
            "0666" => Some(0o666),
            _ => None,
        });
        let plain_tcp = self.plain_tcp(kind);
        let default = ApiLimits::default();
        let message = self.size("api.max_message", default.message_bytes as u64, 64 * 1024..=16 * MIB);
        let streams = self.number("api.max_streams", u64::from(default.streams_per_connection), 16..=4096);
        let connections = self.number("api.max_connections", default.connections as u64, 4..=16_384);
        let limits = ApiLimits {
            message_bytes: usize::try_from(message).ok()?,
            streams_per_connection: u32::try_from(streams).ok()?,
            connections: usize::try_from(connections).ok()?,
            keepalive_every: self.duration("api.keepalive_every", default.keepalive_every, 1..=3600),
            keepalive_timeout: self.duration("api.keepalive_timeout", default.keepalive_timeout, 1..=300),
        };
        Some(ApiConfig {
            socket: socket?,
            socket_mode,
            plain_tcp,
            limits,
        })
    }

    fn plain_tcp(&mut self, kind: RackKind) -> Option<SocketAddr> {
        let file = self.file_of("api.plain_tcp");
        let address = self.text("api.plain_tcp", Code::ConfigBadAddress, None, |text| {
            SocketAddr::from_str(text).ok().map(Some)
        })?;
        if !address.ip().is_loopback() {
            let found = Found {
                value: address.to_string().into(),
                file: file.unwrap_or_default(),
            };
            let why = "a listener without TLS is refused on any other interface than loopback";
            self.fail(Code::ConfigListenerUnsafe, "api.plain_tcp", Some(&found), why);
            return None;
        }
        self.test_only(Code::ConfigListenerUnsafe, "api.plain_tcp", file, kind);
        Some(address)
    }
}
