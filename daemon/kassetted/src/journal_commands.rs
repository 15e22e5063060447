//! `kassetted journal verify` and `show`.
//!
//! Owns: what they print.
//! Must never: write into the journal, or need the daemon to be stopped.

use crate::cli::Said;
use crate::config::Config;
use crate::exit::Exit;
use kassette_core::journal::{Inspection, OpenError, Verification, inspect, verify as verify_rows};
use kassette_wire::codes::Code;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Checks the journal. The end tells whether it is whole.
pub(crate) fn verify(config: &Config) -> Said {
    let path = config.journal_path();
    let Some(path) = existing(&path) else {
        return missing(config);
    };
    match verify_rows(path) {
        Ok(found) => verified(path, &found),
        Err(error @ OpenError::Damaged { .. }) => verified(
            path,
            &Verification {
                findings: vec![error.to_string()],
                ..Verification::default()
            },
        ),
        Err(error) => unreadable(&error),
    }
}

/// Shows what the journal is.
pub(crate) fn show(config: &Config) -> Said {
    let path = config.journal_path();
    let Some(path) = existing(&path) else {
        return missing(config);
    };
    match inspect(path) {
        Ok(found) => shown(path, &found),
        Err(error) => unreadable(&error),
    }
}

fn existing(path: &Path) -> Option<&Path> {
    path.exists().then_some(path)
}

fn missing(config: &Config) -> Said {
    let text = format!(
        "there is no journal at {} yet; the first 'kassetted run' makes it",
        config.journal_path().display()
    );
    Said {
        exit: Exit::CannotTell,
        json: json!({ "ok": false, "text": text }),
        text,
    }
}

fn unreadable(error: &OpenError) -> Said {
    let code = error.code();
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let text = format!("{error}{cause} [{code}]\n  next: {}", code.next_step_en());
    Said {
        exit: Exit::CannotTell,
        json: json!({ "ok": false, "code": code.as_str(), "text": text }),
        text,
    }
}

fn verified(path: &Path, found: &Verification) -> Said {
    let journal = path.display().to_string();
    if found.findings.is_empty() {
        let rows: Vec<String> = found
            .rows
            .iter()
            .map(|(what, count)| format!("{what} rows {count}"))
            .collect();
        let text = format!(
            "{journal} is whole: the file is sound, every checksum matches and no row contradicts another\n  {}",
            rows.join(", ")
        );
        return Said {
            exit: Exit::Done,
            text,
            json: json!({ "ok": true, "journal": journal, "checked": found }),
        };
    }
    let code = Code::JournalDamaged;
    let mut text = format!("{journal} is damaged [{code}]\n");
    for finding in &found.findings {
        writeln!(text, "  {finding}").ok();
    }
    if found.more > 0 {
        writeln!(text, "  and {} more", found.more).ok();
    }
    write!(text, "  next: {}", code.next_step_en()).ok();
    let json = json!({ "ok": false, "code": code.as_str(), "journal": journal, "checked": found });
    Said {
        exit: Exit::Refused,
        text,
        json,
    }
}

fn shown(path: &Path, found: &Inspection) -> Said {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut text = format!(
        "{}\n  rack         {} ({})\n  journal      {} generation {} schema {}\n  starts       {}\n  plan         version {}\n  sequence     {}\n  documents    {}\n  unresolved   {}\n  jobs\n",
        path.display(),
        word(&found.rack_id),
        word(&found.kind),
        word(&found.journal_id),
        word(&found.generation),
        found.schema,
        found.starts,
        found.plan_version,
        found.sequence,
        found.documents,
        found.unresolved,
    );
    if found.jobs.is_empty() {
        text.push_str("    none\n");
    }
    for (state, count) in &found.jobs {
        writeln!(text, "    {state:<12} {count}").ok();
    }
    Said {
        exit: Exit::Done,
        text,
        json: json!({ "ok": true, "journal": path.display().to_string(), "shown": found }),
    }
}
