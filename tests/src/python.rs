//! The python of the tests, with the packages and the client that `tests/python-env` makes.
//!
//! Owns: running a script of `tests/` and its words.
//! Must never: pass a test because python or a package is missing.

use crate::programs::workspace;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The python of `tests/.venv`, made at the first use.
///
/// # Errors
/// When `tests/python-env` fails, with what it says.
pub fn interpreter() -> anyhow::Result<PathBuf> {
    let script = workspace().join("tests/python-env");
    let output = Command::new(&script)
        .output()
        .with_context(|| script.display().to_string())?;
    if !output.status.success() {
        bail!("tests/python-env: {}", String::from_utf8_lossy(&output.stderr));
    }
    let path = String::from_utf8(output.stdout)?;
    Ok(PathBuf::from(path.trim()))
}

/// Runs a script below `tests/` to its end and gives what it printed.
///
/// # Errors
/// When it ends with another code than 0; with everything it said.
pub fn run(script: &str, arguments: &[&Path]) -> anyhow::Result<String> {
    let tests = workspace().join("tests");
    let output = Command::new(interpreter()?)
        .arg(tests.join(script))
        .args(arguments)
        .env("PYTHONPATH", tests.join(".venv/client"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .with_context(|| script.to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{script} failed:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}
