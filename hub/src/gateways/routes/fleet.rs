//! The fleet over HTTP.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use steward_shared::id::{GatewayId, SiteId};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Health;
use utoipa::ToSchema;

use super::health::GatewayHealth;
use crate::gateways::acts::Actor;
use crate::gateways::enrol::{FleetError, NewCode};
use crate::gateways::fleet::Fleet;
use crate::gateways::model::{RoadKind, state_word};
use crate::gateways::store::{EventRow, GatewayRow};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{IfMatch, Json, Path, Query};
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

impl From<FleetError> for Problem {
    fn from(e: FleetError) -> Self {
        let detail = e.to_string();
        match e {
            FleetError::NoSuchGateway => Self::not_found("gateway"),
            FleetError::NoSuchSite => Self::field("/site", "unknown", detail),
            FleetError::NameTaken(name) => Self::conflict("name_taken", detail).with("name", name),
            FleetError::BadName => Self::field("/name", "bad_length", detail),
            FleetError::Stale => Self::stale(),
            FleetError::WasEnrolled => Self::conflict("was_enrolled", detail),
            FleetError::NoRandomness => Self::internal(&e),
            FleetError::Db(e) => e.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Counts {
    /// Devices in use.
    pub devices: i64,
    /// Points in use.
    pub points: i64,
}

/// A gateway: one steward-edge.
#[derive(Serialize, ToSchema)]
pub struct Gateway {
    #[schema(value_type = String)]
    pub id: GatewayId,
    #[schema(example = "east-plant")]
    pub name: String,
    #[schema(value_type = Option<String>, required = true)]
    pub site: Option<SiteId>,
    /// pending: its machine has not enrolled yet; revoked: its certificates are void; online, offline.
    #[schema(example = "online")]
    pub state: &'static str,
    /// Counts the changes of name and place, for `If-Match`.
    pub version: i64,
    /// The program's version.
    #[schema(required = true)]
    pub program: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub last_seen: Option<Timestamp>,
    /// Where its last connection came from.
    #[schema(required = true)]
    pub address: Option<String>,
    /// By which road it is connected: quic, or tcp where UDP does not come through on the way. Absent while it is not.
    #[schema(required = true, example = "quic")]
    pub road: Option<&'static str>,
    /// The UDP port that seems to be blocked on the way from it, while it is connected over TCP.
    #[schema(required = true, example = 7443)]
    pub blocked_port: Option<u16>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub enrolled_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub certificate_expires: Option<Timestamp>,
    /// Batches and events that it holds and the hub has not acknowledged.
    #[schema(required = true)]
    pub buffered: Option<u64>,
    #[schema(required = true)]
    pub health: Option<GatewayHealth>,
    pub counts: Counts,
}

fn shown(fleet: &Fleet, row: GatewayRow) -> Gateway {
    let sight = fleet.sight(row.id);
    let stored = || row.health.as_deref().and_then(|h| serde_json::from_str::<Health>(h).ok());
    let health = sight.health.or_else(stored);
    let word = |w: String| (!w.is_empty()).then_some(w);
    Gateway {
        id: row.id,
        name: row.name,
        site: row.site,
        state: state_word(row.state, sight.online),
        version: row.row_version,
        program: word(row.version),
        last_seen: sight.seen.max(row.last_seen),
        address: word(row.address),
        road: sight.road.map(RoadKind::word),
        blocked_port: (sight.road == Some(RoadKind::Tcp)).then(|| fleet.port()),
        enrolled_at: row.enrolled_at,
        certificate_expires: row.certificate_expires,
        buffered: health.as_ref().map(|h| h.unacked),
        health: health.map(GatewayHealth::from),
        counts: Counts { devices: row.devices, points: row.points },
    }
}

/// A code to be typed in at the gateway: `steward-edge enrol --config edge.toml STW-…`. Shown once, used once.
#[derive(Serialize, ToSchema)]
pub struct GatewayCode {
    pub gateway: Gateway,
    #[schema(example = "STW-4T8XQ2-9GZB0K-…")]
    pub code: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// What `[hub] address` of the gateway's file should say, where the hub's own file says it (`[gateways] address`).
    #[schema(example = "hub.example:7443")]
    pub hub_address: Option<String>,
    /// The port on which the hub waits for gateways, by UDP and TCP.
    pub hub_port: u16,
}

async fn with_code(ctx: &Ctx, fleet: &Fleet, id: GatewayId, new: NewCode) -> Result<GatewayCode, Problem> {
    let gateway = find(fleet, id).await?;
    Ok(GatewayCode {
        gateway: shown(fleet, gateway),
        code: new.code.to_string(),
        expires_at: new.expires_at,
        hub_address: ctx.settings.gateways_address.as_ref().map(ToString::to_string),
        hub_port: ctx.settings.gateways_listen.port(),
    })
}

pub(super) async fn find(fleet: &Fleet, id: GatewayId) -> Result<GatewayRow, Problem> {
    fleet.gateway(id).await?.ok_or_else(|| Problem::not_found("gateway"))
}

/// What happened at a gateway, or to it.
#[derive(Serialize, ToSchema)]
pub struct GatewayEvent {
    pub id: String,
    #[schema(value_type = String)]
    pub gateway: GatewayId,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// device_silent, line_down, buffer_dropped, buffer_corrupt, started, config_applied, config_refused, clock_step, implausible, counter_held, counter_rolled_over, meter_replaced, ratio_changed, clock_corrected, device_clock, device_alarm, number_conflict, storage_failing, hub_untrusted, command_not_effective;
    /// gateway_silent, gateway_enrolled, gateway_revoked, epoch_began, data_missing, batch_quarantined,
    /// readings_too_late, readings_out_of_time, clock_differs, lane_paused;
    /// identity_mismatch, cloned_gateway, batch_forked, refused_certificate.
    #[schema(example = "device_silent")]
    pub kind: String,
    /// For what lasts: true when it begins, false when it ends.
    pub active: bool,
    #[schema(required = true)]
    pub line: Option<String>,
    #[schema(required = true)]
    pub device: Option<String>,
    /// What happened, in English.
    pub detail: String,
    /// Words and numbers for a sentence in another language. Of a gateway's kinds: {object, state, text} of device_alarm,
    /// the text where the device gives one, {what: device | network, number, known, other} of number_conflict, {how: below |
    /// above | factor | jump | stuck, point, shows, limit, from, times, since} of implausible, {how: jump | first, point,
    /// shows, total} of counter_held, {how: values | person, point, from, to} of counter_rolled_over and meter_replaced,
    /// {how: ratio | counter, point, times, from, to} of ratio_changed, {how: ahead | behind, seconds} of device_clock,
    /// {command, point, value, now, reason} of command_not_effective,
    /// each as far as it has them, and none of what is over. Of the hub's own: {host, address} of gateway_enrolled, {by} of gateway_revoked, {epoch, reason: first | new_buffer | restored} of epoch_began, {lane,
    /// from, to, why: dropped | forgotten} of data_missing, {lane, sequence, reason} of batch_quarantined, {readings} of
    /// readings_too_late, {lane, readings, first} of readings_out_of_time,
    /// {ahead_ms} of clock_differs, {lane} of lane_paused, {claimed} of identity_mismatch, {address} of cloned_gateway,
    /// {lane, sequence} of batch_forked, {why: revoked | superseded} of refused_certificate. Empty for others.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub facts: serde_json::Value,
    /// Somebody should look whether this is an attack.
    pub security: bool,
}

impl From<EventRow> for GatewayEvent {
    fn from(e: EventRow) -> Self {
        Self {
            id: e.id.to_string(),
            gateway: e.gateway,
            at: e.at,
            received_at: e.received_at,
            kind: e.kind,
            active: e.active,
            line: e.line,
            device: e.device,
            detail: e.detail,
            facts: serde_json::from_str(&e.facts).unwrap_or_default(),
            security: e.security,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGateway {
    /// 1 to 100 characters, unique.
    #[schema(example = "east-plant")]
    pub name: String,
    #[schema(value_type = Option<String>)]
    pub site: Option<SiteId>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "absent, null and an id are three things")]
pub struct GatewayChange {
    pub name: Option<String>,
    /// Null takes it out of the tree, absent leaves it where it is.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub site: Option<Option<SiteId>>,
}

/// Tells null from absent.
#[allow(clippy::option_option, reason = "absent, null and an id are three things")]
fn given<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<SiteId>>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// The fleet, by name.
#[utoipa::path(get, path = "/api/v1/gateways", tag = "gateways", operation_id = "list_gateways", params(PageQuery),
    security(("session" = ["viewer"])), responses((status = 200, body = Page<Gateway>), (status = 422, body = ProblemBody)))]
pub async fn list(
    State(ctx): State<Ctx>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Gateway>>, Problem> {
    let (limit, after) = (page.limit()?, page.after()?);
    let fleet = ctx.part::<Fleet>();
    let rows = fleet.gateways(after, limit + 1).await?;
    let page = Page::of(rows, limit, |g| (g.name.clone(), g.id.to_string()));
    Ok(Json(page.map(|g| shown(&fleet, g))))
}

/// Makes a gateway that waits for its machine, and the code by which the machine enrols. The code is in this answer only:
/// a repeat with the same `Idempotency-Key` does not show it again.
#[utoipa::path(post, path = "/api/v1/gateways", tag = "gateways", operation_id = "create_gateway",
    request_body = NewGateway, security(("session" = ["engineer"])),
    responses((status = 201, body = GatewayCode), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn create(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Json(b): Json<NewGateway>,
) -> Result<Response, Problem> {
    let fleet = ctx.part::<Fleet>();
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let (id, code) = fleet.add(&actor, &b.name, b.site).await?;
    let body = with_code(&ctx, &fleet, id, code).await?;
    let head =
        [(header::LOCATION, format!("/api/v1/gateways/{id}")), (header::CACHE_CONTROL, "no-store".into())];
    Ok((StatusCode::CREATED, head, Json(body)).into_response())
}

/// One gateway.
#[utoipa::path(get, path = "/api/v1/gateways/{id}", tag = "gateways", operation_id = "gateway",
    params(("id" = String, Path)), security(("session" = ["viewer"])),
    responses((status = 200, body = Gateway), (status = 404, body = ProblemBody)))]
pub async fn read(State(ctx): State<Ctx>, Path(id): Path<GatewayId>) -> Result<Json<Gateway>, Problem> {
    let fleet = ctx.part::<Fleet>();
    let row = find(&fleet, id).await?;
    Ok(Json(shown(&fleet, row)))
}

/// Renames a gateway or puts it elsewhere. `If-Match` carries the version that was seen.
#[utoipa::path(patch, path = "/api/v1/gateways/{id}", tag = "gateways", operation_id = "change_gateway",
    request_body = GatewayChange,
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["engineer"])),
    responses((status = 200, body = Gateway), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn change(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<GatewayId>,
    IfMatch(seen): IfMatch,
    Json(b): Json<GatewayChange>,
) -> Result<Json<Gateway>, Problem> {
    let fleet = ctx.part::<Fleet>();
    let before = find(&fleet, id).await?;
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    fleet.alter(&actor, &before, seen, b.name.as_deref(), b.site).await?;
    let row = find(&fleet, id).await?;
    Ok(Json(shown(&fleet, row)))
}

/// Another one-time code: for a machine that was set up anew, or a gateway that was revoked. The one before is void.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/code", tag = "gateways", operation_id = "new_gateway_code",
    params(("id" = String, Path)), security(("session" = ["engineer"])),
    responses((status = 200, body = GatewayCode), (status = 404, body = ProblemBody)))]
pub async fn code(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<GatewayId>,
) -> Result<Response, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let new = fleet.give_code(&Actor { ctx: &ctx, caller: &caller, origin: &origin }, id).await?;
    let body = with_code(&ctx, &fleet, id, new).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Makes a gateway's certificates and codes void and ends its connection, at once.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/revoke", tag = "gateways", operation_id = "revoke_gateway",
    params(("id" = String, Path)), security(("session" = ["engineer"])),
    responses((status = 200, body = Gateway), (status = 404, body = ProblemBody)))]
pub async fn revoke(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<GatewayId>,
) -> Result<Json<Gateway>, Problem> {
    let fleet = ctx.part::<Fleet>();
    fleet.throw_away(&Actor { ctx: &ctx, caller: &caller, origin: &origin }, id).await?;
    let row = find(&fleet, id).await?;
    Ok(Json(shown(&fleet, row)))
}

/// Removes a gateway whose machine has never enrolled, with its code. `If-Match` carries the version that was seen.
#[utoipa::path(delete, path = "/api/v1/gateways/{id}", tag = "gateways", operation_id = "delete_gateway",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the version, in quotes")),
    security(("session" = ["engineer"])),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 412, body = ProblemBody)))]
pub async fn delete(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<GatewayId>,
    IfMatch(seen): IfMatch,
) -> Result<StatusCode, Problem> {
    let fleet = ctx.part::<Fleet>();
    fleet.discard(&Actor { ctx: &ctx, caller: &caller, origin: &origin }, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What happened at a gateway or to it, the newest first.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/events", tag = "gateways", operation_id = "list_gateway_events",
    params(("id" = String, Path), PageQuery), security(("session" = ["viewer"])),
    responses((status = 200, body = Page<GatewayEvent>), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn events(
    State(ctx): State<Ctx>,
    Path(id): Path<GatewayId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<GatewayEvent>>, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let (limit, before) = (page.limit()?, page.after::<i64>()?);
    let rows = fleet.events(id, before, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |e| e.id).map(GatewayEvent::from)))
}
