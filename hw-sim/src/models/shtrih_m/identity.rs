//! What a register says about itself, its clock and its settings (`shtrih-m.md` 3.1 to 3.3).
//!
//! Owns: commands FC, F7, 10, 11, 13, 6B, 26, FE F3, B0; 21 to 23; 1E, 1F, 2D, 2E.
//! Must never: make a document.

use super::config::{Ffd, LinkKind};
use super::defects::unhex;
use super::device::{Device, Outcome, Paper};
use super::error_texts::russian;
use super::exchange::EXCHANGE_TABLE;
use super::tables::{cell, cp1251_lossy};
use crate::moment::Moment;
use kassette_wire::shtrih::{
    Answer, DeviceType, DmyDate, ErrorCode, FontInfo, FullState, Hms, Mode, ModelFlags, ModelParameters, Request,
    ShortState, StateFlags, Submode, TableCell, WriteTable,
};

/// Flags of a Retail-01F with paper (captures): both rolls, journal and receipt sensors, lever.
const FLAGS_WITH_PAPER: u16 = 0x02B2;
/// Receipt roll and receipt sensor.
const PAPER_FLAGS: u16 = 0x0082;
/// Bits of F7 (3.1, the vendor's text): 3 paper sensor and 6 lever of the receipt roll, 13 cutter, 36 6B, 43 FN, 44
/// exchange with the OFD through the host, 49 6B extended, 50 extended answers.
const MODEL_FLAGS: u64 = 1 << 3 | 1 << 6 | 1 << 13 | 1 << 36 | 1 << 43 | 1 << 44 | 1 << 49 | 1 << 50;
/// Bit 48: corrections are opened as receipts are, by 8D with 80 to 83; under FFD 1.2.
const CORRECTION_AS_RECEIPT: u64 = 1 << 48;
/// Behind the flags, in the length of a Retail-01F of 2018 (captures: LEN 35): font widths by 26, first line of graphics,
/// 12 digits of INN, 10 of RNM, no long RNM and no long serial, as command 11 has 48 bytes; passwords 0 and 30, no
/// Bluetooth, tax accrual in field 14, commands up to 255 bytes, graphics of 40 bytes, none of 512, FN table 18, OFD
/// table 19.
const MODEL_TAIL: [u8; 25] = [
    0, 0, 1, 12, 10, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 14, 255, 0, 40, 0, 0, 0, 18, 19,
];
/// Flags of three recorded cash-core models, without those that switches set (28, 34).
const CASH_CORE_FLAGS: u64 = 0x0002_283F_F7C0_0008 & !(1 << 28 | 1 << 34);
/// Behind the flags, of the same: FN table 13, OFD table 14, embedded devices 16, format at 10/29, and a byte that no text
/// names; commands up to 1455 bytes.
const CASH_CORE_TAIL: [u8; 29] = [
    0, 0, 1, 12, 10, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 6, 0xAF, 0x05, 40, 0, 0, 0, 13, 14, 16, 10, 29, 17,
];
/// Fonts 1 to 6 of the same; the third is not recorded and stands as on the Retail-01F.
const CASH_CORE_FONTS: [(u16, u8, u8); 6] = [
    (384, 12, 25),
    (384, 24, 45),
    (384, 12, 19),
    (384, 24, 25),
    (380, 10, 19),
    (384, 8, 19),
];
/// Fonts 1 to 7 of a Retail-01F: width of the area, width and height of a character (captures).
const FONTS: [(u16, u8, u8); 7] = [
    (504, 12, 25),
    (504, 24, 45),
    (504, 12, 19),
    (504, 24, 25),
    (510, 10, 19),
    (504, 12, 25),
    (504, 12, 25),
];

/// Firmware of the Retail-01F in the captures: C.1, build 28013, 14.09.16.
const FIRMWARE_DATE: DmyDate = DmyDate {
    day: 14,
    month: 9,
    year: 16,
};
/// Fiscal memory that is not there (captures).
const NO_FM_DATE: DmyDate = DmyDate {
    day: 1,
    month: 1,
    year: 16,
};

impl Device {
    pub(super) fn identity(&mut self, request: &Request, operator: u8, now: Moment) -> Outcome {
        match request {
            Request::DeviceType => Ok(Answer::DeviceType(DeviceType {
                kind: 0,
                subtype: 0,
                protocol: if self.config.switches.cash_core { 2 } else { 1 },
                subprotocol: if self.config.switches.cash_core { 0 } else { 14 },
                model: self.config.model_code,
                language: 0,
                name: cp1251_lossy(&self.config.model),
            })),
            Request::ModelParameters(asked) if asked.parameter == 1 => Ok(Answer::ModelParameters(ModelParameters {
                flags: self.model_flags(),
                tail: if self.config.switches.cash_core {
                    CASH_CORE_TAIL.to_vec()
                } else {
                    MODEL_TAIL.to_vec()
                },
            })),
            Request::ModelParameters(_) => Err(ErrorCode::BAD_PARAMETERS),
            Request::ShortState(_) => Ok(Answer::ShortState(self.short_state(operator, now))),
            Request::FullState(_) => self.full_state(operator, now).map(Answer::FullState),
            Request::Beep(_) => Ok(Answer::Operator(Some(operator))),
            Request::ErrorText(asked) => {
                let code = ErrorCode(asked.error.unwrap_or(self.last_error));
                Ok(Answer::ErrorText(cp1251_lossy(russian(code))))
            }
            Request::FontInfo(asked) => self.font(asked.font),
            Request::Reboot(_) => {
                self.reboot = true;
                Ok(Answer::Service(Vec::new()))
            }
            _ => self.continue_print(operator),
        }
    }

    /// Bits of F7 with those that switches and the format set: 28 v2, 34 print result, 48 corrections.
    fn model_flags(&self) -> ModelFlags {
        let switches = &self.config.switches;
        let flags = if switches.cash_core {
            CASH_CORE_FLAGS
        } else if self.config.ffd == Ffd::V12 {
            MODEL_FLAGS | CORRECTION_AS_RECEIPT
        } else {
            MODEL_FLAGS
        };
        ModelFlags(flags | u64::from(switches.link_v2) << 28 | u64::from(switches.print_result) << 34)
    }

    fn continue_print(&mut self, operator: u8) -> Outcome {
        if self.paper == Paper::WaitsForContinue {
            self.paper = Paper::Present;
            Ok(Answer::Operator(Some(operator)))
        } else {
            Err(ErrorCode::WRONG_SUBMODE)
        }
    }

    fn font(&self, font: u8) -> Outcome {
        let at = usize::from(font).checked_sub(1).ok_or(ErrorCode::BAD_PARAMETERS)?;
        let fonts = if self.config.switches.cash_core {
            &CASH_CORE_FONTS[..]
        } else {
            &FONTS[..]
        };
        let (width, char_width, char_height) = *fonts.get(at).ok_or(ErrorCode::BAD_PARAMETERS)?;
        Ok(Answer::FontInfo(FontInfo {
            width,
            char_width,
            char_height,
            fonts: fonts.len() as u8,
        }))
    }

    fn flags(&self) -> StateFlags {
        let absent = matches!(self.paper, Paper::Absent | Paper::RanOut);
        StateFlags(if absent {
            FLAGS_WITH_PAPER & !PAPER_FLAGS
        } else {
            FLAGS_WITH_PAPER
        })
    }

    fn short_state(&mut self, operator: u8, now: Moment) -> ShortState {
        let operations = self.receipt.as_ref().map_or(0, |r| r.item_count() as u16).to_le_bytes();
        let print_result = if self.is_printing(now) { 5 } else { 0 };
        let state = ShortState {
            operator,
            flags: self.flags(),
            mode: Mode(self.mode(now)),
            submode: Submode(self.submode(now)),
            operations_low: operations[0],
            battery: 0x9A,
            supply: 0xDE,
            // Arbitrary on FN devices (captures); these stood in a Retail-01F.
            legacy_errors: [0xC5, 0x01],
            operations_high: operations[1],
            reserved: [0xA7, 0x08, 0x00],
            print_result: self.config.switches.print_result.then_some(print_result),
        };
        self.count_poll();
        state
    }

    fn full_state(&mut self, operator: u8, now: Moment) -> Result<FullState, ErrorCode> {
        let local = self.local(now);
        let shift = self.storage.shift();
        let serial: u64 = self.config.serial.parse().unwrap_or(u64::MAX);
        let short = self.short_state(operator, now);
        Ok(FullState {
            operator,
            firmware_version: *b"C1",
            firmware_build: 28_013,
            firmware_date: FIRMWARE_DATE,
            hall_number: self.tables.number(cell(1, 1, 1)) as u8,
            document_number: self.storage.last_fd() as u16,
            flags: short.flags,
            mode: short.mode,
            submode: short.submode,
            port: if self.config.link == LinkKind::Tcp { 128 } else { 0 },
            fm_version: *b"NA",
            fm_build: 0,
            fm_date: NO_FM_DATE,
            date: DmyDate::of(local).ok_or(ErrorCode(0x79))?,
            time: Hms::of(local),
            fm_flags: 0,
            serial_low: serial as u32,
            last_closed_shift: shift.number.saturating_sub(u16::from(shift.open)),
            fm_free_records: 0,
            registrations: u8::try_from(self.storage.registrations().len()).unwrap_or(u8::MAX),
            registrations_left: 0,
            inn: self.storage.registered_for().0.parse().unwrap_or(0xFFFF_FFFF_FFFF),
            tail: vec![0; if self.config.switches.long_full_state { 2 } else { 0 }],
        })
    }

    pub(super) fn settings(&mut self, request: Request, now: Moment) -> Outcome {
        match request {
            Request::SetTime(set) => {
                self.clock.set_time(set.time, now).ok_or(ErrorCode::BAD_PARAMETERS)?;
                self.keep_clock();
                Ok(Answer::Done)
            }
            Request::SetDate(set) => {
                let midnight = Hms {
                    hour: 0,
                    minute: 0,
                    second: 0,
                };
                set.date.at(midnight).map_err(|_| ErrorCode::BAD_DATE)?;
                self.date_to_confirm = Some(set.date);
                Ok(Answer::Done)
            }
            Request::ConfirmDate(set) => {
                if self.date_to_confirm != Some(set.date) {
                    return Err(ErrorCode::DATE_MISMATCH);
                }
                self.clock.set_date(set.date, now).ok_or(ErrorCode::BAD_DATE)?;
                self.date_to_confirm = None;
                self.keep_clock();
                Ok(Answer::Done)
            }
            Request::WriteTable(write) => self.write_table(&write, now),
            Request::ReadTable(read) => {
                if read.cell.table == EXCHANGE_TABLE {
                    self.show_exchange(now);
                }
                if let Some(wrong) = self.defects.value(read.cell) {
                    return Ok(Answer::TableValue(wrong));
                }
                let place = self.tables.place(read.cell)?;
                self.tables.read(place).map(Answer::TableValue)
            }
            Request::TableStructure(asked) => self.tables.table_structure(asked.table).map(Answer::TableStructure),
            Request::FieldStructure(asked) => self
                .tables
                .field_structure(asked.table, asked.field)
                .map(Answer::FieldStructure),
            _ => Err(ErrorCode::UNSUPPORTED),
        }
    }

    fn write_table(&mut self, write: &WriteTable, now: Moment) -> Outcome {
        self.set_cell(write.cell, &write.value, now)
    }

    fn set_cell(&mut self, asked: TableCell, value: &[u8], now: Moment) -> Outcome {
        let place = self.tables.place(asked)?;
        let kept = self.tables.write(place, value, self.storage.shift().open)?;
        self.memory.keep_cell(place, kept);
        self.memory_changed = true;
        self.follow_tables(now);
        Ok(Answer::Done)
    }

    /// A person at the register's own keys has the tables' rules to obey too; what they refuse stays as it was.
    pub(super) fn set_at_its_keys(&mut self, cell: TableCell, value: &str, now: Moment) {
        if let Some(value) = unhex(value) {
            let _ = self.set_cell(cell, &value, now);
        }
    }

    pub(super) fn keep_clock(&mut self) {
        self.memory.skew_ms = self.clock.skew_ms();
        self.memory_changed = true;
    }
}
