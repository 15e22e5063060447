//! Where in a receipt something stands.
//!
//! Owns: the text form of a path, like `items[3].agent.agent_phones[0]`.
//! Must never: allocate before it is shown; there is one for every field of a hostile receipt.

use std::fmt;

/// A path into the model, built on the stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    name: &'static str,
    index: Option<usize>,
}

impl<'a> Place<'a> {
    pub(super) const fn top(name: &'static str) -> Self {
        Self {
            parent: None,
            name,
            index: None,
        }
    }

    pub(super) const fn top_at(name: &'static str, index: usize) -> Self {
        Self {
            parent: None,
            name,
            index: Some(index),
        }
    }

    pub(super) const fn item(index: usize) -> Self {
        Self::top_at("items", index)
    }

    pub(super) const fn child(&'a self, name: &'static str) -> Self {
        Self {
            parent: Some(self),
            name,
            index: None,
        }
    }

    pub(super) const fn child_at(&'a self, name: &'static str, index: usize) -> Self {
        Self {
            parent: Some(self),
            name,
            index: Some(index),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}
