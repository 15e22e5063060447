//! Conditions of reads: fixed texts and bound values.
//!
//! Owns: the one way in which a value from outside comes into a statement.
//! Must never: put a value into the text.

use rusqlite::types::Value;

/// A condition made of fixed texts and bound values.
pub(super) struct Condition {
    pub(super) parts: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Condition {
    pub(super) fn new() -> Self {
        Self {
            parts: Vec::new(),
            values: Vec::new(),
        }
    }

    /// `?` in the text stands for the value.
    pub(super) fn and(&mut self, text: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.parts.push(text.replace('?', &format!("?{}", self.values.len())));
    }

    pub(super) fn label(&mut self, name: &str, value: &str) {
        self.values.extend([name.to_owned().into(), value.to_owned().into()]);
        let (name, value) = (self.values.len() - 1, self.values.len());
        self.parts.push(format!(
            "EXISTS (SELECT 1 FROM json_each(j.labels) l WHERE l.key = ?{name} AND l.value = ?{value})"
        ));
    }

    pub(super) fn any_of(&mut self, column: &str, values: Vec<String>) {
        let marks: Vec<String> = values
            .into_iter()
            .map(|value| {
                self.values.push(value.into());
                format!("?{}", self.values.len())
            })
            .collect();
        self.parts.push(format!("{column} IN ({})", marks.join(", ")));
    }

    pub(super) fn text(&self) -> String {
        if self.parts.is_empty() {
            "1".to_owned()
        } else {
            self.parts.join(" AND ")
        }
    }
}
