//! What stays of a buyer whose data was dropped: one keyed digest for each tag.
//!
//! Owns: which tags are digested, and the form of a digest.
//! Must never: change what a released version computes, or let two jobs of one buyer be known by equal digests.

use crate::hash::HashKey;
use crate::job_key::JobKey;
use crate::model::Buyer;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Length of a digest, bytes.
pub const DIGEST_LEN: usize = 16;
/// Domain of this use of the tenant's key; the content hash begins with 1.
const DOMAIN: u8 = 2;

/// The digest of one tag of a buyer: the first 16 bytes of HMAC-SHA-256 under the tenant's content key over the byte 2,
/// the 16 characters of the job key, the tag (two bytes, little end first) and the text without spaces at its end, which
/// registers add to fill a field.
#[must_use]
pub fn tag_digest(key: &HashKey, job: &JobKey, tag: u16, text: &str) -> [u8; DIGEST_LEN] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(&[DOMAIN]);
    mac.update(job.as_str().as_bytes());
    mac.update(&tag.to_le_bytes());
    mac.update(text.trim_end_matches(' ').as_bytes());
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    let mut digest = [0; DIGEST_LEN];
    digest.copy_from_slice(&full[..DIGEST_LEN]);
    digest
}

/// The texts of a buyer by the tag that carries each on the document; absent ones are left out.
pub fn buyer_texts(buyer: &Buyer) -> impl Iterator<Item = (u16, &str)> {
    [
        (1008, buyer.contact.as_deref()),
        (1227, buyer.name.as_deref()),
        (1228, buyer.inn.as_ref().map(kassette_wire::value::Inn::as_str)),
        (1243, buyer.birth_date.as_deref()),
        (1244, buyer.citizenship.as_deref()),
        (1245, buyer.document_kind.as_deref()),
        (1246, buyer.document_data.as_deref()),
        (1254, buyer.address.as_deref()),
    ]
    .into_iter()
    .filter_map(|(tag, text)| text.map(|text| (tag, text)))
}

/// What is kept of a buyer who is dropped: the digest of each tag, in the order of the tags.
#[must_use]
pub fn buyer_digests(key: &HashKey, job: &JobKey, buyer: &Buyer) -> Vec<(u16, [u8; DIGEST_LEN])> {
    buyer_texts(buyer)
        .map(|(tag, text)| (tag, tag_digest(key, job, tag, text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_key::{Generation, Parts, RackId, Sequence, SubmissionHash};

    fn job(sequence: u64) -> JobKey {
        JobKey::new(Parts {
            rack: RackId::UNNAMED,
            generation: Generation::new(1).unwrap(),
            sequence: Sequence::new(sequence).unwrap(),
            hash: SubmissionHash::of("c", "t", "e"),
        })
    }

    fn buyer() -> Buyer {
        Buyer {
            contact: Some("+79990000000".into()),
            inn: Some("7704358518".parse().unwrap()),
            ..Buyer::default()
        }
    }

    #[test]
    fn a_released_digest_stays_computable() {
        let digest = tag_digest(&HashKey::new([7; 32]), &job(1), 1008, "+79990000000");
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0d3b1d9d0cb24b974d54aa1c9e90f103");
    }

    #[test]
    fn key_job_tag_and_text_each_change_it_and_filling_spaces_do_not() {
        let key = HashKey::new([7; 32]);
        let digest = tag_digest(&key, &job(1), 1228, "7704358518");
        assert_eq!(tag_digest(&key, &job(1), 1228, "7704358518  "), digest);
        assert_ne!(tag_digest(&HashKey::new([8; 32]), &job(1), 1228, "7704358518"), digest);
        assert_ne!(tag_digest(&key, &job(2), 1228, "7704358518"), digest);
        assert_ne!(tag_digest(&key, &job(1), 1227, "7704358518"), digest);
        assert_ne!(tag_digest(&key, &job(1), 1228, "7704358519"), digest);
    }

    #[test]
    fn every_text_of_a_buyer_is_digested_and_nothing_else() {
        let full = Buyer {
            contact: Some("a@b.ru".into()),
            name: Some("n".into()),
            inn: Some("7704358518".parse().unwrap()),
            birth_date: Some("01.02.2000".into()),
            citizenship: Some("643".into()),
            document_kind: Some("21".into()),
            document_data: Some("d".into()),
            address: Some("a".into()),
        };
        let fields = serde_json::to_value(&full).unwrap().as_object().unwrap().len();
        let tags: Vec<u16> = buyer_texts(&full).map(|(tag, _)| tag).collect();
        assert_eq!(tags.len(), fields, "a field of the buyer has no tag here: {tags:?}");
        let some = buyer_digests(&HashKey::new([7; 32]), &job(1), &buyer());
        assert_eq!(some.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [1008, 1228]);
    }
}
