//! Changes of one tenant within a plan. Pure.
//!
//! Owns: what an order may change of a tenant, and that everything it does not name stays.
//! Must never: make a tenant, or remove one: a whole plan does.

use super::plan::{Admission, RackPlan, TenantPlan};
use kassette_wire::value::Inn;
use serde::Serialize;

/// What an order changes of a tenant; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TenantChange {
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Default lifetime of a job in the queue, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// How long contacts of ended jobs are kept, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_retention_s: Option<u64>,
    /// Most jobs that may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_max: Option<u64>,
    /// Most new jobs a second; 0: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submissions_per_second: Option<u32>,
    /// Whether new receipts are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
    /// A client that is granted the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// A client whose grant is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke: Option<String>,
}

impl TenantChange {
    /// Changes one tenant.
    pub fn make(&self, tenant: &mut TenantPlan) {
        if let Some(name) = &self.name {
            tenant.name.clone_from(name);
        }
        tenant.ttl_s = self.ttl_s.unwrap_or(tenant.ttl_s);
        tenant.contact_retention_s = self.contact_retention_s.or(tenant.contact_retention_s);
        tenant.queue_max = self.queue_max.unwrap_or(tenant.queue_max);
        tenant.submissions_per_second = self.submissions_per_second.unwrap_or(tenant.submissions_per_second);
        tenant.admission = self.admission.unwrap_or(tenant.admission);
        if let Some(client) = self.grant.as_ref().filter(|client| !tenant.clients.contains(client)) {
            tenant.clients.push(client.clone());
        }
        if let Some(client) = &self.revoke {
            tenant.clients.retain(|granted| granted != client);
        }
    }

    /// A plan with these tenants changed.
    #[must_use]
    pub fn made_in(&self, plan: &RackPlan, tenants: &[Inn]) -> RackPlan {
        let mut next = plan.clone();
        let meant = |tenant: &&mut TenantPlan| tenants.iter().any(|inn| inn.as_str() == tenant.inn);
        for tenant in next.tenants.iter_mut().filter(meant) {
            self.make(tenant);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_does_not_name_stays_and_other_tenants_are_not_touched() {
        let plan = RackPlan::from_toml(
            r#"
            [[tenant]]
            inn = "7704358518"
            name = "first"
            ttl_s = 60
            clients = ["uid:1"]
            [[tenant]]
            inn = "7707083893"
            name = "second"
            "#,
        )
        .unwrap();
        let change = TenantChange {
            queue_max: Some(5),
            grant: Some("uid:2".into()),
            ..TenantChange::default()
        };
        let inn: Inn = "7704358518".parse().unwrap();
        let next = change.made_in(&plan, std::slice::from_ref(&inn));
        let wanted = TenantPlan {
            queue_max: 5,
            clients: vec!["uid:1".into(), "uid:2".into()],
            ..plan.tenants[0].clone()
        };
        assert_eq!(next.tenants, [wanted, plan.tenants[1].clone()]);
        assert_eq!(
            change.made_in(&next, &[inn]),
            next,
            "a change made twice changes nothing more"
        );
    }
}
