//! What a process costs, as the kernel counts it.
//!
//! Owns: the reading of `/proc/PID/stat` and `/proc/PID/status`.
//! Must never: guess a figure that the kernel does not give.

use anyhow::Context;
use std::time::Duration;

/// User and system time of a process so far.
///
/// # Errors
/// When the process is gone.
pub fn cpu(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    // The second field is a name in parentheses that may hold anything; utime and stime are fields 14 and 15.
    let (_, fields) = text.rsplit_once(')').with_context(|| path.clone())?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .flat_map(str::parse)
        .collect();
    let [user, system] = ticks.as_slice() else {
        anyhow::bail!("{path} has no times");
    };
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("clock ticks")?;
    let nanos = (user + system).saturating_mul(1_000_000_000) / u64::try_from(per_second)?.max(1);
    Ok(Duration::from_nanos(nanos))
}

/// Pages of 4 KiB that a process has read from files and written to them so far. Pipes and terminals count as well;
/// sockets that are received from do not.
///
/// # Errors
/// When the process is gone or another user's.
pub fn file_pages(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/io");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let figure = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().parse::<u64>().ok())
            .with_context(|| format!("{path} has no {name}"))
    };
    Ok((figure("rchar:")? + figure("wchar:")?) / 4096)
}

/// Resident memory of a process in KiB.
///
/// # Errors
/// When the process is gone.
pub fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure
        .and_then(|figure| figure.parse().ok())
        .with_context(|| format!("{path} has no VmRSS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_has_used_time_and_memory() {
        let begin = std::time::Instant::now();
        let mut sum = 0_u64;
        while begin.elapsed() < Duration::from_millis(50) {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(cpu(std::process::id()).unwrap() >= Duration::from_millis(10), "{sum}");
        assert!(resident_kib(std::process::id()).unwrap() > 100);
        let before = file_pages(std::process::id()).unwrap();
        std::fs::read("/proc/self/exe").unwrap();
        assert!(file_pages(std::process::id()).unwrap() > before + 100);
    }
}
