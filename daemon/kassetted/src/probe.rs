//! What the daemon would drive, seen from outside: the plan's ports and whether they are there.
//!
//! Owns: the report of `kassetted probe`.
//! Must never: open a port: an open already changes modem lines.

use crate::cli::Said;
use crate::config::Config;
use crate::exit::Exit;
use crate::transport::present_now;
use kassette_core::domain::plan::{CheckedPlan, RackPlan};
use kassette_core::journal::{Query, Rows, StoreReader};
use kassette_core::parts::PortAddress;
use kassette_wire::codes::Code;
use nix::unistd::{AccessFlags, access};
use serde_json::json;
use std::fmt::Write as _;

/// What is known of one slot.
struct Port<'a> {
    slot: &'a str,
    address: &'a PortAddress,
    /// Why it would not be driven; `None` when it would.
    not: Option<(Code, String)>,
}

/// Reports each port of the plan. The end tells whether all of them would be driven.
pub(crate) fn probe(config: &Config) -> Said {
    match plan(config) {
        Ok(plan) => report(config, &plan),
        Err(text) => Said {
            exit: Exit::CannotTell,
            json: json!({ "ok": false, "text": text }),
            text,
        },
    }
}

fn plan(config: &Config) -> Result<CheckedPlan, String> {
    let path = config.journal_path();
    if !path.exists() {
        return Ok(CheckedPlan::default());
    }
    let reader = StoreReader::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match reader.read(&Query::Plan) {
        Ok(Rows::Plan(_, 0)) => Ok(CheckedPlan::default()),
        Ok(Rows::Plan(text, version)) => RackPlan::from_toml(&text)
            .map_err(|error| vec![error])
            .and_then(|plan| plan.check())
            .map_err(|errors| format!("version {version} of the plan in the journal is not readable: {errors:?}")),
        Ok(_) => Err("the journal answered something else than its plan".to_owned()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Why a port would not be driven now, as far as looking tells.
fn why_not(address: &PortAddress) -> Option<(Code, String)> {
    let PortAddress::Serial(path) = address else {
        return None;
    };
    if present_now(address).is_none() {
        let text = format!("{path} is not there, or is no character device");
        return Some((Code::RegisterAbsent, text));
    }
    match access(path.as_str(), AccessFlags::R_OK | AccessFlags::W_OK) {
        Ok(()) => None,
        Err(error) => Some((Code::PortUnopenable, format!("{path}: {error}"))),
    }
}

fn report(config: &Config, plan: &CheckedPlan) -> Said {
    let ports: Vec<Port<'_>> = plan
        .slots
        .iter()
        .map(|(label, slot)| Port {
            slot: label,
            address: &slot.port,
            not: why_not(&slot.port),
        })
        .collect();
    let exit = if ports.iter().all(|port| port.not.is_none()) {
        Exit::Done
    } else {
        Exit::Refused
    };
    let json = json!({
        "ok": exit == Exit::Done,
        "journal": config.journal_path().display().to_string(),
        "registers": plan.registers.keys().map(ToString::to_string).collect::<Vec<_>>(),
        "ports": ports.iter().map(|port| json!({
            "slot": port.slot,
            "port": port.address.to_string(),
            "driven": port.not.is_none(),
            "code": port.not.as_ref().map(|(code, _)| code.as_str()),
            "text": port.not.as_ref().map(|(_, text)| text),
        })).collect::<Vec<_>>(),
    });
    Said {
        exit,
        text: text(config, plan, &ports),
        json,
    }
}

fn text(config: &Config, plan: &CheckedPlan, ports: &[Port<'_>]) -> String {
    if ports.is_empty() {
        return format!(
            "nothing would be driven: no slot is named in {}\n  next: start the daemon and tell it what stands in the rack \
             ('kassettectl rack apply FILE')",
            config.journal_path().display()
        );
    }
    let mut text = format!(
        "{} slots, {} adopted registers; no port was opened\n",
        ports.len(),
        plan.registers.len()
    );
    for port in ports {
        let line = match &port.not {
            None if matches!(port.address, PortAddress::Tcp(_)) => "would be connected to".to_owned(),
            None => "would be driven".to_owned(),
            Some((code, why)) => format!("not: {why} [{code}]\n    next: {}", code.next_step_en()),
        };
        writeln!(text, "  {:<12} {:<40} {line}", port.slot, port.address.to_string()).ok();
    }
    text
}
