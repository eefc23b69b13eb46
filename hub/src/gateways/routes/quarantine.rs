//! What was set aside, over HTTP.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use serde::Serialize;
use steward_shared::id::GatewayId;
use steward_shared::reading;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Lane;
use utoipa::ToSchema;

use super::fleet::find;
use crate::gateways::acts::Actor;
use crate::gateways::fleet::Fleet;
use crate::gateways::quarantine::{AsideRow, Content, Inside, Sample};
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::ctx::Ctx;
use crate::kernel::http::{Json, Path, Query};
use crate::kernel::page::{Page, PageQuery};
use crate::kernel::problem::{Problem, ProblemBody};

/// A batch that could not be applied, or of which something was left out. The newest hundred of a gateway are kept.
#[derive(Serialize, ToSchema)]
pub struct SetAside {
    pub id: String,
    /// alarm, live, backfill, command; absent of a lane that this hub does not know.
    #[schema(required = true, example = "live")]
    pub lane: Option<&'static str>,
    /// Of the gateway's database.
    pub epoch: i64,
    /// Not known any more of a batch that was stored before.
    #[schema(required = true)]
    pub sequence: Option<i64>,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// Why, in English.
    pub reason: String,
    pub bytes: i64,
    /// The SHA-256 that the gateway told of it, in hexadecimal digits.
    pub sha256: String,
}

impl From<AsideRow> for SetAside {
    fn from(row: AsideRow) -> Self {
        Self {
            id: row.id.to_string(),
            lane: Lane::from_code(row.lane).map(Lane::word),
            epoch: row.epoch,
            sequence: (row.seq > 0).then_some(row.seq),
            received_at: row.received_at,
            reason: row.reason,
            bytes: row.bytes,
            sha256: HEXLOWER.encode(&row.hash.0),
        }
    }
}

/// One of the readings of a batch that was set aside.
#[derive(Serialize, ToSchema)]
pub struct SetAsideReading {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The point's number in the gateway's database.
    pub number: u32,
    /// The device's name in the gateway's file; absent where the number is not known.
    #[schema(required = true)]
    pub device: Option<String>,
    /// The point's key in the profile.
    #[schema(required = true)]
    pub point: Option<String>,
    /// A number, a text, or absent where nothing was read.
    #[schema(value_type = Option<serde_json::Value>, required = true)]
    pub value: Option<serde_json::Value>,
    #[schema(example = "good")]
    pub quality: &'static str,
}

/// What is in a batch that was set aside, as far as it can be read.
#[derive(Serialize, ToSchema)]
pub struct SetAsideContent {
    pub batch: SetAside,
    /// Whether the bytes are those of which the gateway told the hash.
    pub intact: bool,
    /// How many readings it holds.
    #[schema(required = true)]
    pub readings: Option<usize>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub first: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub last: Option<Timestamp>,
    /// The first 200 of the readings.
    pub samples: Vec<SetAsideReading>,
    /// An event or a report of a command.
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>, required = true)]
    pub item: Option<serde_json::Value>,
    /// Why it cannot be read, in English.
    #[schema(required = true)]
    pub unreadable: Option<String>,
    /// The first 256 bytes, in hexadecimal digits.
    pub head: String,
}

impl From<Inside> for SetAsideContent {
    fn from(inside: Inside) -> Self {
        let mut content = Self {
            batch: inside.row.into(),
            intact: inside.is_intact,
            readings: None,
            first: None,
            last: None,
            samples: Vec::new(),
            item: None,
            unreadable: None,
            head: HEXLOWER.encode(&inside.head),
        };
        match inside.content {
            Content::Readings { count, first, last, samples } => {
                (content.readings, content.first, content.last) = (Some(count), first, last);
                content.samples = samples.into_iter().map(self::shown).collect();
            }
            Content::Event(event) => content.item = serde_json::to_value(event).ok(),
            Content::Report(report) => content.item = serde_json::to_value(report).ok(),
            Content::Unreadable(why) => content.unreadable = Some(why),
        }
        content
    }
}

fn shown(sample: Sample) -> SetAsideReading {
    let (device, point) = sample.names.unzip();
    let value = sample.value.map(|value| match value {
        reading::Value::Number(number) => number.into(),
        reading::Value::Text(text) => text.into(),
    });
    SetAsideReading { at: sample.at, number: sample.no, device, point, value, quality: sample.quality }
}

/// What of a gateway was set aside, the newest first.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/quarantine", tag = "gateways", operation_id = "list_set_aside",
    params(("id" = String, Path), PageQuery), security(("session" = ["viewer"])),
    responses((status = 200, body = Page<SetAside>), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub async fn list(
    State(ctx): State<Ctx>,
    Path(id): Path<GatewayId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SetAside>>, Problem> {
    let fleet = ctx.part::<Fleet>();
    find(&fleet, id).await?;
    let (limit, before) = (page.limit()?, page.after::<i64>()?);
    let rows = fleet.aside(id, before, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |row| row.id).map(SetAside::from)))
}

/// What is in a batch that was set aside.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/quarantine/{batch}", tag = "gateways", operation_id = "set_aside",
    params(("id" = String, Path), ("batch" = String, Path)), security(("session" = ["viewer"])),
    responses((status = 200, body = SetAsideContent), (status = 404, body = ProblemBody)))]
pub async fn read(
    State(ctx): State<Ctx>,
    Path((id, batch)): Path<(GatewayId, i64)>,
) -> Result<Json<SetAsideContent>, Problem> {
    let inside = ctx.part::<Fleet>().look_into(id, batch).await?;
    Ok(Json(inside.ok_or_else(gone)?.into()))
}

/// The bytes of a batch that was set aside, as they came from the gateway.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/quarantine/{batch}/body", tag = "gateways",
    operation_id = "set_aside_body", params(("id" = String, Path), ("batch" = String, Path)),
    security(("session" = ["viewer"])),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ProblemBody)))]
pub async fn body(
    State(ctx): State<Ctx>,
    Path((id, batch)): Path<(GatewayId, i64)>,
) -> Result<Response, Problem> {
    let bytes = ctx.part::<Fleet>().aside_body(id, batch).await?.ok_or_else(gone)?;
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"steward-batch-{batch}.cbor\"")),
    ];
    Ok((head, bytes).into_response())
}

/// Takes a batch away that was set aside, for good.
#[utoipa::path(delete, path = "/api/v1/gateways/{id}/quarantine/{batch}", tag = "gateways",
    operation_id = "discard_set_aside", params(("id" = String, Path), ("batch" = String, Path)),
    security(("session" = ["engineer"])), responses((status = 204), (status = 404, body = ProblemBody)))]
pub async fn discard(
    State(ctx): State<Ctx>,
    caller: Caller,
    origin: Origin,
    Path((id, batch)): Path<(GatewayId, i64)>,
) -> Result<StatusCode, Problem> {
    let actor = Actor { ctx: &ctx, caller: &caller, origin: &origin };
    let is_gone = ctx.part::<Fleet>().discard_aside(&actor, id, batch).await?;
    if is_gone { Ok(StatusCode::NO_CONTENT) } else { Err(gone()) }
}

fn gone() -> Problem {
    Problem::not_found("batch")
}
