//! What the rules found, collected with a bound.
//!
//! Owns: the list of violations and its limits.
//! Must never: grow with the size of a hostile receipt.

use super::place::Place;
use super::table::Rule;
use super::{MORE, Verdict};

/// Most violations of one answer, without the last one that says there are more.
pub const MAX_VIOLATIONS: usize = 200;
/// Most violations of one rule, so that a thousand bad items do not hide what else is wrong.
pub const MAX_OF_ONE_RULE: usize = 20;

/// One thing that is wrong with a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path in the model, like `items[3].price`; empty when the receipt as a whole is meant.
    pub field: String,
    /// Id of the rule in [`super::RULES`], or [`MORE`].
    pub rule: &'static str,
    /// FFD tag of the field; `None` when no single tag is meant.
    pub tag: Option<u16>,
    /// What is wrong, in English.
    pub text_en: String,
    /// What is wrong, in Russian.
    pub text_ru: String,
    /// What to do, in English.
    pub suggestion: String,
}

/// Collects violations of the rule that is being checked.
#[derive(Default)]
pub(super) struct Findings {
    rule: Option<&'static Rule>,
    of_this_rule: usize,
    violations: Vec<Violation>,
    unanswered: Vec<&'static str>,
    cut: bool,
}

impl Findings {
    /// The violations that follow are of this rule.
    pub(super) fn begin(&mut self, rule: &'static Rule) {
        self.rule = Some(rule);
        self.of_this_rule = 0;
    }

    /// The context lacks what this rule asks about, or a part of it.
    pub(super) fn unanswered(&mut self) {
        if let Some(rule) = self.rule {
            self.unanswered.push(rule.id);
        }
    }

    /// Whether more violations of this rule would not be listed: time to stop looking.
    pub(super) fn full(&self) -> bool {
        self.cut && (self.of_this_rule >= MAX_OF_ONE_RULE || self.violations.len() >= MAX_VIOLATIONS)
    }

    /// A violation with the suggestion of its rule.
    pub(super) fn add(&mut self, place: Option<&Place<'_>>, tag: u16, text_en: String, text_ru: String) {
        let suggestion = self.rule.map_or("", |rule| rule.suggestion).to_owned();
        self.add_with(place, tag, text_en, text_ru, suggestion);
    }

    /// A violation with a suggestion of its own.
    pub(super) fn add_with(
        &mut self,
        place: Option<&Place<'_>>,
        tag: u16,
        text_en: String,
        text_ru: String,
        suggestion: String,
    ) {
        if self.of_this_rule >= MAX_OF_ONE_RULE || self.violations.len() >= MAX_VIOLATIONS {
            self.cut = true;
            return;
        }
        self.of_this_rule += 1;
        self.violations.push(Violation {
            field: place.map_or_else(String::new, ToString::to_string),
            rule: self.rule.map_or("", |rule| rule.id),
            tag: (tag != 0).then_some(tag),
            text_en,
            text_ru,
            suggestion,
        });
    }

    pub(super) fn verdict(mut self) -> Verdict {
        if self.cut {
            self.violations.push(Violation {
                field: String::new(),
                rule: MORE,
                tag: None,
                text_en: format!(
                    "there are more violations: at most {MAX_OF_ONE_RULE} of one rule and {MAX_VIOLATIONS} in all are \
                     listed"
                ),
                text_ru: format!(
                    "есть и другие нарушения: показано не более {MAX_OF_ONE_RULE} по одному правилу и \
                     {MAX_VIOLATIONS} всего"
                ),
                suggestion: "correct these and validate again".to_owned(),
            });
        }
        Verdict {
            violations: self.violations,
            unanswered: self.unanswered,
        }
    }
}
