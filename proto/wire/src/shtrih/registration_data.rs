//! Registration, re-registration, closing of the FN, and reading what was registered (`shtrih-m` 3.7, 3.8).
//!
//! Owns: the field order of each.
//! Must never: check an INN or an RNM; that is for who sends them.

use super::cursor::{Codec, DecodeError, EncodeError, Fields, IfAny, Plain, Reader, Writer, wire_struct};
use super::fn_data::FnRegistration;
use super::password::Password;
use crate::value::{FdNumber, FiscalSign, LocalTime};

wire_struct! {
    /// FF05 (3.8).
    pub struct BeginRegistration {
        /// Password of the system administrator.
        pub password: Password,
        /// 0 registration, 1 change of the FN, 2 change without change of the FN.
        pub report: u8,
    }
}

wire_struct! {
    /// FF06 (3.8).
    pub struct Register {
        /// Password of the system administrator.
        pub password: Password,
        /// INN of the user, ASCII; a shorter one padded with spaces (unverified).
        pub inn: [u8; 12],
        /// RNM, ASCII, padded with spaces.
        pub rnm: [u8; 20],
        /// Tax systems, bits as in FF45.
        pub tax_systems: u8,
        /// Work mode bits: 0 encryption, 1 autonomous, 2 automatic, 3 services, 4 BSO, 5 internet.
        pub work_mode: u8,
    }
}

wire_struct! {
    /// FF34 (3.8).
    pub struct Reregister {
        /// Password of the system administrator.
        pub password: Password,
        /// INN of the user, ASCII; a shorter one padded with spaces (unverified).
        pub inn: [u8; 12],
        /// RNM, ASCII, padded with spaces.
        pub rnm: [u8; 20],
        /// Tax systems, bits as in FF45.
        pub tax_systems: u8,
        /// Work mode bits, as in FF06.
        pub work_mode: u8,
        /// 1 FN, 2 OFD, 3 data of the user, 4 settings.
        pub reason: u8,
    }
}

wire_struct! {
    /// Answer to FF06, FF34 and FF3E (3.8).
    pub struct FnReportDone {
        /// Document of the report.
        pub fd: FdNumber,
        /// Its fiscal sign.
        pub fp: FiscalSign,
        /// Time of the document; only with table 17, field 36.
        pub time: Option<LocalTime> as IfAny,
    }
}

wire_struct! {
    /// FF07 (3.8): debug FN only.
    pub struct ResetFn {
        /// Password of the system administrator.
        pub password: Password,
        /// What to reset; 16h in one source, unverified.
        pub code: u8,
    }
}

wire_struct! {
    /// FF4C (3.7).
    pub struct RegistrationByNumber {
        /// Password of the system administrator.
        pub password: Password,
        /// Number of the registration from 1.
        pub number: u8,
    }
}

wire_struct! {
    /// FF0E and FF60 (3.7).
    pub struct ReadRegistrationTag {
        /// Password of the system administrator.
        pub password: Password,
        /// Number of the report; 0 the last (FF60).
        pub number: u8,
        /// Tag to read; FFFF all, which FF3B then gives (FF0E).
        pub tag: u16,
    }
}

/// Answer to FF4C (3.7): as FF09; up to FFD 1.05 later registrations carry their reason before the document's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FnRegistrationReport {
    /// What was registered.
    pub registration: FnRegistration,
    /// Why, 1 to 4 as in FF34; only up to FFD 1.05 and not in the first registration.
    pub reason: Option<u8>,
}

/// Bytes before the reason: time, INN, RNM, tax systems, work mode.
const BEFORE_REASON: usize = 39;
/// Bytes of the whole with a reason, without and with time (LEN 51 less code and error).
const WITH_REASON: [usize; 2] = [48, 53];

impl Fields for FnRegistrationReport {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if !WITH_REASON.contains(&reader.left()) {
            let registration = FnRegistration::read(reader)?;
            return Ok(Self {
                registration,
                reason: None,
            });
        }
        let mut bytes = reader.rest();
        let reason = bytes.remove(BEFORE_REASON);
        Ok(Self {
            registration: FnRegistration::read(&mut Reader::new(&bytes))?,
            reason: Some(reason),
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        let mut whole = Writer::default();
        self.registration.write(&mut whole)?;
        let bytes = whole.into_bytes();
        match self.reason {
            None => writer.put(&bytes),
            Some(_) if self.registration.extended.is_some() => return Err(EncodeError::Gap { field: "reason" }),
            Some(reason) => {
                let (before, after) = bytes.split_at(BEFORE_REASON);
                writer.put(before);
                Plain::write(&reason, writer, "reason")?;
                writer.put(after);
            }
        }
        Ok(())
    }
}
