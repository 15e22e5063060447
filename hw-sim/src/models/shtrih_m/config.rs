//! What a simulated register is made of.
//!
//! Owns: the facts that the rack file states about one register.
//! Must never: hold what the register learns while it runs.

use crate::fiscal_storage::FnConfig;
use crate::switches::Switches;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that one register is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Model name as command FC gives it: `РИТЕЙЛ-01Ф`.
    pub model: String,
    /// Model code of FC (`shtrih-m.md` 7): 22.
    pub model_code: u8,
    /// Factory serial number, up to 20 characters; tag 1013 and field 18/1/1.
    pub serial: String,
    /// Taxpayer's INN.
    pub inn: String,
    /// Registration number, 16 digits.
    pub rnm: String,
    /// Format of documents it was registered with.
    pub ffd: Ffd,
    /// The FN in it.
    pub fn_unit: FnConfig,
    /// What the FN was registered with.
    pub registration: Registration,
    /// How long commands take.
    pub timing: Timing,
    /// The port it hangs on, as far as the protocol shows it.
    pub link: LinkKind,
    /// Readings of doubtful lines.
    pub switches: Switches,
    /// Error of its clock at the first start, in seconds; positive when it is ahead.
    pub clock_skew_seconds: i64,
}

/// FFD version of the registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ffd {
    /// 1.05, value 2 of tag 1209.
    #[serde(rename = "1.05")]
    V105,
    /// 1.2, value 4 of tag 1209.
    #[default]
    #[serde(rename = "1.2")]
    V12,
}

impl Ffd {
    /// Value of tags 1189 and 1209.
    #[must_use]
    pub const fn tag_value(self) -> u8 {
        match self {
            Self::V105 => 2,
            Self::V12 => 4,
        }
    }
}

/// Port kinds that the protocol tells apart: the byte FF after ACK and port 128 in command 11 belong to TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Serial line or USB CDC.
    #[default]
    Pty,
    /// TCP server in the register.
    Tcp,
}

/// Registration attributes: written into the registration report of a fresh FN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// Tax systems, bits of tag 1062: 1 ОСН, 2 УСН income, 4 УСН income−expense, 16 ЕСХН, 32 patent.
    pub tax_systems: u8,
    /// Work mode bits: 0 encryption, 1 autonomous, 2 automatic, 3 services, 4 BSO, 5 internet.
    pub work_mode: u8,
    /// Extended work mode bits (`fn-ffd-ofd` A.4).
    pub extended_mode: u8,
    /// Settlement address, tag 1009.
    pub address: String,
    /// Settlement place, tag 1187.
    pub place: String,
    /// User name, tag 1048.
    pub user_name: String,
    /// OFD INN, tag 1017.
    pub ofd_inn: String,
    /// OFD name, tag 1046.
    pub ofd_name: String,
    /// Sender's e-mail, tag 1117.
    pub sender_email: String,
    /// Tax service site, tag 1060.
    pub tax_site: String,
    /// Number of the vending machine, tag 1036; empty when there is none.
    pub automat: String,
    /// Zone of the register's local time, minutes east of UTC.
    pub zone_minutes: i16,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            tax_systems: 0x01,
            work_mode: 0x20,
            extended_mode: 0,
            address: "105066, Москва, ул. Ольховская, д. 1".to_owned(),
            place: "https://shop.example.org".to_owned(),
            user_name: "ООО \"Пример\"".to_owned(),
            ofd_inn: "7704358518".to_owned(),
            ofd_name: "Пример ОФД".to_owned(),
            sender_email: "noreply@example.org".to_owned(),
            tax_site: "www.nalog.gov.ru".to_owned(),
            automat: String::new(),
            zone_minutes: 180,
        }
    }
}

/// How long commands take.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// No time at all.
    #[default]
    Instant,
    /// As the captures show, with jitter.
    Realistic,
    /// Milliseconds by command code (`FF45 = 500`); what is not named takes none.
    Numbers(BTreeMap<String, u64>),
}
