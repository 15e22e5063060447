//! The daemon of the tests: the same library as `kassetted`, and the one fault point at which it dies.
//!
//! Owns: reading the point's name and dying there as kill -9 would.
//! Must never: be shipped; the shipped program passes `NoFaults`.

use kassette_core::parts::{Faults, Point, Reach};
use kassette_tests::daemon::ABORT_AT;
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Dies when a point is reached the n-th time: `closing-before`, or `closing-before:2`.
struct DieAt {
    point: Point,
    left: AtomicU64,
}

impl Faults for DieAt {
    fn reach(&self, point: Point) -> Reach {
        if point != self.point || self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return Reach::Go;
        }
        // As a power cut would: no destructor, no buffer, no answer. The signal cannot be caught.
        let _ = kill(getpid(), Signal::SIGKILL);
        Reach::Halt
    }
}

fn wanted() -> Result<DieAt, String> {
    let text = std::env::var(ABORT_AT).map_err(|_| format!("{ABORT_AT} names no fault point"))?;
    let (name, count) = text.split_once(':').unwrap_or((text.as_str(), "1"));
    let point = Point::ALL.iter().find(|point| point.as_str() == name);
    let point = *point.ok_or_else(|| format!("{ABORT_AT}: there is no fault point \"{name}\""))?;
    let count = count
        .parse()
        .map_err(|_| format!("{ABORT_AT}: \"{count}\" is no count"))?;
    let left = AtomicU64::new(count);
    Ok(DieAt { point, left })
}

fn main() -> ExitCode {
    match wanted() {
        Ok(faults) => kassette_daemon::run_with(std::env::args_os(), Arc::new(faults)).into(),
        Err(why) => {
            eprintln!("kassetted-faulty: {why}");
            ExitCode::from(64)
        }
    }
}
