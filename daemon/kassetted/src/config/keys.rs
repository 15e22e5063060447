//! Every key of the configuration with its meaning, accepted values and default.
//!
//! Owns: the list that the reader, the error texts and the example file are held against.
//! Must never: name a key that the reader does not read.

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// The dotted name.
    pub key: &'static str,
    /// What is accepted, as error texts say it.
    pub accepted: &'static str,
    /// The default in words.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

const fn key(key: &'static str, accepted: &'static str, default: &'static str, about: &'static str) -> KeySpec {
    KeySpec {
        key,
        accepted,
        default,
        about,
    }
}

/// Every key there is.
pub const KEYS: &[KeySpec] = &[
    key(
        "rack.kind",
        "\"live\" or \"test\"",
        "\"live\"",
        "Kind of a new journal; a journal keeps its kind for good.",
    ),
    key(
        "rack.id",
        "two characters of 0-9 and A-Z without I, L, O and U, not \"00\"",
        "none: no receipt is accepted until 'kassettectl rack apply' names it",
        "Letters of this rack in every job key; a journal keeps them for good.",
    ),
    key(
        "rack.assume_clock_synchronised",
        "true or false; true only with rack.kind = \"test\"",
        "false",
        "Takes the host clock as synchronised without asking the kernel.",
    ),
    key(
        "state.dir",
        "an absolute path",
        "/var/lib/kassette; ~/.local/state/kassette for a user",
        "Folder of the journal.",
    ),
    key(
        "journal.reserve",
        "a size from 0B to 1GiB",
        "\"64MiB\"",
        "File held in reserve, so that running jobs can be finished on a full disk.",
    ),
    key(
        "journal.free_percent",
        "a number from 0 to 90",
        "10",
        "New jobs are refused while less of the journal's disk is free, in percent; 0 = never.",
    ),
    key(
        "journal.archive_after_days",
        "a number from 0 to 3660",
        "35",
        "Days after which jobs that have ended leave the journal for an archive file beside it; 0 = never.",
    ),
    key(
        "journal.commit_queue",
        "a number from 16 to 65536",
        "4096",
        "Most commits that wait for the disk.",
    ),
    key(
        "journal.readers",
        "a number from 1 to 16",
        "3",
        "Read-only connections that serve lists and watches.",
    ),
    key(
        "api.socket",
        "an absolute path of at most 90 bytes",
        "/run/kassette/api.sock; $XDG_RUNTIME_DIR/kassette/api.sock for a user",
        "The unix socket of the interface.",
    ),
    key(
        "api.socket_mode",
        "\"0600\", \"0660\" or \"0666\"",
        "\"0660\"",
        "Mode of the unix socket.",
    ),
    key(
        "api.plain_tcp",
        "127.0.0.1:PORT or [::1]:PORT; only with rack.kind = \"test\"",
        "none",
        "A listener without TLS on loopback; port 0 takes a free one and logs it.",
    ),
    key(
        "api.max_message",
        "a size from 64KiB to 16MiB",
        "\"1MiB\"",
        "Largest message taken or sent.",
    ),
    key(
        "api.max_streams",
        "a number from 16 to 4096",
        "512",
        "Most calls in flight on one connection.",
    ),
    key(
        "api.max_connections",
        "a number from 4 to 16384",
        "1024",
        "Most connections at once.",
    ),
    key(
        "api.keepalive_every",
        "a duration from 1s to 1h",
        "\"20s\"",
        "After such silence a connection is asked whether it lives.",
    ),
    key(
        "api.keepalive_timeout",
        "a duration from 1s to 5m",
        "\"10s\"",
        "A connection that does not answer so long is ended.",
    ),
    key(
        "limits.queue_max_total",
        "a number from 1 to 10000000",
        "1000000",
        "Most jobs that may wait over all tenants.",
    ),
    key(
        "driver.timing_percent",
        "a number from 1 to 1000; other than 100 only with rack.kind = \"test\"",
        "100",
        "Waits for devices, in percent of the documented ones.",
    ),
    key(
        "log.level",
        "error, warn, info, debug, trace, or filters like \"info,kassette_core=debug\"",
        "\"info\"",
        "What is logged.",
    ),
    key(
        "log.format",
        "\"text\" or \"json\"",
        "\"text\"",
        "Form of a log line, on standard error.",
    ),
    key(
        "secrets.keys_dir",
        "an absolute path",
        "keys in the state folder",
        "Folder (mode 0700) of the tenants' keys.",
    ),
    key(
        "locks.dir",
        "an absolute path",
        "/run/lock/kassette",
        "Folder of the locks that keep two daemons from one register; must be the same for all daemons of a host.",
    ),
    key(
        "test.clock_offset_file",
        "an absolute path; only with rack.kind = \"test\"",
        "none",
        "TEST ONLY: a file with a number of seconds that is added to the host clock, read again every 100 ms.",
    ),
];

/// The entry of a key.
pub(super) fn spec(name: &str) -> Option<&'static KeySpec> {
    KEYS.iter().find(|spec| spec.key == name)
}

/// The existing key most like a wrong one, when it is like enough to be meant.
pub(super) fn nearest(wrong: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|spec| (distance(wrong, spec.key), spec.key))
        .min()
        .filter(|(edits, _)| *edits <= wrong.len() / 3 + 1)
        .map(|(_, key)| key)
}

/// Edits that turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = corner + usize::from(ca != *cb);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
