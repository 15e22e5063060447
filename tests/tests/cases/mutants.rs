//! No shipped binary can hold the deliberate faults of the simulation.
//!
//! Owns: what the manifests, the aliases and the written commands say about the feature `mutants`.
//! Must never: build anything.

use kassette_core::mutants::MUTANTS;
use kassette_tests::programs::workspace;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const DST: &str = "kassette-dst";
const CORE: &str = "kassette-core";

// This crate is a default member: cargo builds it with the features that all default members share.
const _: () = assert!(!MUTANTS, "default members are built without the feature `mutants`");

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--locked", "--no-deps", "--format-version", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[test]
fn the_simulation_alone_names_the_feature_and_is_no_default_member() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 5, "all members are seen");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let features = package["features"].as_object().unwrap();
        let enables = |list: &Value| texts(list).any(|one| one.contains("mutants"));
        let by_default = features.get("default").is_some_and(enables);
        assert!(!by_default, "{name} enables mutants by default");
        let own = features.contains_key("mutants");
        assert_eq!(own, [DST, CORE].contains(&name), "{name} has a feature mutants");
        let passed_on = features.iter().filter(|(_, list)| enables(list)).count();
        assert_eq!(passed_on, usize::from(name == DST), "{name} passes the feature on");
        for dependency in package["dependencies"].as_array().unwrap() {
            assert!(!enables(&dependency["features"]), "{name} depends on mutants");
        }
    }
    let id = |name| {
        packages.iter().find(|p| p["name"] == name).unwrap()["id"]
            .as_str()
            .unwrap()
    };
    let defaults: Vec<&str> = texts(&metadata["workspace_default_members"]).collect();
    assert!(defaults.contains(&id(CORE)));
    assert!(
        !defaults.contains(&id(DST)),
        "the simulation is built by its own commands alone"
    );
}

/// Every file in which somebody reads a command.
fn written_commands() -> Vec<PathBuf> {
    let root = workspace();
    let mut files: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "tests/run",
        ".cargo/config.toml",
    ]
    .iter()
    .map(|name| root.join(name))
    .collect();
    let steps = std::fs::read_dir(root.join(".ci")).unwrap();
    files.extend(steps.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    files
}

#[test]
fn the_alias_of_the_simulation_alone_asks_for_the_feature_in_a_target_folder_of_its_own() {
    let mut asking = Vec::new();
    for path in written_commands() {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let widened = [
                "--workspace",
                "--all-features",
                "cargo build --all ",
                "cargo test --all ",
            ];
            let wide = widened.iter().find(|option| line.contains(**option));
            assert!(wide.is_none(), "{}: {line}", path.display());
            if line.contains("--features") && line.contains("mutants") {
                asking.push(line.to_owned());
            }
        }
    }
    let [alias] = asking.as_slice() else {
        panic!("one command asks for mutants: {asking:?}")
    };
    assert!(alias.starts_with("dst = "), "{alias}");
    for part in ["-p kassette-dst ", "--features mutants ", "--target-dir target/dst "] {
        assert!(alias.contains(part), "{part} in {alias}");
    }
}
