//! Devices and points, with the latest values.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use steward_shared::id::{DeviceId, GatewayId, PointId, SiteId};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{CatalogueWrite, Label as WireLabel};
use utoipa::{IntoParams, ToSchema};

use crate::gateways::{DeviceFilter, DeviceRow, Fleet, PointRow};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{Json, Path, Query};
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};
use crate::telemetry::readings::Readings;

/// A name in both languages.
#[derive(Serialize, ToSchema)]
pub struct Names {
    #[schema(example = "总进线电表")]
    pub zh: String,
    #[schema(example = "Main incomer meter")]
    pub en: String,
}

/// A device behind a gateway.
#[derive(Serialize, ToSchema)]
pub struct Device {
    #[schema(value_type = String)]
    pub id: DeviceId,
    #[schema(value_type = String)]
    pub gateway: GatewayId,
    /// Its name in the gateway's file.
    #[schema(example = "main-meter")]
    pub key: String,
    pub title: Names,
    #[schema(example = "schneider/pm5350")]
    pub profile: String,
    pub vendor: String,
    pub model: String,
    /// Where it stands, in the words of the gateway's file.
    pub place: String,
    pub line: String,
    pub address: String,
    /// False when the gateway's present configuration has it no more.
    pub in_use: bool,
    /// The place of the hub's tree in which it stands: its gateway's.
    #[schema(value_type = Option<String>, required = true)]
    pub site: Option<SiteId>,
    /// It does not answer at present.
    pub silent: bool,
    /// How many points in use it has.
    pub points: i64,
}

impl From<DeviceRow> for Device {
    fn from(d: DeviceRow) -> Self {
        Self {
            id: d.id,
            gateway: d.gateway,
            key: d.key,
            title: Names { zh: d.title_zh, en: d.title_en },
            profile: d.profile,
            vendor: d.vendor,
            model: d.model,
            place: d.place,
            line: d.line,
            address: d.address,
            in_use: d.in_use,
            site: d.site,
            silent: d.silent,
            points: d.points,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    /// A measured quantity that goes up and down.
    Gauge,
    /// A total that only grows, apart from rollover and replacement.
    Counter,
    /// 0 or 1.
    Flag,
    /// A code; the labels say what it means.
    Enumeration,
    Text,
}

#[derive(Serialize, ToSchema)]
pub struct Label {
    pub code: i64,
    pub names: Names,
}

/// A value as the API shows it: flags are 0 and 1, enumerations are their code.
#[derive(Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Shown {
    Number(f64),
    Text(String),
}

impl From<Value> for Shown {
    fn from(v: Value) -> Self {
        match v {
            Value::Number(n) => Self::Number(n),
            Value::Text(t) => Self::Text(t),
        }
    }
}

/// The last sample of a point.
#[derive(Serialize, ToSchema)]
pub struct Latest {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Null when there is no value; `quality` says why.
    #[schema(required = true)]
    pub value: Option<Shown>,
    /// good, no_value, undecodable, no_reply, bad_reply, line_down, out_of_range, too_fast, stuck, held_back or refused.
    #[schema(example = "good")]
    pub quality: &'static str,
    /// Not to be shown as good: its gateway is away, or it is older than `fresh_for_ms` of the point, or more than a
    /// minute ahead of the hub's clock.
    pub stale: bool,
}

/// What may be written into a point, as its profile and the gateway's file allow it.
#[derive(Serialize, ToSchema)]
pub struct PointWrite {
    /// In the point's unit; null of flags and enumerations.
    #[schema(required = true)]
    pub min: Option<f64>,
    #[schema(required = true)]
    pub max: Option<f64>,
    /// The smallest difference that counts.
    pub step: f64,
    /// What is written must come back by itself.
    pub time_boxed: bool,
    pub two_persons: bool,
    /// The BACnet priority where nobody says another; null of other languages.
    #[schema(required = true)]
    pub priority: Option<u8>,
}

/// One measured or counted thing of a device.
#[derive(Serialize, ToSchema)]
pub struct Point {
    #[schema(value_type = i64)]
    pub id: PointId,
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Its key in the profile.
    #[schema(example = "active_power")]
    pub key: String,
    pub title: Names,
    /// UCUM code; `1` where there is none.
    #[schema(example = "kW")]
    pub unit: String,
    pub kind: PointKind,
    pub labels: Vec<Label>,
    /// How often it is read, in milliseconds.
    pub period_ms: i64,
    /// How old its latest value may be and still be shown as good, in milliseconds: three periods and the time that
    /// samples are under way. That is the interval in which the gateway gathers them (10 s, or what its batches span if
    /// that is more) and 5 s.
    pub fresh_for_ms: i64,
    /// Digits after the decimal point that are worth showing.
    pub decimals: i64,
    pub in_use: bool,
    /// How it may be written from the hub; null where it may not.
    #[schema(required = true)]
    pub write: Option<PointWrite>,
    #[schema(required = true)]
    pub latest: Option<Latest>,
}

fn point_of(ctx: &Ctx, fleet: &Fleet, readings: &Readings, p: PointRow) -> Point {
    let now = ctx.now();
    let shape = p.shape();
    let delivery = readings.delivery(p.gateway);
    let latest = readings.latest(p.id).map(|s| Latest {
        at: s.at,
        value: s.value.map(Shown::from),
        quality: s.quality.word(),
        stale: s.quality == Quality::Stale
            || shape.is_stale(s.at, now, delivery)
            || !fleet.is_online(p.gateway),
    });
    let kind = match p.kind.as_str() {
        "counter" => PointKind::Counter,
        "flag" => PointKind::Flag,
        "enumeration" => PointKind::Enumeration,
        "text" => PointKind::Text,
        _ => PointKind::Gauge,
    };
    let labels: Vec<WireLabel> = serde_json::from_str(&p.labels).unwrap_or_default();
    let write = p.writing.as_deref().filter(|_| p.in_use).and_then(|w| serde_json::from_str(w).ok());
    let write = write.map(|w: CatalogueWrite| PointWrite {
        min: w.min,
        max: w.max,
        step: w.step,
        time_boxed: w.time_boxed,
        two_persons: w.two_persons,
        priority: w.priority,
    });
    Point {
        id: p.id,
        device: p.device,
        key: p.key,
        title: Names { zh: p.title_zh, en: p.title_en },
        unit: p.unit,
        kind,
        labels: labels
            .into_iter()
            .map(|l| Label { code: l.code, names: Names { zh: l.names.zh, en: l.names.en } })
            .collect(),
        period_ms: p.period_ms,
        fresh_for_ms: i64::try_from(shape.fresh_for(delivery).as_millis()).unwrap_or(i64::MAX),
        decimals: p.decimals,
        in_use: p.in_use,
        write,
        latest,
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DevicesQuery {
    /// How many at most; 50 unless said, 500 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Only those behind this gateway.
    #[param(value_type = Option<String>)]
    pub gateway: Option<GatewayId>,
    /// Only those whose gateway stands in this place or below it.
    #[param(value_type = Option<String>)]
    pub site: Option<SiteId>,
    /// Words of their title, key, vendor, model or place.
    pub q: Option<String>,
}

/// The devices of all gateways.
#[utoipa::path(get, path = "/api/v1/devices", tag = "telemetry", operation_id = "list_devices", params(DevicesQuery),
    security(("session" = ["viewer"])), responses((status = 200, body = Page<Device>), (status = 422, body = ProblemBody)))]
pub async fn devices(
    State(ctx): State<Ctx>,
    Query(q): Query<DevicesQuery>,
) -> Result<Json<Page<Device>>, Problem> {
    let page = PageQuery { limit: q.limit, after: q.after };
    let (limit, after) = (page.limit()?, page.after()?);
    let filter = DeviceFilter { gateway: q.gateway, site: q.site, device: None, text: q.q };
    let rows = ctx.part::<Fleet>().devices(&filter, after, limit + 1).await?;
    let page = Page::of(rows, limit, |d| (d.gateway.to_string(), d.key.clone(), d.id.to_string()));
    Ok(Json(page.map(Device::from)))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "telemetry", operation_id = "device",
    params(("id" = String, Path)), security(("session" = ["viewer"])),
    responses((status = 200, body = Device), (status = 404, body = ProblemBody)))]
pub async fn device(State(ctx): State<Ctx>, Path(id): Path<DeviceId>) -> Result<Json<Device>, Problem> {
    let row = ctx.part::<Fleet>().device(id).await?.ok_or_else(|| Problem::not_found("device"))?;
    Ok(Json(row.into()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PointsQuery {
    /// How many at most; 50 unless said, 500 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Only those of this device.
    #[param(value_type = Option<String>)]
    pub device: Option<DeviceId>,
    /// Only those behind this gateway.
    #[param(value_type = Option<String>)]
    pub gateway: Option<GatewayId>,
    /// Words of their title or key, or of their device's.
    pub q: Option<String>,
}

/// Points with their latest values.
#[utoipa::path(get, path = "/api/v1/points", tag = "telemetry", operation_id = "list_points", params(PointsQuery),
    security(("session" = ["viewer"])), responses((status = 200, body = Page<Point>), (status = 422, body = ProblemBody)))]
pub async fn points(
    State(ctx): State<Ctx>,
    Query(q): Query<PointsQuery>,
) -> Result<Json<Page<Point>>, Problem> {
    let page = PageQuery { limit: q.limit, after: q.after };
    let (limit, after) = (page.limit()?, page.after::<i64>()?);
    let filter = DeviceFilter { gateway: q.gateway, site: None, device: q.device, text: q.q };
    let (fleet, readings) = (ctx.part::<Fleet>(), ctx.part::<Readings>());
    let rows = fleet.points(&filter, after, limit + 1).await?;
    let page = Page::of(rows, limit, |p| p.id.0);
    Ok(Json(page.map(|p| point_of(&ctx, &fleet, &readings, p))))
}

/// One point with its latest value.
#[utoipa::path(get, path = "/api/v1/points/{id}", tag = "telemetry", operation_id = "point",
    params(("id" = i64, Path)), security(("session" = ["viewer"])),
    responses((status = 200, body = Point), (status = 404, body = ProblemBody)))]
pub async fn point(State(ctx): State<Ctx>, Path(id): Path<i64>) -> Result<Json<Point>, Problem> {
    let (fleet, readings) = (ctx.part::<Fleet>(), ctx.part::<Readings>());
    let row = fleet.point(PointId(id)).await?.ok_or_else(|| Problem::not_found("point"))?;
    Ok(Json(point_of(&ctx, &fleet, &readings, row)))
}
