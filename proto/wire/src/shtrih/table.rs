//! Tables of settings (`shtrih-m` 3.3): commands 1E, 1F, 2D, 2E.
//!
//! Owns: the address of a cell and the layout of the four commands.
//! Must never: know what a cell means.

use super::cursor::{AllBut, Codec, DecodeError, EncodeError, Plain, Reader, Rest, Writer, wire_struct};
use super::password::Password;
use std::fmt;

/// Address of one value: table, row, field; rows and fields count from 1. Shown as `17/1/7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableCell {
    /// Table number.
    pub table: u8,
    /// Row number.
    pub row: u16,
    /// Field number.
    pub field: u8,
}

impl TableCell {
    /// A cell by its three numbers.
    #[must_use]
    pub const fn new(table: u8, row: u16, field: u8) -> Self {
        Self { table, row, field }
    }
}

impl fmt::Display for TableCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.table, self.row, self.field)
    }
}

impl Codec<TableCell> for Plain {
    fn read(reader: &mut Reader<'_>, _field: &'static str) -> Result<TableCell, DecodeError> {
        Ok(TableCell {
            table: Plain::read(reader, "table")?,
            row: Plain::read(reader, "row")?,
            field: Plain::read(reader, "field")?,
        })
    }

    fn write(value: &TableCell, writer: &mut Writer, _field: &'static str) -> Result<(), EncodeError> {
        Plain::write(&value.table, writer, "table")?;
        Plain::write(&value.row, writer, "row")?;
        Plain::write(&value.field, writer, "field")
    }
}

wire_struct! {
    /// 1E: write a value.
    pub struct WriteTable {
        /// Password of the system administrator.
        pub password: Password,
        /// Where.
        pub cell: TableCell,
        /// BIN: little-endian, exactly as wide as the field. CHAR: windows-1251, at most as wide, padded with 00 or not.
        pub value: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 1F: read a value.
    pub struct ReadTable {
        /// Password of the system administrator.
        pub password: Password,
        /// Where.
        pub cell: TableCell,
    }
}

wire_struct! {
    /// 2D: ask for the structure of a table.
    pub struct TableStructureRequest {
        /// Password of the system administrator.
        pub password: Password,
        /// Table number.
        pub table: u8,
    }
}

wire_struct! {
    /// 2E: ask for the structure of a field.
    pub struct FieldStructureRequest {
        /// Password of the system administrator.
        pub password: Password,
        /// Table number.
        pub table: u8,
        /// Field number.
        pub field: u8,
    }
}

wire_struct! {
    /// Answer to 2D.
    pub struct TableStructure {
        /// Name, windows-1251, 40 bytes padded with 00.
        pub name: Vec<u8> as AllBut<3>,
        /// Number of rows.
        pub rows: u16,
        /// Number of fields.
        pub fields: u8,
    }
}

/// Type byte of a field in the answer to 2E.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldKind(pub u8);

impl FieldKind {
    /// Little-endian number.
    pub const BIN: Self = Self(0);
    /// Text in windows-1251.
    pub const CHAR: Self = Self(1);
}

impl Codec<FieldKind> for Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<FieldKind, DecodeError> {
        <Plain as Codec<u8>>::read(reader, field).map(FieldKind)
    }

    fn write(value: &FieldKind, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        Plain::write(&value.0, writer, field)
    }
}

wire_struct! {
    /// Answer to 2E.
    pub struct FieldStructure {
        /// Name, windows-1251, padded with 00.
        pub name: [u8; 40],
        /// BIN or CHAR.
        pub kind: FieldKind,
        /// Width in bytes.
        pub size: u8,
        /// Smallest, then largest value, each as wide as the field. CHAR fields of old models carry zeros here (captures),
        /// of newer ones nothing.
        pub limits: Vec<u8> as Rest,
    }
}

impl FieldStructure {
    /// Smallest and largest value of a BIN field of at most 8 bytes; `None` when not given.
    #[must_use]
    pub fn range(&self) -> Option<(u64, u64)> {
        let size = usize::from(self.size);
        if self.kind != FieldKind::BIN || !(1..=8).contains(&size) || self.limits.len() != 2 * size {
            return None;
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b));
        let (min, max) = self.limits.split_at(size);
        Some((number(min), number(max)))
    }
}
