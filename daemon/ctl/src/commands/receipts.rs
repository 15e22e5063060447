//! `receipts`: jobs, newest first.
//!
//! Owns: the table of jobs.
//! Must never: show personal data: buyers are not in it.

use super::{Daemon, tenant_name, value};
use crate::cli::{Receipts, State};
use crate::failure::{DONE, Failure};
use crate::paint::{self, NONE};
use crate::progress;
use crate::say::{say, say_text};
use kassette_api::v1;

/// Rows of one page.
const PAGE: u32 = 200;

/// Shows jobs.
pub async fn run(mut daemon: Daemon, given: Receipts) -> Result<u8, Failure> {
    let json = daemon.json;
    let jobs = progress::shown("the list", collect(&mut daemon, &given)).await?;
    if json {
        let listed: Result<Vec<_>, _> = jobs.iter().map(|job| value("ReceiptJob", job)).collect();
        say!("{:#}", serde_json::json!({ "receipt_jobs": listed? }));
    } else if jobs.is_empty() {
        say!("no jobs");
    } else {
        say_text!("{}", rows(&jobs));
    }
    Ok(DONE)
}

async fn collect(daemon: &mut Daemon, given: &Receipts) -> Result<Vec<v1::ReceiptJob>, Failure> {
    let filter = v1::ReceiptFilter {
        states: given.state.iter().map(|state| wire_state(*state).into()).collect(),
        needs_person: given.needs_person.then_some(true),
        labels: given.label.iter().cloned().collect(),
        ..Default::default()
    };
    let mut request = v1::ListReceiptsRequest {
        parent: tenant_name(&given.tenant),
        filter: Some(filter),
        page_size: i32::try_from(given.limit.min(PAGE)).ok(),
        page_token: None,
    };
    let mut jobs = Vec::new();
    loop {
        let page = daemon.receipts.list_receipts(request.clone()).await?.into_inner();
        jobs.extend(page.receipt_jobs);
        if jobs.len() >= given.limit as usize || page.next_page_token.is_empty() {
            jobs.truncate(given.limit as usize);
            return Ok(jobs);
        }
        request.page_token = Some(page.next_page_token);
    }
}

const fn wire_state(state: State) -> v1::JobState {
    match state {
        State::Accepted => v1::JobState::Accepted,
        State::Running => v1::JobState::Running,
        State::InDoubt => v1::JobState::InDoubt,
        State::Completed => v1::JobState::Completed,
        State::Refused => v1::JobState::Refused,
        State::Cancelled => v1::JobState::Cancelled,
        State::Expired => v1::JobState::Expired,
    }
}

fn rows(jobs: &[v1::ReceiptJob]) -> String {
    let mut table = paint::table(&["ACCEPTED", "STATE", "TOTAL", "FN", "FD", "TRIES", "KEY", "JOB", "WHY"]);
    for job in jobs {
        let result = job.result.as_ref();
        let total = job.receipt.as_ref().and_then(|receipt| receipt.total_kopecks);
        let why = job
            .needs_person
            .as_ref()
            .or(job.reason.as_ref())
            .map_or("", |why| why.code.as_str());
        let person = if job.needs_person.is_some() {
            "PERSON NEEDED "
        } else {
            ""
        };
        table.add_row([
            paint::instant(job.accepted_at.as_ref()),
            paint::job_state(job).to_owned(),
            total.map_or_else(|| NONE.to_owned(), paint::money),
            result.map_or_else(|| NONE.to_owned(), |result| result.r#fn.clone()),
            result.map_or_else(|| NONE.to_owned(), |result| result.fd.to_string()),
            job.attempts.len().to_string(),
            job.external_id.clone(),
            job.name.clone(),
            format!("{person}{why}"),
        ]);
    }
    paint::lines(table)
}
