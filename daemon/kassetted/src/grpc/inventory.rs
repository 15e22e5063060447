//! `InventoryService`: slots, registers and FNs as they stand.
//!
//! Owns: lists and single objects of hardware.
//! Must never: touch hardware: what it shows is the latest snapshot and the plan.

use super::access;
use super::convert::findings::{At, Findings};
use super::convert::receipt::unknown_value;
use super::convert::unit;
use super::names;
use super::status::{invalid, not_served, refusal};
use super::surface::Surface;
use super::tokens::{self, ListId};
use crate::identity::Role;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1::inventory_service_server::InventoryService;
use kassette_api::v1::{self, FiscalStorage, Register};
use kassette_core::domain::plan::CheckedPlan;
use kassette_core::domain::snapshot::RackSnapshot;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

const NAME: At<'static> = At::top("name");

/// The service.
#[derive(Clone)]
pub struct Inventory {
    surface: Surface,
}

/// What stands now: one snapshot and the plan.
struct Standing {
    snapshot: Arc<RackSnapshot>,
    plan: CheckedPlan,
}

impl Inventory {
    /// The service of a surface.
    #[must_use]
    pub const fn new(surface: Surface) -> Self {
        Self { surface }
    }

    /// What stands now, for a caller that may look.
    async fn look<T>(&self, request: &Request<T>) -> Result<Standing, ErrorDetails> {
        access::caller_with(request, Role::Viewer)?;
        let (plan, _) = self.surface.rack().plan().await.map_err(refusal)?;
        Ok(Standing {
            snapshot: self.surface.snapshot(),
            plan: plan.check().unwrap_or_default(),
        })
    }

    fn cursor(&self) -> String {
        let snapshot = self.surface.snapshot();
        tokens::cursor(snapshot.generation, snapshot.sequence)
    }
}

impl Standing {
    fn slots(&self) -> impl Iterator<Item = v1::Slot> {
        self.snapshot.units.values().map(unit::slot)
    }

    /// By name: those that answer, and adopted ones that do not.
    fn registers(&self) -> BTreeMap<String, Register> {
        let absent = self.plan.registers.values().map(unit::absent_register);
        let seen = self.snapshot.units.values().filter_map(unit::register);
        // A register that answers replaces its absent self.
        absent.chain(seen).map(|one| (one.name.clone(), one)).collect()
    }

    /// By name: those that were read, and adopted ones that were not.
    fn fiscal_storages(&self) -> BTreeMap<String, FiscalStorage> {
        let absent = self.plan.registers.values().map(unit::absent_fiscal_storage);
        let seen = self.snapshot.units.values().filter_map(unit::fiscal_storage);
        absent.chain(seen).map(|one| (one.name.clone(), one)).collect()
    }
}

/// One page of rows that are sorted by name.
pub(super) fn page<T>(
    rows: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &str,
    size: Option<i32>,
    token: Option<&str>,
    list: ListId,
) -> Result<(Vec<T>, String), ErrorDetails> {
    let size = tokens::page_size(size)? as usize;
    let after = list.position(token)?.unwrap_or_default();
    let mut rest = rows.filter(|row| name(row) > after.as_str());
    let rows: Vec<T> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let next = rows
        .last()
        .filter(|_| more)
        .map(|last| list.token(name(last)))
        .unwrap_or_default();
    Ok((rows, next))
}

fn absent(code: Code, name: &str) -> ErrorDetails {
    ErrorDetails::new(code).with_message(format!("there is no {name} in this rack"))
}

fn tenant_filter(given: Option<&str>) -> Result<(), ErrorDetails> {
    given.map_or(Ok(()), |name| names::read_tenant(&At::top("tenant"), name).map(drop))
}

fn states(given: &[i32]) -> Result<(), ErrorDetails> {
    let mut findings = Findings::default();
    for (index, value) in given.iter().enumerate() {
        if !matches!(v1::UnitState::try_from(*value), Ok(state) if state != v1::UnitState::Unspecified) {
            unknown_value(&mut findings, &At::top("request").element("states", index), *value);
        }
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(invalid(Code::RequestInvalid, findings))
    }
}

/// Methods of the contract that are not served; written as `async_trait` writes them, since it does not look into
/// macros.
macro_rules! not_served_yet {
    ($($method:ident: $request:ident => $response:ident = $name:literal;)*) => {
        $(
            fn $method<'life0, 'async_trait>(
                &'life0 self,
                _: Request<v1::$request>,
            ) -> Answer<'async_trait, v1::$response>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(std::future::ready(Err(not_served(concat!("InventoryService.", $name)).into())))
            }
        )*
    };
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

#[tonic::async_trait]
impl InventoryService for Inventory {
    type WatchInventoryStream = Pin<Box<dyn Stream<Item = Result<v1::WatchInventoryResponse, Status>> + Send>>;

    async fn get_slot(&self, request: Request<v1::GetSlotRequest>) -> Result<Response<v1::GetSlotResponse>, Status> {
        let standing = self.look(&request).await?;
        let label = names::read_slot(&NAME, &request.get_ref().name)?;
        let slot = standing.snapshot.units.get(label).map(unit::slot);
        let slot = slot.ok_or_else(|| absent(Code::SlotNotFound, &request.get_ref().name))?;
        Ok(Response::new(v1::GetSlotResponse { slot: Some(slot) }))
    }

    async fn list_slots(
        &self,
        request: Request<v1::ListSlotsRequest>,
    ) -> Result<Response<v1::ListSlotsResponse>, Status> {
        let standing = self.look(&request).await?;
        let given = request.into_inner();
        let whole = v1::ListSlotsRequest {
            page_size: None,
            page_token: None,
            ..given.clone()
        };
        let list = ListId::new("ListSlots", &whole);
        let wanted = |slot: &v1::Slot| given.with_problems.is_none_or(|wanted| wanted == slot.reason.is_some());
        let rows = standing.slots().filter(wanted);
        let (slots, next) = page(
            rows,
            |slot| &slot.name,
            given.page_size,
            given.page_token.as_deref(),
            list,
        )?;
        Ok(Response::new(v1::ListSlotsResponse {
            slots,
            next_page_token: next,
            watch_cursor: self.cursor(),
        }))
    }

    async fn get_register(
        &self,
        request: Request<v1::GetRegisterRequest>,
    ) -> Result<Response<v1::GetRegisterResponse>, Status> {
        let standing = self.look(&request).await?;
        let name = &request.get_ref().name;
        names::read_register(&NAME, name)?;
        let register = standing
            .registers()
            .remove(name)
            .ok_or_else(|| absent(Code::RegisterNotFound, name))?;
        Ok(Response::new(v1::GetRegisterResponse {
            register: Some(register),
        }))
    }

    async fn list_registers(
        &self,
        request: Request<v1::ListRegistersRequest>,
    ) -> Result<Response<v1::ListRegistersResponse>, Status> {
        let standing = self.look(&request).await?;
        let given = request.into_inner();
        tenant_filter(given.tenant.as_deref())?;
        states(&given.states)?;
        if given.cassette.is_some() {
            return Err(not_served("ListRegisters.cassette").into());
        }
        let whole = v1::ListRegistersRequest {
            page_size: None,
            page_token: None,
            ..given.clone()
        };
        let list = ListId::new("ListRegisters", &whole);
        let wanted = |one: &Register| {
            (given.tenant.is_none() || given.tenant == one.tenant)
                && (given.states.is_empty() || given.states.contains(&one.state))
                && given.ready.is_none_or(|ready| ready == one.ready)
        };
        let rows = standing.registers().into_values().filter(wanted);
        let (registers, next) = page(
            rows,
            |one| &one.name,
            given.page_size,
            given.page_token.as_deref(),
            list,
        )?;
        let watch_cursor = self.cursor();
        Ok(Response::new(v1::ListRegistersResponse {
            registers,
            next_page_token: next,
            watch_cursor,
        }))
    }

    async fn get_fiscal_storage(
        &self,
        request: Request<v1::GetFiscalStorageRequest>,
    ) -> Result<Response<v1::GetFiscalStorageResponse>, Status> {
        let standing = self.look(&request).await?;
        let name = &request.get_ref().name;
        names::read_fiscal_storage(&NAME, name)?;
        let found = standing
            .fiscal_storages()
            .remove(name)
            .ok_or_else(|| absent(Code::FnNotFound, name))?;
        Ok(Response::new(v1::GetFiscalStorageResponse {
            fiscal_storage: Some(found),
        }))
    }

    async fn list_fiscal_storages(
        &self,
        request: Request<v1::ListFiscalStoragesRequest>,
    ) -> Result<Response<v1::ListFiscalStoragesResponse>, Status> {
        let standing = self.look(&request).await?;
        let given = request.into_inner();
        tenant_filter(given.tenant.as_deref())?;
        let whole = v1::ListFiscalStoragesRequest {
            page_size: None,
            page_token: None,
            ..given.clone()
        };
        let list = ListId::new("ListFiscalStorages", &whole);
        let wanted = |one: &FiscalStorage| {
            (given.tenant.is_none() || given.tenant == one.tenant)
                && (given.phases.is_empty() || given.phases.contains(&one.phase))
        };
        let rows = standing.fiscal_storages().into_values().filter(wanted);
        let (rows, next) = page(
            rows,
            |one| &one.name,
            given.page_size,
            given.page_token.as_deref(),
            list,
        )?;
        Ok(Response::new(v1::ListFiscalStoragesResponse {
            fiscal_storages: rows,
            next_page_token: next,
            watch_cursor: self.cursor(),
        }))
    }

    async fn watch_inventory(
        &self,
        _request: Request<v1::WatchInventoryRequest>,
    ) -> Result<Response<Self::WatchInventoryStream>, Status> {
        Err(not_served("InventoryService.WatchInventory").into())
    }

    not_served_yet! {
        cordon_register: CordonRegisterRequest => CordonRegisterResponse = "CordonRegister";
        uncordon_register: UncordonRegisterRequest => UncordonRegisterResponse = "UncordonRegister";
        drain_register: DrainRegisterRequest => DrainRegisterResponse = "DrainRegister";
        cancel_drain_register: CancelDrainRegisterRequest => CancelDrainRegisterResponse = "CancelDrainRegister";
        hold_register: HoldRegisterRequest => HoldRegisterResponse = "HoldRegister";
        release_register: ReleaseRegisterRequest => ReleaseRegisterResponse = "ReleaseRegister";
        identify_register: IdentifyRegisterRequest => IdentifyRegisterResponse = "IdentifyRegister";
        hold_slot: HoldSlotRequest => HoldSlotResponse = "HoldSlot";
        release_slot: ReleaseSlotRequest => ReleaseSlotResponse = "ReleaseSlot";
        locate_slot: LocateSlotRequest => LocateSlotResponse = "LocateSlot";
        check_safe_to_pull: CheckSafeToPullRequest => CheckSafeToPullResponse = "CheckSafeToPull";
        rescan_ports: RescanPortsRequest => RescanPortsResponse = "RescanPorts";
        list_forecasts: ListForecastsRequest => ListForecastsResponse = "ListForecasts";
        list_work_items: ListWorkItemsRequest => ListWorkItemsResponse = "ListWorkItems";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_names_neither_skip_nor_repeat_a_row() {
        let names: Vec<String> = (0..7).map(|number| format!("slots/S{number}")).collect();
        let list = ListId::new("ListSlots", &v1::ListSlotsRequest::default());
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let (rows, next) = page(
                names.iter().cloned(),
                |name| name.as_str(),
                Some(3),
                token.as_deref(),
                list,
            )
            .unwrap();
            seen.extend(rows);
            if next.is_empty() {
                break;
            }
            token = Some(next);
        }
        assert_eq!(seen, names);
    }

    #[test]
    fn states_that_do_not_exist_are_refused() {
        assert!(states(&[v1::UnitState::Active.into()]).is_ok());
        for bad in [0, -1, 99] {
            assert_eq!(states(&[bad]).unwrap_err().code, Code::RequestInvalid, "{bad}");
        }
    }
}
