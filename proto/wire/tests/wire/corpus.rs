//! The seeds of the fuzz targets as plain tests.
//!
//! Owns: that every target has a file, seeds, and checks that hold on them.
//! Must never: hold a check of its own.

use std::path::PathBuf;

#[path = "../../fuzz/src/lib.rs"]
mod checks;

fn fuzz(part: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(part)
}

fn names(part: &str) -> Vec<String> {
    let folder = fuzz(part);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn every_fuzz_target_has_a_file_and_seeds() {
    let mut targets: Vec<&str> = checks::TARGETS.iter().map(|(name, _)| *name).collect();
    targets.sort_unstable();
    let files: Vec<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names("fuzz_targets"), files);
    assert_eq!(names("seeds"), targets);
}

#[test]
fn what_must_hold_for_any_bytes_holds_for_every_seed_and_every_cut_of_it() {
    for (target, check) in checks::TARGETS {
        let seeds = names(&format!("seeds/{target}"));
        assert!(seeds.len() > 1, "{target}");
        for seed in seeds {
            let bytes = std::fs::read(fuzz(&format!("seeds/{target}/{seed}"))).unwrap();
            // Shown when the check fails.
            println!("{target}/{seed}");
            check(&bytes);
            for end in 0..bytes.len() {
                check(&bytes[..end]);
            }
        }
    }
}
