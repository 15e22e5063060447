//! Reading a table of the rack file without stopping at the first mistake.
//!
//! Owns: paths, problems, and the check for keys that nobody asked for.
//! Must never: know what the keys mean.

use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use toml::{Table, Value};

/// One thing that is wrong with a rack file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `register[2].fn.number`.
    pub path: String,
    /// What is wrong and what would be accepted.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Where problems are gathered.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Adds one.
    pub fn add(&self, path: impl Into<String>, text: impl Into<String>) {
        let (path, text) = (path.into(), text.into());
        self.0.borrow_mut().push(Problem { path, text });
    }

    /// All of them, in the order found.
    #[must_use]
    pub fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// One table, read key by key.
pub struct Section<'p> {
    path: String,
    table: Table,
    asked: BTreeSet<&'static str>,
    problems: &'p Problems,
}

impl<'p> Section<'p> {
    /// A table at a path.
    pub const fn new(path: String, table: Table, problems: &'p Problems) -> Self {
        let asked = BTreeSet::new();
        Self {
            path,
            table,
            asked,
            problems,
        }
    }

    /// The path of one of its keys.
    #[must_use]
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Notes a problem of one of its keys.
    pub fn wrong(&self, key: &str, text: impl Into<String>) {
        self.problems.add(self.at(key), text);
    }

    /// The raw value of a key.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.insert(key);
        self.table.remove(key)
    }

    /// A value of a type that reads itself; a problem when it does not fit.
    pub fn read<T: DeserializeOwned>(&mut self, key: &'static str, accepted: &str) -> Option<T> {
        let value = self.take(key)?;
        match value.clone().try_into() {
            Ok(read) => Some(read),
            Err(_) => {
                self.wrong(key, format!("{} is not accepted; accepted: {accepted}", shown(&value)));
                None
            }
        }
    }

    /// A value that must be there.
    pub fn need<T: DeserializeOwned>(&mut self, key: &'static str, accepted: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.asked.insert(key);
            self.wrong(key, format!("is missing; accepted: {accepted}"));
            return None;
        }
        self.read(key, accepted)
    }

    /// A text, if there, that reads as a `T`.
    pub fn read_parsed<T: FromStr>(&mut self, key: &'static str, accepted: &str) -> Option<T> {
        let text: String = self.read(key, accepted)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.wrong(key, format!("\"{text}\" is not accepted; accepted: {accepted}"));
        }
        parsed
    }

    /// A text that must be there and read as a `T`.
    pub fn need_parsed<T: FromStr>(&mut self, key: &'static str, accepted: &str) -> Option<T> {
        if self.table.contains_key(key) {
            return self.read_parsed(key, accepted);
        }
        self.need::<String>(key, accepted)?.parse().ok()
    }

    /// A value that, if there, must pass a check.
    pub fn read_valid<T>(&mut self, key: &'static str, accepted: &str, valid: impl Fn(&T) -> bool) -> Option<T>
    where
        T: DeserializeOwned + fmt::Debug,
    {
        let value = self.read(key, accepted)?;
        if valid(&value) {
            return Some(value);
        }
        self.wrong(key, format!("{value:?} is not accepted; accepted: {accepted}"));
        None
    }

    /// A table inside this one.
    pub fn table(&mut self, key: &'static str) -> Option<Section<'p>> {
        match self.take(key)? {
            Value::Table(table) => Some(Section::new(self.at(key), table, self.problems)),
            other => {
                self.wrong(key, format!("{} is not a table", shown(&other)));
                None
            }
        }
    }

    /// A list inside this one; each element with its path.
    pub fn list(&mut self, key: &'static str) -> Vec<(String, Value)> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => {
                let path = self.at(key);
                let named = |(i, value)| (format!("{path}[{i}]"), value);
                values.into_iter().enumerate().map(named).collect()
            }
            Some(other) => {
                self.wrong(key, format!("{} is not a list", shown(&other)));
                Vec::new()
            }
        }
    }

    /// A table whose keys all have defaults and which reads itself. Every key is tried alone, so that each mistake is
    /// named and not only the first.
    pub fn defaulted<T: DeserializeOwned + Default>(&mut self, key: &'static str) -> T {
        let Some(section) = self.table(key) else {
            return T::default();
        };
        let mut good = Table::new();
        for (name, value) in section.table {
            let alone = Table::from_iter([(name.clone(), value.clone())]);
            match alone.try_into::<T>() {
                Ok(_) => {
                    good.insert(name, value);
                }
                Err(e) => {
                    let text = format!("{} is not accepted: {}", shown(&value), one_line(e.message()));
                    self.problems.add(format!("{}.{name}", section.path), text);
                }
            }
        }
        match good.try_into() {
            Ok(read) => read,
            Err(e) => {
                self.problems.add(section.path, one_line(e.message()));
                T::default()
            }
        }
    }

    /// Ends the reading: keys that nobody asked for are problems.
    pub fn finish(self) {
        let known: Vec<&str> = self.asked.iter().copied().collect();
        for key in self.table.keys() {
            self.wrong(
                key,
                format!("is not a key of this table; accepted: {}", known.join(", ")),
            );
        }
    }
}

/// A value as the file writes it, cut when long.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 {
        return text;
    }
    text.chars().take(60).chain("…".chars()).collect()
}

/// The words of a message of several lines.
pub fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
