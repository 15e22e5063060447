//! Whether a registration covers a receipt: the same judgement at intake and at the unit that is about to make it.
//!
//! Owns: the facts of a registration that the rules ask about.
//! Must never: know a queue, a clock or a device.

use super::policy::{Needs, covers};
use crate::domain::device::Registration;
use crate::domain::error::Reason;
use kassette_receipts::model::Receipt;
use kassette_receipts::rules::{self, Limits, RegistrationFacts, RuleContext, Violation};
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use time::Date;

/// Work mode bits of a registration (`fn-ffd-ofd` A.4, mode bits).
const MODE_AUTOMATIC: u32 = 1 << 2;
const MODE_INTERNET: u32 = 1 << 5;

/// Whether this registration covers the receipt on that day.
///
/// # Errors
/// The reason it does not, and every rule that says so.
pub fn covered(
    registration: &Registration,
    tenant: &Inn,
    receipt: &Receipt,
    today: Date,
) -> Result<(), (Reason, Vec<Violation>)> {
    covers(registration, Needs::of(receipt)).map_err(|reason| (reason, Vec::new()))?;
    let violations = rules::check(receipt, &context(tenant, today, Some(facts(registration))));
    if violations.is_empty() {
        return Ok(());
    }
    let text = format!("registration {} does not cover the receipt", registration.rnm);
    Err((Reason::new(Code::NoRegistrationCovers, text), violations))
}

/// What the rules may know besides the receipt.
#[must_use]
pub fn context(tenant: &Inn, today: Date, registration: Option<RegistrationFacts>) -> RuleContext {
    RuleContext {
        today,
        tenant_inn: Some(tenant.clone()),
        registration,
        limits: Limits::default(),
    }
}

fn facts(registration: &Registration) -> RegistrationFacts {
    RegistrationFacts {
        inn: registration.inn.clone(),
        tax_systems: registration.tax_systems,
        ffd: registration.ffd,
        internet: registration.work_mode & MODE_INTERNET != 0,
        automatic: registration.work_mode & MODE_AUTOMATIC != 0,
        // A register in a rack has nobody who takes coins.
        cash_unit: false,
    }
}
