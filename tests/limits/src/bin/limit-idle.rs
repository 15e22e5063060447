//! The bare watch over idle registers: `limit-idle SECONDS EVERY PAYLOAD…`, ports on standard input, payloads in hex.
//!
//! Owns: the limit of B9: the exchanges that the daemon was seen to make, and as often, and nothing else.
//! Must never: use code of this workspace beyond the other limit code.

use kassette_limits::register::Register;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn bytes(hex: &str) -> io::Result<Vec<u8>> {
    let pairs = (0..hex.len()).step_by(2);
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("?"), 16).map_err(io::Error::other);
    pairs.map(byte).collect()
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, every, payloads @ ..] = arguments.as_slice() else {
        return Err(io::Error::other("SECONDS EVERY PAYLOAD…"));
    };
    let seconds = Duration::from_secs(seconds.parse().map_err(io::Error::other)?);
    let every: f64 = every.parse().map_err(io::Error::other)?;
    let payloads = Arc::new(payloads.iter().map(|hex| bytes(hex)).collect::<io::Result<Vec<_>>>()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let lines = io::stdin().lines().map(|line| Register::open(Path::new(&line?)));
        let registers: Vec<_> = lines.collect::<io::Result<_>>()?;
        println!("{{\"ready\":true}}");
        watch(registers, seconds, every, &payloads).await
    })
}

/// All payloads to every register every so many seconds, the registers spread over that time.
async fn watch(
    registers: Vec<Register>,
    seconds: Duration,
    every: f64,
    payloads: &Arc<Vec<Vec<u8>>>,
) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    let (begin, step) = (
        Instant::now(),
        Duration::from_secs_f64(every / registers.len().max(1) as f64),
    );
    let mut first = begin;
    for register in registers {
        let payloads = Arc::clone(payloads);
        first += step;
        let mut due = first;
        tasks.spawn(async move {
            while due < begin + seconds {
                tokio::time::sleep_until(due.into()).await;
                for payload in payloads.iter() {
                    register.exchange(payload).await?;
                }
                due += Duration::from_secs_f64(every);
            }
            Ok::<_, io::Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}
