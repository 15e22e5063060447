//! The binaries under test, built by cargo before they are started.
//!
//! Owns: the one call of cargo, and the paths it names.
//! Must never: start a binary that cargo did not just call up to date, or a daemon with deliberate faults inside.

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The binaries of this workspace.
#[derive(Debug, Clone)]
pub struct Programs {
    found: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// The binaries in the profile of the running program; the first call builds what is not up to date.
    ///
    /// # Errors
    /// When cargo cannot be run or the build fails; its words stand on standard error.
    pub fn built() -> anyhow::Result<&'static Self> {
        static BUILT: OnceLock<Result<Programs, String>> = OnceLock::new();
        let built = BUILT.get_or_init(|| build().map_err(|e| format!("{e:#}")));
        built.as_ref().map_err(|e| anyhow!("{e}"))
    }

    /// `kassetted`, the daemon.
    ///
    /// # Errors
    /// When cargo built no such binary.
    pub fn daemon(&self) -> anyhow::Result<&Path> {
        self.named("kassetted")
    }

    /// `kassettectl`, the command line.
    ///
    /// # Errors
    /// When cargo built no such binary.
    pub fn ctl(&self) -> anyhow::Result<&Path> {
        self.named("kassettectl")
    }

    /// `kassette-hw-sim`, the simulated rack.
    ///
    /// # Errors
    /// When cargo built no such binary.
    pub fn simulator(&self) -> anyhow::Result<&Path> {
        self.named("kassette-hw-sim")
    }

    /// The daemon of the tests that ends at a named fault point.
    ///
    /// # Errors
    /// When cargo built no such binary.
    pub fn faulty_daemon(&self) -> anyhow::Result<&Path> {
        self.named("kassetted-faulty")
    }

    /// A binary of this workspace by its name.
    ///
    /// # Errors
    /// When cargo built no such binary.
    pub fn named(&self, name: &str) -> anyhow::Result<&Path> {
        let path = self.found.get(name).map(PathBuf::as_path);
        path.with_context(|| format!("cargo built no binary {name}"))
    }
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Builds all binaries of the default members at once: with fewer packages cargo would choose other features for the
/// libraries they share and compile those again; so it would without the tests, below `cargo test`.
fn build() -> anyhow::Result<Programs> {
    let OwnBuild {
        target,
        profile,
        is_test,
    } = own_build()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo)
        .current_dir(workspace())
        .args([
            "build",
            "--locked",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .args(is_test.then_some("--tests"))
        .arg("--profile")
        .arg(&profile)
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", cargo.display()))?;
    if !output.status.success() {
        bail!("cargo build of the binaries failed: {}", output.status);
    }
    let found = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(binary)
        .collect();
    let programs = Programs { found };
    without_mutants(programs.daemon()?)?;
    Ok(programs)
}

/// Refuses a daemon that does not say that it is without the deliberate faults of the simulation.
///
/// # Errors
/// When it cannot be run or does not say so.
pub fn without_mutants(daemon: &Path) -> anyhow::Result<()> {
    let output = Command::new(daemon)
        .args(["--version", "--json"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", daemon.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && says_no_mutants(&said) {
        return Ok(());
    }
    let daemon = daemon.display();
    bail!(
        "{daemon} --version --json does not say \"mutants\":false but \"{}\": build it with plain cargo build",
        said.trim()
    )
}

fn says_no_mutants(said: &str) -> bool {
    serde_json::from_str::<Value>(said).is_ok_and(|facts| facts["mutants"] == false)
}

/// A line of cargo's messages, when it names a binary and not the tests in one.
fn binary(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["profile"]["test"] == true {
        return None;
    }
    let path = message["executable"].as_str()?;
    let name = message["target"]["name"].as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}

/// How the running program was built.
struct OwnBuild {
    target: PathBuf,
    profile: String,
    is_test: bool,
}

/// Read from its own path: `target/debug/demo`, `target/debug/deps/all-0123`.
fn own_build() -> anyhow::Result<OwnBuild> {
    let own = std::env::current_exe().context("the path of the running program")?;
    let mut folder = own.parent();
    let is_test = folder.is_some_and(|path| path.ends_with("deps"));
    if is_test {
        folder = folder.and_then(Path::parent);
    }
    let name = folder.and_then(Path::file_name).and_then(|name| name.to_str());
    let (Some(name), Some(target)) = (name, folder.and_then(Path::parent)) else {
        bail!("{} does not stand in a target folder of cargo", own.display());
    };
    // The dev profile is the one whose folder has another name.
    let profile = if name == "debug" { "dev" } else { name };
    Ok(OwnBuild {
        target: target.to_owned(),
        profile: profile.to_owned(),
        is_test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_refused_unless_it_says_that_no_mutant_is_inside() {
        assert!(says_no_mutants(r#"{"version":"0.1.0","mutants":false}"#));
        for other in [
            r#"{"version":"0.1.0","mutants":true}"#,
            r#"{"version":"0.1.0"}"#,
            r#"{"mutants":"false"}"#,
            "kassetted 0.1.0",
            "",
        ] {
            assert!(!says_no_mutants(other), "{other}");
        }
    }
}
