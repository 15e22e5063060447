//! The hash of a receipt's content: "same key, same content" is decided by it.
//!
//! Owns: the canonical form, its versions, and their text form.
//! Must never: change what a released version computes, or hash anything beside the receipt.

use crate::model::Receipt;
use hmac::{Hmac, Mac};
use kassette_wire::codes::Code;
use sha2::Sha256;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The version that new jobs are stored with.
pub const CURRENT_VERSION: u8 = 1;

/// The secret of one tenant's content hashes. Without it nobody who reads a journal can guess a receipt from its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret, for the other keyed digests of this crate.
    pub(crate) const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(secret)")
    }
}

/// The keyed hash of a receipt, with the version of the form that was hashed. Shown as `v1:` and 64 hex digits.
///
/// Version 1 is HMAC-SHA-256 under the tenant's key over the byte 1 and then the compact JSON of [`Receipt`] in the
/// order of its fields. It stays computable because fields are never moved or renamed, and a new field is an option
/// that is left out when absent: an old receipt read by a new program gives the same bytes. What is absent, zero and
/// empty gives three different texts. A receipt that uses a field unknown to the version it was stored with cannot be
/// the same content, and hashes differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash {
    /// Version of the canonical form.
    pub version: u8,
    /// The HMAC.
    pub digest: [u8; 32],
}

/// Why a text or a stored hash cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HashError {
    /// Not `v<number>:<64 lower-case hex digits>`.
    #[error("\"{0}\" is not a content hash like v1:0123…")]
    Form(String),
    /// Made by a program newer than this one.
    #[error("content hash version {0} is unknown to this program (it knows up to {CURRENT_VERSION}); use a newer one")]
    Version(u8),
}

impl HashError {
    /// The reason of the daemon's list.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Form(_) => Code::RequestInvalid,
            Self::Version(_) => Code::JournalTooNew,
        }
    }
}

impl ContentHash {
    /// The hash of a receipt in the current version.
    #[must_use]
    pub fn of(key: &HashKey, receipt: &Receipt) -> Self {
        Self {
            version: 1,
            digest: version_1(key, receipt),
        }
    }

    /// Whether the receipt has the content this hash was made of, in the version it was made with.
    ///
    /// # Errors
    /// [`HashError::Version`] when this program does not know the version.
    pub fn matches(&self, key: &HashKey, receipt: &Receipt) -> Result<bool, HashError> {
        match self.version {
            1 => Ok(version_1(key, receipt) == self.digest),
            other => Err(HashError::Version(other)),
        }
    }
}

fn version_1(key: &HashKey, receipt: &Receipt) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    mac.update(&[1]);
    serde_json::to_writer(MacWriter(&mut mac), receipt)
        .expect("the model has only string keys and the MAC takes every byte");
    mac.finalize().into_bytes().into()
}

/// Feeds the JSON to the MAC as it is made, so that a large receipt is not held twice.
struct MacWriter<'a>(&'a mut Hmac<Sha256>);

impl std::io::Write for MacWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}:", self.version)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = HashError;

    /// Reads what `Display` writes, of any version: a hash of a newer program is still shown and compared as text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| HashError::Form(text.chars().take(80).collect()))
    }
}

fn parse(text: &str) -> Option<ContentHash> {
    let (version, hex) = text.strip_prefix('v')?.split_once(':')?;
    let version: u8 = version.parse().ok()?;
    let lower = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex.len() != 64 || !lower || !text.starts_with(&format!("v{version}:")) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(ContentHash { version, digest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Buyer;
    use crate::sample;
    use kassette_wire::value::Kopecks;

    const KEY: HashKey = HashKey::new([7; 32]);

    fn hash(receipt: &Receipt) -> String {
        ContentHash::of(&KEY, receipt).to_string()
    }

    /// These strings may never change: a client's retry after an upgrade must still match its first submission. They
    /// were computed apart, with Python's `hmac` over the byte 1 and the canonical text.
    #[test]
    fn hashes_of_version_1_never_change() {
        assert_eq!(serde_json::to_string(&sample::receipt()).unwrap(), TEXT_PLAIN);
        assert_eq!(hash(&sample::receipt()), VECTOR_PLAIN);
        assert_eq!(hash(&sample::everything()), VECTOR_FULL);
    }

    const TEXT_PLAIN: &str = r#"{"sign":1,"tax_system":1,"items":[{"name":"Чай","price":12200,"quantity":1000000,"amount":12200,"measure":0,"vat_rate":11,"method":4,"subject":1}],"total":12200,"payments":{"cash":0,"electronic":12200,"prepaid":0,"credit":0,"counter":0}}"#;
    const VECTOR_PLAIN: &str = "v1:acc332c925d74a8de4fc6d5c6bf34eab500db080a166a7105ed2d8e5cbc81ba2";
    const VECTOR_FULL: &str = "v1:8c0f809e29ed55fb2ce43d582ad06010781e43b7217e391a113557c1774a9aa1";

    #[test]
    fn absent_zero_and_empty_are_three_contents() {
        let absent = sample::receipt();
        let mut zero = absent.clone();
        zero.items[0].vat_amount = Some(Kopecks::ZERO);
        let mut empty = absent.clone();
        empty.additional_attribute = Some(String::new());
        let mut empty_buyer = absent.clone();
        empty_buyer.buyer = Some(Buyer::default());
        let all = [hash(&absent), hash(&zero), hash(&empty), hash(&empty_buyer)];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
        }
    }

    #[test]
    fn two_tenants_have_different_hashes_of_the_same_receipt() {
        let other = ContentHash::of(&HashKey::new([8; 32]), &sample::receipt());
        assert_ne!(other.to_string(), hash(&sample::receipt()));
    }

    #[test]
    fn a_stored_hash_is_compared_in_its_own_version_and_a_newer_one_is_refused() {
        let stored: ContentHash = hash(&sample::receipt()).parse().unwrap();
        assert_eq!(stored.matches(&KEY, &sample::receipt()), Ok(true));
        assert_eq!(stored.matches(&KEY, &sample::everything()), Ok(false));
        let newer = ContentHash { version: 2, ..stored };
        assert_eq!(newer.to_string().parse(), Ok(newer));
        assert_eq!(newer.matches(&KEY, &sample::receipt()), Err(HashError::Version(2)));
    }

    #[test]
    fn a_text_that_is_not_exactly_a_hash_is_refused() {
        let good = hash(&sample::receipt());
        for bad in [
            "",
            "v1",
            "v1:",
            "v1:zz",
            &good[1..],
            &good.to_uppercase(),
            &format!("{good}0"),
            "v01:",
        ] {
            assert!(bad.parse::<ContentHash>().is_err(), "{bad}");
        }
        assert!(good.replacen("v1", "v+1", 1).parse::<ContentHash>().is_err());
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{KEY:?}"), "HashKey(secret)");
    }
}
