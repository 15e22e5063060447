//! Who answers, and what its FN was registered with.
//!
//! Owns: the identity rule (text serial of the FN table, else the number of command 11; FN number of FF02) and where
//! each model keeps its tables.
//! Must never: send anything but identification while identifying.

use super::ShtrihM;
use super::conversation::{Conversation, Failed, pick};
use super::quirks::Quirk;
use super::refusals::means_unsupported;
use super::statements::{Stated, ffd_of};
use crate::domain::device::{Ffd, Identity, Registration};
use crate::drivers::DriverError;
use crate::exchange::Care;
use kassette_wire::shtrih::{
    CommandCode, FullState, ModelFlags, ModelParameters, ModelParametersRequest, Request, TableCell, fn_number,
};
use kassette_wire::text::{decode_cp1251, until_nul};
use kassette_wire::value::{FnNumber, Inn, RegisterId, RegisterSerial, Rnm, Vendor};

/// FN table of desktop models (3.3) and of the cash-core family (captures).
const FN_TABLE: u8 = 18;
const FN_TABLE_CASH_CORE: u8 = 13;
/// FFD version of desktop models: 17/1/17 (3.3); of cash-core: 10/1/29 (captures; J: 29 or 38, F7 decides).
const FFD_CELL: TableCell = TableCell::new(17, 1, 17);
const FFD_CELL_CASH_CORE: TableCell = TableCell::new(10, 1, 29);
/// F7: "parameters of the model".
const MODEL_PARAMETERS: u8 = 1;
/// Width of a text field that has a second half (3.3: 18/1/9 and 18/1/14).
const HALF: usize = 128;

/// What FC and F7 say about a model.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) name: String,
    pub(super) quirk: Quirk,
    flags: Option<ModelFlags>,
    pub(super) fn_table: u8,
    ffd_cell: TableCell,
}

impl Facts {
    fn new(name: String, parameters: Option<&ModelParameters>) -> Result<Self, DriverError> {
        let quirk = Quirk::of(&name).map_err(DriverError::Undecided)?;
        let flags = parameters.map(|p| p.flags);
        let cash_core = flags.is_some_and(ModelFlags::cash_core);
        let usual = if cash_core {
            (FN_TABLE_CASH_CORE, FFD_CELL_CASH_CORE)
        } else {
            (FN_TABLE, FFD_CELL)
        };
        let stated = parameters
            .and_then(ModelParameters::ffd_place)
            .filter(|(table, field)| *table != 0 && *field != 0);
        let fn_table = parameters
            .and_then(ModelParameters::fn_table)
            .filter(|table| *table != 0);
        Ok(Self {
            name,
            quirk,
            flags,
            fn_table: fn_table.unwrap_or(usual.0),
            ffd_cell: stated.map_or(usual.1, |(table, field)| TableCell::new(table, 1, field)),
        })
    }
}

impl ShtrihM {
    /// FC and F7, once per connection.
    pub(super) async fn known(&mut self) -> Result<Facts, DriverError> {
        if let Some(facts) = &self.facts {
            return Ok(facts.clone());
        }
        let device = self
            .talk
            .ask(&Request::DeviceType, Care::Read, |answer| pick!(answer, DeviceType))
            .await?;
        if (device.kind, device.subtype) != (0, 0) {
            let text = format!("type {}.{} is not a cash register (0.0)", device.kind, device.subtype);
            return Err(Failed::nonsense(CommandCode::DEVICE_TYPE, text).into());
        }
        let request = Request::ModelParameters(ModelParametersRequest {
            parameter: MODEL_PARAMETERS,
        });
        let parameters = match self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, ModelParameters))
            .await
        {
            Ok(parameters) => Some(parameters),
            Err(failed) if failed.error_code().is_some() => None,
            Err(failed) => return Err(failed.into()),
        };
        let facts = Facts::new(device.name_text(), parameters.as_ref())?;
        self.facts = Some(facts.clone());
        Ok(facts)
    }

    /// FC, F7, 11, 1F of the serial, FF02.
    pub(super) async fn read_identity(&mut self) -> Result<Identity, DriverError> {
        self.facts = None;
        self.registered = None;
        let facts = self.known().await?;
        let state = self.talk.full_state().await?;
        let text = self.text(TableCell::new(facts.fn_table, 1, 1)).await?;
        Ok(Identity {
            register: RegisterId {
                vendor: Vendor::ShtrihM,
                serial: serial(text.as_deref(), &state)?,
            },
            firmware: firmware(&state),
            fn_number: {
                self.fn_number_said = self.fn_number(&facts).await?;
                self.fn_number_said.clone()
            },
            model: facts.name,
        })
    }

    /// `None` only when the register states that it has no FN: no FN commands, or F7 without its bit and a refusal.
    async fn fn_number(&mut self, facts: &Facts) -> Result<Option<FnNumber>, DriverError> {
        let request = Request::FnNumber(Conversation::PASSWORD);
        let stated_absent = facts.flags.is_some_and(|flags| !flags.fn_present());
        match self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, FnNumber))
            .await
        {
            Ok(field) => {
                let bad = |e| Failed::nonsense(CommandCode::FN_NUMBER, format!("number of the FN: {e}"));
                Ok(Some(fn_number(&field).map_err(bad)?))
            }
            Err(failed) => match failed.error_code() {
                Some(code) if stated_absent || means_unsupported(code) => Ok(None),
                _ => Err(failed.into()),
            },
        }
    }

    /// A text field without its padding; `None` when the model has no such field or it is empty.
    pub(super) async fn text(&mut self, cell: TableCell) -> Result<Option<String>, DriverError> {
        let value = self.talk.table(cell).await?;
        let text = value.map(|bytes| decode_cp1251(until_nul(&bytes)).trim().to_owned());
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// FF09 alone.
    pub(super) async fn read_owner(&mut self) -> Result<(Inn, Rnm), DriverError> {
        let request = Request::FnRegistration(Conversation::PASSWORD);
        let stated = self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, FnRegistration))
            .await?;
        Ok((padded(&stated.inn, "INN")?, padded(&stated.rnm, "RNM")?))
    }

    /// FF09, the FFD field, address and place of the FN table.
    pub(super) async fn read_registration(&mut self) -> Result<Registration, DriverError> {
        let facts = self.known().await?;
        let request = Request::FnRegistration(Conversation::PASSWORD);
        let stated = self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, FnRegistration))
            .await?;
        let registration = Registration {
            inn: padded(&stated.inn, "INN")?,
            rnm: padded(&stated.rnm, "RNM")?,
            tax_systems: u32::from(stated.tax_systems),
            work_mode: u32::from(stated.work_mode),
            ffd: self.ffd(facts.ffd_cell).await?,
            address: self.long_text(facts.fn_table, 9, 18).await?,
            place: self.long_text(facts.fn_table, 14, 20).await?,
        };
        self.registered = Some((&registration).into());
        self.stated = Some(Stated {
            inn: registration.inn.to_string(),
            rnm: registration.rnm.to_string(),
            tax_systems: stated.tax_systems,
            ffd: registration.ffd,
        });
        if self.rates.is_none() {
            self.read_rates().await?;
        }
        Ok(registration)
    }

    async fn ffd(&mut self, cell: TableCell) -> Result<Ffd, DriverError> {
        let number = self.talk.table_byte(cell).await?;
        number.and_then(ffd_of).ok_or_else(|| {
            let said = number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
            DriverError::Undecided(format!(
                "field {cell} states {said} as FFD version, which is none that we know"
            ))
        })
    }

    /// A text whose second half stands in another field when the first is full (3.3).
    async fn long_text(&mut self, table: u8, first: u8, second: u8) -> Result<Option<String>, DriverError> {
        let Some(bytes) = self.talk.table(TableCell::new(table, 1, first)).await? else {
            return Ok(None);
        };
        let mut bytes = until_nul(&bytes).to_vec();
        if bytes.len() == HALF {
            let rest = self
                .talk
                .table(TableCell::new(table, 1, second))
                .await?
                .unwrap_or_default();
            bytes.extend(until_nul(&rest));
        }
        let text = decode_cp1251(&bytes).trim().to_owned();
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

fn firmware(state: &FullState) -> String {
    let version = decode_cp1251(&state.firmware_version);
    let dotted = version.chars().map(String::from).collect::<Vec<_>>().join(".");
    format!("{dotted} build {}", state.firmware_build)
}

/// The text serial; the number of command 11 only where the model has no such field or it is empty: a register must not
/// change its identity because one read failed.
fn serial(text: Option<&str>, state: &FullState) -> Result<RegisterSerial, DriverError> {
    let (command, text) = match (text, state.serial()) {
        (Some(text), _) => (CommandCode::READ_TABLE, text.to_owned()),
        (None, Some(number)) => (CommandCode::FULL_STATE, number.to_string()),
        (None, None) => (CommandCode::FULL_STATE, String::new()),
    };
    let bad = |e| Failed::nonsense(command, format!("serial number: {e}"));
    Ok(text.parse().map_err(bad)?)
}

/// A field of ASCII padded with spaces.
fn padded<T: std::str::FromStr<Err: std::fmt::Display>>(field: &[u8], what: &str) -> Result<T, DriverError> {
    let text = String::from_utf8_lossy(field);
    let bad = |e: T::Err| Failed::nonsense(CommandCode::FN_REGISTRATION, format!("{what}: {e}"));
    Ok(text.trim_end_matches([' ', '\0']).parse().map_err(bad)?)
}
