//! Show 2: an oracle in python that shares nothing with our crates finds every tag as it was asked for.
//!
//! Owns: running the oracle and its own tests.
//! Must never: decide itself what is equal.

use kassette_tests::programs::workspace;
use kassette_tests::python;
use std::process::Command;

#[test]
fn the_oracle_reads_the_worked_bytes_and_sees_every_difference() {
    let output = Command::new(python::interpreter().unwrap())
        .args(["-m", "unittest", "discover", "-s"])
        .arg(workspace().join("tests/oracle"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
