//! Who may do what: the one place where roles and grants are asked for.
//!
//! Owns: the rule that a tenant which is not described or not granted does not exist for the caller, nor do its jobs.
//! Must never: tell a caller without a grant whether a tenant exists.

use super::convert::findings::At;
use super::names::{self, TenantParent};
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_core::domain::plan::{Adoption, RackPlan, TenantPlan};
use kassette_wire::value::{FnNumber, Inn};
use std::collections::{BTreeMap, BTreeSet};
use tonic::Request;

/// A grant to every client that holds the provider's role.
pub const EVERY_PROVIDER: &str = "*";

/// The caller of a request.
///
/// # Errors
/// `CLIENT_UNKNOWN` when the listener named none or it holds no role at all.
pub fn caller<T>(request: &Request<T>) -> Result<ClientIdentity, ErrorDetails> {
    let identity = request.extensions().get::<ClientIdentity>();
    identity.filter(|identity| identity.is_known()).cloned().ok_or_else(|| {
        let name = identity.map_or("nobody", ClientIdentity::name);
        ErrorDetails::new(Code::ClientUnknown).with("client", name)
    })
}

/// The caller of a request, if it holds a role.
///
/// # Errors
/// `CLIENT_UNKNOWN`, or `ROLE_MISSING` with the role.
pub fn caller_with<T>(request: &Request<T>, role: Role) -> Result<ClientIdentity, ErrorDetails> {
    let caller = caller(request)?;
    require(&caller, role)?;
    Ok(caller)
}

/// That a client holds a role.
///
/// # Errors
/// `ROLE_MISSING` with the role.
pub fn require(caller: &ClientIdentity, role: Role) -> Result<(), ErrorDetails> {
    if caller.has(role) {
        return Ok(());
    }
    let text = format!("client {} does not hold the role {role}", caller.name());
    Err(ErrorDetails::new(Code::RoleMissing)
        .with_message(text)
        .with("client", caller.name())
        .with("role", role.as_str()))
}

/// The tenants of one version of the plan, and who was granted them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The version of the plan.
    pub version: u64,
    tenants: BTreeMap<Inn, TenantPlan>,
    adoptions: Vec<Adoption>,
}

impl Grants {
    /// The grants of a plan. A plan in force was checked when it was applied; one that fails now grants nothing.
    #[must_use]
    pub fn of(plan: &RackPlan, version: u64) -> Self {
        let checked = plan.check().unwrap_or_default();
        Self {
            version,
            tenants: checked.tenants,
            adoptions: checked.registers.into_values().collect(),
        }
    }

    /// Whether the client was granted the tenant. An admin is no provider unless granted.
    #[must_use]
    pub fn granted(&self, caller: &ClientIdentity, tenant: &Inn) -> bool {
        let clients = self
            .tenants
            .get(tenant)
            .map(|plan| plan.clients.as_slice())
            .unwrap_or_default();
        let named = |client: &String| client == caller.name() || client == EVERY_PROVIDER;
        caller.has(Role::Provider) && clients.iter().any(named)
    }

    /// The plan of a granted tenant.
    ///
    /// # Errors
    /// `TENANT_UNKNOWN`, whether it does not exist or is not granted.
    pub fn tenant(&self, caller: &ClientIdentity, tenant: &Inn) -> Result<&TenantPlan, ErrorDetails> {
        let plan = self.tenants.get(tenant).filter(|_| self.granted(caller, tenant));
        plan.ok_or_else(|| unknown_tenant(tenant))
    }

    /// The tenant named by `tenants/{inn}`.
    ///
    /// # Errors
    /// As the name's form, or `TENANT_UNKNOWN`.
    pub fn named(&self, caller: &ClientIdentity, at: &At<'_>, name: &str) -> Result<Inn, ErrorDetails> {
        let inn = names::read_tenant(at, name)?;
        self.tenant(caller, &inn)?;
        Ok(inn)
    }

    /// The tenants that a list or a watch of this parent covers.
    ///
    /// # Errors
    /// As [`Grants::named`].
    pub fn scope(&self, caller: &ClientIdentity, at: &At<'_>, parent: &str) -> Result<Scope, ErrorDetails> {
        match names::read_tenant_parent(at, parent)? {
            TenantParent::One(inn) => {
                self.tenant(caller, &inn)?;
                Ok(Scope {
                    only: Some(inn.clone()),
                    tenants: BTreeSet::from([inn]),
                })
            }
            TenantParent::All => Ok(Scope {
                only: None,
                tenants: self.all(caller),
            }),
        }
    }

    /// Every tenant granted to the client.
    #[must_use]
    pub fn all(&self, caller: &ClientIdentity) -> BTreeSet<Inn> {
        self.tenants
            .keys()
            .filter(|tenant| self.granted(caller, tenant))
            .cloned()
            .collect()
    }

    /// The zone of a tenant's registers, minutes east of UTC, when it is the same for all.
    #[must_use]
    pub fn zone_minutes(&self, tenant: &Inn) -> Option<i16> {
        let mut zones = self
            .adoptions
            .iter()
            .filter(|one| one.tenant == *tenant)
            .map(|one| one.zone_minutes);
        let first = zones.next()?;
        zones.all(|zone| zone == first).then_some(first)
    }

    /// The tenant whose register an FN stands in by the plan.
    #[must_use]
    pub fn tenant_of_fn(&self, number: &FnNumber) -> Option<&Inn> {
        self.adoptions
            .iter()
            .find(|one| one.fn_number == *number)
            .map(|one| &one.tenant)
    }
}

/// The tenants a list or a watch covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The one tenant asked for; `None` for all granted ones.
    pub only: Option<Inn>,
    /// All that are covered.
    pub tenants: BTreeSet<Inn>,
}

/// There is no such tenant for this client.
#[must_use]
pub fn unknown_tenant(tenant: &Inn) -> ErrorDetails {
    ErrorDetails::new(Code::TenantUnknown)
        .with_message(format!("there is no tenant {tenant} for this client"))
        .with("tenant", tenant.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At<'static> = At::top("parent");

    fn grants() -> Grants {
        let plan = RackPlan::from_toml(
            r#"
            [[tenant]]
            inn = "7704358518"
            name = "granted by name"
            clients = ["uid:1000"]
            [[tenant]]
            inn = "7707083893"
            name = "granted to every provider"
            clients = ["*"]
            [[tenant]]
            inn = "500100732259"
            name = "granted to nobody"
            [[register]]
            serial = "1"
            fn = "9999078900000001"
            tenant = "7704358518"
            [[register]]
            serial = "2"
            fn = "9999078900000002"
            tenant = "7707083893"
            [[register]]
            serial = "3"
            fn = "9999078900000003"
            tenant = "7707083893"
            zone = "+05:00"
            "#,
        );
        Grants::of(&plan.unwrap(), 3)
    }

    fn inn(text: &str) -> Inn {
        text.parse().unwrap()
    }

    #[test]
    fn a_tenant_that_is_not_granted_is_answered_exactly_like_one_that_does_not_exist() {
        let caller = ClientIdentity::new("uid:2000", [Role::Provider]);
        let hidden = grants().named(&caller, &AT, "tenants/7704358518").unwrap_err();
        let absent = Grants::default().named(&caller, &AT, "tenants/7704358518").unwrap_err();
        assert_eq!(hidden, absent);
        assert_eq!(hidden.code, Code::TenantUnknown);
    }

    #[test]
    fn only_providers_have_tenants_and_only_those_granted() {
        let grants = grants();
        let tenants = |name: &str, roles: &[Role]| {
            let all = grants.all(&ClientIdentity::new(name, roles.iter().copied()));
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(tenants("uid:1000", &[Role::Provider]), ["7704358518", "7707083893"]);
        assert_eq!(tenants("uid:2000", &[Role::Provider]), ["7707083893"]);
        assert!(tenants("uid:1000", &[Role::Viewer, Role::Technician]).is_empty());
        assert!(
            tenants("uid:1000", &[Role::Admin]).is_empty(),
            "an admin is no provider"
        );
    }

    #[test]
    fn a_request_without_a_client_or_without_the_role_is_refused() {
        let mut request = Request::new(());
        assert_eq!(caller(&request).unwrap_err().code, Code::ClientUnknown);
        request.extensions_mut().insert(ClientIdentity::new("uid:7", []));
        assert_eq!(caller(&request).unwrap_err().code, Code::ClientUnknown);
        request
            .extensions_mut()
            .insert(ClientIdentity::new("uid:7", [Role::Viewer]));
        let refused = caller_with(&request, Role::Admin).unwrap_err();
        assert_eq!(
            (refused.code, refused.metadata["role"].as_str()),
            (Code::RoleMissing, "admin")
        );
        assert!(caller_with(&request, Role::Viewer).is_ok());
    }

    #[test]
    fn a_zone_is_known_only_when_all_registers_of_a_tenant_share_it() {
        assert_eq!(grants().zone_minutes(&inn("7704358518")), Some(180));
        assert_eq!(grants().zone_minutes(&inn("7707083893")), None);
        assert_eq!(grants().zone_minutes(&inn("500100732259")), None);
    }
}
