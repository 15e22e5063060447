//! Buyers in clear, from what the journal keeps of them.
//!
//! Owns: opening a sealed buyer under its tenant's key.
//! Must never: log a buyer, or tell a wrong key from a changed row by more than "not readable".

use super::command::Sealed;
use crate::parts::TenantKeys;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use kassette_receipts::model::Buyer;
use kassette_wire::value::Inn;

/// The buyer of a job; `None` when these keys do not open it.
#[must_use]
pub fn unseal_buyer(keys: &TenantKeys, tenant: &Inn, sealed: &Sealed) -> Option<Buyer> {
    let cipher = ChaCha20Poly1305::new((&keys.contacts).into());
    let payload = Payload {
        msg: &sealed.sealed,
        aad: tenant.as_str().as_bytes(),
    };
    let plain = cipher.decrypt(Nonce::from_slice(&sealed.nonce), payload).ok()?;
    serde_json::from_slice(&plain).ok()
}
