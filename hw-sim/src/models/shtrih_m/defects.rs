//! A register that says something else than it holds, or refuses what it should take: faults that stay until taken back.
//!
//! Owns: fields that read wrong, tags that are refused or written wrong, documents that end too early.
//! Must never: change what the register does by itself, or what stands in the FN already.

use crate::faults::FaultError;
use crate::fiscal_storage::document::{Body, walk};
use kassette_wire::shtrih::{ErrorCode, TableCell};
use std::collections::{BTreeMap, VecDeque};

/// Tag 1059: an item, a list of tags.
const ITEM: u16 = 1059;

/// What is wrong with a register.
#[derive(Debug, Clone, Default)]
pub(super) struct Defects {
    cells: BTreeMap<TableCell, Vec<u8>>,
    tags: BTreeMap<u16, u8>,
    miswritten: BTreeMap<u16, Vec<u8>>,
    cut: Option<usize>,
}

impl Defects {
    /// What 1F says of a field instead of its value.
    pub fn value(&self, asked: TableCell) -> Option<Vec<u8>> {
        self.cells.get(&asked).cloned()
    }

    /// Sets it, or takes it back.
    pub fn set_value(&mut self, asked: TableCell, value: Option<&str>) -> Result<(), FaultError> {
        match value {
            None => drop(self.cells.remove(&asked)),
            Some(text) => {
                let bytes = unhex(text).ok_or_else(|| FaultError::Value(text.to_owned()))?;
                self.cells.insert(asked, bytes);
            }
        }
        Ok(())
    }

    /// Refuses a tag, or takes it again.
    pub fn set_tag(&mut self, tag: u16, code: u8) {
        if code == 0 {
            self.tags.remove(&tag);
        } else {
            self.tags.insert(tag, code);
        }
    }

    /// Refuses TLV that holds a refused tag; what stands inside a list is not looked at.
    pub fn permit(&self, tlv: &[u8]) -> Result<(), ErrorCode> {
        let tags = walk(tlv).unwrap_or_default();
        let refused = tags.iter().find_map(|(tag, _)| self.tags.get(tag));
        refused.map_or(Ok(()), |code| Err(ErrorCode(*code)))
    }

    /// Writes a tag wrong, or right again.
    pub fn set_miswritten(&mut self, tag: u16, value: Option<&str>) -> Result<(), FaultError> {
        match value {
            None => drop(self.miswritten.remove(&tag)),
            Some(text) => {
                let bytes = unhex(text).ok_or_else(|| FaultError::Value(text.to_owned()))?;
                self.miswritten.insert(tag, bytes);
            }
        }
        Ok(())
    }

    /// The content of a document as this register hands it to the FN.
    pub fn miswrite(&self, body: Body) -> Body {
        if self.miswritten.is_empty() {
            return body;
        }
        let mut written = Body::new();
        for (tag, value) in walk(body.as_bytes()).unwrap_or_default() {
            match self.miswritten.get(&tag) {
                Some(wrong) => drop(written.bytes(tag, wrong)),
                None if tag == ITEM => drop(written.list(tag, &self.miswrite(Body::from_tlv(value.to_vec())))),
                None => drop(written.bytes(tag, value)),
            }
        }
        written
    }

    /// Cuts documents that are read from now on.
    pub const fn set_cut(&mut self, keep: Option<usize>) {
        self.cut = keep;
    }

    /// The parts of a document that still come.
    pub fn cut(&self, parts: VecDeque<Vec<u8>>) -> VecDeque<Vec<u8>> {
        let Some(mut left) = self.cut else { return parts };
        let mut kept = VecDeque::new();
        for mut part in parts {
            part.truncate(left);
            left -= part.len();
            if part.is_empty() {
                break;
            }
            kept.push_back(part);
        }
        kept
    }
}

/// Bytes in hex without spaces.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2);
    pairs.map(|pair| Some(pair[0] << 4 | pair.get(1)?)).collect()
}
