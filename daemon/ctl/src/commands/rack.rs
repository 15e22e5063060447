//! `rack apply` and `rack export`.
//!
//! Owns: how a difference is shown before it is made.
//! Must never: change anything without `--yes`, or make another difference than the one it showed.

use super::{Daemon, print_json};
use crate::cli::Apply;
use crate::failure::{DONE, Failure};
use crate::paint;
use crate::receipt_file::text;
use crate::say::{say, say_text};
use kassette_api::v1;
use kassette_api::v1::apply_rack_request::Source;
use std::fmt::Write;

/// Compares a description with what stands, and with `--yes` makes it so.
pub async fn apply(mut daemon: Daemon, given: Apply) -> Result<u8, Failure> {
    let mut request = v1::ApplyRackRequest {
        source: Some(Source::RackToml(text(&given.file)?)),
        validate_only: true,
        reason: given.reason,
        ..Default::default()
    };
    let mut answer = daemon.rack.apply_rack(request.clone()).await?.into_inner();
    if !daemon.json {
        say_text!("{}", difference(&answer.changes));
    }
    if given.yes && !answer.changes.is_empty() {
        // The etag of the comparison: what is made is what was shown, or nothing.
        request.etag = Some(answer.etag);
        request.validate_only = false;
        answer = daemon.rack.apply_rack(request).await?.into_inner();
    }
    if daemon.json {
        print_json("ApplyRackResponse", &answer)?;
    } else if answer.applied {
        say!(
            "done: {} change(s); 'kassettectl registers' shows what answers",
            answer.changes.len()
        );
    } else if !answer.changes.is_empty() {
        say!("nothing was changed; repeat with --yes to make it so");
    }
    Ok(DONE)
}

fn difference(changes: &[v1::RackChange]) -> String {
    if changes.is_empty() {
        return "no difference: the rack stands as the file describes it\n".to_owned();
    }
    let mut text = String::new();
    for change in changes {
        let (mark, words) = match change.action() {
            v1::ChangeAction::Add => ("+", change.after.clone().unwrap_or_default()),
            v1::ChangeAction::Remove => ("-", change.before.clone().unwrap_or_default()),
            v1::ChangeAction::Change | v1::ChangeAction::Unspecified => ("~", both(change)),
        };
        let _ = writeln!(text, "{mark} {}  {words}", change.path);
        for warning in &change.warnings {
            let _ = writeln!(text, "    ! {warning}");
        }
    }
    text
}

fn both(change: &v1::RackChange) -> String {
    let part = |side: &Option<String>| side.clone().unwrap_or_else(|| paint::NONE.to_owned());
    format!("{}\n    -> {}", part(&change.before), part(&change.after))
}

/// Writes what stands.
pub async fn export(mut daemon: Daemon) -> Result<u8, Failure> {
    let answer = daemon.rack.export_rack(v1::ExportRackRequest {}).await?.into_inner();
    if daemon.json {
        print_json("ExportRackResponse", &answer)?;
    } else {
        say_text!("{}", answer.rack_toml);
    }
    Ok(DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_comes_goes_and_changes_with_its_warnings() {
        let change = |path: &str, action: v1::ChangeAction, before: Option<&str>, after: Option<&str>| v1::RackChange {
            path: path.into(),
            action: action.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            warnings: vec!["mind this".into()],
        };
        let text = difference(&[
            change("tenants/1", v1::ChangeAction::Add, None, Some("name = \"a\"")),
            change(
                "slots/S",
                v1::ChangeAction::Change,
                Some("port = \"x\""),
                Some("port = \"y\""),
            ),
            change("registers/r", v1::ChangeAction::Remove, Some("fn = \"1\""), None),
        ]);
        for part in [
            "+ tenants/1  name",
            "~ slots/S  port = \"x\"\n    -> port = \"y\"",
            "- registers/r",
            "! mind this",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }
}
