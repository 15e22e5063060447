//! The settings tables of a register: structure and values (`shtrih-m.md` 3.3).
//!
//! Owns: what stands in the tables, and the rules of reading and writing them.
//! Must never: know what a value does; who needs one asks for it.

use super::config::{Config, Ffd};
use super::table_rows::{
    CASH_CORE_FFD, CASH_CORE_FN_FIELDS, CASH_CORE_HARDWARE, CASH_CORE_TABLES, Field, Form, NUMBERS, RECEIPT_FORMAT,
    TABLES, TEXTS, Table, Write,
};
use crate::switches::Vat22;
use kassette_wire::shtrih::{ErrorCode, FieldKind, FieldStructure, TableCell, TableStructure};
use kassette_wire::text::{decode_cp1251, encode_cp1251, until_nul};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What stands in every register of this model that nobody has set up.
static FACTORY: LazyLock<BTreeMap<TableCell, Vec<u8>>> = LazyLock::new(|| {
    let mut tables = Tables {
        values: BTreeMap::new(),
        rate_rows: 0,
        pad_char: false,
        limits_for_char: false,
        cash_core: false,
    };
    tables.factory();
    tables.values
});

/// The tables of one register.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// What differs from the factory's values.
    values: BTreeMap<TableCell, Vec<u8>>,
    rate_rows: u16,
    pad_char: bool,
    limits_for_char: bool,
    cash_core: bool,
}

/// A cell, for readers that name it in one line.
pub(super) const fn cell(table: u8, row: u16, field: u8) -> TableCell {
    TableCell::new(table, row, field)
}

/// 5/1/1: name of the first payment type.
const CASH_NAME: TableCell = cell(5, 1, 1);
/// 17/1/17: format of the documents.
const FFD: TableCell = cell(17, 1, 17);
/// Table of the FN.
const FN_TABLE: u8 = 18;
/// 17/1/7: what is printed.
pub(super) const NO_PRINT: TableCell = cell(17, 1, 7);
/// 17/1/36: extended answers.
pub(super) const EXTENDED_ANSWERS: TableCell = cell(17, 1, 36);
/// 24/1/13: automatic shift opening.
pub(super) const AUTO_SHIFT: TableCell = cell(24, 1, 13);

impl Tables {
    /// Factory values, the registration's facts, then what was written since (`kept`).
    pub fn new(config: &Config, fn_number: &str, kept: &BTreeMap<TableCell, Vec<u8>>) -> Self {
        let rows_22 = config.switches.vat_22 == Some(Vat22::Rows11And12);
        let mut tables = Self {
            values: BTreeMap::new(),
            rate_rows: if rows_22 { 12 } else { 10 },
            pad_char: !config.switches.char_values_unpadded,
            limits_for_char: config.switches.char_limits_in_2e,
            cash_core: config.switches.cash_core,
        };
        tables.rates(config);
        tables.registration(config, fn_number);
        for (place, value) in kept {
            tables.values.insert(*place, value.clone());
        }
        tables
    }

    fn factory(&mut self) {
        for operator in 1..=30_u16 {
            self.set_number(cell(2, operator, 1), u64::from(operator));
            self.set_text(cell(2, operator, 2), &format!("Оператор{operator}"));
        }
        for row in 5..=13_u16 {
            self.set_text(cell(5, row, 1), "РАСШИРЕННОЙ ОПЛАТОЙ");
        }
        for row in 1..=16_u16 {
            self.set_text(cell(7, row, 1), &row.to_string());
        }
        for (row, (line, offset, width, align, name)) in (1_u16..).zip(RECEIPT_FORMAT) {
            for (field, value) in (1..).zip([line, offset, width, align]) {
                self.set_number(cell(9, row, field), value);
            }
            self.set_text(cell(9, row, 5), name);
        }
        for (table, row, field, value) in NUMBERS {
            self.set_number(cell(*table, *row, *field), *value);
        }
        for (table, row, field, text) in TEXTS {
            self.set_text(cell(*table, *row, *field), text);
        }
    }

    fn value(&self, place: TableCell) -> &[u8] {
        let value = self.values.get(&place).or_else(|| FACTORY.get(&place));
        value.map_or(&[], Vec::as_slice)
    }

    /// Table 6.
    fn rates(&mut self, config: &Config) {
        let main = if config.switches.vat_22 == Some(Vat22::MainRow) {
            2200
        } else {
            2000
        };
        let rates = [main, 1000, 0, 0, main, 1000, 500, 700, 500, 700, 2200, 2200];
        let main_name = if main == 2200 {
            ["НДС 22%", "НДС 22/122"]
        } else {
            ["НДС 20%", "НДС 20/120"]
        };
        let names = [
            main_name[0],
            "НДС 10%",
            "НДС 0%",
            "БЕЗ НДС",
            main_name[1],
            "НДС 10/110",
            "НДС 5%",
            "НДС 7%",
            "НДС 5/105",
            "НДС 7/107",
            "НДС 22%",
            "НДС 22/122",
        ];
        for ((row, rate), name) in (1..=self.rate_rows).zip(rates).zip(names) {
            self.set_number(cell(6, row, 1), rate);
            self.set_text(cell(6, row, 2), name);
        }
    }

    /// Fields that follow the registration and the FN.
    pub fn registration(&mut self, config: &Config, fn_number: &str) {
        let facts = &config.registration;
        let ffd = match config.ffd {
            Ffd::V105 => 2,
            Ffd::V12 => 4,
        };
        self.set_number(FFD, ffd);
        for (number, text) in [
            (1, config.serial.as_str()),
            (2, &config.inn),
            (3, &config.rnm),
            (4, fn_number),
            (7, &facts.user_name),
            (9, &facts.address),
            (10, &facts.ofd_name),
            (12, &facts.ofd_inn),
            (13, &facts.tax_site),
            (14, &facts.place),
            (15, &facts.sender_email),
        ] {
            self.set_text(cell(18, 1, number), text);
        }
        if !facts.automat.is_empty() {
            self.set_text(cell(24, 1, 1), &facts.automat);
        }
        self.set_number(cell(18, 1, 21), u64::from(facts.extended_mode));
    }

    /// The cell behind the numbers that a host uses: cash-core models number some tables otherwise.
    pub fn place(&self, asked: TableCell) -> Result<TableCell, ErrorCode> {
        if !self.cash_core {
            return Ok(asked);
        }
        if (asked.table, asked.field) == CASH_CORE_FFD {
            return Ok(cell(FFD.table, asked.row, FFD.field));
        }
        let renamed = CASH_CORE_TABLES.iter().find(|(theirs, _)| *theirs == asked.table);
        match renamed {
            Some((_, ours)) => Ok(cell(*ours, asked.row, asked.field)),
            None if CASH_CORE_TABLES.iter().any(|(_, ours)| *ours == asked.table) => Err(ErrorCode::NO_TABLE),
            None => Ok(asked),
        }
    }

    fn find(&self, place: TableCell) -> Result<(&'static Table, &'static Field), ErrorCode> {
        let table = TABLES
            .iter()
            .find(|t| t.number == place.table)
            .ok_or(ErrorCode::NO_TABLE)?;
        let field = table
            .fields
            .iter()
            .find(|f| f.number == place.field)
            .ok_or(ErrorCode::BAD_PARAMETERS)?;
        let own = CASH_CORE_FN_FIELDS.iter().find(|f| f.number == place.field);
        let field = own
            .filter(|_| self.cash_core && table.number == FN_TABLE)
            .unwrap_or(field);
        if place.row == 0 || place.row > self.rows(table) {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        Ok((table, field))
    }

    fn rows(&self, table: &Table) -> u16 {
        if table.number == 6 { self.rate_rows } else { table.rows }
    }

    /// Answer to 2D. The number of fields is that of the highest, as on devices whose tables have gaps for this model.
    pub fn table_structure(&self, number: u8) -> Result<TableStructure, ErrorCode> {
        let (hardware, name, fields) = CASH_CORE_HARDWARE;
        if self.cash_core && number == hardware {
            return Ok(TableStructure {
                name: name40(name).to_vec(),
                rows: 1,
                fields,
            });
        }
        let number = self.place(cell(number, 1, 1))?.table;
        let table = TABLES.iter().find(|t| t.number == number).ok_or(ErrorCode::NO_TABLE)?;
        let mut fields = table.fields.last().map_or(0, |f| f.number);
        if self.cash_core && number == CASH_CORE_FFD.0 {
            fields = CASH_CORE_FFD.1;
        }
        Ok(TableStructure {
            name: name40(table.name).to_vec(),
            rows: self.rows(table),
            fields,
        })
    }

    /// Answer to 2E.
    pub fn field_structure(&self, number: u8, field: u8) -> Result<FieldStructure, ErrorCode> {
        let (_, field) = self.find(self.place(cell(number, 1, field))?)?;
        let (kind, size, limits) = match field.form {
            Form::Bin(size, min, max) => {
                let width = usize::from(size);
                (
                    FieldKind::BIN,
                    size,
                    [&min.to_le_bytes()[..width], &max.to_le_bytes()[..width]].concat(),
                )
            }
            // Before FN devices a CHAR field carries as many zero bytes as two values; the FN device Retail-01F sends
            // two single zero bytes in one firmware and none in another (captures).
            Form::Char(size) => (
                FieldKind::CHAR,
                size,
                if self.limits_for_char { vec![0, 0] } else { Vec::new() },
            ),
        };
        Ok(FieldStructure {
            name: name40(field.name),
            kind,
            size,
            limits,
        })
    }

    /// Answer to 1F.
    pub fn read(&self, place: TableCell) -> Result<Vec<u8>, ErrorCode> {
        let (_, field) = self.find(place)?;
        let mut value = self.value(place).to_vec();
        match field.form {
            Form::Bin(size, min, _) => {
                if value.is_empty() {
                    value = min.to_le_bytes()[..usize::from(size)].to_vec();
                }
            }
            Form::Char(size) if self.pad_char => value.resize(usize::from(size), 0),
            Form::Char(_) => {}
        }
        Ok(value)
    }

    /// 1E. The value that is then kept, for the memory that survives a power cut.
    pub fn write(&mut self, place: TableCell, value: &[u8], shift_open: bool) -> Result<Vec<u8>, ErrorCode> {
        let (_, field) = self.find(place)?;
        match field.write {
            // The first payment type is cash by law and cannot be renamed.
            _ if place == CASH_NAME => return Err(ErrorCode::READ_ONLY),
            Write::Never => return Err(ErrorCode::READ_ONLY),
            Write::ShiftClosed if shift_open => return Err(ErrorCode::READ_ONLY_NOW),
            Write::Free | Write::ShiftClosed => {}
        }
        let kept = match field.form {
            Form::Bin(size, min, max) => {
                if value.len() != usize::from(size) {
                    return Err(ErrorCode::BAD_LENGTH);
                }
                let number = value.iter().rev().fold(0_u64, |sum, &b| sum << 8 | u64::from(b));
                if !(min..=max).contains(&number) {
                    return Err(ErrorCode::BAD_PARAMETERS);
                }
                value.to_vec()
            }
            Form::Char(size) if value.len() > usize::from(size) => return Err(ErrorCode::BAD_LENGTH),
            Form::Char(_) => until_nul(value).to_vec(),
        };
        self.values.insert(place, kept.clone());
        Ok(kept)
    }

    /// The number in a cell; 0 where nothing stands.
    pub fn number(&self, place: TableCell) -> u64 {
        self.value(place)
            .iter()
            .take(8)
            .rev()
            .fold(0, |sum, &b| sum << 8 | u64::from(b))
    }

    /// The text in a cell.
    pub fn text(&self, place: TableCell) -> String {
        decode_cp1251(self.value(place))
    }

    /// Sets a number without the checks of 1E; for the register itself.
    pub fn set_number(&mut self, place: TableCell, value: u64) {
        let size = match self.find(place) {
            Ok((
                _,
                Field {
                    form: Form::Bin(size, ..),
                    ..
                },
            )) => usize::from(*size),
            _ => return,
        };
        self.values.insert(place, value.to_le_bytes()[..size].to_vec());
    }

    /// Sets a text without the checks of 1E; for the register itself.
    pub fn set_text(&mut self, place: TableCell, text: &str) {
        let Ok((
            _,
            Field {
                form: Form::Char(size), ..
            },
        )) = self.find(place)
        else {
            return;
        };
        let mut bytes = cp1251_lossy(text);
        bytes.truncate(usize::from(*size));
        self.values.insert(place, bytes);
    }

    /// The row of table 2 whose password this is; the lowest when several have it.
    pub fn operator(&self, password: u32) -> Option<u8> {
        (1..=30_u8).find(|row| self.number(cell(2, u16::from(*row), 1)) == u64::from(password))
    }
}

/// Text in windows-1251, with `?` for what it lacks.
pub(super) fn cp1251_lossy(text: &str) -> Vec<u8> {
    let mut buffer = [0; 4];
    text.chars()
        .flat_map(|c| encode_cp1251(c.encode_utf8(&mut buffer)).unwrap_or_else(|_| vec![b'?']))
        .collect()
}

fn name40(name: &str) -> [u8; 40] {
    let mut field = [0; 40];
    for (place, byte) in field.iter_mut().zip(cp1251_lossy(name)) {
        *place = byte;
    }
    field
}
