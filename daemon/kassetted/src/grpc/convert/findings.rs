//! What is wrong with the form of a request, collected with a bound and with the paths of its fields.
//!
//! Owns: the violations that only the contract can have (missing, out of range, no such value, no place for it yet).
//! Must never: check a rule of the law (see `kassette_receipts::rules`) or grow with the size of a hostile request.

use kassette_api::v1;
use std::fmt;

/// Rule id of a field that is missing or whose value no receipt could hold.
pub const RULE_FORM: &str = "FORM";
/// Rule id of a field that is lawful but has no place in what this version issues.
pub const RULE_NOT_YET: &str = "NOT_YET";
/// Rule id of the last violation of a list that was cut.
pub const RULE_MORE: &str = kassette_receipts::rules::MORE;
/// Most violations of one answer, without the one that says that there are more.
pub const FINDINGS_MAX: usize = kassette_receipts::rules::MAX_VIOLATIONS;
/// Most characters of a value that a text quotes.
const QUOTE_MAX: usize = 40;

/// The rules that the form of a request has beside those of the law: id, English and Russian text.
pub const FORM_RULES: [(&str, &str, &str); 3] = [
    (
        RULE_FORM,
        "a field is given and holds a value of its kind",
        "поле указано и содержит допустимое значение",
    ),
    (
        RULE_NOT_YET,
        "a field is lawful, but this version cannot put it on a document yet",
        "поле допустимо, но эта версия ещё не умеет передать его в документ",
    ),
    (
        RULE_MORE,
        "there are more violations than are listed",
        "нарушений больше, чем показано",
    ),
];

/// Where in a request something stands; built on the stack, written only when it is needed.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    name: &'static str,
    index: Option<usize>,
}

impl<'a> At<'a> {
    /// A field of the request itself.
    #[must_use]
    pub const fn top(name: &'static str) -> Self {
        Self {
            parent: None,
            name,
            index: None,
        }
    }

    /// A field inside this one.
    #[must_use]
    pub const fn field(&'a self, name: &'static str) -> Self {
        Self {
            parent: Some(self),
            name,
            index: None,
        }
    }

    /// An element of a repeated field inside this one.
    #[must_use]
    pub const fn element(&'a self, name: &'static str, index: usize) -> Self {
        Self {
            parent: Some(self),
            name,
            index: Some(index),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

/// Text of a value from outside, short and printable.
#[must_use]
pub fn quote(text: &str) -> String {
    let shown: String = text.chars().take(QUOTE_MAX).flat_map(char::escape_debug).collect();
    let dots = if text.chars().nth(QUOTE_MAX).is_some() {
        "…"
    } else {
        ""
    };
    format!("\"{shown}{dots}\"")
}

/// Collects violations.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<v1::Violation>,
    cut: bool,
}

impl Findings {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether everything found is only what this version cannot do yet.
    #[must_use]
    pub fn only_not_yet(&self) -> bool {
        self.list.iter().all(|violation| violation.rule == RULE_NOT_YET)
    }

    /// All of them; the last one says so when the list was cut.
    #[must_use]
    pub fn into_list(mut self) -> Vec<v1::Violation> {
        if self.cut {
            let (en, ru) = (
                format!("at most {FINDINGS_MAX} violations are listed"),
                "показаны не все нарушения",
            );
            self.list
                .push(violation(String::new(), RULE_MORE, None, en, ru.to_owned(), None));
        }
        self.list
    }

    fn add(&mut self, violation: v1::Violation) {
        if self.list.len() < FINDINGS_MAX {
            self.list.push(violation);
        } else {
            self.cut = true;
        }
    }

    /// The field must be given.
    pub fn missing(&mut self, at: &At<'_>, tag: Option<u32>) {
        self.form(at, tag, "must be given", "не указано");
    }

    /// The field's value is wrong for the reason given.
    pub fn form(&mut self, at: &At<'_>, tag: Option<u32>, en: impl fmt::Display, ru: &str) {
        self.add(violation(
            at.to_string(),
            RULE_FORM,
            tag,
            en.to_string(),
            ru.to_owned(),
            None,
        ));
    }

    /// The field has no place in what this version issues.
    pub fn not_yet(&mut self, at: &At<'_>, tag: Option<u32>, what: impl fmt::Display) {
        let en = format!("not yet: {what}");
        let ru = "эта версия ещё не умеет передать это в документ".to_owned();
        self.add(violation(
            at.to_string(),
            RULE_NOT_YET,
            tag,
            en,
            ru,
            Some("leave the field out".to_owned()),
        ));
    }

    /// The field has no place yet, if it is given at all.
    pub fn not_yet_if(&mut self, given: bool, at: &At<'_>, tag: Option<u32>, what: &str) {
        if given {
            self.not_yet(at, tag, what);
        }
    }
}

fn violation(
    field: String,
    rule: &str,
    tag: Option<u32>,
    text: String,
    text_ru: String,
    suggestion: Option<String>,
) -> v1::Violation {
    v1::Violation {
        field,
        rule: rule.to_owned(),
        tag,
        text,
        suggestion,
        text_ru: Some(text_ru),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_request_gets_a_bounded_list_that_says_it_was_cut() {
        let mut findings = Findings::default();
        let receipt = At::top("receipt");
        for index in 0..10_000 {
            findings.missing(&receipt.element("items", index).field("name"), Some(1030));
        }
        let list = findings.into_list();
        assert_eq!(list.len(), FINDINGS_MAX + 1);
        assert_eq!(list[3].field, "receipt.items[3].name");
        assert_eq!(list[FINDINGS_MAX].rule, RULE_MORE);
    }

    #[test]
    fn a_quoted_value_is_short_and_printable() {
        let quoted = quote(&format!("a\u{0}\n{}", "x".repeat(1000)));
        assert!(
            quoted.starts_with("\"a\\0\\nx") && quoted.ends_with("…\"") && quoted.len() < 80,
            "{quoted}"
        );
    }
}
