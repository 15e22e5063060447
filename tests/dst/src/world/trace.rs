//! What happened, as lines and as one number.
//!
//! Owns: the digest of everything that happened, in its order.
//! Must never: leave a line out of the digest, kept or not.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};

/// Lines kept of a story that only its digest is wanted of: enough to say where it stood.
const LAST: usize = 60;

/// The trace of a story.
#[derive(Debug, Default)]
pub(super) struct Trace {
    digest: Digest,
    lines: VecDeque<String>,
    /// Only the digest is wanted: lines cost time.
    brief: bool,
}

/// A digest that text is written into; the same for the same program.
#[derive(Debug, Default)]
struct Digest(DefaultHasher);

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    /// Keeps no lines from now on.
    pub(super) fn be_brief(&mut self) {
        self.brief = true;
    }

    /// Adds a line.
    pub(super) fn note(&mut self, at_us: u128, text: impl fmt::Display) {
        if self.brief {
            // Writing into a digest cannot fail.
            let _ = writeln!(self.digest, "{at_us} {text}");
            return;
        }
        let line = format!("{at_us} {text}");
        let _ = writeln!(self.digest, "{line}");
        self.lines.push_back(line);
    }

    /// Adds bytes that went over a port; in the digest alone.
    pub(super) fn bytes(&mut self, at_us: u128, bytes: &[u8]) {
        self.digest.0.write_u128(at_us);
        self.digest.0.write(bytes);
    }

    /// Everything that was kept.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    /// The end of what was kept.
    pub(super) fn tail(&self) -> String {
        let from = self.lines.len().saturating_sub(LAST);
        let lines: Vec<&str> = self.lines.range(from..).map(String::as_str).collect();
        lines.join("\n")
    }

    /// The digest so far.
    pub(super) fn digest(&self) -> u64 {
        self.digest.0.finish()
    }
}
