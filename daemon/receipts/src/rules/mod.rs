//! The rules that a receipt must keep before any register sees it, as one table.
//!
//! Owns: rules 6 to 18, 20, 21, 28 and 36 to 38 of `fn-ffd-ofd` E.1, and those of C.4, C.5 and C.7 that stand behind them.
//! Must never: change a receipt, know a device, or pass a rule silently whose facts are missing.

mod context;
mod findings;
mod formats;
mod header;
mod items;
mod lengths;
mod money;
mod place;
mod size;
mod table;
mod texts;
mod visit;

pub use context::{Ffd, Limits, RegistrationFacts, RuleContext};
pub use findings::{MAX_OF_ONE_RULE, MAX_VIOLATIONS, Violation};
pub use lengths::{INDUSTRY_MAX, ITEM_MAX, RECEIPT_MAX};
pub use table::{RULES, Rule, Where, rule};

pub(crate) use size::long_tlvs;

use crate::model::Receipt;
use findings::Findings;
use kassette_wire::codes::Code;

/// The `rule` of the last violation of a list that was cut.
pub const MORE: &str = "MORE";

/// What the rules say about a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// What is wrong, in the order of the table; at most [`MAX_VIOLATIONS`] and one that says so.
    pub violations: Vec<Violation>,
    /// Ids of rules that could not be answered, or not wholly, because the context lacks the fact. Each is answered
    /// where [`Rule::place`] says.
    pub unanswered: Vec<&'static str>,
}

impl Verdict {
    /// The reason of a refusal whose context had no registration.
    pub const CODE: Code = Code::ReceiptInvalid;
    /// The reason of a refusal that arises only with the facts of a registration.
    pub const CODE_OF_REGISTRATION: Code = Code::NoRegistrationCovers;
}

/// Everything that is wrong with a receipt on a day, and which rules the facts at hand could not answer.
///
/// A caller that must tell an invalid receipt from one that no registration covers asks twice: without registration
/// ([`Verdict::CODE`]), then with each ([`Verdict::CODE_OF_REGISTRATION`]).
#[must_use]
pub fn examine(receipt: &Receipt, context: &RuleContext) -> Verdict {
    let mut findings = Findings::default();
    for rule in RULES.iter().filter(|rule| rule.in_force(context.today)) {
        findings.begin(rule);
        match rule.check {
            Some(check) => check(receipt, context, &mut findings),
            None => findings.unanswered(),
        }
    }
    findings.verdict()
}

/// Everything that is wrong with a receipt: [`examine`] without the unanswered rules, for a caller that answers those
/// anyway.
#[must_use]
pub fn check(receipt: &Receipt, context: &RuleContext) -> Vec<Violation> {
    examine(receipt, context).violations
}

#[cfg(test)]
mod tests;
