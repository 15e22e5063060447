//! `DoubtService`: doubts with their evidence, and verdicts of persons where the FN cannot tell.
//!
//! Owns: the methods and who may call them: viewers see every doubt, providers those of their tenants, technicians settle.
//! Must never: judge a verdict, or tell a caller of a doubt whose tenant it may not see.

mod claim;
mod show;
mod watch;

use super::access::{self, Grants};
use super::convert::findings::{At, Findings};
use super::convert::receipt::unknown_value;
use super::status::{invalid, refusal};
use super::surface::Surface;
use super::tokens::{self, ListId};
use super::watching::{self, WatchStream};
use super::{names, orders};
use crate::identity::{ClientIdentity, Role};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::doubt_service_server::DoubtService;
use kassette_core::domain::doubt::{DoubtFilter, ShownDoubt};
use kassette_core::domain::verdict::Judgement;
use kassette_core::rack::{ReadingOrder, VerdictOrder};
use kassette_wire::value::Inn;
use std::sync::Arc;
use tonic::{Request, Response, Status};

const NAME: At<'static> = At::top("name");

/// The service.
#[derive(Clone)]
pub struct Doubts {
    surface: Surface,
}

/// Whose doubts a caller sees.
struct Look {
    caller: ClientIdentity,
    grants: Arc<Grants>,
}

impl Look {
    fn sees(&self, tenant: &Inn) -> bool {
        self.caller.has(Role::Viewer) || self.grants.granted(&self.caller, tenant)
    }

    /// What only those who settle doubts need to know is shown to nobody else.
    fn show(&self, doubt: &ShownDoubt) -> v1::Doubt {
        show::doubt(doubt, self.caller.has(Role::Technician))
    }
}

impl Doubts {
    /// The service of a surface.
    #[must_use]
    pub const fn new(surface: Surface) -> Self {
        Self { surface }
    }

    async fn look<T>(&self, request: &Request<T>) -> Result<Look, ErrorDetails> {
        let caller = access::caller(request)?;
        if !caller.has(Role::Provider) {
            access::require(&caller, Role::Viewer)?;
        }
        let grants = self.surface.grants().await?;
        Ok(Look { caller, grants })
    }

    /// A doubt that the caller may not see is answered like one that does not exist.
    async fn get(&self, look: &Look, name: &str) -> Result<ShownDoubt, ErrorDetails> {
        let id = names::read_doubt(&NAME, name)?;
        let absent = || ErrorDetails::new(Code::DoubtNotFound).with_message(format!("there is no {name}"));
        let found = self.surface.rack().doubt(id).await.map_err(|error| {
            if error.reason.code == Code::DoubtNotFound {
                absent()
            } else {
                refusal(error)
            }
        })?;
        look.sees(&found.doubt.tenant).then_some(found).ok_or_else(absent)
    }

    async fn list(&self, request: Request<v1::ListDoubtsRequest>) -> Result<v1::ListDoubtsResponse, ErrorDetails> {
        let look = self.look(&request).await?;
        let given = request.into_inner();
        let whole = v1::ListDoubtsRequest {
            page_size: None,
            page_token: None,
            ..given.clone()
        };
        let list = ListId::new("ListDoubts", &whole);
        let filter = DoubtFilter {
            open: !given.states.contains(&v1::DoubtState::Resolved.into()),
            tenant: read(given.tenant.as_deref(), |name| {
                names::read_tenant(&At::top("tenant"), name)
            })?,
            register: read(given.register.as_deref(), |name| {
                names::read_register(&At::top("register"), name)
            })?,
        };
        states(&given.states)?;
        let size = tokens::page_size(given.page_size)?;
        // The cursor of the first page stands for all of them: a watch from there misses nothing.
        let (sequence, after) = position(list, given.page_token.as_deref())?;
        let page = self.surface.rack().doubts(filter, after, size).await.map_err(refusal)?;
        let sequence = sequence.unwrap_or(page.sequence);
        let wanted = |one: &&ShownDoubt| {
            look.sees(&one.doubt.tenant)
                && (given.states.is_empty() || given.states.contains(&show::state(one.state).into()))
        };
        Ok(v1::ListDoubtsResponse {
            doubts: page.rows.iter().filter(wanted).map(|one| look.show(one)).collect(),
            next_page_token: page
                .next
                .map(|next| list.token(&format!("{sequence}:{next}")))
                .unwrap_or_default(),
            watch_cursor: tokens::cursor(self.surface.snapshot().generation, sequence),
        })
    }

    async fn read_again(
        &self,
        request: Request<v1::ReadDoubtEvidenceRequest>,
    ) -> Result<v1::ReadDoubtEvidenceResponse, ErrorDetails> {
        access::caller_with(&request, Role::Technician)?;
        let look = self.look(&request).await?;
        let given = request.into_inner();
        orders::words(given.reason.as_deref(), given.request_id.as_deref())?;
        let order = ReadingOrder {
            doubt: names::read_doubt(&NAME, &given.name)?,
            expected_revision: given.etag.as_deref().map(show::read_etag).transpose()?,
            validate_only: given.validate_only,
            reason: given.reason,
            request_id: given.request_id,
            client: look.caller.name().to_owned(),
        };
        let doubt = self.surface.rack().read_again(order).await.map_err(refusal)?;
        Ok(v1::ReadDoubtEvidenceResponse {
            doubt: Some(look.show(&doubt)),
        })
    }

    async fn settle(&self, request: Request<v1::SettleDoubtRequest>) -> Result<v1::SettleDoubtResponse, ErrorDetails> {
        access::caller_with(&request, Role::Technician)?;
        let look = self.look(&request).await?;
        let given = request.into_inner();
        orders::words(given.reason.as_deref(), given.request_id.as_deref())?;
        let order = VerdictOrder {
            doubt: names::read_doubt(&NAME, &given.name)?,
            claim: claim::read(&given)?,
            repeats: claim::repeats(&given)?,
            expected_revision: given.etag.as_deref().map(show::read_etag).transpose()?,
            validate_only: given.validate_only,
            reason: given.reason,
            request_id: given.request_id,
            client: look.caller.name().to_owned(),
        };
        let (doubt, judged) = self.surface.rack().give_verdict(order).await.map_err(refusal)?;
        Ok(v1::SettleDoubtResponse {
            doubt: Some(look.show(&doubt)),
            needs_second_person: judged == Judgement::NeedsSecond,
        })
    }
}

fn read<T>(given: Option<&str>, read: impl FnOnce(&str) -> Result<T, ErrorDetails>) -> Result<Option<T>, ErrorDetails> {
    given.map(read).transpose()
}

/// The sequence of the first page and the row after which this one begins.
fn position(list: ListId, token: Option<&str>) -> Result<(Option<u64>, Option<i64>), ErrorDetails> {
    // A sealed token of this list always holds such a position.
    let position = list.position(token)?;
    let position = position.as_deref().and_then(|text| text.split_once(':'));
    Ok(match position {
        Some((sequence, after)) => (sequence.parse().ok(), after.parse().ok()),
        None => (None, None),
    })
}

fn states(given: &[i32]) -> Result<(), ErrorDetails> {
    let mut findings = Findings::default();
    for (index, value) in given.iter().enumerate() {
        if !matches!(v1::DoubtState::try_from(*value), Ok(state) if state != v1::DoubtState::Unspecified) {
            unknown_value(&mut findings, &At::top("request").element("states", index), *value);
        }
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(invalid(Code::RequestInvalid, findings))
    }
}

#[tonic::async_trait]
impl DoubtService for Doubts {
    type WatchDoubtsStream = WatchStream<v1::WatchDoubtsResponse>;

    async fn get_doubt(&self, request: Request<v1::GetDoubtRequest>) -> Result<Response<v1::GetDoubtResponse>, Status> {
        let look = self.look(&request).await?;
        let doubt = self.get(&look, &request.get_ref().name).await?;
        let doubt = Some(look.show(&doubt));
        Ok(Response::new(v1::GetDoubtResponse { doubt }))
    }

    async fn list_doubts(
        &self,
        request: Request<v1::ListDoubtsRequest>,
    ) -> Result<Response<v1::ListDoubtsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn watch_doubts(
        &self,
        request: Request<v1::WatchDoubtsRequest>,
    ) -> Result<Response<Self::WatchDoubtsStream>, Status> {
        let look = self.look(&request).await?;
        let given = request.into_inner();
        let tenant = read(given.tenant.as_deref(), |name| {
            names::read_tenant(&At::top("tenant"), name)
        })?;
        let watched = watch::DoubtWatch {
            surface: self.surface.clone(),
            caller: look.caller,
            tenant,
        };
        let stream = watching::begin(&self.surface, given.start, watched).await?;
        Ok(Response::new(stream))
    }

    async fn read_doubt_evidence(
        &self,
        request: Request<v1::ReadDoubtEvidenceRequest>,
    ) -> Result<Response<v1::ReadDoubtEvidenceResponse>, Status> {
        Ok(Response::new(self.read_again(request).await?))
    }

    async fn settle_doubt(
        &self,
        request: Request<v1::SettleDoubtRequest>,
    ) -> Result<Response<v1::SettleDoubtResponse>, Status> {
        Ok(Response::new(self.settle(request).await?))
    }
}
