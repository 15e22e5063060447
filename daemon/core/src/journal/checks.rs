//! Checksums of rows: SQLite's own check does not see a flipped bit in a value (`exactly-once` section 10).
//!
//! Owns: how a row becomes bytes, and how the rows of a lane are chained.
//! Must never: change for rows that were written; a new form needs a new column.

use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};

/// Length of a checksum, bytes.
pub const SUM_LEN: usize = 16;

/// A checksum over values, each preceded by its type and length so that no two rows run together.
pub struct RowSum(Sha256);

impl RowSum {
    /// A sum of its own.
    pub fn new(table: &str) -> Self {
        let mut sum = Self(Sha256::new());
        sum.bytes(b't', table.as_bytes());
        sum
    }

    /// A sum that continues a chain.
    pub fn chained(table: &str, previous: &[u8]) -> Self {
        let mut sum = Self::new(table);
        sum.bytes(b'c', previous);
        sum
    }

    fn bytes(&mut self, kind: u8, value: &[u8]) {
        self.0.update([kind]);
        self.0.update((value.len() as u64).to_le_bytes());
        self.0.update(value);
    }

    /// Adds a text.
    pub fn text(mut self, value: &str) -> Self {
        self.bytes(b's', value.as_bytes());
        self
    }

    /// Adds any value of a row.
    pub fn value(mut self, value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => self.bytes(b'n', &[]),
            ValueRef::Integer(v) => self.bytes(b'i', &v.to_le_bytes()),
            ValueRef::Real(v) => self.bytes(b'r', &v.to_bits().to_le_bytes()),
            ValueRef::Text(v) => self.bytes(b's', v),
            ValueRef::Blob(v) => self.bytes(b'b', v),
        }
        self
    }

    /// The sum.
    pub fn finish(self) -> Vec<u8> {
        self.0.finalize()[..SUM_LEN].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_values_do_not_run_together() {
        let one = RowSum::new("t").text("ab").text("c").finish();
        let two = RowSum::new("t").text("a").text("bc").finish();
        assert_ne!(one, two);
    }

    #[test]
    fn a_chained_sum_depends_on_the_row_before() {
        let one = RowSum::chained("t", b"first").text("1").finish();
        let two = RowSum::chained("t", b"other").text("1").finish();
        assert_ne!(one, two);
    }
}
