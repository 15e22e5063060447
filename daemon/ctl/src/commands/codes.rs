//! `codes`: what a code means and what to do about it; the tax service's catalogues.
//!
//! Owns: the tables of codes and of catalogue entries.
//! Must never: know a code by itself: the daemon's list is the one in force there.

use super::{Daemon, print_json};
use crate::cli::Codes;
use crate::failure::{DONE, Failure, REFUSED};
use crate::paint::{self, NONE};
use crate::say::{say, say_text};
use kassette_api::v1;

/// Shows codes or a catalogue.
pub async fn run(mut daemon: Daemon, given: Codes) -> Result<u8, Failure> {
    let request = v1::ListCodesRequest {
        tag: given.tag,
        at: None,
    };
    let mut answer = daemon.receipts.list_codes(request).await?.into_inner();
    if let Some(code) = &given.code {
        answer.reason_codes.retain(|one| one.code.eq_ignore_ascii_case(code));
        answer.catalogues.clear();
        answer.rules.retain(|rule| rule.id.eq_ignore_ascii_case(code));
    }
    let nothing = match given.tag {
        Some(_) => answer.catalogues.is_empty(),
        None => answer.reason_codes.is_empty() && answer.rules.is_empty(),
    };
    if daemon.json {
        print_json("ListCodesResponse", &answer)?;
    } else if nothing {
        say!("there is no such code or catalogue; 'kassettectl codes' lists the codes");
    } else if given.tag.is_some() {
        say_text!("{}", catalogues(&answer.catalogues));
    } else if given.code.is_some() {
        say_text!("{}", one(&answer));
    } else {
        say_text!("{}", all(&answer.reason_codes));
    }
    Ok(if nothing { REFUSED } else { DONE })
}

fn one(answer: &v1::ListCodesResponse) -> String {
    let codes = answer.reason_codes.iter().map(|code| {
        format!(
            "{} ({})\n{}\nnext: {}\n\n{}\nчто делать: {}\n",
            code.code, code.status, code.text, code.next_step, code.text_ru, code.next_step_ru
        )
    });
    let rules = answer
        .rules
        .iter()
        .map(|rule| format!("rule {}: {}\n{}\n", rule.id, rule.text, rule.text_ru));
    codes.chain(rules).collect()
}

fn all(codes: &[v1::ReasonCode]) -> String {
    let mut table = paint::table(&["CODE", "STATUS", "WHAT HAPPENED"]);
    for code in codes {
        table.add_row([&code.code, &code.status, &code.text]);
    }
    paint::lines(table)
}

fn catalogues(lists: &[v1::Catalogue]) -> String {
    let mut text = String::new();
    for list in lists {
        text.push_str(&format!("tag {}: {} ({})\n", list.tag, list.name, list.name_ru));
        let mut table = paint::table(&["VALUE", "FROM", "UNTIL", "NAME", "НАЗВАНИЕ"]);
        for entry in &list.entries {
            table.add_row([
                entry.value.to_string(),
                entry.valid_from.clone().unwrap_or_else(|| NONE.to_owned()),
                entry.valid_until.clone().unwrap_or_else(|| NONE.to_owned()),
                entry.name.clone(),
                entry.name_ru.clone(),
            ]);
        }
        text.push_str(&paint::lines(table));
    }
    text
}
