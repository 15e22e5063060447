//! What stands in the FNs, read by `kassette-hw-sim ledger`.
//!
//! Owns: the form of a line, and the questions cases ask of it.
//! Must never: ask the daemon.

use crate::programs::Programs;
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Document code of a shift opening (`fn-ffd-ofd` C.2).
pub const SHIFT_OPEN: u8 = 2;
/// Document code of a receipt.
pub const RECEIPT: u8 = 3;
/// Document code of a shift closing.
pub const SHIFT_CLOSE: u8 = 5;

/// One document of one FN.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Document {
    /// FN number.
    #[serde(rename = "fn")]
    pub fn_number: String,
    /// Document number.
    pub fd: u32,
    /// Document code.
    pub kind: u8,
    /// Fiscal sign.
    pub fp: u32,
    /// Local time of the document.
    pub time: Option<String>,
    /// True time at which it was made, milliseconds since 1970 UTC.
    pub made_unix_ms: i64,
    /// Tags by number.
    pub tags: BTreeMap<String, Value>,
    /// The whole document as one STLV, hex.
    pub tlv: String,
}

impl Document {
    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, number: u16) -> Option<&Value> {
        self.tags.get(&number.to_string())
    }

    /// The job key in it: tag 1192, or the value of tag 1084.
    #[must_use]
    pub fn job_keys(&self) -> Vec<&str> {
        let direct = self.tag(1192).and_then(Value::as_str);
        let attributes = self.tag(1084).and_then(Value::as_array);
        let inner = attributes.into_iter().flatten().filter_map(|one| one["1086"].as_str());
        direct.into_iter().chain(inner).collect()
    }
}

/// What the simulator's reader prints of a state folder.
///
/// # Errors
/// When it fails.
pub fn lines(programs: &Programs, state: &Path) -> anyhow::Result<String> {
    let output = Command::new(programs.simulator()?)
        .arg("ledger")
        .arg("--state")
        .arg(state)
        .output()
        .context("kassette-hw-sim ledger")?;
    if !output.status.success() {
        bail!("kassette-hw-sim ledger: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("ledger lines")
}

/// Every document of every FN in a state folder.
///
/// # Errors
/// When the simulator's reader fails or writes a line of another form.
pub fn read(programs: &Programs, state: &Path) -> anyhow::Result<Vec<Document>> {
    let text = lines(programs, state)?;
    let read = |line| serde_json::from_str(line).with_context(|| format!("ledger line {line}"));
    text.lines().map(read).collect()
}

/// The receipts of one FN.
#[must_use]
pub fn receipts_of<'d>(documents: &'d [Document], fn_number: &str) -> Vec<&'d Document> {
    let fits = |one: &&Document| one.fn_number == fn_number && one.kind == RECEIPT;
    documents.iter().filter(fits).collect()
}
