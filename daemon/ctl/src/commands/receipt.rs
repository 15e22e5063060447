//! `receipt submit` and `receipt get`.
//!
//! Owns: how one job is shown, and what its state means for the exit code.
//! Must never: submit twice: a repeat is the caller's, under the same key.

use super::{Daemon, print_json, tenant_name};
use crate::cli::{Get, Submit};
use crate::failure::{CANNOT_TELL, DONE, Failure, REFUSED, TRY_LATER, violation_line};
use crate::paint;
use crate::say::{say, say_text};
use crate::{progress, receipt_file};
use kassette_api::v1;
use kassette_api::v1::JobState;
use kassette_api::v1::get_receipt_request::By;
use std::fmt::Write;

fn seconds(seconds: u32) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::from(seconds),
        nanos: 0,
    }
}

/// Submits one receipt.
pub async fn submit(mut daemon: Daemon, given: Submit) -> Result<u8, Failure> {
    let receipt = receipt_file::receipt(&given.file)?;
    let parent = tenant_name(&given.tenant);
    if given.check {
        return check(daemon, parent, receipt).await;
    }
    let request = v1::SubmitReceiptRequest {
        parent,
        external_id: given.key,
        receipt: Some(receipt),
        wait: given.wait.map(seconds),
        ttl: given.ttl.map(seconds),
        labels: given.label.into_iter().collect(),
        ..Default::default()
    };
    let call = Box::pin(daemon.receipts.submit_receipt(request));
    let answer = progress::shown("the document", call).await?.into_inner();
    let job = answer.receipt_job.clone().unwrap_or_default();
    if daemon.json {
        print_json("SubmitReceiptResponse", &answer)?;
    } else {
        if answer.existing {
            say!("this key had the same receipt before; its job:");
        }
        say_text!("{}", shown(&job));
    }
    Ok(exit(job.state(), given.wait.is_some()))
}

async fn check(mut daemon: Daemon, parent: String, receipt: v1::Receipt) -> Result<u8, Failure> {
    let request = v1::ValidateReceiptRequest {
        parent,
        receipt: Some(receipt),
        at: None,
    };
    let answer = daemon.receipts.validate_receipt(request).await?.into_inner();
    let good = answer.violations.is_empty() && answer.reason.is_none();
    if daemon.json {
        print_json("ValidateReceiptResponse", &answer)?;
    } else {
        for violation in &answer.violations {
            say!("- {}", violation_line(violation));
        }
        if let Some(why) = &answer.reason {
            say!("{}\nnext: {}", paint::reason(why), why.next_step);
        }
        if good {
            say!("the receipt would be accepted; nothing was stored");
        }
    }
    Ok(if good { DONE } else { REFUSED })
}

/// Shows one job.
pub async fn get(mut daemon: Daemon, given: Get) -> Result<u8, Failure> {
    let by = match (given.name, given.key, given.fd) {
        (Some(name), ..) => By::Name(name),
        (None, Some(external_id), _) => {
            let parent = tenant_name(&given.tenant.unwrap_or_default());
            By::Key(v1::KeyLookup {
                parent,
                external_id,
                client: None,
            })
        }
        (None, None, fd) => {
            let (fd, r#fn) = (fd.unwrap_or_default(), given.fn_number.unwrap_or_default());
            By::Document(v1::DocumentLookup { r#fn, fd })
        }
    };
    let request = v1::GetReceiptRequest {
        by: Some(by),
        wait: given.wait.map(seconds),
    };
    let answer = progress::shown("the job's end", daemon.receipts.get_receipt(request))
        .await?
        .into_inner();
    let job = answer.receipt_job.clone().unwrap_or_default();
    if daemon.json {
        print_json("GetReceiptResponse", &answer)?;
    } else {
        say_text!("{}", shown(&job));
    }
    Ok(if given.wait.is_some() {
        exit(job.state(), true)
    } else {
        DONE
    })
}

/// What a job's state means to a script that asked for its document.
const fn exit(state: JobState, waited: bool) -> u8 {
    match state {
        JobState::Completed => DONE,
        JobState::Refused | JobState::Cancelled | JobState::Expired => REFUSED,
        JobState::Accepted | JobState::Running if waited => TRY_LATER,
        JobState::Accepted | JobState::Running => DONE,
        JobState::InDoubt | JobState::Unspecified => CANNOT_TELL,
    }
}

/// One job, a line for each thing.
pub fn shown(job: &v1::ReceiptJob) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}  {}", paint::job_state(job), job.name);
    let _ = writeln!(text, "  key       {} of client {}", job.external_id, job.client);
    let _ = writeln!(
        text,
        "  accepted  {}, expires {}",
        paint::instant(job.accepted_at.as_ref()),
        paint::instant(job.expires_at.as_ref())
    );
    if let Some(result) = &job.result {
        document(&mut text, result);
    }
    if let Some(why) = &job.reason {
        let _ = writeln!(
            text,
            "  reason    {}\n  next      {}",
            paint::reason(why),
            why.next_step
        );
    }
    if let Some(why) = &job.needs_person {
        let _ = writeln!(
            text,
            "  A PERSON MUST ACT: {}\n  next      {}",
            paint::reason(why),
            why.next_step
        );
    }
    for attempt in &job.attempts {
        attempted(&mut text, attempt);
    }
    text
}

fn attempted(text: &mut String, attempt: &v1::Attempt) {
    let outcome = match attempt.outcome() {
        v1::AttemptOutcome::Unspecified => "open",
        known => paint::word(known.as_str_name(), "ATTEMPT_OUTCOME_"),
    };
    let (at, register) = (
        paint::instant(attempt.intent_at.as_ref()),
        paint::short(&attempt.register),
    );
    let (number, storage, baseline) = (attempt.number, paint::short(&attempt.r#fn), attempt.baseline_fd);
    let _ = writeln!(
        text,
        "  attempt {number} {at}  {register} FN {storage} after FD {baseline}: {outcome}"
    );
    if let Some(why) = &attempt.reason {
        let error = attempt
            .vendor_error
            .map_or_else(String::new, |code| format!(" (register's error {code:02X}h)"));
        let _ = writeln!(text, "    {}{error}", paint::reason(why));
    }
}

fn document(text: &mut String, result: &v1::FiscalResult) {
    let time = paint::local(result.document_time.as_ref(), result.document_offset_minutes);
    let _ = writeln!(
        text,
        "  document  FN {} FD {} FP {}  {time}",
        result.r#fn, result.fd, result.fp
    );
    let _ = writeln!(text, "  total     {}", paint::money(result.total_kopecks));
    let _ = writeln!(
        text,
        "  register  {} RNM {}, shift {} receipt {}",
        paint::short(&result.register),
        result.rnm,
        result.shift,
        result.number_in_shift
    );
    let _ = writeln!(text, "  qr        {}", result.qr_text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_waited_learns_whether_there_is_a_document() {
        assert_eq!(exit(JobState::Completed, true), DONE);
        assert_eq!(exit(JobState::Refused, true), REFUSED);
        assert_eq!(exit(JobState::Running, true), TRY_LATER);
        assert_eq!(exit(JobState::Accepted, false), DONE);
        assert_eq!(exit(JobState::InDoubt, false), CANNOT_TELL);
    }

    #[test]
    fn a_job_is_shown_with_its_document_its_attempts_and_what_to_do() {
        let job = v1::ReceiptJob {
            name: "tenants/7704358518/receipts/K".into(),
            state: JobState::InDoubt.into(),
            result: Some(v1::FiscalResult {
                r#fn: "9999078900000001".into(),
                fd: 17,
                ..Default::default()
            }),
            needs_person: Some(kassette_api::codes::Code::DoubtLedgerUnreadable.into()),
            attempts: vec![v1::Attempt {
                number: 1,
                vendor_error: Some(0x4F),
                reason: Some(Default::default()),
                ..Default::default()
            }],
            ..Default::default()
        };
        let text = shown(&job);
        for part in [
            "IN_DOUBT",
            "FN 9999078900000001 FD 17",
            "A PERSON MUST ACT: DOUBT_LEDGER_UNREADABLE",
            "error 4Fh",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }
}
