//! The settings tables of a register: structure and values (`shtrih-m.md` 3.3).
//!
//! Owns: which tables, rows and fields exist, their sizes and limits, and what stands in them.
//! Must never: know what a value does; who needs one asks for it.

use super::config::{Config, Ffd};
use crate::switches::Vat22;
use kassette_wire::shtrih::{ErrorCode, FieldKind, FieldStructure, TableCell, TableStructure};
use kassette_wire::text::{decode_cp1251, encode_cp1251, until_nul};
use std::collections::BTreeMap;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A number of so many bytes with its limits.
    Bin(u8, u64, u64),
    /// A text of so many bytes.
    Char(u8),
}

/// When a field may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Free,
    ShiftClosed,
    Never,
}

struct Field {
    number: u8,
    name: &'static str,
    form: Form,
    write: Write,
}

struct Table {
    number: u8,
    name: &'static str,
    rows: u16,
    fields: &'static [Field],
}

const fn field(number: u8, name: &'static str, form: Form, write: Write) -> Field {
    Field {
        number,
        name,
        form,
        write,
    }
}

const BYTE: Form = Form::Bin(1, 0, 255);
const FLAG: Form = Form::Bin(1, 0, 1);
const CLOSED: Write = Write::ShiftClosed;

/// Names in capitals are those of captured answers to 2D and 2E; the others follow the vendor's settings guide.
const TABLES: &[Table] = &[
    Table {
        number: 1,
        name: "ТИП И РЕЖИМ КАССЫ",
        rows: 1,
        fields: &[
            field(1, "НОМЕР ККМ В МАГАЗИНЕ", Form::Bin(1, 1, 99), Write::Free),
            field(6, "РАБОТА С ДЕНЕЖНЫМ ЯЩИКОМ", FLAG, Write::Free),
            field(7, "ОТРЕЗКА ЧЕКА", Form::Bin(1, 0, 2), Write::Free),
            field(14, "НАЧИСЛЕНИЕ НАЛОГОВ", FLAG, CLOSED),
            field(23, "ЗАПРЕТ НУЛЕВОГО ЧЕКА", FLAG, Write::Free),
            field(28, "ОТКЛЮЧЕНИЕ ЗВУКА ПРИ ОШИБКАХ", FLAG, Write::Free),
            field(29, "МЕЖСТРОЧНЫЙ ИНТЕРВАЛ", Form::Bin(1, 0, 10), Write::Free),
            field(39, "ПЕЧАТЬ ЗАГОЛОВКА", BYTE, Write::Free),
            field(41, "ПЕЧАТЬ QR КОДА", BYTE, Write::Free),
        ],
    },
    Table {
        number: 2,
        name: "ПАРОЛИ КАССИРОВ И АДМИНИСТРАТОРОВ",
        rows: 30,
        fields: &[
            field(1, "ПАРОЛЬ", Form::Bin(4, 0, 99_999_999), Write::Free),
            field(2, "РЕКВИЗИТЫ КАССИРОВ", Form::Char(64), Write::Free),
        ],
    },
    Table {
        number: 4,
        name: "ТЕКСТ В ЧЕКЕ",
        rows: 14,
        fields: &[field(1, "ЗАПРОГРАММИРОВАННЫЕ СТРОКИ", Form::Char(64), Write::Free)],
    },
    Table {
        number: 5,
        name: "НАИМЕНОВАНИЕ ТИПОВ ОПЛАТЫ",
        rows: 16,
        fields: &[field(1, "ЗАПРОГРАММИРОВАННЫЕ ТИПЫ ОПЛАТЫ", Form::Char(64), Write::Free)],
    },
    Table {
        number: 6,
        name: "НАЛОГОВЫЕ СТАВКИ",
        rows: 10,
        fields: &[
            field(1, "ВЕЛИЧИНА НАЛОГА", Form::Bin(2, 0, 9999), CLOSED),
            field(2, "НАЗВАНИЕ НАЛОГА", Form::Char(64), CLOSED),
        ],
    },
    Table {
        number: 10,
        name: "СЛУЖЕБНАЯ",
        rows: 1,
        fields: &[field(10, "ВРЕМЯ ОЖИДАНИЯ ФН", Form::Bin(1, 2, 30), Write::Free)],
    },
    Table {
        number: 17,
        name: "РЕГИОНАЛЬНЫЕ НАСТРОЙКИ",
        rows: 1,
        fields: &[
            field(3, "РЕЖИМ СКИДОК", Form::Bin(1, 0, 2), Write::Free),
            field(7, "НЕ ПЕЧАТАТЬ ДОКУМЕНТ", Form::Bin(1, 0, 3), Write::Free),
            field(8, "МИНУТ ДО ОКОНЧАНИЯ СМЕНЫ", BYTE, Write::Free),
            field(17, "ФОРМАТ ФД", Form::Bin(1, 0, 4), Write::Never),
            field(25, "АВТОПЕЧАТЬ ТЕГОВ", BYTE, Write::Free),
            field(31, "ПОВТОР ДОКУМЕНТА ПО FF3A", FLAG, Write::Free),
            field(35, "СТРОГИЙ КОНТРОЛЬ ФОРМАТА", FLAG, Write::Free),
            field(36, "РАСШИРЕННЫЕ ОТВЕТЫ", FLAG, Write::Free),
        ],
    },
    Table {
        number: 18,
        name: "ФИСКАЛЬНЫЙ НАКОПИТЕЛЬ",
        rows: 1,
        fields: &[
            field(1, "ЗАВОДСКОЙ НОМЕР", Form::Char(20), Write::Never),
            field(2, "ИНН ПОЛЬЗОВАТЕЛЯ", Form::Char(12), Write::Never),
            field(3, "РЕГИСТРАЦИОННЫЙ НОМЕР", Form::Char(20), Write::Never),
            field(4, "НОМЕР ФН", Form::Char(16), Write::Never),
            field(5, "СИСТЕМА НАЛОГООБЛОЖЕНИЯ", BYTE, CLOSED),
            field(6, "РЕЖИМ РАБОТЫ", BYTE, CLOSED),
            field(7, "1048", Form::Char(128), CLOSED),
            field(8, "1021", Form::Char(64), CLOSED),
            field(9, "1009", Form::Char(128), CLOSED),
            field(10, "1046", Form::Char(128), CLOSED),
            field(11, "URL ОФД", Form::Char(64), CLOSED),
            field(12, "1017", Form::Char(12), CLOSED),
            field(13, "1060", Form::Char(64), CLOSED),
            field(14, "1187", Form::Char(128), CLOSED),
            field(15, "1117", Form::Char(64), CLOSED),
            field(16, "1057", BYTE, CLOSED),
            field(17, "1048 ПРОДОЛЖЕНИЕ", Form::Char(128), CLOSED),
            field(18, "1009 ПРОДОЛЖЕНИЕ", Form::Char(128), CLOSED),
            field(19, "1046 ПРОДОЛЖЕНИЕ", Form::Char(128), CLOSED),
            field(20, "1187 ПРОДОЛЖЕНИЕ", Form::Char(128), CLOSED),
            field(21, "РАСШИРЕННЫЕ ПРИЗНАКИ РАБОТЫ", BYTE, CLOSED),
            field(22, "1205", Form::Bin(4, 0, 0xFFFF_FFFF), CLOSED),
            field(23, "1203", Form::Char(12), CLOSED),
        ],
    },
    Table {
        number: 19,
        name: "ПАРАМЕТРЫ ОФД",
        rows: 1,
        fields: &[
            field(1, "СЕРВЕР", Form::Char(64), Write::Free),
            field(2, "ПОРТ", Form::Bin(2, 0, 0xFFFF), Write::Free),
            field(4, "ПАУЗА МЕЖДУ ПАКЕТАМИ", Form::Bin(2, 0, 0xFFFF), Write::Free),
        ],
    },
    Table {
        number: 21,
        name: "СЕТЕВОЙ ОБМЕН",
        rows: 1,
        fields: &[
            field(2, "ОБМЕН С ОФД", FLAG, Write::Free),
            field(3, "TCP СЕРВЕР", FLAG, Write::Free),
            field(4, "ПОРТ TCP", Form::Bin(2, 0, 0xFFFF), Write::Free),
            field(9, "RNDIS", FLAG, Write::Free),
        ],
    },
    Table {
        number: 24,
        name: "ВСТРАИВАЕМАЯ ТЕХНИКА",
        rows: 1,
        fields: &[field(
            13,
            "АВТОМАТИЧЕСКОЕ ОТКРЫТИЕ СМЕНЫ",
            Form::Bin(1, 0, 2),
            Write::Free,
        )],
    },
];

/// The tables of one register.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    values: BTreeMap<TableCell, Vec<u8>>,
    rate_rows: u16,
    pad_char: bool,
    limits_for_char: bool,
}

/// A cell, for readers that name it in one line.
pub(super) const fn cell(table: u8, row: u16, field: u8) -> TableCell {
    TableCell::new(table, row, field)
}

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
        };
        tables.factory(config);
        tables.registration(config, fn_number);
        for (place, value) in kept {
            tables.values.insert(*place, value.clone());
        }
        tables
    }

    fn factory(&mut self, config: &Config) {
        for operator in 1..=30_u16 {
            self.set_number(cell(2, operator, 1), u64::from(operator));
        }
        for (row, name) in [(29, "Администратор"), (30, "Системный администратор")] {
            self.set_text(cell(2, row, 2), name);
        }
        for operator in 1..=28_u16 {
            self.set_text(cell(2, operator, 2), &format!("Оператор{operator}"));
        }
        self.set_text(cell(5, 1, 1), "НАЛИЧНЫМИ");
        self.rates(config);
        for (place, value) in [
            (cell(1, 1, 1), 1),
            (cell(1, 1, 6), 1),
            (cell(1, 1, 7), 1),
            (cell(10, 1, 10), 5),
            (cell(17, 1, 3), 2),
            (cell(19, 1, 2), 7779),
            (cell(21, 1, 2), 1),
            (cell(21, 1, 3), 1),
            (cell(21, 1, 4), 7778),
        ] {
            self.set_number(place, value);
        }
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
        self.set_number(cell(17, 1, 17), ffd);
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
        self.set_number(cell(18, 1, 21), u64::from(facts.extended_mode));
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
        let table = TABLES.iter().find(|t| t.number == number).ok_or(ErrorCode::NO_TABLE)?;
        let fields = table.fields.last().map_or(0, |f| f.number);
        Ok(TableStructure {
            name: name40(table.name).to_vec(),
            rows: self.rows(table),
            fields,
        })
    }

    /// Answer to 2E.
    pub fn field_structure(&self, number: u8, field: u8) -> Result<FieldStructure, ErrorCode> {
        let (_, field) = self.find(cell(number, 1, field))?;
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
        let mut value = self.values.get(&place).cloned().unwrap_or_default();
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
        let value = self.values.get(&place).map_or(&[][..], Vec::as_slice);
        value.iter().take(8).rev().fold(0, |sum, &b| sum << 8 | u64::from(b))
    }

    /// The text in a cell.
    pub fn text(&self, place: TableCell) -> String {
        decode_cp1251(self.values.get(&place).map_or(&[][..], Vec::as_slice))
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

    fn set_text(&mut self, place: TableCell, text: &str) {
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
