//! The file in which field programs keep an FN that was read whole (`.fnc`, `fn-ffd-ofd` D.7).
//!
//! Owns: its header of 326 bytes and the containers behind it, both directions.
//! Must never: pass over bytes it cannot read, or hold more than one container decoded at a time.

use super::document::{Document, DocumentCode};
use super::tag::Tag;
use super::tlv::{Tlv, TlvError};
use super::tlv_list::TlvList;
use crate::text::decode_cp866;
use thiserror::Error;

const NAME_LEN: usize = 21;
const SOFTWARE_LEN: usize = 256;
const RNM_LEN: usize = 20;
const FN_LEN: usize = 16;
/// All of the header in front of its checksum.
const SUMMED_LEN: usize = NAME_LEN + SOFTWARE_LEN + RNM_LEN + FN_LEN + 1 + 4 + 4;
/// The tag of a document inside its container is its code and this.
const DOCUMENT_TAG: u16 = 100;
/// The message sign inside a container.
const MESSAGE_SIGN: Tag = Tag(301);

/// What is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FnExportError {
    /// Fewer bytes than a header has.
    #[error("{0} bytes are too few for the header of an FN export (326)")]
    Header(usize),
    /// A container that ends behind the file.
    #[error("at byte {offset}: a container of {length} bytes ends behind the file")]
    Cut {
        /// Where it begins, from the first byte of the file.
        offset: usize,
        /// The length it states.
        length: usize,
    },
    /// A container whose content is no list of TLV.
    #[error("the container at byte {offset}: {source}")]
    Content {
        /// Where it begins, from the first byte of the file.
        offset: usize,
        /// What is wrong.
        source: TlvError,
    },
}

/// The fields of the header, as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FnExportHeader {
    /// Name of the report, CP866, padded.
    pub report_name: [u8; NAME_LEN],
    /// Program that wrote it, CP866, padded.
    pub software: [u8; SOFTWARE_LEN],
    /// Registration number, padded.
    pub rnm: [u8; RNM_LEN],
    /// FN number.
    pub fn_number: [u8; FN_LEN],
    /// Version of the form.
    pub version: u8,
    /// Two numbers; the reference leaves open whether they are the first and last document or one of them a count.
    pub numbers: [u32; 2],
    /// CRC-32 (IEEE); see [`FnExport::checksum`].
    pub sum: u32,
}

impl FnExportHeader {
    /// Its length, bytes.
    pub const LEN: usize = SUMMED_LEN + 4;

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (report_name, bytes) = bytes.split_first_chunk()?;
        let (software, bytes) = bytes.split_first_chunk()?;
        let (rnm, bytes) = bytes.split_first_chunk()?;
        let (fn_number, bytes) = bytes.split_first_chunk()?;
        let (version, bytes) = bytes.split_first()?;
        let (first, bytes) = bytes.split_first_chunk()?;
        let (second, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            report_name: *report_name,
            software: *software,
            rnm: *rnm,
            fn_number: *fn_number,
            version: *version,
            numbers: [u32::from_le_bytes(*first), u32::from_le_bytes(*second)],
            sum: u32::from_le_bytes(*bytes.first_chunk()?),
        })
    }

    /// The bytes, with the sum as it stands in `sum`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&self.report_name);
        bytes.extend_from_slice(&self.software);
        bytes.extend_from_slice(&self.rnm);
        bytes.extend_from_slice(&self.fn_number);
        bytes.push(self.version);
        for number in self.numbers {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.sum.to_le_bytes());
        bytes
    }

    /// The header with the sum over its own fields.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.sum = crc32(&[&self.encode()[..SUMMED_LEN]]);
        self
    }

    /// The FN number as text, without padding.
    #[must_use]
    pub fn fn_text(&self) -> String {
        decode_cp866(&self.fn_number)
            .trim_end_matches(['\0', ' '])
            .trim_start()
            .to_owned()
    }
}

/// What the checksum of a header covers. The reference names the polynomial and not the bytes; both readings are known,
/// and a sum of neither is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderSum {
    /// The header's own fields.
    Header,
    /// The header's fields and everything behind the sum.
    File,
    /// Neither: the file is damaged or of a form that nobody described.
    Wrong,
}

/// What a container holds, by its number (D.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// A document: 65001, 65011, 65021.
    Document,
    /// A ticket of the OFD: 65002, 65012, 65022.
    Ticket,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportContainer {
    /// Its number: 65001 and so on.
    pub code: u16,
    /// What stands in it.
    pub content: TlvList,
}

impl ExportContainer {
    /// A document of a format in its container, under the number of that format (1.05: 65001, 1.1: 65011, 1.2: 65021).
    ///
    /// # Errors
    /// [`TlvError::TooLong`] for a document that no length field holds.
    pub fn of(code: u16, document: &Document) -> Result<Self, TlvError> {
        let tag = Tag(document.code.wrapping_add(DOCUMENT_TAG));
        let content = TlvList::new().with(Tlv::list(tag, &document.tags)?);
        Ok(Self { code, content })
    }

    /// What it holds; none for a number that the reference does not list.
    #[must_use]
    pub const fn kind(&self) -> Option<ExportKind> {
        match self.code {
            65001 | 65011 | 65021 => Some(ExportKind::Document),
            65002 | 65012 | 65022 => Some(ExportKind::Ticket),
            _ => None,
        }
    }

    /// The document in it, if there is one of a known code.
    ///
    /// # Errors
    /// [`TlvError`] when its tags are no list.
    pub fn document(&self) -> Result<Option<Document>, TlvError> {
        let code = |tlv: &Tlv| tlv.tag.0.checked_sub(DOCUMENT_TAG).and_then(DocumentCode::from_code);
        let found = self.content.items.iter().find_map(|tlv| Some((code(tlv)?, tlv)));
        found
            .map(|(code, tlv)| Document::from_parts(code.code(), &tlv.value))
            .transpose()
    }

    /// The message sign, if there is one.
    #[must_use]
    pub fn message_sign(&self) -> Option<&[u8]> {
        self.content.find(MESSAGE_SIGN).map(|tlv| tlv.value.as_slice())
    }

    /// The bytes.
    ///
    /// # Errors
    /// [`TlvError::TooLong`] when the content is longer than a length field can say.
    pub fn encode(&self) -> Result<Vec<u8>, TlvError> {
        Tlv::list(Tag(self.code), &self.content)?.encode()
    }
}

/// A whole file: its header, and its containers one after the other.
#[derive(Debug, Clone)]
pub struct FnExport<'b> {
    /// The header.
    pub header: FnExportHeader,
    bytes: &'b [u8],
    at: usize,
}

impl<'b> FnExport<'b> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`FnExportError::Header`] when there are too few bytes for one.
    pub fn open(bytes: &'b [u8]) -> Result<Self, FnExportError> {
        let header = FnExportHeader::decode(bytes).ok_or(FnExportError::Header(bytes.len()))?;
        let at = FnExportHeader::LEN;
        Ok(Self { header, bytes, at })
    }

    /// Which reading of the checksum holds.
    #[must_use]
    pub fn checksum(&self) -> HeaderSum {
        let (head, body) = (&self.bytes[..SUMMED_LEN], &self.bytes[FnExportHeader::LEN..]);
        match self.header.sum {
            sum if sum == crc32(&[head]) => HeaderSum::Header,
            sum if sum == crc32(&[head, body]) => HeaderSum::File,
            _ => HeaderSum::Wrong,
        }
    }

    fn container(&mut self) -> Result<ExportContainer, FnExportError> {
        let offset = self.at;
        let left = self.bytes.get(offset..).unwrap_or_default();
        // Nothing behind a break can be found again.
        self.at = self.bytes.len();
        let [c0, c1, l0, l1, rest @ ..] = left else {
            let length = left.len();
            return Err(FnExportError::Cut { offset, length });
        };
        let length = usize::from(u16::from_le_bytes([*l0, *l1]));
        let content = rest.get(..length).ok_or(FnExportError::Cut { offset, length })?;
        self.at = offset + 4 + length;
        let content = TlvList::decode(content).map_err(|source| FnExportError::Content { offset, source })?;
        let code = u16::from_le_bytes([*c0, *c1]);
        Ok(ExportContainer { code, content })
    }
}

impl Iterator for FnExport<'_> {
    type Item = Result<ExportContainer, FnExportError>;

    /// The next container. A file that is cut ends with an error; a container whose content is broken does not end it.
    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.bytes.len()).then(|| self.container())
    }
}

/// CRC-32 of IEEE 802.3 over parts in order: reflected polynomial EDB88320, all ones before and after.
fn crc32(parts: &[&[u8]]) -> u32 {
    let byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    };
    !parts.iter().flat_map(|part| part.iter()).fold(u32::MAX, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FnExportHeader {
        FnExportHeader {
            report_name: [b' '; NAME_LEN],
            software: [0; SOFTWARE_LEN],
            rnm: *b"0000000001036412    ",
            fn_number: *b"9999078900012345",
            version: 4,
            numbers: [1, 2],
            sum: 0,
        }
        .sealed()
    }

    fn receipt() -> Document {
        Document {
            code: 3,
            tags: TlvList::new().with(Tlv::u32(Tag::FD_NUMBER, 87)),
        }
    }

    fn file() -> Vec<u8> {
        let mut with_sign = ExportContainer::of(65021, &receipt()).unwrap();
        with_sign.content.push(Tlv::bytes(MESSAGE_SIGN, [7; 8]));
        let ticket = ExportContainer {
            code: 65022,
            content: TlvList::new(),
        };
        [header().encode(), with_sign.encode().unwrap(), ticket.encode().unwrap()].concat()
    }

    #[test]
    fn the_sum_is_the_known_crc_of_ieee() {
        assert_eq!(crc32(&[b"123456789"]), 0xCBF4_3926);
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xCBF4_3926);
    }

    #[test]
    fn a_header_has_326_bytes_and_its_containers_follow() {
        assert_eq!(FnExportHeader::LEN, 326);
        let bytes = file();
        let mut export = FnExport::open(&bytes).unwrap();
        assert_eq!(export.header, header());
        assert_eq!(export.header.fn_text(), "9999078900012345");
        assert_eq!(export.checksum(), HeaderSum::Header);
        let document = export.next().unwrap().unwrap();
        assert_eq!(document.kind(), Some(ExportKind::Document));
        assert_eq!(document.document().unwrap(), Some(receipt()));
        assert_eq!(document.message_sign(), Some(&[7; 8][..]));
        let ticket = export.next().unwrap().unwrap();
        assert_eq!(ticket.kind(), Some(ExportKind::Ticket));
        assert_eq!(ticket.document().unwrap(), None);
        assert!(export.next().is_none());
    }

    #[test]
    fn both_readings_of_the_sum_are_known_and_a_wrong_one_is_told() {
        let mut bytes = file();
        let (head, body) = (bytes[..SUMMED_LEN].to_vec(), bytes[FnExportHeader::LEN..].to_vec());
        let sum = crc32(&[&head, &body]).to_le_bytes();
        bytes[SUMMED_LEN..FnExportHeader::LEN].copy_from_slice(&sum);
        assert_eq!(FnExport::open(&bytes).unwrap().checksum(), HeaderSum::File);
        bytes[0] ^= 1;
        assert_eq!(FnExport::open(&bytes).unwrap().checksum(), HeaderSum::Wrong);
    }

    #[test]
    fn a_cut_file_ends_with_an_error_and_a_broken_container_does_not_end_it() {
        let bytes = file();
        let cut: Vec<_> = FnExport::open(&bytes[..bytes.len() - 2]).unwrap().collect();
        assert_eq!(cut.len(), 2);
        assert!(matches!(cut[1], Err(FnExportError::Cut { .. })), "{cut:?}");
        let mut broken = bytes;
        broken[FnExportHeader::LEN + 6] = 0xFF;
        let read: Vec<_> = FnExport::open(&broken).unwrap().collect();
        assert!(
            matches!(read[0], Err(FnExportError::Content { offset: 326, .. })),
            "{read:?}"
        );
        assert!(read[1].is_ok());
        assert_eq!(FnExport::open(&[0; 325]).unwrap_err(), FnExportError::Header(325));
    }
}
