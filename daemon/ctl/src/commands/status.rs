//! `status`: the rack on one screen.
//!
//! Owns: what a person sees first at three in the morning: what is wrong, and what to do.
//! Must never: be longer than a screen for a healthy rack.

use super::registers::all_registers;
use super::{Daemon, value};
use crate::failure::{DONE, Failure};
use crate::paint::{self, NONE};
use crate::say::{say, say_text};
use kassette_api::v1;
use std::fmt::Write;

/// Most registers with problems that are listed.
const PROBLEMS_MAX: usize = 20;

/// Shows the rack.
pub async fn run(mut daemon: Daemon) -> Result<u8, Failure> {
    let answer = daemon.rack.get_rack(v1::GetRackRequest {}).await?.into_inner();
    let rack = answer.rack.unwrap_or_default();
    let registers = all_registers(&mut daemon, v1::ListRegistersRequest::default()).await?;
    if daemon.json {
        let listed: Result<Vec<_>, _> = registers.iter().map(|one| value("Register", one)).collect();
        say!(
            "{:#}",
            serde_json::json!({ "rack": value("Rack", &rack)?, "registers": listed? })
        );
    } else {
        say_text!("{}", screen(&rack, &registers));
    }
    Ok(DONE)
}

fn screen(rack: &v1::Rack, registers: &[v1::Register]) -> String {
    let mut text = String::new();
    let counts = rack.registers.unwrap_or_default();
    let kind = paint::word(rack.kind().as_str_name(), "RACK_KIND_");
    let journal = paint::word(rack.journal_state().as_str_name(), "JOURNAL_STATE_");
    let clock = if rack.clock_synchronised {
        "synchronised"
    } else {
        "NOT SYNCHRONISED"
    };
    let up = paint::ago(rack.started_at.as_ref());
    let _ = writeln!(
        text,
        "rack {}  {kind}  kassetted {}  up {up}, start {}",
        rack.rack_id, rack.version, rack.start_number
    );
    let _ = writeln!(
        text,
        "registers  {} in all, {} ready{}",
        counts.total,
        counts.ready,
        others(&counts)
    );
    let _ = writeln!(
        text,
        "jobs       {} waiting, {} in doubt, {} need a person",
        rack.jobs_waiting, rack.jobs_in_doubt, rack.jobs_needing_person
    );
    let _ = writeln!(text, "tenants    {}", rack.tenants);
    let _ = writeln!(text, "journal    {journal}, generation {}", rack.journal_generation);
    let _ = writeln!(text, "host clock {clock}");
    problems(&mut text, rack.jobs_needing_person, &rack.reasons, registers);
    if !rack.next_steps.is_empty() {
        text.push_str("\nThis rack serves nothing yet. Next:\n");
        for (number, step) in rack.next_steps.iter().enumerate() {
            let _ = writeln!(text, "  {}. {step}", number + 1);
        }
    }
    text
}

fn others(counts: &v1::RegisterCounts) -> String {
    let all = [
        ("standby", counts.standby),
        ("held", counts.held),
        ("quarantined", counts.quarantined),
        ("lost", counts.lost),
        ("foreign", counts.foreign),
    ];
    all.iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!(", {count} {name}"))
        .collect()
}

fn problems(text: &mut String, jobs: u64, of_rack: &[v1::Reason], registers: &[v1::Register]) {
    let troubled: Vec<_> = registers.iter().filter(|one| !one.ready).collect();
    if of_rack.is_empty() && troubled.is_empty() && jobs == 0 {
        return;
    }
    text.push_str("\nneeds attention\n");
    if jobs > 0 {
        let _ = writeln!(
            text,
            "  {jobs} job(s) need a person\n    next: kassettectl receipts --needs-person"
        );
    }
    for why in of_rack {
        let _ = writeln!(text, "  rack: {}\n    next: {}", paint::reason(why), why.next_step);
    }
    for one in troubled.iter().take(PROBLEMS_MAX) {
        let state = paint::word(one.state().as_str_name(), "UNIT_STATE_");
        let slot = paint::short_or_none(one.slot.as_ref());
        let _ = writeln!(text, "  {slot}  {}  {state}", paint::short(&one.name));
        for why in &one.reasons {
            let since = why
                .since
                .as_ref()
                .map_or_else(String::new, |since| format!(" ({} ago)", paint::ago(Some(since))));
            let _ = writeln!(text, "    {}{since}\n    next: {}", paint::reason(why), why.next_step);
        }
        if one.reasons.is_empty() {
            let _ = writeln!(text, "    {NONE}");
        }
    }
    if troubled.len() > PROBLEMS_MAX {
        let _ = writeln!(
            text,
            "  and {} more: 'kassettectl registers --problems'",
            troubled.len() - PROBLEMS_MAX
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::codes::Code;

    #[test]
    fn an_empty_host_shows_its_next_steps() {
        let rack = v1::Rack {
            next_steps: vec!["describe".into(), "compare".into(), "apply".into()],
            ..Default::default()
        };
        let screen = screen(&rack, &[]);
        assert!(
            screen.contains("1. describe") && screen.contains("3. apply"),
            "{screen}"
        );
        assert!(!screen.contains("needs attention"));
    }

    #[test]
    fn jobs_that_need_a_person_are_named_with_the_command_that_lists_them() {
        let rack = v1::Rack {
            jobs_needing_person: 3,
            ..Default::default()
        };
        let screen = screen(&rack, &[]);
        assert!(screen.contains("kassettectl receipts --needs-person"), "{screen}");
    }

    #[test]
    fn a_register_that_is_not_ready_is_named_with_slot_code_and_next_step() {
        let register = v1::Register {
            name: "registers/shtrih-m-7".into(),
            slot: Some("slots/R1-S07".into()),
            state: v1::UnitState::Quarantined.into(),
            reasons: vec![Code::ForeignDocuments.into()],
            ..Default::default()
        };
        let screen = screen(&v1::Rack::default(), &[register]);
        for part in [
            "R1-S07",
            "shtrih-m-7",
            "QUARANTINED",
            "FOREIGN_DOCUMENTS",
            Code::ForeignDocuments.next_step_en(),
        ] {
            assert!(screen.contains(part), "{part} is missing in:\n{screen}");
        }
    }
}
