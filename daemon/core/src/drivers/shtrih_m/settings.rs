//! The settings we work with: read first, write only what differs.
//!
//! Owns: the list of settings and their cells (`shtrih-m` 3.3).
//! Must never: write with a document open, or write what already stands.

use super::ShtrihM;
use super::conversation::{Conversation, Failed, Why, pick};
use super::refusals::means_absent;
use super::tags::Rates;
use crate::drivers::DriverError;
use crate::exchange::Care;
use crate::parts::Point;
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{CommandCode, Request, TableCell, TableStructureRequest, WriteTable};

struct Setting {
    cell: TableCell,
    value: u8,
    what: &'static str,
    /// Another value changes what stands in a document: then a unit that refuses it makes none.
    changes_documents: bool,
}

/// Table 1, field 14 = 0: the register computes the taxes, which we do not send.
const TAXES_BY_REGISTER: Setting = Setting {
    cell: TableCell::new(1, 1, 14),
    value: 0,
    what: "taxes computed by the register",
    changes_documents: true,
};

const SETTINGS: &[Setting] = &[
    TAXES_BY_REGISTER,
    Setting {
        cell: TableCell::new(17, 1, 7),
        value: 2,
        what: "nothing printed",
        changes_documents: false,
    },
    Setting {
        cell: TableCell::new(17, 1, 36),
        value: 1,
        what: "date and time in answers",
        changes_documents: false,
    },
    // Cash-core and vending models (one source): the field exists nowhere else, and there it is absent when read.
    Setting {
        cell: TableCell::new(24, 1, 13),
        value: 0,
        what: "no automatic shift opening",
        changes_documents: false,
    },
];

const RATES_TABLE: u8 = 6;
const MAIN_ROW: u16 = 1;
/// Row of 22 % in newer firmware (vendor's driver 02.2026, one source); the row behind it is its calculated form.
const NEW_ROW: u16 = 11;

impl ShtrihM {
    pub(super) async fn bring_settings(&mut self) -> Result<Vec<String>, DriverError> {
        self.known().await?;
        let mut changed = Vec::new();
        for setting in SETTINGS {
            let found = self.talk.table_byte(setting.cell).await?;
            let Some(found) = found.filter(|found| *found != setting.value) else {
                continue;
            };
            changed.push(self.write_setting(setting, found).await?);
        }
        self.read_rates().await?;
        Ok(changed)
    }

    async fn write_setting(&mut self, setting: &Setting, found: u8) -> Result<String, DriverError> {
        let Setting { cell, value, what, .. } = setting;
        let state = self.talk.short_state().await?;
        if state.mode.is_document_open() {
            return Err(DriverError::NotNow {
                command: CommandCode::WRITE_TABLE.to_string(),
                code: Code::RegisterWrongMode,
                text: format!("field {cell} ({what}) is not written while a document is open; cancel it first"),
            });
        }
        let write = WriteTable {
            password: Conversation::PASSWORD,
            cell: *cell,
            value: vec![*value],
        };
        match self.talk.order(&Request::WriteTable(write), Care::Once).await {
            Ok(()) => {
                self.faults.reach(Point::SettingWritten).await;
                Ok(format!("{cell} ({what}): {found} -> {value}"))
            }
            Err(Failed {
                why: Why::Refused(code),
                ..
            }) if !setting.changes_documents => Ok(format!("{cell} ({what}): stays {found}, refused with code {code}")),
            Err(failed) => Err(failed.into()),
        }
    }

    /// Reads the rates of table 6 that decide VAT bytes; what the model lacks stays unknown.
    pub(super) async fn read_rates(&mut self) -> Result<(), DriverError> {
        let password = Conversation::PASSWORD;
        let request = Request::TableStructure(TableStructureRequest {
            password,
            table: RATES_TABLE,
        });
        let rows = match self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, TableStructure))
            .await
        {
            Ok(structure) => structure.rows,
            Err(failed) if failed.error_code().is_some_and(means_absent) => 0,
            Err(failed) => return Err(failed.into()),
        };
        let main = self.rate(MAIN_ROW).await?;
        let row_11 = if rows > NEW_ROW {
            self.rate(NEW_ROW).await?
        } else {
            None
        };
        self.rates = Some(Rates { main, row_11 });
        Ok(())
    }

    async fn rate(&mut self, row: u16) -> Result<Option<u16>, DriverError> {
        let value = self.talk.table(TableCell::new(RATES_TABLE, row, 1)).await?;
        Ok(match value.as_deref() {
            Some(&[low, high]) => Some(u16::from_le_bytes([low, high])),
            _ => None,
        })
    }
}
