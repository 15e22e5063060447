//! Readings of the reference where it says CONFLICT or unverified, by name.
//!
//! Owns: the names, the readings, and which one stands when the rack file names none.
//! Must never: hide a reading; each is reachable from the rack file.

use serde::{Deserialize, Serialize};

/// One field per doubtful line of `shtrih-m.md` and `fn-ffd-ofd.md`; sources in the docs of each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {}
