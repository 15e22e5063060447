//! End-to-end cases: the real programs, real ports, the FNs' own ledgers. One binary, so that it is linked once.
//!
//! Owns: the list of cases.
//! Must never: sleep for a time where an event can be waited for, or pass a case whose tools are missing.
#![allow(clippy::unwrap_used, reason = "a case that cannot go on fails where it stands")]

mod cases;
