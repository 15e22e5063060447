//! Whether what a register says of its registration in several places can all be true.
//!
//! Owns: which statement is held against which.
//! Must never: decide which of two is right, or take a statement that is missing for one that differs.
//!
//! The FN holds the registration (FF09, and FF60 tag by tag); the FN table repeats who it is; the format field decides what
//! the register makes. An FN from another register, a table brought back from a backup, or a format changed without a
//! re-registration shows here and nowhere else before the first wrong document.

use super::ShtrihM;
use super::conversation::{Conversation, Failed, pick};
use crate::domain::device::Ffd;
use crate::drivers::DriverError;
use crate::exchange::Care;
use kassette_wire::ffd::{Tag, TlvList};
use kassette_wire::shtrih::{CommandCode, ReadRegistrationTag, Request, TableCell};

/// FF60: the last registration.
const LAST_REGISTRATION: u8 = 0;

/// What FF09 and the format field said, to be held against the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) inn: String,
    pub(super) rnm: String,
    pub(super) tax_systems: u8,
    pub(super) ffd: Ffd,
}

/// Values of tag 1209 and of the format field (`shtrih-m` 3.3, `fn-ffd-ofd`): the same numbers.
pub(super) const fn ffd_of(number: u8) -> Option<Ffd> {
    match number {
        2 => Some(Ffd::V1_05),
        3 => Some(Ffd::V1_1),
        4 => Some(Ffd::V1_2),
        _ => None,
    }
}

/// Numbers are written with leading zeros in one place and without in another.
fn same_digits(one: &str, other: &str) -> bool {
    one.trim_start_matches('0') == other.trim_start_matches('0')
}

impl ShtrihM {
    /// Reads what stands beside the registration that was read on this connection, and compares it; what a model does not
    /// tell contradicts nothing.
    pub(super) async fn check_statements(&mut self) -> Result<(), DriverError> {
        let Some(stated) = self.stated.clone() else {
            return Ok(());
        };
        let facts = self.known().await?;
        let mut wrong = Vec::new();
        let fn_number = self.fn_number_said.clone();
        for (field, what, ours) in [
            (2, "INN", Some(stated.inn)),
            (3, "RNM", Some(stated.rnm)),
            (4, "FN number", fn_number.map(|number| number.to_string())),
        ] {
            let Some(ours) = ours else {
                continue;
            };
            let cell = TableCell::new(facts.fn_table, 1, field);
            if let Some(theirs) = self.text(cell).await?
                && !same_digits(&ours, &theirs)
            {
                wrong.push(format!("the FN says {what} {ours}, field {cell} says {theirs}"));
            }
        }
        if facts.quirk.registration_tags {
            wrong.extend(self.check_tags(stated.tax_systems, stated.ffd).await?);
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(DriverError::Contradiction(wrong.join("; ")))
    }

    async fn check_tags(&mut self, tax_systems: u8, ffd: Ffd) -> Result<Vec<String>, DriverError> {
        let mut wrong = Vec::new();
        if let Some(theirs) = self.registered_byte(Tag::TAX_SYSTEMS).await?
            && theirs != tax_systems
        {
            wrong.push(format!(
                "FF09 says tax systems {tax_systems:02X}, tag 1062 of the registration report says {theirs:02X}"
            ));
        }
        if let Some(theirs) = self.registered_byte(Tag::FFD_VERSION).await?
            && ffd_of(theirs) != Some(ffd)
        {
            let theirs = ffd_of(theirs).map_or_else(|| theirs.to_string(), |ffd| ffd.as_str().to_owned());
            wrong.push(format!(
                "the register is set to FFD {}, tag 1209 of the registration report says {theirs}",
                ffd.as_str()
            ));
        }
        Ok(wrong)
    }

    /// A tag of one byte of the last registration report; `None` where the register does not tell.
    async fn registered_byte(&mut self, tag: Tag) -> Result<Option<u8>, DriverError> {
        let request = Request::RegistrationTag(ReadRegistrationTag {
            password: Conversation::PASSWORD,
            number: LAST_REGISTRATION,
            tag: tag.0,
        });
        let answer = self
            .talk
            .ask(&request, Care::Read, |answer| pick!(answer, RegistrationTlv))
            .await;
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(failed) if failed.error_code().is_some() => return Ok(None),
            Err(failed) => return Err(failed.into()),
        };
        let cut = |why: String| {
            let text = format!("tag {} of the registration report cannot be read: {why}", tag.0);
            DriverError::from(Failed::nonsense(CommandCode::REGISTRATION_TAG, text))
        };
        let list = TlvList::decode(&bytes).map_err(|error| cut(error.to_string()))?;
        match list.byte(tag).map_err(|error| cut(error.to_string()))? {
            Some(value) => Ok(Some(value)),
            None => Err(cut("it is not there".to_owned())),
        }
    }
}
