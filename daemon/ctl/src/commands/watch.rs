//! `receipt watch`: jobs as they change.
//!
//! Owns: one line an event, and the cursor to continue from.
//! Must never: lose its place without saying where it was.

use super::{Daemon, tenant_name, value};
use crate::cli::Watch;
use crate::failure::{DONE, Failure};
use crate::paint;
use kassette_api::v1;
use kassette_api::v1::watch_receipts_response::Event;
use kassette_api::v1::watch_start::Start;
use std::io::Write;
use tonic::Streaming;

/// Follows jobs until the daemon or the user ends it.
pub async fn run(mut daemon: Daemon, given: Watch) -> Result<u8, Failure> {
    let start = match given.from.as_str() {
        "now" => Start::Origin(v1::WatchOrigin::Now.into()),
        "oldest" => Start::Origin(v1::WatchOrigin::Oldest.into()),
        cursor => Start::Cursor(cursor.to_owned()),
    };
    let request = v1::WatchReceiptsRequest {
        parent: tenant_name(&given.tenant),
        start: Some(v1::WatchStart { start: Some(start) }),
        filter: None,
    };
    let events = daemon.receipts.watch_receipts(request).await?.into_inner();
    let mut cursor = String::new();
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Ok(()),
        ended = follow(events, daemon.json, &mut cursor) => ended,
    };
    if !cursor.is_empty() {
        eprintln!(
            "continue with: kassettectl receipt watch --tenant {} --from {cursor}",
            given.tenant
        );
    }
    ended.map(|()| DONE)
}

async fn follow(
    mut events: Streaming<v1::WatchReceiptsResponse>,
    json: bool,
    cursor: &mut String,
) -> Result<(), Failure> {
    while let Some(event) = events.message().await? {
        let line = if json {
            Some(value("WatchReceiptsResponse", &event)?.to_string())
        } else {
            line(&event)
        };
        if let Some(line) = line {
            let mut out = std::io::stdout().lock();
            // Whoever read the lines is gone: so are we, at the place they have seen.
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
        }
        *cursor = event.cursor;
    }
    Ok(())
}

fn line(event: &v1::WatchReceiptsResponse) -> Option<String> {
    let Some(Event::ReceiptJob(job)) = &event.event else {
        return None;
    };
    let document = job
        .result
        .as_ref()
        .map_or_else(String::new, |result| format!("  FN {} FD {}", result.r#fn, result.fd));
    let why = job.needs_person.as_ref().or(job.reason.as_ref());
    let why = why.map_or_else(String::new, |why| format!("  {}", paint::reason(why)));
    let at = paint::instant(job.changed_at.as_ref());
    Some(format!(
        "{at}  {:9}  {}  key {}{document}{why}",
        paint::job_state(job),
        job.name,
        job.external_id
    ))
}
