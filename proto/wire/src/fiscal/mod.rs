//! Texts and check digits around a fiscal document: RNM, QR.
//!
//! Owns: their algorithms.
//! Must never: talk to anyone who issues them.

mod qr;
mod rnm;

pub use qr::QrText;
pub use rnm::{RnmError, compute_rnm, verify_rnm};
