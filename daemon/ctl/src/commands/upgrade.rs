//! `upgrade check`.
//!
//! Owns: how what stands in the way is shown.
//! Must never: change anything, or call a check good that did not know the package.

use super::{Daemon, print_json};
use crate::failure::{DONE, Failure, REFUSED};
use crate::receipt_file::text;
use crate::say::say;
use kassette_api::v1;
use serde::Deserialize;
use std::path::PathBuf;

/// What `kassetted --version --json` says; the rest of it is of no concern here.
#[derive(Debug, Deserialize)]
struct Package {
    version: String,
    schema: Option<u32>,
    min_reader: Option<u32>,
}

/// Asks whether the package may take the place of the one that runs.
pub async fn check(mut daemon: Daemon, package: PathBuf) -> Result<u8, Failure> {
    let package: Package = serde_json::from_str(&text(&package)?).map_err(|error| {
        Failure::usage(
            format!(
                "{} is not what 'kassetted --version --json' says: {error}",
                package.display()
            ),
            "see 'kassettectl upgrade check --help'",
        )
    })?;
    let request = v1::CheckUpgradeRequest {
        version: package.version.clone(),
        schema: package.schema,
        min_reader: package.min_reader,
    };
    let told = daemon.rack.check_upgrade(request).await?.into_inner();
    if daemon.json {
        print_json("CheckUpgradeResponse", &told)?;
    } else {
        show(&package, &told);
    }
    Ok(if told.ready { DONE } else { REFUSED })
}

fn show(package: &Package, told: &v1::CheckUpgradeResponse) {
    say!(
        "journal schema {}, needs a program of schema {} or newer; package {} has schema {}",
        told.schema,
        told.min_reader,
        package.version,
        package
            .schema
            .map_or_else(|| "unknown".to_owned(), |schema| schema.to_string()),
    );
    for blocker in &told.blockers {
        say!("in the way: {} [{}]", blocker.text, blocker.code);
        say!("  next: {}", blocker.next_step);
    }
    let back = match told.reversible {
        true => "the way back stays open: this package can run on the journal afterwards",
        false => "the way back closes: after it this package cannot run on the journal any more",
    };
    say!("{back}");
    if told.ready {
        say!("ready: nothing stands in the way");
    }
}
