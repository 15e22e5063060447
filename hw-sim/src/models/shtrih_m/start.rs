//! Switching a register on.
//!
//! Owns: the checks of its description, its memory, and the registration report of a fresh FN.
//! Must never: let a description overrule what an FN holds.

use super::config::Config;
use super::device::{Device, habits};
use super::memory::{FACTORY_BYTE_TIMEOUT, FACTORY_SPEED, Memory};
use super::totals::{CancelCounts, DrawerCounts};
use crate::chance::Chance;
use crate::fiscal_storage::ledger::{LedgerError, Shelf};
use crate::fiscal_storage::{FiscalStorage, Kind, Phase, Relay, Troubles};
use crate::moment::Moment;
use kassette_wire::value::{Inn, RegisterSerial, Rnm};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a register cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its FN or its memory cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its memory is damaged.
    #[error(
        "register {serial}: what it kept cannot be read ({why}); remove its .memory file to start from the rack file"
    )]
    Memory {
        /// Register.
        serial: String,
        /// What is wrong with the content.
        why: String,
    },
    /// The rack file says something else than the FN.
    #[error(
        "register {serial}: the FN {fn_number} is registered for {stored}, the rack file says {named}; take a fresh state folder or correct the file"
    )]
    Disagrees {
        /// Register.
        serial: String,
        /// FN.
        fn_number: String,
        /// What the FN holds.
        stored: String,
        /// What the rack file says.
        named: String,
    },
    /// The FN refused its registration report.
    #[error(
        "register {serial}: the FN {fn_number} refused its registration report with code {code:02X}; check its expiry and phase"
    )]
    Registration {
        /// Register.
        serial: String,
        /// FN.
        fn_number: String,
        /// FN answer code.
        code: u8,
    },
    /// A value that no device can have.
    #[error("register {serial}: {field} = \"{value}\" is not possible: {why}")]
    Value {
        /// Register.
        serial: String,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        why: &'static str,
    },
}

/// A device as its description, its memory and its FN make it.
pub(super) fn device(
    mut config: Config,
    shelf: &mut dyn Shelf,
    chance: Chance,
    now: Moment,
) -> Result<Device, StartError> {
    check(&config)?;
    let memory = recall(&config, shelf)?;
    // The FN is what it was when it left the shelf, whatever format it is registered with later.
    config.switches.fn_generation = Some(habits(&config).generation);
    if let Some(registered) = &memory.registered {
        registered.apply(&mut config);
    }
    let ledger = shelf.ledger(&memory.fn_unit.number)?;
    let storage = FiscalStorage::open(
        memory.fn_unit.clone(),
        habits(&config),
        ledger,
        memory.troubles,
        memory.relay.clone(),
    )?;
    let mut device = Device::new(config, storage, memory, chance);
    register_fresh(&mut device, now)?;
    agrees(&device)?;
    device.recount();
    if device.storage.registrations().is_empty() {
        device.show_registration();
    }
    device.follow_tables(now);
    Ok(device)
}

fn recall(config: &Config, shelf: &dyn Shelf) -> Result<Memory, StartError> {
    let fresh = Memory {
        named_fn: config.fn_unit.number.clone(),
        fn_unit: config.fn_unit.clone(),
        troubles: Troubles::default(),
        written: Vec::new(),
        skew_ms: config.clock_skew_seconds.saturating_mul(1000),
        drawer_kopecks: 0,
        drawer_counts: DrawerCounts::default(),
        buffered_reports: 0,
        registered: None,
        relay: Relay::default(),
        cancelled: CancelCounts::default(),
        x_reports: 0,
        earlier_totals: BTreeMap::new(),
        cash_documents: 0,
        port_speed: FACTORY_SPEED,
        byte_timeout: FACTORY_BYTE_TIMEOUT,
    };
    let Some(content) = shelf.memory(&config.serial)? else {
        return Ok(fresh);
    };
    let kept: Memory = serde_json::from_slice(&content).map_err(|e| StartError::Memory {
        serial: config.serial.clone(),
        why: e.to_string(),
    })?;
    if kept.named_fn == fresh.named_fn {
        return Ok(kept);
    }
    Ok(Memory {
        named_fn: fresh.named_fn,
        fn_unit: fresh.fn_unit,
        troubles: fresh.troubles,
        relay: fresh.relay,
        registered: None,
        ..kept
    })
}

/// Stores what the device must not lose.
pub(super) fn store(device: &Device, shelf: &mut dyn Shelf) -> Result<(), StartError> {
    let content = serde_json::to_vec(&device.memory).map_err(|e| StartError::Memory {
        serial: device.config.serial.clone(),
        why: e.to_string(),
    })?;
    shelf.remember(&device.config.serial, &content)?;
    Ok(())
}

/// Document 1 of an FN that was put in as working: its registration report.
pub(super) fn register_fresh(device: &mut Device, now: Moment) -> Result<(), StartError> {
    let named = device.storage.unit().phase;
    if device.storage.last_fd() > 0 || (named as u8) < Phase::Fiscal as u8 {
        return Ok(());
    }
    let body = device.registration_body(&device.config);
    if let Err(code) = device.form(Kind::Registration, body, now) {
        return Err(StartError::Registration {
            serial: device.config.serial.clone(),
            fn_number: device.storage.number().to_owned(),
            code: code.0,
        });
    }
    device.made = None;
    device.storage.take_named_phase();
    Ok(())
}

fn agrees(device: &Device) -> Result<(), StartError> {
    let (inn, rnm) = device.storage.registered_for();
    let config = &device.config;
    if inn.is_empty() || (inn == config.inn && rnm == config.rnm) {
        return Ok(());
    }
    Err(StartError::Disagrees {
        serial: config.serial.clone(),
        fn_number: device.storage.number().to_owned(),
        stored: format!("INN {inn}, RNM {rnm}"),
        named: format!("INN {}, RNM {}", config.inn, config.rnm),
    })
}

fn check(config: &Config) -> Result<(), StartError> {
    let facts = &config.registration;
    let fn_number = &config.fn_unit.number;
    let plain = !fn_number.is_empty() && fn_number.len() <= 16 && fn_number.bytes().all(|b| b.is_ascii_alphanumeric());
    let serial = config.serial.parse::<RegisterSerial>().is_ok();
    let inn = config.inn.parse::<Inn>().is_ok();
    let rnm = config.rnm.parse::<Rnm>().is_ok();
    let systems = facts.tax_systems & 0x3F != 0;
    let zone = (-12 * 60..=14 * 60).contains(&facts.zone_minutes);
    let require = |good: bool, field: &'static str, value: &dyn std::fmt::Display, why: &'static str| {
        let (serial, value) = (config.serial.clone(), value.to_string());
        if good {
            Ok(())
        } else {
            Err(StartError::Value {
                serial,
                field,
                value,
                why,
            })
        }
    };
    require(serial, "serial", &config.serial, "1 to 20 letters, digits or dashes")?;
    require(plain, "fn.number", fn_number, "1 to 16 letters or digits")?;
    require(inn, "inn", &config.inn, "10 or 12 digits with right check digits")?;
    require(rnm, "rnm", &config.rnm, "16 digits")?;
    require(
        systems,
        "tax_systems",
        &facts.tax_systems,
        "at least one of bits 0 to 5",
    )?;
    require(zone, "zone_minutes", &facts.zone_minutes, "minutes from -720 to 840")
}
