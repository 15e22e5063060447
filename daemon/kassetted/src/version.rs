//! What this program is, for people and for programs.
//!
//! Owns: the answer to `--version`.
//! Must never: name what it does not know, or be built with a mutant inside.

use crate::exit::Exit;
use clap::error::ErrorKind;
use kassette_core::journal::{MIN_READER, SCHEMA};
use kassette_core::mutants::MUTANTS;
use serde_json::{Value, json};

// No build of the daemon can hold the deliberate faults of the simulation.
const _: () = assert!(
    !MUTANTS,
    "kassetted is never built with the feature `mutants` of kassette-core"
);

/// Commit that the program was built from, where whoever built it said so.
const COMMIT: Option<&str> = option_env!("KASSETTE_COMMIT");

/// Version, journal schemas, commit if known, and whether mutants are compiled in.
fn facts() -> Value {
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"), "schema": SCHEMA, "min_reader": MIN_READER, "mutants": MUTANTS,
    });
    if let Some(commit) = COMMIT {
        facts["commit"] = commit.into();
    }
    facts
}

/// Prints the version, or says that a command is missing.
pub(crate) fn tell(asked: bool, json: bool, mut command: clap::Command) -> Exit {
    if !asked {
        let missing = command.error(ErrorKind::MissingSubcommand, "a command is missing: kassetted run");
        missing.print().ok();
        return Exit::Usage;
    }
    let text = match json {
        true => facts().to_string(),
        false => format!("kassetted {}", env!("CARGO_PKG_VERSION")),
    };
    // A reader that is gone (`| head`) is not an error of ours.
    drop(std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("{text}\n").as_bytes(),
    ));
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_for_programs_names_the_schemas_and_that_no_mutant_is_inside() {
        let facts = facts();
        assert_eq!(facts["mutants"], false);
        assert_eq!(
            (facts["schema"].as_i64(), facts["min_reader"].as_i64()),
            (Some(SCHEMA), Some(MIN_READER))
        );
        assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
    }
}
