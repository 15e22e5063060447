//! Operator passwords.
//!
//! Owns: the four-byte number of each request.
//! Must never: reach a log; the number is shown masked.

use super::cursor::{Codec, DecodeError, EncodeError, Fields, Plain, Reader, Writer};
use std::fmt;

/// Password of an operator: four bytes, little-endian (`shtrih-m` section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Password(pub u32);

impl Password {
    /// Default password of the system administrator, row 30 of table 2.
    pub const SYSADMIN: Self = Self(30);
    /// Default password of the administrator, row 29 of table 2.
    pub const ADMIN: Self = Self(29);
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=30 => write!(f, "Password(default {})", self.0),
            _ => f.write_str("Password(hidden)"),
        }
    }
}

impl Codec<Password> for Plain {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Password, DecodeError> {
        <Plain as Codec<u32>>::read(reader, field).map(Password)
    }

    fn write(value: &Password, writer: &mut Writer, field: &'static str) -> Result<(), EncodeError> {
        Plain::write(&value.0, writer, field)
    }
}

impl Fields for Password {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Plain::read(reader, "password")
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        Plain::write(self, writer, "password")
    }
}
