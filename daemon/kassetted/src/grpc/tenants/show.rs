//! Tenants and clients as the contract shows them.
//!
//! Owns: how the plan, the queue and the units of one tenant are put together.
//! Must never: show a client's grants to another client that is no viewer.

use crate::grpc::access::EVERY_PROVIDER;
use crate::grpc::convert::plan::shown_clients;
use crate::grpc::convert::reason::reason;
use crate::grpc::convert::time::duration;
use crate::grpc::convert::unit::is_ready;
use crate::grpc::receipts::tenant_status::why_not;
use crate::grpc::{names, rack};
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::client::Identity;
use kassette_core::domain::error::Reason;
use kassette_core::domain::plan::{Admission, RackPlan, TenantPlan};
use kassette_core::domain::snapshot::RackSnapshot;
use kassette_core::rack::Standing;
use kassette_wire::value::Inn;
use std::collections::BTreeMap;

/// Id of the one cassette of a tenant that described none.
const IMPLIED_CASSETTE: &str = "implied";

/// What is shown of all tenants together.
pub struct Scene<'a> {
    /// The plan and the revisions.
    pub standing: &'a Standing,
    /// Units and queues.
    pub snapshot: &'a RackSnapshot,
    /// Jobs that need a person, by tenant.
    pub persons: &'a BTreeMap<Inn, u64>,
    /// Who looks.
    pub caller: &'a ClientIdentity,
}

impl Scene<'_> {
    /// One tenant, if there is one.
    pub fn tenant(&self, inn: &Inn) -> Option<v1::Tenant> {
        let plan = self.standing.checked.tenants.get(inn)?;
        let units: Vec<_> = self
            .snapshot
            .units
            .values()
            .filter(|unit| unit.tenant.as_ref() == Some(inn))
            .collect();
        let ready = units.iter().filter(|unit| is_ready(unit)).count();
        let queue = self.snapshot.queues.get(inn).cloned().unwrap_or_default();
        let revision = self.standing.revision(inn);
        let mut reasons: Vec<v1::Reason> = admission(plan).into_iter().collect();
        reasons.extend(why_not(self.snapshot, plan, &queue, &units));
        Some(v1::Tenant {
            name: names::tenant(inn),
            inn: inn.to_string(),
            display_name: plan.name.clone(),
            cassettes: vec![format!("{}/cassettes/{IMPLIED_CASSETTE}", names::tenant(inn))],
            clients: self.clients(plan),
            default_ttl: Some(duration(plan.ttl_s.saturating_mul(1000))),
            contact_retention: plan.contact_retention_s.map(|kept| duration(kept.saturating_mul(1000))),
            queue_limit: plan.queue_max,
            submissions_per_second: plan.submissions_per_second,
            key_in_user_attribute: false,
            fleet: false,
            marking_policy: v1::MarkingPolicy::Unspecified.into(),
            cordoned: plan.admission == Admission::Cordoned,
            draining: plan.admission == Admission::Draining,
            jobs_waiting: queue.waiting,
            jobs_in_doubt: queue.in_doubt,
            jobs_needing_person: self.persons.get(inn).copied().unwrap_or_default(),
            units: count(units.len()),
            ready_units: count(ready),
            reasons,
            revision,
            etag: etag(revision),
        })
    }

    /// A viewer sees all clients, a provider itself.
    fn clients(&self, plan: &TenantPlan) -> Vec<String> {
        let seen = |client: &&String| {
            self.caller.has(Role::Viewer) || *client == self.caller.name() || *client == EVERY_PROVIDER
        };
        plan.clients.iter().filter(seen).cloned().collect()
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Why an operator lets the tenant take nothing new.
pub fn admission(plan: &TenantPlan) -> Option<v1::Reason> {
    let code = match plan.admission {
        Admission::Open => return None,
        Admission::Cordoned => Code::TenantCordoned,
        Admission::Draining => Code::TenantDraining,
    };
    Some(reason(&Reason::new(code, "")))
}

/// The etag of a revision of a tenant.
pub fn etag(revision: u64) -> String {
    format!("tenant-{revision}")
}

/// The revision of an etag.
///
/// # Errors
/// `ETAG_MISMATCH` when we did not give it.
pub fn read_etag(given: &str) -> Result<u64, ErrorDetails> {
    let revision = given.strip_prefix("tenant-").and_then(|revision| revision.parse().ok());
    revision.filter(|revision| etag(*revision) == given).ok_or_else(|| {
        ErrorDetails::new(Code::EtagMismatch).with_message("the etag was not given by GetTenant or ListTenants")
    })
}

/// Every client of a plan, by name.
pub fn clients(plan: &RackPlan, version: u64) -> BTreeMap<String, v1::Client> {
    let shown = shown_clients(plan).into_iter().map(|client| {
        let one = v1::Client {
            name: client.name.clone(),
            identity: uid(&client.name),
            grants: client.grants,
            denied: false,
            last_call_at: None,
            etag: rack::etag(version),
        };
        (client.name, one)
    });
    shown.collect()
}

fn uid(name: &str) -> Option<Identity> {
    name.strip_prefix("uid:")?.parse().ok().map(Identity::Uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_that_we_did_not_give_never_match() {
        assert_eq!(read_etag(&etag(17)).unwrap(), 17);
        for bad in [
            "",
            "17",
            "tenant-",
            "tenant-+17",
            "tenant-017",
            "plan-17",
            "tenant-99999999999999999999999",
        ] {
            assert_eq!(read_etag(bad).unwrap_err().code, Code::EtagMismatch, "{bad}");
        }
    }
}
