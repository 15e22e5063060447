//! `kassetted journal verify` and `show`.
//!
//! Owns: what they print.
//! Must never: write into the journal, or need the daemon to be stopped.

use crate::cli::Said;
use crate::config::Config;
use crate::entropy::HostEntropy;
use crate::exit::Exit;
use crate::fn_copies::{self, CopyError};
use crate::secrets::KeyFolder;
use kassette_core::journal::{
    Inspection, KeysOf, OpenError, Reconciler, Reconciliation, Unreadable, Verification, inspect, verify as verify_rows,
};
use kassette_wire::codes::Code;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Checks the journal and compares it with copies of FNs. The end tells whether all is well.
pub(crate) fn verify(config: &Config, copies: &[&Path]) -> Said {
    let path = config.journal_path();
    let Some(path) = existing(&path) else {
        return missing(config);
    };
    let rows = match verify_rows(path) {
        Ok(found) => verified(path, &found),
        Err(error @ OpenError::Damaged { .. }) => verified(
            path,
            &Verification {
                findings: vec![error.to_string()],
                ..Verification::default()
            },
        ),
        Err(error) => return unreadable(&error),
    };
    if copies.is_empty() {
        let text = format!(
            "{}\n  no copy of an FN was given: no document was compared with its FN",
            rows.text
        );
        return Said { text, ..rows };
    }
    match compared(config, path, copies) {
        Ok(found) => with_comparison(rows, &found),
        Err(error) => not_read(rows, &error),
    }
}

fn compared(config: &Config, journal: &Path, copies: &[&Path]) -> Result<Reconciliation, CopyError> {
    let keys = KeyFolder::new(config.keys_dir.clone(), Arc::new(HostEntropy));
    let keys_of: KeysOf = Box::new(move |tenant| keys.kept(tenant).map_err(|_| Unreadable));
    let mut reconciler = Reconciler::open(journal, keys_of)?;
    copies
        .iter()
        .try_for_each(|copy| fn_copies::read(copy, &mut reconciler))?;
    Ok(reconciler.finish()?)
}

/// The rows' verdict and the comparison's, the summary last.
fn with_comparison(rows: Said, found: &Reconciliation) -> Said {
    let mut text = format!("{}\n", rows.text);
    for difference in &found.differences {
        writeln!(text, "differs: {difference}").ok();
    }
    for finding in &found.not_compared {
        writeln!(text, "not compared: {finding}").ok();
    }
    if found.more > 0 {
        writeln!(text, "and {} more", found.more).ok();
    }
    if found.passed_over > 0 {
        let count = found.passed_over;
        writeln!(
            text,
            "{count} documents are of FNs or of a time that this journal does not know, none with a key of it"
        )
        .ok();
    }
    write!(text, "{found}").ok();
    let exit = match (rows.exit, found.differences.is_empty(), found.not_compared.is_empty()) {
        (Exit::Done, true, true) => Exit::Done,
        (Exit::Done, true, false) => Exit::CannotTell,
        (Exit::Done, false, _) => Exit::Refused,
        (other, _, _) => other,
    };
    let mut json = rows.json;
    json["ok"] = json!(exit == Exit::Done);
    json["compared"] = json!(found);
    Said { exit, text, json }
}

fn not_read(rows: Said, error: &CopyError) -> Said {
    let exit = match rows.exit {
        Exit::Done => Exit::CannotTell,
        other => other,
    };
    let mut json = rows.json;
    json["ok"] = json!(false);
    json["text"] = json!(error.to_string());
    Said {
        exit,
        text: format!("{}\n{error} [{}]", rows.text, Code::LedgerNotCompared),
        json,
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
