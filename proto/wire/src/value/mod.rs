//! Value types that every crate shares: money, quantity, identities, document time.
//!
//! Owns: their ranges, their text forms and their check digits.
//! Must never: round silently, use floats, or accept a value out of range.

mod ids;
mod money;
mod quantity;
mod time;

pub use ids::{
    FdNumber, FiscalSign, FnNumber, Inn, InnError, RegisterId, RegisterSerial, Rnm, ShiftNumber, TextIdError, Vendor,
};
pub use money::{Kopecks, MoneyError};
pub use quantity::{Quantity, QuantityError};
pub use time::{LocalTime, LocalTimeError};
