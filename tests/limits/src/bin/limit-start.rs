//! The bare start: `limit-start JOURNAL PAYLOAD…`, ports on standard input, payloads in hex.
//!
//! Owns: the limit of B7: `quick_check` of the same file, then the identification of the same registers, all at once.
//! Must never: use code of this workspace beyond the other limit code.

use kassette_limits::register::Register;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

fn bytes(hex: &str) -> io::Result<Vec<u8>> {
    let pairs = (0..hex.len()).step_by(2);
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("?"), 16).map_err(io::Error::other);
    pairs.map(byte).collect()
}

/// Seconds that the check takes, the file opened anew.
fn check(journal: &Path) -> io::Result<f64> {
    let begin = Instant::now();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(journal, flags).map_err(io::Error::other)?;
    let verdict: String = database
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(io::Error::other)?;
    if verdict != "ok" {
        return Err(io::Error::other(verdict));
    }
    Ok(begin.elapsed().as_secs_f64())
}

/// Seconds until every register has answered every payload.
async fn identify(ports: Vec<String>, payloads: Arc<Vec<Vec<u8>>>) -> io::Result<f64> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for port in ports {
        let payloads = Arc::clone(&payloads);
        tasks.spawn(async move {
            let register = Register::open(Path::new(&port))?;
            for payload in payloads.iter() {
                register.exchange(payload).await?;
            }
            Ok::<_, io::Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(begin.elapsed().as_secs_f64())
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [journal, payloads @ ..] = arguments.as_slice() else {
        return Err(io::Error::other("JOURNAL PAYLOAD…"));
    };
    let payloads = Arc::new(payloads.iter().map(|hex| bytes(hex)).collect::<io::Result<Vec<_>>>()?);
    let ports = io::stdin().lines().collect::<io::Result<Vec<_>>>()?;
    println!("{{\"ready\":true}}");
    let checked = check(Path::new(journal))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let identified = runtime.block_on(identify(ports, payloads))?;
    println!("{{\"quick_check_s\":{checked},\"identify_s\":{identified}}}");
    Ok(())
}
