//! `registers`: each register with its FN, its state, and what is in its way.
//!
//! Owns: the table of registers.
//! Must never: hide a register that does not answer.

use super::{Daemon, tenant_name, value};
use crate::cli::Registers;
use crate::failure::{DONE, Failure};
use crate::paint::{self, NONE};
use crate::say::{say, say_text};
use kassette_api::v1;
use std::collections::BTreeMap;

/// Rows of one page.
const PAGE: i32 = 1000;

/// Shows the registers.
pub async fn run(mut daemon: Daemon, given: Registers) -> Result<u8, Failure> {
    let request = v1::ListRegistersRequest {
        tenant: given.tenant.as_deref().map(tenant_name),
        ready: given.problems.then_some(false),
        ..Default::default()
    };
    let registers = all_registers(&mut daemon, request).await?;
    if daemon.json {
        let listed: Result<Vec<_>, _> = registers.iter().map(|one| value("Register", one)).collect();
        say!("{:#}", serde_json::json!({ "registers": listed? }));
        return Ok(DONE);
    }
    if registers.is_empty() {
        say!("no registers; 'kassettectl status' says what to do next");
        return Ok(DONE);
    }
    let fns = all_fns(&mut daemon).await?;
    say_text!("{}", rows(&registers, &fns));
    Ok(DONE)
}

/// Every register, over as many pages as it takes.
pub async fn all_registers(
    daemon: &mut Daemon,
    mut request: v1::ListRegistersRequest,
) -> Result<Vec<v1::Register>, Failure> {
    request.page_size = Some(PAGE);
    let mut all = Vec::new();
    loop {
        let page = daemon.inventory.list_registers(request.clone()).await?.into_inner();
        all.extend(page.registers);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = Some(page.next_page_token);
    }
}

async fn all_fns(daemon: &mut Daemon) -> Result<BTreeMap<String, v1::FiscalStorage>, Failure> {
    let mut request = v1::ListFiscalStoragesRequest {
        page_size: Some(PAGE),
        ..Default::default()
    };
    let mut all = BTreeMap::new();
    loop {
        let page = daemon
            .inventory
            .list_fiscal_storages(request.clone())
            .await?
            .into_inner();
        all.extend(page.fiscal_storages.into_iter().map(|one| (one.name.clone(), one)));
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = Some(page.next_page_token);
    }
}

fn rows(registers: &[v1::Register], fns: &BTreeMap<String, v1::FiscalStorage>) -> String {
    let head = [
        "SLOT", "REGISTER", "STATE", "READY", "TENANT", "FN", "LAST FD", "EXPIRES", "SHIFT", "SEEN", "WHY NOT",
    ];
    let mut table = paint::table(&head);
    for one in registers {
        let storage = one.r#fn.as_ref().and_then(|name| fns.get(name));
        let shift = one.shift.as_ref().map_or_else(
            || NONE.to_owned(),
            |shift| format!("{} {}", shift.number, if shift.open { "open" } else { "closed" }),
        );
        let seen = one
            .last_exchange_at
            .as_ref()
            .map_or_else(|| NONE.to_owned(), |at| format!("{} ago", paint::ago(Some(at))));
        table.add_row([
            paint::short_or_none(one.slot.as_ref()).to_owned(),
            paint::short(&one.name).to_owned(),
            paint::word(one.state().as_str_name(), "UNIT_STATE_").to_owned(),
            if one.ready { "yes" } else { "NO" }.to_owned(),
            paint::short_or_none(one.tenant.as_ref()).to_owned(),
            paint::short_or_none(one.r#fn.as_ref()).to_owned(),
            storage.map_or_else(|| NONE.to_owned(), |storage| storage.last_fd.to_string()),
            storage
                .and_then(|storage| storage.expires_on.clone())
                .unwrap_or_else(|| NONE.to_owned()),
            shift,
            seen,
            one.reasons
                .iter()
                .map(|why| why.code.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        ]);
    }
    paint::lines(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_that_does_not_answer_is_a_row_too() {
        let lost = v1::Register {
            name: "registers/shtrih-m-7".into(),
            state: v1::UnitState::Lost.into(),
            reasons: vec![kassette_api::codes::Code::RegisterAbsent.into()],
            ..Default::default()
        };
        let table = rows(&[lost], &BTreeMap::new());
        let row = table.lines().nth(1).unwrap();
        for part in ["shtrih-m-7", "LOST", "NO", "REGISTER_ABSENT"] {
            assert!(row.contains(part), "{part} is missing in {row}");
        }
    }
}
