//! FFD: the tags of fiscal documents and their TLV form (`fn-ffd-ofd` C).
//!
//! Owns: tag numbers, kinds and lengths; bytes of lists and values.
//! Must never: decide which tags a document needs; that is the law's and the register's.

mod document;
mod fn_export;
mod number;
mod tag;
mod tags;
mod tlv;
mod tlv_list;

pub use document::{Document, DocumentCode};
pub use fn_export::{ExportContainer, ExportKind, FnExport, FnExportError, FnExportHeader, HeaderSum};
pub use number::{Fvln, decode_vln, encode_vln};
pub use tag::{Kind, Tag, TagInfo};
pub use tags::TAGS;
pub use tlv::{MAX_DEPTH, MAX_LIST_BYTES, Tlv, TlvError};
pub use tlv_list::TlvList;
