//! Calendar time of the host, and whether the kernel says that it is synchronised.
//!
//! Owns: asking both, and the shift that tests put on them.
//! Must never: set the host's clock, or call it synchronised because nobody could tell.

use kassette_core::parts::{UnixMillis, WallClock};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the kernel's word on synchronisation is asked for.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// How often the test's shift is read.
const SHIFT_EVERY: Duration = Duration::from_millis(100);
/// How long an answer may take; the service behind it may have to be started first.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How a clock is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockSetup {
    /// Takes the clock as synchronised without asking; test racks only.
    pub assume_synchronised: bool,
    /// File with seconds added to the clock; test racks only.
    pub offset_file: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    synchronised: AtomicBool,
    offset_ms: AtomicI64,
}

/// The host's clock.
#[derive(Debug)]
pub struct HostClock {
    state: Arc<State>,
}

impl HostClock {
    /// Starts the clock with a thread that asks what asking may block for. The thread ends with the clock.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(setup: ClockSetup) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        state.synchronised.store(setup.assume_synchronised, Ordering::Relaxed);
        if let Some(file) = &setup.offset_file {
            state.offset_ms.store(read_offset(file), Ordering::Relaxed);
        }
        if !setup.assume_synchronised || setup.offset_file.is_some() {
            let watched = Arc::downgrade(&state);
            thread::Builder::new()
                .name("clock".into())
                .spawn(move || watch(&watched, &setup))?;
        }
        Ok(Self { state })
    }
}

impl WallClock for HostClock {
    fn now(&self) -> UnixMillis {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        UnixMillis(millis).plus_millis(self.state.offset_ms.load(Ordering::Relaxed))
    }

    fn synchronised(&self) -> bool {
        self.state.synchronised.load(Ordering::Relaxed)
    }
}

fn watch(state: &Weak<State>, setup: &ClockSetup) {
    let mut asked: Option<Instant> = None;
    while let Some(state) = state.upgrade() {
        if let Some(file) = &setup.offset_file {
            state.offset_ms.store(read_offset(file), Ordering::Relaxed);
        }
        if !setup.assume_synchronised && asked.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
            asked = Some(Instant::now());
            state.synchronised.store(ask_kernel(), Ordering::Relaxed);
        }
        drop(state);
        thread::sleep(SHIFT_EVERY);
    }
}

/// Seconds in the file, as milliseconds; without a readable number there is no shift.
fn read_offset(file: &Path) -> i64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.trim()
        .parse::<i64>()
        .map_or(0, |seconds| seconds.saturating_mul(1000))
}

/// What the kernel says (`STA_UNSYNC` of `adjtimex`).
///
/// The call itself has no wrapper in the libraries we use and would need `unsafe`; systemd's time service makes it and
/// tells the flag as `NTPSynchronized`, whichever program steers the clock. Where that service is missing, the mark of
/// its time client is taken; without either the clock is not synchronised as far as anybody can tell.
fn ask_kernel() -> bool {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    match asked.ok().and_then(answer) {
        Some(text) => text.trim() == "yes",
        None => Path::new("/run/systemd/timesync/synchronized").exists(),
    }
}

/// The program's answer, if it ends well in time.
fn answer(mut child: Child) -> Option<String> {
    let until = Instant::now() + ANSWER_WITHIN;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            _ => {
                // It is ours and hangs: ended and waited for, so that no zombie stays.
                drop(child.kill());
                drop(child.wait());
                return None;
            }
        }
    }
    let output = child.wait_with_output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_until(what: &str, seen: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(10);
        while !seen() {
            assert!(Instant::now() < until, "{what}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_test_may_shift_the_clock_both_ways_and_the_host_clock_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let setup = ClockSetup {
            assume_synchronised: true,
            offset_file: Some(file.path().to_owned()),
        };
        let (plain, shifted) = (
            HostClock::start(ClockSetup {
                offset_file: None,
                ..setup.clone()
            }),
            HostClock::start(setup),
        );
        let (plain, shifted) = (plain.unwrap(), shifted.unwrap());
        let ahead_s = || (shifted.now().0 - plain.now().0 + 500).div_euclid(1000);
        assert_eq!(ahead_s(), 0, "an empty file shifts nothing");
        assert!(shifted.synchronised());
        for seconds in [3600, 86_400, -3600] {
            std::fs::write(file.path(), format!("{seconds}\n")).unwrap();
            wait_until("the shift is taken over", || ahead_s() == seconds);
        }
    }

    #[test]
    fn an_answer_other_than_yes_or_none_at_all_is_not_synchronised() {
        let say = |script: &str| {
            let child = Command::new("sh")
                .args(["-c", script])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            answer(child)
        };
        assert_eq!(say("echo yes").as_deref(), Some("yes\n"));
        assert_eq!(say("echo yes; exit 1"), None);
    }
}
