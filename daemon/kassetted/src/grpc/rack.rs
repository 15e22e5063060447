//! `RackService`: what stands in the rack, and how it is changed.
//!
//! Owns: the status of the rack, the difference of two plans as a person reads it, and the plan's etag.
//! Must never: change anything that was only to be compared.

use super::access;
use super::convert::findings::At;
use super::convert::plan as convert;
use super::convert::reason::reason;
use super::convert::time::timestamp;
use super::convert::unit::is_ready;
use super::orders;
use super::status::{invalid, invalid_field, not_served, refusal};
use super::surface::Surface;
use super::tokens::{self, PAGE_MAX};
use crate::identity::Role;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::apply_rack_request::Source;
use kassette_api::v1::rack_service_server::RackService;
use kassette_core::domain::error::Reason;
use kassette_core::domain::job::JobFilter;
use kassette_core::domain::plan::RackPlan;
use kassette_core::domain::snapshot::{JournalHealth, RackKind, RackSnapshot, UnitSnapshot};
use kassette_core::domain::unit::UnitState;
use kassette_core::rack::ApplyOrder;
use std::pin::Pin;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tracing::level_filters::LevelFilter;

/// The service.
#[derive(Clone)]
pub struct RackApi {
    surface: Surface,
}

impl RackApi {
    /// The service of a surface.
    #[must_use]
    pub const fn new(surface: Surface) -> Self {
        Self { surface }
    }

    async fn rack(&self) -> Result<v1::Rack, ErrorDetails> {
        let snapshot = self.surface.snapshot();
        let (plan, version) = self.surface.rack().plan().await.map_err(refusal)?;
        let waiting = JobFilter {
            needs_person: Some(true),
            ..JobFilter::default()
        };
        let persons = self
            .surface
            .rack()
            .jobs(waiting, None, PAGE_MAX)
            .await
            .map_err(refusal)?;
        let queues = snapshot.queues.values();
        Ok(v1::Rack {
            rack_id: snapshot.rack_id.clone().unwrap_or_else(|| "00".to_owned()),
            kind: convert::shown_kind(snapshot.kind).into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(timestamp(snapshot.started_at)),
            start_number: snapshot.start,
            journal_state: journal_state(&snapshot.journal).into(),
            journal_id: snapshot.journal_id.clone(),
            journal_generation: snapshot.generation.to_string(),
            disk_free_bytes: None,
            clock_synchronised: snapshot.clock_synchronised,
            registers: Some(counts(&snapshot, &plan)),
            jobs_waiting: queues.clone().map(|queue| queue.waiting).sum(),
            jobs_in_doubt: queues.map(|queue| queue.in_doubt).sum(),
            jobs_needing_person: persons.rows.len() as u64,
            tenants: u32::try_from(plan.tenants.len()).unwrap_or(u32::MAX),
            reasons: reasons(&snapshot),
            next_steps: next_steps(&plan, snapshot.rack_id.is_some()),
            etag: etag(version),
            log_level: LevelFilter::current().to_string(),
            watch_cursor: tokens::cursor(snapshot.generation, snapshot.sequence),
            scheduler_acknowledged_at: None,
        })
    }

    async fn apply(&self, request: Request<v1::ApplyRackRequest>) -> Result<v1::ApplyRackResponse, ErrorDetails> {
        let caller = access::caller_with(&request, Role::Admin)?;
        let given = request.into_inner();
        let expected_version = given.etag.as_deref().map(read_etag).transpose()?;
        orders::words(given.reason.as_deref(), given.request_id.as_deref())?;
        let plan = read_plan(given.source, self.surface.snapshot().kind)?;
        let order = ApplyOrder {
            plan,
            expected_version,
            validate_only: given.validate_only,
            reason: given.reason,
            request_id: given.request_id,
            client: caller.name().to_owned(),
        };
        let done = self.surface.rack().apply(order).await.map_err(refusal)?;
        Ok(v1::ApplyRackResponse {
            applied: !given.validate_only && !done.changes.is_empty(),
            changes: done.changes.into_iter().map(convert::change).collect(),
            etag: etag(done.version),
        })
    }

    async fn export(&self) -> Result<v1::ExportRackResponse, ErrorDetails> {
        let (plan, version) = self.surface.rack().plan().await.map_err(refusal)?;
        Ok(v1::ExportRackResponse {
            rack: Some(convert::description(&plan, self.surface.snapshot().kind)),
            rack_toml: plan.to_toml(),
            etag: etag(version),
        })
    }
}

#[tonic::async_trait]
impl RackService for RackApi {
    type StreamBackupStream = Pin<Box<dyn Stream<Item = Result<v1::StreamBackupResponse, Status>> + Send>>;

    async fn get_rack(&self, request: Request<v1::GetRackRequest>) -> Result<Response<v1::GetRackResponse>, Status> {
        access::caller_with(&request, Role::Viewer)?;
        Ok(Response::new(v1::GetRackResponse {
            rack: Some(self.rack().await?),
        }))
    }

    async fn apply_rack(
        &self,
        request: Request<v1::ApplyRackRequest>,
    ) -> Result<Response<v1::ApplyRackResponse>, Status> {
        Ok(Response::new(self.apply(request).await?))
    }

    async fn export_rack(
        &self,
        request: Request<v1::ExportRackRequest>,
    ) -> Result<Response<v1::ExportRackResponse>, Status> {
        access::caller_with(&request, Role::Viewer)?;
        Ok(Response::new(self.export().await?))
    }

    async fn reload(&self, _request: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Status> {
        Err(not_served("RackService.Reload").into())
    }

    async fn stream_backup(
        &self,
        request: Request<v1::StreamBackupRequest>,
    ) -> Result<Response<Self::StreamBackupStream>, Status> {
        access::caller_with(&request, Role::Admin)?;
        let files = self.surface.files().clone();
        let now = self.surface.clock().now();
        let parts = super::backup::parts(
            files,
            self.surface.rack().clone(),
            !request.into_inner().without_keys,
            now,
        );
        Ok(Response::new(Box::pin(parts)))
    }

    async fn check_upgrade(
        &self,
        request: Request<v1::CheckUpgradeRequest>,
    ) -> Result<Response<v1::CheckUpgradeResponse>, Status> {
        Ok(Response::new(super::upgrade::check(&self.surface, request).await?))
    }

    async fn set_log_level(
        &self,
        _request: Request<v1::SetLogLevelRequest>,
    ) -> Result<Response<v1::SetLogLevelResponse>, Status> {
        Err(not_served("RackService.SetLogLevel").into())
    }
}

/// The etag of a version of the plan.
pub(super) fn etag(version: u64) -> String {
    format!("plan-{version}")
}

/// The version of an etag.
///
/// # Errors
/// `ETAG_MISMATCH` when we did not give it.
pub(super) fn read_etag(given: &str) -> Result<u64, ErrorDetails> {
    let version = given.strip_prefix("plan-").and_then(|version| version.parse().ok());
    version.filter(|version| etag(*version) == given).ok_or_else(|| {
        ErrorDetails::new(Code::EtagMismatch).with_message("the etag was not given by GetRack or ExportRack")
    })
}

/// The plan that a request describes, with every error at its place in the request.
fn read_plan(source: Option<Source>, kind: RackKind) -> Result<RackPlan, ErrorDetails> {
    let wrong = |errors, under| {
        let violations = convert::violations(errors, under);
        let text = violations
            .first()
            .map_or_else(String::new, |first| format!("{}: {}", first.field, first.text));
        ErrorDetails::new(Code::RackInvalid)
            .with_message(format!(
                "the rack description has {} error(s), the first: {text}",
                violations.len()
            ))
            .with_violations(violations)
    };
    let (plan, under) = match source {
        None => {
            let text = "rack or rack_toml must be given; an empty description is given as an empty rack";
            return Err(invalid_field(Code::RequestInvalid, &At::top("source"), text));
        }
        Some(Source::Rack(given)) => {
            let plan = convert::plan(given, kind).map_err(|findings| invalid(Code::RackInvalid, findings))?;
            (plan, "rack")
        }
        Some(Source::RackToml(text)) => (
            RackPlan::from_toml(&text).map_err(|error| wrong(vec![error], "rack_toml"))?,
            "rack_toml",
        ),
    };
    plan.check().map_err(|errors| wrong(errors, under))?;
    Ok(plan)
}

const fn journal_state(health: &JournalHealth) -> v1::JournalState {
    match health {
        JournalHealth::Writing => v1::JournalState::Open,
        JournalHealth::Full => v1::JournalState::Full,
        JournalHealth::ReadOnly(_) => v1::JournalState::ReadOnly,
    }
}

fn counts(snapshot: &RackSnapshot, plan: &RackPlan) -> v1::RegisterCounts {
    let units = || snapshot.units.values();
    let count = |wanted: &dyn Fn(&UnitSnapshot) -> bool| {
        u32::try_from(units().filter(|unit| wanted(unit)).count()).unwrap_or(u32::MAX)
    };
    let answers = |id: &str| units().any(|unit| unit.register.as_ref().is_some_and(|one| one.to_string() == id));
    let absent = plan
        .registers
        .iter()
        .filter(|one| !answers(&format!("{}-{}", one.vendor, one.serial)))
        .count();
    let absent = u32::try_from(absent).unwrap_or(u32::MAX);
    let seen = |unit: &UnitSnapshot| unit.register.is_some();
    v1::RegisterCounts {
        total: count(&seen).saturating_add(absent),
        ready: count(&is_ready),
        standby: count(&|unit| unit.state == UnitState::Standby),
        held: count(&|unit| unit.state == UnitState::Held),
        quarantined: count(&|unit| unit.state == UnitState::Quarantined),
        lost: count(&|unit| seen(unit) && unit.state == UnitState::Lost).saturating_add(absent),
        foreign: count(&|unit| unit.state == UnitState::Foreign),
    }
}

fn reasons(snapshot: &RackSnapshot) -> Vec<v1::Reason> {
    let mut all = Vec::new();
    match &snapshot.journal {
        JournalHealth::Writing => {}
        JournalHealth::Full => all.push(reason(&Reason::new(Code::JournalFull, ""))),
        JournalHealth::ReadOnly(why) => all.push(reason(why)),
    }
    all.extend(snapshot.archive_faults.iter().map(reason));
    if snapshot.stopping {
        all.push(reason(&Reason::new(Code::DaemonStopping, "")));
    }
    if snapshot.rack_id.is_none() {
        all.push(reason(&Reason::new(Code::RackIdMissing, "")));
    }
    if !snapshot.clock_synchronised {
        all.push(reason(&Reason::new(Code::ClockHostUnsynchronised, "")));
    }
    all
}

/// What a person does on a host that serves nothing yet.
fn next_steps(plan: &RackPlan, named: bool) -> Vec<String> {
    if named && !plan.tenants.is_empty() && !plan.registers.is_empty() {
        return Vec::new();
    }
    let steps = [
        "Describe the rack in a file: rack_id, a [[tenant]], a [[slot]] with its port, a [[register]] with its serial \
         and FN. 'kassettectl rack export > rack.toml' writes what stands now; 'kassettectl rack apply --help' shows \
         an example.",
        "See the difference: 'kassettectl rack apply rack.toml' changes nothing.",
        "Make it: 'kassettectl rack apply rack.toml --yes', then look at 'kassettectl registers'.",
    ];
    steps.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_a_description_is_told_at_its_place() {
        let text = "rack_id = \"I\"\n[[tenant]]\ninn = \"1\"\nname = \"\"\n".to_owned();
        let refused = read_plan(Some(Source::RackToml(text)), RackKind::Test).unwrap_err();
        let fields: Vec<_> = refused
            .violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(refused.code, Code::RackInvalid);
        assert_eq!(
            fields,
            [
                "rack_toml.rack_id",
                "rack_toml.tenant[0].name",
                "rack_toml.tenant[0].inn"
            ]
        );
        for bad in ["= = =", "colour = 1", "\u{0}"] {
            let refused = read_plan(Some(Source::RackToml(bad.to_owned())), RackKind::Test).unwrap_err();
            assert_eq!(refused.code, Code::RackInvalid, "{bad}");
        }
        assert_eq!(read_plan(None, RackKind::Test).unwrap_err().code, Code::RequestInvalid);
    }

    #[test]
    fn etags_that_we_did_not_give_never_match() {
        assert_eq!(read_etag(&etag(17)).unwrap(), 17);
        for bad in [
            "",
            "17",
            "plan-",
            "plan-+17",
            "plan-017",
            "plan-99999999999999999999999",
        ] {
            assert_eq!(read_etag(bad).unwrap_err().code, Code::EtagMismatch, "{bad}");
        }
    }

    #[test]
    fn an_empty_host_is_told_its_next_three_steps() {
        assert_eq!(next_steps(&RackPlan::default(), false).len(), 3);
    }
}
