//! `RackService.CheckUpgrade`: whether another package may be put in the place of this one now.
//!
//! Owns: what stands in the way of an upgrade.
//! Must never: change anything, or hide one reason behind another: all are told at once.

use super::access;
use super::convert::reason::reason;
use super::status::refusal;
use super::surface::Surface;
use crate::identity::Role;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::error::Reason;
use kassette_core::domain::snapshot::{JournalHealth, RackSnapshot};
use kassette_core::journal::UpgradeFacts;
use kassette_core::parts::UnixMillis;
use std::path::PathBuf;
use tonic::Request;

/// A backup older than this is none for an upgrade.
const BACKUP_DAYS: i64 = 7;
const DAY_MS: i64 = 86_400_000;

/// Answers the call.
pub(super) async fn check(
    surface: &Surface,
    request: Request<v1::CheckUpgradeRequest>,
) -> Result<v1::CheckUpgradeResponse, ErrorDetails> {
    access::caller_with(&request, Role::Technician)?;
    let package = request.into_inner();
    let facts = surface.rack().upgrade_facts().await.map_err(refusal)?;
    let free = free_bytes(facts.path.clone()).await;
    let blockers = blockers(&package, &facts, &surface.snapshot(), free, surface.clock().now());
    let at_most = |number: i64| u32::try_from(number).unwrap_or_default();
    Ok(v1::CheckUpgradeResponse {
        ready: blockers.is_empty(),
        blockers: blockers.iter().map(reason).collect(),
        schema: at_most(facts.schema),
        min_reader: at_most(facts.min_reader),
        reversible: reversible(&package, &facts),
    })
}

/// Bytes that this user could still write beside a file; `None` when the host cannot tell.
async fn free_bytes(journal: PathBuf) -> Option<u64> {
    let asked = tokio::task::spawn_blocking(move || nix::sys::statvfs::statvfs(journal.parent()?).ok());
    let disk = asked.await.ok()??;
    Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// The older package can come back when the newer one leaves the schema as it is, or says that its journal still serves
/// programs of this schema.
fn reversible(package: &v1::CheckUpgradeRequest, facts: &UpgradeFacts) -> bool {
    let same = package.schema.is_some_and(|schema| i64::from(schema) <= facts.schema);
    same || package
        .min_reader
        .is_some_and(|reader| i64::from(reader) <= facts.schema)
}

fn blockers(
    package: &v1::CheckUpgradeRequest,
    facts: &UpgradeFacts,
    snapshot: &RackSnapshot,
    free: Option<u64>,
    now: UnixMillis,
) -> Vec<Reason> {
    let mut all = Vec::new();
    match package.schema {
        None => all.push(Reason::new(
            Code::UpgradeUnknown,
            "the journal schema of the package was not given",
        )),
        Some(schema) if i64::from(schema) < facts.min_reader => all.push(Reason::new(
            Code::JournalTooNew,
            format!(
                "the package has schema {schema}, this journal needs {}",
                facts.min_reader
            ),
        )),
        Some(_) => {}
    }
    if facts.doubts > 0 {
        let text = format!("{} attempts are in doubt", facts.doubts);
        all.push(Reason::new(Code::DoubtOpen, text));
    }
    match facts.backed_up_at {
        None => all.push(Reason::new(Code::BackupOld, "no backup of this journal is noted")),
        Some(at) if at.plus_millis(BACKUP_DAYS * DAY_MS) < now => all.push(Reason::new(
            Code::BackupOld,
            format!("the last backup is {} days old", (now.0 - at.0) / DAY_MS),
        )),
        Some(_) => {}
    }
    // A migration may write every page once, and the log beside it as many.
    if let Some(free) = free.filter(|free| *free < facts.bytes.saturating_mul(2)) {
        let text = format!(
            "{free} bytes are free beside {}, which has {}: twice that is needed",
            facts.path.display(),
            facts.bytes
        );
        all.push(Reason::new(Code::JournalFull, text));
    }
    match &snapshot.journal {
        JournalHealth::Writing => {}
        JournalHealth::Full => all.push(Reason::new(Code::JournalFull, "a commit found the disk full")),
        JournalHealth::ReadOnly(why) => all.push(why.clone()),
    }
    all.extend(snapshot.archive_faults.iter().cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_core::domain::snapshot::RackKind;

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    fn facts() -> UpgradeFacts {
        UpgradeFacts {
            schema: 3,
            min_reader: 1,
            path: "/var/lib/kassette/journal.sqlite".into(),
            bytes: 1000,
            doubts: 0,
            backed_up_at: Some(NOW.plus_millis(-DAY_MS)),
        }
    }

    fn snapshot() -> RackSnapshot {
        RackSnapshot {
            rack_id: None,
            kind: RackKind::Test,
            journal_id: String::new(),
            generation: 0,
            start: 1,
            started_at: NOW,
            sequence: 0,
            plan_version: 0,
            clock_synchronised: true,
            journal: JournalHealth::Writing,
            archive_faults: Vec::new(),
            stopping: false,
            units: Default::default(),
            queues: Default::default(),
        }
    }

    fn package(schema: Option<u32>, min_reader: Option<u32>) -> v1::CheckUpgradeRequest {
        v1::CheckUpgradeRequest {
            version: "0.2.0".into(),
            schema,
            min_reader,
        }
    }

    fn codes(package: &v1::CheckUpgradeRequest, facts: &UpgradeFacts, snapshot: &RackSnapshot, free: u64) -> Vec<Code> {
        let all = blockers(package, facts, snapshot, Some(free), NOW);
        assert!(all.iter().all(|one| !one.detail.is_empty()), "{all:?}");
        all.into_iter().map(|one| one.code).collect()
    }

    #[test]
    fn a_sound_rack_with_a_fresh_backup_may_be_upgraded() {
        assert_eq!(codes(&package(Some(4), Some(3)), &facts(), &snapshot(), 2000), []);
    }

    #[test]
    fn everything_in_the_way_is_told_at_once() {
        let bad = UpgradeFacts {
            doubts: 2,
            min_reader: 3,
            backed_up_at: Some(NOW.plus_millis(-8 * DAY_MS)),
            ..facts()
        };
        let shown = RackSnapshot {
            archive_faults: vec![Reason::new(Code::ArchiveMissing, "archive-2026-10.db")],
            ..snapshot()
        };
        let wanted = [
            Code::JournalTooNew,
            Code::DoubtOpen,
            Code::BackupOld,
            Code::JournalFull,
            Code::ArchiveMissing,
        ];
        assert_eq!(codes(&package(Some(2), None), &bad, &shown, 1999), wanted);
        let none = UpgradeFacts {
            backed_up_at: None,
            ..facts()
        };
        assert_eq!(
            codes(&package(None, None), &none, &snapshot(), 2000),
            [Code::UpgradeUnknown, Code::BackupOld]
        );
    }

    #[test]
    fn the_way_back_is_open_when_the_journal_will_still_serve_this_program() {
        assert!(reversible(&package(Some(3), None), &facts()));
        assert!(reversible(&package(Some(5), Some(3)), &facts()));
        assert!(!reversible(&package(Some(5), Some(4)), &facts()));
        assert!(!reversible(&package(Some(5), None), &facts()));
    }
}
