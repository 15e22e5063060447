//! The 16-character key of a job that travels inside its document (tag 1192, else 1084).
//!
//! Owns: its alphabet, its parts and its check letter (exactly-once, section 4).
//! Must never: be drawn twice for one job, or hold anything secret: it is printed on the receipt.

use kassette_wire::codes::Code;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Crockford's base 32, upper case: no I, L, O, U. Every character exists in CP866 and on every printer.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a key: rack 2, generation 2, sequence 7, hash 4, check 1.
pub const LENGTH: usize = 16;

/// The value 0 to 31 of a character.
fn value(letter: u8) -> Option<u8> {
    ALPHABET
        .iter()
        .position(|&known| known == letter)
        .and_then(|at| u8::try_from(at).ok())
}

fn letter(value: u64) -> u8 {
    ALPHABET[(value & 31) as usize]
}

/// Why a text is not a key or a number not a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JobKeyError {
    /// Not two characters of the alphabet.
    #[error("\"{0}\" is not a rack id: two of 0-9 and A-Z without I, L, O, U")]
    Rack(String),
    /// Above ten bits.
    #[error("journal generation {0} does not fit the job key (below 1024)")]
    Generation(u16),
    /// Above 35 bits.
    #[error("job sequence {0} does not fit the job key (below 2^35)")]
    Sequence(u64),
    /// Not 16 characters of the alphabet.
    #[error("\"{0}\" is not a job key: 16 of 0-9 and A-Z without I, L, O, U")]
    Form(String),
    /// The check letter does not match the others.
    #[error("the check letter of job key {0} is wrong")]
    Check(String),
}

impl JobKeyError {
    /// The reason of the daemon's list: a bad rack id comes from configuration, a number that does not fit means the
    /// journal is at its end, a text that is no key was read from a document or a request.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Rack(_) => Code::ConfigBadValue,
            Self::Generation(_) | Self::Sequence(_) => Code::InternalFault,
            Self::Form(_) | Self::Check(_) => Code::RequestInvalid,
        }
    }
}

/// The two characters of a rack, from its first journal on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RackId([u8; 2]);

impl RackId {
    /// The id of a journal that nobody has named yet; such a rack accepts no receipt.
    pub const UNNAMED: Self = Self(*b"00");
}

impl FromStr for RackId {
    type Err = JobKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            &[a, b] if value(a).is_some() && value(b).is_some() => Ok(Self([a, b])),
            _ => Err(JobKeyError::Rack(text.chars().take(20).collect())),
        }
    }
}

impl TryFrom<String> for RackId {
    type Error = JobKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RackId> for String {
    fn from(rack: RackId) -> Self {
        rack.to_string()
    }
}

impl fmt::Display for RackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&b| write!(f, "{}", char::from(b)))
    }
}

/// The generation of a journal: drawn at random, new after every restore. Ten bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Generation(u16);

impl Generation {
    /// How many generations there are.
    pub const COUNT: u16 = 1024;

    /// A generation from its number.
    ///
    /// # Errors
    /// [`JobKeyError::Generation`] from 1024 on.
    pub const fn new(number: u16) -> Result<Self, JobKeyError> {
        if number < Self::COUNT {
            Ok(Self(number))
        } else {
            Err(JobKeyError::Generation(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Generation {
    type Error = JobKeyError;

    fn try_from(number: u16) -> Result<Self, Self::Error> {
        Self::new(number)
    }
}

impl From<Generation> for u16 {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a job within its journal generation. 35 bits: 34 milliard jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Sequence(u64);

impl Sequence {
    /// The largest number.
    pub const MAX: Self = Self((1 << 35) - 1);

    /// A sequence number.
    ///
    /// # Errors
    /// [`JobKeyError::Sequence`] from 2^35 on.
    pub const fn new(number: u64) -> Result<Self, JobKeyError> {
        if number <= Self::MAX.0 {
            Ok(Self(number))
        } else {
            Err(JobKeyError::Sequence(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Sequence {
    type Error = JobKeyError;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        Self::new(number)
    }
}

impl From<Sequence> for u64 {
    fn from(sequence: Sequence) -> Self {
        sequence.0
    }
}

/// The part of a key that tells whose submission it is: 20 bits of an unkeyed hash of client, tenant and the client's
/// own key. Unkeyed, so that it is computable in recovery when the tenant's keys are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionHash(u32);

impl SubmissionHash {
    /// Top 20 bits of SHA-256 over the three texts, each after its length in bytes as eight bytes, big end first (so
    /// that no two different triples give the same input).
    #[must_use]
    pub fn of(client: &str, tenant: &str, external_id: &str) -> Self {
        let mut sha = Sha256::new();
        for text in [client, tenant, external_id] {
            sha.update((text.len() as u64).to_be_bytes());
            sha.update(text.as_bytes());
        }
        let digest = sha.finalize();
        Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) >> 12)
    }

    /// The 20 bits.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What a key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parts {
    /// The rack that took the job.
    pub rack: RackId,
    /// Its journal's generation.
    pub generation: Generation,
    /// The job's number in it.
    pub sequence: Sequence,
    /// Whose submission it is.
    pub hash: SubmissionHash,
}

/// The key of a job: one for life, a resend after a negative proof uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey([u8; LENGTH]);

impl JobKey {
    /// The key made of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let mut text = [b'0'; LENGTH];
        text[..2].copy_from_slice(&parts.rack.0);
        write_number(&mut text[2..4], u64::from(parts.generation.0));
        write_number(&mut text[4..11], parts.sequence.0);
        write_number(&mut text[11..15], u64::from(parts.hash.0));
        text[15] = check_letter(&text[..15]);
        Self(text)
    }

    /// The key a text shows, as read from a document.
    ///
    /// # Errors
    /// [`JobKeyError::Form`] or [`JobKeyError::Check`]: then the text is not ours.
    pub fn parse(text: &str) -> Result<Self, JobKeyError> {
        let shown = || text.chars().take(40).collect();
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| JobKeyError::Form(shown()))?;
        if !bytes.iter().all(|&b| value(b).is_some()) {
            return Err(JobKeyError::Form(shown()));
        }
        if check_letter(&bytes[..15]) != bytes[15] {
            return Err(JobKeyError::Check(shown()));
        }
        Ok(Self(bytes))
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts {
            rack: RackId([self.0[0], self.0[1]]),
            // Two, seven and four characters of five bits: within ten, 35 and 20 bits.
            generation: Generation((read_number(&self.0[2..4]) & 0x3FF) as u16),
            sequence: Sequence(read_number(&self.0[4..11])),
            hash: SubmissionHash((read_number(&self.0[11..15]) & 0xF_FFFF) as u32),
        }
    }

    /// The 16 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a key holds only letters of the alphabet")
    }
}

fn write_number(place: &mut [u8], mut number: u64) {
    for slot in place.iter_mut().rev() {
        *slot = letter(number);
        number >>= 5;
    }
}

fn read_number(letters: &[u8]) -> u64 {
    letters
        .iter()
        .fold(0, |number, &b| (number << 5) | u64::from(value(b).unwrap_or(0)))
}

/// The check letter: the sum of each value times a power of x in GF(2^5) modulo x^5 + x^2 + 1. x has order 31, so the
/// weights of the 15 places all differ and none is zero: every single wrong letter and every swap of two letters
/// shows.
fn check_letter(letters: &[u8]) -> u8 {
    let sum = letters.iter().fold(0, |sum, &b| times_x(sum ^ value(b).unwrap_or(0)));
    letter(u64::from(sum))
}

const fn times_x(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 0x20 == 0 {
        shifted
    } else {
        (shifted ^ 0x25) & 0x1F
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobKey {
    type Err = JobKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for JobKey {
    type Error = JobKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        key.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(generation: u16, sequence: u64) -> Parts {
        Parts {
            rack: "A7".parse().unwrap(),
            generation: Generation::new(generation).unwrap(),
            sequence: Sequence::new(sequence).unwrap(),
            hash: SubmissionHash::of("shop", "7704358518", "order-1"),
        }
    }

    /// Keys stand in fiscal documents for years: what a key looks like may never change.
    #[test]
    fn the_form_of_a_key_never_changes() {
        assert_eq!(JobKey::new(parts(33, 1)).as_str(), VECTOR);
    }

    /// Computed apart, in Python, from the description of the parts and of the check letter.
    const VECTOR: &str = "A71100000019SPT7";

    proptest! {
        #[test]
        fn parts_of_a_key_are_read_back(generation in 0..1024u16, sequence in 0..1u64 << 35, id in ".{0,40}") {
            let made = Parts { hash: SubmissionHash::of("c", "t", &id), ..parts(generation, sequence) };
            let key = JobKey::new(made);
            prop_assert_eq!(key.parts(), made);
            prop_assert_eq!(JobKey::parse(key.as_str()), Ok(key));
        }

        #[test]
        fn any_text_is_a_key_or_an_error(text in ".{0,20}") {
            if let Ok(key) = JobKey::parse(&text) {
                prop_assert_eq!(key.as_str(), text);
            }
        }
    }

    #[test]
    fn every_single_wrong_letter_and_every_swap_is_noticed() {
        let key = JobKey::new(parts(777, 12_345_678_901));
        let good = *key.as_str().as_bytes().first_chunk::<LENGTH>().unwrap();
        for at in 0..LENGTH {
            for &other in ALPHABET.iter().filter(|&&other| other != good[at]) {
                let mut bad = good;
                bad[at] = other;
                assert!(
                    JobKey::parse(std::str::from_utf8(&bad).unwrap()).is_err(),
                    "{at} {other}"
                );
            }
            for with in at + 1..LENGTH {
                let mut bad = good;
                bad.swap(at, with);
                let read = JobKey::parse(std::str::from_utf8(&bad).unwrap());
                assert_eq!(read.is_ok(), bad == good, "{at} {with}");
            }
        }
    }

    #[test]
    fn lower_case_and_the_letters_left_out_are_refused() {
        for bad in ["a7", "I0", "O0", "L0", "U0", "0", "000", "Ж"] {
            assert!(bad.parse::<RackId>().is_err(), "{bad}");
        }
        let key = JobKey::new(parts(1, 1)).to_string();
        assert!(JobKey::parse(&key.to_lowercase()).is_err());
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert!(Generation::new(1024).is_err());
        assert!(Sequence::new(1 << 35).is_err());
    }

    #[test]
    fn texts_that_only_join_to_the_same_have_different_hashes() {
        assert_ne!(SubmissionHash::of("ab", "c", "d"), SubmissionHash::of("a", "bc", "d"));
    }
}
