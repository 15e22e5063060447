//! A limit is worth something only while it is small and knows nothing of what it is held against.

use std::fs;
use std::path::{Path, PathBuf};

/// Design section 7: "a limit program of under 200 lines".
const LINES_MAX: usize = 200;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Lines of a file that are neither blank nor comment.
fn lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    text.lines().filter(code).count()
}

#[test]
fn a_limit_program_and_what_it_uses_have_fewer_than_200_lines_of_code() {
    let programs: Vec<PathBuf> = fs::read_dir(source().join("bin"))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map(|found| found.into_iter().map(|entry| entry.path()).collect())
        .unwrap_or_else(|error| panic!("src/bin: {error}"));
    assert!(!programs.is_empty());
    for program in programs {
        let text = fs::read_to_string(&program).unwrap_or_default();
        let used = ["register", "commits"].into_iter();
        let used = used.filter(|name| text.contains(&format!("kassette_limits::{name}")));
        let all: usize = lines(&program)
            + used
                .map(|name| lines(&source().join(format!("{name}.rs"))))
                .sum::<usize>();
        assert!(all < LINES_MAX, "{} and what it uses: {all} lines", program.display());
    }
}

#[test]
fn a_limit_program_uses_nothing_of_ours() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap_or_default();
    let dependencies = text
        .split("[dependencies]")
        .nth(1)
        .expect("the manifest names its dependencies");
    assert!(!dependencies.contains("kassette"), "{dependencies}");
}
