//! Requests that cases and the demo submit.
//!
//! Owns: plain lawful receipts, and the description of a rack.
//! Must never: use the daemon's own conversions, so that a mistake there is not made twice.

use crate::simulator::ReadyRegister;
use kassette_api::v1::slot_description::Port;
use kassette_api::v1::{
    ClientDescription, Grant, Item, Payments, RackDescription, Receipt, RegisterDescription, Role, SlotDescription,
    SubmitReceiptRequest, TenantDescription, client_description,
};
use std::collections::BTreeSet;

/// One piece of goods at 22 % for so many kopecks, paid by card.
#[must_use]
pub fn plain_receipt(kopecks: i64) -> Receipt {
    Receipt {
        settlement_sign: Some(1),
        tax_system: Some(1),
        items: vec![plain_item("Чай чёрный байховый", kopecks)],
        payments: Some(Payments {
            noncash_kopecks: Some(kopecks),
            ..Payments::default()
        }),
        total_kopecks: Some(kopecks),
        ..Receipt::default()
    }
}

/// One piece of goods at 22 %.
#[must_use]
pub fn plain_item(name: &str, kopecks: i64) -> Item {
    Item {
        name: Some(name.to_owned()),
        price_kopecks: Some(kopecks),
        quantity_millionths: Some(1_000_000),
        amount_kopecks: Some(kopecks),
        vat_rate: Some(11),
        payment_method: Some(4),
        item_kind: Some(1),
        measure: Some(0),
        ..Item::default()
    }
}

/// A submission under a key.
#[must_use]
pub fn submission(inn: &str, key: &str, receipt: Receipt) -> SubmitReceiptRequest {
    SubmitReceiptRequest {
        parent: format!("tenants/{inn}"),
        external_id: key.to_owned(),
        receipt: Some(receipt),
        ..SubmitReceiptRequest::default()
    }
}

/// The description of a rack: every register of the ready line in its slot, every taxpayer granted to the caller.
///
/// # Errors
/// When the number of the own user cannot be told.
pub fn description(registers: &[(ReadyRegister, String)]) -> anyhow::Result<RackDescription> {
    let tenants: BTreeSet<&String> = registers.iter().map(|(_, inn)| inn).collect();
    let uid = nix::unistd::geteuid().as_raw();
    let grant = |inn: &&String| Grant {
        role: Role::Provider.into(),
        inn: Some((*inn).clone()),
    };
    Ok(RackDescription {
        tenants: tenants.iter().map(|inn| tenant(inn)).collect(),
        clients: vec![ClientDescription {
            name: format!("uid:{uid}"),
            identity: Some(client_description::Identity::Uid(uid)),
            grants: tenants.iter().map(grant).collect(),
        }],
        slots: registers
            .iter()
            .enumerate()
            .map(|(at, (one, _))| slot(at, &one.port))
            .collect(),
        registers: registers.iter().map(|(one, inn)| adoption(one, inn)).collect(),
        ..RackDescription::default()
    })
}

fn tenant(inn: &str) -> TenantDescription {
    TenantDescription {
        inn: inn.to_owned(),
        name: Some(format!("Tenant {inn}")),
        ..TenantDescription::default()
    }
}

/// A slot for a port as the ready line writes it.
#[must_use]
pub fn slot(index: usize, port: &str) -> SlotDescription {
    let at = port
        .strip_prefix("tcp:")
        .map_or_else(|| Port::Device(port.to_owned()), |target| Port::Tcp(target.to_owned()));
    SlotDescription {
        label: format!("R{}-S{:02}", index / 16 + 1, index % 16 + 1),
        port: Some(at),
        baud: None,
        link: 0,
    }
}

fn adoption(register: &ReadyRegister, inn: &str) -> RegisterDescription {
    RegisterDescription {
        vendor: "shtrih-m".to_owned(),
        serial: register.serial.clone(),
        r#fn: register.fn_number.clone(),
        inn: inn.to_owned(),
        slot: None,
        offset_minutes: Some(180),
    }
}
