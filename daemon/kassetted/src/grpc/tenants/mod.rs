//! `TenantService`: tenants, their limits, and the clients that act for them.
//!
//! Owns: the methods and who may call them: viewers see every tenant, providers those granted to them, admins change.
//! Must never: keep anything of a tenant: the plan of the rack is the one truth.

mod change;
mod show;
mod watch;

use super::access::{self, Grants, unknown_tenant};
use super::convert::findings::At;
use super::status::{not_served, refusal};
use super::surface::Surface;
use super::tokens::{self, ListId, PAGE_MAX};
use super::watching::{self, WatchStream};
use super::{names, orders, rack};
use crate::identity::{ClientIdentity, Role};
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::tenant_service_server::TenantService;
use kassette_core::domain::job::JobFilter;
use kassette_core::domain::plan::Admission;
use kassette_core::domain::snapshot::RackSnapshot;
use kassette_core::domain::tenant::TenantChange;
use kassette_core::rack::{Standing, TenantOrder};
use kassette_wire::value::Inn;
use show::Scene;
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) use show::admission;

const NAME: At<'static> = At::top("name");

/// The service.
#[derive(Clone)]
pub struct Tenants {
    surface: Surface,
}

/// Everything that is shown of tenants, taken together.
struct Look {
    standing: Arc<Standing>,
    snapshot: Arc<RackSnapshot>,
    persons: BTreeMap<Inn, u64>,
    grants: Arc<Grants>,
}

impl Look {
    fn scene<'a>(&'a self, caller: &'a ClientIdentity) -> Scene<'a> {
        Scene {
            standing: &self.standing,
            snapshot: &self.snapshot,
            persons: &self.persons,
            caller,
        }
    }

    fn visible(&self, caller: &ClientIdentity, tenant: &Inn) -> bool {
        caller.has(Role::Viewer) || self.grants.granted(caller, tenant)
    }

    /// A tenant that the caller may not see is answered like one that does not exist.
    fn tenant(&self, caller: &ClientIdentity, tenant: &Inn) -> Result<v1::Tenant, ErrorDetails> {
        let seen = self.visible(caller, tenant);
        let shown = seen.then(|| self.scene(caller).tenant(tenant)).flatten();
        shown.ok_or_else(|| unknown_tenant(tenant))
    }
}

/// What an order says beside its change.
struct Words {
    etag: Option<String>,
    validate_only: bool,
    reason: Option<String>,
    request_id: Option<String>,
}

/// The words of any order of this service.
macro_rules! words {
    ($given:expr) => {
        Words {
            etag: $given.etag,
            validate_only: $given.validate_only,
            reason: $given.reason,
            request_id: $given.request_id,
        }
    };
}

fn reader<T>(request: &Request<T>) -> Result<ClientIdentity, ErrorDetails> {
    let caller = access::caller(request)?;
    if !caller.has(Role::Provider) {
        access::require(&caller, Role::Viewer)?;
    }
    Ok(caller)
}

impl Tenants {
    /// The service of a surface.
    #[must_use]
    pub const fn new(surface: Surface) -> Self {
        Self { surface }
    }

    async fn look(&self, caller: &ClientIdentity) -> Result<Look, ErrorDetails> {
        let grants = self.surface.grants().await?;
        // Counted up to a page: more than a thousand jobs that need a person is "very many" to any reader.
        let waiting = JobFilter {
            needs_person: Some(true),
            tenant: None,
            ..JobFilter::default()
        };
        let mut persons = BTreeMap::new();
        if caller.has(Role::Viewer) || !grants.all(caller).is_empty() {
            let page = self
                .surface
                .rack()
                .jobs(waiting, None, PAGE_MAX)
                .await
                .map_err(refusal)?;
            for job in page.rows {
                *persons.entry(job.tenant).or_default() += 1;
            }
        }
        Ok(Look {
            standing: self.surface.rack().standing(),
            snapshot: self.surface.snapshot(),
            persons,
            grants,
        })
    }

    async fn list(&self, request: Request<v1::ListTenantsRequest>) -> Result<v1::ListTenantsResponse, ErrorDetails> {
        let caller = reader(&request)?;
        let given = request.into_inner();
        let size = tokens::page_size(given.page_size)? as usize;
        let list = ListId::new("ListTenants", &v1::ListTenantsRequest::default());
        let position = list.position(given.page_token.as_deref())?;
        // A sealed token of this list always holds such a position.
        let position = position.as_deref().and_then(|text| text.split_once(':'));
        let sequence = position.and_then(|(sequence, _)| sequence.parse().ok());
        let sequence = sequence.unwrap_or_else(|| *self.surface.rack().sequence().borrow());
        let after = position.map_or("", |(_, after)| after);
        let look = self.look(&caller).await?;
        let tenants = look.standing.checked.tenants.keys();
        let mut rest = tenants.filter(|inn| inn.as_str() > after && look.visible(&caller, inn));
        let rows: Vec<&Inn> = rest.by_ref().take(size).collect();
        let more = rows.last().filter(|_| rest.next().is_some());
        let scene = look.scene(&caller);
        Ok(v1::ListTenantsResponse {
            tenants: rows.iter().filter_map(|inn| scene.tenant(inn)).collect(),
            next_page_token: more
                .map(|last| list.token(&format!("{sequence}:{last}")))
                .unwrap_or_default(),
            watch_cursor: tokens::cursor(look.snapshot.generation, sequence),
        })
    }

    /// Changes one tenant; the tenant after it.
    async fn change(
        &self,
        caller: &ClientIdentity,
        name: &str,
        change: TenantChange,
        words: Words,
    ) -> Result<v1::Tenant, ErrorDetails> {
        let tenant = names::read_tenant(&NAME, name)?;
        let expected_revision = words.etag.as_deref().map(show::read_etag).transpose()?;
        let order = TenantOrder {
            expected_revision,
            ..order(caller, vec![tenant.clone()], change, words)?
        };
        let standing = self.make(order).await?;
        let look = Look {
            standing,
            ..self.look(caller).await?
        };
        look.tenant(caller, &tenant)
    }

    async fn make(&self, order: TenantOrder) -> Result<Arc<Standing>, ErrorDetails> {
        change::check(&order.change, &self.surface.rack().standing().plan, &order.tenants)?;
        self.surface.rack().change_tenants(order).await.map_err(refusal)
    }

    async fn admit<T>(
        &self,
        caller: Result<ClientIdentity, ErrorDetails>,
        name: &str,
        admission: Admission,
        words: Words,
        answer: impl FnOnce(Option<v1::Tenant>) -> T,
    ) -> Result<Response<T>, Status> {
        let change = TenantChange {
            admission: Some(admission),
            ..TenantChange::default()
        };
        let tenant = self.change(&caller?, name, change, words).await?;
        Ok(Response::new(answer(Some(tenant))))
    }

    /// Changes what a client is granted; the client after it.
    async fn regrant(
        &self,
        caller: &ClientIdentity,
        client: String,
        inn: Option<Inn>,
        change: TenantChange,
        words: Words,
    ) -> Result<v1::Client, ErrorDetails> {
        let standing = self.surface.rack().standing();
        let tenants = inn.map_or_else(|| standing.checked.tenants.keys().cloned().collect(), |inn| vec![inn]);
        let expected_version = words.etag.as_deref().map(rack::read_etag).transpose()?;
        let order = TenantOrder {
            expected_version,
            ..order(caller, tenants, change, words)?
        };
        let standing = self.make(order).await?;
        let known = show::clients(&standing.plan, standing.version).remove(&client);
        Ok(known.unwrap_or_else(|| v1::Client {
            name: client,
            etag: rack::etag(standing.version),
            ..v1::Client::default()
        }))
    }

    async fn clients(&self, request: Request<v1::ListClientsRequest>) -> Result<v1::ListClientsResponse, ErrorDetails> {
        access::caller_with(&request, Role::Viewer)?;
        let given = request.into_inner();
        let whole = v1::ListClientsRequest {
            page_size: None,
            page_token: None,
            ..given.clone()
        };
        let list = ListId::new("ListClients", &whole);
        let standing = self.surface.rack().standing();
        let tenant = given.tenant.as_deref();
        let tenant = tenant
            .map(|name| names::read_tenant(&At::top("tenant"), name))
            .transpose()?;
        if let Some(inn) = tenant
            .as_ref()
            .filter(|inn| !standing.checked.tenants.contains_key(*inn))
        {
            return Err(unknown_tenant(inn));
        }
        let of_tenant = |client: &v1::Client| {
            let mut inns = client.grants.iter().filter_map(|grant| grant.inn.as_deref());
            tenant.as_ref().is_none_or(|inn| inns.any(|one| one == inn.as_str()))
        };
        let rows = show::clients(&standing.plan, standing.version)
            .into_values()
            .filter(of_tenant);
        let token = given.page_token.as_deref();
        let (clients, next_page_token) = super::inventory::page(rows, |one| &one.name, given.page_size, token, list)?;
        Ok(v1::ListClientsResponse {
            clients,
            next_page_token,
        })
    }
}

fn order(
    caller: &ClientIdentity,
    tenants: Vec<Inn>,
    change: TenantChange,
    words: Words,
) -> Result<TenantOrder, ErrorDetails> {
    orders::words(words.reason.as_deref(), words.request_id.as_deref())?;
    Ok(TenantOrder {
        tenants,
        change,
        expected_revision: None,
        expected_version: None,
        validate_only: words.validate_only,
        reason: words.reason,
        request_id: words.request_id,
        client: caller.name().to_owned(),
    })
}

#[tonic::async_trait]
impl TenantService for Tenants {
    type WatchTenantsStream = WatchStream<v1::WatchTenantsResponse>;

    async fn get_tenant(
        &self,
        request: Request<v1::GetTenantRequest>,
    ) -> Result<Response<v1::GetTenantResponse>, Status> {
        let caller = reader(&request)?;
        let inn = names::read_tenant(&NAME, &request.get_ref().name)?;
        let tenant = Some(self.look(&caller).await?.tenant(&caller, &inn)?);
        Ok(Response::new(v1::GetTenantResponse { tenant }))
    }

    async fn list_tenants(
        &self,
        request: Request<v1::ListTenantsRequest>,
    ) -> Result<Response<v1::ListTenantsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn watch_tenants(
        &self,
        request: Request<v1::WatchTenantsRequest>,
    ) -> Result<Response<Self::WatchTenantsStream>, Status> {
        let caller = reader(&request)?;
        let watched = watch::TenantWatch {
            service: self.clone(),
            caller,
        };
        let stream = watching::begin(&self.surface, request.into_inner().start, watched).await?;
        Ok(Response::new(stream))
    }

    async fn update_tenant(
        &self,
        request: Request<v1::UpdateTenantRequest>,
    ) -> Result<Response<v1::UpdateTenantResponse>, Status> {
        let caller = access::caller_with(&request, Role::Admin)?;
        let given = request.into_inner();
        let change = change::update(&given)?;
        let tenant = Some(self.change(&caller, &given.name, change, words!(given)).await?);
        Ok(Response::new(v1::UpdateTenantResponse { tenant }))
    }

    async fn cordon_tenant(
        &self,
        request: Request<v1::CordonTenantRequest>,
    ) -> Result<Response<v1::CordonTenantResponse>, Status> {
        let caller = access::caller_with(&request, Role::Admin);
        let given = request.into_inner();
        let answer = |tenant| v1::CordonTenantResponse { tenant };
        self.admit(caller, &given.name, Admission::Cordoned, words!(given), answer)
            .await
    }

    async fn uncordon_tenant(
        &self,
        request: Request<v1::UncordonTenantRequest>,
    ) -> Result<Response<v1::UncordonTenantResponse>, Status> {
        let caller = access::caller_with(&request, Role::Admin);
        let given = request.into_inner();
        let answer = |tenant| v1::UncordonTenantResponse { tenant };
        self.admit(caller, &given.name, Admission::Open, words!(given), answer)
            .await
    }

    async fn drain_tenant(
        &self,
        request: Request<v1::DrainTenantRequest>,
    ) -> Result<Response<v1::DrainTenantResponse>, Status> {
        let caller = access::caller_with(&request, Role::Admin);
        let given = request.into_inner();
        if given.deadline.is_some() {
            return Err(not_served("DrainTenant.deadline").into());
        }
        let answer = |tenant| v1::DrainTenantResponse { tenant };
        self.admit(caller, &given.name, Admission::Draining, words!(given), answer)
            .await
    }

    async fn list_clients(
        &self,
        request: Request<v1::ListClientsRequest>,
    ) -> Result<Response<v1::ListClientsResponse>, Status> {
        Ok(Response::new(self.clients(request).await?))
    }

    async fn grant_role(
        &self,
        request: Request<v1::GrantRoleRequest>,
    ) -> Result<Response<v1::GrantRoleResponse>, Status> {
        let caller = access::caller_with(&request, Role::Admin)?;
        let given = request.into_inner();
        let (client, inn) = change::grant(&given.client, given.grant.as_ref())?;
        let change = TenantChange {
            grant: Some(client.clone()),
            ..TenantChange::default()
        };
        let client = Some(self.regrant(&caller, client, inn, change, words!(given)).await?);
        Ok(Response::new(v1::GrantRoleResponse { client }))
    }

    async fn revoke_role(
        &self,
        request: Request<v1::RevokeRoleRequest>,
    ) -> Result<Response<v1::RevokeRoleResponse>, Status> {
        let caller = access::caller_with(&request, Role::Admin)?;
        let given = request.into_inner();
        let (client, inn) = change::grant(&given.client, given.grant.as_ref())?;
        let change = TenantChange {
            revoke: Some(client.clone()),
            ..TenantChange::default()
        };
        let client = Some(self.regrant(&caller, client, inn, change, words!(given)).await?);
        Ok(Response::new(v1::RevokeRoleResponse { client }))
    }

    async fn deny_client(
        &self,
        _request: Request<v1::DenyClientRequest>,
    ) -> Result<Response<v1::DenyClientResponse>, Status> {
        Err(not_served("TenantService.DenyClient").into())
    }
}
