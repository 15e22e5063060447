//! The control port: what a test may do to a running rack, over HTTP with JSON.
//!
//! Owns: routes, request bodies, and the texts of refusals.
//! Must never: be reachable by the daemon under test, or show a register anything but a fault.

use crate::faults::{FaultKind, FaultSpec, Trigger};
use crate::host::carrier::{Handle, Stopping};
use crate::host::line::tcp_address;
use crate::host::pty::check_name;
use crate::models::shtrih_m::LinkKind;
use crate::rack::{Rack, Seat};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Longest time that one request may wait for an event.
const MAX_WAIT_MS: u64 = 120_000;
/// Most exchanges that one `step` may let through.
const MAX_STEPS: u64 = 1_000_000;

/// A request that was not carried out.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Stopping> for Refusal {
    fn from(stopping: Stopping) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, stopping.to_string())
    }
}

fn bad(text: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, text.into())
}

type Answer = Result<Json<Value>, Refusal>;

/// The routes of the control port.
pub fn router(rack: Arc<Rack>) -> Router {
    Router::new()
        .route("/registers", get(list))
        .route("/registers/{serial}", get(observe))
        .route("/registers/{serial}/events", get(events))
        .route("/registers/{serial}/faults", post(faults))
        .route("/registers/{serial}/unplug", post(unplug))
        .route("/registers/{serial}/replug", post(replug))
        .route("/registers/{serial}/hold", post(hold))
        .route("/registers/{serial}/step", post(step))
        .route("/registers/{serial}/release", post(release))
        .route("/swap", post(swap))
        .route("/clock", get(clock).post(shift_clock))
        .fallback(no_route)
        .with_state(rack)
}

async fn no_route() -> Refusal {
    let text = "no such route; see hw-sim/README.md, section \"Control port\"";
    Refusal(StatusCode::NOT_FOUND, text.to_owned())
}

fn seat<'r>(rack: &'r Rack, serial: &str) -> Result<&'r Seat, Refusal> {
    rack.seat_of(serial).ok_or_else(|| {
        let known: Vec<&str> = rack.seats().map(|(serial, _)| serial).take(20).collect();
        let text = format!("there is no register {serial}; there are {}", known.join(", "));
        Refusal(StatusCode::NOT_FOUND, text)
    })
}

/// A body; an empty one reads as `{}`.
fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refusal> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(text).map_err(|e| bad(format!("the body is not accepted: {e}")))
}

async fn view(serial: &str, seat: &Seat) -> Result<Value, Refusal> {
    let observed = seat.handle.observe().await?;
    let mut value = serde_json::to_value(observed)
        .map_err(|e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("register {serial}: {e}")))?;
    value["port"] = json!(seat.handle.address());
    Ok(value)
}

async fn list(State(rack): State<Arc<Rack>>) -> Answer {
    let mut all = Vec::new();
    for (serial, seat) in rack.seats() {
        all.push(view(serial, seat).await?);
    }
    Ok(Json(json!({ "registers": all })))
}

async fn observe(State(rack): State<Arc<Rack>>, Path(serial): Path<String>) -> Answer {
    Ok(Json(view(&serial, seat(&rack, &serial)?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

async fn events(
    State(rack): State<Arc<Rack>>,
    Path(serial): Path<String>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(query) = query.map_err(|e| bad(format!("write after=N and wait_ms=N: {e}")))?;
    if query.wait_ms > MAX_WAIT_MS {
        return Err(bad(format!(
            "wait_ms is {}; accepted: 0 to {MAX_WAIT_MS}",
            query.wait_ms
        )));
    }
    let handle = &seat(&rack, &serial)?.handle;
    let wait = Duration::from_millis(query.wait_ms);
    let events = handle.events(query.after, wait).await?;
    let last = events.last().map_or(query.after, |e| e.seq);
    Ok(Json(json!({ "events": events, "last": last })))
}

async fn faults(State(rack): State<Arc<Rack>>, Path(serial): Path<String>, bytes: Bytes) -> Answer {
    let seat = seat(&rack, &serial)?;
    let value: Value = body(&bytes)?;
    let specs = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let read = |v: Value| serde_json::from_value::<FaultSpec>(v).map_err(|e| bad(format!("not a fault: {e}")));
    let specs = specs.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for spec in &specs {
        check_fault(&rack, seat, spec)?;
        if let FaultKind::FnReplace { number, .. } = &spec.kind {
            check_fn_is_free(&rack, &serial, number).await?;
        }
    }
    let armed = specs.len();
    for (at, spec) in specs.into_iter().enumerate() {
        let refused = |e| bad(format!("fault {at} of the list: {e}; those before it are armed"));
        seat.handle.fault(spec).await?.map_err(refused)?;
    }
    Ok(Json(json!({ "armed": armed })))
}

fn check_fault(rack: &Rack, seat: &Seat, spec: &FaultSpec) -> Result<(), Refusal> {
    match &spec.kind {
        FaultKind::Replug { name: Some(name) } => check_port_name(rack, seat, name),
        _ => Ok(()),
    }
}

/// One FN stands in one register: two that write one ledger would break it.
async fn check_fn_is_free(rack: &Rack, serial: &str, number: &str) -> Result<(), Refusal> {
    for (other, seat) in rack.seats().filter(|(other, _)| *other != serial) {
        if seat.handle.observe().await?.device.fn_number == number {
            let text = format!("FN {number} stands in register {other}; replace that one first");
            return Err(Refusal(StatusCode::CONFLICT, text));
        }
    }
    Ok(())
}

fn check_port_name(rack: &Rack, seat: &Seat, name: &str) -> Result<(), Refusal> {
    match seat.link {
        LinkKind::Tcp => tcp_address(name).map(|_| ()).map_err(|e| bad(e.to_string())),
        LinkKind::Pty => {
            check_name(name).map_err(|e| bad(e.to_string()))?;
            let own = seat
                .handle
                .address()
                .is_some_and(|path| path.ends_with(&format!("/{name}")));
            if rack.port_is_taken(name) && !own {
                let text = format!("the port name {name} is in use; unplug that register first, or use /swap");
                return Err(Refusal(StatusCode::CONFLICT, text));
            }
            Ok(())
        }
    }
}

async fn give(handle: &Handle, spec: FaultSpec) -> Result<(), Refusal> {
    handle.fault(spec).await?.map_err(|e| bad(e.to_string()))
}

const fn at_once(kind: FaultKind) -> FaultSpec {
    let trigger = Trigger::Now;
    FaultSpec { kind, trigger }
}

const fn cable_out() -> FaultSpec {
    // With no command running both sides are the same.
    at_once(FaultKind::Unplug {
        when: crate::faults::When::After,
    })
}

async fn unplug(State(rack): State<Arc<Rack>>, Path(serial): Path<String>) -> Answer {
    let seat = seat(&rack, &serial)?;
    give(&seat.handle, cable_out()).await?;
    Ok(Json(view(&serial, seat).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplugBody {
    #[serde(default)]
    name: Option<String>,
}

async fn replug(State(rack): State<Arc<Rack>>, Path(serial): Path<String>, bytes: Bytes) -> Answer {
    let seat = seat(&rack, &serial)?;
    let ReplugBody { name } = body(&bytes)?;
    let name = match name {
        Some(name) => name,
        None => seat.handle.observe().await?.name,
    };
    check_port_name(&rack, seat, &name)?;
    give(&seat.handle, at_once(FaultKind::Replug { name: Some(name) })).await?;
    Ok(Json(view(&serial, seat).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwapBody {
    registers: [String; 2],
}

/// Two registers change places: each cable ends in the other's port.
async fn swap(State(rack): State<Arc<Rack>>, bytes: Bytes) -> Answer {
    let SwapBody { registers: [a, b] } = body(&bytes)?;
    let (one, other) = (seat(&rack, &a)?, seat(&rack, &b)?);
    if a == b || one.link != other.link {
        return Err(bad("a swap needs two registers on the same kind of link"));
    }
    let (its, others) = (one.handle.observe().await?.name, other.handle.observe().await?.name);
    for handle in [&one.handle, &other.handle] {
        give(handle, cable_out()).await?;
    }
    for (seat, name) in [(one, others), (other, its)] {
        check_port_name(&rack, seat, &name)?;
        give(&seat.handle, at_once(FaultKind::Replug { name: Some(name) })).await?;
    }
    Ok(Json(
        json!({ "registers": [view(&a, one).await?, view(&b, other).await?] }),
    ))
}

async fn hold(State(rack): State<Arc<Rack>>, Path(serial): Path<String>) -> Answer {
    let seat = seat(&rack, &serial)?;
    seat.handle.hold().await?;
    Ok(Json(view(&serial, seat).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    #[serde(default = "one")]
    count: u64,
}

const fn one() -> u64 {
    1
}

async fn step(State(rack): State<Arc<Rack>>, Path(serial): Path<String>, bytes: Bytes) -> Answer {
    let seat = seat(&rack, &serial)?;
    let StepBody { count } = body(&bytes)?;
    if !(1..=MAX_STEPS).contains(&count) {
        return Err(bad(format!("count is {count}; accepted: 1 to {MAX_STEPS}")));
    }
    seat.handle.step(count).await?;
    Ok(Json(view(&serial, seat).await?))
}

async fn release(State(rack): State<Arc<Rack>>, Path(serial): Path<String>) -> Answer {
    let seat = seat(&rack, &serial)?;
    seat.handle.release().await?;
    Ok(Json(view(&serial, seat).await?))
}

fn clock_view(rack: &Rack) -> Json<Value> {
    let now = rack.clock().now();
    Json(json!({ "unix_ms": now.unix_ms, "shifted_ms": rack.clock().shifted_ms() }))
}

async fn clock(State(rack): State<Arc<Rack>>) -> Json<Value> {
    clock_view(&rack)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    shift_ms: i64,
}

async fn shift_clock(State(rack): State<Arc<Rack>>, bytes: Bytes) -> Answer {
    let ClockBody { shift_ms } = body(&bytes)?;
    rack.clock().shift(shift_ms);
    Ok(clock_view(&rack))
}
