//! `doubt`: what nobody knows yet, why, and how two persons settle it.
//!
//! Owns: the numbered next steps of a doubt, and the commands that they name.
//! Must never: settle anything without `--yes`.

use super::{Daemon, print_json, tenant_name, value};
use crate::cli::{Doubt as Verb, EvidenceFrom, ListDoubts, Settle};
use crate::failure::{DONE, Failure, REFUSED};
use crate::paint::{self, NONE};
use crate::say::{say, say_text};
use kassette_api::v1;
use std::fmt::Write as _;

/// Digits of the FN that a second person types.
const DIGITS: usize = 4;

/// Does what was asked of doubts.
pub async fn run(daemon: Daemon, verb: Verb) -> Result<u8, Failure> {
    match verb {
        Verb::List(given) => list(daemon, given).await,
        Verb::Show { id } => show(daemon, &id).await,
        Verb::Read { id, reason } => read(daemon, &id, reason).await,
        Verb::Settle(given) => settle(daemon, *given).await,
    }
}

fn name_of(id: &str) -> String {
    format!("doubts/{}", id.trim_start_matches("doubts/"))
}

async fn list(mut daemon: Daemon, given: ListDoubts) -> Result<u8, Failure> {
    let every = [
        v1::DoubtState::WaitingForRegister,
        v1::DoubtState::Reading,
        v1::DoubtState::NeedsPerson,
        v1::DoubtState::VerdictUnconfirmed,
        v1::DoubtState::Resolved,
    ];
    let mut request = v1::ListDoubtsRequest {
        tenant: given.tenant.as_deref().map(tenant_name),
        states: if given.all {
            every.map(i32::from).to_vec()
        } else {
            Vec::new()
        },
        ..Default::default()
    };
    let mut doubts = Vec::new();
    while doubts.len() < given.limit as usize {
        let page = daemon.doubts.list_doubts(request.clone()).await?.into_inner();
        doubts.extend(page.doubts);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = Some(page.next_page_token);
    }
    doubts.truncate(given.limit as usize);
    if daemon.json {
        let listed: Result<Vec<_>, _> = doubts.iter().map(|one| value("Doubt", one)).collect();
        say!("{:#}", serde_json::json!({ "doubts": listed? }));
    } else if doubts.is_empty() {
        say!("no doubts: of every attempt it is known what became of it");
    } else {
        say_text!("{}", rows(&doubts));
        say!("\n'kassettectl doubt show ID' tells the next steps");
    }
    Ok(DONE)
}

async fn get(daemon: &mut Daemon, id: &str) -> Result<v1::Doubt, Failure> {
    let request = v1::GetDoubtRequest { name: name_of(id) };
    let answer = daemon.doubts.get_doubt(request).await?.into_inner();
    Ok(answer.doubt.unwrap_or_default())
}

async fn show(mut daemon: Daemon, id: &str) -> Result<u8, Failure> {
    let doubt = get(&mut daemon, id).await?;
    if daemon.json {
        print_json("Doubt", &doubt)?;
    } else {
        say_text!("{}", shown(&doubt));
    }
    Ok(DONE)
}

async fn read(mut daemon: Daemon, id: &str, reason: Option<String>) -> Result<u8, Failure> {
    let request = v1::ReadDoubtEvidenceRequest {
        name: name_of(id),
        reason,
        ..Default::default()
    };
    let doubt = daemon.doubts.read_doubt_evidence(request).await?.into_inner().doubt;
    let doubt = doubt.unwrap_or_default();
    if daemon.json {
        print_json("Doubt", &doubt)?;
    } else {
        let id = paint::short(&doubt.name);
        say!("the FN is read now; 'kassettectl doubt show {id}' tells what it says");
    }
    Ok(DONE)
}

async fn settle(mut daemon: Daemon, given: Settle) -> Result<u8, Failure> {
    let doubt = get(&mut daemon, &given.id).await?;
    let mut request = request(&given, &doubt)?;
    request.validate_only = true;
    let mut answer = daemon.doubts.settle_doubt(request.clone()).await?.into_inner();
    let made = given.yes && !given.dry_run;
    if made {
        request.validate_only = false;
        answer = daemon.doubts.settle_doubt(request).await?.into_inner();
    }
    if daemon.json {
        print_json("SettleDoubtResponse", &answer)?;
        return Ok(DONE);
    }
    let after = answer.doubt.unwrap_or_default();
    match (made, answer.needs_second_person) {
        (true, true) => {
            say!("the verdict waits for a second person, 15 minutes");
            say_text!("{}", steps(&after));
        }
        (true, false) => say!("the doubt is settled"),
        (false, second) => {
            say!("{}", would(&doubt, &given, second));
            say!("nothing was changed; repeat with --yes to make it so");
        }
    }
    Ok(if made || given.dry_run { DONE } else { REFUSED })
}

fn would(doubt: &v1::Doubt, given: &Settle, second: bool) -> String {
    let what = match given.made {
        true => "its document exists: the job is completed with it",
        false => "no document exists: the job waits again, or ends if its time has run out",
    };
    let then = match second {
        true => "it would wait 15 minutes for a second person",
        false => "as the second person you would make it count; the FN is read again when it returns",
    };
    format!("doubt {}: {what}\n{then}", paint::short(&doubt.name))
}

fn request(given: &Settle, doubt: &v1::Doubt) -> Result<v1::SettleDoubtRequest, Failure> {
    let verdict = match given.made {
        true => v1::DoubtVerdict::DocumentExists,
        false => v1::DoubtVerdict::NoDocument,
    };
    let source = match given.source {
        EvidenceFrom::FnReader => v1::EvidenceSource::FnReader,
        EvidenceFrom::OfdCopy => v1::EvidenceSource::OfdCopy,
        EvidenceFrom::Paper => v1::EvidenceSource::Paper,
    };
    let time = given
        .time
        .as_deref()
        .map(|text| instant(text, &given.zone))
        .transpose()?;
    Ok(v1::SettleDoubtRequest {
        name: doubt.name.clone(),
        // What is settled is what was shown, or nothing.
        etag: Some(doubt.etag.clone()),
        reason: given.reason.clone(),
        verdict: verdict.into(),
        fd: given.fd,
        fp: given.fp,
        source: source.into(),
        evidence: given.evidence.clone(),
        confirmation_id: given.confirm.clone(),
        fn_digits: given.fn_digits.clone(),
        first_fd: given.first_fd,
        last_fd: given.last_fd,
        fn_last_fd: given.fn_last_fd,
        last_document_code: given.last_code,
        document_time: time,
        shift: given.shift,
        number_in_shift: given.number,
        ..Default::default()
    })
}

/// A local time as documents show it, `2026-11-22T15:04` with or without seconds, in a zone `+03:00`.
fn instant(text: &str, zone: &str) -> Result<prost_types::Timestamp, Failure> {
    let text = text.trim().replace(' ', "T");
    let seconds = if text.matches(':').count() == 1 { ":00" } else { "" };
    format!("{text}{seconds}{zone}").parse().map_err(|_| {
        let what = format!("--time {text} with --zone {zone} is no time");
        Failure::usage(what, "Write it as 2026-11-22T15:04, and the zone as +03:00.")
    })
}

fn rows(doubts: &[v1::Doubt]) -> String {
    let mut table = paint::table(&[
        "ID",
        "SINCE",
        "STATE",
        "SUBJECT",
        "REGISTER",
        "FN",
        "ABOVE",
        "JOB",
        "WAITS FOR",
    ]);
    for one in doubts {
        table.add_row([
            paint::short(&one.name).to_owned(),
            paint::ago(one.opened_at.as_ref()),
            state(one).to_owned(),
            paint::word(one.subject().as_str_name(), "DOUBT_SUBJECT_").to_owned(),
            paint::short(&one.register).to_owned(),
            paint::short(&one.r#fn).to_owned(),
            one.baseline_fd.to_string(),
            paint::short_or_none(one.receipt_job.as_ref()).to_owned(),
            one.waits_for.as_ref().map_or(NONE, |why| why.code.as_str()).to_owned(),
        ]);
    }
    paint::lines(table)
}

fn state(one: &v1::Doubt) -> &'static str {
    paint::word(one.state().as_str_name(), "DOUBT_STATE_")
}

/// One doubt: what it is, what was seen, what to do.
fn shown(one: &v1::Doubt) -> String {
    let mut text = format!("doubt {}  {}\n", paint::short(&one.name), state(one));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    line("subject", paint::word(one.subject().as_str_name(), "DOUBT_SUBJECT_"));
    line("job", one.receipt_job.as_deref().unwrap_or(NONE));
    line("tenant", paint::short(&one.tenant));
    line("register", paint::short(&one.register));
    line("FN", paint::short(&one.r#fn));
    line(
        "baseline",
        &format!("its document would stand above {}", one.baseline_fd),
    );
    line("since", &paint::instant(one.opened_at.as_ref()));
    line(
        "cause",
        &one.cause.as_ref().map_or_else(|| NONE.to_owned(), paint::reason),
    );
    if let Some(why) = &one.waits_for {
        line("waits for", &paint::reason(why));
    }
    if one.state() == v1::DoubtState::Resolved {
        let verdict = paint::word(one.verdict().as_str_name(), "DOUBT_VERDICT_");
        let by = match (&one.verdict_by, &one.confirmed_by) {
            (Some(first), Some(second)) => format!("{first} and {second}"),
            _ => "the FN".to_owned(),
        };
        line("verdict", &format!("{verdict}, by {by}"));
    }
    for seen in &one.evidence {
        let who = seen.person.as_deref().unwrap_or("kassetted");
        let _ = writeln!(text, "  {}  {who}: {}", paint::instant(seen.time.as_ref()), seen.text);
    }
    text.push_str(&steps(one));
    text
}

/// What to do, numbered; every command as it can be typed.
fn steps(one: &v1::Doubt) -> String {
    let id = paint::short(&one.name);
    let number = paint::short(&one.r#fn);
    let digits = &number[number.len().saturating_sub(DIGITS)..];
    let settle = format!("kassettectl doubt settle {id}");
    let register = paint::short(&one.register);
    let steps: Vec<String> = match one.state() {
        v1::DoubtState::Resolved | v1::DoubtState::Unspecified => return String::new(),
        v1::DoubtState::Reading => vec![
            "Wait: the FN is being read and decides by itself.".into(),
            format!("If it stays: clear what register {register} waits for, then 'kassettectl doubt read {id}'."),
        ],
        v1::DoubtState::VerdictUnconfirmed => vec![
            "Let another person with the role technician look at the evidence above, not at your word.".into(),
            format!(
                "That person repeats the command with --confirm {} --fn-digits {} --yes, within 15 minutes.",
                one.confirmation_id.as_deref().unwrap_or("ID"),
                "_".repeat(digits.len())
            ),
        ],
        v1::DoubtState::NeedsPerson if one.contradicting_fd.is_some() => vec![
            "Do not repair anything in the rack: the tenant has the doubled receipt corrected by law.".into(),
            format!(
                "Two persons then say that they have seen it: '{settle} --made --source fn-reader --fd {} --fp {} \
                 --evidence \"...\"'.",
                one.contradicting_fd.unwrap_or_default(),
                one.contradicting_fp.unwrap_or_default()
            ),
            format!("Register {register} works again after that."),
        ],
        v1::DoubtState::WaitingForRegister | v1::DoubtState::NeedsPerson => vec![
            format!("Do not sell again. If FN {number} can be put back and powered: do that; it decides by itself."),
            format!("Else read the FN on a reader, above document {}.", one.baseline_fd),
            format!(
                "The document is there: '{settle} --made --source fn-reader --fd N --fp N --time 2026-11-22T15:04 \
                 --evidence \"who read what, where, when\"'."
            ),
            format!(
                "It is not: '{settle} --not-made --source fn-reader --first-fd {} --last-fd N --fn-last-fd N --evidence \
                 \"...\"'.",
                one.baseline_fd.saturating_add(1)
            ),
            "A second person repeats it with the id that is then shown. That the OFD has nothing proves nothing."
                .into(),
        ],
    };
    let mut text = "next:\n".to_owned();
    for (at, step) in (1..).zip(&steps) {
        let _ = writeln!(text, "  {at}. {step}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(state: v1::DoubtState) -> v1::Doubt {
        v1::Doubt {
            name: "doubts/17".into(),
            register: "registers/shtrih-m-0012".into(),
            r#fn: "fns/9999078900001234".into(),
            baseline_fd: 40,
            state: state.into(),
            confirmation_id: Some("AB12CD".into()),
            ..Default::default()
        }
    }

    #[test]
    fn every_doubt_that_is_not_resolved_tells_numbered_steps_with_commands() {
        for (state, part) in [
            (v1::DoubtState::WaitingForRegister, "--first-fd 41"),
            (v1::DoubtState::NeedsPerson, "kassettectl doubt settle 17 --made"),
            (v1::DoubtState::Reading, "kassettectl doubt read 17"),
            (v1::DoubtState::VerdictUnconfirmed, "--confirm AB12CD --fn-digits ____"),
        ] {
            let text = shown(&doubt(state));
            assert!(text.contains("  1. ") && text.contains(part), "{state:?}:\n{text}");
            assert!(
                !steps(&doubt(v1::DoubtState::VerdictUnconfirmed)).contains("1234"),
                "the digits are read off the FN"
            );
        }
        assert_eq!(steps(&doubt(v1::DoubtState::Resolved)), "");
        let wrong = v1::Doubt {
            contradicting_fd: Some(41),
            contradicting_fp: Some(777),
            ..doubt(v1::DoubtState::NeedsPerson)
        };
        assert!(steps(&wrong).contains("--fd 41 --fp 777"));
    }

    #[test]
    fn a_time_is_read_as_the_paper_shows_it() {
        let at = instant("2026-11-22 15:00", "+03:00").unwrap();
        assert_eq!(at.seconds, 1_795_348_800);
        assert_eq!(instant("2026-11-22T15:00:00", "+03:00").unwrap(), at);
        assert!(instant("22.11.2026 15:00", "+03:00").is_err() && instant("2026-11-22T15:00", "MSK").is_err());
    }
}
